//! What an apply did, as the sandbox saw it: its calls, and what of an account is other than before. Against what the plan
//! said.

use std::collections::{BTreeMap, BTreeSet};

use rotator::model::Kind;
use rotator::model::arn;
use rotator::plan::{Action, Change, Effect, Note, NoteKind, Plan, StepKind, order};
use serde_json::Value;

use super::tool::Planned;

/// One kind of AWS's resources in an account, by name.
type Named = BTreeMap<String, Value>;

/// An account's state, as far as somebody could have changed it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    secrets: Named,
    functions: Named,
    stacks: Named,
}

impl Seen {
    pub fn new(region: &Value) -> Self {
        let named = |of: &Value| -> Named {
            of.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        let stacks = named(&region["stacks"]["stacks"]).into_values();
        let living = stacks.filter(|stack| stack["status"] != "DELETE_COMPLETE");
        let by_name = living.map(|stack| (stack["name"].as_str().unwrap_or_default().to_owned(), stack));
        Self {
            secrets: named(&region["secrets"]["secrets"]),
            functions: named(&region["functions"]["functions"]),
            stacks: by_name.collect(),
        }
    }
}

fn differing(before: &Named, after: &Named) -> BTreeSet<String> {
    let names = before.keys().chain(after.keys());
    names.filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

/// The names for which a look gives another answer than before, of those that are there both times.
fn changed<T: PartialEq>(before: &Named, after: &Named, look: impl Fn(&Value) -> T) -> BTreeSet<String> {
    let both = before.iter().filter_map(|(name, then)| Some((name, then, after.get(name)?)));
    both.filter(|(_, then, now)| look(then) != look(now)).map(|(name, ..)| name.clone()).collect()
}

fn current(secret: &Value) -> Option<String> {
    let versions = secret["versions"].as_object()?;
    let holds = |version: &Value| {
        version["stages"].as_array().is_some_and(|stages| stages.iter().any(|stage| stage == "AWSCURRENT"))
    };
    versions.iter().find(|(_, version)| holds(version)).map(|(id, _)| id.clone())
}

fn is_on(secret: &Value) -> bool {
    secret["rotation"]["enabled"] == true
}

/// The names on AWS of the runnable changes that a test picks.
fn names(plan: &Plan, pick: impl Fn(&Change) -> bool) -> BTreeSet<String> {
    plan.runnable().filter(|change| pick(change)).map(|change| change.name.clone()).collect()
}

fn same(what: &str, announced: &BTreeSet<String>, observed: &BTreeSet<String>) -> Result<(), String> {
    if announced == observed {
        return Ok(());
    }
    Err(format!("{what}: the plan announced {announced:?}, and the sandbox saw {observed:?}"))
}

fn within(what: &str, announced: &BTreeSet<String>, observed: &BTreeSet<String>) -> Result<(), String> {
    let more: Vec<&String> = observed.difference(announced).collect();
    if more.is_empty() { Ok(()) } else { Err(format!("{what}: not announced: {more:?}")) }
}

/// Calls that write nothing.
pub fn is_read(operation: &str) -> bool {
    ["Describe", "List", "Get", "Filter"].iter().any(|verb| operation.starts_with(verb))
        && !operation.contains("SecretValue")
}

/// The effects of a plan are those that came, resource by resource.
pub fn effects_came(planned: &Planned, before: &Seen, after: &Seen) -> Result<(), String> {
    let plan = &planned.plan;
    let has = |effect: Effect| names(plan, |change| change.effects.contains(&effect));
    same("rotates now", &has(Effect::RotatesNow), &changed(&before.secrets, &after.secrets, current))?;
    let mut stopped = changed(&before.secrets, &after.secrets, is_on);
    let started: BTreeSet<String> = stopped.iter().filter(|name| is_on(&after.secrets[*name])).cloned().collect();
    stopped.retain(|name| !started.contains(name));
    same("stops rotation", &has(Effect::StopsRotation), &stopped)?;
    same("switches on", &names(plan, |change| matches!(change.action, Action::EnableRotation(_))), &started)?;
    let moved = |secret: &Value| secret["rotation"]["function"].as_str().map(str::to_owned);
    let attaches = |change: &Change| {
        change.action.rotate_secret().is_some()
            && change.fields.iter().any(|field| field.attribute.path() == "function")
    };
    same("another function", &names(plan, attaches), &changed(&before.secrets, &after.secrets, moved))?;
    let rules = |secret: &Value| secret["rotation"]["rules"].clone();
    let retimes = |change: &Change| {
        change.action.rotate_secret().is_some()
            && change.fields.iter().any(|field| field.attribute.path() == "rotation.rules")
    };
    same("other rules", &names(plan, retimes), &changed(&before.secrets, &after.secrets, rules))?;
    code_came(plan, before, after)?;
    configurations_came(plan, before, after)?;
    permissions_came(plan, before, after)?;
    // A stack that is replaced is another one.
    let others_tag = |stack: &Value| stack["definition"]["tags"]["team"].clone();
    let mut untagged = changed(&before.stacks, &after.stacks, others_tag);
    untagged.retain(|name| before.stacks[name]["id"] == after.stacks[name]["id"]);
    same("tags of others", &BTreeSet::new(), &untagged)?;
    let gone: BTreeSet<String> =
        before.stacks.keys().filter(|name| !after.stacks.contains_key(*name)).cloned().collect();
    same("deletes", &names(plan, |change| matches!(change.action, Action::DeleteStack { .. })), &gone)?;
    let new: BTreeSet<String> =
        after.functions.keys().filter(|name| !before.functions.contains_key(*name)).cloned().collect();
    same("deploys", &names(plan, |change| matches!(change.action, Action::DeployStack { .. })), &new)
}

/// A function's configuration by the paths of plans.
fn configured(function: &Value) -> Named {
    let settings = &function["latest"]["settings"];
    let mut paths = Named::new();
    for field in ["runtime", "handler", "layers", "timeout", "memory", "ephemeral_storage", "tracing", "description"] {
        paths.insert(field.to_owned(), settings[field].clone());
    }
    for list in ["subnets", "security_groups"] {
        let items = settings["vpc"][list].as_array().into_iter().flatten();
        let mut items: Vec<&str> = items.filter_map(Value::as_str).collect();
        items.sort_unstable();
        paths.insert(format!("vpc.{list}"), items.into());
    }
    for (name, value) in settings["environment"].as_object().into_iter().flatten() {
        paths.insert(format!("environment.{name}"), value.clone());
    }
    paths
}

/// Of a function's configuration, what the plan shows becomes other, and nothing else: others' variables stay.
fn configurations_came(plan: &Plan, before: &Seen, after: &Seen) -> Result<(), String> {
    let by_template = names(plan, updates_stack);
    for (name, then) in &before.functions {
        let Some(now) = after.functions.get(name).filter(|_| !by_template.contains(name)) else { continue };
        let of_it =
            plan.runnable().filter(|change| change.action == Action::UpdateConfiguration && change.name == *name);
        let announced =
            of_it.flat_map(|change| &change.fields).map(|field| field.attribute.path().into_owned()).collect();
        same(&format!("the configuration of {name}"), &announced, &differing(&configured(then), &configured(now)))?;
    }
    Ok(())
}

fn updates_stack(change: &Change) -> bool {
    matches!(change.action, Action::DeployStack { .. } | Action::UpdateStack { .. })
}

fn code_came(plan: &Plan, before: &Seen, after: &Seen) -> Result<(), String> {
    let zip = |function: &Value| function["latest"]["code"]["zip"].clone();
    let architecture = |function: &Value| function["latest"]["settings"]["architecture"].clone();
    let replaced = changed(&before.functions, &after.functions, |function| {
        let settings = configured(function);
        let loads = ["runtime", "handler", "layers"].map(|path| settings.get(path).cloned());
        (zip(function), architecture(function), loads)
    });
    // A secret that moves to another function runs other code, too: no function's own.
    let of_functions = |change: &Change| change.address.kind == Kind::Function;
    let announced = names(plan, |change| of_functions(change) && change.effects.contains(&Effect::ReplacesCode));
    // What a template's other version brings may be set right again in the same apply.
    let by_template = names(plan, updates_stack);
    within("replaces code", &announced.union(&by_template).cloned().collect(), &replaced)?;
    let without_template = |names: &BTreeSet<String>| names.difference(&by_template).cloned().collect::<BTreeSet<_>>();
    same("replaces code", &without_template(&announced), &without_template(&replaced))
}

fn permissions_came(plan: &Plan, before: &Seen, after: &Seen) -> Result<(), String> {
    let statements = |function: &Value| function["policies"][""]["statements"].clone();
    let opened = changed(&before.functions, &after.functions, statements);
    let announced = names(plan, |change| change.effects.contains(&Effect::OpensPermission));
    let by_template = names(plan, updates_stack);
    // A template that lets Secrets Manager in makes ours needless; else what was announced comes.
    let missing: BTreeSet<String> = announced.difference(&by_template).cloned().collect();
    within("opens permission", &opened, &missing)?;
    within("opens permission", &announced.union(&by_template).cloned().collect(), &opened)
}

/// Nothing is other than before but what a runnable change names.
pub fn nothing_else_changed(planned: &Planned, before: &Seen, after: &Seen) -> Result<(), String> {
    let of = |kinds: &'static [Kind]| move |change: &Change| kinds.contains(&change.address.kind);
    let secrets = names(&planned.plan, of(&[Kind::Secret, Kind::OrphanSecret]));
    same("secrets", &secrets, &differing(&before.secrets, &after.secrets))?;
    let mut functions = names(&planned.plan, of(&[Kind::Function]));
    let mut stacks = BTreeSet::new();
    for change in planned.plan.runnable() {
        match &change.action {
            Action::DeployStack { stack, .. } | Action::UpdateStack { stack, .. } => {
                stacks.insert(format!("serverlessrepo-{stack}"));
            }
            Action::DeleteStack { function_arn, .. } => {
                stacks.insert(change.name.clone());
                functions.extend(function_arn.as_deref().map(|arn| arn::function_name(arn).to_owned()));
            }
            Action::TagStack { id } => {
                let name = id.split('/').nth(1).unwrap_or_default().to_owned();
                // A stack's tags reach its function.
                functions.extend(
                    before.stacks.get(&name).and_then(|_| name.strip_prefix("serverlessrepo-")).map(str::to_owned),
                );
                stacks.insert(name);
            }
            _ => {}
        }
    }
    within("functions", &functions, &differing(&before.functions, &after.functions))?;
    same("stacks", &stacks, &differing(&before.stacks, &after.stacks))
}

/// The writes of a plan's changes: each operation, how often at least and at most.
fn announced(planned: &Planned) -> BTreeMap<&'static str, (usize, usize)> {
    let mut calls: BTreeMap<&'static str, (usize, usize)> = BTreeMap::new();
    let mut call = |operation: &'static str, least: usize, most: usize| {
        let entry = calls.entry(operation).or_default();
        *entry = (entry.0 + least, entry.1 + most);
    };
    let by_stack: BTreeSet<&String> =
        planned.plan.runnable().filter(|change| updates_stack(change)).map(|change| &change.name).collect();
    for step in order(&planned.plan, &planned.wanted) {
        let change = step.change.map(|index| &planned.plan.changes[index]);
        // After a stack's change, the function is looked at again: what it has by then isn't written.
        let least = usize::from(change.is_some() && !by_stack.contains(&step.name));
        match (step.kind, change.map(|change| &change.action)) {
            (StepKind::Stack, Some(Action::TagStack { .. })) => {
                call("CreateChangeSet", 1, 1);
                call("ExecuteChangeSet", 1, 1);
            }
            (StepKind::Stack, action) => {
                let replaces = matches!(action, Some(Action::DeployStack { replaces: Some(_), .. }));
                call("DeleteStack", usize::from(replaces), usize::from(replaces));
                call("CreateCloudFormationChangeSet", 1, 1);
                call("ExecuteChangeSet", 1, 1);
            }
            (StepKind::Configuration, _) => call("UpdateFunctionConfiguration", least, 1),
            (StepKind::Code, _) => {
                call("UpdateFunctionCode", least, 1);
                // A note announces it; a version that has the code already is as good.
                let keeps =
                    |note: &Note| note.kind == NoteKind::KeepsCode && note.address.as_ref() == Some(&step.address);
                call("PublishVersion", 0, usize::from(planned.plan.notes.iter().any(keeps)));
            }
            (StepKind::Permission, Some(Action::AddPermission { replace })) => {
                call("RemovePermission", least * usize::from(*replace), usize::from(*replace));
                call("AddPermission", least, 1);
            }
            (StepKind::Rotation, _) => call("RotateSecret", 1, 1),
            (StepKind::Disable, _) => call("CancelRotateSecret", 1, 1),
            (StepKind::DeleteStack, _) => call("DeleteStack", 1, 1),
            _ => {}
        }
    }
    calls
}

/// The writes of the call log are those of the plan's steps, and each of them.
pub fn writes_were_announced(planned: &Planned, calls: &[String]) -> Result<usize, String> {
    let mut made: BTreeMap<&str, usize> = BTreeMap::new();
    for operation in calls.iter().filter(|operation| !is_read(operation)) {
        *made.entry(operation.as_str()).or_default() += 1;
    }
    let announced = announced(planned);
    for (operation, count) in &made {
        let (_, most) = announced.get(operation).copied().unwrap_or_default();
        if *count > most {
            return Err(format!("{operation} was called {count} times, and announced {most} times"));
        }
    }
    for (operation, (least, _)) in &announced {
        let count = made.get(operation).copied().unwrap_or_default();
        if count < *least {
            return Err(format!("{operation} was called {count} times, and announced {least} times"));
        }
    }
    Ok(made.values().sum())
}
