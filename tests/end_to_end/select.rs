//! Rules of `select`: secrets that no entry lists, from the first plan to what left a rule.

use super::support::World;

const MANIFEST: &str = "version: 1
project: rules
functions:
  SecretsManagerVendor: {code: code}
secrets:
  vendor/listed: {function: SecretsManagerVendor, rotation: {automatically_after_days: 7}}
select:
  vendor-keys:
    match: {names: [\"vendor/*\"], tags: {rotate: vendor}, except: [\"vendor/legacy-*\"]}
    function: SecretsManagerVendor
    rotation: {automatically_after_days: 30}
";

impl World {
    /// A secret with a value and a tag.
    fn tagged(&self, name: &str, tag: &str) {
        let tag = format!("Key=rotate,Value={tag}");
        self.aws(&[
            "secretsmanager",
            "create-secret",
            "--name",
            name,
            "--secret-string",
            "abcdefghijklmnop",
            "--tags",
            &tag,
        ]);
    }

    fn tag(&self, name: &str, tag: &str) {
        let tag = format!("Key=rotate,Value={tag}");
        self.aws(&["secretsmanager", "tag-resource", "--secret-id", name, "--tags", &tag]);
    }

    fn untag(&self, name: &str) {
        self.aws(&["secretsmanager", "untag-resource", "--secret-id", name, "--tag-keys", "rotate"]);
    }

    fn is_on(&self, name: &str) -> bool {
        self.describe(name)["RotationEnabled"] == true
    }

    /// Some secrets, of which a rule means one.
    fn with_rules() -> Self {
        let world = Self::with_signing_key("vendor/listed", MANIFEST);
        world.tagged("vendor/a", "vendor");
        world.tagged("vendor/legacy-1", "vendor");
        world.tagged("vendor/other", "otherwise");
        world.tagged("payments/a", "vendor");
        world
    }
}

/// Without it, a rule would attach what it doesn't mean, rotate what wasn't asked for, or find something to do for ever.
#[test]
fn a_new_secret_that_matches_is_one_planned_change() {
    let world = World::with_rules();
    world.tag("vendor/listed", "vendor");
    let plan = world.rotator(&["plan"]).exits(0).says("3 to add").says("the rule `vendor-keys` means it");
    plan.says("secret.vendor/a").keeps_silent_about("legacy-1").keeps_silent_about("payments/a");
    let first = world.version("vendor/a", "AWSCURRENT");
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    assert!(world.is_on("vendor/a"));
    assert_eq!(world.version("vendor/a", "AWSCURRENT"), first, "a rule rotates nothing at once");
    for alone in ["vendor/legacy-1", "vendor/other", "payments/a"] {
        assert!(!world.is_on(alone), "{alone}");
    }
    // An entry wins.
    assert_eq!(world.describe("vendor/listed")["RotationRules"]["AutomaticallyAfterDays"], 7);
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");

    world.tagged("vendor/c", "vendor");
    let plan = world.rotator(&["plan", "--detailed-exitcode", "--out", "c.plan"]).exits(2);
    plan.says("1 to add").says("secret.vendor/c").says("the rule `vendor-keys` means it");
    // What no longer matches refuses the plan that means it.
    world.untag("vendor/c");
    world.rotator(&["apply", "c.plan"]).exits(3).says("secret.vendor/c: the rule `vendor-keys` means it no longer");
    assert!(!world.is_on("vendor/c"));
    // What is new since then is only said.
    world.tag("vendor/c", "vendor");
    world.tagged("vendor/d", "vendor");
    world.rotator(&["apply", "c.plan"]).exits(0).says("something differs by now at secret.vendor/d: it stays");
    assert!(world.is_on("vendor/c") && !world.is_on("vendor/d"));
    let one = ["--target", "secret.vendor/d"];
    world.rotator(&[&["plan", "--out", "d.plan"][..], &one].concat()).exits(0).says("1 to add");
    world.untag("vendor/d");
    world.rotator(&["apply", "d.plan"]).exits(3).says("secret.vendor/d: the rule `vendor-keys` means it no longer");
    world.tag("vendor/d", "vendor");
    world.rotator(&["plan", "--target", "select.vendor-*"]).exits(0).says("secret.vendor/d").says("1 to add");
    world.rotator(&[&["apply", "--auto-approve"][..], &one].concat()).exits(0);
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0);
}

/// Without it, a tag that somebody took off could stop a rotation, or what left a rule would be forgotten.
#[test]
fn what_left_a_rule_is_said_and_ended_by_hand_alone() {
    let world = World::with_rules();
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    world.untag("vendor/a");
    let note = "neither a rule nor a handle means it (any more)";
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("orphan_secret.vendor/a").says(note);
    // A manifest that prunes has no hand.
    world.write("rotator.yaml", &format!("{MANIFEST}prune: true\n"));
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says(note);
    world.rotator(&["apply", "--auto-approve", "--prune"]).exits(0);
    assert!(!world.is_on("vendor/a"));
}

/// Without it, of two rules the one that is read last would win.
#[test]
fn rules_that_do_not_agree_refuse_that_secret_alone() {
    let world = World::with_rules();
    let second = |days: u32| {
        let second = format!(
            "  every-a: {{match: {{names: [\"*/a\"]}}, function: SecretsManagerVendor, rotation: {{automatically_after_days: {days}}}}}\n"
        );
        world.write("rotator.yaml", &format!("{MANIFEST}{second}"));
    };
    second(60);
    let apply = world.rotator(&["apply", "--auto-approve"]).exits(1);
    apply.says("secret.vendor/a: the rules `every-a` and `vendor-keys` mean it, and want something else of it");
    assert!(!world.is_on("vendor/a") && world.is_on("payments/a") && world.is_on("vendor/listed"));
    // The same way is no conflict.
    second(30);
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    assert!(world.is_on("vendor/a"));
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
}

/// Without it, half a list would look like a whole one: what isn't in it would be nobody's, and might be pruned.
#[test]
fn without_a_whole_list_no_rule_does_anything() {
    let world = World::with_rules();
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    world.tagged("vendor/c", "vendor");
    world.fault(
        r#"{"operation": "ListSecrets", "error": {"code": "AccessDeniedException", "status": 400, "message": "no"}}"#,
    );
    let apply = world.rotator(&["apply", "--auto-approve", "--prune"]).exits(1);
    apply.says("select.vendor-keys: which secrets it means isn't known").says("secretsmanager:ListSecrets");
    assert!(world.is_on("vendor/a") && !world.is_on("vendor/c"));
}

/// Without it, who comes with hundreds of secrets would have to find out by hand which rules hold them, or get rules with a plan that
/// isn't empty.
#[test]
fn import_writes_rules_whose_plan_is_empty() {
    let manifest = "version: 1
project: rules
functions:
  SecretsManagerVendor: {code: code, shared: true}
select:
  team: {match: {names: [\"team/*\"]}, function: SecretsManagerVendor, rotation: {automatically_after_days: 30}}
";
    let world = World::with_signing_key("other/idle", manifest);
    for name in ["team/a", "team/b", "team/c"] {
        world.tagged(name, "team");
    }
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    let import = world.rotator(&["import", "--rules", "--project", "fresh", "fresh"]).exits(0);
    import.says("Rule team: team/*, 3 secrets");
    let parts = std::fs::read_dir(world.path("fresh/imported")).expect("a folder");
    let part =
        parts.map(|part| std::fs::read_to_string(part.expect("a part").path()).expect("text")).collect::<String>();
    assert!(part.contains("# holds 3 secrets now") && !part.contains("team/a"), "{part}");
    world.rotator(&["plan", "--detailed-exitcode", "fresh"]).exits(0).says("No changes.");
    // Nothing is left that a second import would write, and what is new is the rule's.
    world.rotator(&["import", "--rules", "fresh"]).exits(0).says("3 named already").says("Nothing to write.");
    world.tagged("team/d", "team");
    world.rotator(&["plan", "--detailed-exitcode", "fresh"]).exits(2).says("secret.team/d").says("1 to add");
}
