//! A file of requirements for Python, as functions' code may name one: what it pins, and which wheel of an index serves a function.
//!
//! Pure: it knows no files, no network and no clock. The file is read by us, and far less of it is understood than by installers: a version
//! for each name, a marker, hashes. Whatever else it says would make the package depend on the day, or on the machine.

mod file;
pub mod index;
mod marker;
pub mod metadata;
mod specifier;
#[cfg(test)]
mod tests;
mod wheel;

use std::fmt;

use pep440_rs::Version;

pub use file::{compiled_by, read};
pub use wheel::WheelName;

use marker::{Marker, Truth};

/// The most requirements of one function.
pub const MAX_PINS: usize = 500;

/// Where a function runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// The minor version of Python 3.
    pub minor: u8,
    /// Its processor.
    pub machine: Machine,
}

/// A processor of Lambda's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Machine {
    /// Lambda's `x86_64`.
    X86,
    /// Lambda's `arm64`.
    Arm,
}

impl Machine {
    /// As Linux and wheels call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "aarch64",
        }
    }
}

impl Platform {
    /// Of a function's settings: `None` where they name no Python, or a processor that isn't Lambda's. Lambda's processor is `x86_64` where
    /// nothing is said.
    pub fn of(runtime: Option<&str>, architecture: Option<&str>) -> Option<Self> {
        let minor = runtime?.strip_prefix("python3.")?.parse().ok()?;
        let machine = match architecture {
            None | Some("x86_64") => Machine::X86,
            Some("arm64") => Machine::Arm,
            Some(_) => return None,
        };
        Some(Self { minor, machine })
    }

    /// The newest glibc, as 2.N, whose wheels run there: Amazon Linux 2 has 2.26, Amazon Linux 2023, from Python 3.12 on, 2.34.
    pub fn glibc(self) -> u8 {
        if self.minor <= 11 { 26 } else { 34 }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Python 3.{} on {}", self.minor, self.machine.word())
    }
}

/// A requirement with its only version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The name as indexes compare it: lower case, `-` between its parts.
    pub name: String,
    /// The extras that are asked for, in the same form.
    pub extras: Vec<String>,
    /// The version.
    pub version: Version,
    /// The SHA-256 of all files that may be taken, in hex.
    pub hashes: Vec<String>,
    /// Its line, from 1.
    pub line: u32,
    marker: Option<Marker>,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The line, from 1.
    pub line: u32,
    /// How many characters of it are meant, from its first one that isn't a space.
    pub length: u32,
    /// What is wrong.
    pub summary: String,
    /// What to do.
    pub hints: Vec<String>,
}

/// The requirements that hold for a function; else those of which that can't be said, or of which a name has two.
pub fn chosen(pins: &[Pin], platform: Platform) -> Result<Vec<&Pin>, Vec<Wrong>> {
    let (mut held, mut wrong) = (Vec::<&Pin>::new(), Vec::new());
    let problem = |pin: &Pin, summary: String, hint: &str| Wrong {
        line: pin.line,
        length: u32::try_from(pin.name.len()).unwrap_or(u32::MAX),
        summary,
        hints: vec![hint.to_owned()],
    };
    for pin in pins {
        match pin.marker.as_ref().map_or(Truth::Known(true), |marker| marker.holds(platform, &[])) {
            Truth::Known(false) => {}
            Truth::Known(true) => match held.iter().find(|other| other.name == pin.name) {
                Some(other) => {
                    let summary = format!(
                        "`{}` has two versions for {platform}: {} here, {} in line {}",
                        pin.name, pin.version, other.version, other.line
                    );
                    wrong.push(problem(
                        pin,
                        summary,
                        "leave one of both, or give them markers that exclude each other",
                    ));
                }
                None => held.push(pin),
            },
            Truth::Depends(on) => {
                let summary =
                    format!("whether `{}` is needed hangs on `{on}`, which Lambda changes by itself", pin.name);
                wrong.push(problem(pin, summary, "ask for `python_version`, `platform_machine` or `sys_platform`"));
            }
        }
    }
    if wrong.is_empty() { Ok(held) } else { Err(wrong) }
}

/// A name as indexes compare it (PEP 503).
pub fn normalized(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut gap = false;
    for c in name.chars() {
        if matches!(c, '-' | '_' | '.') {
            gap = true;
        } else {
            if std::mem::take(&mut gap) && !out.is_empty() {
                out.push('-');
            }
            out.push(c.to_ascii_lowercase());
        }
    }
    out
}
