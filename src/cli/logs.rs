//! What functions logged about rotations that haven't finished, and tests that have failed; and `rotator logs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::Args;
use futures::StreamExt as _;

use crate::apply::{Outcome, Report};
use crate::aws::execute::FunctionState;
use crate::aws::reader::{LOGS, SecretDetails};
use crate::aws::{AwsError, Connection, ErrorKind, ReadOnly, Reader};
use crate::exit::{self, worse};
use crate::model::arn;
use crate::model::invocation::invocations;
use crate::model::{Desired, Kind, LogEvent};
use crate::plan::verdict::{Logged, Request, tries};
use crate::render;
use crate::render::function_log::function_log;
use crate::render::logs::{Log, Said, TargetLogs, Unsaid};

use super::failure::Failure;
use super::options::{self, Global, Paths, TextOrJson};
use super::output;
use super::session::Session;
use super::view::View;

/// How many secrets are looked up at a time.
const AT_A_TIME: usize = 16;

/// Reads functions' logs, and says how secrets' last rotations ended: step and line.
#[derive(Debug, Args)]
#[command(after_help = "What a function logs is its author's, and may hold anything.

Examples:
  rotator logs
  rotator logs --target secret.payments/api-key --since 2h
  rotator logs --target function.Stripe --format json")]
pub struct Arguments {
    #[command(flatten)]
    paths: Paths,
    /// Only this secret, by its handle or AWS's name, or by a pattern such as `payments/*`; repeatable
    #[arg(long, value_name = "NAME")]
    secret: Vec<String>,
    /// How far back logs are read, such as `90m`, `36h` or `7d`
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = span)]
    since: Duration,
    /// How it is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: TextOrJson,
}

/// A span of time: a number and a unit.
fn span(text: &str) -> Result<Duration, String> {
    let span = options::span(text, 1..=100_000, &["s", "m", "h", "d"]);
    let wrong = || "a time is a number with `s`, `m`, `h` or `d` behind it, such as `36h`".to_owned();
    span.map(|(number, unit)| Duration::from_secs(number * unit)).ok_or_else(wrong)
}

impl Arguments {
    /// Who reads what it says.
    pub fn view(&self) -> View {
        self.format.view()
    }
}

/// Runs it.
pub async fn run(global: &Global, arguments: &Arguments) -> Result<u8, Failure> {
    let session = Session::open(global, &arguments.paths.paths, &global.target).await?.only(&arguments.secret)?;
    let since = arguments.since;
    let (targets, failed) =
        session.read_each(|connection, desired, _| async move { Ok(read(&connection, &desired, since).await) }).await;
    let shown = if targets.is_empty() && failed.is_some() {
        Ok(exit::OK)
    } else {
        output::data(&match arguments.format {
            TextOrJson::Text => render::logs::text(&targets),
            TextOrJson::Json => render::logs::json(&targets, failed.is_none()),
        })
    };
    session.notices();
    session.close().await?;
    shown?;
    let unread = |log: &Log| log.said.as_ref().is_err_and(Unsaid::is_failure);
    let code = if targets.iter().flat_map(|target| &target.logs).any(unread) { exit::ERROR } else { exit::OK };
    match failed {
        Some(failure) => Err(Failure { code: worse(failure.code, code), ..failure }),
        None => Ok(code),
    }
}

/// A secret, or a function, that is asked about.
struct Asked {
    address: String,
    /// The secret as it is.
    secret: Option<SecretDetails>,
    /// The function's ARN.
    function: Result<String, Unsaid>,
}

