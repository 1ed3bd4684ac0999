//! What of a target an action is on, as narrow as AWS allows it.

use std::collections::BTreeSet;

use super::Place;
use crate::model::arn::{Arn, FunctionReference, default_log_group};
use crate::model::rule::Pattern;
use crate::model::{CodeSource, Deployment, Desired, Function, FunctionSource, SAR_STACK_PREFIXES, Secret, SelectRule};

/// How the patterns of the repository's buckets go on after `arn:PARTITION:s3:::` (AWS's managed policy `SecretsManagerReadWrite`).
const BUCKETS: [&str; 2] = ["awsserverlessrepo-changesets*", "secrets-manager-rotation-apps-*/*"];

/// How much of a stack's name the names of its roles begin with, in characters: `CloudFormation` cuts it, so that the logical id and
/// what makes the name unique fit into IAM's 64.
const OF_A_STACKS_NAME: usize = 24;

/// What an action is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum On {
    /// `*`: AWS takes nothing narrower.
    All,
    /// The role of the target that reads.
    ReadRole,
    /// Both roles of the target.
    TargetRoles,
    /// The stacks of the functions that are deployed.
    Stacks,
    /// Every stack that the repository made.
    AnyStack,
    /// The transform of the applications' templates.
    Transform,
    /// The applications that functions come from.
    Applications,
    /// The functions.
    Functions,
    /// Those that are deployed.
    Deployed,
    /// Every function.
    AnyFunction,
    /// The roles that the stacks make for their functions.
    Roles,
    /// Every role that a stack of the repository made.
    AnyRole,
    /// The secrets.
    Secrets,
    /// Those whose rotation is off.
    Stopped,
    /// Every secret.
    AnySecret,
    /// `*`, where rules select secrets: AWS takes nothing narrower.
    Rules,
    /// Other secrets that functions read.
    ReadSecrets,
    /// The functions' log groups.
    LogGroups,
    /// The functions' layers.
    Layers,
    /// Code in S3.
    Objects,
    /// Code in S3 of which a version is stated.
    ObjectVersions,
    /// The repository's buckets.
    Packages,
    /// Customers' keys.
    Keys,
    /// `*`, where a function is deployed.
    Network,
    /// `*`, where a function is in a VPC.
    Vpc,
}

/// How widely names are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// Each as it is.
    Named,
    /// Those of a folder (`payments/db/…`) together.
    Folders,
    /// Those of a first folder (`payments/…`) together.
    FirstFolders,
    /// All of the account and region.
    All,
}

/// A target, and how its resources are named.
pub struct Scope<'a> {
    /// What is wanted.
    pub desired: &'a Desired,
    /// Where.
    pub place: &'a Place,
    /// Customers' keys.
    pub keys: &'a [String],
}

impl On {
    /// Whether its resources are named by a manifest, so that there may be very many.
    pub fn is_named(self) -> bool {
        !self.wider(Width::Named).is_empty()
    }

    /// The widths beyond one that it can be taken in.
    pub fn wider(self, than: Width) -> Vec<Width> {
        let all: &[Width] = match self {
            Self::Secrets | Self::Stopped | Self::ReadSecrets => &[Width::Folders, Width::FirstFolders, Width::All],
            Self::Functions | Self::Deployed | Self::Stacks | Self::Roles | Self::LogGroups => &[Width::All],
            _ => &[],
        };
        all.iter().copied().filter(|width| *width > than).collect()
    }

