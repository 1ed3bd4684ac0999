//! Commands that people are given: of AWS's CLI, whose versions 1 and 2 both take them.
//!
//! Each says its region, and the endpoint where that isn't AWS's own: a command from a rehearsal must not reach a real account. None
//! is written anywhere else.

use std::borrow::Cow;
use std::fmt;

use crate::model::Address;

use super::safe;

/// Where commands lead.
#[derive(Debug, Clone, Default)]
pub struct There<'a> {
    /// The region; empty where it isn't known.
    pub region: Cow<'a, str>,
    /// The endpoint of every service, where it isn't AWS's own.
    pub endpoint: Option<&'a str>,
}

impl<'a> There<'a> {
    /// A region, at an endpoint.
    pub fn new(region: impl Into<Cow<'a, str>>, endpoint: Option<&'a str>) -> Self {
        Self { region: region.into(), endpoint }
    }

    /// Another region at the same endpoint.
    #[must_use]
    pub fn moved(&self, region: impl Into<Cow<'a, str>>) -> Self {
        Self::new(region, self.endpoint)
    }
}

/// As it stands behind `--region`: the region, and the option that leads to the endpoint.
impl fmt::Display for There<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let region = if self.region.is_empty() { "REGION".into() } else { safe(&self.region) };
        write!(f, "{region}{}", self.endpoint.map(endpoint_option).unwrap_or_default())
    }
}

/// A command of AWS's CLI, such as `lambda get-policy`, without its further options.
pub fn aws(command: &str, there: &There<'_>) -> String {
    format!("aws {command} --region {there}")
}

/// The option that leads a command to an endpoint, with a space before it: AWS's CLI and this program have the same.
pub fn endpoint_option(endpoint: &str) -> String {
    format!(" --endpoint-url '{}'", safe(endpoint).replace('\'', "%27"))
}

/// A command of this program about one secret, by its handle. `way`: the options that lead it to where this run was, with a space before them.
pub fn of_secret(command: &str, way: &str, address: &Address) -> String {
    let target = address.target.as_ref().map(|target| format!(" --target {}", quoted(target)));
    format!("rotator {command}{way}{} --secret {}", target.unwrap_or_default(), quoted(&address.handle))
}

/// The same on the way on which commands of AWS's CLI go, of which it needs no region: its target has one.
pub fn own(command: &str, address: &Address, there: &There<'_>) -> String {
    of_secret(command, &there.endpoint.map(endpoint_option).unwrap_or_default(), address)
}

/// A word in quotes, as a shell takes it, made fit to be shown.
pub fn quoted(word: &str) -> String {
    in_quotes(&safe(word))
}

/// A word as a shell takes it: in quotes only where it needs them.
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { in_quotes(text) }
}

fn in_quotes(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
