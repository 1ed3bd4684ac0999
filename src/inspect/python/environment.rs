//! Variables that code can't do without.

use std::collections::BTreeSet;

use super::Scene;
use super::module::Runs;
use crate::inspect::Environment;
use crate::model::{CodeCheck, CodeFinding};

/// What Lambda sets itself (AWS Lambda, "Defined runtime environment variables"), or may set.
const OF_LAMBDA: [&str; 32] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_FORMAT",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_LEVEL",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "AWS_LAMBDA_METADATA_API",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "LANG",
    "LD_LIBRARY_PATH",
    "PATH",
    "PYTHONPATH",
    "TZ",
    "PWD",
];

/// What AWS's generic template sets, or may set in some version.
const OF_TEMPLATE: [&str; 11] = [
    "SECRETS_MANAGER_ENDPOINT",
    "EXCLUDE_CHARACTERS",
    "EXCLUDE_LOWERCASE",
    "EXCLUDE_NUMBERS",
    "EXCLUDE_PUNCTUATION",
    "EXCLUDE_UPPERCASE",
    "INCLUDE_SPACE",
    "PASSWORD_LENGTH",
    "REQUIRE_EACH_INCLUDED_TYPE",
    "MASTER_SECRET_ARN",
    "MASTER_ARN",
];

impl Scene<'_> {
    /// Variables that are read and that nothing sets.
    pub(super) fn check_environment(&mut self) {
        let (known, is_whole) = match &self.facts.environment {
            Environment::Unknown => return,
            Environment::AtLeast(names) => (names, false),
            Environment::Exactly(names) => (names, true),
        };
        let modules = || self.files.values().filter_map(|file| file.module.as_ref());
        if modules().any(|module| module.sets_any) {
            return;
        }
        let asked: BTreeSet<&str> = modules().flat_map(|module| &module.sets).map(String::as_str).collect();
        let is_set = |name: &str| {
            known.contains(name)
                || asked.contains(name)
                || OF_LAMBDA.contains(&name)
                || (self.facts.is_generic && OF_TEMPLATE.contains(&name))
        };
        // A layer, or a wrapper that begins the runtime, may set more.
        let is_certain = is_whole && !self.facts.layers && !known.contains("AWS_LAMBDA_EXEC_WRAPPER");
        let (mut said, mut found) = (BTreeSet::new(), Vec::new());
        let own = self.files.iter().filter(|(_, file)| file.is_own);
        let mut reads: Vec<_> = own
            .flat_map(|(path, file)| {
                let module = file.module.iter();
                module.flat_map(|module| &module.reads).map(move |read| (read.runs.max(file.runs), path, read))
            })
            .filter(|(runs, _, read)| *runs != Runs::Guarded && !is_set(&read.variable))
            .collect();
        // Each variable once, where it fails first.
        reads.sort_by_key(|(runs, path, read)| (*runs, *path, read.spot.line));
        for (runs, path, read) in reads {
            if !said.insert(&read.variable) {
                continue;
            }
            let variable = &read.variable;
            let at_import = runs == Runs::Surely;
            let when = if at_import { "at each start" } else { "in a step" };
            let whose = if is_whole { "the function has no such variable" } else { "nothing here sets it" };
            let summary = format!("the code reads the variable `{variable}` {when}, and {whose}");
            let finding = CodeFinding::new(CodeCheck::Environment, at_import && is_certain, summary)
                .of(path)
                .at(read.spot.clone())
                .hint(format!("set it in the function's `environment`: `{variable}: VALUE`"))
                .hint(format!("where the code can do without: `os.environ.get(\"{variable}\")`"));
            found.push(finding);
        }
        self.found.extend(found);
    }
}
