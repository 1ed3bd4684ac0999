//! The runs that are disturbed: together they make every call that planning, applying, destroying, rotating, repairing and the showing of
//! logs make.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::aws::{ACCOUNT, Aws, REGION, VARIABLE, World};
use super::run::{Ended, rotator};

/// The function that most scenes deploy. Its runtime is one that the sandbox simulates on every machine, at once.
const FUNCTION: &str = "SecretsManagerFirst";

/// The old prefix of the repository's stacks, under which it updates none any more.
const OLD_STACK: &str = "aws-serverless-repository-SecretsManagerFirst";

/// A run, and what it comes to where nothing disturbs it.
#[derive(Debug)]
pub struct Scene {
    /// Its name, by which cases are chosen.
    pub name: &'static str,
    /// Where its manifest lies.
    pub folder: PathBuf,
    /// What AWS is like before.
    pub world: World,
    /// The command that is disturbed.
    pub command: &'static [&'static str],
    /// What goes wrong in every such run: it is what the scene is about. It is lifted together with what disturbs.
    pub rules: Vec<Value>,
    /// How the command ends where nothing else disturbs it.
    pub first: i32,
    /// The command that shows that nothing is left to do.
    pub check: &'static [&'static str],
    /// How that ends.
    pub checked: i32,
    /// Which operations are tried with every failure; the others are with the typical ones.
    pub thorough: &'static [&'static str],
    /// The calls of an undisturbed run: how often each operation is called.
    pub calls: BTreeMap<String, usize>,
    /// What AWS is like after an undisturbed run, and one more once the scene's own rules are lifted.
    pub end: Value,
}

const APPLY: &[&str] = &["apply", "--auto-approve", "--allow-simulated"];
const PRUNE: &[&str] = &["apply", "--auto-approve", "--allow-simulated", "--prune"];
const DESTROY: &[&str] = &["destroy", "--auto-approve"];
const ALL: &[&str] = &["apply", "--auto-approve", "--allow-simulated", "--all-targets"];
const LOGS: &[&str] =
    &["apply", "--auto-approve", "--allow-simulated", "--rotation-timeout", "1s", "--show-function-logs"];
const ROTATE: &[&str] = &["rotate", "--auto-approve", "--allow-simulated", "--secret", "first"];
const RETRY: &[&str] = &["repair", "retry", "--auto-approve", "--allow-simulated", "--secret", "first"];
const PROMOTE: &[&str] =
    &["repair", "promote", "--auto-approve", "--allow-simulated", "--secret", "first", "--confirm", "first"];
const DROP: &[&str] =
    &["repair", "drop", "--auto-approve", "--allow-simulated", "--secret", "first", "--confirm", "first"];
const PLAN: &[&str] = &["plan", "--detailed-exitcode"];
const PLAN_PRUNE: &[&str] = &["plan", "--detailed-exitcode", "--prune"];

/// A manifest that deploys the function, with these members of it besides, and these other top-level members.
fn manifest(function: &str, rest: &str) -> String {
    format!(
        "version: 1
project: faults
functions:
  {FUNCTION}:
    code: code
    runtime: java21
    handler: rotation.Handler
    {function}
{rest}
"
    )
}

fn create() -> String {
    manifest(
        &format!("application: {{version: 1.1.500}}\n    environment: {{PASSPHRASE: {VARIABLE}}}"),
        &format!("secrets:\n  first: {{function: {FUNCTION}, rotation: {{automatically_after_days: 30}}}}"),
    )
}

fn update() -> String {
    manifest(
        &format!("application: {{version: 1.1.560}}\n    timeout: 21\n    environment: {{PASSPHRASE: {VARIABLE}-2}}"),
        &format!(
            "secrets:
  first: {{function: {FUNCTION}, rotation: {{automatically_after_days: 31}}}}
  second: {{function: {FUNCTION}, rotation: {{automatically_after_days: 30}}}}"
        ),
    )
}

fn mend() -> String {
    manifest(
        &format!("application: {{version: 1.1.500}}\n    environment: {{PASSPHRASE: {VARIABLE}}}"),
        &format!(
            "secrets:
  first: {{function: {FUNCTION}, rotation: {{enabled: false}}}}
  second: {{function: {FUNCTION}, rotation: {{automatically_after_days: 30}}}}"
        ),
    )
}

/// A function whose process ends before it says a word, so that its rotations never finish.
fn unfinished(secret: bool) -> String {
    let secrets = "secrets:
  first: {function: SecretsManagerBroken, rotation: {automatically_after_days: 30}}";
    format!(
        "version: 1
project: faults
functions:
  SecretsManagerBroken: {{code: broken, runtime: provided.al2023, handler: any}}
{}
",
        if secret { secrets } else { "" }
    )
}

