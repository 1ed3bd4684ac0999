//! Live states of every kind: stacks that failed, are busy, or are another project's; secrets that can't rotate; orphans;
//! and what can't be read.

use rotator::model::live::{
    LiveFunction, LiveSecret, LiveStack, OrphanSecret, OrphanStack, Reading, Statement, Unread,
};
use rotator::model::{
    Address, Desired, Function, FunctionSource, Kind, Live, PROJECT_TAG, SAR_APPLICATION_TAG, SHARED_TAG,
};

use super::drift::{function_drift, secret_drift};
use super::wanted::{
    self, ACCOUNT, EARLIER, FUNCTION_DICE, GENERIC, NEWEST, PROJECT, SECRET_DICE, called, days, function_arn,
    secret_arn, statement,
};
use crate::cases::{Dice, Throws, dice};
use proptest::prelude::*;

/// The dice of one world: functions, secrets, orphans, and the whole.
#[derive(Debug, Clone)]
pub struct World {
    pub functions: Vec<Dice>,
    pub secrets: Vec<Dice>,
    pub orphans: Vec<Dice>,
    pub whole: Dice,
}

pub fn world() -> impl Strategy<Value = World> {
    let functions = prop::collection::vec(dice(FUNCTION_DICE + 24), 1..4);
    let secrets = prop::collection::vec(dice(SECRET_DICE), 0..6);
    let orphans = prop::collection::vec(dice(12), 0..4);
    (functions, secrets, orphans, dice(8)).prop_map(|(functions, secrets, orphans, whole)| World {
        functions,
        secrets,
        orphans,
        whole,
    })
}

fn denied() -> Unread {
    Unread::Denied { action: "service:Read".into(), resource: "*".into(), code: None, message: "no".into() }
}

impl World {
    /// The two states.
    pub fn states(&self) -> (Desired, Live) {
        let (mut wanted, mut functions, mut secrets) = wanted::desired(&self.functions, &self.secrets);
        let mut live = wanted::mirror(&wanted);
        for (handle, throws) in &mut functions {
            let function = wanted.functions.get_mut(handle.as_str()).expect("generated");
            function_state(throws, function, live.functions.get_mut(handle.as_str()).expect("mirrored"));
        }
        for (handle, throws) in &mut secrets {
            let secret = wanted.secrets[handle.as_str()].clone();
            let reading = live.secrets.get_mut(handle.as_str()).expect("mirrored");
            let Reading::Found(one) = reading else { continue };
            secret_drift(throws, &wanted, &secret, one);
            if let Some(other) = secret_state(throws, &wanted, one) {
                *reading = other;
            }
        }
        self.add_orphans(&mut wanted, &mut live);
        (wanted, live)
    }

    fn add_orphans(&self, wanted: &mut Desired, live: &mut Live) {
        let mut whole = self.whole.throws();
        wanted.prune = whole.chance(20);
        let (unlisted, unread_stacks) = (whole.chance(8), whole.chance(5));
        let mut lost = Vec::new();
        for (number, dice) in self.orphans.iter().enumerate() {
            orphan(&mut dice.throws(), number, wanted, live, &mut lost);
        }
        for orphan in &mut live.orphan_stacks {
            let users = live.secrets.values().filter_map(Reading::found).filter(|secret| secret.is_on());
            let users =
                users.filter(|secret| secret.function_arn.is_some() && secret.function_arn == orphan.function_arn);
            let mut rotating: Vec<String> = users.map(|secret| secret.name.clone()).collect();
            rotating.extend(
                lost.iter()
                    .filter(|lost| Some(&lost.function_arn) == orphan.function_arn.as_ref())
                    .map(|lost| lost.name.clone()),
            );
            orphan.rotating = (!unlisted).then_some(rotating);
        }
        // Secrets on a shared function may belong to other manifests, and are never orphans.
        let shared = |arn: &String| {
            live.orphan_stacks.iter().any(|orphan| orphan.shared && orphan.function_arn.as_ref() == Some(arn))
        };
        lost.retain(|lost| !shared(&lost.function_arn));
        live.orphan_secrets = if unlisted || unread_stacks { Err(denied()) } else { Ok(lost) };
        if unread_stacks {
            live.stacks_unread = Some(denied());
        }
        for one in live.functions.values_mut() {
            if unlisted {
                one.foreign_secrets = None;
            }
        }
    }
}

