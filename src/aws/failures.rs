//! Why `CloudFormation` couldn't do something, out of its events.

use aws_sdk_cloudformation::types::{EventFilter, HookFailureMode, HookStatus, OperationEvent, StackEvent};

use super::classify::failed;
use super::error::AwsError;
use super::reader::Reader;
use super::text::words;

/// How many pages of events are read, 100 events each.
const EVENT_PAGES: usize = 20;

/// How many failures of a change set are kept: who has more mends these first.
const FAILURES: usize = 10;

impl Reader {
    /// The first thing that failed in a stack's last operation (`DescribeStackEvents`), as `Resource (Type): reason`; and the first that
    /// failed in its roll-back, which is what holds the stack then.
    pub async fn stack_first_failure(&self, stack: &str) -> Result<Option<String>, AwsError> {
        let mut pages = self.inner.cloudformation.describe_stack_events().stack_name(stack).into_paginator().send();
        let mut failures = FirstFailure::default();
        for _ in 0..EVENT_PAGES {
            let Some(page) = pages.next().await else { break };
            let page = page.map_err(failed("cloudformation:DescribeStackEvents", stack))?;
            if page.stack_events().iter().any(|event| failures.is_complete_with(event)) {
                break;
            }
        }
        Ok(failures.words())
    }

    /// What failed while a change set was made (`DescribeEvents`), each as `Resource (Type), PATH: reason [CHECK]`. Only the change set's
    /// ARN finds them, and only as long as it is there.
    pub async fn change_set_failures(&self, change_set: &str) -> Result<Vec<String>, AwsError> {
        let call = self.inner.cloudformation.describe_events().change_set_name(change_set);
        let call = call.filters(EventFilter::builder().failed_events(true).build());
        let mut pages = call.into_paginator().send();
        let mut failures: Vec<String> = Vec::new();
        for _ in 0..EVENT_PAGES {
            let Some(page) = pages.next().await else { break };
            let page = page.map_err(failed("cloudformation:DescribeEvents", change_set))?;
            for failure in page.operation_events().iter().filter_map(operation_failure) {
                if !failures.contains(&failure) {
                    failures.push(failure);
                }
            }
            if failures.len() >= FAILURES {
                break;
            }
        }
        failures.truncate(FAILURES);
        Ok(failures)
    }
}

/// Whether a hook or a validation only warns: it stopped nothing.
fn warns(mode: Option<&HookFailureMode>) -> bool {
    mode == Some(&HookFailureMode::Warn)
}

/// What an event says that failed, if it does.
fn operation_failure(event: &OperationEvent) -> Option<String> {
    let (reason, check) = match (event.validation_status_reason(), event.hook_status_reason()) {
        (Some(_), _) if warns(event.validation_failure_mode()) => return None,
        (Some(reason), _) => (reason, event.validation_name()),
        (None, Some(_)) if warns(event.hook_failure_mode()) => return None,
        (None, Some(reason)) => (reason, event.hook_type()),
        (None, None) => (event.resource_status_reason()?, None),
    };
    let resource = event.logical_resource_id().unwrap_or_default();
    let mut text = match event.resource_type() {
        Some(kind) => format!("{resource} ({kind})"),
        None => resource.to_owned(),
    };
    if let Some(path) = event.validation_path().filter(|path| !path.is_empty()) {
        text = format!("{text}, {path}");
    }
    if !text.is_empty() {
        text.push_str(": ");
    }
    text.push_str(reason);
    if let Some(check) = check {
        text = format!("{text} [{check}]");
    }
    Some(words(&text))
}

/// Looks for the first failures among events that come newest first.
#[derive(Default)]
struct FirstFailure {
    /// The first one; as long as a roll-back's beginning isn't met, that of the roll-back.
    first: Option<String>,
    /// The first one of the newest roll-back.
    rollback: Option<String>,
}

impl FirstFailure {
    /// Takes one event in; true where it was the last operation's first.
    fn is_complete_with(&mut self, event: &StackEvent) -> bool {
        let status = event.resource_status().map_or("", |status| status.as_str());
        let is_stack = event.physical_resource_id().is_some() && event.physical_resource_id() == event.stack_id();
        // A hook's refusal stands in an event of its own: the resource's only says which hook it was.
        let by_hook = matches!(event.hook_status(), Some(HookStatus::HookCompleteFailed | HookStatus::HookFailed))
            && !warns(event.hook_failure_mode());
        let reason = match event.hook_status_reason() {
            Some(reason) if by_hook => reason,
            _ => event.resource_status_reason().unwrap_or_default(),
        };
        // What was cancelled because something else failed explains nothing; nor does the stack's own summary where there is more.
        let is_cause =
            (by_hook || status.ends_with("_FAILED")) && !reason.is_empty() && !reason.ends_with(" cancelled");
        if is_cause && (!is_stack || self.first.is_none()) {
            let resource = event.logical_resource_id().unwrap_or_default();
            let kind = event.resource_type().unwrap_or_default();
            let hook = event.hook_type().filter(|_| by_hook).map(|hook| format!(" [{hook}]")).unwrap_or_default();
            self.first = Some(words(&format!("{resource} ({kind}): {reason}{hook}")));
        }
        if is_stack && matches!(status, "ROLLBACK_IN_PROGRESS" | "UPDATE_ROLLBACK_IN_PROGRESS") {
            // Continued, a roll-back begins once more; only its last try holds the stack.
            let failed = self.first.take();
            self.rollback = self.rollback.take().or(failed);
        }
        is_stack && matches!(status, "CREATE_IN_PROGRESS" | "UPDATE_IN_PROGRESS" | "DELETE_IN_PROGRESS") && !by_hook
    }

