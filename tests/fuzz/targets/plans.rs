//! Saved plans, which anyone may have edited, and the policies of functions, which anyone with rights may have written.

use rotator::aws::permission;
use rotator::cli::Saved;
use rotator::model::Desired;
use rotator::plan::{fresh, order};
use rotator::render::plan::{Detail, Mode, plan as render};
use rotator::render::plan_json::plan_json;
use rotator::render::plan_markdown::{LONGEST, plan_markdown};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{assert_tame, text};

/// Bytes as a plan file: as they stand, and as the content of one whose checksum is right.
pub fn plan_files(data: &[u8]) {
    let text = text(data);
    if let Ok(saved) = Saved::parse(&text) {
        show(&saved);
    }
    let body = text.rsplit_once("\n{").map_or(text.clone(), |(_, body)| format!("{{{body}"));
    let body = body.replace('\n', " ");
    let sum = Sha256::digest(body.trim_end_matches('\n'))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .concat();
    let file = format!(r#"{{"format":"rotator-plan","version":1,"rotator":"0","sha256":"{sum}"}}"#);
    if let Ok(saved) = Saved::parse(&format!("{file}\n{body}\n")) {
        show(&saved);
    }
}

/// Everything that is done with a plan before its manifest and AWS are looked at.
fn show(saved: &Saved) {
    for one in &saved.plans {
        for detail in [Detail::Compact, Detail::Grouped, Detail::Full] {
            assert_tame(&render(&one.plan, Mode::Plan, detail));
        }
        let steps = order(&one.plan, &Desired::default());
        for (index, step) in steps.iter().enumerate() {
            assert!(step.after.iter().all(|before| *before < index), "a step waits for itself or a later one");
            assert!(step.change.is_none_or(|change| change < one.plan.changes.len()));
        }
        let _ = fresh::confirm(&one.plan, &one.plan);
    }
    let plans: Vec<_> = saved.plans.iter().map(|one| &one.plan).collect();
    let comment = plan_markdown(&plans, Mode::Destroy);
    assert_tame(&comment);
    assert!(comment.chars().count() <= LONGEST, "{} characters", comment.chars().count());
    let planned: Vec<_> = saved.plans.iter().map(rotator::cli::SavedPlan::planned).collect();
    let json = plan_json(&planned);
    assert_tame(&json);
    assert_eq!(json.lines().count(), 1);
    let _: Value = serde_json::from_str(&json).expect("plans in JSON are JSON");
}

/// Bytes as a function's resource policy.
pub fn function_policies(data: &[u8]) {
    let text = text(data);
    match permission::parse(&text, "111111111111") {
        Ok(statements) => {
            for statement in statements {
                assert!(!(statement.allows && statement.denies));
                assert!(!statement.sid.contains(char::is_control));
                // A statement with unknown conditions neither lets in nor keeps out.
                assert!(!statement.other_conditions || !(statement.allows || statement.denies), "{statement:?}");
            }
        }
        Err(message) => assert!(!message.is_empty()),
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    // Plan files come from the corpus: the program wrote them.
    Vec::new()
}

pub fn statements() -> Vec<Vec<u8>> {
    [
        r#"{"Version":"2012-10-17","Statement":[{"Sid":"SecretsManagerAccess","Effect":"Allow","Principal":{"Service":"secretsmanager.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:eu-west-1:111111111111:function:f","Condition":{"StringEquals":{"AWS:SourceAccount":"111111111111"}}}]}"#,
        r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":["lambda:*"],"NotResource":"*"}}"#,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":"lambda:Inv?ke*","Condition":{"ArnLike":{"aws:SourceArn":["a","b"]}}}]}"#,
        "{}",
        "[]",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
