//! What AWS accepts as a name, and what this format does.

use crate::model;
use crate::model::arn::{Arn, is_of_service};

/// The characters of a secret's name besides letters and digits (Secrets Manager, `CreateSecret`; the `!` is for services).
const SECRET_PUNCTUATION: &str = "/_+=.@-!";

/// Why a text is no function's name; AWS takes 64 characters.
pub fn function_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.chars().count() > 64 {
        return Err("a function's name has 1 to 64 characters".to_owned());
    }
    match name.chars().find(|c| !allowed(*c)) {
        Some(c) => Err(format!("a function's name holds letters, digits, `-` and `_`, not `{}`", c.escape_debug())),
        None => Ok(()),
    }
}

/// Why a text names no existing function: a name, a partial ARN or an ARN (Lambda, `FunctionName`).
pub fn function_reference(reference: &str) -> Result<(), String> {
    let name = if reference.starts_with("arn:") {
        let arn: Arn = reference.parse().map_err(|error: crate::model::arn::ArnError| error.to_string())?;
        if arn.service != "lambda" {
            return Err(format!("this is an ARN of `{}`, not of Lambda", arn.service));
        }
        match arn.resource.split(':').collect::<Vec<_>>()[..] {
            ["function", name] | ["function", name, _] => name.to_owned(),
            _ => return Err("a function's ARN ends in `:function:NAME`".to_owned()),
        }
    } else {
        crate::model::arn::function_name(reference).to_owned()
    };
    function_name(&name)
}

/// Why a text is no stack's name; with the prefix that AWS adds it has at most 128 characters.
pub fn stack_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.chars().count() > 128 - "serverlessrepo-".len() {
        return Err("a stack's name has 1 to 113 characters here, as AWS puts `serverlessrepo-` before it".to_owned());
    }
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err("a stack's name starts with a letter".to_owned());
    }
    match name.chars().find(|c| !(c.is_ascii_alphanumeric() || *c == '-')) {
        Some(c) => Err(format!("a stack's name holds letters, digits and `-`, not `{}`", c.escape_debug())),
        None => Ok(()),
    }
}

/// Why a text is neither a secret's name nor its ARN.
///
/// A name here only refers to a secret, which AWS has. One that a service gave, such as `rds!db-…`, is taken as it is.
pub fn secret_name(name: &str) -> Result<(), String> {
    if name.starts_with("arn:") {
        let arn: Arn = name.parse().map_err(|error: crate::model::arn::ArnError| error.to_string())?;
        if arn.service != "secretsmanager" || !arn.resource.starts_with("secret:") {
            return Err("a secret's ARN reads `arn:…:secretsmanager:REGION:ACCOUNT:secret:NAME`".to_owned());
        }
        return secret_name(arn.resource.trim_start_matches("secret:"));
    }
    if name.is_empty() || name.chars().count() > 512 {
        return Err("a secret's name has 1 to 512 characters".to_owned());
    }
    match name.chars().find(|c| !in_secret_name(*c, is_of_service(name))) {
        Some(c) => {
            Err(format!("a secret's name holds letters, digits and `{SECRET_PUNCTUATION}`, not `{}`", c.escape_debug()))
        }
        None => Ok(()),
    }
}

/// Whether a character can stand in a secret's name. What services put into theirs isn't known, but for what stands for something else.
fn in_secret_name(c: char, of_service: bool) -> bool {
    let is_plain = || c.is_ascii_graphic() && !"*?[]{}$:\"'`\\".contains(c);
    c.is_ascii_alphanumeric() || SECRET_PUNCTUATION.contains(c) || (of_service && is_plain())
}

/// The first character of a pattern of secrets' names that no name holds; `*` stands for any.
pub(super) fn outside_secret_names(pattern: &str) -> Option<char> {
    pattern.chars().find(|c| *c != '*' && !in_secret_name(*c, is_of_service(pattern)))
}

/// Why a text is no region; with what to write, where that can be guessed.
pub fn region(region: &str) -> Result<(), (String, Option<String>)> {
    let parts: Vec<&str> = region.split('-').collect();
    let words = |parts: &[&str]| {
        parts.len() >= 2 && parts.iter().all(|part| part.len() >= 2 && part.chars().all(|c| c.is_ascii_lowercase()))
    };
    let number = |part: &str| (1..=2).contains(&part.len()) && part.chars().all(|c| c.is_ascii_digit());
    match parts.split_last() {
        Some((last, first)) if words(first) && number(last) => Ok(()),
        Some((last, first)) if words(first) && last.len() == 2 && number(&last[..1]) => Err((
            format!("`{region}` is an availability zone"),
            Some(format!("write the region, `{}`", &region[..region.len() - 1])),
        )),
        _ => Err((format!("`{region}` is no region"), Some("write one such as `eu-west-1`".to_owned()))),
    }
}

/// A project's name that a text gives: what can't stand in one is a hyphen. `None` where nothing is left.
pub fn project_name(text: &str) -> Option<String> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let name: String = text.chars().map(plain).take(128).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).trim_end_matches('-').to_owned();
    is_project(&name).then_some(name)
}

/// Whether a text is a project's name.
pub(super) fn is_project(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._/-".contains(c))
}

/// Whether a text is a target's name.
pub(super) fn is_target(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// Why a text is no handle.
pub fn handle(handle: &str, secret: bool) -> Result<(), String> {
    let punctuation = if secret { "/_+=.@-:!" } else { "/_.-" };
    if handle.is_empty() || handle.chars().count() > 512 {
        return Err("a handle has 1 to 512 characters".to_owned());
    }
    if secret && is_of_service(handle) && handle.chars().all(|c| c == ':' || in_secret_name(c, true)) {
        return Ok(());
    }
    match handle.chars().find(|c| !(c.is_ascii_alphanumeric() || punctuation.contains(*c))) {
        Some(c) => Err(format!("a handle holds letters, digits and `{punctuation}`, not `{}`", c.escape_debug())),
        None => Ok(()),
    }
}

/// The account of a role's ARN, or why it is none.
pub(super) fn role_account(role: &str) -> Result<String, String> {
    let arn: Arn = role.parse().map_err(|error: crate::model::arn::ArnError| error.to_string())?;
    if arn.service == "iam" && arn.resource.starts_with("role/") && !arn.account.is_empty() {
        return Ok(arn.account);
    }
    if arn.service == "sts" {
        return Err("this is a session's ARN; a role's reads `arn:aws:iam::ACCOUNT:role/NAME`".to_owned());
    }
    Err("a role's ARN reads `arn:aws:iam::ACCOUNT:role/NAME`".to_owned())
}

/// AWS's generic rotation template in a partition; `None` where no publisher is known.
pub(super) fn template(partition: &str) -> Option<String> {
    model::templates(partition).map(|templates| format!("{templates}SecretsManagerRotationTemplate"))
}
