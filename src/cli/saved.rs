//! Plans in files: written by `plan --out`, shown by `show`, applied by `apply`.
//!
//! Two lines of JSON. The first says what the second is: the format, its version, and its SHA-256, so that an edited or cut
//! file is noticed. The second holds the plan with its resources, and the names and hashes of what it was made from. No
//! environment value is in it, nor a hash of one: values and code come from the checked-out tree, which must be the same.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::aws::endpoints::{Endpoint, Endpoints, is_endpoint};
use crate::config::{self, Loaded, Manifest, Policies};
use crate::env;
use crate::exit;
use crate::plan::{Plan, Purpose, Resource};
use crate::render::plan_json::Planned;
use crate::render::{safe, some_of};

use super::output;
use super::session::{Prepared, Printed, Session};

/// How the first line begins: no manifest does.
const MAGIC: &str = r#"{"format":"rotator-plan","#;

/// The format's version. It goes up with every change that an older program would misread.
const VERSION: u32 = 1;

/// The largest plan file that is read, in bytes: ten times that of 100,000 changes.
const LARGEST: u64 = 2 * 1024 * 1024 * 1024;

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    format: String,
    version: u32,
    rotator: String,
    sha256: String,
}

/// A plan file's content.
#[derive(Debug, Serialize, Deserialize)]
pub struct Saved {
    /// What it is for.
    pub purpose: Purpose,
    /// The manifests, as they were named on the command line.
    pub paths: Vec<PathBuf>,
    /// The filters.
    pub filters: Vec<String>,
    /// Whether AWS was the sandbox of that run: a rehearsal is no review of the real one, whose account may have the same number.
    pub rehearsal: bool,
    /// Where all calls were sent instead of to AWS.
    pub endpoint: Option<String>,
    /// Where the calls of each service were sent, by region; `None` in a plan of an earlier version.
    #[serde(default)]
    pub endpoints: Option<BTreeMap<String, BTreeMap<String, String>>>,
    /// The SHA-256 of each file that was read: manifests, their parts, the variables' files.
    pub files: BTreeMap<PathBuf, String>,
    /// The SHA-256 of each function's package, by address.
    pub code: BTreeMap<String, String>,
    /// The SHA-256 of each policy's file that it was judged by.
    #[serde(default)]
    pub policies: BTreeMap<PathBuf, String>,
    /// Whether limits were overridden: it is said again when it is applied.
    #[serde(default)]
    pub override_limits: bool,
    /// The plans, one for each target.
    pub plans: Vec<SavedPlan>,
}

/// One target's plan.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedPlan {
    /// The plan.
    pub plan: Plan,
    /// Its resources.
    pub resources: Vec<Resource>,
}

impl SavedPlan {
    /// As renderers take it.
    pub fn planned(&self) -> Planned<'_> {
        Planned { plan: &self.plan, resources: &self.resources }
    }
}

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
            endpoint: endpoint(session),
            endpoints: None,
            files: hashes(session.manifests()),
            code: packages(prepared),
            policies: BTreeMap::new(),
            override_limits: false,
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

    /// Writes it, whole or not at all, readable to its owner alone.
    pub fn write(&self, path: &Path) -> Result<(), Printed> {
        let failed = |error: &std::io::Error| {
            Printed(output::fail(&format!("cannot write the plan file `{}`: {error}", path.display()), &[]))
        };
        let body = serde_json::to_string(self).map_err(|error| failed(&error.into()))?;
        let head = Head {
            format: "rotator-plan".to_owned(),
            version: VERSION,
            rotator: env!("CARGO_PKG_VERSION").to_owned(),
            sha256: hex(body.as_bytes()),
        };
        let head = serde_json::to_string(&head).map_err(|error| failed(&error.into()))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut draft = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
        writeln!(draft, "{head}\n{body}").map_err(|error| failed(&error))?;
        draft.persist(path).map_err(|error| failed(&error.error))?;
        Ok(())
    }
}

/// Refuses to write a plan over anything but another plan: a manifest, or a device, would be lost.
pub fn check_destination(path: &Path) -> Result<(), Printed> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let shown = path.display();
    let summary = if !folder.is_dir() {
        format!("cannot write the plan file `{shown}`: there is no folder `{}`", folder.display())
    } else if path.symlink_metadata().is_ok() && !is_plan(path) {
        format!("`{shown}` is there already, and is no plan file")
    } else {
        return Ok(());
    };
    Err(Printed(output::fail(&summary, &["choose another name for `--out`".to_owned()])))
}

