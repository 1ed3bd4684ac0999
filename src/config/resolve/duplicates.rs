//! Names on AWS that two handles have.

use super::Resolution;
use crate::config::document::Document;
use crate::config::source::Span;
use crate::diagnostic::Diagnostic;

use std::collections::HashMap;

/// A name on AWS, and who has it.
pub(super) struct Named {
    pub kind: &'static str,
    pub name: String,
    /// For a secret that is named by its ARN: the names that it may have.
    pub may_be: Vec<String>,
    pub place: usize,
    pub handle: String,
    pub at: Span,
    /// An existing function is no manifest's own: several may use it.
    pub existing: bool,
}

/// Two handles with one name on AWS, in one account and region: within a manifest, and between manifests.
pub(in crate::config) fn duplicates<'a>(all: impl Iterator<Item = (&'a Document, &'a Resolution)>) -> Vec<Diagnostic> {
    type Key<'a> = (&'a str, &'a (Option<String>, Option<String>), &'a str);
    let mut seen: HashMap<Key<'_>, (&Document, &Named, &Resolution)> = HashMap::new();
    let mut found = Vec::new();
    let mut unclear: Vec<(&Document, &Named, &Resolution)> = Vec::new();
    for (document, resolution) in all {
        for named in &resolution.names {
            if !named.may_be.is_empty() {
                unclear.push((document, named, resolution));
            }
            let place = &resolution.places[named.place];
            let Some((first_document, first, first_resolution)) =
                seen.insert((named.kind, place, &named.name), (document, named, resolution))
            else {
                continue;
            };
            let same_manifest = std::ptr::eq(first_document, document);
            // One handle in two files was reported as such.
            let same_handle = same_manifest && first.handle == named.handle && first.place == named.place;
            if same_handle || (!same_manifest && (first.existing || named.existing)) {
                continue;
            }
            let target = |resolution: &Resolution, named: &Named| resolution.targets[named.place].name.clone();
            let (here, there) = (target(resolution, named), target(first_resolution, first));
            let whose = |handle: &str, target: &Option<String>| match target {
                Some(target) if here != there => format!("`{handle}` in `{target}`"),
                _ => format!("`{handle}`"),
            };
            let (what, hint) = match named.kind {
                "stack" => ("stack of two functions", "give one of them another `stack`"),
                "function" if first.existing && named.existing => {
                    ("name of two functions", "one entry is enough: give its handle to all of its secrets")
                }
                "function" => ("name of two functions", "give one of them another `name`"),
                _ => ("name of two secrets", "a secret has one schedule: remove one of them"),
            };
            let hint = if here == there {
                hint
            } else {
                "two targets are one account and region: put `${target}` into the name, or limit the entries with `targets`"
            };
            let summary = format!(
                "`{}` is the {what}: {} and {}",
                named.name,
                whose(&first.handle, &there),
                whose(&named.handle, &here)
            );
            let mut problem =
                Diagnostic::error("duplicate-name", summary).at(document.sources.position(named.at)).hint(hint);
            if first.at != named.at || !same_manifest {
                problem.related.push((first_document.sources.position(first.at), "the first one".to_owned()));
            }
            found.push(problem);
        }
    }
    for (document, named, resolution) in unclear {
        let place = &resolution.places[named.place];
        let other = named.may_be.iter().find_map(|name| seen.get(&(named.kind, place, name.as_str())));
        if let Some((other_document, other, _)) = other {
            found.push(may_be_one(document, named, (other_document, other)));
        }
    }
    found
}

/// A secret that is named by its ARN, and another by a name that may be the same one's.
fn may_be_one(document: &Document, named: &Named, (other_document, other): (&Document, &Named)) -> Diagnostic {
    let summary = format!("`{}` may be the secret `{}` once more", named.handle, other.name);
    let mut problem = Diagnostic::warning("duplicate-name", summary)
        .because("what an ARN ends in is AWS's where it is complete, and the name's where it isn't; `plan` knows, and refuses one secret twice")
        .at(document.sources.position(named.at))
        .hint("name the secret by its name alone, or by its complete ARN");
    problem.related.push((other_document.sources.position(other.at), "the other one".to_owned()));
    problem
}
