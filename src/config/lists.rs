//! The lists of a rule's `functions:`: which functions, applications, layers and roles may be used.

use schemars::JsonSchema;
use serde::Deserialize;

use super::scene::Scene;
use crate::diagnostic::Diagnostic;
use crate::model::glob;
use crate::model::rule::{Listed, Pattern};

/// Which functions may be used, and what they may be made of. A list that isn't there allows everything, an empty one nothing.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "function-lists")]
pub(super) struct FunctionsFile {
    /// Functions that are used as `existing`: names in the target's own account and region, or ARNs; `*` stands for any characters.
    pub existing: Option<Vec<String>>,
    /// Applications that functions are deployed from: ARNs such as `arn:aws:serverlessrepo:*:297356227824:applications/*`.
    pub applications: Option<Vec<String>>,
    /// Layers of functions: ARNs such as `arn:aws:lambda:*:123456789012:layer:*`.
    pub layers: Option<Vec<String>>,
    /// Roles that functions run as: ARNs such as `arn:aws:iam::*:role/rotation-*`.
    pub roles: Option<Vec<String>>,
}

/// Reads the lists that are there.
pub(super) fn read(scene: &mut Scene<'_>, file: &FunctionsFile) -> Vec<(Listed, Vec<Pattern>)> {
    let lists = [
        (Listed::Existing, &file.existing),
        (Listed::Applications, &file.applications),
        (Listed::Layers, &file.layers),
        (Listed::Roles, &file.roles),
    ];
    if lists.iter().all(|(_, list)| list.is_none()) && !scene.incomplete {
        let problem = Diagnostic::error("policy-functions", "`functions` lists nothing")
            .hint("add `existing`, `applications`, `layers` or `roles`; an empty list allows nothing");
        scene.report(&["functions"], problem);
    }
    let mut read = Vec::new();
    for (of, list) in lists {
        let Some(list) = list else { continue };
        for (index, text) in list.iter().enumerate() {
            if let Some(problem) = wrong(of, text) {
                scene.report(&["functions", of.word(), &index.to_string()], problem);
            }
        }
        read.push((of, list.iter().cloned().map(Pattern).collect()));
    }
    read
}

fn wrong(of: Listed, text: &str) -> Option<Diagnostic> {
    let error = |summary: String| Diagnostic::error("policy-pattern", summary);
    if text.is_empty() {
        return Some(error("a pattern is empty".to_owned()).hint("write a name or an ARN"));
    }
    if let Err(reason) = glob::check_length(text) {
        return Some(error(reason).hint("`*` stands for any characters"));
    }
    if let Some(wrong) = text.chars().find(|c| !c.is_ascii_graphic() || "?[]{}".contains(*c)) {
        let hint = match wrong {
            '{' | '}' => "variables aren't replaced in policies; `*` stands for any characters",
            _ => "`*` stands for any characters, and nothing else does",
        };
        return Some(error(format!("`{text}` matches nothing: no name holds `{}`", wrong.escape_debug())).hint(hint));
    }
    let is_arn = text.starts_with("arn:");
    let example = match of {
        Listed::Existing if is_arn || !text.contains(':') => return None,
        _ if is_arn || text == "*" => return None,
        Listed::Existing => "arn:aws:lambda:*:123456789012:function:rotate-*",
        Listed::Applications => "arn:aws:serverlessrepo:*:297356227824:applications/*",
        Listed::Layers => "arn:aws:lambda:*:123456789012:layer:*",
        Listed::Roles => "arn:aws:iam::*:role/rotation-*",
    };
    let summary = format!("`{text}` matches nothing in `{}`, which are ARNs", of.word());
    let summary = if of == Listed::Existing { format!("`{text}` is neither a name nor an ARN") } else { summary };
    Some(error(summary).hint(format!("write it as `{example}`, in which `*` stands for any characters within a part")))
}
