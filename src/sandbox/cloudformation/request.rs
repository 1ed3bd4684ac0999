//! What several operations read of requests, and how lists are paged.

use std::collections::BTreeMap;

use super::template::Place;
use crate::call::Call;
use crate::serverlessrepo::parameters::Given;
use crate::state::Scope;
use crate::wire::ApiError;
use crate::wire::query::Query;

/// The service's commonest error.
pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "ValidationError", message)
}

pub(super) fn place(call: &Call) -> Place<'_> {
    Place { account: &call.account, region: &call.region }
}

pub(super) fn scope(call: &Call) -> Scope {
    Scope::new(&call.account, &call.region)
}

/// The tags of a request; `None` where it doesn't speak of tags, which keeps those that there are.
pub(super) fn tags(request: &Query) -> Result<Option<BTreeMap<String, String>>, ApiError> {
    let mut tags = BTreeMap::new();
    for prefix in request.members("Tags") {
        let member = |name: &str| request.required(&format!("{prefix}.{name}")).to_owned();
        tags.insert(member("Key"), member("Value"));
    }
    check_tags(&tags).map_err(invalid)?;
    // Clients write an empty list as an empty member.
    let spoken_of = !tags.is_empty() || request.get("Tags").is_some();
    Ok(spoken_of.then_some(tags))
}

/// What is wrong with the tags of a stack.
pub fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), String> {
    if tags.len() > 50 {
        return Err("Tag limit exceeded: a stack has at most 50 tags".to_owned());
    }
    for (key, value) in tags {
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err("aws: prefixed tag key names are not allowed for external use.".to_owned());
        }
        if key.is_empty() || key.chars().count() > 128 {
            return Err(format!("Tag key '{key}' must have 1 to 128 characters"));
        }
        if value.is_empty() || value.chars().count() > 256 {
            return Err(format!("The value of the tag '{key}' must have 1 to 256 characters"));
        }
    }
    Ok(())
}

/// The parameters of a request.
pub(super) fn given(request: &Query) -> BTreeMap<String, Given> {
    let mut given = BTreeMap::new();
    for prefix in request.members("Parameters") {
        let member = |name: &str| request.get(&format!("{prefix}.{name}"));
        let Some(key) = member("ParameterKey") else { continue };
        let previous = request.flag(&format!("{prefix}.UsePreviousValue"));
        let value = match member("ParameterValue") {
            _ if previous => Given::Previous,
            value => Given::Value(value.unwrap_or_default().to_owned()),
        };
        given.insert(key.to_owned(), value);
    }
    given
}

/// The capabilities of a request, once they cover what our applications need: they all make roles.
pub(super) fn capabilities(request: &Query) -> Result<Vec<String>, ApiError> {
    let given: Vec<String> = request.texts("Capabilities").into_iter().map(str::to_owned).collect();
    if !given.iter().any(|capability| capability == "CAPABILITY_IAM" || capability == "CAPABILITY_NAMED_IAM") {
        let message = "Requires capabilities : [CAPABILITY_IAM]";
        return Err(ApiError::new(400, "InsufficientCapabilitiesException", message));
    }
    Ok(given)
}

/// That a request wants the stack's template again: the only one that the sandbox can give it.
pub(super) fn previous_template(request: &Query) -> Result<(), ApiError> {
    if request.get("TemplateBody").is_some() || request.get("TemplateURL").is_some() {
        return Err(invalid(
            "The sandbox interprets no templates: deploy an application of the Serverless Application Repository, and \
             update its stack with UsePreviousTemplate.",
        ));
    }
    if request.flag("UsePreviousTemplate") {
        return Ok(());
    }
    Err(invalid("Either Template URL or Template Body must be specified."))
}

/// A page of items: from where a token says, and the token of the next page.
///
/// The token is the position after which the page starts, counted from the end that doesn't grow.
pub(super) fn page<T>(items: Vec<T>, size: usize, token: Option<&str>) -> Result<(Vec<T>, Option<String>), ApiError> {
    let left = match token {
        Some(token) => token
            .strip_prefix("left-")
            .and_then(|left| left.parse::<usize>().ok())
            .filter(|left| *left <= items.len())
            .ok_or_else(|| invalid("The NextToken is not valid"))?,
        None => items.len(),
    };
    let skip = items.len() - left;
    let next = (left > size).then(|| format!("left-{}", left - size));
    Ok((items.into_iter().skip(skip).take(size).collect(), next))
}

/// Where an operation used this token already: whether it was the same one, which is no error but nothing to do.
pub(super) fn repeated(
    tokens: &BTreeMap<String, String>,
    token: Option<&str>,
    operation: &str,
) -> Result<bool, ApiError> {
    match token.and_then(|token| tokens.get(token)) {
        None => Ok(false),
        Some(earlier) if earlier == operation => Ok(true),
        Some(_) => Err(ApiError::new(
            400,
            "TokenAlreadyExistsException",
            format!("A client request token already exists with value {}", token.unwrap_or_default()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// New events come at the front: a page that is fetched later must go on where the last one ended.
    #[test]
    fn pages_stay_in_place_while_items_come_at_the_front() {
        let (first, token) = page(vec![5, 4, 3, 2, 1], 2, None).expect("there is no token");
        assert_eq!((first, token.as_deref()), (vec![5, 4], Some("left-3")));
        let (second, token) = page(vec![7, 6, 5, 4, 3, 2, 1], 2, token.as_deref()).expect("it is our token");
        assert_eq!((second, token.as_deref()), (vec![3, 2], Some("left-1")));
        let (last, token) = page(vec![3, 2, 1], 2, token.as_deref()).expect("it is our token");
        assert_eq!((last, token), (vec![1], None));
        assert!(page(vec![1], 2, Some("left-9")).is_err());
        assert!(page(vec![1], 2, Some("x")).is_err());
    }
}
