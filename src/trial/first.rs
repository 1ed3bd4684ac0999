//! The first rotation, which most checks are read from: what each of the four steps did, and left behind.
//!
//! One fault shows in several places: a step that overwrites AWSCURRENT may make a later one fail. The cause is told, and what follows
//! from it is not tested.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::sandbox::probe::{Asked, Made};
use crate::sandbox::{Called, Ended, FormFault, Seen};

use super::stand::{STEPS, Stand, Stop, how, seconds};
use super::verdict::{Ending, Failure};

/// What the first rotation showed.
#[derive(Debug, Default)]
pub struct First {
    endings: BTreeMap<&'static str, Ending>,
    /// Why it came to nothing, where it did.
    stopped: Option<String>,
    /// The check that says why it didn't come to its end.
    cause: Option<&'static str>,
    /// Whether any of the function's own code ran.
    pub has_run: bool,
    /// The password that it asked for.
    pub asked: Option<Asked>,
}

impl First {
    /// How a check ended that is read from this rotation.
    pub fn ending(&self, name: &str) -> Ending {
        match (self.endings.get(name), &self.stopped, self.cause) {
            (Some(ending), ..) => ending.clone(),
            (None, Some(reason), _) => Ending::NotTested { reason: reason.clone(), because: None },
            (None, None, Some(cause)) => Ending::built_on(cause),
            (None, None, None) => Ending::Passed { note: None },
        }
    }

    fn fails(&mut self, check: &'static str, failure: Failure) {
        self.endings.entry(check).or_insert_with(|| Ending::failed(vec![failure]));
        self.cause.get_or_insert(check);
    }

    fn has_failed(&self, check: &str) -> bool {
        self.endings.contains_key(check)
    }

    fn passes(&mut self, check: &'static str) {
        self.endings.entry(check).or_insert(Ending::Passed { note: None });
    }
}

/// The first rotation.
pub async fn first(stand: &mut Stand<'_>) -> First {
    let mut first = First::default();
    if let Err(Stop(reason)) = rotate(stand, &mut first).await {
        first.stopped = Some(reason);
    }
    first
}

async fn rotate(stand: &mut Stand<'_>, first: &mut First) -> Result<(), Stop> {
    stand.fresh().await?;
    let before = stand.bench.see();
    let token = stand.bench.begin();
    let mut longest = (Duration::ZERO, STEPS[0]);
    for step in STEPS {
        let called = stand.plainly(step, &token).await?;
        if called.ended == Ended::NotLoaded {
            let failure = stand.failure(step, &called, "the code can't be loaded".to_owned());
            first.fails("loads", failure);
            return Ok(());
        }
        first.has_run = true;
        first.passes("loads");
        first.asked = first.asked.take().or_else(|| called.asked.clone());
        longest = longest.max((called.took, step));
        if let Ended::TimedOut { whole } = called.ended {
            timed_out(stand, first, step, &called, whole);
            return Ok(());
        }
        if step != "finishSecret" {
            left(stand, first, step, &token, &before);
        }
        if !called.passed() {
            failed(stand, first, step, &called);
            return Ok(());
        }
    }
    let note = format!("the longest, {}, took {}", longest.1, seconds(longest.0));
    first.endings.insert("time", Ending::Passed { note: Some(note) });
    for check in ["role", "steps", "version", "current", "value"] {
        first.passes(check);
    }
    if stand.bench.see().current() == Some(token.as_str()) {
        first.passes("finish");
    } else if first.cause.is_none() {
        let what = "finishSecret ends without an error, and the new version isn't AWSCURRENT".to_owned();
        let hint = "move the label by `update_secret_version_stage`, with MoveToVersionId and RemoveFromVersionId";
        let failure = Failure { hint: Some(hint), ..stand.at_step("finishSecret", what) };
        first.fails("finish", failure);
    }
    if stand.is_made_up() {
        let reason = "its secret holds a made-up value, whose form says nothing".to_owned();
        first.endings.entry("form").or_insert(Ending::NotTested { reason, because: None });
    } else {
        first.passes("form");
    }
    stand.bench.end(&token);
    Ok(())
}

fn timed_out(stand: &Stand<'_>, first: &mut First, step: &'static str, called: &Called, whole: bool) {
    if whole {
        let what = format!("{step} hasn't ended after {}, the function's time-out", seconds(called.took));
        let hint = "give each request to the service a time-out of its own, and the function a longer `timeout`";
        let failure = Failure { hint: Some(hint), ..stand.failure(step, called, what) };
        first.fails("time", failure);
    } else {
        let reason =
            format!("{step} hadn't ended after {}, and the function's time-out is longer", seconds(called.took));
        first.endings.insert("time", Ending::NotTested { reason, because: None });
        first.cause = Some("time");
    }
}

