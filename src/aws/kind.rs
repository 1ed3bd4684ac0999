//! The kinds of AWS's failures, told apart in one place by their codes.

/// The one sentence that decides anything. `RotateSecret` answers `AccessDeniedException` both where the caller may not rotate and
/// where Secrets Manager may not invoke the function; only the second passes by itself, while a new permission spreads.
const CANNOT_INVOKE: &str = "cannot invoke the specified Lambda function";

/// What `RotateSecret` says to a request that meets a rotation, or a function's test, that hasn't ended. Every other
/// `InvalidRequestException` is final.
const UNFINISHED: &str = "previous rotation isn't complete";

/// What Lambda says of a role or a key that was made a moment ago: IAM and KMS haven't told it yet. The code, `InvalidParameterValueException`,
/// is that of every wrong parameter.
const SPREADING: [&str; 3] =
    ["cannot be assumed by lambda", "execution role does not have permissions", "kms key is invalid for creategrant"];

/// What Lambda says where EC2 slows down what it does for a function in a VPC; the code is the same.
const THROTTLED_BY_EC2: &str = "throttled by ec2";

/// The codes that speak of a signature: of another key, or of another time. The SDK corrects its clock by AWS's answers, and signs
/// once more; what is left is something else, or a clock that is wrong.
pub(super) const SIGNATURE: [&str; 4] =
    ["InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "RequestExpired"];

/// The codes by which a region answers that the account hasn't enabled, whatever the credentials.
pub(super) const NOT_ENABLED: [&str; 4] =
    ["OptInRequired", "UnrecognizedClientException", "InvalidClientTokenId", "RegionDisabledException"];

/// The action whose refusal shows up in other calls.
pub(super) const ASSUME_ROLE: &str = "sts:AssumeRole";

/// What kind of failure it is: what a caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The credentials may not do it.
    Denied,
    /// AWS says that it doesn't exist.
    NotFound,
    /// It exists already, or another operation on it is in progress.
    Conflict,
    /// It changed since it was read (Lambda's `RevisionId`).
    Precondition,
    /// Too many requests, after all retries.
    Throttled,
    /// Secrets Manager may not invoke the rotation function (`RotateSecret` alone). Passes while a permission spreads.
    CannotInvoke,
    /// A rotation or a test of this secret hasn't ended (`RotateSecret` alone). Passes where it is under way, and not where it failed.
    Unfinished,
    /// Lambda can't use a role or a key yet that was just made. Passes within two minutes or so; else the role or the key is wrong.
    Spreading,
    /// EC2 throttles what Lambda does for a function in a VPC. Passes, and takes longer.
    ThrottledByEc2,
    /// The request is wrong, and stays so.
    Invalid,
    /// The credentials were good and aren't any more.
    ExpiredCredentials,
    /// There are no credentials, or AWS doesn't know them.
    NoCredentials,
    /// The region has no such service, or AWS has no such region: no address is known for its endpoint.
    NoService,
    /// AWS was not reached, or its answer not understood.
    Transport,
    /// Anything else, such as a failure inside AWS.
    Other,
}

impl ErrorKind {
    /// Whether it is about the credentials themselves, so that every other call fails with it too.
    pub fn is_of_credentials(self) -> bool {
        matches!(self, Self::ExpiredCredentials | Self::NoCredentials)
    }
}

/// The one table of error codes: those of the services' models, and the common ones of AWS's protocols.
pub(super) fn kind_of(action: &str, code: &str, message: &str) -> ErrorKind {
    match code {
        "AccessDeniedException" if action == "secretsmanager:RotateSecret" && message.contains(CANNOT_INVOKE) => {
            ErrorKind::CannotInvoke
        }
        "InvalidRequestException" if action == "secretsmanager:RotateSecret" && message.contains(UNFINISHED) => {
            ErrorKind::Unfinished
        }
        "InvalidParameterValueException" if action.starts_with("lambda:") => {
            passing(message).unwrap_or(ErrorKind::Invalid)
        }
        "AccessDenied"
        | "AccessDeniedException"
        | "ForbiddenException"
        | "UnauthorizedOperation"
        | "NotAuthorizedException"
        | "OptInRequired" => ErrorKind::Denied,
        "ResourceNotFoundException"
        | "NotFoundException"
        | "ChangeSetNotFound"
        | "ChangeSetNotFoundException"
        | "StackNotFoundException" => ErrorKind::NotFound,
        "ResourceConflictException"
        | "ResourceInUseException"
        | "ResourceExistsException"
        | "ConflictException"
        | "AlreadyExistsException"
        | "TokenAlreadyExistsException"
        | "InvalidChangeSetStatus"
        | "InvalidChangeSetStatusException"
        | "OperationInProgressException"
        | "ResourceNotReadyException" => ErrorKind::Conflict,
        // The sandbox's word: on AWS such an endpoint has no address.
        "UnknownEndpoint" => ErrorKind::NoService,
        "PreconditionFailedException" => ErrorKind::Precondition,
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "SlowDown" => ErrorKind::Throttled,
        "ValidationError"
        | "ValidationException"
        | "InvalidParameterException"
        | "InvalidParameterValueException"
        | "InvalidRequestException"
        | "InvalidRequestContentException"
        | "BadRequestException"
        | "InsufficientCapabilities"
        | "InsufficientCapabilitiesException"
        | "LimitExceeded"
        | "LimitExceededException"
        | "PolicyLengthExceededException"
        | "PublicPolicyException"
        | "CodeStorageExceededException"
        | "CodeVerificationFailedException"
        | "InvalidCodeSignatureException"
        | "RequestTooLargeException"
        | "RequestEntityTooLargeException"
        | "MalformedPolicyDocument"
        | "RegionDisabledException"
        | "InvalidNextTokenException" => ErrorKind::Invalid,
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => ErrorKind::ExpiredCredentials,
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "RequestTimeTooSkewed"
        | "RequestExpired"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "InvalidAccessKeyId" => ErrorKind::NoCredentials,
        _ => ErrorKind::Other,
    }
}

/// What of Lambda's words about a parameter passes by itself.
fn passing(message: &str) -> Option<ErrorKind> {
    let message = message.to_ascii_lowercase();
    if message.contains(THROTTLED_BY_EC2) {
        return Some(ErrorKind::ThrottledByEc2);
    }
    SPREADING.iter().any(|words| message.contains(words)).then_some(ErrorKind::Spreading)
}
