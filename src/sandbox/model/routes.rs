//! Which operation of a REST service a method and a path mean.

use serde_json::{Map, Value};

use super::check::unreadable;
use super::member::{Kind, Member, Place};
use crate::services::Service;
use crate::wire::ApiError;
use crate::wire::rest::RestRequest;

/// An operation's method and path.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    method: &'static str,
    /// Such as `/2015-03-31/functions/{FunctionName}/policy`; perhaps with a parameter that tells it from another one of the
    /// same path.
    path: &'static str,
    /// The operation.
    pub operation: &'static str,
}

/// An entry of a table.
pub const fn route(method: &'static str, path: &'static str, operation: &'static str) -> Route {
    Route { method, path, operation }
}

impl Route {
    /// The path's parts without the first slash, and the parameter.
    fn parts(&self) -> (impl Iterator<Item = &'static str>, Option<(&'static str, &'static str)>) {
        let (path, parameter) = match self.path.split_once('?') {
            Some((path, parameter)) => (path, parameter.split_once('=')),
            None => (self.path, None),
        };
        (path.trim_start_matches('/').split('/'), parameter)
    }

    fn is_meant(&self, request: &RestRequest) -> bool {
        let (parts, parameter) = self.parts();
        let mut given = request.segments.iter();
        self.method == request.method
            && parameter.is_none_or(|(name, value)| request.parameter(name) == Some(value))
            && parts.into_iter().all(|part| given.next().is_some_and(|given| label(part).is_some() || part == given))
            && given.next().is_none()
    }
}

/// The name of a label: a part of a path that is a value.
fn label(part: &str) -> Option<&str> {
    part.strip_prefix('{')?.strip_suffix('}')
}

/// The operation that a request means. Paths with a parameter stand before the same without: they say more.
pub fn find(routes: &'static [Route], request: &RestRequest) -> Option<&'static Route> {
    let meant = || routes.iter().filter(|route| route.is_meant(request));
    meant().find(|route| route.path.contains('?')).or_else(|| meant().next())
}

/// A request's members, wherever they stand in it, as one tree. The body is read if a member may stand there.
pub fn members(
    service: Service,
    routes: &'static [Route],
    request: &RestRequest,
    members: &[Member],
) -> Result<Map<String, Value>, ApiError> {
    let in_body = members.iter().any(|member| member.place == Place::Body);
    let body = if in_body { request.json() } else { Ok(Map::new()) };
    let mut tree = body.map_err(|error| unreadable(service, error.message))?;
    let labels: Vec<(&str, &String)> = find(routes, request)
        .into_iter()
        .flat_map(|route| route.parts().0.zip(&request.segments))
        .filter_map(|(part, segment)| Some((label(part)?, segment)))
        .collect();
    for member in members {
        let found = match member.place {
            Place::Body => continue,
            Place::Label => {
                labels.iter().find(|(name, _)| *name == member.name).map(|(_, text)| typed(&member.kind, text))
            }
            Place::Header(name) => request.header(name).map(|text| typed(&member.kind, text)),
            Place::Query(name) => match member.kind {
                Kind::List(_, _, of) => {
                    let items: Vec<Value> = request.parameters(name).map(|text| typed(of, text)).collect();
                    (!items.is_empty()).then_some(Value::Array(items))
                }
                kind => request.parameter(name).map(|text| typed(&kind, text)),
            },
        };
        tree.remove(member.name);
        if let Some(found) = found {
            tree.insert(member.name.to_owned(), found);
        }
    }
    Ok(tree)
}

/// A text as what it is meant to be; still a text where it can't be that, which the validator then says.
pub fn typed(kind: &Kind, text: &str) -> Value {
    let typed = match kind {
        Kind::Secret(kind) => return typed(kind, text),
        Kind::Number(..) => text.parse::<i64>().ok().map(Value::from),
        Kind::Decimal => text.parse::<f64>().ok().map(Value::from),
        Kind::Flag if text.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
        Kind::Flag if text.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
        _ => None,
    };
    typed.unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use axum::http::HeaderMap;
    use serde_json::json;

    use super::super::{NUMBER, TEXT, optional, required};
    use super::*;

    const ROUTES: &[Route] = &[
        route("GET", "/1/things/{Name}", "GetThing"),
        route("GET", "/1/things/{Name}/parts", "GetPart"),
        route("GET", "/1/things/{Name}/parts?List=ALL", "ListParts"),
    ];

    fn request(method: &str, path: &str, query: &str) -> RestRequest {
        RestRequest::new(method, path, query, HeaderMap::new(), Bytes::new())
    }

    /// Without it, an operation would be taken for another one of nearly its path.
    #[test]
    fn a_request_means_one_operation() {
        let operation = |method, path, query| find(ROUTES, &request(method, path, query)).map(|route| route.operation);
        assert_eq!(operation("GET", "/1/things/a", ""), Some("GetThing"));
        assert_eq!(operation("GET", "/1/things/a/parts/", ""), Some("GetPart"));
        assert_eq!(operation("GET", "/1/things/a/parts", "List=ALL"), Some("ListParts"));
        // An empty name is a name that is refused, not a shorter path.
        assert_eq!(operation("GET", "/1/things//parts", ""), Some("GetPart"));
        assert_eq!(operation("PUT", "/1/things/a", ""), None);
        assert_eq!(operation("GET", "/1/things", ""), None);
    }

    /// Without it, constraints of members outside the body would never be looked at.
    #[test]
    fn members_are_found_wherever_they_stand() {
        let table =
            [required("Name", TEXT).label(), optional("MaxItems", NUMBER).query_as("max"), optional("X", TEXT).query()];
        let tree = members(Service::Lambda, ROUTES, &request("GET", "/1/things/a%2Fb", "max=7"), &table);
        assert_eq!(tree.map(Value::Object), Ok(json!({"Name": "a/b", "MaxItems": 7})));
    }
}
