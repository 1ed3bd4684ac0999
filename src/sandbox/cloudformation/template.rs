//! What a stack of one of our applications consists of: pure data, from an application's version and its parameters.
//!
//! A property keeps references to other resources (`{"Ref": …}`, `{"Fn::GetAtt": […]}`) until it is provisioned, as a
//! template does; that is what change sets are computed from.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::serverlessrepo::catalogue::{self, FUNCTION, PERMISSION, ROLE, Version};
use crate::serverlessrepo::parameters;
use crate::wire::arn::partition;

/// What a stack is made from: all that decides which resources it has and what is in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// The application's ARN.
    pub application: String,
    /// The application's version.
    pub version: String,
    /// The value of every parameter.
    pub parameters: BTreeMap<String, String>,
    /// The stack's tags.
    pub tags: BTreeMap<String, String>,
}

/// Where a stack lives, as far as its resources depend on it.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The account.
    pub account: &'a str,
    /// The region.
    pub region: &'a str,
}

impl Place<'_> {
    /// The ARN of a function.
    pub fn function_arn(self, name: &str) -> String {
        format!("arn:{}:lambda:{}:{}:function:{name}", partition(self.region), self.region, self.account)
    }

    /// The ARN of a role.
    pub fn role_arn(self, name: &str) -> String {
        format!("arn:{}:iam::{}:role/{name}", partition(self.region), self.account)
    }

    /// The ARN of a stack, or of a change set (`stack`, `changeSet`).
    pub fn arn(self, kind: &str, name: &str, id: &str) -> String {
        format!("arn:{}:cloudformation:{}:{}:{kind}/{name}/{id}", partition(self.region), self.region, self.account)
    }
}

/// A resource of a template.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Its name in the template.
    pub logical_id: &'static str,
    /// Such as `AWS::Lambda::Function`.
    pub kind: &'static str,
    /// By name.
    pub properties: BTreeMap<&'static str, Property>,
    /// Whether the stack's tags go to it too.
    pub tagged: bool,
}

/// A property of a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    /// Its value, with references to other resources.
    pub value: Value,
    /// The parameters that it refers to.
    pub parameters: &'static [&'static str],
    /// Whether a resource can't keep its identity when this changes.
    pub replaces: bool,
}

impl Definition {
    /// The version of the application, unless the catalogue lost it since the state was saved.
    pub fn version(&self, region: &str) -> Option<&'static Version> {
        catalogue::find(&self.application, region).and_then(|application| application.version(Some(&self.version)))
    }

    /// The resources, in the order in which they are created; none where the catalogue doesn't know the version.
    pub fn resources(&self, place: Place<'_>) -> Vec<Resource> {
        self.version(place.region).map_or_else(Vec::new, |version| resources(version, &self.parameters, place))
    }

    /// The same with `NoEcho` values masked, for all that is shown.
    #[must_use]
    pub fn shown(&self, region: &str) -> Self {
        let parameters = match self.version(region) {
            Some(version) => parameters::shown(version, &self.parameters),
            None => self.parameters.clone(),
        };
        Self { parameters, ..self.clone() }
    }
}

fn resources(version: &Version, given: &BTreeMap<String, String>, place: Place<'_>) -> Vec<Resource> {
    let mut all = vec![role(given, place), function(version, given, place)];
    if version.permission {
        all.push(permission(given));
    }
    all
}

fn value<'a>(given: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    given.get(name).map_or("", String::as_str)
}

fn plain(value: Value) -> Property {
    Property { value, parameters: &[], replaces: false }
}