/// Reads one target.
async fn read(connection: &Connection<ReadOnly>, desired: &Desired, since: Duration) -> TargetLogs {
    let reader = connection.reader();
    let since = reader.now().saturating_mul(1000).saturating_sub(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    let secrets = desired.secrets.iter().map(|(handle, secret)| {
        let (reader, address) = (&reader, desired.address(Kind::Secret, handle).to_string());
        async move { of_secret(address, reader.secret(&secret.name).await) }
    });
    let mut asked: Vec<Asked> = futures::stream::iter(secrets).buffered(AT_A_TIME).collect().await;
    // A function whose secrets are asked about too is told of by them.
    let told: BTreeSet<String> =
        asked.iter().filter_map(|one| one.function.as_ref().ok()).map(|arn| plain(arn)).collect();
    for (handle, function) in &desired.functions {
        let arn =
            if function.name.starts_with("arn:") { function.name.clone() } else { reader.function_arn(&function.name) };
        if !told.contains(&plain(&arn)) {
            let address = desired.address(Kind::Function, handle).to_string();
            asked.push(Asked { address, secret: None, function: Ok(arn) });
        }
    }
    let functions: BTreeSet<&String> = asked.iter().filter_map(|one| one.function.as_ref().ok()).collect();
    let read = futures::stream::iter(functions).map(|arn| {
        let reader = &reader;
        async move { (arn.clone(), Source::read(reader, arn, since).await) }
    });
    let sources: BTreeMap<String, Result<Source, Unsaid>> = read.buffered(LOGS).collect().await;
    let together = |arn: &str| asked.iter().filter(|one| one.function.as_ref().is_ok_and(|other| other == arn)).count();
    let logs = asked.iter().map(|one| log(one, &sources, since, together)).collect();
    TargetLogs {
        target: desired.target.name.clone(),
        account: connection.account().to_owned(),
        region: connection.region().to_owned(),
        logs,
    }
}

fn plain(arn: &str) -> String {
    arn::unqualified_function_arn(arn).to_owned()
}

fn of_secret(address: String, found: Result<SecretDetails, AwsError>) -> Asked {
    match found {
        Ok(details) => {
            let function = details.secret.function_arn.clone().ok_or(Unsaid::NoFunction);
            Asked { address, secret: Some(details), function }
        }
        Err(error) if error.kind == ErrorKind::NotFound => {
            Asked { address, secret: None, function: Err(Unsaid::Missing("secret")) }
        }
        Err(error) => {
            let unread = Unsaid::Unread { what: "the secret", why: error.into() };
            Asked { address, secret: None, function: Err(unread) }
        }
    }
}

/// A function's log.
struct Source {
    group: String,
    logged: Logged,
    /// `Err`: it can't be read.
    events: Result<Vec<LogEvent>, Unsaid>,
}

impl Source {
    /// Where the function's own configuration says that it logs, and what is there.
    async fn read(reader: &Reader, function: &str, since: i64) -> Result<Self, Unsaid> {
        if !arn::is_in(function, reader.account(), reader.region()) {
            return Err(Unsaid::Elsewhere);
        }
        let FunctionState { configuration: live, .. } = match reader.function(function).await {
            Ok(state) => state,
            Err(error) if error.kind == ErrorKind::NotFound => return Err(Unsaid::Missing("function")),
            Err(error) => return Err(Unsaid::Unread { what: "the function", why: error.into() }),
        };
        let group = live.logs_to();
        let events = reader.log(&group, since).await;
        let events = events.map_err(|error| Unsaid::Unread { what: "its log", why: error.into() });
        Ok(Self { group, logged: Logged::of(&live), events })
    }
}

fn log(
    one: &Asked,
    sources: &BTreeMap<String, Result<Source, Unsaid>>,
    since: i64,
    together: impl Fn(&str) -> usize,
) -> Log {
    let arn = one.function.as_ref().ok();
    let source = arn.and_then(|arn| sources.get(arn));
    let said = match (&one.function, source) {
        (Err(unsaid), _) | (Ok(_), Some(Err(unsaid))) => Err(unsaid.clone()),
        (Ok(_), None) => Err(Unsaid::NoFunction),
        (Ok(arn), Some(Ok(source))) => {
            source.events.as_ref().map_err(Clone::clone).map(|events| said(one, events, source, since, together(arn)))
        }
    };
    Log {
        address: one.address.clone(),
        secret: one.secret.as_ref().map(|details| details.secret.name.clone()),
        function: arn.map(|arn| arn::function_name(arn).to_owned()),
        log_group: source.and_then(|source| Some(source.as_ref().ok()?.group.clone())),
        since,
        said,
    }
}

/// What of a log is about a secret: its last rotation, by the version that it made or makes, or the secret's ARN; else what may be.
fn said(one: &Asked, events: &[LogEvent], source: &Source, since: i64, together: usize) -> Said {
    let all = invocations(events);
    let (token, secret_arn) = match &one.secret {
        Some(SecretDetails { secret, .. }) => {
            let version = secret.pending_version.as_ref().or(secret.current_version.as_ref());
            (version.cloned().unwrap_or_default(), secret.arn.clone())
        }
        None => (String::new(), String::new()),
    };
    let names = |one: &&crate::model::invocation::Invocation<'_>| one.names(&token) || one.names(&secret_arn);
    let own = all.iter().filter(names).map(|one| one.began).max();
    let last_began = own.or_else(|| all.iter().map(|one| one.began).max());
    let request = Request { token: &token, secret_arn: &secret_arn, sent: since, together };
    Said { tries: tries(events, request, &source.logged), last_began }
}

/// How many functions' logs are shown: who has more broken at once looks at one first.
const FUNCTIONS: usize = 5;

/// Shows the log of each function that failed, once. Why a log can't be read stands in the report.
pub fn show(report: &Report) {
    let (mut seen, mut left) = (BTreeSet::new(), 0);
    for outcome in &report.outcomes {
        let (function, group, last, first, many) = match outcome {
            Outcome::TestFailed(test) => (&test.function, &test.log_group, &test.trouble, None, 1),
            Outcome::NotFinished(rest) => match (&rest.function, &rest.log_group, &rest.tries) {
                (Some(function), Some(group), Ok(tries)) => match &tries.last {
                    Some(last) => (function, group, last, tries.first.as_deref(), tries.failed),
                    None => continue,
                },
                _ => continue,
            },
            _ => continue,
        };
        if !seen.insert((function, group)) {
            continue;
        }
        if seen.len() > FUNCTIONS {
            left += 1;
            continue;
        }
        output::say(&format!("\n{}", function_log(function, group, last, first, many).trim_end()));
    }
    if left > 0 {
        output::say(&format!("the logs of {left} more functions are not shown"));
    }
}
