//! What the SDK says of a failed call, as an [`AwsError`].

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::RequestId as _;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::error::AwsError;
use super::http::is_nowhere;
use super::kind::{ASSUME_ROLE, ErrorKind, NOT_ENABLED, kind_of};
use super::text::words;

/// What is said instead of the SDK's list of its providers.
const NO_CREDENTIALS: &str =
    "no AWS credentials, neither in the environment, nor in a profile, nor from a container or an instance";

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
            _ if find::<ConnectorError>(missing).is_some_and(is_nowhere) => (ErrorKind::NoService, chain(missing)),
            _ if find::<ConnectorError>(missing).is_some() => (ErrorKind::Transport, chain(missing)),
            _ => {
                let message = without_stderr(chain(missing));
                let kind = if is_over(&message) { ErrorKind::ExpiredCredentials } else { ErrorKind::NoCredentials };
                (kind, message)
            }
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
        (None, _) if find::<ConnectorError>(error).is_some_and(is_nowhere) => ErrorKind::NoService,
        (None, _) => ErrorKind::Transport,
    };
    AwsError { kind, action, resource: resource.to_owned(), code, message, request_id }
}

/// Whether a login is over, by the only way in which the SDK says it: in words. Where they change, the hints of missing credentials
/// name the login too.
fn is_over(message: &str) -> bool {
    message.contains("token has expired")
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
const WRAPPERS: [&str; 5] = ["dispatch failure", "response error", "io error", "user error", "other"];

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

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::operation::get_policy::GetPolicyError;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;
    use crate::aws::error::reading;
    use crate::aws::kind::SIGNATURE;
    use crate::aws::text::{LONGEST_MESSAGE, clean};
    use crate::model::live::{Reading, Unread};

    fn service_error(action: &'static str, code: &str, message: &str) -> AwsError {
        let meta = ErrorMetadata::builder().code(code).message(message).build();
        let mut raw = HttpResponse::new(400.try_into().expect("a status"), SdkBody::empty());
        raw.headers_mut().insert("x-amzn-requestid", "r-1");
        classify(action, "x", &SdkError::service_error(GetPolicyError::generic(meta), raw))
    }

    /// Without it, whose login is over would be asked to choose a profile.
    #[test]
    fn an_expired_login_is_told_from_missing_credentials() {
        let kind = |words: &'static str| {
            let missing = CredentialsError::provider_error(words);
            let error = SdkError::<GetPolicyError, HttpResponse>::construction_failure(missing);
            let error = classify("sts:GetCallerIdentity", "*", &error);
            (error.kind, error.hints().join("; "))
        };
        let (expired, hints) = kind("the SSO token has expired and cannot be refreshed");
        assert_eq!(expired, ErrorKind::ExpiredCredentials);
        assert!(hints.contains("aws sso login"), "{hints}");
        assert_eq!(kind("no such file").0, ErrorKind::NoCredentials);
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

    /// Without it, people would look for other credentials where the clock is off, or the region isn't enabled; or for rights
    /// that they have.
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
