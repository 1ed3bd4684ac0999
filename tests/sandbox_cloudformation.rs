//! The application repository and `CloudFormation` in the sandbox, through AWS's own SDK over HTTP.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudformation::types::{
    Capability, ChangeAction, ChangeSetStatus, ChangeSetType, Parameter, Replacement, ResourceStatus, Stack,
    StackEvent, StackStatus, Tag,
};
use aws_sdk_lambda::operation::get_function::{GetFunctionError, GetFunctionOutput};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::Runtime;
use aws_sdk_serverlessrepo::operation::create_cloud_formation_change_set::{
    CreateCloudFormationChangeSetError, CreateCloudFormationChangeSetOutput,
};
use aws_sdk_serverlessrepo::operation::list_application_versions::ListApplicationVersionsOutput;
use aws_sdk_serverlessrepo::types::{ParameterValue, Tag as RepositoryTag};
use rotator::sandbox::{self, Options, Sandbox, faults};

const GENERIC: &str = "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRotationTemplate";
const WITH_TOKEN: &str = "arn:aws:serverlessrepo:us-east-1:123456789012:applications/RotationWithToken";
const ENDPOINT: (&str, &str) = ("endpoint", "https://secretsmanager.us-east-1.amazonaws.com");
const FUNCTION: &str = "SecretsManagerRotationTemplate";

/// A sandbox, and AWS's clients for it.
struct World {
    sandbox: Sandbox,
    stacks: aws_sdk_cloudformation::Client,
    applications: aws_sdk_serverlessrepo::Client,
    functions: aws_sdk_lambda::Client,
}

async fn world() -> World {
    world_with(Options::default()).await
}

async fn world_with(options: Options) -> World {
    let sandbox = sandbox::start(Options { time_scale: 0.02, ..options }).await.expect("it starts");
    let config = aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .endpoint_url(sandbox.url())
        .region(aws_config::Region::new("us-east-1"))
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .credentials_provider(aws_sdk_cloudformation::config::SharedCredentialsProvider::new(
            aws_sdk_cloudformation::config::Credentials::new("123456789012", "secret", None, None, "test"),
        ))
        .build();
    World {
        stacks: aws_sdk_cloudformation::Client::new(&config),
        applications: aws_sdk_serverlessrepo::Client::new(&config),
        functions: aws_sdk_lambda::Client::new(&config),
        sandbox,
    }
}

/// What the service says is wrong: its code and its words.
fn refusal<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    result: Result<T, SdkError<E>>,
) -> (String, String) {
    let error = result.expect_err("it is refused");
    let service = error.as_service_error().unwrap_or_else(|| panic!("the service answers: {error:?}"));
    (service.code().unwrap_or_default().to_owned(), service.message().unwrap_or_default().to_owned())
}

/// A deployment of the generic application, as it is varied.
#[derive(Clone)]
struct Deployment<'a> {
    application: &'a str,
    version: Option<&'a str>,
    parameters: Vec<(&'a str, &'a str)>,
    tags: Vec<(&'a str, &'a str)>,
}

fn generic<'a>(version: Option<&'a str>, more: &[(&'a str, &'a str)]) -> Deployment<'a> {
    let mut parameters = vec![ENDPOINT];
    if more.iter().all(|(name, _)| *name != "functionName") {
        parameters.push(("functionName", "rotate"));
    }
    parameters.extend(more);
    Deployment { application: GENERIC, version, parameters, tags: Vec::new() }
}

impl World {
    async fn change_set(
        &self,
        deployment: &Deployment<'_>,
    ) -> Result<CreateCloudFormationChangeSetOutput, SdkError<CreateCloudFormationChangeSetError>> {
        let mut request = self
            .applications
            .create_cloud_formation_change_set()
            .application_id(deployment.application)
            .stack_name("rotation")
            .capabilities("CAPABILITY_IAM")
            .capabilities("CAPABILITY_RESOURCE_POLICY")
            .set_semantic_version(deployment.version.map(str::to_owned));
        for (name, value) in &deployment.parameters {
            request = request.parameter_overrides(ParameterValue::builder().name(*name).value(*value).build());
        }
        for (key, value) in &deployment.tags {
            request = request.tags(RepositoryTag::builder().key(*key).value(*value).build());
        }
        request.send().await
    }

    /// Makes a change set, waits for it and answers with its ARN and status.
    async fn prepared(&self, deployment: &Deployment<'_>) -> (String, ChangeSetStatus) {
        let made = self.change_set(deployment).await.expect("it is accepted");
        let id = made.change_set_id.expect("it has one");
        let status = self.settled_change_set(&id).await;
        (id, status)
    }

    async fn settled_change_set(&self, id: &str) -> ChangeSetStatus {
        until("the change set is computed", async || {
            let found = self.stacks.describe_change_set().change_set_name(id).send().await.expect("it is there");
            found
                .status
                .filter(|status| !matches!(status, ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress))
        })
        .await
    }

