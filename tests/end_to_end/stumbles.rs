//! What newcomers stumble over: each message names the cause, and its hint works.

use super::support::{Output, World, output, repository, rotator_binary, scrubbed};

/// Runs it in a folder with the quickstart in `quickstart`, and with these variables.
fn at_home(folder: &tempfile::TempDir, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = scrubbed(rotator_binary());
    command.current_dir(folder.path()).env("HOME", folder.path()).env("AWS_CONFIG_FILE", folder.path().join("config"));
    output(command.envs(variables.iter().copied()).args(arguments))
}

fn home(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("config"), config).expect("written");
    folder
}

fn quickstart() -> String {
    repository().join("examples/quickstart").display().to_string()
}

/// Without it, a misspelt profile would be "no region", or "no credentials".
#[test]
fn a_profile_that_is_not_there_is_named() {
    let folder = home("[profile production]\nregion = eu-west-1\n");
    let example = quickstart();
    let missing = "there is no profile `prodction` in AWS's configuration files";
    at_home(&folder, &[], &["plan", "--profile", "prodction", &example])
        .exits(1)
        .says(missing)
        .says("did you mean `production`?")
        .says("it comes from `--profile`");
    at_home(&folder, &[("AWS_PROFILE", "prodction")], &["plan", &example])
        .exits(1)
        .says(missing)
        .says("it comes from `AWS_PROFILE`");
    // Keys in the environment win over a profile that the environment names: it isn't needed.
    let keys = [("AWS_PROFILE", "prodction"), ("AWS_ACCESS_KEY_ID", "123456789012"), ("AWS_SECRET_ACCESS_KEY", "x")];
    let nowhere = ["plan", "--region", "eu-west-1", "--endpoint-url", "http://127.0.0.1:1", &example];
    at_home(&folder, &keys, &nowhere).exits(1).keeps_silent_about("there is no profile");
}

/// Without it, whose login is over would look for a profile, or for keys.
#[test]
fn a_login_that_is_over_is_named() {
    let folder = home(
        "[profile sso]\nregion = eu-west-1\nsso_session = my-sso\nsso_account_id = 123456789012\nsso_role_name = r\n
[sso-session my-sso]\nsso_region = eu-west-1\nsso_start_url = https://example.com/start\n",
    );
    let cache = folder.path().join(".aws/sso/cache");
    std::fs::create_dir_all(&cache).expect("a folder");
    // Named by the SHA-1 of the session's name, as AWS's CLI writes it.
    std::fs::write(
        cache.join("0ad374308c5a4e22f723adf10145eafad7c4031c.json"),
        r#"{"accessToken": "t", "expiresAt": "2020-01-01T00:00:00Z"}"#,
    )
    .expect("written");
    at_home(&folder, &[], &["plan", "--profile", "sso", &quickstart()])
        .exits(1)
        .says("the SSO token has expired")
        .says("sign in again with `aws sso login`")
        .keeps_silent_about("choose a profile");
}

/// Without it, a secret of another region would pass for one that wasn't made yet.
#[test]
fn a_secret_of_another_region_is_looked_for_there() {
    let world = World::with_signing_key(
        "one",
        "version: 1\nproject: p\nfunctions: {SecretsManagerOne: {code: code}}\nsecrets: {one: {function: SecretsManagerOne, rotation: {automatically_after_days: 30}}}\n",
    );
    world
        .rotator(&["plan", "--region", "eu-central-1"])
        .exits(1)
        .says("Secrets Manager has no such secret in eu-central-1")
        .says("is it in another region? State the target's `region`, or use `--region`")
        // Nothing is called well under errors.
        .keeps_silent_about("No changes.");
    world.rotator(&["plan", "--region", "us-east-1"]).exits(0).says("Plan: 2 to add");
    // What will be refused isn't called a way to do it.
    world.write(
        "rotator.yaml",
        &(std::fs::read_to_string(world.path("rotator.yaml")).expect("there") + "limits: {rotating_now: 0}\n"),
    );
    world
        .rotator(&["plan", "--out", "plan.rotator"])
        .exits(5)
        .says("Saved the plan to: plan.rotator")
        .says("It would be refused as it stands")
        .keeps_silent_about("rotator apply plan.rotator");
}