fn function_state(throws: &mut Throws<'_>, function: &mut Function, live: &mut LiveFunction) {
    let (kind, detail, drifts) = (throws.below(100), throws.below(100), throws.chance(40));
    if drifts {
        function_drift(throws, function, live);
    }
    let name = function.name.clone();
    match &mut function.source {
        FunctionSource::Existing { .. } => existing_state(kind, detail, live),
        FunctionSource::Deployed(deployment) => {
            if kind == 99 {
                if let Some(code) = &mut deployment.code {
                    (code.package, code.unusable) = (None, Some("a broken link".to_owned()));
                }
                return;
            }
            deployed_state(kind, detail, &name, live);
        }
    }
}

fn existing_state(kind: usize, detail: usize, live: &mut LiveFunction) {
    let tag = |live: &mut LiveFunction, name: &str, value: &str| {
        if let Reading::Found(configuration) = &mut live.configuration {
            let mut tags = configuration.tags.clone().unwrap_or_default();
            tags.insert(name.to_owned(), value.to_owned());
            configuration.tags = Ok(tags);
        }
    };
    match kind {
        60..66 => (live.configuration, live.policy) = (Reading::Absent, Reading::Absent),
        66..70 => (live.configuration, live.policy) = (Reading::Unread(denied()), Reading::Unread(denied())),
        70..76 => live.policy = Reading::Absent,
        76..80 => live.policy = Reading::Unread(denied()),
        80..90 => {
            tag(live, PROJECT_TAG, "others");
            if detail < 50 {
                tag(live, SHARED_TAG, "true");
            }
        }
        90..94 => failed(live),
        94.. => deny(live),
        _ => {}
    }
}

