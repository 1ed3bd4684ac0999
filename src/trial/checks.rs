//! The checks, in the order in which they are told.

use futures::future::BoxFuture;

use super::first::First;
use super::stand::{Stand, Stop};
use super::verdict::Ending;
use super::{ended, rounds, versions};

/// How a check is run that rotates for itself.
pub type Run = for<'s> fn(&'s mut Stand<'_>, &'s First) -> BoxFuture<'s, Result<Ending, Stop>>;

/// A check.
pub struct Check {
    /// Its name: what `--only` takes, and what published formats call it.
    pub name: &'static str,
    /// What is known of a function that passes it.
    pub proves: &'static str,
    /// What it does.
    pub does: &'static str,
    /// The checks without which it means nothing.
    pub needs: &'static [&'static str],
    /// How it is run; `None`: it is read from the first rotation, or from all logs.
    pub run: Option<Run>,
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The check that looks into all logs.
pub const LOG: &str = "log";

/// What every check that rotates builds on.
const A_ROTATION: &[&str] = &["loads", "time", "role", "steps", "version", "current", "finish"];

/// What every check builds on that judges by whether rotations succeed: a testSecret that passes anything would pass them too.
const A_TEST: &[&str] = &["loads", "time", "role", "steps", "version", "current", "finish", "wrong-value"];

/// What the checks build on that name other versions which nothing may change.
const UNKNOWN_VERSION: &[&str] = &["loads", "time", "role", "steps", "version", "current", "finish", "unknown-version"];

/// All checks.
pub const CHECKS: &[Check] = &[
    Check {
        name: "loads",
        proves: "the code can be loaded, with the packages and variables that it is deployed with",
        does: "starts a process of the function, which finds its handler",
        needs: &[],
        run: None,
    },
    Check {
        name: "time",
        proves: "each step ends within the function's time-out",
        does: "lets each step of the first rotation run as long as Lambda would, at most a minute",
        needs: &["loads"],
        run: None,
    },
    Check {
        name: "role",
        proves: "the function reads no secrets but its own and those of `role.read_secrets`",
        does: "refuses all others, as the role that the application makes does",
        needs: &["loads"],
        run: None,
    },
    Check {
        name: "steps",
        proves: "a rotation succeeds",
        does: "calls the four steps once, one after the other",
        needs: &["loads", "time", "role"],
        run: None,
    },
    Check {
        name: "version",
        proves: "the new value is put into the version that the event names, as AWSPENDING",
        does: "looks after each step at which versions there are and where AWSPENDING is",
        needs: &["loads"],
        run: None,
    },
    Check {
        name: "current",
        proves: "what clients read doesn't change before the last step",
        does: "compares AWSCURRENT, its version and value, after each of the first three steps with what it was",
        needs: &["loads"],
        run: None,
    },
    Check {
        name: "value",
        proves: "the new value is there before it is tested, and is another one",
        does: "compares the pending value with the current one after createSecret and setSecret",
        needs: &["loads"],
        run: None,
    },
    Check {
        name: "form",
        proves: "clients can read the new value as they read the old one",
        does: "compares both: JSON with the same members of the same kinds, or plain text",
        needs: &["loads"],
        run: None,
    },
    Check {
        name: "finish",
        proves: "finishSecret makes the new version the current one",
        does: "looks where AWSCURRENT is after the last step",
        needs: &["steps"],
        run: None,
    },
    Check {
        name: "overlap",
        proves: "the old credential works until the new one is current, where the service takes both",
        does: "asks testSecret about the old value after setSecret and testSecret, where it took the new one before them",
        needs: A_ROTATION,
        run: Some(rounds::overlap),
    },
    Check {
        name: "repeat",
        proves: "each step can be called again after it was done, as Secrets Manager does where an answer was lost",
        does: "calls each step of two rotations twice, and compares the secret after both calls",
        needs: &["loads", "time", "role", "steps", "version", "current", "finish", "overlap"],
        run: Some(rounds::repeat),
    },
    Check {
        name: "wrong-value",
        proves: "testSecret refuses a value that the service doesn't take",
        does: "shows testSecret a pending value whose password, key or token is wrong",
        needs: A_ROTATION,
        run: Some(rounds::wrong_value),
    },
    Check {
        name: "characters",
        proves: "the service takes every character that the function lets GetRandomPassword return",
        does: "rotates with passwords that hold each of them, at the beginning, within and at the end",
        needs: A_TEST,
        run: Some(rounds::characters),
    },
    Check {
        name: "again",
        proves: "rotations leave nothing behind that stands in the way of later ones",
        does: "rotates seven times in a row; counts the service's credentials, where it says them",
        needs: &["loads", "time", "role", "steps", "version", "current", "finish", "overlap", "repeat", "wrong-value"],
        run: Some(rounds::again),
    },
    Check {
        name: "ended",
        proves: "a function that is ended half-way succeeds when it is called again, and leaves no credential at the service",
        does: "ends its process before each of its calls to AWS, and after each that changes something, then calls the step again; \
               before a new value is kept, several times in a row",
        needs: &[
            "loads",
            "time",
            "role",
            "steps",
            "version",
            "current",
            "finish",
            "overlap",
            "repeat",
            "wrong-value",
            "again",
        ],
        run: Some(ended::ended),
    },
    Check {
        name: "unknown-version",
        proves: "nothing is done for a version that the secret doesn't have",
        does: "calls each step for one: each raises, or looks no further than at the secret's description",
        needs: A_ROTATION,
        run: Some(versions::unknown),
    },
    Check {
        name: "not-pending",
        proves: "a version that isn't AWSPENDING is neither filled, set nor tested",
        does: "calls createSecret, setSecret and testSecret for the version that is AWSPREVIOUS: each raises, or looks no further than at \
               the secret's description",
        needs: UNKNOWN_VERSION,
        run: Some(versions::not_pending),
    },
    Check {
        name: "already-current",
        proves: "a rotation that has finished isn't done again",
        does: "calls each step for the version that is AWSCURRENT, and compares the secret",
        needs: &["loads", "time", "role", "steps", "version", "current", "finish", "unknown-version", "not-pending"],
        run: Some(versions::already_current),
    },
    Check {
        name: "rotation-off",
        proves: "nothing changes where rotation was switched off meanwhile, and the version is gone",
        does: "switches rotation off, and calls each step for a version that isn't there any more",
        needs: UNKNOWN_VERSION,
        run: Some(versions::rotation_off),
    },
    Check {
        name: LOG,
        proves: "nothing that only secrets may hold is logged",
        does: "looks in every line of all these calls for values of the secret, of the pending version and of other secrets: as they are, \
               in base64, in hexadecimal, and for parts of them",
        needs: &["loads"],
        run: None,
    },
];

