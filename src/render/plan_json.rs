//! Plans as JSON, in the shape of Terraform's plan representation, so that the tools that people review and judge plans
//! with understand them.
//!
//! These types are the published format: frozen, versioned by `format_version` (Terraform's) and `rotator.version` (of what
//! is ours alone), described by `schema/plan.schema.json`. A new member may come; none goes, and none changes its meaning
//! within a version. <https://developer.hashicorp.com/terraform/internals/json-format>
//!
//! What has no value here: sensitive values are `null` and marked in `before_sensitive` and `after_sensitive`; what AWS will
//! decide is absent and marked in `after_unknown`.

mod format;
mod masked;

use std::collections::{BTreeMap, BTreeSet};

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value as Json, json};

use format::{
    Change, ChangeExtension, Configuration, Extension, ForeignExtension, Identity, Module, NoteExtension, PlanJson,
    ProblemExtension, ResourceChange, State, StateResource, TargetExtension, Values,
};
use masked::MaskedAttributes;

use crate::model::{Address, Kind};
use crate::plan::resources::{Attributes, Resource, ResourceAction, ResourceType};
use crate::plan::{Effect, Plan, ProblemKind, Reason, Refusal, Severity};

use super::command::{Route, There};
use super::note::note_words;
use super::{plan as text, problem, safe_json};

/// The version of Terraform's format that this is shaped after.
const FORMAT_VERSION: &str = "1.2";

/// A release of Terraform that prints plans of this shape. Readers of its plans refuse what names none, or one that they
/// don't know: our own version, which says nothing about the shape, stands in `rotator.rotator_version`.
const TERRAFORM_VERSION: &str = "1.9.0";

/// The version of what is ours in it.
const OUR_VERSION: u32 = 1;

/// The provider whose resource types and attributes these are, by its source address.
const PROVIDER: &str = "registry.terraform.io/hashicorp/aws";

/// One target's plan, with its resources.
#[derive(Debug, Clone, Copy)]
pub struct Planned<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Its resources.
    pub resources: &'a [Resource],
}

/// The representation of plans, one for each target: one line, with a final newline.
pub fn plan_json(plans: &[Planned<'_>]) -> String {
    let mut text = safe_json(serde_json::to_string(&document(plans)).unwrap_or_default());
    text.push('\n');
    text
}

/// The JSON Schema of the representation.
pub fn plan_schema() -> String {
    let schema = SchemaSettings::draft07().for_serialize().into_generator().into_root_schema_for::<PlanJson>();
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

fn document(plans: &[Planned<'_>]) -> PlanJson {
    let modules = Modules::of(&plans.iter().map(|one| one.plan).collect::<Vec<_>>());
    let mut changes = Vec::new();
    let (mut planned, mut prior) = (Module::default(), Module::default());
    let mut drift = Vec::new();
    for one in plans {
        let path = modules.path(one.plan);
        for resource in one.resources {
            let change = change(resource, &path);
            if let Some(after) = &resource.after {
                place(&mut planned, &path).push(state_resource(&change.id, after));
            }
            if let Some(before) = &resource.before {
                place(&mut prior, &path).push(state_resource(&change.id, before));
            }
            if resource.action == ResourceAction::Update && resource.reason == Some(Reason::Differs) {
                drift.push(reversed(&change, resource));
            }
            changes.push(change);
        }
    }
    let plan = |test: fn(&Plan) -> bool| plans.iter().any(|one| test(one.plan));
    let errored = plan(Plan::has_errors);
    PlanJson {
        format_version: FORMAT_VERSION,
        terraform_version: TERRAFORM_VERSION,
        applyable: plan(|plan| plan.runnable().next().is_some()) && !plan(Plan::is_refused),
        complete: !errored && !plan(|plan| plan.partial),
        errored,
        configuration: configuration(&planned, &prior),
        planned_values: Values { root_module: planned },
        resource_drift: drift,
        resource_changes: changes,
        prior_state: State {
            format_version: "1.0",
            terraform_version: TERRAFORM_VERSION,
            values: Values { root_module: prior },
        },
        rotator: Extension {
            version: OUR_VERSION,
            rotator_version: env!("CARGO_PKG_VERSION"),
            targets: plans.iter().map(|one| target(one.plan)).collect(),
        },
    }
}

/// How targets become modules.
#[derive(Debug, Clone, Copy)]
pub(super) struct Modules {
    with_projects: bool,
}

impl Modules {
    /// Of plans that are shown together.
    pub fn of(plans: &[&Plan]) -> Self {
        let projects: BTreeSet<&str> = plans.iter().map(|plan| plan.project.as_str()).collect();
        Self { with_projects: projects.len() > 1 }
    }

    /// The modules that a plan's resources lie in, outermost first.
    pub fn path(self, plan: &Plan) -> Vec<String> {
        let project = self.with_projects.then(|| plan.project.clone());
        project.into_iter().chain(plan.target.clone()).collect()
    }
}

/// Terraform's address of a module. Project names may hold what Terraform's module names may not: such are indexes.
pub(super) fn module_address(path: &[String]) -> Option<String> {
    let steps: Vec<String> = path.iter().map(|name| format!("module.{}", identifier(name))).collect();
    (!steps.is_empty()).then(|| steps.join("."))
}

/// A name as Terraform writes identifiers: letters, digits, `_` and `-`, not beginning with a digit.
fn identifier(name: &str) -> String {
    let clean: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '_' }).collect();
    if clean.starts_with(|c: char| c.is_ascii_digit() || c == '-') { format!("_{clean}") } else { clean }
}

/// The place of a module's resources, made where it is missing.
fn place<'a>(root: &'a mut Module, path: &[String]) -> &'a mut Vec<StateResource> {
    let mut module = root;
    for depth in 1..=path.len() {
        let address = module_address(&path[..depth]);
        let at = module.child_modules.iter().position(|child| child.address == address).unwrap_or_else(|| {
            module.child_modules.push(Module { address, ..Module::default() });
            module.child_modules.len() - 1
        });
        module = &mut module.child_modules[at];
    }
    &mut module.resources
}

