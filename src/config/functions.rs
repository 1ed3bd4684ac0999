//! Checks of functions, and their way into the domain.

use std::collections::BTreeMap;

use super::document::Document;
use super::node::Value;
use super::raw::{ApplicationFile, FunctionFile, TestFile, VerifyFile, VpcFile};
use super::scene::Scene;
use super::secrets::own_region;
use super::targets::Destination;
use super::variables::PARTITION;
use super::{code, credentials, names, runtimes, suggest, typed};
use crate::diagnostic::Diagnostic;
use crate::model::setting::Range;
use crate::model::{
    self, Application, Deployment, Function, FunctionSource, READ_PARAMETERS, Sensitive, Setting, Settings, TestValues,
    Verify, Vpc, arn::Arn, regions, text,
};
use crate::tree::here;

/// What may stand beside `existing`.
const BESIDE_EXISTING: [&str; 3] = ["existing", "targets", "labels"];

/// The names that Lambda keeps for itself (Lambda, "Defined runtime environment variables").
pub const RESERVED: [&str; 20] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "AWS_LAMBDA_METADATA_API",
];

/// What Lambda takes of all variables together, in bytes: their JSON (Lambda quotas, "Environment variables"; how it measures them is
/// known from its answers).
pub const MAX_ENVIRONMENT_BYTES: usize = 4096;

/// What to do in a region where nothing can be deployed.
const NO_REPOSITORY: &str = "make the function by other means there, and use it: `existing: NAME`; or limit this one to other regions with `targets`";

/// Warns of a region where nothing can be deployed, as far as is known here.
fn check_region(scene: &mut Scene<'_>, place: &Destination) {
    if let Some(region) = place.target.region.as_ref().filter(|region| regions::lacks_repository(region)) {
        let summary = format!("{region} has no Serverless Application Repository, as of {}", regions::AS_OF);
        let problem = Diagnostic::warning("no-repository", summary)
            .because("functions are deployed from applications of that repository, and `plan` refuses what can't be");
        scene.report(&[], problem.hint(NO_REPOSITORY));
    }
}

/// Reads and checks a function.
pub(super) fn read(
    scene: &mut Scene<'_>,
    handle: &str,
    place: &Destination,
    document: &Document,
    checked: &mut code::Checked,
) -> Option<Function> {
    let (file, misfits) = typed::read::<FunctionFile>(scene.merged);
    if !misfits.is_empty() {
        scene.misfits(misfits);
    }
    let file = file?;
    check_labels(scene, file.labels.as_ref());
    let labels = file.labels.clone().unwrap_or_default();
    if let Some(reference) = file.existing.clone() {
        check_existing(scene, &reference, place);
        let name = model::arn::function_name(&reference).to_owned();
        return Some(Function { name, source: FunctionSource::Existing { reference }, labels });
    }
    let name = file.name.clone().unwrap_or_else(|| handle.to_owned());
    // A handle that is none was reported as such.
    let stated = file.name.is_some() || names::handle(handle, false).is_ok();
    let reason = names::function_name(&name).err().filter(|_| stated && !scene.is_open(&name));
    let named = reason.is_none() && stated;
    if let Some(reason) = reason {
        let problem = Diagnostic::error("function-name", format!("`{name}` can't be a function's name: {reason}"));
        let problem = if file.name.is_none() {
            problem.hint("the handle is the name unless `name` says otherwise")
        } else {
            problem
        };
        scene.report(&["name"], problem);
    }
    check_region(scene, place);
    let stack = stack(scene, &file, &name, named);
    let application = application(scene, file.application.as_ref(), &name, place);
    check_names(scene);
    check_configuration(scene, &file);
    check_environment(scene, file.environment.as_ref());
    check_environment_size(scene, file.environment.as_ref());
    let vpc = file.vpc.as_ref().and_then(|vpc| check_vpc(scene, vpc));
    let code = code::read(scene, &file, document, checked);
    let limited = |value: Option<i64>| value.and_then(|value| u32::try_from(value).ok());
    let read_secrets = read_secrets(scene, &file, place);
    let test = test_values(scene, file.test.as_ref(), document);
    let deployment = Deployment {
        application,
        stack,
        shared: file.shared == Some(true),
        verify: match file.verify {
            Some(VerifyFile::Any(true)) => Some(Verify::Any),
            Some(VerifyFile::Secret(handle)) => Some(Verify::Secret(handle)),
            Some(VerifyFile::Any(false)) | None => None,
        },
        read_secrets,
        read_fault: None,
        test,
        code,
        settings: Settings {
            runtime: file.runtime,
            handler: file.handler,
            architecture: file.architecture,
            layers: file.layers,
            timeout: limited(file.timeout),
            memory: limited(file.memory),
            ephemeral_storage: limited(file.ephemeral_storage),
            tracing: file.tracing,
            description: file.description,
            vpc,
        },
        environment: file
            .environment
            .unwrap_or_default()
            .into_iter()
            .map(|(name, value)| (name, value.map(Sensitive::new)))
            .collect(),
    };
    Some(Function { name, source: FunctionSource::Deployed(Box::new(deployment)), labels })
}

