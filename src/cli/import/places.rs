//! What an import reads: the root, where one stands, and each account and region.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures::StreamExt as _;

use crate::aws::{Connection, ReadOnly, Reader};
use crate::config::{self, Ambient, Loaded, Manifest, facts};
use crate::import::terraform::State;
use crate::import::{Here, Managed, Place, Root};
use crate::model::account::{Account, TaggedSecret};
use crate::model::{Desired, Kind, Target};
use crate::render;

use super::super::failure::Failure;
use super::super::options::Global;
use super::super::session::Session;
use super::Arguments;

/// How many regions are read side by side.
const AT_A_TIME: usize = 4;

/// A root that is there.
pub struct Standing {
    /// Its project.
    pub project: String,
    /// How many targets it has; 0: no `targets`.
    pub targets: usize,
    /// What its defaults state.
    pub root: Root,
    /// The handles of its functions and its secrets.
    pub taken: [BTreeSet<String>; 2],
    /// Its `include`.
    includes: Vec<String>,
    /// The whole, until it is read by.
    loaded: Option<Loaded>,
}

impl Standing {
    /// The root at a path; `None` where there is nothing.
    pub fn at(path: &Path) -> Result<Option<Self>, Failure> {
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        let loaded = config::load(&[path.to_owned()])?;
        let Some(manifest) = loaded.manifests.first() else { return Ok(None) };
        Ok(Some(Self {
            project: manifest.project().to_owned(),
            targets: manifest.targets().iter().filter(|target| target.name.is_some()).count(),
            root: Root::Standing {
                secrets: manifest.default_fields(Kind::Secret),
                functions: manifest.default_fields(Kind::Function),
            },
            taken: [manifest.handles(Kind::Function), manifest.handles(Kind::Secret)],
            includes: manifest.includes().to_vec(),
            loaded: Some(loaded),
        }))
    }

    /// A folder in which new files would be parts of it.
    pub fn folder_of_parts(&self) -> Option<String> {
        self.patterns().find(|(folder, prefix)| self.would_take(folder, prefix)).map(|(folder, _)| folder.to_owned())
    }

    /// How the names of files in a folder begin that its patterns take in.
    pub fn prefix(&self, folder: &str) -> &str {
        let found = self.patterns().find(|(of, prefix)| *of == folder && self.would_take(of, prefix));
        found.map_or("", |(_, prefix)| prefix)
    }

    /// Whether a file would be a part of it, by its path from the root's folder.
    pub fn takes_in(&self, path: &Path) -> bool {
        config::is_part(&self.includes, path)
    }

    fn would_take(&self, folder: &str, prefix: &str) -> bool {
        self.takes_in(&Path::new(folder).join(format!("{prefix}x.yaml")))
    }

    /// Of each pattern that has `*` in its last step alone: the folder, and what stands before the `*`.
    fn patterns(&self) -> impl Iterator<Item = (&str, &str)> {
        self.includes.iter().filter_map(|pattern| {
            let (folder, last) = pattern.trim_start_matches("./").rsplit_once('/')?;
            let plain = |text: &str| !text.contains(['*', '?', '[', '{']);
            let (prefix, _) = last.split_once('*')?;
            (plain(folder) && plain(prefix)).then_some((folder, prefix))
        })
    }
}

/// A place, read.
pub struct Read {
    /// Its target's name.
    pub target: Option<String>,
    /// What it has.
    pub account: Account,
    /// What the root names of it.
    pub managed: Managed,
    /// The texts that the manifest's variables stand for there.
    pub variables: BTreeMap<String, String>,
    /// What reads more of it.
    pub reader: Reader,
}

impl Read {
    /// As it is drafted.
    pub fn place(&self) -> Place<'_> {
        Place {
            target: self.target.as_deref(),
            account: &self.account,
            managed: &self.managed,
            variables: &self.variables,
        }
    }
}

/// Reads all places that are asked about. The session comes back to be closed.
pub async fn read(
    global: &Global,
    arguments: &Arguments,
    standing: Option<Standing>,
    state: Option<&State>,
    passes: &(impl Fn(&TaggedSecret) -> bool + Sync),
) -> Result<(Session, Option<Standing>, Vec<Read>), Failure> {
    let Some(mut standing) = standing else {
        let session = Session::without_manifest(global).await?;
        // Without a word about regions, Terraform's are meant.
        let of_state = state.filter(|_| arguments.regions.is_empty() && global.region.is_none());
        let regions: BTreeSet<String> = match of_state {
            Some(state) => state.places().into_iter().map(|(_, region)| region).collect(),
            None => BTreeSet::new(),
        };
        let regions = if regions.is_empty() { arguments.regions.clone() } else { regions.into_iter().collect() };
        let mut reads = read_regions(&session, &regions, arguments, passes).await?;
        if of_state.is_some() && reads.iter().any(|read| has_some(read, passes)) {
            // Those of other accounts may lie in regions in which this one has none.
            reads.retain(|read| has_some(read, passes));
        }
        return Ok((session, None, reads));
    };
    let session = Session::of(global, standing.loaded.take().unwrap_or_default(), &global.target).await?;
    if session.is_partial() {
        return Err(Failure::new("`--target` takes the name of a target here, or a pattern of names")
            .hint("`--name`, `--tag`, `--function` and `--owning-service` choose secrets"));
    }
    let (reads, failed) = session
        .read_each(|connection, desired, manifest| async move {
            let beside = manifest.map(|manifest| in_place(manifest, &connection)).unwrap_or_default();
            let target = desired.target.name.clone();
            let variables = manifest.map(|manifest| variables(manifest, target.as_ref(), &connection));
            let all: Vec<&Desired> = beside.iter().chain([&desired]).collect();
            let mut read = one(&connection, target, &all, arguments, passes).await?;
            read.variables = variables.unwrap_or_default();
            Ok(read)
        })
        .await;
    match failed {
        // What one target lacks would be named as missing in all.
        Some(failure) => Err(failure),
        None => Ok((session, Some(standing), reads)),
    }
}

