//! What a manifest wants of one target, with defaults merged, variables replaced and names resolved.

mod select;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::arn::FunctionReference;
use super::live::Unread;
use super::setting::Request;
use super::{
    Address, CodeFinding, External, Kind, PackageSummary, Place, RotationRules, Selection, Sensitive, Setting,
    Settings, Shared,
};

pub use select::{LeftOut, Match, SelectRule, Selected};

/// The whole desired state of one target.
#[derive(Debug, Clone, Default)]
pub struct Desired {
    /// The project's name, as in the tag.
    pub project: String,
    /// An earlier name of the project, whose resources count as this project's own.
    pub renamed_from: Option<String>,
    /// Whether the manifest itself asks for orphans to be ended.
    pub prune: bool,
    /// The account and region.
    pub target: Target,
    /// Functions by handle.
    pub functions: BTreeMap<String, Function>,
    /// Secrets by handle.
    pub secrets: Shared<BTreeMap<String, Secret>>,
    /// Rules for secrets that `secrets` doesn't list, by handle.
    pub select: Shared<BTreeMap<String, SelectRule>>,
    /// What those rules came to on AWS; `None` where its secrets weren't listed, or there are no rules.
    pub selected: Option<Selected>,
    /// What the manifest lets go of without touching it: `secret.x`, `function.y`.
    pub removed: BTreeSet<Address>,
    /// The names on AWS that those handles had under the manifest's defaults: orphans are known by nothing else.
    pub removed_names: BTreeSet<(Kind, String)>,
    /// Where the entries of functions and secrets stand.
    pub places: Shared<BTreeMap<Address, Place>>,
}

impl Desired {
    /// The address of a function or secret of this target.
    pub fn address(&self, kind: Kind, handle: &str) -> Address {
        Address::new(self.target.name.as_deref(), kind, handle)
    }

    /// Whether it wants nothing at all.
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty() && self.secrets.is_empty() && self.select.is_empty()
    }

    /// The same, with all functions only used and none deployed.
    #[must_use]
    pub fn as_used(&self) -> Self {
        let mut used = self.clone();
        for function in used.functions.values_mut().filter(|function| function.deployment().is_some()) {
            function.source = FunctionSource::Existing { reference: function.name.clone() };
        }
        used
    }

    /// Has each function tested that is deployed, on any secret of it, where nothing else is said.
    pub fn verify_all(&mut self) {
        for function in self.functions.values_mut() {
            if let FunctionSource::Deployed(deployment) = &mut function.source {
                deployment.verify.get_or_insert(Verify::Any);
            }
        }
    }
}

/// One account and region, and how to get there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// The name in `targets:`; `None` where the manifest has none and AWS's environment decides.
    pub name: Option<String>,
    /// The region; `None` only where neither the manifest nor the environment says one.
    pub region: Option<String>,
    /// The account that the manifest states: any other is refused.
    pub account: Option<String>,
    /// The role that reads.
    pub role: Option<String>,
    /// The role that writes; by default the one that reads.
    pub apply_role: Option<String>,
    /// What the roles' trust asks for besides. No secret to AWS, and still shown nowhere.
    pub external_id: Option<Sensitive>,
    /// The name of the roles' sessions; by default the environment's, else the program's.
    pub session_name: Option<String>,
}

/// A rotation function.
#[derive(Debug, Clone)]
pub struct Function {
    /// The name on AWS; for an existing function given by ARN, the name within it.
    pub name: String,
    /// Deployed by this manifest, or used as it is.
    pub source: FunctionSource,
    /// Labels, for people and filters.
    pub labels: BTreeMap<String, String>,
}

impl Function {
    /// The ARN that it has or will have, as secrets refer to it, in a target's partition, region and account.
    pub fn arn(&self, partition: &str, region: &str, account: &str) -> String {
        let (account, name, qualifier) = match &self.source {
            FunctionSource::Existing { reference } if reference.starts_with("arn:") => return reference.clone(),
            FunctionSource::Existing { reference } => {
                let FunctionReference { account: stated, qualifier, .. } = FunctionReference::of(reference);
                (stated.unwrap_or(account), &self.name, qualifier)
            }
            FunctionSource::Deployed(_) => (account, &self.name, None),
        };
        let qualifier = qualifier.map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
        format!("arn:{partition}:lambda:{region}:{account}:function:{name}{qualifier}")
    }

    /// What this manifest deploys, if it deploys the function.
    pub fn deployment(&self) -> Option<&Deployment> {
        match &self.source {
            FunctionSource::Deployed(deployment) => Some(deployment),
            FunctionSource::Existing { .. } => None,
        }
    }
}

/// Where a function comes from.
#[derive(Debug, Clone)]
pub enum FunctionSource {
    /// From an application of the Serverless Application Repository.
    Deployed(Box<Deployment>),
    /// From elsewhere: a function's name or ARN, as the manifest gives it.
    Existing {
        /// The name, partial ARN or ARN.
        reference: String,
    },
}