/// The other secrets that a function reads: AWS's template takes one.
fn read_secrets(scene: &mut Scene<'_>, file: &FunctionFile, place: &Destination) -> Vec<String> {
    let path = ["role", "read_secrets"];
    let names = file.role.as_ref().and_then(|role| role.read_secrets.clone()).unwrap_or_default();
    if names.len() > 1 {
        let problem =
            Diagnostic::error("role", format!("a function can be given one other secret to read, not {}", names.len()))
                .because("AWS's template takes one, as its parameter `masterSecretArn`")
                .hint("keep what the function needs in one secret, or give its role the right by other means");
        scene.report(&path, problem);
    }
    for (index, name) in names.iter().enumerate() {
        if let Err(reason) = names::secret_name(name)
            && !scene.is_open(name)
        {
            let problem = Diagnostic::error("role", format!("`{name}` names no secret: {reason}"));
            scene.report(&["role", "read_secrets", &index.to_string()], problem.hint("write its name or its ARN"));
        } else if let Some((there, region)) = place.elsewhere(name, "secretsmanager") {
            let problem = Diagnostic::error("role", format!("the secret is in {there}, and the target in {region}"));
            let hint = own_region("AWS's template reads a secret of its own region", place, &there);
            scene.report(&["role", "read_secrets", &index.to_string()], problem.hint(hint));
        }
    }
    let parameters = file.application.as_ref().and_then(|application| application.parameters.as_ref());
    if let Some(stated) = parameters.and_then(|all| READ_PARAMETERS.into_iter().find(|name| all.contains_key(*name)))
        && !names.is_empty()
    {
        let problem =
            Diagnostic::error("role", format!("the parameter `{stated}` is filled in from `role.read_secrets`"));
        scene.report(&["application", "parameters", stated], problem.hint("remove one of the two"));
    }
    names
}

/// The values that rehearsals begin with.
fn test_values(scene: &mut Scene<'_>, file: Option<&TestFile>, document: &Document) -> TestValues {
    let Some(file) = file else { return TestValues::default() };
    check_service(scene, file.service.as_deref());
    let stated_in = scene.merged.find(&["test", "service"]).map_or(scene.at.file, |node| node.span.file);
    let mut value = |path: &[&str], value: &serde_json::Value| {
        let text = match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if let Some(kind) = credentials::kind_of(&text) {
            scene.report_unshown(path, credential("test", kind));
        }
        Sensitive::new(text)
    };
    TestValues {
        folder: here(&document.sources.folder(stated_in)),
        service: file.service.clone().unwrap_or_default(),
        secret: file.secret.as_ref().map(|secret| value(&["test", "secret"], secret)),
        others: file
            .others
            .iter()
            .flatten()
            .map(|(name, one)| (name.clone(), value(&["test", "others", name], one)))
            .collect(),
    }
}

