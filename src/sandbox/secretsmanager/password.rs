//! `GetRandomPassword`.

use super::input::{Input, invalid};
use crate::probe::{Asked, Passwords};
use crate::wire::ApiError;

const UPPERCASE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWERCASE: &str = "abcdefghijklmnopqrstuvwxyz";
const NUMBERS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// Characters that services, and the addresses and commands that passwords are written into, take for something else, the worst
/// first. AWS gives out each of them now and then; here as many as a third of a password holds, so that no rehearsal hangs on luck.
const TROUBLE: &str = "\"\\:'/@%&?#+=;<>$`";

/// Of what must be in a password beside letters and digits, the mildest first.
const MILD: &str = "_-.~!*,";

/// AWS's default.
const LENGTH: usize = 32;

/// Makes a password, and says what was asked for.
pub fn get(input: &Input, passwords: &Passwords) -> Result<(String, Asked), ApiError> {
    let length = input.number("PasswordLength").and_then(|length| usize::try_from(length).ok()).unwrap_or(LENGTH);
    let excluded = input.text("ExcludeCharacters").unwrap_or_default();
    let on = |name: &str| input.flag(name).unwrap_or(false);
    let kinds: Vec<Vec<char>> = [
        (UPPERCASE, !on("ExcludeUppercase")),
        (LOWERCASE, !on("ExcludeLowercase")),
        (NUMBERS, !on("ExcludeNumbers")),
        (PUNCTUATION, !on("ExcludePunctuation")),
        (" ", on("IncludeSpace")),
    ]
    .into_iter()
    .filter(|(_, included)| *included)
    .map(|(kind, _)| kind.chars().filter(|c| !excluded.contains(*c)).collect())
    .collect();

    let all: Vec<char> = kinds.concat();
    if all.is_empty() {
        return Err(invalid("You can't exclude all characters from the password."));
    }
    let mut password: Vec<char> = Vec::with_capacity(length);
    if input.flag("RequireEachIncludedType").unwrap_or(true) {
        if kinds.iter().any(Vec::is_empty) {
            return Err(invalid("You can't exclude all characters of a type that the password must include."));
        }
        if length < kinds.len() {
            return Err(invalid(format!("Password length {length} is too short based on the required types.")));
        }
        password.extend(kinds.iter().map(|kind| if *passwords == Passwords::Usual { pick(kind) } else { mild(kind) }));
    }
    let asked = Asked { length, allowed: all.iter().copied().filter(|c| !c.is_ascii_alphanumeric()).collect() };
    if *passwords != Passwords::Usual {
        return Ok((chosen(password, length, &all, passwords), asked));
    }
    let trouble = TROUBLE.chars().filter(|c| all.contains(c));
    password.extend(trouble.take(length.saturating_sub(password.len()).min(length / 3)));
    while password.len() < length {
        password.push(pick(&all));
    }
    fastrand::shuffle(&mut password);
    Ok((password.into_iter().collect(), asked))
}

/// A password with these characters, as far as it may hold them, and plain ones beside.
fn chosen(required: Vec<char>, length: usize, all: &[char], passwords: &Passwords) -> String {
    let wanted: &[char] = if let Passwords::With(wanted) = passwords { wanted } else { &[] };
    let room = length.saturating_sub(required.len());
    let mut wanted: Vec<char> = wanted.iter().copied().filter(|c| all.contains(c)).take(room).collect();
    let first = if wanted.is_empty() { None } else { Some(wanted.remove(0)) };
    let last = wanted.pop();
    let mut middle = required;
    middle.append(&mut wanted);
    let plain: Vec<char> = all.iter().copied().filter(char::is_ascii_alphanumeric).collect();
    let plain = if plain.is_empty() { all } else { &plain[..] };
    while middle.len() + usize::from(first.is_some()) + usize::from(last.is_some()) < length {
        middle.push(pick(plain));
    }
    fastrand::shuffle(&mut middle);
    first.into_iter().chain(middle).chain(last).collect()
}