/// Whether a file is a plan, by its first bytes. What can't be read isn't one: whoever takes it for a manifest says why.
pub fn is_plan(path: &Path) -> bool {
    let mut start = vec![0; MAGIC.len()];
    path.is_file()
        && std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && start == MAGIC.as_bytes()
}

/// Says why a plan isn't applied.
pub fn refuse(summary: &str, hints: &[String]) -> Printed {
    output::fail(summary, hints);
    Printed(exit::REFUSED)
}

fn again() -> String {
    "make a new plan: `rotator plan --out FILE`".to_owned()
}

/// Why a text is no plan that can be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It isn't a plan file at all.
    #[error("it is not a plan file")]
    Foreign,
    /// It isn't what `plan --out` wrote.
    #[error("it was edited, or is cut short")]
    Edited,
    /// It has another format than this program reads.
    #[error("it has format {version}, written by rotator {rotator}")]
    OtherVersion {
        /// The format's version.
        version: u32,
        /// The program's version that wrote it.
        rotator: String,
    },
}

impl Saved {
    /// Reads a plan file's text. Nothing in it is trusted beyond its form: the checksum notices accidents, and no forgery.
    pub fn parse(text: &str) -> Result<Self, Unusable> {
        if !text.starts_with(MAGIC) {
            return Err(Unusable::Foreign);
        }
        let (head, body) = text.split_once('\n').unwrap_or((text, ""));
        let body = body.trim_end_matches('\n');
        let head: Head = serde_json::from_str(head).map_err(|_| Unusable::Edited)?;
        if head.version != VERSION {
            return Err(Unusable::OtherVersion { version: head.version, rotator: head.rotator });
        }
        if hex(body.as_bytes()) != head.sha256 {
            return Err(Unusable::Edited);
        }
        let saved: Self = serde_json::from_str(body).map_err(|_| Unusable::Edited)?;
        if saved.plans.iter().all(|one| one.plan.is_closed()) { Ok(saved) } else { Err(Unusable::Edited) }
    }
}

/// Reads a plan file.
pub fn read(path: &Path) -> Result<Saved, Printed> {
    let shown = path.display();
    let cannot = |why: &str| Printed(output::fail(&format!("cannot read the plan file `{shown}`: {why}"), &[]));
    // Before it is opened: opening a pipe would wait for somebody to write into it, and a device may never end.
    if path.exists() && !path.is_file() {
        return Err(cannot("it is not a regular file"));
    }
    let file = std::fs::File::open(path).map_err(|error| cannot(&error.to_string()))?;
    let mut text = String::new();
    let edited = || refuse(&format!("the plan file `{shown}` was edited, or is cut short"), &[again()]);
    match file.take(LARGEST).read_to_string(&mut text) {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => return Err(edited()),
        read => read.map_err(|error| cannot(&error.to_string()))?,
    };
    Saved::parse(&text).map_err(|why| match why {
        Unusable::Foreign => Printed(output::fail(
            &format!("`{shown}` is not a plan file"),
            &["`rotator plan --out FILE` writes one".to_owned()],
        )),
        Unusable::Edited => edited(),
        Unusable::OtherVersion { version, rotator } => {
            let summary = format!(
                "the plan file `{shown}` has format {version}, written by rotator {}; this is rotator {}, which reads format {VERSION}",
                safe(&rotator),
                env!("CARGO_PKG_VERSION")
            );
            refuse(&summary, &["apply it with the version that wrote it, or plan again".to_owned()])
        }
    })
}

/// Loads the manifests that a plan was made from. They are read once: what is compared with the plan is what is used.
pub fn load(saved: &Saved) -> Result<Loaded, Printed> {
    let loaded = config::load(&saved.paths).map_err(|problems| {
        // Where they differ from those of the plan, that is what is wrong with them.
        if let Err(printed) = check_files(saved) {
            return printed;
        }
        output::diagnostics(&problems.0);
        Printed(exit::ERROR)
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
        return Err(refuse(&summary, &[again()]));
    }
    Ok(loaded)
}

/// Refuses where a file that the plan was made from has changed. Looks at files only, and what it reads is used for nothing else.
pub fn check_files(saved: &Saved) -> Result<(), Printed> {
    for (path, expected) in &saved.files {
        // A path of the file's own choosing may lead to a pipe or a device, whose reading would never end.
        let bytes = if path.is_file() { std::fs::read(path).ok() } else { None };
        let now = bytes.map(|bytes| hex(bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes)));
        match now {
            Some(now) if now == *expected => {}
            Some(_) => return Err(other_file(path, CHANGED)),
            None => return Err(other_file(path, "was read by the plan, and can't be read here")),
        }
    }
    Ok(())
}

