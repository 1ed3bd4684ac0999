//! `rotator explain`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::config::{self, Ambient, Manifest};
use crate::exit;
use crate::model::{Desired, Kind, address};
use crate::render::explain as render;

use super::filter::Filter;
use super::session::{Printed, check_targets};
use super::{Global, output};

/// How many near addresses are suggested.
const SUGGESTIONS: usize = 3;

/// The longest word that anything is near to, in bytes: a distance costs time and memory of one word times the other.
const LONGEST: usize = 256;

/// How many known addresses are measured.
const MEASURED: usize = 5_000;

/// Shows where each effective value of a function or secret came from.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rotator explain secret.payments/api-key
  rotator explain prod-eu/secret.payments/api-key manifests/payments
  rotator explain --format json function.stripe")]
pub struct Arguments {
    /// A secret's or function's address, with its handle or AWS's name: `secret.payments/api-key`, `prod-eu/function.stripe`
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// Root manifests, or folders that hold a `rotator.yaml` [default: ./rotator.yaml]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// How it is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

/// How an explanation is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people at a terminal
    Text,
    /// For programs
    Json,
}

/// Runs it.
pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    match explain(global, arguments) {
        Ok(code) | Err(Printed(code)) => code,
    }
}

fn explain(global: &Global, arguments: &Arguments) -> Result<u8, Printed> {
    let refused = |(summary, hints): (String, Vec<String>)| Printed(output::fail(&summary, &hints));
    let wanted = Wanted::read(&arguments.address).map_err(refused)?;
    let filter = Filter::new(&global.target).map_err(refused)?;
    let problems = |problems: config::Problems| {
        output::diagnostics(&problems.0);
        Printed(exit::ERROR)
    };
    let manifests = config::load(&arguments.paths).map_err(problems)?.manifests;
    check_targets(&filter, &manifests)?;
    wanted.check_target(&manifests)?;
    // Offline: what only AWS's environment knows has a placeholder, and is said to be one.
    let mut ambient = Ambient::placeholders();
    if global.region.is_some() {
        ambient.region.clone_from(&global.region);
    }
    let (mut explanations, mut known) = (Vec::new(), BTreeSet::new());
    for manifest in &manifests {
        for (index, target) in manifest.targets().iter().enumerate() {
            let meant = wanted.target.as_ref().is_none_or(|name| target.name.as_ref() == Some(name));
            if !meant || !filter.selects(target) {
                continue;
            }
            let desired = manifest.resolve(index, &ambient).map_err(problems)?;
            for (kind, handle) in wanted.find(&desired, &mut known) {
                explanations.extend(manifest.explain(index, &ambient, kind, &handle).map_err(problems)?);
            }
        }
    }
    let entries: BTreeSet<String> =
        explanations.iter().map(|one| format!("{}.{}", one.address.kind.word(), one.address.handle)).collect();
    match entries.len() {
        0 => return Err(wanted.unknown(&known)),
        1 => {}
        _ => {
            let hints = entries.iter().map(|entry| format!("write `{entry}`")).collect::<Vec<_>>();
            let summary = format!("`{}` means more than one entry", arguments.address);
            return Err(Printed(output::fail(&summary, &hints)));
        }
    }
    Ok(output::data(&match arguments.format {
        Format::Text => render::text(&explanations),
        Format::Json => render::json(&explanations),
    }))
}

/// An address as it was asked for. Public for the fuzz targets.
#[derive(Debug)]
pub struct Wanted {
    text: String,
    target: Option<String>,
    /// `None`: a bare handle or name.
    kind: Option<Kind>,
    /// A handle, or a name on AWS.
    handle: String,
}

impl Wanted {
    /// Reads an address. The error says what is wrong, and the hints what to write.
    pub fn read(text: &str) -> Result<Self, (String, Vec<String>)> {
        let kind_of = |text: &str| {
            [Kind::Secret, Kind::Function].into_iter().find_map(|kind| {
                let handle = text.strip_prefix(kind.word())?.strip_prefix('.')?;
                (!handle.is_empty()).then(|| (kind, handle.to_owned()))
            })
        };
        if text.len() > address::MAX_LENGTH {
            let hints = ["name one secret or function, as `secret.payments/api-key`".to_owned()];
            let summary = format!("an address has at most {} bytes, not {}", address::MAX_LENGTH, text.len());
            return Err((summary, hints.to_vec()));
        }
        if text.contains(['*', '?']) {
            let hints = ["name one secret or function, as `secret.payments/api-key`".to_owned()];
            return Err((format!("`{text}` is a pattern, and one entry is explained"), hints.to_vec()));
        }
        let within = text.split_once('/').and_then(|(target, rest)| Some((target, kind_of(rest)?)));
        let (target, kind, handle) = match (kind_of(text), within) {
            (Some((kind, handle)), _) => (None, Some(kind), handle),
            (None, Some((target, (kind, handle)))) => (Some(target.to_owned()), Some(kind), handle),
            (None, None) => (None, None, text.to_owned()),
        };
        Ok(Self { text: text.to_owned(), target, kind, handle })
    }