/// The service of a test is a program that listens on the port that it is given: several of it run side by side.
fn check_service(scene: &mut Scene<'_>, service: Option<&[String]>) {
    let path = ["test", "service"];
    let Some(words) = service else { return };
    if words.first().is_none_or(|program| program.trim().is_empty()) {
        let problem = Diagnostic::error("test-service", "`service` names no program");
        return scene
            .report(&path, problem.hint("write the program and its arguments: `[python3, service.py, \"${port}\"]`"));
    }
    if !words.iter().any(|word| word.contains("${port}")) {
        let problem = Diagnostic::error("test-service", "`service` isn't given the port on which it is to listen")
            .because("a test starts it on a free port of this machine, several times")
            .hint("add the argument `\"${port}\"`, and have the program listen there, on 127.0.0.1");
        scene.report(&path, problem);
    }
    for (index, word) in words.iter().enumerate() {
        if let Some(kind) = credentials::kind_of(word) {
            scene.report_unshown(&["test", "service", &index.to_string()], credential("service", kind));
        }
    }
}

/// Names and paths that may hold any letter, and must be readable all the same. The others are held to ASCII where they are checked.
const READABLE: [&[&str]; 7] = [
    &["handler"],
    &["runtime"],
    &["architecture"],
    &["application", "id"],
    &["code", "s3_key"],
    &["code", "s3_object_version"],
    &["layers"],
];

fn check_names(scene: &mut Scene<'_>) {
    for path in READABLE {
        let Some(node) = scene.merged.find(path) else { continue };
        let items = if let Value::List(items) = &node.value { &items[..] } else { std::slice::from_ref(node) };
        let wrong = items.iter().find_map(|item| text::check_readable(item.text()?).err());
        if let Some(reason) = wrong {
            let field = path.last().copied().unwrap_or_default();
            let problem = Diagnostic::error("invisible", format!("`{field}` can't be read: {reason}"));
            scene.report(path, problem.hint("type it anew without it"));
        }
    }
}

/// Labels are shown in plans and filters: short, and on one line.
pub(super) fn check_labels(scene: &mut Scene<'_>, labels: Option<&BTreeMap<String, String>>) {
    for (key, value) in labels.into_iter().flatten() {
        for text in [key, value] {
            if let Err(reason) = text::check_readable(text) {
                let problem = Diagnostic::error("label", format!("the label `{key}` can't be read: {reason}"));
                scene.report(&["labels", key], problem.hint("remove it: people and policies must see the same label"));
            }
        }
        let wrong = value.chars().any(char::is_control)
            || value.chars().count() > 256
            || key.is_empty()
            || key.contains(['=', ':', '\n']);
        if wrong {
            scene.report(
                &["labels", key],
                Diagnostic::error(
                    "label",
                    "a label is one line of at most 256 characters, and its key holds no `=` or `:`",
                ),
            );
        }
    }
}

fn check_existing(scene: &mut Scene<'_>, reference: &str, place: &Destination) {
    if let Err(reason) = names::function_reference(reference)
        && !scene.is_open(reference)
    {
        scene.report(
            &["existing"],
            Diagnostic::error("existing", format!("`{reference}` names no function: {reason}"))
                .hint("write its name or its ARN"),
        );
    }
    if let Some((there, region)) = place.elsewhere(reference, "lambda") {
        let problem = Diagnostic::error("existing", format!("the function is in {there}, and the target in {region}"));
        let hint = own_region("a secret rotates with a function of its own region", place, &there);
        scene.report(&["existing"], problem.hint(hint));
    }
    let fields: Vec<&str> =
        scene.merged.map().into_iter().flat_map(|map| &map.entries).map(|entry| entry.key.as_str()).collect();
    for field in fields {
        // Fields that mean nothing anywhere were reported as such.
        if !BESIDE_EXISTING.contains(&field)
            && !scene.found.iter().any(|problem| problem.summary.contains(&format!("`{field}`")))
        {
            let problem = Diagnostic::error("existing", format!("`{field}` can't stand beside `existing`"))
                .because("an existing function is used as it is: nothing of it is deployed or changed")
                .hint("remove it, or remove `existing` to deploy the function");
            scene.report_key(&[field], problem);
        }
    }
}

fn stack(scene: &mut Scene<'_>, file: &FunctionFile, name: &str, named: bool) -> String {
    // The default takes a function's name as far as a stack can have it.
    let stack = file.stack.clone().unwrap_or_else(|| name.replace('_', "-"));
    if let Err(reason) = names::stack_name(&stack)
        && !scene.is_open(&stack)
        && (named || file.stack.is_some())
    {
        let problem = Diagnostic::error("stack-name", format!("`{stack}` can't be a stack's name: {reason}"));
        let fixed = stack.replace(['_', '.', '/', ' '], "-");
        let problem = match (&file.stack, names::stack_name(&fixed)) {
            (None, _) => problem.hint("state a `stack`: by default it is the function's name"),
            (Some(_), Ok(())) => problem.hint(format!("write `{fixed}`")),
            _ => problem,
        };
        scene.report(&["stack"], problem);
    }
    stack
}

