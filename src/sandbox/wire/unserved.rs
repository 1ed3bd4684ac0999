//! The refusal of a service that isn't served, in the protocol that its clients read.

use axum::http::{HeaderMap, header};
use serde_json::json;

use super::answer::Response;
use super::xml::Xml;

/// Services by signing name that speak XML (botocore's models, `protocol`): Query and EC2's form of it, and REST.
const QUERY: [&str; 16] = [
    "autoscaling",
    "cloudsearch",
    "cloudwatch",
    "elasticache",
    "elasticbeanstalk",
    "elasticloadbalancing",
    "iam",
    "importexport",
    "monitoring",
    "rds",
    "redshift",
    "sdb",
    "ses",
    "sns",
    "sqs",
    "swf",
];
const REST_XML: [&str; 2] = ["cloudfront", "route53"];
const S3: [&str; 4] = ["s3", "s3express", "s3-object-lambda", "s3-outposts"];

/// What its clients read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Json,
    Cbor,
    Query,
    Ec2,
    RestXml,
    S3,
}

/// What a request is written in; where that doesn't say it, what the service speaks.
fn protocol(service: &str, headers: &HeaderMap) -> Protocol {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let content = header(header::CONTENT_TYPE.as_str());
    let is_form = content.starts_with("application/x-www-form-urlencoded");
    if header("smithy-protocol") == "rpc-v2-cbor" {
        Protocol::Cbor
    } else if !header("x-amz-target").is_empty() || content.starts_with("application/x-amz-json") {
        Protocol::Json
    } else if service == "ec2" {
        Protocol::Ec2
    } else if S3.contains(&service) {
        Protocol::S3
    } else if REST_XML.contains(&service) {
        Protocol::RestXml
    } else if is_form || (QUERY.contains(&service) && !content.starts_with("application/json")) {
        Protocol::Query
    } else {
        Protocol::Json
    }
}

/// Says that a service isn't served.
pub fn refusal(service: &str, headers: &HeaderMap, request_id: &str) -> Response {
    const CODE: &str = "UnknownOperationException";
    let service = super::shorten(service.to_owned());
    let message = format!("The sandbox doesn't serve `{service}`.");
    let error = |xml: &mut Xml, with_type: bool| {
        xml.element("Error", |xml| {
            if with_type {
                xml.text("Type", "Sender");
            }
            xml.text("Code", CODE);
            xml.text("Message", &message);
        });
    };
    let mut xml = Xml::default();
    match protocol(&service, headers) {
        Protocol::Query | Protocol::RestXml => xml.element("ErrorResponse", |xml| {
            error(xml, true);
            xml.text("RequestId", request_id);
        }),
        Protocol::Ec2 => xml.element("Response", |xml| {
            xml.element("Errors", |xml| error(xml, false));
            xml.text("RequestID", request_id);
        }),
        Protocol::S3 => xml.element("Error", |xml| {
            xml.text("Code", CODE);
            xml.text("Message", &message);
            xml.text("RequestId", request_id);
        }),
        Protocol::Json => {
            let body = json!({"__type": CODE, "message": message}).to_string();
            return Response::new(400, "application/x-amz-json-1.1", body)
                .header("x-amzn-requestid", request_id)
                .header("x-amzn-errortype", CODE);
        }
        Protocol::Cbor => {
            return Response::new(400, "application/cbor", cbor([("__type", CODE), ("message", &message)]))
                .header("smithy-protocol", "rpc-v2-cbor")
                .header("x-amzn-requestid", request_id);
        }
    }
    Response::new(400, "text/xml", xml.finish()).header("x-amzn-requestid", request_id)
}

/// A map of texts in CBOR (RFC 8949): heads of major type 5 and 3, with lengths in two bytes.
fn cbor<const N: usize>(pairs: [(&str, &str); N]) -> Vec<u8> {
    const TWO_BYTES: u8 = 25;
    let mut bytes = Vec::new();
    let head = |bytes: &mut Vec<u8>, kind: u8, length: usize| {
        bytes.push((kind << 5) + TWO_BYTES);
        bytes.extend(u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    };
    head(&mut bytes, 5, N);
    for text in pairs.into_iter().flat_map(|(key, value)| [key, value]) {
        head(&mut bytes, 3, text.len());
        bytes.extend(text.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// Without it, clients of services that aren't served would say that the answer can't be read, instead of what it says.
    #[test]
    fn a_service_is_refused_in_what_its_clients_read() {
        let said = |service: &str, name: &'static str, value: &'static str| {
            let headers = HeaderMap::from_iter([(name.parse().expect("a header"), HeaderValue::from_static(value))]);
            protocol(service, &headers)
        };
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        assert_eq!(said("iam", "content-type", form), Protocol::Query);
        assert_eq!(said("ec2", "content-type", form), Protocol::Ec2);
        assert_eq!(said("something-new", "content-type", form), Protocol::Query);
        assert_eq!(said("s3", "accept", "*/*"), Protocol::S3);
        assert_eq!(said("route53", "accept", "*/*"), Protocol::RestXml);
        assert_eq!(said("dynamodb", "x-amz-target", "DynamoDB_20120810.ListTables"), Protocol::Json);
        assert_eq!(said("sqs", "x-amz-target", "AmazonSQS.ListQueues"), Protocol::Json);
        assert_eq!(said("monitoring", "smithy-protocol", "rpc-v2-cbor"), Protocol::Cbor);
        assert_eq!(said("ses", "content-type", "application/json"), Protocol::Json);
        assert_eq!(cbor([("a", "bc")]), [0xb9, 0, 1, 0x79, 0, 1, b'a', 0x79, 0, 2, b'b', b'c']);
    }
}
