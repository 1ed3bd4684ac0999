//! ARNs, account ids, partitions: parsed once, compared as values.

use std::fmt;
use std::str::FromStr;

/// `arn:partition:service:region:account:resource` (AWS General Reference, "Amazon Resource Names").
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn {
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
    /// The service's namespace, such as `lambda`.
    pub service: String,
    /// Empty for global services.
    pub region: String,
    /// Twelve digits; empty for some resources, `aws` for AWS's own.
    pub account: String,
    /// All that follows the fifth colon.
    pub resource: String,
}

/// Why a text is no ARN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArnError {
    /// It doesn't start with `arn:`.
    #[error("an ARN starts with `arn:`")]
    Prefix,
    /// It has fewer than six parts.
    #[error("an ARN has six parts: `arn:partition:service:region:account:resource`")]
    Parts,
    /// Its account is not twelve digits.
    #[error("the account in an ARN is twelve digits, not `{0}`")]
    Account(String),
    /// A part holds a character that no ARN holds.
    #[error("an ARN holds no spaces or control characters")]
    Character,
}

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        if !text.starts_with("arn:") {
            return Err(ArnError::Prefix);
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(ArnError::Character);
        }
        let mut parts = text.splitn(6, ':').skip(1).map(str::to_owned);
        let mut next = || parts.next().ok_or(ArnError::Parts);
        let arn = Self { partition: next()?, service: next()?, region: next()?, account: next()?, resource: next()? };
        if arn.partition.is_empty() || arn.service.is_empty() || arn.resource.is_empty() {
            return Err(ArnError::Parts);
        }
        if !arn.account.is_empty() && arn.account != "aws" && !is_account_id(&arn.account) {
            return Err(ArnError::Account(arn.account));
        }
        Ok(arn)
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:{}:{}:{}:{}:{}", self.partition, self.service, self.region, self.account, self.resource)
    }
}

/// Whether a secret's name, or a pattern of names, is one that a service gives: `rds!db-…`, `events!connection/…`.
pub fn is_of_service(name: &str) -> bool {
    name.find('!').is_some_and(|at| at > 0)
}

/// Whether a text is an AWS account id: twelve ASCII digits.
pub fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// The partition that a region belongs to, by the prefixes that the SDK's own endpoint rules use.
pub fn partition_of(region: &str) -> &'static str {
    match region {
        r if r.starts_with("cn-") => "aws-cn",
        r if r.starts_with("us-gov-") => "aws-us-gov",
        r if r.starts_with("us-iso-") => "aws-iso",
        r if r.starts_with("us-isob-") => "aws-iso-b",
        r if r.starts_with("eu-isoe-") => "aws-iso-e",
        r if r.starts_with("us-isof-") => "aws-iso-f",
        r if r.starts_with("eusc-") => "aws-eusc",
        _ => "aws",
    }
}

/// The region of a partition that every account has, whatever other regions it has enabled.
pub fn main_region(partition: &str) -> Option<&'static str> {
    match partition {
        "aws" => Some("us-east-1"),
        "aws-cn" => Some("cn-north-1"),
        "aws-us-gov" => Some("us-gov-west-1"),
        "aws-iso" => Some("us-iso-east-1"),
        "aws-iso-b" => Some("us-isob-east-1"),
        "aws-iso-e" => Some("eu-isoe-west-1"),
        "aws-iso-f" => Some("us-isof-south-1"),
        "aws-eusc" => Some("eusc-de-east-1"),
        _ => None,
    }
}

/// The name of a function from its name, partial ARN or ARN, without version or alias.
///
/// Lambda's `FunctionName` takes `name`, `account:function:name` and a full ARN, each with an optional qualifier.
pub fn function_name(reference: &str) -> &str {
    FunctionReference::of(reference).name
}

/// Whether an ARN names something in this account and region; false for what is no ARN.
pub fn is_in(arn: &str, account: &str, region: &str) -> bool {
    arn.parse::<Arn>().is_ok_and(|arn| arn.account == account && arn.region == region)
}

/// The log group of a function that has none of its own, by the function's name, partial ARN or ARN.
pub fn default_log_group(function: &str) -> String {
    format!("/aws/lambda/{}", function_name(function))
}

/// What a text that refers to a secret says of its name: text alone doesn't always tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretName<'a> {
    /// This one.
    Certain(&'a str),
    /// One of two: an ARN ends in a hyphen and six characters, which are AWS's own where it is complete, and the name's where it is partial.
    Either {
        /// The name where the ARN is complete.
        complete: &'a str,
        /// The name where the ARN is partial.
        partial: &'a str,
    },
}

