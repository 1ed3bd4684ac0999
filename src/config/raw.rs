//! The manifest's file format, exactly: what is read, and what the published JSON Schema says.
//!
//! The types are read after defaults were merged and variables replaced, so they hold plain values. The schema describes
//! the file as people write it: a variable may stand where a value stands, and `null` where a field is absent.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{IgnoredAny, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};

use super::acknowledge::AcknowledgementFile;
use super::freeze::FreezeFile;
use super::limits::LimitsFile;
use super::rules::RuleFile;
use super::select::SelectFile;
use crate::model::Setting;

/// A manifest of rotator: which AWS Secrets Manager secrets rotate, when, and with which function.
///
/// The root states `version` and `project`. A part, which a root includes, holds `defaults`, `functions`, `secrets` and `select` only.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "manifest")]
pub(super) struct RootFile {
    /// The version of this format: 1.
    #[schemars(schema_with = "format_version")]
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub version: Option<i64>,
    /// Which versions of rotator may read this manifest, such as `">=0.1"`; others refuse it instead of misreading it.
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub requires: Option<String>,
    /// The name that marks on AWS what this manifest owns (the tag `rotator:project`).
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$"))]
    pub project: Option<String>,
    /// An earlier name of the project, whose resources are taken over.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$"))]
    pub renamed_from: Option<String>,
    /// Parts: patterns relative to this file, such as `services/*.yaml`.
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub include: Option<Vec<String>>,
    /// What every target, function and secret inherits.
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub defaults: Option<DefaultsFile>,
    /// One account and region each. Absent: one target, from AWS's environment.
    #[schemars(schema_with = "targets_schema")]
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub targets: Option<BTreeMap<String, Option<TargetFile>>>,
    /// Rotation functions by handle.
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub functions: Option<BTreeMap<String, Option<FunctionFile>>>,
    /// Secrets by handle, which is the secret's name unless `name` says otherwise.
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub secrets: Option<BTreeMap<String, Option<SecretFile>>>,
    /// Rules by a name of their own: secrets that `secrets` doesn't list, and how every live one rotates that matches.
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub select: Option<BTreeMap<String, Option<SelectFile>>>,
    /// Whether orphans, which this project owns and no handle names, are ended. Default: they are only noted.
    pub prune: Option<bool>,
    /// What is let go of without being touched: `secret.HANDLE` or `function.HANDLE`, with `TARGET/` before it for one target only.
    #[schemars(schema_with = "removed_schema")]
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub removed: Option<Vec<String>>,
    /// How much one apply may do to the secrets of a target, and of all targets of one account and region.
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub limits: Option<LimitsFile>,
    /// Rules that every plan of this manifest is held to, beside those of `--policy`. No flag overrides them.
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub policy: Option<Vec<RuleFile>>,
    /// Days on which `apply` rotates nothing, tests nothing and replaces no code.
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub freeze: Option<Vec<FreezeFile>>,
    /// Warnings that are known, and that plans count instead of repeating them, until a day.
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub acknowledge: Option<Vec<AcknowledgementFile>>,
}

/// Inherited values, each shaped like what inherits it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "defaults")]
pub(super) struct DefaultsFile {
    /// What every target inherits.
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub targets: Option<TargetFile>,
    /// What every deployed function inherits; an `existing` one inherits nothing.
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub functions: Option<FunctionFile>,
    /// What every secret inherits.
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub secrets: Option<SecretFile>,
}

