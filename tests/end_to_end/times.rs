//! AWS's parts tell each other their news in their own time, and `CloudFormation` has newer ways to refuse: over HTTP, by scripted answers.

use serde_json::{Value, json};

use super::support::{Output, World};

const FUNCTION: &str = "SecretsManagerTimes";

/// A world with a secret, and a manifest for a function whose runtime the sandbox simulates at once. `more`: members of the function.
fn world(more: &str) -> World {
    let world = World::new();
    world.create_secret("s", "first");
    world.write("code/rotation/Handler.class", "code");
    write_manifest(&world, more);
    world
}

fn write_manifest(world: &World, more: &str) {
    let text = format!(
        "version: 1
project: times
functions:
  {FUNCTION}: {{code: code, runtime: java21, handler: rotation.Handler, timeout: 40{more}}}
secrets: {{s: {{function: {FUNCTION}, rotation: {{automatically_after_days: 30}}}}}}
"
    );
    world.write("rotator.yaml", &text);
}

fn apply(world: &World) -> Output {
    world.rotator(&["apply", "--auto-approve", "--allow-simulated"])
}

/// A script of one rule: what a call is answered with, so many times.
fn script(world: &World, service: &str, operation: &str, times: u32, rest: &Value) {
    let mut rule = json!({"service": service, "operation": operation, "times": times});
    rule.as_object_mut().expect("an object").extend(rest.as_object().cloned().unwrap_or_default());
    world.fault(&rule.to_string());
}

fn count(world: &World, action: &str) -> usize {
    world.tool_calls().iter().filter(|call| *call == action).count()
}

/// All permissions of the function are taken away.
fn remove_permissions(world: &World) {
    let policy = world.aws(&["lambda", "get-policy", "--function-name", FUNCTION]);
    let policy: Value = serde_json::from_str(policy["Policy"].as_str().expect("a text")).expect("JSON");
    for statement in policy["Statement"].as_array().into_iter().flatten() {
        let sid = statement["Sid"].as_str().expect("an id");
        world.aws(&["lambda", "remove-permission", "--function-name", FUNCTION, "--statement-id", sid]);
    }
}

/// Without it a rotation that is on would be reported as failed, because an answer leaves out what the model lets it leave out.
#[test]
fn an_answer_without_a_version_is_watched_by_its_token() {
    let world = world("");
    let arn = world.describe("s")["ARN"].as_str().expect("an ARN").to_owned();
    let body = json!({"ARN": arn, "Name": "s"}).to_string();
    let answer = json!({"status": 200, "content_type": "application/x-amz-json-1.1", "body": body});
    script(&world, "secretsmanager", "RotateSecret", 1, &json!({"when": "after", "answer": answer}));
    apply(&world).exits(0).says("Apply complete!");
    assert!(world.version("s", "AWSPREVIOUS").is_some());
    assert_eq!(count(&world, "secretsmanager:RotateSecret"), 1);
}

/// Without it an apply would say of its own change set that somebody else has changed the stack.
#[test]
fn a_change_set_that_does_not_show_yet_is_waited_for() {
    let world = world("");
    let error = json!({"status": 404, "code": "ChangeSetNotFound", "message": "ChangeSet [x] does not exist"});
    script(&world, "cloudformation", "DescribeChangeSet", 2, &json!({ "error": error }));
    apply(&world).exits(0).says("Apply complete!");
    assert_eq!(count(&world, "serverlessrepo:CreateCloudFormationChangeSet"), 1);
}

/// Without it the first deployment of an account would end because IAM, KMS or EC2 is slower than Lambda.
#[test]
fn a_role_or_key_that_spreads_is_tried_again() {
    for message in [
        "The role defined for the function cannot be assumed by Lambda.",
        "The provided execution role does not have permissions to call CreateNetworkInterface on EC2",
        "Your request has been throttled by EC2, please make sure you have enough API rate limit.",
        "Lambda was unable to configure access to your environment variables because the KMS key is invalid for CreateGrant. \
         Please check your KMS key settings.",
    ] {
        let world = world("");
        let error = json!({"status": 400, "code": "InvalidParameterValueException", "message": message});
        script(
            &world,
            "lambda",
            "UpdateFunctionConfiguration",
            2,
            &json!({"match": "rotation.Handler", "error": error}),
        );
        apply(&world).exits(0).says("Apply complete!");
        assert_eq!(count(&world, "lambda:UpdateFunctionConfiguration"), 3, "{message}");
    }
}

