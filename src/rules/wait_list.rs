//! The list of an owner's waits, gathered from pages (C10).

use std::collections::HashMap;

use greentic_types::SessionKey;

/// The waits that the pages of a list contained.
#[derive(Default)]
pub(crate) struct WaitList {
    waits: Vec<(u64, SessionKey)>,
    pages: usize,
}

impl WaitList {
    /// Adds the waits of the next page, each with its order.
    pub fn add(&mut self, page: impl IntoIterator<Item = (u64, SessionKey)>) {
        self.waits.extend(page);
        self.pages += 1;
    }

    /// Returns the keys in order of registration; those with equal orders in order of their keys. A
    /// session that was registered again between two pages has the position of its last registration.
    pub fn into_keys(mut self) -> Vec<SessionKey> {
        self.waits.sort_by(|(order, key), (other_order, other)| {
            let by_key = || key.as_str().cmp(other.as_str());
            order.cmp(other_order).then_with(by_key)
        });
        let mut keys: Vec<_> = self.waits.into_iter().map(|(_, key)| key).collect();
        if self.pages > 1 {
            let last: HashMap<_, _> = (0..)
                .zip(&keys)
                .map(|(at, key)| (key.clone(), at))
                .collect();
            let mut at = 0..;
            keys.retain(|key| last.get(key).copied() == at.next());
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(pages: &[&[(u64, &str)]]) -> Vec<String> {
        let mut list = WaitList::default();
        for page in pages {
            list.add(
                page.iter()
                    .map(|(order, key)| (*order, SessionKey::new(*key))),
            );
        }
        let keys = list.into_keys();
        keys.iter().map(|key| key.as_str().to_owned()).collect()
    }

    #[test]
    fn c10_waits_are_listed_by_order_and_then_by_key() {
        assert_eq!(list(&[&[(2, "c"), (1, "b"), (2, "a")]]), ["b", "a", "c"]);
        assert_eq!(list(&[&[(2, "c")], &[(1, "b")]]), ["b", "c"]);
        assert!(list(&[]).is_empty());
    }

    #[test]
    fn c10_a_wait_that_moves_between_two_pages_is_listed_once_at_its_new_position() {
        let pages: [&[_]; 2] = [&[(1, "a"), (2, "b")], &[(3, "c"), (4, "a")]];
        assert_eq!(list(&pages), ["b", "c", "a"]);
    }
}
