//! Single differences put into a live state that was as wanted, each with what a plan must say of it, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use rotator::model::live::{Configuration, LiveFunction, LiveSecret, LiveStack, Reading, Statement};
use rotator::model::schedule::worst_gap_hours;
use rotator::model::{
    Address, Deployment, Desired, Function, Kind, Live, PERMISSION_STATEMENT, PROJECT_TAG, PackagedFile,
    SAR_VERSION_TAG, SHARED_TAG, Secret, Sensitive, Vpc,
};
use rotator::plan::Effect;

use super::wanted::{ACCOUNT, EARLIER, PROJECT, WITH_TOKEN, all_rules, called, function_arn, statement};
use crate::cases::Throws;

/// What a plan must say of one address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    pub paths: BTreeSet<String>,
    pub effects: BTreeSet<Effect>,
}

impl Said {
    fn path(&mut self, path: impl Into<String>) {
        self.paths.insert(path.into());
    }

    fn all(&mut self, paths: &[&str]) {
        self.paths.extend(paths.iter().map(|path| (*path).to_owned()));
    }
}

/// What a plan must say, by address; addresses without a difference aren't in it.
pub type Expected = BTreeMap<Address, Said>;

/// Puts differences into the live state, as the dice that made the entries go on to decide.
pub fn drift(
    wanted: &Desired,
    live: &mut Live,
    functions: &mut [(String, Throws<'_>)],
    secrets: &mut [(String, Throws<'_>)],
) -> Expected {
    let mut expected = Expected::new();
    for (handle, throws) in functions {
        let function = &wanted.functions[handle.as_str()];
        let one = live.functions.get_mut(handle.as_str()).expect("mirrored");
        let said = function_drift(throws, function, one);
        expected.insert(wanted.address(Kind::Function, handle), said);
    }
    for (handle, throws) in secrets {
        let secret = &wanted.secrets[handle.as_str()];
        let Some(Reading::Found(one)) = live.secrets.get_mut(handle.as_str()) else { continue };
        let said = secret_drift(throws, wanted, secret, one);
        expected.insert(wanted.address(Kind::Secret, handle), said);
    }
    expected.retain(|_, said| !said.paths.is_empty());
    expected
}

pub fn function_drift(throws: &mut Throws<'_>, function: &Function, live: &mut LiveFunction) -> Said {
    let mut said = Said::default();
    let LiveFunction { stack, configuration: Reading::Found(configuration), policy, application, .. } = live else {
        return said;
    };
    let (Some(wanted), Reading::Found(stack)) = (function.deployment(), stack) else {
        // Nothing is written to a function that the manifest only uses.
        if throws.chance(50) {
            configuration.settings.timeout = Some(77);
            "code of somebody".clone_into(&mut configuration.code_sha256);
        }
        return said;
    };
    let declares_vpc = application.found().is_some_and(|version| version.parameters.contains_key("vpcSubnetIds"));
    stack_drift(throws, wanted, stack, &mut said);
    vpc_drift(throws, wanted, stack, configuration, declares_vpc, &mut said);
    // A parameter that can't be read back goes along with whatever else the stack's update does.
    let updates = said.paths.iter().any(|path| path.starts_with("application."));
    if updates && wanted.application.parameters.contains_key("apiToken") {
        said.path("application.parameters.apiToken");
    }
    tag_drift(throws, wanted, stack, &mut said);
    configuration_drift(throws, wanted, configuration, &mut said);
    code_drift(throws, wanted, configuration, &mut said);
    permission_drift(throws, &stack.name, policy, &mut said);
    // By what is loaded: no variable of the dice loads any.
    let of_strangers = wanted.application.id == WITH_TOKEN;
    let is_code = |path: &String| {
        ["runtime", "handler", "layers", "application.version"].contains(&path.as_str())
            || (of_strangers && path.starts_with("application.parameters."))
    };
    if said.paths.iter().any(is_code) {
        said.effects.insert(Effect::ReplacesCode);
    }
    said
}

fn stack_drift(throws: &mut Throws<'_>, wanted: &Deployment, stack: &mut LiveStack, said: &mut Said) {
    if throws.chance(15) {
        stack.tags.insert(SAR_VERSION_TAG.to_owned(), "0.9.0".to_owned());
        match wanted.application.version {
            Some(_) => said.path("application.version"),
            // Without a pin, whatever is live is right; the version that was read would be the live one.
            None => {
                stack.tags.insert(SAR_VERSION_TAG.to_owned(), super::wanted::NEWEST.to_owned());
            }
        }
    }
    if throws.chance(20) {
        stack.parameters.insert("excludeCharacters".to_owned(), Sensitive::new("drifted"));
        if wanted.application.parameters.contains_key("excludeCharacters") {
            said.path("application.parameters.excludeCharacters");
        }
    }
}

fn vpc_drift(
    throws: &mut Throws<'_>,
    wanted: &Deployment,
    stack: &mut LiveStack,
    live: &mut Configuration,
    declared: bool,
    said: &mut Said,
) {
    let (drifts, of_stack, of_function) = (throws.chance(25), throws.chance(50), throws.chance(50));
    if !drifts {
        return;
    }
    let foreign = Vpc::new(["subnet-9".to_owned()], ["sg-9".to_owned()]);
    let managed = wanted.settings.vpc.is_some();
    if of_function {
        live.settings.vpc = Some(foreign.clone());
    }
    if of_stack && declared {
        stack.parameters.insert("vpcSubnetIds".to_owned(), Sensitive::new("subnet-9"));
        stack.parameters.insert("vpcSecurityGroupIds".to_owned(), Sensitive::new("sg-9"));
    }
    // Through the stack where that has it otherwise too; a function that is where it should be is let be.
    if managed && of_function {
        let paths = if of_stack && declared {
            ["application.parameters.vpcSubnetIds", "application.parameters.vpcSecurityGroupIds"]
        } else {
            ["vpc.subnets", "vpc.security_groups"]
        };
        said.all(&paths);
    }
}

fn tag_drift(throws: &mut Throws<'_>, wanted: &Deployment, stack: &mut LiveStack, said: &mut Said) {
    match throws.below(100) {
        90..95 => {
            stack.tags.remove(PROJECT_TAG);
            said.path("tags.rotator:project");
        }
        95.. => {
            stack.tags.insert(PROJECT_TAG.to_owned(), EARLIER.to_owned());
            said.path("tags.rotator:project");
            said.effects.insert(Effect::TakesOver);
        }
        _ => assert_eq!(stack.tags.get(PROJECT_TAG).map(String::as_str), Some(PROJECT)),
    }
    if throws.chance(10) {
        if wanted.shared {
            stack.tags.remove(SHARED_TAG);
        } else {
            stack.tags.insert(SHARED_TAG.to_owned(), "true".to_owned());
        }
        said.path("tags.rotator:shared");
    }
    if throws.chance(30) {
        stack.tags.insert("team".to_owned(), "payments".to_owned());
    }
}

fn configuration_drift(throws: &mut Throws<'_>, deployment: &Deployment, live: &mut Configuration, said: &mut Said) {
    const ODDS: usize = 20;
    let (wanted, settings) = (&deployment.settings, &mut live.settings);
    if throws.chance(ODDS) {
        settings.runtime = Some("python3.9".to_owned());
        wanted.runtime.iter().for_each(|_| said.path("runtime"));
    }
    // A live handler that no file of the package has would be an error of another kind.
    if throws.chance(ODDS) && wanted.handler.is_some() {
        settings.handler = Some("other.handler".to_owned());
        said.path("handler");
    }
    if throws.chance(ODDS) {
        settings.layers = Some(vec!["arn:layer:1".to_owned(), "arn:layer:2".to_owned()]);
        wanted.layers.iter().for_each(|_| said.path("layers"));
    }
    if throws.chance(ODDS) {
        settings.timeout = Some(77);
        wanted.timeout.iter().for_each(|_| said.path("timeout"));
    }
    if throws.chance(ODDS) {
        settings.memory = Some(777);
        wanted.memory.iter().for_each(|_| said.path("memory"));
    }
    if throws.chance(ODDS) {
        settings.ephemeral_storage = Some(2048);
        wanted.ephemeral_storage.iter().for_each(|_| said.path("ephemeral_storage"));
    }
    if throws.chance(ODDS) {
        settings.tracing = Some("drifted".to_owned());
        wanted.tracing.iter().for_each(|_| said.path("tracing"));
    }
    if throws.chance(ODDS) {
        settings.description = Some("drifted".to_owned());
        wanted.description.iter().for_each(|_| said.path("description"));
    }
    let Ok(variables) = &mut live.environment else { return };
    for name in ["URL", "USER", "FOREIGN"] {
        if !throws.chance(ODDS) {
            continue;
        }
        variables.insert(name.to_owned(), Sensitive::new("drifted"));
        if deployment.environment.contains_key(name) {
            said.path(format!("environment.{name}"));
        }
    }
}

fn code_drift(throws: &mut Throws<'_>, wanted: &Deployment, live: &mut Configuration, said: &mut Said) {
    let (drifts, same_files, reads_files) = (throws.chance(20), throws.chance(30), throws.chance(50));
    let mut other_architecture = throws.chance(15);
    if drifts {
        "code of somebody".clone_into(&mut live.code_sha256);
        let package = wanted.code.as_ref().and_then(|code| code.package.as_ref());
        match package {
            // Other bytes with the same files are the same code.
            Some(package) if same_files => live.code_files = Some(package.files.clone()),
            Some(_) if reads_files => {
                let file = |path: &str| PackagedFile {
                    path: path.to_owned(),
                    sha256: "foreign".to_owned(),
                    executable: false,
                };
                live.code_files = Some(vec![file("lambda_function.py"), file("more.py")]);
                said.all(&["code.sha256", "code.files.lambda_function.py", "code.files.more.py"]);
                said.effects.insert(Effect::ReplacesCode);
            }
            _ if wanted.code.is_some() => {
                said.path("code.sha256");
                said.effects.insert(Effect::ReplacesCode);
            }
            _ => {}
        }
    }
    other_architecture &= wanted.code.is_some() || wanted.settings.architecture.is_none();
    if other_architecture {
        let architecture = live.settings.architecture.as_deref();
        let other = if architecture == Some("arm64") { "x86_64" } else { "arm64" };
        live.settings.architecture = Some(other.to_owned());
        if wanted.settings.architecture.is_some() {
            // The code is uploaded again, also where only its bytes differ.
            said.path("architecture");
            if drifts && wanted.code.is_some() {
                said.path("code.sha256");
            }
            said.effects.insert(Effect::ReplacesCode);
        }
    }
}

fn permission_drift(throws: &mut Throws<'_>, stack: &str, policy: &mut Reading<Vec<Statement>>, said: &mut Said) {
    let ours = statement(PERMISSION_STATEMENT, Some(ACCOUNT));
    let (now, paths): (Reading<Vec<Statement>>, &[&str]) = match throws.below(100) {
        75..79 => (Reading::Absent, &["permission.principal", "permission.source_account"]),
        79..82 => (Reading::Found(Vec::new()), &["permission.principal", "permission.source_account"]),
        82..85 => (
            Reading::Found(vec![statement(PERMISSION_STATEMENT, Some("999999999999"))]),
            &["permission.source_account"],
        ),
        85..88 => {
            let narrow = Statement { source_arn: Some("arn:aws:secretsmanager:…:one".to_owned()), ..ours };
            (Reading::Found(vec![narrow]), &["permission.source_arn"])
        }
        88..90 => (Reading::Found(vec![Statement { allows: false, denies: true, ..ours }]), &["permission.effect"]),
        90..91 => {
            (Reading::Found(vec![Statement { other_conditions: true, ..ours }]), &["permission.other_conditions"])
        }
        // The template's own statement may go with its version.
        91..97 => {
            let of_template = vec![statement(&format!("{stack}-LambdaPermission"), None)];
            let goes = said.paths.contains("application.version");
            let paths: &[&str] = if goes { &["permission.principal", "permission.source_account"] } else { &[] };
            (Reading::Found(of_template), paths)
        }
        // A statement that lets in every account's Secrets Manager lets ours in, whatever its name.
        97 => (Reading::Found(vec![statement("by-hand", None)]), &[]),
        98.. => {
            (Reading::Found(vec![statement("by-hand", Some(ACCOUNT)), statement("more", Some("999999999999"))]), &[])
        }
        _ => return,
    };
    *policy = now;
    said.all(paths);
    if !paths.is_empty() {
        said.effects.insert(Effect::OpensPermission);
    }
}

pub fn secret_drift(throws: &mut Throws<'_>, wanted: &Desired, secret: &Secret, live: &mut LiveSecret) -> Said {
    let mut said = Said::default();
    let kind = throws.below(100);
    let rules = throws.one_of(&all_rules());
    let functions: Vec<&Function> = wanted.functions.values().collect();
    let elsewhere = throws.below(functions.len() + 1);
    let immediately = secret.rotation.rotate_immediately;
    let managed_by_aws = secret.function.is_none();
    let now = |said: &mut Said, default: bool| {
        let now = immediately.unwrap_or(default);
        // What AWS rotates by itself has no function that could be tested.
        let effect = if now { Some(Effect::RotatesNow) } else { (!managed_by_aws).then_some(Effect::TestsNow) };
        said.effects.extend(effect);
        now
    };
    match (secret.rotation.enabled, kind) {
        (_, 0..40) => {}
        (Some(true), 40..55) => {
            // It was on, and somebody switched it off: function and rules stay behind.
            live.rotation_enabled = Some(false);
            said.path("rotation.enabled");
            now(&mut said, true);
        }
        (Some(true), 55..70) => {
            (live.rotation_enabled, live.rules) = (None, None);
            said.path("rotation.enabled");
            said.path("rotation.rules");
            if live.function_arn.take().is_some() {
                said.path("function");
            }
            now(&mut said, true);
        }
        (Some(true), 70..) => {
            let moves = !managed_by_aws && kind >= 85;
            if live.rules.as_ref() != Some(&rules) {
                said.path("rotation.rules");
                let wanted = secret.rotation.rules.as_ref().and_then(worst_gap_hours);
                if wanted > worst_gap_hours(&rules) {
                    said.effects.insert(Effect::RotatesLessOften);
                }
            }
            if moves {
                elsewhere_now(&functions, elsewhere, live, &mut said);
            }
            if !said.paths.is_empty() {
                let now = now(&mut said, false);
                if !now && said.paths.contains("rotation.rules") && !rules.schedule.is_cron() {
                    said.effects.insert(Effect::MayRotateOnOldSchedule);
                }
            }
            live.rules = Some(rules);
        }
        (Some(false), _) => {
            (live.rotation_enabled, live.rules) = (Some(true), Some(rules));
            live.function_arn = Some(function_arn("anything")).filter(|_| !managed_by_aws);
            said.path("rotation.enabled");
            said.effects.insert(Effect::StopsRotation);
        }
        (None, _) => {
            (live.rotation_enabled, live.rules) = (Some(true), Some(rules));
            live.function_arn = secret.function.as_ref().map(|handle| called(&wanted.functions[handle]));
            if !managed_by_aws && kind >= 70 {
                elsewhere_now(&functions, elsewhere, live, &mut said);
            }
            if !said.paths.is_empty() {
                now(&mut said, false);
            }
        }
    }
    said
}

/// Moves a live secret to a function of the manifest, or to one that isn't known here.
fn elsewhere_now(functions: &[&Function], which: usize, live: &mut LiveSecret, said: &mut Said) {
    let other = functions.get(which).map_or_else(|| function_arn("somebody-s"), |function| called(function));
    if live.function_arn.as_ref() == Some(&other) {
        return;
    }
    let deployed = functions.get(which).is_some_and(|function| function.deployment().is_some());
    if !deployed {
        said.effects.insert(Effect::TakesOver);
    }
    live.function_arn = Some(other);
    // Another function is other code.
    said.effects.insert(Effect::ReplacesCode);
    said.path("function");
}
