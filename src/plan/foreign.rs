//! What functions are made of, or are themselves, that belongs to an account which no target names: other people's code, which
//! rotates secrets of this one. It stands on top of every plan that uses it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::arn::Arn;
use crate::model::live::Reading;
use crate::model::{Address, CodeSource, Desired, Function, FunctionSource, Kind, Live, templates};

pub use super::breach::{Foreign, ForeignKind};
use super::{Note, NoteKind, Plan};

/// Writes into a plan what its functions use of accounts that aren't among `accounts`, nor the plan's own.
pub fn hold(plan: &mut Plan, desired: &Desired, live: &Live, accounts: &BTreeSet<String>) {
    let is_known = |account: &str| account == plan.account || accounts.contains(account);
    let mut found: BTreeMap<Foreign, Address> = BTreeMap::new();
    let mut add = |kind, name: &str, account: Option<String>, address: &Address| {
        found.entry(Foreign { kind, name: name.to_owned(), account }).or_insert_with(|| address.clone());
    };
    for (handle, function) in &desired.functions {
        let address = desired.address(Kind::Function, handle);
        let live = live.functions.get(handle).and_then(|live| live.configuration.found());
        for (kind, name, account) in
            used(function, live.and_then(|live| live.settings.layers.as_deref()), live.map(|live| &live.arn))
        {
            if account.as_deref().is_none_or(|account| !is_known(account)) {
                add(kind, &name, account, &address);
            }
        }
    }
    // A secret whose entry names no function rotates with the one that it has.
    for (handle, secret) in desired.secrets.iter().filter(|(_, secret)| secret.function.is_none()) {
        let found =
            live.secrets.get(handle).and_then(Reading::found).filter(|_| secret.rotation.enabled != Some(false));
        let Some((live, arn)) = found.and_then(|live| Some((live, live.function_arn.as_ref()?))) else { continue };
        let attached = live.attached.as_ref().and_then(|attached| attached.configuration.found());
        let layers = attached.and_then(|live| live.settings.layers.as_ref()).into_iter().flatten();
        let layers = layers.map(|layer| (ForeignKind::Layer, layer));
        for (kind, name) in std::iter::once((ForeignKind::Function, arn)).chain(layers) {
            if let Some(account) = account_of(name).filter(|account| !is_known(account)) {
                add(kind, name, Some(account), &desired.address(Kind::Secret, handle));
            }
        }
    }
    plan.notes.extend(
        found.into_iter().map(|(foreign, address)| Note { address: Some(address), kind: NoteKind::Foreign(foreign) }),
    );
}

/// What a function uses that has an account of its own: each with the account, as far as it is known.
fn used(
    function: &Function,
    layers: Option<&[String]>,
    arn: Option<&String>,
) -> Vec<(ForeignKind, String, Option<String>)> {
    let mut used = Vec::new();
    let mut with_account = |kind, name: &str| {
        if let Some(account) = account_of(name) {
            used.push((kind, name.to_owned(), Some(account)));
        }
    };
    let mut stated = None;
    match &function.source {
        FunctionSource::Existing { reference } => match arn {
            Some(arn) => with_account(ForeignKind::Function, arn),
            None => with_account(ForeignKind::Function, reference),
        },
        FunctionSource::Deployed(deployment) => {
            let id = &deployment.application.id;
            let of_aws = id.parse::<Arn>().ok().and_then(|arn| templates(&arn.partition));
            if !of_aws.is_some_and(|start| id.starts_with(start)) {
                with_account(ForeignKind::Application, id);
            }
            stated = deployment.settings.layers.as_deref();
        }
    }
    for layer in stated.or(layers).into_iter().flatten() {
        with_account(ForeignKind::Layer, layer);
    }
    let code = function.deployment().and_then(|deployment| deployment.code.as_ref());
    if let Some(CodeSource::S3 { bucket, .. }) = code.map(|code| &code.source) {
        used.push((ForeignKind::Bucket, bucket.clone(), None));
    }
    used
}

