//! All that the sandbox saves: what each account has in each region, and the sessions that were issued.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::clock::Time;
use super::cloudformation::State as Stacks;
use super::cloudtrail::State as Trail;
use super::lambda::State as Functions;
use super::logs::State as Logs;
use super::secretsmanager::{Rehearsal, State as Secrets};
use super::serverlessrepo::State as Applications;

/// Everything. Cloned under the lock for each save, so whatever is big in it stands behind an [`std::sync::Arc`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct World {
    /// By account and region.
    pub scopes: BTreeMap<Scope, Region>,
    /// Temporary credentials, by access key id.
    pub sessions: BTreeMap<String, Session>,
}

/// An account and a region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// 12 digits.
    pub account: String,
    /// Such as `eu-west-1`.
    pub region: String,
}

impl Scope {
    /// The scope of these.
    pub fn new(account: &str, region: &str) -> Self {
        Self { account: account.to_owned(), region: region.to_owned() }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('/')
            .map(|(account, region)| Self::new(account, region))
            .ok_or_else(|| format!("`{text}` is not ACCOUNT/REGION"))
    }
}

// As a string, since JSON's keys are strings.
impl Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What one account has in one region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Region {
    /// Secrets Manager.
    pub secrets: Secrets,
    /// Lambda.
    pub functions: Functions,
    /// `CloudWatch` Logs.
    pub logs: Logs,
    /// `CloudTrail`.
    pub trail: Trail,
    /// `CloudFormation`.
    pub stacks: Stacks,
    /// The Serverless Application Repository.
    pub applications: Applications,
    /// What rehearsals found of functions, by their ARNs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rehearsals: BTreeMap<String, Rehearsal>,
}

/// Temporary credentials that STS or the function runtime issued.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    /// The role's account.
    pub account: String,
    /// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
    pub principal: String,
    /// `AROA…:SESSION`.
    pub user_id: String,
    /// When it ends, in service time.
    pub expires: Time,
}

impl World {
    /// What an account has in a region, if it ever had anything.
    pub fn find(&self, account: &str, region: &str) -> Option<&Region> {
        self.scopes.get(&Scope::new(account, region))
    }

    /// What an account has in a region.
    pub fn region(&mut self, account: &str, region: &str) -> &mut Region {
        self.scopes.entry(Scope::new(account, region)).or_default()
    }
}
