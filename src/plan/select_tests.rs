//! What rules of `select` come to.

use proptest::prelude::*;

use super::*;
use crate::model::rule::{AtMost, Limit, Limits, Pattern};
use crate::model::{Function, Match, Place, Rotation, Secret};
use crate::plan::fixtures::{ACCOUNT, arn, days, desired, live, secret};
use crate::plan::limits::{Tally, hold};
use crate::plan::{Action, NoteKind, Plan, PlanOptions, ProblemKind, Purpose, make_plan};

const HERE: Here<'_> = Here { partition: "aws", region: "eu-west-1", account: ACCOUNT };

fn rule(names: &[&str], tags: &[(&str, &str)], except: &[&str]) -> SelectRule {
    let patterns = |texts: &[&str]| texts.iter().map(|text| Pattern((*text).to_owned())).collect();
    SelectRule {
        matches: Match {
            names: (!names.is_empty()).then(|| patterns(names)),
            tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            except: patterns(except),
        },
        function: "f".to_owned(),
        rotation: Rotation { enabled: Some(true), rules: Some(days(30)), rotate_immediately: None },
        labels: Shared::default(),
    }
}

/// A manifest of the fixtures' function and secret, and of some rules.
fn with_rules(rules: &[(&str, SelectRule)]) -> Desired {
    let select: BTreeMap<String, SelectRule> =
        rules.iter().map(|(handle, rule)| ((*handle).to_owned(), rule.clone())).collect();
    Desired { select: select.into(), ..desired() }
}

/// A secret with a value, whose rotation never was configured.
fn listed(name: &str, tags: &[(&str, &str)]) -> TaggedSecret {
    TaggedSecret {
        record: SecretRecord {
            name: name.to_owned(),
            arn: format!("arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:{name}-abcdef"),
            current_version: Some("v1".to_owned()),
            ..SecretRecord::default()
        },
        tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
    }
}

fn rotating(name: &str, function: &str) -> TaggedSecret {
    let mut secret = listed(name, &[]);
    secret.record.rotation_enabled = Some(true);
    secret.record.function_arn = Some(function.into());
    secret.record.rules = Some(days(30));
    secret
}

/// As `DescribeSecret` shows it.
fn described(listed: &TaggedSecret) -> LiveSecret {
    let record = &listed.record;
    LiveSecret {
        arn: record.arn.clone(),
        name: record.name.clone(),
        rotation_enabled: record.rotation_enabled,
        function_arn: record.function_arn.as_deref().map(str::to_owned),
        rules: record.rules.clone(),
        current_version: record.current_version.clone(),
        pending_version: record.pending_version.clone(),
        owning_service: record.owning_service.clone(),
        partner_type: record.partner_type.clone(),
        replica_of: record.replica_of.clone(),
        deleted: record.deletion.is_some(),
        ..secret()
    }
}

/// The plan, and what AWS has.
fn planned(mut desired: Desired, all: &[TaggedSecret], prune: bool) -> (Plan, Desired, Live) {
    expand(&mut desired, &[], Ok(all.to_vec()), HERE);
    let mut live = live();
    let selected = desired.selected.clone().expect("rules");
    for secret in all.iter().filter(|secret| selected.secrets.contains_key(&secret.record.name)) {
        live.secrets.insert(secret.record.name.clone(), Reading::Found(described(secret)));
    }
    settle(&mut desired, &mut live);
    let options = PlanOptions { purpose: Purpose::Converge { prune }, partial: false };
    (make_plan(&desired, &live, options), desired, live)
}

fn changed(plan: &Plan) -> Vec<&str> {
    plan.changes.iter().map(|change| change.address.handle.as_str()).collect()
}

