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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_items_keep_their_order() {
        let found = by_key(["b1", "a1", "b2", "c1", "a2"], |text| text.as_bytes()[0]);
        assert_eq!(found, [(b'b', vec!["b1", "b2"]), (b'a', vec!["a1", "a2"]), (b'c', vec!["c1"])]);
        assert!(by_key(std::iter::empty::<u8>(), |n| *n).is_empty());
    }
}
