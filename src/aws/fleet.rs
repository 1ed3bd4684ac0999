//! What says how the rotation of many secrets does: a list or a description of each, the ages of pending versions, and the functions.

use std::collections::{BTreeMap, BTreeSet};

use aws_smithy_types::DateTime;
use futures::channel::mpsc::unbounded;
use futures::stream;

use super::classify::failed;
use super::error::{AwsError, reading};
use super::observe::side_by_side;
use super::reader::Reader;
use crate::model::account::AccountFunction;
use crate::model::live::{Reading, Unread};
use crate::model::record::SecretRecord;

/// Up to how many secrets each is described by itself: a list, of which a page has 100, also holds what nobody asked about, and may be
/// five minutes late.
const FEW: usize = 100;

/// How many calls about secrets are under way at a time.
const AT_A_TIME: usize = 64;

/// How many pages of a secret's versions are read, 100 versions each: AWS keeps about that many without a staging label.
const VERSION_PAGES: usize = 5;

/// Which secrets are read.
#[derive(Debug, Clone, Copy)]
pub enum Asked<'a> {
    /// These, by name or ARN.
    Named(&'a BTreeSet<String>),
    /// All of the account and region, and these.
    All(&'a BTreeSet<String>),
}

/// What was read.
#[derive(Debug, Default)]
pub struct Fleet {
    /// Secrets by the name or ARN that they were asked by; those that nobody named, by ARN.
    pub secrets: BTreeMap<String, Reading<SecretRecord>>,
    /// When the version of an unfinished rotation was made, in seconds since 1970, by the secret's ARN; or why that isn't known.
    pub pending: BTreeMap<String, Result<Option<i64>, Unread>>,
    /// The functions of secrets that rotate, by the ARN that the secrets name.
    pub functions: BTreeMap<String, AccountFunction>,
    /// Whether most secrets come from the list.
    pub is_from_list: bool,
}

impl Reader {
    /// Reads a fleet. Of a list, each suspect is looked at once more, since what is said of it shall be of now. `known`: the list, where it
    /// was read just now.
    ///
    /// # Errors
    /// Where all secrets were asked for, and the list can't be read.
    pub async fn fleet(
        &self,
        asked: Asked<'_>,
        known: Option<Vec<SecretRecord>>,
        is_suspect: impl Fn(&SecretRecord) -> bool,
    ) -> Result<Fleet, AwsError> {
        let mut fleet = Fleet::default();
        let (named, all) = match asked {
            Asked::Named(named) => (named, false),
            Asked::All(named) => (named, true),
        };
        let mut to_describe: BTreeSet<String> = named.clone();
        if all || named.len() > FEW {
            let (records, functions) = self.listed(named, all, known).await;
            fleet.functions = functions;
            match records {
                Ok(records) => {
                    fleet.is_from_list = true;
                    to_describe.clear();
                    fleet.take(records, named, all);
                    let suspects = fleet.secrets.iter().filter(|(_, secret)| secret.found().is_some_and(&is_suspect));
                    to_describe.extend(suspects.map(|(asked, _)| asked.clone()));
                    // What the list doesn't have may be new, or gone.
                    to_describe.extend(named.iter().filter(|name| !fleet.secrets.contains_key(*name)).cloned());
                }
                // Each by itself may be allowed where the list isn't.
                Err(_) if !all => {}
                Err(error) => return Err(error),
            }
        }
        let described = to_describe.into_iter().map(|name| async move {
            let secret = reading(self.record(&name).await);
            (name, secret)
        });
        fleet.secrets.extend(side_by_side::<_, Vec<_>>(AT_A_TIME, described).await);
        let named = fleet.function_arns();
        fleet.functions.retain(|arn, _| named.contains(arn));
        let more = named.into_iter().filter(|arn| !fleet.functions.contains_key(arn));
        let more = stream::iter(more.collect::<Vec<_>>());
        let (pending, more) = futures::join!(self.pending(&fleet), self.functions_of(more, true));
        fleet.pending = pending;
        fleet.functions.extend(more);
        Ok(fleet)
    }

    /// The list of secrets, and meanwhile the functions of those that were asked for.
    async fn listed(
        &self,
        named: &BTreeSet<String>,
        all: bool,
        known: Option<Vec<SecretRecord>>,
    ) -> (Result<Vec<SecretRecord>, AwsError>, BTreeMap<String, AccountFunction>) {
        let (found, functions) = unbounded();
        let list = async move {
            let told = move |secret: &SecretRecord| {
                let is_asked = all || named.contains(&secret.name) || named.contains(&secret.arn);
                if let Some(function) = secret.function_arn.as_ref().filter(|_| is_asked && secret.rotates_here()) {
                    // It is heard as long as the list is read.
                    let _ = found.unbounded_send(function.to_string());
                }
            };
            match known {
                Some(records) => {
                    records.iter().for_each(told);
                    Ok(records)
                }
                None => self.records(&told).await,
            }
        };
        futures::join!(list, self.functions_of(functions, true))
    }

    /// When a version of a secret was made (`ListSecretVersionIds`), in seconds since 1970. A rotation's version is made when the
    /// rotation begins. `None` where the secret hasn't that version.
    async fn version_created(&self, secret: &str, version: &str) -> Result<Option<i64>, AwsError> {
        let call = self.inner.secrets.list_secret_version_ids().secret_id(secret).max_results(100);
        let mut pages = call.into_paginator().send();
        for _ in 0..VERSION_PAGES {
            let Some(page) = pages.next().await else { break };
            let page = page.map_err(failed("secretsmanager:ListSecretVersionIds", secret))?;
            if let Some(found) = page.versions().iter().find(|entry| entry.version_id() == Some(version)) {
                return Ok(found.created_date().map(DateTime::secs));
            }
        }
        Ok(None)
    }

    /// When the current versions of secrets were made, in seconds since 1970, by the secret's ARN: a value that was put by hand is newer than
    /// the last rotation. What can't be read is left out.
    pub async fn current_versions(&self, secrets: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, i64> {
        let made = self.versions_created(secrets).await;
        made.into_iter().filter_map(|(arn, made)| Some((arn, made.ok().flatten()?))).collect()
    }

    /// When versions of secrets were made, in seconds since 1970, by the secret's ARN; `None` for one that the secret doesn't have.
    pub async fn versions_created(
        &self,
        secrets: impl IntoIterator<Item = (String, String)>,
    ) -> BTreeMap<String, Result<Option<i64>, Unread>> {
        let jobs = secrets.into_iter().map(|(arn, version)| async move {
            let made = self.version_created(&arn, &version).await;
            (arn, made.map_err(Unread::from))
        });
        side_by_side(AT_A_TIME, jobs).await
    }

    /// When the versions of unfinished rotations were made.
    async fn pending(&self, fleet: &Fleet) -> BTreeMap<String, Result<Option<i64>, Unread>> {
        let found = fleet.secrets.values().filter_map(Reading::found);
        let pending = found.filter_map(|secret| Some((secret.arn.clone(), secret.unfinished_rotation()?.to_owned())));
        self.versions_created(pending).await
    }
}

impl Fleet {
    /// The functions by which its secrets rotate.
    fn function_arns(&self) -> BTreeSet<String> {
        let rotating = self.secrets.values().filter_map(Reading::found).filter(|secret| secret.rotates_here());
        rotating.filter_map(|secret| secret.function_arn.as_deref().map(str::to_owned)).collect()
    }

    /// Takes what was asked for out of a list.
    fn take(&mut self, records: Vec<SecretRecord>, named: &BTreeSet<String>, all: bool) {
        for record in records {
            let asked = [&record.name, &record.arn].into_iter().find(|name| named.contains(*name));
            let key = asked.cloned().or_else(|| all.then(|| record.arn.clone()));
            if let Some(key) = key {
                self.secrets.insert(key, Reading::Found(record));
            }
        }
    }
}
