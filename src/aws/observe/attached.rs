//! The functions of secrets whose entries name none: a request for such a secret goes to the function that is live.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{budget, side_by_side};
use crate::aws::error::reading;
use crate::aws::reader::Reader;
use crate::model::live::{AttachedFunction, Reading};
use crate::model::{Desired, Live};

/// By ARN, with the version or alias that a secret names.
pub(super) type Seen = BTreeMap<String, Arc<AttachedFunction>>;

/// Reads them, each once, and notes each with the secrets that it rotates. Those of other accounts and regions would need other
/// credentials.
pub(super) async fn read(reader: &Reader, desired: &Desired, live: &mut Live) -> Seen {
    let names_none = |handle: &str| desired.secrets.get(handle).is_some_and(|secret| secret.function.is_none());
    let lone = live.secrets.iter().filter(|(handle, _)| names_none(handle));
    let wanted: BTreeSet<String> = lone
        .filter_map(|(_, secret)| secret.found()?.function_arn.clone())
        .filter(|function| reader.is_here(function))
        .collect();
    let one = |arn: String| async move {
        let configuration = match reading(reader.function(&arn).await) {
            Reading::Found(state) => Reading::Found(state.configuration),
            Reading::Absent => Reading::Absent,
            Reading::Unread(unread) => Reading::Unread(unread),
        };
        let policy = match &configuration {
            Reading::Found(_) => reading(reader.policy(&arn).await),
            Reading::Absent => Reading::Absent,
            Reading::Unread(unread) => Reading::Unread(unread.clone()),
        };
        (arn, Arc::new(AttachedFunction { configuration, policy }))
    };
    let seen: Seen = side_by_side(budget::FUNCTIONS, wanted.into_iter().map(one)).await;
    for (handle, secret) in &mut live.secrets {
        if let (true, Reading::Found(secret)) = (names_none(handle), secret) {
            secret.attached = secret.function_arn.as_ref().and_then(|function| seen.get(function).cloned());
        }
    }
    seen
}
