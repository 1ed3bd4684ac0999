//! Whether functions that are to be tested have run since they changed: an apply that was ended between an upload and its test has
//! nothing else to be known by.

use std::collections::BTreeMap;

use super::{Selection, side_by_side};
use crate::aws::error::AwsError;
use crate::aws::reader::{LOGS, Reader};
use crate::model::arn::unqualified_function_arn;
use crate::model::invocation::{Invocation, invocations, writes_failures};
use crate::model::live::{Configuration, LiveSecret, Reading, Tested};
use crate::model::{Live, LogEvent};

/// How long after a change its test is still looked for, in milliseconds: logs aren't kept for ever, and searching a long one takes long.
const LONGEST: i64 = 7 * 86_400 * 1_000;

/// Looks at those whose manifest asks for tests, and that rotate a secret of it.
pub(super) async fn read(reader: &Reader, selection: &Selection<'_>, live: &mut Live) {
    let now = reader.now() * 1_000;
    let wanted = selection
        .functions
        .iter()
        .filter(|(_, function)| function.deployment().is_some_and(|deployment| deployment.verify.is_some()));
    let mut to_read = BTreeMap::new();
    for (handle, _) in wanted {
        let Some(function) = live.functions.get(*handle).and_then(|live| live.configuration.found()) else { continue };
        let Some(changed) = function.last_modified.filter(|at| now - at < LONGEST) else { continue };
        let mut secrets = rotating(live, function).peekable();
        if secrets.peek().is_none() {
            continue;
        }
        if secrets.any(|secret| secret.last_rotated.is_some_and(|at| (at + 1) * 1_000 > changed)) {
            continue;
        }
        to_read.insert((*handle).clone(), (function.clone(), changed));
    }
    let jobs = to_read.into_iter().map(|(handle, (function, changed))| async move {
        let log = reader.log_if_there(&function.logs_to(), changed).await;
        (handle, judged(&function, changed, log))
    });
    let judged: Vec<(String, Tested)> = side_by_side(LOGS, jobs).await;
    for (handle, tested) in judged {
        if let Some(live) = live.functions.get_mut(&handle) {
            live.tested = Some(tested);
        }
    }
}

/// The secrets that rotate with a function.
fn rotating<'l>(live: &'l Live, function: &'l Configuration) -> impl Iterator<Item = &'l LiveSecret> {
    live.secrets.values().filter_map(Reading::found).filter(|secret| {
        secret.is_on() && secret.function_arn.as_deref().map(unqualified_function_arn) == Some(&function.arn)
    })
}

/// What a log says of a function since it changed. Only what another test would show otherwise is called untested.
fn judged(function: &Configuration, changed: i64, log: Result<Option<Vec<LogEvent>>, AwsError>) -> Tested {
    // A group that isn't there is one that the function, or its role, never wrote to.
    let Ok(Some(events)) = log else { return Tested::Unknown };
    let all = invocations(&events);
    let is_own = |one: &&Invocation| one.id.is_some() && one.began >= changed;
    let Some(last) = all.iter().rfind(is_own) else {
        // What the sandbox only simulates has words, and no invocation.
        return if events.is_empty() { Tested::Not } else { Tested::Unknown };
    };
    if function.log_group.is_some() {
        return Tested::Unknown;
    }
    let text = function.settings.runtime.as_deref().is_some_and(writes_failures);
    if last.has_failed() {
        Tested::Not
    } else if last.has_passed(text) {
        Tested::Passed
    } else {
        Tested::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::ErrorKind;
    use crate::aws::convert;

    const RAISED: &str = "[ERROR] RuntimeError: no\nTraceback (most recent call last):\n";

    fn configuration() -> Configuration {
        let function = aws_sdk_lambda::types::FunctionConfiguration::builder()
            .function_name("f")
            .function_arn("arn:aws:lambda:eu-west-1:111111111111:function:f")
            .runtime("python3.12".into())
            .last_modified("1970-01-01T00:00:01.000+0000")
            .build();
        convert::configuration(&function, Ok(BTreeMap::new()))
    }

    /// Events of invocations: when each began, its words, and whether its end is there.
    fn log(all: &[(i64, &str, bool)]) -> Vec<LogEvent> {
        let mut events = Vec::new();
        for (number, (at, words, ended)) in all.iter().enumerate() {
            let mut push = |message: String| events.push(LogEvent { stream: "a".to_owned(), at: *at, message });
            push(format!("START RequestId: r{number} Version: $LATEST\n"));
            push((*words).to_owned());
            if *ended {
                push(format!("REPORT RequestId: r{number}\tDuration: 1.00 ms\n"));
            }
        }
        events
    }

    /// Without it, a test that an interrupt cost would be lost; or one that can't be proved be made again by each apply, for ever.
    #[test]
    fn only_what_another_test_would_show_is_untested() {
        let of = |all: &[(i64, &str, bool)]| judged(&configuration(), 1_000, Ok(Some(log(all))));
        assert_eq!(configuration().last_modified, Some(1_000));
        assert_eq!(of(&[]), Tested::Not);
        assert_eq!(of(&[(1_000, "tested\n", true)]), Tested::Passed);
        assert_eq!(of(&[(1_000, RAISED, true)]), Tested::Not, "it is known to fail");
        assert_eq!(of(&[(1_000, RAISED, true), (1_100, "tested\n", true)]), Tested::Passed);
        assert_eq!(of(&[(1_000, "testing\n", false)]), Tested::Unknown, "its end isn't there");
        assert_eq!(judged(&configuration(), 1_000, Ok(None)), Tested::Unknown, "it never logged");
        let denied = AwsError::other(ErrorKind::Denied, "logs:FilterLogEvents", "f", "no");
        assert_eq!(judged(&configuration(), 1_000, Err(denied)), Tested::Unknown);
        let simulated = "[sandbox] testSecret is SIMULATED: no runtime for java21\n".to_owned();
        let simulated = LogEvent { stream: "a".to_owned(), at: 1_500, message: simulated };
        assert_eq!(judged(&configuration(), 1_000, Ok(Some(vec![simulated]))), Tested::Unknown);
        let shared = Configuration { log_group: Some("/all".to_owned()), ..configuration() };
        assert_eq!(judged(&shared, 1_000, Ok(Some(log(&[(1_000, "", true)])))), Tested::Unknown);
        let mut silent = configuration();
        silent.settings.runtime = Some("provided.al2023".to_owned());
        assert_eq!(judged(&silent, 1_000, Ok(Some(log(&[(1_000, "", true)])))), Tested::Unknown);
    }
}
