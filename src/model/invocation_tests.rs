//! The log's literal lines, as Lambda writes them, and what is made of them.

use super::*;

fn log(lines: &[(&str, &str)]) -> Vec<LogEvent> {
    let event = |(at, (stream, message)): (usize, &(&str, &str))| LogEvent {
        stream: (*stream).to_owned(),
        at: i64::try_from(at).expect("few"),
        message: (*message).to_owned(),
    };
    lines.iter().enumerate().map(event).collect()
}

/// How each invocation ended: failed, passed for a runtime that writes what it catches, passed for another.
fn ends(lines: &[(&str, &str)]) -> Vec<(bool, bool, bool)> {
    let events = log(lines);
    let all = invocations(&events);
    all.iter().map(|one| (one.has_failed(), one.has_passed(true), one.has_passed(false))).collect()
}

const PASSED: (bool, bool, bool) = (false, true, false);
const SURELY_PASSED: (bool, bool, bool) = (false, true, true);
const FAILED: (bool, bool, bool) = (true, false, false);
const UNKNOWN: (bool, bool, bool) = (false, false, false);

const START: &str = "START RequestId: 8f507cfc-0001 Version: $LATEST\n";
const END: &str = "END RequestId: 8f507cfc-0001\n";
const REPORT: &str = "REPORT RequestId: 8f507cfc-0001\tDuration: 15.74 ms\tBilled Duration: 16 ms\tMemory Size: 128 MB\tMax Memory Used: 76 MB\tInit Duration: 200.1 ms\t\n";
const RAISED: &str =
    "[ERROR] RuntimeError: no\nTraceback (most recent call last):\n  File \"/var/task/f.py\", line 2, in h\n";

/// Without it, a function that raised would look as if it had passed, or one that only logs an error as if it had failed.
#[test]
fn text_is_judged_by_what_the_runtime_writes() {
    let with = |line: &str| ends(&[("a", START), ("a", line), ("a", END), ("a", REPORT)]);
    assert_eq!(with("[INFO]\t2026-01-01T00:00:00.000Z\t8f507cfc-0001\tall well\n"), [PASSED]);
    assert_eq!(with(RAISED), [FAILED]);
    assert_eq!(
        with(
            "[ERROR]\t2026-01-01T00:00:00.000Z\t8f507cfc-0001\tcaught and outlived\nTraceback (most recent call last):\n"
        ),
        [PASSED]
    );
    assert_eq!(with("[ERROR] the author's own words\n"), [PASSED]);
    assert_eq!(
        with("2026-01-01T00:00:00.000Z\t8f507cfc-0001\tERROR\tInvoke Error \t{\"errorType\":\"Error\"}\n"),
        [FAILED]
    );
    assert_eq!(with("2026-01-01T00:00:00.000Z\t8f507cfc-0001\tERROR\tcaught\n"), [PASSED]);
    assert_eq!(with("2026-01-01T00:00:00.000Z 8f507cfc-0001 Task timed out after 3.00 seconds\n\n"), [FAILED]);
    let status = REPORT.replace("200.1 ms\t", "200.1 ms\tStatus: timeout");
    assert_eq!(ends(&[("a", START), ("a", END), ("a", &status)]), [FAILED]);
    let status = REPORT.replace("200.1 ms\t", "200.1 ms\tStatus: error\tError Type: Runtime.ExitError");
    assert_eq!(ends(&[("a", START), ("a", END), ("a", &status)]), [FAILED]);
}

/// Without it, an invocation that still runs, or whose last line `CloudWatch` Logs shows later, would count as ended.
#[test]
fn without_a_report_nothing_has_passed() {
    assert_eq!(ends(&[("a", START)]), [UNKNOWN]);
    assert_eq!(ends(&[("a", START), ("a", "[INFO]\tt\t8f507cfc-0001\tdone\n"), ("a", END)]), [UNKNOWN]);
    assert_eq!(ends(&[("a", START), ("a", RAISED)]), [FAILED], "what nobody caught is the end");
    assert_eq!(ends(&[("a", END), ("a", REPORT)]), [], "its beginning lies before what was read");
    assert_eq!(ends(&[]), []);
    assert_eq!(ends(&[("a", "words of nobody\n")]).len(), 1);
}

/// Without it, the words that Lambda writes after the report would be lost, or taken for the next invocation's.
#[test]
fn what_comes_after_the_report_belongs_to_it() {
    let late = "2026-01-01T00:00:00.000Z 8f507cfc-0001 Task timed out after 3.00 seconds\n\n";
    let other = "START RequestId: 8f507cfc-0002 Version: $LATEST\n";
    let report = REPORT.replace("0001", "0002");
    let all = [("a", START), ("a", END), ("a", REPORT), ("a", late), ("a", other), ("a", &*report)];
    assert_eq!(ends(&all), [FAILED, PASSED]);
}

