//! What to do about a stack that failed: what AWS says is missing, and how the stack is freed.

use crate::aws::Denial;
use crate::model::arn::Arn;

use super::command::{There, aws};
use super::safe;

/// The first hints about a failed stack. `stack`: its ARN, or its name where that is all that is known.
pub fn missing(reason: Option<&str>, stack: &str) -> Vec<String> {
    let denial = reason.and_then(|reason| Denial::of(reason, stack));
    denial.map(|denial| safe(&denial.hint()).into_owned()).into_iter().collect()
}

/// How a stack of ours goes on after an apply that failed.
pub fn after_failure(status: &str, stack: &str, endpoint: Option<&str>, reason: Option<&str>) -> Vec<String> {
    let mut hints = missing(reason, stack);
    match status {
        "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" => hints.push(
            "such a stack can't be used any more: mend the cause and run the same command again, which deletes it and makes another"
                .to_owned(),
        ),
        "UPDATE_ROLLBACK_COMPLETE" => {
            hints.push("the stack is as it was before: mend the cause and run the same command again".to_owned());
        }
        "DELETE_FAILED" => hints.push("mend the cause and run the same command again".to_owned()),
        status => {
            let region = stack.parse::<Arn>().map(|arn| arn.region).unwrap_or_default();
            let endpoint = endpoint.filter(|_| !region.is_empty());
            let there = There::new(region, endpoint);
            hints.extend(by_hand(status, stack, &there, reason));
        }
    }
    hints
}

/// The commands for a stack that only a person can free. `there`: where they lead.
pub fn by_hand(status: &str, stack: &str, there: &There<'_>, reason: Option<&str>) -> Vec<String> {
    let command = match status {
        // Its update was told not to roll back.
        "UPDATE_FAILED" => "rollback-stack",
        "UPDATE_ROLLBACK_FAILED" => "continue-update-rollback",
        status if status.ends_with("_FAILED") || status == "ROLLBACK_COMPLETE" => "delete-stack",
        _ => return Vec::new(),
    };
    let command = format!("{} --stack-name '{}'", aws(&format!("cloudformation {command}"), there), safe(stack));
    let mut hints = vec![format!("mend the cause, then:\n    {command}")];
    // A roll-back puts the earlier package back, which the repository may not keep for ever.
    let denial = reason.and_then(|reason| Denial::of(reason, stack));
    if status == "UPDATE_ROLLBACK_FAILED"
        && denial.is_some_and(|denial| denial.is_of_repository())
        && let Some(resource) = reason.and_then(failed_resource)
    {
        hints.push(format!(
            "if that is refused again, the repository doesn't have the earlier code any more; to leave the function as it is:\n    {command} --resources-to-skip {resource}"
        ));
    }
    hints
}

/// The logical id of the resource that a reason begins with, as `Resource (Type): …`.
fn failed_resource(reason: &str) -> Option<&str> {
    let (resource, _) = reason.split_once(" (AWS::")?;
    (!resource.is_empty() && resource.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: &str = "arn:aws:cloudformation:eu-west-1:111111111111:stack/serverlessrepo-f/1";
    const DENIED: &str = "SecretsManagerRotationTemplate (AWS::Lambda::Function): Resource handler returned message: \"Your access has been denied by S3, please make sure your request credentials have permission to GetObject for awsserverlessrepo-changesets-x/1/y. S3 Error Code: AccessDenied";

    /// Without it, a roll-back that failed would block every apply, without a word how to end it.
    #[test]
    fn each_status_has_its_own_way_out() {
        let hints = |status: &str| after_failure(status, STACK, None, Some(DENIED)).join("\n");
        for status in ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"] {
            assert!(hints(status).starts_with("allow `s3:GetObject` on `arn:aws:s3:::awsserverlessrepo-changesets*`"));
        }
        let skip = " --resources-to-skip SecretsManagerRotationTemplate";
        let go_on = format!("aws cloudformation continue-update-rollback --region eu-west-1 --stack-name '{STACK}'");
        assert!(hints("UPDATE_ROLLBACK_FAILED").contains(&format!("{go_on}{skip}")));
        assert!(hints("UPDATE_FAILED").contains("aws cloudformation rollback-stack --region"));
        assert!(hints("ROLLBACK_COMPLETE").contains("run the same command again"));
        assert_eq!(
            by_hand("DELETE_FAILED", "f", &There::new("eu-west-1", None), None),
            ["mend the cause, then:\n    aws cloudformation delete-stack --region eu-west-1 --stack-name 'f'"]
        );
        assert_eq!(by_hand("UPDATE_ROLLBACK_FAILED", "f", &There::new("", None), Some("x")).len(), 1);
    }

    /// Without it, a resource's name could add words to a command that people copy.
    #[test]
    fn a_resource_to_skip_has_the_form_of_a_logical_id() {
        assert_eq!(failed_resource("Function (AWS::Lambda::Function): no"), Some("Function"));
        for reason in ["a; rm (AWS::X::Y): no", " (AWS::X::Y): no", "no"] {
            assert_eq!(failed_resource(reason), None);
        }
    }
}
