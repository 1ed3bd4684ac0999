//! The paths of all of the repository's operations, those included that aren't served: whoever calls one is told its name.

use crate::model::routes::{Route, route};

/// By operation.
pub const ROUTES: &[Route] = &[
    route("POST", "/applications", "CreateApplication"),
    route("PUT", "/applications/{applicationId}/versions/{semanticVersion}", "CreateApplicationVersion"),
    route("POST", "/applications/{applicationId}/changesets", "CreateCloudFormationChangeSet"),
    route("POST", "/applications/{applicationId}/templates", "CreateCloudFormationTemplate"),
    route("DELETE", "/applications/{applicationId}", "DeleteApplication"),
    route("GET", "/applications/{applicationId}", "GetApplication"),
    route("GET", "/applications/{applicationId}/policy", "GetApplicationPolicy"),
    route("GET", "/applications/{applicationId}/templates/{templateId}", "GetCloudFormationTemplate"),
    route("GET", "/applications/{applicationId}/dependencies", "ListApplicationDependencies"),
    route("GET", "/applications/{applicationId}/versions", "ListApplicationVersions"),
    route("GET", "/applications", "ListApplications"),
    route("PUT", "/applications/{applicationId}/policy", "PutApplicationPolicy"),
    route("POST", "/applications/{applicationId}/unshare", "UnshareApplication"),
    route("PATCH", "/applications/{applicationId}", "UpdateApplication"),
];