fn application(scene: &mut Scene<'_>, file: Option<&ApplicationFile>, name: &str, place: &Destination) -> Application {
    let empty = ApplicationFile::default();
    let file = file.unwrap_or(&empty);
    let id = if let Some(id) = &file.id {
        check_application(scene, id);
        id.clone()
    } else {
        place.scope.uses_ambient(PARTITION);
        names::template(&place.partition).unwrap_or_else(|| {
            let problem = Diagnostic::error(
                "application",
                format!("no rotation template is known for the partition `{}`", place.partition),
            )
            .hint("state the application: `application: {id: ARN}`");
            scene.report(&["application"], problem);
            String::new()
        })
    };
    if let Some(version) = file.version.as_ref().filter(|version| !scene.is_open(version))
        && semver::Version::parse(version).is_err()
    {
        let problem =
            Diagnostic::error("application", format!("`{version}` is no version: three numbers, such as `1.1.618`"));
        let problem = if ["latest", "newest", "*"].contains(&version.as_str()) {
            problem.hint("leave it out to take the newest when first deployed")
        } else {
            problem
        };
        scene.report(&["application", "version"], problem);
    }
    let parameters = file.parameters.clone().unwrap_or_default();
    for (parameter, value) in &parameters {
        check_parameter(scene, parameter, value, name);
    }
    Application {
        id,
        version: file.version.clone(),
        parameters: parameters.into_iter().map(|(name, value)| (name, Sensitive::new(value))).collect(),
    }
}

fn check_application(scene: &mut Scene<'_>, id: &str) {
    let right = scene.is_open(id)
        || id
            .parse::<Arn>()
            .is_ok_and(|arn| arn.service == "serverlessrepo" && arn.resource.starts_with("applications/"));
    if !right {
        let problem = Diagnostic::error("application", format!("`{id}` is no application's ARN"))
            .hint("it reads `arn:aws:serverlessrepo:REGION:ACCOUNT:applications/NAME`");
        scene.report(&["application", "id"], problem);
    }
}

fn check_parameter(scene: &mut Scene<'_>, parameter: &str, value: &str, name: &str) {
    let path = ["application", "parameters", parameter];
    if let Some(kind) = credentials::kind_of(value) {
        scene.report_unshown(&path, credential(parameter, kind));
    } else if parameter == "functionName" && value != name {
        scene.report(
            &path,
            Diagnostic::error("application", "the function's name and the parameter `functionName` differ")
                .hint("remove the parameter: it is filled in from `name`"),
        );
    } else if parameter == "endpoint" && !value.starts_with("https://") {
        scene.report(
            &path,
            Diagnostic::error("application", "the parameter `endpoint` must start with `https://`")
                .hint("remove it: Secrets Manager's endpoint of the region is filled in"),
        );
    }
}

fn credential(name: &str, kind: &str) -> Diagnostic {
    Diagnostic::error("credential", format!("the value of `{name}` looks like {kind}"))
        .because("all who may read the function's configuration, the stack or this repository could read it")
        .hint("keep it in a secret that the function reads, and revoke it if it is real")
}

fn check_environment(scene: &mut Scene<'_>, environment: Option<&BTreeMap<String, Option<String>>>) {
    for (name, value) in environment.into_iter().flatten() {
        let path = ["environment", name.as_str()];
        if let Some(kind) = value.as_deref().and_then(credentials::kind_of) {
            scene.report_unshown(&path, credential(name, kind));
        }
        let valid = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.len() >= 2
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if RESERVED.contains(&name.as_str()) {
            scene.report_key(
                &path,
                Diagnostic::error("environment", format!("Lambda sets `{name}` itself")).hint("choose another name"),
            );
        } else if !valid {
            scene.report_key(&path, Diagnostic::error("environment", format!("`{name}` can't be an environment variable: two or more letters, digits and `_`, starting with a letter")));
        }
    }
}