fn deployed_state(kind: usize, detail: usize, name: &str, live: &mut LiveFunction) {
    let Reading::Found(stack) = &mut live.stack else { return };
    let fresh = |live: &mut LiveFunction| {
        (live.stack, live.configuration, live.policy) = (Reading::Absent, Reading::Absent, Reading::Absent);
    };
    let status = |stack: &mut LiveStack, of: &[&str]| of[detail % of.len()].clone_into(&mut stack.status);
    match kind {
        // Nothing of it is there: the first deployment.
        45..60 => fresh(live),
        60..62 => live.stack = Reading::Absent,
        62..65 => {
            stack.function = None;
            status(stack, &["REVIEW_IN_PROGRESS"]);
            (live.configuration, live.policy) = (Reading::Absent, Reading::Absent);
        }
        65..69 => status(stack, &["UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "CREATE_IN_PROGRESS"]),
        69..73 => {
            status(stack, &["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"]);
            if detail < 60 {
                (live.configuration, live.policy) = (Reading::Absent, Reading::Absent);
            }
            if detail.is_multiple_of(5) {
                stack.tags.remove(PROJECT_TAG);
            }
        }
        73..76 => {
            status(stack, &["UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED", "DELETE_FAILED", "IMPORT_ROLLBACK_FAILED"]);
        }
        76..79 => {
            (live.configuration, live.policy) = (Reading::Absent, Reading::Absent);
            if detail < 50 {
                stack.function = None;
            }
            if detail.is_multiple_of(4) {
                stack.tags.remove(PROJECT_TAG);
            }
        }
        79..81 => stack.function = Some(format!("{name}-made-up")),
        81..85 => {
            stack.tags.insert(PROJECT_TAG.to_owned(), "others".to_owned());
        }
        85 => live.stack = Reading::Unread(denied()),
        86 => live.configuration = Reading::Unread(denied()),
        87 => live.policy = Reading::Unread(denied()),
        88 => live.application = Reading::Unread(denied()),
        89 => live.application = Reading::Absent,
        90 => {
            if let Reading::Found(configuration) = &mut live.configuration {
                configuration.environment = Err("KMSAccessDeniedException".to_owned());
            }
        }
        91..93 => failed(live),
        93..95 => deny(live),
        95..98 if live.foreign_secrets.is_some() => live.foreign_secrets = Some(2),
        _ => {}
    }
}

fn failed(live: &mut LiveFunction) {
    if let Reading::Found(configuration) = &mut live.configuration {
        "Failed".clone_into(&mut configuration.state);
    }
}

fn deny(live: &mut LiveFunction) {
    let denial = Statement { allows: false, denies: true, ..statement("keep-out", Some(ACCOUNT)) };
    let mut statements = live.policy.found().cloned().unwrap_or_default();
    statements.push(denial);
    live.policy = Reading::Found(statements);
}

/// A secret's own state, over whatever drifted. `Some`: it can't be seen at all.
fn secret_state(throws: &mut Throws<'_>, wanted: &Desired, live: &mut LiveSecret) -> Option<Reading<LiveSecret>> {
    let (kind, detail) = (throws.below(100), throws.below(100));
    let is_known = |arn: &String| wanted.functions.values().any(|function| called(function) == *arn);
    match kind {
        45..50 => return Some(Reading::Absent),
        50..53 => return Some(Reading::Unread(denied())),
        53..58 => live.deleted = true,
        58..62 => live.replica_of = Some("us-east-1".to_owned()),
        62..66 => live.current_version = None,
        66..70 => live.pending_version = Some("v0".to_owned()),
        // On the current version, the label is healthy.
        70..73 => live.pending_version.clone_from(&live.current_version),
        73..78 => live.owning_service = Some("redshift".to_owned()),
        78..81 => live.kms_key = Some(format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/1")),
        81..84 => live.owning_service = None,
        84.. if live.is_on() && live.function_arn.as_ref().is_some_and(|arn| !is_known(arn)) => {
            let project = if detail < 60 { "others" } else { PROJECT };
            (live.function_project, live.function_shared) = (Some(project.to_owned()), detail.is_multiple_of(3));
        }
        _ => {}
    }
    None
}

fn orphan(throws: &mut Throws<'_>, number: usize, wanted: &mut Desired, live: &mut Live, lost: &mut Vec<OrphanSecret>) {
    let name = format!("old{number}");
    let (kind, status, detail) = (throws.below(100), throws.below(100), throws.below(100));
    let (shared, let_go, with_secret, moving) =
        (throws.chance(15), throws.chance(20), throws.chance(50), throws.chance(25));
    let arn = if kind < 70 {
        let statuses = [
            "CREATE_COMPLETE",
            "CREATE_COMPLETE",
            "CREATE_COMPLETE",
            "UPDATE_IN_PROGRESS",
            "DELETE_IN_PROGRESS",
            "DELETE_FAILED",
            "ROLLBACK_COMPLETE",
        ];
        let mut stack = LiveStack {
            id: format!("arn:stack/{name}"),
            name: format!("serverlessrepo-{name}"),
            status: statuses[status % statuses.len()].to_owned(),
            function: (detail < 85).then(|| name.clone()),
            tags: [(SAR_APPLICATION_TAG.to_owned(), GENERIC.to_owned())].into(),
            parameters: wanted::version(GENERIC, NEWEST)
                .parameters
                .into_keys()
                .map(|name| (name, rotator::model::Sensitive::new("")))
                .collect(),
            capabilities: Vec::new(),
            first_failure: None,
        };
        let project = if detail.is_multiple_of(7) { EARLIER } else { PROJECT };
        stack.tags.insert(PROJECT_TAG.to_owned(), project.to_owned());
        if shared {
            stack.tags.insert(SHARED_TAG.to_owned(), "true".to_owned());
        }
        let function_arn = stack.function.as_deref().map(function_arn);
        live.orphan_stacks.push(OrphanStack { stack, shared, function_arn: function_arn.clone(), rotating: None });
        function_arn
    } else {
        // A secret that a function of the manifest rotates, and that no handle names.
        let deployed =
            wanted.functions.values().filter(|function| function.deployment().is_some_and(|one| !one.shared));
        let candidates: Vec<String> = deployed.map(|function| function_arn(&function.name)).collect();
        candidates.get(detail % candidates.len().max(1)).cloned()
    };
    if let Some(arn) = &arn
        && with_secret
    {
        let secret = format!("lost{number}");
        let (arn, function_arn) = (secret_arn(&secret), arn.clone());
        lost.push(OrphanSecret { name: secret, arn, function_arn });
    }
    if let (Some(arn), true) = (&arn, moving && kind < 70) {
        // A secret of the manifest still rotates with it, and is to move, or not.
        if let Some(Reading::Found(secret)) = live.secrets.values_mut().next()
            && secret.owning_service.is_none()
        {
            (secret.rotation_enabled, secret.function_arn) = (Some(true), Some(arn.clone()));
            secret.rules.get_or_insert(days(30));
            (secret.function_project, secret.function_shared) = (Some(PROJECT.to_owned()), shared);
        }
    }
    if let_go {
        let of = if detail < 50 {
            Address::new(None, Kind::Function, name)
        } else {
            Address::new(None, Kind::Secret, format!("lost{number}"))
        };
        wanted.removed.insert(of);
    }
}