/// Without it, a rule would rotate what it matches at once, or be seen in no plan.
#[test]
fn a_new_match_is_one_change_that_rotates_nothing() {
    let vendor = rule(&["vendor/*"], &[("rotate", "vendor")], &["vendor/legacy-*"]);
    let tag = [("rotate", "vendor"), ("other", "x")];
    let all = [
        listed("vendor/a", &tag),
        listed("vendor/legacy-1", &tag),
        listed("vendor/untagged", &[("rotate", "vendors")]),
        listed("payments/a", &tag),
    ];
    let (mut plan, desired, live) = planned(with_rules(&[("keys", vendor)]), &all, false);
    assert_eq!(changed(&plan), ["vendor/a"]);
    // No entry lists it: it counts for the limit of what may change.
    let at = Place { file: "rotator.yaml".into(), line: 1, column: 1, length: 1, text: None };
    let changed = Some(Limit { at_most: AtMost::Count(0), at });
    let tally = Tally::new(&desired, &live, &plan);
    hold(&mut plan, &Limits { changed, ..Limits::default() }, &tally, &tally, false);
    assert!(plan.is_refused(), "{:?}", plan.problems);
    let Action::EnableRotation(request) = &plan.changes[0].action else { panic!("{plan:?}") };
    assert!(!request.rotate_immediately);
    assert_eq!(plan.changes[0].rules, BTreeSet::from(["keys".to_owned()]));
    assert_eq!(plan.selected.keys().collect::<Vec<_>>(), ["vendor/a"]);
}

/// Without it, `rotate_immediately: true` of a rule would be lost.
#[test]
fn a_rule_may_ask_for_a_rotation_at_once() {
    let mut now = rule(&["*"], &[], &[]);
    now.rotation.rotate_immediately = Some(true);
    let (plan, ..) = planned(with_rules(&[("all", now)]), &[listed("a", &[])], false);
    assert!(plan.changes[0].action.rotate_secret().is_some_and(|request| request.rotate_immediately), "{plan:?}");
}

/// Without it, a rule would take what others look after, or what can't rotate would be an error of every plan.
#[test]
fn a_rule_takes_nothing_over_and_says_so() {
    let with = |name: &str, edit: &dyn Fn(&mut SecretRecord)| {
        let mut secret = listed(name, &[]);
        edit(&mut secret.record);
        secret
    };
    let pending = |record: &mut SecretRecord| record.pending_version = Some("v2".to_owned());
    let all = [
        rotating("others", &arn("g")),
        with("managed", &|record| record.rotation_enabled = Some(true)),
        with("rds!db-1", &|record| record.owning_service = Some("rds".to_owned())),
        with("partner", &|record| record.partner_type = Some("SalesforceClientSecret".to_owned())),
        with("replica", &|record| record.replica_of = Some("us-east-1".to_owned())),
        with("deleted", &|record| record.deletion = Some(1)),
        with("stuck", &pending),
        with("empty", &|record| record.current_version = None),
        listed("f", &[]),
    ];
    let mut desired = with_rules(&[("all", rule(&["*"], &[], &[]))]);
    // An entry of that handle is another secret.
    let other = Secret { name: "elsewhere".to_owned(), ..desired.secrets["s"].clone() };
    desired.secrets.insert("f".to_owned(), other);
    let (plan, ..) = planned(desired, &all, false);
    assert_eq!(changed(&plan), [""; 0], "{:?}", plan.changes);
    let why = |name: &str| {
        plan.notes.iter().find_map(|note| match &note.kind {
            NoteKind::LeftOutByRule { why, .. } if note.address.as_ref().is_some_and(|at| at.handle == name) => {
                Some(why.clone())
            }
            _ => None,
        })
    };
    assert_eq!(why("others"), Some(LeftOut::RotatesOtherwise { function: Some(arn("g")) }));
    assert_eq!(why("managed"), Some(LeftOut::RotatesOtherwise { function: None }));
    assert_eq!(why("rds!db-1"), Some(LeftOut::OwnedByService { service: "rds".to_owned() }));
    assert!(matches!(why("partner"), Some(LeftOut::HeldByPartner { .. })));
    assert!(matches!(why("replica"), Some(LeftOut::Replica { .. })));
    assert_eq!(why("deleted"), Some(LeftOut::ScheduledForDeletion));
    assert_eq!(why("stuck"), Some(LeftOut::UnfinishedRotation));
    assert_eq!(why("empty"), Some(LeftOut::NoValue));
    assert_eq!(why("f"), Some(LeftOut::HandleTaken));
}

