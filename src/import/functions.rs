//! What a function that secrets rotate with is used as.

use std::collections::BTreeMap;

use super::{LeftOut, Place, Remark, Source, Wanted, sayable};
use crate::config::facts;
use crate::model::account::TaggedSecret;
use crate::model::arn::Arn;
use crate::model::live::{Configuration, LiveStack, Reading, Unread};
use crate::model::{PROJECT_TAG, SAR_APPLICATION_TAG, SAR_STACK_PREFIXES, SHARED_TAG, STACK_TAG, templates};
use crate::plan::planner::permits;

/// How the generic template is called among AWS's.
const GENERIC: &str = "SecretsManagerRotationTemplate";

/// The keys of tags by which people say what manages something, without regard to case, `-` and `_`.
const MANAGED_BY: [&str; 5] = ["managedby", "provisionedby", "createdby", "terraform", "iac"];

/// What a function is to the secrets that name it.
#[derive(Debug, Clone)]
pub(super) enum Use {
    /// The root has it, under this handle.
    Known(String),
    /// It gets an entry.
    New(Source, Vec<Remark>),
    /// Its secrets are left out.
    Refused(LeftOut),
}

/// All functions of a place, by the ARN that secrets name. `secrets`: how many rotate with each.
pub(super) fn uses(place: &Place<'_>, wanted: &Wanted<'_>, secrets: &BTreeMap<&str, usize>) -> BTreeMap<String, Use> {
    let mut found: BTreeMap<String, Use> =
        secrets.keys().map(|arn| ((*arn).to_owned(), one(arn, place, wanted))).collect();
    // Where a manifest takes several for one, the one with most secrets is it.
    let mut new: Vec<String> =
        found.iter().filter(|(_, one)| matches!(one, Use::New(..))).map(|(arn, _)| arn.clone()).collect();
    new.sort_by_key(|arn| (usize::MAX - secrets.get(arn.as_str()).copied().unwrap_or_default(), arn.clone()));
    let mut named: Vec<String> = place.managed.functions().cloned().collect();
    for arn in new {
        if named.iter().any(|other| sayable::are_one(&arn, other)) {
            found.insert(arn.clone(), Use::Refused(LeftOut::SameFunction { function: arn }));
        } else {
            named.push(arn);
        }
    }
    found
}

fn one(arn: &str, place: &Place<'_>, wanted: &Wanted<'_>) -> Use {
    if let Some(handle) = place.managed.function(arn) {
        return Use::Known(handle.clone());
    }
    if place.managed.releases_function(arn) {
        return Use::Refused(LeftOut::Released);
    }
    let function = || arn.to_owned();
    let read = place.account.functions.get(arn);
    let configuration = match read.map(|function| &function.configuration) {
        None | Some(Reading::Absent) => return Use::Refused(LeftOut::FunctionGone { function: function() }),
        Some(Reading::Found(live)) if live.state == "Failed" => {
            return Use::Refused(LeftOut::FunctionFailed { function: function() });
        }
        Some(Reading::Found(live)) => Ok(live),
        Some(Reading::Unread(unread)) => Err(unread),
    };
    let tag = |name: &str| configuration.ok().and_then(|live| live.tags.as_ref().ok()?.get(name));
    let project = tag(PROJECT_TAG).filter(|project| *project != wanted.project);
    let is_shared = tag(SHARED_TAG).is_some_and(|shared| shared == "true");
    if let Some(project) = project.filter(|_| !is_shared) {
        return Use::Refused(LeftOut::OtherProject { function: function(), project: project.clone() });
    }
    let (reference, account) = reference(arn, place);
    if let Err(reason) = sayable::function(&reference) {
        return Use::Refused(LeftOut::Function { function: function(), reason });
    }
    let mut remarks: Vec<Remark> = account.map(|account| Remark::OtherAccount { account }).into_iter().collect();
    let stack = configuration.ok().and_then(|live| stack_of(live, place));
    if let (Some(stack), Ok(live)) = (stack, configuration)
        && (wanted.adopts || tag(PROJECT_TAG).is_some_and(|project| project == wanted.project))
        && let Some(source) = adopted(arn, live, stack, place, wanted)
    {
        return Use::New(source, remarks);
    }
    remarks.extend(project.map(|project| Remark::SharedBy { project: project.clone() }));
    match configuration {
        Ok(live) => {
            remarks.extend(live.tags.as_ref().err().map(|unread| Remark::Unread { action: action_of(unread) }));
            let in_terraform = wanted.terraform.and_then(|terraform| terraform.function(arn));
            let in_terraform = in_terraform.map(|address| Remark::InTerraform { address: address.clone() });
            remarks.extend(in_terraform.or_else(|| made_by(live, stack, place)));
        }
        Err(unread) => remarks.push(Remark::Unread { action: action_of(unread) }),
    }
    Use::New(Source::Existing(reference), remarks)
}