    /// Deploys and waits; answers with the stack as it ends.
    async fn deploy(&self, deployment: &Deployment<'_>) -> Stack {
        let (id, status) = self.prepared(deployment).await;
        assert_eq!(status, ChangeSetStatus::CreateComplete);
        self.stacks.execute_change_set().change_set_name(id).send().await.expect("it can be executed");
        self.settled().await
    }

    async fn stack(&self, name: &str) -> Stack {
        let found = self.stacks.describe_stacks().stack_name(name).send().await.expect("it is there");
        found.stacks.expect("there are some").remove(0)
    }

    /// The stack once nothing is under way with it.
    async fn settled(&self) -> Stack {
        self.settled_stack("serverlessrepo-rotation").await
    }

    async fn settled_stack(&self, name: &str) -> Stack {
        until("nothing is under way", async || {
            let stack = self.stack(name).await;
            let busy = stack.stack_status.as_ref().is_none_or(|status| status.as_str().ends_with("_IN_PROGRESS"));
            (!busy).then_some(stack)
        })
        .await
    }

    async fn events(&self, name: &str) -> Vec<StackEvent> {
        let pages = self.stacks.describe_stack_events().stack_name(name).into_paginator().items().send();
        pages.collect::<Result<_, _>>().await.expect("they can be read")
    }

    /// Why a resource failed.
    async fn reason(&self, name: &str, logical_id: &str) -> String {
        let failed = |event: &StackEvent| {
            event.logical_resource_id.as_deref() == Some(logical_id)
                && event.resource_status.as_ref().is_some_and(|status| status.as_str().ends_with("_FAILED"))
        };
        let event = self.events(name).await.into_iter().find(failed).expect("something failed");
        event.resource_status_reason.expect("it says why")
    }

    async fn function(&self, name: &str) -> Option<GetFunctionOutput> {
        match self.functions.get_function().function_name(name).send().await {
            Ok(found) => Some(found),
            Err(error) => {
                assert!(error.as_service_error().is_some_and(GetFunctionError::is_resource_not_found_exception));
                None
            }
        }
    }

    async fn code(&self, name: &str) -> String {
        let function = self.function(name).await.expect("it is there");
        function.configuration.and_then(|found| found.code_sha256).expect("it has code")
    }

    /// Puts code of our own on the function, as people do after deploying the template.
    async fn upload(&self, name: &str) -> String {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        zip.start_file("lambda_function.py", zip::write::SimpleFileOptions::default()).expect("it is in memory");
        std::io::Write::write_all(&mut zip, b"def lambda_handler(event, context): pass\n").expect("it is in memory");
        let zip = zip.finish().expect("it is in memory").into_inner();
        self.functions
            .update_function_code()
            .function_name(name)
            .zip_file(Blob::new(zip))
            .send()
            .await
            .expect("it is code");
        until("the upload has settled", async || {
            let found =
                self.functions.get_function_configuration().function_name(name).send().await.expect("it is there");
            let settled = found.last_update_status.is_some_and(|status| status.as_str() == "Successful");
            settled.then_some(())
        })
        .await;
        self.code(name).await
    }

    fn fault(&self, script: &str) {
        self.sandbox.shared().script(faults::parse(script).expect("it is a script"));
    }
}

/// Looks until there is something, for a bounded time.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), looking)
        .await
        .unwrap_or_else(|_| panic!("waited for too long: {what}"))
}

fn tags(stack: &Stack) -> BTreeMap<&str, &str> {
    let tags = stack.tags().iter();
    tags.filter_map(|tag| Some((tag.key.as_deref()?, tag.value.as_deref()?))).collect()
}

fn parameters(stack: &Stack) -> BTreeMap<&str, &str> {
    let all = stack.parameters().iter();
    all.filter_map(|one| Some((one.parameter_key.as_deref()?, one.parameter_value.as_deref()?))).collect()
}