/// Without it, a rotation that a rule began and that got stuck would be in no plan and in no status: green, and not rotating.
#[test]
fn what_rotates_by_the_rule_stays_its_own_when_it_breaks() {
    let mut stuck = rotating("a", &arn("f"));
    stuck.record.pending_version = Some("v2".to_owned());
    let (plan, desired, _) = planned(with_rules(&[("all", rule(&["*"], &[], &[]))]), &[stuck], false);
    assert!(desired.secrets.contains_key("a"));
    assert!(plan.problems.iter().any(|one| matches!(one.kind, ProblemKind::UnfinishedRotation { .. })), "{plan:?}");
}

/// Without it, the list, which may be late, would decide what is done: a secret that rotates with another function by now.
#[test]
fn a_description_counts_more_than_the_list() {
    let mut desired = with_rules(&[("all", rule(&["*"], &[], &[]))]);
    expand(&mut desired, &[], Ok(vec![listed("a", &[]), listed("gone", &[])]), HERE);
    let mut live = live();
    live.secrets.insert("a".to_owned(), Reading::Found(described(&rotating("a", &arn("g")))));
    live.secrets.insert("gone".to_owned(), Reading::Absent);
    settle(&mut desired, &mut live);
    assert_eq!(desired.secrets.keys().collect::<Vec<_>>(), ["s"]);
    assert_eq!(desired.selected.expect("rules").left_out.len(), 2);
}

/// Without it, of two rules the order would decide, or one that agrees with another would be an error.
#[test]
fn rules_must_agree_about_a_secret() {
    let (first, mut second) = (rule(&["a", "b"], &[], &[]), rule(&["a*"], &[], &[]));
    let all = [listed("a", &[]), listed("b", &[])];
    let both = |second: &SelectRule| planned(with_rules(&[("1", first.clone()), ("2", second.clone())]), &all, false).0;
    let plan = both(&second);
    assert!(!plan.has_errors() && changed(&plan) == ["a", "b"], "{plan:?}");
    assert_eq!(plan.changes[0].rules.len(), 2);
    second.rotation.rules = Some(days(7));
    let plan = both(&second);
    assert_eq!(changed(&plan), ["b"]);
    let conflicts: Vec<&str> = plan
        .problems
        .iter()
        .filter(|one| matches!(&one.kind, ProblemKind::RulesConflict { rules } if rules.len() == 2))
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(conflicts, ["a"]);
}

/// Without it, two targets of one account would each attach the same secret to its own function, in turn for ever.
#[test]
fn targets_of_one_account_must_agree_too() {
    let mut other = with_rules(&[("theirs", rule(&["a"], &[], &[]))]);
    other.secrets.clear();
    let function = Function { name: "g".to_owned(), ..other.functions["f"].clone() };
    other.functions.insert("f".to_owned(), function);
    let mut own = with_rules(&[("ours", rule(&["a", "b"], &[], &[]))]);
    expand(&mut own, &[&other], Ok(vec![listed("a", &[]), listed("b", &[])]), HERE);
    let selected = own.selected.expect("rules");
    assert_eq!((selected.conflicts.len(), selected.secrets.len()), (1, 1));
    // What the other target lists is its own.
    other.select.clear();
    let theirs = Secret { name: "b".to_owned(), ..own.secrets["s"].clone() };
    other.secrets.insert("x".to_owned(), theirs);
    let mut own = with_rules(&[("ours", rule(&["a", "b"], &[], &[]))]);
    expand(&mut own, &[&other], Ok(vec![listed("a", &[]), listed("b", &[])]), HERE);
    assert_eq!(own.selected.expect("rules").secrets.keys().collect::<Vec<_>>(), ["a"]);
}

