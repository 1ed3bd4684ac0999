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
    match reference.split_once("function:") {
        Some((_, rest)) => rest.split(':').next().unwrap_or(rest),
        None => reference.split(':').next().unwrap_or(reference),
    }
}

/// Whether an ARN names something in this account and region; false for what is no ARN.
pub fn is_in(arn: &str, account: &str, region: &str) -> bool {
    arn.parse::<Arn>().is_ok_and(|arn| arn.account == account && arn.region == region)
}

/// The log group of a function that has none of its own, by the function's name, partial ARN or ARN.
pub fn default_log_group(function: &str) -> String {
    format!("/aws/lambda/{}", function_name(function))
}

/// The name of a secret without what its ARN adds, so that both ways of naming one secret compare equal.
pub fn secret_name(name: &str) -> &str {
    let Some((_, tail)) = name.split_once(":secret:") else { return name };
    match tail.rsplit_once('-') {
        Some((plain, suffix)) if suffix.len() == 6 && suffix.chars().all(|c| c.is_ascii_alphanumeric()) => plain,
        _ => tail,
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
