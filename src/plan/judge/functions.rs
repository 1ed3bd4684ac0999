//! What rules ask of functions: code of the manifest, and that they, their application, layers and role stand on a list.
//!
//! What AWS shows counts where the function is there: what the manifest states is judged too, as it is what will be.

use crate::model::arn::{Arn, function_name, unqualified_function_arn};
use crate::model::live::{Configuration, LiveFunction, Reading, Unread};
use crate::model::rule::{Demand, Exemption, Listed, Pattern, Requirement, Rule};
use crate::model::{Address, Function, FunctionSource, Kind, SAR_APPLICATION_TAG, Secret};

use super::beyond::Wanted;
use super::{Breach, Judge, Why, is_exempt};

/// Where a target is, as far as that is known.
struct Here<'a> {
    partition: Option<&'a str>,
    region: Option<&'a str>,
    account: Option<&'a str>,
}

/// Whether a function may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Allowed,
    Refused,
    /// Only AWS knows.
    Unknown,
}

impl Judge<'_> {
    /// Judges the functions that a rule holds for, and those that rotate a secret of it without being in the manifest.
    pub(super) fn functions(&mut self, rule: &Rule, exemptions: &[&Exemption], wanted: &Wanted<'_>) {
        let asks = |one: &&Requirement| matches!(one.demand, Demand::Code | Demand::Functions(..));
        let asked: Vec<&Requirement> = rule.requirements.iter().filter(asks).collect();
        if asked.is_empty() || self.removes() {
            return;
        }
        let desired = self.desired;
        for (handle, function) in &desired.functions {
            if !self.rotated(rule, exemptions, wanted, handle).is_meant(rule, &function.labels) {
                continue;
            }
            let address = desired.address(Kind::Function, handle);
            let mut is_unread = false;
            for requirement in &asked {
                for breach in self.function(rule, requirement, &address, handle, function) {
                    // That nothing can be read is said once.
                    let unread = matches!(breach, Breach::FunctionUnread { .. });
                    if !(unread && is_unread) {
                        self.breach(rule, requirement, &address, &function.name, breach);
                    }
                    is_unread |= unread;
                }
            }
        }
        for (handle, secret) in desired.secrets.iter().filter(|(_, secret)| secret.function.is_none()) {
            self.unnamed_function(rule, exemptions, &asked, handle, secret);
        }
    }

    fn function(
        &mut self,
        rule: &Rule,
        requirement: &Requirement,
        address: &Address,
        handle: &str,
        function: &Function,
    ) -> Vec<Breach> {
        let (list, patterns) = match &requirement.demand {
            Demand::Functions(list, patterns) => (*list, &patterns[..]),
            _ => return lacks_code(function).into_iter().collect(),
        };
        let live = self.facts.and_then(|facts| facts.live.functions.get(handle));
        let configuration = live.map(|live: &LiveFunction| &live.configuration);
        match (list, &function.source) {
            (Listed::Existing, FunctionSource::Existing { reference }) => {
                let found = configuration.and_then(Reading::found).map(|found| found.arn.as_str());
                match self.may_be_used(patterns, found.unwrap_or(reference)) {
                    Known::Allowed => Vec::new(),
                    Known::Refused => vec![not_allowed(list, found.unwrap_or(reference))],
                    Known::Unknown => {
                        self.unproven(rule, &requirement.at, Why::LiveFunctions);
                        Vec::new()
                    }
                }
            }
            (Listed::Applications, FunctionSource::Deployed(deployment)) => {
                let id = &deployment.application.id;
                let is_listed = patterns.iter().any(|pattern| pattern.matches_arn(id));
                (!is_listed).then(|| not_allowed(list, id)).into_iter().collect()
            }
            (Listed::Existing | Listed::Applications, _) => Vec::new(),
            (Listed::Layers, source) => {
                let stated = match source {
                    FunctionSource::Deployed(deployment) => deployment.settings.layers.as_ref(),
                    FunctionSource::Existing { .. } => None,
                };
                let of_manifest = refused(list, patterns, stated.into_iter().flatten());
                // What is live stays where nothing else is stated, or what is stated can't be done.
                if stated.is_some() && !self.left_out.contains(address) {
                    return of_manifest;
                }
                let of_live = self.of_live(rule, requirement, configuration, |live| {
                    refused(list, patterns, live.settings.layers.iter().flatten())
                });
                of_manifest.into_iter().chain(of_live).collect()
            }
            (Listed::Roles, _) => {
                self.of_live(rule, requirement, configuration, |live| refused(list, patterns, live.role.iter()))
            }
        }
    }

    /// What is to be said of a function as it is.
    fn of_live(
        &mut self,
        rule: &Rule,
        requirement: &Requirement,
        configuration: Option<&Reading<Configuration>>,
        say: impl Fn(&Configuration) -> Vec<Breach>,
    ) -> Vec<Breach> {
        match configuration {
            Some(Reading::Found(live)) => say(live),
            Some(Reading::Unread(unread)) => vec![Breach::FunctionUnread { unread: unread.clone() }],
            // It is still to be made; or a filter leaves it as it is.
            Some(Reading::Absent) => Vec::new(),
            None => {
                if self.facts.is_none() {
                    self.unproven(rule, &requirement.at, Why::LiveFunctions);
                }
                Vec::new()
            }
        }
    }

    /// A secret whose entry names no function rotates with the one that it has on AWS, whatever that is.
    fn unnamed_function(
        &mut self,
        rule: &Rule,
        exemptions: &[&Exemption],
        asked: &[&Requirement],
        handle: &str,
        secret: &Secret,
    ) {
        let Some(live) = self.facts.and_then(|facts| facts.live.secrets.get(handle)).and_then(Reading::found) else {
            return;
        };
        let rotates = secret.rotation.enabled.unwrap_or(live.is_on());
        let Some(function) = live.function_arn.as_deref().filter(|_| rotates) else { return };
        let is_meant = rule.scope.has_secret(&live.name, &secret.labels) && !is_exempt(exemptions, &live.name);
        if !is_meant || self.is_of_manifest(function) {
            return;
        }
        let address = self.desired.address(Kind::Secret, handle);
        let configuration = live.attached.as_ref().map(|attached| &attached.configuration);
        let mut is_unread = false;
        for requirement in asked {
            let breaches = match &requirement.demand {
                Demand::Functions(Listed::Existing, patterns) => {
                    let is_listed = self.may_be_used(patterns, function) == Known::Allowed;
                    (!is_listed).then(|| not_allowed(Listed::Existing, function)).into_iter().collect()
                }
                Demand::Functions(list, patterns) => of_attached(*list, patterns, function, configuration),
                Demand::Code => vec![Breach::CodeElsewhere { function: Some(function.to_owned()) }],
                _ => Vec::new(),
            };
            for breach in breaches {
                // That nothing can be read is said once.
                let unread = matches!(breach, Breach::FunctionUnread { .. });
                if !(unread && is_unread) {
                    self.breach(rule, requirement, &address, &live.name, breach);
                }
                is_unread |= unread;
            }
        }
    }

    /// Whether a function is one of the manifest's, which is judged as such.
    fn is_of_manifest(&self, arn: &str) -> bool {
        let arn = unqualified_function_arn(arn);
        let here = self.here();
        self.desired.functions.iter().any(|(handle, function)| {
            let live = self.facts.and_then(|facts| facts.live.functions.get(handle));
            let found = live.and_then(|live| live.configuration.found()).map(|found| found.arn.clone());
            let reference = match &function.source {
                FunctionSource::Existing { reference } => reference,
                FunctionSource::Deployed(_) => &function.name,
            };
            found.or_else(|| here.arn(reference)).is_some_and(|one| unqualified_function_arn(&one) == arn)
        })
    }

    /// Whether a list of functions holds one: by its ARN, or, of the target's own account and region, by its name.
    fn may_be_used(&self, patterns: &[Pattern], reference: &str) -> Known {
        let here = self.here();
        let complete = here.arn(reference);
        let arn = complete.as_deref().map(unqualified_function_arn);
        let is_here = arn.and_then(|arn| here.has(arn));
        let mut unknown = false;
        for pattern in patterns {
            let matches = if pattern.0.contains(':') {
                arn.map(|arn| pattern.matches_arn(arn))
            } else if pattern.matches(function_name(reference)) {
                // A name alone is always one of this account.
                if reference.contains(':') { is_here } else { Some(true) }
            } else {
                Some(false)
            };
            if matches == Some(true) {
                return Known::Allowed;
            }
            unknown |= matches.is_none();
        }
        if unknown { Known::Unknown } else { Known::Refused }
    }

    fn here(&self) -> Here<'_> {
        let target = &self.desired.target;
        match self.facts {
            Some(facts) => Here {
                partition: Some(&facts.live.partition),
                region: Some(&facts.live.region),
                account: Some(&facts.live.account),
            },
            None => Here {
                partition: target.region.as_deref().map(crate::model::arn::partition_of),
                region: target.region.as_deref(),
                account: target.account.as_deref(),
            },
        }
    }
}

