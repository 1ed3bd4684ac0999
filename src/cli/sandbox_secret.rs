//! `rotator sandbox secret`: the secrets of a sandbox, whose values are its own.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::aws::served::{Scope, ServedError, ServedSecret};
use crate::aws::{SANDBOX_ACCOUNT, Served};
use crate::render::{count, safe};
use crate::sandbox::persist::PersistError;
use crate::sandbox::{self, Sandbox, StartError, direct};
use crate::{env, exit};

use super::failure::Failure;
use super::options::Global;
use super::output;
use super::rehearsal::{REGION, USUAL_STATE, failure};
use super::value::read;

/// How often a rotation is looked at.
const POLL: Duration = Duration::from_millis(100);

/// What to do with a secret of the sandbox.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Give a secret a value, from a file or from standard input
    Put {
        #[command(flatten)]
        which: Which,
        /// The file with the value; one line break at its end isn't taken. `-`: standard input
        #[arg(value_name = "FILE", default_value = "-")]
        file: PathBuf,
    },
    /// Show a secret's versions and their labels
    Show {
        #[command(flatten)]
        which: Which,
        /// Print the current value, and nothing else: it is the sandbox's own, and nothing real unless somebody put it there
        #[arg(long)]
        value: bool,
        /// Of the version that a rotation is making
        #[arg(long, requires = "value")]
        pending: bool,
    },
    /// Rotate a secret now, or try again at once what hasn't finished, and wait for its end
    Rotate {
        #[command(flatten)]
        which: Which,
    },
}

/// Which secret of which sandbox.
#[derive(Debug, Args)]
pub struct Which {
    /// The secret's name
    #[arg(value_name = "NAME")]
    name: String,
    /// The sandbox's state, where none is served at `--endpoint-url` or `AWS_ENDPOINT_URL` [default: .rotator/sandbox.json]
    #[arg(long, value_name = "FILE", conflicts_with = "endpoint_url")]
    state: Option<PathBuf>,
    /// The account that the secret is in, where several have one of this name, or none yet [default: the sandbox's own]
    #[arg(long, value_name = "ID")]
    account: Option<String>,
}

/// Runs it.
pub async fn run(global: &Global, command: Command) -> Result<u8, Failure> {
    let (which, rests) = match &command {
        Command::Put { which, .. } | Command::Show { which, .. } => (which, true),
        Command::Rotate { which } => (which, false),
    };
    // Before the state is locked: who types takes a while.
    let value = match &command {
        Command::Put { file, .. } => Some(read(file)?),
        _ => None,
    };
    if let Some(served) = served(global, which) {
        return at_served(global, &served, which, &command, value.as_deref()).await;
    }
    let state = which.state.clone().unwrap_or_else(|| PathBuf::from(USUAL_STATE));
    if value.is_none() && !state.exists() {
        return Err(Failure::new(format!("there is no sandbox's state in `{}`", output::path(&state)))
            .hint("`--state FILE` names another; `rotator apply --sandbox` makes one")
            .hint("`--endpoint-url URL` leads to a sandbox that is served"));
    }
    let region = global.region.clone().unwrap_or_else(|| REGION.to_owned());
    let options = sandbox::Options {
        state_file: Some(state),
        account: which.account.clone().unwrap_or_else(|| SANDBOX_ACCOUNT.to_owned()),
        region: region.clone(),
        rests,
        ..sandbox::Options::default()
    };
    let running = sandbox::start(options).await.map_err(|error| match error {
        StartError::State(PersistError::Locked(_)) => {
            failure(&error).hint("a sandbox that is served with this state is asked by `--endpoint-url URL`")
        }
        error => failure(&error),
    })?;
    let result = within(&running, which, &region, &command, value.as_deref()).await;
    notices(&running);
    running.shutdown().await.map_err(|error| failure(&StartError::State(error)))?;
    result
}

/// The sandbox that is served, where one is named: by the command line, or by what leads AWS's own clients to it.
fn served(global: &Global, which: &Which) -> Option<Served> {
    let by_environment = || env::read(env::AWS_ENDPOINT_URL).filter(|_| which.state.is_none());
    global.endpoint_url.clone().or_else(by_environment).map(|url| Served::at(&url))
}