    fn words(self) -> Option<String> {
        match (self.first, self.rollback) {
            (Some(first), Some(rollback)) if first != rollback => {
                Some(words(&format!("{first}; its roll-back failed: {rollback}")))
            }
            (first, rollback) => first.or(rollback),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::ResourceStatus;
    use aws_sdk_cloudformation::types::builders::{OperationEventBuilder, StackEventBuilder};

    use super::*;

    fn event(id: &str, status: &str, reason: &str) -> StackEvent {
        on(id, status).resource_status_reason(reason).build()
    }

    fn on(id: &str, status: &str) -> StackEventBuilder {
        StackEvent::builder()
            .stack_id("stack")
            .physical_resource_id(id)
            .logical_resource_id(id)
            .resource_type("AWS::X::Y")
            .resource_status(ResourceStatus::from(status))
    }

    fn first_of(events: &[StackEvent]) -> Option<String> {
        let mut failures = FirstFailure::default();
        let _ = events.iter().any(|event| failures.is_complete_with(event));
        failures.words()
    }

    /// Without it, a plan would say "creation cancelled" or blame an operation of last year, instead of what really failed.
    #[test]
    fn the_first_cause_of_the_last_operation_is_found() {
        let events = [
            event("stack", "ROLLBACK_COMPLETE", ""),
            event("Function", "DELETE_COMPLETE", ""),
            event("stack", "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Role]."),
            event("Function", "CREATE_FAILED", "Resource creation cancelled"),
            event("Role", "CREATE_FAILED", "not authorized to perform: iam:CreateRole"),
            event("stack", "CREATE_IN_PROGRESS", "User Initiated"),
            event("Old", "DELETE_FAILED", "of an earlier life"),
        ];
        assert_eq!(first_of(&events).as_deref(), Some("Role (AWS::X::Y): not authorized to perform: iam:CreateRole"));
        let only_the_stack =
            [event("stack", "DELETE_FAILED", "failed: [Role]"), event("stack", "DELETE_IN_PROGRESS", "")];
        assert_eq!(first_of(&only_the_stack).as_deref(), Some("stack (AWS::X::Y): failed: [Role]"));
        assert_eq!(first_of(&[event("stack", "CREATE_IN_PROGRESS", "")]), None);
    }

    /// Without it, people would mend what failed first, and the roll-back would fail again over something that nothing told them of.
    #[test]
    fn a_failed_roll_back_says_what_holds_it() {
        let events = [
            event("stack", "UPDATE_ROLLBACK_FAILED", "The following resource(s) failed to update: [Function]."),
            event("Function", "UPDATE_FAILED", "no old code"),
            event("stack", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated"),
            event("Role", "UPDATE_FAILED", "an earlier try"),
            event("stack", "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update: [Function]."),
            event("Function", "UPDATE_FAILED", "no new code"),
            event("stack", "UPDATE_IN_PROGRESS", "User Initiated"),
        ];
        let both = "Function (AWS::X::Y): no new code; its roll-back failed: Function (AWS::X::Y): no old code";
        assert_eq!(first_of(&events).as_deref(), Some(both));
        assert_eq!(first_of(&events[4..]).as_deref(), Some("Function (AWS::X::Y): no new code"));
    }

    /// Without it, a company's hook that refuses a function would be named, and never what it asks for.
    #[test]
    fn a_hooks_own_words_explain_the_failure_that_it_made() {
        let hook = on("Function", "CREATE_IN_PROGRESS")
            .hook_type("Corp::Guard::Hook")
            .hook_status(HookStatus::HookCompleteFailed)
            .hook_status_reason("functions need a dead-letter queue");
        let warning = on("Role", "CREATE_IN_PROGRESS")
            .hook_status(HookStatus::HookCompleteFailed)
            .hook_status_reason("roles ought to have a boundary")
            .hook_failure_mode(HookFailureMode::Warn);
        let events = [
            event("Function", "CREATE_FAILED", "The following hook(s) failed: [Corp::Guard::Hook]"),
            hook.build(),
            warning.build(),
            event("stack", "CREATE_IN_PROGRESS", "User Initiated"),
        ];
        let expected = "Function (AWS::X::Y): functions need a dead-letter queue [Corp::Guard::Hook]";
        assert_eq!(first_of(&events).as_deref(), Some(expected));
    }

    /// Without it, "The following hook(s)/validation failed" would be all that people read of a refused change set.
    #[test]
    fn what_refused_a_change_set_is_told_by_resource() {
        let said = |event: OperationEventBuilder| {
            operation_failure(&event.logical_resource_id("Function").resource_type("AWS::Lambda::Function").build())
        };
        let validation = || {
            OperationEvent::builder()
                .validation_name("NAME_CONFLICT_VALIDATION")
                .validation_status_reason("it already exists")
                .validation_path("/Resources/Function")
        };
        assert_eq!(
            said(validation()).as_deref(),
            Some("Function (AWS::Lambda::Function), /Resources/Function: it already exists [NAME_CONFLICT_VALIDATION]")
        );
        assert_eq!(said(validation().validation_failure_mode(HookFailureMode::Warn)), None);
        let hook = || OperationEvent::builder().hook_type("Corp::Guard").hook_status_reason("no queue");
        assert_eq!(said(hook()).as_deref(), Some("Function (AWS::Lambda::Function): no queue [Corp::Guard]"));
        assert_eq!(said(hook().hook_failure_mode(HookFailureMode::Warn)), None);
        assert_eq!(said(OperationEvent::builder()), None, "an event without a reason explains nothing");
    }
}
