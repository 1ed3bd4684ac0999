//! Wheels by their names: for which machines one is, and which of several is taken.
//!
//! The order is ours, and part of what makes a package the same everywhere: installers follow the machine that they run on.

use std::cmp::Reverse;

use pep440_rs::Version;

use super::{Platform, normalized};

/// The oldest glibc that wheels name, as 2.N.
const OLDEST_GLIBC: u8 = 5;

/// The oldest Python 3 whose stable interface counts.
const OLDEST_ABI3: u8 = 2;

/// The name of a wheel (binary distribution format, "File name convention").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WheelName {
    /// As indexes compare it.
    pub distribution: String,
    /// The version.
    pub version: Version,
    build: (u64, String),
    pythons: Vec<String>,
    abis: Vec<String>,
    platforms: Vec<String>,
}

/// How well a wheel serves: what is smaller is taken.
pub(super) type Rank = (u8, u8, u8, Reverse<(u64, String)>);

impl WheelName {
    /// Reads a file's name; `None` where it is no wheel's.
    pub fn parse(file: &str) -> Option<Self> {
        let parts: Vec<&str> = file.strip_suffix(".whl")?.split('-').collect();
        let (distribution, version, build, tags) = match parts[..] {
            [distribution, version, python, abi, platform] => (distribution, version, "", [python, abi, platform]),
            [distribution, version, build, python, abi, platform] => {
                (distribution, version, build, [python, abi, platform])
            }
            _ => return None,
        };
        let number = build.bytes().take_while(u8::is_ascii_digit).count();
        let set = |tags: &str| tags.split('.').map(str::to_owned).collect();
        Some(Self {
            distribution: normalized(distribution),
            version: version.replace('_', "-").parse().or_else(|_| version.parse()).ok()?,
            build: (build[..number].parse().unwrap_or(0), build[number..].to_owned()),
            pythons: set(tags[0]),
            abis: set(tags[1]),
            platforms: set(tags[2]),
        })
    }

    /// How well it serves a function; `None`: it doesn't run there.
    pub(super) fn rank(&self, platform: Platform) -> Option<Rank> {
        let glibc = self.platforms.iter().filter_map(|tag| glibc_of(tag, platform)).min()?;
        let tags = self.pythons.iter().flat_map(|python| self.abis.iter().map(move |abi| (python, abi)));
        let (kind, age) = tags.filter_map(|(python, abi)| interface(python, abi, platform.minor)).min()?;
        Some((kind, age, glibc, Reverse(self.build.clone())))
    }

    /// For which machines it is, in the words of its name.
    pub(super) fn tags(&self) -> String {
        [&self.pythons, &self.abis, &self.platforms].map(|set| set.join(".")).join("-")
    }
}

/// How far below Lambda's glibc a platform's is; the last for what runs everywhere.
fn glibc_of(tag: &str, platform: Platform) -> Option<u8> {
    if tag == "any" {
        return Some(u8::MAX);
    }
    let tag = tag.strip_suffix(platform.machine.word())?.strip_suffix('_')?;
    let minor = match tag {
        "manylinux2014" => 17,
        "manylinux2010" => 12,
        "manylinux1" => OLDEST_GLIBC,
        _ => tag.strip_prefix("manylinux_2_")?.parse::<u8>().ok()?,
    };
    (minor >= OLDEST_GLIBC).then(|| platform.glibc().checked_sub(minor)).flatten()
}

/// Which interface a wheel was built for, and how far below the function's Python: its own, the stable one, none.
fn interface(python: &str, abi: &str, minor: u8) -> Option<(u8, u8)> {
    let below = |digits: &str| match digits {
        "3" => Some(minor),
        _ => minor.checked_sub(digits.strip_prefix('3')?.parse::<u8>().ok()?),
    };
    match (python.strip_prefix("cp"), python.strip_prefix("py"), abi) {
        (Some(digits), _, abi) if abi.strip_prefix("cp") == Some(digits) => (below(digits)? == 0).then_some((0, 0)),
        // Up to 3.7 the name had an `m`; no function runs that any more.
        (Some(digits), _, "abi3") => below(digits).filter(|below| minor - below >= OLDEST_ABI3).map(|below| (1, below)),
        (Some(digits), _, "none") => (below(digits)? == 0 && digits != "3").then_some((2, 0)),
        (_, Some(digits), "none") => below(digits).map(|below| (3, below)),
        _ => None,
    }
}
