//! What is asked of single secrets: another value now, or an end of a rotation that is stuck.

use super::*;
use crate::model::RunId;
use crate::plan::Way;
use crate::plan::pending::Pending;

const ID: &str = "0197a3c5-6f1e-7d52-8b0f-5a4c3e2d1f00";

fn rotated(live: &Live, enable: bool) -> Plan {
    let run: RunId = ID.parse().expect("a run's id");
    plan_rotation(&desired(), live, RotateRequest { run, enable, resumed: None })
}

/// A plan of a way out, by what is known of the secret's pending version; confirmed by the secret's name.
fn repaired(live: &Live, way: Way, known: &Pending) -> Plan {
    let pending = BTreeMap::from([(secret().arn, known.clone())]);
    plan_repair(&desired(), live, RepairRequest { way, confirmed: Some("s"), pending: &pending, label: "label" })
}

/// A version that is pending since a day, and of which nothing runs any more.
fn old() -> Pending {
    Pending { now: 1_000_000, since: Some(1_000_000 - 86_400), timeout: Some(3), ..Pending::default() }
}

fn with(change: impl Fn(&mut LiveSecret)) -> Live {
    let mut live = live();
    change(live_secret(&mut live));
    live
}

/// Without it, labels would move on a secret that AWS's own service, or a partner, is about to rotate.
#[test]
fn what_others_rotate_is_not_repaired() {
    let owned: fn(&mut LiveSecret) = |secret| secret.owning_service = Some("rds".to_owned());
    let external: fn(&mut LiveSecret) = |secret| secret.partner_type = Some("SalesforceClientSecret".to_owned());
    for (change, by) in [(owned, "rds"), (external, "SalesforceClientSecret")] {
        let live = with(|secret| {
            change(secret);
            secret.function_arn = None;
            secret.pending_version = Some("v9".to_owned());
        });
        for way in Way::ALL {
            let plan = repaired(&live, way, &old());
            assert_eq!(errors(&plan), [ProblemKind::RotatedByAnother { by: by.to_owned() }], "{way:?}");
            assert!(plan.runnable().next().is_none(), "{way:?}");
        }
        // Who rotates it is no matter of the commands' otherwise: where its rotation is on, AWS takes the request without a function.
        let live = with(|secret| {
            change(secret);
            secret.function_arn = None;
        });
        let plan = rotated(&live, false);
        assert_eq!((errors(&plan), plan.runnable().count()), (Vec::new(), 1));
        let off = with(|secret| {
            change(secret);
            (secret.function_arn, secret.rotation_enabled) = (None, None);
        });
        let plan = rotated(&off, false);
        assert_eq!((errors(&plan), plan.runnable().count()), (vec![ProblemKind::RotationOff], 0));
    }
}

/// Without it, a secret that can't rotate where it is would be asked for all the same, and the reason come from AWS, if at all.
#[test]
fn what_cannot_rotate_here_is_refused() {
    type Case = (fn(&mut LiveSecret), ProblemKind);
    let stuck = ProblemKind::UnfinishedRotation { version: "v9".to_owned() };
    let cases: [Case; 4] = [
        (|secret| secret.deleted = true, ProblemKind::ScheduledForDeletion),
        (
            |secret| secret.replica_of = Some("us-east-1".to_owned()),
            ProblemKind::Replica { primary: "us-east-1".to_owned() },
        ),
        (|secret| secret.current_version = None, ProblemKind::NoValue),
        (|secret| secret.pending_version = Some("v9".to_owned()), stuck),
    ];
    for (change, expected) in cases {
        let plan = rotated(&with(change), false);
        assert_eq!((errors(&plan), plan.runnable().count()), (vec![expected], 0));
    }
    let off = with(|secret| secret.rotation_enabled = Some(false));
    assert_eq!(errors(&rotated(&off, false)), [ProblemKind::RotationOff]);
    let on = rotated(&off, true);
    assert!(errors(&on).is_empty() && on.changes[0].effects.contains(&Effect::StartsRotation));
}

/// Without it, a version would be given up, or made current, under a function that works with it.
#[test]
fn what_may_be_running_is_left_alone() {
    let live = with(|secret| secret.pending_version = Some("v9".to_owned()));
    let young = Pending { since: Some(1_000_000 - 11), ..old() };
    let open = Pending { open: Some(999_999_000), ..old() };
    for known in [young, open, Pending { since: None, ..old() }] {
        for way in Way::ALL {
            let plan = repaired(&live, way, &known);
            assert!(matches!(errors(&plan)[..], [ProblemKind::MayStillRun { .. }]), "{way:?}: {:?}", errors(&plan));
            assert!(plan.runnable().next().is_none());
        }
    }
    for way in Way::ALL {
        assert_eq!(errors(&repaired(&live, way, &old())), [], "{way:?}");
    }
}
