//! The words of foreseen problems: what, why, and what to do.

use std::time::Duration;

use crate::aws::Denial;
use crate::model::CodeFinding;
use crate::model::arn::{Arn, function_name};
use crate::model::external::Doubt;
use crate::model::live::Unread;
use crate::model::near::{did_you_mean, near};
use crate::plan::problem::LiveFault;
use crate::plan::{Problem, ProblemKind, Way};

use super::command::{Route, There, aws};
use super::said::{duration, moment};
use super::words::{Words, unread_words};
use super::{safe, select, some_of, stack};

/// Why a rotation isn't repaired yet.
fn may_still_run(
    (age, limit): (Option<i64>, i64),
    open: Option<i64>,
    unread: Option<&Unread>,
    route: Route<'_>,
) -> Words {
    let span = |seconds: i64| duration(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()));
    let words = Words::new("its function may be running for this rotation");
    let words = match (open, age) {
        (Some(open), _) => {
            words.because(format!("an invocation that began at {} has no end in the log", moment(open.div_euclid(1000))))
        }
        (None, Some(age)) => words.because(format!(
            "its version has been pending for {}, and each of the four steps may take as long as the function may run: {} together",
            span(age),
            span(limit)
        )),
        (None, None) => words.because(match unread {
            Some(unread) => format!("it isn't known since when its version has been pending: {}", unread_words(unread)),
            None => "it isn't known since when its version has been pending (`secretsmanager:ListSecretVersionIds` says it)".to_owned(),
        }),
    };
    match route.sandbox {
        None => words.hint("wait, and run the same command again; `rotator logs` shows what the function does"),
        Some(sandbox) => words.hint(format!(
            "between the commands of a rehearsal no time passes: mend the function, and `rotator apply {sandbox}` tries again; a sandbox that goes on (`rotator sandbox start`) has a clock"
        )),
    }
}

/// What must be confirmed by name.
fn unconfirmed(way: Way, name: &str) -> Words {
    let why = match way {
        Way::Promote => "the function's log doesn't show that testSecret passed for the pending version",
        Way::Drop | Way::Retry => {
            "setSecret may have run for the pending version, which may hold the only live password"
        }
    };
    Words::new(format!("`repair {}` asks for the secret's name once more", way.word()))
        .because(why)
        .hint(format!("if you know that it is right: `--confirm '{name}'`"))
}

/// That another stack holds the function. `own`: what a manifest calls that stack.
fn held_by_stack(function: &str, stack: &str, own: &str, project: Option<&str>) -> Words {
    let (stack, own) = (safe(stack), safe(own));
    let words = Words::new(format!("a function `{function}` is there already, and the stack `{stack}` holds it"));
    match project {
        None => words.hint(format!(
            "if that stack is this entry's, write `stack: {own}` into the entry; to deploy another function: `name: OTHER`"
        )),
        Some(project) => words.because(format!("that stack belongs to the project `{}`", safe(project))).hint(format!(
            "once that project has let it go (`removed:`), or with `renamed_from: {0}` where it is this one's earlier name, write `stack: {own}` into the entry; to deploy another function: `name: OTHER`",
            safe(project)
        )),
    }
}

/// What is wrong with code, behind its place.
pub(super) fn code_finding(finding: &CodeFinding) -> Words {
    let place = match (&finding.file, &finding.spot) {
        (Some(file), Some(spot)) => format!("{}:{}:{}: ", safe(file), spot.line, spot.column),
        _ => String::new(),
    };
    Words {
        summary: format!("{place}{}", safe(&finding.summary)),
        detail: finding.detail.as_ref().map(|detail| safe(detail).into_owned()),
        hints: finding.hints.iter().map(|hint| safe(hint).into_owned()).collect(),
    }
}

/// That a secret is missing; the region is empty where the words stand for any.
fn no_such_secret(region: &str) -> String {
    let place = if region.is_empty() { String::new() } else { format!(" in {}", safe(region)) };
    format!("Secrets Manager has no such secret{place}")
}

