//! What a manifest of this version can say. Whatever it can't is left out with its reason: where the format grows, this file does.

use super::LeftOut;
use crate::config::facts;
use crate::model::RotationRules;
use crate::model::arn::FunctionReference;
use crate::model::record::SecretRecord;
use crate::model::schedule::check_window;

/// Who rotates a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// A function.
    Function,
    /// AWS itself: for the service that owns it, or at a partner's.
    Aws,
}

/// How a secret rotates, where a manifest can say that.
pub(super) fn way(record: &SecretRecord) -> Result<(Way, RotationRules), LeftOut> {
    if record.deletion.is_some() {
        return Err(LeftOut::ScheduledForDeletion);
    }
    if let Some(primary) = &record.replica_of {
        return Err(LeftOut::Replica { primary: primary.clone() });
    }
    if let (Some(kind), false) = (&record.partner_type, record.is_on()) {
        return Err(LeftOut::Partner { kind: kind.clone() });
    }
    if let (Some(service), false) = (&record.owning_service, record.is_on()) {
        return Err(LeftOut::Service { service: service.clone(), rotates: false });
    }
    match record.rotation_enabled {
        None => return Err(LeftOut::Never),
        Some(false) => return Err(LeftOut::Off),
        Some(true) => {}
    }
    // The role and the metadata of a partner's stay as they are where a manifest doesn't say them.
    let is_of_aws = record.owning_service.is_some() || record.partner_type.is_some();
    let way = if is_of_aws { Way::Aws } else { Way::Function };
    if let Err(reason) = facts::secret_name(&record.name) {
        return Err(match &record.owning_service {
            Some(service) => LeftOut::Service { service: service.clone(), rotates: true },
            None => LeftOut::Name { reason },
        });
    }
    let Some(rules) = &record.rules else {
        return Err(LeftOut::Schedule { reason: "AWS says none".to_owned() });
    };
    match check_window(&rules.schedule, rules.duration_hours) {
        Ok(()) => Ok((way, rules.clone())),
        Err(error) => Err(LeftOut::Schedule { reason: error.reason }),
    }
}

/// Why a manifest can't name a function by a name or an ARN.
pub(super) fn function(reference: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:$".contains(c);
    if let Some(c) = reference.chars().find(|c| !plain(*c)) {
        return Err(format!("it holds `{}`", c.escape_debug()));
    }
    facts::function_reference(reference)
}

/// Whether a manifest takes two functions of one target for one: neither account, region, name nor version tells them apart.
pub(super) fn are_one(reference: &str, other: &str) -> bool {
    let (one, other) = (FunctionReference::of(reference), FunctionReference::of(other));
    let may_be = |stated: Option<&str>, other: Option<&str>| stated.is_none() || other.is_none() || stated == other;
    (one.name, one.qualifier) == (other.name, other.qualifier)
        && may_be(one.account, other.account)
        && may_be(one.region, other.region)
}
