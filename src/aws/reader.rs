//! Single readings. Nothing here changes anything on AWS; a whole target is read by [`Reader::observe`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_smithy_types::DateTime;

use super::classify::failed;
use super::clients::Clients;
use super::clock::CLOCK;
use super::convert;
use super::cover::cover;
use super::error::AwsError;
use super::execute::{FunctionState, PolicyState, SecretState};
use super::kind::ErrorKind;
use super::pages::Pages;
use super::text::words;
use crate::model::LogEvent;
use crate::model::arn::function_name;
use crate::model::live::{ApplicationVersion, Configuration, LiveSecret, LiveStack, Statement, Unread};
use crate::model::record::SecretRecord;

/// How many pages of a log are read: `FilterLogEvents` may answer with empty pages while it searches.
const LOG_PAGES: usize = 50;

/// How many functions' logs are read at a time: `FilterLogEvents` lets few calls through.
pub const LOGS: usize = 4;

/// How many events of a log are kept, the newest.
const LOG_EVENTS: usize = 5_000;

/// Reads one target.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(super) inner: Arc<Clients>,
}

/// A secret with its history, for people; times are seconds since 1970 in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretDetails {
    /// What is compared.
    pub secret: LiveSecret,
    /// When the last rotation succeeded.
    pub last_rotated: Option<i64>,
    /// By when the next one happens, at the latest; in the past after failures.
    pub next_rotation: Option<i64>,
    /// When its value or its settings last changed.
    pub last_changed: Option<i64>,
    /// When it was created.
    pub created: Option<i64>,
    /// The staging labels of each version that has any.
    pub versions: BTreeMap<String, Vec<String>>,
}

impl Reader {
    pub(super) fn new(inner: Arc<Clients>) -> Self {
        Self { inner }
    }

    /// The account: twelve digits.
    pub fn account(&self) -> &str {
        &self.inner.account
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.inner.region
    }

    /// Now by AWS's clock, in seconds since 1970: what is past or ahead is so by the clock that set the dates.
    pub fn now(&self) -> i64 {
        CLOCK.now().div_euclid(1000)
    }

    /// The ARN of a function of this target.
    pub fn function_arn(&self, name: &str) -> String {
        let Clients { partition, region, account, .. } = &*self.inner;
        format!("arn:{partition}:lambda:{region}:{account}:function:{name}")
    }

    /// A secret (`DescribeSecret`): settings and staging labels, never a value.
    pub async fn secret(&self, name: &str) -> Result<SecretDetails, AwsError> {
        let answer = self.sdk_secret(name).await?;
        let seconds = |time: Option<&DateTime>| time.map(DateTime::secs);
        Ok(SecretDetails {
            secret: convert::secret(&answer, &self.inner.region),
            last_rotated: seconds(answer.last_rotated_date()),
            next_rotation: seconds(answer.next_rotation_date()),
            last_changed: seconds(answer.last_changed_date()),
            created: seconds(answer.created_date()),
            versions: answer.version_ids_to_stages.unwrap_or_default().into_iter().collect(),
        })
    }

    /// A secret (`DescribeSecret`) with what says how its rotation does. AWS counts it as current.
    pub async fn record(&self, name: &str) -> Result<SecretRecord, AwsError> {
        self.sdk_secret(name).await.map(|answer| convert::record(answer, &self.inner.region))
    }

    async fn sdk_secret(&self, name: &str) -> Result<DescribeSecretOutput, AwsError> {
        const ACTION: &str = "secretsmanager:DescribeSecret";
        let answer = self.inner.secrets.describe_secret().secret_id(name).send().await;
        let answer = answer.map_err(failed(ACTION, name))?;
        given(ACTION, name, &[("name", answer.name()), ("ARN", answer.arn())])?;
        // A name or a whole ARN; an ARN may also lack the six characters that AWS adds.
        let asked = [answer.name(), answer.arn()].into_iter().flatten().any(|one| one.starts_with(name));
        if !asked {
            return Err(AwsError::other(ErrorKind::Other, ACTION, name, "the answer is about another secret"));
        }
        Ok(answer)
    }

