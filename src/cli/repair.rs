//! `rotator repair`.

use clap::{Args, Subcommand};
use futures::StreamExt as _;

use crate::aws::{Connection, ErrorKind, ReadOnly};
use crate::exit::{self, worse};
use crate::model::{Desired, Kind};
use crate::plan::planner::not_repaired;
use crate::plan::{Purpose, Way};
use crate::render::command::Route;
use crate::render::ends::Reach;
use crate::render::repair::{Stuck, TargetRepairs, text};
use crate::render::repair_data::json;

use super::converge::{Common, RotationOptions, Run};
use super::failure::Failure;
use super::options::{Global, Paths, TextOrJson};
use super::output;
use super::session::Session;
use super::task::{Task, pending};
use super::view::View;

/// How many secrets are looked at a time.
const AT_A_TIME: usize = 16;

/// Says which rotations are stuck, and offers the ways out; or takes one of them.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Without a way it reads, and changes nothing; it ends with 4 where a rotation is stuck.

Examples:
  rotator repair
  rotator repair --secret payments/api-key --format json
  rotator repair retry --secret 'payments/*'
  rotator repair promote --secret payments/api-key
  rotator repair drop --secret payments/api-key --confirm payments/api-key"
)]
pub struct Arguments {
    #[command(subcommand)]
    way: Option<RepairWay>,
    #[command(flatten)]
    paths: Paths,
    /// Only this secret, by its handle or AWS's name, or by a pattern such as `payments/*`; repeatable
    #[arg(long, value_name = "NAME")]
    secret: Vec<String>,
    /// How it is printed; `rotator schema repair` describes the JSON
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: TextOrJson,
}

/// A way out of a rotation that is stuck.
#[derive(Debug, Subcommand)]
enum RepairWay {
    /// Have Secrets Manager try the rotation again, and watch it to its end
    Retry(Ask),
    /// Make the pending version the current one: what finishSecret would have done
    Promote(Ask),
    /// Give the pending version up; a label of its own keeps its value
    Drop(Ask),
}

/// What each way is asked alike.
#[derive(Debug, Args)]
struct Ask {
    #[command(flatten)]
    common: Common,
    /// The secret, by its handle or AWS's name, or by a pattern such as `payments/*`; repeatable
    #[arg(long, value_name = "NAME", required = true)]
    secret: Vec<String>,
    /// The secret's name on AWS once more, where what is asked for may do harm
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    #[command(flatten)]
    rotations: RotationOptions,
}

impl RepairWay {
    fn ask(&self) -> (Way, &Ask) {
        match self {
            Self::Retry(ask) => (Way::Retry, ask),
            Self::Promote(ask) => (Way::Promote, ask),
            Self::Drop(ask) => (Way::Drop, ask),
        }
    }
}

impl Arguments {
    /// Who reads what it says.
    pub fn view(&self) -> View {
        match &self.way {
            Some(way) => way.ask().1.common.view(),
            None => self.format.view(),
        }
    }

    /// Whether it may change AWS.
    pub fn is_changing(&self) -> bool {
        self.way.is_some()
    }
}

/// Runs it.
pub async fn run(global: &Global, arguments: &Arguments, view: View) -> Result<u8, Failure> {
    let Some(way) = &arguments.way else { return report(global, arguments).await };
    let (way, ask) = way.ask();
    let asked = Run {
        task: Task::Repair { way, confirmed: ask.confirm.clone() },
        secrets: ask.secret.clone(),
        ..ask.common.run(global, view, Purpose::Repair)
    };
    ask.common.converge(ask.rotations.run(asked)).await
}

/// Says what is stuck, and what may be done.
async fn report(global: &Global, arguments: &Arguments) -> Result<u8, Failure> {
    let session = Session::open(global, &arguments.paths.paths, &global.target).await?.only(&arguments.secret)?;
    let (targets, failed) =
        session.read_each(|connection, desired, _| async move { Ok(read(&connection, &desired).await) }).await;
    let shown = if targets.is_empty() && failed.is_some() {
        Ok(exit::OK)
    } else {
        let (endpoint, sandbox) = session.lasting();
        let route = Route { endpoint: endpoint.as_deref(), sandbox: sandbox.as_deref() };
        let reach = |region| Reach { region, route, words: false };
        output::data(&match arguments.format {
            TextOrJson::Text => targets.iter().map(|target| text(target, reach(&target.region))).collect(),
            TextOrJson::Json => json(&targets, failed.is_none(), route),
        })
    };
    session.notices();
    session.close().await?;
    shown?;
    let all = || targets.iter().flat_map(|target| &target.stuck);
    let stuck = if all().any(Stuck::is_stuck) { exit::NOT_FINISHED } else { exit::OK };
    let unread = if targets.iter().any(|target| !target.unread.is_empty()) { exit::ERROR } else { exit::OK };
    let code = worse(stuck, unread);
    match failed {
        Some(failure) => Err(Failure { code: worse(failure.code, code), ..failure }),
        None => Ok(code),
    }
}

/// Reads one target.
async fn read(connection: &Connection<ReadOnly>, desired: &Desired) -> TargetRepairs {
    let reader = connection.reader();
    let secrets = desired.secrets.iter().map(|(handle, secret)| {
        let (reader, address) = (&reader, desired.address(Kind::Secret, handle));
        async move { (address, reader.secret(&secret.name).await) }
    });
    let secrets: Vec<_> = futures::stream::iter(secrets).buffered(AT_A_TIME).collect().await;
    let (mut found, mut unread) = (Vec::new(), Vec::new());
    for (address, secret) in secrets {
        match secret {
            Ok(details) => found.push((address, details.secret)),
            // What isn't there has no rotation; `plan` and `status` say that it is missing.
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => unread.push((address, error.into())),
        }
    }
    let mut known = pending(&reader, found.iter().map(|(_, live)| live)).await;
    let looked_at = found.len();
    let stuck = found.into_iter().filter(|(_, live)| live.unfinished_rotation().is_some()).map(|(address, live)| {
        let refused = not_repaired(&live);
        Stuck { pending: known.remove(&live.arn).unwrap_or_default(), address, secret: live, refused }
    });
    TargetRepairs {
        target: desired.target.name.clone(),
        account: connection.account().to_owned(),
        region: connection.region().to_owned(),
        looked_at,
        stuck: stuck.collect(),
        unread,
    }
}
