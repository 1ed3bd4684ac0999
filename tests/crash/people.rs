//! People who change AWS while an apply is under way, and projects that share a function. The apply is held at one of its calls, a
//! person does something, and it goes on: it overwrites nothing that the plan didn't show, and says in one message what has changed.

use aws_credential_types::Credentials;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::Environment;
use aws_sdk_secretsmanager::types::RotationRulesType;
use serde_json::{Value, json};

use super::course::{COURSES, Undisturbed};
use super::stage::{CALLER, OTHER, Stage, ended};
use super::support::{ACCOUNT, Output, REGION, zip_of};

/// Somebody with rights of their own.
struct Person {
    secrets: aws_sdk_secretsmanager::Client,
    lambda: aws_sdk_lambda::Client,
    stacks: aws_sdk_cloudformation::Client,
}

impl Person {
    async fn at(stage: &Stage) -> Self {
        let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .region(aws_config::Region::new(REGION))
            .credentials_provider(Credentials::new(ACCOUNT, "sandbox", None, None, "test"))
            .endpoint_url(stage.sandbox.url())
            .load()
            .await;
        Self {
            secrets: aws_sdk_secretsmanager::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
            stacks: aws_sdk_cloudformation::Client::new(&config),
        }
    }

    async fn deletes_secret(&self, name: &str) {
        self.secrets.delete_secret().secret_id(name).send().await.expect("it is deleted");
    }

    async fn sets_days(&self, name: &str, days: i64) {
        let rules = RotationRulesType::builder().automatically_after_days(days).build();
        let call = self.secrets.rotate_secret().secret_id(name).rotation_rules(rules).rotate_immediately(false);
        call.send().await.expect("the rules change");
    }

    async fn rotates(&self, name: &str) {
        self.secrets.rotate_secret().secret_id(name).send().await.expect("it rotates");
    }

    async fn sets_timeout(&self, function: &str, seconds: i32) {
        let call = self.lambda.update_function_configuration().function_name(function).timeout(seconds);
        call.send().await.expect("the configuration changes");
    }

    async fn sets_variables(&self, function: &str, variables: &[(&str, &str)]) {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let environment = Environment::builder().set_variables(Some(variables)).build();
        let call = self.lambda.update_function_configuration().function_name(function).environment(environment);
        call.send().await.expect("the variables change");
    }

    async fn uploads(&self, function: &str) {
        let zip = Blob::new(zip_of(&[("theirs.txt", "theirs")]));
        self.lambda.update_function_code().function_name(function).zip_file(zip).send().await.expect("code goes up");
    }

    async fn deletes_function(&self, function: &str) {
        self.lambda.delete_function().function_name(function).send().await.expect("it is deleted");
    }

    async fn permits(&self, function: &str, statement: &str, account: &str) {
        let call = self.lambda.add_permission().function_name(function).statement_id(statement);
        let call = call.action("lambda:InvokeFunction").principal("secretsmanager.amazonaws.com");
        call.source_account(account).send().await.expect("the statement is added");
    }

    async fn deletes_stack(&self, stack: &str) {
        self.stacks.delete_stack().stack_name(stack).send().await.expect("it is going");
    }
}

/// The course that people disturb: of all, it has the most kinds of changes on what is there already.
async fn disturbed() -> Undisturbed {
    let course = COURSES.iter().find(|course| course.name() == "change/apply").expect("it is there");
    Undisturbed::new(course).await
}

const APPLY: &[&str] = &["apply", "--auto-approve", "--allow-simulated"];

/// Holds an apply at a call, has a person do something, and lets it go on.
async fn meanwhile(stage: &Stage, held: &Value, act: impl AsyncFnOnce(&Person)) -> Output {
    let mut rule = held.clone();
    for (name, value) in [("caller", json!(CALLER)), ("times", json!(1)), ("delay_ms", json!(3_600_000))] {
        rule[name] = value;
    }
    stage.script(&json!([rule]).to_string());
    let mut apply = stage.start(CALLER, APPLY);
    assert!(stage.holds(&mut apply).await, "{held} was never called: {}", ended(apply).await.all());
    act(&Person::at(stage).await).await;
    stage.at_rest().await;
    stage.let_go();
    ended(apply).await
}

