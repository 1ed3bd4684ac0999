//! `sandbox start --allow`: the sandbox refuses what a policy doesn't allow, in AWS's words, also in the caller's name.

use serde_json::{Value, json};

use super::support::{ACCOUNT, Output, REGION, World, output, rotator_binary, scrubbed};

const MANIFEST: &str = "version: 1
project: allowed
functions:
  SecretsManagerOne: {code: code, timeout: 40}
secrets: {s: {function: SecretsManagerOne, rotation: {automatically_after_days: 30}}}
";

fn world() -> World {
    World::with_signing_key("s", MANIFEST)
}

fn policy(statements: &[Value]) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

/// All that a deployment needs, but for some actions.
fn all_but(left_out: &[&str]) -> String {
    let actions = [
        "cloudformation:*",
        "serverlessrepo:*",
        "secretsmanager:DescribeSecret",
        "secretsmanager:ListSecrets",
        "secretsmanager:RotateSecret",
        "logs:FilterLogEvents",
        "s3:GetObject",
        "iam:CreateRole",
        "iam:AttachRolePolicy",
        "iam:PutRolePolicy",
        "iam:TagRole",
        "iam:UntagRole",
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:List*",
        "iam:PassRole",
        "iam:D*",
        "ec2:DescribeNetworkInterfaces",
        "lambda:CreateFunction",
        "lambda:Get*",
        "lambda:TagResource",
        "lambda:UpdateFunction*",
        "lambda:InvokeFunction",
        "lambda:AddPermission",
        "lambda:ListTags",
        "lambda:RemovePermission",
        "lambda:DeleteFunction",
    ];
    let kept: Vec<&&str> = actions.iter().filter(|action| !left_out.contains(action)).collect();
    policy(&[json!({"Effect": "Allow", "Action": kept, "Resource": "*"})])
}

