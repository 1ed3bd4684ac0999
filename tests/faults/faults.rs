//! What can go wrong with a call: the errors that the public API models list for it, those that every service of AWS has, and
//! all that happens between a service and its client.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The errors of the models: `service.Operation`, then code and status. A test compares it with the models themselves.
pub const TABLE: &str = include_str!("errors.json");

/// What a failure ought to come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passing {
    /// Once is nothing: a client tries again, and goes on.
    Always,
    /// It may be tried again or be final: both are right.
    Maybe,
}

/// What goes wrong.
#[derive(Debug, Clone)]
pub struct Fault {
    /// For people, and to choose cases by.
    pub name: String,
    /// The members of the sandbox's rule, besides which calls it hits.
    pub rule: Value,
    /// Whether one such failure must pass unnoticed.
    pub passing: Passing,
    /// What the message must hold where it doesn't pass; one of these. Empty: nothing goes wrong for sure.
    pub told: Vec<String>,
    /// Whether AWS says that something isn't there: the tool then says that, and needn't say who told it.
    pub absent: bool,
    /// Whether it is among those that are tried at every single call, and not only once an operation.
    pub typical: bool,
}

/// An error that services answer with.
#[derive(Clone, Copy)]
struct Common {
    status: u16,
    code: &'static str,
    message: &'static str,
    passing: Passing,
    typical: bool,
}

const fn common(status: u16, code: &'static str, message: &'static str) -> Common {
    Common { status, code, message, passing: Passing::Maybe, typical: false }
}

const fn passing(status: u16, code: &'static str, message: &'static str) -> Common {
    Common { passing: Passing::Always, ..common(status, code, message) }
}

const fn typical(one: Common) -> Common {
    Common { typical: true, ..one }
}

