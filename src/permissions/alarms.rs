//! The rule that hears of failed rotations: `CloudWatch` has no metric for them, and `EventBridge` passes on what Secrets Manager says of
//! each rotation in `CloudTrail`.
//!
//! AWS documents `RotationFailed` and `RotationAbandoned`; `TestRotationFailed` was reported by users, with the secret's ARN in
//! `additionalEventData.SecretId`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Place;
use super::scope::Width;
use crate::model::{Desired, Secret};

/// What is heard of.
pub const EVENTS: [&str; 3] = ["RotationFailed", "RotationAbandoned", "TestRotationFailed"];

/// How many characters a pattern may have (`EventBridge` quotas, "Event pattern size").
const LARGEST: usize = 2_048;

/// How many rules are made before secrets are taken together by their folders.
const MOST: usize = 10;

/// The rules of a target, and how widely they name its secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarms {
    /// What each rule listens to.
    pub patterns: Vec<Value>,
    /// By name, by folder, or all.
    pub width: Width,
}

/// The rules for a target's secrets; `None` where it has none.
pub fn of(desired: &Desired, place: &Place) -> Option<Alarms> {
    if desired.secrets.is_empty() && desired.select.is_empty() {
        return None;
    }
    let all = || Alarms { patterns: vec![pattern(None)], width: Width::All };
    let Some(of_rules) = rule_prefixes(desired, place) else { return Some(all()) };
    let widths = [Width::Named, Width::Folders, Width::FirstFolders];
    let by_name = widths.into_iter().find_map(|width| {
        let of_entries = desired.secrets.values().map(|secret| prefix(secret, place, width));
        let patterns = patterns(of_entries.chain(of_rules.iter().cloned()));
        (patterns.len() <= MOST).then_some(Alarms { patterns, width })
    });
    Some(by_name.unwrap_or_else(all))
}

/// How the ARNs begin of what rules of `select` may mean; `None`: in any way.
fn rule_prefixes(desired: &Desired, place: &Place) -> Option<Vec<String>> {
    let Place { partition, region, account } = place;
    let mut prefixes = Vec::new();
    for rule in desired.select.values() {
        for name in rule.matches.names.as_ref()? {
            let (start, suffix) = name.0.split_once('*').map_or((name.0.as_str(), "-"), |(start, _)| (start, ""));
            if start.is_empty() {
                return None;
            }
            prefixes.push(format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{start}{suffix}"));
        }
    }
    Some(prefixes)
}

/// Of names only how they begin is compared: `EventBridge` has no pattern for AWS's six characters behind them.
fn prefix(secret: &Secret, place: &Place, width: Width) -> String {
    let name = secret.name.as_str();
    if name.starts_with("arn:") {
        return name.to_owned();
    }
    let Place { partition, region, account } = place;
    let folder = match width {
        Width::Folders => name.rsplit_once('/').map(|(folder, _)| folder),
        Width::FirstFolders => name.split_once('/').map(|(folder, _)| folder),
        Width::Named | Width::All => None,
    };
    let start = folder.map_or_else(|| format!("{name}-"), |folder| format!("{folder}/"));
    format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{start}")
}

fn patterns(prefixes: impl Iterator<Item = String>) -> Vec<Value> {
    let prefixes: BTreeSet<String> = prefixes.collect();
    let empty = pattern(Some(Vec::new())).to_string().len();
    let (mut parts, mut room): (Vec<Vec<Value>>, usize) = (Vec::new(), 0);
    for prefix in prefixes {
        let one = json!({ "prefix": prefix });
        let size = one.to_string().len() + 1;
        if let Some(part) = parts.last_mut().filter(|_| size <= room) {
            part.push(one);
        } else {
            parts.push(vec![one]);
            room = LARGEST - empty;
        }
        room = room.saturating_sub(size);
    }
    parts.into_iter().map(|part| pattern(Some(part))).collect()
}

fn pattern(secrets: Option<Vec<Value>>) -> Value {
    let mut detail = json!({"eventSource": ["secretsmanager.amazonaws.com"], "eventName": EVENTS});
    if let Some(secrets) = secrets {
        detail["additionalEventData"] = json!({ "SecretId": secrets });
    }
    json!({
        "source": ["aws.secretsmanager"],
        "detail-type": ["AWS Service Event via CloudTrail"],
        "detail": detail,
    })
}

impl Alarms {
    /// A template of `CloudFormation`, whose parameter is the SNS topic that is told.
    pub fn cloudformation(&self, project: &str) -> Value {
        let resources = self.patterns.iter().enumerate().map(|(at, pattern)| {
            let rule = json!({
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "Description": description(project),
                    "EventPattern": pattern,
                    "State": "ENABLED",
                    "Targets": [{"Id": "topic", "Arn": {"Ref": "Topic"}}],
                },
            });
            (format!("Rotations{}", at + 1), rule)
        });
        json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": description(project),
            "Parameters": {
                "Topic": {
                    "Type": "String",
                    "AllowedPattern": "arn:[a-z-]+:sns:.+",
                    "Description": "The ARN of the SNS topic that is told; its policy lets events.amazonaws.com publish",
                },
            },
            "Resources": resources.collect::<serde_json::Map<_, _>>(),
        })
    }

    /// The same for Terraform, whose variable is the topic.
    pub fn terraform(&self, project: &str) -> String {
        let mut text = String::from(
            "variable \"topic\" {\n  description = \"The ARN of the SNS topic that is told; its policy lets events.amazonaws.com publish\"\n  type        = string\n}\n",
        );
        for (at, pattern) in self.patterns.iter().enumerate() {
            let number = at + 1;
            // An expression of Terraform's may be written as JSON. No name of AWS's has a `$` or a `%` in it.
            let pattern = serde_json::to_string_pretty(pattern).unwrap_or_default().replace('\n', "\n  ");
            let _ = write!(
                text,
                "\nresource \"aws_cloudwatch_event_rule\" \"rotations_{number}\" {{\n  name_prefix   = \"rotations-\"\n  description   = {}\n  event_pattern = jsonencode({pattern})\n}}\n\nresource \"aws_cloudwatch_event_target\" \"rotations_{number}\" {{\n  rule = aws_cloudwatch_event_rule.rotations_{number}.name\n  arn  = var.topic\n}}\n",
                json!(description(project).replace("${", "$${").replace("%{", "%%{")),
            );
        }
        text
    }
}

fn description(project: &str) -> String {
    format!("Rotations of the secrets of {project} that failed, were given up, or whose test failed")
}
