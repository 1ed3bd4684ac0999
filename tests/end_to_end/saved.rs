//! Saved plans: applied as they stand, or refused with what moved.

use std::process::Stdio;

use super::support::{World, output, rotator_binary, scrubbed};

const FUNCTION: &str = "SecretsManagerSaved";

fn manifest(timeout: u32) -> String {
    format!(
        "version: 1
project: saved
functions: {{{FUNCTION}: {{code: code, timeout: {timeout}, environment: {{TOKEN_URL: \"https://marked-value.example\"}}}}}}
secrets: {{prod/key: {{function: {FUNCTION}, rotation: {{automatically_after_days: 30}}}}}}
"
    )
}

fn world() -> World {
    World::with_signing_key("prod/key", &manifest(40))
}

/// Without it, what was reviewed and what is done could be two things, or a plan be done twice.
#[test]
fn a_saved_plan_is_applied_once_and_never_again() {
    let world = world();
    world.rotator(&["plan", "--out", "first.plan"]).exits(0).says("2 to add").says("rotator apply first.plan");
    let file = std::fs::read_to_string(world.path("first.plan")).expect("the plan");
    assert!(!file.contains("marked-value"), "an environment value is in the plan file");
    world.rotator(&["show", "first.plan"]).exits(0).says("2 to add").says("TOKEN_URL = (sensitive value)");
    world.rotator(&["apply", "first.plan"]).exits(0).says("Apply complete! 2 applied.");
    let rotated = world.version("prod/key", "AWSCURRENT");
    world.rotator(&["apply", "first.plan"]).exits(0).says("5 changes of the plan are done already");
    assert_eq!(world.version("prod/key", "AWSCURRENT"), rotated, "the secret rotated again");
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
}

/// Without it, a plan could do what wasn't reviewed: after an edit of the manifest, of the code, of the file itself, or in
/// another account.
#[test]
fn a_plan_from_other_inputs_is_refused() {
    let world = world();
    world.rotator(&["plan", "--out", "a.plan"]).exits(0);
    let refused = |words: &str| {
        world.rotator(&["apply", "a.plan"]).exits(3).says(words);
        assert!(
            !world.calls().iter().any(|call| call.ends_with("CreateCloudFormationChangeSet")),
            "something was written"
        );
    };

    world.write("rotator.yaml", &manifest(41));
    refused("`rotator.yaml` has changed since the plan was made; nothing was changed");
    world.write("rotator.yaml", &manifest(40));

    let code = std::fs::read_to_string(world.path("code/lambda_function.py")).expect("the code");
    world.write("code/lambda_function.py", &format!("{code}\n# another line\n"));
    refused("the code of function.SecretsManagerSaved of saved has changed since the plan was made");
    world.write("code/lambda_function.py", &code);

    let plan = std::fs::read_to_string(world.path("a.plan")).expect("the plan");
    world.write("a.plan", &plan.replace("\"timeout\"", "\"memory\""));
    refused("was edited, or is cut short");
    world.write("a.plan", &plan[..plan.len() / 2]);
    refused("was edited, or is cut short");
    world.write("a.plan", &plan.replacen("\"version\":1", "\"version\":9", 1));
    refused("has format 9");
    world.write("a.plan", &plan);

    let mut other = scrubbed(rotator_binary());
    other.env("AWS_ENDPOINT_URL", &world.url).env("AWS_ACCESS_KEY_ID", "999999999999");
    other.env("AWS_SECRET_ACCESS_KEY", "sandbox").env("AWS_REGION", "us-east-1").current_dir(world.folder.path());
    output(other.args(["apply", "a.plan"]))
        .exits(3)
        .says("the plan is for project saved in account 123456789012")
        .says("999999999999");

    world.rotator(&["apply", "--sandbox", "a.plan"]).exits(3).says("the plan was made for AWS, and this is a sandbox");
    let elsewhere = World::new();
    let mut other = scrubbed(rotator_binary());
    other
        .env("AWS_ACCESS_KEY_ID", "123456789012")
        .env("AWS_SECRET_ACCESS_KEY", "sandbox")
        .env("AWS_REGION", "us-east-1");
    other.current_dir(world.folder.path()).args(["apply", "--endpoint-url", &elsewhere.url, "a.plan"]);
    output(&mut other).exits(3).says("the plan was made at another endpoint");
    world.rotator(&["plan", "a.plan"]).exits(1).says("`a.plan` is a saved plan");
    world
        .rotator(&["apply", "a.plan", "--max-rotations", "0"])
        .exits(5)
        .says("1 secret would rotate now, and at most 0 may");
    for taken in ["rotator.yaml", "code"] {
        world.rotator(&["plan", "--out", taken]).exits(1).says("is there already, and is no plan file");
    }
    world.rotator(&["plan", "--out", "nowhere/a.plan"]).exits(1).says("there is no folder `nowhere`");
    world.rotator(&["apply", "a.plan", "--prune"]).exits(1).says("a saved plan is applied as it stands");
    world.rotator(&["apply", "a.plan"]).exits(0).says("Apply complete!");
}

/// Without it, what is checked and what is applied could be two files, if someone swaps them at the right moment.
#[test]
fn a_file_that_changes_while_a_plan_is_applied_refuses_it() {
    let world = world();
    let part = manifest(40).replace("version: 1\nproject: saved\n", "");
    world.write("rotator.yaml", "version: 1\nproject: saved\ninclude: [part.yaml]\n");
    world.write("part.yaml", &part);
    world.rotator(&["plan", "--out", "a.plan"]).exits(0);
    // AWS is read only after the files, and takes its time.
    world.fault(r#"{"rules": [{"operation": "DescribeSecret", "delay_ms": 1500, "times": 1}]}"#);
    let described = world.calls().iter().filter(|call| call.ends_with("GetCallerIdentity")).count();
    let mut apply = world.program(rotator_binary());
    apply.args(["apply", "a.plan"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = apply.spawn().expect("rotator starts");
    world.wait_for_calls("GetCallerIdentity", described + 1);
    world.write("part.yaml", &part.replace("marked-value", "swapped-value"));
    let ended = running.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(3), "{said}");
    assert!(said.contains("`part.yaml` has changed since the plan was made; nothing was changed"), "{said}");
    assert!(!world.calls().iter().any(|call| call.ends_with("CreateCloudFormationChangeSet")));
}

/// Without it, a plan that couldn't do all of it would end with an error and no word why, or with none once the cause is gone.
#[test]
fn what_a_plan_left_out_is_said_when_it_is_applied_and_applied_again() {
    let world = world();
    let both = manifest(40).replace(
        "secrets: {prod/key",
        "secrets: {prod/late: {function: SecretsManagerSaved, rotation: {automatically_after_days: 30}}, prod/key",
    );
    world.write("rotator.yaml", &both);
    world.rotator(&["plan", "--out", "a.plan"]).exits(1).says("Secrets Manager has no such secret");
    let left_out = "error: errors were foreseen when the plan was made, so that it leaves out secret.prod/late";
    let hint = "mend what `rotator show a.plan` says of it, and make a new plan";
    world
        .rotator(&["apply", "a.plan"])
        .exits(1)
        .says(left_out)
        .says(hint)
        .says("2 applied, 1 skipped because of foreseen errors");
    world.rotator(&["show", "a.plan"]).exits(0).says("secret.prod/late: Secrets Manager has no such secret");
    world
        .rotator(&["apply", "a.plan"])
        .exits(1)
        .says(left_out)
        .says("There is nothing left to do.")
        .keeps_silent_about("beside the plan");
    // The secret is there now: this plan still doesn't do it, and says so.
    world.create_secret("prod/late", "first");
    let again = world.rotator(&["apply", "a.plan"]).exits(1).says(left_out).keeps_silent_about("beside the plan");
    again.keeps_silent_about("Apply complete!");
    world.rotator(&["plan", "--out", "b.plan"]).exits(0);
    world.rotator(&["apply", "b.plan"]).exits(0).says("1 applied");
}

/// Without it, a plan that was approved for one state of AWS would be forced on another.
#[test]
fn a_plan_whose_world_has_moved_is_refused_by_the_attribute() {
    let world = world();
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    world.write("rotator.yaml", &manifest(60));
    world.rotator(&["plan", "--out", "b.plan"]).exits(0).says("timeout = 40 -> 60");
    world.aws(&["lambda", "update-function-configuration", "--function-name", FUNCTION, "--timeout", "50"]);
    world
        .rotator(&["apply", "b.plan"])
        .exits(3)
        .says("stale: function.SecretsManagerSaved: timeout has moved since the plan was made")
        .says("it was 40, and is 50")
        .says("nothing was changed");
    let lines = world.rotator(&["apply", "--json", "b.plan"]).exits(3).stdout;
    assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{lines}");
    assert!(lines.contains(r#""type":"diagnostic""#), "{lines}");
    // What moves beside the plan's own resources doesn't concern it, and is said.
    world.aws(&["lambda", "wait", "function-updated-v2", "--function-name", FUNCTION]);
    world.aws(&["lambda", "update-function-configuration", "--function-name", FUNCTION, "--timeout", "40"]);
    world.aws(&["secretsmanager", "cancel-rotate-secret", "--secret-id", "prod/key"]);
    world.rotator(&["apply", "b.plan"]).exits(0).says("something differs by now at secret.prod/key").says("1 applied");
    world.rotator(&["plan", "--detailed-exitcode"]).exits(2).says("rotation.enabled = false -> true");
}

/// Without it, a pipeline that was killed would need a new review to go on.
#[test]
fn the_same_plan_goes_on_after_a_killed_apply() {
    let world = world();
    world.rotator(&["plan", "--out", "c.plan"]).exits(0);
    world.fault(r#"{"rules": [{"operation": "UpdateFunctionCode", "delay_ms": 600000, "times": 1}]}"#);
    let mut running = world.spawn(&["apply", "c.plan"]);
    while !world.calls().iter().any(|call| call.ends_with("ExecuteChangeSet")) {
        std::thread::yield_now();
    }
    running.kill().expect("it runs");
    running.wait().expect("it ends");
    world.fault("[]");
    world.rotator(&["apply", "c.plan"]).exits(0).says("of the plan are done already").says("Apply complete!");
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
}

/// Without it, programs that follow an apply by its lines would miss its end, or stumble over a line for people.
#[test]
fn an_apply_speaks_in_lines_of_json() {
    let world = world();
    world.rotator(&["apply", "--json"]).exits(1).says("`--json` goes with `--auto-approve`");
    let text = world.rotator(&["apply", "--auto-approve", "--json"]).exits(0).stdout;
    assert!(!text.contains("marked-value"), "an environment value is in the lines");
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    assert_eq!((of("version"), of("planned_change"), of("change_summary")), (1, 4, 2), "{text}");
    assert_eq!(of("apply_start"), of("apply_complete"), "{text}");
    let last = lines.last().expect("there are lines");
    assert_eq!((&last["changes"]["operation"], &last["rotator"]["applied"]), (&"apply".into(), &2.into()));
}

/// Without it, the published format could drift away from its schema, or show what is private.
#[test]
fn plans_in_json_satisfy_their_schema() {
    let world = world();
    let schema = std::fs::read_to_string("schema/plan.schema.json").expect("the schema is committed");
    let printed = world.rotator(&["schema", "plan"]).exits(0).stdout;
    assert_eq!(schema, printed, "cargo run -- schema plan > schema/plan.schema.json");
    let validator = jsonschema::draft7::new(&serde_json::from_str(&schema).expect("JSON")).expect("a schema");
    let check = |world: &World| {
        let text = world.rotator(&["plan", "--format", "json"]).exits(0).stdout;
        assert!(!text.contains("marked-value"), "an environment value is in the plan");
        let plan: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let errors: Vec<String> = validator.iter_errors(&plan).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        plan
    };
    let plan = check(&world);
    assert_eq!((&plan["applyable"], &plan["errored"]), (&true.into(), &false.into()));
    let changes = plan["resource_changes"].as_array().expect("a list");
    let addresses: Vec<&str> = changes.iter().filter_map(|change| change["address"].as_str()).collect();
    assert!(addresses.contains(&"aws_secretsmanager_secret_rotation.this[\"prod/key\"]"), "{addresses:?}");
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    let plan = check(&world);
    let actions: Vec<&serde_json::Value> = plan["resource_changes"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|change| &change["change"]["actions"][0])
        .collect();
    assert!(actions.len() >= 3 && actions.iter().all(|action| **action == "no-op"), "{actions:?}");
    assert_eq!(plan["applyable"], false);
}

/// Changes a plan file as its author could: with the checksum that belongs to it.
fn rewrite(world: &World, name: &str, change: impl FnOnce(&mut serde_json::Value)) {
    use sha2::{Digest as _, Sha256};
    let file = std::fs::read_to_string(world.path("a.plan")).expect("the plan");
    let (head, body) = file.split_once('\n').expect("two lines");
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    let (mut head, mut body) = (json(head), json(body));
    change(&mut body);
    let body = body.to_string();
    let sum: Vec<String> = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
    head["sha256"] = sum.concat().into();
    world.write(name, &format!("{head}\n{body}\n"));
}

/// Without it, a plan that was reviewed for AWS could be applied half there and half wherever a variable or a profile points.
#[test]
fn a_plan_is_applied_only_where_each_service_was_asked() {
    let (world, elsewhere) = (world(), World::new());
    world.rotator(&["plan", "--out", "a.plan"]).exits(0);
    let refused = |variables: &[(&str, &str)], plan: &str, words: &str| {
        let said =
            world.rotator_with(variables, &["apply", plan]).exits(3).says("the plan was made at another endpoint");
        said.says(words).says("nothing was changed");
        assert!(elsewhere.calls().is_empty(), "{variables:?}: {:?}", elsewhere.calls());
    };
    for (variable, service) in [
        ("AWS_ENDPOINT_URL_LAMBDA", "lambda"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "secretsmanager"),
        ("AWS_ENDPOINT_URL_CLOUDFORMATION", "cloudformation"),
        ("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "logs"),
        ("AWS_ENDPOINT_URL_SERVERLESSAPPLICATIONREPOSITORY", "serverlessrepo"),
        ("AWS_ENDPOINT_URL_STS", "sts"),
        ("AWS_ENDPOINT_URL", "cloudformation"),
    ] {
        let moved = format!("{service}: `{}` when it was planned, `{}` here", world.url, elsewhere.url);
        refused(&[(variable, &elsewhere.url)], "a.plan", &moved);
    }
    // What the file says is shown only where it is an endpoint.
    rewrite(&world, "odd.plan", |plan| plan["endpoints"]["us-east-1"]["lambda"] = "http://user:word@host".into());
    refused(&[], "odd.plan", "lambda: `another one` when it was planned");
    // A plan of an earlier version has one endpoint for all, and is still read where that is all there is to say.
    rewrite(&world, "old.plan", |plan| {
        plan.as_object_mut().expect("a map").remove("endpoints").expect("it has them");
    });
    refused(&[("AWS_ENDPOINT_URL_LAMBDA", &elsewhere.url)], "old.plan", "hint: make a new plan");
    refused(&[("AWS_ENDPOINT_URL", &elsewhere.url)], "old.plan", "hint: make a new plan");
    // Endpoints of AWS's own, of another kind: nothing is asked before they are compared.
    rewrite(&world, "aws.plan", |plan| {
        plan["endpoint"] = serde_json::Value::Null;
        for (service, url) in plan["endpoints"]["us-east-1"].as_object_mut().expect("a map") {
            *url = format!("https://{service}.us-east-1.amazonaws.com").into();
        }
    });
    let ignored = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    refused(&[ignored, ("AWS_USE_FIPS_ENDPOINT", "true")], "aws.plan", "lambda-fips.us-east-1.amazonaws.com` here");
    refused(&[ignored, ("AWS_USE_DUALSTACK_ENDPOINT", "true")], "aws.plan", "lambda.us-east-1.api.aws` here");
    world.rotator_with(&[("AWS_USE_FIPS_ENDPOINT", "true")], &["apply", "a.plan"]).exits(1).says("has no endpoint");
    // A profile that leads to the same endpoints is as good as the variable, and one with another service's isn't.
    let profile = |lambda: &str| {
        let config = format!(
            "[profile one]\nendpoint_url = {}\nservices = own\n[services own]\nlambda =\n  endpoint_url = {lambda}/\n",
            world.url
        );
        world.write("config", &config);
    };
    let apply = |plan: &str| {
        let mut command = scrubbed(rotator_binary());
        command.current_dir(world.folder.path()).env("AWS_CONFIG_FILE", world.path("config")).env("AWS_PROFILE", "one");
        command
            .env("AWS_ACCESS_KEY_ID", "123456789012")
            .env("AWS_SECRET_ACCESS_KEY", "x")
            .env("AWS_REGION", "us-east-1");
        output(command.args(["apply", plan]))
    };
    profile(&elsewhere.url);
    apply("a.plan").exits(3).says("the plan was made at another endpoint of lambda; nothing was changed");
    apply("old.plan").exits(3).says("the plan was made at another endpoint");
    assert!(elsewhere.calls().is_empty(), "{:?}", elsewhere.calls());
    profile(&world.url);
    apply("a.plan").exits(0).says("Apply complete!");
    world.rotator(&["apply", "old.plan"]).exits(0).says("There is nothing left to do.");
}
