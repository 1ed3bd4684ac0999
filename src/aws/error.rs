//! What AWS answers when it doesn't do what was asked, classified in one place, by code.

use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::RequestId as _;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::cover::cover;
use super::denial::{Denial, iam_resource};
use crate::model::live::{Asked, Reading, Unread};

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
/// once more; what is left is something else, or a clock that nobody told the time.
const SIGNATURE: [&str; 4] =
    ["InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "RequestExpired"];

/// The codes by which a region answers that the account hasn't enabled, whatever the credentials.
const NOT_ENABLED: [&str; 4] =
    ["OptInRequired", "UnrecognizedClientException", "InvalidClientTokenId", "RegionDisabledException"];

/// What is said instead of the SDK's list of its providers.
const NO_CREDENTIALS: &str =
    "no AWS credentials, neither in the environment, nor in a profile, nor from a container or an instance";

/// The longest message that is kept, in characters.
pub(super) const LONGEST_MESSAGE: usize = 2000;

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

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// The IAM action of the call, such as `lambda:AddPermission`.
    pub action: &'static str,
    /// What it was called on: a name or an ARN, `*` for lists.
    pub resource: String,
    /// AWS's error code.
    pub code: Option<String>,
    /// AWS's own words, without control characters.
    pub message: String,
    /// AWS's request id.
    pub request_id: Option<String>,
}

impl AwsError {
    /// A failure that no AWS error code describes.
    pub fn other(kind: ErrorKind, action: &'static str, resource: &str, message: &str) -> Self {
        Self { kind, action, resource: resource.to_owned(), code: None, message: words(message), request_id: None }
    }

    /// An answer without what it must hold.
    pub(super) fn incomplete(action: &'static str, resource: &str, what: &str) -> Self {
        Self::other(ErrorKind::Other, action, resource, &format!("the answer holds no {what}"))
    }

    /// What to do about it, one hint a line, where that is known.
    pub fn hints(&self) -> Vec<String> {
        let mut hints = self.hints_by_kind();
        if self.code.as_deref().is_some_and(|code| NOT_ENABLED.contains(&code)) {
            hints.push("check that the region, and the service, are enabled for the account".to_owned());
        }
        hints
    }

    /// What AWS says is missing, where it names it: not always what was asked for.
    pub fn denial(&self) -> Option<Denial> {
        let mut denial = Denial::of(&self.message, &self.resource)?;
        if denial.resources.is_empty() && denial.action == self.action {
            denial.resources = vec![iam_resource(self.action, &self.resource)];
        }
        Some(denial)
    }