fn role(given: &BTreeMap<String, String>, Place { account, region }: Place<'_>) -> Resource {
    let partition = partition(region);
    let mut managed = vec![format!("arn:{partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")];
    let mut statements = vec![
        json!({
            "Effect": "Allow",
            "Action": ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue",
                       "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"],
            "Resource": format!("arn:{partition}:secretsmanager:{region}:{account}:secret:*"),
            "Condition": {"StringEquals": {"secretsmanager:resource/AllowRotationLambdaArn":
                format!("arn:{partition}:lambda:{region}:{account}:function:{}", value(given, "functionName"))}},
        }),
        json!({"Effect": "Allow", "Action": ["secretsmanager:GetRandomPassword"], "Resource": "*"}),
    ];
    if in_vpc(given) {
        managed.push(format!("arn:{partition}:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"));
    }
    let key = value(given, "kmsKeyArn");
    if !key.is_empty() {
        statements.push(json!({
            "Effect": "Allow", "Action": ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"], "Resource": key,
        }));
    }
    let admin = value(given, "masterSecretArn");
    if !admin.is_empty() {
        statements.push(json!({"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"], "Resource": admin}));
    }
    let admin_key = value(given, "masterSecretKmsKeyArn");
    if !admin_key.is_empty() {
        let actions = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"];
        statements.push(json!({"Effect": "Allow", "Action": actions, "Resource": admin_key}));
    }
    let assume = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["sts:AssumeRole"], "Principal": {"Service": ["lambda.amazonaws.com"]}}],
    });
    let policies = json!([{
        "PolicyName": format!("{ROLE}Policy0"),
        "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
    }]);
    Resource {
        logical_id: ROLE,
        kind: "AWS::IAM::Role",
        properties: BTreeMap::from([
            ("AssumeRolePolicyDocument", plain(assume)),
            (
                "ManagedPolicyArns",
                Property {
                    value: json!(managed),
                    parameters: &["vpcSubnetIds", "vpcSecurityGroupIds"],
                    replaces: false,
                },
            ),
            (
                "Policies",
                Property {
                    value: policies,
                    parameters: &["functionName", "kmsKeyArn", "masterSecretArn", "masterSecretKmsKeyArn"],
                    replaces: false,
                },
            ),
            ("Tags", plain(json!([{"Key": "lambda:createdBy", "Value": "SAM"}]))),
        ]),
        tagged: true,
    }
}

fn function(version: &Version, given: &BTreeMap<String, String>, Place { region, .. }: Place<'_>) -> Resource {
    let mut variables = Map::from_iter([("SECRETS_MANAGER_ENDPOINT".to_owned(), json!(value(given, "endpoint")))]);
    for (parameter, variable) in [("excludeCharacters", "EXCLUDE_CHARACTERS"), ("apiToken", "API_TOKEN")] {
        if let Some(value) = given.get(parameter) {
            variables.insert(variable.to_owned(), json!(value));
        }
    }
    let runtime = given.get("runtime").map_or(version.runtime, String::as_str);
    let code = version.code.package();
    let mut properties = BTreeMap::from([
        (
            "Code",
            plain(json!({"S3Bucket": format!("awsserverlessrepo-changesets-sandbox-{region}"), "S3Key": code.key})),
        ),
        ("Description", plain(json!("Conducts an AWS SecretsManager secret rotation for a service of your own"))),
        (
            "Environment",
            Property {
                value: json!({"Variables": variables}),
                parameters: &["endpoint", "excludeCharacters", "apiToken"],
                replaces: false,
            },
        ),
        (
            "FunctionName",
            Property { value: json!(value(given, "functionName")), parameters: &["functionName"], replaces: true },
        ),
        ("Handler", plain(json!("lambda_function.lambda_handler"))),
        ("MemorySize", plain(json!(128))),
        ("Role", plain(json!({"Fn::GetAtt": [ROLE, "Arn"]}))),
        ("Runtime", Property { value: json!(runtime), parameters: &["runtime"], replaces: false }),
        (
            "Tags",
            plain(json!([
                {"Key": "SecretsManagerLambda", "Value": "Rotation"},
                {"Key": "lambda:createdBy", "Value": "SAM"},
            ])),
        ),
        ("Timeout", plain(json!(30))),
    ]);
    if in_vpc(given) {
        let vpc = json!({
            "SubnetIds": parameters::list(value(given, "vpcSubnetIds")),
            "SecurityGroupIds": parameters::list(value(given, "vpcSecurityGroupIds")),
        });
        properties.insert(
            "VpcConfig",
            Property { value: vpc, parameters: &["vpcSubnetIds", "vpcSecurityGroupIds"], replaces: false },
        );
    }
    Resource { logical_id: FUNCTION, kind: "AWS::Lambda::Function", properties, tagged: true }
}

fn permission(given: &BTreeMap<String, String>) -> Resource {
    let principal = match given.get("invokingServicePrincipal") {
        Some(principal) => json!(principal),
        None => json!("secretsmanager.amazonaws.com"),
    };
    let fixed = |value| Property { value, parameters: &[], replaces: true };
    Resource {
        logical_id: PERMISSION,
        kind: "AWS::Lambda::Permission",
        properties: BTreeMap::from([
            ("Action", fixed(json!("lambda:InvokeFunction"))),
            ("FunctionName", fixed(json!({"Ref": FUNCTION}))),
            ("Principal", Property { value: principal, parameters: &["invokingServicePrincipal"], replaces: true }),
        ]),
        tagged: false,
    }
}