/// Without it, the procedure of AWS's user guide might not work here at all.
#[tokio::test]
async fn the_generic_application_becomes_a_stack_with_a_function() {
    let world = world().await;
    let deployment = Deployment { tags: vec![("team", "payments")], ..generic(None, &[]) };
    let (id, _) = world.prepared(&deployment).await;
    let described = world.stacks.describe_change_set().change_set_name(&id).send().await.expect("it is there");
    let kinds: Vec<_> = described.changes().iter().filter_map(|change| change.resource_change()).collect();
    assert!(kinds.iter().all(|change| change.action == Some(ChangeAction::Add)));
    assert_eq!(kinds.len(), 3);
    let waiting = world.stack("serverlessrepo-rotation").await;
    assert_eq!(waiting.stack_status, Some(StackStatus::ReviewInProgress));

    world.stacks.execute_change_set().change_set_name(&id).send().await.expect("it can be executed");
    let stack = world.settled().await;
    assert_eq!(stack.stack_status, Some(StackStatus::CreateComplete));
    let expected = [
        ("serverlessrepo:applicationId", GENERIC),
        ("serverlessrepo:semanticVersion", "1.1.618"),
        ("team", "payments"),
    ];
    assert_eq!(tags(&stack), BTreeMap::from(expected));
    assert_eq!(stack.capabilities(), [Capability::CapabilityIam], "CAPABILITY_RESOURCE_POLICY is never shown");
    let output = &stack.outputs()[0];
    assert_eq!(output.output_key(), Some("RotationLambdaARN"));
    assert_eq!(output.output_value(), Some("arn:aws:lambda:us-east-1:123456789012:function:rotate"));

    let function = world.function("rotate").await.expect("the stack made it");
    let configuration = function.configuration.expect("it has one");
    assert_eq!(configuration.handler(), Some("lambda_function.lambda_handler"));
    assert_eq!(configuration.timeout(), Some(30));
    assert_eq!(configuration.runtime.map(|runtime| runtime.as_str().to_owned()).as_deref(), Some("python3.12"));
    let variables = configuration.environment.and_then(|environment| environment.variables).expect("it has some");
    assert_eq!(variables["SECRETS_MANAGER_ENDPOINT"], ENDPOINT.1);
    let of_function = function.tags.expect("it has some");
    assert_eq!(of_function["team"], "payments");
    assert_eq!(of_function["serverlessrepo:semanticVersion"], "1.1.618");
    assert_eq!(of_function["aws:cloudformation:logical-id"], FUNCTION);
    assert_eq!(Some(of_function["aws:cloudformation:stack-id"].as_str()), stack.stack_id());

    let policy = world.functions.get_policy().function_name("rotate").send().await.expect("the stack made one");
    let policy: serde_json::Value = serde_json::from_str(policy.policy().unwrap_or_default()).expect("it is JSON");
    let statement = &policy["Statement"][0];
    assert_eq!(statement["Principal"]["Service"], "secretsmanager.amazonaws.com");
    assert!(statement.get("Condition").is_none(), "the application's own permission is unscoped");
    let sid = statement["Sid"].as_str().unwrap_or_default();
    assert!(sid.starts_with("serverlessrepo-rotation-LambdaPermission-"), "{sid}");
}

/// A change set is executed once: a client that runs it again must not make things twice.
#[tokio::test]
async fn a_change_set_runs_once_unless_its_request_is_repeated() {
    let world = world().await;
    let (id, _) = world.prepared(&generic(None, &[])).await;
    let execute =
        |token: &'static str| world.stacks.execute_change_set().change_set_name(&id).client_request_token(token).send();
    execute("one").await.expect("it can be executed");
    execute("one").await.expect("the same request is no other one");
    let stack = world.settled().await;
    assert_eq!(stack.stack_status, Some(StackStatus::CreateComplete));
    let (code, message) = refusal(execute("two").await);
    assert_eq!(code, "InvalidChangeSetStatus");
    assert!(message.ends_with("cannot be executed in its current execution status of [EXECUTE_COMPLETE]"), "{message}");
    let creations = world.events("serverlessrepo-rotation").await.into_iter().filter(|event| {
        event.resource_status == Some(ResourceStatus::CreateComplete)
            && event.client_request_token.as_deref() == Some("one")
    });
    assert_eq!(creations.count(), 4, "three resources and the stack, each with the caller's token");
}

/// A change set without changes fails in AWS's words, which is how clients know that there is nothing to do.
#[tokio::test]
async fn nothing_to_change_is_a_failed_change_set() {
    let world = world().await;
    world.deploy(&generic(None, &[])).await;
    let (id, status) = world.prepared(&generic(None, &[])).await;
    assert_eq!(status, ChangeSetStatus::Failed);
    let found = world.stacks.describe_change_set().change_set_name(&id).send().await.expect("it is there");
    assert!(found.status_reason().is_some_and(|reason| reason.contains("didn't contain changes")));
    let (code, message) = refusal(world.stacks.execute_change_set().change_set_name(&id).send().await);
    assert_eq!(code, "InvalidChangeSetStatus");
    assert!(message.ends_with("cannot be executed in its current status of [FAILED]"), "{message}");
    world.stacks.delete_change_set().change_set_name(&id).send().await.expect("it can be deleted");
    assert_eq!(refusal(world.stacks.describe_change_set().change_set_name(&id).send().await).0, "ChangeSetNotFound");
}

