//! The sandbox as these tests need it: what it holds as JSON, so that it can be prepared, copied and compared.

use std::collections::BTreeMap;
use std::time::Duration;

use rotator::sandbox::{Options, Sandbox, faults, start};
use serde_json::{Map, Value, json};

/// The account and region of every scene.
pub const ACCOUNT: &str = "123456789012";
pub const REGION: &str = "us-east-1";

/// What no output may hold: the value of every secret, of every variable, and the key that signs.
pub const SECRET: &str = "canary-of-a-secret";
pub const VARIABLE: &str = "canary-of-a-variable";
pub const KEY: &str = "canary-of-a-key";

/// The codes of AWS's answers to calls that came too fast.
const THROTTLED: [&str; 3] = ["ThrottlingException", "Throttling", "TooManyRequestsException"];

/// A sandbox in which nothing takes time.
pub struct Aws {
    sandbox: Sandbox,
}

/// All that AWS holds.
#[derive(Debug, Clone)]
pub struct World(Value);

impl Aws {
    /// Starts one that holds this.
    pub async fn start(world: &World) -> Self {
        let account = ACCOUNT.to_owned();
        Self::with(world, Options { account, region: REGION.to_owned(), time_scale: 0.0, ..Options::default() }).await
    }

    /// Starts one with these options.
    pub async fn with(world: &World, options: Options) -> Self {
        let sandbox = start(options).await.expect("a sandbox");
        *sandbox.shared().world() = serde_json::from_value(world.0.clone()).expect("a world");
        Self { sandbox }
    }

    pub fn url(&self) -> String {
        self.sandbox.url()
    }

    /// Puts these rules in force, in place of those before.
    pub fn script(&self, rules: &[Value]) {
        let text = json!(rules).to_string();
        self.sandbox.shared().script(faults::parse(&text).unwrap_or_else(|why| panic!("{text}: {why}")));
    }

    /// How many calls each rule has hit.
    pub fn hits(&self) -> Vec<u64> {
        self.sandbox.shared().faults().hits()
    }

    /// The calls so far, `service.Operation`.
    pub fn calls(&self) -> Vec<String> {
        let entries = self.sandbox.shared().calls().entries();
        entries.into_iter().map(|call| format!("{}.{}", call.service, call.operation)).collect()
    }

    /// How many calls were refused because they came faster than AWS's quotas allow.
    pub fn throttled(&self) -> usize {
        let entries = self.sandbox.shared().calls().entries();
        entries.iter().filter(|call| call.error.as_ref().is_some_and(|code| THROTTLED.contains(&code.as_str()))).count()
    }

    /// What it holds now.
    pub fn world(&self) -> World {
        World(serde_json::to_value(&*self.sandbox.shared().world()).expect("a world is JSON"))
    }

    /// Makes a secret in a region.
    pub fn seed(&self, region: &str, name: &str) {
        assert!(self.sandbox.seed_secret(ACCOUNT, region, name), "{name} is new");
    }