/// Without it a permission would be reported as added that a write at the same time has taken away.
#[test]
fn a_permission_is_looked_for_after_it_was_added() {
    let world = world("");
    apply(&world).exits(0);
    remove_permissions(&world);
    // The first one is taken, and its effect lost.
    let answer = json!({"status": 201, "content_type": "application/json", "body": "{\"Statement\": \"{}\"}"});
    script(&world, "lambda", "AddPermission", 1, &json!({ "answer": answer }));
    apply(&world).exits(0).says("Apply complete!");
    assert_eq!(count(&world, "lambda:AddPermission"), 2);
    let policy = world.aws(&["lambda", "get-policy", "--function-name", FUNCTION]);
    assert!(policy.to_string().contains("SecretsManagerAccess"), "{policy}");
}

/// Without it people whose functions' policies are written as a whole would be told to run a command that changes nothing.
#[test]
fn a_policy_that_was_written_as_a_whole_comes_with_the_statement_to_add() {
    let world = world("");
    apply(&world).exits(0);
    remove_permissions(&world);
    let arn = world.aws(&["lambda", "get-function-configuration", "--function-name", FUNCTION])["FunctionArn"].clone();
    let policy = |statements: &[Value]| {
        let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let body = json!({"Policy": policy, "RevisionId": "1"}).to_string();
        json!({"operation": "GetResourcePolicy", "answer": {"status": 200, "content_type": "application/json", "body": body}})
    };
    let message = "The policy of this function is managed as a whole.";
    let refusal = json!({"operation": "AddPermission",
        "error": {"status": 400, "code": "InvalidParameterValueException", "message": message}});
    let others = json!({"Sid": "others", "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction", "Resource": arn});
    world.fault(&json!([policy(std::slice::from_ref(&others)), refusal]).to_string());
    let failed =
        apply(&world).exits(1).says("PutResourcePolicy").says(message).says("aws lambda get-resource-policy --region");
    let all = failed.all();
    let statement =
        all.lines().find_map(|line| serde_json::from_str::<Value>(line.trim()).ok()).expect("the statement");

    // As the hint says: that statement beside the others.
    world.fault(&json!([policy(&[others, statement]), refusal]).to_string());
    apply(&world).exits(0);
}

/// Without it a stack that an interrupted apply left behind would be refused for ever.
#[test]
fn a_stack_left_in_review_is_deleted_where_the_repository_refuses_it() {
    let world = world("");
    let boom = json!({"status": 400, "code": "ValidationError", "message": "boom"});
    script(&world, "cloudformation", "ExecuteChangeSet", 1, &json!({ "error": boom }));
    apply(&world).exits(1).says("boom");
    let message = format!("Stack [serverlessrepo-{FUNCTION}] does not exist");
    let refusal = json!({"status": 400, "code": "BadRequestException", "message": message});
    // Refused whatever is done: AWS's word, and nothing is left.
    script(&world, "serverlessrepo", "CreateCloudFormationChangeSet", 2, &json!({ "error": refusal }));
    apply(&world).exits(1).says(&message);
    assert_eq!(world.aws(&["cloudformation", "describe-stacks"])["Stacks"], json!([]));

    let boom = json!({"status": 400, "code": "ValidationError", "message": "boom"});
    script(&world, "cloudformation", "ExecuteChangeSet", 1, &json!({ "error": boom }));
    apply(&world).exits(1);
    script(&world, "serverlessrepo", "CreateCloudFormationChangeSet", 1, &json!({ "error": refusal }));
    apply(&world).exits(0).says("Apply complete!");
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0);
}

