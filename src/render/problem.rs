//! The words of foreseen problems: what, why, and what to do.

use std::fmt::Write as _;

use crate::aws::Denial;
use crate::aws::denial::Because;
use crate::model::arn::{Arn, function_name};
use crate::model::live::Unread;
use crate::plan::{Problem, ProblemKind, Severity};

use super::{BOLD, DIM, ERROR, WARNING, paint, safe, some_of, stack};

/// A problem in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// What is wrong, without what it concerns.
    pub summary: String,
    /// Why.
    pub detail: Option<String>,
    /// What to do; a line with a command stands alone.
    pub hints: Vec<String>,
}

impl Words {
    pub(super) fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), detail: None, hints: Vec::new() }
    }

    pub(super) fn because(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// A problem's message, about the resources that it concerns.
pub fn render(severity: Severity, words: &Words, about: &str) -> String {
    let mut out = String::new();
    let word = match severity {
        Severity::Error => paint(ERROR, "error:"),
        Severity::Warning => paint(WARNING, "warning:"),
    };
    let _ = writeln!(out, "{word} {}", paint(BOLD, &format!("{about}: {}", words.summary)));
    if let Some(detail) = &words.detail {
        let _ = writeln!(out, "  {detail}");
    }
    for hint in &words.hints {
        let _ = writeln!(out, "  {} {hint}", paint(DIM, "hint:"));
    }
    out
}

/// Why something could not be read.
pub fn unread_words(unread: &Unread) -> String {
    match unread {
        Unread::Denied { action, resource, code, message } => {
            // AWS's words say who was refused and by which policy: a right that is there may be taken away again elsewhere.
            let code = code.as_ref().map(|code| format!("{}: ", safe(code))).unwrap_or_default();
            let denied =
                Denial::of(message, resource).is_some_and(|denial| matches!(denial.because, Some(Because::Denied(_))));
            let how = if denied { "is denied" } else { "is missing" };
            format!("access denied; `{}` on `{}` {how} ({code}{})", safe(action), safe(resource), safe(message))
        }
        Unread::Failed { call, code, message, request_id } => {
            let call = call.as_ref().map(|call| format!("{} on `{}`: ", safe(&call.action), safe(&call.resource)));
            let mut text = call.unwrap_or_default();
            text.push_str(&code.as_ref().map(|code| format!("{}: ", safe(code))).unwrap_or_default());
            text.push_str(&safe(message));
            if let Some(id) = request_id {
                let _ = write!(text, " (request {})", safe(id));
            }
            text
        }
    }
}

/// A problem in words. One table of all kinds, so that the compiler asks for the words of a new one. `region`: the target's, for commands
/// of AWS's CLI, which else goes to whatever region its user has set.
pub fn words(problem: &Problem, region: &str) -> Words {
    let name = safe(&problem.name);
    let there = safe(region);
    match &problem.kind {
        ProblemKind::SecretMissing => Words::new("Secrets Manager has no such secret")
            .hint("create it first; `rotator` never creates secrets, nor sets their values"),
        ProblemKind::NoValue => Words::new("the secret has no value yet, so there is nothing to rotate")
            .hint("give it its first value with `aws secretsmanager put-secret-value`"),
        ProblemKind::ScheduledForDeletion => Words::new("the secret is scheduled for deletion")
            .hint("take it out of the manifest, or bring it back with `aws secretsmanager restore-secret`"),
        ProblemKind::Replica { primary } => {
            Words::new(format!("the secret is a replica; it rotates in its primary region, {}", safe(primary)))
                .hint("move the entry to a target in that region; replicas follow by themselves")
        }
        ProblemKind::OwnedByService { service } => {
            Words::new(format!("the secret belongs to the service {}, which rotates it by itself", safe(service)))
                .because("such a secret takes a schedule, and no function")
                .hint("remove `function:` from the entry")
        }
        ProblemKind::NoFunction => Words::new("the entry names no function, and AWS doesn't manage this secret's rotation")
            .hint("add `function:` with the handle of a rotation function"),
        ProblemKind::UnfinishedRotation { version } => {
            let version = safe(version);
            Words::new(format!("a rotation isn't finished: version {version} holds AWSPENDING"))
                .because("Secrets Manager answers \"A previous rotation isn't complete\" until it is, and tries it again by itself")
                .hint("if it has only just begun, plan again in a moment; else look into the function's log for the reason: once it is mended, Secrets Manager's next try ends it")
                .hint(format!(
                    "to give that version up:\n    aws secretsmanager update-secret-version-stage --region {there} --secret-id '{name}' --version-stage AWSPENDING --remove-from-version-id {version}"
                ))
        }
        ProblemKind::KeyWithoutParameter { key } => {
            Words::new(format!("the secret's key {} is not among the function's parameters", safe(key)))
                .because("the function's role may then neither decrypt nor encrypt the secret, and its rotation fails")
                .hint("set `application.parameters.kmsKeyArn`, or give the role the right by other means")
        }
        ProblemKind::NotPermitted => Words::new("nothing lets Secrets Manager invoke its function, which is used and not deployed here")
            .hint("add a resource-based permission for the principal secretsmanager.amazonaws.com where that function is made"),
        ProblemKind::BlockedBy { address } => {
            Words::new(format!("left out: {} has an error", safe(&address.to_string())))
        }
        ProblemKind::TemplateCode => Words::new("no `code:` is stated, so the template's own code stays")
            .because(
                "its setSecret and testSecret steps raise an error: until the code is customised, every rotation fails",
            )
            .hint("add `code:` with the folder of the function's code"),
        ProblemKind::UnreadableEnvironment { code } => Words::new(format!(
            "AWS doesn't show the function's environment ({})",
            safe(code)
        ))
        .because("changing it would wipe the variables that can't be read")
        .hint("the reading role needs `kms:Decrypt` on the function's key; or take `environment:` out of the manifest"),
        ProblemKind::UnscopedPermission { statement, deployed } => {
            let statement = safe(statement);
            let words =
                Words::new(format!("statement `{statement}` lets Secrets Manager invoke the function for any account"))
                    .because("AWS recommends a condition on aws:SourceAccount");
            if !deployed {
                return words;
            }
            words.hint(format!(
                "remove it, and the next apply adds a scoped one:\n    aws lambda remove-permission --region {there} --function-name '{name}' --statement-id '{statement}'"
            ))
        }
        ProblemKind::InvocationDenied { statement } => {
            Words::new(format!("statement `{}` denies Secrets Manager the invocation", safe(statement)))
        }
        ProblemKind::FunctionMissing => Words::new(format!("Lambda has no function `{name}`"))
            .hint("an `existing` function must be there; without `existing:` it is deployed"),
        ProblemKind::FunctionThrottled { function } => {
            let words = Words::new("its reserved concurrency is 0, so that Lambda never runs it")
                .because("no secret rotates with it until that is mended");
            match function.parse::<Arn>() {
                Ok(arn) => words.hint(format!(
                    "let it run again:\n    aws lambda delete-function-concurrency --region {} --function-name '{}'",
                    safe(&arn.region),
                    safe(function_name(function))
                )),
                Err(_) => words,
            }
        }
        ProblemKind::FunctionFailed { reason } => {
            let words = Words::new("the function is in the state Failed");
            match reason {
                Some(reason) => words.because(safe(reason)),
                None => words,
            }
        }
        ProblemKind::NameTaken => {
            Words::new(format!("a function `{name}` is there already, and no stack of this application holds it"))
                .hint("to use it as it is: `existing: NAME`; to deploy another: `name: OTHER`")
        }
        ProblemKind::NamedOtherwise { live } => {
            let live = safe(live);
            Words::new(format!("its stack holds the function `{live}`, and a new name would replace that function"))
                .hint(format!("state `name: {live}`; to rename, deploy a second function and move the secrets first"))
        }
        ProblemKind::OtherProject { project } => {
            let project = safe(project);
            Words::new(format!("it belongs to the project `{project}`")).hint(format!(
                "that project can let it go (`removed:`) or share its function (`shared: true`); if it is this one's earlier name: `renamed_from: {project}`"
            ))
        }
        ProblemKind::OwnerUnknown { function, unread } => Words::new(format!(
            "whether the function {} belongs to another project isn't known",
            safe(function)
        ))
        .because(format!("its tags can't be read: {}", unread_words(unread)))
        .hint("make sure that no other project manages it; the plan can tell once its tags can be read"),
        ProblemKind::StackBusy { status } => {
            Words::new(format!("its stack is being changed by other hands ({})", safe(status)))
                .hint("wait until it is done, and plan again")
        }
        ProblemKind::StackBroken { status, stack: stack_name, reason, ours } => {
            let words = Words::new(format!("its stack {} is in {}", safe(stack_name), safe(status)));
            let words = match reason {
                Some(reason) => words.because(format!("the first failure was: {}", safe(reason))),
                None => words,
            };
            let reason = reason.as_deref();
            let hints = [stack::missing(reason, stack_name), stack::by_hand(status, stack_name, region, reason)].concat();
            let words = hints.into_iter().fold(words, Words::hint);
            if *ours { words } else { words.hint("it has no project's tag, so it is never deleted from here") }
        }
        ProblemKind::ApplicationMissing { application, version } => {
            let version = version.as_ref().map(|version| format!(" version {}", safe(version))).unwrap_or_default();
            Words::new(format!("the Serverless Application Repository has no {}{version}", safe(application)))
                .hint(format!("`aws serverlessrepo list-application-versions --region {there} --application-id ARN` lists its versions"))
        }
        ProblemKind::UnknownParameter { parameter, version, declared } => {
            let words = Words::new(format!("version {} declares no parameter `{}`", safe(version), safe(parameter)));
            // A distance costs time of one word times the other, and CloudFormation's names have at most 255 characters.
            let nearest = declared
                .iter()
                .filter(|_| parameter.len() <= 255)
                .map(|name| (strsim::jaro_winkler(&name.to_lowercase(), &parameter.to_lowercase()), name))
                .filter(|(score, _)| *score > 0.8)
                .max_by(|one, other| one.0.total_cmp(&other.0));
            match nearest {
                Some((_, name)) => words.hint(format!("did you mean `{}`?", safe(name))),
                None => words.hint(format!("it declares {}", some_of(declared.iter().map(String::as_str), 20))),
            }
        }
        ProblemKind::MissingParameter { parameter, no_echo: true } => {
            Words::new(format!("the value of the parameter `{}` can't be read back", safe(parameter)))
                .hint("an update must send it: state it under `application.parameters`")
        }
        ProblemKind::MissingParameter { parameter, no_echo: false } => {
            Words::new(format!("the parameter `{}` has no default", safe(parameter)))
                .hint("state it under `application.parameters`")
        }
        ProblemKind::ParameterNotAllowed { parameter, allowed } => Words::new(format!(
            "the parameter `{}` takes one of {}",
            safe(parameter),
            some_of(allowed.iter().map(String::as_str), 20)
        )),
        ProblemKind::ArchitectureNeedsCode => Words::new("another architecture needs other code")
            .because("Lambda changes a function's architecture only together with its code")
            .hint("state `code:` too"),
        ProblemKind::CodeUnusable { reason } => Words::new(safe(reason)),
        ProblemKind::CredentialsInPackage { parts } => {
            Words::new(super::package::holds(parts))
                .because("whoever may call `lambda:GetFunction` reads all of a package")
                .hint("keep the values in a secret that the function reads, and take the file out of the archive or of `include`")
        }
        ProblemKind::HandlerFileMissing { handler } => {
            Words::new(format!("the code lacks the file of the handler `{}`", safe(handler)))
                .hint("add the file, or state `handler:`")
        }
        ProblemKind::StillUsed { secrets } => {
            Words::new(format!("its function still rotates {}", some_of(secrets.iter().map(String::as_str), 5)))
                .hint("switch their rotation off, or move them to another function, first")
        }
        ProblemKind::UseUnknown => Words::new("whether secrets still rotate with its function can't be known")
            .hint("the reading role needs `secretsmanager:ListSecrets`"),
        ProblemKind::Policy { rule, at, breach, .. } => super::policy::breach(rule, at, breach),
        ProblemKind::LimitExceeded(exceeded) => super::policy::limit(exceeded),
        ProblemKind::Frozen(frozen) => super::policy::frozen(frozen),
        ProblemKind::Unread { what, unread } => {
            let words = Words::new(format!("the {} can't be read: {}", safe(what), unread_words(unread)));
            // A service that refuses doesn't always say so by its code.
            let denial = match unread {
                Unread::Denied { .. } => None,
                Unread::Failed { message, .. } => Denial::of(message, ""),
            };
            denial.map(|denial| safe(&denial.hint()).into_owned()).into_iter().fold(words, Words::hint)
        }
        ProblemKind::StillNamed { address } => {
            Words::new(format!("it holds the function that {} uses", safe(&address.to_string())))
                .hint("deploy that function here again, or take the entry out first")
        }
        ProblemKind::PruningRefused => Words::new("what the project owns can't be listed, so nothing can be pruned for sure")
            .hint("the reading role needs `secretsmanager:ListSecrets` and `cloudformation:DescribeStacks`; or plan without `--prune`"),
        ProblemKind::NameNotTaken => {
            Words::new("the application declares no parameter `functionName`, so AWS would make up the function's name")
                .hint("deploy it by other means, and use the function with `existing: NAME`")
        }
    }
}
