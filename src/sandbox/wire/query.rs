//! AWS's Query protocol: requests are forms, answers are XML.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>

use std::collections::BTreeMap;

use super::xml::Xml;
use super::{ApiError, Response};
use crate::sandbox::service::{Call, Service};

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

    /// A parameter, or the error that it is missing.
    pub fn require(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| {
            // Query services name members with a small first letter in these messages.
            let mut member = name.to_owned();
            if let Some(first) = member.get_mut(..1) {
                first.make_ascii_lowercase();
            }
            validation(&[format!("Value null at '{member}' failed to satisfy constraint: Member must not be null")])
        })
    }

    /// The texts of a list, in order: `NAME.member.1`, `NAME.member.2`, …
    pub fn texts(&self, name: &str) -> Vec<&str> {
        self.members(name).iter().filter_map(|prefix| self.get(prefix)).collect()
    }

    /// The prefixes of a list's members, in order: for structures, `get(&format!("{prefix}.Key"))`.
    pub fn members(&self, name: &str) -> Vec<String> {
        let start = format!("{name}.member.");
        let mut numbers: Vec<u32> = self
            .parameters
            .range(start.clone()..)
            .take_while(|(key, _)| key.starts_with(&start))
            .filter_map(|(key, _)| key.get(start.len()..)?.split('.').next()?.parse().ok())
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().map(|number| format!("{start}{number}")).collect()
    }
}

/// The error that parameters don't satisfy the model; each problem as AWS words it: `Value '…' at '…' failed to satisfy constraint: …`.
pub fn validation(problems: &[String]) -> ApiError {
    let count = problems.len();
    let noun = if count == 1 { "error" } else { "errors" };
    ApiError::new(400, "ValidationError", format!("{count} validation {noun} detected: {}", problems.join("; ")))
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