/// Without it, half a list would look like a whole one.
#[test]
fn without_a_list_nothing_is_selected() {
    let denied = Unread::Denied { action: "a".into(), resource: "*".into(), code: None, message: "m".into() };
    let mut desired = with_rules(&[("all", rule(&["*"], &[], &[]))]);
    expand(&mut desired, &[], Err(denied), HERE);
    let plan = make_plan(&desired, &live(), PlanOptions { purpose: Purpose::Converge { prune: true }, partial: false });
    assert!(plan.is_empty() && plan.has_errors(), "{plan:?}");
    assert!(matches!(plan.problems[..], [crate::plan::Problem { kind: ProblemKind::SelectUnread { .. }, .. }]));
}

/// Without it, a tag that is taken off would stop a rotation where the manifest prunes.
#[test]
fn what_left_a_rule_is_ended_by_hand_alone() {
    let plan = |prune, by_hand| {
        let mut desired = with_rules(&[("all", rule(&["vendor/*"], &[], &[]))]);
        desired.prune = prune;
        expand(&mut desired, &[], Ok(Vec::new()), HERE);
        let mut live = live();
        let orphan = |name: &str, function: &str| crate::model::live::OrphanSecret {
            name: name.to_owned(),
            arn: format!("arn:{name}"),
            function_arn: arn(function),
        };
        live.orphan_secrets = Ok(vec![orphan("left", "f"), orphan("forgotten", "old")]);
        make_plan(&desired, &live, PlanOptions { purpose: Purpose::Converge { prune: by_hand }, partial: false })
    };
    assert_eq!(changed(&plan(false, false)), [""; 0]);
    assert_eq!(changed(&plan(true, false)), ["forgotten"]);
    assert_eq!(changed(&plan(false, true)), ["left", "forgotten"]);
    assert!(plan(true, false).notes.iter().any(|note| matches!(note.kind, NoteKind::LeftRule { .. })));
    assert!(plan(true, false).notes.iter().any(|note| note.kind == NoteKind::MatchesNothing));
}

/// Without it, what left a rule with a function that is only used would be forgotten without a word.
#[test]
fn what_rotates_beside_a_rule_is_said() {
    let mut desired = with_rules(&[("all", rule(&["vendor/*"], &[], &[]))]);
    let used = FunctionSource::Existing { reference: "f".to_owned() };
    let function = Function { source: used, ..desired.functions["f"].clone() };
    desired.functions.insert("f".to_owned(), function);
    let all = [rotating("left", &arn("f")), rotating("vendor/a", &arn("f")), rotating("else", &arn("g"))];
    let (plan, ..) = planned(desired, &all, false);
    let beside = plan.notes.iter().find_map(|note| match &note.kind {
        NoteKind::BesideRule { secrets, .. } => Some(secrets.clone()),
        _ => None,
    });
    assert_eq!(beside, Some(BTreeSet::from(["left".to_owned()])));
}

fn some_name() -> impl Strategy<Value = String> {
    "[ab]{1,2}(/[ab]{1,2})?"
}

fn some_secret() -> impl Strategy<Value = TaggedSecret> {
    let function = prop_oneof![Just(None), Just(Some("f")), Just(Some("g"))];
    (some_name(), proptest::option::of("[xy]"), any::<bool>(), function, any::<bool>(), any::<bool>()).prop_map(
        |(name, tag, on, function, has_value, is_pending)| {
            let mut secret = listed(&name, &[]);
            secret.tags.extend(tag.map(|tag| ("t".to_owned(), tag)));
            secret.record.rotation_enabled = on.then_some(true);
            secret.record.function_arn = function.map(|function| arn(function).into());
            secret.record.rules = on.then(|| days(7));
            secret.record.current_version = has_value.then(|| "v1".to_owned());
            secret.record.pending_version = is_pending.then(|| "v2".to_owned());
            secret
        },
    )
}