/// Without it, code that can't be loaded would seem to have run: those words come before any invocation.
#[test]
fn what_could_not_be_loaded_has_failed() {
    let import = "[ERROR] Runtime.ImportModuleError: Unable to import module 'f': No module named 'x'\nTraceback (most recent call last):\n";
    let init =
        "INIT_START Runtime Version: python:3.12.v38\tRuntime Version ARN: arn:aws:lambda:eu-west-1::runtime:0\n";
    let report =
        "INIT_REPORT Init Duration: 100.00 ms\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError\n";
    assert_eq!(ends(&[("a", init), ("a", import), ("a", report), ("a", START), ("a", END), ("a", REPORT)]), [FAILED]);
    assert_eq!(ends(&[("a", init), ("a", report), ("a", START), ("a", END), ("a", REPORT)]), [FAILED]);
    assert_eq!(ends(&[("a", init), ("a", import)]), [FAILED]);
    // It could at the second try.
    let words = "[INFO]\tt\t8f507cfc-0001\tloaded at last\n";
    assert_eq!(ends(&[("a", import), ("a", START), ("a", words), ("a", END), ("a", REPORT)]), [PASSED]);
    // What a sandbox, or a library, says while it is loaded is no failure.
    assert_eq!(ends(&[("a", "loading\n"), ("a", START), ("a", END), ("a", REPORT)]), [PASSED]);
}

/// Without it, JSON logs would show Lambda's own bookkeeping, or its word for how it ended would count less than the function's.
#[test]
fn json_is_judged_by_its_status() {
    let record = |kind: &str, rest: &str| {
        format!(r#"{{"time":"2026-01-01T00:00:00.000Z","type":"platform.{kind}","record":{{"requestId":"1"{rest}}}}}"#)
    };
    let start = record("start", r#","version":"$LATEST""#);
    let of = |status: &str, line: &str| ends(&[("a", &start), ("a", line), ("a", &record("report", status))]);
    let info = r#"{"timestamp":"t","level":"INFO","message":"well","requestId":"1"}"#;
    let raised = r#"{"timestamp":"t","log_level":"ERROR","errorMessage":"no","errorType":"ValueError","requestId":"1","stackTrace":[]}"#;
    assert_eq!(of(r#","status":"success""#, info), [SURELY_PASSED]);
    assert_eq!(of(r#","status":"success""#, raised), [SURELY_PASSED], "it was caught");
    for status in ["error", "failure", "timeout", "something newer"] {
        assert_eq!(of(&format!(r#","status":"{status}""#), info), [FAILED]);
    }
    assert_eq!(of("", info), [PASSED], "without a status, a runtime that writes what it catches is believed");
    assert_eq!(of("", raised), [FAILED]);
    let done = record("runtimeDone", r#","status":"error""#);
    assert_eq!(ends(&[("a", &start), ("a", &done)]), [FAILED]);
    assert_eq!(ends(&[("a", &start), ("a", &record("runtimeDone", ""))]), [UNKNOWN]);
    // Each field can be missing; what isn't understood is somebody's words.
    assert_eq!(
        ends(&[("a", r#"{"type":"platform.start"}"#), ("a", r#"{"type":"platform.report","record":{}}"#)]).len(),
        1
    );
    assert_eq!(ends(&[("a", "{not json")]).len(), 1);
    let all = log(&[("a", &start), ("a", info)]);
    assert_eq!(invocations(&all)[0].lines.len(), 1);
    // Where Lambda's own records are filtered out, the function's say what there is to say.
    assert_eq!(ends(&[("a", info)]), [UNKNOWN]);
    assert_eq!(ends(&[("a", info), ("a", raised)]), [FAILED]);
}

/// Without it, one invocation's error would be another's, where streams mix, or where several run in one process.
#[test]
fn interleaved_invocations_are_told_apart() {
    let other = START.replace("0001", "0002");
    let (end, report) = (END.replace("0001", "0002"), REPORT.replace("0001", "0002"));
    let two_streams =
        [("a", START), ("b", &*other), ("b", RAISED), ("a", END), ("b", &*end), ("b", &*report), ("a", REPORT)];
    assert_eq!(ends(&two_streams), [PASSED, FAILED]);
    let named = "[INFO]\tt\t8f507cfc-0002\tof the second\n";
    let one_stream = log(&[
        ("a", START),
        ("a", &other),
        ("a", "of nobody\n"),
        ("a", named),
        ("a", END),
        ("a", REPORT),
        ("a", &report),
    ]);
    let all = invocations(&one_stream);
    assert_eq!((all[0].lines.len(), all[1].lines.len()), (0, 1));
}

/// Without it, a runtime that keeps its errors to itself would be believed.
#[test]
fn some_runtimes_write_nothing() {
    assert!(writes_failures("python3.12") && writes_failures("nodejs22.x"));
    assert!(!writes_failures("provided.al2023") && !writes_failures("java21") && !writes_failures(""));
}