/// The account in an ARN, or in a function's partial ARN; `None` where there is none, or it is AWS itself.
fn account_of(name: &str) -> Option<String> {
    let account = match name.parse::<Arn>() {
        Ok(arn) => arn.account,
        Err(_) => name.split_once(":function:")?.0.to_owned(),
    };
    (!account.is_empty() && account != "aws").then_some(account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures::{arn, desired, live, live_configuration, live_secret, wanted};

    fn found(desired: &Desired, live: &Live, accounts: &[&str]) -> Vec<(String, &'static str, Option<String>)> {
        let mut plan = Plan { account: live.account.clone(), ..Plan::default() };
        hold(&mut plan, desired, live, &accounts.iter().map(|one| (*one).to_owned()).collect());
        let one = |note: Note| match note.kind {
            NoteKind::Foreign(foreign) => {
                (note.address.expect("an address").to_string(), foreign.kind.word(), foreign.account)
            }
            other => panic!("{other:?}"),
        };
        plan.notes.into_iter().map(one).collect()
    }

    const THEIRS: &str = "666666666666";

    /// Without it, a stranger's layer, application, bucket or function would rotate secrets, and no reviewer be told whose it is.
    #[test]
    fn what_belongs_to_others_is_said() {
        let (mut desired, mut live) = (desired(), live());
        assert_eq!(found(&desired, &live, &[]), [], "AWS's application and code of the manifest");
        let application = format!("arn:aws:serverlessrepo:us-east-1:{THEIRS}:applications/evil");
        wanted(&mut desired).application.id = application;
        let layer = |account: &str| format!("arn:aws:lambda:eu-west-1:{account}:layer:l:1");
        wanted(&mut desired).settings.layers = Some(vec![layer(THEIRS), layer(&live.account), layer("222222222222")]);
        let bucket = CodeSource::S3 {
            bucket: "theirs".to_owned(),
            key: "k".to_owned(),
            object_version: None,
            sha256: "h".to_owned(),
        };
        wanted(&mut desired).code.as_mut().expect("built there").source = bucket;
        let of = |kind, account: Option<&str>| ("function.f".to_owned(), kind, account.map(str::to_owned));
        assert_eq!(
            found(&desired, &live, &["222222222222"]),
            [of("application", Some(THEIRS)), of("layer", Some(THEIRS)), of("bucket", None)]
        );
        // A target that names the account answers for it.
        assert_eq!(found(&desired, &live, &["222222222222", THEIRS]), [of("bucket", None)]);
        // Where the manifest states no layers, those on AWS stay.
        desired = self::desired();
        live_configuration(&mut live).settings.layers = Some(vec![layer(THEIRS)]);
        assert_eq!(found(&desired, &live, &[]), [of("layer", Some(THEIRS))]);
    }

    /// Without it, a function of another account would rotate a secret unseen, whichever way it is named.
    #[test]
    fn functions_of_others_are_said_however_they_are_named() {
        let (mut desired, mut live) = (desired(), live());
        live.functions.clear();
        let of = |address: &str| (address.to_owned(), "function", Some(THEIRS.to_owned()));
        for (reference, foreign) in [
            (format!("arn:aws:lambda:eu-west-1:{THEIRS}:function:x"), true),
            (format!("arn:aws:lambda:eu-west-1:{THEIRS}:function:x:live"), true),
            (format!("{THEIRS}:function:x"), true),
            (arn("x"), false),
            ("x".to_owned(), false),
        ] {
            desired.functions.get_mut("f").expect("built there").source = FunctionSource::Existing { reference };
            assert_eq!(found(&desired, &live, &[]), if foreign { vec![of("function.f")] } else { vec![] });
        }
        desired.functions.clear();
        desired.secrets.get_mut("s").expect("built there").function = None;
        live_secret(&mut live).function_arn = Some(format!("arn:aws:lambda:eu-west-1:{THEIRS}:function:x"));
        assert_eq!(found(&desired, &live, &[]), [of("secret.s")]);
    }
}