/// Without it, a policy would be rehearsed that AWS then refuses, or the refusal come in words that no program expects.
#[test]
fn calls_are_held_to_the_policy() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("policy.json");
    let arn = format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:a/*");
    let statements = [
        json!({"Effect": "Allow", "Action": "secretsmanager:*Secret", "Resource": [arn, "arn:aws:secretsmanager:*:*:secret:b-??????"]}),
        json!({"Effect": "Allow", "Action": ["secretsmanager:CreateSecret"], "Resource": "*"}),
    ];
    std::fs::write(&file, policy(&statements)).expect("written");
    let world = World::with(&["--allow", file.to_str().expect("UTF-8")]);
    for name in ["a/x", "b", "c"] {
        world.create_secret(name, "v");
    }
    world.describe("a/x");
    world.describe("b");
    let described = |name: &str| world.try_aws(&["secretsmanager", "describe-secret", "--secret-id", name]);
    let refused = |output: Output, action: &str| {
        let said = format!("is not authorized to perform: {action}");
        assert_ne!(output.code, 0, "{}", output.all());
        output
            .says("AccessDenied")
            .says(&said)
            .says(&format!("because no identity-based policy allows the {action} action"))
    };
    refused(described("c"), "secretsmanager:DescribeSecret")
        .says(&format!("on resource: arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:c-"));
    // What isn't there is refused as well: AWS doesn't say whether it is.
    refused(described("d"), "secretsmanager:DescribeSecret").says("on resource: d ");
    for (arguments, action) in [
        (&["secretsmanager", "list-secrets"][..], "secretsmanager:ListSecrets"),
        (&["lambda", "get-function", "--function-name", "f"], "lambda:GetFunction"),
        (&["cloudformation", "describe-stacks"], "cloudformation:DescribeStacks"),
        (&["logs", "filter-log-events", "--log-group-name", "g"], "logs:FilterLogEvents"),
        (
            &["sts", "assume-role", "--role-session-name", "me", "--role-arn", "arn:aws:iam::123456789012:role/r"],
            "sts:AssumeRole",
        ),
        (
            &[
                "serverlessrepo",
                "get-application",
                "--application-id",
                "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRotationTemplate",
            ],
            "serverlessrepo:GetApplication",
        ),
    ] {
        refused(world.try_aws(arguments), action);
    }
    // Who calls is nobody's secret.
    world.aws(&["sts", "get-caller-identity"]);
    let asked = world.asked();
    let of = |action: &str, allowed: bool| asked.iter().any(|one| one.0 == action && one.2 == allowed);
    assert!(of("secretsmanager:DescribeSecret", true) && of("secretsmanager:DescribeSecret", false), "{asked:?}");
    assert!(of("lambda:GetFunction", false) && !of("lambda:GetFunction", true), "{asked:?}");
}

/// Without it, a policy that says more than is understood would be held to half of what it says.
#[test]
fn policies_that_are_not_understood_are_refused_with_their_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = |text: &str| {
        std::fs::write(folder.path().join("policy.json"), text).expect("written");
        output(scrubbed(rotator_binary()).current_dir(folder.path()).args([
            "sandbox",
            "start",
            "--listen",
            "127.0.0.1:0",
            "--allow",
            "policy.json",
        ]))
        .exits(1)
    };
    let deny = "{\"Version\": \"2012-10-17\", \"Statement\": [\n  {\"Effect\": \"Deny\", \"Action\": \"*\", \"Resource\": \"*\"}]}";
    start(deny).says("policy.json").says("line 2, column 19").says("`Deny`").says("hint: ");
    let condition = "{\"Version\": \"2012-10-17\", \"Statement\": [\n  {\"Effect\": \"Allow\", \"Action\": \"a:B\", \"Resource\": \"*\",\n\"Condition\": {}}]}";
    start(condition).says("line 3").says("`Condition`");
    start("no JSON").says("line 1");
    std::fs::remove_file(folder.path().join("policy.json")).expect("it was there");
    let command = ["sandbox", "start", "--allow", "policy.json"];
    output(scrubbed(rotator_binary()).current_dir(folder.path()).args(command)).exits(1).says("cannot read the policy");
}

/// Without it, a policy would be rehearsed in another process's sandbox alone; or be believed to hold where it doesn't.
#[test]
fn a_rehearsal_is_held_to_a_policy_too() {
    let world = world();
    world.write("policy.json", &policy(&[]));
    let plan = ["plan", "--sandbox", "--sandbox-allow", "policy.json", "--region", REGION];
    world.rotator(&plan).exits(1).says("`secretsmanager:DescribeSecret` on ");
    world
        .rotator(&["plan", "--sandbox-allow", "policy.json"])
        .exits(1)
        .says("`--sandbox-allow` is about the AWS of `--sandbox`");
}

/// Without it, a role would deploy here, and be refused on AWS by what `CloudFormation` does in its name.
#[test]
fn what_a_stack_needs_is_asked_of_who_deploys_it() {
    let world = world();
    let hint = |action: &str| format!("`{action}` on ");
    for (action, status) in [
        ("iam:CreateRole", "ROLLBACK_COMPLETE"),
        ("iam:PassRole", "ROLLBACK_COMPLETE"),
        ("lambda:CreateFunction", "ROLLBACK_COMPLETE"),
        ("s3:GetObject", ""),
    ] {
        world.allow(&all_but(&[action]));
        world.rotator(&["apply", "--auto-approve"]).exits(1).says(&hint(action));
        world.allow_all();
        let described = world.try_aws(&["cloudformation", "describe-stacks"]).stdout;
        assert!(described.contains(status), "{action}: {described}");
        world.aws(&["cloudformation", "delete-stack", "--stack-name", "serverlessrepo-SecretsManagerOne"]);
        world.try_aws(&[
            "cloudformation",
            "wait",
            "stack-delete-complete",
            "--stack-name",
            "serverlessrepo-SecretsManagerOne",
        ]);
    }
    world.allow(&all_but(&[]));
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    // The function reads and writes its secret by its own role, whatever the caller may do.
    let asked = world.asked();
    assert!(!asked.iter().any(|(action, ..)| action.ends_with("SecretValue")), "{asked:?}");
    assert_eq!(asked.iter().filter(|(_, _, allowed)| !allowed).collect::<Vec<_>>(), Vec::<&_>::new());
    world.allow(&all_but(&["lambda:ListTags"]));
    world.rotator(&["plan"]).exits(0);
    assert!(world.asked().iter().any(|(action, _, allowed)| action == "lambda:ListTags" && !allowed));
}
