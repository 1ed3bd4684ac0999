//! A role's session: what STS takes as its name, and as the external id that the role's trust asks for.

/// Characters besides letters, digits and `_` in a session's name (STS, `RoleSessionName`).
const NAME_PUNCTUATION: &str = "+=,.@-";

/// The same in an external id (STS, `ExternalId`).
const EXTERNAL_ID_PUNCTUATION: &str = "+=,.@:/-";

/// Why a text is no session's name.
pub fn check_name(name: &str) -> Result<(), String> {
    check(name, 2, 64, NAME_PUNCTUATION)
        .map_err(|at| format!("a session's name has 2 to 64 characters: letters, digits and `_{NAME_PUNCTUATION}`{at}"))
}

/// Why a text is no external id. Nothing of it is repeated.
pub fn check_external_id(id: &str) -> Result<(), String> {
    check(id, 2, 1224, EXTERNAL_ID_PUNCTUATION).map_err(|_| {
        format!("an external id has 2 to 1224 characters: letters, digits and `_{EXTERNAL_ID_PUNCTUATION}`")
    })
}

/// Whether a text has the length and the characters; else what is wrong with it, as the end of a sentence.
fn check(text: &str, least: usize, most: usize, punctuation: &str) -> Result<(), String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || punctuation.contains(c);
    match text.chars().find(|c| !is_allowed(*c)) {
        Some(c) => Err(format!(", not `{}`", c.escape_debug())),
        None if (least..=most).contains(&text.len()) => Ok(()),
        None => Err(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a name or an id that STS refuses would be found out by the first call, in AWS's words about a pattern.
    #[test]
    fn sts_rules_are_kept() {
        for name in ["ab", "rotator", "a_b+c=d,e.f@g-h", &"x".repeat(64)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "a", "two words", "a/b", "a:b", "é-mail", &"x".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
        for id in ["ab", "org:unit/x+y=z,w.v@u-t_s", &"x".repeat(1224)] {
            assert_eq!(check_external_id(id), Ok(()), "{id}");
        }
        for id in ["", "a", "two words", "a#b", "a\\b", "ü-1", &"x".repeat(1225)] {
            let said = check_external_id(id).expect_err(id);
            assert!(id.len() < 3 || !said.contains(id), "{said}");
        }
    }
}
