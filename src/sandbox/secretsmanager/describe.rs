//! Describing and listing secrets.

use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::input::{Input, invalid};
use super::lookup::{find, invalid_next_token};
use super::secret::{Secret, State};
use crate::call::Call;
use crate::clock::Time;
use crate::wire::ApiError;

/// `DescribeSecret`, of a secret that has been looked up.
pub fn describe(secret: &Secret, call: &Call) -> Json {
    let mut answer = common(secret, call.now);
    if !secret.replicas.is_empty() {
        let replicas: Vec<Json> = secret.replicas.iter().map(super::replicas::status).collect();
        answer.insert("ReplicationStatus".to_owned(), Json::Array(replicas));
    }
    insert_stages(&mut answer, "VersionIdsToStages", secret);
    Json::Object(answer)
}

/// Looks a secret up for [`describe`].
pub fn look_up(state: &State, input: &Input) -> Result<Arc<Secret>, ApiError> {
    find(state, input.required("SecretId")).map(Arc::clone)
}

/// Looks a page of secrets up for [`list`]: the secrets, and the token of the next page.
pub fn page(state: &State, input: &Input) -> Result<(Vec<Arc<Secret>>, Option<String>), ApiError> {
    let (secrets, next) = select(state, input, 100)?;
    Ok((secrets.into_iter().map(Arc::clone).collect(), next))
}

/// `ListSecrets`, of a page that has been looked up.
pub fn list((secrets, next): (Vec<Arc<Secret>>, Option<String>), call: &Call) -> Json {
    let entries: Vec<Json> = secrets
        .iter()
        .map(|secret| {
            let mut entry = common(secret, call.now);
            insert_stages(&mut entry, "SecretVersionsToStages", secret);
            Json::Object(entry)
        })
        .collect();
    let mut answer = json!({"SecretList": entries});
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    answer
}

/// The order of lists where nobody asks for another.
const CREATED: &str = "created-date";

/// The secrets of a page, and the token of the next.
pub(super) fn select<'a>(
    state: &'a State,
    input: &Input,
    default: usize,
) -> Result<(Vec<&'a Arc<Secret>>, Option<String>), ApiError> {
    let filters = Filter::read(input)?;
    let deleted = input.flag("IncludePlannedDeletion").unwrap_or(false);
    let most = input.number("MaxResults").and_then(|most| usize::try_from(most).ok()).unwrap_or(default);
    let by = input.text("SortBy").unwrap_or(CREATED);
    let descending = input.text("SortOrder") == Some("desc");
    let after = input.text("NextToken").map(|token| read_token(token).ok_or_else(invalid_next_token)).transpose()?;
    let wanted = |secret: &&Arc<Secret>| {
        (deleted || secret.deleted.is_none()) && filters.iter().all(|filter| filter.meets(secret))
    };

    let mut found: Vec<(i64, &Arc<Secret>)> = if by == CREATED {
        let after = after.map(|(last, name)| (Time(last), name.into()));
        let all: Box<dyn Iterator<Item = &Arc<Secret>>> =
            if descending { Box::new(state.from_newest(after)) } else { Box::new(state.from_oldest(after)) };
        all.filter(wanted).take(most + 1).map(|secret| (secret.created.0, secret)).collect()
    } else {
        let order = |a: &(i64, &str), b: &(i64, &str)| if descending { b.cmp(a) } else { a.cmp(b) };
        let key = |secret: &Secret| match by {
            "last-accessed-date" => secret.accessed.map_or(0, |time| time.0),
            "last-changed-date" => secret.changed.0,
            _ => 0,
        };
        let keyed = state.iter().filter(wanted).map(|secret| (key(secret), secret));
        let is_after = |(key, secret): &(i64, &Arc<Secret>)| {
            after.as_ref().is_none_or(|(last, name)| order(&(*key, &secret.name), &(*last, name)) == Ordering::Greater)
        };
        let mut found: Vec<_> = keyed.filter(is_after).collect();
        found.sort_unstable_by(|a, b| order(&(a.0, &a.1.name), &(b.0, &b.1.name)));
        found
    };
    let more = found.len() > most;
    found.truncate(most);
    let next = found.last().filter(|_| more).map(|(key, secret)| write_token(*key, &secret.name));
    Ok((found.into_iter().map(|(_, secret)| secret).collect(), next))
}

fn write_token(key: i64, name: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE.encode(format!("{key}\n{name}"))
}

fn read_token(token: &str) -> Option<(i64, String)> {
    use base64::Engine as _;
    let text = String::from_utf8(base64::engine::general_purpose::URL_SAFE.decode(token).ok()?).ok()?;
    let (key, name) = text.split_once('\n')?;
    Some((key.parse().ok()?, name.to_owned()))
}

