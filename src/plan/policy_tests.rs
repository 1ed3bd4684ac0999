//! Rules against small built states: one function `f`, one secret `s` that rotates every 30 days in a window of a day.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::*;
use crate::model::live::{ListedSecret, OrphanSecret};
use crate::model::policy::{EFFECTS, Pattern, Scope, WindowBounds};
use crate::model::{Rotation, Schedule};
use crate::plan::fixtures::{arn, days, desired, live, live_secret, wanted};
use crate::plan::{self, Effect};

const TODAY: &str = "2026-06-15";

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a test's own date")
}

fn place(line: u32) -> Place {
    Place { file: "policy.yaml".into(), line, column: 5, length: 1, text: None }
}

fn rule(demands: &[Demand]) -> Rule {
    let requirement = |(line, demand): (u32, &Demand)| Requirement { demand: demand.clone(), at: place(line) };
    Rule {
        name: "r".to_owned(),
        at: place(1),
        scope: Scope::default(),
        requirements: (2..).zip(demands).map(requirement).collect(),
        covers_live: None,
        exempt: Vec::new(),
    }
}

fn exempt(secrets: &str, until: &str) -> Exemption {
    let secrets = vec![Pattern(secrets.to_owned())];
    Exemption { secrets, reason: "agreed".to_owned(), until: date(until), at: place(9) }
}

/// Two states and what the plan is for.
struct World {
    desired: Desired,
    live: Live,
    purpose: Purpose,
    elsewhere: BTreeSet<String>,
}

impl World {
    fn new() -> Self {
        let purpose = Purpose::Converge { prune: false };
        Self { desired: desired(), live: live(), purpose, elsewhere: BTreeSet::new() }
    }

    fn secret(&mut self) -> &mut Secret {
        self.desired.secrets.get_mut("s").expect("built above")
    }

    fn verdict(&self, rules: &[Rule]) -> Verdict {
        let plan = plan::diff(&self.desired, &self.live, plan::Scope { purpose: self.purpose, partial: false });
        let (desired, live, plan, purpose) = (&self.desired, &self.live, &plan, self.purpose);
        judge(rules, &Facts { desired, live, plan, purpose, elsewhere: &self.elsewhere }, date(TODAY))
    }

