//! Patterns and addresses: of `include`, of `targets`, of policies, of the command line.

use rotator::cli::{Failure, Filter, Wanted};
use rotator::model::glob::{self, Glob};
use rotator::model::rule::Pattern;
use serde_json::json;

use super::{manifests, text};

/// The longest text that is made of one by repeating it.
const LONGEST: usize = 200_000;

/// A text, and the text many times, everywhere that a pattern or an address is read.
pub fn patterns(data: &[u8]) {
    let text = text(data);
    pattern(&text);
    address(&text);
    places(&text);
    // What costs little once may cost everything a thousand times.
    let often = data.first().map_or(1, |byte| 1 << (byte % 18));
    let many = text.repeat(often.min(LONGEST / text.len().max(1)));
    pattern(&many);
    address(&many);
}

fn pattern(text: &str) {
    let special = text.contains(['*', '?', '[', ']', '{', '}', ',']);
    match Glob::new(text) {
        Ok(glob) => {
            assert!(text.len() <= glob::MAX_LENGTH);
            for path in [text, "services/a.yaml", "prod-eu", "", "a/b/c/d/e/f.yaml"] {
                let matches = glob.is_match(path);
                assert!(special || matches == (path == text), "{text:?} is a plain name, and {path:?} isn't");
            }
        }
        Err(reason) => {
            assert!(!reason.is_empty() && reason.len() < 200, "{reason}");
            assert!(special || text.len() > glob::MAX_LENGTH, "{text:?} is a plain name: {reason}");
        }
    }
    let pattern = Pattern(text.to_owned());
    assert!(pattern.matches(&text.replace('*', "")), "stars stand for nothing too: {text:?}");
    assert!(text.contains('*') || !pattern.matches(&format!("{text}x")));
}

fn address(text: &str) {
    for value in [text.to_owned(), format!("label:{text}"), format!("secret.{text}"), format!("dev/function.{text}")] {
        match Filter::new(std::slice::from_ref(&value)) {
            Ok(filter) => {
                let _ = filter.unknown_targets(&std::collections::BTreeSet::from(["dev", "prod-eu"]));
                assert!(value.len() <= glob::MAX_LENGTH && filter.resources().all(|one| one == value));
            }
            Err(Failure { summary, hints, .. }) => {
                assert!(!summary.is_empty() && !hints.is_empty() && summary.len() < 20_000);
            }
        }
        if let Err(Failure { summary, hints, .. }) = Wanted::read(&value) {
            assert!(!summary.is_empty() && !hints.is_empty());
        }
    }
}

/// The text wherever a manifest takes a pattern.
fn places(text: &str) {
    let entry =
        |targets: &str| json!({"function": "f", "targets": [targets], "rotation": {"automatically_after_days": 30}});
    let manifest = |include: &str, targets: &str, matched: &str, exempt: &str| {
        json!({
            "version": 1, "project": "p", "include": [include],
            "targets": {"dev": {"region": "eu-west-1"}, "prod-eu": {"region": "eu-west-1"}},
            "functions": {"f": {"existing": "f", "targets": [targets]}},
            "secrets": {"s": entry(targets)},
            "policy": [{
                "name": "r", "enabled": true,
                "match": {"targets": [matched], "secrets": [matched], "labels": {"a": matched}},
                "exempt": [{"secrets": [exempt], "reason": "r", "until": "2030-01-31"}],
            }],
        })
    };
    manifests::json_manifest(&manifest(text, text, text, text));
    manifests::json_manifest(&manifest(text, "dev", "*", "x"));
    manifests::json_manifest(&manifest("*.yaml", text, "*", text));
}

/// Patterns and addresses as people write them.
pub fn seeds() -> Vec<Vec<u8>> {
    [
        "services/*.yaml",
        "**/*.y{a,}ml",
        "prod-*",
        "{dev,prod-{eu,us}}",
        "[a-z]?[!0-9]",
        "prod/*/key",
        "secret.payments/api-key",
        "prod-eu/function.stripe",
        "label:owner=team",
        "{{{{{{{{{{{{{{{{a}}}}}}}}}}}}}}}}",
        "****************",
        "*a*a*a*a*a*a*a*a*b",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