/// One AWS account and region.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "target")]
pub(super) struct TargetFile {
    /// The region, such as `eu-west-1`. Default: AWS's environment.
    #[schemars(schema_with = "region_schema")]
    pub region: Option<String>,
    /// The account's id, quoted: twelve digits. Any other account is refused before the first read.
    #[schemars(schema_with = "account_schema")]
    pub account: Option<String>,
    /// The ARN of the role that reads; it writes too unless `apply_role` is given.
    #[schemars(schema_with = "role_schema")]
    pub role: Option<String>,
    /// The ARN of the role that writes.
    #[schemars(schema_with = "role_schema")]
    pub apply_role: Option<String>,
    /// The external id that the roles' trust asks for (`sts:ExternalId`). Never shown.
    #[schemars(schema_with = "external_id_schema")]
    pub external_id: Option<String>,
    /// The name of the roles' sessions, for audit trails and `sts:RoleSessionName`. Default: `AWS_ROLE_SESSION_NAME`, else `rotator`.
    #[schemars(schema_with = "session_name_schema")]
    pub session_name: Option<String>,
    /// Values for `${name}`. They may use `${target}`, `${region}`, `${account}` and `${partition}`.
    #[schemars(schema_with = "vars_schema")]
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub vars: Option<IgnoredAny>,
    /// A YAML or JSON map of more variables, or what `terraform output -json` prints; `vars` wins.
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub vars_from: Option<String>,
}

/// A rotation function: deployed from an application of the Serverless Application Repository, or existing.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "function")]
pub(super) struct FunctionFile {
    /// The function's name on AWS. Default: the handle.
    pub name: Option<String>,
    /// The name or ARN of a function that is used and not deployed. Only `targets` and `labels` may stand beside it.
    pub existing: Option<String>,
    /// The targets that the function is for: names or patterns such as `prod-*`. Default: all.
    #[schemars(schema_with = "names_schema")]
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub targets: Option<Vec<String>>,
    /// For people, filters and grouping; never sent to AWS.
    pub labels: Option<BTreeMap<String, String>>,
    /// The application that the function is deployed from. Default: AWS's generic rotation template, at its newest version.
    pub application: Option<ApplicationFile>,
    /// The stack's name; AWS puts `serverlessrepo-` before it. Default: the function's name.
    pub stack: Option<String>,
    /// The code: a folder, a source file or a .zip relative to this file, or an object in S3.
    pub code: Option<CodeFile>,
    /// Lambda's runtime, such as `python3.12`.
    pub runtime: Option<String>,
    /// Where the function starts, such as `lambda_function.lambda_handler`.
    pub handler: Option<String>,
    /// The processor.
    #[schemars(schema_with = "architecture_schema")]
    pub architecture: Option<String>,
    /// Layer version ARNs, in order.
    #[schemars(schema_with = "texts_schema")]
    pub layers: Option<Vec<String>>,
    /// How long a step may take, in seconds.
    #[schemars(schema_with = "timeout_schema")]
    pub timeout: Option<i64>,
    /// Memory in MB.
    #[schemars(schema_with = "memory_schema")]
    pub memory: Option<i64>,
    /// The size of `/tmp` in MB.
    #[schemars(schema_with = "ephemeral_storage_schema")]
    pub ephemeral_storage: Option<i64>,
    /// Whether AWS X-Ray traces each call; `Active` needs a role that may write to X-Ray.
    #[schemars(schema_with = "tracing_schema")]
    pub tracing: Option<String>,
    /// Environment variables; `null` deletes one.
    #[schemars(schema_with = "environment_schema")]
    pub environment: Option<BTreeMap<String, Option<String>>>,
    /// The VPC; both lists empty: none.
    pub vpc: Option<VpcFile>,
    /// The function's description.
    pub description: Option<String>,
    /// Whether other projects' manifests may attach secrets to the function.
    #[schemars(schema_with = "bool_schema")]
    pub shared: Option<bool>,
    /// Whether the function is tested on a secret after its code or configuration has changed: on one that fits, or on this one, by handle.
    pub verify: Option<VerifyFile>,
    /// What the function's role may do beside rotating its secrets.
    pub role: Option<RoleFile>,
    /// Values of secrets for rehearsals: nothing of them reaches AWS.
    pub test: Option<TestFile>,
}

