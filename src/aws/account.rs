//! Reading all of an account and region that a manifest can be made of: lists, and each function once.

use futures::channel::mpsc::unbounded;

use super::error::AwsError;
use super::execute::FunctionState;
use super::reader::Reader;
use crate::model::account::{Account, TaggedSecret};
use crate::model::live::Unread;

impl Reader {
    /// Reads the lists of secrets and stacks, and the functions of the secrets that are `wanted`; with `policies`, who may invoke those.
    ///
    /// # Errors
    /// Where the secrets can't be listed. What else can't be read is said in the answer.
    pub async fn read_account(
        &self,
        wanted: impl Fn(&TaggedSecret) -> bool + Sync,
        policies: bool,
    ) -> Result<Account, AwsError> {
        let (found, arns) = unbounded();
        let list = async move {
            let told = move |secret: &TaggedSecret| {
                let function = secret.record.function_arn.as_ref().filter(|_| secret.record.rotates_here());
                if let Some(function) = function.filter(|_| wanted(secret)) {
                    // It is heard as long as the list is read.
                    let _ = found.unbounded_send(function.to_string());
                }
            };
            self.tagged_secrets(&told).await
        };
        let (secrets, stacks, functions) = futures::join!(list, self.stacks(), self.functions_of(arns, policies));
        let secrets = secrets?;
        Ok(Account {
            account: self.inner.account.clone(),
            region: self.inner.region.clone(),
            partition: self.inner.partition.clone(),
            secrets,
            functions,
            stacks: stacks.map_err(Unread::from),
        })
    }

    /// The package of a function that is in use, and its hash as Lambda says it.
    ///
    /// # Errors
    /// Where the function can't be read. `None` in the answer: its package can't be had.
    pub async fn live_package(&self, function: &str) -> Result<(String, Option<Vec<u8>>), AwsError> {
        let state: FunctionState = self.function(function).await?;
        let package = self.download(&state).await;
        Ok((state.configuration.code_sha256.clone(), package))
    }
}
