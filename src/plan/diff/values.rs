//! Functions, secrets and targets as flat lists of attributes, which compare without knowing what they mean.

use std::collections::BTreeMap;

use crate::model::rule::Pattern;
use crate::model::{
    CodeSource, Deployment, Desired, Function, FunctionSource, PackagedFile, Secret, SelectRule, Setting,
};
use crate::plan::{Attribute, FieldChange, Shown};

use super::{CodeFile, FileChange};

/// An attribute's value.
#[derive(PartialEq, Eq)]
enum AttributeValue<'a> {
    Shown(Shown),
    /// Compared, and never shown.
    Private(&'a str),
}

impl AttributeValue<'_> {
    fn shown(&self) -> Shown {
        match self {
            Self::Shown(shown) => shown.clone(),
            Self::Private(_) => Shown::Sensitive,
        }
    }
}

/// Values by attribute, in the order of their paths.
#[derive(Default)]
pub(super) struct Values<'a>(BTreeMap<Attribute, AttributeValue<'a>>);

impl<'a> Values<'a> {
    fn text(&mut self, attribute: impl Into<Attribute>, value: impl ToString) {
        self.0.insert(attribute.into(), AttributeValue::Shown(Shown::text(value)));
    }

    fn option(&mut self, attribute: impl Into<Attribute>, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.text(attribute, value);
        }
    }

    fn list(&mut self, attribute: impl Into<Attribute>, items: &[String]) {
        self.0.insert(attribute.into(), AttributeValue::Shown(Shown::List(items.to_vec())));
    }

    fn private(&mut self, attribute: Attribute, value: &'a str) {
        self.0.insert(attribute, AttributeValue::Private(value));
    }

    /// All of them, each from absent.
    pub fn added(&self) -> Vec<FieldChange> {
        self.0.iter().map(|(one, value)| FieldChange::new(one.clone(), Shown::Absent, value.shown())).collect()
    }

    /// Those that differ, in the order of their paths.
    pub fn changes(&self, after: &Values<'_>) -> Vec<FieldChange> {
        let mut attributes: Vec<&Attribute> = self.0.keys().chain(after.0.keys()).collect();
        attributes.sort_unstable();
        attributes.dedup();
        let shown = |value: Option<&AttributeValue<'_>>| value.map_or(Shown::Absent, AttributeValue::shown);
        attributes
            .into_iter()
            .map(|one| (one, self.0.get(one), after.0.get(one)))
            .filter(|(_, before, after)| before != after)
            .map(|(one, before, after)| FieldChange::new(one.clone(), shown(before), shown(after)))
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
    if let Some(id) = &target.external_id {
        values.private("external_id".into(), id.expose());
    }
    values.option("session_name", target.session_name.as_ref());
    if !desired.removed.is_empty() {
        let without_target = |removed: &crate::model::Address| format!("{}.{}", removed.kind.word(), removed.handle);
        values.list("removed", &desired.removed.iter().map(without_target).collect::<Vec<_>>());
    }
    values
}

pub(super) fn secret_values(secret: &Secret) -> Values<'_> {
    let mut values = Values::default();
    values.text("name", &secret.name);
    values.option(Attribute::Function, secret.function.as_ref());
    if let Some(external) = &secret.external {
        values.option("external.role", external.role.as_ref());
        for (key, value) in &external.metadata {
            values.text(format!("external.metadata.{key}"), value);
        }
    }
    values.option(Attribute::Enabled, secret.rotation.enabled);
    values.option(Attribute::Rules, secret.rotation.rules.as_ref());
    values.option("rotation.rotate_immediately", secret.rotation.rotate_immediately);
    labels(&mut values, &secret.labels);
    values
}

pub(super) fn rule_values(rule: &SelectRule) -> Values<'_> {
    let mut values = Values::default();
    let texts = |patterns: &[Pattern]| -> Vec<String> { patterns.iter().map(ToString::to_string).collect() };
    if let Some(names) = &rule.matches.names {
        values.list("match.names", &texts(names));
    }
    for (key, value) in &rule.matches.tags {
        values.text(format!("match.tags.{key}"), value);
    }
    if !rule.matches.except.is_empty() {
        values.list("match.except", &texts(&rule.matches.except));
    }
    values.text(Attribute::Function, &rule.function);
    values.option(Attribute::Enabled, rule.rotation.enabled);
    values.option(Attribute::Rules, rule.rotation.rules.as_ref());
    values.option("rotation.rotate_immediately", rule.rotation.rotate_immediately);
    labels(&mut values, &rule.labels);
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
    values.text(Attribute::Application, &deployment.application.id);
    values.option(Attribute::Version, deployment.application.version.as_ref());
    for (parameter, value) in &deployment.application.parameters {
        values.private(Attribute::Parameter(parameter.clone()), value.expose());
    }
    values.text(Attribute::Stack, &deployment.stack);
    values.text("shared", deployment.shared);
    match deployment.code.as_ref().map(|code| &code.source) {
        None => {}
        Some(CodeSource::Path { shown, selection, .. }) => {
            values.text("code", shown);
            if let Some(requirements) = &selection.requirements {
                values.text("code.requirements", &requirements.shown);
            }
            for (field, list) in [("exclude", &selection.exclude), ("include", &selection.include)] {
                if !list.is_empty() {
                    values.list(format!("code.{field}"), list);
                }
            }
        }
        Some(CodeSource::S3 { bucket, key, object_version, sha256 }) => {
            let version = object_version.as_ref().map(|version| format!("?versionId={version}")).unwrap_or_default();
            values.text("code", format!("s3://{bucket}/{key}{version}"));
            values.text(Attribute::CodeHash, sha256);
        }
    }
    for setting in Setting::ALL {
        if let Some(value) = deployment.settings.get(setting) {
            values.0.insert(setting.into(), AttributeValue::Shown(value.into()));
        }
    }
    for (variable, value) in &deployment.environment {
        let attribute = Attribute::Variable(variable.clone());
        match value {
            Some(value) => values.private(attribute, value.expose()),
            None => {
                values.0.insert(attribute, AttributeValue::Shown(deleted()));
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
