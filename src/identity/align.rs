//! Which elements of two lists stand for each other.
//!
//! Equal elements do, as many as can without crossing (a longest common subsequence); what lies between them stands for
//! each other in order, and what is left over on one side stands alone. Either list may be taken first: the answer is the
//! same.

use std::collections::HashMap;

use serde_json::Value;

/// Most pairs of elements that are weighed against each other. Past it, only elements that each list has once hold the
/// others in place.
const MAX_CELLS: usize = 4_000_000;

/// The places of the elements that stand for each other, in order; one of both for what stands alone.
pub(super) fn pairs(a: &[Value], b: &[Value]) -> Vec<(Option<usize>, Option<usize>)> {
    let (ids_a, ids_b) = ids(a, b);
    let text = |list: &[Value]| list.iter().map(Value::to_string).collect::<Vec<_>>();
    let equal = equal(&ids_a, &ids_b, || text(a) > text(b));
    let mut all = Vec::with_capacity(a.len().max(b.len()));
    let (mut n, mut m) = (0, 0);
    for (next_n, next_m) in equal.into_iter().chain([(a.len(), b.len())]) {
        let (alone_a, alone_b) = (next_n - n, next_m - m);
        for step in 0..alone_a.max(alone_b) {
            all.push(((step < alone_a).then_some(n + step), (step < alone_b).then_some(m + step)));
        }
        if next_n < a.len() && next_m < b.len() {
            all.push((Some(next_n), Some(next_m)));
        }
        (n, m) = (next_n + 1, next_m + 1);
    }
    all
}

/// A number for each element, the same for equal ones.
fn ids(a: &[Value], b: &[Value]) -> (Vec<usize>, Vec<usize>) {
    let mut known: HashMap<&Value, usize> = HashMap::new();
    let mut number = |value| {
        let next = known.len();
        *known.entry(value).or_insert(next)
    };
    let ids_a = a.iter().map(&mut number).collect();
    (ids_a, b.iter().map(&mut number).collect())
}

