//! What a failed invocation says of itself: the step, the error, and the place in its author's own code.

use std::fmt;

use serde_json::Value;

use super::invocation::{Invocation, is_failure};

/// A step of a rotation, which Secrets Manager calls a function for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RotationStep {
    /// The first, which makes the new value.
    Create,
    /// The second, which tells the service.
    Set,
    /// The third, and the only one where Secrets Manager isn't to rotate now.
    Test,
    /// The last, which makes the new version the current one.
    Finish,
}

impl RotationStep {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Create, Self::Set, Self::Test, Self::Finish];

    fn verb(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Set => "set",
            Self::Test => "test",
            Self::Finish => "finish",
        }
    }
}

/// As Secrets Manager names it to a function, such as `setSecret`.
impl fmt::Display for RotationStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Secret", self.verb())
    }
}

/// Why an invocation failed, in its own words, which are from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trouble {
    /// When it failed, in milliseconds since 1970 (UTC).
    pub at: i64,
    /// `None` where nothing in the log tells.
    pub step: Option<RotationStep>,
    /// What went wrong.
    pub error: Option<Fault>,
    /// Where its author's own code failed.
    pub place: Option<Frame>,
    /// All its lines, in their order.
    pub lines: Vec<(i64, String)>,
}

/// An error, as the runtime or Lambda names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its name, such as `RuntimeError`; of Lambda's own, all of it.
    pub name: String,
    /// Its first line. The function's author wrote it, and it may quote anything, the secret's value too.
    pub words: Option<String>,
}

impl Fault {
    fn of(text: &str) -> Option<Self> {
        let line = text.split(['\n', '\r']).map(str::trim).find(|line| !line.is_empty())?;
        // What a runtime says of code that it can't load quotes the code.
        let own = line.split_once(": ").filter(|(name, _)| !name.starts_with("Runtime.") && !name.contains(' '));
        Some(match own {
            Some((name, words)) => Self { name: name.to_owned(), words: Some(words.to_owned()) },
            None => Self { name: line.to_owned(), words: None },
        })
    }
}

/// A place in code, as a trace names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The file: of the author's own, as it is called in the package.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// The function's name, where one is said.
    pub function: Option<String>,
    /// Whether the package's author wrote it, and not the author of a library.
    pub own: bool,
}

impl Trouble {
    /// What a failed invocation says; of one that says nothing, that it failed.
    pub fn of(invocation: &Invocation<'_>) -> Self {
        let lines: Vec<(i64, String)> = invocation
            .events()
            .flat_map(|event| event.message.split(['\n', '\r']).map(|line| (event.at, line.replace('\u{a0}', " "))))
            .filter(|(_, line)| !line.trim().is_empty())
            .collect();
        // Of several, the last: a trace that was logged and outlived comes before it.
        let failed = invocation.events().filter(|event| is_failure(&event.message)).last();
        let frames: Vec<Frame> = failed.map(|event| frames(&event.message)).unwrap_or_default();
        Self {
            at: failed.or_else(|| invocation.events().last()).map_or(invocation.began, |event| event.at),
            step: step_of(&frames).or_else(|| last_named(&lines)),
            error: failed.and_then(|event| error_of(&event.message)),
            place: frames.into_iter().rfind(|frame| frame.own),
            lines,
        }
    }
}

/// The step whose function stands in a trace of the author's own code: `set_secret`, `setSecret`, `_setSecretImpl`; or the bare verb,
/// such as `set_`, which helpers have for a name too: then the outermost.
fn step_of(frames: &[Frame]) -> Option<RotationStep> {
    let plain = |name: &str| name.replace('_', "").to_lowercase();
    let own = frames.iter().filter(|frame| frame.own).filter_map(|frame| frame.function.as_deref());
    let names: Vec<String> = own.map(plain).collect();
    let whole =
        |name: &String| RotationStep::ALL.into_iter().find(|step| name.contains(&format!("{}secret", step.verb())));
    let bare = |name: &String| RotationStep::ALL.into_iter().find(|step| name == step.verb());
    names.iter().rev().find_map(whole).or_else(|| names.iter().find_map(bare))
}

/// The step that the log named last. A line that names several, such as the source of a table of them in a trace, names none.
fn last_named(lines: &[(i64, String)]) -> Option<RotationStep> {
    let named = |line: &str| {
        let mut named = RotationStep::ALL.into_iter().filter(|step| line.contains(&step.to_string()));
        named.next().filter(|_| named.next().is_none())
    };
    lines.iter().rev().find_map(|(_, line)| named(line))
}