    fn hints_by_kind(&self) -> Vec<String> {
        if !self.kind.is_of_credentials()
            && let Some(denial) = self.denial()
        {
            return vec![denial.hint()];
        }
        match self.kind {
            ErrorKind::NoCredentials if self.code.as_deref().is_some_and(|code| SIGNATURE.contains(&code)) => vec![
                "check this machine's clock, and the secret key: AWS takes signatures of the last minutes alone"
                    .to_owned(),
            ],
            ErrorKind::NoCredentials => vec![
                "choose a profile: `--profile NAME`, or set `AWS_PROFILE`".to_owned(),
                "sign in, where the profile uses IAM Identity Center: `aws sso login`".to_owned(),
                "try it without AWS: `--sandbox`".to_owned(),
            ],
            ErrorKind::ExpiredCredentials => {
                vec!["get new credentials, for example with `aws sso login`, and run it again".to_owned()]
            }
            ErrorKind::Denied if self.code.as_deref() != Some("OptInRequired") => {
                vec![format!("allow `{}` on `{}`", self.action, iam_resource(self.action, &self.resource))]
            }
            ErrorKind::Throttled => vec![
                "run the same command again to go on; with a smaller `--parallelism`, or more tries (`AWS_MAX_ATTEMPTS`)"
                    .to_owned(),
            ],
            ErrorKind::Spreading => vec![
                "a role or key of the last minutes: run the same command again to go on".to_owned(),
                "an older one: let the function's role trust `lambda.amazonaws.com` and use the function's key".to_owned(),
            ],
            ErrorKind::ThrottledByEc2 => vec!["run the same command again to go on".to_owned()],
            ErrorKind::Transport => vec![
                "check the network, `HTTPS_PROXY`, `NO_PROXY`, and `AWS_CA_BUNDLE` where a proxy inspects TLS"
                    .to_owned(),
            ],
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on `{}`: ", self.action, self.resource)?;
        if let Some(code) = &self.code {
            write!(f, "{code}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

impl StdError for AwsError {}

impl From<AwsError> for Unread {
    fn from(error: AwsError) -> Self {
        match error.kind {
            ErrorKind::Denied => {
                let denial = error.denial();
                let asked = || iam_resource(error.action, &error.resource);
                let (action, resource) = match denial {
                    // AWS names no resource where an action can be allowed on all alone.
                    Some(denial) => {
                        (denial.action, denial.resources.into_iter().next().unwrap_or_else(|| "*".to_owned()))
                    }
                    None => (error.action.to_owned(), asked()),
                };
                Self::Denied { action, resource, code: error.code, message: error.message }
            }
            _ => Self::Failed {
                call: Some(Asked { action: error.action.to_owned(), resource: error.resource }),
                code: error.code,
                message: error.message,
                request_id: error.request_id,
            },
        }
    }
}

/// A result as a reading: what AWS doesn't know is absent, any other failure is unread.
pub(super) fn reading<T>(result: Result<T, AwsError>) -> Reading<T> {
    match result {
        Ok(value) => Reading::Found(value),
        Err(error) if error.kind == ErrorKind::NotFound => Reading::Absent,
        Err(error) => Reading::Unread(error.into()),
    }
}

/// Turns a call's failure into an [`AwsError`]; for `map_err`.
pub(super) fn failed<E>(action: &'static str, resource: &str) -> impl FnOnce(SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    move |error| classify(action, resource, &error)
}

fn classify<E>(action: &'static str, resource: &str, error: &SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    if action != ASSUME_ROLE
        && let Some(refused) = find::<SdkError<AssumeRoleError, HttpResponse>>(error)
        && let Some((code, message)) = said(refused)
    {
        // The call itself never left: its credentials come from a role that could not be assumed.
        let kind = code.as_deref().map_or(ErrorKind::Transport, |code| kind_of(ASSUME_ROLE, code, ""));
        let request_id = refused.request_id().map(words);
        return AwsError { kind, action: ASSUME_ROLE, resource: "*".to_owned(), code, message, request_id };
    }
    if let Some(missing) = find::<CredentialsError>(error) {
        let (kind, message) = match missing {
            CredentialsError::CredentialsNotLoaded(_) => (ErrorKind::NoCredentials, NO_CREDENTIALS.to_owned()),
            _ if find::<ConnectorError>(missing).is_some() => (ErrorKind::Transport, chain(missing)),
            _ => (ErrorKind::NoCredentials, without_stderr(chain(missing))),
        };
        return AwsError::other(kind, action, resource, &message);
    }
    let request_id = error.request_id().map(words);
    // The outermost words, "dispatch failure" and the like, tell nothing to people.
    let unsaid = || (None, error.source().map_or_else(|| words(&error.to_string()), chain));
    let (code, message) = said(error).unwrap_or_else(unsaid);
    let kind = match (&code, error) {
        (Some(code), _) => kind_of(action, code, &message),
        (None, SdkError::ConstructionFailure(_)) => ErrorKind::Invalid,
        (None, _) => ErrorKind::Transport,
    };
    AwsError { kind, action, resource: resource.to_owned(), code, message, request_id }
}

/// The code and the words of an answer, where there is one.
fn said<E>(error: &SdkError<E, HttpResponse>) -> Option<(Option<String>, String)>
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    let SdkError::ServiceError(service) = error else { return None };
    let meta = service.err().meta();
    let unsaid = || match service.raw().status().as_u16() {
        // AWS did what was asked, and said so in words that the SDK can't read.
        200..300 => words(&format!("the answer can't be read: {}", chain(service.err()))),
        status => format!("HTTP status {status}, without an error code of AWS"),
    };
    Some((meta.code().map(words), meta.message().map_or_else(unsaid, words)))
}

/// The action whose refusal shows up in other calls.
pub(super) const ASSUME_ROLE: &str = "sts:AssumeRole";

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

/// What STS answered where a role was to be assumed: `None` where it didn't answer, `Some(true)` where its region may be one that the
/// caller's account hasn't enabled.
pub(super) fn refuses_region(error: &CredentialsError) -> Option<bool> {
    let by_key = find::<SdkError<AssumeRoleError, HttpResponse>>(error).and_then(said);
    let by_token = || find::<SdkError<AssumeRoleWithWebIdentityError, HttpResponse>>(error).and_then(said);
    let (code, _) = by_key.or_else(by_token)?;
    code.map(|code| NOT_ENABLED.contains(&&*code))
}

/// The first error of a type in a chain of causes.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// What the SDK's layers say of themselves; it tells nothing of what went wrong.
const WRAPPERS: [&str; 4] = ["dispatch failure", "response error", "io error", "other"];

/// The same of the HTTP client, which adds what it was doing.
const HTTP_CLIENT: &str = "client error (";

/// The SDK quotes what a credential process wrote to stderr: whatever that is, it is no message of ours.
fn without_stderr(mut message: String) -> String {
    if let Some(at) = message.find("Stderr:") {
        message.truncate(at);
        message.push_str("What it wrote to stderr isn't repeated here");
    }
    message
}

/// The words of a chain of causes, outermost first, each said once.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let word = error.to_string();
        let wraps = WRAPPERS.contains(&word.as_str()) || word.starts_with(HTTP_CLIENT);
        if !wraps && !words.iter().any(|said| said.contains(&word)) {
            words.push(word);
        }
        next = error.source();
    }
    if words.is_empty() { self::words(&error.to_string()) } else { self::words(&words.join(": ")) }
}

/// AWS's words, or a client's: fit for a terminal, and without the private values that they may repeat.
pub(super) fn words(text: &str) -> String {
    clean(&cover(text))
}

/// Text from outside, fit for a terminal: one line, bounded, without control characters.
pub(super) fn clean(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(LONGEST_MESSAGE));
    for c in text.trim().chars().take(LONGEST_MESSAGE) {
        match c {
            '\n' | '\r' | '\t' => line.push(' '),
            // Besides control characters: those that turn the direction of text, by which a line can lie about itself.
            c if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {}
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::operation::get_policy::GetPolicyError;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    fn service_error(action: &'static str, code: &str, message: &str) -> AwsError {
        let meta = ErrorMetadata::builder().code(code).message(message).build();
        let mut raw = HttpResponse::new(400.try_into().expect("a status"), SdkBody::empty());
        raw.headers_mut().insert("x-amzn-requestid", "r-1");
        classify(action, "x", &SdkError::service_error(GetPolicyError::generic(meta), raw))
    }

    /// Without it, the applier would retry a missing right of the caller for minutes, or give up while a permission spreads.
    #[test]
    fn only_the_sentence_about_invoking_makes_a_denial_pass() {
        let sentence = "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.";
        let kind = |action, message| service_error(action, "AccessDeniedException", message).kind;
        assert_eq!(kind("secretsmanager:RotateSecret", sentence), ErrorKind::CannotInvoke);
        assert_eq!(kind("secretsmanager:RotateSecret", "User is not authorized"), ErrorKind::Denied);
        assert_eq!(kind("secretsmanager:DescribeSecret", sentence), ErrorKind::Denied);
    }

    /// Without it, a first deployment would end because IAM is slower than Lambda; or a parameter that stays wrong would be sent for minutes.
    #[test]
    fn words_about_what_still_spreads_make_a_refusal_pass() {
        let kind = |action, message| service_error(action, "InvalidParameterValueException", message).kind;
        let edit = "lambda:UpdateFunctionConfiguration";
        for message in [
            "The role defined for the function cannot be assumed by Lambda.",
            "The provided execution role does not have permissions to call CreateNetworkInterface on EC2",
            "Lambda was unable to configure access to your environment variables because the KMS key is invalid for CreateGrant.",
        ] {
            assert_eq!(kind(edit, message), ErrorKind::Spreading, "{message}");
        }
        assert_eq!(kind(edit, "Your request has been throttled by EC2, please make sure"), ErrorKind::ThrottledByEc2);
        assert_eq!(kind(edit, "Unzipped size must be smaller than 262144000 bytes"), ErrorKind::Invalid);
        assert_eq!(kind("logs:FilterLogEvents", "cannot be assumed by Lambda"), ErrorKind::Invalid);
        let unfinished = "A previous rotation isn't complete. That rotation will be reattempted.";
        let kind = |action| service_error(action, "InvalidRequestException", unfinished).kind;
        assert_eq!(kind("secretsmanager:RotateSecret"), ErrorKind::Unfinished);
        assert_eq!(kind("secretsmanager:CancelRotateSecret"), ErrorKind::Invalid);
    }

    /// Without it, a resource that isn't there would be an error instead of something to create, and the reverse.
    #[test]
    fn codes_decide_and_unknown_ones_are_other() {
        for (code, kind) in [
            ("ResourceNotFoundException", ErrorKind::NotFound),
            ("ResourceConflictException", ErrorKind::Conflict),
            ("PreconditionFailedException", ErrorKind::Precondition),
            ("Throttling", ErrorKind::Throttled),
            ("TooManyRequestsException", ErrorKind::Throttled),
            ("InvalidRequestException", ErrorKind::Invalid),
            ("ExpiredTokenException", ErrorKind::ExpiredCredentials),
            ("UnrecognizedClientException", ErrorKind::NoCredentials),
            ("InternalServiceError", ErrorKind::Other),
        ] {
            assert_eq!(service_error("lambda:GetPolicy", code, "").kind, kind, "{code}");
        }
        let absent: Reading<()> = reading(Err(service_error("lambda:GetPolicy", "ResourceNotFoundException", "")));
        assert_eq!(absent, Reading::Absent);
    }

    /// Without it, a message from AWS, which may quote names that others chose, could write over the terminal.
    #[test]
    fn messages_hold_no_control_characters_and_keep_the_request_id() {
        let error = service_error("lambda:GetPolicy", "ServiceException", "a\u{1b}[2Jb\nc\u{202e}d");
        assert_eq!(error.message, "a[2Jb cd");
        assert_eq!(error.request_id.as_deref(), Some("r-1"));
        assert_eq!(error.to_string(), "lambda:GetPolicy on `x`: ServiceException: a[2Jb cd (request r-1)");
        assert!(clean(&"x".repeat(LONGEST_MESSAGE * 2)).len() <= LONGEST_MESSAGE);
    }

    /// Without it, "dispatch failure" would be all that a person behind a proxy reads.
    #[test]
    fn a_failure_to_connect_says_why() {
        let refused = std::io::Error::other("connection refused");
        let error: SdkError<GetPolicyError, HttpResponse> =
            SdkError::dispatch_failure(ConnectorError::io(refused.into()));
        let error = classify("lambda:GetPolicy", "x", &error);
        assert_eq!(error.kind, ErrorKind::Transport);
        assert!(error.message.contains("connection refused"), "{}", error.message);
    }

    /// Without it, a first run without credentials would end in the SDK's words about providers and chains.
    #[test]
    fn missing_credentials_come_with_what_to_do() {
        let missing = CredentialsError::not_loaded("nothing in the environment");
        let error: SdkError<GetPolicyError, HttpResponse> =
            SdkError::dispatch_failure(ConnectorError::other(missing.into(), None));
        let error = classify("sts:GetCallerIdentity", "*", &error);
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::NoCredentials, NO_CREDENTIALS));
        assert!(error.hints().iter().any(|hint| hint.contains("AWS_PROFILE")));
        assert!(error.hints().iter().any(|hint| hint.contains("--sandbox")));
    }

    /// Without it, a role that can't be assumed because the network is down would send people looking for credentials.
    #[test]
    fn a_role_out_of_reach_is_a_matter_of_the_network() {
        let refused = ConnectorError::io(std::io::Error::other("connection refused").into());
        let role = CredentialsError::provider_error(refused);
        let error: SdkError<GetPolicyError, HttpResponse> =
            SdkError::dispatch_failure(ConnectorError::other(role.into(), None));
        assert_eq!(classify("sts:GetCallerIdentity", "*", &error).kind, ErrorKind::Transport);
    }

    /// Without it, a proxy's page in place of a role's credentials would be a failure of AWS's, without a hint at the proxy.
    #[test]
    fn a_role_behind_a_broken_way_says_the_status() {
        let raw = HttpResponse::new(502.try_into().expect("a status"), SdkBody::from("<html>"));
        let page: SdkError<AssumeRoleError, HttpResponse> =
            SdkError::service_error(AssumeRoleError::generic(ErrorMetadata::builder().build()), raw);
        let role = CredentialsError::provider_error(page);
        let error: SdkError<GetPolicyError, HttpResponse> =
            SdkError::dispatch_failure(ConnectorError::other(role.into(), None));
        let error = classify("sts:GetCallerIdentity", "*", &error);
        assert_eq!((error.kind, error.action), (ErrorKind::Transport, ASSUME_ROLE));
        assert!(error.message.contains("HTTP status 502"), "{error}");
    }

    /// Without it, people would look for other credentials where the clock is off, or the region isn't enabled; or for rights that
    /// nobody lacks.
    #[test]
    fn hints_fit_the_code() {
        let hints = |code| service_error("lambda:GetPolicy", code, "").hints().join("\n");
        for code in SIGNATURE {
            assert!(hints(code).contains("clock") && !hints(code).contains("profile"), "{code}");
        }
        for code in NOT_ENABLED {
            assert!(hints(code).contains("enabled for the account"), "{code}");
        }
        assert!(!hints("OptInRequired").contains("allow"));
        assert!(hints("AccessDeniedException").contains("allow `lambda:GetPolicy` on `x`"));
        assert!(hints("Throttling").contains("--parallelism"));
        let expired = hints("ExpiredTokenException");
        assert!(expired.contains("new credentials") && expired.contains("aws sso login"), "{expired}");
    }

    /// Without it, a proxy's own page would be reported as a failure inside AWS.
    #[test]
    fn an_answer_without_a_code_is_a_matter_of_the_way() {
        let raw = HttpResponse::new(502.try_into().expect("a status"), SdkBody::from("<html>"));
        let error = SdkError::service_error(GetPolicyError::generic(ErrorMetadata::builder().build()), raw);
        let error = classify("lambda:GetPolicy", "x", &error);
        assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::Transport, None));
        assert!(error.message.contains("HTTP status 502"), "{error}");
    }

    /// Without it, a plan could not say which permission is missing where.
    #[test]
    fn a_denial_keeps_what_was_denied() {
        let denied: Unread = service_error("lambda:GetPolicy", "AccessDeniedException", "no").into();
        let expected = Unread::Denied {
            action: "lambda:GetPolicy".into(),
            resource: "x".into(),
            code: Some("AccessDeniedException".into()),
            message: "no".into(),
        };
        assert_eq!(denied, expected);
    }
}
