//! What is saved of functions.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::policy::Policy;
use crate::clock::Time;
use crate::runtime::package::{self, PackageError};

/// The version that is edited, and that an unqualified name means.
pub const LATEST: &str = "$LATEST";

/// An account's functions in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// By name.
    pub functions: BTreeMap<String, Function>,
}

/// A function.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its ARN, unqualified.
    pub arn: String,
    /// `$LATEST`.
    pub latest: Version,
    /// Published versions, by number.
    #[serde(default)]
    pub published: BTreeMap<u64, Version>,
    /// The number that the next published version gets; numbers aren't used twice.
    pub next_version: u64,
    /// Its aliases, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, Alias>,
    /// Who may invoke it, by qualifier; the unqualified function's under the empty string.
    #[serde(default)]
    pub policies: BTreeMap<String, Policy>,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The concurrency that is reserved for it, if any.
    #[serde(default)]
    pub reserved_concurrency: Option<u32>,
}

/// A name that leads to a version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Alias {
    /// A published version's number, or `$LATEST`.
    pub version: String,
    /// May be empty.
    #[serde(default)]
    pub description: String,
    /// Changes with each write.
    pub revision_id: String,
}

/// A version: configuration and code.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Version {
    /// What it is configured to.
    pub settings: Settings,
    /// What it runs.
    pub code: Code,
    /// Changes with each write, and when a write takes effect.
    pub revision_id: String,
    /// Changes with each write, and with nothing else: processes of another edition are stale.
    pub edition: u64,
    /// In service time.
    pub last_modified: Time,
    /// Where its life stands.
    pub phase: Phase,
    /// Of a published version: what `$LATEST` was described as when it was published, which its own description may differ from.
    #[serde(default)]
    pub described: Option<String>,
}

/// Where a version's life stands: `State` and `LastUpdateStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Just created: it can't be invoked or edited yet.
    Pending,
    /// It can be invoked; its last edit is still spreading.
    Updating,
    /// Nothing is under way.
    Active,
}

/// A function's configuration, defaults filled in.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Such as `python3.12`.
    pub runtime: String,
    /// The execution role's ARN.
    pub role: String,
    /// Such as `lambda_function.lambda_handler`.
    pub handler: String,
    /// May be empty.
    pub description: String,
    /// Seconds.
    pub timeout: u32,
    /// MB.
    pub memory: u32,
    /// Its variables.
    pub environment: BTreeMap<String, String>,
    /// Whether a request ever gave it variables, none included: then they are shown.
    #[serde(default)]
    pub has_environment: bool,
    /// Its network, where it ever had one.
    pub vpc: Option<Vpc>,
    /// The key that encrypts its variables, where it is the customer's.
    pub kms_key: Option<String>,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// Layer version ARNs, in order.
    pub layers: Vec<String>,
    /// `Active` or `PassThrough`.
    pub tracing: String,
    /// MB of `/tmp`.
    pub ephemeral_storage: u32,
    /// `PublishedVersions` or `None`.
    pub snap_start: String,
    /// The queue or topic for failed asynchronous invocations.
    pub dead_letter: Option<String>,
    /// File systems, as they were given.
    pub file_systems: Vec<Value>,
    /// How it logs.
    pub logging: Logging,
}

// Variables may look like secrets, also where none is real.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("runtime", &self.runtime)
            .field("handler", &self.handler)
            .field("timeout", &self.timeout)
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            runtime: String::new(),
            role: String::new(),
            handler: String::new(),
            description: String::new(),
            timeout: 3,
            memory: 128,
            environment: BTreeMap::new(),
            has_environment: false,
            vpc: None,
            kms_key: None,
            architecture: "x86_64".to_owned(),
            layers: Vec::new(),
            tracing: "PassThrough".to_owned(),
            ephemeral_storage: 512,
            snap_start: "None".to_owned(),
            dead_letter: None,
            file_systems: Vec::new(),
            logging: Logging::default(),
        }
    }
}

/// A function's network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    /// Subnet ids.
    pub subnets: Vec<String>,
    /// Security group ids.
    pub security_groups: Vec<String>,
    /// Whether IPv6 is used in dual-stack subnets.
    #[serde(default)]
    pub ipv6: bool,
}

