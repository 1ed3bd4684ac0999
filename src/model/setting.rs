//! A function's settings: each once, with its name, its range, how it is sent to Lambda, and what it is called elsewhere.
//!
//! The same type says how a setting is wanted and how it is live. Whatever is decided for each setting is an exhaustive `match`
//! or takes [`Settings`] apart field by field, so that a new one doesn't compile until each place has decided.

use std::collections::BTreeSet;

/// A VPC configuration: sorted lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vpc {
    /// Subnet ids, sorted.
    pub subnets: Vec<String>,
    /// Security group ids, sorted.
    pub security_groups: Vec<String>,
}

impl Vpc {
    /// A configuration in canonical form: sorted, without duplicates.
    pub fn new(subnets: impl IntoIterator<Item = String>, security_groups: impl IntoIterator<Item = String>) -> Self {
        let sorted = |items: BTreeSet<String>| items.into_iter().collect();
        Self {
            subnets: sorted(subnets.into_iter().collect()),
            security_groups: sorted(security_groups.into_iter().collect()),
        }
    }

    /// Whether it stands for no VPC at all.
    pub fn is_empty(&self) -> bool {
        self.subnets.is_empty() && self.security_groups.is_empty()
    }
}

/// Settings of a function. Wanted: `None` is not managed. Live: `None` is a setting that the function doesn't have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Such as `python3.12`; a container image has none.
    pub runtime: Option<String>,
    /// Such as `lambda_function.lambda_handler`; a container image has none.
    pub handler: Option<String>,
    /// `x86_64` or `arm64`.
    pub architecture: Option<String>,
    /// Layer version ARNs, in order.
    pub layers: Option<Vec<String>>,
    /// Seconds.
    pub timeout: Option<u32>,
    /// MB.
    pub memory: Option<u32>,
    /// MB of `/tmp`.
    pub ephemeral_storage: Option<u32>,
    /// AWS X-Ray: `Active`, or `PassThrough`.
    pub tracing: Option<String>,
    /// The function's description; empty: none.
    pub description: Option<String>,
    /// Subnets and security groups; both empty: no VPC.
    pub vpc: Option<Vpc>,
}

/// One setting, as the manifest, a plan and a report name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setting {
    /// `runtime`
    Runtime,
    /// `handler`
    Handler,
    /// `architecture`
    Architecture,
    /// `layers`
    Layers,
    /// `timeout`
    Timeout,
    /// `memory`
    Memory,
    /// `ephemeral_storage`
    EphemeralStorage,
    /// `tracing`
    Tracing,
    /// `description`
    Description,
    /// `vpc.subnets`
    Subnets,
    /// `vpc.security_groups`
    SecurityGroups,
}

/// A setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingValue<'a> {
    /// A text.
    Text(&'a str),
    /// A number, in the setting's unit.
    Number(u32),
    /// A list.
    List(&'a [String]),
}

/// The numbers that a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The least.
    pub least: u32,
    /// The most.
    pub most: u32,
    /// Such as `seconds`.
    pub unit: &'static str,
}

/// The request that sets a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// `UpdateFunctionConfiguration`
    Configuration,
    /// `UpdateFunctionCode`
    Code,
}

/// Where Terraform's provider has a setting in `aws_lambda_function`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// An attribute.
    Attribute(&'static str),
    /// An attribute that is a list of this one value.
    ListOfOne(&'static str),
    /// An attribute of a nested block.
    Block(&'static str, &'static str),
}

impl Setting {
    /// All of them, in the order of a plan.
    pub const ALL: [Self; 11] = [
        Self::Runtime,
        Self::Handler,
        Self::Architecture,
        Self::Layers,
        Self::Timeout,
        Self::Memory,
        Self::EphemeralStorage,
        Self::Tracing,
        Self::Description,
        Self::Subnets,
        Self::SecurityGroups,
    ];

    /// Its path in the manifest.
    pub fn word(self) -> &'static str {
        match self {
            Self::Runtime => "runtime",
            Self::Handler => "handler",
            Self::Architecture => "architecture",
            Self::Layers => "layers",
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::EphemeralStorage => "ephemeral_storage",
            Self::Tracing => "tracing",
            Self::Description => "description",
            Self::Subnets => "vpc.subnets",
            Self::SecurityGroups => "vpc.security_groups",
        }
    }

    /// The setting of a path.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|setting| setting.word() == word)
    }

    /// The numbers that it takes (Lambda, `UpdateFunctionConfiguration`); `None` where it is no number.
    pub fn range(self) -> Option<Range> {
        match self {
            Self::Timeout => Some(Range { least: 1, most: 5400, unit: "seconds" }),
            Self::Memory => Some(Range { least: 128, most: 32768, unit: "MB" }),
            Self::EphemeralStorage => Some(Range { least: 512, most: 32768, unit: "MB" }),
            Self::Runtime
            | Self::Handler
            | Self::Architecture
            | Self::Layers
            | Self::Tracing
            | Self::Description
            | Self::Subnets
            | Self::SecurityGroups => None,
        }
    }

    /// The request that sets it.
    pub fn request(self) -> Request {
        match self {
            Self::Architecture => Request::Code,
            Self::Runtime
            | Self::Handler
            | Self::Layers
            | Self::Timeout
            | Self::Memory
            | Self::EphemeralStorage
            | Self::Tracing
            | Self::Description
            | Self::Subnets
            | Self::SecurityGroups => Request::Configuration,
        }
    }

    /// Whether an application's stack may carry it in parameters of its own.
    pub fn may_be_of_stack(self) -> bool {
        match self {
            Self::Subnets | Self::SecurityGroups => true,
            Self::Runtime
            | Self::Handler
            | Self::Architecture
            | Self::Layers
            | Self::Timeout
            | Self::Memory
            | Self::EphemeralStorage
            | Self::Tracing
            | Self::Description => false,
        }
    }

    /// Whether a function with another value of it runs other code.
    pub fn is_code(self) -> bool {
        match self {
            Self::Runtime | Self::Handler | Self::Architecture | Self::Layers => true,
            Self::Timeout
            | Self::Memory
            | Self::EphemeralStorage
            | Self::Tracing
            | Self::Description
            | Self::Subnets
            | Self::SecurityGroups => false,
        }
    }

    /// Where Terraform's provider has it.
    pub fn provider(self) -> Provider {
        match self {
            Self::Runtime => Provider::Attribute("runtime"),
            Self::Handler => Provider::Attribute("handler"),
            Self::Architecture => Provider::ListOfOne("architectures"),
            Self::Layers => Provider::Attribute("layers"),
            Self::Timeout => Provider::Attribute("timeout"),
            Self::Memory => Provider::Attribute("memory_size"),
            Self::EphemeralStorage => Provider::Block("ephemeral_storage", "size"),
            Self::Tracing => Provider::Block("tracing_config", "mode"),
            Self::Description => Provider::Attribute("description"),
            Self::Subnets => Provider::Block("vpc_config", "subnet_ids"),
            Self::SecurityGroups => Provider::Block("vpc_config", "security_group_ids"),
        }
    }
}

