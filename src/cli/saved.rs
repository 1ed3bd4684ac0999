//! What a saved plan is made of, and what must still hold where it is applied: files, rules, code, endpoints, the plan itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::aws::endpoints::{Endpoint, Endpoints, is_endpoint};
use crate::config::{self, Loaded, Manifest, Policies};
use crate::model::Address;
use crate::package::sha256_hex;
use crate::plan::{Plan, Purpose, fresh};
use crate::render::some_of;

use super::failure::{Cause, Failure};
use super::plan_file::{Saved, SavedPlan, again};
use super::prepared::Prepared;
use super::session::Session;

impl Saved {
    /// What a run has prepared.
    pub fn new(
        purpose: Purpose,
        (paths, filters): (&[PathBuf], &[String]),
        session: &Session,
        prepared: &[Prepared],
    ) -> Self {
        let plan = |one: &Prepared| SavedPlan { plan: one.plan.clone(), resources: one.resources() };
        Self {
            purpose,
            paths: paths.to_vec(),
            filters: filters.to_vec(),
            rehearsal: session.is_rehearsal(),
            endpoint: session.endpoint(),
            endpoints: None,
            files: hashes(session.manifests()),
            code: packages(prepared),
            policies: BTreeMap::new(),
            override_limits: false,
            verify: session.verifies(),
            plans: prepared.iter().map(plan).collect(),
        }
    }

    /// Notes what it was judged by.
    #[must_use]
    pub fn judged_by(self, policies: &Policies, override_limits: bool) -> Self {
        Self { policies: policy_hashes(policies).collect(), override_limits, ..self }
    }

    /// Notes where calls were sent.
    #[must_use]
    pub fn at(self, endpoints: BTreeMap<String, Endpoints>) -> Self {
        let url = |(service, endpoint): (&str, Endpoint)| (service.to_owned(), endpoint.url);
        let of_region = |(region, services): (String, Endpoints)| (region, services.into_iter().map(url).collect());
        Self { endpoints: Some(endpoints.into_iter().map(of_region).collect()), ..self }
    }
}

/// Loads the manifests that a plan was made from. They are read once: what is compared with the plan is what is used.
pub fn load(saved: &Saved) -> Result<Loaded, Failure> {
    let loaded = config::load(&saved.paths).map_err(|problems| {
        // Where they differ from those of the plan, that is what is wrong with them.
        check_files(saved).err().unwrap_or_else(|| problems.into())
    })?;
    let now = hashes(&loaded.manifests);
    for (path, expected) in &saved.files {
        match now.get(path) {
            Some(now) if now == expected => {}
            Some(_) => return Err(other_file(path, CHANGED)),
            None => return Err(other_file(path, "was read by the plan, and isn't a part of the manifest here")),
        }
    }
    let more: Vec<String> =
        now.keys().filter(|path| !saved.files.contains_key(*path)).map(|path| path.display().to_string()).collect();
    if !more.is_empty() {
        let names = some_of(more.iter().map(String::as_str), 3);
        let summary = format!("the plan didn't read {names}, which the manifest includes; nothing was changed");
        return Err(Failure::refused(summary).hint(again()));
    }
    Ok(loaded)
}

/// Refuses where a file that the plan was made from has changed. Looks at files only, and what it reads is used for nothing else.
pub fn check_files(saved: &Saved) -> Result<(), Failure> {
    for (path, expected) in &saved.files {
        // A path of the file's own choosing may lead to a pipe or a device, whose reading would never end.
        let bytes = if path.is_file() { std::fs::read(path).ok() } else { None };
        let now = bytes.map(|bytes| sha256_hex(bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes)));
        match now {
            Some(now) if now == *expected => {}
            Some(_) => return Err(other_file(path, CHANGED)),
            None => return Err(other_file(path, "was read by the plan, and can't be read here")),
        }
    }
    Ok(())
}

const CHANGED: &str = "has changed since the plan was made";

fn other_file(path: &Path, what: &str) -> Failure {
    Failure::refused(format!("`{}` {what}; nothing was changed", path.display()))
        .hint("apply a plan where it was made, on the same commit")
        .hint(again())
}

