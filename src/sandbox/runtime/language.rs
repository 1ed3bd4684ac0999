//! What a function's own version of Python can't do with its code, where this machine runs it by another version.
//!
//! The code is read, and nothing of it runs: by `language.py`, which knows the grammar and the standard library of each version.

use std::ffi::OsStr;
use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use super::function::{Event, Finished, Function, LogLine};
use super::platform::{self, Figures, Status};
use super::worker;

/// The program that reads code.
pub(super) const READER: &str = include_str!("language.py");

/// What the function's own Python refuses, and where.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Misfit {
    /// The error's name there, such as `Runtime.UserCodeSyntaxError`.
    kind: String,
    message: String,
    /// Within the package.
    file: String,
    line: u32,
    /// The line itself.
    text: String,
    /// Where it stands: a function's name, or `<module>`.
    function: String,
}

/// The minor version of Python 3 that a runtime is.
pub(super) fn minor(runtime: &str) -> Option<u32> {
    runtime.strip_prefix("python3.")?.parse().ok()
}

/// What the reader is started with.
pub(super) fn arguments<'a>(root: &'a Path, handler: &'a str, minor: &'a str) -> [&'a OsStr; 6] {
    [OsStr::new("-I"), OsStr::new("-c"), OsStr::new(READER), root.as_os_str(), OsStr::new(handler), OsStr::new(minor)]
}

/// What the reader says; `None` where it found nothing.
pub(super) fn read(answer: &[u8]) -> Option<Misfit> {
    serde_json::from_slice(answer).ok()
}

impl Misfit {
    /// The invocation as it ends on AWS.
    pub(super) fn finished(&self, function: &Function, event: &Event, version: &str) -> Finished {
        let id = &event.request_id;
        let Self { kind, message, file, line, text, function: within } = self;
        let trace = format!("  File \"/var/task/{file}\", line {line}, in {within}\n    {text}\n");
        let words = if function.log_format == "JSON" {
            let record = json!({"timestamp": platform::time(), "log_level": "ERROR", "errorMessage": message,
                "errorType": kind, "requestId": id, "stackTrace": [trace]});
            format!("{record}\n")
        } else {
            format!("[ERROR] {kind}: {message}\nTraceback (most recent call last):\n{trace}")
        };
        let here = format!("[sandbox] {} says so; this machine's Python is {version}\n", function.runtime);
        let figures =
            Figures { duration: std::time::Duration::ZERO, initialization: None, memory: None, status: Status::Error };
        let log = [platform::start(function, id), words, here].into_iter().chain(platform::end(function, id));
        let log = log.chain([platform::report(function, id, &figures)]);
        Finished {
            payload: json!({"errorType": kind, "errorMessage": message}).to_string().into(),
            failed: true,
            taken: false,
            took: std::time::Duration::ZERO,
            log_group: function.log_group.clone(),
            log_stream: worker::stream_name(&function.version),
            log: log.map(LogLine::now).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What a version says of one file of code; the kind of error, and the line.
    fn misfit(minor: u32, files: &[(&str, &str)]) -> Option<(String, String, u32)> {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            std::fs::write(path, text).expect("written");
        }
        let minor = minor.to_string();
        let answer = Command::new("python3").args(arguments(folder.path(), "f.handler", &minor)).output();
        let answer = answer.expect("this machine has Python");
        assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        read(&answer.stdout).map(|found| (found.kind, found.file, found.line))
    }

    /// Without it, code that the function's own Python can't load would be green wherever a newer one rehearses it.
    #[test]
    fn what_another_python_lacks_is_found_at_its_line() {
        let of = |minor, text: &str| misfit(minor, &[("f.py", text)]).map(|(kind, _, line)| (kind, line));
        let some = |kind: &str, line| Some((kind.to_owned(), line));
        let matches = "def a(x):\n    match x:\n        case 1:\n            pass\n\n\ndef b(): pass\n";
        assert_eq!(of(9, matches), some("Runtime.UserCodeSyntaxError", 2));
        assert_eq!(of(10, matches), None);
        assert_eq!(of(10, "import os\nimport tomllib\n"), some("Runtime.ImportModuleError", 2));
        assert_eq!(of(13, "import cgi\n"), some("Runtime.ImportModuleError", 1));
        assert_eq!(of(10, "from datetime import UTC\n"), some("Runtime.ImportModuleError", 1));
        assert_eq!(of(10, "import datetime\ndef f():\n    return datetime.UTC\n"), some("AttributeError", 3));
        assert_eq!(of(9, "def f(x: int | None): pass\n"), some("TypeError", 1));
        assert_eq!(of(9, "for a, b in zip('a', 'b', strict=True): pass\n"), some("TypeError", 1));
        assert_eq!(of(10, "raise ExceptionGroup('a', [])\n"), some("NameError", 1));
        for minor in [9, 10, 13] {
            for fine in [
                "from __future__ import annotations\ndef f(x: int | None): pass\n",
                "try:\n    import tomllib\nexcept ImportError:\n    tomllib = None\n",
                "import sys\nif sys.version_info >= (3, 11):\n    from datetime import UTC\n",
                "def f(flags, other):\n    return flags | other\n",
                "this is no Python of any version\n",
            ] {
                assert_eq!(of(minor, fine), None, "{minor}: {fine}");
            }
        }
    }

    /// Without it, a module that the handler uses would be left out, or one that nothing uses would count.
    #[test]
    fn what_the_handler_leads_to_is_read() {
        let newer = "def f(x: int | None): pass\n";
        let found =
            misfit(9, &[("f.py", "from lib import a\n"), ("lib/a.py", "from . import b\n"), ("lib/b.py", newer)]);
        assert_eq!(found, Some(("TypeError".to_owned(), "lib/b.py".to_owned(), 1)));
        assert_eq!(misfit(9, &[("f.py", "import json\n"), ("tests.py", newer)]), None);
        assert_eq!(misfit(13, &[("f.py", "import cgi\n"), ("cgi.py", "x = 1\n")]), None, "the package brings it along");
    }
}
