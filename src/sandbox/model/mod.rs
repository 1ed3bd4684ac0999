//! What the API's models say about requests: the members of each operation's input and their constraints, as tables; one
//! validator for all services, which words what is wrong as each of them does; and the paths of REST operations.
//!
//! Each service has its own table (its `inputs` module). The facts are those of the public API models; where a service is
//! known to demand more, or less, the table says so.
//!
//! Another operation is served once its input stands in its service's table, its handler in the service's `handle`, its name
//! in the tables of `README.md`, and a good request of it among the cases of the walk (`tests/peers/walk`), which then tells
//! what of it isn't as in the model.

mod check;
pub mod routes;

pub use check::{check, shorten, unreadable, validation};

use super::service::Service;
use super::wire::ApiError;
use super::{cloudformation, lambda, logs, secretsmanager, serverlessrepo, sts};

/// No upper limit.
pub const NO_LIMIT: usize = usize::MAX;

/// What a member may be.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A text of so many characters, and which matches a pattern as a whole. The pattern is the model's own.
    Text(usize, usize, Option<&'static str>),
    /// A text out of these.
    OneOf(&'static [&'static str]),
    /// True or false.
    Flag,
    /// A whole number in a range.
    Number(i64, i64),
    /// Any number.
    Decimal,
    /// Base64 of so many bytes.
    Blob(usize, usize),
    /// A list of so many.
    List(usize, usize, &'static Kind),
    /// Keys and values, so many pairs.
    Map(usize, usize, &'static Kind, &'static Kind),
    /// A structure. Members that it doesn't know are ignored, in all of AWS's protocols.
    Structure(&'static [Member]),
    /// Something whose value is never repeated in a message.
    Secret(&'static Kind),
}

/// Any text.
pub const TEXT: Kind = text(0, NO_LIMIT);
/// True or false.
pub const FLAG: Kind = Kind::Flag;
/// Any whole number that the models' integers hold.
pub const NUMBER: Kind = Kind::Number(i32::MIN as i64, i32::MAX as i64);

/// A text of so many characters.
pub const fn text(least: usize, most: usize) -> Kind {
    Kind::Text(least, most, None)
}

/// A text that matches a pattern.
pub const fn pattern(pattern: &'static str) -> Kind {
    matching(0, NO_LIMIT, pattern)
}

/// A text of so many characters that matches a pattern.
pub const fn matching(least: usize, most: usize, pattern: &'static str) -> Kind {
    Kind::Text(least, most, Some(pattern))
}

/// A member of a request.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// Its name in the body; in messages with a small first letter.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// Where a REST request has it.
    pub place: Place,
}

/// Where a REST request has a member. The other protocols have all of them in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the JSON body.
    Body,
    /// In the path, under its own name.
    Label,
    /// In the query string, under this name.
    Query(&'static str),
    /// In the header of this name.
    Header(&'static str),
}

/// A member that must be there.
pub const fn required(name: &'static str, kind: Kind) -> Member {
    Member { name, kind, required: true, place: Place::Body }
}

/// A member that may be there.
pub const fn optional(name: &'static str, kind: Kind) -> Member {
    Member { name, kind, required: false, place: Place::Body }
}

impl Member {
    /// The same in the path.
    #[must_use]
    pub const fn label(self) -> Self {
        Self { place: Place::Label, ..self }
    }

    /// The same in the query string, under its own name.
    #[must_use]
    pub const fn query(self) -> Self {
        Self { place: Place::Query(self.name), ..self }
    }

    /// The same in the query string, under another name.
    #[must_use]
    pub const fn query_as(self, name: &'static str) -> Self {
        Self { place: Place::Query(name), ..self }
    }

    /// The same in a header, whose name is given in lower case.
    #[must_use]
    pub const fn header(self, name: &'static str) -> Self {
        Self { place: Place::Header(name), ..self }
    }
}

/// What the request of an operation may hold; the service's own error where it isn't served.
pub fn input(service: Service, operation: &str) -> Result<&'static [Member], ApiError> {
    let found = inputs(service).iter().find(|(name, _)| *name == operation);
    found.map(|(_, members)| *members).ok_or_else(|| ApiError::not_served(service, operation))
}

/// Whether an operation has a name that is known: of a service, or of any. It is served, or a path names it.
pub fn is_operation(service: Option<Service>, operation: &str) -> bool {
    let services = service.map_or(Service::ALL.to_vec(), |service| vec![service]);
    services.into_iter().any(|service| {
        let routes = match service {
            Service::Lambda => lambda::paths::ROUTES,
            Service::ServerlessRepo => serverlessrepo::paths::ROUTES,
            Service::SecretsManager | Service::CloudFormation | Service::Sts | Service::Logs => &[],
        };
        inputs(service).iter().any(|(name, _)| *name == operation)
            || routes.iter().any(|route| route.operation == operation)
    })
}

/// The operations of a service that are served, each with what its request may hold.
fn inputs(service: Service) -> &'static [(&'static str, &'static [Member])] {
    match service {
        Service::SecretsManager => secretsmanager::inputs::INPUTS,
        Service::Lambda => lambda::inputs::INPUTS,
        Service::CloudFormation => cloudformation::inputs::INPUTS,
        Service::ServerlessRepo => serverlessrepo::inputs::INPUTS,
        Service::Sts => sts::inputs::INPUTS,
        Service::Logs => logs::inputs::INPUTS,
    }
}

/// The member's name as AWS's messages spell it: with a small first letter.
pub fn spelt(name: &str) -> String {
    let mut name = name.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    name
}
