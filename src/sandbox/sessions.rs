//! Temporary credentials: those that STS gives, and those of functions' processes.

use std::time::Duration;

use super::clock::Time;
use super::state::{Session, World};
use super::wire::arn::Arn;

/// How many sessions are kept before those that have ended are forgotten.
const KEPT_SESSIONS: usize = 1_000;

/// Temporary credentials, issued by [`issue`].
#[derive(Debug, Clone)]
pub struct Credentials {
    /// `ASIA…`.
    pub access_key_id: String,
    /// Not checked.
    pub secret_access_key: String,
    /// Not checked.
    pub session_token: String,
    /// In service time.
    pub expiration: Time,
    /// `AROA…:SESSION`.
    pub user_id: String,
    /// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
    pub principal: String,
}

/// Issues temporary credentials for a role.
pub fn issue(world: &mut World, now: Time, account: &str, role: &str, session: &str, lasts: Duration) -> Credentials {
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
    credentials
}

/// The session token of a function's process. It says which function calls, as the credentials of its role do on AWS.
pub fn function_token(name: &str, role: &str) -> String {
    format!("{FUNCTION}{name}/{role}")
}

/// The caller's ARN, where a token is that of a function's process.
pub fn function_principal(token: &str, account: &str) -> Option<String> {
    let (name, role) = token.strip_prefix(FUNCTION)?.split_once('/')?;
    let arn = Arn::parse(role)?;
    let role_name = arn.resource.strip_prefix("role/")?.rsplit('/').next()?;
    Some(format!("arn:{}:sts::{account}:assumed-role/{role_name}/{name}", arn.partition))
}

const FUNCTION: &str = "sandbox-function/";

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