    fn check_target(&self, manifests: &[Manifest]) -> Result<(), Printed> {
        let Some(target) = &self.target else { return Ok(()) };
        let known: BTreeSet<&str> =
            manifests.iter().flat_map(Manifest::targets).filter_map(|target| target.name.as_deref()).collect();
        if known.contains(target.as_str()) {
            return Ok(());
        }
        let hint = match near(target, known.iter().copied()).first() {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "the manifest has no `targets:`".to_owned(),
            None => format!("the targets are {}", known.into_iter().collect::<Vec<_>>().join(", ")),
        };
        Err(Printed(output::fail(&format!("there is no target `{target}`"), &[hint])))
    }

    /// The entries that are meant, a handle before a name on AWS; `known` gets all that could have been.
    fn find(&self, desired: &Desired, known: &mut BTreeSet<String>) -> Vec<(Kind, String)> {
        let secrets = desired.secrets.iter().map(|(handle, secret)| (Kind::Secret, handle, &secret.name));
        let functions = desired.functions.iter().map(|(handle, function)| (Kind::Function, handle, &function.name));
        let (mut by_handle, mut by_name) = (Vec::new(), Vec::new());
        for (kind, handle, name) in secrets.chain(functions) {
            known.insert(format!("{}.{handle}", kind.word()));
            if self.kind.is_some_and(|wanted| wanted != kind) {
                continue;
            }
            if *handle == self.handle {
                by_handle.push((kind, handle.clone()));
            } else if *name == self.handle {
                by_name.push((kind, handle.clone()));
            }
        }
        if by_handle.is_empty() { by_name } else { by_handle }
    }

    fn unknown(&self, known: &BTreeSet<String>) -> Printed {
        let wanted = match self.kind {
            Some(kind) => format!("{}.{}", kind.word(), self.handle),
            None => self.handle.clone(),
        };
        let near = near(&wanted, known.iter().map(String::as_str));
        let hint = if near.is_empty() {
            "handles and AWS's names both do: `secret.payments/api-key`, `function.stripe`".to_owned()
        } else {
            format!("did you mean {}?", near.iter().map(|near| format!("`{near}`")).collect::<Vec<_>>().join(" or "))
        };
        Printed(output::fail(&format!("`{}` is no secret or function of the manifest", self.text), &[hint]))
    }
}

/// The known words that were probably meant, the nearest first.
fn near<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    fn bare(text: &str) -> &str {
        text.split_once('.').map_or(text, |(_, rest)| rest)
    }
    if word.len() > LONGEST {
        return Vec::new();
    }
    let length = word.chars().count();
    let allowed = length / 4 + 1;
    // Two words differ at least by their lengths; the kind before the dot may be left out.
    let comparable = |candidate: &&str| {
        candidate.len() <= LONGEST
            && [*candidate, bare(candidate)].iter().any(|one| one.chars().count().abs_diff(length) <= allowed)
    };
    let mut near: Vec<(usize, &str)> = known
        .take(MEASURED)
        .filter(comparable)
        .map(|candidate| {
            let whole = strsim::damerau_levenshtein(word, candidate);
            (whole.min(strsim::damerau_levenshtein(word, bare(candidate))), candidate)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .collect();
    near.sort_unstable();
    near.truncate(SUGGESTIONS);
    near.into_iter().map(|(_, candidate)| candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, `prod-eu/secret.x` could be looked for as a handle, and a secret's name with slashes as a target.
    #[test]
    fn addresses_are_told_apart() {
        let read = |text: &str| {
            let wanted = Wanted::read(text).unwrap_or_else(|_| panic!("{text}"));
            (wanted.target, wanted.kind, wanted.handle)
        };
        assert_eq!(read("secret.a/b"), (None, Some(Kind::Secret), "a/b".to_owned()));
        assert_eq!(read("prod-eu/secret.a/b"), (Some("prod-eu".to_owned()), Some(Kind::Secret), "a/b".to_owned()));
        assert_eq!(read("function.f"), (None, Some(Kind::Function), "f".to_owned()));
        assert_eq!(read("prod/a/b"), (None, None, "prod/a/b".to_owned()));
        assert!(Wanted::read("secret.*").is_err());
    }

    #[test]
    fn near_addresses_are_found_with_and_without_their_kind() {
        let known = ["secret.payments/api-key", "function.stripe", "secret.mail"];
        assert_eq!(near("secret.payments/apikey", known.into_iter()), ["secret.payments/api-key"]);
        assert_eq!(near("strip", known.into_iter()), ["function.stripe"]);
        assert!(near("something/else", known.into_iter()).is_empty());
        let long = "a".repeat(100_000);
        assert!(near(&long, [long.as_str()].into_iter().cycle().take(10_000)).is_empty(), "it is not even measured");
        assert!(Wanted::read(&long).is_err());
    }
}
