//! AWS's published quotas, kept before AWS has to say so.
//!
//! Quotas are requests a second, per account and region ("Quotas" in each service's guide). A call that AWS throttles
//! costs the caller a round trip and a pause, and other programs of the account theirs: where the rate is published, calls wait
//! here instead. It is done below the SDK, so that its repeated attempts count too, and a new call can't be forgotten. What isn't
//! published (`CloudFormation`, the Serverless Application Repository) is left to the SDK, which slows down once it is throttled.
//!
//! | calls | a second | AWS's quota |
//! |---|---|---|
//! | `RotateSecret`, `CancelRotateSecret` together | 50 | 50 |
//! | `DescribeSecret` | 8,000 | 10,000, which applications that read secrets share |
//! | Lambda `GetFunction` | 100 | 100 |
//! | Lambda `GetPolicy` | 15 | 15 |
//! | the rest of Lambda's control plane together | 15 | 15 |

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// `DescribeSecret`, a second: AWS's 10,000 are shared with applications that read secrets.
pub(super) const SECRETS: u32 = 8_000;

/// Where Lambda's functions live.
const FUNCTIONS: &str = "/2015-03-31/functions/";

/// The budgets of all accounts and regions of a run: targets that share a place share its quotas.
#[derive(Debug, Default)]
pub struct Budgets(Mutex<HashMap<(String, String), Arc<Budget>>>);

impl Budgets {
    /// The budget of one account and region.
    pub(super) fn of(&self, account: &str, region: &str) -> Arc<Budget> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry((account.to_owned(), region.to_owned())).or_default())
    }
}

/// What one account and region allows.
#[derive(Debug)]
pub(super) struct Budget {
    rotations: DefaultDirectRateLimiter,
    secrets: DefaultDirectRateLimiter,
    functions: DefaultDirectRateLimiter,
    policies: DefaultDirectRateLimiter,
    control: DefaultDirectRateLimiter,
    events: DefaultDirectRateLimiter,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            rotations: limiter(50),
            secrets: limiter(SECRETS),
            functions: limiter(100),
            policies: limiter(15),
            control: limiter(15),
            events: limiter(2),
        }
    }
}

/// So many a second, of which half may come at once: what the network bunches together must not overflow AWS's own bucket.
fn limiter(a_second: u32) -> DefaultDirectRateLimiter {
    let rate = NonZeroU32::new(a_second).unwrap_or(NonZeroU32::MIN);
    let burst = NonZeroU32::new(a_second / 2).unwrap_or(NonZeroU32::MIN);
    RateLimiter::direct(Quota::per_second(rate).allow_burst(burst))
}

impl Budget {
    /// Waits until a request fits into its quota. A request whose quota isn't published doesn't wait.
    pub(super) async fn wait_for(&self, call: Counted) {
        let limiter = match call {
            Counted::Rotation => &self.rotations,
            Counted::Secret => &self.secrets,
            Counted::Function => &self.functions,
            Counted::Policy => &self.policies,
            Counted::Control => &self.control,
            Counted::Event => &self.events,
        };
        limiter.until_ready().await;
    }
}

/// A call with a published quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// `RotateSecret`, `CancelRotateSecret`.
    Rotation,
    /// `DescribeSecret`.
    Secret,
    /// `GetFunction`.
    Function,
    /// `GetPolicy`.
    Policy,
    /// Another call of Lambda's control plane.
    Control,
    /// `LookupEvents`.
    Event,
}

impl Counted {
    /// What a request counts as; `None` where no quota is published.
    pub(super) fn of(request: &HttpRequest) -> Option<Self> {
        Self::by_name(request.method(), request.uri(), request.headers().get("x-amz-target"))
    }

    fn by_name(method: &str, uri: &str, target: Option<&str>) -> Option<Self> {
        match target {
            Some("secretsmanager.RotateSecret" | "secretsmanager.CancelRotateSecret") => Some(Self::Rotation),
            Some("secretsmanager.DescribeSecret") => Some(Self::Secret),
            Some(target) if target.ends_with(".LookupEvents") => Some(Self::Event),
            Some(_) => None,
            None => {
                let path = uri.split('?').next().unwrap_or(uri);
                let (_, name) = path.split_once(FUNCTIONS)?;
                Some(match (method, name.split_once('/')) {
                    ("GET", None) => Self::Function,
                    ("GET", Some((_, "policy"))) => Self::Policy,
                    _ => Self::Control,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a call could be held to another call's quota, or to none.
    #[test]
    fn calls_are_known_by_what_they_send() {
        let lambda = |method, rest: &str| {
            Counted::by_name(method, &format!("https://lambda.eu-west-1.amazonaws.com{FUNCTIONS}{rest}"), None)
        };
        assert_eq!(lambda("GET", "f"), Some(Counted::Function));
        assert_eq!(lambda("GET", "arn%3Aaws%3Alambda?Qualifier=live"), Some(Counted::Function));
        assert_eq!(lambda("GET", "f/policy"), Some(Counted::Policy));
        assert_eq!(lambda("POST", "f/policy"), Some(Counted::Control));
        assert_eq!(lambda("DELETE", "f/policy/SecretsManagerAccess"), Some(Counted::Control));
        assert_eq!(lambda("PUT", "f/code"), Some(Counted::Control));
        let secrets = |operation: &str| Counted::by_name("POST", "/", Some(&format!("secretsmanager.{operation}")));
        assert_eq!(secrets("RotateSecret"), Some(Counted::Rotation));
        assert_eq!(secrets("CancelRotateSecret"), Some(Counted::Rotation));
        assert_eq!(secrets("DescribeSecret"), Some(Counted::Secret));
        assert_eq!(secrets("ListSecrets"), None);
        let events = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";
        assert_eq!(Counted::by_name("POST", "/", Some(events)), Some(Counted::Event));
        assert_eq!(Counted::by_name("POST", "https://cloudformation.eu-west-1.amazonaws.com/", None), None);
    }

    /// Without it, no request would be counted at all, and each call wait for AWS to throttle it.
    #[test]
    fn requests_are_counted_as_they_are_sent() {
        let request = |method: &str, uri: &str, target: Option<&'static str>| {
            let mut request = HttpRequest::empty();
            request.set_method(method).expect("a method");
            request.set_uri(uri.to_owned()).expect("a URI");
            if let Some(target) = target {
                request.headers_mut().insert("x-amz-target", target);
            }
            Counted::of(&request)
        };
        let secrets = "https://secretsmanager.eu-west-1.amazonaws.com/";
        assert_eq!(request("POST", secrets, Some("secretsmanager.RotateSecret")), Some(Counted::Rotation));
        assert_eq!(request("POST", secrets, Some("secretsmanager.ListSecrets")), None);
        let function = format!("https://lambda.eu-west-1.amazonaws.com{FUNCTIONS}f");
        assert_eq!(request("GET", &function, None), Some(Counted::Function));
    }

    /// Without it, two targets in one account and region would each spend the whole quota.
    #[test]
    fn targets_in_one_place_share_its_budget() {
        let budgets = Budgets::default();
        let one = budgets.of("111111111111", "eu-west-1");
        assert!(Arc::ptr_eq(&one, &budgets.of("111111111111", "eu-west-1")));
        assert!(!Arc::ptr_eq(&one, &budgets.of("111111111111", "eu-west-2")));
        assert!(!Arc::ptr_eq(&one, &budgets.of("222222222222", "eu-west-1")));
    }
}