/// The error's name and words.
fn error_of(message: &str) -> Option<Fault> {
    let of_document = |document: &Value| {
        let kind = document["errorType"].as_str().filter(|kind| !kind.is_empty())?;
        let words = document["errorMessage"].as_str().unwrap_or_default();
        Fault::of(&if words.is_empty() { kind.to_owned() } else { format!("{kind}: {words}") })
    };
    if let Some(rest) = message.strip_prefix("[ERROR] ") {
        return Fault::of(rest);
    }
    if let Some(at) = message.find('{')
        && let Some(document) = serde_json::Deserializer::from_str(&message[at..]).into_iter::<Value>().next()
        && let Some(error) = document.ok().as_ref().and_then(of_document)
    {
        return Some(error);
    }
    if let Some(at) = message.find("Task timed out after ") {
        return Fault::of(&message[at..]);
    }
    let at = message.strip_prefix("RequestId: ")?.find(" Error: ")? + "RequestId: ".len() + " Error: ".len();
    let line = message[at..].lines().next().unwrap_or_default();
    Some(Fault { name: line.trim().to_owned(), words: None })
}

/// The places that a trace names, the outermost first.
pub fn frames(message: &str) -> Vec<Frame> {
    let document = message
        .find('{')
        .and_then(|at| serde_json::Deserializer::from_str(&message[at..]).into_iter::<Value>().next()?.ok());
    let listed = document
        .as_ref()
        .and_then(|document| ["stackTrace", "stack"].iter().find_map(|name| document[*name].as_array()));
    let mut found: Vec<Frame> = match listed {
        Some(lines) => lines.iter().filter_map(Value::as_str).flat_map(str::lines).filter_map(frame).collect(),
        None => message.split(['\n', '\r']).filter_map(frame).collect(),
    };
    // Node names the innermost first.
    if message.contains("    at ") && !message.contains("\", line ") {
        found.reverse();
    }
    found
}

/// The place that a line of a trace names: Python's `File "…", line 3, in f`, Node's `at f (…:3:9)`.
pub fn frame(line: &str) -> Option<Frame> {
    let line = line.trim_matches([' ', '\u{a0}', '\t']);
    if let Some(rest) = line.strip_prefix("File \"") {
        let (path, rest) = rest.split_once("\", line ")?;
        let (number, function) = match rest.split_once(", in ") {
            Some((number, function)) => (number, Some(function)),
            None => (rest, None),
        };
        return Some(Frame::new(path, number.trim().parse().ok()?, function));
    }
    let rest = line.strip_prefix("at ")?;
    let (function, place) = match rest.strip_suffix(')').and_then(|rest| rest.rsplit_once(" (")) {
        Some((function, place)) => (Some(function.trim_start_matches("async ")), place),
        None => (None, rest.trim_start_matches("async ")),
    };
    let (place, _column) = place.rsplit_once(':')?;
    let (path, number) = place.rsplit_once(':')?;
    Some(Frame::new(path.trim_start_matches("file://"), number.parse().ok()?, function))
}

/// Folders of a package that hold libraries, however they came there.
const LIBRARIES: [&str; 24] = [
    "boto3",
    "botocore",
    "s3transfer",
    "urllib3",
    "requests",
    "certifi",
    "idna",
    "charset_normalizer",
    "chardet",
    "httpx",
    "httpcore",
    "anyio",
    "h11",
    "aiohttp",
    "jwt",
    "cryptography",
    "psycopg2",
    "psycopg",
    "pg8000",
    "pymysql",
    "pymongo",
    "redis",
    "ldap3",
    "tenacity",
];

