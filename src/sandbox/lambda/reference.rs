//! How requests name a function: by name, by a part of its ARN, or by the ARN, each with a qualifier or without.

use super::state::LATEST;
use crate::call::Call;
use crate::model::validation;
use crate::services::Service;
use crate::wire::arn::partition;
use crate::wire::{ApiError, shorten};

/// The model's pattern of a function reference, for error messages.
const PATTERN: &str = "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?";

/// The longest name of a function.
const MAX_NAME: usize = 64;

/// A function, as a request means it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// The function's name.
    pub name: String,
    /// A version's number or an alias; `None` for `$LATEST` and where none was given.
    pub qualifier: Option<String>,
    /// Whether `$LATEST` was written.
    pub latest: bool,
    /// The ARN, qualified as it was asked for.
    pub arn: String,
}

/// A reference in the caller's account and region.
pub(super) fn resolve(call: &Call, text: &str, qualifier: Option<&str>) -> Result<Reference, ApiError> {
    let refused = |value: &str, constraint: &str| {
        let value = shorten(value.to_owned());
        let problem = format!("Value '{value}' at 'functionName' failed to satisfy constraint: {constraint}");
        validation(Service::Lambda, &[problem])
    };
    let parts = Parts::parse(text)
        .ok_or_else(|| refused(text, &format!("Member must satisfy regular expression pattern: {PATTERN}")))?;
    if parts.name.len() > MAX_NAME {
        return Err(refused(parts.name, &format!("Member must have length less than or equal to {MAX_NAME}")));
    }
    if let Some(region) = parts.region.filter(|region| *region != call.region) {
        return Err(ApiError::new(
            404,
            "ResourceNotFoundException",
            format!("Functions from '{region}' are not reachable in this region ('{}')", call.region),
        ));
    }
    if let Some(account) = parts.account.filter(|account| *account != call.account) {
        return Err(ApiError::new(
            403,
            "AccessDeniedException",
            format!(
                "User: {} is not authorized to perform: lambda:{} on resource: {} because no resource-based policy allows the lambda:{} action",
                call.principal,
                call.operation,
                function_arn(account, &call.region, parts.name),
                call.operation
            ),
        ));
    }
    if let (Some(inner), Some(outer)) = (parts.qualifier, qualifier)
        && inner != outer
    {
        return Err(ApiError::new(
            400,
            "InvalidParameterValueException",
            "The derived qualifier from the function name does not match the specified qualifier.",
        ));
    }
    let qualifier = qualifier.or(parts.qualifier);
    let mut arn = function_arn(&call.account, &call.region, parts.name);
    if let Some(qualifier) = qualifier {
        arn.push(':');
        arn.push_str(qualifier);
    }
    Ok(Reference {
        name: parts.name.to_owned(),
        qualifier: qualifier.filter(|qualifier| *qualifier != LATEST).map(str::to_owned),
        latest: qualifier == Some(LATEST),
        arn,
    })
}

/// The function's name in a whole ARN, and its qualifier.
pub(super) fn of_arn(arn: &str) -> Option<(&str, Option<&str>)> {
    if !arn.starts_with("arn:") {
        return None;
    }
    let parts = Parts::parse(arn)?;
    Some((parts.name, parts.qualifier))
}

/// What an ARN refers to, without a caller whose account and region it would have to be in.
pub(super) fn meant_by(arn: &str) -> Option<Reference> {
    let (name, qualifier) = of_arn(arn)?;
    Some(Reference {
        name: name.to_owned(),
        qualifier: qualifier.filter(|qualifier| *qualifier != LATEST).map(str::to_owned),
        latest: qualifier == Some(LATEST),
        arn: arn.to_owned(),
    })
}

/// The ARN of a function.
pub(super) fn function_arn(account: &str, region: &str, name: &str) -> String {
    format!("arn:{}:lambda:{region}:{account}:function:{name}", partition(region))
}

struct Parts<'a> {
    region: Option<&'a str>,
    account: Option<&'a str>,
    name: &'a str,
    qualifier: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut rest: Vec<&str> = text.split(':').collect();
        let whole = rest[0] == "arn";
        if whole {
            if rest.len() < 7 || !rest[1].starts_with("aws") || rest[2] != "lambda" || rest[5] != "function" {
                return None;
            }
            rest.drain(..3);
        }
        // Each leading part is there or not; what is left is a name and perhaps a qualifier.
        let region = (rest.len() > 1 && is_region(rest[0])).then(|| rest.remove(0));
        let account = (rest.len() > 1 && is_account(rest[0])).then(|| rest.remove(0));
        if rest.len() > 1 && rest[0] == "function" {
            rest.remove(0);
        }
        if whole && (region.is_none() || account.is_none()) {
            return None;
        }
        let (name, qualifier) = match *rest.as_slice() {
            [name] => (name, None),
            [name, qualifier] => (name, Some(qualifier)),
            _ => return None,
        };
        let good = is_word(name) && qualifier.is_none_or(|qualifier| qualifier == LATEST || is_word(qualifier));
        good.then_some(Self { region, account, name, qualifier })
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Such as `eu-west-1`: words of letters, and one digit at the end.
fn is_region(text: &str) -> bool {
    let words: Vec<&str> = text.split('-').collect();
    words.len() >= 3
        && words.last().is_some_and(|last| last.len() == 1 && last.bytes().all(|byte| byte.is_ascii_digit()))
        && words[..words.len() - 1]
            .iter()
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a function that clients name by its ARN, or by a part of it, would not be found.
    #[test]
    fn every_form_of_a_reference_is_understood() {
        let cases = [
            ("rotate", None, None, "rotate", None),
            ("rotate:7", None, None, "rotate", Some("7")),
            ("123456789012:function:rotate", None, Some("123456789012"), "rotate", None),
            ("123456789012:rotate", None, Some("123456789012"), "rotate", None),
            ("function:rotate", None, None, "rotate", None),
            ("123456789012", None, None, "123456789012", None),
            (
                "arn:aws:lambda:eu-west-1:123456789012:function:rotate",
                Some("eu-west-1"),
                Some("123456789012"),
                "rotate",
                None,
            ),
            (
                "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:rotate:$LATEST",
                Some("us-gov-west-1"),
                Some("123456789012"),
                "rotate",
                Some("$LATEST"),
            ),
        ];
        for (text, region, account, name, qualifier) in cases {
            let parts = Parts::parse(text).unwrap_or_else(|| panic!("`{text}` is a reference"));
            assert_eq!(
                (parts.region, parts.account, parts.name, parts.qualifier),
                (region, account, name, qualifier),
                "{text}"
            );
        }
        for text in
            ["", "a b", "rotate:", "arn:aws:lambda:eu-west-1:123456789012:layer:x", "arn:aws:s3:::bucket", "a:b:c:d"]
        {
            assert!(Parts::parse(text).is_none(), "{text}");
        }
    }
}
