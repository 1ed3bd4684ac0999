//! AWS's Query protocol: requests are forms, answers are XML.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::xml::Xml;
use super::{ApiError, Response};
use crate::call::Call;
use crate::model::routes::typed;
use crate::model::{Kind, Member, check};
use crate::services::Service;

const CONTENT_TYPE: &str = "text/xml";

/// A request: `Action`, `Version` and the flattened parameters.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// The operation.
    pub action: String,
    /// The API's version, such as `2010-05-15`.
    pub version: String,
    parameters: BTreeMap<String, String>,
}

impl Query {
    /// Reads a form body (or a query string).
    pub fn read(body: &[u8]) -> Self {
        let mut parameters: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
        Self {
            action: parameters.remove("Action").unwrap_or_default(),
            version: parameters.remove("Version").unwrap_or_default(),
            parameters,
        }
    }

    /// A parameter by its flattened name, such as `StackName` or `Tags.member.1.Key`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// A boolean parameter; false where it is absent.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A required parameter: it is there, since the request has been checked.
    pub fn required(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// Checks the request against what its operation's may hold.
    pub fn check(&self, service: Service, members: &[Member]) -> Result<(), ApiError> {
        check(service, members, &self.structure("", members))
    }

    /// The parameters of a structure as a tree; `prefix` ends in a dot, or is empty.
    fn structure(&self, prefix: &str, members: &[Member]) -> Map<String, Value> {
        let found = |member: &Member| {
            Some((member.name.to_owned(), self.value(&format!("{prefix}{}", member.name), &member.kind)?))
        };
        members.iter().filter_map(found).collect()
    }

    fn value(&self, name: &str, kind: &Kind) -> Option<Value> {
        let whole = self.get(name).map(|text| typed(kind, text));
        // Clients write an empty list as an empty parameter; any other text in a list's place stays one, which the
        // validator then refuses.
        let whole_or = |empty: Value| match whole.clone() {
            Some(Value::String(text)) if text.is_empty() => Some(empty),
            whole => whole,
        };
        match kind {
            Kind::Secret(kind) => self.value(name, kind),
            Kind::List(_, _, of) => match self.members(name) {
                none if none.is_empty() => whole_or(Value::Array(Vec::new())),
                items => Some(items.iter().map(|item| self.value(item, of).unwrap_or(Value::Null)).collect()),
            },
            Kind::Map(_, _, keys, values) => {
                let entry = |entry: &String| {
                    let key = self.value(&format!("{entry}.key"), keys)?.as_str()?.to_owned();
                    Some((key, self.value(&format!("{entry}.value"), values).unwrap_or(Value::Null)))
                };
                match self.numbered(&format!("{name}.entry.")) {
                    none if none.is_empty() => whole_or(Value::Object(Map::new())),
                    entries => Some(Value::Object(entries.iter().filter_map(entry).collect())),
                }
            }
            Kind::Structure(members) => {
                let prefix = format!("{name}.");
                let spoken_of =
                    self.parameters.range(prefix.clone()..).next().is_some_and(|(key, _)| key.starts_with(&prefix));
                if spoken_of {
                    Some(Value::Object(self.structure(&prefix, members)))
                } else {
                    whole_or(Value::Object(Map::new()))
                }
            }
            _ => whole,
        }
    }

    /// The texts of a list, in order: `NAME.member.1`, `NAME.member.2`, …
    pub fn texts(&self, name: &str) -> Vec<&str> {
        self.members(name).iter().filter_map(|prefix| self.get(prefix)).collect()
    }

    /// The prefixes of a list's members, in order: for structures, `get(&format!("{prefix}.Key"))`.
    pub fn members(&self, name: &str) -> Vec<String> {
        self.numbered(&format!("{name}.member."))
    }

    /// The numbered prefixes that start with a text, in the order of their numbers.
    fn numbered(&self, start: &str) -> Vec<String> {
        let mut numbers: Vec<u32> = self
            .parameters
            .range(start.to_owned()..)
            .take_while(|(key, _)| key.starts_with(start))
            .filter_map(|(key, _)| key.get(start.len()..)?.split('.').next()?.parse().ok())
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().map(|number| format!("{start}{number}")).collect()
    }
}

/// The XML namespace of a service's answers.
fn namespace(service: Service) -> &'static str {
    match service {
        Service::CloudFormation => "http://cloudformation.amazonaws.com/doc/2010-05-15/",
        _ => "https://sts.amazonaws.com/doc/2011-06-15/",
    }
}

/// An answer: what `content` writes stands inside `<ActionResult>`.
pub fn answer(call: &Call, content: impl FnOnce(&mut Xml)) -> Response {
    let mut xml = Xml::default();
    let action = &call.operation;
    xml.element_in(&format!("{action}Response"), namespace(call.service), |xml| {
        xml.element(&format!("{action}Result"), content);
        metadata(xml, &call.request_id);
    });
    finish(200, xml, &call.request_id)
}

/// The answer of an operation that has no output shape.
pub fn empty(call: &Call) -> Response {
    let mut xml = Xml::default();
    xml.element_in(&format!("{}Response", call.operation), namespace(call.service), |xml| {
        metadata(xml, &call.request_id);
    });
    finish(200, xml, &call.request_id)
}

fn metadata(xml: &mut Xml, request_id: &str) {
    xml.element("ResponseMetadata", |xml| xml.text("RequestId", request_id));
}

pub(super) fn error(error: &ApiError, service: Service, request_id: &str) -> Response {
    let mut xml = Xml::default();
    xml.element_in("ErrorResponse", namespace(service), |xml| {
        xml.element("Error", |xml| {
            xml.text("Type", if error.status < 500 { "Sender" } else { "Receiver" });
            xml.text("Code", &error.code);
            xml.text("Message", &error.message);
            for (name, value) in &error.fields {
                xml.text(name, value);
            }
        });
        xml.text("RequestId", request_id);
    });
    finish(error.status, xml, request_id)
}

fn finish(status: u16, xml: Xml, request_id: &str) -> Response {
    Response::new(status, CONTENT_TYPE, xml.finish()).header("x-amzn-requestid", request_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, the tenth tag of a stack would come before its second.
    #[test]
    fn members_come_in_their_order() {
        let form = (1..=11).rev().map(|n| format!("&Tags.member.{n}.Key=k{n}")).collect::<Vec<_>>().concat();
        let query = Query::read(format!("Action=CreateChangeSet&Version=2010-05-15{form}").as_bytes());
        let keys: Vec<_> =
            query.members("Tags").iter().filter_map(|prefix| query.get(&format!("{prefix}.Key"))).collect();
        assert_eq!(keys, ["k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9", "k10", "k11"]);
        assert_eq!(query.action, "CreateChangeSet");
    }
}