fn in_vpc(given: &BTreeMap<String, String>) -> bool {
    !value(given, "vpcSubnetIds").is_empty() || !value(given, "vpcSecurityGroupIds").is_empty()
}

impl Resource {
    /// The properties, as one JSON object.
    pub fn to_json(&self) -> Value {
        self.properties
            .iter()
            .map(|(name, property)| ((*name).to_owned(), property.value.clone()))
            .collect::<Map<_, _>>()
            .into()
    }
}

/// What happens to one resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its name in the template.
    pub logical_id: &'static str,
    /// Its type.
    pub kind: &'static str,
    /// What is done.
    pub action: Action,
}

/// What is done to a resource.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// It is created.
    Add,
    /// It is changed, or replaced by another.
    Modify {
        /// Whether it is replaced.
        replacement: Replacement,
        /// Which properties, and why; empty where only the stack's tags change.
        details: Vec<Detail>,
        /// Whether the stack's tags change.
        tags: bool,
    },
    /// It is deleted.
    Remove,
}

/// Whether a modified resource is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    /// It stays the same resource.
    False,
    /// It depends on what a resource that it refers to will be.
    Conditional,
    /// It becomes another one.
    True,
}

/// Why a property changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// Which property.
    pub property: &'static str,
    /// Whether a change of it needs another resource.
    pub replaces: bool,
    /// What makes it change.
    pub cause: Cause,
}

/// What makes a property change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The template says something else.
    Template,
    /// A parameter has another value.
    Parameter(String),
    /// A resource that it refers to is replaced.
    Reference(&'static str),
}

/// What makes `new` out of `old`; nothing of `old` for a stack that has no resources yet.
pub fn changes(old: Option<&Definition>, new: &Definition, place: Place<'_>) -> Vec<Change> {
    let before = old.map_or_else(Vec::new, |definition| definition.resources(place));
    let after = new.resources(place);
    let same_version = old.is_some_and(|old| old.application == new.application && old.version == new.version);
    let changed_parameters: BTreeSet<&str> = old.map_or_else(BTreeSet::new, |old| {
        let names = old.parameters.keys().chain(new.parameters.keys());
        names.filter(|name| old.parameters.get(*name) != new.parameters.get(*name)).map(String::as_str).collect()
    });
    let tags = old.is_some_and(|old| old.tags != new.tags);
    let mut changes: Vec<Change> = Vec::new();
    for resource in &after {
        let action = match before.iter().find(|earlier| earlier.logical_id == resource.logical_id) {
            None => Some(Action::Add),
            Some(earlier) => {
                let replaced = |id: &str| {
                    changes.iter().find(|change| change.logical_id == id).is_some_and(|change| {
                        matches!(change.action, Action::Modify { replacement: Replacement::True, .. })
                    })
                };
                modify(earlier, resource, &changed_parameters, same_version, tags && resource.tagged, replaced)
            }
        };
        if let Some(action) = action {
            changes.push(Change { logical_id: resource.logical_id, kind: resource.kind, action });
        }
    }
    for resource in before.iter().filter(|earlier| after.iter().all(|later| later.logical_id != earlier.logical_id)) {
        changes.push(Change { logical_id: resource.logical_id, kind: resource.kind, action: Action::Remove });
    }
    changes
}

fn modify(
    before: &Resource,
    after: &Resource,
    changed_parameters: &BTreeSet<&str>,
    same_version: bool,
    tags: bool,
    replaced: impl Fn(&str) -> bool,
) -> Option<Action> {
    let mut details = Vec::new();
    let names: BTreeSet<&'static str> = before.properties.keys().chain(after.properties.keys()).copied().collect();
    for name in names {
        let (old, new) = (before.properties.get(name), after.properties.get(name));
        let Some(property) = new.or(old) else { continue };
        let detail = |cause| Detail { property: name, replaces: property.replaces, cause };
        if old.map(|old| &old.value) != new.map(|new| &new.value) {
            let causes: Vec<_> = property.parameters.iter().filter(|name| changed_parameters.contains(*name)).collect();
            details.extend(causes.iter().map(|name| detail(Cause::Parameter((**name).to_owned()))));
            if causes.is_empty() || !same_version {
                details.push(detail(Cause::Template));
            }
        } else if let Some(referred) = referred(&property.value)
            && replaced(referred)
        {
            details.push(detail(Cause::Reference(referred)));
        }
    }
    if details.is_empty() && !tags {
        return None;
    }
    let is_reference = |detail: &&Detail| matches!(detail.cause, Cause::Reference(_));
    let replacement = if details.iter().any(|detail| detail.replaces && !is_reference(&detail)) {
        Replacement::True
    } else if details.iter().any(|detail| detail.replaces) {
        Replacement::Conditional
    } else {
        Replacement::False
    };
    Some(Action::Modify { replacement, details, tags })
}