/// What is wrong with a request is said before anything is made, in the words that people search for.
#[tokio::test]
async fn bad_requests_are_refused_in_the_words_of_aws() {
    let world = world().await;
    let bare = world.applications.create_cloud_formation_change_set().application_id(GENERIC).stack_name("rotation");
    let (code, message) = refusal(bare.capabilities("CAPABILITY_IAM").send().await);
    assert_eq!(code, "BadRequestException");
    assert_eq!(message, "Required capabilities [CAPABILITY_RESOURCE_POLICY] were not provided.");
    for (deployment, code, message) in [
        (
            Deployment { parameters: vec![("functionName", "rotate")], ..generic(None, &[]) },
            "BadRequestException",
            "Parameters: [endpoint] must have values",
        ),
        (generic(None, &[("foo", "bar")]), "BadRequestException", "Parameters: [foo] do not exist in the template"),
        (
            generic(Some("1.1.500"), &[("runtime", "python3.12")]),
            "BadRequestException",
            "Parameters: [runtime] do not exist in the template",
        ),
        (
            generic(None, &[("runtime", "cobol")]),
            "BadRequestException",
            "Parameter 'runtime' must be one of AllowedValues",
        ),
        (generic(Some("9.9.9"), &[]), "BadRequestException", "does not have a version 9.9.9"),
        (
            Deployment {
                application: "arn:aws:serverlessrepo:us-east-1:297356227824:applications/Unknown",
                ..generic(None, &[])
            },
            "BadRequestException",
            "does not exist",
        ),
    ] {
        let (actual_code, actual) = refusal(world.change_set(&deployment).await);
        assert_eq!(actual_code, code, "{actual}");
        assert!(actual.contains(message), "{actual}");
    }
    let (code, message) = refusal(world.stacks.describe_stacks().stack_name("serverlessrepo-rotation").send().await);
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("ValidationError", "Stack with id serverlessrepo-rotation does not exist")
    );
}

/// A name that is taken is the commonest failure of a first deployment; what is left of it can only be deleted.
#[tokio::test]
async fn a_failed_creation_is_rolled_back() {
    let world = world().await;
    world.sandbox.seed_function("123456789012", "us-east-1", "rotate");
    let stack = world.deploy(&generic(None, &[])).await;
    assert_eq!(stack.stack_status, Some(StackStatus::RollbackComplete));
    assert_eq!(world.reason("serverlessrepo-rotation", FUNCTION).await, "rotate already exists");
    assert!(world.function("rotate").await.is_some(), "it isn't the stack's, so it stays");
    let (code, message) = refusal(world.change_set(&generic(None, &[])).await);
    assert_eq!(code, "BadRequestException");
    assert!(message.ends_with("is in ROLLBACK_COMPLETE state and can not be updated."), "{message}");

    world.stacks.delete_stack().stack_name("serverlessrepo-rotation").send().await.expect("it can be deleted");
    let id = stack.stack_id().expect("it has one");
    assert_eq!(world.settled_stack(id).await.stack_status, Some(StackStatus::DeleteComplete));
    let by_name = world.stacks.describe_stacks().stack_name("serverlessrepo-rotation").send().await;
    assert_eq!(refusal(by_name).0, "ValidationError", "a deleted stack is found by its ARN alone");
}

/// A network that doesn't exist fails the stack, as it does on AWS, instead of passing here and failing there.
#[tokio::test]
async fn a_network_that_does_not_exist_fails_the_stack() {
    let world = world().await;
    let network = [("vpcSubnetIds", "subnet-invalid1"), ("vpcSecurityGroupIds", "sg-1234")];
    let stack = world.deploy(&generic(None, &network)).await;
    assert_eq!(stack.stack_status, Some(StackStatus::RollbackComplete));
    let reason = world.reason("serverlessrepo-rotation", FUNCTION).await;
    assert!(reason.contains("The subnet ID 'subnet-invalid1' does not exist"), "{reason}");
    assert!(world.function("rotate").await.is_none());
}

/// An update touches what the template says otherwise than before, and nothing else: uploaded code survives it unless
/// the template's own code changed.
#[tokio::test]
async fn an_update_changes_only_what_the_template_changes() {
    let world = world().await;
    world.deploy(&generic(Some("1.1.500"), &[])).await;
    assert!(world.functions.get_policy().function_name("rotate").send().await.is_err(), "1.1.500 permits no one");
    let uploaded = world.upload("rotate").await;
    world
        .functions
        .update_function_configuration()
        .function_name("rotate")
        .memory_size(512)
        .send()
        .await
        .expect("it settles");

    let stack = world.deploy(&generic(Some("1.1.560"), &[])).await;
    assert_eq!(stack.stack_status, Some(StackStatus::UpdateComplete));
    assert_eq!(world.code("rotate").await, uploaded, "1.1.560 has the code of 1.1.500");
    world.functions.get_policy().function_name("rotate").send().await.expect("1.1.560 permits Secrets Manager");
    let configuration =
        world.function("rotate").await.and_then(|function| function.configuration).expect("it is there");
    assert_eq!(configuration.memory_size(), Some(512), "what other hands set stays");
    assert_eq!(configuration.runtime().map(Runtime::as_str), Some("python3.11"));

    world.deploy(&generic(Some("1.1.618"), &[])).await;
    assert_ne!(world.code("rotate").await, uploaded, "1.1.618 puts its own code over it");

    let stack = world.deploy(&generic(Some("1.1.500"), &[])).await;
    assert_eq!(stack.stack_status, Some(StackStatus::UpdateComplete));
    assert!(world.functions.get_policy().function_name("rotate").send().await.is_err(), "the permission is gone again");
    let resources =
        world.stacks.list_stack_resources().stack_name("serverlessrepo-rotation").send().await.expect("it is there");
    assert_eq!(resources.stack_resource_summaries().len(), 2);
}

