//! Why a saved plan is refused, in words.

use std::fmt::Write as _;

use crate::plan::Problem;
use crate::plan::Severity;
use crate::plan::fresh::{Stale, StaleKind};

use super::command::There;
use super::effect::effect_on;
use super::plan::value;
use super::select::by_rules;
use super::{BOLD, DIM, ERROR, paint, problem, safe};

/// All reasons, one message each.
pub fn stale(reasons: &[Stale]) -> String {
    let mut out = String::new();
    for reason in reasons {
        let address = safe(&reason.address.to_string()).into_owned();
        let (summary, detail) = words(reason);
        let _ = writeln!(out, "{} {}", paint(ERROR, "stale:"), paint(BOLD, &format!("{address}: {summary}")));
        if let Some(detail) = detail {
            let _ = writeln!(out, "  {}", paint(DIM, &detail));
        }
    }
    out
}

/// One reason: what it is, and its detail.
pub fn words(reason: &Stale) -> (String, Option<String>) {
    match &reason.kind {
        StaleKind::Moved { attribute, planned, now } => (
            format!("{} has moved since the plan was made", safe(&attribute.path())),
            Some(format!("it was {}, and is {}", value(planned), value(now))),
        ),
        StaleKind::WouldSet { attribute, planned, now } => (
            format!("{} would be set to another value", safe(&attribute.path())),
            Some(format!("planned is {}, and it would be {}", value(planned), value(now))),
        ),
        StaleKind::OtherAction => {
            ("it was made, replaced or removed by others since the plan was made".to_owned(), None)
        }
        StaleKind::NotTested => (
            "its function can't be tested on it any more, as the plan says".to_owned(),
            Some("it isn't idle, or its next window is less than an hour away".to_owned()),
        ),
        StaleKind::NewEffect(effect) => (
            format!("it would have an effect that the plan didn't show: {}", effect.word()),
            Some(effect_on(*effect, std::iter::once(&reason.address))),
        ),
        StaleKind::Problem(kind) => {
            let found = Problem {
                address: reason.address.clone(),
                name: reason.name.clone(),
                severity: Severity::Error,
                kind: kind.clone(),
            };
            // Of its commands none is shown, so that no region is needed.
            (problem::words(&found, &There::default()).summary, None)
        }
        StaleKind::NotSelected(rules) => (
            format!("{} no longer", by_rules(rules, ("means it", "mean it"))),
            Some(
                "it was renamed, tagged otherwise or deleted, or it rotates otherwise, since the plan was made"
                    .to_owned(),
            ),
        ),
        StaleKind::Beneath(address) => {
            (format!("{} has changed since the plan was made, and comes first", safe(&address.to_string())), None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Address, Kind};
    use crate::plan::ProblemKind;

    /// Without it, a refusal could name a region that it doesn't know: nothing, behind "in".
    #[test]
    fn what_is_missing_is_said_without_a_region() {
        let address = Address { target: None, kind: Kind::Secret, handle: "app/one".to_owned() };
        let kind = StaleKind::Problem(ProblemKind::SecretMissing);
        let text = stale(&[Stale { address, name: "app/one".to_owned(), kind }]);
        let text = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(text, "stale: secret.app/one: Secrets Manager has no such secret\n");
    }
}
