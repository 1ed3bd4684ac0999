//! Limits and policies: what they stop, what overrides them, and that nothing is written before they are asked.

use super::support::{Output, World};

const FUNCTION: &str = "SecretsManagerPolicy";

/// Calls that change something at AWS.
const WRITES: [&str; 7] = [
    "RotateSecret",
    "CancelRotateSecret",
    "CreateCloudFormationChangeSet",
    "CreateChangeSet",
    "ExecuteChangeSet",
    "UpdateFunctionCode",
    "AddPermission",
];

fn manifest(head: &str, secrets: &str) -> String {
    format!("version: 1\nproject: policies\n{head}functions:\n  {FUNCTION}: {{code: code}}\nsecrets:\n{secrets}")
}

fn entry(name: &str, rotation: &str) -> String {
    format!("  {name}:\n    function: {FUNCTION}\n    labels: {{owner: me}}\n    rotation: {rotation}\n")
}

/// Secrets with values, and a function's code.
fn world(secrets: &[&str]) -> World {
    let world = World::new();
    for name in secrets {
        world.create_secret(name, "first");
    }
    world.write_signing_key("code/lambda_function.py");
    world
}

fn writes(world: &World) -> usize {
    let is_write = |call: &&String| WRITES.iter().any(|write| call.ends_with(&format!(" {write}")));
    world.calls().iter().filter(is_write).count()
}

impl World {
    /// Runs a command that must be refused, with nothing changed.
    #[track_caller]
    fn refuses(&self, code: i32, arguments: &[&str]) -> Output {
        let before = writes(self);
        let output = self.rotator(arguments).exits(code).says("nothing was changed");
        assert_eq!(writes(self), before, "{}", output.all());
        output
    }
}