/// What a function's role may do beside rotating its secrets.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "role")]
pub(super) struct RoleFile {
    /// Another secret that the function reads, such as an admin's: a list of its one name or ARN.
    #[schemars(schema_with = "texts_schema")]
    pub read_secrets: Option<Vec<String>>,
}

/// Values of secrets for rehearsals.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "test")]
pub(super) struct TestFile {
    /// A program, with its arguments, that stands for the service on which the function's credentials are: a test or a rehearsal starts it,
    /// with `${port}` replaced, in the folder of the file that names it, and ends it.
    #[schemars(schema_with = "texts_schema")]
    pub service: Option<Vec<String>>,
    /// What a secret of the function holds when a rehearsal makes it: text, or a map that becomes JSON.
    #[schemars(schema_with = "value_schema")]
    pub secret: Option<serde_json::Value>,
    /// The same for other secrets that the function reads, by name.
    #[schemars(schema_with = "values_schema")]
    pub others: Option<BTreeMap<String, serde_json::Value>>,
}

/// An application of the Serverless Application Repository.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "application")]
pub(super) struct ApplicationFile {
    /// The application's ARN. Default: AWS's generic rotation template, `SecretsManagerRotationTemplate`.
    pub id: Option<String>,
    /// The version, such as `1.1.618`. Default: the newest when first deployed, then whatever is live.
    pub version: Option<String>,
    /// The application's parameters, in its own spelling.
    pub parameters: Option<BTreeMap<String, String>>,
}

/// A function's VPC configuration.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "vpc")]
pub(super) struct VpcFile {
    /// Subnet ids.
    #[schemars(schema_with = "texts_schema")]
    pub subnets: Option<Vec<String>>,
    /// Security group ids.
    #[schemars(schema_with = "texts_schema")]
    pub security_groups: Option<Vec<String>>,
}

/// A function's code.
#[derive(Debug)]
pub(super) enum CodeFile {
    /// A path alone.
    Path(String),
    /// Fields: of a path, or of an object in S3.
    Fields(Box<CodeFields>),
}

/// All that may stand in a map of code, whichever of both it is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CodeFields {
    pub path: Option<String>,
    pub requirements: Option<String>,
    pub exclude: Option<Vec<String>>,
    pub include: Option<Vec<String>>,
    pub s3_bucket: Option<String>,
    pub s3_key: Option<String>,
    pub s3_object_version: Option<String>,
    pub sha256: Option<String>,
}

/// Code in the manifest's tree, with a say in what of a folder is packaged.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "path_code")]
#[expect(dead_code, reason = "the published form of some of the fields above")]
struct PathFile {
    /// A folder, a source file or a .zip, relative to this file.
    path: Option<String>,
    /// A file that pins what is packaged beside the code: `name==version` with hashes, relative to the folder of code. For Python,
    /// from wheels, whose index the environment names.
    requirements: Option<String>,
    /// What of the folder isn't packaged, beside what never is: patterns such as `tests/`, `*.md` or `**/*.md`, relative to the folder.
    #[schemars(schema_with = "texts_schema")]
    exclude: Option<Vec<String>>,
    /// What is packaged although its name is one that is left out, or a pattern of `exclude` matches it: plain paths, relative to the
    /// folder.
    #[schemars(schema_with = "texts_schema")]
    include: Option<Vec<String>>,
}

/// Code in S3, for packages of more than 50 MB.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "s3_code")]
#[expect(dead_code, reason = "the published form of some of the fields above")]
struct S3File {
    /// The bucket, in the function's region.
    s3_bucket: Option<String>,
    /// The object's key.
    s3_key: Option<String>,
    /// The object's version.
    s3_object_version: Option<String>,
    /// The package's SHA-256 in base64, as Lambda's `CodeSha256`.
    sha256: Option<String>,
}