impl Here<'_> {
    /// A function's complete ARN from its name, partial ARN or ARN.
    fn arn(&self, reference: &str) -> Option<String> {
        if reference.starts_with("arn:") {
            return Some(reference.to_owned());
        }
        let account = match reference.split_once(":function:") {
            Some((account, _)) => account,
            None => self.account?,
        };
        let (partition, region, name) = (self.partition?, self.region?, function_name(reference));
        Some(format!("arn:{partition}:lambda:{region}:{account}:function:{name}"))
    }

    /// Whether an ARN is of this account and region; `None` where that isn't known.
    fn has(&self, arn: &str) -> Option<bool> {
        let arn: Arn = arn.parse().ok()?;
        Some(arn.account == self.account? && arn.region == self.region?)
    }
}

/// How a function that a secret has on AWS, and no handle names, goes against a list.
fn of_attached(
    list: Listed,
    patterns: &[Pattern],
    function: &str,
    configuration: Option<&Reading<Configuration>>,
) -> Vec<Breach> {
    let unread = |unread: &Unread| vec![Breach::FunctionUnread { unread: unread.clone() }];
    let live = match configuration {
        Some(Reading::Found(live)) => live,
        Some(Reading::Unread(why)) => return unread(why),
        // Lambda doesn't know it: nothing rotates with it.
        Some(Reading::Absent) => return Vec::new(),
        // Of another account or region nothing can be read here, so that nothing of it is known to be on a list.
        None => return vec![not_allowed(list, function)],
    };
    match list {
        Listed::Existing => Vec::new(),
        Listed::Layers => refused(list, patterns, live.settings.layers.iter().flatten()),
        Listed::Roles => refused(list, patterns, live.role.iter()),
        // CloudFormation gives a stack's tags to what is in it.
        Listed::Applications => match &live.tags {
            Ok(tags) => refused(list, patterns, tags.get(SAR_APPLICATION_TAG).into_iter()),
            Err(why) => unread(why),
        },
    }
}

fn lacks_code(function: &Function) -> Option<Breach> {
    match function.deployment() {
        Some(deployment) => deployment.code.is_none().then_some(Breach::NoCode),
        None => Some(Breach::CodeElsewhere { function: None }),
    }
}

fn refused<'t>(list: Listed, patterns: &[Pattern], arns: impl Iterator<Item = &'t String>) -> Vec<Breach> {
    let not_listed = arns.filter(|arn| !patterns.iter().any(|pattern| pattern.matches_arn(arn)));
    not_listed.map(|arn| not_allowed(list, arn)).collect()
}

fn not_allowed(list: Listed, name: &str) -> Breach {
    Breach::NotListed { list: list.word().to_owned(), name: name.to_owned() }
}
