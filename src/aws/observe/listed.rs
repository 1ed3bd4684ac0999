//! The account's list of secrets: pages of a hundred, of which each is known only after the one before.
//!
//! It is read from both ends at once, oldest and newest first, until the two have met: half the time, for two pages more at most where their dates differ.

use std::collections::HashSet;
use std::sync::Arc;

use aws_sdk_secretsmanager::error::SdkError;
use aws_sdk_secretsmanager::operation::list_secrets::{ListSecretsError, ListSecretsOutput};
use aws_sdk_secretsmanager::types::{SecretListEntry, SortByType, SortOrderType};
use aws_smithy_async::future::pagination_stream::PaginationStream;
use futures::future::try_join;

use crate::aws::classify::failed;
use crate::aws::convert;
use crate::aws::error::AwsError;
use crate::aws::pages::Pages;
use crate::aws::reader::{Reader, given};
use crate::model::account::TaggedSecret;
use crate::model::live::ListedSecret;
use crate::model::record::SecretRecord;
use crate::model::shared::once;

const ACTION: &str = "secretsmanager:ListSecrets";

/// A page's answer.
type Answer = Result<ListSecretsOutput, SdkError<ListSecretsError>>;

/// When a secret was made, in seconds and nanoseconds since 1970.
type Date = (i64, u32);

impl Reader {
    /// All secrets (`ListSecrets`) but those that are scheduled for deletion, by ARN.
    pub async fn secrets(&self) -> Result<Vec<ListedSecret>, AwsError> {
        self.list(false, convert::listed_secret, &|_| ()).await
    }

    /// All secrets (`ListSecrets`), those that are scheduled for deletion too, by ARN, with what says how their rotation does. Each is
    /// also told as soon as its page is there, so that what it leads to needn't wait for the last; it may be told twice.
    pub async fn records(&self, told: &(dyn Fn(&SecretRecord) + Sync)) -> Result<Vec<SecretRecord>, AwsError> {
        self.list(true, convert::listed_record, told).await
    }

    /// The same, with their tags.
    pub async fn tagged_secrets(&self, told: &(dyn Fn(&TaggedSecret) + Sync)) -> Result<Vec<TaggedSecret>, AwsError> {
        self.list(true, convert::tagged_secret, told).await
    }

    async fn list<T: Listed>(
        &self,
        with_deleted: bool,
        convert: fn(SecretListEntry, &str) -> T,
        told: &(dyn Fn(&T) + Sync),
    ) -> Result<Vec<T>, AwsError> {
        let in_order = |order: SortOrderType| {
            let call = self.inner.secrets.list_secrets().max_results(100);
            let call = if with_deleted { call.include_planned_deletion(true) } else { call };
            // The two ends are the same list's only by a key that is said: which one AWS takes by itself may change.
            let call = call.sort_by(SortByType::CreatedDate).sort_order(order);
            let pages = call.into_paginator().send();
            let (region, functions) = (self.inner.region.as_str(), HashSet::new());
            Listing { pages, bound: Pages::of(ACTION, "*"), region, functions, convert, told }
        };
        let mut secrets = from_both_ends(in_order(SortOrderType::Asc), in_order(SortOrderType::Desc)).await?;
        // Where the ends met, both may have had the same ones.
        // Of two answers about one secret, the one that says that it rotates counts, so that no function in use is overlooked.
        secrets.sort_unstable_by(|a, b| a.arn().cmp(b.arn()).then(b.is_on().cmp(&a.is_on())));
        secrets.dedup_by(|a, b| a.arn() == b.arn());
        Ok(secrets)
    }
}

/// What an entry of the list is read as.
trait Listed: Send {
    /// The secret's ARN.
    fn arn(&self) -> &str;

    /// Whether rotation is on.
    fn is_on(&self) -> bool;

    /// The function that it refers to: of many secrets the same one.
    fn function(&mut self) -> &mut Option<Arc<str>>;
}

impl Listed for ListedSecret {
    fn arn(&self) -> &str {
        &self.arn
    }

    fn is_on(&self) -> bool {
        self.is_on
    }

    fn function(&mut self) -> &mut Option<Arc<str>> {
        &mut self.function_arn
    }
}