/// A step that failed: for a reason that was seen before, for one that its calls tell, or for its own.
fn failed(stand: &Stand<'_>, first: &mut First, step: &'static str, called: &Called) {
    first.passes("time");
    if first.cause.is_some() {
        return;
    }
    let denied = |made: &&Made| made.refused.as_deref() == Some("AccessDeniedException");
    if let Some(made) = called.calls.iter().rfind(denied) {
        let name = made.secret.as_deref().map(|id| stand.bench.name_of(id));
        let what = match &name {
            Some(name) => {
                format!("{step} is refused {} on `{name}`: the function's role doesn't allow it", made.operation)
            }
            None => format!("{step} is refused {}: the function's role doesn't allow it", made.operation),
        };
        if !stand.bench.knows_role() {
            let reason = format!("{what}, as far as AWS's generic application tells: the function's own isn't known");
            first.endings.insert("role", Ending::NotTested { reason, because: None });
            first.cause = Some("role");
            return;
        }
        let hint = "name the secret in the function's `role: {read_secrets: […]}`";
        let is_read = made.operation == "GetSecretValue" && name.as_deref() != Some(stand.bench.secret());
        let failure = Failure { hint: is_read.then_some(hint), ..stand.failure(step, called, what) };
        first.fails("role", failure);
        return;
    }
    first.passes("role");
    if stand.is_made_up() {
        let failure = stand.failure(step, called, String::new());
        let place = failure.place.map(|place| format!(" at line {}", place.line)).unwrap_or_default();
        let reason = format!(
            "its secret holds a made-up value, and {step} {}{place}: `test.secret` or `--value FILE` gives one that it can rotate",
            how(called)
        );
        first.endings.insert("steps", Ending::NotTested { reason, because: None });
        first.cause = Some("steps");
        return;
    }
    let failure = stand.failure(step, called, format!("{step} {}", how(called)));
    first.fails("steps", failure);
}

/// What a step left behind.
fn left(stand: &Stand<'_>, first: &mut First, step: &'static str, token: &str, before: &Seen) {
    let now = stand.bench.see();
    if now.readers_see() != before.readers_see() && !first.has_failed("current") {
        let what = format!("{step} changes AWSCURRENT, which clients read, before the new value is known to work");
        let hint = "put the new value with `VersionStages=[\"AWSPENDING\"]`; only finishSecret moves AWSCURRENT";
        first.fails("current", Failure { hint: Some(hint), ..stand.at_step(step, what) });
    }
    let strays = now.newer_than(before).any(|version| version != token);
    let has_moved = now.pending() != Some(token) && now.current() != Some(token);
    if (strays || has_moved) && !first.has_failed("current") && !first.has_failed("version") {
        let what = if strays {
            format!("{step} makes a version of its own, and not the one that the event names")
        } else {
            format!("{step} takes AWSPENDING away from the version that the event names")
        };
        let hint = "put the value with `ClientRequestToken=event[\"ClientRequestToken\"]` and `VersionStages=[\"AWSPENDING\"]`";
        first.fails("version", Failure { hint: Some(hint), ..stand.at_step(step, what) });
    }
    let others = ["current", "version", "value", "form"];
    if others.iter().any(|check| first.has_failed(check)) {
        return;
    }
    let Some(current) = before.current() else { return };
    match stand.bench.compare(token, current) {
        // It is for createSecret to make it; one that setSecret makes is there in time.
        None if step == "setSecret" => {
            let what = "after setSecret, the pending version has no value".to_owned();
            let hint = "put it in createSecret, with the event's ClientRequestToken and the label AWSPENDING";
            first.fails("value", Failure { hint: Some(hint), ..stand.at_step("createSecret", what) });
        }
        Some(made) if !made.differs => {
            let what = format!("after {step}, the pending value is the current one: nothing would be rotated");
            first.fails("value", Failure { hint: Some("make a new one in createSecret"), ..stand.at_step(step, what) });
        }
        Some(made) => {
            if let Some(fault) = made.form {
                let what = format!("after {step}, {}", form_words(&fault));
                let hint = "begin with the current value, and change what is to be rotated";
                first.fails("form", Failure { hint: Some(hint), ..stand.at_step(step, what) });
            }
        }
        None => {}
    }
}

fn form_words(fault: &FormFault) -> String {
    match fault {
        FormFault::NoObject => "the pending value isn't JSON with members, as the current one is".to_owned(),
        FormFault::NoText => "the pending value is JSON with members, and the current one is plain text".to_owned(),
        FormFault::Binary => "one of the pending and the current value is binary, and the other one is text".to_owned(),
        FormFault::Lost(names) => {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("the pending value lacks {}", names.join(", "))
        }
        FormFault::Kind { member, was, is } => {
            format!("`{member}` of the pending value is {is}, and was {was}")
        }
    }
}