    /// In words, for tables.
    pub fn words(self) -> &'static str {
        match self {
            Self::All | Self::Network | Self::Vpc | Self::Rules => "`*`",
            Self::ReadRole => "the target's `role`",
            Self::TargetRoles => "the target's `role` and `apply_role`",
            Self::Stacks => "the functions' stacks",
            Self::AnyStack => "every stack of the repository",
            Self::Transform => "the template's transform",
            Self::Applications => "the applications",
            Self::Functions => "the functions",
            Self::Deployed => "the functions that are deployed",
            Self::AnyFunction => "every function",
            Self::Roles => "the roles of the functions' stacks",
            Self::AnyRole => "every role of the repository's stacks",
            Self::Secrets => "the secrets",
            Self::Stopped => "the secrets whose rotation is off",
            Self::AnySecret => "every secret",
            Self::ReadSecrets => "the secrets of `read_secrets`",
            Self::LogGroups => "the functions' log groups",
            Self::Layers => "the layers",
            Self::Objects => "the code's objects",
            Self::ObjectVersions => "the code's objects that have a version",
            Self::Packages => "the repository's buckets",
            Self::Keys => "the customer's keys",
        }
    }

    /// When it is needed, where that isn't always: for tables without a manifest.
    pub fn when(self) -> Option<&'static str> {
        match self {
            Self::Keys => Some("only where one encrypts a function's environment"),
            Self::Layers => Some("only with `layers`"),
            Self::Objects | Self::ObjectVersions => Some("only with `code: {s3: …}`"),
            Self::Vpc => Some("only with `vpc`"),
            Self::Rules => Some("only with `select`"),
            Self::ReadSecrets => Some("only with `role.read_secrets`"),
            Self::Stopped => Some("only with `enabled: false`"),
            _ => None,
        }
    }

    /// Its form, for tables without a manifest.
    pub fn form(self) -> Option<&'static str> {
        match self {
            Self::Stacks => Some("arn:PARTITION:cloudformation:REGION:ACCOUNT:stack/serverlessrepo-NAME/*"),
            Self::Transform => Some("arn:PARTITION:cloudformation:REGION:aws:transform/Serverless-2016-10-31"),
            Self::Applications => Some("arn:PARTITION:serverlessrepo:REGION:PUBLISHER:applications/NAME"),
            Self::Functions | Self::Deployed => Some("arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME"),
            Self::Roles => Some("arn:PARTITION:iam::ACCOUNT:role/serverlessrepo-NAME…*"),
            Self::Secrets | Self::Stopped | Self::ReadSecrets => {
                Some("arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME-??????")
            }
            Self::LogGroups => Some("arn:PARTITION:logs:REGION:ACCOUNT:log-group:/aws/lambda/NAME:*"),
            Self::Packages => Some(
                "arn:PARTITION:s3:::awsserverlessrepo-changesets*` and `arn:PARTITION:s3:::secrets-manager-rotation-apps-*/*",
            ),
            _ => None,
        }
    }

    /// As the id of a statement: letters and digits alone.
    pub fn sid(self) -> String {
        match self {
            Self::All | Self::Network | Self::Vpc | Self::Rules => "Anything".to_owned(),
            on => format!("{on:?}"),
        }
    }
}