impl Listed for SecretRecord {
    fn arn(&self) -> &str {
        &self.arn
    }

    fn is_on(&self) -> bool {
        SecretRecord::is_on(self)
    }

    fn function(&mut self) -> &mut Option<Arc<str>> {
        &mut self.function_arn
    }
}

impl Listed for TaggedSecret {
    fn arn(&self) -> &str {
        &self.record.arn
    }

    fn is_on(&self) -> bool {
        self.record.is_on()
    }

    fn function(&mut self) -> &mut Option<Arc<str>> {
        &mut self.record.function_arn
    }
}

/// A list, page by page.
trait Source: Send {
    /// What it lists.
    type Item: Send;

    /// Whether two items are the same thing, whatever else is said of it.
    fn is_same(one: &Self::Item, other: &Self::Item) -> bool;

    /// The next page. Not asked again after the last.
    fn page(&mut self) -> impl Future<Output = Result<Page<Self::Item>, AwsError>> + Send;
}

/// A page of a list.
struct Page<T> {
    /// Each thing with the date by which the list is in order.
    entries: Vec<(Option<Date>, T)>,
    is_last: bool,
}

/// The list of secrets in one of its orders.
struct Listing<'a, T> {
    pages: PaginationStream<Answer>,
    bound: Pages<'a>,
    region: &'a str,
    /// The functions of all entries so far.
    functions: HashSet<Arc<str>>,
    convert: fn(SecretListEntry, &str) -> T,
    told: &'a (dyn Fn(&T) + Sync),
}

impl<T: Listed> Source for Listing<'_, T> {
    type Item = T;

    fn is_same(one: &T, other: &T) -> bool {
        one.arn() == other.arn()
    }

    async fn page(&mut self) -> Result<Page<T>, AwsError> {
        let Some(page) = self.pages.next().await else { return Ok(Page { entries: Vec::new(), is_last: true }) };
        let page = page.map_err(failed(ACTION, "*"))?;
        self.bound.page(page.secret_list().len(), page.next_token())?;
        let is_last = page.next_token().is_none_or(str::is_empty);
        let entries = page.secret_list.unwrap_or_default().into_iter().map(|entry| {
            given(ACTION, "*", &[("name of a secret", entry.name()), ("ARN of a secret", entry.arn())])?;
            let date = entry.created_date().map(|date| (date.secs(), date.subsec_nanos()));
            let mut secret = (self.convert)(entry, self.region);
            let function = secret.function();
            *function = function.take().map(|function| once(&mut self.functions, function));
            (self.told)(&secret);
            Ok((date, secret))
        });
        Ok(Page { entries: entries.collect::<Result<_, _>>()?, is_last })
    }
}

/// One end of a list: what it has given so far.
struct End<S: Source> {
    source: S,
    items: Vec<S::Item>,
    /// The date of the last one, as long as all came with a date and in order.
    reached: Option<Date>,
    is_ordered: bool,
    is_done: bool,
    descends: bool,
}

impl<S: Source> End<S> {
    fn new(source: S, descends: bool) -> Self {
        Self { source, items: Vec::new(), reached: None, is_ordered: true, is_done: false, descends }
    }

    async fn turn(&mut self) -> Result<(), AwsError> {
        let page = self.source.page().await?;
        self.is_done = page.is_last;
        for (date, item) in page.entries {
            self.is_ordered &= match (self.reached, date) {
                (Some(before), Some(now)) if self.descends => now <= before,
                (Some(before), Some(now)) => before <= now,
                (_, date) => date.is_some(),
            };
            self.reached = date;
            self.items.push(item);
        }
        Ok(())
    }

    /// Whether it has given what the other gave last.
    fn has_last_of(&self, other: &Self) -> bool {
        other.items.last().is_some_and(|last| self.items.iter().any(|item| S::is_same(item, last)))
    }
}

