//! What is saved of the repository.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Time;

/// An account's templates in a region: what `CreateCloudFormationTemplate` made.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// By id.
    pub templates: BTreeMap<String, Template>,
}

/// A version of an application, made ready for deployment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Template {
    /// The application's ARN.
    pub application: String,
    /// The application's version.
    pub version: String,
    /// Since when.
    pub created: Time,
}