/// Refuses where a policy that the plan was judged by has changed, or isn't given any more. It is known by its content: where it
/// lies doesn't matter. One that comes to it is no reason to refuse: the plan is judged again.
pub fn check_policies(saved: &Saved, policies: &Policies) -> Result<(), Failure> {
    let given: BTreeMap<PathBuf, String> = policy_hashes(policies).collect();
    let missing = saved.policies.iter().find(|(_, hash)| !given.values().any(|other| other == *hash));
    let Some((path, _)) = missing else { return Ok(()) };
    let shown = path.display();
    let (summary, hint) = if given.contains_key(path) {
        (format!("the policy `{shown}` has changed since the plan was made; nothing was changed"), again())
    } else {
        let summary =
            format!("the plan was judged by the policy `{shown}`, which isn't given here; nothing was changed");
        (summary, format!("add `--policy {shown}`"))
    };
    Err(Failure::refused(summary).hint(hint))
}

fn policy_hashes(policies: &Policies) -> impl Iterator<Item = (PathBuf, String)> {
    policies.files.iter().map(|file| (file.path.clone(), sha256_hex(file.text.as_bytes())))
}

/// Refuses to do for real what was planned in a sandbox, and the other way round.
pub async fn check_world(saved: &Saved, session: &Session) -> Result<(), Failure> {
    let summary = match (saved.rehearsal, session.is_rehearsal()) {
        (true, false) => "the plan was made in a sandbox; nothing was changed",
        (false, true) => "the plan was made for AWS, and this is a sandbox; nothing was changed",
        _ => return check_endpoints(saved, session).await,
    };
    Err(Failure::refused(summary).hint(again()))
}

/// Refuses where any service would be asked elsewhere than it was asked by the plan: what answers there may be another AWS.
async fn check_endpoints(saved: &Saved, session: &Session) -> Result<(), Failure> {
    let here = session.endpoints().await?;
    let Some(planned) = &saved.endpoints else {
        // Of an earlier version, which noted one endpoint for all services, and none that a profile or a service's variable states.
        let here = here.values().flat_map(BTreeMap::values);
        let mut stated = here.map(|endpoint| endpoint.is_stated.then_some(endpoint.url.as_str()));
        let noted = saved.endpoint.as_deref().map(|url| url.trim_end_matches('/'));
        let is_same = stated.all(|url| url == noted);
        let moved = || Failure::refused("the plan was made at another endpoint; nothing was changed").hint(again());
        return if is_same { Ok(()) } else { Err(moved()) };
    };
    let mut moved: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    // A region that the plan lacks is another place, which is said when its plan is compared.
    for (region, services) in here.iter().filter_map(|(region, services)| Some((planned.get(region)?, services))) {
        for (service, endpoint) in services {
            // A plan of a version that didn't ask a service has nothing to say of it.
            let Some(then) = region.get(*service) else { continue };
            if *then != endpoint.url {
                moved.entry(service).or_insert((then, &endpoint.url));
            }
        }
    }
    if moved.is_empty() {
        return Ok(());
    }
    let names = some_of(moved.keys().copied(), 3);
    let mut hints: Vec<String> = moved
        .iter()
        .take(3)
        .map(|(service, (then, now))| {
            // The file's own words: shown where they are what they say they are.
            let then = Some(*then).filter(|url| is_endpoint(url)).unwrap_or("another one");
            format!("{service}: `{then}` when it was planned, `{now}` here")
        })
        .collect();
    hints.push("use the endpoints that the plan was made with: `--endpoint-url`, `AWS_ENDPOINT_URL`, a service's own variable, `--profile`".to_owned());
    hints.push(again());
    let summary = format!("the plan was made at another endpoint of {names}; nothing was changed");
    Err(Failure::refused(summary).hints(hints))
}

