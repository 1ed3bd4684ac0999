//! The published format of plans: frozen types, described by `schema/plan.schema.json`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value as Json};

/// A plan of one or several targets.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "rotator plan")]
pub struct PlanJson {
    /// Terraform's format.
    pub format_version: &'static str,
    /// A release of Terraform whose plans have this shape, for readers that ask for one. Terraform took no part in the plan.
    pub terraform_version: &'static str,
    /// Whether an apply would do anything.
    pub applyable: bool,
    /// Whether nothing is left out: false where foreseen errors block changes, or filters leave something out.
    pub complete: bool,
    /// Whether an error was foreseen.
    pub errored: bool,
    /// What will be.
    pub planned_values: Values,
    /// Resources that differ on AWS from what the manifest says, `before` as the manifest says and `after` as they are. There is no
    /// state file: until an apply, an edit of the manifest looks the same as a change by other hands.
    pub resource_drift: Vec<ResourceChange>,
    /// Every resource that the manifest manages, unchanged ones with `no-op`.
    pub resource_changes: Vec<ResourceChange>,
    /// What is.
    pub prior_state: State,
    /// The modules and resources that addresses speak of.
    pub configuration: Configuration,
    /// What has no place in Terraform's format.
    pub rotator: Extension,
}

/// What is, or will be.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::render) struct State {
    /// Terraform's format.
    pub format_version: &'static str,
    /// As in the plan.
    pub terraform_version: &'static str,
    /// The resources.
    pub values: Values,
}

/// Resources by module.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::render) struct Values {
    /// Resources of a manifest without targets stand here; those of targets in modules below.
    pub root_module: Module,
}

/// A module: a target, or a project where there are several.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(in crate::render) struct Module {
    /// Such as `module.prod-eu`; absent for the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Its resources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<StateResource>,
    /// The modules in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub child_modules: Vec<Module>,
}

/// A resource, as it is or will be.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::render) struct StateResource {
    #[serde(flatten)]
    pub id: Identity,
    /// Always 0.
    pub schema_version: u32,
    /// The attributes.
    pub values: Map<String, Json>,
    /// `true` at each sensitive one.
    pub sensitive_values: Map<String, Json>,
}

/// Which resource.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::render) struct Identity {
    /// Such as `module.prod-eu.aws_secretsmanager_secret_rotation.this["payments/api-key"]`.
    pub address: String,
    /// `managed`.
    pub mode: &'static str,
    /// The provider's type.
    #[serde(rename = "type")]
    pub resource_type: &'static str,
    /// `this`; `orphan` for what no handle names.
    pub name: &'static str,
    /// The handle in the manifest; for orphans the name on AWS.
    pub index: String,
    /// The provider.
    pub provider_name: &'static str,
}

/// A resource and what happens to it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::render) struct ResourceChange {
    #[serde(flatten)]
    pub id: Identity,
    /// The module, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_address: Option<String>,
    /// What happens.
    pub change: Change,
    /// Terraform's reason, where it has one for this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_reason: Option<&'static str>,
    /// Ours.
    pub rotator: ChangeExtension,
}

/// What happens to a resource.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::render) struct Change {
    /// `["no-op"]`, `["create"]`, `["update"]`, `["delete"]`, or `["delete", "create"]`.
    pub actions: Vec<&'static str>,
    /// The attributes as they are.
    pub before: Option<Map<String, Json>>,
    /// The attributes as they will be, without what AWS will decide.
    pub after: Option<Map<String, Json>>,
    /// `true` at each attribute that AWS will decide.
    pub after_unknown: Map<String, Json>,
    /// `true` at each sensitive attribute.
    pub before_sensitive: Map<String, Json>,
    /// `true` at each sensitive attribute.
    pub after_sensitive: Map<String, Json>,
}

/// What Terraform's format has no place for, at a resource.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::render) struct ChangeExtension {
    /// Our address, such as `prod-eu/secret.payments/api-key`.
    pub address: String,
    /// The name on AWS.
    pub aws_name: String,
    /// Why it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// What people fear about it, such as `rotates-now`.
    pub effects: Vec<&'static str>,
    /// Whether a foreseen error keeps it as it is.
    pub blocked: bool,
    /// The rules of `select` that mean the secret, where no entry of `secrets` names it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
}

/// The modules and resources that addresses speak of.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::render) struct Configuration {
    /// The provider.
    pub provider_config: BTreeMap<&'static str, Json>,
    /// The root module: its resources, and a call for each target.
    pub root_module: Map<String, Json>,
}

/// What Terraform's format has no place for.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::render) struct Extension {
    /// The version of this part.
    pub version: u32,
    /// The program's version.
    pub rotator_version: &'static str,
    /// The targets.
    pub targets: Vec<TargetExtension>,
}

/// One target's plan.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::render) struct TargetExtension {
    /// The project.
    pub project: String,
    /// The target's name, where the manifest has targets.
    pub target: Option<String>,
    /// The account: twelve digits.
    pub account: String,
    /// The region.
    pub region: String,
    /// Whether filters left something out.
    pub partial: bool,
    /// How many functions and secrets were compared.
    pub functions: usize,
    /// How many secrets were compared.
    pub secrets: usize,
    /// How many resources each effect concerns.
    pub effects: BTreeMap<&'static str, usize>,
    /// What refuses all of it, so that an apply would end with 5: `policy`, `limit`, `freeze`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_by: Vec<&'static str>,
    /// How many warnings the manifest acknowledges: they aren't among the problems.
    pub acknowledged: usize,
    /// What functions are, or use, that belongs to accounts which no target names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign: Vec<ForeignExtension>,
    /// What would go wrong.
    pub problems: Vec<ProblemExtension>,
    /// What is worth knowing.
    pub notes: Vec<NoteExtension>,
}

/// Something that belongs to an account which no target names.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::render) struct ForeignExtension {
    /// Our address of what uses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// `function`, `application`, `layer` or `bucket`.
    pub kind: &'static str,
    /// Its ARN, or the bucket's name.
    pub name: String,
    /// The account; absent for buckets, of which AWS doesn't say whose they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// Something that would go wrong.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::render) struct ProblemExtension {
    /// Our address.
    pub address: String,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// What it is.
    pub summary: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What to do.
    pub hints: Vec<String>,
    /// The rule that is broken, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Where the rule, limit or freeze stands: `FILE:LINE:COLUMN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Where the entry stands that breaks the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared_at: Option<String>,
}

/// Something worth knowing.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::render) struct NoteExtension {
    /// Our address; absent where it concerns the whole target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What it is.
    pub summary: String,
}