/// Without it, a pull request could break the security team's rules and be applied, in part or whole.
#[test]
fn a_breach_refuses_the_whole_apply() {
    let world = world(&["prod/fast", "prod/slow"]);
    let both =
        |slow: &str| entry("prod/fast", "{automatically_after_days: 7, duration: 4h}") + &entry("prod/slow", slow);
    world.write("rotator.yaml", &manifest("", &both("{automatically_after_days: 60, duration: 4h}")));
    let rule = "version: 1
policy:
  - name: fresh
    match: {secrets: [\"prod/*\"]}
    max_age_days: 30
    window: {from: \"22:00\", to: \"06:00\"}
    forbid: [stops-rotation]
";
    world.write("security.yaml", rule);
    let policy = ["--policy", "security.yaml"];
    let breach = "secret.prod/slow (rotator.yaml:10:3): up to 60 days and 4 hours may lie between two rotations, and the rule `fresh` allows 30 days";
    world
        .refuses(5, &[&["apply", "--auto-approve"], &policy[..]].concat())
        .says(breach)
        .says("security.yaml:5:5: max_age_days: 30")
        .says("with this window, `automatically_after_days: 29` is the most")
        .says("None of this will be applied");
    world.rotator(&[&["plan"], &policy[..]].concat()).exits(5).says(breach);
    let json = world.rotator(&[&["plan", "--format", "json"], &policy[..]].concat()).exits(5);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(json["rotator"]["targets"][0]["refused_by"], serde_json::json!(["policy"]));
    let problem = &json["rotator"]["targets"][0]["problems"][0];
    assert_eq!(json["applyable"], false);
    assert_eq!(
        (&problem["rule"], &problem["at"], &problem["declared_at"]),
        (&"fresh".into(), &"security.yaml:5:5".into(), &"rotator.yaml:10:3".into())
    );
    // A refusal counts for more than changes that are pending; whoever follows an apply by lines of JSON learns of it too.
    world
        .rotator(&[&["plan", "--detailed-exitcode", "--format", "markdown"], &policy[..]].concat())
        .exits(5)
        .says("**None of this will be applied**: policies forbid it");
    let lines = world.refuses(5, &[&["apply", "--auto-approve", "--json"], &policy[..]].concat());
    let last: serde_json::Value = serde_json::from_str(lines.stdout.lines().last().expect("lines")).expect("JSON");
    assert_eq!((&last["type"], &last["rotator"]["exit_code"]), (&"diagnostic".into(), &5.into()), "{last}");
    assert_eq!(last["rotator"]["refused_by"], serde_json::json!(["policy"]));
    // Offline, at the entry's line; what only a plan knows is said.
    world
        .rotator(&[&["validate"], &policy[..]].concat())
        .exits(1)
        .says("--> rotator.yaml:10:3")
        .says("security.yaml:5:5")
        .says("not provable offline: rule `fresh` (security.yaml:7:14): effects are a plan's");
    // A filter is no way around a rule that the manifest breaks.
    world.refuses(5, &[&["apply", "--auto-approve", "--target", "secret.prod/fast"], &policy[..]].concat());
    world.write("rotator.yaml", &manifest("", &both("{automatically_after_days: 29, duration: 4h}")));
    world.rotator(&[&["validate"], &policy[..]].concat()).exits(0);
    world.rotator(&[&["apply", "--auto-approve"], &policy[..]].concat()).exits(0).says("Apply complete!");
    // Neither a manifest that pauses, nor a removal, nor an override goes past a rule.
    world
        .refuses(5, &[&["destroy", "--auto-approve", "--override-limits"], &policy[..]].concat())
        .says("stops-rotation");
    world.write("rotator.yaml", &manifest("", &both("{enabled: false}")));
    world
        .refuses(5, &[&["apply", "--auto-approve", "--override-limits"], &policy[..]].concat())
        .says("rotation is off, and the rule `fresh` wants it on")
        .says("the plan's effect `stops-rotation` is forbidden by the rule `fresh`");
}

/// Without it, one wrong edit could stop a fleet, or the brake couldn't be released by those who mean it.
#[test]
fn limits_are_refused_and_overridden_aloud() {
    let names = ["a", "b", "c", "d"];
    let world = world(&names);
    let all = |rotation: &str| names.map(|name| entry(name, rotation)).concat();
    let head = "limits:\n  changed: \"50%\"\n  stopped: 1\n";
    // Switching on changes nothing that rotates.
    world.write("rotator.yaml", &manifest(head, &all("{automatically_after_days: 30}")));
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("Apply complete!");
    world.write("rotator.yaml", &manifest(head, &all("{enabled: false}")));
    world.rotator(&["plan"]).exits(5).says("limit.stopped: 4 of 4 secrets would stop rotating, and at most 1 may");
    world
        .refuses(5, &["apply", "--auto-approve"])
        .says("limit.changed: 4 of 4 secrets would get another rotation, and at most 2 may (50 %)")
        .says("rotator.yaml:4:3")
        .says("2 limits are exceeded")
        .says("--override-limits");
    world
        .refuses(5, &["destroy", "--auto-approve"])
        .says("limit.stopped: 4 of 4 secrets would stop rotating, and at most 1 may");
    // A saved plan that goes beyond a limit is no override; one that was made with it is, and says it again.
    world.rotator(&["plan", "--out", "held.rotator"]).exits(5);
    world.refuses(5, &["apply", "held.rotator"]).says("limit.stopped");
    world
        .rotator(&["plan", "--override-limits", "--out", "free.rotator"])
        .exits(0)
        .says("limits of rotator.yaml:5 overridden");
    world
        .rotator(&["apply", "free.rotator"])
        .exits(0)
        .says("limits of rotator.yaml:4 overridden: 4 of 4 secrets get another rotation, and at most 2 may (50 %)")
        .says("limits of rotator.yaml:5 overridden: 4 of 4 secrets stop rotating, and at most 1 may");
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
}

/// Without it, an exemption would be forgotten, or hold for ever.
#[test]
fn exemptions_are_listed_and_end() {
    let world = world(&["legacy"]);
    let policy = |until: &str| {
        let exempt = format!("{{secrets: [leg*], reason: SEC-17, until: \"{until}\"}}");
        format!("policy:\n  - name: fresh\n    max_age_days: 5\n    exempt: [{exempt}]\n")
    };
    let rotation = "{automatically_after_days: 30, rotate_immediately: false}";
    world.write("rotator.yaml", &manifest(&policy("2999-12-31"), &entry("legacy", rotation)));
    world
        .rotator(&["plan"])
        .exits(0)
        .says("note: policy.fresh: exempts leg* until 2999-12-31: SEC-17 (rotator.yaml:6:14)");
    world.rotator(&["validate"]).exits(0);
    world.write("rotator.yaml", &manifest(&policy("2020-01-31"), &entry("legacy", rotation)));
    world
        .refuses(5, &["apply", "--auto-approve"])
        .says("policy.fresh: the exemption of leg* ended with 2020-01-31")
        .says("the rule `fresh` allows 5 days");
    world.rotator(&["validate"]).exits(1).says("the exemption of leg* ended with 2020-01-31").says("rotator.yaml:6:14");
}

/// Without it, a plan that the security team's rules passed could be applied under others, or under none.
#[test]
fn a_saved_plan_keeps_to_its_policies() {
    let world = world(&["key"]);
    let rotation = "{automatically_after_days: 30, rotate_immediately: false}";
    world.write("rotator.yaml", &manifest("", &entry("key", rotation)));
    let rule = |days: u32| format!("version: 1\npolicy:\n  - {{name: fresh, max_age_days: {days}}}\n");
    world.write("security.yaml", &rule(60));
    world.rotator(&["plan", "--policy", "security.yaml", "--out", "plan.rotator"]).exits(0);
    world
        .refuses(3, &["apply", "plan.rotator"])
        .says("the plan was judged by the policy `security.yaml`, which isn't given here")
        .says("--policy security.yaml");
    world.write("security.yaml", &rule(90));
    world
        .refuses(3, &["apply", "plan.rotator", "--policy", "security.yaml"])
        .says("the policy `security.yaml` has changed since the plan was made");
    // The same rules from elsewhere are the same rules; more of them are asked too.
    world.write("elsewhere/rules.yaml", &rule(60));
    world.write("stricter.yaml", &rule(30));
    let given = ["apply", "plan.rotator", "--policy", "elsewhere/rules.yaml"];
    world.refuses(5, &[&given[..], &["--policy", "stricter.yaml"]].concat()).says("stricter.yaml:3:19");
    world.rotator(&given).exits(0).says("Apply complete!");
}

/// Without it, a secret that nobody put into Git would be nobody's matter; or what can't be listed would pass.
#[test]
fn rules_cover_what_no_manifest_names() {
    let world = world(&["prod/key", "prod/stray", "dev/stray"]);
    let rotation = "{automatically_after_days: 30, rotate_immediately: false}";
    world.write("rotator.yaml", &manifest("", &entry("prod/key", rotation)));
    let policy = "version: 1
policy:
  - name: all-rotate
    match: {secrets: [\"prod/*\"]}
    enabled: true
    covers: live
";
    world.write("security.yaml", policy);
    let apply = ["apply", "--auto-approve", "--policy", "security.yaml"];
    world
        .refuses(5, &apply)
        .says("live_secret.prod/stray: rotation is off, and the rule `all-rotate` wants it on")
        .keeps_silent_about("dev/stray")
        .keeps_silent_about("secret.prod/key:");
    world
        .rotator(&["validate", "--policy", "security.yaml"])
        .exits(0)
        .says("not provable offline: rule `all-rotate` (security.yaml:6:5)");
    let denied = r#"{"operation": "ListSecrets", "times": 1, "error": {"status": 400, "code": "AccessDeniedException", "message": "no"}}"#;
    world.fault(denied);
    world
        .refuses(5, &apply)
        .says("policy.all-rotate: it covers secrets that no manifest names, and those can't be listed");
    world.aws(&["secretsmanager", "delete-secret", "--secret-id", "prod/stray", "--force-delete-without-recovery"]);
    world.rotator(&apply).exits(0).says("Apply complete!");
}

/// Without it, deleting the entries would stop rotations and delete a function that rules protect.
#[test]
fn deleting_an_entry_is_no_way_around_a_rule() {
    let world = world(&["prod/a", "prod/b"]);
    let rotation = "{automatically_after_days: 30, rotate_immediately: false}";
    world.write("rotator.yaml", &manifest("", &(entry("prod/a", rotation) + &entry("prod/b", rotation))));
    let policy = "version: 1
policy:
  - name: kept
    match: {secrets: [\"prod/*\"]}
    enabled: true
    max_age_days: 60
    forbid: [deletes, replaces-code]
";
    world.write("security.yaml", policy);
    let policy = ["--policy", "security.yaml"];
    world.rotator(&[&["apply", "--auto-approve"], &policy[..]].concat()).exits(0);
    // The function stays, and gets other code: the secrets still rotate with it, whatever the filter.
    world.write("code/more.py", "");
    world.write("rotator.yaml", &format!("version: 1\nproject: policies\nfunctions: {{{FUNCTION}: {{code: code}}}}\n"));
    let replaces = "the plan's effect `replaces-code` is forbidden by the rule `kept`";
    let function = format!("function.{FUNCTION}");
    world.refuses(5, &[&["apply", "--auto-approve"], &policy[..]].concat()).says(replaces);
    world.refuses(5, &[&["apply", "--auto-approve", "--target", &function], &policy[..]].concat()).says(replaces);
    world.write("rotator.yaml", "version: 1\nproject: policies\nprune: true\n");
    world
        .refuses(5, &[&["apply", "--auto-approve"], &policy[..]].concat())
        .says("orphan_secret.prod/a, orphan_secret.prod/b: rotation is off, and the rule `kept` wants it on")
        .says("the plan's effect `deletes` is forbidden by the rule `kept`");
}

/// Without it, a target that is never applied could name a secret, and so hide it from the rule for all.
#[test]
fn a_target_that_is_not_selected_hides_nothing() {
    let world = world(&["prod/key", "prod/rogue"]);
    let manifest = |rogue: &str| {
        format!(
            "version: 1
project: policies
targets: {{prod-eu: {{region: us-east-1}}, nowhere: {{region: us-east-1}}}}
functions:
  {FUNCTION}: {{code: code, targets: [prod-eu]}}
secrets:
  prod/rogue: {{targets: [{rogue}]}}
  prod/key:
    function: {FUNCTION}
    targets: [prod-eu]
    rotation: {{automatically_after_days: 30, rotate_immediately: false}}
"
        )
    };
    world.write("rotator.yaml", &manifest("nowhere"));
    let policy = "version: 1\npolicy:\n  - {name: all, match: {secrets: [\"prod/*\"]}, enabled: true, covers: live}\n";
    world.write("security.yaml", policy);
    world
        .refuses(5, &["apply", "--auto-approve", "--target", "prod-eu", "--policy", "security.yaml"])
        .says("live_secret.prod/rogue: rotation is off, and the rule `all` wants it on");
    // Nor does an entry that says nothing, and that a filter leaves unread.
    world.write("rotator.yaml", &manifest("prod-eu"));
    world
        .refuses(5, &["apply", "--auto-approve", "--target", "prod-eu/secret.prod/key", "--policy", "security.yaml"])
        .says("prod-eu/secret.prod/rogue (rotator.yaml:7:3): rotation is off, and the rule `all` wants it on");
}