/// Another name is another function, and the change set says so before it happens.
#[tokio::test]
async fn another_name_replaces_the_function() {
    let world = world().await;
    world.deploy(&generic(None, &[])).await;
    let renamed = generic(None, &[("functionName", "other")]);
    let (id, _) = world.prepared(&renamed).await;
    let found = world.stacks.describe_change_set().change_set_name(&id).send().await.expect("it is there");
    let of_function = found
        .changes()
        .iter()
        .filter_map(|change| change.resource_change())
        .find(|change| change.logical_resource_id() == Some(FUNCTION))
        .expect("it changes");
    assert_eq!(of_function.replacement, Some(Replacement::True));
    assert_eq!(of_function.physical_resource_id(), Some("rotate"));
    let target = of_function.details()[0].target().expect("it has one");
    assert_eq!(target.name(), Some("FunctionName"));

    world.stacks.execute_change_set().change_set_name(&id).send().await.expect("it can be executed");
    assert_eq!(world.settled().await.stack_status, Some(StackStatus::UpdateComplete));
    assert!(world.function("rotate").await.is_none());
    assert!(world.function("other").await.is_some());
    world.functions.get_policy().function_name("other").send().await.expect("the permission moved along");
    let events = world.events("serverlessrepo-rotation").await;
    let ids: std::collections::BTreeSet<_> = events.iter().filter_map(|event| event.event_id.clone()).collect();
    assert_eq!(ids.len(), events.len(), "no event is told twice");
    assert!(events.len() > 20, "there is more than one page of them");
    assert!(events.is_sorted_by(|newer, older| newer.timestamp >= older.timestamp), "the newest comes first");
}

/// Tags alone are an update, of the stack and of its function.
#[tokio::test]
async fn tags_reach_the_function() {
    let world = world().await;
    world.deploy(&Deployment { tags: vec![("team", "a"), ("old", "1")], ..generic(None, &[]) }).await;
    let uploaded = world.upload("rotate").await;
    let stack = world.deploy(&Deployment { tags: vec![("team", "b")], ..generic(None, &[]) }).await;
    assert_eq!(stack.stack_status, Some(StackStatus::UpdateComplete));
    assert_eq!(tags(&stack).get("old"), None);
    let function = world.function("rotate").await.expect("it is there");
    let of_function = function.tags.expect("it has some");
    assert_eq!(of_function["team"], "b");
    assert!(!of_function.contains_key("old"));
    assert_eq!(world.code("rotate").await, uploaded);
}

/// AWS never shows a `NoEcho` value again: a client that reads one here would compare it, and differ for ever there.
#[tokio::test]
async fn a_no_echo_value_is_never_shown() {
    let world = world().await;
    let token = ("apiToken", "correct-horse");
    let deployment = Deployment { application: WITH_TOKEN, ..generic(None, &[token]) };
    let stack = world.deploy(&deployment).await;
    assert_eq!(parameters(&stack)["apiToken"], "****");
    let configuration =
        world.functions.get_function_configuration().function_name("rotate").send().await.expect("it is there");
    assert_eq!(configuration.environment.and_then(|e| e.variables).expect("it has some")["API_TOKEN"], token.1);
    let events = format!("{:?}", world.events("serverlessrepo-rotation").await);
    let template = world.stacks.get_template().stack_name("serverlessrepo-rotation").send().await.expect("it has one");
    assert!(!events.contains(token.1) && !format!("{template:?}").contains(token.1));
}

/// An update that fails leaves the stack as it was, and says so.
#[tokio::test]
async fn a_failed_update_is_rolled_back() {
    let world = world().await;
    world.deploy(&generic(None, &[])).await;
    world.fault(
        r#"{"service": "lambda", "operation": "UpdateFunctionConfiguration", "match": "cloudformation.amazonaws.com", "times": 1,
            "error": {"code": "InvalidParameterValueException", "message": "no"}}"#,
    );
    let stack = world.deploy(&generic(None, &[("excludeCharacters", "abc")])).await;
    assert_eq!(stack.stack_status, Some(StackStatus::UpdateRollbackComplete));
    assert_eq!(parameters(&stack)["excludeCharacters"], ":/@\"'\\");
    assert!(world.reason("serverlessrepo-rotation", FUNCTION).await.contains("HandlerErrorCode: InvalidRequest"));
    let stack = world.deploy(&generic(None, &[("excludeCharacters", "abc")])).await;
    assert_eq!(stack.stack_status, Some(StackStatus::UpdateComplete), "it can be tried again");
}

