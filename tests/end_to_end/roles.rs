//! Ways to a target's credentials: regions that an account must opt into, external ids, sessions, profiles.

use std::process::Command;

use super::support::{ACCOUNT, Output, REGION, World, output, rotator_binary};

/// A region that an account has only after it asked for it.
const OPT_IN: &str = "me-south-1";

fn world(targets: &str) -> World {
    let world = World::new();
    world.write_signing_key("code/lambda_function.py");
    let manifest = format!(
        "version: 1\nproject: roles\ntargets: {{{targets}}}\nfunctions: {{SecretsManagerOne: {{code: code}}}}\nsecrets: {{}}\n"
    );
    world.write("rotator.yaml", &manifest);
    world
}

fn role(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

/// A target in a region, with a role.
fn target(region: &str, more: &str) -> String {
    format!("here: {{region: {region}, account: '{ACCOUNT}', role: '{}'{more}}}", role("reads"))
}

/// What STS is to answer, as a rule of the sandbox.
fn rule(operation: &str, more: &str, code: &str) -> String {
    format!(
        r#"{{"service": "sts", "operation": "{operation}", {more} "error": {{"code": "{code}", "status": 403, "message": "The security token included in the request is invalid."}}}}"#
    )
}

/// Runs with AWS's configuration file in the place of the environment's keys.
fn with_profiles(world: &World, profiles: &str, change: impl FnOnce(&mut Command)) -> Output {
    world.write("config", profiles);
    let mut command = world.program(rotator_binary());
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY").arg("plan");
    command.env("AWS_CONFIG_FILE", world.path("config"));
    change(&mut command);
    output(&mut command)
}

/// Keys of a profile, which the sandbox takes for the account's.
fn keys() -> String {
    format!("aws_access_key_id = {ACCOUNT}\naws_secret_access_key = sandbox\n")
}

/// How often STS was asked for a role.
fn assumed(world: &World) -> usize {
    world.calls().iter().filter(|call| call.as_str() == "sts AssumeRole").count()
}

/// Without it, a region couldn't be reached from an account that hasn't enabled it, though the role's own account has.
#[test]
fn a_role_is_asked_for_in_the_main_region_where_its_own_does_not_know_the_caller() {
    for code in ["InvalidClientTokenId", "UnrecognizedClientException", "RegionDisabledException"] {
        let world = world(&target(OPT_IN, ""));
        world.fault(&rule("AssumeRole", r#""region": "me-south-1","#, code));
        world.rotator(&["plan"]).exits(0).says("SecretsManagerOne");
        assert_eq!(assumed(&world), 2, "{code}");
        // Who the credentials belong to is still asked of the target's region, whose answer is what counts there.
        world.fault(&format!(
            "[{}, {}]",
            rule("AssumeRole", r#""region": "me-south-1","#, code),
            rule("GetCallerIdentity", r#""region": "me-south-1","#, "InvalidClientTokenId")
        ));
        world.rotator(&["plan"]).exits(1).says("sts:GetCallerIdentity").says("enabled for the account");
    }
}

/// Without it, a refusal would be asked for twice, keys that are wrong everywhere would be blamed on another region, or the refusal
/// that counts be lost.
#[test]
fn the_main_region_is_asked_once_and_only_where_that_may_help() {
    // Refused as such: no other region would say anything else.
    let denied = world(&target(OPT_IN, ""));
    denied.fault(&rule("AssumeRole", "", "AccessDenied"));
    denied.rotator(&["plan"]).exits(1).says("AccessDenied").says(&role("reads"));
    assert_eq!(assumed(&denied), 1);
    // Known nowhere: the target's region has the word.
    let unknown = world(&target(OPT_IN, ""));
    unknown.fault(&rule("AssumeRole", "", "InvalidClientTokenId"));
    unknown.rotator(&["plan"]).exits(1).says("InvalidClientTokenId").says("enabled for the account");
    assert_eq!(assumed(&unknown), 2);
    // Known in the main region, and refused there: that is the truth.
    let elsewhere = world(&target(OPT_IN, ""));
    elsewhere.fault(&format!(
        "[{}, {}]",
        rule("AssumeRole", r#""region": "me-south-1","#, "InvalidClientTokenId"),
        rule("AssumeRole", r#""region": "us-east-1","#, "AccessDenied")
    ));
    elsewhere.rotator(&["plan"]).exits(1).says("AccessDenied").keeps_silent_about("InvalidClientTokenId");
    // In the main region itself there is no other.
    let main = world(&target(REGION, ""));
    main.fault(&rule("AssumeRole", "", "InvalidClientTokenId"));
    main.rotator(&["plan"]).exits(1).says("InvalidClientTokenId");
    assert_eq!(assumed(&main), 1);
}

/// Without it, the roles of profiles and of pipelines' tokens would stay out of reach in such a region, and only a target's be reached.
#[test]
fn roles_of_profiles_and_tokens_are_asked_for_in_the_main_region_too() {
    let of_profile =
        format!("[default]\nrole_arn = {}\nsource_profile = base\n[profile base]\n{}", role("own"), keys());
    let targets = format!("here: {{region: {OPT_IN}, account: '{ACCOUNT}'}}");
    for profiles in [of_profile.clone(), of_profile.replace("source", "duration_seconds = 1800\nsource")] {
        let world = world(&targets);
        world.fault(&rule("AssumeRole", r#""region": "me-south-1","#, "InvalidClientTokenId"));
        with_profiles(&world, &profiles, |_| ()).exits(0).says("SecretsManagerOne");
        assert_eq!(assumed(&world), 2, "{profiles}");
    }
    let world = world(&targets);
    world.write("token", "a.web.token");
    world.fault(&rule("AssumeRoleWithWebIdentity", r#""region": "me-south-1","#, "RegionDisabledException"));
    with_profiles(&world, "", |command| {
        command.env("AWS_WEB_IDENTITY_TOKEN_FILE", world.path("token")).env("AWS_ROLE_ARN", role("pipeline"));
    })
    .exits(0)
    .says("SecretsManagerOne");
}

/// Whether a run's requests for a role hold a text: they are refused where they do.
fn sends(world: &World, text: &str, run: impl Fn() -> Output) -> bool {
    world.fault(&rule("AssumeRole", &format!(r#""match": "{text}","#), "PackedPolicyTooLarge"));
    let output = run();
    world.fault("[]");
    output.all().contains("PackedPolicyTooLarge")
}

/// Without it, a role of another company, whose trust asks for an external id, couldn't be used; or everybody's sessions would have
/// the same name in its audit trail.
#[test]
fn external_ids_and_sessions_names_are_sent() {
    let world = world(&target(REGION, ", external_id: 'org:unit/7', session_name: team-a"));
    let plan = || world.rotator(&["plan"]);
    assert!(sends(&world, "ExternalId=org%3Aunit%2F7", plan));
    assert!(sends(&world, "RoleSessionName=team-a", plan));
    assert!(!sends(&world, "RoleSessionName=rotator", plan));
    // What a target states wins over the environment.
    let named = || world.rotator_with(&[("AWS_ROLE_SESSION_NAME", "run-17")], &["plan"]);
    assert!(sends(&world, "RoleSessionName=team-a", named));
    plan().exits(0).keeps_silent_about("org:unit/7");

    let world = self::world(&target(REGION, ""));
    let unnamed = || world.rotator(&["plan"]);
    assert!(!sends(&world, "ExternalId", unnamed));
    assert!(sends(&world, "RoleSessionName=rotator", unnamed));
    let named = || world.rotator_with(&[("AWS_ROLE_SESSION_NAME", "run-17")], &["plan"]);
    assert!(sends(&world, "RoleSessionName=run-17", named));
    world
        .rotator_with(&[("AWS_ROLE_SESSION_NAME", "run 17")], &["plan"])
        .exits(1)
        .says("`AWS_ROLE_SESSION_NAME` is `run 17`: a session's name has 2 to 64 characters");
    // A rehearsal needs nothing of the machine's own.
    world.rotator_with(&[("AWS_ROLE_SESSION_NAME", "run 17")], &["plan", "--sandbox"]).exits(0);
}

/// Without it, a saved plan could be applied in another session than it was reviewed for.
#[test]
fn a_saved_plan_holds_for_its_external_id_alone() {
    let world = world(&target(REGION, ", external_id: one-1"));
    world.rotator(&["plan", "--out", "saved"]).exits(0);
    let manifest = std::fs::read_to_string(world.path("rotator.yaml")).expect("the manifest");
    world.write("rotator.yaml", &manifest.replace("one-1", "one-2"));
    world.rotator(&["apply", "saved"]).exits(3).says("has changed since the plan was made");
}

/// Without it, a profile's sessions would end after an hour whatever it says, in the middle of an apply that waits for windows.
#[test]
fn a_profiles_session_lasts_as_long_as_it_says() {
    let world = world(&format!("here: {{region: {REGION}, account: '{ACCOUNT}'}}"));
    let of = |more: &str| {
        format!(
            "[default]\nrole_arn = {}\nrole_session_name = mine\nexternal_id = their-own\n{more}source_profile = middle\n[profile middle]\nrole_arn = {}\nduration_seconds = 900\nsource_profile = base\n[profile base]\n{}",
            role("last"),
            role("first"),
            keys()
        )
    };
    let profiles = of("duration_seconds = 7200\n");
    let run = || with_profiles(&world, &profiles, |_| ());
    run().exits(0).says("SecretsManagerOne");
    for text in ["DurationSeconds=7200", "DurationSeconds=900", "RoleSessionName=mine", "ExternalId=their-own"] {
        assert!(sends(&world, text, run), "{text}");
    }
    // With `--profile`, whatever keys the environment has.
    let asked = || {
        with_profiles(&world, &profiles.replace("[default]", "[profile one]"), |command| {
            command
                .args(["--profile", "one"])
                .env("AWS_ACCESS_KEY_ID", "999999999999")
                .env("AWS_SECRET_ACCESS_KEY", "x");
        })
    };
    asked().exits(0);
    assert!(sends(&world, "DurationSeconds=7200", asked));
    // Keys of the environment win over a profile that isn't asked for: it isn't looked at.
    with_profiles(&world, &of("duration_seconds = long\n"), |command| {
        command.env("AWS_ACCESS_KEY_ID", ACCOUNT).env("AWS_SECRET_ACCESS_KEY", "x");
    })
    .exits(0);
    for wrong in ["long", "899", "43201", "-900"] {
        let profiles = of(&format!("duration_seconds = {wrong}\n"));
        with_profiles(&world, &profiles, |_| ()).exits(1).says(&format!(
            "`duration_seconds` of the profile `default` is `{wrong}`: a session lasts 900 to 43200 seconds"
        ));
    }
}

/// Without it, a profile's role would get its first credentials from elsewhere as soon as the profile says how long a session lasts.
#[test]
fn a_profile_with_a_duration_starts_where_the_sdk_would() {
    let world = world(&format!("here: {{region: {REGION}, account: '{ACCOUNT}'}}"));
    let asks = format!("role_arn = {}\nduration_seconds = 1800\n", role("own"));
    let process = format!(
        "credential_process = printf '{{\"Version\":1,\"AccessKeyId\":\"{ACCOUNT}\",\"SecretAccessKey\":\"x\"}}'\n"
    );
    let environment = |command: &mut Command| {
        command.env("AWS_ACCESS_KEY_ID", ACCOUNT).env("AWS_SECRET_ACCESS_KEY", "x").args(["--profile", "one"]);
    };
    let none = |command: &mut Command| {
        command.args(["--profile", "one"]);
    };
    for (profiles, change) in [
        (format!("[profile one]\n{asks}source_profile = one\n{}", keys()), none as fn(&mut Command)),
        (format!("[profile one]\n{asks}source_profile = one\n{process}"), none),
        (format!("[profile one]\n{asks}credential_source = Environment\n"), environment),
        // A source's keys come before its own role.
        (
            format!(
                "[profile one]\n{asks}source_profile = two\n[profile two]\n{asks}source_profile = three\n{}",
                keys()
            ),
            none,
        ),
    ] {
        with_profiles(&world, &profiles, change).exits(0).says("SecretsManagerOne");
    }
}

/// Without it, a role that wants a code would be refused without a word about it, and with advice to allow what is allowed.
#[test]
fn a_device_for_codes_is_said() {
    let world = world(&format!("here: {{region: {REGION}, account: '{ACCOUNT}'}}"));
    let device = format!("mfa_serial = arn:aws:iam::{ACCOUNT}:mfa/me\n");
    let direct =
        format!("[profile one]\nrole_arn = {}\n{device}source_profile = base\n[profile base]\n{}", role("own"), keys());
    let through = format!(
        "[profile one]\nrole_arn = {}\nsource_profile = two\n[profile two]\nrole_arn = {}\n{device}source_profile = base\n[profile base]\n{}",
        role("own"),
        role("middle"),
        keys()
    );
    for (profiles, device_of) in [(&direct, "one"), (&through, "two")] {
        let run = || {
            with_profiles(&world, profiles, |command| {
                command.args(["--profile", "one"]);
            })
        };
        let warning = format!("warning: the role of the profile `{device_of}` is assumed without a code");
        let way = "aws configure export-credentials --profile 'one' --format env";
        run().exits(0).says(&warning).says(way);
        world.fault(&rule("AssumeRole", "", "AccessDenied"));
        let said = run().exits(1);
        world.fault("[]");
        let error = said.stderr.split("error:").nth(1).unwrap_or_default();
        assert!(error.contains("AccessDenied") && error.contains(way), "{}", said.all());
    }
    // Keys of the environment are used, and the profile isn't: also after the way out was gone, with `AWS_PROFILE` still there.
    with_profiles(&world, &direct, |command| {
        command.env("AWS_PROFILE", "one").env("AWS_ACCESS_KEY_ID", ACCOUNT).env("AWS_SECRET_ACCESS_KEY", "x");
    })
    .exits(0)
    .keeps_silent_about("without a code");
}
