//! TODO
pub mod execute;
/// placeholder
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    Denied,
    NotFound,
    Conflict,
    Precondition,
    Throttled,
    CannotInvoke,
    Invalid,
    ExpiredCredentials,
    NoCredentials,
    Transport,
    Other,
}
/// placeholder
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsError {
    pub kind: ErrorKind,
    pub action: String,
    pub resource: String,
    pub code: Option<String>,
    pub message: String,
    pub request_id: Option<String>,
}
