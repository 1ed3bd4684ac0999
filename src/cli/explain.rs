//! `rotator explain`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::Manifest;
use crate::model::near::{SUGGESTIONS, did_you_mean, near};
use crate::model::{Address, Desired, Kind, address};
use crate::render::explain as render;

use super::failure::Failure;
use super::filter::{target_names, the_targets};
use super::offline::Offline;
use super::options::{Global, TextOrJson};
use super::output;
use super::view::View;

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
    format: TextOrJson,
}

impl Arguments {
    /// Who reads.
    pub fn view(&self) -> View {
        self.format.view()
    }
}

/// Runs it. What only AWS's environment knows has a placeholder, and is said to be one.
pub fn run(global: &Global, arguments: &Arguments) -> Result<u8, Failure> {
    let wanted = Wanted::read(&arguments.address)?;
    if arguments.paths.is_empty() && Path::new(&arguments.address).is_dir() {
        let folder = output::path(Path::new(&arguments.address));
        return Err(Failure::new(format!("`{folder}` is a folder, and the address of one entry comes before it"))
            .hint(format!("such as `rotator explain secret.payments/api-key {folder}`")));
    }
    let offline = Offline::open(global, &arguments.paths)?;
    wanted.check_target(&offline.manifests)?;
    let (mut explanations, mut known, mut by_rule) = (Vec::new(), BTreeSet::new(), None);
    for (manifest, index) in offline.selected() {
        let target = &manifest.targets()[index];
        if wanted.target.is_some() && wanted.target != target.name {
            continue;
        }
        let desired = offline.resolve(manifest, index)?;
        by_rule = by_rule.or_else(|| wanted.may_be_of_a_rule(&desired));
        for (kind, handle) in wanted.find(&desired, &mut known) {
            explanations.extend(manifest.explain(index, &offline.ambient, kind, &handle)?);
        }
    }
    let entries: BTreeSet<String> =
        explanations.iter().map(|one| format!("{}.{}", one.address.kind.word(), one.address.handle)).collect();
    match entries.len() {
        0 => return Err(by_rule.unwrap_or_else(|| wanted.unknown(&known))),
        1 => {}
        _ => {
            let summary = format!("`{}` means more than one entry", arguments.address);
            return Err(Failure::new(summary).hints(entries.iter().map(|entry| format!("write `{entry}`"))));
        }
    }
    output::data(&match arguments.format {
        TextOrJson::Text => render::text(&explanations),
        TextOrJson::Json => render::json(&explanations),
    })
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
    /// Reads an address.
    pub fn read(text: &str) -> Result<Self, Failure> {
        let refused = |summary| Failure::new(summary).hint("name one secret or function, as `secret.payments/api-key`");
        if text.len() > address::MAX_LENGTH {
            return Err(refused(format!("an address has at most {} bytes, not {}", address::MAX_LENGTH, text.len())));
        }
        if text.contains(['*', '?']) {
            return Err(refused(format!("`{text}` is a pattern, and one entry is explained")));
        }
        let (target, kind, handle) = match Address::of_entry(text) {
            Some(address) => (address.target, Some(address.kind), address.handle),
            None => (None, None, text.to_owned()),
        };
        Ok(Self { text: text.to_owned(), target, kind, handle })
    }

    fn check_target(&self, manifests: &[Manifest]) -> Result<(), Failure> {
        let Some(target) = &self.target else { return Ok(()) };
        let known = target_names(manifests);
        if known.contains(target.as_str()) {
            return Ok(());
        }
        let hint = match near(target, known.iter().copied()).first() {
            Some(near) => did_you_mean(&[near]),
            None => the_targets(&known),
        };
        Err(Failure::new(format!("there is no target `{target}`")).hint(hint))
    }

    /// The entries that are meant, a handle before a name on AWS; `known` gets all that could have been.
    fn find(&self, desired: &Desired, known: &mut BTreeSet<String>) -> Vec<(Kind, String)> {
        let secrets = desired.secrets.iter().map(|(handle, secret)| (Kind::Secret, handle, &secret.name));
        let functions = desired.functions.iter().map(|(handle, function)| (Kind::Function, handle, &function.name));
        let (mut by_handle, mut by_name) = (Vec::new(), Vec::new());
        let rules = desired.select.keys().map(|handle| (Kind::Select, handle, handle));
        for (kind, handle, name) in secrets.chain(functions).chain(rules) {
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

    /// That rules may mean a secret that no entry names; only AWS knows which secrets there are, and their tags.
    fn may_be_of_a_rule(&self, desired: &Desired) -> Option<Failure> {
        if self.kind.is_some_and(|kind| kind != Kind::Secret) {
            return None;
        }
        let rules: Vec<&String> = desired
            .select
            .iter()
            .filter(|(_, rule)| rule.matches.has_name(&self.handle))
            .map(|(handle, _)| handle)
            .collect();
        let first = rules.first()?;
        let tags = if desired.select.get(*first).is_some_and(|rule| rule.matches.tags.is_empty()) {
            ""
        } else {
            ", if its tags fit"
        };
        let summary = format!("no entry names `{}`; a rule means such a name{tags}", self.text);
        let hints = rules.iter().map(|rule| format!("`rotator explain {}`", desired.address(Kind::Select, rule)));
        Some(Failure::new(summary).hints(hints))
    }

    /// Says what there is of a similar name, of whatever kind.
    fn unknown(&self, known: &BTreeSet<String>) -> Failure {
        let handles = || known.iter().filter_map(|entry| Some((entry.as_str(), entry.split_once('.')?.1)));
        let meant = near(&self.handle, handles().map(|(_, handle)| handle));
        let mut entries: Vec<&str> = meant
            .iter()
            .flat_map(|meant| handles().filter(move |(_, handle)| handle == meant))
            .map(|(entry, _)| entry)
            .collect();
        entries.dedup();
        entries.truncate(SUGGESTIONS);
        let hint = if entries.is_empty() {
            "handles and AWS's names both do: `secret.payments/api-key`, `function.stripe`".to_owned()
        } else {
            did_you_mean(&entries)
        };
        Failure::new(format!("`{}` is no secret or function of the manifest", self.text)).hint(hint)
    }
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

    /// Without it, whoever slips, leaves out the kind or takes the wrong one would have to look through the manifest.
    #[test]
    fn near_addresses_are_found_with_and_without_their_kind() {
        let known: BTreeSet<String> =
            ["secret.payments/api-key", "function.stripe", "secret.mail"].map(str::to_owned).into();
        let hints = |text: &str| Wanted::read(text).expect("an address").unknown(&known).hints;
        assert_eq!(hints("secret.payments/apikey"), ["did you mean `secret.payments/api-key`?"]);
        assert_eq!(hints("strip"), ["did you mean `function.stripe`?"]);
        assert_eq!(hints("secret.stripe"), ["did you mean `function.stripe`?"]);
        assert!(hints("something/else")[0].starts_with("handles and AWS's names"));
        assert!(Wanted::read(&"a".repeat(100_000)).is_err());
    }
}