    /// A secret and its revision (`DescribeSecret`).
    pub(super) async fn secret_state(&self, name: &str) -> Result<SecretState, AwsError> {
        let answer = self.sdk_secret(name).await?;
        let changed = answer.last_changed_date().map(|date| (date.secs(), date.subsec_nanos()));
        // In an order of its own: the map's is another one in each process.
        let versions: BTreeMap<String, BTreeSet<String>> = answer
            .version_ids_to_stages()
            .into_iter()
            .flatten()
            .map(|(id, stages)| (id.clone(), stages.iter().cloned().collect()))
            .collect();
        Ok(SecretState {
            revision: format!("{changed:?} {versions:?}"),
            secret: convert::secret(&answer, &self.inner.region),
            age: answer.last_changed_date().and_then(|date| age(date, SystemTime::now())),
            next_rotation: answer.next_rotation_date().map(DateTime::secs),
            versions,
        })
    }

    /// All stacks that aren't deleted (`DescribeStacks`), with their functions where outputs name them, and without
    /// failures.
    pub async fn stacks(&self) -> Result<Vec<LiveStack>, AwsError> {
        const ACTION: &str = "cloudformation:DescribeStacks";
        let mut pages = self.inner.cloudformation.describe_stacks().into_paginator().send();
        let mut list = Pages::of(ACTION, "*");
        let mut stacks = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(failed(ACTION, "*"))?;
            list.page(page.stacks().len(), page.next_token())?;
            page.stacks().iter().try_for_each(|stack| whole_stack(ACTION, "*", stack))?;
            stacks.extend(page.stacks().iter().map(convert::stack).filter(|stack| stack.status != "DELETE_COMPLETE"));
        }
        Ok(stacks)
    }

    /// A stack by its real name or ARN, with its function where an output names it, and without
    /// its failure. By ARN, a deleted one is found too, as `DELETE_COMPLETE`.
    pub async fn stack(&self, name: &str) -> Result<LiveStack, AwsError> {
        self.sdk_stack(name).await.map(|stack| convert::stack(&stack))
    }

    pub(super) async fn sdk_stack(&self, name: &str) -> Result<aws_sdk_cloudformation::types::Stack, AwsError> {
        const ACTION: &str = "cloudformation:DescribeStacks";
        let answer = self.inner.cloudformation.describe_stacks().stack_name(name).send().await;
        let answer = answer.map_err(failed(ACTION, name)).map_err(|error| match error.code.as_deref() {
            // The only thing that can be invalid about this request is a name that no stack has.
            Some("ValidationError") => AwsError { kind: ErrorKind::NotFound, ..error },
            _ => error,
        })?;
        let first = answer.stacks.unwrap_or_default().into_iter().next();
        let first = first.ok_or_else(|| AwsError::incomplete(ACTION, name, "stack"))?;
        whole_stack(ACTION, name, &first)?;
        Ok(first)
    }

    /// The name of the function that a stack made (`DescribeStackResources`), if it has one yet.
    pub async fn stack_function(&self, stack: &str) -> Result<Option<String>, AwsError> {
        let answer = self.inner.cloudformation.describe_stack_resources().stack_name(stack).send().await;
        let answer = answer.map_err(failed("cloudformation:DescribeStackResources", stack))?;
        let mut functions: Vec<_> = answer
            .stack_resources()
            .iter()
            .filter(|resource| resource.resource_type() == Some("AWS::Lambda::Function"))
            .filter(|resource| resource.resource_status().is_none_or(|status| status.as_str() != "DELETE_COMPLETE"))
            .filter_map(|resource| Some((resource.logical_resource_id()?, resource.physical_resource_id()?)))
            .filter(|(_, name)| !name.is_empty())
            .collect();
        // An application makes one; of one that makes several, always the same.
        functions.sort_unstable();
        Ok(functions.first().map(|(_, name)| function_name(name).to_owned()))
    }

    /// A function (`GetFunction`, which has its own quota and returns tags). `name`: its name, partial ARN or ARN.
    pub async fn function(&self, name: &str) -> Result<FunctionState, AwsError> {
        const ACTION: &str = "lambda:GetFunction";
        let answer = self.inner.lambda.get_function().function_name(name).send().await;
        let answer = answer.map_err(failed(ACTION, name))?;
        let Some(function) = &answer.configuration else {
            return Err(AwsError::incomplete(ACTION, name, "configuration"));
        };
        let members = [
            ("name", function.function_name()),
            ("ARN", function.function_arn()),
            ("hash of its code", function.code_sha256()),
        ];
        given(ACTION, name, &members)?;
        let tags = match &answer.tags_error {
            Some(error) => Err(tags_unread(error, function.function_arn().unwrap_or(name))),
            None => Ok(answer.tags.unwrap_or_default().into_iter().collect()),
        };
        let reserved = answer.concurrency.as_ref().and_then(|concurrency| concurrency.reserved_concurrent_executions);
        let configuration = Configuration {
            reserved_concurrency: reserved.and_then(|number| u32::try_from(number).ok()),
            ..convert::configuration(function, tags)
        };
        Ok(FunctionState {
            configuration,
            revision_id: function.revision_id.clone(),
            code_location: answer.code.and_then(|code| code.location),
        })
    }

    /// Who may invoke a function (`GetPolicy`). A function without a policy has no statements; whether the function exists is not
    /// told apart from that.
    pub async fn policy(&self, name: &str) -> Result<Vec<Statement>, AwsError> {
        self.policy_state(name).await.map(|policy| policy.statements)
    }

    pub(super) async fn policy_state(&self, name: &str) -> Result<PolicyState, AwsError> {
        const ACTION: &str = "lambda:GetPolicy";
        let answer = self.inner.lambda.get_policy().function_name(name).send().await.map_err(failed(ACTION, name));
        self.policy_of(ACTION, name, answer.map(|answer| (answer.policy, answer.revision_id)))
    }

    /// A function's policy as a whole. Whether `GetPolicy` shows what was written so isn't known.
    pub(super) async fn resource_policy(&self, arn: &str) -> Result<PolicyState, AwsError> {
        const ACTION: &str = "lambda:GetResourcePolicy";
        let answer =
            self.inner.lambda.get_resource_policy().resource_arn(arn).send().await.map_err(failed(ACTION, arn));
        self.policy_of(ACTION, arn, answer.map(|answer| (answer.policy, answer.revision_id)))
    }

    /// What an answer with a policy, and its revision, says; none is a policy without statements.
    fn policy_of(
        &self,
        action: &'static str,
        function: &str,
        answer: Result<(Option<String>, Option<String>), AwsError>,
    ) -> Result<PolicyState, AwsError> {
        let (policy, revision_id) = match answer {
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(PolicyState::default()),
            answer => answer?,
        };
        given(action, function, &[("policy", policy.as_deref())])?;
        let statements = super::permission::parse(&policy.unwrap_or_default(), &self.inner.account)
            .map_err(|message| AwsError::other(ErrorKind::Other, action, function, &message))?;
        Ok(PolicyState { statements, revision_id })
    }

    /// A version of an application (`GetApplication`), by default the newest. [`ApplicationVersion::newest`] isn't filled in.
    pub async fn application(&self, id: &str, version: Option<&str>) -> Result<ApplicationVersion, AwsError> {
        const ACTION: &str = "serverlessrepo:GetApplication";
        if !self.inner.has_repository {
            let message = format!("{} has no Serverless Application Repository", self.inner.region);
            return Err(AwsError::other(ErrorKind::NoService, ACTION, id, &message));
        }
        let call = self.inner.repository.get_application().application_id(id);
        let answer = call.set_semantic_version(version.map(str::to_owned)).send().await.map_err(failed(ACTION, id))?;
        match &answer.version {
            Some(version) => Ok(convert::application(version, None)),
            None => Err(AwsError::other(ErrorKind::NotFound, ACTION, id, "the application has no version")),
        }
    }

    /// The events of a log group since a moment (`FilterLogEvents`), oldest first. Of more than 5,000 the newest, as far as 50 pages
    /// lead: AWS gives them in the order of time. A group that doesn't exist has none: Lambda makes it with a function's first words.
    ///
    /// What a function logs is its author's; it may hold anything, and is for people who asked for it. Of the values that this program
    /// knows to be private, none is in it.
    pub async fn log(&self, group: &str, since: i64) -> Result<Vec<LogEvent>, AwsError> {
        Ok(self.log_if_there(group, since).await?.unwrap_or_default())
    }

    /// As [`Reader::log`]; `None` where there is no such group.
    pub(super) async fn log_if_there(&self, group: &str, since: i64) -> Result<Option<Vec<LogEvent>>, AwsError> {
        let call = self.inner.logs.filter_log_events().log_group_name(group).start_time(since);
        let mut pages = call.into_paginator().send();
        let mut events = Vec::new();
        for _ in 0..LOG_PAGES {
            let Some(page) = pages.next().await else { break };
            let page = match page.map_err(failed("logs:FilterLogEvents", group)) {
                Ok(page) => page,
                Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            events.extend(page.events.unwrap_or_default().into_iter().map(|event| LogEvent {
                stream: event.log_stream_name.unwrap_or_default(),
                at: event.timestamp.unwrap_or_default(),
                message: cover(&event.message.unwrap_or_default()).into_owned(),
            }));
            if events.len() > LOG_EVENTS {
                events.drain(..events.len() - LOG_EVENTS);
            }
        }
        // Streams are searched side by side; a sort that keeps equal times in order keeps each stream in order.
        events.sort_by_key(|event| event.at);
        Ok(Some(events))
    }

    /// The package of a function, through the address that `GetFunction` gave. `None` for whatever goes wrong.
    pub(super) async fn download(&self, function: &FunctionState) -> Option<Vec<u8>> {
        let location = function.code_location.as_deref()?;
        self.inner.http.download(location, self.inner.origin.as_deref()).await
    }
}