/// The next apply does what is left, and the one after it finds nothing.
async fn converges(stage: &Stage) {
    stage.run(APPLY).await.exits(0);
    stage.run(&["plan", "--detailed-exitcode"]).await.exits(0).says("No changes.");
    stage.at_rest().await;
}

/// The look before a secret is written to; the one before it is the plan's.
fn look_at(secret: &str) -> Value {
    json!({"operation": "DescribeSecret", "match": secret, "skip": 1})
}

const CHANGED: &str = "somebody has changed it since the plan was made";

/// Without it, an apply would take back what somebody has just decided about a secret, or rotate it once more than was said.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_somebody_changes_meanwhile_is_left_alone() {
    let course = disturbed().await;
    let stage = course.stage().await;
    let output = meanwhile(&stage, &look_at("ruled"), async |person| person.sets_days("ruled", 90).await).await;
    output.exits(1).says(CHANGED).says("rotation.rules was \"every 30 days\", and is \"every 90 days\"");
    converges(&stage).await;
    assert!(super::stage::difference(course.world(), &stage.world()).is_none());

    // It would rotate now, and has just rotated.
    let stage = course.stage().await;
    let before = stage.world()["secrets"]["moved"]["versions"].clone();
    let output = meanwhile(&stage, &look_at("moved"), async |person| person.rotates("moved").await).await;
    output.exits(1).says(CHANGED).says("AWSCURRENT was");
    let after = stage.world()["secrets"]["moved"]["versions"].clone();
    assert_eq!(after.as_u64(), before.as_u64().map(|versions| versions + 1), "one rotation: the person's");
    converges(&stage).await;

    let stage = course.stage().await;
    let output = meanwhile(&stage, &look_at("ruled"), async |person| person.deletes_secret("ruled").await).await;
    output.exits(1).says("marked for deletion");
    stage.run(APPLY).await.exits(1).says("secret.ruled: the secret is scheduled for deletion");
    Person::at(&stage).await.secrets.restore_secret().secret_id("ruled").send().await.expect("it is restored");
    converges(&stage).await;
}

/// Without it, an apply would overwrite code or settings that its plan didn't show; or fail where nothing of it was touched.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_somebody_changes_meanwhile_is_left_alone() {
    const MENDED: &str = "SecretsManagerMended";
    let course = disturbed().await;
    let configuration = json!({"operation": "UpdateFunctionConfiguration", "match": MENDED});
    let code = json!({"operation": "UpdateFunctionCode", "match": MENDED});

    let stage = course.stage().await;
    let output = meanwhile(&stage, &configuration, async |person| person.sets_timeout(MENDED, 77).await).await;
    output.exits(1).says(CHANGED).says("timeout was 3, and is 77");
    assert_eq!(stage.world()["functions"][MENDED]["settings"]["timeout"], 77, "theirs stays");
    converges(&stage).await;

    let stage = course.stage().await;
    let output = meanwhile(&stage, &code, async |person| person.uploads(MENDED).await).await;
    output.exits(1).says(CHANGED).says("code.sha256 was");
    converges(&stage).await;
    assert!(super::stage::difference(course.world(), &stage.world()).is_none());

    // A variable that isn't managed is merged; another statement is none of ours.
    let stage = course.stage().await;
    let theirs = [("MODE", "reckless"), ("THEIRS", "of-somebody-else")];
    let output = meanwhile(&stage, &configuration, async |person| {
        person.sets_variables(MENDED, &theirs).await;
        person.permits(MENDED, "theirs", "888888888888").await;
    });
    output.await.exits(0).says("Apply complete!").keeps_silent_about("reckless").keeps_silent_about("of-somebody-else");
    assert_eq!(stage.world()["functions"][MENDED]["settings"]["environment"]["THEIRS"], "of-somebody-else");
    converges(&stage).await;

    let stage = course.stage().await;
    let permission = json!({"operation": "AddPermission", "match": MENDED});
    let output = meanwhile(&stage, &permission, async |person| {
        person.permits(MENDED, "SecretsManagerAccess", "777777777777").await;
    });
    output.await.exits(1).says(CHANGED).says("777777777777");
    converges(&stage).await;
    assert!(super::stage::difference(course.world(), &stage.world()).is_none());
}