/// Refuses where other code is packaged than the plan was made from. The packages that are compared are those that are uploaded.
fn check_code(saved: &Saved, prepared: &[Prepared]) -> Result<(), Failure> {
    let code = packages(prepared);
    // What a filter selects of a rule's secrets may have gone, and their function with it: comparing the plans says so.
    let may_go = saved.plans.iter().any(|one| one.plan.partial && !one.plan.selected.is_empty());
    let planned = saved.code.keys().filter(|address| !may_go || code.contains_key(*address));
    let addresses: BTreeSet<&String> = code.keys().chain(planned).collect();
    let moved: Vec<&str> = addresses
        .into_iter()
        .filter(|address| code.get(*address) != saved.code.get(*address))
        .map(String::as_str)
        .collect();
    if !moved.is_empty() {
        if let Some((address, reason)) = prepared.iter().find_map(unusable) {
            let summary = format!(
                "the code of {address} can't be packaged as it was for the plan: {reason}; nothing was changed"
            );
            return Err(Failure::refused(summary).hint(again()));
        }
        let names = some_of(moved, 3);
        let summary = format!("the code of {names} has changed since the plan was made; nothing was changed");
        return Err(Failure::refused(summary).hint(again()));
    }
    Ok(())
}

/// A function whose code can't be packaged here, and why: an index may not have it any more.
fn unusable(one: &Prepared) -> Option<(String, String)> {
    one.desired.functions.iter().find_map(|(handle, function)| {
        let reason = function.deployment()?.code.as_ref()?.unusable.clone()?;
        Some((one.desired.address(crate::model::Kind::Function, handle).to_string(), reason))
    })
}

/// The SHA-256 of all files that manifests were read from.
fn hashes(manifests: &[Manifest]) -> BTreeMap<PathBuf, String> {
    manifests.iter().flat_map(Manifest::files).map(|(path, text)| (path, sha256_hex(text.as_bytes()))).collect()
}

/// The SHA-256 of all packages, by address.
fn packages(prepared: &[Prepared]) -> BTreeMap<String, String> {
    let of_one = |one: &Prepared| -> Vec<(String, String)> {
        let packaged = one.desired.functions.iter().filter_map(|(handle, function)| {
            let package = function.deployment()?.code.as_ref()?.package.as_ref()?;
            let address = one.desired.address(crate::model::Kind::Function, handle);
            Some((format!("{} of {}", address, one.desired.project), package.sha256.clone()))
        });
        packaged.collect()
    };
    prepared.iter().flat_map(of_one).collect()
}

/// What a saved plan and the plan that was made now have in common, beside what is left to do.
#[derive(Debug, Default)]
pub struct Confirmed {
    /// How many changes are done already.
    pub done: usize,
    /// What differs by now beside the plan.
    pub beside: BTreeSet<Address>,
    /// What the plan leaves out, because of errors that it foresaw.
    pub left_out: BTreeSet<Address>,
}

/// Leaves in plans that were made now what a saved plan says, or refuses.
pub fn confirm(saved: &Saved, prepared: &mut [Prepared]) -> Result<Confirmed, Failure> {
    check_code(saved, prepared)?;
    if prepared.len() != saved.plans.len() {
        return Err(Failure::refused("the manifests have other targets than the plan; nothing was changed"));
    }
    let place = |plan: &Plan| (plan.project.clone(), plan.target.clone(), plan.account.clone(), plan.region.clone());
    let (mut confirmed, mut stale) = (Confirmed::default(), Vec::new());
    for (one, planned) in prepared.iter_mut().zip(&saved.plans) {
        if place(&one.plan) != place(&planned.plan) {
            let to =
                |plan: &Plan| format!("project {} in account {}, region {}", plan.project, plan.account, plan.region);
            let summary =
                format!("the plan is for {}, and this is {}; nothing was changed", to(&planned.plan), to(&one.plan));
            return Err(Failure::refused(summary).hint("use the credentials that the plan was made with"));
        }
        match fresh::confirm(&planned.plan, &one.plan) {
            Ok(held) => {
                one.plan = held.plan;
                confirmed.done += held.done;
                confirmed.beside.extend(held.beside);
                confirmed.left_out.extend(held.left_out);
            }
            Err(reasons) => stale.extend(reasons),
        }
    }
    if stale.is_empty() {
        return Ok(confirmed);
    }
    let failure = Failure::refused("the saved plan no longer holds; nothing was changed").hint(again());
    Err(Failure { cause: Cause::Stale(stale), ..failure })
}
