//! What stands in for a rotation function that the machine can't run: the contract's four steps, without any service.
//!
//! It calls Secrets Manager's own operations, as the function would, so that a simulated rotation obeys the same rules.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::sandbox::secretsmanager;
use crate::sandbox::service::{Call, Service, Shared};
use crate::sandbox::state::Scope;
use crate::sandbox::wire::ApiError;
use crate::sandbox::wire::arn::Arn;

/// One step of a rotation, as Secrets Manager's event names it.
pub(super) struct Step {
    name: String,
    secret: String,
    token: String,
}

impl Step {
    /// Reads an event; `None`: it is none of a rotation.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let event: Value = serde_json::from_slice(payload).ok()?;
        let text = |key: &str| event.get(key)?.as_str().map(str::to_owned);
        Some(Self { name: text("Step")?, secret: text("SecretId")?, token: text("ClientRequestToken")? })
    }

    /// Such as `createSecret`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// Does what the step's contract asks for.
pub(super) async fn step(shared: &Arc<Shared>, scope: &Scope, step: &Step) -> Result<(), ApiError> {
    // A secret of another account is changed as its own account would: what is simulated needs no token.
    let owner = Arn::parse(&step.secret).map(|arn| Scope::new(arn.account, arn.region));
    let api = Api { shared, scope: owner.as_ref().unwrap_or(scope) };
    let described = api.call("DescribeSecret", json!({ "SecretId": step.secret })).await?;
    let stages = described.get("VersionIdsToStages").cloned().unwrap_or_default();
    let holds = |version: &Value, stage: &str| {
        version.as_array().is_some_and(|stages| stages.iter().any(|given| given == stage))
    };
    if stages.get(&step.token).is_some_and(|version| holds(version, "AWSCURRENT")) {
        return Ok(());
    }
    match step.name.as_str() {
        "createSecret" => {
            let version = json!({ "SecretId": step.secret, "VersionId": step.token, "VersionStage": "AWSPENDING" });
            if api.call("GetSecretValue", version).await.is_ok() {
                return Ok(());
            }
            let password = api.call("GetRandomPassword", json!({ "ExcludePunctuation": true })).await?;
            let value = json!({ "username": "simulated", "password": password["RandomPassword"] }).to_string();
            let request = json!({
                "SecretId": step.secret,
                "ClientRequestToken": step.token,
                "SecretString": value,
                "VersionStages": ["AWSPENDING"],
            });
            api.call("PutSecretValue", request).await.map(drop)
        }
        "finishSecret" => {
            let current = stages
                .as_object()
                .and_then(|all| all.iter().find(|(_, version)| holds(version, "AWSCURRENT")))
                .map(|(id, _)| id.clone());
            let mut request = json!({
                "SecretId": step.secret,
                "VersionStage": "AWSCURRENT",
                "MoveToVersionId": step.token,
            });
            if let Some(current) = current {
                request["RemoveFromVersionId"] = json!(current);
            }
            api.call("UpdateSecretVersionStage", request).await.map(drop)
        }
        // There is no service to set anything on, or to sign in to.
        _ => Ok(()),
    }
}

struct Api<'a> {
    shared: &'a Arc<Shared>,
    scope: &'a Scope,
}

impl Api<'_> {
    async fn call(&self, operation: &str, request: Value) -> Result<Value, ApiError> {
        let call = Call {
            service: Service::SecretsManager,
            operation: operation.to_owned(),
            account: self.scope.account.clone(),
            region: self.scope.region.clone(),
            request_id: uuid::Uuid::new_v4().to_string(),
            access_key: self.scope.account.clone(),
            principal: "lambda.amazonaws.com".to_owned(),
            now: self.shared.now(),
        };
        let request = match request {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        let response = secretsmanager::handle(self.shared, &call, request).await?;
        Ok(serde_json::from_slice(&response.body).unwrap_or_default())
    }
}
