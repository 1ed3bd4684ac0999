//! One call, as all services see it.

use super::clock::Time;
use super::services::Service;

/// One call, as far as all services share it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Which service.
    pub service: Service,
    /// Such as `DescribeSecret`.
    pub operation: String,
    /// The caller's account: 12 digits.
    pub account: String,
    /// From the signature's scope.
    pub region: String,
    /// A new one for each call.
    pub request_id: String,
    /// The caller's access key id; empty for the calls that need no signature.
    pub access_key: String,
    /// The caller's ARN.
    pub principal: String,
    /// Service time at which the call came.
    pub now: Time,
}

impl Call {
    /// Who signed it, and for where.
    pub(super) fn signer(&self) -> Signer<'_> {
        Signer { key: &self.access_key, region: &self.region }
    }
}

/// Who signed a request, and for where; both empty for what `CloudFormation` calls.
#[derive(Debug, Clone, Copy, Default)]
pub struct Signer<'a> {
    /// The access key id.
    pub key: &'a str,
    /// The region.
    pub region: &'a str,
}