/// What is known of the variables must fit: those that the target's variables fill in later come on top.
fn check_environment_size(scene: &mut Scene<'_>, environment: Option<&BTreeMap<String, Option<String>>>) {
    let known: BTreeMap<&String, &String> = environment
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name, value.as_ref().filter(|value| !scene.is_open(value))?)))
        .collect();
    let size = serde_json::to_string(&known).map_or(0, |json| json.len());
    if size > MAX_ENVIRONMENT_BYTES {
        let summary = format!(
            "the variables of a function have at most {MAX_ENVIRONMENT_BYTES} bytes together, and these have {size}"
        );
        let problem = Diagnostic::error("environment", summary)
            .because("Lambda counts names and values in UTF-8, written as JSON")
            .hint("keep what is long in a file beside the code, or in a secret that the function reads");
        scene.report_key(&["environment"], problem);
    }
}

fn check_vpc(scene: &mut Scene<'_>, vpc: &VpcFile) -> Option<Vpc> {
    let lists = [("subnets", &vpc.subnets, "subnet-", 16), ("security_groups", &vpc.security_groups, "sg-", 5)];
    for (field, list, prefix, most) in lists {
        let Some(list) = list else {
            if !scene.incomplete {
                scene.report(
                    &["vpc"],
                    Diagnostic::error("vpc", format!("`vpc` lacks `{field}`"))
                        .hint("a VPC takes both `subnets` and `security_groups`; both empty leave it"),
                );
            }
            continue;
        };
        if list.len() > most {
            scene.report(
                &["vpc", field],
                Diagnostic::error("vpc", format!("Lambda takes at most {most} of `{field}`, not {}", list.len())),
            );
        }
        for (index, id) in list.iter().enumerate() {
            let rest = id.strip_prefix(prefix);
            if !scene.is_open(id)
                && !rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric()))
            {
                scene.report(
                    &["vpc", field, &index.to_string()],
                    Diagnostic::error("vpc", format!("`{id}` is no id: one in `{field}` starts with `{prefix}`")),
                );
            }
        }
    }
    let (subnets, security_groups) = (vpc.subnets.clone()?, vpc.security_groups.clone()?);
    if subnets.is_empty() != security_groups.is_empty() {
        let field = if subnets.is_empty() { "subnets" } else { "security_groups" };
        scene.report(
            &["vpc", field],
            Diagnostic::error("vpc", format!("`{field}` is empty, and the other list isn't"))
                .hint("fill both, or empty both to leave the VPC"),
        );
    }
    Some(Vpc::new(subnets, security_groups))
}

fn check_configuration(scene: &mut Scene<'_>, file: &FunctionFile) {
    for setting in Setting::ALL {
        check_range(scene, setting);
    }
    let incomplete = scene.incomplete;
    let whole = |text: &&String| !(incomplete && text.contains("${"));
    if let Some(architecture) = file.architecture.as_ref().filter(whole) {
        let intel = &["amd64", "x64", "x86-64", "intel"][..];
        check_word(
            scene,
            "architecture",
            architecture,
            &[("x86_64", intel), ("arm64", &["aarch64", "arm", "graviton"])],
        );
    }
    if let Some(tracing) = file.tracing.as_ref().filter(whole) {
        let off = &["passthrough", "pass_through", "pass-through", "off", "false", "disabled"][..];
        let on = &["active", "on", "true", "enabled"][..];
        check_word(scene, "tracing", tracing, &[("Active", on), ("PassThrough", off)]);
    }
    if let Some(runtime) = file.runtime.as_ref().filter(whole) {
        check_runtime(scene, runtime);
    }
    if let Some(handler) = file.handler.as_ref().filter(whole)
        && (handler.is_empty() || handler.len() > 128 || handler.contains(char::is_whitespace))
    {
        scene.report(
            &["handler"],
            Diagnostic::error("handler", "a handler has 1 to 128 characters, without spaces")
                .hint("write one such as `lambda_function.lambda_handler`"),
        );
    }
    if let (Some(runtime), Some(handler)) = (file.runtime.as_ref().filter(whole), file.handler.as_ref().filter(whole))
        && let Some(form) = runtimes::other_handler(runtime, handler)
    {
        let summary = format!("`{runtime}` starts no handler such as `{handler}`");
        scene.report(&["handler"], Diagnostic::error("handler", summary).hint(format!("it is written as {form}")));
    }
    if file.description.as_ref().is_some_and(|text| text.chars().count() > 256) {
        scene.report(&["description"], Diagnostic::error("description", "a description has at most 256 characters"));
    }
    for (index, layer) in file.layers.iter().flatten().enumerate() {
        let versioned = |arn: &Arn| {
            arn.resource.starts_with("layer:")
                && arn.resource.rsplit(':').next().is_some_and(|version| version.chars().all(|c| c.is_ascii_digit()))
        };
        let right = layer
            .parse::<Arn>()
            .is_ok_and(|arn| arn.service == "lambda" && (versioned(&arn) || arn.resource.starts_with("awslayer:")));
        if !right && !scene.is_open(layer) {
            let problem = Diagnostic::error("layer", format!("`{layer}` is no layer version's ARN"))
                .hint("it reads `arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION`");
            scene.report(&["layers", &index.to_string()], problem);
        }
    }
}

