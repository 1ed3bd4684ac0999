//! The functions that secrets rotate with, read as their ARNs come: beside a list that is still being read.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{FuturesUnordered, Stream, StreamExt as _};

use super::error::reading;
use super::reader::Reader;
use crate::model::account::AccountFunction;
use crate::model::live::Reading;

/// How many functions are read at a time: `GetFunction` has 100 calls a second, `GetPolicy` 15.
const AT_A_TIME: usize = 32;

impl Reader {
    /// Functions, each once, by the ARN that came; `policies`: also who may invoke them.
    pub(super) async fn functions_of(
        &self,
        mut arns: impl Stream<Item = String> + Unpin,
        policies: bool,
    ) -> BTreeMap<String, AccountFunction> {
        let (mut seen, mut functions) = (BTreeSet::new(), BTreeMap::new());
        let mut calls = FuturesUnordered::new();
        let mut is_ended = false;
        while !is_ended || !calls.is_empty() {
            tokio::select! {
                arn = arns.next(), if !is_ended && calls.len() < AT_A_TIME => match arn {
                    Some(arn) if seen.insert(arn.clone()) => calls.push(self.function_of(arn, policies)),
                    Some(_) => {}
                    None => is_ended = true,
                },
                Some((arn, function)) = calls.next() => drop(functions.insert(arn, function)),
            }
        }
        functions
    }

    async fn function_of(&self, arn: String, policies: bool) -> (String, AccountFunction) {
        let policy = async { if policies { reading(self.policy(&arn).await) } else { Reading::Absent } };
        let (state, policy) = futures::join!(self.function(&arn), policy);
        let configuration = reading(state.map(|state| state.configuration));
        (arn, AccountFunction { configuration, policy })
    }
}