/// Without it "The following hook(s)/validation failed" would be all that is known, once the change set is gone.
#[test]
fn what_refused_a_change_set_is_said() {
    let world = world("");
    let xml = |body: &str| json!({"answer": {"status": 200, "content_type": "text/xml", "body": body}});
    let failed = "<DescribeChangeSetResponse><DescribeChangeSetResult><ChangeSetId>x</ChangeSetId><Status>FAILED</Status>\
        <StatusReason>The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck].</StatusReason>\
        </DescribeChangeSetResult></DescribeChangeSetResponse>";
    let events = "<DescribeEventsResponse><DescribeEventsResult><OperationEvents><member><EventType>VALIDATION_ERROR</EventType>\
        <LogicalResourceId>Role</LogicalResourceId><ResourceType>AWS::IAM::Role</ResourceType>\
        <ValidationName>NAME_CONFLICT_VALIDATION</ValidationName><ValidationFailureMode>FAIL</ValidationFailureMode>\
        <ValidationStatus>FAILED</ValidationStatus><ValidationPath>/Resources/Role</ValidationPath>\
        <ValidationStatusReason>it already exists</ValidationStatusReason></member></OperationEvents>\
        </DescribeEventsResult></DescribeEventsResponse>";
    let mut rules = vec![json!({"operation": "DescribeChangeSet", "times": 1}), json!({"operation": "DescribeEvents"})];
    for (rule, answer) in rules.iter_mut().zip([xml(failed), xml(events)]) {
        rule.as_object_mut().expect("an object").extend(answer.as_object().cloned().unwrap_or_default());
    }
    world.fault(&json!(rules).to_string());
    apply(&world)
        .exits(1)
        .says("[AWS::EarlyValidation::ResourceExistenceCheck]")
        .says("Role (AWS::IAM::Role), /Resources/Role: it already exists [NAME_CONFLICT_VALIDATION]");
    assert_eq!(world.aws(&["cloudformation", "describe-stacks"])["Stacks"], json!([]), "nothing is left");
    apply(&world).exits(0);
}

/// Without it the way out of a roll-back that failed would have to be looked up, or the hint not work.
#[test]
fn a_rollback_that_failed_comes_with_the_command_that_continues_it() {
    let world = world(", application: {version: 1.1.500}");
    apply(&world).exits(0);
    write_manifest(&world, ", application: {version: 1.1.560}");
    // Neither the update nor its way back gets through.
    let denied = json!({"status": 403, "code": "AccessDeniedException", "message": "no"});
    let rule = json!({"service": "lambda", "operation": "UpdateFunctionCode", "match": "cloudformation.amazonaws.com", "error": denied});
    let other = json!({"service": "lambda", "operation": "UpdateFunctionConfiguration", "match": "cloudformation.amazonaws.com", "error": denied});
    world.fault(&json!([rule, other]).to_string());
    let failed = apply(&world).exits(1).says("UPDATE_ROLLBACK_FAILED");
    let all = failed.all();
    let command = all.lines().find_map(|line| line.trim().strip_prefix("aws cloudformation continue-update-rollback"));
    let words: Vec<String> = command
        .unwrap_or_else(|| panic!("the command is missing: {all}"))
        .split_whitespace()
        .map(|word| word.trim_matches('\'').to_owned())
        .collect();
    world.fault("[]");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    world.aws(&[&["cloudformation", "continue-update-rollback"], &words[..]].concat());
    let stack = format!("serverlessrepo-{FUNCTION}");
    world.aws(&["cloudformation", "wait", "stack-rollback-complete", "--stack-name", &stack]);
    apply(&world).exits(0);
}

/// Without it a list whose order AWS decides anew would be read to the middle from both ends, and secrets be missed.
#[test]
fn the_list_of_secrets_is_asked_for_in_an_order_that_is_said() {
    let world = world("");
    for pinned in [r#""SortBy":"created-date""#, r#""SortOrder":"#] {
        let error = json!({"status": 400, "code": "SeenException", "message": "it is said"});
        let rule = json!({"service": "secretsmanager", "operation": "ListSecrets", "match": pinned, "error": error});
        world.fault(&rule.to_string());
        world.rotator(&["plan"]).says("SeenException");
    }
}

/// Without it the first apply after somebody's change of subnets would take a dual-stack function's IPv6 away, unseen.
#[test]
fn ipv6_stays_where_a_network_is_set_right() {
    let world = world(", vpc: {subnets: [subnet-1], security_groups: [sg-1]}");
    apply(&world).exits(0);
    let by_hand = "SubnetIds=subnet-2,SecurityGroupIds=sg-1,Ipv6AllowedForDualStack=true";
    let update = ["lambda", "update-function-configuration", "--function-name", FUNCTION, "--vpc-config", by_hand];
    world.aws(&update);
    apply(&world).exits(0).says("1 applied");
    let live = world.aws(&["lambda", "get-function-configuration", "--function-name", FUNCTION]);
    assert_eq!(live["VpcConfig"]["SubnetIds"], json!(["subnet-1"]));
    assert_eq!(live["VpcConfig"]["Ipv6AllowedForDualStack"], json!(true));
}