/// A replacement that fails leaves the old function in place, with the new one's remains removed.
#[tokio::test]
async fn a_failed_replacement_keeps_the_old_function() {
    let world = world().await;
    world.deploy(&generic(None, &[])).await;
    world.fault(
        r#"{"service": "lambda", "operation": "AddPermission", "match": "cloudformation.amazonaws.com", "times": 1,
            "error": {"status": 500, "code": "ServiceException", "message": "no"}}"#,
    );
    let stack = world.deploy(&generic(None, &[("functionName", "other")])).await;
    assert_eq!(stack.stack_status, Some(StackStatus::UpdateRollbackComplete));
    assert!(world.function("rotate").await.is_some());
    assert!(world.function("other").await.is_none());
    let output = stack.outputs()[0].output_value().expect("it has one");
    assert!(output.ends_with(":rotate"), "{output}");
    world.functions.get_policy().function_name("rotate").send().await.expect("its permission is left");
}

/// A roll-back that fails is stuck until somebody continues it.
#[tokio::test]
async fn a_stuck_roll_back_can_be_continued() {
    let world = world().await;
    world.deploy(&generic(None, &[])).await;
    world.functions.delete_function().function_name("rotate").send().await.expect("somebody deletes it by hand");
    let stack = world.deploy(&generic(None, &[("excludeCharacters", "abc")])).await;
    assert_eq!(stack.stack_status, Some(StackStatus::UpdateRollbackFailed));
    let refused = world.change_set(&generic(None, &[])).await;
    assert!(refusal(refused).1.ends_with("is in UPDATE_ROLLBACK_FAILED state and can not be updated."));
    let go_on = || world.stacks.continue_update_rollback().stack_name("serverlessrepo-rotation");
    go_on().send().await.expect("it can be continued");
    assert_eq!(world.settled().await.stack_status, Some(StackStatus::UpdateRollbackFailed), "it still isn't there");
    go_on().resources_to_skip(FUNCTION).send().await.expect("it can be skipped");
    assert_eq!(world.settled().await.stack_status, Some(StackStatus::UpdateRollbackComplete));
}

/// What somebody deleted by hand counts as deleted, or no stack could be cleaned up any more.
#[tokio::test]
async fn deletion_removes_what_is_left() {
    let world = world().await;
    let stack = world.deploy(&generic(None, &[])).await;
    world.functions.delete_function().function_name("rotate").send().await.expect("somebody deletes it by hand");
    world.stacks.delete_stack().stack_name("serverlessrepo-rotation").send().await.expect("it can be deleted");
    let id = stack.stack_id().expect("it has one");
    assert_eq!(world.settled_stack(id).await.stack_status, Some(StackStatus::DeleteComplete));
    world
        .stacks
        .delete_stack()
        .stack_name("serverlessrepo-rotation")
        .send()
        .await
        .expect("what isn't there is deleted");
    let again = world.deploy(&generic(None, &[])).await;
    assert_eq!(again.stack_status, Some(StackStatus::CreateComplete), "its name is free again");
}

/// A resource that can't be deleted leaves a stack that can be deleted without it.
#[tokio::test]
async fn a_failed_deletion_can_retain_what_failed() {
    let world = world().await;
    let stack = world.deploy(&generic(None, &[])).await;
    world.fault(
        r#"{"service": "lambda", "operation": "DeleteFunction", "match": "cloudformation.amazonaws.com",
            "error": {"status": 403, "code": "AccessDeniedException", "message": "no"}}"#,
    );
    let delete = || world.stacks.delete_stack().stack_name("serverlessrepo-rotation");
    assert_eq!(
        refusal(delete().retain_resources(FUNCTION).send().await).0,
        "ValidationError",
        "nothing has failed yet"
    );
    delete().send().await.expect("it is accepted");
    let failed = world.settled().await;
    assert_eq!(failed.stack_status, Some(StackStatus::DeleteFailed));
    assert_eq!(
        failed.stack_status_reason(),
        Some("The following resource(s) failed to delete: [SecretsManagerRotationTemplate]. ")
    );
    delete().retain_resources(FUNCTION).send().await.expect("it has failed");
    let id = stack.stack_id().expect("it has one");
    assert_eq!(world.settled_stack(id).await.stack_status, Some(StackStatus::DeleteComplete));
    assert!(world.function("rotate").await.is_some(), "it was retained");
}