/// Whether a place has a secret that is meant.
fn has_some(read: &Read, passes: &impl Fn(&TaggedSecret) -> bool) -> bool {
    read.account.secrets.iter().any(passes)
}

/// What AWS's environment says, once it is connected to.
fn ambient(connection: &Connection<ReadOnly>) -> Ambient {
    Ambient { region: Some(connection.region().to_owned()), account: Some(connection.account().to_owned()) }
}

/// The variables of a target.
fn variables(
    manifest: &Manifest,
    target: Option<&String>,
    connection: &Connection<ReadOnly>,
) -> BTreeMap<String, String> {
    let index = manifest.targets().iter().position(|one| one.name.as_ref() == target);
    index.map(|index| manifest.variables(index, &ambient(connection))).unwrap_or_default()
}

/// What all targets of a manifest name in the account and region of a connection. One that doesn't say where it is may be there.
fn in_place(manifest: &Manifest, connection: &Connection<ReadOnly>) -> Vec<Desired> {
    let ambient = ambient(connection);
    let may_be = |stated: &Option<String>, here: &Option<String>| stated.is_none() || stated == here;
    let targets = manifest.targets().iter().enumerate();
    let here = targets
        .filter(|(_, target)| may_be(&target.account, &ambient.account) && may_be(&target.region, &ambient.region));
    here.filter_map(|(index, _)| manifest.resolve(index, &ambient).ok()).collect()
}

/// Reads the regions of a root that is to be written.
async fn read_regions(
    session: &Session,
    stated: &[String],
    arguments: &Arguments,
    passes: &(impl Fn(&TaggedSecret) -> bool + Sync),
) -> Result<Vec<Read>, Failure> {
    let mut regions: Vec<Option<String>> = Vec::new();
    for region in stated {
        if let Err((reason, hint)) = facts::region(region) {
            return Err(Failure::new(reason).hints(hint));
        }
        if !regions.contains(&Some(region.clone())) {
            regions.push(Some(region.clone()));
        }
    }
    if regions.is_empty() {
        regions.push(None);
    }
    let jobs = regions.into_iter().map(|region| async move {
        let target = Target { region, ..Target::default() };
        let connection = session.connect_reader(&target).await?;
        let name = connection.region().to_owned();
        one(&connection, Some(name), &[], arguments, passes).await
    });
    let jobs: Vec<_> = jobs.collect();
    let reads: Vec<Result<Read, Failure>> = futures::stream::iter(jobs).buffered(AT_A_TIME).collect().await;
    let mut all = Vec::new();
    let mut failed = None::<Failure>;
    for read in reads {
        match read {
            Ok(read) => all.push(read),
            Err(failure) => failed = Some(failed.map_or(failure.clone(), |before| before.and(failure))),
        }
    }
    failed.map_or(Ok(all), Err)
}

async fn one(
    connection: &Connection<ReadOnly>,
    target: Option<String>,
    desired: &[&Desired],
    arguments: &Arguments,
    passes: &(impl Fn(&TaggedSecret) -> bool + Sync),
) -> Result<Read, Failure> {
    let (partition, region, account) = (connection.partition(), connection.region(), connection.account());
    let managed = Managed::of(desired.iter().copied(), Here { partition, region, account });
    let wanted = |secret: &TaggedSecret| passes(secret) && (arguments.unrotated || !managed.has(&secret.record));
    let reader = connection.reader();
    let account = reader.read_account(wanted, arguments.adopt).await.map_err(|error| {
        let (summary, hints) = render::said::aws_words(&error);
        Failure::new(summary).hints(hints)
    })?;
    // What doesn't rotate is asked of AWS alone.
    let managed = if arguments.unrotated { Managed::default() } else { managed };
    let texts = [("region", &account.region), ("account", &account.account), ("partition", &account.partition)];
    let mut variables: BTreeMap<String, String> =
        texts.into_iter().map(|(name, text)| (name.to_owned(), text.clone())).collect();
    variables.extend(target.clone().map(|target| ("target".to_owned(), target)));
    Ok(Read { target, account, managed, variables, reader })
}

/// The places, each account and region once: what one target names there, another one can't name too. The second value names the
/// targets that are left out, and those in whose place they are.
pub fn apart(reads: Vec<Read>) -> (Vec<Read>, Vec<(String, String)>) {
    let mut kept: Vec<Read> = Vec::new();
    let mut same = Vec::new();
    for read in reads {
        let is_same = |other: &&Read| {
            other.account.account == read.account.account && other.account.region == read.account.region
        };
        match kept.iter().find(is_same) {
            Some(first) => {
                let name = |read: &Read| read.target.clone().unwrap_or_default();
                same.push((name(&read), name(first)));
            }
            None => kept.push(read),
        }
    }
    (kept, same)
}
