//! The other secrets that functions read: looked up, and given to their stacks as parameters.

use crate::aws::error::reading;
use crate::aws::reader::Reader;
use crate::model::live::{ApplicationVersion, LiveSecret, Reading};
use crate::model::{Desired, FunctionSource, Live, READ_PARAMETERS, ReadFault, Sensitive};

impl Reader {
    /// Fills in the parameters of the functions that read other secrets (`DescribeSecret`), as far as their applications declare them,
    /// or why that can't be done. Done before a plan is made, so that a secret that was made anew is a change.
    pub async fn resolve_reads(&self, desired: &mut Desired, live: &Live) {
        for (handle, function) in &mut desired.functions {
            let FunctionSource::Deployed(deployment) = &mut function.source else { continue };
            let Some(secret) = deployment.read_secrets.first().cloned() else { continue };
            // Where the application wasn't read, that is said already.
            let application = live.functions.get(handle).and_then(|live| live.application.found());
            let Some(version) = application else { continue };
            let found = match reading(self.secret(&secret).await) {
                Reading::Found(details) if !details.secret.deleted => details.secret,
                Reading::Found(_) | Reading::Absent => {
                    deployment.read_fault = Some(ReadFault::Missing { secret });
                    continue;
                }
                Reading::Unread(unread) => {
                    deployment.read_fault = Some(ReadFault::Unread(unread));
                    continue;
                }
            };
            match self.read_parameters(&found, version) {
                Some(parameters) => deployment.application.parameters.extend(parameters),
                None => deployment.read_fault = Some(ReadFault::NotTaken { version: version.version.clone() }),
            }
        }
    }

    /// What a function is given to read a secret; `None` where its application takes none.
    fn read_parameters(&self, secret: &LiveSecret, version: &ApplicationVersion) -> Option<Vec<(String, Sensitive)>> {
        let [arn, key] = READ_PARAMETERS;
        let declared = |name: &str| version.parameters.contains_key(name).then(|| name.to_owned());
        let mut parameters = vec![(declared(arn)?, Sensitive::new(secret.arn.clone()))];
        let key_arn = secret.kms_key.as_deref().and_then(|key| self.key_arn(key));
        if let (Some(name), Some(key)) = (declared(key), key_arn) {
            parameters.push((name, Sensitive::new(key)));
        }
        Some(parameters)
    }

    /// The ARN of a key: roles are given no aliases, which lead to other keys tomorrow.
    fn key_arn(&self, key: &str) -> Option<String> {
        if key.starts_with("arn:") {
            return (!key.contains(":alias/")).then(|| key.to_owned());
        }
        let (partition, region, account) = (&self.inner.partition, &self.inner.region, &self.inner.account);
        (!key.starts_with("alias/")).then(|| format!("arn:{partition}:kms:{region}:{account}:key/{key}"))
    }
}