fn some_rule() -> impl Strategy<Value = SelectRule> {
    let pattern = "[ab*]{1,3}(/[ab*]{1,2})?";
    let texts = || proptest::collection::vec(pattern, 0..3);
    (texts(), proptest::option::of("[xy]"), texts(), prop_oneof![Just(7_u16), Just(30)]).prop_map(
        |(names, tag, except, every)| {
            let texts = |texts: &[String]| texts.iter().cloned().map(Pattern).collect::<Vec<_>>();
            let mut made = rule(&[], &[], &[]);
            made.matches.names = (!names.is_empty()).then(|| texts(&names));
            made.matches.tags.extend(tag.map(|tag| ("t".to_owned(), tag)));
            made.matches.except = texts(&except);
            made.rotation.rules = Some(days(every));
            made
        },
    )
}

proptest! {
    /// Without it, what a rule means would depend on the order of AWS's list, an entry could lose, or a second plan find something
    /// to do: each secret that rules mean is managed, left out or in conflict, and never two of these.
    #[test]
    fn a_list_has_no_order_entries_win_and_what_is_applied_is_done(
        secrets in proptest::collection::btree_map(some_name(), some_secret(), 0..8),
        rules in proptest::collection::vec(some_rule(), 1..4),
        entry in some_name(),
    ) {
        let mut all: Vec<TaggedSecret> = secrets.into_iter().map(|(name, secret)| {
            let record = SecretRecord {
                arn: format!("arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:{name}-abcdef"),
                name,
                ..secret.record
            };
            TaggedSecret { record, ..secret }
        }).collect();
        let names = ["1", "2", "3"];
        let rules: Vec<(&str, SelectRule)> = names.into_iter().zip(rules).collect();
        let mut wanted = with_rules(&rules);
        let listed_entry = Secret { name: entry.clone(), ..wanted.secrets["s"].clone() };
        wanted.secrets.insert("x".to_owned(), listed_entry);
        let (plan, desired, mut live) = planned(wanted.clone(), &all, false);
        let selected = desired.selected.clone().expect("rules");
        for secret in &all {
            let name = &secret.record.name;
            let is_meant = rules.iter().any(|(_, rule)| rule.matches.has(name, &secret.tags)) && *name != entry;
            let places = [
                selected.secrets.contains_key(name),
                selected.conflicts.contains_key(name),
                selected.left_out.contains_key(name),
            ];
            prop_assert_eq!(places.iter().filter(|is_there| **is_there).count(), usize::from(is_meant), "{}", name);
            prop_assert!(plan.selected.contains_key(name) == places[0]);
        }
        all.reverse();
        let (again, ..) = planned(wanted, &all, false);
        prop_assert_eq!(&again.changes, &plan.changes);
        // As an apply leaves them.
        for change in plan.runnable() {
            let Some(request) = change.action.rotate_secret() else { continue };
            if let Some(Reading::Found(secret)) = live.secrets.get_mut(&change.address.handle) {
                secret.rotation_enabled = Some(true);
                secret.function_arn.clone_from(&request.function_arn);
                secret.rules.clone_from(&request.rules);
            }
        }
        let mut desired = desired;
        settle(&mut desired, &mut live);
        let options = PlanOptions { purpose: Purpose::Converge { prune: false }, partial: false };
        let second = make_plan(&desired, &live, options);
        prop_assert_eq!(second.runnable().filter(|change| !change.rules.is_empty()).count(), 0);
    }

    /// Without it, an exception that takes nothing out could be taken for one that does, or the other way round.
    #[test]
    fn patterns_meet_where_a_name_matches_both(one in "[ab*]{0,5}", other in "[ab*]{0,5}", name in "[ab]{0,6}") {
        let (one, other) = (Pattern(one), Pattern(other));
        if one.matches(&name) && other.matches(&name) {
            prop_assert!(one.meets(&other));
        }
        prop_assert_eq!(one.meets(&other), other.meets(&one));
        let is_met = |length: usize| {
            let mut texts = vec![String::new()];
            for _ in 0..length {
                texts = texts.iter().flat_map(|text| ["a", "b"].map(|letter| format!("{text}{letter}"))).collect();
            }
            texts.iter().any(|text| one.matches(text) && other.matches(text))
        };
        prop_assert_eq!(one.meets(&other), (0..=8).any(is_met));
    }
}