/// Reads a list in its two orders until each thing must have been on one of the pages. Things may be given twice.
///
/// Things of one date may come in any order among themselves: the ends have met only where each is past the other's date, and where
/// that is no slip of one date, each has given what the other gave last. Where the order isn't what it is said to be, the first of the
/// two is read to its end.
async fn from_both_ends<S: Source>(oldest: S, newest: S) -> Result<Vec<S::Item>, AwsError> {
    let (mut oldest, mut newest) = (End::new(oldest, false), End::new(newest, true));
    oldest.turn().await?;
    while !oldest.is_done {
        if oldest.is_ordered && newest.is_ordered && !newest.is_done {
            try_join(oldest.turn(), newest.turn()).await?;
        } else {
            oldest.turn().await?;
        }
        let have_passed = oldest.reached.zip(newest.reached).is_some_and(|(from, to)| to < from);
        if have_passed && oldest.is_ordered && newest.is_ordered {
            if oldest.has_last_of(&newest) && newest.has_last_of(&oldest) {
                break;
            }
            oldest.is_ordered = false;
        }
    }
    // A fleet's list is large: no room is made for more than there is.
    oldest.items.reserve_exact(newest.items.len());
    oldest.items.append(&mut newest.items);
    Ok(oldest.items)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Numbers with dates, in pages.
    struct Numbers {
        entries: Vec<(Option<Date>, usize)>,
        page: usize,
        asked: usize,
    }

    impl Numbers {
        fn new(mut dates: Vec<(Option<Date>, usize)>, descends: bool, page: usize) -> Self {
            dates.sort_by_key(|(date, _)| *date);
            if descends {
                dates.reverse();
            }
            Self { entries: dates, page, asked: 0 }
        }
    }

    impl Source for &mut Numbers {
        type Item = usize;

        fn is_same(one: &usize, other: &usize) -> bool {
            one == other
        }

        async fn page(&mut self) -> Result<Page<usize>, AwsError> {
            self.asked += 1;
            let entries: Vec<_> = self.entries.drain(..self.page.min(self.entries.len())).collect();
            Ok(Page { entries, is_last: self.entries.is_empty() })
        }
    }

    fn read(oldest: &mut Numbers, newest: &mut Numbers) -> BTreeSet<usize> {
        let found = futures::executor::block_on(from_both_ends(oldest, newest));
        found.expect("pages come").into_iter().collect()
    }

    fn dated(dates: impl IntoIterator<Item = i64>) -> Vec<(Option<Date>, usize)> {
        dates.into_iter().enumerate().map(|(number, date)| (Some((date, 0)), number)).collect()
    }

    /// Without it, an account's list would be read page after page, or a small one twice.
    #[test]
    fn half_the_turns_and_two_pages_more_at_most() {
        for (things, turns, pages) in
            [(1, 1, 1), (10, 1, 1), (11, 2, 3), (20, 2, 3), (30, 3, 5), (95, 6, 11), (100, 6, 11)]
        {
            let mut ends = [false, true].map(|descends| Numbers::new(dated(0..things), descends, 10));
            let [oldest, newest] = &mut ends;
            assert_eq!(read(oldest, newest).len(), usize::try_from(things).expect("few"));
            assert_eq!((oldest.asked, oldest.asked + newest.asked), (turns, pages), "{things}");
        }
    }

    proptest! {
        /// Without it, a secret that rotates by a function of ours could be on no page, and be forgotten.
        #[test]
        fn nothing_is_missed_whatever_the_dates(
            dates in proptest::collection::vec(0_i64..6, 0..60), page in 1_usize..9, broken in any::<bool>(), undated in any::<bool>(),
            slips in proptest::collection::vec((0_usize..60, -9_i64..15), 0..3),
        ) {
            let all: BTreeSet<usize> = (0..dates.len()).collect();
            let mut dated = dated(dates);
            let mut oldest = Numbers::new(dated.clone(), false, page);
            // Among equals, the other way need not be the reverse.
            dated.reverse();
            let mut newest = Numbers::new(dated, true, page);
            // What a service shows as the date need not be what it sorts by.
            for (position, date) in slips {
                for list in [&mut oldest.entries, &mut newest.entries] {
                    if let Some(entry) = list.iter_mut().find(|entry| entry.1 == position) {
                        entry.0 = Some((date, 0));
                    }
                }
            }
            if broken {
                let third = oldest.entries.len() / 3;
                oldest.entries.rotate_left(third);
                newest.entries.clear();
            }
            if undated && let Some(first) = newest.entries.first_mut() {
                first.0 = None;
            }
            prop_assert_eq!(read(&mut oldest, &mut newest), all);
        }
    }
}