/// One operation at a time: the second caller is told which state the stack is in.
#[tokio::test]
async fn a_busy_stack_refuses_more() {
    let world = world().await;
    world.deploy(&generic(None, &[])).await;
    world.fault(r#"{"service": "lambda", "operation": "UpdateFunctionConfiguration", "match": "cloudformation.amazonaws.com", "delay_ms": 600000}"#);
    let (id, _) = world.prepared(&generic(None, &[("excludeCharacters", "abc")])).await;
    world.stacks.execute_change_set().change_set_name(id).send().await.expect("it can be executed");
    let (code, message) = refusal(world.change_set(&generic(None, &[])).await);
    assert_eq!(code, "BadRequestException");
    assert!(message.ends_with("is in UPDATE_IN_PROGRESS state and can not be updated."), "{message}");
    let (code, message) = refusal(world.stacks.delete_stack().stack_name("serverlessrepo-rotation").send().await);
    assert_eq!(code, "ValidationError");
    assert!(message.ends_with("cannot be deleted while in status UPDATE_IN_PROGRESS"), "{message}");
}

/// Who changes their mind during a creation deletes the stack at once, and nothing of it is left.
#[tokio::test]
async fn a_stack_can_be_deleted_while_it_is_created() {
    let world = world().await;
    world.fault(
        r#"{"service": "lambda", "operation": "AddPermission", "match": "cloudformation.amazonaws.com", "delay_ms": 500}"#,
    );
    let (id, _) = world.prepared(&generic(None, &[])).await;
    world.stacks.execute_change_set().change_set_name(id).send().await.expect("it can be executed");
    let stack = until("the function is there", async || {
        world.function("rotate").await?;
        Some(world.stack("serverlessrepo-rotation").await)
    })
    .await;
    world.stacks.delete_stack().stack_name("serverlessrepo-rotation").send().await.expect("it can be deleted");
    let id = stack.stack_id().expect("it has one");
    assert_eq!(world.settled_stack(id).await.stack_status, Some(StackStatus::DeleteComplete));
    assert!(world.function("rotate").await.is_none());
}

/// An update can be called off while it runs; the stack is then as it was.
#[tokio::test]
async fn an_update_can_be_cancelled() {
    let world = world().await;
    world.deploy(&generic(None, &[])).await;
    world.fault(
        r#"{"service": "lambda", "operation": "UpdateFunctionConfiguration", "match": "cloudformation.amazonaws.com",
            "delay_ms": 2000, "times": 1}"#,
    );
    let (id, _) = world.prepared(&generic(None, &[("excludeCharacters", "abc")])).await;
    world.stacks.execute_change_set().change_set_name(id).send().await.expect("it can be executed");
    let cancel = || world.stacks.cancel_update_stack().stack_name("serverlessrepo-rotation").send();
    cancel().await.expect("it is under way");
    let stack = world.settled().await;
    assert_eq!(stack.stack_status, Some(StackStatus::UpdateRollbackComplete));
    assert_eq!(parameters(&stack)["excludeCharacters"], ":/@\"'\\");
    assert_eq!(refusal(cancel().await).0, "ValidationError", "nothing is under way any more");
}

/// A request that comes again with its token, after a lost answer, must find what it made instead of making more.
#[tokio::test]
async fn a_repeated_request_makes_one_change_set() {
    let world = world().await;
    let request = || {
        let request = world.applications.create_cloud_formation_change_set();
        request
            .application_id(GENERIC)
            .stack_name("rotation")
            .capabilities("CAPABILITY_NAMED_IAM")
            .capabilities("CAPABILITY_RESOURCE_POLICY")
            .client_token("4b2a")
            .parameter_overrides(ParameterValue::builder().name(ENDPOINT.0).value(ENDPOINT.1).build())
            .parameter_overrides(ParameterValue::builder().name("functionName").value("rotate").build())
            .send()
    };
    let (first, second) = (request().await.expect("it is accepted"), request().await.expect("it is the same"));
    assert_eq!((&first.change_set_id, &first.stack_id), (&second.change_set_id, &second.stack_id));
    let all = world.stacks.list_change_sets().stack_name("serverlessrepo-rotation").send().await.expect("it is there");
    assert_eq!(all.summaries().len(), 1);
}

/// A protected stack stays.
#[tokio::test]
async fn a_protected_stack_is_not_deleted() {
    let world = world().await;
    world.deploy(&generic(None, &[])).await;
    let protect = |on| {
        world
            .stacks
            .update_termination_protection()
            .stack_name("serverlessrepo-rotation")
            .enable_termination_protection(on)
            .send()
    };
    protect(true).await.expect("it can be");
    assert_eq!(world.stack("serverlessrepo-rotation").await.enable_termination_protection(), Some(true));
    let (code, message) = refusal(world.stacks.delete_stack().stack_name("serverlessrepo-rotation").send().await);
    assert_eq!(code, "ValidationError");
    assert!(message.ends_with("cannot be deleted while TerminationProtection is enabled"), "{message}");
    protect(false).await.expect("it can be");
    world.stacks.delete_stack().stack_name("serverlessrepo-rotation").send().await.expect("it can be deleted");
}