impl Settings {
    /// One setting's value.
    pub fn get(&self, setting: Setting) -> Option<SettingValue<'_>> {
        match setting {
            Setting::Runtime => self.runtime.as_deref().map(SettingValue::Text),
            Setting::Handler => self.handler.as_deref().map(SettingValue::Text),
            Setting::Architecture => self.architecture.as_deref().map(SettingValue::Text),
            Setting::Layers => self.layers.as_deref().map(SettingValue::List),
            Setting::Timeout => self.timeout.map(SettingValue::Number),
            Setting::Memory => self.memory.map(SettingValue::Number),
            Setting::EphemeralStorage => self.ephemeral_storage.map(SettingValue::Number),
            Setting::Tracing => self.tracing.as_deref().map(SettingValue::Text),
            Setting::Description => self.description.as_deref().map(SettingValue::Text),
            Setting::Subnets => self.vpc.as_ref().map(|vpc| SettingValue::List(&vpc.subnets)),
            Setting::SecurityGroups => self.vpc.as_ref().map(|vpc| SettingValue::List(&vpc.security_groups)),
        }
    }

    /// Those that a request carries. A VPC goes whole: Lambda replaces both lists at once.
    #[must_use]
    pub fn only(&self, carried: impl Fn(Setting) -> bool) -> Self {
        let Self {
            runtime,
            handler,
            architecture,
            layers,
            timeout,
            memory,
            ephemeral_storage,
            tracing,
            description,
            vpc,
        } = self.clone();
        Self {
            runtime: runtime.filter(|_| carried(Setting::Runtime)),
            handler: handler.filter(|_| carried(Setting::Handler)),
            architecture: architecture.filter(|_| carried(Setting::Architecture)),
            layers: layers.filter(|_| carried(Setting::Layers)),
            timeout: timeout.filter(|_| carried(Setting::Timeout)),
            memory: memory.filter(|_| carried(Setting::Memory)),
            ephemeral_storage: ephemeral_storage.filter(|_| carried(Setting::EphemeralStorage)),
            tracing: tracing.filter(|_| carried(Setting::Tracing)),
            description: description.filter(|_| carried(Setting::Description)),
            vpc: vpc.filter(|_| carried(Setting::Subnets) || carried(Setting::SecurityGroups)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a setting that is missing from `ALL` would be compared, sent and shown by nothing, silently: each field that
    /// `Settings` takes apart must be one that `get` finds by a listed setting.
    #[test]
    fn all_lists_each_setting_once_and_finds_its_value() {
        let one = || Some("a".to_owned());
        let whole = Settings {
            runtime: one(),
            handler: one(),
            architecture: one(),
            layers: Some(Vec::new()),
            timeout: Some(1),
            memory: Some(128),
            ephemeral_storage: Some(512),
            tracing: one(),
            description: one(),
            vpc: Some(Vpc::default()),
        };
        let mut rest = whole.clone();
        for setting in Setting::ALL {
            assert!(whole.get(setting).is_some(), "{}", setting.word());
            assert_eq!(Setting::named(setting.word()), Some(setting), "two settings are called {}", setting.word());
            assert_eq!(whole.only(|one| one == setting).get(setting), whole.get(setting));
            rest = rest.only(|one| one != setting && !(setting.may_be_of_stack() && one.may_be_of_stack()));
        }
        assert_eq!(rest, Settings::default(), "a field that no listed setting stands for");
    }
}