pub(super) fn identity(address: &Address, resource_type: ResourceType, path: &[String]) -> Identity {
    let resource_type = resource_type.word();
    let name = match address.kind {
        Kind::Function | Kind::Secret => "this",
        _ => "orphan",
    };
    let index = address.handle.clone();
    let module = module_address(path).map(|module| format!("{module}.")).unwrap_or_default();
    let address = format!("{module}{resource_type}.{name}[{}]", quoted(&index));
    Identity { address, mode: "managed", resource_type, name, index, provider_name: PROVIDER }
}

/// A text as Terraform writes it in an address. <https://developer.hashicorp.com/terraform/language/expressions/strings>
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\r', "\\r");
    format!("\"{}\"", text.replace('\t', "\\t").replace("${", "$${").replace("%{", "%%{"))
}

fn state_resource(id: &Identity, attributes: &Attributes) -> StateResource {
    let shown = MaskedAttributes::of(attributes);
    StateResource { id: id.clone(), schema_version: 0, values: shown.values, sensitive_values: shown.sensitive }
}

fn change(resource: &Resource, path: &[String]) -> ResourceChange {
    let before = resource.before.as_ref().map(MaskedAttributes::of);
    let after = resource.after.as_ref().map(MaskedAttributes::of);
    let (before, before_sensitive) = before.map_or((None, Map::new()), |shown| (Some(shown.values), shown.sensitive));
    let (after, after_unknown, after_sensitive) =
        after.map_or((None, Map::new(), Map::new()), |shown| (Some(shown.values), shown.unknown, shown.sensitive));
    let actions = match resource.action {
        ResourceAction::NoOp => vec!["no-op"],
        ResourceAction::Create => vec!["create"],
        ResourceAction::Update => vec!["update"],
        ResourceAction::Delete => vec!["delete"],
        ResourceAction::Replace => vec!["delete", "create"],
    };
    let action_reason = match (&resource.action, &resource.reason) {
        (ResourceAction::Delete, Some(Reason::Orphaned)) => Some("delete_because_no_resource_config"),
        (ResourceAction::Replace, _) => Some("replace_because_cannot_update"),
        _ => None,
    };
    ResourceChange {
        id: identity(&resource.address, resource.resource_type, path),
        module_address: module_address(path),
        change: Change { actions, before, after, after_unknown, before_sensitive, after_sensitive },
        action_reason,
        rotator: ChangeExtension {
            address: resource.address.to_string(),
            aws_name: resource.name.clone(),
            reason: resource.reason.as_ref().map(reason_word),
            effects: resource.effects.iter().map(|effect| effect.word()).collect(),
            blocked: resource.blocked,
            rules: resource.rules.iter().cloned().collect(),
        },
    }
}

/// A change seen from the manifest: what it says, and what is there instead.
fn reversed(change: &ResourceChange, resource: &Resource) -> ResourceChange {
    let known = |attributes: &Option<Attributes>| attributes.as_ref().map(MaskedAttributes::of);
    let (before, after) = (known(&resource.after), known(&resource.before));
    let part = |shown: Option<MaskedAttributes>| {
        shown.map_or((None, Map::new()), |shown| (Some(shown.values), shown.sensitive))
    };
    let ((before, before_sensitive), (after, after_sensitive)) = (part(before), part(after));
    let actions = vec!["update"];
    let mut drift = change.clone();
    drift.change = Change { actions, before, after, after_unknown: Map::new(), before_sensitive, after_sensitive };
    drift.action_reason = None;
    drift
}

