//! Secrets that AWS rotates by itself, without a function of the account's: a service's own, and a partner's.

use std::collections::BTreeSet;

use crate::model::external::doubts;
use crate::model::live::LiveSecret;
use crate::model::{External, Secret};
use crate::plan::{FieldChange, ProblemKind, RotateSecret, Severity, Shown};

/// What is wrong, or may be, with how AWS is to rotate a secret by itself: a service's own, or a partner's.
pub(super) fn managed(
    secret: &Secret,
    live: &LiveSecret,
    request: Option<&RotateSecret>,
) -> Vec<(Severity, ProblemKind)> {
    let mut found = Vec::new();
    // Such a secret never takes a function, so the manifest is wrong whatever is live.
    match (&live.owning_service, &live.partner_type) {
        (Some(service), _) if secret.function.is_some() => {
            found.push((Severity::Error, ProblemKind::OwnedByService { service: service.clone() }));
        }
        (None, Some(partner)) if secret.function.is_some() => {
            found.push((Severity::Error, ProblemKind::HeldByPartner { partner: partner.clone() }));
        }
        (Some(service), _) if request.is_some() && WITHOUT_ROTATION.contains(&service.as_str()) => {
            found.push((Severity::Warning, ProblemKind::NotRotatedByService { service: service.clone() }));
        }
        _ => {}
    }
    if secret.external.is_some() && live.partner_type.is_none() {
        found.push((Severity::Error, ProblemKind::NotExternal));
    }
    let Some(partner) = live.partner_type.as_ref().filter(|_| live.owning_service.is_none()) else { return found };
    let stays = wanted_external(secret, live).unwrap_or_else(|| live.external.clone());
    if request.is_some() && stays.role.is_none() {
        found.push((Severity::Error, ProblemKind::NoExternalRole { partner: partner.clone() }));
    }
    let rules = secret.rotation.rules.as_ref().or(live.rules.as_ref().filter(|_| live.is_on()));
    if secret.rotation.enabled != Some(false) {
        let doubts = doubts(Some(partner), &stays.metadata, rules).into_iter();
        let doubt = |doubt| (Severity::Warning, ProblemKind::ExternalDoubt { partner: partner.clone(), doubt });
        found.extend(doubts.map(doubt));
    }
    found
}

/// Services that own secrets and, as far as is known, offer no rotation of them (Secrets Manager user guide, "Secrets managed by other
/// services").
const WITHOUT_ROTATION: [&str; 9] = [
    "appflow",
    "databrew",
    "directconnect",
    "events",
    "marketplace",
    "opsworks-cm",
    "pcs",
    "sqlworkbench",
    "sqlworkbench-connection",
];

/// What a managed external secret is to rotate with, with what stays of it.
pub(super) fn wanted_external(secret: &Secret, live: &LiveSecret) -> Option<External> {
    secret.external.as_ref().filter(|stated| !stated.is_empty()).map(|stated| live.external.with(stated))
}

/// What differs between two ways to rotate a managed external secret.
pub fn external_fields(before: &External, after: &External) -> Vec<FieldChange> {
    let mut fields = Vec::new();
    if before.role != after.role {
        fields.push(FieldChange::new(
            "external.role",
            Shown::option(before.role.as_ref()),
            Shown::option(after.role.as_ref()),
        ));
    }
    let keys: BTreeSet<&String> = before.metadata.keys().chain(after.metadata.keys()).collect();
    for key in keys {
        let (was, is) = (before.metadata.get(key), after.metadata.get(key));
        if was != is {
            let path = format!("external.metadata.{key}");
            fields.push(FieldChange::new(path, Shown::option(was), Shown::option(is)));
        }
    }
    fields
}