/// What `DescribeSecret` and `ListSecrets` share.
fn common(secret: &Secret, now: Time) -> Map<String, Json> {
    let mut answer = Map::new();
    let mut put = |name: &str, value: Json| {
        if !value.is_null() {
            answer.insert(name.to_owned(), value);
        }
    };
    let time = |time: Option<Time>| time.map_or(Json::Null, Time::epoch_seconds);
    put("ARN", json!(secret.arn));
    put("Name", json!(secret.name));
    put("Type", json!(secret.partner));
    put("Description", json!(secret.description));
    put("KmsKeyId", json!(secret.kms_key));
    if let Some(rotation) = &secret.rotation {
        put("RotationEnabled", json!(rotation.enabled));
        put("RotationLambdaARN", json!(rotation.function));
        if let Some(rules) = &rotation.rules {
            let mut shown = Map::new();
            if let Some(days) = rules.shown_days(now) {
                shown.insert("AutomaticallyAfterDays".to_owned(), json!(days));
            }
            if let Some(duration) = &rules.duration {
                shown.insert("Duration".to_owned(), json!(duration));
            }
            if let Some(expression) = &rules.expression {
                shown.insert("ScheduleExpression".to_owned(), json!(expression));
            }
            put("RotationRules", Json::Object(shown));
        }
        if let Some(external) = &rotation.external {
            put("ExternalSecretRotationRoleArn", json!(external.role));
            let item = |(key, value): &(String, String)| json!({"Key": key, "Value": value});
            if !external.metadata.is_empty() {
                put("ExternalSecretRotationMetadata", external.metadata.iter().map(item).collect());
            }
        }
        // Both are null where rotation is off.
        if rotation.enabled {
            put("LastRotatedDate", time(rotation.last));
            put("NextRotationDate", time(rotation.latest));
        }
    }
    put("LastChangedDate", time(Some(secret.changed)));
    put("LastAccessedDate", time(secret.accessed));
    put("DeletedDate", time(secret.deleted));
    if secret.tagged || !secret.tags.is_empty() {
        put("Tags", secret.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect());
    }
    put("OwningService", json!(secret.owning_service));
    put("CreatedDate", time(Some(secret.created)));
    put("PrimaryRegion", json!(secret.primary_region));
    answer
}

fn insert_stages(answer: &mut Map<String, Json>, name: &str, secret: &Secret) {
    let stages: Map<String, Json> = secret
        .versions
        .iter()
        .filter(|(_, version)| !version.stages.is_empty())
        .map(|(id, version)| (id.clone(), json!(version.stages)))
        .collect();
    if !stages.is_empty() {
        answer.insert(name.to_owned(), Json::Object(stages));
    }
}

/// One of `Filters`: any of its values, each perhaps negated with `!`.
struct Filter {
    key: String,
    values: Vec<String>,
}

impl Filter {
    fn read(input: &Input) -> Result<Vec<Self>, ApiError> {
        let own = |filter: &Input| match (filter.text("Key"), filter.texts("Values")) {
            (Some(key), Some(values)) => {
                Ok(Self { key: key.to_owned(), values: values.into_iter().map(str::to_owned).collect() })
            }
            _ => Err(invalid("You must specify the Key and the Values of each filter.")),
        };
        input.structures("Filters").unwrap_or_default().iter().map(own).collect()
    }

    fn meets(&self, secret: &Secret) -> bool {
        self.values.iter().any(|value| match value.strip_prefix('!') {
            Some(value) => !self.has(secret, value),
            None => self.has(secret, value),
        })
    }

    fn has(&self, secret: &Secret, value: &str) -> bool {
        let starts = |text: &Option<String>| text.as_deref().is_some_and(|text| text.starts_with(value));
        match self.key.as_str() {
            "name" => secret.name.starts_with(value),
            "description" => has_words(secret.description.as_deref(), value),
            "tag-key" => secret.tags.iter().any(|(key, _)| key.starts_with(value)),
            "tag-value" => secret.tags.iter().any(|(_, text)| text.starts_with(value)),
            "primary-region" => starts(&secret.primary_region),
            "owning-service" => starts(&secret.owning_service),
            _ => {
                let own = [&secret.description, &secret.owning_service, &secret.primary_region];
                let tags = secret.tags.iter().flat_map(|(key, value)| [key, value]);
                let texts = own.into_iter().flatten().chain(tags).chain([&secret.name]);
                has_words(texts.map(String::as_str), value)
            }
        }
    }
}

/// Whether every word of a value begins one of the texts' words, in any case. A value without words is found nowhere.
fn has_words<'a>(texts: impl IntoIterator<Item = &'a str>, value: &str) -> bool {
    let wanted = words(value);
    let found: Vec<String> = texts.into_iter().flat_map(words).collect();
    !wanted.is_empty() && wanted.iter().all(|word| found.iter().any(|found| found.starts_with(word)))
}

/// The words of a text, in small letters: it is cut at spaces and special characters, and before capitals.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in text.chars() {
        let cuts = !c.is_alphanumeric();
        if cuts || (c.is_uppercase() && was_small) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| !cuts) {
            word.extend(c.to_lowercase());
        }
        was_small = c.is_lowercase() || c.is_numeric();
    }
    words.retain(|word| !word.is_empty());
    words
}