/// How a function logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Logging {
    /// `Text` (where `None`) or `JSON`.
    pub format: Option<String>,
    /// The level of its own lines; with `JSON` only.
    pub application_level: Option<String>,
    /// The level of Lambda's lines; with `JSON` only.
    pub system_level: Option<String>,
    /// Where it isn't `/aws/lambda/NAME`.
    pub group: Option<String>,
}

impl Function {
    /// The number of the version that a qualifier leads to; `None` for `$LATEST`. The outer `None`: it leads nowhere.
    pub fn number(&self, qualifier: Option<&str>) -> Option<Option<u64>> {
        let stands_for = qualifier.and_then(|name| self.aliases.get(name)).map(|alias| alias.version.as_str());
        match stands_for.or(qualifier) {
            None | Some(LATEST) => Some(None),
            Some(number) => number.parse().ok().filter(|number| self.published.contains_key(number)).map(Some),
        }
    }

    /// A version by its qualifier: `$LATEST`, a number, an alias, or none.
    pub fn version(&self, qualifier: Option<&str>) -> Option<&Version> {
        match self.number(qualifier)? {
            None => Some(&self.latest),
            Some(number) => self.published.get(&number),
        }
    }

    /// The same, to change it.
    pub fn version_mut(&mut self, qualifier: Option<&str>) -> Option<&mut Version> {
        match self.number(qualifier)? {
            None => Some(&mut self.latest),
            Some(number) => self.published.get_mut(&number),
        }
    }

    /// Its log group.
    pub fn log_group(&self, settings: &Settings) -> String {
        settings.logging.group.clone().unwrap_or_else(|| format!("/aws/lambda/{}", self.name))
    }
}

impl Version {
    /// A version that is written now.
    pub fn new(settings: Settings, code: Code, now: Time, phase: Phase) -> Self {
        Self {
            settings,
            code,
            revision_id: new_revision(),
            edition: fastrand::u64(..),
            last_modified: now,
            phase,
            described: None,
        }
    }

    /// Notes an edit.
    pub fn edited(&mut self, now: Time, phase: Phase) {
        self.revision_id = new_revision();
        self.edition = fastrand::u64(..);
        self.last_modified = now;
        self.phase = phase;
    }

    /// Notes that what was under way has taken effect: AWS gives another revision id then, too.
    pub fn settle(&mut self) {
        self.phase = Phase::Active;
        self.revision_id = new_revision();
    }
}

/// A revision id.
pub fn new_revision() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// A deployment package. Clones share it, so that saving one change doesn't copy every package.
#[derive(Clone)]
pub struct Code(Arc<Package>);

struct Package {
    zip: Arc<[u8]>,
    sha256: String,
    /// The unguessable part of its download URL.
    token: String,
    /// Made once: every save writes it.
    base64: OnceLock<String>,
}

impl Code {
    /// Takes a package in, if Lambda would.
    pub fn new(zip: &[u8]) -> Result<Self, PackageError> {
        package::inspect(zip)?;
        Ok(Self::unchecked(zip, uuid::Uuid::new_v4().simple().to_string()))
    }

    fn unchecked(zip: &[u8], token: String) -> Self {
        let sha256 = BASE64.encode(Sha256::digest(zip));
        Self(Arc::new(Package { zip: Arc::from(zip), sha256, token, base64: OnceLock::new() }))
    }

    /// The package.
    pub fn zip(&self) -> &Arc<[u8]> {
        &self.0.zip
    }

    /// `CodeSha256`: base64 of the package's SHA-256.
    pub fn sha256(&self) -> &str {
        &self.0.sha256
    }

    /// The unguessable part of its download URL.
    pub fn token(&self) -> &str {
        &self.0.token
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("bytes", &self.0.zip.len()).field("sha256", &self.0.sha256).finish_non_exhaustive()
    }
}

/// A package as it is saved.
#[derive(Serialize)]
struct SavedCode<'a> {
    token: &'a str,
    zip: &'a str,
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let zip = self.0.base64.get_or_init(|| BASE64.encode(&self.0.zip));
        SavedCode { token: &self.0.token, zip }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Owned {
            token: String,
            zip: String,
        }
        let saved = Owned::deserialize(deserializer)?;
        let zip = BASE64.decode(saved.zip).map_err(serde::de::Error::custom)?;
        Ok(Self::unchecked(&zip, saved.token))
    }
}
