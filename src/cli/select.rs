//! Rules of `select`, made into secrets before anything else is done with them.

use crate::aws::{Connection, ReadOnly};
use crate::model::live::Unread;
use crate::model::{Desired, Target};
use crate::plan::select;
use crate::render::words::unread_words;

use super::output;

/// Makes the rules of a target into secrets, by a list of all that AWS has. `siblings`: what other targets want that may be in the same
/// account and region; one that surely is has a say.
pub async fn read_rules(
    connection: &Connection<ReadOnly>,
    desired: &mut Desired,
    siblings: &[Desired],
    is_partial: bool,
) {
    if desired.select.is_empty() {
        return;
    }
    let listed = connection.reader().tagged_secrets(&|_| ()).await.map_err(Unread::from);
    if let Err(unread) = &listed
        && is_partial
    {
        let summary =
            format!("what rules of `select` mean isn't known, nor whether it is selected: {}", unread_words(unread));
        output::warn(&summary, &[]);
    }
    let (partition, region, account) = (connection.partition(), connection.region(), connection.account());
    let is_here =
        |target: &Target| target.account.as_deref() == Some(account) && target.region.as_deref() == Some(region);
    let siblings: Vec<&Desired> = siblings.iter().filter(|sibling| is_here(&sibling.target)).collect();
    select::expand(desired, &siblings, listed, select::Here { partition, region, account });
}
