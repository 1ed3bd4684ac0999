//! What a manifest of this version can say. Whatever it can't is left out with its reason: where the format grows, this file does.

use super::LeftOut;
use crate::config::facts;
use crate::model::RotationRules;
use crate::model::arn::function_name;
use crate::model::record::SecretRecord;
use crate::model::schedule::check_window;

/// Who rotates a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// A function.
    Function,
    /// The service that owns it.
    Service,
}

/// How a secret rotates, where a manifest can say that.
pub(super) fn way(record: &SecretRecord) -> Result<(Way, RotationRules), LeftOut> {
    if record.deletion.is_some() {
        return Err(LeftOut::ScheduledForDeletion);
    }
    if let Some(primary) = &record.replica_of {
        return Err(LeftOut::Replica { primary: primary.clone() });
    }
    // There is no field for the role and the metadata that a partner's rotation is asked for with.
    if let Some(kind) = &record.partner_type {
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
    let way = if record.owning_service.is_some() { Way::Service } else { Way::Function };
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

/// Whether a manifest takes two functions of one target for one: it goes by the name alone.
pub(super) fn are_one(reference: &str, other: &str) -> bool {
    function_name(reference) == function_name(other)
}