/// The places of equal elements that stand for each other. `swapped` says which list comes first where several answers
/// are equally long, so that it does not matter which one is called `a`.
fn equal(a: &[usize], b: &[usize], swapped: impl FnOnce() -> bool) -> Vec<(usize, usize)> {
    let head = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let tail = a[head..].iter().rev().zip(b[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (middle_a, middle_b) = (&a[head..a.len() - tail], &b[head..b.len() - tail]);
    let mut all: Vec<(usize, usize)> = (0..head).map(|n| (n, n)).collect();
    if !middle_a.is_empty() && !middle_b.is_empty() {
        let few = middle_a.len().saturating_mul(middle_b.len()) <= MAX_CELLS;
        let longest = if few { common } else { unique };
        let middle: Vec<(usize, usize)> = if swapped() {
            longest(middle_b, middle_a).into_iter().map(|(m, n)| (n, m)).collect()
        } else {
            longest(middle_a, middle_b)
        };
        all.extend(middle.into_iter().map(|(n, m)| (head + n, head + m)));
    }
    all.extend((0..tail).map(|n| (a.len() - tail + n, b.len() - tail + n)));
    all
}

/// A longest common subsequence.
fn common(a: &[usize], b: &[usize]) -> Vec<(usize, usize)> {
    let width = b.len() + 1;
    // How many can be matched from here to the ends.
    let mut best = vec![0_u32; (a.len() + 1) * width];
    for n in (0..a.len()).rev() {
        for m in (0..b.len()).rev() {
            best[n * width + m] = if a[n] == b[m] {
                best[(n + 1) * width + m + 1] + 1
            } else {
                best[(n + 1) * width + m].max(best[n * width + m + 1])
            };
        }
    }
    let (mut n, mut m, mut all) = (0, 0, Vec::new());
    while n < a.len() && m < b.len() {
        if a[n] == b[m] {
            all.push((n, m));
            (n, m) = (n + 1, m + 1);
        } else if best[(n + 1) * width + m] >= best[n * width + m + 1] {
            n += 1;
        } else {
            m += 1;
        }
    }
    all
}

/// The longest sequence of elements that both lists have exactly once, in the order of both.
fn unique(a: &[usize], b: &[usize]) -> Vec<(usize, usize)> {
    let once = |list: &[usize]| {
        let mut places: HashMap<usize, Option<usize>> = HashMap::new();
        for (place, id) in list.iter().enumerate() {
            places.entry(*id).and_modify(|known| *known = None).or_insert(Some(place));
        }
        places
    };
    let (in_a, in_b) = (once(a), once(b));
    let both = a.iter().enumerate().filter(|(_, id)| in_a[*id].is_some());
    let both: Vec<(usize, usize)> = both.filter_map(|(n, id)| Some((n, (*in_b.get(id)?)?))).collect();
    // The longest rising sequence of places in `b`: `ends[k]` is the pair that ends the best one of k + 1 pairs.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(both.len());
    for (at, (_, place)) in both.iter().enumerate() {
        let length = ends.partition_point(|end| both[*end].1 < *place);
        before.push(length.checked_sub(1).map(|last| ends[last]));
        if length == ends.len() {
            ends.push(at);
        } else {
            ends[length] = at;
        }
    }
    let mut all = Vec::new();
    let mut next = ends.last().copied();
    while let Some(at) = next {
        all.push(both[at]);
        next = before[at];
    }
    all.reverse();
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// The length of a longest common subsequence, by trying.
    fn longest(a: &[usize], b: &[usize]) -> usize {
        match (a, b) {
            ([first_a, rest_a @ ..], [first_b, rest_b @ ..]) if first_a == first_b => 1 + longest(rest_a, rest_b),
            ([_, rest_a @ ..], [_, rest_b @ ..]) => longest(rest_a, b).max(longest(a, rest_b)),
            _ => 0,
        }
    }

    proptest! {
        #[test]
        fn every_element_stands_once_and_no_equal_pair_is_missed(
            a in prop::collection::vec(0_usize..4, 0..7),
            b in prop::collection::vec(0_usize..4, 0..7),
        ) {
            let values = |list: &[usize]| list.iter().map(|n| json!(n)).collect::<Vec<_>>();
            let all = pairs(&values(&a), &values(&b));
            prop_assert_eq!(all.iter().filter_map(|one| one.0).collect::<Vec<_>>(), (0..a.len()).collect::<Vec<_>>());
            prop_assert_eq!(all.iter().filter_map(|one| one.1).collect::<Vec<_>>(), (0..b.len()).collect::<Vec<_>>());
            let same = all.iter().filter(|one| matches!(one, (Some(n), Some(m)) if a[*n] == b[*m])).count();
            prop_assert_eq!(same, longest(&a, &b));
            let mirrored: Vec<_> = pairs(&values(&b), &values(&a)).into_iter().map(|(m, n)| (n, m)).collect();
            prop_assert_eq!(all, mirrored);
        }

        #[test]
        fn elements_that_are_there_once_keep_their_order(
            a in prop::collection::hash_set(0_usize..12, 0..9),
            b in prop::collection::hash_set(0_usize..12, 0..9),
        ) {
            let (a, b): (Vec<usize>, Vec<usize>) = (a.into_iter().collect(), b.into_iter().collect());
            let found = unique(&a, &b);
            prop_assert_eq!(found.len(), longest(&a, &b));
            prop_assert!(found.iter().all(|(n, m)| a[*n] == b[*m]));
            prop_assert!(found.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1));
        }
    }

    #[test]
    fn of_answers_that_are_equally_long_the_list_that_is_lower_as_text_decides() {
        let (lower, higher) = ([json!("x"), json!("y")], [json!("y"), json!("x")]);
        assert_eq!(pairs(&lower, &higher), [(Some(0), None), (Some(1), Some(0)), (None, Some(1))]);
        assert_eq!(pairs(&higher, &lower), [(None, Some(0)), (Some(0), Some(1)), (Some(1), None)]);
    }

    #[test]
    fn long_lists_take_no_square_of_their_length() {
        // The square of it would be a table of ten gigabytes.
        let a: Vec<Value> = (0..50_000).map(|n| json!(n)).collect();
        let mut b = a.clone();
        b.insert(7, json!("new"));
        b.remove(49_000);
        let alone = pairs(&a, &b).into_iter().filter(|(n, m)| n.is_none() || m.is_none()).count();
        assert_eq!(alone, 2);
    }
}
