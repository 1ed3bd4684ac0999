//! Stand-ins for rotation functions that a manifest uses and doesn't deploy.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};

use zip::result::ZipResult;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::policy::{Permission, Policy};
use super::reference::function_arn;
use super::state::{Code, Function, Phase, Settings, Version};
use crate::service::Shared;
use crate::wire::arn::partition;

/// Its code: the contract, and no service.
const CODE: &str = include_str!("stand_in.py");

/// Creates a rotation function that Secrets Manager may invoke; false where the name is taken, or can't be made.
pub(super) fn seed(shared: &Shared, account: &str, region: &str, name: &str) -> bool {
    let Some(code) = package().ok().and_then(|zip| Code::new(&zip).ok()) else { return false };
    let now = shared.now();
    let arn = function_arn(account, region, name);
    let mut policy = Policy::default();
    let permission = Permission {
        statement_id: "SecretsManagerAccess".to_owned(),
        action: "lambda:InvokeFunction".to_owned(),
        principal: "secretsmanager.amazonaws.com".to_owned(),
        source_account: Some(account.to_owned()),
        ..Permission::default()
    };
    if policy.add(&permission, arn.clone()).is_err() {
        return false;
    }
    let settings = Settings {
        runtime: "python3.13".to_owned(),
        role: format!("arn:{}:iam::{account}:role/stand-in", partition(region)),
        handler: "lambda_function.lambda_handler".to_owned(),
        description: "Stands in for a rotation function that exists on AWS".to_owned(),
        timeout: 30,
        ..Settings::default()
    };
    let function = Function {
        name: name.to_owned(),
        arn,
        latest: Version::new(settings, code, now, Phase::Active),
        published: BTreeMap::new(),
        next_version: 1,
        aliases: BTreeMap::new(),
        policies: BTreeMap::from([(String::new(), policy)]),
        tags: BTreeMap::new(),
        reserved_concurrency: None,
    };
    shared.write(account, region, |region| {
        if region.functions.functions.contains_key(name) {
            return false;
        }
        region.functions.functions.insert(name.to_owned(), function);
        true
    })
}

fn package() -> ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    // Without a time of its own, so that every sandbox makes the same bytes.
    zip.start_file("lambda_function.py", SimpleFileOptions::default().unix_permissions(0o644))?;
    zip.write_all(CODE.as_bytes())?;
    Ok(zip.finish()?.into_inner())
}