/// The published name of a reason.
fn reason_word(reason: &Reason) -> &'static str {
    match reason {
        Reason::Missing => "missing",
        Reason::Differs => "differs",
        Reason::Adopt => "adopt",
        Reason::Renamed { .. } => "renamed",
        Reason::FailedStack { .. } => "failed_stack",
        Reason::FunctionGone => "function_gone",
        Reason::Deployed => "deployed",
        Reason::FunctionChanges => "function_changes",
        Reason::Untested => "untested",
        Reason::Orphaned => "orphaned",
        Reason::Removed => "removed",
        Reason::Destroyed => "destroyed",
        Reason::Asked => "asked",
    }
}

fn target(plan: &Plan) -> TargetExtension {
    let effects = Effect::ALL.into_iter().map(|effect| (effect.word(), plan.count(effect)));
    TargetExtension {
        project: plan.project.clone(),
        target: plan.target.clone(),
        account: plan.account.clone(),
        region: plan.region.clone(),
        partial: plan.partial,
        functions: plan.functions,
        secrets: plan.secrets,
        effects: effects.filter(|(_, number)| *number > 0).collect(),
        refused_by: plan.refusals().into_iter().map(Refusal::word).collect(),
        acknowledged: crate::plan::acknowledge::count(plan),
        foreign: text::foreigners(plan)
            .map(|(foreign, address)| ForeignExtension {
                address: address.map(ToString::to_string),
                kind: foreign.kind.word(),
                name: foreign.name.clone(),
                account: foreign.account.clone(),
            })
            .collect(),
        problems: plan
            .problems
            .iter()
            .map(|found| {
                let words = problem::words(found, &There::of(plan));
                let (rule, at, declared_at) = match &found.kind {
                    ProblemKind::Policy { rule, at, declared, .. } => (Some(rule), Some(at), declared.as_ref()),
                    ProblemKind::LimitExceeded(exceeded) => (None, Some(&exceeded.at), None),
                    ProblemKind::Frozen(frozen) => (None, Some(&frozen.freeze.at), None),
                    _ => (None, None, None),
                };
                ProblemExtension {
                    address: found.address.to_string(),
                    severity: if found.severity == Severity::Error { "error" } else { "warning" },
                    summary: words.summary,
                    detail: words.detail,
                    hints: words.hints,
                    rule: rule.cloned(),
                    at: at.map(ToString::to_string),
                    declared_at: declared_at.map(ToString::to_string),
                }
            })
            .collect(),
        notes: plan
            .notes
            .iter()
            .map(|note| NoteExtension {
                address: note.address.as_ref().map(ToString::to_string),
                summary: note_words(note, Route::of(plan)),
            })
            .collect(),
    }
}

/// The configuration that a reader of addresses expects: each type once a module, over handles.
fn configuration(planned: &Module, prior: &Module) -> Configuration {
    let provider = json!({"name": "aws", "full_name": PROVIDER});
    Configuration {
        provider_config: BTreeMap::from([("aws", provider)]),
        root_module: module_configuration(&[planned, prior]),
    }
}

fn module_configuration(modules: &[&Module]) -> Map<String, Json> {
    let mut resources: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut calls: BTreeMap<&str, Vec<&Module>> = BTreeMap::new();
    for module in modules {
        resources.extend(module.resources.iter().map(|resource| (resource.id.resource_type, resource.id.name)));
        for child in &module.child_modules {
            let address = child.address.as_deref().unwrap_or_default();
            calls.entry(address.rsplit_once("module.").map_or(address, |(_, name)| name)).or_default().push(child);
        }
    }
    let mut configuration = Map::new();
    if !resources.is_empty() {
        let resource = |(resource_type, name): (&str, &str)| {
            json!({
                "address": format!("{resource_type}.{name}"),
                "mode": "managed",
                "type": resource_type,
                "name": name,
                "provider_config_key": "aws",
                "expressions": {},
                "schema_version": 0,
                "for_each_expression": {},
            })
        };
        configuration.insert("resources".to_owned(), resources.into_iter().map(resource).collect());
    }
    if !calls.is_empty() {
        let call = |(name, children): (&str, Vec<&Module>)| {
            let call = json!({"source": format!("./{name}"), "module": module_configuration(&children)});
            (name.to_owned(), call)
        };
        configuration.insert("module_calls".to_owned(), Json::Object(calls.into_iter().map(call).collect()));
    }
    configuration
}
