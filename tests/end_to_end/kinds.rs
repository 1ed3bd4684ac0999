//! Every kind of secret and function, as people reported them of other tools: what AWS or a partner rotates, names that services give,
//! versions and aliases, partial ARNs, keys by several names, regions without the repository.

use std::time::{Duration, Instant};

use super::support::{Output, World};

const ROLE: &str = "arn:aws:iam::123456789012:role/r";

impl World {
    /// A secret as another AWS service makes one.
    fn owned_secret(&self, name: &str, service: &str) {
        self.tell("secrets", &format!("{{\"name\": \"{name}\", \"owning_service\": \"{service}\"}}"));
    }

    /// A partner's secret, with the role and metadata that it rotates with.
    fn partners_secret(&self, name: &str, of_type: &str) {
        self.aws(&[
            "secretsmanager",
            "create-secret",
            "--name",
            name,
            "--type",
            of_type,
            "--secret-string",
            "{\"client\": \"first\"}",
        ]);
        self.aws(&[
            "secretsmanager",
            "rotate-secret",
            "--secret-id",
            name,
            "--external-secret-rotation-role-arn",
            ROLE,
            "--external-secret-rotation-metadata",
            "Key=apiVersion,Value=v65.0",
            "Key=other,Value=stays",
            "--rotation-rules",
            "AutomaticallyAfterDays=30",
        ]);
        self.settles(name);
    }