/// A stack of ours can be updated without the repository, with the template that it has.
#[tokio::test]
async fn a_stack_keeps_its_template() {
    let world = world().await;
    world.deploy(&Deployment { tags: vec![("team", "a")], ..generic(None, &[]) }).await;
    let keep = |key: &str| Parameter::builder().parameter_key(key).use_previous_value(true).build();
    let request = || {
        world
            .stacks
            .create_change_set()
            .stack_name("serverlessrepo-rotation")
            .change_set_type(ChangeSetType::Update)
            .capabilities(Capability::CapabilityIam)
            .parameters(keep("endpoint"))
            .parameters(keep("functionName"))
    };
    let (code, message) = refusal(request().change_set_name("a").template_body("{}").send().await);
    assert_eq!(code, "ValidationError");
    assert!(message.contains("interprets no templates"), "{message}");
    let changed = Parameter::builder().parameter_key("excludeCharacters").parameter_value("xyz").build();
    let made = request()
        .change_set_name("a")
        .use_previous_template(true)
        .parameters(changed)
        .send()
        .await
        .expect("it is accepted");
    assert_eq!(world.settled_change_set(made.id().expect("it has one")).await, ChangeSetStatus::CreateComplete);
    let taken = request().change_set_name("a").use_previous_template(true).send().await;
    assert_eq!(refusal(taken).0, "AlreadyExistsException");
    let execute = world.stacks.execute_change_set().stack_name("serverlessrepo-rotation").change_set_name("a");
    execute.send().await.expect("it is found by name, too");
    let stack = world.settled().await;
    assert_eq!(stack.stack_status, Some(StackStatus::UpdateComplete));
    assert_eq!(parameters(&stack)["excludeCharacters"], "xyz");
    assert_eq!(tags(&stack)["team"], "a", "tags that aren't named stay");

    let update = || {
        let update = world.stacks.update_stack().stack_name("serverlessrepo-rotation").use_previous_template(true);
        update.capabilities(Capability::CapabilityIam).parameters(keep("endpoint")).parameters(keep("functionName"))
    };
    let (_, message) = refusal(update().parameters(keep("excludeCharacters")).send().await);
    assert_eq!(message, "No updates are to be performed.");
    update().tags(Tag::builder().key("team").value("b").build()).send().await.expect("there is something to do");
    let stack = world.settled().await;
    assert_eq!(stack.stack_status, Some(StackStatus::UpdateComplete));
    assert_eq!(parameters(&stack)["excludeCharacters"], ":/@\"'\\", "what isn't given is the default again");
}

/// A sandbox that was stopped in the middle of a deployment goes on with it, as AWS does whatever its callers do.
#[tokio::test]
async fn a_deployment_survives_the_sandbox() {
    let folder = tempfile::tempdir().expect("there is room");
    let options = || Options { state_file: Some(folder.path().join("state.json")), ..Options::default() };
    let first = world_with(options()).await;
    first.fault(r#"{"service": "lambda", "operation": "CreateFunction", "match": "cloudformation.amazonaws.com", "delay_ms": 600000}"#);
    let (id, _) = first.prepared(&generic(None, &[])).await;
    first.stacks.execute_change_set().change_set_name(&id).send().await.expect("it can be executed");
    until("the function is being created", async || {
        let events = first.events("serverlessrepo-rotation").await;
        events.iter().any(|event| event.logical_resource_id.as_deref() == Some(FUNCTION)).then_some(())
    })
    .await;
    first.sandbox.shutdown().await.expect("it saves its state");

    let second = world_with(options()).await;
    assert_eq!(second.settled().await.stack_status, Some(StackStatus::CreateComplete));
    assert!(second.function("rotate").await.is_some());
}

/// Without it, a page of versions could repeat or lose one, and with it the newest.
#[tokio::test]
async fn versions_come_in_pages() {
    let world = world().await;
    let pages = world.applications.list_application_versions().application_id(GENERIC).max_items(2).into_paginator();
    let pages: Vec<_> = pages.send().collect::<Result<_, _>>().await.expect("they can be read");
    assert_eq!(pages.len(), 2);
    let numbers: Vec<_> = pages
        .iter()
        .flat_map(ListApplicationVersionsOutput::versions)
        .filter_map(|version| version.semantic_version())
        .collect();
    assert_eq!(numbers, ["1.1.500", "1.1.560", "1.1.618"]);
    let newest = world.applications.get_application().application_id(GENERIC).send().await.expect("it is there");
    let version = newest.version.expect("it has one");
    assert_eq!(version.semantic_version(), Some("1.1.618"));
    let endpoint =
        version.parameter_definitions().iter().find(|one| one.name() == Some("endpoint")).expect("it is declared");
    assert_eq!(endpoint.default_value(), None, "it must be given");
    let older = world.applications.get_application().application_id(GENERIC).semantic_version("1.1.500").send().await;
    let older = older.expect("it is there").version.expect("it has one");
    assert!(older.parameter_definitions().iter().all(|one| one.name() != Some("runtime")));
}