/// A character of a kind: of those that services may misread, the mildest.
fn mild(kind: &[char]) -> char {
    MILD.chars().find(|c| kind.contains(c)).unwrap_or_else(|| pick(kind))
}

/// A made-up value of ordinary letters and digits.
pub fn made_up(length: usize) -> String {
    (0..length).map(|_| fastrand::alphanumeric()).collect()
}

fn pick(from: &[char]) -> char {
    from[fastrand::usize(..from.len())]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::operations;
    use crate::services::Service;

    fn password(request: &Value) -> Result<String, ApiError> {
        asked(request, &Passwords::Usual).map(|(password, _)| password)
    }

    fn asked(request: &Value, passwords: &Passwords) -> Result<(String, Asked), ApiError> {
        let members = operations::input(Service::SecretsManager, "GetRandomPassword")?;
        let input = Input::check(members, request.as_object().cloned().unwrap_or_default())?;
        get(&input, passwords)
    }

    /// Without it, a test of a function would find the fault of another check, or miss a character at the edge of a password.
    #[test]
    fn a_test_chooses_what_is_in_a_password() {
        for _ in 0..20 {
            let request = json!({"ExcludeCharacters": "\"\\_", "IncludeSpace": true});
            let (plain, said) = asked(&request, &Passwords::Plain).expect("a password");
            let marks = plain.chars().filter(|c| !c.is_ascii_alphanumeric() && *c != ' ').collect::<String>();
            assert_eq!((plain.len(), marks.as_str()), (32, "-"), "{plain}");
            assert!(said.allowed.contains(&' ') && !said.allowed.contains(&'"') && said.length == 32, "{said:?}");
            let with = Passwords::With(vec!['@', '"', ':', '%', '/']);
            let (with, _) = asked(&request, &with).expect("a password");
            assert!(with.starts_with('@') && with.ends_with('/') && with.contains([':', '%']), "{with}");
            assert!(!with.contains('"') && with.len() == 32, "{with}");
        }
        let digits = json!({"PasswordLength": 4, "ExcludeUppercase": true, "ExcludeLowercase": true,
            "ExcludePunctuation": true});
        let (digits, said) = asked(&digits, &Passwords::With(vec!['"'])).expect("a password");
        assert!(digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()) && said.allowed.is_empty());
    }

    /// Without it, a function that lets its service's own quotation marks into passwords would be green four times in ten.
    #[test]
    fn what_may_be_in_a_password_is_in_it() {
        for _ in 0..20 {
            let whole = password(&json!({})).expect("a password");
            assert!("\"\\:'/@%&".chars().all(|c| whole.contains(c)), "{whole}");
            assert_eq!(whole.len(), 32);
            assert!(whole.contains(|c: char| c.is_ascii_lowercase()) && whole.contains(|c: char| c.is_ascii_digit()));
            let without = password(&json!({"ExcludeCharacters": "\"\\:"})).expect("a password");
            assert!(!without.contains(['"', '\\', ':']) && without.contains('@'), "{without}");
        }
    }

    /// Without it, a function that asks for a password its service accepts could get another.
    #[test]
    fn the_switches_are_kept() {
        for _ in 0..50 {
            let digits = password(&json!({"PasswordLength": 12, "ExcludeUppercase": true, "ExcludeLowercase": true,
                "ExcludePunctuation": true, "ExcludeCharacters": "01"}))
            .expect("a password");
            assert!(digits.len() == 12 && digits.chars().all(|c| ('2'..='9').contains(&c)), "{digits}");
            let each = password(&json!({"PasswordLength": 5, "IncludeSpace": true})).expect("a password");
            assert!(each.contains(' ') && each.contains(|c: char| c.is_ascii_punctuation()), "{each}");
        }
        assert_eq!(password(&json!({})).expect("a password").len(), 32);
        assert!(password(&json!({"PasswordLength": 3})).is_err());
        assert!(password(&json!({"ExcludeCharacters": NUMBERS})).is_err());
        assert!(password(&json!({"PasswordLength": 3, "RequireEachIncludedType": false})).is_ok());
    }
}