impl Frame {
    fn new(path: &str, line: u32, function: Option<&str>) -> Self {
        // Lambda unpacks a package into `/var/task`; the sandbox into a folder of the same name.
        let packaged = path.split_once("/task/").map(|(_, within)| within);
        let file = packaged.unwrap_or(path);
        let of_library = |file: &str| {
            file.contains("site-packages/")
                || file.contains("node_modules/")
                || file.split('/').next().is_some_and(|first| file.contains('/') && LIBRARIES.contains(&first))
        };
        let own = packaged.is_some_and(|file| !of_library(file));
        Self { file: file.to_owned(), line, function: function.map(str::to_owned), own }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LogEvent;
    use crate::model::invocation::invocations;

    fn trouble(messages: &[&str]) -> Trouble {
        let start = ["START RequestId: 1 Version: $LATEST\n"];
        let events: Vec<LogEvent> = start
            .iter()
            .chain(messages)
            .enumerate()
            .map(|(at, message)| LogEvent {
                stream: "a".to_owned(),
                at: i64::try_from(at).expect("few"),
                message: (*message).to_owned(),
            })
            .collect();
        Trouble::of(&invocations(&events)[0])
    }

    /// An error's name and words.
    fn said(trouble: &Trouble) -> String {
        trouble.error.as_ref().map_or_else(String::new, |error| {
            format!("{}{}", error.name, error.words.as_ref().map(|words| format!("|{words}")).unwrap_or_default())
        })
    }

    /// Without it, whoever sees red would be led to a line of a library, or to none.
    #[test]
    fn the_place_is_the_authors_own() {
        let python = "[ERROR] HTTPError: HTTP Error 401: Unauthorized\nTraceback (most recent call last):\n\
            \u{a0}\u{a0}File \"/var/task/lambda_function.py\", line 12, in lambda_handler\n\u{a0}\u{a0}\u{a0}\u{a0}STEPS[step](secret, token)\n\
            \u{a0}\u{a0}File \"/var/task/vendor/keys.py\", line 40, in set_secret\n\u{a0}\u{a0}\u{a0}\u{a0}call(\"POST\")\n\
            \u{a0}\u{a0}File \"/var/task/requests/api.py\", line 73, in post\n\u{a0}\u{a0}\u{a0}\u{a0}return request()\n\
            \u{a0}\u{a0}File \"/var/lang/lib/python3.12/urllib/request.py\", line 643, in http_error_default\n";
        let found = trouble(&["[INFO]\tt\t1\ttestSecret: begins\n", python]);
        let place = found.place.as_ref().expect("a place");
        assert_eq!((place.file.as_str(), place.line), ("vendor/keys.py", 40));
        assert_eq!(found.step, Some(RotationStep::Set), "the trace counts more than what was logged before");
        assert_eq!(said(&found), "HTTPError|HTTP Error 401: Unauthorized");
        assert_eq!(found.at, 2);

        let node = "2026-01-01T00:00:00.000Z\t1\tERROR\tInvoke Error \t{\"errorType\":\"Error\",\"errorMessage\":\"no route\",\"stack\":[\
            \"Error: no route\",\"    at connect (/var/task/node_modules/pg/lib/client.js:7:11)\",\"    at testSecret (/var/task/steps.js:31:9)\",\
            \"    at async Runtime.handler (file:///var/task/index.mjs:2:9)\"]}\n";
        let found = trouble(&[node]);
        let place = found.place.as_ref().expect("a place");
        assert_eq!((place.file.as_str(), place.line, found.step), ("steps.js", 31, Some(RotationStep::Test)));
        assert_eq!(said(&found), "Error|no route");
    }

    /// Without it, a table of the steps in the line that failed would blame whichever stands last in it.
    #[test]
    fn a_line_with_several_steps_names_none() {
        let table = RotationStep::ALL.map(|step| format!("\"{step}\": {}", step.verb())).join(", ");
        let trace = |function: &str| {
            format!(
                "[ERROR] KeyError: 'key_id'\nTraceback (most recent call last):\n  File \"/var/task/f.py\", line 9, in lambda_handler\n{table}\n  \
                 File \"/var/task/f.py\", line 12, in {function}\n    x[\"key_id\"]\n"
            )
        };
        assert_eq!(
            trouble(&[&format!("[INFO]\tt\t1\t{}: begins\n", RotationStep::Create), &trace("mint")]).step,
            Some(RotationStep::Create)
        );
        assert_eq!(trouble(&[&trace("mint")]).step, None);
        assert_eq!(trouble(&[&trace("set_")]).step, Some(RotationStep::Set));
    }

    /// Without it, an error before the code ran, a time-out and a killed process would be shown without a reason.
    #[test]
    fn errors_without_a_trace_are_named() {
        let import = "[ERROR] Runtime.ImportModuleError: Unable to import module 'lambda_function': No module named 'requests'\nTraceback (most recent call last):\n";
        let error = |messages: &[&str]| said(&trouble(messages));
        assert!(error(&[import]).starts_with("Runtime.ImportModuleError: Unable to import"));
        assert_eq!(
            error(&["2026-01-01T00:00:00Z 1 Task timed out after 3.00 seconds\n\n"]),
            "Task timed out after 3.00 seconds"
        );
        let killed = "RequestId: 1 Error: Runtime exited with error: signal: killed\nRuntime.ExitError";
        assert_eq!(error(&[killed]), "Runtime exited with error: signal: killed");
        let json = r#"{"timestamp":"t","log_level":"ERROR","errorMessage":"no","errorType":"ValueError","requestId":"1","stackTrace":["  File \"/var/task/f.py\", line 3, in finish_secret\n    raise\n"]}"#;
        let found = trouble(&[json]);
        assert_eq!((said(&found).as_str(), found.step), ("ValueError|no", Some(RotationStep::Finish)));
        let silent = trouble(&["hello\n"]);
        assert_eq!((silent.error, silent.step, silent.place), (None, None, None));
    }
}