/// On which secret a function is tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verify {
    /// On whichever fits best.
    Any,
    /// On this one, by handle.
    Secret(String),
}

/// How a function is deployed and configured. What is `None` or absent is not managed.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The application, its version and its parameters.
    pub application: Application,
    /// The stack's name without the prefix that the repository puts before it.
    pub stack: String,
    /// Whether other projects may attach secrets to the function.
    pub shared: bool,
    /// On which secret the function is tested after it changed; `None`: on none.
    pub verify: Option<Verify>,
    /// Other secrets that the function reads, by name or ARN: none or one.
    pub read_secrets: Vec<String>,
    /// Why those can't be given to it; filled in before a plan is made.
    pub read_fault: Option<ReadFault>,
    /// Values of secrets for rehearsals.
    pub test: TestValues,
    /// The code that replaces the template's.
    pub code: Option<Code>,
    /// The function's settings.
    pub settings: Settings,
    /// Environment variables; `None` as a value deletes the variable.
    pub environment: BTreeMap<String, Option<Sensitive>>,
}

impl Deployment {
    /// Whether anything of the function's configuration is managed.
    pub fn manages_configuration(&self) -> bool {
        let sent = |setting: &Setting| setting.request() == Request::Configuration;
        Setting::ALL.iter().filter(|setting| sent(setting)).any(|setting| self.settings.get(*setting).is_some())
            || !self.environment.is_empty()
    }
}

/// Values of secrets for rehearsals, and the service that takes them; never sent to AWS, nor part of a plan.
#[derive(Debug, Clone, Default)]
pub struct TestValues {
    /// A program with its arguments that stands for the service, to be started with `${port}` replaced; empty: none.
    pub service: Vec<String>,
    /// Where that is started.
    pub folder: PathBuf,
    /// Of the function's own secrets.
    pub secret: Option<Sensitive>,
    /// Of other secrets that it reads, by name.
    pub others: BTreeMap<String, Sensitive>,
}

/// Why a function can't be given another secret to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadFault {
    /// Secrets Manager doesn't know the secret, or is about to delete it.
    Missing {
        /// Its name or ARN, as the manifest writes it.
        secret: String,
    },
    /// The application's version takes none.
    NotTaken {
        /// That version.
        version: String,
    },
    /// It couldn't be read.
    Unread(Unread),
}

/// An application of the Serverless Application Repository.
#[derive(Debug, Clone)]
pub struct Application {
    /// The application's ARN.
    pub id: String,
    /// The pinned version; `None`: the newest at the first deployment, then whatever is live.
    pub version: Option<String>,
    /// Parameters in the template's own spelling. A parameter may be `NoEcho`, hence `Sensitive`.
    pub parameters: BTreeMap<String, Sensitive>,
}

/// A function's code.
#[derive(Debug, Clone)]
pub struct Code {
    /// Where it lies.
    pub source: CodeSource,
    /// What was packaged from a path; filled in before a plan is made, `None` for S3 objects.
    pub package: Option<PackageSummary>,
    /// Why it can't be packaged: its function is then left out of an apply.
    pub unusable: Option<String>,
    /// What is wrong with it; filled in before a plan is made.
    pub findings: Vec<CodeFinding>,
}

/// Where code lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeSource {
    /// A folder, a single source file, or a zip file inside the manifest's tree.
    Path {
        /// The path to read.
        path: PathBuf,
        /// The folder that holds the manifest's tree; nothing outside it is read.
        tree: PathBuf,
        /// The path as the manifest writes it, for people.
        shown: String,
        /// What of the folder is packaged.
        selection: Selection,
    },
    /// An object in S3, for packages of more than 50 MB.
    S3 {
        /// The bucket, in the function's region.
        bucket: String,
        /// The object's key.
        key: String,
        /// The object's version.
        object_version: Option<String>,
        /// Base64 of the package's SHA-256, as `CodeSha256`: what is compared.
        sha256: String,
    },
}

/// A secret's desired rotation.
#[derive(Debug, Clone)]
pub struct Secret {
    /// AWS's name or ARN.
    pub name: String,
    /// The handle of its rotation function; `None` where AWS manages the rotation.
    pub function: Option<String>,
    /// What it rotates with where a partner holds it; `None`: not managed, or no such secret.
    pub external: Option<External>,
    /// How it rotates.
    pub rotation: Rotation,
    /// Labels, for people and filters.
    pub labels: Shared<BTreeMap<String, String>>,
}

/// A secret's rotation, as far as the manifest states it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rotation {
    /// On or off; on where a schedule is given and nothing else is said; `None`: not managed.
    pub enabled: Option<bool>,
    /// The rules; `None`: not managed.
    pub rules: Option<RotationRules>,
    /// AWS's `RotateImmediately`, sent with each `RotateSecret`; an instruction, not state.
    pub rotate_immediately: Option<bool>,
}
