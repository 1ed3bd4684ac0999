//! Stand-ins for rotation functions that a manifest uses and doesn't deploy.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};

use serde_json::{Map, Value};
use zip::result::ZipResult;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::configuration;
use super::policy::{Permission, Policy};
use super::reference::function_arn;
use super::state::{Code, Function, Phase, Settings, Version};
use crate::service::Shared;
use crate::wire::arn::partition;

/// Its code: the contract, and no service.
const CODE: &str = include_str!("stand_in.py");

/// Creates a rotation function that Secrets Manager may invoke; false where the name is taken, or can't be made.
pub fn seed(shared: &Shared, account: &str, region: &str, name: &str) -> bool {
    let Some(code) = package().ok().and_then(|zip| Code::new(&zip).ok()) else { return false };
    let settings = Settings {
        runtime: "python3.13".to_owned(),
        role: format!("arn:{}:iam::{account}:role/stand-in", partition(region)),
        handler: "lambda_function.lambda_handler".to_owned(),
        description: "Stands in for a rotation function that exists on AWS".to_owned(),
        timeout: 30,
        ..Settings::default()
    };
    let Some(function) = function(shared, (account, region), name, settings, code) else { return false };
    shared.write(account, region, |region| {
        if region.functions.functions.contains_key(name) {
            return false;
        }
        region.functions.functions.insert(name.to_owned(), function);
        true
    })
}

/// Puts a function in its place, over one of its name: with what `CreateFunction` says of its configuration. Its ARN; an error says why
/// it can't be.
pub fn put(
    shared: &Shared,
    account: &str,
    region: &str,
    body: &Map<String, Value>,
    zip: &[u8],
) -> Result<String, String> {
    let name = body.get("FunctionName").and_then(Value::as_str).unwrap_or_default();
    let mut settings = Settings::default();
    configuration::apply(&mut settings, body).map_err(|error| error.message)?;
    configuration::apply_architecture(&mut settings, body);
    let code = Code::new(zip).map_err(|error| error.to_string())?;
    let function = function(shared, (account, region), name, settings, code)
        .ok_or_else(|| format!("`{name}` can't be permitted to Secrets Manager"))?;
    let arn = function.arn.clone();
    shared.write(account, region, |region| region.functions.functions.insert(name.to_owned(), function));
    Ok(arn)
}

/// A function that Secrets Manager may invoke for secrets of its own account.
fn function(
    shared: &Shared,
    (account, region): (&str, &str),
    name: &str,
    settings: Settings,
    code: Code,
) -> Option<Function> {
    let arn = function_arn(account, region, name);
    let mut policy = Policy::default();
    let permission = Permission {
        statement_id: "SecretsManagerAccess".to_owned(),
        action: "lambda:InvokeFunction".to_owned(),
        principal: "secretsmanager.amazonaws.com".to_owned(),
        source_account: Some(account.to_owned()),
        ..Permission::default()
    };
    policy.add(&permission, arn.clone()).ok()?;
    Some(Function {
        name: name.to_owned(),
        arn,
        latest: Version::new(settings, code, shared.now(), Phase::Active),
        published: BTreeMap::new(),
        next_version: 1,
        aliases: BTreeMap::new(),
        policies: BTreeMap::from([(String::new(), policy)]),
        tags: BTreeMap::new(),
        reserved_concurrency: None,
    })
}

fn package() -> ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    // Without a time of its own, so that every sandbox makes the same bytes.
    zip.start_file("lambda_function.py", SimpleFileOptions::default().unix_permissions(0o644))?;
    zip.write_all(CODE.as_bytes())?;
    Ok(zip.finish()?.into_inner())
}
