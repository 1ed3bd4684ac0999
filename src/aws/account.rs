//! Reading all of an account and region that a manifest can be made of: lists, and each function once.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{AwsError, reading};
use super::execute::FunctionState;
use super::observe::side_by_side;
use super::reader::Reader;
use crate::model::account::{Account, AccountFunction, TaggedSecret};
use crate::model::live::{Reading, Unread};

/// How many functions are read at a time: `GetFunction` has 100 calls a second.
const FUNCTIONS: usize = 32;

impl Reader {
    /// Reads the lists of secrets and stacks, and the functions of the secrets that are `wanted`; with `policies`, who may invoke those.
    ///
    /// # Errors
    /// Where the secrets can't be listed. What else can't be read is said in the answer.
    pub async fn read_account(
        &self,
        wanted: impl Fn(&TaggedSecret) -> bool,
        policies: bool,
    ) -> Result<Account, AwsError> {
        let (secrets, stacks) = futures::join!(self.tagged_secrets(), self.stacks());
        let secrets = secrets?;
        let rotating = secrets.iter().filter(|secret| secret.record.rotates_here() && wanted(secret));
        let arns: BTreeSet<String> =
            rotating.filter_map(|secret| secret.record.function_arn.as_deref().map(str::to_owned)).collect();
        let jobs = arns.into_iter().map(|arn| async move {
            let policy = async { if policies { reading(self.policy(&arn).await) } else { Reading::Absent } };
            let (state, policy) = futures::join!(self.function(&arn), policy);
            let configuration = reading(state.map(|state| state.configuration));
            (arn, AccountFunction { configuration, policy })
        });
        let functions: BTreeMap<String, AccountFunction> = side_by_side(FUNCTIONS, jobs).await;
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
