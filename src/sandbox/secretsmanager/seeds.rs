//! Secrets that rehearsals and tests take for granted: made with a value, or with a made-up one.

use serde_json::json;

use super::password;
use super::secret::{CURRENT, Secret, Value, Version};
use crate::service::Shared;

/// Creates a secret with a value, or with a made-up one; false where the name is taken.
pub fn seed(shared: &Shared, account: &str, region: &str, name: &str, value: Option<&str>) -> bool {
    create(shared, account, region, name, (value, None), None)
}

/// Puts a value in the place of one that was made up, as long as no rotation has replaced that; false where it was none.
pub fn reseed(shared: &Shared, account: &str, region: &str, name: &str, value: &str) -> bool {
    let is_made_up = |secret: &Secret| {
        secret.version_with(CURRENT).and_then(|id| secret.versions.get(id)).is_some_and(|version| version.made_up)
    };
    if !shared.read(account, region, |region| region.secrets.find(name).is_some_and(|secret| is_made_up(secret))) {
        return false;
    }
    shared.write(account, region, |region| {
        let Some(secret) = region.secrets.edit(name) else { return false };
        let current = secret.version_with(CURRENT).map(str::to_owned);
        let Some(version) = current.and_then(|id| secret.versions.get_mut(&id)) else { return false };
        version.value = Some(Value::Text(value.to_owned()));
        version.made_up = false;
        true
    })
}

/// Gives a secret the value with which it began, in place of what rotations have made of it since: its service has begun anew, too.
/// What a rotation was making is to be made again.
pub fn begin_anew(shared: &Shared, account: &str, region: &str, name: &str, value: &str) {
    shared.write(account, region, |region| {
        let Some(secret) = region.secrets.edit(name) else { return };
        let (current, pending) =
            (secret.version_with(CURRENT).map(str::to_owned), secret.unfinished().map(str::to_owned));
        secret.versions.retain(|id, _| current.as_ref() == Some(id) || pending.as_ref() == Some(id));
        if let Some(version) = pending.and_then(|id| secret.versions.get_mut(&id)) {
            version.value = None;
        }
        if let Some(version) = current.and_then(|id| secret.versions.get_mut(&id)) {
            version.value = Some(Value::Text(value.to_owned()));
            version.made_up = false;
        }
    });
}

/// Creates a secret with a made-up value as another service does, which alone may configure it then; false where the name
/// is taken.
pub fn create_owned(shared: &Shared, account: &str, region: &str, name: &str, owner: Option<&str>) -> bool {
    create(shared, account, region, name, (None, owner), None)
}

/// The type of a partner's secret of which nothing is known but that it is one.
const SOME_PARTNER: &str = "SandboxPartner";

/// Creates a secret with a made-up value that a partner holds; false where the name is taken.
pub fn create_of_partner(shared: &Shared, account: &str, region: &str, name: &str) -> bool {
    create(shared, account, region, name, (None, None), Some(SOME_PARTNER))
}

fn create(
    shared: &Shared,
    account: &str,
    region: &str,
    name: &str,
    (value, owner): (Option<&str>, Option<&str>),
    partner: Option<&str>,
) -> bool {
    let now = shared.now();
    let known = shared.read(account, region, |region| region.secrets.find(name).is_some());
    if known {
        return false;
    }
    let mut secret = Secret::new(account, region, name, now);
    secret.owning_service = owner.map(str::to_owned);
    secret.partner = partner.map(str::to_owned);
    if let Some(owner) = owner {
        secret.tags.push(("aws:secretsmanager:owningService".to_owned(), owner.to_owned()));
        secret.tagged = true;
    }
    let made_up = || json!({"username": "sandbox", "password": password::made_up(32)}).to_string();
    let text = Value::Text(value.map_or_else(made_up, str::to_owned));
    let version = Version { made_up: value.is_none(), ..Version::new(Some(text), &[CURRENT], now) };
    secret.versions.insert(uuid::Uuid::new_v4().to_string(), version);
    shared.write(account, region, |region| region.secrets.insert(secret));
    true
}