/// Other code for the function, which is tested then.
fn verified() -> String {
    manifest(
        &format!("application: {{version: 1.1.500}}\n    verify: true\n    environment: {{PASSPHRASE: {VARIABLE}}}"),
        &format!("secrets:\n  first: {{function: {FUNCTION}, rotation: {{automatically_after_days: 30}}}}"),
    )
}

/// Two targets of one account and region, each with a function and a secret.
fn targets() -> String {
    let secrets = "targets: {first: {}, second: {}}
secrets:
  key: {name: \"${target}\", function: SecretsManagerFirst, rotation: {automatically_after_days: 30}}";
    manifest(
        &format!(
            "name: \"SecretsManager-${{target}}\"\n    application: {{version: 1.1.500}}\n    environment: {{PASSPHRASE: {VARIABLE}}}"
        ),
        secrets,
    )
}

fn roles() -> String {
    let role = |name: &str| format!("\"arn:aws:iam::{ACCOUNT}:role/{name}\"");
    format!(
        "targets:\n  here: {{region: {REGION}, role: {}, apply_role: {}}}\n{}",
        role("read"),
        role("apply"),
        create().trim_start()
    )
}

/// Makes all scenes, each in a folder of its own below this one, and runs each once undisturbed.
pub async fn all(below: &Path) -> Vec<Scene> {
    let before = below.join("before");
    let empty = World::with_secrets(&["first", "second"]).await;
    let standing = after(&before, &create(), &empty).await;
    let (standing_again, rotated, stuck) = (standing.clone(), standing.clone(), stuck(standing.clone()));
    let broken = after(&before, &unfinished(false), &empty).await;
    let everything = &["*"];
    let scene = |name, text: &str, world: World, command, thorough| Scene {
        name,
        folder: folder(below, name, text),
        world,
        command,
        rules: Vec::new(),
        first: 0,
        check: PLAN,
        checked: 0,
        thorough,
        calls: BTreeMap::new(),
        end: Value::Null,
    };
    let fails = json!({
        "service": "lambda", "operation": "CreateFunction", "match": "cloudformation.amazonaws.com",
        "error": {"status": 403, "code": "AccessDeniedException", "message": "no"},
    });
    let nothing = "version: 1\nproject: faults\n";
    let mut scenes = vec![
        scene("create", &create(), empty.clone(), APPLY, everything),
        scene("update", &update(), rolled_back(standing.clone()), APPLY, &["cloudformation.DescribeStackResources"]),
        scene(
            "mend",
            &mend(),
            neglected(standing.clone()),
            APPLY,
            &["cloudformation.CreateChangeSet", "lambda.RemovePermission", "secretsmanager.CancelRotateSecret"],
        ),
        Scene {
            check: PLAN_PRUNE,
            ..scene("prune", nothing, standing.clone(), PRUNE, &["cloudformation.DeleteStack"])
        },
        Scene { check: DESTROY, ..scene("destroy", &create(), standing.clone(), DESTROY, &[]) },
        scene("replace", &create(), without_function(standing.clone()), APPLY, &[]),
        Scene {
            first: 1,
            checked: 2,
            ..scene("elsewhere", &update(), elsewhere(standing), APPLY, &["cloudformation.DeleteChangeSet"])
        },
        Scene {
            first: 1,
            rules: vec![fails],
            ..scene("rollback", &create(), empty.clone(), APPLY, &["cloudformation.DescribeStackEvents"])
        },
        Scene { first: 4, ..scene("unfinished", &unfinished(true), broken, LOGS, &["logs.FilterLogEvents"]) },
        scene("verify", &verified(), standing_again, APPLY, &["logs.FilterLogEvents", "secretsmanager.RotateSecret"]),
        scene("targets", &targets(), empty.clone(), ALL, &[]),
        scene("rotate", &create(), rotated, ROTATE, &[]),
        scene("retry", &create(), stuck.clone(), RETRY, &["secretsmanager.ListSecretVersionIds"]),
        scene("promote", &create(), stuck.clone(), PROMOTE, &["secretsmanager.UpdateSecretVersionStage"]),
        scene("drop", &create(), stuck, DROP, &[]),
        scene("roles", &roles(), empty, APPLY, &["sts.AssumeRole", "sts.GetCallerIdentity"]),
    ];
    futures::future::join_all(scenes.iter_mut().map(rehearse)).await;
    scenes
}

/// A folder with a manifest and its functions' code.
fn folder(below: &Path, name: &str, manifest: &str) -> PathBuf {
    let folder = below.join(name);
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("has a parent")).expect("folders can be made");
        std::fs::write(&path, text).expect("files can be written");
        path
    };
    write("rotator.yaml", manifest);
    write("code/rotation/Handler.class", if ["update", "verify"].contains(&name) { "newer code" } else { "code" });
    let bootstrap = write("broken/bootstrap", "#!/bin/sh\nexit 1\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(bootstrap, std::fs::Permissions::from_mode(0o755)).expect("modes can be set");
    }
    folder
}

