//! The clients of one target's services, which a reader and a writer share.

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_sts::config::retry::{RetryPartition, TokenBucket};

use super::NAME;
use super::http::Http;
use crate::model::arn::Arn;

/// What a reader and a writer share.
#[derive(Debug)]
pub(super) struct Clients {
    pub account: String,
    pub region: String,
    pub partition: String,
    pub caller_arn: String,
    pub parallelism: Option<usize>,
    /// Whether the Serverless Application Repository may be asked: a region that is known to have none has no address to ask, either.
    pub has_repository: bool,
    /// An address that packages may be downloaded from besides `https` ones.
    pub origin: Option<String>,
    pub http: Arc<Http>,
    pub cloudformation: aws_sdk_cloudformation::Client,
    pub logs: aws_sdk_cloudwatchlogs::Client,
    pub lambda: aws_sdk_lambda::Client,
    pub secrets: aws_sdk_secretsmanager::Client,
    /// For `RotateSecret` and `CancelRotateSecret`, whose quota is a hundredth of the other's: where it is used up,
    /// reading goes on at full speed.
    pub rotations: aws_sdk_secretsmanager::Client,
    pub repository: aws_sdk_serverlessrepo::Client,
    pub trail: aws_sdk_cloudtrail::Client,
}

impl Clients {
    /// The clients of a caller's account in a region, by a configuration that has its credentials.
    pub fn new(config: &SdkConfig, http: Arc<Http>, caller: Arn, region: String) -> Self {
        let secrets = || {
            let config =
                aws_sdk_secretsmanager::config::Builder::from(config).retry_partition(partition_of_retries()).build();
            aws_sdk_secretsmanager::Client::from_conf(config)
        };
        Self {
            caller_arn: caller.to_string(),
            account: caller.account,
            partition: caller.partition,
            region,
            parallelism: None,
            has_repository: true,
            origin: None,
            http,
            cloudformation: aws_sdk_cloudformation::Client::from_conf(
                aws_sdk_cloudformation::config::Builder::from(config).retry_partition(partition_of_retries()).build(),
            ),
            logs: aws_sdk_cloudwatchlogs::Client::from_conf(
                aws_sdk_cloudwatchlogs::config::Builder::from(config).retry_partition(partition_of_retries()).build(),
            ),
            lambda: aws_sdk_lambda::Client::from_conf(
                aws_sdk_lambda::config::Builder::from(config).retry_partition(partition_of_retries()).build(),
            ),
            secrets: secrets(),
            rotations: secrets(),
            repository: aws_sdk_serverlessrepo::Client::from_conf(
                aws_sdk_serverlessrepo::config::Builder::from(config).retry_partition(partition_of_retries()).build(),
            ),
            trail: aws_sdk_cloudtrail::Client::from_conf(
                aws_sdk_cloudtrail::config::Builder::from(config).retry_partition(partition_of_retries()).build(),
            ),
        }
    }
}

/// Each service of each connection adapts its rate alone: quotas hold per account, region and service. What bounds retries is
/// the number of attempts; the SDK's shared bucket would make large runs fail that AWS merely slows down.
fn partition_of_retries() -> RetryPartition {
    RetryPartition::custom(NAME).token_bucket(TokenBucket::unlimited()).build()
}
