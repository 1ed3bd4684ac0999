//! The wheels of functions' requirements: from the user's cache, or by a child process from the index that the environment names.
//!
//! The child has none of AWS's variables: what parses an index's answers can't reach credentials. What it brings is known by its hash, which
//! is looked at here, each time.

mod cache;
pub mod child;
mod place;

use std::collections::BTreeMap;
use std::path::Path;

use crate::model::Requirements;
use crate::package::{self, Archive, Wheel};
use crate::requirements::{self, Pin, Platform, Wrong, metadata};

use cache::Cache;
use child::{Job, Wanted};

/// Where wheels come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// From nowhere: nothing is fetched, and no cache decides what is said.
    None,
    /// From the cache alone.
    Cached,
    /// From the index, where the cache hasn't them.
    Fetched,
}

/// The wheels that a file of requirements names, in the order of their names.
///
/// # Errors
/// Why they can't be had, in words, with what to do.
pub fn of(wanted: &Requirements, way: Way) -> Result<Vec<Wheel>, String> {
    let shown = &wanted.shown;
    let platform = Platform::of(Some(&wanted.runtime), wanted.architecture.as_deref())
        .ok_or_else(|| format!("`{shown}` is for Python, and the runtime is `{}`", wanted.runtime))?;
    let text = std::fs::read_to_string(&wanted.path).map_err(|error| format!("`{shown}` can't be read: {error}"))?;
    let in_file = |wrong: Vec<Wrong>| words(shown, &wrong, platform);
    let pins = requirements::read(&text, Some(platform)).map_err(in_file)?;
    let pins = requirements::chosen(&pins, platform).map_err(in_file)?;
    let cache = Cache::of_user()?;
    let mut found: BTreeMap<String, Wheel> =
        pins.iter().filter_map(|pin| Some((pin.name.clone(), cache.wheel(pin, platform)?))).collect();
    let missing: Vec<&Pin> = pins.iter().copied().filter(|pin| !found.contains_key(&pin.name)).collect();
    if !missing.is_empty() {
        if way != Way::Fetched {
            return Err(format!("{} of `{shown}` aren't in the cache", missing.len()));
        }
        fetch(&missing, platform, cache.folder(), shown)?;
        for pin in missing {
            let wheel = cache.wheel(pin, platform);
            let gone = || format!("the wheel of `{}` was fetched, and isn't in the cache", pin.name);
            found.insert(pin.name.clone(), wheel.ok_or_else(gone)?);
        }
    }
    let said = found.iter().filter_map(|(name, wheel)| Some((name.clone(), metadata_of(wheel)?))).collect();
    let lacks = metadata::missing(&pins, &said, platform);
    if lacks.is_empty() { Ok(found.into_values().collect()) } else { Err(words(shown, &lacks, platform)) }
}

/// Has a child bring wheels into the cache.
fn fetch(missing: &[&Pin], platform: Platform, cache: &Path, shown: &str) -> Result<(), String> {
    let index = place::index()?;
    let wanted = |pin: &&Pin| Wanted {
        name: pin.name.clone(),
        version: pin.version.to_string(),
        hashes: pin.hashes.clone(),
        line: pin.line,
    };
    let job = Job {
        index: index.url.into(),
        cache: cache.to_owned(),
        minor: platform.minor,
        is_arm: platform.machine == requirements::Machine::Arm,
        wanted: missing.iter().map(wanted).collect(),
    };
    let failed = child::start(&job)?;
    let Some(first) = failed.first() else { return Ok(()) };
    let more = if failed.len() > 1 { format!("; and {} more", failed.len() - 1) } else { String::new() };
    let hint = match &first.hint {
        Some(hint) => hint.clone(),
        None => format!("have the file made for this function: {}", requirements::compiled_by(Some(platform))),
    };
    Err(format!("{shown}:{}: {}{more} (the index is that of {}); {hint}", first.line, first.reason, index.stated_by))
}

/// What is wrong with lines of the file, in one text.
fn words(shown: &str, wrong: &[Wrong], platform: Platform) -> String {
    let lines: Vec<String> = wrong.iter().take(3).map(|one| format!("{shown}:{}: {}", one.line, one.summary)).collect();
    let more = if wrong.len() > 3 { format!("; and {} more", wrong.len() - 3) } else { String::new() };
    format!("{}{more}; have the file made anew: {}", lines.join("; "), requirements::compiled_by(Some(platform)))
}

/// What a wheel says of itself.
fn metadata_of(wheel: &Wheel) -> Option<String> {
    let mut archive = Archive::new(&wheel.bytes);
    let files = package::read_files(&wheel.bytes).ok()?;
    let is_metadata = |path: &str| path.ends_with(".dist-info/METADATA") && path.matches('/').count() == 1;
    let path = files.into_iter().map(|file| file.path).find(|path| is_metadata(path))?;
    let text = archive.beginning(&path, metadata::MAX_METADATA)?;
    Some(String::from_utf8_lossy(&text).into_owned())
}