/// Without it, patterns would match nothing, and each slip cost a search through the manifest.
#[test]
fn what_target_takes_is_said_where_nothing_matches() {
    let folder = home("");
    let example = quickstart();
    let plan = |target: &str| at_home(&folder, &[], &["plan", "--sandbox", "--target", target, &example]);
    plan("secret.quickstart/*").exits(0).says("Plan: 2 to add");
    plan("secret.quickstart/signin-key").exits(1).says("did you mean `secret.quickstart/signing-key`?");
    plan("secret.other/*").exits(1).says("patterns: `--target 'secret.payments/*'`");
    plan("label:owner=me").exits(1).says("nothing in the manifest has `labels`");
    let fleet = repository().join("examples/fleet").display().to_string();
    at_home(&folder, &[], &["schedule", "--target", "prd", &fleet])
        .exits(1)
        .says("did you mean `prod`?")
        .says("the targets are dev, prod");
    at_home(&folder, &[], &["schedule", "--target", "label:tem=billing", &fleet]).exits(1).says("hint: ");
}

/// Without it, a pipeline would have to build command lines from inputs that may be empty.
#[test]
fn variables_stand_for_options_and_empty_ones_for_nothing() {
    let folder = home("");
    let example = quickstart();
    let plan = |variables: &[(&str, &str)], more: &[&str]| {
        at_home(&folder, variables, &[&["plan", "--sandbox", &example][..], more].concat())
    };
    let function = "function.SecretsManagerSigningKey";
    plan(&[("ROTATOR_TARGET", function)], &[]).exits(0).says("Plan: 1 to add");
    plan(&[("ROTATOR_TARGET", "")], &[]).exits(0).says("Plan: 2 to add");
    // What is written wins.
    plan(&[("ROTATOR_TARGET", function)], &["--target", "secret.quickstart/*"]).exits(0).says("Plan: 2 to add");
    plan(&[("ROTATOR_PARALLELISM", "none")], &[]).exits(1).says("it is no whole number");
    plan(&[("ROTATOR_POLICY", "nowhere.yaml")], &[]).exits(1).says("nowhere.yaml");
    let apply = ["apply", "--sandbox", "--auto-approve", &example];
    at_home(&folder, &[("ROTATOR_MAX_ROTATIONS", "0")], &apply).exits(5).says("without a terminal at most 0 may");
    at_home(&folder, &[("ROTATOR_ROTATION_TIMEOUT", "x")], &apply).exits(1).says("write it as `90s`, `10m` or `1h`");
    let values = at_home(&folder, &[("ROTATOR_TARGET", "some-value")], &["--help"]).exits(0);
    values.says("[env: ROTATOR_TARGET]").keeps_silent_about("some-value");
}

/// Without it, the name alone would show a wall of options, and nothing to begin with.
#[test]
fn the_name_alone_leads_somewhere() {
    let folder = home("");
    let alone = at_home(&folder, &[], &[]).exits(1);
    alone
        .says("Commands:\n Write and review, without AWS:\n  validate")
        .says("First steps:\n  rotator apply --sandbox");
    at_home(&folder, &[], &["--help"]).exits(0).says("See how rotation does:\n  status");
    at_home(&folder, &[], &["plann"]).exits(1).says("plan");
    // An option stands in no help of a command that refuses it.
    for command in [&["sandbox", "--help"][..], &["sandbox", "start", "--help"]] {
        at_home(&folder, &[], command).exits(0).keeps_silent_about("--sandbox");
    }
    at_home(&folder, &[], &["plan", "--help"]).exits(0).says("--sandbox[=<FILE>]");
    at_home(&folder, &[], &["sandbox", "--sandbox", "start"]).exits(1).says("takes no `--sandbox`");
    at_home(&folder, &[], &["--sandbox", "sandbox", "start"]).exits(1).says("takes no `--sandbox`");
}

/// Without it, a pipeline's list of targets would be a second one, and a new target have no job.
#[test]
fn targets_are_listed_for_pipelines() {
    let folder = home("");
    let fleet = repository().join("examples/fleet").display().to_string();
    let all = "dev 111111111111 eu-west-1\nprod 333333333333 eu-west-1\n";
    assert_eq!(at_home(&folder, &[], &["targets", &fleet]).exits(0).stdout, all);
    let json = at_home(&folder, &[], &["targets", "--format", "json", "--target", "pr*", &fleet]).exits(0).stdout;
    let document: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(document["format_version"], "1.0");
    let names: Vec<_> = document["targets"].as_array().expect("a list").iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["prod"]);
    // Without targets there is one that has no name.
    assert_eq!(at_home(&folder, &[], &["targets", &quickstart()]).exits(0).stdout, "- - -\n");
}
