//! `rotator rotate`.

use std::time::Duration;

use chrono::Utc;
use clap::Args;

use crate::apply::{Options, Size, Waves};
use crate::model::RunId;
use crate::plan::Purpose;

use super::converge::{Common, RotationOptions, Run};
use super::failure::Failure;
use super::options::{Global, duration, whole};
use super::task::Task;
use super::view::View;

/// Gives secrets that the manifests name new values now, and watches each rotation to its end.
#[derive(Debug, Args)]
#[command(
    after_help = "A run prints its id first. Interrupted, or ended with 4, it goes on with `--resume ID`: no secret rotates twice by one run.

Examples:
  rotator rotate --secret payments/api-key
  rotator rotate --target prod --secret 'payments/*' --wave 10% --pause 5m --max-failures 2
  rotator rotate --target label:vendor=stripe --resume 019afe4c-5d0e-7c3a-9b7c-2f6f0a1d9e11"
)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Only this secret, by its handle or AWS's name, or by a pattern such as `payments/*`; repeatable
    #[arg(long, value_name = "NAME")]
    secret: Vec<String>,
    /// Switch rotation on where it is off: AWS rotates no secret without
    #[arg(long)]
    enable: bool,
    /// Go on with the run of this id: what it has rotated is left, what it began is watched, what has another value since is skipped
    #[arg(long, value_name = "ID")]
    resume: Option<RunId>,
    /// How many secrets of each target rotate at once, such as `10` or `25%`: the next wave begins once all of one have ended
    #[arg(long, value_name = "N|N%", value_parser = size)]
    wave: Option<Size>,
    /// How long nothing is begun after each wave, such as `90s` or `10m`
    #[arg(long, value_name = "TIME", requires = "wave", value_parser = duration)]
    pause: Option<Duration>,
    /// Begin no wave once so many rotations have failed, or haven't finished in time
    #[arg(long, value_name = "N", requires = "wave", value_parser = |text: &str| whole::<usize>(text, 1..=u64::MAX))]
    max_failures: Option<usize>,
    /// Show what functions logged, where their rotations haven't finished: their authors' words, which may hold anything
    #[arg(long)]
    show_function_logs: bool,
    #[command(flatten)]
    rotations: RotationOptions,
}

/// How many secrets a wave has.
fn size(text: &str) -> Result<Size, String> {
    match text.strip_suffix('%') {
        Some(percent) => whole(percent, 1..=100).map(Size::Percent),
        None => whole(text, 1..=u64::MAX).map(Size::Count),
    }
}

impl Arguments {
    /// Who reads.
    pub fn view(&self) -> View {
        self.common.view()
    }
}

/// Runs it.
pub async fn run(global: &Global, arguments: &Arguments, view: View) -> Result<u8, Failure> {
    let run = arguments.resume.unwrap_or_else(new_id);
    let pause = arguments.pause.unwrap_or_default();
    let waves = arguments.wave.map(|size| Waves::new(size, pause, arguments.max_failures));
    let asked = Run {
        function_logs: arguments.show_function_logs,
        task: Task::Rotate { run, resumed: arguments.resume.is_some(), enable: arguments.enable },
        secrets: arguments.secret.clone(),
        ..arguments.common.run(global, view, Purpose::Rotate)
    };
    let asked = arguments.rotations.run(asked);
    let options = Options { waves, ..asked.options.clone() };
    arguments.common.converge(Run { options, ..asked }).await
}

/// The id of a run that begins now.
fn new_id() -> RunId {
    let bytes = uuid::Uuid::new_v4().into_bytes();
    // Those between say which kind of UUID it is, and aren't random.
    let mut random = [0; 10];
    random[..6].copy_from_slice(&bytes[..6]);
    random[6..].copy_from_slice(&bytes[12..]);
    RunId::new(Utc::now().timestamp_millis(), random)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a wave could have another size than was asked for.
    #[test]
    fn waves_have_a_number_or_a_part() {
        assert_eq!((size("1"), size("100%")), (Ok(Size::Count(1)), Ok(Size::Percent(100))));
        for text in ["", "0", "%", "0%", "101%", "-1", "1.5", "010", "5 %", "all"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    /// Without it, two runs of one moment could be taken for one.
    #[test]
    fn each_run_has_an_id_of_its_own() {
        let (one, other) = (new_id(), new_id());
        assert_ne!(one, other);
        assert!((Utc::now().timestamp_millis() - one.began()).abs() < 60_000);
    }
}
