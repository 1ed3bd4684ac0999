//! What AWS refuses is said by its own words: which action on which resource, and how a stack goes on that failed over it.

use serde_json::{Value, json};

use super::support::{ACCOUNT, REGION, World};

const MANIFEST: &str = "version: 1
project: rights
functions:
  SecretsManagerOne: {code: code, application: {parameters: {excludeCharacters: '/@'}}}
secrets: {s: {function: SecretsManagerOne, rotation: {automatically_after_days: 30}}}
";

fn world() -> World {
    World::with_signing_key("s", MANIFEST)
}

/// A service's refusal of one operation.
fn denied(service: &str, operation: &str, message: &str) -> Value {
    let error = json!({"status": 403, "code": "AccessDeniedException", "message": message});
    json!({"service": service, "operation": operation, "error": error})
}

/// Lambda's words about code in S3 that `CloudFormation` may not fetch in the caller's name.
fn package_denied() -> String {
    let key = "awsserverlessrepo-changesets-plntc6bfnfj/123456789012/arn:aws:serverlessrepo:us-east-1:297356227824:applications-SecretsManagerRotationTemplate-versions-1.1.618/465e2e1c-1c66-417d-9528-0855feae5e55";
    format!(
        "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for {key}. S3 Error Code: AccessDenied. S3 Error Message: Access Denied"
    )
}

