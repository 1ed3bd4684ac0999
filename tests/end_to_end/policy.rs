//! Limits and policies: what they stop, what overrides them, and that nothing is written before they are asked.

use super::support::{Output, World, zip_of};

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
        world.create_secret(name, "a key to begin with, 0123456789");
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
    // A refusal counts for more than changes that are pending; the lines of JSON say it too.
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

/// Without it, a secret that isn't in Git would escape every rule; or what can't be listed would pass.
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

/// A function that was made without rotator, which Secrets Manager may invoke.
fn made_elsewhere(world: &World, name: &str) {
    let zip = zip_of(&[("lambda_function.py", "def lambda_handler(event, context): pass\n")]);
    std::fs::write(world.path("elsewhere.zip"), zip).expect("a zip");
    let role = format!("arn:aws:iam::123456789012:role/{name}-role");
    let make = ["lambda", "create-function", "--function-name", name, "--runtime", "python3.12", "--handler"];
    let of = ["lambda_function.lambda_handler", "--zip-file", "fileb://elsewhere.zip", "--role", &role];
    world.aws(&[&make[..], &of[..]].concat());
    world.aws(&["lambda", "wait", "function-active-v2", "--function-name", name]);
    let permit = ["lambda", "add-permission", "--function-name", name, "--statement-id", "access", "--action"];
    let whom = ["lambda:InvokeFunction", "--principal", "secretsmanager.amazonaws.com", "--source-account"];
    world.aws(&[&permit[..], &whom[..], &["123456789012"]].concat());
}