impl Scope<'_> {
    /// The resources, sorted; none where the target has none of the kind.
    pub fn resources(&self, on: On, width: Width) -> Vec<String> {
        let found: BTreeSet<String> = match on {
            On::All => BTreeSet::from(["*".to_owned()]),
            On::Rules => self.desired.select.values().map(|_| "*".to_owned()).collect(),
            On::Network => self.deployments().map(|_| "*".to_owned()).collect(),
            On::Vpc => self.deployments().filter(|(_, one)| has_network(one)).map(|_| "*".to_owned()).collect(),
            On::ReadRole => self.desired.target.role.iter().cloned().collect(),
            On::TargetRoles => {
                let target = &self.desired.target;
                [&target.role, &target.apply_role].into_iter().flatten().cloned().collect()
            }
            On::AnyStack => BTreeSet::from([self.stack("*")]),
            On::AnyFunction => BTreeSet::from([self.arn("lambda", "function:*")]),
            On::AnyRole => BTreeSet::from([self.role("")]),
            On::AnySecret => BTreeSet::from([self.arn("secretsmanager", "secret:*")]),
            On::Stacks | On::Roles | On::Functions | On::Deployed | On::LogGroups if width == Width::All => {
                self.whole(on).into_iter().collect()
            }
            On::Stacks => self.deployments().map(|(_, one)| self.stack(&one.stack)).collect(),
            On::Roles => self.deployments().map(|(_, one)| self.role(&one.stack)).collect(),
            On::Transform => {
                let Place { partition, region, .. } = self.place;
                let arn = format!("arn:{partition}:cloudformation:{region}:aws:transform/Serverless-2016-10-31");
                self.deployments().map(|_| arn.clone()).collect()
            }
            On::Applications => self.deployments().map(|(_, one)| self.application(&one.application.id)).collect(),
            On::Functions => self.functions().map(|function| self.function(function)).collect(),
            On::Deployed => self.deployments().map(|(function, _)| self.function(function)).collect(),
            On::LogGroups => {
                self.functions().map(|function| self.log_group(&default_log_group(&function.name))).collect()
            }
            On::Secrets => {
                let of_rules = self.desired.select.values().flat_map(|rule| self.selected(rule, width));
                self.secrets().map(|secret| self.secret(&secret.name, width)).chain(of_rules).collect()
            }
            On::Stopped => {
                let off = |secret: &&Secret| secret.rotation.enabled == Some(false);
                let rules = self.desired.select.values().filter(|rule| rule.rotation.enabled == Some(false));
                let of_rules = rules.flat_map(|rule| self.selected(rule, width));
                self.secrets().filter(off).map(|secret| self.secret(&secret.name, width)).chain(of_rules).collect()
            }
            On::ReadSecrets => {
                let read = self.deployments().flat_map(|(_, one)| &one.read_secrets);
                read.map(|name| self.secret(name, width)).collect()
            }
            On::Layers => {
                self.deployments().flat_map(|(_, one)| one.settings.layers.iter().flatten().cloned()).collect()
            }
            On::Objects => self.objects(false).collect(),
            On::ObjectVersions => self.objects(true).collect(),
            On::Packages => {
                let partition = &self.place.partition;
                let buckets = BUCKETS.map(|bucket| format!("arn:{partition}:s3:::{bucket}"));
                self.deployments().flat_map(|_| buckets.clone()).collect()
            }
            On::Keys => self.keys.iter().cloned().collect(),
        };
        found.into_iter().collect()
    }

    fn functions(&self) -> impl Iterator<Item = &Function> {
        self.desired.functions.values()
    }

    fn deployments(&self) -> impl Iterator<Item = (&Function, &Deployment)> {
        self.functions().filter_map(|function| Some((function, function.deployment()?)))
    }

    fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.desired.secrets.values()
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        let Place { partition, region, account } = self.place;
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }

    /// The stack of a deployment by the name that it was asked for.
    fn stack(&self, name: &str) -> String {
        self.arn("cloudformation", &format!("stack/{}{name}/*", SAR_STACK_PREFIXES[0]))
    }

    /// The roles of a stack: IAM's own names for what has none in the template.
    fn role(&self, stack: &str) -> String {
        let name: String = format!("{}{stack}", SAR_STACK_PREFIXES[0]).chars().take(OF_A_STACKS_NAME).collect();
        let Place { partition, account, .. } = self.place;
        format!("arn:{partition}:iam::{account}:role/{name}*")
    }

    /// To IAM, an application belongs to the region of the call, whatever region its ARN names.
    fn application(&self, id: &str) -> String {
        match id.parse::<Arn>() {
            Ok(arn) => Arn { region: self.place.region.clone(), ..arn }.to_string(),
            Err(_) => id.to_owned(),
        }
    }

    fn function(&self, function: &Function) -> String {
        match &function.source {
            FunctionSource::Existing { reference } if reference.starts_with("arn:") => reference.clone(),
            FunctionSource::Existing { reference } => {
                // A policy for the function as a whole says nothing of its versions and aliases.
                let FunctionReference { account, name, qualifier, .. } = FunctionReference::of(reference);
                let qualifier = qualifier.map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
                let Place { partition, region, account: own } = self.place;
                let account = account.unwrap_or(own);
                format!("arn:{partition}:lambda:{region}:{account}:function:{name}{qualifier}")
            }
            FunctionSource::Deployed(_) => self.arn("lambda", &format!("function:{}", function.name)),
        }
    }

    fn log_group(&self, group: &str) -> String {
        self.arn("logs", &format!("log-group:{group}:*"))
    }

    /// What a rule may mean, by names: IAM's `*` is the rule's own, and which tags a secret has, and who may give it some, is AWS's.
    fn selected(&self, rule: &SelectRule, width: Width) -> Vec<String> {
        let names = rule.matches.names.as_deref().filter(|_| width != Width::All);
        let Some(names) = names else { return vec![self.arn("secretsmanager", "secret:*")] };
        let open = |name: &Pattern| name.0.ends_with('*');
        let pattern = |name: &Pattern| if open(name) { name.0.clone() } else { format!("{name}-??????") };
        names.iter().map(|name| self.arn("secretsmanager", &format!("secret:{}", pattern(name)))).collect()
    }

    /// A secret by name has six characters of AWS's behind it; one that is named by its ARN is that one.
    fn secret(&self, name: &str, width: Width) -> String {
        if name.starts_with("arn:") {
            return name.to_owned();
        }
        let folder = match width {
            Width::Named => None,
            Width::Folders => name.rsplit_once('/').map(|(folder, _)| folder),
            Width::FirstFolders => name.split_once('/').map(|(folder, _)| folder),
            Width::All => return self.arn("secretsmanager", "secret:*"),
        };
        let pattern = folder.map_or_else(|| format!("{name}-??????"), |folder| format!("{folder}/*"));
        self.arn("secretsmanager", &format!("secret:{pattern}"))
    }

    /// Every resource of a kind in the account and region, and those elsewhere by their names.
    fn whole(&self, on: On) -> Vec<String> {
        let mut all = vec![match on {
            On::Stacks => self.stack("*"),
            On::Roles => self.role(""),
            On::LogGroups => self.log_group("/aws/lambda/*"),
            _ => self.arn("lambda", "function:*"),
        }];
        if on == On::Functions {
            let here = self.arn("lambda", "function:");
            all.extend(self.functions().map(|function| self.function(function)).filter(|arn| !arn.starts_with(&here)));
        }
        all
    }

    fn objects(&self, versions: bool) -> impl Iterator<Item = String> {
        let sources = self.deployments().filter_map(|(_, one)| one.code.as_ref().map(|code| &code.source));
        sources.filter_map(move |source| match source {
            CodeSource::S3 { bucket, key, object_version, .. } if !versions || object_version.is_some() => {
                Some(format!("arn:{}:s3:::{bucket}/{key}", self.place.partition))
            }
            _ => None,
        })
    }
}

/// Whether a function is put into a VPC: by its settings, or by parameters of its application.
fn has_network(deployment: &Deployment) -> bool {
    let settings = deployment.settings.vpc.as_ref().is_some_and(|vpc| !vpc.is_empty());
    let parameters = ["vpcSubnetIds", "vpcSecurityGroupIds"];
    settings || parameters.iter().any(|name| deployment.application.parameters.contains_key(*name))
}
