//! What others changed between the plan and a step. Such a step isn't done: the plan didn't show what it would overwrite.
//!
//! Each answer lists attributes as they were when the plan was made (`before`), and as they are now (`after`). What already is as the
//! manifest wants it has not moved.

use std::collections::BTreeSet;

use super::Failure;
use crate::model::live::{Configuration, LiveSecret, LiveStack, NO_ECHO_MASK, Statement};
use crate::model::{Deployment, PERMISSION_STATEMENT, SAR_VERSION_TAG, Sensitive, Setting};
use crate::plan::planner::{configuration_fields, external_fields};
use crate::plan::{Attribute, FieldChange, Shown};

/// Refuses a step where something has moved.
pub(super) fn refuse(moved: Vec<FieldChange>) -> Result<(), Failure> {
    if moved.is_empty() { Ok(()) } else { Err(Failure::ChangedSincePlan { moved }) }
}

/// One attribute, where it has moved.
fn attribute(attribute: impl Into<Attribute>, then: Shown, now: Shown) -> Option<FieldChange> {
    (then != now).then(|| FieldChange::new(attribute, then, now))
}

/// A secret's identity and rotation; its value too, where it would be rotated again.
pub(super) fn secret(then: &LiveSecret, now: &LiveSecret, rotates_now: bool) -> Vec<FieldChange> {
    let version = |secret: &LiveSecret| Shown::option(secret.current_version.as_ref());
    [
        attribute("arn", Shown::text(&then.arn), Shown::text(&now.arn)),
        attribute(Attribute::Enabled, Shown::text(then.is_on()), Shown::text(now.is_on())),
        attribute(
            Attribute::Function,
            Shown::option(then.function_arn.as_ref()),
            Shown::option(now.function_arn.as_ref()),
        ),
        attribute(Attribute::Rules, Shown::option(then.rules.as_ref()), Shown::option(now.rules.as_ref())),
        attribute("AWSCURRENT", version(then), version(now)).filter(|_| rotates_now),
    ]
    .into_iter()
    .flatten()
    .chain(external_fields(&then.external, &now.external))
    .collect()
}

/// What of a function's configuration a step would set.
pub(super) fn configuration(deployment: &Deployment, then: &Configuration, now: &Configuration) -> Vec<FieldChange> {
    let planned = configuration_fields(deployment, Some(then), false);
    let variable = |live: &Configuration, name: &str| -> Option<Sensitive> {
        live.environment.as_ref().ok().and_then(|variables| variables.get(name).cloned())
    };
    let moved = |field: FieldChange| {
        if let Attribute::Variable(name) = &field.attribute {
            // Their values aren't in the fields.
            return (variable(then, name) != variable(now, name)).then(|| {
                let shown = |live| if variable(live, name).is_some() { Shown::Sensitive } else { Shown::Absent };
                FieldChange::new(field.attribute.clone(), shown(then), shown(now))
            });
        }
        // What the plan didn't change was as the manifest wants it.
        let before = planned.iter().find(|other| other.attribute == field.attribute);
        let before = before.map_or(field.after, |other| other.before.clone());
        attribute(field.attribute, before, field.before)
    };
    configuration_fields(deployment, Some(now), false).into_iter().filter_map(moved).collect()
}

