//! The operations that are served, and what the request of each may hold: the tables of all services.

use super::model::Member;
use super::services::Service;
use super::wire::ApiError;

/// What the request of an operation may hold; the service's own error where it isn't served.
pub fn input(service: Service, operation: &str) -> Result<&'static [Member], ApiError> {
    let found = inputs(service).iter().find(|(name, _)| *name == operation);
    found.map(|(_, members)| *members).ok_or_else(|| ApiError::not_served(service, operation))
}

/// Whether an operation has a name that is known: of a service, or of any. It is served, or a path names it.
pub fn is_operation(service: Option<Service>, operation: &str) -> bool {
    let services = service.map_or(Service::ALL.to_vec(), |service| vec![service]);
    services.into_iter().any(|service| {
        let routes = match service {
            Service::Lambda => super::lambda::paths::ROUTES,
            Service::ServerlessRepo => super::serverlessrepo::paths::ROUTES,
            Service::SecretsManager | Service::CloudFormation | Service::Sts | Service::Logs | Service::CloudTrail => {
                &[]
            }
        };
        inputs(service).iter().any(|(name, _)| *name == operation)
            || routes.iter().any(|route| route.operation == operation)
    })
}

/// The operations of a service that are served, each with what its request may hold.
pub(super) fn inputs(service: Service) -> &'static [(&'static str, &'static [Member])] {
    match service {
        Service::SecretsManager => super::secretsmanager::inputs::INPUTS,
        Service::Lambda => super::lambda::inputs::INPUTS,
        Service::CloudFormation => super::cloudformation::inputs::INPUTS,
        Service::ServerlessRepo => super::serverlessrepo::inputs::INPUTS,
        Service::Sts => super::sts::inputs::INPUTS,
        Service::Logs => super::logs::inputs::INPUTS,
        Service::CloudTrail => super::cloudtrail::inputs::INPUTS,
    }
}
