//! What is applied: each scenario is a world as it was made before, and a manifest that changes it. Together they make every kind of
//! change that `rotator` knows.
//!
//! The functions' runtime is one that no machine here has, so that the sandbox simulates their rotations: what is tried here is
//! `rotator`, hundreds of times, and not the functions.

use std::path::Path;

use rotator::sandbox::faults::When;
use rotator::sandbox::state::Region;
use serde_json::json;

use super::stage::{Call, Saved, Stage};
use super::support::{ACCOUNT, REGION};

/// A world and what is to become of it.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    /// The secrets that there are.
    secrets: &'static [&'static str],
    /// The manifests that made the world, in their order.
    made_by: &'static [&'static str],
    /// What others did since.
    by_hand: fn(&mut Region),
    /// The manifest, and whether orphans are ended.
    manifest: &'static str,
    pub prune: bool,
}

/// All of them.
pub const ALL: &[Scenario] = &[FIRST, CHANGE, TAKE, PRUNE, REPLACE, VERIFY, TARGETS, LEAKED, STUCK, FAILING];

/// The scenario of a name.
pub fn named(name: &str) -> &'static Scenario {
    ALL.iter().find(|scenario| scenario.name == name).expect("a scenario's name")
}

/// A first deployment: stack, configuration, environment, VPC, code, permission, two rotations.
const FIRST: Scenario = Scenario {
    name: "first",
    secrets: &["first-1", "first-2"],
    made_by: &[],
    by_hand: |_| {},
    manifest: r#"
functions:
  SecretsManagerFirst:
    application: {version: 1.1.500, parameters: {excludeCharacters: "/@"}}
    code: one
    environment: {MODE: careful}
    memory: 256
    timeout: 60
    description: Rotates what is first
    vpc: {subnets: [subnet-0a1], security_groups: [sg-0c3]}
secrets:
  first-1: {function: SecretsManagerFirst}
  first-2:
    function: SecretsManagerFirst
    rotation: {schedule_expression: "cron(0 8 1 * ? *)", duration: 2h, rotate_immediately: false}
"#,
    prune: false,
};

