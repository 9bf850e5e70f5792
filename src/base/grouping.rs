//! What belongs together, put together.

/// Puts items with the same key together. Groups stand in the order in which their first items do, and items keep theirs.
pub fn by_key<T, K: PartialEq>(items: impl IntoIterator<Item = T>, key: impl Fn(&T) -> K) -> Vec<(K, Vec<T>)> {
    let mut groups: Vec<(K, Vec<T>)> = Vec::new();
    for item in items {
        let own = key(&item);
        match groups.iter_mut().find(|(known, _)| *known == own) {
            Some((_, group)) => group.push(item),
            None => groups.push((own, vec![item])),
        }
    }
    groups
}

/// Items with the same key together, of which only the first ones are kept and the others counted.
#[derive(Debug)]
pub struct CountedGroups<K, T>(Vec<CountedGroup<K, T>>);

/// What has one key.
#[derive(Debug)]
pub struct CountedGroup<K, T> {
    /// What the items have in common.
    pub key: K,
    /// The items that are kept, at least one.
    pub kept: Vec<T>,
    /// How many there are more.
    pub more: u64,
}

impl<K, T> Default for CountedGroups<K, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: PartialEq, T> CountedGroups<K, T> {
    /// Keeps an item.
    pub fn keep(&mut self, key: K, item: T) {
        match self.0.iter_mut().find(|group| group.key == key) {
            Some(group) => group.kept.push(item),
            None => self.0.push(CountedGroup { key, kept: vec![item], more: 0 }),
        }
    }

    /// Counts an item that is not kept; says whether one of its key is. Else nobody would read the number.
    pub fn count(&mut self, key: &K) -> bool {
        let group = self.0.iter_mut().find(|group| group.key == *key);
        group.map(|group| group.more += 1).is_some()
    }

    /// The groups, in the order in which their first items came.
    pub fn take(&mut self) -> Vec<CountedGroup<K, T>> {
        std::mem::take(&mut self.0)
    }
}

impl<K, T> CountedGroup<K, T> {
    /// How many items there are, kept or not.
    pub fn all(&self) -> u64 {
        self.kept.len() as u64 + self.more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_items_keep_their_order() {
        let found = by_key(["b1", "a1", "b2", "c1", "a2"], |text| text.as_bytes()[0]);
        assert_eq!(found, [(b'b', vec!["b1", "b2"]), (b'a', vec!["a1", "a2"]), (b'c', vec!["c1"])]);
        assert!(by_key(std::iter::empty::<u8>(), |n| *n).is_empty());
    }

    #[test]
    fn what_is_not_kept_is_counted_where_its_key_is() {
        let mut groups = CountedGroups::default();
        groups.keep('b', 1);
        groups.keep('a', 2);
        groups.keep('b', 3);
        assert!(groups.count(&'b') && groups.count(&'b') && !groups.count(&'c'));
        let told: Vec<_> = groups.take().into_iter().map(|it| (it.key, it.all(), it.more, it.kept)).collect();
        assert_eq!(told, [('b', 4, 2, vec![1, 3]), ('a', 1, 0, vec![2])]);
        assert!(groups.take().is_empty());
    }
}