/// What AWS's "Common errors" pages list, and what clients of AWS meet besides.
const COMMON: [Common; 29] = [
    typical(common(403, "AccessDeniedException", "User is not authorized to perform this action")),
    common(403, "AccessDenied", "User is not authorized to perform this action"),
    common(403, "NotAuthorized", "You do not have permission to perform this action."),
    common(403, "OptInRequired", "The AWS access key ID needs a subscription for the service."),
    typical(common(403, "ExpiredTokenException", "The security token included in the request is expired")),
    common(403, "ExpiredToken", "The security token included in the request is expired"),
    common(400, "RequestExpired", "Request has expired."),
    common(403, "UnrecognizedClientException", "The security token included in the request is invalid."),
    common(403, "InvalidClientTokenId", "The security token included in the request is invalid."),
    common(
        403,
        "InvalidSignatureException",
        "Signature expired: 20260101T000000Z is now earlier than 20260101T001500Z",
    ),
    common(403, "SignatureDoesNotMatch", "The request signature we calculated does not match the one you provided."),
    common(403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
    common(400, "IncompleteSignature", "The request signature does not conform to AWS standards."),
    common(403, "MissingAuthenticationToken", "The request must contain a valid access key ID."),
    common(400, "ValidationError", "The input fails to satisfy the constraints specified by an AWS service."),
    common(400, "ValidationException", "The input fails to satisfy the constraints specified by an AWS service."),
    common(413, "RequestEntityTooLargeException", "Request must be smaller than 70167211 bytes"),
    common(404, "UnknownOperationException", "The action or operation requested is not valid."),
    common(418, "NobodyKnowsThisException", "An error that is newer than the client."),
    typical(passing(400, "ThrottlingException", "Rate exceeded")),
    passing(400, "Throttling", "Rate exceeded"),
    passing(429, "TooManyRequestsException", "Rate exceeded"),
    passing(503, "RequestLimitExceeded", "Request limit exceeded."),
    passing(503, "SlowDown", "Please reduce your request rate."),
    passing(500, "InternalFailure", "The request processing has failed because of an unknown error."),
    passing(500, "ServiceException", "The service encountered an internal error."),
    typical(passing(503, "ServiceUnavailable", "The request has failed due to a temporary failure of the server.")),
    passing(504, "GatewayTimeout", "The request timed out on the way."),
    passing(408, "RequestTimeout", "Your socket connection was not read from within the timeout period."),
];

/// The words by which a failure of the connection shows.
const CONNECTION: [&str; 8] =
    ["connection", "reset", "closed", "timed out", "timeout", "incomplete", "cut off", "not understood"];

/// What a load balancer says.
const HTML: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";

impl Fault {
    fn error(status: u16, code: &str, message: &str) -> Self {
        let absent = matches!(code, "ResourceNotFoundException" | "NotFoundException" | "ChangeSetNotFound");
        let mut told = vec![code.to_owned()];
        if absent {
            told.extend(["gone", "no such", "has no ", "changed by somebody else"].map(str::to_owned));
        }
        Self {
            name: code.to_owned(),
            rule: json!({"error": {"status": status, "code": code, "message": message}}),
            passing: Passing::Maybe,
            told,
            absent,
            typical: false,
        }
    }

    fn connection(name: &str, rule: Value) -> Self {
        let told = CONNECTION.map(str::to_owned).to_vec();
        Self { name: name.to_owned(), rule, passing: Passing::Always, told, absent: false, typical: false }
    }

    fn answer(name: &str, status: u16, content_type: Option<&str>, body: &str) -> Self {
        let mut answer = json!({"status": status, "body": body});
        if let Some(content_type) = content_type {
            answer["content_type"] = json!(content_type);
        }
        let told = vec![status.to_string()];
        let passing = if matches!(status, 500..=504) { Passing::Always } else { Passing::Maybe };
        Self { name: name.to_owned(), rule: json!({ "answer": answer }), passing, told, absent: false, typical: false }
    }

    fn after(mut self) -> Self {
        self.name.push_str(",after");
        self.rule["when"] = json!("after");
        self
    }

    fn typical(self) -> Self {
        Self { typical: true, ..self }
    }

    /// Every failure of an operation, `service.Operation`.
    pub fn all(operation: &str) -> Vec<Self> {
        let mut all = modelled(operation);
        for one in &COMMON {
            let fault = Self::error(one.status, one.code, one.message);
            all.retain(|other| other.name != fault.name);
            all.push(Self { passing: one.passing, typical: one.typical, ..fault });
        }
        if operation == "secretsmanager.RotateSecret" {
            // What it says while a permission spreads, and what it says of a rotation that hangs.
            let spreads = "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.";
            let fault = Self::error(400, "AccessDeniedException", spreads);
            all.push(Self { name: "CannotInvoke".to_owned(), passing: Passing::Always, ..fault });
        }
        // The effect is there, and the client can't know.
        for (status, code) in [(500, "InternalFailure"), (503, "ServiceUnavailable"), (408, "RequestTimeout")] {
            let fault = Self::error(status, code, "It isn't known whether this was done.").after();
            all.push(Self { passing: Passing::Always, ..fault });
        }
        all.push(Self { passing: Passing::Always, ..Self::error(400, "ThrottlingException", "Rate exceeded").after() });
        all.extend(Self::of_the_way());
        all
    }

    /// What happens between a service and its client.
    fn of_the_way() -> Vec<Self> {
        vec![
            Self::connection("reset", json!({"reset": true})),
            Self::connection("reset", json!({"reset": true})).after().typical(),
            Self::connection("close", json!({"close": true})).typical(),
            Self::connection("close", json!({"close": true})).after(),
            Self::connection("half,reset", json!({"break_body": "reset"})),
            Self::connection("half,close", json!({"break_body": "close"})),
            Self::connection("half,truncate", json!({"break_body": "truncate"})).typical(),
            Self::answer("html", 502, Some("text/html"), HTML),
            Self::answer("html", 502, Some("text/html"), HTML).after(),
            Self::answer("empty-500", 500, None, ""),
            Self::answer("empty-403", 403, None, ""),
            Self::answer("html-413", 413, Some("text/html"), "<html><h1>413 Request Entity Too Large</h1></html>"),
            Self { told: Vec::new(), ..Self::connection("late", json!({"delay_ms": 1500})) },
            Self { told: Vec::new(), ..Self::connection("slow-body", json!({"slow_body_ms": 1500})) },
        ]
    }

    /// The failures before a request's body is read; for services whose operation stands in the head.
    pub fn unread() -> Vec<Self> {
        let early = |name: &str, rule: Value| Self::connection(name, rule);
        vec![
            early("reset,unread", json!({"reset": true, "when": "unread"})),
            early("close,unread", json!({"close": true, "when": "unread"})),
        ]
    }

    /// An answer that comes long after the client has given up waiting for it.
    pub fn never() -> Self {
        Self::connection("never", json!({"delay_ms": 200_000}))
    }
}

/// The table, read.
pub fn table() -> BTreeMap<String, BTreeMap<String, u16>> {
    serde_json::from_str(TABLE).expect("the table of errors is JSON")
}

/// The errors that the model lists for an operation.
fn modelled(operation: &str) -> Vec<Fault> {
    let table = table();
    let listed = table.get(operation).unwrap_or_else(|| panic!("errors.json lacks {operation}: see errors.py"));
    let faults = listed.iter().map(|(code, &status)| {
        // The models of the older protocols leave the status out; a service's own failure is a 5xx for sure.
        let own = code.starts_with("Internal") || code.starts_with("ServiceUnavailable");
        let status = if own { status.max(500) } else { status };
        let throttled = code == "TooManyRequestsException";
        let passing = if status >= 500 || throttled { Passing::Always } else { Passing::Maybe };
        Fault { passing, ..Fault::error(status, code, "As the model lists it.") }
    });
    faults.collect()
}