/// The same with a sandbox that is served.
async fn at_served(
    global: &Global,
    served: &Served,
    which: &Which,
    command: &Command,
    value: Option<&str>,
) -> Result<u8, Failure> {
    let (name, shown_name) = (which.name.as_str(), safe(&which.name));
    let scope = Scope { account: which.account.as_deref(), region: global.region.as_deref() };
    let refuses = if matches!(command, Command::Put { .. }) { "takes no value" } else { "doesn't rotate" };
    let failed = |error: ServedError| {
        let error = match error {
            ServedError::Missing(why) => {
                ServedError::Missing(format!("the sandbox {}", why.replacen("there is no", "has no", 1)))
            }
            ServedError::Refused(why) => ServedError::Refused(format!("`{}` {refuses}: {why}", which.name)),
            error @ ServedError::Unreachable { .. } => error,
        };
        let hint = match &error {
            ServedError::Unreachable { .. } => "`rotator sandbox start` serves one; `--state FILE` names a state file",
            ServedError::Missing(_) => "`rotator sandbox secret put NAME FILE` makes one",
            ServedError::Refused(_) => "`rotator apply` attaches its function first",
        };
        Failure::new(safe(&error.to_string()).into_owned()).hint(hint)
    };
    match command {
        Command::Put { .. } => {
            let made = served.put(name, scope, value.unwrap_or_default()).await.map_err(failed)?;
            say_put(&shown_name, made);
            Ok(exit::OK)
        }
        Command::Show { value: true, pending, .. } => {
            let value = served.value(name, scope, *pending).await.map_err(failed)?;
            output::verbatim(&format!("{value}\n"))
        }
        Command::Show { .. } => {
            let secret = served.secret(name, scope).await.map_err(failed)?;
            let ServedSecret { arn, function, enabled, unfinished, versions, .. } = secret;
            output::data(&shown(&direct::Shown { arn, function, enabled, unfinished, versions }))
        }
        Command::Rotate { .. } => {
            let (version, account, region) = served.rotate(name, scope).await.map_err(failed)?;
            while served.goes_on((&account, &region), name, &version).await.map_err(failed)? {
                tokio::time::sleep(POLL).await;
            }
            let scope = Scope { account: Some(&account), region: Some(&region) };
            let secret = served.secret(name, scope).await.map_err(failed)?;
            Ok(say_rotated(&shown_name, is_current(&secret.versions, &version)))
        }
    }
}

fn say_put(name: &str, made: bool) {
    let how = if made { "made, with that value" } else { "has a new current value" };
    output::say(&format!("sandbox: {name} {how}"));
}

fn is_current(versions: &[(String, Vec<String>, Option<usize>)], version: &str) -> bool {
    versions.iter().any(|(id, stages, _)| id == version && stages.iter().any(|stage| stage == "AWSCURRENT"))
}

/// Says how a rotation ended. The exit code.
fn say_rotated(name: &str, current: bool) -> u8 {
    if current {
        output::say(&format!("sandbox: {name} has rotated"));
        return exit::OK;
    }
    output::error_line(
        &format!("`{name}` hasn't rotated, and no try is left"),
        &["mend its function, and apply: that tries it again at once".to_owned()],
    );
    exit::NOT_FINISHED
}

async fn within(
    running: &Sandbox,
    which: &Which,
    region: &str,
    command: &Command,
    value: Option<&str>,
) -> Result<u8, Failure> {
    let (shared, name) = (running.shared(), safe(&which.name));
    let known = direct::scopes(shared, &which.name);
    let stated = sandbox::state::Scope::new(which.account.as_deref().unwrap_or(SANDBOX_ACCOUNT), region);
    let scope = match &known[..] {
        [one] => one.clone(),
        _ => stated,
    };
    if let Some(value) = value {
        let made = direct::put(shared, &scope, &which.name, value)
            .map_err(|why| Failure::new(format!("`{name}` takes no value: {why}")))?;
        say_put(&name, made);
        return Ok(exit::OK);
    }
    let missing = || {
        let place = format!("account {}, region {}", safe(&scope.account), safe(&scope.region));
        Failure::new(format!("the sandbox has no secret `{name}` in {place}"))
            .hint("`rotator sandbox secret put NAME FILE` makes one; `--account` and `--region` say where to look")
    };
    let secret = direct::show(shared, &scope, &which.name).ok_or_else(missing)?;
    match command {
        Command::Show { value: true, pending, .. } => {
            let value = direct::value(shared, &scope, &which.name, *pending);
            let value = value.ok_or_else(|| Failure::new(format!("`{name}` has no such value")))?;
            output::verbatim(&format!("{value}\n"))
        }
        Command::Rotate { .. } => rotate(running, &scope, &which.name).await,
        _ => output::data(&shown(&secret)),
    }
}

/// Waits for a rotation's end.
async fn rotate(running: &Sandbox, scope: &sandbox::state::Scope, name: &str) -> Result<u8, Failure> {
    let shown = safe(name);
    let version = direct::rotate(running.shared(), scope, name).map_err(|why| {
        Failure::new(format!("`{shown}` doesn't rotate: {}", safe(&why)))
            .hint("`rotator apply --sandbox` attaches its function first")
    })?;
    while sandbox::goes_on(running.shared(), &scope.account, &scope.region, name, &version) {
        notices(running);
        tokio::time::sleep(POLL).await;
    }
    let secret = direct::show(running.shared(), scope, name);
    notices(running);
    Ok(say_rotated(&shown, secret.is_some_and(|secret| is_current(&secret.versions, &version))))
}

fn notices(running: &Sandbox) {
    for notice in running.notices() {
        output::say(&format!("sandbox: {}", safe(&notice)));
    }
}

/// A secret in words, without its values.
fn shown(secret: &direct::Shown) -> String {
    let mut text = format!("{}\n", safe(&secret.arn));
    match &secret.function {
        Some(function) => {
            let how = if secret.enabled { "on" } else { "off" };
            let _ = writeln!(text, "  rotation: {how}, with {}", safe(function));
        }
        None => text.push_str("  rotation: never configured\n"),
    }
    for (id, stages, length) in &secret.versions {
        let labels = if stages.is_empty() { "no label".to_owned() } else { stages.join(", ") };
        let value = length.map_or_else(|| "no value yet".to_owned(), |length| count(length, "byte"));
        let _ = writeln!(text, "  {}: {}; {value}", safe(id), safe(&labels));
    }
    if secret.unfinished.is_some() {
        text.push_str("  a rotation hasn't finished\n");
    }
    text
}