impl<'a> SecretName<'a> {
    /// Of a name, an ARN or a partial ARN.
    pub fn of(reference: &'a str) -> Self {
        let resource = reference.strip_prefix("arn:").and_then(|rest| rest.split_once(":secret:"));
        let Some((_, partial)) = resource else { return Self::Certain(reference) };
        match without_suffix(partial) {
            Some(complete) => Self::Either { complete, partial },
            None => Self::Certain(partial),
        }
    }

    /// The names that it may be.
    pub fn all(self) -> impl Iterator<Item = &'a str> {
        let (one, other) = match self {
            Self::Certain(name) => (name, None),
            Self::Either { complete, partial } => (complete, Some(partial)),
        };
        std::iter::once(one).chain(other)
    }
}

/// What may name a secret that AWS has: its name, its ARN, and the ARN without what AWS adds.
pub fn names_of_secret<'a>(name: &'a str, arn: &'a str) -> impl Iterator<Item = &'a str> {
    let partial = arn.rsplit_once('-').map(|(partial, _)| partial);
    [Some(name), Some(arn), partial].into_iter().flatten()
}

/// A secret's name, where a text ends as a complete ARN does: in a hyphen and six letters or digits.
fn without_suffix(text: &str) -> Option<&str> {
    let (name, suffix) = text.rsplit_once('-')?;
    let is_suffix = suffix.len() == 6 && suffix.bytes().all(|b| b.is_ascii_alphanumeric());
    (is_suffix && !name.is_empty()).then_some(name)
}

/// How a function is named: by its name, a part of its ARN, or the ARN, each with a version or an alias, or without (Lambda, `FunctionName`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionReference<'a> {
    /// The region, where it is stated.
    pub region: Option<&'a str>,
    /// The account, where it is stated.
    pub account: Option<&'a str>,
    /// The function's name.
    pub name: &'a str,
    /// A version's number, or an alias.
    pub qualifier: Option<&'a str>,
}

impl<'a> FunctionReference<'a> {
    /// Takes a reference apart, however it is written.
    pub fn of(reference: &'a str) -> Self {
        let (head, rest) = match reference.split_once("function:") {
            Some((head, rest)) if head.is_empty() || head.ends_with(':') => (head.trim_end_matches(':'), rest),
            _ => ("", reference),
        };
        let (name, qualifier) = rest.split_once(':').map_or((rest, None), |(name, qualifier)| (name, Some(qualifier)));
        let mut parts = head.rsplit(':').filter(|part| !part.is_empty());
        let account = parts.next();
        let region = parts.next().filter(|_| head.starts_with("arn:"));
        Self { region, account, name, qualifier: qualifier.filter(|qualifier| !qualifier.is_empty()) }
    }
}

/// A function's ARN without version or alias, so that two ways of naming one function compare equal.
pub fn unqualified_function_arn(arn: &str) -> &str {
    let colons: Vec<usize> = arn.match_indices(':').map(|(at, _)| at).collect();
    match colons.get(6) {
        Some(&end) if colons.len() == 7 => &arn[..end],
        _ => arn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, six characters of a name would be taken for AWS's, and a secret be judged under the name of another one.
    #[test]
    fn a_name_is_certain_or_one_of_two() {
        let arn = |name: &str| format!("arn:aws:secretsmanager:eu-west-1:111111111111:secret:{name}");
        let all = |text: &str| SecretName::of(text).all().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(all("app/db-config"), ["app/db-config"], "a name is a name");
        assert_eq!(all(&arn("app/db")), ["app/db"]);
        assert_eq!(all(&arn("app/db-config")), ["app/db", "app/db-config"]);
        assert_eq!(all(&arn("rds!db-3bea-aB3dE6")), ["rds!db-3bea", "rds!db-3bea-aB3dE6"]);
        assert_eq!(all(&arn("app/db-configs")), ["app/db-configs"]);
        assert_eq!(all(&arn("app/db-con_ig")), ["app/db-con_ig"]);
    }

    /// Without it, functions of several accounts, or two versions of one function, would be one.
    #[test]
    fn a_function_is_named_in_many_ways() {
        let of = |text| {
            let FunctionReference { region, account, name, qualifier } = FunctionReference::of(text);
            (region, account, name, qualifier)
        };
        let account = Some("111111111111");
        assert_eq!(of("f"), (None, None, "f", None));
        assert_eq!(of("f:live"), (None, None, "f", Some("live")));
        assert_eq!(of("function:f:1"), (None, None, "f", Some("1")));
        assert_eq!(of("111111111111:function:f"), (None, account, "f", None));
        let arn = "arn:aws:lambda:eu-west-1:111111111111:function:f";
        assert_eq!(of(arn), (Some("eu-west-1"), account, "f", None));
        let qualified = format!("{arn}:live");
        assert_eq!(of(&qualified), (Some("eu-west-1"), account, "f", Some("live")));
        assert_eq!(of("my-function:live"), (None, None, "my-function", Some("live")));
    }
}
