//! Rules against small built states: one function `f`, one secret `s` that rotates every 30 days in a window of a day.

#[path = "judge_beside_tests.rs"]
mod beside;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;

use super::*;
use crate::model::live::{AttachedFunction, Configuration, ListedSecret, OrphanSecret};
use crate::model::rule::{EFFECTS, Listed, Pattern, RuleScope, WindowBounds};
use crate::model::{FunctionSource, Rotation, Schedule};
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
        scope: RuleScope::default(),
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
    /// What another plan of the run names, and by which rules it judges that.
    elsewhere: (BTreeSet<String>, Vec<Rule>),
}

impl World {
    fn new() -> Self {
        let purpose = Purpose::Converge { prune: false };
        Self { desired: desired(), live: live(), purpose, elsewhere: (BTreeSet::new(), Vec::new()) }
    }

    /// Makes the function one that is used and not deployed.
    fn existing(&mut self, reference: &str) {
        let function = self.desired.functions.get_mut("f").expect("built above");
        function.source = FunctionSource::Existing { reference: reference.to_owned() };
        function.name = crate::model::arn::function_name(reference).to_owned();
    }

    fn secret(&mut self) -> &mut Secret {
        self.desired.secrets.get_mut("s").expect("built above")
    }

    fn verdict(&self, rules: &[Rule]) -> Verdict {
        let plan =
            plan::make_plan(&self.desired, &self.live, plan::PlanOptions { purpose: self.purpose, partial: false });
        let (desired, live, plan, purpose) = (&self.desired, &self.live, &plan, self.purpose);
        let (names, judged) = (self.elsewhere.0.clone(), self.elsewhere.1.iter().collect());
        let there = Elsewhere { rules: judged, names };
        judge(rules, &Facts { desired, live, plan, purpose, elsewhere: &[&there] }, date(TODAY))
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

/// Without it, a report would refuse the very apply that mends it, or say nothing of a secret that hasn't rotated for months.
#[test]
fn how_long_ago_it_rotated_is_a_warning() {
    let mut world = World::new();
    let severity = |world: &World| {
        let verdict = world.verdict(&[rule(&[Demand::RotatedWithin(90)])]);
        verdict.problems.first().map(|problem| problem.severity)
    };
    assert_eq!(severity(&world), None, "nobody knows");
    let day = 24 * 3600;
    live_secret(&mut world.live).unchanged_for = Some(90 * day);
    assert_eq!(severity(&world), None);
    live_secret(&mut world.live).unchanged_for = Some(91 * day);
    assert_eq!(severity(&world), Some(Severity::Warning));
    live_secret(&mut world.live).replica_of = Some("us-east-1".to_owned());
    assert_eq!(severity(&world), None, "its primary rotates");
    let offline = judge_offline([&rule(&[Demand::RotatedWithin(90)])], &world.desired, date(TODAY));
    assert_eq!(offline.unproven.iter().map(|one| one.why.clone()).collect::<Vec<_>>(), [Why::History]);
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

/// Without it, a label that can't be read would meet the rule that asks for an owner.
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

/// Without it, a function that was made elsewhere, with whatever code, would meet the rule that asks for reviewed code.
#[test]
fn an_existing_function_has_no_code_of_the_manifest() {
    let mut world = World::new();
    let code = rule(&[Demand::Code]);
    let elsewhere = |function| Breach::CodeElsewhere { function };
    world.existing("noop");
    assert_eq!(world.breaches(&code), [("function.f".to_owned(), elsewhere(None))]);
    assert!(judge_offline([&code], &world.desired, date(TODAY)).problems.len() == 1, "known without AWS");
    // An entry that names no function keeps the one that it has.
    world = World::new();
    world.secret().function = None;
    assert_eq!(world.breaches(&code), [], "the manifest's own");
    live_secret(&mut world.live).function_arn = Some(arn("theirs"));
    assert_eq!(world.breaches(&code), [("secret.s".to_owned(), elsewhere(Some(arn("theirs"))))]);
    live_secret(&mut world.live).rotation_enabled = Some(false);
    world.secret().rotation.enabled = None;
    assert_eq!(world.breaches(&code), [], "it doesn't rotate");
}

fn lists(of: Listed, patterns: &[&str]) -> Rule {
    let patterns = patterns.iter().map(|text| Pattern((*text).to_owned())).collect();
    rule(&[Demand::Functions(of, patterns)])
}

/// Without it, any function of any account could rotate what a rule protects.
#[test]
fn only_listed_functions_may_be_used() {
    let mut world = World::new();
    world.live.functions.clear();
    let theirs = "arn:aws:lambda:eu-west-1:666666666666:function:rotate-x";
    for (reference, patterns, allowed) in [
        ("rotate-x", &["rotate-*"][..], true),
        ("rotate-x:live", &["rotate-*"], true),
        ("rotate-x", &["other", "rotate-y"], false),
        ("rotate-x", &[], false),
        ("rotate-x", &["arn:aws:lambda:*:111111111111:function:rotate-*"], true),
        ("rotate-x", &["arn:aws:lambda:*:222222222222:function:*"], false),
        (theirs, &["rotate-*"], false),
        (theirs, &["*"], false),
        ("666666666666:function:rotate-x", &["*"], false),
        (theirs, &["arn:aws:lambda:*:666666666666:function:rotate-*"], true),
        ("arn:aws:lambda:eu-west-1:111111111111:function:rotate-x:3", &["rotate-x"], true),
        ("arn:aws:lambda:us-east-1:111111111111:function:rotate-x", &["rotate-x"], false),
    ] {
        world.existing(reference);
        let found = world.breaches(&lists(Listed::Existing, patterns));
        assert_eq!(found.is_empty(), allowed, "{reference} {patterns:?} {found:?}");
    }
    // What AWS shows counts where it is there, whatever the manifest calls it.
    world.existing("rotate-x");
    let mut other = crate::plan::fixtures::live();
    crate::plan::fixtures::live_configuration(&mut other).arn = theirs.to_owned();
    world.live.functions = other.functions;
    assert_eq!(world.breaches(&lists(Listed::Existing, &["rotate-*"])).len(), 1);
    // What this manifest deploys isn't used from elsewhere; what an entry keeps without naming it is.
    world = World::new();
    assert_eq!(world.breaches(&lists(Listed::Existing, &[])), []);
    world.secret().function = None;
    assert_eq!(world.breaches(&lists(Listed::Existing, &[])), []);
    live_secret(&mut world.live).function_arn = Some(theirs.to_owned());
    let breach = Breach::NotListed { list: "existing".into(), name: theirs.into() };
    assert_eq!(world.breaches(&lists(Listed::Existing, &["rotate-*"])), [("secret.s".to_owned(), breach)]);
    // A rule holds for what it matches, and a removal uses nothing.
    let mut scoped = lists(Listed::Existing, &[]);
    scoped.scope.secrets = Some(vec![Pattern("other".into())]);
    assert_eq!(world.breaches(&scoped), []);
    world.purpose = Purpose::Destroy;
    assert_eq!(world.breaches(&lists(Listed::Existing, &[])), []);
}

/// Without it, a function could be deployed from a stranger's application, run a stranger's layer, or act as any role.
#[test]
fn what_functions_are_made_of_is_listed() {
    let mut world = World::new();
    let layer = |account: &str| format!("arn:aws:lambda:eu-west-1:{account}:layer:l:1");
    let ours = lists(Listed::Layers, &["arn:aws:lambda:*:111111111111:layer:*"]);
    let breach =
        |list: &str, name: String| vec![("function.f".to_owned(), Breach::NotListed { list: list.into(), name })];
    let aws = lists(Listed::Applications, &["arn:aws:serverlessrepo:us-east-1:297356227824:applications/*"]);
    assert_eq!(world.breaches(&aws), []);
    let theirs = "arn:aws:serverlessrepo:us-east-1:666666666666:applications/297356227824";
    theirs.clone_into(&mut wanted(&mut world.desired).application.id);
    assert_eq!(world.breaches(&aws), breach("applications", theirs.into()));
    world = World::new();
    wanted(&mut world.desired).settings.layers = Some(vec![layer("111111111111")]);
    assert_eq!(world.breaches(&ours), []);
    assert_eq!(world.breaches(&lists(Listed::Layers, &[])), breach("layers", layer("111111111111")));
    wanted(&mut world.desired).settings.layers = Some(vec![layer("111111111111"), layer("666666666666")]);
    assert_eq!(world.breaches(&ours), breach("layers", layer("666666666666")));
    // What isn't stated stays as it is on AWS; of a function that is only used, too.
    wanted(&mut world.desired).settings.layers = None;
    crate::plan::fixtures::live_configuration(&mut world.live).settings.layers = Some(vec![layer("666666666666")]);
    assert_eq!(world.breaches(&ours), breach("layers", layer("666666666666")));
    world.existing("f");
    assert_eq!(world.breaches(&ours), breach("layers", layer("666666666666")));
    // And what is stated instead, and can't be done, leaves it.
    world = World::new();
    wanted(&mut world.desired).settings.layers = Some(Vec::new());
    crate::plan::fixtures::live_configuration(&mut world.live).settings.layers = Some(vec![layer("666666666666")]);
    assert_eq!(world.breaches(&ours), []);
    wanted(&mut world.desired).code.as_mut().expect("built there").unusable = Some("gone".into());
    assert_eq!(world.breaches(&ours), breach("layers", layer("666666666666")));
    world = World::new();
    let roles = lists(Listed::Roles, &["arn:aws:iam::*:role/rotation-*"]);
    let role = |name: &str| format!("arn:aws:iam::111111111111:role/{name}");
    crate::plan::fixtures::live_configuration(&mut world.live).role = Some(role("rotation-f"));
    assert_eq!(world.breaches(&roles), []);
    crate::plan::fixtures::live_configuration(&mut world.live).role = Some(role("admin"));
    assert_eq!(world.breaches(&roles), breach("roles", role("admin")));
    // What can't be read is no pass, and is said once.
    let unread = Unread::Failed { call: None, code: None, message: "try later".into(), request_id: None };
    crate::plan::fixtures::live_function(&mut world.live).configuration = Reading::Unread(unread.clone());
    let patterns = || vec![Pattern("*".into())];
    let both = rule(&[Demand::Functions(Listed::Layers, patterns()), Demand::Functions(Listed::Roles, patterns())]);
    assert_eq!(world.breaches(&both), [("function.f".to_owned(), Breach::FunctionUnread { unread })]);
}

/// Without it, an entry that names no function would keep a role, a layer or an application of a stranger past every list.
#[test]
fn the_function_that_an_entry_keeps_is_listed_too() {
    let mut world = World::new();
    let function = crate::plan::fixtures::arn("elsewhere");
    world.desired.functions.clear();
    world.desired.secrets.get_mut("s").expect("built there").function = None;
    let attach = |world: &mut World, configuration: Option<Reading<Configuration>>| {
        let secret = crate::plan::fixtures::live_secret(&mut world.live);
        secret.function_arn = Some(function.clone());
        let policy = Reading::Found(Vec::new());
        secret.attached = configuration.map(|configuration| Arc::new(AttachedFunction { configuration, policy }));
    };
    let (role, layer) = ("arn:aws:iam::111111111111:role/evil", "arn:aws:lambda:eu-west-1:666666666666:layer:l:1");
    let application = "arn:aws:serverlessrepo:us-east-1:666666666666:applications/evil";
    let mut configuration = crate::plan::fixtures::configuration();
    configuration.role = Some(role.to_owned());
    configuration.settings.layers = Some(vec![layer.to_owned()]);
    configuration.tags = Ok(BTreeMap::from([(crate::model::SAR_APPLICATION_TAG.to_owned(), application.to_owned())]));
    attach(&mut world, Some(Reading::Found(configuration.clone())));
    let of = |list: Listed, name: &str| {
        vec![("secret.s".to_owned(), Breach::NotListed { list: list.word().into(), name: name.into() })]
    };
    for (list, name) in [(Listed::Roles, role), (Listed::Layers, layer), (Listed::Applications, application)] {
        assert_eq!(world.breaches(&lists(list, &["arn:aws:*:*:297356227824:*"])), of(list, name));
        assert_eq!(world.breaches(&lists(list, &[name])), []);
    }
    // Where it isn't known what it is made of, nothing is known to be allowed.
    let unread = Unread::Failed { call: None, code: None, message: "try later".into(), request_id: None };
    let unreadable = || vec![("secret.s".to_owned(), Breach::FunctionUnread { unread: unread.clone() })];
    configuration.tags = Err(unread.clone());
    attach(&mut world, Some(Reading::Found(configuration)));
    assert_eq!(world.breaches(&lists(Listed::Applications, &["*"])), unreadable());
    attach(&mut world, Some(Reading::Unread(unread.clone())));
    let patterns = || vec![Pattern("*".into())];
    let both = rule(&[Demand::Functions(Listed::Layers, patterns()), Demand::Functions(Listed::Roles, patterns())]);
    assert_eq!(world.breaches(&both), unreadable());
    attach(&mut world, None);
    assert_eq!(world.breaches(&lists(Listed::Roles, &["*"])), of(Listed::Roles, &function), "of another account");
    attach(&mut world, Some(Reading::Absent));
    assert_eq!(world.breaches(&lists(Listed::Roles, &[])), []);
    // A secret that doesn't rotate runs nothing.
    attach(&mut world, None);
    world.desired.secrets.get_mut("s").expect("built there").rotation.enabled = Some(false);
    assert_eq!(world.breaches(&lists(Listed::Roles, &[])), []);
}

/// Without it, `validate` would pass a function that the plan refuses, or say nothing of what it can't know.
#[test]
fn lists_are_judged_offline_as_far_as_that_goes() {
    let mut world = World::new();
    let offline = |world: &World, rule: &Rule| {
        let verdict = judge_offline([rule], &world.desired, date(TODAY));
        (verdict.problems.len(), verdict.unproven.iter().filter(|one| one.why == Why::LiveFunctions).count())
    };
    assert_eq!(offline(&world, &lists(Listed::Applications, &["arn:aws:serverlessrepo:*:1:*"])), (1, 0));
    assert_eq!(offline(&world, &lists(Listed::Layers, &[])), (0, 1));
    wanted(&mut world.desired).settings.layers = Some(vec!["arn:aws:lambda:eu-west-1:1:layer:l:1".into()]);
    assert_eq!(offline(&world, &lists(Listed::Layers, &[])), (1, 0));
    assert_eq!(offline(&world, &lists(Listed::Roles, &[])), (0, 1));
    world.existing("rotate-x");
    assert_eq!(offline(&world, &lists(Listed::Existing, &["rotate-*"])), (0, 0));
    assert_eq!(offline(&world, &lists(Listed::Existing, &["other"])), (1, 0));
    assert_eq!(offline(&world, &lists(Listed::Existing, &["arn:aws:lambda:*:1:function:*"])), (0, 1));
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

/// Without it, a secret that isn't in Git would escape the rules, or one that is in Git would be judged by what is not
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
    // Another manifest of the same run names it: it is judged there, by what will be; but only where this rule holds there too.
    world.elsewhere.0.insert("off".into());
    assert_eq!(broken(&world, &covers), ["live_secret.off"], "nothing judges it there");
    let same_words = Rule { at: Place { file: "other.yaml".into(), ..place(1) }, ..covers.clone() };
    world.elsewhere.1 = vec![same_words];
    assert_eq!(broken(&world, &covers), ["live_secret.off"], "another file's rule is another rule");
    world.elsewhere.1 = vec![covers.clone()];
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