/// Without it, people would allow what the program called, again and again, while AWS misses something else.
#[test]
fn hints_name_what_aws_names() {
    let world = world();
    let user = "User: arn:aws:sts::123456789012:assumed-role/apply/rotator is not authorized to perform:";
    let says = |rule: &Value, command: &[&str], hint: &str| {
        world.fault(&rule.to_string());
        world.rotator(command).exits(1).says(hint);
    };
    let apply = &["apply", "--auto-approve"][..];
    let stack = format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/serverlessrepo-SecretsManagerOne/*");
    let create = format!(
        "{user} cloudformation:CreateChangeSet on resource: {stack} because no identity-based policy allows the cloudformation:CreateChangeSet action"
    );
    says(
        &denied("serverlessrepo", "CreateCloudFormationChangeSet", &create),
        apply,
        &format!("hint: allow `cloudformation:CreateChangeSet` on `{stack}`"),
    );
    let control = format!(
        "{user} cloudformation:CreateChangeSet on resource: {stack} with an explicit deny in a service control policy"
    );
    says(
        &denied("serverlessrepo", "CreateCloudFormationChangeSet", &control),
        apply,
        "hint: a service control policy denies `cloudformation:CreateChangeSet`",
    );
    let application =
        format!("arn:aws:serverlessrepo:{REGION}:297356227824:applications/SecretsManagerRotationTemplate");
    let get = format!("{user} serverlessrepo:GetApplication on resource: {application}");
    says(
        &denied("serverlessrepo", "GetApplication", &get),
        &["plan"],
        &format!("`serverlessrepo:GetApplication` on `{application}` is missing"),
    );
    // Where AWS names nothing, it is the resource of the region of the call, whatever region the application's ARN names.
    says(
        &denied("serverlessrepo", "GetApplication", "no"),
        &["plan"],
        "`serverlessrepo:GetApplication` on `arn:aws:serverlessrepo:*:297356227824:applications/SecretsManagerRotationTemplate` is missing",
    );
    // A change set that couldn't be made has its reason in its status.
    let transform = "arn:aws:cloudformation:us-east-1:aws:transform/Serverless-2016-10-31";
    let failed = format!(
        "<DescribeChangeSetResponse><DescribeChangeSetResult><ChangeSetId>x</ChangeSetId><Status>FAILED</Status><StatusReason>{user} cloudformation:CreateChangeSet on resource: {transform}</StatusReason></DescribeChangeSetResult></DescribeChangeSetResponse>"
    );
    says(
        &json!({"service": "cloudformation", "operation": "DescribeChangeSet", "answer": {"status": 200, "content_type": "text/xml", "body": failed}}),
        apply,
        &format!("hint: allow `cloudformation:CreateChangeSet` on `{transform}`"),
    );
    let invoke = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:SecretsManagerOne");
    says(
        &denied(
            "secretsmanager",
            "RotateSecret",
            &format!(
                "{user} lambda:InvokeFunction on resource: {invoke} because no identity-based policy allows the lambda:InvokeFunction action"
            ),
        ),
        apply,
        &format!("hint: allow `lambda:InvokeFunction` on `{invoke}`"),
    );
}

/// Without it, a role without the right to the application's package would end in a stuck stack, without a word how to free it.
#[test]
fn a_stack_that_failed_over_its_package_says_so_and_is_freed_as_it_says() {
    let world = world();
    let apply = ["apply", "--auto-approve"];
    let allow = "hint: allow `s3:GetObject` on `arn:aws:s3:::awsserverlessrepo-changesets*`: CloudFormation reads";
    world.fault(&denied("lambda", "CreateFunction", &package_denied()).to_string());
    world.rotator(&apply).exits(1).says("ended in ROLLBACK_COMPLETE").says(allow).says("run the same command again");
    world.fault("[]");
    world.rotator(&apply).exits(0);

    // An update's roll-back fetches a package too.
    world.write("rotator.yaml", &MANIFEST.replace("'/@'", "'/@%'"));
    let mut rule = denied("lambda", "UpdateFunctionConfiguration", &package_denied());
    rule["match"] = json!("cloudformation.amazonaws.com");
    world.fault(&rule.to_string());
    let failed = world.rotator(&apply).exits(1);
    let failed = failed.says("ended in UPDATE_ROLLBACK_FAILED").says(allow).says("--resources-to-skip");
    world.rotator(&["plan"]).exits(1).says(allow).says("aws cloudformation continue-update-rollback");
    world.fault("[]");
    let all = failed.all();
    let command =
        all.lines().find(|line| line.contains("aws cloudformation continue-update-rollback")).expect("a command");
    let words: Vec<String> =
        command.split_whitespace().skip(1).map(|word| word.trim_matches('\'').to_owned()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let stack = *words.last().expect("the stack");
    world.aws(&words);
    world.aws(&["cloudformation", "wait", "stack-rollback-complete", "--stack-name", stack]);
    world.rotator(&apply).exits(0);
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0);
}

/// Without it, a role without `lambda:ListTags` would see no project on any function, and take over another's without a word.
#[test]
fn tags_that_cannot_be_read_are_not_taken_for_none() {
    let world = world();
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    let existing = "version: 1
project: other
functions: {theirs: {existing: SecretsManagerOne}}
secrets: {s: {function: theirs}}
";
    world.write("other/rotator.yaml", existing);
    world.rotator(&["plan", "other"]).exits(1).says("it belongs to the project `rights`");
    let arn = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:SecretsManagerOne");
    let sentence = format!("User: x is not authorized to perform: lambda:ListTags on resource: {arn}");
    let mut rule = denied("lambda", "ListTags", &sentence);
    rule["match"] = json!("function:SecretsManagerOne");
    world.fault(&rule.to_string());
    let tags = world.aws(&["lambda", "get-function", "--function-name", "SecretsManagerOne"]);
    assert_eq!((&tags["Tags"], &tags["TagsError"]["ErrorCode"]), (&Value::Null, &json!("AccessDeniedException")));
    let unknown = "function.theirs: whether the function SecretsManagerOne belongs to another project isn't known";
    world.rotator(&["plan", "other"]).exits(0).says(unknown).says(&format!("`lambda:ListTags` on `{arn}` is missing"));
    // The same of a secret that another function is to rotate from now on.
    let moves = existing
        .replace("{theirs: {existing: SecretsManagerOne}}", "{theirs: {name: SecretsManagerTwo, code: ../code}}");
    world.write("other/rotator.yaml", &moves.replace("../code", "code"));
    world.write_signing_key("other/code/lambda_function.py");
    let said = format!("secret.s: whether the function {arn} belongs to another project isn't known");
    world.rotator(&["plan", "other"]).exits(0).says(&said).says("takes-over: s");
    world.fault("[]");
    world.rotator(&["plan", "other"]).exits(1).says("secret.s: it belongs to the project `rights`");
}