/// Changes: another version and parameter, variables, code, tags, a replaced permission, drift; rules changed, function changed,
/// rotation switched off and on.
const CHANGE: Scenario = Scenario {
    name: "change",
    secrets: &["ruled", "moved", "paused", "resumed", "kept"],
    made_by: &[r"
functions:
  SecretsManagerChanged: {application: {version: 1.1.500}, code: one, environment: {MODE: careful, OLD: gone}, timeout: 30}
  SecretsManagerMended: {application: {version: 1.1.500}, code: one, environment: {MODE: careful}}
secrets:
  ruled: {function: SecretsManagerChanged}
  moved: {function: SecretsManagerChanged}
  paused: {function: SecretsManagerMended}
  resumed: {function: SecretsManagerMended, rotation: {enabled: false}}
  kept: {function: SecretsManagerMended}
"],
    by_hand: |region| {
        let mended = region.functions.functions.get_mut("SecretsManagerMended").expect("it was deployed");
        mended.latest.settings.timeout = 3;
        mended.latest.settings.environment.insert("MODE".to_owned(), "reckless".to_owned());
        for statement in mended.policies.values_mut().flat_map(|policy| &mut policy.statements) {
            let other = json!({"StringEquals": {"AWS:SourceAccount": "999999999999"}});
            statement.condition = other.as_object().cloned().expect("an object");
        }
    },
    manifest: r#"
functions:
  SecretsManagerChanged:
    application: {version: 1.1.618, parameters: {excludeCharacters: "/@"}}
    code: two
    environment: {MODE: bold, OLD: null}
    timeout: 45
    shared: true
  SecretsManagerMended: {application: {version: 1.1.500}, code: two, environment: {MODE: careful}, timeout: 30}
secrets:
  ruled: {function: SecretsManagerChanged, rotation: {schedule_expression: "cron(0 8 1 * ? *)", duration: 2h}}
  moved: {function: SecretsManagerMended, rotation: {rotate_immediately: true}}
  paused: {function: SecretsManagerMended, rotation: {enabled: false}}
  resumed: {function: SecretsManagerMended}
  kept: {function: SecretsManagerMended}
"#,
    prune: false,
};

/// Stacks that change hands: adopted, taken along by a renamed project, let go; and a function that is only used.
const TAKE: Scenario = Scenario {
    name: "take",
    secrets: &["adopted", "renamed", "let-go", "used-1", "used-2"],
    made_by: &[
        r"
project: before
functions:
  SecretsManagerAdopted: {application: {version: 1.1.500}, code: one}
secrets:
  adopted: {function: SecretsManagerAdopted}
",
        r"
project: before
removed: [function.SecretsManagerAdopted, secret.adopted]
",
        r"
project: earlier
functions:
  SecretsManagerRenamed: {application: {version: 1.1.500}, code: one}
  SecretsManagerLetGo: {application: {version: 1.1.500}, code: one}
secrets:
  renamed: {function: SecretsManagerRenamed}
  let-go: {function: SecretsManagerLetGo}
",
    ],
    by_hand: |region| {
        let used = region.functions.functions.get_mut("hand-made").expect("it was seeded");
        "java21".clone_into(&mut used.latest.settings.runtime);
    },
    manifest: r"
renamed_from: earlier
removed: [function.SecretsManagerLetGo, secret.let-go]
functions:
  SecretsManagerAdopted: {application: {version: 1.1.500}, code: two}
  SecretsManagerRenamed: {application: {version: 1.1.500}, code: one, shared: true}
  hand-made: {existing: hand-made, runtime: null, handler: null}
secrets:
  adopted: {function: SecretsManagerAdopted, rotation: {automatically_after_days: 60}}
  renamed: {function: SecretsManagerRenamed}
  used-1: {function: hand-made}
  used-2: {function: hand-made}
",
    prune: false,
};

/// Orphans that end: secrets detached, stacks deleted; one secret stays with another function.
const PRUNE: Scenario = Scenario {
    name: "prune",
    secrets: &["gone-1", "gone-2", "gone-3", "saved", "stays"],
    made_by: &[r"
functions:
  SecretsManagerGone: {application: {version: 1.1.500}, code: one}
  SecretsManagerGoneToo: {application: {version: 1.1.618}, code: one}
  SecretsManagerStays: {application: {version: 1.1.500}, code: one}
secrets:
  gone-1: {function: SecretsManagerGone}
  gone-2: {function: SecretsManagerGone}
  gone-3: {function: SecretsManagerGoneToo}
  saved: {function: SecretsManagerGone}
  stays: {function: SecretsManagerStays}
"],
    by_hand: |_| {},
    manifest: r"
functions:
  SecretsManagerStays: {application: {version: 1.1.500}, code: one}
secrets:
  saved: {function: SecretsManagerStays}
  stays: {function: SecretsManagerStays}
",
    prune: true,
};

/// Stacks that must go before they can be made again: one whose creation failed, and one whose function somebody deleted.
const REPLACE: Scenario = Scenario {
    name: "replace",
    secrets: &["failed", "empty"],
    made_by: &[r"
functions:
  SecretsManagerFailed: {application: {version: 1.1.500}, code: one}
  SecretsManagerEmpty: {application: {version: 1.1.500}, code: one}
secrets:
  failed: {function: SecretsManagerFailed}
  empty: {function: SecretsManagerEmpty}
"],
    by_hand: |region| {
        region.functions.functions.remove("SecretsManagerEmpty");
    },
    manifest: r"
functions:
  SecretsManagerFailed: {application: {version: 1.1.500}, code: one}
  SecretsManagerEmpty: {application: {version: 1.1.500}, code: two}
secrets:
  failed: {function: SecretsManagerFailed}
  empty: {function: SecretsManagerEmpty}
",
    prune: false,
};

/// Functions that are tested once they have changed: new code, and a new configuration.
const VERIFY: Scenario = Scenario {
    name: "verify",
    secrets: &["coded", "configured"],
    made_by: &[r#"
functions:
  SecretsManagerCoded: {application: {version: 1.1.500}, code: one}
  SecretsManagerConfigured: {application: {version: 1.1.500}, code: one}
secrets:
  coded: {function: SecretsManagerCoded, rotation: {schedule_expression: "cron(0 8 1 1 ? *)", duration: 2h}}
  configured: {function: SecretsManagerConfigured}
"#],
    by_hand: |_| {},
    manifest: r#"
functions:
  SecretsManagerCoded: {application: {version: 1.1.500}, code: two, verify: true}
  SecretsManagerConfigured: {application: {version: 1.1.500}, code: one, timeout: 45, verify: configured}
secrets:
  coded: {function: SecretsManagerCoded, rotation: {schedule_expression: "cron(0 8 1 1 ? *)", duration: 2h}}
  configured: {function: SecretsManagerConfigured}
"#,
    prune: false,
};

/// Several targets, which are applied side by side: one deploys, one changes what it has.
const TARGETS: Scenario = Scenario {
    name: "targets",
    secrets: &["dev-key", "prod-key"],
    made_by: &[r#"
project: targets
targets: {prod: {}}
functions:
  keys: {name: "SecretsManager-${target}", application: {version: 1.1.500}, code: one}
secrets:
  key: {name: "${target}-key", function: keys}
"#],
    by_hand: |_| {},
    manifest: r#"
targets: {dev: {}, prod: {}}
functions:
  keys: {name: "SecretsManager-${target}", application: {version: 1.1.500}, code: two, environment: {MODE: "${target}"}}
secrets:
  key: {name: "${target}-key", function: keys, rotation: {automatically_after_days: 7}}
"#,
    prune: false,
};

/// Secrets that leaked: both get other values, by one function.
const LEAKED: Scenario = Scenario {
    name: "leaked",
    secrets: &["leaked-1", "leaked-2"],
    made_by: &[LEAKED_MANIFEST],
    by_hand: |_| {},
    manifest: LEAKED_MANIFEST,
    prune: false,
};

const LEAKED_MANIFEST: &str = r"
functions:
  SecretsManagerLeaked: {application: {version: 1.1.500}, code: one}
secrets:
  leaked-1: {function: SecretsManagerLeaked}
  leaked-2: {function: SecretsManagerLeaked}
";

/// Rotations that were cancelled a day ago, after their functions had made versions; only one of them is repaired.
const STUCK: Scenario = Scenario {
    name: "stuck",
    secrets: &["stuck", "left"],
    made_by: &[r"
functions:
  SecretsManagerStuck: {application: {version: 1.1.500}, code: one}
secrets:
  stuck: {function: SecretsManagerStuck, rotation: {rotate_immediately: false}}
  left: {function: SecretsManagerStuck, rotation: {rotate_immediately: false}}
"],
    by_hand: cancelled,
    manifest: r"
functions:
  SecretsManagerStuck: {application: {version: 1.1.500}, code: one}
secrets:
  stuck: {function: SecretsManagerStuck, rotation: {enabled: false}}
  left: {function: SecretsManagerStuck, rotation: {enabled: false}}
",
    prune: false,
};

/// The same, and the manifest wants them on: they are, once the sandbox has begun.
const FAILING: Scenario = Scenario {
    name: "failing",
    manifest: r"
functions:
  SecretsManagerStuck: {application: {version: 1.1.500}, code: one}
secrets:
  stuck: {function: SecretsManagerStuck}
  left: {function: SecretsManagerStuck}
",
    ..STUCK
};

/// Leaves versions pending since a day, and nothing that tries them.
fn cancelled(region: &mut Region) {
    for name in ["stuck", "left"] {
        let secret = region.secrets.edit(name).expect("it was seeded");
        let current = secret.versions.values().find(|version| version.has("AWSCURRENT"));
        let mut pending = current.cloned().expect("it has a value");
        pending.stages = vec!["AWSPENDING".to_owned()];
        pending.created.0 -= 24 * 60 * 60 * 1000;
        secret.versions.insert("0197a3c5-6f1e-4d52-8b0f-5a4c3e2d1f00".to_owned(), pending);
        let rotation = secret.rotation.as_mut().expect("it rotates");
        (rotation.enabled, rotation.next) = (false, None);
    }
}

/// What every manifest begins with.
const HEAD: &str = r"version: 1
defaults:
  functions: {runtime: java21, handler: example.Handler}
  secrets: {rotation: {automatically_after_days: 30}}
";

impl Scenario {
    /// The manifest as a file.
    fn text(&self, manifest: &str) -> String {
        let project = if manifest.contains("project:") { String::new() } else { format!("project: {}\n", self.name) };
        format!("{HEAD}{project}{}", manifest.trim_start())
    }

    /// Writes the manifests and the code that they name.
    fn write(&self, folder: &Path) {
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().expect("it is below the folder")).expect("folders can be made");
            std::fs::write(path, text).expect("files can be written");
        };
        for (number, manifest) in self.made_by.iter().enumerate() {
            write(&format!("before-{number}.yaml"), &self.text(manifest));
        }
        write("rotator.yaml", &self.text(self.manifest));
        for code in ["one", "two"] {
            write(&format!("{code}/example/Handler.class"), &format!("the code of {code}\n"));
        }
    }

    /// Makes the world that each attempt starts from.
    pub async fn prepare(&self, folder: &Path) -> Saved {
        self.write(folder);
        let stage = Stage::open(folder, None, 0.02).await;
        for name in self.secrets {
            assert!(stage.sandbox.seed_secret(ACCOUNT, REGION, name));
        }
        assert!(stage.sandbox.seed_function(ACCOUNT, REGION, "hand-made"));
        if self.name == REPLACE.name {
            stage.script(
                r#"[{"service": "lambda", "operation": "CreateFunction", "match": "SecretsManagerFailed",
                     "error": {"code": "AccessDeniedException", "message": "no", "status": 403}}]"#,
            );
        }
        for number in 0..self.made_by.len() {
            let output =
                stage.run(&["apply", "--auto-approve", "--allow-simulated", &format!("before-{number}.yaml")]).await;
            let expected = i32::from(self.name == REPLACE.name);
            assert_eq!(output.code, expected, "{}: {}", self.name, output.all());
        }
        stage.at_rest().await;
        stage.let_go();
        stage.sandbox.shared().write(ACCOUNT, REGION, self.by_hand);
        stage.close().await
    }
}

/// How a call is disturbed, in words for people.
pub fn word(when: When) -> &'static str {
    match when {
        When::Unread => "unread",
        When::Before => "before",
        When::After => "after",
    }
}

/// The calls of an undisturbed run, each of which is a point.
pub fn points(calls: Vec<Call>) -> impl Iterator<Item = (Call, When)> {
    calls.into_iter().flat_map(|call| [(call.clone(), When::Before), (call, When::After)])
}
