//! A function's code, compared with the live one by its files.

use std::collections::BTreeMap;

use super::Planner;
use crate::model::live::{Configuration, LiveFunction, Reading};
use crate::model::{Address, Code, CodeSource, Deployment, PackagedFile, arn, is_generic_application};
use crate::plan::{Attribute, FieldChange, NoteKind, ProblemKind, Severity, Shown};

impl Planner<'_> {
    /// Says of code that is sent what of its folder isn't in it, and what is in it that people didn't expect.
    pub(super) fn sent(&mut self, address: &Address, name: &str, code: &Code) {
        let Some(package) = &code.package else { return };
        if !package.left_out.is_empty() {
            self.note(Some(address.clone()), NoteKind::LeftOut { parts: package.left_out.clone() });
        }
        if !package.credentials.is_empty() {
            let kind = ProblemKind::CredentialsInPackage { parts: package.credentials.clone() };
            self.problem(address, name, Severity::Warning, kind);
        }
    }

    /// Says what is wrong with the code of a package; where it isn't sent, it is on AWS already, and what is wrong is a warning.
    pub(super) fn findings(&mut self, address: &Address, name: &str, code: &Code, is_sent: bool) {
        for finding in &code.findings {
            let severity = if finding.is_error && is_sent { Severity::Error } else { Severity::Warning };
            self.problem(address, name, severity, ProblemKind::Code { finding: finding.clone() });
        }
    }

    /// Whether something rotates with a function, as far as is known: where filters leave something out, or other manifests use it, something
    /// may.
    pub(super) fn may_rotate(&self, configuration: &Configuration, live: &LiveFunction) -> bool {
        let with = |function: &String| arn::unqualified_function_arn(function) == configuration.arn;
        let found = self.live.secrets.values().filter_map(Reading::found);
        let mut own = found.filter(|secret| secret.is_on() && secret.function_arn.as_ref().is_some_and(with));
        self.plan.partial || live.foreign_secrets.is_some_and(|secrets| secrets > 0) || own.next().is_some()
    }

    /// Says of code that stays which files can be executed on AWS alone.
    pub(super) fn lost_bits(&mut self, address: &Address, code: &Code, live: &Configuration) {
        let (Some(package), Some(live)) = (&code.package, &live.code_files) else { return };
        let lost = |(ours, live): &(&PackagedFile, &PackagedFile)| live.executable && !ours.executable;
        let files: Vec<String> =
            package.files.iter().zip(live).filter(lost).map(|(ours, _)| ours.path.clone()).collect();
        if !files.is_empty() {
            self.note(Some(address.clone()), NoteKind::NotExecutable { files });
        }
    }
}

/// Whether live code is the manifest's: the same package, or other bytes with the same files.
pub fn same_code(code: &Code, configuration: &Configuration) -> bool {
    match (&code.source, &code.package) {
        (CodeSource::S3 { sha256, .. }, _) => *sha256 == configuration.code_sha256,
        (CodeSource::Path { .. }, Some(package)) => {
            package.sha256 == configuration.code_sha256
                || configuration.code_files.as_ref().is_some_and(|files| same_files(&package.files, files))
        }
        (CodeSource::Path { .. }, None) => false,
    }
}

/// Whether two packages hold the same files. A file that can be executed here and not there differs: what runs it fails there.
/// The other way round only `bootstrap` does, which Lambda executes itself: what was packaged on a system that knows no such bit,
/// or by a tool that sets it everywhere, runs as well.
fn same_files(ours: &[PackagedFile], live: &[PackagedFile]) -> bool {
    ours.len() == live.len()
        && ours.iter().zip(live).all(|(one, other)| {
            one.path == other.path
                && one.sha256 == other.sha256
                && (one.executable == other.executable || (other.executable && one.path != "bootstrap"))
        })
}

