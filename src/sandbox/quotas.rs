//! AWS's request quotas, as token buckets per account and region.
//!
//! | operations | requests a second |
//! |---|---|
//! | `RotateSecret`, `CancelRotateSecret` together | 50 |
//! | `DescribeSecret`, `GetSecretValue` together | 10,000 |
//! | `TagResource`, `UntagResource` together | 50 |
//! | `ListSecrets` | 100 |
//! | Lambda `GetFunction` | 100 |
//! | Lambda `GetPolicy` | 15 |
//! | the rest of Lambda's control plane together | 15 |
//! | `CloudTrail`'s `LookupEvents` | 2 |
//!
//! `Invoke` isn't control plane. `CloudFormation`'s and the repository's quotas aren't published: not throttled.
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::call::Call;
use super::services::{Protocol, Service};
use super::wire::ApiError;

type Key = (&'static str, String, String);

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

/// The buckets.
#[derive(Debug)]
pub struct Quotas {
    on: bool,
    buckets: Mutex<HashMap<Key, Bucket>>,
}

impl Quotas {
    /// Throttles, if `on`.
    pub fn new(on: bool) -> Self {
        Self { on, buckets: Mutex::default() }
    }

    /// Fills all buckets.
    pub fn refill(&self) {
        self.lock().clear();
    }

    /// Counts a call; the service's own throttling error where its bucket is empty.
    pub fn take(&self, call: &Call) -> Result<(), ApiError> {
        if !self.on {
            return Ok(());
        }
        let Some((name, rate)) = quota(call.service, &call.operation) else { return Ok(()) };
        let now = Instant::now();
        let mut buckets = self.lock();
        let bucket = buckets
            .entry((name, call.account.clone(), call.region.clone()))
            .or_insert(Bucket { tokens: rate, filled: now });
        // A second's worth of requests may come at once.
        let since = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.tokens = since.mul_add(rate, bucket.tokens).min(rate);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            return Err(throttled(call.service));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call's bucket and its requests a second.
fn quota(service: Service, operation: &str) -> Option<(&'static str, f64)> {
    match (service, operation) {
        (Service::SecretsManager, "RotateSecret" | "CancelRotateSecret") => Some(("rotate", 50.0)),
        (Service::SecretsManager, "DescribeSecret" | "GetSecretValue") => Some(("describe", 10_000.0)),
        (Service::SecretsManager, "TagResource" | "UntagResource") => Some(("tag", 50.0)),
        (Service::SecretsManager, "ListSecrets") => Some(("list", 100.0)),
        (Service::Lambda, "Invoke") => None,
        (Service::Lambda, "GetFunction") => Some(("function", 100.0)),
        (Service::Lambda, "GetPolicy") => Some(("policy", 15.0)),
        (Service::Lambda, _) => Some(("lambda", 15.0)),
        (Service::CloudTrail, "LookupEvents") => Some(("events", 2.0)),
        _ => None,
    }
}

fn throttled(service: Service) -> ApiError {
    match service.protocol() {
        Protocol::Json => ApiError::new(400, "ThrottlingException", "Rate exceeded"),
        Protocol::Query => ApiError::new(400, "Throttling", "Rate exceeded"),
        Protocol::Rest if service == Service::Lambda => ApiError::new(429, "TooManyRequestsException", "Rate exceeded")
            .field("Reason", "CallerRateLimitExceeded")
            .field("retryAfterSeconds", "1"),
        Protocol::Rest => ApiError::new(429, "TooManyRequestsException", "Rate exceeded"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;

    fn call(service: Service, operation: &str) -> Call {
        Call {
            service,
            operation: operation.to_owned(),
            account: "111111111111".to_owned(),
            region: "eu-west-1".to_owned(),
            request_id: String::new(),
            access_key: String::new(),
            principal: String::new(),
            now: Time(0),
        }
    }

    /// Without it, a fleet that AWS throttles would run through in a rehearsal, or be throttled in words that no client
    /// retries.
    #[test]
    fn a_bucket_runs_empty_in_the_services_own_words() {
        let quotas = Quotas::new(true);
        // Far more calls than any machine makes in the second that fills a bucket again.
        let first = |service, operation| {
            let call = call(service, operation);
            (0..10_000_000).find_map(|n| quotas.take(&call).err().map(|error| (n, error.status, error.code)))
        };
        let (n, status, code) = first(Service::SecretsManager, "RotateSecret").expect("it is throttled");
        assert!(n >= 50 && (status, code.as_str()) == (400, "ThrottlingException"), "{n} {status} {code}");
        // The two share a bucket.
        let shared = first(Service::SecretsManager, "CancelRotateSecret").expect("it is throttled");
        assert!(shared.0 < n, "{shared:?}");
        let (n, status, code) = first(Service::Lambda, "GetPolicy").expect("it is throttled");
        assert!(n >= 15 && (status, code.as_str()) == (429, "TooManyRequestsException"), "{n} {status} {code}");
        assert_eq!(quotas.take(&call(Service::Lambda, "Invoke")), Ok(()));
    }
}