    /// Waits until nothing of a secret is under way.
    fn settles(&self, secret: &str) {
        let began = Instant::now();
        loop {
            let current = self.version(secret, "AWSCURRENT");
            let pending = self.version(secret, "AWSPENDING");
            if began.elapsed() > Duration::from_millis(400) && (pending.is_none() || pending == current) {
                return;
            }
            assert!(began.elapsed() < Duration::from_mins(1), "{secret} doesn't settle");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// A function that somebody else has made, with its version 1; its ARN.
    fn their_function(&self, name: &str) -> String {
        let zip = self.path(&format!("{name}.zip"));
        let code = "def lambda_handler(event, context):\n    print(event['SecretId'])\n";
        std::fs::write(&zip, super::support::zip_of(&[("lambda_function.py", code)])).expect("a file");
        let code = format!("fileb://{}", zip.display());
        let made = self.aws(&[
            "lambda",
            "create-function",
            "--function-name",
            name,
            "--runtime",
            "python3.12",
            "--role",
            ROLE,
            "--handler",
            "lambda_function.lambda_handler",
            "--zip-file",
            &code,
            "--publish",
        ]);
        let arn = made["FunctionArn"].as_str().expect("an ARN").to_owned();
        arn.split(':').take(7).collect::<Vec<_>>().join(":")
    }

    fn permit(&self, function: &str, more: &[&str]) {
        let permission = [
            "lambda",
            "add-permission",
            "--function-name",
            function,
            "--statement-id",
            "s",
            "--action",
            "lambda:InvokeFunction",
            "--principal",
            "secretsmanager.amazonaws.com",
        ];
        self.aws(&[&permission[..], more].concat());
    }

    fn plan_of(&self, manifest: &str, arguments: &[&str]) -> Output {
        self.write("rotator.yaml", manifest);
        self.rotator(&[&["plan"][..], arguments].concat())
    }

    fn is_done(&self) {
        self.rotator(&["plan", "--detailed-exitcode"]).exits(0);
    }
}

/// Without it, who has RDS keep its passwords could not set, stop or judge their rotation: their names hold what no other name does.
#[test]
fn what_a_service_rotates_takes_a_schedule_and_no_function() {
    let world = World::new();
    let name = "rds!db-3bea3cf2-0b5f-436f-a6a1-97aad29da293";
    world.owned_secret(name, "rds");
    let manifest = |rotation: &str| {
        format!("version: 1\nproject: rds\nsecrets:\n  orders-db: {{name: \"{name}\", rotation: {{{rotation}}}}}\n")
    };
    let plan = world.plan_of(&manifest("schedule_expression: rate(30 days)"), &[]).exits(0).says("1 to add");
    plan.says("the secret rotates now").keeps_silent_about("testSecret");
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("1 applied");
    world.is_done();
    // Another schedule, off, and on again: each one call, and no test of a function that isn't there.
    world.write("rotator.yaml", &manifest("schedule_expression: rate(60 days)"));
    let plan = world.rotator(&["plan"]).exits(0).says("AWS rotates the secret by itself");
    plan.says("rotates less often").keeps_silent_about("testSecret");
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("1 applied").keeps_silent_about("unverified");
    world.is_done();
    world.write("rotator.yaml", &manifest("enabled: false"));
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("1 applied");
    world.is_done();
    world.write("rotator.yaml", &manifest("schedule_expression: \"cron(0 2 ? * SUN *)\", rotate_immediately: false"));
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("1 applied").keeps_silent_about("unverified");
    world.is_done();
    world.rotator(&["status"]).exits(0).says("1 by a service");
    for filter in ["secret.orders-db", &format!("secret.{name}"), "secret.rds!*"] {
        world.rotator(&["plan", "--target", filter]).exits(0).says("Partial: only what");
    }
    // By its ARN, too, and as a handle.
    let arn = world.describe(name)["ARN"].as_str().expect("an ARN").to_owned();
    let rotation = "{rotation: {schedule_expression: \"cron(0 2 ? * SUN *)\", rotate_immediately: false}}";
    for entry in [format!("\"{arn}\": {rotation}"), format!("\"{name}\": {rotation}")] {
        world.plan_of(&format!("version: 1\nproject: rds\nsecrets: {{{entry}}}\n"), &["--detailed-exitcode"]).exits(0);
    }
    let manifest = format!(
        "version: 1\nproject: rds\nfunctions: {{f: {{existing: f}}}}\nsecrets: {{\"{name}\": {{function: f, rotation: {{automatically_after_days: 7}}}}}}\n"
    );
    world.their_function("f");
    world.permit("f", &[]);
    world.plan_of(&manifest, &[]).exits(1).says("belongs to the service rds").says("function: null");
}

/// Without it, a rule could not name what services make, nor exempt it.
#[test]
fn rules_match_names_that_services_give() {
    let world = World::new();
    let name = "rds!db-1";
    world.owned_secret(name, "rds");
    world.create_secret("xyz", "first");
    let set = ["secretsmanager", "rotate-secret", "--secret-id", name, "--rotation-rules", "AutomaticallyAfterDays=7"];
    world.aws(&set);
    let manifest = |more: &str| {
        format!(
            "version: 1\nproject: rds\nsecrets: {{xyz: {{}}}}\npolicy:\n  - {{name: rds, match: {{secrets: [\"rds!*\"]}}, max_age_days: 5, covers: live{more}}}\n"
        )
    };
    world.plan_of(&manifest(""), &[]).exits(5).says("rds!db-1");
    let exempt = ", exempt: [{secrets: [\"rds!db-*\"], reason: \"RDS rotates weekly\", until: \"2099-01-01\"}]";
    world.plan_of(&manifest(exempt), &[]).exits(0).says("exempts rds!db-*");
}

/// Without it, a partner's secret would be sent away to a function that AWS refuses, or lose the metadata that nobody mentions.
#[test]
fn what_a_partner_rotates_takes_a_role_and_metadata() {
    let world = World::new();
    world.partners_secret("mes/salesforce", "SalesforceClientSecret");
    let manifest = |entry: &str| format!("version: 1\nproject: mes\nsecrets: {{mes/salesforce: {{{entry}}}}}\n");
    // The rules alone: one request, which says nothing of the rest.
    world.plan_of(&manifest("rotation: {automatically_after_days: 60}"), &[]).exits(0).says("1 to change");
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("1 applied");
    world.settles("mes/salesforce");
    let described = world.describe("mes/salesforce");
    assert_eq!(described["RotationRules"]["AutomaticallyAfterDays"], 60);
    assert_eq!(described["ExternalSecretRotationRoleArn"], ROLE);
    world.is_done();
    // Metadata: what isn't stated stays.
    let external = "external: {metadata: {apiVersion: v66.0}}, rotation: {automatically_after_days: 60}";
    let plan = world.plan_of(&manifest(external), &[]).exits(0).says("external.metadata.apiVersion");
    plan.says("v65.0").says("v66.0").keeps_silent_about("stays");
    world.rotator(&["plan", "--out", "saved.plan"]).exits(0);
    world.rotator(&["apply", "saved.plan"]).exits(0).says("1 applied");
    world.settles("mes/salesforce");
    let metadata = world.describe("mes/salesforce")["ExternalSecretRotationMetadata"].to_string();
    assert!(metadata.contains("v66.0") && metadata.contains("stays"), "{metadata}");
    world.is_done();
    world.rotator(&["status"]).exits(0).says("1 by a partner");
    world.rotator(&["explain", "secret.mes/salesforce"]).exits(0).says("external.metadata.apiVersion");
    // A function is refused before anything is sent, and `external` where there is no partner.
    world.their_function("mesfn");
    world.permit("mesfn", &[]);
    let with_function = "version: 1\nproject: mes\nfunctions: {mesfn: {existing: mesfn}}\nsecrets: {mes/salesforce: {function: mesfn, rotation: {automatically_after_days: 60}}}\n";
    world.plan_of(with_function, &[]).exits(1).says("a partner holds the secret (SalesforceClientSecret)");
    world.rotator(&["apply", "--auto-approve"]).exits(1);
    world.create_secret("own", "first");
    let none = "version: 1\nproject: mes\nsecrets: {own: {external: {metadata: {a: b}}, rotation: {automatically_after_days: 60}}}\n";
    world.plan_of(none, &[]).exits(1).says("doesn't know the secret as a managed external one");
    // One that never had a role needs one.
    world.aws(&["secretsmanager", "create-secret", "--name", "pat", "--type", "SnowflakePat", "--secret-string", "x"]);
    let manifest = |external: &str| {
        format!(
            "version: 1\nproject: mes\nsecrets: {{pat: {{{external}rotation: {{automatically_after_days: 30}}}}}}\n"
        )
    };
    world.plan_of(&manifest(""), &[]).exits(1).says("has no role to rotate the secret with");
    let role = format!("external: {{role: \"{ROLE}\"}}, ");
    world.plan_of(&manifest(&role), &[]).exits(0).says("its token is over after 15 days");
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("1 applied");
    world.is_done();
}

/// Without it, two aliases of one function would be one function, and each be judged by the other's policy.
#[test]
fn versions_and_aliases_are_functions_of_their_own() {
    let world = World::new();
    let arn = world.their_function("qual");
    for (alias, version) in [("live", "1"), ("next", "$LATEST")] {
        world.aws(&[
            "lambda",
            "create-alias",
            "--function-name",
            "qual",
            "--name",
            alias,
            "--function-version",
            version,
        ]);
        world.permit("qual", &["--qualifier", alias]);
    }
    world.create_secret("q/one", "first");
    world.create_secret("q/two", "first");
    let manifest = format!(
        "version: 1\nproject: qual\nfunctions:\n  live: {{existing: \"{arn}:live\"}}\n  next: {{existing: \"qual:next\"}}\nsecrets:\n  q/one: {{function: live, rotation: {{automatically_after_days: 31, rotate_immediately: false}}}}\n  q/two: {{function: next, rotation: {{automatically_after_days: 31, rotate_immediately: false}}}}\n"
    );
    world.write("rotator.yaml", &manifest);
    super::support::prepare_runtime();
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("2 applied");
    assert_eq!(world.describe("q/one")["RotationLambdaARN"], format!("{arn}:live"));
    assert_eq!(world.describe("q/two")["RotationLambdaARN"], format!("{arn}:next"));
    world.is_done();
    // What isn't there is said, with what is.
    world
        .plan_of(&manifest.replace("qual:next", "qual:none"), &[])
        .exits(1)
        .says("no alias `none` of a function `qual`");
    world.plan_of(&manifest.replace("qual:next", "qual:7"), &[]).exits(1).says("no version `7` of a function `qual`");
    // A policy of its own: another one's doesn't count.
    world.aws(&[
        "lambda",
        "remove-permission",
        "--function-name",
        "qual",
        "--qualifier",
        "next",
        "--statement-id",
        "s",
    ]);
    world.permit("qual", &[]);
    world
        .plan_of(
            &manifest.replace(
                "q/two: {function: next, rotation: {automatically_after_days: 31",
                "q/two: {function: next, rotation: {automatically_after_days: 32",
            ),
            &[],
        )
        .exits(1)
        .says("nothing lets Secrets Manager invoke its function");
}

/// Without it, six characters of a name would be cut off, and a rule, a duplicate or a schedule be about another secret.
#[test]
fn a_partial_arn_is_what_aws_says() {
    let world = World::new();
    for name in ["app/db", "app/db-config", "xyz", "xyz-secret"] {
        world.create_secret(name, "first");
    }
    world.their_function("rot1");
    world.permit("rot1", &[]);
    let arn = |name: &str| format!("arn:aws:secretsmanager:us-east-1:123456789012:secret:{name}");
    let manifest = |partial: &str, policy: &str| {
        format!(
            "version: 1\nproject: hyphen\nfunctions: {{rot1: {{existing: rot1}}}}\nsecrets:\n  one: {{name: \"{partial}\", function: rot1, rotation: {{automatically_after_days: 400}}}}\n  db: {{name: app/db, function: rot1, rotation: {{automatically_after_days: 30}}}}\n  xyz-secret: {{function: rot1, rotation: {{automatically_after_days: 30}}}}\n  xyz: {{function: rot1, rotation: {{automatically_after_days: 30}}}}\n{policy}"
        )
    };
    let partial = arn("app/db-config");
    world.plan_of(&manifest(&partial, ""), &[]).exits(0).says("its ARN lacks AWS's six characters").says("4 to add");
    let policy = "policy: [{name: config-90, match: {secrets: [app/db-config]}, max_age_days: 90}]\n";
    world.plan_of(&manifest(&partial, policy), &[]).exits(5).says("config-90");
    let validated = world.rotator(&["validate"]).exits(0);
    validated.says("may be partial").says("may be the secret `app/db` once more");
    let complete = world.describe("app/db-config")["ARN"].as_str().expect("an ARN").to_owned();
    world.plan_of(&manifest(&complete, ""), &[]).exits(0).keeps_silent_about("six characters");
    // One secret by two names has one schedule.
    let twice = world.describe("app/db")["ARN"].as_str().expect("an ARN").to_owned();
    world.plan_of(&manifest(&twice, ""), &[]).exits(1).says("names the same secret");
    // Another region's is refused, wherever the target's region comes from.
    world.plan_of(&manifest(&twice.replace("us-east-1", "eu-west-1"), ""), &[]).exits(1).says("AWS_REGION=eu-west-1");
}

/// Without it, one key by two names would be a warning in every plan.
#[test]
fn keys_are_compared_and_not_their_names() {
    let world = World::new();
    let id = "11111111-2222-3333-4444-555555555555";
    let make = |name: &str, key: &str| {
        world.aws(&[
            "secretsmanager",
            "create-secret",
            "--name",
            name,
            "--kms-key-id",
            key,
            "--secret-string",
            "first",
        ]);
    };
    make("kms/byid", id);
    make("kms/alias", "alias/payments");
    make("kms/other", "99999999-2222-3333-4444-555555555555");
    world.write_signing_key("code/lambda_function.py");
    let manifest = |secret: &str| {
        format!(
            "version: 1\nproject: kms\nfunctions:\n  k: {{code: code, application: {{parameters: {{kmsKeyArn: \"arn:aws:kms:us-east-1:123456789012:key/{id}\"}}}}}}\nsecrets: {{{secret}: {{function: k, rotation: {{automatically_after_days: 30}}}}}}\n"
        )
    };
    let warning = "is not among the function's parameters";
    world.plan_of(&manifest("kms/byid"), &[]).exits(0).keeps_silent_about(warning);
    let plan = world.plan_of(&manifest("kms/alias"), &[]).exits(0).keeps_silent_about(warning);
    plan.says("KMS alone knows which key an alias is of");
    world.plan_of(&manifest("kms/other"), &[]).exits(0).says(warning);
}

/// Without it, a region without the repository would be a matter of the network, after many tries; and green in a rehearsal.
#[test]
fn a_region_without_the_repository_is_said_at_once() {
    let world = World::new();
    world.write_signing_key("code/lambda_function.py");
    let manifest = |region: &str| {
        format!(
            "version: 1\nproject: sar\ntargets: {{t: {{region: {region}, account: \"123456789012\"}}}}\nfunctions: {{f: {{code: code}}}}\nsecrets: {{}}\n"
        )
    };
    let began = Instant::now();
    let plan = world.plan_of(&manifest("eu-central-2"), &[]).exits(1);
    plan.says("eu-central-2 has no Serverless Application Repository").says("existing: NAME");
    world.rotator(&["validate"]).exits(0).says("eu-central-2 has no Serverless Application Repository");
    world.rotator(&["plan", "--sandbox=state.json"]).exits(1).says("has no Serverless Application Repository");
    world.plan_of(&manifest("eu-wst-1"), &[]).exits(1).says("did you mean `eu-west-1`?");
    assert!(began.elapsed() < Duration::from_secs(20), "it was tried again and again");
}

/// Without it, who rotates some secrets with a central function could call none of their own like it.
#[test]
fn the_same_name_in_another_account_is_another_function() {
    let world = World::new();
    world.write_signing_key("f/lambda_function.py");
    world.write(
        "rotator.yaml",
        "version: 1\nproject: dup\ntargets: {west: {region: eu-west-1, account: \"111111111111\"}}\nfunctions:\n  local: {name: rotate-db, code: f}\n  central: {existing: \"arn:aws:lambda:eu-west-1:222222222222:function:rotate-db\"}\nsecrets: {}\n",
    );
    world.rotator(&["validate"]).exits(0);
}
