//! AWS Security Token Service: who calls, and temporary credentials of roles (any role: there is no IAM here).

pub(super) mod inputs;

use std::time::Duration;

use super::call::Call;
use super::operations;
use super::service::Shared;
use super::sessions::Credentials;
use super::wire::arn::{self, Arn};
use super::wire::query::{self, Query};
use super::wire::xml::Xml;
use super::wire::{ApiError, Response};

/// How long temporary credentials last where nothing else is said.
const HOUR: Duration = Duration::from_hours(1);

/// Answers a call.
pub fn handle(shared: &Shared, call: &Call, request: &Query) -> Result<Response, ApiError> {
    request.check(call.service, operations::input(call.service, &call.operation)?)?;
    match call.operation.as_str() {
        "GetCallerIdentity" => Ok(identity(shared, call)),
        "AssumeRole" => {
            let credentials = assume(shared, request)?;
            Ok(query::answer(call, |xml| write(xml, &credentials)))
        }
        "AssumeRoleWithWebIdentity" => {
            let credentials = assume(shared, request)?;
            Ok(query::answer(call, |xml| {
                write(xml, &credentials);
                xml.text("SubjectFromWebIdentityToken", "sandbox");
                xml.text("Audience", "sts.amazonaws.com");
            }))
        }
        "GetAccessKeyInfo" => {
            let account = account_of(shared, request.required("AccessKeyId"));
            Ok(query::answer(call, |xml| xml.text("Account", &account)))
        }
        other => Err(ApiError::not_served(call.service, other)),
    }
}

/// The account of an access key id: an issued session's, the key itself where it is an account id, else the default.
pub fn account_of(shared: &Shared, access_key: &str) -> String {
    if let Some(session) = shared.session(access_key) {
        session.account
    } else if is_account(access_key) {
        access_key.to_owned()
    } else {
        shared.options().account.clone()
    }
}

fn identity(shared: &Shared, call: &Call) -> Response {
    let user_id = shared.session(&call.access_key).map_or_else(|| call.account.clone(), |session| session.user_id);
    query::answer(call, |xml| {
        xml.text("Arn", &call.principal);
        xml.text("UserId", &user_id);
        xml.text("Account", &call.account);
    })
}

fn assume(shared: &Shared, request: &Query) -> Result<Credentials, ApiError> {
    let (role, session) = (request.required("RoleArn"), request.required("RoleSessionName"));
    let account = Arn::parse(role)
        .filter(|arn| arn.service == "iam" && arn.resource.starts_with("role/") && is_account(arn.account))
        .map(|arn| arn.account)
        .ok_or_else(|| ApiError::new(400, "ValidationError", format!("{role} is invalid")))?;
    let lasts = request.get("DurationSeconds").and_then(|text| text.parse().ok()).map_or(HOUR, Duration::from_secs);
    Ok(shared.issue_session(account, role, session, lasts))
}

fn write(xml: &mut Xml, credentials: &Credentials) {
    xml.element("AssumedRoleUser", |xml| {
        xml.text("AssumedRoleId", &credentials.user_id);
        xml.text("Arn", &credentials.principal);
    });
    xml.element("Credentials", |xml| {
        xml.text("AccessKeyId", &credentials.access_key_id);
        xml.text("SecretAccessKey", &credentials.secret_access_key);
        xml.text("SessionToken", &credentials.session_token);
        xml.time("Expiration", credentials.expiration);
    });
}

/// The ARN of a caller whose key isn't a session's.
pub fn user_arn(account: &str, region: &str) -> String {
    format!("arn:{}:iam::{account}:root", arn::partition(region))
}

/// Whether a caller's ARN is that of a session of a role, or of somebody in another account than this.
pub fn acts_for_another(principal: &str, account: &str) -> bool {
    Arn::parse(principal).is_some_and(|arn| arn.resource.starts_with("assumed-role/") || arn.account != account)
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}