/// The resource of ours that a value refers to.
fn referred(value: &Value) -> Option<&'static str> {
    let id = value.get("Ref").or_else(|| value.get("Fn::GetAtt").and_then(|path| path.get(0)))?.as_str()?;
    [FUNCTION, ROLE, PERMISSION].into_iter().find(|known| *known == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'_> = Place { account: "123456789012", region: "us-east-1" };

    fn definition(number: &str, values: &[(&str, &str)], tags: &[(&str, &str)]) -> Definition {
        let application = catalogue::applications("us-east-1").next().expect("there is one");
        let version = application.version(Some(number)).expect("there is such a version");
        let given = [("endpoint", "https://example.com"), ("functionName", "rotate")]
            .iter()
            .chain(values)
            .map(|(name, value)| ((*name).to_owned(), parameters::Given::Value((*value).to_owned())))
            .collect();
        Definition {
            application: application.arn("us-east-1").expect("it is published"),
            version: number.to_owned(),
            parameters: parameters::resolve(version, &given, &BTreeMap::new()).expect("they are valid"),
            tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        }
    }

    fn modified(changes: &[Change], id: &str) -> Option<(Replacement, Vec<&'static str>, bool)> {
        changes.iter().find(|change| change.logical_id == id).and_then(|change| match &change.action {
            Action::Modify { replacement, details, tags } => {
                Some((*replacement, details.iter().map(|detail| detail.property).collect(), *tags))
            }
            Action::Add | Action::Remove => None,
        })
    }

    /// Without this, a second apply would find something to do on every run.
    #[test]
    fn the_same_definition_changes_nothing() {
        let same = definition("1.1.618", &[], &[("a", "b")]);
        assert_eq!(changes(Some(&same), &same, PLACE), []);
    }

    /// A renamed function is another function: whoever reads the change set must see that.
    #[test]
    fn another_name_replaces_the_function_and_perhaps_its_permission() {
        let old = definition("1.1.618", &[], &[]);
        let new = definition("1.1.618", &[("functionName", "other")], &[]);
        let changes = changes(Some(&old), &new, PLACE);
        assert_eq!(modified(&changes, FUNCTION), Some((Replacement::True, vec!["FunctionName"], false)));
        assert_eq!(modified(&changes, PERMISSION), Some((Replacement::Conditional, vec!["FunctionName"], false)));
        assert_eq!(modified(&changes, ROLE), Some((Replacement::False, vec!["Policies"], false)));
    }

    /// Uploaded code may be put back by an update only where the template's own code changed.
    #[test]
    fn the_code_changes_only_with_a_version_that_has_another() {
        let code = |from, to| {
            let changes = changes(Some(&definition(from, &[], &[])), &definition(to, &[], &[]), PLACE);
            modified(&changes, FUNCTION).is_some_and(|(_, properties, _)| properties.contains(&"Code"))
        };
        assert!(!code("1.1.500", "1.1.560"));
        assert!(code("1.1.560", "1.1.618"));
    }

    /// The permission comes and goes with the version: both ways of permitting have to be met.
    #[test]
    fn the_permission_comes_and_goes_with_the_version() {
        let (old, new) = (definition("1.1.500", &[], &[]), definition("1.1.560", &[], &[]));
        let find = |from: &Definition, to: &Definition| {
            let changes = changes(Some(from), to, PLACE);
            changes.into_iter().find(|change| change.logical_id == PERMISSION).map(|change| change.action)
        };
        assert_eq!(find(&old, &new), Some(Action::Add));
        assert_eq!(find(&new, &old), Some(Action::Remove));
    }

    /// Tags alone are an update too, and touch nothing else of the function.
    #[test]
    fn tags_alone_touch_what_is_tagged() {
        let old = definition("1.1.618", &[], &[("team", "a")]);
        let new = definition("1.1.618", &[], &[("team", "b")]);
        let changes = changes(Some(&old), &new, PLACE);
        assert_eq!(modified(&changes, FUNCTION), Some((Replacement::False, vec![], true)));
        assert_eq!(modified(&changes, PERMISSION), None);
    }
}