/// Reports a text that is none of a few words. `words`: each with what people write in its place; at least one.
fn check_word(scene: &mut Scene<'_>, field: &'static str, text: &str, words: &[(&str, &[&str])]) {
    if words.iter().any(|(word, _)| text == *word) {
        return;
    }
    let quoted: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
    let choice = match &quoted[..] {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        all => all.concat(),
    };
    let problem = Diagnostic::error(field, format!("`{field}` is {choice}, not `{text}`"));
    let lower = text.to_ascii_lowercase();
    let meant = words.iter().find(|(_, instead)| instead.contains(&lower.as_str()));
    scene.report(
        &[field],
        match meant {
            Some((word, _)) => problem.hint(format!("write `{word}`")),
            None => problem,
        },
    );
}

fn check_range(scene: &mut Scene<'_>, setting: Setting) {
    let field = setting.word();
    let path: Vec<&str> = field.split('.').collect();
    let stated = scene.merged.find(&path).map(|node| &node.value);
    let (Some(Value::Number(number)), Some(Range { least, most, unit })) = (stated, setting.range()) else { return };
    if let Some(value) = number.integer.filter(|value| !(i64::from(least)..=i64::from(most)).contains(value)) {
        let problem = Diagnostic::error(field, format!("`{field}` is {least} to {most} {unit}, not {value}"));
        scene.report(&path, problem);
    }
}

/// A runtime that the table doesn't know is a slip, or newer than the table.
fn check_runtime(scene: &mut Scene<'_>, runtime: &str) {
    let known = runtimes::known();
    if known.knows(runtime) {
        return;
    }
    // `python312` and `nodejs20` are the commonest slips.
    let slip = match (runtime.strip_prefix("python"), runtime.strip_prefix("nodejs")) {
        (Some(version), _)
            if version.len() >= 2 && !version.contains('.') && version.chars().all(|c| c.is_ascii_digit()) =>
        {
            Some(format!("python{}.{}", &version[..1], &version[1..]))
        }
        (_, Some(version)) if !version.is_empty() && version.chars().all(|c| c.is_ascii_digit()) => {
            Some(format!("nodejs{version}.x"))
        }
        _ => None,
    };
    // One that AWS has stopped is a hint that leads into the next error.
    let near = |names: Vec<&str>| suggest::nearest(runtime, names).map(str::to_owned);
    let near = || {
        let family = runtime.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == 'x');
        let newest = known.newest(family).map(str::to_owned);
        newest.or_else(|| near(known.current().collect())).or_else(|| near(known.names().collect()))
    };
    let problem = Diagnostic::error("runtime", format!("`{runtime}` is no runtime of Lambda"));
    let problem = match slip.filter(|slip| known.knows(slip)).or_else(near) {
        Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
        None => problem.hint("write one such as `python3.13`, `nodejs24.x` or `provided.al2023`"),
    };
    let table = known.as_of.map_or_else(|| "the table of runtimes".to_owned(), |day| format!("the table of {day}"));
    let newer = format!("where AWS has it by now, put a newer table than {table} into `ROTATOR_LAMBDA_RUNTIMES`");
    scene.report(&["runtime"], problem.hint(newer));
}