/// How far the clocks of AWS and of this machine may differ where a time of AWS counts.
const CLOCKS: Duration = Duration::from_mins(1);

/// How long ago a moment of AWS's was; `None` where it lies so far ahead that the two clocks can't be compared.
fn age(of: &DateTime, now: SystemTime) -> Option<Duration> {
    let of = SystemTime::try_from(*of).ok()?;
    now.duration_since(of)
        .ok()
        .or_else(|| of.duration_since(now).ok().filter(|ahead| *ahead <= CLOCKS).map(|_| Duration::ZERO))
}

/// What an answer must hold: without it, nothing that follows would mean what it seems to.
pub(super) fn given(action: &'static str, resource: &str, members: &[(&str, Option<&str>)]) -> Result<(), AwsError> {
    match members.iter().find(|(_, value)| value.is_none_or(str::is_empty)) {
        None => Ok(()),
        Some((what, _)) => Err(AwsError::incomplete(action, resource, what)),
    }
}

/// Why Lambda left a function's tags out of an answer that holds all the rest: it asks for `lambda:ListTags` beside `lambda:GetFunction`.
fn tags_unread(error: &aws_sdk_lambda::types::TagsError, function: &str) -> Unread {
    let kind = super::kind::kind_of("lambda:ListTags", error.error_code(), error.message());
    AwsError {
        code: Some(words(error.error_code())).filter(|code| !code.is_empty()),
        ..AwsError::other(kind, "lambda:ListTags", function, error.message())
    }
    .into()
}

fn whole_stack(
    action: &'static str,
    resource: &str,
    stack: &aws_sdk_cloudformation::types::Stack,
) -> Result<(), AwsError> {
    let status = stack.stack_status().map(aws_sdk_cloudformation::types::StackStatus::as_str);
    let members =
        [("name of a stack", stack.stack_name()), ("id of a stack", stack.stack_id()), ("status of a stack", status)];
    given(action, resource, &members)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a service's clock that is a second ahead would make everything old; or one that is an hour ahead, everything new.
    #[test]
    fn ages_are_known_where_the_clocks_agree() {
        let of = |secs| age(&DateTime::from_secs(secs), SystemTime::UNIX_EPOCH + Duration::from_hours(1));
        assert_eq!(of(3_570), Some(Duration::from_secs(30)));
        assert_eq!(of(3_605), Some(Duration::ZERO));
        assert_eq!(of(7_200), None);
    }
}