const CHANGED: &str = "has changed since the plan was made";

fn other_file(path: &Path, what: &str) -> Printed {
    let hint = "apply a plan where it was made, on the same commit".to_owned();
    refuse(&format!("`{}` {what}; nothing was changed", path.display()), &[hint, again()])
}

/// Refuses where a policy that the plan was judged by has changed, or isn't given any more. It is known by its content: where it
/// lies doesn't matter. One that comes to it is no reason to refuse: the plan is judged again.
pub fn check_policies(saved: &Saved, policies: &Policies) -> Result<(), Printed> {
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
    Err(refuse(&summary, &[hint]))
}

fn policy_hashes(policies: &Policies) -> impl Iterator<Item = (PathBuf, String)> {
    policies.files.iter().map(|file| (file.path.clone(), hex(file.text.as_bytes())))
}

/// The endpoint that calls are sent to instead of to AWS, if any.
fn endpoint(session: &Session) -> Option<String> {
    let stated = session.settings.endpoint_url.clone();
    stated.or_else(|| env::read(env::AWS_ENDPOINT_URL)).filter(|_| !session.is_rehearsal())
}

/// Refuses to do for real what was planned in a sandbox, and the other way round.
pub async fn check_world(saved: &Saved, session: &Session) -> Result<(), Printed> {
    let summary = match (saved.rehearsal, session.is_rehearsal()) {
        (true, false) => "the plan was made in a sandbox; nothing was changed",
        (false, true) => "the plan was made for AWS, and this is a sandbox; nothing was changed",
        _ => return check_endpoints(saved, session).await,
    };
    Err(refuse(summary, &[again()]))
}

/// Refuses where any service would be asked elsewhere than it was asked by the plan: what answers there may be another AWS.
async fn check_endpoints(saved: &Saved, session: &Session) -> Result<(), Printed> {
    let here = session.endpoints().await?;
    let Some(planned) = &saved.endpoints else {
        // Of an earlier version, which noted one endpoint for all services, and none that a profile or a service's variable states.
        let here = here.values().flat_map(BTreeMap::values);
        let mut stated = here.map(|endpoint| endpoint.is_stated.then_some(endpoint.url.as_str()));
        let noted = saved.endpoint.as_deref().map(|url| url.trim_end_matches('/'));
        let is_same = stated.all(|url| url == noted);
        let moved = || refuse("the plan was made at another endpoint; nothing was changed", &[again()]);
        return if is_same { Ok(()) } else { Err(moved()) };
    };
    let mut moved: BTreeMap<&str, (Option<&str>, &str)> = BTreeMap::new();
    // A region that the plan lacks is another place, which is said when its plan is compared.
    for (region, services) in here.iter().filter_map(|(region, services)| Some((planned.get(region)?, services))) {
        for (service, endpoint) in services {
            let then = region.get(*service).map(String::as_str);
            if then != Some(&endpoint.url) {
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
            let then = then.filter(|url| is_endpoint(url)).unwrap_or("another one");
            format!("{service}: `{then}` when it was planned, `{now}` here")
        })
        .collect();
    hints.push("use the endpoints that the plan was made with: `--endpoint-url`, `AWS_ENDPOINT_URL`, a service's own variable, `--profile`".to_owned());
    hints.push(again());
    Err(refuse(&format!("the plan was made at another endpoint of {names}; nothing was changed"), &hints))
}

/// Refuses where other code is packaged than the plan was made from. The packages that are compared are those that are uploaded.
pub fn check_code(saved: &Saved, prepared: &[Prepared]) -> Result<(), Printed> {
    let code = packages(prepared);
    let addresses: BTreeSet<&String> = code.keys().chain(saved.code.keys()).collect();
    let moved: Vec<&str> = addresses
        .into_iter()
        .filter(|address| code.get(*address) != saved.code.get(*address))
        .map(String::as_str)
        .collect();
    if !moved.is_empty() {
        let names = some_of(moved, 3);
        return Err(refuse(
            &format!("the code of {names} has changed since the plan was made; nothing was changed"),
            &[again()],
        ));
    }
    Ok(())
}

/// The SHA-256 of all files that manifests were read from.
fn hashes(manifests: &[Manifest]) -> BTreeMap<PathBuf, String> {
    manifests.iter().flat_map(Manifest::files).map(|(path, text)| (path, hex(text.as_bytes()))).collect()
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

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}
