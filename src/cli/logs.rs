//! What functions logged about rotations that haven't finished.

use std::collections::BTreeMap;

use crate::apply::{NotFinished, Outcome, Report};
use crate::aws::{AwsError, Reader};
use crate::model::LogEvent;
use crate::plan::Step;
use crate::render::function_log::function_log;
use crate::render::report::aws_words;
use crate::render::safe;

use super::output;

/// How many functions' logs are shown: who has more broken at once looks at one first.
const FUNCTIONS: usize = 5;

/// How many versions are asked when they were made.
const VERSIONS: usize = 3;

/// How long before its version's creation a rotation's log is read from, in milliseconds: clocks of services differ a little.
const MARGIN: i64 = 5_000;

/// A rotation that was waited for in vain, and the step that waited.
type Unfinished<'a> = (&'a Step, &'a NotFinished);

/// Shows the logs of the functions whose rotations haven't finished. That a log can't be read is said, and changes nothing else.
pub async fn show(report: &Report, reader: &Reader) {
    let mut functions: BTreeMap<(&str, &str), Vec<Unfinished>> = BTreeMap::new();
    for (step, outcome) in report.steps.iter().zip(&report.outcomes) {
        if let Outcome::NotFinished(rest) = outcome
            && rest.waited.is_some()
            && let (Some(function), Some(group)) = (&rest.function, &rest.log_group)
        {
            functions.entry((function, group)).or_default().push((step, rest));
        }
    }
    for ((function, group), rotations) in functions.iter().take(FUNCTIONS) {
        let text = match read(reader, group, rotations).await {
            Ok(None) => format!(
                "the log of {} isn't shown: the rotation's version has gone by now, and with it when it began",
                safe(function)
            ),
            Ok(Some(events)) => {
                let about: Vec<&str> =
                    rotations.iter().flat_map(|(step, rest)| [rest.version.as_str(), step.name.as_str()]).collect();
                function_log(function, group, &events, &about)
            }
            Err(error) => {
                let (summary, hints) = aws_words(&error);
                let mut text = format!("cannot show the log of {}: {summary}", safe(function));
                for hint in hints {
                    text.push_str("\n  hint: ");
                    text.push_str(&hint);
                }
                text
            }
        };
        output::say(&format!("\n{}", text.trim_end()));
    }
    if let Some(more) = functions.len().checked_sub(FUNCTIONS).filter(|more| *more > 0) {
        output::say(&format!("the logs of {more} more functions are not shown"));
    }
}

/// What a function has logged since its rotations began; `None` where no version tells any more when that was.
async fn read(reader: &Reader, group: &str, rotations: &[Unfinished<'_>]) -> Result<Option<Vec<LogEvent>>, AwsError> {
    // They were asked for side by side, so the first that is still there says when; a test's version goes with its test.
    for (step, rest) in rotations.iter().take(VERSIONS) {
        if let Some(began) = reader.version_created(&step.name, &rest.version).await? {
            return reader.log(group, began - MARGIN).await.map(Some);
        }
    }
    Ok(None)
}
