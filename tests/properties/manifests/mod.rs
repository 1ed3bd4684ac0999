//! Includes, defaults, targets and variables against a plain model of the format.

mod model;
mod written;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use rotator::config::{self, Ambient};
use rotator::model::{CodeSource, Desired, FunctionSource, Schedule, Sensitive};
use rotator::render::diagnostics;
use serde_json::{Map, Value, json};

use crate::cases::check;
use written::{Case, Written, case};

/// What the tool makes of a manifest: one value for each target.
fn resolved(written: &Written) -> Result<Vec<Value>, String> {
    let folder = tempfile::tempdir().expect("a folder");
    written.write(folder.path());
    let loaded = config::load(&[folder.path().to_path_buf()])
        .map_err(|problems| diagnostics::render(&problems.0, false, 120))?;
    let manifest = loaded.manifests.first().ok_or("no manifest")?;
    let ambient = Ambient { region: Some(model::AMBIENT.0.to_owned()), account: Some(model::AMBIENT.1.to_owned()) };
    (0..manifest.targets().len())
        .map(|target| {
            manifest.resolve(target, &ambient).map_err(|problems| diagnostics::render(&problems.0, false, 120))
        })
        .map(|desired| Ok(shown(&desired?, folder.path())))
        .collect()
}

/// A desired state in the model's form.
fn shown(desired: &Desired, folder: &std::path::Path) -> Value {
    let exposed = |value: &Sensitive| json!(value.expose());
    let functions = desired.functions.iter().map(|(handle, function)| {
        let value = match &function.source {
            FunctionSource::Existing { reference } => json!({ "existing": reference, "labels": function.labels }),
            FunctionSource::Deployed(one) => {
                let variables = one.environment.iter();
                let environment: Map<String, Value> = variables
                    .map(|(name, value)| (name.clone(), value.as_ref().map_or(Value::Null, exposed)))
                    .collect();
                let parameters = one.application.parameters.iter();
                let parameters: Map<String, Value> =
                    parameters.map(|(name, value)| (name.clone(), exposed(value))).collect();
                let settings = &one.settings;
                let vpc = settings.vpc.as_ref().map(|vpc| json!([vpc.subnets, vpc.security_groups]));
                let code = one.code.as_ref().map(|code| match &code.source {
                    CodeSource::Path { path, .. } => json!(path.strip_prefix(folder).unwrap_or(path)),
                    CodeSource::S3 { bucket, .. } => json!({ "s3_bucket": bucket }),
                });
                json!({
                    "name": function.name, "stack": one.stack, "application": one.application.id,
                    "version": one.application.version, "parameters": parameters, "shared": one.shared, "code": code,
                    "runtime": settings.runtime, "handler": settings.handler, "architecture": settings.architecture,
                    "layers": settings.layers, "timeout": settings.timeout, "memory": settings.memory,
                    "ephemeral_storage": settings.ephemeral_storage, "tracing": settings.tracing,
                    "environment": environment, "vpc": vpc,
                    "description": settings.description, "labels": function.labels,
                })
            }
        };
        (handle.clone(), value)
    });
    let secrets = desired.secrets.iter().map(|(handle, secret)| {
        let rules = secret.rotation.rules.as_ref();
        let schedule = rules.map(|rules| match &rules.schedule {
            Schedule::AutomaticallyAfterDays(days) => format!("{days} days"),
            Schedule::Expression(text) => text.clone(),
        });
        let value = json!({
            "name": secret.name, "function": secret.function, "enabled": secret.rotation.enabled,
            "hours": rules.and_then(|rules| rules.duration_hours), "schedule": schedule,
            "rotate_immediately": secret.rotation.rotate_immediately, "labels": *secret.labels,
        });
        (handle.clone(), value)
    });
    let target = &desired.target;
    json!({
        "target": { "name": target.name, "region": target.region, "account": target.account,
            "role": target.role, "apply_role": target.apply_role },
        "functions": functions.collect::<Map<_, _>>(), "secrets": secrets.collect::<Map<_, _>>(),
    })
}

/// Without it a default, a variable or a part could mean something else than the format says, in a way that no one thought
/// of.
#[test]
fn expansion_agrees_with_a_plain_model() {
    let expected = ["functions", "secrets", "targets", "parts", "files of variables"];
    let text = |case: &Case| case.write().shown();
    check("expansion_agrees_with_a_plain_model", 500, &expected, &case(), text, |case, seen| {
        let written = case.write();
        let model = model::meaning(&written).map_err(TestCaseError::fail)?;
        let tool = resolved(&written).map_err(TestCaseError::fail)?;
        prop_assert_eq!(tool.len(), model.len());
        for (tool, model) in tool.iter().zip(&model) {
            for (name, count) in [("functions", &model["functions"]), ("secrets", &model["secrets"])] {
                seen.add(name, count.as_object().map_or(0, Map::len));
            }
            for kind in ["target", "functions", "secrets"] {
                let entries = model[kind].as_object().into_iter().flatten();
                for (handle, wanted) in entries {
                    prop_assert_eq!(&tool[kind][handle], wanted, "{} {}", kind, handle);
                }
            }
            prop_assert_eq!(tool, model);
        }
        seen.add("targets", model.len());
        seen.add("parts", written.parts.len());
        seen.add("files of variables", written.files.len());
        Ok(())
    });
}

/// Without it a slip would be taken for something, instead of being shown where it stands.
#[test]
fn slips_are_refused_as_the_model_refuses_them() {
    let slips = ["${nobody}", "a ${subnets} b", "${env", "${key}${}"];
    let strategy = (case(), 0..slips.len());
    let text =
        |(case, slip): &(Case, usize)| format!("{} for the first value of\n{}", slips[*slip], case.write().shown());
    check("slips_are_refused_as_the_model_refuses_them", 150, &["refused"], &strategy, text, |(case, slip), seen| {
        let mut written = case.write();
        written.root["functions"]["slip"] = json!({ "description": slips[*slip] });
        let refused = resolved(&written).is_err();
        prop_assert_eq!(model::meaning(&written).is_err(), refused);
        prop_assert!(refused);
        seen.add("refused", 1);
        Ok(())
    });
}
