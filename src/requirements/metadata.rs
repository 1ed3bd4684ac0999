//! What a wheel says that it needs (`METADATA`), and whether a file of requirements has it all.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::{Version, VersionSpecifiers};

use super::marker::Truth;
use super::specifier::Requirement;
use super::{Pin, Platform, Wrong};

/// What is read of a wheel's metadata, in bytes: its beginning, before the description.
pub const MAX_METADATA: u64 = 4 * 1024 * 1024;

/// What is needed, and is not there: installers would refuse it, and the function fail at an import.
///
/// `metadata`: by the names of the requirements that hold, what their wheels say.
pub fn missing(pins: &[&Pin], metadata: &BTreeMap<String, String>, platform: Platform) -> Vec<Wrong> {
    let by_name: BTreeMap<&str, &Pin> = pins.iter().map(|pin| (pin.name.as_str(), *pin)).collect();
    let needs: BTreeMap<&str, Needs> = metadata.iter().map(|(name, text)| (name.as_str(), Needs::of(text))).collect();
    let mut wrong = Vec::new();
    let mut said = BTreeSet::new();
    let mut extras: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    // Each comes again for each extra more that is asked of it.
    let mut open: Vec<(&str, Vec<String>)> = pins.iter().map(|pin| (pin.name.as_str(), pin.extras.clone())).collect();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    while let Some((name, asked)) = open.pop() {
        let known = extras.entry(name).or_default();
        let before = known.len();
        known.extend(asked);
        if !seen.insert(name) && known.len() == before {
            continue;
        }
        let asked: Vec<String> = known.iter().cloned().collect();
        let (Some(pin), Some(needs)) = (by_name.get(name), needs.get(name)) else { continue };
        if needs.python.as_ref().is_some_and(|python| !runs_on(python, platform))
            && said.insert((name, "python".to_owned()))
        {
            wrong.push(problem(pin, format!("`{name}` {} doesn't run on {platform}", pin.version)));
        }
        for need in &needs.requirements {
            let holds = need.marker.as_ref().map_or(Truth::Known(true), |marker| marker.holds(platform, &asked));
            // What can't be said isn't asked for.
            if holds != Truth::Known(true) || need.has_url {
                continue;
            }
            let spec = format!("{}{}", need.name, need.written);
            match by_name.get_key_value(need.name.as_str()) {
                None if said.insert((name, spec.clone())) => {
                    wrong.push(problem(
                        pin,
                        format!("`{name}` {} needs `{spec}`, which isn't in the file", pin.version),
                    ));
                }
                None => {}
                Some((key, other)) => {
                    let fits = need.versions().is_none_or(|versions| versions.contains(&other.version));
                    if !fits && said.insert((name, spec.clone())) {
                        let summary =
                            format!("`{name}` {} needs `{spec}`, and the file has {}", pin.version, other.version);
                        wrong.push(problem(pin, summary));
                    }
                    open.push((key, need.extras.clone()));
                }
            }
        }
    }
    wrong.sort_by_key(|wrong| (wrong.line, wrong.summary.clone()));
    wrong
}

fn problem(pin: &Pin, summary: String) -> Wrong {
    Wrong { line: pin.line, length: u32::try_from(pin.name.len()).unwrap_or(u32::MAX), summary, hints: Vec::new() }
}

/// Whether any patch of a function's Python will do: its last one is Lambda's choice.
fn runs_on(python: &VersionSpecifiers, platform: Platform) -> bool {
    [0, 99].iter().any(|patch| python.contains(&Version::new([3, u64::from(platform.minor), *patch])))
}

/// The headers that count.
struct Needs {
    requirements: Vec<Requirement>,
    python: Option<VersionSpecifiers>,
}

impl Needs {
    fn of(metadata: &str) -> Self {
        let mut needs = Self { requirements: Vec::new(), python: None };
        for line in metadata.lines().take_while(|line| !line.is_empty()) {
            let Some((header, value)) = line.split_once(':') else { continue };
            if header.eq_ignore_ascii_case("Requires-Dist") {
                // What isn't written as it should be, installers don't ask for either.
                needs.requirements.extend(Requirement::parse(value));
            } else if header.eq_ignore_ascii_case("Requires-Python") {
                needs.python = value.trim().parse().ok();
            }
        }
        needs
    }
}