    /// What is broken, each with its address.
    fn breaches(&self, rule: &Rule) -> Vec<(String, Breach)> {
        let problems = self.verdict(std::slice::from_ref(rule)).problems.into_iter();
        problems
            .map(|problem| match problem.kind {
                ProblemKind::Policy { breach, .. } => (problem.address.to_string(), breach),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    /// Whether a rule is broken, and only at the secret.
    fn breaks(&self, demand: Demand) -> bool {
        let breaches = self.breaches(&rule(&[demand]));
        assert!(breaches.iter().all(|(address, _)| address == "secret.s"), "{breaches:?}");
        !breaches.is_empty()
    }
}

/// Without it, a secret could be older than a rule allows by the length of its window, or by the turn of a month.
#[test]
fn ages_and_intervals_are_the_worst_ones() {
    let mut world = World::new();
    assert!(world.breaks(Demand::MaxAge(30)) && !world.breaks(Demand::MaxAge(31)));
    assert!(world.breaks(Demand::MaxInterval(29)) && !world.breaks(Demand::MaxInterval(30)));
    world.secret().rotation.rules = Some(RotationRules::new(Schedule::Expression("cron(0 2 L * ? *)".into()), Some(3)));
    assert!(world.breaks(Demand::MaxAge(31)) && !world.breaks(Demand::MaxAge(32)));
    let breaches = world.breaches(&rule(&[Demand::MaxAge(30), Demand::MaxInterval(30)]));
    assert!(
        matches!(
            &breaches[..],
            [(_, Breach::Age { hours: 747, days: 30, .. }), (_, Breach::Interval { hours: 744, .. })]
        ),
        "{breaches:?}"
    );
}

/// Without it, windows could lie in working hours.
#[test]
fn windows_lie_inside_their_bounds() {
    let mut world = World::new();
    let bounds = |from, to, max_hours| Demand::Window(WindowBounds { from, to, max_hours, ..WindowBounds::any() });
    assert!(world.breaks(bounds(0, 24, Some(23))) && !world.breaks(bounds(0, 24, Some(24))));
    assert!(world.breaks(bounds(22, 6, None)));
    world.secret().rotation.rules = Some(RotationRules::new(Schedule::AutomaticallyAfterDays(30), Some(6)));
    assert!(!world.breaks(bounds(22, 6, Some(6))) && world.breaks(bounds(22, 5, None)));
    // What is off opens no window; that it is off is another rule's matter.
    world.secret().rotation = Rotation { enabled: Some(false), ..Rotation::default() };
    assert!(!world.breaks(bounds(22, 5, None)));
}

/// Without it, switching a secret off, or never saying when it rotates, would be the way around every rule.
#[test]
fn a_secret_that_does_not_rotate_keeps_no_rule_of_age() {
    let mut world = World::new();
    world.secret().rotation = Rotation { enabled: Some(false), ..Rotation::default() };
    for demand in [Demand::Enabled, Demand::MaxAge(1000), Demand::MaxInterval(1000)] {
        assert!(world.breaks(demand));
    }
    let all = [Demand::Enabled, Demand::MaxAge(1000), Demand::MaxInterval(1000)];
    assert_eq!(world.breaches(&rule(&all)), [("secret.s".to_owned(), Breach::Off)], "said once");
    // Not managed: what is live counts.
    world.secret().rotation = Rotation::default();
    assert!(!world.breaks(Demand::Enabled) && world.breaks(Demand::MaxAge(30)));
    live_secret(&mut world.live).rotation_enabled = None;
    assert!(world.breaks(Demand::Enabled));
    live_secret(&mut world.live).deleted = true;
    assert!(!world.breaks(Demand::Enabled), "what AWS is about to delete is past rules");
}

/// Without it, what can't be read would pass for what follows the rules.
#[test]
fn what_cannot_be_known_is_no_pass() {
    let mut world = World::new();
    world.secret().rotation = Rotation::default();
    let unread = Unread::Failed { call: None, code: None, message: "try later".into(), request_id: None };
    world.live.secrets.insert("s".to_owned(), Reading::Unread(unread.clone()));
    assert_eq!(
        world.breaches(&rule(&[Demand::Enabled, Demand::MaxAge(9)])),
        [("secret.s".to_owned(), Breach::Unread { unread: unread.clone() })]
    );
    world.live.secrets.insert("s".to_owned(), Reading::Found(crate::plan::fixtures::secret()));
    live_secret(&mut world.live).rules = None;
    assert!(!world.breaks(Demand::Enabled) && world.breaks(Demand::MaxAge(1000)));
    live_secret(&mut world.live).rules = Some(RotationRules::new(Schedule::Expression("moon(full)".into()), None));
    assert!(matches!(&world.breaches(&rule(&[Demand::MaxAge(9)]))[..], [(_, Breach::UnknownSchedule { .. })]));
    let mut covers = rule(&[Demand::Enabled]);
    covers.covers_live = Some(place(7));
    world.live.listed = Some(Err(unread.clone()));
    assert_eq!(world.breaches(&covers), [("policy.r".to_owned(), Breach::Unlisted { unread })]);
}

/// Without it, a rule would hold for other entries than it says, or for none.
#[test]
fn a_rule_holds_for_what_it_matches() {
    let mut world = World::new();
    let mut rule = rule(&[Demand::Label("owner".into())]);
    let broken = |world: &World, rule: &Rule| !world.breaches(rule).is_empty();
    assert!(broken(&world, &rule));
    rule.scope.targets = Some(vec![Pattern("prod-*".into())]);
    assert!(!broken(&world, &rule), "the target has no name");
    world.desired.target.name = Some("prod-eu".into());
    assert!(broken(&world, &rule));
    rule.scope.secrets = Some(vec![Pattern("a/*".into())]);
    assert!(!broken(&world, &rule));
    // AWS's name counts, not the handle.
    live_secret(&mut world.live).name = "a/s".into();
    assert!(broken(&world, &rule));
    rule.scope.labels = BTreeMap::from([("tier".to_owned(), Pattern("prod*".into()))]);
    assert!(!broken(&world, &rule));
    world.secret().labels.insert("tier".into(), "production".into());
    assert!(broken(&world, &rule));
    world.secret().labels.insert("owner".into(), "me".into());
    assert!(!broken(&world, &rule));
}

/// Without it, a label that nobody can read would meet the rule that asks for an owner.
#[test]
fn a_label_must_show_something() {
    let mut world = World::new();
    let rule = rule(&[Demand::Label("owner".into())]);
    let breach = |blank| [("secret.s".to_owned(), Breach::Label { label: "owner".into(), blank })];
    assert_eq!(world.breaches(&rule), breach(false));
    for blank in ["", " ", "\u{3164}", "\u{2800}\u{200b}", "\u{fe0f}"] {
        world.secret().labels.insert("owner".into(), blank.into());
        assert_eq!(world.breaches(&rule), breach(true), "{blank:?}");
    }
    world.secret().labels.insert("owner".into(), "-".into());
    assert_eq!(world.breaches(&rule), []);
}

/// Without it, a function without reviewed code could rotate what a rule protects.
#[test]
fn functions_and_targets_are_asked_too() {
    let mut world = World::new();
    let mut code = rule(&[Demand::Code]);
    assert_eq!(world.breaches(&code), []);
    wanted(&mut world.desired).code = None;
    assert_eq!(world.breaches(&code), [("function.f".to_owned(), Breach::NoCode)]);
    code.scope.secrets = Some(vec![Pattern("s".into())]);
    assert_eq!(world.breaches(&code).len(), 1, "through its secret");
    code.scope.secrets = Some(vec![Pattern("other".into())]);
    assert_eq!(world.breaches(&code), []);
    code.scope.secrets = None;
    code.exempt = vec![exempt("s", "2027-01-01")];
    assert_eq!(world.breaches(&code), [], "all that rotates with it is exempt");
    let account = rule(&[Demand::Account]);
    assert_eq!(world.breaches(&account), [("policy.r".to_owned(), Breach::NoAccount)]);
    world.desired.target.account = Some("111111111111".into());
    assert_eq!(world.breaches(&account), []);
}

/// Without it, an exemption could outlive its day, or hide from those who read the plan.
#[test]
fn exemptions_end_and_are_shown() {
    let world = World::new();
    let exempted = |until: &str| {
        let mut rule = rule(&[Demand::MaxAge(1)]);
        rule.exempt = vec![exempt("*", until)];
        let verdict = world.verdict(&[rule]);
        let kinds: Vec<(Severity, bool)> = verdict
            .problems
            .iter()
            .map(|problem| {
                let of_exemption = matches!(
                    &problem.kind,
                    ProblemKind::Policy {
                        breach: Breach::ExemptionOver { .. } | Breach::ExemptionEnds { .. },
                        at: Place { line: 9, .. },
                        ..
                    }
                );
                (problem.severity, of_exemption)
            })
            .collect();
        (kinds, verdict.notes.len())
    };
    assert_eq!(exempted("2026-06-30"), (vec![], 1));
    assert_eq!(exempted("2026-06-29"), (vec![(Severity::Warning, true)], 1));
    assert_eq!(exempted(TODAY), (vec![(Severity::Warning, true)], 1));
    assert_eq!(exempted("2026-06-14"), (vec![(Severity::Error, true), (Severity::Error, false)], 0));
}

/// Without it, a forbidden effect would happen, or be refused for what a rule doesn't hold for.
#[test]
fn effects_are_forbidden_where_a_rule_holds() {
    let mut world = World::new();
    let mut forbid = rule(&[Demand::Forbid("stops-rotation".into())]);
    assert_eq!(world.breaches(&forbid), []);
    world.secret().rotation.enabled = Some(false);
    let stops = Breach::Effect { effect: "stops-rotation".into() };
    assert_eq!(world.breaches(&forbid), [("secret.s".to_owned(), stops.clone())]);
    forbid.exempt = vec![exempt("s", "2027-01-01")];
    assert_eq!(world.breaches(&forbid), []);
    // A secret that pruning would end has no entry, and the rule holds for it all the same.
    forbid.exempt.clear();
    let mut orphaned = World { live: crate::plan::fixtures::orphaned(), ..World::new() };
    orphaned.purpose = Purpose::Converge { prune: true };
    assert_eq!(orphaned.breaches(&forbid), [("orphan_secret.forgotten".to_owned(), stops)]);
    let deletes = rule(&[Demand::Forbid("deletes".into())]);
    let gone: Vec<String> = orphaned.breaches(&deletes).into_iter().map(|(address, _)| address).collect();
    assert_eq!(gone, ["orphan_stack.serverlessrepo-old"]);
}

/// Without it, `destroy` would be the way around a rule that wants rotation on.
#[test]
fn a_removal_is_judged_by_what_it_leaves() {
    let world = World { purpose: Purpose::Destroy, ..World::new() };
    assert!(world.breaks(Demand::Enabled));
    let mut foreign = World { purpose: Purpose::Destroy, ..World::new() };
    live_secret(&mut foreign.live).function_arn = Some(arn("theirs"));
    assert!(!foreign.breaks(Demand::Enabled), "it isn't ours, so it goes on rotating");
    live_secret(&mut foreign.live).rules = Some(days(90));
    assert!(foreign.breaks(Demand::MaxAge(60)), "and the manifest's schedule won't be there to count");
}

fn listed(name: &str, is_on: bool, days_apart: u16) -> ListedSecret {
    ListedSecret {
        name: name.into(),
        arn: format!("arn:aws:secretsmanager:eu-west-1:111111111111:secret:{name}-AbCdEf"),
        is_on,
        function_arn: None,
        rules: Some(days(days_apart)),
        owning_service: None,
        replica_of: None,
    }
}

/// Without it, a secret that nobody put into Git would escape the rules, or one that is in Git would be judged by what is not
/// in it any more.
#[test]
fn rules_cover_live_secrets_that_no_manifest_names() {
    let mut world = World::new();
    let replica = ListedSecret { replica_of: Some("us-east-1".into()), ..listed("copy", false, 30) };
    let mut named = listed("s", false, 900);
    named.arn = crate::plan::fixtures::secret().arn;
    let all = [named, listed("off", false, 30), listed("slow", true, 90), listed("fine", true, 30), replica];
    world.live.listed = Some(Ok(all.to_vec()));
    let mut covers = rule(&[Demand::Enabled, Demand::MaxAge(60), Demand::Label("owner".into())]);
    covers.scope.secrets = Some(vec![Pattern("*".into())]);
    world.secret().labels.insert("owner".into(), "me".into());
    assert_eq!(world.breaches(&covers), [], "only where it says so");
    covers.covers_live = Some(place(7));
    let broken = |world: &World, rule: &Rule| -> Vec<String> {
        world.breaches(rule).into_iter().map(|(address, _)| address).collect()
    };
    assert_eq!(broken(&world, &covers), ["live_secret.off", "live_secret.slow"]);
    covers.exempt = vec![exempt("sl*", "2027-01-01")];
    assert_eq!(broken(&world, &covers), ["live_secret.off"]);
    // Another manifest of the same run names it: it is judged there, by what will be.
    world.elsewhere.insert("off".into());
    assert_eq!(broken(&world, &covers), Vec::<String>::new());
    world.live.orphan_secrets =
        Ok(vec![OrphanSecret { name: "fine".into(), arn: "arn:fine".into(), function_arn: arn("f") }]);
    world.purpose = Purpose::Converge { prune: true };
    assert_eq!(broken(&world, &covers), ["orphan_secret.fine"], "pruning would end its rotation");
}

/// Without it, deleting an entry and pruning would stop a rotation that a rule wants on, and delete its function.
#[test]
fn a_deleted_entry_is_judged_by_what_pruning_leaves() {
    let mut world = World { live: crate::plan::fixtures::orphaned(), ..World::new() };
    let mut all = rule(&[Demand::Enabled, Demand::MaxAge(60), Demand::Forbid("deletes".into())]);
    all.scope.secrets = Some(vec![Pattern("forgot*".into())]);
    assert_eq!(world.breaches(&all), [], "they only are orphans so far");
    let both = [
        ("orphan_secret.forgotten".to_owned(), Breach::Off),
        ("orphan_stack.serverlessrepo-old".to_owned(), Breach::Effect { effect: "deletes".into() }),
    ];
    world.purpose = Purpose::Converge { prune: true };
    assert_eq!(world.breaches(&all), both);
    world.purpose = Purpose::Destroy;
    assert_eq!(world.breaches(&all), both);
    all.exempt = vec![exempt("forgotten", "2027-01-01")];
    assert_eq!(world.breaches(&all), []);
    all.exempt.clear();
    all.scope.secrets = Some(vec![Pattern("other".into())]);
    assert_eq!(world.breaches(&all), []);
}

/// Without it, a function could get other code once the entries of the secrets that rotate with it are deleted.
#[test]
fn a_function_is_meant_by_all_that_rotates_with_it() {
    let mut world = World::new();
    crate::plan::fixtures::live_configuration(&mut world.live).code_sha256 = "theirs".into();
    let mut forbid = rule(&[Demand::Forbid("replaces-code".into())]);
    forbid.scope.secrets = Some(vec![Pattern("prod/*".into())]);
    assert_eq!(world.breaches(&forbid), []);
    let breach = [("function.f".to_owned(), Breach::Effect { effect: "replaces-code".into() })];
    let orphan = OrphanSecret { name: "prod/a".into(), arn: "arn:a".into(), function_arn: arn("f") };
    world.live.orphan_secrets = Ok(vec![orphan]);
    assert_eq!(world.breaches(&forbid), breach);
    // A filter reads no orphans, and another manifest's secrets are none.
    world.live.orphan_secrets = Ok(Vec::new());
    world.live.listed =
        Some(Ok(vec![ListedSecret { function_arn: Some(arn("f").into()), ..listed("prod/a", true, 30) }]));
    assert_eq!(world.breaches(&forbid), breach);
    let unread = Unread::Failed { call: None, code: None, message: "try later".into(), request_id: None };
    world.live.listed = Some(Err(unread.clone()));
    assert_eq!(world.breaches(&forbid), [("policy.r".to_owned(), Breach::Unlisted { unread })]);
}

/// Without it, an entry that says nothing would hide a secret from the rule for all, as soon as a filter leaves it unread.
#[test]
fn an_entry_that_is_not_read_is_judged_as_it_was_listed() {
    let mut world = World::new();
    let rogue = Secret { name: "rogue".into(), rotation: Rotation::default(), ..world.secret().clone() };
    world.desired.secrets.insert("rogue".into(), rogue);
    let mut covers = rule(&[Demand::Enabled, Demand::MaxAge(60)]);
    covers.covers_live = Some(place(7));
    for (live, expected) in [
        (listed("rogue", false, 30), vec![("secret.rogue".to_owned(), Breach::Off)]),
        (listed("rogue", true, 30), vec![]),
        (ListedSecret { replica_of: Some("us-east-1".into()), ..listed("rogue", false, 30) }, vec![]),
    ] {
        world.live.listed = Some(Ok(vec![live]));
        assert_eq!(world.breaches(&covers), expected);
    }
}

/// Without it, a secret that stays off, because its change can't be done, would count as one that rotates.
#[test]
fn a_change_that_is_left_out_switches_nothing_on() {
    let mut world = World::new();
    live_secret(&mut world.live).rotation_enabled = Some(false);
    assert!(!world.breaks(Demand::Enabled), "it is switched on");
    live_secret(&mut world.live).current_version = None;
    assert!(world.breaks(Demand::Enabled), "without a value it isn't");
    // What the manifest itself breaks, it breaks all the same.
    live_secret(&mut world.live).rotation_enabled = Some(true);
    world.secret().rotation.rules = Some(days(90));
    live_secret(&mut world.live).rules = Some(days(30));
    assert!(world.breaks(Demand::MaxAge(60)));
}

/// Without it, what lacks a label could never be removed.
#[test]
fn a_removal_needs_no_label_code_or_account() {
    let mut world = World { purpose: Purpose::Destroy, ..World::new() };
    wanted(&mut world.desired).code = None;
    let asks = rule(&[Demand::Label("owner".into()), Demand::Code, Demand::Account]);
    assert_eq!(world.breaches(&asks), []);
    world.purpose = Purpose::Converge { prune: false };
    assert_eq!(world.breaches(&asks).len(), 3);
}

/// Without it, `validate` would pass what it can't know, or keep silent about it.
#[test]
fn offline_says_what_it_cannot_prove() {
    let mut world = World::new();
    let mut all = rule(&[Demand::Enabled, Demand::MaxAge(30), Demand::Forbid("deletes".into())]);
    all.covers_live = Some(place(7));
    let offline = |world: &World| judge_offline([&all], &world.desired, date(TODAY));
    let verdict = offline(&world);
    assert!(matches!(
        &verdict.problems[..],
        [Problem { kind: ProblemKind::Policy { breach: Breach::Age { .. }, .. }, .. }]
    ));
    let why = |verdict: &Verdict| -> Vec<(u32, bool)> {
        let of = |one: &Unproven| (one.at.line, matches!(one.why, Why::NotManaged(_)));
        verdict.unproven.iter().map(of).collect()
    };
    assert_eq!(why(&verdict), [(4, false), (7, false)]);
    world.secret().rotation = Rotation::default();
    let verdict = offline(&world);
    assert!(verdict.problems.is_empty(), "{:?}", verdict.problems);
    assert_eq!(why(&verdict), [(2, true), (3, true), (4, false), (7, false)]);
    assert!(world.verdict(&[rule(&[Demand::Enabled])]).unproven.is_empty());
}

/// Without it, a policy could name an effect that no plan knows, and forbid nothing.
#[test]
fn the_words_of_policies_are_those_of_plans() {
    assert_eq!(Effect::ALL.map(Effect::word), EFFECTS);
}
