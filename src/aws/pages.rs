//! Lists that come page by page: each must end, whatever the service says.

use std::collections::HashSet;

use super::error::AwsError;
use super::kind::ErrorKind;

/// How many pages in a row may hold nothing: AWS filters after it has cut its pages.
const EMPTY: usize = 100;

/// How many pages a list may have: an account has room for 500,000 secrets, 100 a page.
const MOST: usize = 20_000;

/// Looks at the pages of one list as they come.
pub(super) struct Pages<'a> {
    action: &'static str,
    resource: &'a str,
    seen: usize,
    empty: usize,
    tokens: HashSet<String>,
}

impl<'a> Pages<'a> {
    /// Before the first page.
    pub fn of(action: &'static str, resource: &'a str) -> Self {
        Self { action, resource, seen: 0, empty: 0, tokens: HashSet::new() }
    }

    /// Takes a page in: how much it holds, and the token of the next. An error where the list can't end any more, or won't.
    pub fn page(&mut self, items: usize, next: Option<&str>) -> Result<(), AwsError> {
        let Some(next) = next.filter(|token| !token.is_empty()) else { return Ok(()) };
        self.seen += 1;
        self.empty = if items == 0 { self.empty + 1 } else { 0 };
        let why = if !self.tokens.insert(next.to_owned()) {
            "a page leads back to an earlier one".to_owned()
        } else if self.empty > EMPTY {
            format!("{EMPTY} pages in a row hold nothing, and another is said to follow")
        } else if self.seen >= MOST {
            format!("there are more than {MOST} pages")
        } else {
            return Ok(());
        };
        Err(AwsError::other(ErrorKind::Other, self.action, self.resource, &format!("the list doesn't end: {why}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends_after(pages: impl Iterator<Item = (usize, String)>) -> Option<usize> {
        let mut list = Pages::of("secretsmanager:ListSecrets", "*");
        pages.enumerate().find_map(|(at, (items, token))| list.page(items, Some(&token)).err().map(|_| at + 1))
    }

    /// Without it, a list that never ends would hold a pipeline until it is killed, or fill its memory.
    #[test]
    fn a_list_without_an_end_is_an_error() {
        assert_eq!(ends_after((0..).map(|_| (1, "a".to_owned()))), Some(2));
        assert_eq!(ends_after((0..).map(|n| (1, (n % 3).to_string()))), Some(4));
        assert_eq!(ends_after((0..).map(|n| (0, n.to_string()))), Some(EMPTY + 1));
        assert_eq!(ends_after((0..).map(|n| (1, n.to_string()))), Some(MOST));
    }

    /// Without it, a list could be cut where AWS has much to filter.
    #[test]
    fn a_list_with_gaps_is_read_to_its_end() {
        assert_eq!(ends_after((0..10_000).map(|n| (n % EMPTY, n.to_string()))), None);
        let mut list = Pages::of("secretsmanager:ListSecrets", "*");
        assert!(list.page(0, None).is_ok() && list.page(0, Some("")).is_ok());
    }
}
