//! A sandbox that somebody serves in AWS's place: what it says of itself. Nothing here reaches AWS.
//!
//! That it is one, its answers say by a header; what is asked of it goes to the address that answered.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::http::Http;

/// A sandbox that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Such as `http://127.0.0.1:4570`.
    url: String,
}

/// What stood in for what AWS would have run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StandIn {
    /// Nothing of the function ran.
    Simulated {
        /// Why.
        reason: String,
    },
    /// Another version of its language.
    Version {
        /// The function's runtime, such as `python3.12`.
        runtime: String,
        /// What ran, such as `3.11.2`.
        version: String,
    },
}

/// What a sandbox did otherwise than AWS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Otherwise {
    /// By the secrets' names: what made their current versions.
    pub secrets: BTreeMap<String, StandIn>,
    /// By the functions' ARNs: what was changed or left out, in words.
    pub functions: BTreeMap<String, Vec<String>>,
}

/// A secret of a sandbox, without its values.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ServedSecret {
    /// Its ARN.
    pub arn: String,
    /// Its rotation function's ARN.
    pub function: Option<String>,
    /// Whether its rotation is on.
    pub enabled: bool,
    /// The version of a rotation that hasn't finished.
    pub unfinished: Option<String>,
    /// Its versions: id, labels, and how many bytes the value has, where it has one. The newest last.
    pub versions: Vec<(String, Vec<String>, Option<usize>)>,
    /// The account that it is in.
    pub account: String,
    /// The region that it is in.
    pub region: String,
}

/// Why a sandbox doesn't do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServedError {
    /// It can't be reached, or what answers is no sandbox.
    #[error("the sandbox at {url} can't be asked: {why}")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// Why.
        why: String,
    },
    /// It knows nothing of that kind.
    #[error("{0}")]
    Missing(String),
    /// It refuses.
    #[error("{0}")]
    Refused(String),
}

/// An account and a region.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// Twelve digits; `None`: the sandbox's own.
    pub account: Option<&'a str>,
    /// `None`: the sandbox's own.
    pub region: Option<&'a str>,
}

impl Served {
    /// The sandbox at a URL.
    pub fn at(url: &str) -> Self {
        Self { url: url.trim_end_matches('/').to_owned() }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it did otherwise than AWS in an account and region.
    pub async fn otherwise(&self, account: &str, region: &str) -> Result<Otherwise, ServedError> {
        self.ask("rehearsal", &[("account", account), ("region", region)], None).await
    }

    /// Whether a rotation is still tried.
    pub async fn goes_on(
        &self,
        (account, region): (&str, &str),
        secret: &str,
        version: &str,
    ) -> Result<bool, ServedError> {
        #[derive(Deserialize)]
        struct Answer {
            goes_on: bool,
        }
        let query = [("account", account), ("region", region), ("secret", secret), ("version", version)];
        self.ask::<Answer>("rotation", &query, None).await.map(|answer| answer.goes_on)
    }

    /// A secret by its name.
    pub async fn secret(&self, name: &str, scope: Scope<'_>) -> Result<ServedSecret, ServedError> {
        self.ask("secret", &query_of(name, scope), None).await
    }

    /// The value of a version: the current one, or the one that a rotation is making.
    pub async fn value(&self, name: &str, scope: Scope<'_>, pending: bool) -> Result<String, ServedError> {
        #[derive(Deserialize)]
        struct Answer {
            value: String,
        }
        let mut query = query_of(name, scope);
        query.push(("value", if pending { "pending" } else { "current" }));
        self.ask::<Answer>("secret", &query, None).await.map(|answer| answer.value)
    }

    /// Gives a secret a value, which becomes current. Whether it was made.
    pub async fn put(&self, name: &str, scope: Scope<'_>, value: &str) -> Result<bool, ServedError> {
        #[derive(Deserialize)]
        struct Answer {
            made: bool,
        }
        let body = json!({"name": name, "account": scope.account, "region": scope.region, "value": value});
        self.ask::<Answer>("secret", &[], Some(body.to_string())).await.map(|answer| answer.made)
    }

    /// Starts a rotation, or tries again what hasn't finished: the version, the account and the region.
    pub async fn rotate(&self, name: &str, scope: Scope<'_>) -> Result<(String, String, String), ServedError> {
        #[derive(Deserialize)]
        struct Answer {
            version: String,
            account: String,
            region: String,
        }
        let body = json!({"name": name, "account": scope.account, "region": scope.region, "rotate": true});
        let answer = self.ask::<Answer>("secret", &[], Some(body.to_string())).await;
        answer.map(|answer| (answer.version, answer.account, answer.region))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        what: &str,
        query: &[(&str, &str)],
        body: Option<String>,
    ) -> Result<T, ServedError> {
        let unreachable = |why: String| ServedError::Unreachable { url: self.url.clone(), why };
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let http = Http::for_sandbox().map_err(|error| unreachable(error.to_string()))?;
        let (status, answer) =
            http.control(&format!("{}/_sandbox/{what}?{query}", self.url), body).await.map_err(unreachable)?;
        if status == 200 {
            return serde_json::from_slice(&answer)
                .map_err(|_| unreachable("it answers as no sandbox does".to_owned()));
        }
        match (status, serde_json::from_slice::<Refused>(&answer)) {
            (404, Ok(refused)) => Err(ServedError::Missing(refused.message)),
            (400, Ok(refused)) => Err(ServedError::Refused(refused.message)),
            (status, _) => Err(unreachable(format!("it answers with status {status}"))),
        }
    }
}

/// How a sandbox refuses.
#[derive(Deserialize)]
struct Refused {
    message: String,
}

fn query_of<'a>(name: &'a str, scope: Scope<'a>) -> Vec<(&'a str, &'a str)> {
    let mut query = vec![("name", name)];
    query.extend(scope.account.map(|account| ("account", account)));
    query.extend(scope.region.map(|region| ("region", region)));
    query
}