pub(super) fn code_fields(code: &Code, live: Option<&Configuration>) -> Vec<FieldChange> {
    let before = live.map(|live| live.code_sha256.clone());
    let after = match (&code.source, &code.package) {
        (CodeSource::S3 { sha256, .. }, _) => Some(sha256.clone()),
        (CodeSource::Path { .. }, package) => package.as_ref().map(|package| package.sha256.clone()),
    };
    let (before, after) = (Shown::option(before.as_ref()), after.map_or(Shown::Unknown, Shown::Text));
    // For another architecture, the same code is uploaded again.
    let mut fields = Vec::new();
    if before != after {
        fields.push(FieldChange::new(Attribute::CodeHash, before, after));
    }
    let source = match &code.source {
        CodeSource::Path { shown, .. } => shown.clone(),
        CodeSource::S3 { bucket, key, .. } => format!("s3://{bucket}/{key}"),
    };
    if live.is_none() {
        fields.insert(0, FieldChange::new(Attribute::CodeSource, Shown::Absent, Shown::Text(source)));
    }
    let Some(package) = &code.package else { return fields };
    let by_path = |files: &[PackagedFile]| -> BTreeMap<String, PackagedFile> {
        files.iter().map(|file| (file.path.clone(), file.clone())).collect()
    };
    let Some(live_files) = live.and_then(|live| live.code_files.as_ref()) else { return fields };
    let (before, after) = (by_path(live_files), by_path(&package.files));
    let mut paths: Vec<&String> = before.keys().chain(after.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    for path in paths.into_iter().filter(|path| before.get(*path) != after.get(*path)) {
        let (before, after) = (before.get(path), after.get(path));
        // Whether it can be executed is said only where that differs.
        let bit = before.zip(after).is_some_and(|(before, after)| before.executable != after.executable);
        let digest = |file: &PackagedFile| {
            let digest: String = file.sha256.chars().take(12).collect();
            if bit && file.executable { format!("{digest}, executable") } else { digest }
        };
        let (before, after) = (before.map(digest), after.map(digest));
        fields.push(FieldChange::new(
            Attribute::CodeFile(path.clone()),
            Shown::option(before.as_ref()),
            Shown::option(after.as_ref()),
        ));
    }
    fields
}

/// Whether a function's package lacks the file that its Python handler names. A layer may hold that file, so that nothing
/// is known where the manifest states some.
pub fn lacks_handler(deployment: &Deployment, handler: &str, runtime: Option<&str>) -> bool {
    let package = deployment.code.as_ref().and_then(|code| code.package.as_ref());
    let (Some(package), None) = (package, &deployment.settings.layers) else { return false };
    // The generic application's function is written in Python, whatever version of it.
    let generic = is_generic_application(&deployment.application.id);
    if !runtime.map_or(generic, |runtime| runtime.starts_with("python")) {
        return false;
    }
    let Some((module, _)) = handler.rsplit_once('.') else { return false };
    let module = module.replace('.', "/");
    let candidates = [format!("{module}.py"), format!("{module}/__init__.py"), format!("{module}.so")];
    !package.files.iter().any(|file| candidates.contains(&file.path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures::{self, file, live_configuration, wanted};
    use crate::plan::planner::{PlanOptions, Purpose, make_plan};
    use crate::plan::{Action, Plan};

    const CONVERGE: PlanOptions = PlanOptions { purpose: Purpose::Converge { prune: false }, partial: false };

    /// Without it, a helper that a function starts would never get the right to be executed; or a package that another system made, which
    /// sets that right everywhere or nowhere, would be replaced for ever.
    #[test]
    fn gaining_the_right_to_be_executed_is_a_change_and_losing_it_a_note() {
        let with = |path: &str, ours: bool, live_has: bool| {
            let (mut desired, mut live) = (fixtures::desired(), fixtures::live());
            let one = |executable| vec![PackagedFile { executable, ..file(path, "1") }];
            wanted(&mut desired).code.as_mut().and_then(|code| code.package.as_mut()).expect("a package").files =
                one(ours);
            let configuration = live_configuration(&mut live);
            configuration.code_sha256 = "other bytes".to_owned();
            configuration.code_files = Some(one(live_has));
            make_plan(&desired, &live, CONVERGE)
        };
        let sent = |plan: &Plan| plan.changes.iter().any(|change| change.action == Action::UpdateCode);
        let noted = |plan: &Plan| plan.notes.iter().any(|note| matches!(note.kind, NoteKind::NotExecutable { .. }));
        for (path, ours, live, changes, notes) in [
            ("bin/tool", true, true, false, false),
            ("bin/tool", true, false, true, false),
            ("bin/tool", false, true, false, true),
            ("bootstrap", true, false, true, false),
            ("bootstrap", false, true, true, false),
        ] {
            let plan = with(path, ours, live);
            assert_eq!((sent(&plan), noted(&plan)), (changes, notes), "{path} {ours} {live}");
        }
        let plan = with("bin/tool", true, false);
        let field = plan.changes[0]
            .fields
            .iter()
            .find(|field| field.attribute == Attribute::CodeFile("bin/tool".to_owned()))
            .expect("it is shown");
        assert_eq!((&field.before, &field.after), (&Shown::text("1"), &Shown::text("1, executable")));
    }
}
