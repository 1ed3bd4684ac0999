//! Commands that people are given: of AWS's CLI, whose versions 1 and 2 both take them.
//!
//! Each says its region, and the endpoint where that isn't AWS's own: a command from a rehearsal must not reach a real account. None
//! is written anywhere else.

use std::borrow::Cow;
use std::fmt;

use crate::model::Address;
use crate::plan::Plan;

use super::safe;

/// Which AWS commands lead to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Route<'a> {
    /// The endpoint of every service, where it isn't AWS's own. Of a sandbox that ends with this program it is the one that
    /// `sandbox start` serves its state at.
    pub endpoint: Option<&'a str>,
    /// The option by which this program runs such a sandbox again: `--sandbox`, or with its state's file.
    pub sandbox: Option<&'a str>,
}

impl<'a> Route<'a> {
    /// To an endpoint that goes on.
    pub fn to(endpoint: Option<&'a str>) -> Self {
        Self { endpoint, sandbox: None }
    }

    /// Where a plan was made.
    pub fn of(plan: &'a Plan) -> Self {
        Self { endpoint: plan.endpoint.as_deref(), sandbox: plan.sandbox.as_deref() }
    }

    /// Whether there is anything to reach once this program has ended.
    pub fn lasts(self) -> bool {
        self.sandbox.is_none()
    }

    /// The option that leads a command of this program there, with a space before it.
    fn option(self) -> String {
        match (self.sandbox, self.endpoint) {
            (Some(sandbox), _) => format!(" {sandbox}"),
            (None, Some(endpoint)) => endpoint_option(endpoint),
            (None, None) => String::new(),
        }
    }

    /// A command of this program.
    pub fn command(self, command: &str) -> String {
        format!("rotator {command}{}", self.option())
    }

    /// A command of this program about one secret, by its handle.
    pub fn of_secret(self, command: &str, address: &Address) -> String {
        let target = address.target.as_ref().map(|target| format!(" --target {}", quoted(target))).unwrap_or_default();
        format!("{}{target} --secret {}", self.command(command), quoted(&address.handle))
    }

    /// A command of this program about an address.
    pub fn of_address(self, command: &str, address: &str) -> String {
        format!("{} --target {}", self.command(command), quoted(address))
    }
}

/// Where commands lead.
#[derive(Debug, Clone, Default)]
pub struct There<'a> {
    /// The region; empty where it isn't known.
    pub region: Cow<'a, str>,
    /// Which AWS it is a region of.
    pub route: Route<'a>,
}

impl<'a> There<'a> {
    /// A region, at an endpoint.
    pub fn new(region: impl Into<Cow<'a, str>>, endpoint: Option<&'a str>) -> Self {
        Self { region: region.into(), route: Route::to(endpoint) }
    }

    /// Where a plan was made.
    pub fn of(plan: &'a Plan) -> Self {
        Self { region: plan.region.as_str().into(), route: Route::of(plan) }
    }

    /// Another region at the same endpoint.
    #[must_use]
    pub fn moved(&self, region: impl Into<Cow<'a, str>>) -> Self {
        Self { region: region.into(), route: self.route }
    }
}

/// As it stands behind `--region`: the region, and the option that leads to the endpoint.
impl fmt::Display for There<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let region = if self.region.is_empty() { "REGION".into() } else { safe(&self.region) };
        write!(f, "{region}{}", self.route.endpoint.map(endpoint_option).unwrap_or_default())
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