/// How a manifest names a function: by its name where it is of the place's own account and region. The second value is the account of
/// another one's.
fn reference(arn: &str, place: &Place<'_>) -> (String, Option<String>) {
    let here = |parsed: &Arn| {
        parsed.account == place.account.account
            && parsed.region == place.account.region
            && parsed.partition == place.account.partition
    };
    match arn.parse::<Arn>() {
        Ok(parsed) if here(&parsed) => match parsed.resource.strip_prefix("function:") {
            Some(name) => (name.to_owned(), None),
            None => (arn.to_owned(), None),
        },
        Ok(parsed) => (arn.to_owned(), Some(parsed.account).filter(|account| *account != place.account.account)),
        Err(_) => (arn.to_owned(), None),
    }
}

fn action_of(unread: &Unread) -> Option<String> {
    match unread {
        Unread::Denied { action, .. } => Some(action.clone()),
        Unread::Failed { call, .. } => call.as_ref().map(|call| call.action.clone()),
    }
}

/// The stack of the list that made a function.
fn stack_of<'a>(live: &Configuration, place: &Place<'a>) -> Option<&'a LiveStack> {
    let stacks = place.account.stacks.as_ref().ok()?;
    let tagged = live.tags.as_ref().ok().and_then(|tags| tags.get(STACK_TAG));
    let is_its = |stack: &&LiveStack| match tagged {
        Some(name) => stack.name == *name,
        None => stack.function.as_ref() == Some(&live.name),
    };
    stacks.iter().find(is_its)
}

/// A function that this project can deploy from now on without changing more of it than the stack's tag.
fn adopted(
    arn: &str,
    live: &Configuration,
    stack: &LiveStack,
    place: &Place<'_>,
    wanted: &Wanted<'_>,
) -> Option<Source> {
    let application = stack.tags.get(SAR_APPLICATION_TAG)?;
    let is_generic = is_generic(application, place);
    let rests = matches!(stack.status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE");
    let is_free = stack.tags.get(PROJECT_TAG).is_none_or(|project| project == wanted.project);
    let is_its = stack.function.as_ref().is_none_or(|name| *name == live.name);
    // What rotates with a version or an alias isn't what a deployed function's handle means.
    let is_whole = live.arn == arn;
    let policy = place.account.functions.get(arn)?.policy.found();
    let is_permitted = policy.is_some_and(|statements| permits(statements, &place.account.account));
    // A stack that is shared already stays so only where the manifest says it.
    let is_shared = stack.tags.contains_key(SHARED_TAG);
    let name = SAR_STACK_PREFIXES.iter().find_map(|prefix| stack.name.strip_prefix(prefix));
    let name = name.unwrap_or(&stack.name);
    let is_sayable = facts::function_name(&live.name).is_ok() && facts::stack_name(name).is_ok();
    let fits = is_generic && rests && is_free && is_its && is_whole && is_permitted && !is_shared && is_sayable;
    fits.then(|| Source::Adopted { name: live.name.clone(), stack: name.to_owned(), code: None })
}

/// What a function's tags and stack say of who made it.
fn made_by(live: &Configuration, stack: Option<&LiveStack>, place: &Place<'_>) -> Option<Remark> {
    let tags = live.tags.as_ref().ok();
    let tag = |name: &str| tags.and_then(|tags| tags.get(name));
    let Some(name) = stack.map(|stack| &stack.name).or_else(|| tag(STACK_TAG)) else {
        return tags.is_some_and(of_terraform).then_some(Remark::OfTerraform);
    };
    let application = stack.and_then(|stack| stack.tags.get(SAR_APPLICATION_TAG)).or_else(|| tag(SAR_APPLICATION_TAG));
    Some(match application {
        Some(id) => Remark::OfRepository { stack: name.clone(), is_generic: is_generic(id, place) },
        None => Remark::OfStack { stack: name.clone() },
    })
}

/// Whether an application is AWS's generic template.
fn is_generic(application: &str, place: &Place<'_>) -> bool {
    templates(&place.account.partition).is_some_and(|all| application.strip_prefix(all) == Some(GENERIC))
}

/// What tags say of who made a secret, and with it perhaps its rotation.
pub(super) fn tagged_by(secret: &TaggedSecret, wanted: &Wanted<'_>) -> Option<Remark> {
    match secret.tags.get(STACK_TAG) {
        Some(stack) => Some(Remark::OfStack { stack: stack.clone() }),
        // What moves from Terraform is known better than by tags.
        None if wanted.terraform.is_some() => None,
        None => of_terraform(&secret.tags).then_some(Remark::OfTerraform),
    }
}

/// Whether tags say that Terraform manages something: people have such tags, and Terraform has none of its own.
fn of_terraform(tags: &BTreeMap<String, String>) -> bool {
    tags.iter().any(|(key, value)| {
        let key: String = key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        let value = value.to_ascii_lowercase();
        MANAGED_BY.contains(&key.as_str())
            && (value.contains("terraform") || value.contains("opentofu") || (key == "terraform" && value == "true"))
    })
}
