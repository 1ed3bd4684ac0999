//! What a sandbox did otherwise than AWS would have, as its client says it: of this run's own sandbox, and of one that is served.

use std::collections::BTreeMap;

use crate::aws::served::StandIn;
use crate::render::{count, safe, some_of};

use super::output;

/// Says what stood in for what AWS would have run. Whether a secret's rotation was only simulated.
pub fn say(found: Vec<(String, StandIn)>, allowed: bool) -> bool {
    let (mut simulated, mut otherwise) = (BTreeMap::<String, Vec<String>>::new(), BTreeMap::new());
    for (name, stand_in) in found {
        match stand_in {
            StandIn::Simulated { reason } => simulated.entry(reason).or_default().push(name),
            StandIn::Version { runtime, version } => {
                otherwise.entry((runtime, version)).or_insert_with(Vec::new).push(name);
            }
        }
    }
    let some = |names: &[String]| safe(&some_of(names.iter().map(String::as_str), 3)).into_owned();
    for ((runtime, version), names) in &otherwise {
        let (runtime, version) = (safe(runtime), safe(version));
        // Of Python, the code itself was read for the other version.
        let read = if runtime.starts_with("python") { ", whose grammar and modules the code keeps to" } else { "" };
        output::say(&format!(
            "sandbox: rotated by version {version} here, and by {runtime} on AWS{read}: {}",
            some(names)
        ));
    }
    for (reason, names) in &simulated {
        let number = count(names.len(), "rotation");
        let summary = format!("{number} only simulated, and not tested, since {}: {}", safe(reason), some(names));
        let hint = "`--allow-simulated` is content with that; else rehearse where the runtime can be run";
        if allowed {
            output::say(&format!("sandbox: {summary}"));
        } else {
            output::error_line(&summary, &[hint.to_owned()]);
        }
    }
    !simulated.is_empty()
}

/// Says what of functions was changed or left out.
pub fn say_differences<'a>(all: impl IntoIterator<Item = &'a String>) {
    for one in all {
        output::say(&format!("sandbox: {}", safe(one)));
    }
}