/// A check by its name.
pub fn find(name: &str) -> Option<&'static Check> {
    CHECKS.iter().find(|check| check.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;

    use super::*;

    /// Without it, the page would tell of other checks than there are.
    #[test]
    fn checks_stand_on_their_page() {
        const BEGIN: &str = "<!-- checks: written by ROTATOR_REGENERATE=1 cargo test --lib checks_stand -->\n";
        const END: &str = "<!-- end of checks -->";
        let mut table = String::from("\n| check | proves | does |\n|---|---|---|\n");
        for check in CHECKS {
            let _ = writeln!(table, "| `{}` | {} | {} |", check.name, check.proves, check.does);
        }
        table.push('\n');
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/trial/README.md");
        let page = std::fs::read_to_string(path).expect("the page");
        let (before, rest) = page.split_once(BEGIN).expect("the table's beginning");
        let (found, after) = rest.split_once(END).expect("the table's end");
        if std::env::var_os("ROTATOR_REGENERATE").is_some() {
            std::fs::write(path, format!("{before}{BEGIN}{table}{END}{after}")).expect("written");
        } else {
            assert_eq!(found, table, "the checks have changed: ROTATOR_REGENERATE=1 cargo test --lib checks_stand");
        }
    }

    /// Without it, a check could build on one that is told later, or on none.
    #[test]
    fn checks_build_on_what_comes_before_them() {
        let mut before = BTreeSet::new();
        for check in CHECKS {
            for need in check.needs {
                assert!(before.contains(need), "{} builds on {need}", check.name);
            }
            assert!(before.insert(check.name), "{} is there twice", check.name);
        }
    }
}