    /// Waits until no stack and no rotation is under way that ends by itself; a rotation that waits for its next try isn't.
    pub async fn settled(&self) {
        for _ in 0..400 {
            let world = self.world();
            let secrets = world.all("secrets", "secrets");
            let tried = |secret: &Value| secret["rotation"]["run"]["tries"].as_u64();
            let rotating =
                secrets.values().any(|secret| secret["rotation"].get("run").is_some() && tried(secret) < Some(4));
            let stacks = world.all("stacks", "stacks");
            let busy = stacks.values().any(|stack| !stack["operation"].is_null());
            if !rotating && !busy {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    pub async fn end(self) {
        self.sandbox.shutdown().await.expect("nothing is saved");
    }
}

impl World {
    /// One with these secrets, and nothing else.
    pub async fn with_secrets(names: &[&str]) -> Self {
        let aws = Self(json!({}));
        let aws = Aws::start(&aws).await;
        for name in names {
            aws.sandbox.seed_secret(ACCOUNT, REGION, name);
        }
        let mut world = aws.world();
        aws.end().await;
        for (_, secret) in world.at("secrets", "secrets").as_object_mut().into_iter().flatten() {
            for (_, version) in secret["versions"].as_object_mut().into_iter().flatten() {
                version["value"] = json!({ "string": SECRET });
            }
        }
        world
    }

    fn at(&mut self, service: &str, part: &str) -> &mut Value {
        &mut self.0["scopes"][format!("{ACCOUNT}/{REGION}")][service][part]
    }

    fn all(&self, service: &str, part: &str) -> Map<String, Value> {
        let all = &self.0["scopes"][format!("{ACCOUNT}/{REGION}")][service][part];
        all.as_object().cloned().unwrap_or_default()
    }

    /// Its functions, by name.
    pub fn functions(&mut self) -> &mut Value {
        self.at("functions", "functions")
    }

    /// Its secrets, by name.
    pub fn secrets(&mut self) -> &mut Value {
        self.at("secrets", "secrets")
    }

    /// Its stacks, by ARN.
    pub fn stacks(&mut self) -> &mut Value {
        self.at("stacks", "stacks")
    }

    /// How many versions a secret has: one more than rotations that came to anything.
    pub fn versions(&self, secret: &str) -> usize {
        self.all("secrets", "secrets")[secret]["versions"].as_object().map_or(0, Map::len)
    }

    /// All that a run could leave behind, in names and numbers that are the same in each run.
    pub fn digest(&self) -> Value {
        let secrets = self.all("secrets", "secrets");
        let secrets: BTreeMap<_, _> = secrets.iter().map(|(name, secret)| (name, secret_digest(secret))).collect();
        let functions = self.all("functions", "functions");
        let functions: BTreeMap<_, _> =
            functions.iter().map(|(name, function)| (name, function_digest(function))).collect();
        let sets = self.all("stacks", "change_sets");
        let stacks = self.all("stacks", "stacks");
        let living = stacks.values().filter(|stack| stack["status"] != "DELETE_COMPLETE");
        let stacks: BTreeMap<_, _> =
            living.map(|stack| (stack["name"].to_string(), stack_digest(stack, &sets))).collect();
        json!({"secrets": secrets, "functions": functions, "stacks": stacks})
    }
}

fn secret_digest(secret: &Value) -> Value {
    let rotation = &secret["rotation"];
    let versions = secret["versions"].as_object().cloned().unwrap_or_default();
    let pending = |version: &&Value| version["stages"] == json!(["AWSPENDING"]);
    json!({
        "on": rotation["enabled"],
        "function": rotation["function"],
        "rules": rotation["rules"],
        "versions": versions.len(),
        "unfinished": versions.values().filter(pending).count(),
    })
}

fn function_digest(function: &Value) -> Value {
    let settings = &function["latest"]["settings"];
    let policies = function["policies"].as_object().cloned().unwrap_or_default();
    let statements = policies.values().flat_map(|policy| policy["statements"].as_array().cloned().unwrap_or_default());
    let statements: Vec<Value> = statements
        .map(|statement| {
            // A stack makes up the ids of its own.
            let sid = statement["Sid"].as_str().filter(|sid| *sid == "SecretsManagerAccess");
            json!([sid, statement["Principal"], statement["Condition"]])
        })
        .collect();
    let tags = function["tags"].as_object().cloned().unwrap_or_default();
    let tags: Map<String, Value> = tags.into_iter().filter(|(name, _)| !name.starts_with("aws:")).collect();
    json!({
        "runtime": settings["runtime"],
        "handler": settings["handler"],
        "timeout": settings["timeout"],
        "environment": settings["environment"],
        "code": function["latest"]["code"]["zip"],
        "statements": statements,
        "tags": tags,
    })
}

fn stack_digest(stack: &Value, sets: &Map<String, Value>) -> Value {
    // Those that ran are history.
    let waits = |set: &&Value| {
        set["stack"] == stack["id"] && matches!(set["execution"].as_str(), Some("Available" | "Unavailable"))
    };
    json!({
        "status": stack["status"],
        "definition": stack["definition"],
        "change sets": sets.values().filter(waits).count(),
    })
}
