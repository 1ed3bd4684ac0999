//! Becoming a role: by its region's STS, and where that one doesn't know the caller, by that of the partition's main region.

use aws_config::sts::{AssumeRoleProvider, AssumeRoleProviderBuilder};
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};

use crate::aws::classify::refuses_region;
use crate::model::arn;

/// A role of a target.
#[derive(Clone, Copy)]
pub(super) struct Role<'a> {
    /// Its ARN.
    pub arn: &'a str,
    /// What its trust asks for.
    pub external_id: Option<&'a str>,
    /// The session's name.
    pub session_name: &'a str,
}

impl Role<'_> {
    /// Credentials of the role, asked for with those of a configuration.
    pub async fn credentials(&self, config: &SdkConfig, region: &str) -> SharedCredentialsProvider {
        let here = self.credentials_in(config, region).await;
        let main = match main_region(region) {
            Some(main) => Some(self.credentials_in(config, main).await),
            None => None,
        };
        SharedCredentialsProvider::new(OptIn { here, main })
    }

    async fn credentials_in(&self, config: &SdkConfig, region: &str) -> AssumeRoleProvider {
        self.asked(config, region).build().await
    }

    /// What the STS of a region is asked for.
    pub fn asked(&self, config: &SdkConfig, region: &str) -> AssumeRoleProviderBuilder {
        let builder = AssumeRoleProvider::builder(self.arn)
            .session_name(self.session_name)
            .region(Region::new(region.to_owned()))
            .configure(config);
        match self.external_id {
            Some(id) => builder.external_id(id),
            None => builder,
        }
    }
}

/// The main region of a region's partition, where that is another one.
pub(super) fn main_region(region: &str) -> Option<&'static str> {
    arn::main_region(arn::partition_of(region)).filter(|main| *main != region)
}

/// Credentials that STS gives out. A region that an account must opt into knows no caller of an account that hasn't, though the
/// role's own account may have: then the main region's STS is asked, once. Its credentials hold in every region.
#[derive(Debug)]
pub(super) struct OptIn<P> {
    /// By the STS of the target's region.
    pub here: P,
    /// By that of the main region, where that is another one.
    pub main: Option<P>,
}

impl<P: ProvideCredentials> ProvideCredentials for OptIn<P> {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let refused = match (self.here.provide_credentials().await, &self.main) {
                (Err(error), Some(main)) if refuses_region(&error) == Some(true) => (error, main),
                (result, _) => return result,
            };
            let (first, main) = refused;
            match main.provide_credentials().await {
                // Where it doesn't know the caller either, or can't be reached, the first answer is the one about the target.
                Err(error) if refuses_region(&error) != Some(false) => Err(first),
                result => result,
            }
        })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.here.fallback_on_interrupt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a region of another partition could be asked, which knows none of the callers and shouldn't see their keys.
    #[test]
    fn the_main_region_is_of_the_same_partition() {
        for (region, main) in [
            ("af-south-1", Some("us-east-1")),
            ("me-central-1", Some("us-east-1")),
            ("us-east-1", None),
            ("cn-northwest-1", Some("cn-north-1")),
            ("cn-north-1", None),
            ("us-gov-east-1", Some("us-gov-west-1")),
            ("us-gov-west-1", None),
            ("us-iso-west-1", Some("us-iso-east-1")),
            ("us-isob-west-1", Some("us-isob-east-1")),
            ("eusc-de-east-1", None),
        ] {
            assert_eq!(main_region(region), main, "{region}");
            assert!(main.is_none_or(|main| arn::partition_of(main) == arn::partition_of(region)), "{region}");
        }
    }
}
