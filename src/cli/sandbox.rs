//! `rotator sandbox`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::aws::SANDBOX_ACCOUNT;
use crate::exit;
use crate::sandbox::{self, StartError};

use crate::render::{WARNING, paint};

use super::failure::Failure;
use super::options::{Global, whole};
use super::rehearsal::{LISTEN, failure};
use super::{output, sandbox_secret};

/// What to do with the sandbox.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve it on loopback until stopped
    Start(Arguments),
    /// Put, show or rotate a secret of a sandbox's state
    #[command(subcommand)]
    Secret(sandbox_secret::Command),
}

/// What `--help` says of scripted failures; [`sandbox::faults`] says it at length.
const FAULTS: &str = r#"Scripted failures: a JSON array of rules, or one rule a line, such as
  {"operation": "RotateSecret", "times": 2, "error": {"code": "ThrottlingException"}}
  {"service": "lambda", "every": 10, "answer": {"status": 502, "body": "<html>…"}}

The first rule that hits a call decides.
  service, operation, match    which calls; `match`: a text in the request
  caller, region               only of the client with this access key id; only in this region
  skip, times                  let so many pass first; rest after so many hits
  every, percent + seed        one in so many; so many in a hundred, the same each run
  error                        {"code", "status", "message"}: the service's own error
  answer                       {"status", "content_type", "body"}: a load balancer's
  reset, close                 true: no answer, the connection is reset or closed
  when                         "before" the effect, "after" it; "unread": before the body is read
  delay_ms, slow_body_ms       wait first; let the answer's body trickle
  break_body                   "reset", "close" or "truncate": only half of the body comes
  stale_seconds                answer a list or a description as of so many seconds ago

`POST /_sandbox/faults`, with the header `x-rotator-sandbox: 1`, puts another script in its place"#;

/// What `--help` says of policies; [`sandbox::rights`] says it at length.
const ALLOW: &str = r#"Refuse what this policy of IAM doesn't allow, as AWS would; repeatable: several count together. Such as
  {"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
    "Action": "secretsmanager:DescribeSecret", "Resource": "arn:aws:secretsmanager:*:*:secret:payments/*"}]}

Every caller is held to it, and what services do in a caller's name too: CloudFormation for the resources of a stack,
Secrets Manager that invokes a function, Lambda that looks at a network. Functions keep the rights of their roles. Statements
that allow actions on resources are understood; any other is refused, with its place.

`POST /_sandbox/allow`, with the header `x-rotator-sandbox: 1`, puts another policy in its place, `DELETE` lifts it, and `GET` says
what was asked, on which resources"#;

/// Serves the sandbox.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rotator sandbox start
  AWS_ENDPOINT_URL=http://127.0.0.1:4570 AWS_ACCESS_KEY_ID=123456789012 AWS_SECRET_ACCESS_KEY=any \\
    AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1 aws secretsmanager list-secrets")]
pub struct Arguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = LISTEN)]
    listen: SocketAddr,
    /// Listen where other machines can reach it. Whoever does can run programs on this machine, as you: functions' code
    /// runs here, and no call is asked for a secret
    #[arg(long)]
    allow_remote: bool,
    /// Keep the state in this file between runs [default: nowhere]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// The account of callers whose access key isn't an account id itself
    #[arg(long, value_name = "ID", default_value = SANDBOX_ACCOUNT)]
    account: String,
    /// Added to every answer, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = |text: &str| whole::<u64>(text, 0..=600_000))]
    latency: u64,
    /// Whether to throttle as AWS does
    #[arg(long, value_name = "WHICH", default_value = "off")]
    quotas: Quotas,
    /// Scripted failures: JSON, one rule a line
    #[arg(long, value_name = "FILE", long_help = FAULTS)]
    faults: Option<PathBuf>,
    /// Refuse what this policy of IAM doesn't allow, as AWS would; repeatable
    #[arg(long, value_name = "FILE", long_help = ALLOW)]
    allow: Vec<PathBuf>,
    /// Write one JSON line a call to this file: time, service, operation, caller, status, error code
    #[arg(long, value_name = "FILE")]
    calls: Option<PathBuf>,
    /// Make asynchronous waits shorter (below 1) or longer
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    time_scale: f64,
}

/// Which quotas hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Quotas {
    Aws,
    Off,
}

/// Runs it.
pub async fn run(global: &Global, command: Command) -> Result<u8, Failure> {
    if global.sandbox.is_some() {
        return Err(Failure::new("`rotator sandbox` takes no `--sandbox`")
            .hint("`--sandbox` starts one inside another command; `--state FILE` keeps this one's state"));
    }
    let arguments = match command {
        Command::Secret(command) => return sandbox_secret::run(global, command).await,
        Command::Start(arguments) => arguments,
    };
    let options = sandbox::Options {
        listen: arguments.listen,
        allow_remote: arguments.allow_remote,
        state_file: arguments.state,
        account: arguments.account,
        region: global.region.clone().unwrap_or_else(|| "us-east-1".to_owned()),
        latency: Duration::from_millis(arguments.latency),
        quotas: arguments.quotas == Quotas::Aws,
        faults: arguments.faults,
        allow: arguments.allow,
        calls: arguments.calls,
        time_scale: arguments.time_scale,
        ..sandbox::Options::default()
    };
    let (account, region) = (options.account.clone(), options.region.clone());
    // Before anybody can know that it runs, so that whoever stops it at once stops it in good order.
    let mut stopped = std::pin::pin!(output::stop_signal());
    let running = tokio::select! {
        started = sandbox::start(options) => started.map_err(|error| failure(&error))?,
        () = &mut stopped => return Ok(exit::OK),
    };
    // One line of data, so that scripts learn the port that a `:0` took.
    output::follow(&format!("{}\n", running.url()));
    if sandbox::is_remote(running.addr()) {
        output::say(&format!(
            "{} whoever reaches {} can run programs on this machine, as you",
            paint(WARNING, "warning:"),
            running.addr()
        ));
    }
    output::say(&format!(
        "sandbox: listening; nothing in it is real. For AWS's clients:
  export AWS_ENDPOINT_URL={} AWS_ACCESS_KEY_ID={account} AWS_SECRET_ACCESS_KEY=sandbox AWS_REGION={region} AWS_DEFAULT_REGION={region}",
        running.url()
    ));
    let mut tick = tokio::time::interval(Duration::from_millis(250));
    loop {
        tokio::select! {
            () = &mut stopped => break,
            _ = tick.tick() => {
                for notice in running.notices() {
                    output::say(&format!("sandbox: {}", crate::render::safe(&notice)));
                }
            }
        }
    }
    running.shutdown().await.map(|()| exit::OK).map_err(|error| failure(&StartError::State(error)))
}