/// A secret whose rotation is managed. The secret itself is never created, changed or read.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "secret")]
pub(super) struct SecretFile {
    /// The secret's name or ARN on AWS. Default: the handle.
    pub name: Option<String>,
    /// The handle of its rotation function. Absent: rotation that AWS manages itself.
    pub function: Option<String>,
    /// What a managed external secret rotates with, which a partner holds: instead of a function.
    pub external: Option<ExternalFile>,
    /// The targets that the secret is in: names or patterns such as `prod-*`. Default: all.
    #[schemars(schema_with = "names_schema")]
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub targets: Option<Vec<String>>,
    /// For people, filters and grouping; never sent to AWS.
    pub labels: Option<BTreeMap<String, String>>,
    /// When it rotates.
    pub rotation: Option<RotationFile>,
}

/// What a managed external secret rotates with. What isn't stated stays as it is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "external")]
pub(super) struct ExternalFile {
    /// The ARN of the role that Secrets Manager takes to rotate it.
    #[schemars(schema_with = "role_schema")]
    pub role: Option<String>,
    /// What the partner wants to know, by the keys of its type, such as `apiVersion`.
    pub metadata: Option<BTreeMap<String, String>>,
}

/// When a secret rotates. All times are UTC.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "rotation")]
pub(super) struct RotationFile {
    /// On or off. Default: on where a schedule is given.
    #[schemars(schema_with = "bool_schema")]
    pub enabled: Option<bool>,
    /// Rotate every so many days. Replaces an inherited `schedule_expression`.
    #[schemars(schema_with = "days_schema")]
    pub automatically_after_days: Option<i64>,
    /// `rate(12 hours)`, `rate(10 days)` or `cron(0 8 1 * ? *)`. Replaces inherited days.
    #[schemars(schema_with = "expression_schema")]
    pub schedule_expression: Option<String>,
    /// The window's length, such as `4h`. Default: AWS's own.
    #[schemars(schema_with = "duration_schema")]
    pub duration: Option<String>,
    /// Whether a change of rotation rotates the secret at once. Default: only when rotation is switched on.
    #[schemars(schema_with = "bool_schema")]
    pub rotate_immediately: Option<bool>,
}

/// Whether, or on which secret, a function is tested.
#[derive(Debug)]
pub(super) enum VerifyFile {
    /// On a secret that fits; or not at all.
    Any(bool),
    /// On this one, by handle.
    Secret(String),
}

impl<'de> Deserialize<'de> for VerifyFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BoolOrHandle;
        impl Visitor<'_> for BoolOrHandle {
            type Value = VerifyFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`true`, `false`, or the handle of a secret")
            }

            fn visit_bool<E>(self, any: bool) -> Result<VerifyFile, E> {
                Ok(VerifyFile::Any(any))
            }

            fn visit_str<E>(self, handle: &str) -> Result<VerifyFile, E> {
                Ok(VerifyFile::Secret(handle.to_owned()))
            }
        }
        deserializer.deserialize_any(BoolOrHandle)
    }
}

impl JsonSchema for VerifyFile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "verify".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "boolean" }, { "type": "string", "minLength": 1 }] })
    }
}

impl<'de> Deserialize<'de> for CodeFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathOrObject;
        impl<'de> Visitor<'de> for PathOrObject {
            type Value = CodeFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a map with `path`, or with `s3_bucket`, `s3_key` and `sha256`")
            }

            fn visit_str<E>(self, path: &str) -> Result<CodeFile, E> {
                Ok(CodeFile::Path(path.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CodeFile, A::Error> {
                CodeFields::deserialize(MapAccessDeserializer::new(map))
                    .map(|fields| CodeFile::Fields(Box::new(fields)))
            }
        }
        deserializer.deserialize_any(PathOrObject)
    }
}

impl JsonSchema for CodeFile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "code".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (folder, object) = (generator.subschema_for::<PathFile>(), generator.subschema_for::<S3File>());
        json_schema!({
            "description": "A path relative to this file, or an object in S3.",
            "anyOf": [{ "type": "string", "minLength": 1 }, folder, object]
        })
    }
}

/// A whole value that is one variable.
const VARIABLE: &str = r"^\$\{[A-Za-z_][A-Za-z0-9_-]*\}$";