/// A problem in words. One table of all kinds, so that the compiler asks for the words of a new one. `there`: where commands of AWS's CLI
/// lead, which else goes to whatever region its user has set.
#[expect(clippy::too_many_lines, reason = "one table of all kinds: the compiler asks for the words of a new one")]
pub fn words(problem: &Problem, there: &There<'_>) -> Words {
    let name = safe(&problem.name);
    match &problem.kind {
        ProblemKind::SecretMissing => Words::new(no_such_secret(&there.region))
            .hint("create it first; `rotator` never creates secrets, nor sets their values")
            .hint("is it in another region? State the target's `region`, or use `--region`"),
        ProblemKind::NoValue => Words::new("the secret has no value yet, so there is nothing to rotate")
            .hint(format!(
                "give it its first value:\n    {} --secret-id NAME --secret-string file://VALUE",
                aws("secretsmanager put-secret-value", there)
            )),
        ProblemKind::ScheduledForDeletion => Words::new("the secret is scheduled for deletion")
            .hint(format!(
                "take it out of the manifest, or bring it back:\n    {} --secret-id NAME",
                aws("secretsmanager restore-secret", there)
            )),
        ProblemKind::Replica { primary } => {
            Words::new(format!("the secret is a replica; it rotates in its primary region, {}", safe(primary)))
                .hint("move the entry to a target in that region; replicas follow by themselves")
        }
        ProblemKind::OwnedByService { service } => {
            Words::new(format!("the secret belongs to the service {}, which rotates it by itself", safe(service)))
                .because("such a secret takes a schedule, and no function")
                .hint("remove `function:` from the entry, or write `function: null` where it comes from the defaults")
        }
        ProblemKind::HeldByPartner { partner } => {
            Words::new(format!("a partner holds the secret ({}), and AWS rotates it there by itself", safe(partner)))
                .because("such a secret takes a role and a schedule, and no function: RotateSecret refuses one")
                .hint("remove `function:` from the entry, or write `function: null` where it comes from the defaults")
        }
        ProblemKind::NotExternal => {
            Words::new("AWS doesn't know the secret as a managed external one: it has no type of a partner")
                .hint("remove `external:` from the entry; a secret of the account's own rotates with a `function:`")
        }
        ProblemKind::NoExternalRole { partner } => {
            Words::new(format!("Secrets Manager has no role to rotate the secret with, which a partner holds ({})", safe(partner)))
                .because("RotateSecret asks for one the first time")
                .hint("state it: `external: {role: \"arn:aws:iam::ACCOUNT:role/NAME\"}`; it trusts secretsmanager.amazonaws.com")
        }
        ProblemKind::ExternalDoubt { partner, doubt } => external_doubt(partner, doubt),
        ProblemKind::NotRotatedByService { service } => {
            Words::new(format!("the secret belongs to the service {}, which isn't known to rotate its secrets", safe(service)))
                .because("RDS, Redshift, DocumentDB and ECS do; AWS's answer is what counts")
                .hint("where AWS refuses, take the entry out: that service looks after the secret")
        }
        ProblemKind::SelectUnread { unread } => select::unread(unread),
        ProblemKind::RulesConflict { rules } => select::conflict(rules),
        ProblemKind::SameSecret { other } => {
            Words::new(format!("{} names the same secret", safe(&other.to_string())))
                .because("a secret has one schedule, and each apply would set the other entry's")
                .hint("remove one of the two entries")
        }
        ProblemKind::PartialArn { arn } => {
            Words::new("its ARN lacks AWS's six characters, and its name ends as if it had them")
                .because("AWS may take such an ARN for the complete one of another secret")
                .hint(format!("write the secret's name alone, `{name}`, or its complete ARN: `{}`", safe(arn)))
        }
        ProblemKind::NoFunction => Words::new("the entry names no function, and AWS doesn't manage this secret's rotation")
            .hint("add `function:` with the handle of a rotation function"),
        ProblemKind::UnfinishedRotation { version } => {
            let version = safe(version);
            Words::new(format!("a rotation isn't finished: version {version} holds AWSPENDING"))
                .because("Secrets Manager answers \"A previous rotation isn't complete\" until it is; one that fails it tries some times, and then not before the next window")
                .hint(format!(
                    "if it has only just begun, run this again in a moment; else this says what is known of it, and which ways out there are:\n    {}",
                    there.route.of_secret("repair", &problem.address)
                ))
                .hint(format!(
                    "what its function's log says:\n    {}",
                    there.route.of_secret("logs", &problem.address)
                ))
        }
        ProblemKind::RotationOff => Words::new("its rotation is off, and to rotate it now would switch it on")
            .hint("with `--enable` it is switched on, with the function and rules that AWS keeps of it; else put `rotation.enabled: true` into its entry, and apply"),
        ProblemKind::UnreadSinceRotation { rotated } => Words::new(format!(
            "AWS says that its value wasn't read on any day after its last rotation, of {}",
            moment(*rotated)
        ))
        .because("where two users alternate, a rotation changes the password that the last but one made: who hasn't read the newest value since is locked out")
        .hint("have its readers fetch the value first; a rotation that isn't urgent can wait for that"),
        ProblemKind::RotatedByAnother { by } => {
            Words::new(format!("{} rotates this secret, and ends its rotations by itself", safe(by)))
        }
        ProblemKind::MayStillRun { age, limit, open, unread } => {
            may_still_run((*age, *limit), *open, unread.as_ref(), there.route)
        }
        ProblemKind::Unconfirmed { way } => unconfirmed(*way, &name),
        ProblemKind::MayBeLive => Words::new("its pending version may hold the only live password")
            .because("setSecret may have run for it, and then the service knows no other value; the version keeps its value under its new label"),
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
        ProblemKind::ReadSecretMissing { secret } => {
            Words::new(format!("`role.read_secrets` names `{}`, and Secrets Manager has no such secret", safe(secret)))
                .hint("create it first; `rotator` never creates secrets, nor sets their values")
        }
        ProblemKind::ReadSecretNotTaken { version } => Words::new(format!(
            "version {} of its application gives the function no other secret to read",
            safe(version)
        ))
        .because("it declares no parameter `masterSecretArn`, and so its role may read nothing but the secrets that it rotates")
        .hint("choose a version that does with `application.version`, or give the role the right by other means"),
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
                "remove it, and the next apply adds a scoped one:\n    {} --function-name '{name}' --statement-id '{statement}'",
                aws("lambda remove-permission", there)
            ))
        }
        ProblemKind::InvocationDenied { statement } => {
            Words::new(format!("statement `{}` denies Secrets Manager the invocation", safe(statement)))
        }
        ProblemKind::OtherAccount { function, account } => {
            let (function, account) = (safe(function), safe(account));
            Words::new(format!("nothing lets Secrets Manager invoke its function for account {account}, which the secret belongs to"))
                .because("the permission that rotator writes is for the target's own account")
                .hint(format!(
                    "if it ought to be let in:\n    {} --function-name '{function}' --statement-id SecretsManagerAccess-{account} --action lambda:InvokeFunction --principal secretsmanager.amazonaws.com --source-account {account}",
                    aws("lambda add-permission", there)
                ))
        }
        ProblemKind::OtherAccountUnread { account, unread } => {
            let account = safe(account);
            Words::new(format!("the secret, of account {account}, can't be read: {}", unread_words(unread)))
                .because("across accounts, both must allow it: the caller's own policy, and the secret's resource policy")
                .hint(format!(
                    "have account {account} allow it in the secret's resource policy (`secretsmanager:DescribeSecret`, and `secretsmanager:RotateSecret` to apply), and its key, which must be a customer's, to the function's role"
                ))
        }
        ProblemKind::OtherAccountKey { account } => {
            Words::new(format!("the secret is encrypted with AWS's own key of account {}, which no other account can use", safe(account)))
                .because("a function of this account then can't read the secret by its own role")
                .hint("have the secret encrypted with a customer's key that the function's role may use; or a function that assumes a role there")
        }
        ProblemKind::LiveFunction { function, fault } => live_function(function, fault, there),
        ProblemKind::FunctionMissing => Words::new(format!("Lambda has no function `{name}`"))
            .hint("an `existing` function must be there; without `existing:` it is deployed"),
        ProblemKind::QualifierMissing { qualifier } => qualifier_missing(&name, qualifier, there),
        ProblemKind::NoRepository { region } => {
            Words::new(format!("{} has no Serverless Application Repository, from which functions are deployed", safe(region)))
                .hint("make the function by other means there, and use it: `existing: NAME`")
                .hint("or deploy it, and its secrets, in another region")
        }
        ProblemKind::RuntimeStopped { runtime, every_change, from, over, successor } => {
            let what = match (every_change, over) {
                (true, true) => "AWS refuses to change functions with the runtime",
                (true, false) => "AWS is going to refuse to change functions with the runtime",
                (false, true) => "AWS gives no function any more the runtime",
                (false, false) => "AWS is soon going to give no function the runtime",
            };
            let since = if *over { "since" } else { "from" };
            let words = Words::new(format!("{what} `{}`, {since} {from}", safe(runtime)));
            let words = match successor {
                Some(successor) => words.hint(format!(
                    "write `runtime: {}`, and rehearse the code with it: `rotator apply --sandbox`",
                    safe(successor)
                )),
                None => words,
            };
            words.hint("where AWS has moved that day, put a newer table of runtimes into `ROTATOR_LAMBDA_RUNTIMES`")
        }
        ProblemKind::FunctionThrottled { function } => {
            let words = Words::new("its reserved concurrency is 0, so that Lambda never runs it")
                .because("no secret rotates with it until that is mended");
            match function.parse::<Arn>() {
                Ok(arn) => words.hint(format!(
                    "let it run again:\n    {} --function-name '{}'",
                    aws("lambda delete-function-concurrency", &there.moved(arn.region)),
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
        ProblemKind::HeldByStack { stack, name: own, project } => held_by_stack(&name, stack, own, project.as_deref()),
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
            let hints = [stack::missing(reason, stack_name), stack::by_hand(status, stack_name, there, reason)].concat();
            let words = hints.into_iter().fold(words, Words::hint);
            if *ours { words } else { words.hint("it has no project's tag, so it is never deleted from here") }
        }
        ProblemKind::ApplicationMissing { application, version } => {
            let version = version.as_ref().map(|version| format!(" version {}", safe(version))).unwrap_or_default();
            Words::new(format!("the Serverless Application Repository has no {}{version}", safe(application)))
                .hint(format!(
                    "`{} --application-id '{}'` lists its versions",
                    aws("serverlessrepo list-application-versions", there),
                    safe(application)
                ))
        }
        ProblemKind::UnknownParameter { parameter, version, declared } => {
            let words = Words::new(format!("version {} declares no parameter `{}`", safe(version), safe(parameter)));
            match near(parameter, declared.iter().map(String::as_str)).first() {
                Some(name) => words.hint(did_you_mean(&[&safe(name)])),
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
        ProblemKind::Code { finding } => code_finding(finding),
        ProblemKind::CredentialsInPackage { parts } => {
            Words::new(super::package::holds(parts))
                .because("all who may call `lambda:GetFunction` can read all of a package")
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
        ProblemKind::Policy { rule, at, breach, .. } => super::rules::breach(rule, at, breach),
        ProblemKind::LimitExceeded(exceeded) => super::rules::limit(exceeded),
        ProblemKind::Frozen(frozen) => super::rules::frozen(frozen),
        ProblemKind::Unread { what, unread } => {
            let words = Words::new(format!("the {} can't be read: {}", safe(what), unread_words(unread)));
            // A service that refuses doesn't always say so by its code.
            let denial = match unread {
                Unread::Denied { .. } => None,
                Unread::Failed { message, .. } => Denial::of(message, ""),
            };
            denial.map(|denial| safe(&denial.hint()).into_owned()).into_iter().fold(words, Words::hint)
        }
        ProblemKind::PruningRefused => Words::new("what the project owns can't be listed, so nothing can be pruned for sure")
            .hint("the reading role needs `secretsmanager:ListSecrets` and `cloudformation:DescribeStacks`; or plan without `--prune`"),
        ProblemKind::NameNotTaken => {
            Words::new("the application declares no parameter `functionName`, so AWS would make up the function's name")
                .hint("deploy it by other means, and use the function with `existing: NAME`")
        }
    }
}

/// That Lambda doesn't know a version or an alias.
fn qualifier_missing(name: &str, qualifier: &str, there: &There<'_>) -> Words {
    let qualifier = safe(qualifier);
    let is_number = qualifier.bytes().all(|byte| byte.is_ascii_digit());
    let (what, list) =
        if is_number { ("version", "lambda list-versions-by-function") } else { ("alias", "lambda list-aliases") };
    Words::new(format!("Lambda has no {what} `{qualifier}` of a function `{name}`"))
        .because("with a version or an alias behind its name, that one is used, and must be there")
        .hint(format!("those that are there:\n    {} --function-name '{name}'", aws(list, there)))
}

/// What is known of a partner's type, and speaks against how its secret would rotate.
fn external_doubt(partner: &str, doubt: &Doubt) -> Words {
    let partner = safe(partner);
    match doubt {
        Doubt::ExpiresFirst { days, gap_hours } => Words::new(format!(
            "its token is over after {days} days, and up to {:.1} days lie between two rotations",
            f64::from(*gap_hours) / 24.0
        ))
        .because(format!("a token of the type {partner} must rotate before it is over; a window counts to its end"))
        .hint("rotate more often, or state a larger `external.metadata.daysToExpiry`"),
        Doubt::MissingKey { key } => Words::new(format!(
            "its metadata has no `{}`, without which the type {partner} isn't known to rotate",
            safe(key)
        ))
        .hint(format!("state it: `external: {{metadata: {{{}: …}}}}`", safe(key))),
    }
}

/// Why the function that is live can't rotate a secret, whose entry names no other.
fn live_function(function: &str, fault: &LiveFault, there: &There<'_>) -> Words {
    let function = safe(function);
    let other = "mend it, or name another function in the entry: `function:`";
    match fault {
        LiveFault::Missing => Words::new(format!("its function is gone: Lambda has no {function}"))
            .because("the entry names no function, so that the secret keeps the one that it has")
            .hint("deploy a function here and name it in the entry: `function:`; or set `rotation.enabled: false`"),
        LiveFault::Failed { reason } => {
            let words = Words::new(format!("its function {function} is in the state Failed")).hint(other);
            match reason {
                Some(reason) => words.because(safe(reason)),
                None => words,
            }
        }
        LiveFault::Throttled => {
            Words::new(format!("the reserved concurrency of its function {function} is 0, so that Lambda never runs it"))
                .hint(format!(
                    "let it run again:\n    {} --function-name '{function}'",
                    aws("lambda delete-function-concurrency", there)
                ))
        }
        LiveFault::Denied { statement } => Words::new(format!(
            "statement `{}` of the policy of its function {function} denies Secrets Manager the invocation",
            safe(statement)
        ))
        .hint(other),
        LiveFault::NotPermitted { account } => Words::new(format!(
            "Secrets Manager may not invoke its function {function}: no statement lets it in for account {}",
            safe(account)
        ))
        .hint(format!(
            "if it ought to be let in:\n    {} --function-name '{function}' --statement-id SecretsManagerAccess --action lambda:InvokeFunction --principal secretsmanager.amazonaws.com --source-account {}",
            aws("lambda add-permission", there),
            safe(account)
        )),
    }
}
