//! Functions, secrets and targets as flat lists of attributes, which compare without knowing what they mean.

use std::collections::BTreeMap;

use crate::model::{CodeSource, Deployment, Desired, Function, FunctionSource, PackagedFile, Secret};
use crate::plan::{FieldChange, Shown};

use super::{CodeFile, FileChange};

/// An attribute's value.
#[derive(PartialEq, Eq)]
enum Value<'a> {
    Shown(Shown),
    /// Compared, and never shown.
    Private(&'a str),
}

impl Value<'_> {
    fn shown(&self) -> Shown {
        match self {
            Self::Shown(shown) => shown.clone(),
            Self::Private(_) => Shown::Sensitive,
        }
    }
}

/// Attributes by path.
#[derive(Default)]
pub(super) struct Values<'a>(BTreeMap<String, Value<'a>>);

impl<'a> Values<'a> {
    fn text(&mut self, path: impl Into<String>, value: impl ToString) {
        self.0.insert(path.into(), Value::Shown(Shown::text(value)));
    }

    fn option(&mut self, path: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.text(path, value);
        }
    }

    fn list(&mut self, path: &str, items: &[String]) {
        self.0.insert(path.to_owned(), Value::Shown(Shown::List(items.to_vec())));
    }

    fn private(&mut self, path: String, value: &'a str) {
        self.0.insert(path, Value::Private(value));
    }

    /// All of them, each from absent.
    pub fn added(&self) -> Vec<FieldChange> {
        self.0.iter().map(|(path, value)| FieldChange::new(path, Shown::Absent, value.shown())).collect()
    }

    /// Those that differ, in the order of their paths.
    pub fn changes(&self, after: &Values<'_>) -> Vec<FieldChange> {
        let mut paths: Vec<&String> = self.0.keys().chain(after.0.keys()).collect();
        paths.sort_unstable();
        paths.dedup();
        let shown = |value: Option<&Value<'_>>| value.map_or(Shown::Absent, Value::shown);
        paths
            .into_iter()
            .map(|path| (path, self.0.get(path), after.0.get(path)))
            .filter(|(_, before, after)| before != after)
            .map(|(path, before, after)| FieldChange::new(path, shown(before), shown(after)))
            .collect()
    }
}

/// What stands for an environment variable that the manifest deletes.
pub(super) fn deleted() -> Shown {
    Shown::text("null")
}

pub(super) fn target_values(desired: &Desired) -> Values<'_> {
    let target = &desired.target;
    let mut values = Values::default();
    values.text("project", &desired.project);
    values.option("renamed_from", desired.renamed_from.as_ref());
    values.text("prune", desired.prune);
    values.option("region", target.region.as_ref());
    values.option("account", target.account.as_ref());
    values.option("role", target.role.as_ref());
    values.option("apply_role", target.apply_role.as_ref());
    if !desired.removed.is_empty() {
        let without_target = |removed: &crate::model::Address| format!("{}.{}", removed.kind.word(), removed.handle);
        values.list("removed", &desired.removed.iter().map(without_target).collect::<Vec<_>>());
    }
    values
}

pub(super) fn secret_values(secret: &Secret) -> Values<'_> {
    let mut values = Values::default();
    values.text("name", &secret.name);
    values.option("function", secret.function.as_ref());
    values.option("rotation.enabled", secret.rotation.enabled);
    values.option("rotation.rules", secret.rotation.rules.as_ref());
    values.option("rotation.rotate_immediately", secret.rotation.rotate_immediately);
    labels(&mut values, &secret.labels);
    values
}

pub(super) fn function_values(function: &Function) -> Values<'_> {
    let mut values = Values::default();
    values.text("name", &function.name);
    labels(&mut values, &function.labels);
    match &function.source {
        FunctionSource::Existing { reference } => values.text("existing", reference),
        FunctionSource::Deployed(deployment) => deployed(&mut values, deployment),
    }
    values
}

fn labels(values: &mut Values<'_>, labels: &BTreeMap<String, String>) {
    for (key, value) in labels {
        values.text(format!("labels.{key}"), value);
    }
}

fn deployed<'a>(values: &mut Values<'a>, deployment: &'a Deployment) {
    values.text("application.id", &deployment.application.id);
    values.option("application.version", deployment.application.version.as_ref());
    for (parameter, value) in &deployment.application.parameters {
        values.private(format!("application.parameters.{parameter}"), value.expose());
    }
    values.text("stack", &deployment.stack);
    values.text("shared", deployment.shared);
    match deployment.code.as_ref().map(|code| &code.source) {
        None => {}
        Some(CodeSource::Path { shown, .. }) => values.text("code", shown),
        Some(CodeSource::S3 { bucket, key, object_version, sha256 }) => {
            let version = object_version.as_ref().map(|version| format!("?versionId={version}")).unwrap_or_default();
            values.text("code", format!("s3://{bucket}/{key}{version}"));
            values.text("code.sha256", sha256);
        }
    }
    values.option("runtime", deployment.runtime.as_ref());
    values.option("handler", deployment.handler.as_ref());
    values.option("architecture", deployment.architecture.as_ref());
    values.option("timeout", deployment.timeout);
    values.option("memory", deployment.memory);
    values.option("description", deployment.description.as_ref());
    if let Some(layers) = &deployment.layers {
        values.list("layers", layers);
    }
    if let Some(vpc) = &deployment.vpc {
        values.list("vpc.subnets", &vpc.subnets);
        values.list("vpc.security_groups", &vpc.security_groups);
    }
    for (variable, value) in &deployment.environment {
        let path = format!("environment.{variable}");
        match value {
            Some(value) => values.private(path, value.expose()),
            None => {
                values.0.insert(path, Value::Shown(deleted()));
            }
        }
    }
}

/// The files of two packages that differ, in the order of their paths.
pub(super) fn file_changes(before: &[PackagedFile], after: &[PackagedFile]) -> Vec<CodeFile> {
    let by_path = |files: &[PackagedFile]| -> BTreeMap<String, (String, bool)> {
        files.iter().map(|file| (file.path.clone(), (file.sha256.clone(), file.executable))).collect()
    };
    let (before, after) = (by_path(before), by_path(after));
    let mut changes: BTreeMap<String, FileChange> = BTreeMap::new();
    for (path, (sha256, executable)) in &after {
        match before.get(path) {
            None => changes.insert(path.clone(), FileChange::Added),
            Some((other, _)) if other != sha256 => changes.insert(path.clone(), FileChange::Edited),
            Some((_, other)) if other != executable => changes.insert(path.clone(), FileChange::Mode),
            Some(_) => None,
        };
    }
    changes.extend(before.into_keys().filter(|path| !after.contains_key(path)).map(|path| (path, FileChange::Removed)));
    changes.into_iter().map(|(path, change)| CodeFile { path, change }).collect()
}