fn format_version(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "const": 1 })
}

fn number(least: i64, most: i64) -> Schema {
    json_schema!({ "anyOf": [
        { "type": "integer", "minimum": least, "maximum": most },
        { "type": "string", "pattern": VARIABLE },
        { "type": "null" }
    ] })
}

/// The numbers that a setting takes.
fn range(setting: Setting) -> Schema {
    let (least, most) = setting.range().map_or((i64::MIN, i64::MAX), |range| (range.least.into(), range.most.into()));
    number(least, most)
}

/// A text of a certain form, or one that holds a variable.
fn text(pattern: &str) -> Schema {
    json_schema!({ "anyOf": [
        { "type": "string", "pattern": pattern },
        { "type": "string", "pattern": r"\$\{" },
        { "type": "null" }
    ] })
}

fn timeout_schema(_: &mut SchemaGenerator) -> Schema {
    range(Setting::Timeout)
}

fn memory_schema(_: &mut SchemaGenerator) -> Schema {
    range(Setting::Memory)
}

fn ephemeral_storage_schema(_: &mut SchemaGenerator) -> Schema {
    range(Setting::EphemeralStorage)
}

fn tracing_schema(_: &mut SchemaGenerator) -> Schema {
    text("^(Active|PassThrough)$")
}

fn days_schema(_: &mut SchemaGenerator) -> Schema {
    number(1, 1000)
}

fn bool_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "type": "boolean" }, { "type": "string", "pattern": VARIABLE }, { "type": "null" }] })
}

pub(super) fn texts_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [
        { "type": "array", "items": { "type": "string" } },
        { "type": "string", "pattern": VARIABLE },
        { "type": "null" }
    ] })
}

pub(super) fn names_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["array", "null"], "items": { "type": "string", "pattern": "^[a-z0-9*-]+$" } })
}

fn removed_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["array", "null"], "items": { "type": "string", "pattern": r"^([a-z0-9-]+/)?(secret|function)\..+$" } })
}

fn region_schema(_: &mut SchemaGenerator) -> Schema {
    text(r"^[a-z]{2,}(-[a-z]+)+-[0-9]{1,2}$")
}

fn account_schema(_: &mut SchemaGenerator) -> Schema {
    text("^[0-9]{12}$")
}

fn value_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "object"] })
}

fn values_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "additionalProperties": { "type": ["string", "object"] } })
}

fn role_schema(_: &mut SchemaGenerator) -> Schema {
    text(r"^arn:[^:]+:iam::[0-9]{12}:role/.+$")
}

fn external_id_schema(_: &mut SchemaGenerator) -> Schema {
    text(r"^[A-Za-z0-9_+=,.@:/-]{2,1224}$")
}

fn session_name_schema(_: &mut SchemaGenerator) -> Schema {
    text(r"^[A-Za-z0-9_+=,.@-]{2,64}$")
}

fn architecture_schema(_: &mut SchemaGenerator) -> Schema {
    text("^(x86_64|arm64)$")
}

fn expression_schema(_: &mut SchemaGenerator) -> Schema {
    text(r"^(rate|cron)\([^()]+\)$")
}

fn duration_schema(_: &mut SchemaGenerator) -> Schema {
    text("^([1-9]|1[0-9]|2[0-4])h$")
}

fn vars_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["object", "null"], "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_-]*$" } })
}

fn environment_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [
        { "type": "object", "additionalProperties": { "type": ["string", "null"] } },
        { "type": "string", "pattern": VARIABLE },
        { "type": "null" }
    ] })
}

fn targets_schema(generator: &mut SchemaGenerator) -> Schema {
    let target = generator.subschema_for::<TargetFile>();
    json_schema!({
        "type": ["object", "null"],
        "propertyNames": { "pattern": "^[a-z0-9-]+$" },
        "additionalProperties": { "anyOf": [target, { "type": "null" }] }
    })
}