/// Without it, an apply would say only "not found", or make a twin of what somebody has just taken away.
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_deletes_meanwhile_is_said_and_made_again() {
    const MENDED: &str = "SecretsManagerMended";
    let course = disturbed().await;
    let stage = course.stage().await;
    let code = json!({"operation": "UpdateFunctionCode", "match": MENDED});
    let output = meanwhile(&stage, &code, async |person| person.deletes_function(MENDED).await).await;
    output.exits(1).says("Function not found");
    converges(&stage).await;

    let stage = course.stage().await;
    let change_set = json!({"operation": "CreateCloudFormationChangeSet"});
    let name = "serverlessrepo-SecretsManagerChanged";
    let output = meanwhile(&stage, &change_set, async |person| person.deletes_stack(name).await).await;
    output.exits(1).says("has gone since the plan was made").says("nothing was made in its place");
    stage.at_rest().await;
    assert!(stage.world()["stacks"][name].is_null(), "no twin is left over");
    converges(&stage).await;
}

const OWNER: &str = "version: 1
project: owner
functions:
  SecretsManagerShared: {application: {version: 1.1.500}, code: one, shared: true, runtime: java21, handler: example.Handler}
secrets:
  theirs: {function: SecretsManagerShared, rotation: {automatically_after_days: 30}}
";

const GUEST: &str = "version: 1
project: guest
functions: {SecretsManagerShared: {existing: SecretsManagerShared}}
secrets:
  ours: {function: SecretsManagerShared, rotation: {automatically_after_days: 30}}
";

/// Without it, a project that ends would take the function away from under secrets that others have just attached to it.
#[tokio::test(flavor = "multi_thread")]
async fn projects_that_share_a_function_do_not_break_each_other() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in [("owner.yaml", OWNER), ("guest.yaml", GUEST), ("one/example/Handler.class", "code\n")] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it is below the folder")).expect("folders can be made");
        std::fs::write(path, text).expect("files can be written");
    }
    let stage = Stage::open(folder.path(), None, 0.02).await;
    for secret in ["theirs", "ours"] {
        assert!(stage.sandbox.seed_secret(ACCOUNT, REGION, secret));
    }
    stage.run(&["apply", "--auto-approve", "--allow-simulated", "owner.yaml"]).await.exits(0);
    // One goes while the other comes.
    stage.script(&json!([{"operation": "CancelRotateSecret", "caller": CALLER, "delay_ms": 3_600_000}]).to_string());
    let mut destroy = stage.start(CALLER, &["destroy", "--auto-approve", "owner.yaml"]);
    assert!(stage.holds(&mut destroy).await);
    ended(stage.start(OTHER, &["apply", "--auto-approve", "--allow-simulated", "guest.yaml"])).await.exits(0);
    stage.let_go();
    ended(destroy).await.exits(1).says("the secret ours still rotates with its function, which was left alone");
    stage.run(&["plan", "--detailed-exitcode", "guest.yaml"]).await.exits(0);
    stage.at_rest().await;
    assert_eq!(stage.world()["secrets"]["ours"]["on"], true);
    // Both attach at once.
    stage.run(&["destroy", "--auto-approve", "guest.yaml"]).await.exits(0);
    let rules = [(CALLER, 1), (OTHER, 2)]
        .map(|(caller, seed)| json!({"caller": caller, "percent": 40, "seed": seed, "delay_ms": 100}));
    stage.script(&json!(rules).to_string());
    let owner = stage.start(CALLER, &["apply", "--auto-approve", "--allow-simulated", "owner.yaml"]);
    let guest = stage.start(OTHER, &["apply", "--auto-approve", "--allow-simulated", "guest.yaml"]);
    let (owner, guest) = tokio::join!(ended(owner), ended(guest));
    owner.exits(0);
    guest.exits(0);
    stage.let_go();
    for manifest in ["owner.yaml", "guest.yaml"] {
        stage.run(&["plan", "--detailed-exitcode", manifest]).await.exits(0);
    }
}
