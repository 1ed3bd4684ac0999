//! The parts of code, and how they become files: a line `# part: NAME` (`// part: NAME`) stands for another part.

use super::{Kind, Language};

/// The parts in Python, by name.
const PYTHON: [(&str, &str); 12] = [
    ("api-key", include_str!("python/api_key.py")),
    ("password", include_str!("python/password.py")),
    ("admin-password", include_str!("python/admin_password.py")),
    ("signing-key", include_str!("python/signing_key.py")),
    ("api-key service", include_str!("python/api_key_service.py")),
    ("password service", include_str!("python/password_service.py")),
    ("admin-password service", include_str!("python/admin_password_service.py")),
    ("http", include_str!("python/http.py")),
    ("members", include_str!("python/members.py")),
    ("previous", include_str!("python/previous.py")),
    ("service", include_str!("python/service.py")),
    (CONTRACT, include_str!("python/contract.py")),
];

/// The parts in Node, by the same names.
const NODE: [(&str, &str); 12] = [
    ("api-key", include_str!("node/api_key.mjs")),
    ("password", include_str!("node/password.mjs")),
    ("admin-password", include_str!("node/admin_password.mjs")),
    ("signing-key", include_str!("node/signing_key.mjs")),
    ("api-key service", include_str!("node/api_key_service.mjs")),
    ("password service", include_str!("node/password_service.mjs")),
    ("admin-password service", include_str!("node/admin_password_service.mjs")),
    ("http", include_str!("node/http.mjs")),
    ("members", include_str!("node/members.mjs")),
    ("previous", include_str!("node/previous.mjs")),
    ("service", include_str!("node/service.mjs")),
    (CONTRACT, include_str!("node/contract.mjs")),
];

/// The part that is in every function.
const CONTRACT: &str = "contract";

/// A function's code.
pub(super) fn code(kind: Kind, language: Language) -> String {
    part(kind.word(), language).map(|text| joined(text, language)).unwrap_or_default()
}

/// A service for it; none where no service keeps a copy of the secret.
pub(super) fn service(kind: Kind, language: Language) -> Option<String> {
    part(&format!("{} service", kind.word()), language).map(|text| joined(text, language))
}

pub(super) fn contract(language: Language) -> &'static str {
    part(CONTRACT, language).unwrap_or_default()
}

fn part(name: &str, language: Language) -> Option<&'static str> {
    let all = match language {
        Language::Python => &PYTHON,
        Language::Node => &NODE,
    };
    all.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

fn joined(text: &str, language: Language) -> String {
    let mark = match language {
        Language::Python => "# part: ",
        Language::Node => "// part: ",
    };
    let line = |line: &'_ str| match line.trim_end().strip_prefix(mark).and_then(|name| part(name, language)) {
        Some(text) => text.to_owned(),
        None => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}
