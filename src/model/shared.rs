//! A large value that copies share until one of them is changed.

use std::collections::HashSet;
use std::hash::Hash;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// A value that costs nothing to clone: a copy is made only where one of several owners changes it.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shared<T>(Arc<T>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<Item, T: FromIterator<Item>> FromIterator<Item> for Shared<T> {
    fn from_iter<I: IntoIterator<Item = Item>>(items: I) -> Self {
        items.into_iter().collect::<T>().into()
    }
}

#[expect(clippy::into_iter_without_iter, reason = "its `iter` is the value's own")]
impl<'a, T> IntoIterator for &'a Shared<T>
where
    &'a T: IntoIterator,
{
    type Item = <&'a T as IntoIterator>::Item;
    type IntoIter = <&'a T as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        (&**self).into_iter()
    }
}

/// A value, or the equal one that was met before: what is the same for many is kept once.
pub(crate) fn once<T: Clone + Eq + Hash>(known: &mut HashSet<T>, value: T) -> T {
    if let Some(known) = known.get(&value) {
        return known.clone();
    }
    known.insert(value.clone());
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, choosing some of a plan's secrets would take them out of the manifest too; or each plan would copy them all.
    #[test]
    fn a_copy_is_made_by_the_first_change() {
        let whole: Shared<Vec<u8>> = (0..9).collect();
        let mut chosen = whole.clone();
        assert!(Arc::ptr_eq(&whole.0, &chosen.0));
        chosen.retain(|number| *number > 6);
        assert_eq!((whole.len(), chosen.len()), (9, 2));
    }
}
