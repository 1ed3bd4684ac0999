//! AWS Security Token Service: who calls, and temporary credentials of roles (any role: there is no IAM here).

pub(super) mod inputs;

use std::time::Duration;

use super::service::{Call, Credentials, Shared};
use super::state::Session;
use super::wire::arn::{self, Arn};
use super::wire::query::{self, Query};
use super::wire::xml::Xml;
use super::wire::{ApiError, Response};

/// How long temporary credentials last where nothing else is said.
const HOUR: Duration = Duration::from_hours(1);

/// How many sessions are kept before those that have ended are forgotten.
const KEPT_SESSIONS: usize = 1_000;

/// Answers a call.
pub fn handle(shared: &Shared, call: &Call, request: &Query) -> Result<Response, ApiError> {
    request.check(call)?;
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

/// Issues temporary credentials for a role.
pub(super) fn issue(shared: &Shared, account: &str, role: &str, session: &str, lasts: Duration) -> Credentials {
    let now = shared.now();
    // Paths are not part of an assumed role's ARN.
    let role_name = role.rsplit('/').next().unwrap_or(role);
    let partition = Arn::parse(role).map_or("aws", |arn| arn.partition);
    let credentials = Credentials {
        access_key_id: format!("ASIA{}", random(16, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")),
        secret_access_key: random(40, ALPHANUMERIC),
        session_token: random(120, ALPHANUMERIC),
        expiration: now.plus(lasts),
        user_id: format!("AROA{}:{session}", role_id(account, role_name)),
        principal: format!("arn:{partition}:sts::{account}:assumed-role/{role_name}/{session}"),
    };
    let mut world = shared.world();
    // Ended ones are kept while they are few: their callers are told so, instead of being taken for others.
    if world.sessions.len() >= KEPT_SESSIONS {
        world.sessions.retain(|_, session| session.expires > now);
    }
    world.sessions.insert(
        credentials.access_key_id.clone(),
        Session {
            account: account.to_owned(),
            principal: credentials.principal.clone(),
            user_id: credentials.user_id.clone(),
            expires: credentials.expiration,
        },
    );
    drop(world);
    shared.touch();
    credentials
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
    Ok(issue(shared, account, role, session, lasts))
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

const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

fn random(length: usize, alphabet: &[u8]) -> String {
    (0..length).map(|_| char::from(alphabet[fastrand::usize(..alphabet.len())])).collect()
}

/// The same for each session of a role, as IAM's ids are.
fn role_id(account: &str, role: &str) -> String {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    (account, role).hash(&mut hasher);
    format!("{:017X}", hasher.finish())
}
