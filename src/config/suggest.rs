//! "Did you mean": the nearest of the known words, and the words that other tools use for ours.

use std::borrow::Cow;

use crate::model::near::near;

/// What other tools, AWS's own API and haste call our fields.
const OTHER_WORDS: &[(&str, &str)] = &[
    ("days", "automatically_after_days"),
    ("after_days", "automatically_after_days"),
    ("every", "automatically_after_days"),
    ("interval", "automatically_after_days"),
    ("rotation_days", "automatically_after_days"),
    ("schedule", "schedule_expression"),
    ("expression", "schedule_expression"),
    ("cron", "schedule_expression"),
    ("rate", "schedule_expression"),
    ("window", "duration"),
    ("immediately", "rotate_immediately"),
    ("rotate_now", "rotate_immediately"),
    ("rotate_immediately_on_update", "rotate_immediately"),
    ("rotation_rules", "rotation"),
    ("rules", "rotation"),
    ("rotation_lambda_arn", "function"),
    ("lambda", "function"),
    ("rotation_function", "function"),
    ("env", "environment"),
    ("environment_variables", "environment"),
    ("variables", "vars"),
    ("memory_size", "memory"),
    ("storage", "ephemeral_storage"),
    ("tracing_config", "tracing"),
    ("architectures", "architecture"),
    ("arch", "architecture"),
    ("source", "code"),
    ("path", "code"),
    ("source_dir", "code"),
    ("vpc_config", "vpc"),
    ("subnet_ids", "subnets"),
    ("vpc_subnet_ids", "subnets"),
    ("security_group_ids", "security_groups"),
    ("vpc_security_group_ids", "security_groups"),
    ("sgs", "security_groups"),
    ("application_id", "id"),
    ("semantic_version", "version"),
    ("function_name", "name"),
    ("stack_name", "stack"),
    ("bucket", "s3_bucket"),
    ("key", "s3_key"),
    ("hash", "sha256"),
    ("code_sha256", "sha256"),
    ("tags", "labels"),
    ("account_id", "account"),
    ("role_arn", "role"),
    ("external_secret_rotation_role_arn", "external"),
    ("external_secret_rotation_metadata", "external"),
    ("assume_role", "role"),
    ("includes", "include"),
    ("lambdas", "functions"),
    ("environments", "targets"),
    ("accounts", "targets"),
    ("required_version", "requires"),
];

/// The known word that was probably meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let known: Vec<&str> = known.into_iter().collect();
    let snake = snake_case(word);
    if let Some(same) = known.iter().find(|candidate| **candidate == snake || candidate.eq_ignore_ascii_case(word)) {
        return Some(same);
    }
    let synonyms: Vec<&str> = OTHER_WORDS.iter().filter(|(other, _)| *other == snake).map(|(_, ours)| *ours).collect();
    if let Some(ours) = known.iter().find(|candidate| synonyms.contains(candidate)) {
        return Some(ours);
    }
    if let Some(best) = near(&snake, known.iter().copied()).first() {
        return Some(best);
    }
    // A word cut short or drawn out: `subnet` for `subnets`, `desc` for `description`.
    known
        .into_iter()
        .find(|candidate| snake.len() >= 4 && (candidate.starts_with(&snake) || snake.starts_with(*candidate)))
}

/// A text as a message may quote it, so that what is said of it isn't lost behind it.
pub(super) fn brief(text: &str) -> Cow<'_, str> {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// The known words as a list, for where nothing is near.
pub(super) fn list<'a>(known: impl IntoIterator<Item = &'a str>) -> String {
    const MOST: usize = 20;
    let words: Vec<&str> = known.into_iter().collect();
    let shown: Vec<String> = words.iter().take(MOST).map(|word| format!("`{word}`")).collect();
    let more = words.len().saturating_sub(MOST);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// `AutomaticallyAfterDays` and `memory-size`, as YAML fields write them here.
pub(super) fn snake_case(word: &str) -> String {
    let mut snake = String::with_capacity(word.len() + 4);
    let mut lower = false;
    for c in word.chars() {
        if c == '-' || c == ' ' {
            snake.push('_');
            lower = false;
        } else {
            if c.is_uppercase() && lower {
                snake.push('_');
            }
            snake.extend(c.to_lowercase());
            lower = c.is_lowercase() || c.is_ascii_digit();
        }
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::nearest;

    /// Without it, the help for the commonest mistakes would point elsewhere or be missing.
    #[test]
    fn finds_what_was_meant() {
        let known = ["enabled", "automatically_after_days", "schedule_expression", "duration", "rotate_immediately"];
        for (word, meant) in [
            ("days", Some("automatically_after_days")),
            ("AutomaticallyAfterDays", Some("automatically_after_days")),
            ("automaticaly_after_days", Some("automatically_after_days")),
            ("ScheduleExpression", Some("schedule_expression")),
            ("rotate-immediately", Some("rotate_immediately")),
            ("enable", Some("enabled")),
            ("durations", Some("duration")),
            ("colour", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