/// Without it, a rule against other code would be kept by the letter, and a stranger's layer or wrapper run all the same.
#[test]
fn other_code_is_forbidden_whatever_brings_it() {
    let world = world(&["prod/a"]);
    let with = |more: &str| {
        format!(
            "version: 1\nproject: policies\nfunctions:\n  {FUNCTION}: {{code: code{more}}}\nsecrets:\n{}",
            entry("prod/a", "{automatically_after_days: 30, rotate_immediately: false}")
        )
    };
    // What couldn't run at all would be left out for that, and not be refused.
    world.write("code/lambda_function.py", &format!("{}\nother = lambda_handler\n", super::support::signing_key()));
    world.write("rotator.yaml", &with(""));
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    world.write("security.yaml", "version: 1\npolicy: [{name: nocode, forbid: [replaces-code]}]\n");
    let layer = "arn:aws:lambda:us-east-1:666666666666:layer:theirs:1";
    for more in [
        ", environment: {AWS_LAMBDA_EXEC_WRAPPER: /opt/theirs}",
        ", environment: {PYTHONPATH: /opt/theirs}",
        ", handler: lambda_function.other",
        ", runtime: python3.14",
        ", application: {version: 1.1.560}",
        &format!(", layers: [\"{layer}\"]"),
    ] {
        world.write("rotator.yaml", &with(more));
        world
            .refuses(5, &["apply", "--auto-approve", "--policy", "security.yaml"])
            .says("1 function runs other code  (replaces-code: SecretsManagerPolicy)")
            .says("the plan's effect `replaces-code` is forbidden by the rule `nocode`");
    }
    // Whose layer it is stands on top, in each format.
    let of_others = format!("the layer {layer} is of the account 666666666666, which no target names");
    world.rotator(&["plan"]).exits(0).says(&format!("! {of_others}  (function.{FUNCTION})"));
    world.rotator(&["plan", "--format", "markdown"]).exits(0).says("> **Of others**").says(&of_others);
    let json = world.rotator(&["plan", "--format", "json"]).exits(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(
        json["rotator"]["targets"][0]["foreign"],
        serde_json::json!([{
            "address": format!("function.{FUNCTION}"), "kind": "layer", "name": layer, "account": "666666666666"
        }])
    );
    world.write("rotator.yaml", &with(", timeout: 77"));
    world
        .rotator(&["apply", "--auto-approve", "--policy", "security.yaml"])
        .exits(0)
        .keeps_silent_about("666666666666");
}

/// Without it, a manifest with another project's name in `renamed_from` would get that one's functions past a rule against takeovers.
#[test]
fn another_projects_stack_is_taken_over_only_where_that_is_allowed() {
    let world = world(&["prod/a"]);
    let rotation = "{automatically_after_days: 30, rotate_immediately: false}";
    world.write("rotator.yaml", &manifest("", &entry("prod/a", rotation)));
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    let thief = manifest("renamed_from: policies\n", &entry("prod/a", rotation)).replace("policies\nren", "thief\nren");
    world.write("rotator.yaml", &thief);
    world.write("security.yaml", "version: 1\npolicy: [{name: mine, forbid: [takes-over]}]\n");
    world
        .refuses(5, &["apply", "--auto-approve", "--policy", "security.yaml"])
        .says("1 stack is taken over from another project")
        .says("the plan's effect `takes-over` is forbidden by the rule `mine`");
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    world.rotator(&["plan", "--policy", "security.yaml"]).exits(0).says("No changes.");
}

/// Without it, a secret would rotate less often by a change that reads like any other.
#[test]
fn a_longer_worst_case_stands_on_top_and_can_be_forbidden() {
    let world = world(&["prod/a"]);
    let days = |days: u32| {
        let rotation = format!("{{automatically_after_days: {days}, rotate_immediately: false}}");
        world.write("rotator.yaml", &manifest("", &entry("prod/a", &rotation)));
    };
    days(30);
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    world.write("security.yaml", "version: 1\npolicy: [{name: fresh, forbid: [rotates-less-often]}]\n");
    days(90);
    world
        .refuses(5, &["apply", "--auto-approve", "--policy", "security.yaml"])
        .says("! 1 secret rotates less often, at worst  (rotates-less-often: prod/a)")
        .says("the plan's effect `rotates-less-often` is forbidden by the rule `fresh`");
    world
        .rotator(&["plan", "--format", "markdown"])
        .exits(0)
        .says("> **1 secret rotates less often, at worst** (rotates-less-often): `prod/a`");
    days(7);
    world.rotator(&["apply", "--auto-approve", "--policy", "security.yaml"]).exits(0);
}

/// Without it, a function that does nothing, made by a stranger, would meet a rule that asks for reviewed code.
#[test]
fn functions_are_listed_and_have_code() {
    let world = world(&["prod/a"]);
    made_elsewhere(&world, "noop");
    let existing = |function: &str| {
        format!(
            "version: 1\nproject: policies\nfunctions: {{N: {{existing: \"{function}\"}}}}\nsecrets:\n  prod/a: {{function: N, rotation: {{automatically_after_days: 30, rotate_immediately: false}}}}\n"
        )
    };
    world.write("rotator.yaml", &existing("noop"));
    let policy = |rule: &str| {
        world.write("security.yaml", &format!("version: 1\npolicy:\n  - {{name: known, {rule}}}\n"));
        ["apply", "--auto-approve", "--policy", "security.yaml"]
    };
    world
        .refuses(5, &policy("match: {secrets: [\"prod/*\"]}, require: [code]"))
        .says("function.N (rotator.yaml:3:13): it is used as `existing`, so that its code isn't the manifest's, which the rule `known` wants");
    world.rotator(&["validate", "--policy", "security.yaml"]).exits(1).says("which the rule `known` wants");
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:noop";
    world
        .refuses(5, &policy("functions: {existing: [rotate-*]}"))
        .says(&format!("the function `{arn}` isn't among what the rule `known` allows"))
        .says("security.yaml:3:31");
    // The live function's role and layers count, which the manifest says nothing of.
    world
        .refuses(5, &policy("functions: {existing: [noop], roles: [\"arn:aws:iam::*:role/rotation-*\"]}"))
        .says("the role `arn:aws:iam::123456789012:role/noop-role` isn't among what the rule `known` allows");
    world.refuses(5, &policy("functions: {existing: [\"arn:aws:lambda:*:999999999999:function:*\"]}")).says(arn);
    let allowed = "functions: {existing: [no*], applications: [], layers: [], roles: [\"arn:aws:iam::*:role/noop-*\"]}";
    world.rotator(&policy(allowed)).exits(0).says("Apply complete!");
    // What Lambda may not run rotates nothing.
    let throttle =
        ["lambda", "put-function-concurrency", "--function-name", "noop", "--reserved-concurrent-executions"];
    world.aws(&[&throttle[..], &["0"]].concat());
    world
        .rotator(&["plan"])
        .exits(0)
        .says("its reserved concurrency is 0, so that Lambda never runs it")
        .says("aws lambda delete-function-concurrency --region us-east-1 --endpoint-url")
        .says("--function-name 'noop'");
    world.aws(&["secretsmanager", "cancel-rotate-secret", "--secret-id", "prod/a"]);
    world.refuses(5, &policy("forbid: [stops-rotation]")).says("stops-rotation: prod/a");
}

/// Without it, another manifest's entry, which no rule judges there, would hide a secret from the rule that covers it.
#[test]
fn what_another_plan_names_is_judged_by_the_same_rule_or_here() {
    let world = world(&["prod/a", "dev/a"]);
    let own = "policy: [{name: all, match: {secrets: [\"prod/*\"]}, enabled: true, covers: live}]\n";
    let rotation = "{automatically_after_days: 30, rotate_immediately: false}";
    world.write("a/rotator.yaml", &manifest(own, &entry("dev/a", rotation)));
    world.write_signing_key("a/code/lambda_function.py");
    let other = |more: &str| {
        world.write("b/rotator.yaml", &format!("version: 1\nproject: b\n{more}secrets: {{prod/a: {{}}}}\n"));
    };
    other("");
    let off = "live_secret.prod/a: rotation is off, and the rule `all` wants it on";
    world.refuses(5, &["apply", "--auto-approve", "--all-targets", "a", "b"]).says(off);
    // Rules of the same words in the other manifest are its own: here it is still named by nothing that this rule judges.
    other(own);
    world.refuses(5, &["apply", "--auto-approve", "--all-targets", "a", "b"]).says(off);
    // A file's rule holds for both, and judges the entry once.
    other("");
    world.write("a/rotator.yaml", &manifest("", &entry("dev/a", rotation)));
    world.write("security.yaml", &format!("version: 1\n{own}"));
    world
        .refuses(5, &["apply", "--auto-approve", "--all-targets", "a", "b", "--policy", "security.yaml"])
        .keeps_silent_about("live_secret")
        .says("secret.prod/a (b/rotator.yaml:3:11): rotation is off, and the rule `all` wants it on");
    // A target that the rule doesn't match judges nothing by it.
    let two = format!(
        "version: 1\nproject: two\ntargets: {{prod: {{region: us-east-1}}, dev: {{region: us-east-1}}}}\nfunctions: {{{FUNCTION}: {{code: code, targets: [prod]}}}}\nsecrets:\n  dev/a: {{function: {FUNCTION}, targets: [prod], rotation: {rotation}}}\n  prod/a: {{targets: [dev]}}\n"
    );
    world.write("a/rotator.yaml", &two);
    world.write("security.yaml", &format!("version: 1\n{}", own.replace("match: {", "match: {targets: [prod], ")));
    world.refuses(5, &["apply", "--auto-approve", "--all-targets", "a", "--policy", "security.yaml"]).says(off);
}

/// Without it, made-up entries would make room under a limit in percent, or a filter would take room away.
#[test]
fn a_percentage_is_of_what_exists() {
    let names = ["a", "b", "c", "d"];
    let world = world(&names);
    let all = |rotation: &str| names.map(|name| entry(name, rotation)).concat();
    let head = "limits: {changed: \"50%\"}\n";
    world.write("rotator.yaml", &manifest(head, &all("{automatically_after_days: 30, rotate_immediately: false}")));
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    let made_up = (0..20).map(|number| format!("  z/{number}: {{rotation: {{enabled: false}}}}\n"));
    let made_up = made_up.collect::<Vec<_>>().concat();
    let slower = all("{automatically_after_days: 900, rotate_immediately: false}");
    world.write("rotator.yaml", &manifest(head, &(slower + &made_up)));
    world
        .refuses(5, &["apply", "--auto-approve"])
        .says("limit.changed: 4 of 4 secrets would get another rotation, and at most 2 may (50 %)");
    let some = |names: &[&str]| -> Vec<String> {
        let filters = names.iter().flat_map(|name| ["--target".to_owned(), format!("secret.{name}")]);
        ["apply", "--auto-approve"].into_iter().map(str::to_owned).chain(filters).collect()
    };
    let run = |names: &[&str]| some(names);
    let three = run(&["a", "b", "c"]);
    world.refuses(5, &three.iter().map(String::as_str).collect::<Vec<_>>()).says("3 of 4 secrets");
    let two = run(&["a", "b"]);
    world.rotator(&two.iter().map(String::as_str).collect::<Vec<_>>()).exits(0);
}

/// Without it, four targets of one account would stop four secrets under a limit of one.
#[test]
fn limits_hold_over_targets_of_one_account_and_region() {
    let names = ["a", "b", "c"];
    let world = world(&names);
    let all = |rotation: &str| names.map(|name| entry(name, rotation)).concat();
    world.write("rotator.yaml", &manifest("", &all("{automatically_after_days: 30, rotate_immediately: false}")));
    world.rotator(&["apply", "--auto-approve", "--no-wait"]).exits(0);
    let targets = names.map(|name| format!("  {name}: {{region: us-east-1}}\n")).concat();
    let stopped = names.map(|name| format!("  {name}: {{targets: [{name}], rotation: {{enabled: false}}}}\n")).concat();
    let head = |most: usize| format!("limits: {{stopped: {most}}}\ntargets:\n{targets}");
    let in_first = |text: String| text.replace("{code: code}", "{code: code, targets: [a]}");
    world.write("rotator.yaml", &in_first(manifest(&head(1), &stopped)));
    world
        .refuses(5, &["apply", "--auto-approve", "--all-targets"])
        .says("3 of 3 secrets would stop rotating, and at most 1 may, in 3 targets of this account and region")
        .says("error: 1 limit is exceeded; nothing was changed");
    world.write("rotator.yaml", &in_first(manifest(&head(3), &stopped)));
    world.rotator(&["plan"]).exits(0);
}