/// What a world is like after a manifest was applied to it.
async fn after(below: &Path, manifest: &str, world: &World) -> World {
    let folder = folder(below, "any", manifest);
    let aws = Aws::start(world).await;
    let ended = rotator(&aws, &folder, APPLY, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.all());
    let after = aws.world();
    aws.end().await;
    after
}

/// One in which others have been: a permission for another account, a stack without the project's tag.
fn neglected(mut world: World) -> World {
    let function = &mut world.functions()[FUNCTION];
    for statement in function["policies"][""]["statements"].as_array_mut().into_iter().flatten() {
        statement["Condition"] = json!({"StringEquals": {"AWS:SourceAccount": "999999999999"}});
    }
    function["tags"].as_object_mut().and_then(|tags| tags.remove("rotator:project")).expect("it was ours");
    for stack in world.stacks().as_object_mut().into_iter().flatten().map(|(_, stack)| stack) {
        let tags = stack["definition"]["tags"].as_object_mut();
        tags.and_then(|tags| tags.remove("rotator:project")).expect("it was ours");
    }
    world
}

/// One in which somebody has deleted the function by hand.
fn without_function(mut world: World) -> World {
    world.functions().as_object_mut().and_then(|all| all.remove(FUNCTION)).expect("the function is there");
    world
}

/// One in which a rotation began a day ago, and nothing tries it any more.
fn stuck(mut world: World) -> World {
    let secret = &mut world.secrets()["first"];
    let versions = secret["versions"].as_object_mut().expect("it has versions");
    let current = versions.values().find(|version| version["stages"].to_string().contains("AWSCURRENT"));
    let mut pending = current.cloned().expect("it has a value");
    pending["stages"] = json!(["AWSPENDING"]);
    let created = pending["created"].as_i64().expect("a time in milliseconds");
    pending["created"] = json!(created - 24 * 60 * 60 * 1000);
    versions.insert("0197a3c5-6f1e-4d52-8b0f-5a4c3e2d1f00".to_owned(), pending);
    world
}

/// One whose stack's last update failed, and was taken back.
fn rolled_back(mut world: World) -> World {
    for (_, stack) in world.stacks().as_object_mut().into_iter().flatten() {
        stack["status"] = json!("UPDATE_ROLLBACK_COMPLETE");
    }
    world
}

/// One whose stack has the name of an older time.
fn elsewhere(mut world: World) -> World {
    for (_, stack) in world.stacks().as_object_mut().into_iter().flatten() {
        stack["name"] = json!(OLD_STACK);
    }
    world
}

/// Runs a scene undisturbed: what it calls, and what it comes to.
async fn rehearse(scene: &mut Scene) {
    let aws = Aws::start(&scene.world).await;
    aws.script(&scene.rules);
    let first = rotator(&aws, &scene.folder, scene.command, &[]).await;
    assert_eq!(first.code, scene.first, "{}: {}", scene.name, first.all());
    for call in aws.calls() {
        *scene.calls.entry(call).or_default() += 1;
    }
    aws.script(&[]);
    let again = rotator(&aws, &scene.folder, &scene.next(&first), &[]).await;
    assert!(scene.may_end(&again), "{}: {}", scene.name, again.all());
    let checked = rotator(&aws, &scene.folder, scene.check, &[]).await;
    assert_eq!(checked.code, scene.checked, "{}: {}", scene.name, checked.all());
    aws.settled().await;
    scene.end = aws.world().digest();
    aws.end().await;
}

impl Scene {
    /// The command that follows a run: the same once more, or what goes on with its id.
    pub fn next<'a>(&self, before: &'a Ended) -> Vec<&'a str> {
        let id = before.stdout.lines().next().and_then(|line| line.strip_prefix("Run "));
        self.command.iter().copied().chain(id.into_iter().flat_map(|id| ["--resume", id])).collect()
    }

    /// Whether the next undisturbed run of its command may end so.
    pub fn may_end(&self, ended: &Ended) -> bool {
        match self.name {
            // What it is about stays.
            "elsewhere" => ended.code == 1,
            // A rotation that was accepted isn't asked for again.
            "unfinished" => matches!(ended.code, 0 | 4),
            _ => ended.code == 0,
        }
    }
}