/// A function's code, and the architecture that it is for.
pub(super) fn code(then: &Configuration, now: &Configuration) -> Vec<FieldChange> {
    let architecture = |live: &Configuration| Shown::option(live.settings.architecture.as_ref());
    [
        attribute(Attribute::CodeHash, Shown::text(&then.code_sha256), Shown::text(&now.code_sha256)),
        attribute(Setting::Architecture, architecture(then), architecture(now)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The statement of a function's policy that would be replaced.
pub(super) fn statement(then: Option<&Statement>, now: &Statement) -> Vec<FieldChange> {
    if then == Some(now) {
        return Vec::new();
    }
    let shown = |statement: &Statement| {
        [
            ("allows", Shown::text(statement.allows)),
            ("denies", Shown::text(statement.denies)),
            ("source_account", Shown::option(statement.source_account.as_ref())),
            ("source_arn", Shown::option(statement.source_arn.as_ref())),
            ("other_conditions", Shown::text(statement.other_conditions)),
        ]
    };
    let before = then.map(shown);
    let parts = shown(now).into_iter().enumerate().filter_map(|(index, (name, now))| {
        let then = before.as_ref().map_or(Shown::Absent, |before| before[index].1.clone());
        attribute(Attribute::Permission(format!("{PERMISSION_STATEMENT}.{name}")), then, now)
    });
    parts.collect()
}

/// A stack's parameters and tags.
pub(super) fn stack(then: &LiveStack, now: &LiveStack) -> Vec<FieldChange> {
    let parameter = |stack: &LiveStack, name: &str| match stack.parameters.get(name) {
        None => Shown::Absent,
        Some(value) if value.expose() == NO_ECHO_MASK => Shown::Sensitive,
        Some(value) => Shown::text(value.expose()),
    };
    let parameters: BTreeSet<&String> = then.parameters.keys().chain(now.parameters.keys()).collect();
    let parameters = parameters
        .into_iter()
        .filter_map(|name| attribute(Attribute::Parameter(name.clone()), parameter(then, name), parameter(now, name)));
    let tags: BTreeSet<&String> = then.tags.keys().chain(now.tags.keys()).collect();
    let tag = |stack: &LiveStack, name: &str| Shown::option(stack.tags.get(name));
    let of_tag =
        |name: &str| if name == SAR_VERSION_TAG { Attribute::Version } else { Attribute::Tag(name.to_owned()) };
    let tags = tags.into_iter().filter_map(|name| attribute(of_tag(name), tag(then, name), tag(now, name)));
    parameters.chain(tags).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures::{self, desired, wanted};

    /// Without it, an apply would set 45 back to 60 for a plan that showed "30 to 60"; or refuse what is already as wanted, and what
    /// isn't managed.
    #[test]
    fn only_what_would_be_overwritten_has_moved() {
        let mut desired = desired();
        let deployment = wanted(&mut desired);
        deployment.settings.timeout = Some(60);
        deployment.environment.insert("URL".to_owned(), Some(Sensitive::new("https://b")));
        let mut then = fixtures::configuration();
        then.environment = Ok([("URL".to_owned(), Sensitive::new("https://a"))].into());
        assert_eq!(configuration(deployment, &then, &then), []);
        let mut now = then.clone();
        now.settings.timeout = Some(60);
        now.settings.description = Some("theirs".to_owned());
        now.environment =
            Ok([("URL", "https://b"), ("THEIRS", "new")].map(|(k, v)| (k.to_owned(), Sensitive::new(v))).into());
        assert_eq!(configuration(deployment, &then, &now), []);
        now.settings.timeout = Some(45);
        now.environment = Ok([("URL".to_owned(), Sensitive::new("https://c"))].into());
        let moved = configuration(deployment, &then, &now);
        let expected = [
            FieldChange::new("timeout", Shown::text(30), Shown::text(45)),
            FieldChange::new("environment.URL", Shown::Sensitive, Shown::Sensitive),
        ];
        assert_eq!(moved, expected);
    }

    /// Without it, a secret that has just rotated would rotate again, for a plan that said "rotates now" once.
    #[test]
    fn a_rotation_counts_where_another_would_follow() {
        let then = fixtures::secret();
        let now = LiveSecret { current_version: Some("another".to_owned()), ..then.clone() };
        assert_eq!(secret(&then, &now, false), []);
        assert_eq!(secret(&then, &now, true).len(), 1);
        let now = LiveSecret { rules: None, ..then.clone() };
        assert_eq!(secret(&then, &now, false)[0].attribute, Attribute::Rules);
    }

    /// Without it, a statement that somebody wrote under our id a moment ago would be deleted unseen.
    #[test]
    fn a_statement_that_the_plan_did_not_show_is_not_replaced() {
        let ours = fixtures::statement();
        assert_eq!(statement(Some(&ours), &ours), []);
        assert_eq!(statement(None, &ours)[0].before, Shown::Absent);
        let theirs = Statement { other_conditions: true, ..ours.clone() };
        assert_eq!(statement(Some(&ours), &theirs).len(), 1);
    }

    /// Without it, a stack's update would take back a parameter or a tag that somebody has just set.
    #[test]
    fn a_stack_has_moved_with_its_parameters_and_tags() {
        let then = fixtures::stack();
        assert_eq!(stack(&then, &then), []);
        let mut now = then.clone();
        now.tags.insert("owner".to_owned(), "them".to_owned());
        now.parameters.insert("excludeCharacters".to_owned(), Sensitive::new("/"));
        let paths: Vec<String> =
            stack(&then, &now).into_iter().map(|field| field.attribute.path().into_owned()).collect();
        assert_eq!(paths, ["application.parameters.excludeCharacters", "tags.owner"]);
    }
}
