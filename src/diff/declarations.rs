//! Two declarations, item by item, and the rule by which a difference is material.

use std::collections::HashSet;

use serde_json::Value;

use super::names;
use crate::base::canon;
use crate::base::digest::Digest;
use crate::base::json_out;
use crate::identity::immaterial::{ImmaterialItem, immaterial_items};
use crate::identity::{Difference, absences, differences};
use crate::record::identity::{Declaration, DeclarationPart, RUN_KIND, SYSTEM_DECLARATION_SCHEMA_V2};
use crate::record::run_diff::{DifferingItem, InnerDifferences, PartDiff, ShownValue, Unstated};

/// Items of a run's declaration that cannot affect a verdict, with everything below them. `SPEC.md` publishes the list;
/// every other item is material. Of another system's declaration every item is that it does not list itself.
pub const IMMATERIAL: [&str; 2] = ["/policy/lock", "/runtime/jobs"];

/// Longest value that a report repeats, in bytes of its JSON text.
const MAX_SHOWN_BYTES: usize = 1024;

/// Whether a difference at `pointer` of a run's declaration is material.
pub fn is_material(pointer: &str) -> bool {
    let below = |head: &str| pointer.strip_prefix(head).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    !IMMATERIAL.into_iter().any(below)
}

/// What both declarations of other systems say is immaterial. What one of them alone lists stays material: so does the list.
pub(super) fn immaterial_to_both(a: &Declaration, b: &Declaration) -> Vec<ImmaterialItem> {
    let of_b = immaterial_items(b);
    immaterial_items(a).into_iter().filter(|item| of_b.iter().any(|other| other.pointer == item.pointer)).collect()
}

/// What both state to be absent for the same reason. Nothing was compared there: the reason can be that there is no such
/// value, or that nobody knows it, and two systems that differ in what neither says would be called the same. Of a run
/// this program states everything itself, and an absent item is an observation like any other.
pub(super) fn stated_by_neither(a: &Declaration, b: &Declaration) -> Vec<Unstated> {
    if a.kind == RUN_KIND {
        return Vec::new();
    }
    let of_b: HashSet<(String, String)> = absences(b).into_iter().collect();
    let both = absences(a).into_iter().filter(|one| of_b.contains(one));
    both.map(|(pointer, reason)| Unstated { pointer, reason }).collect()
}

/// The four parts compared.
pub(super) fn compare(a: &Declaration, b: &Declaration) -> Vec<PartDiff> {
    DeclarationPart::ALL.into_iter().map(|part| compare_part(a, b, part)).collect()
}

fn compare_part(a: &Declaration, b: &Declaration, part: DeclarationPart) -> PartDiff {
    let [of_a, of_b] = [a, b].map(|one| Value::Object(one.part(part).clone()));
    compare_values([a, b], part, [&of_a, &of_b])
}

/// A part of both, of which these values are compared.
pub(super) fn compare_values([a, b]: [&Declaration; 2], part: DeclarationPart, values: [&Value; 2]) -> PartDiff {
    let (digest_a, digest_b) = (a.digests.of(part), b.digests.of(part));
    let items = if digest_a == digest_b { Vec::new() } else { items([a, b], part, values) };
    let materially_equal = !items.iter().any(|item| item.material);
    PartDiff { part, a: digest_a, b: digest_b, materially_equal, items }
}

fn items([one, other]: [&Declaration; 2], part: DeclarationPart, [a, b]: [&Value; 2]) -> Vec<DifferingItem> {
    let of_run = one.kind == RUN_KIND;
    let listed = immaterial_to_both(one, other);
    let is_material = |pointer: &str| {
        if of_run { is_material(pointer) } else { !listed.iter().any(|item| item.covers(pointer)) }
    };
    let mut found = differences(&format!("/{}", part.as_str()), a, b);
    if one.schema_version == SYSTEM_DECLARATION_SCHEMA_V2 && other.schema_version == SYSTEM_DECLARATION_SCHEMA_V2 {
        without_followed_digests(&mut found);
    }
    found
        .into_iter()
        .map(|difference| DifferingItem {
            name: names::of(&one.kind, &difference.pointer),
            a: difference.declared.map(shown),
            b: difference.found.map(shown),
            lines: Vec::new(),
            within: InnerDifferences::default(),
            material: is_material(&difference.pointer),
            pointer: difference.pointer,
            b_pointer: difference.found_at,
        })
        .collect()
}

/// Takes the digests of JSON files out whose members differ: that the bytes differ follows from it.
fn without_followed_digests(found: &mut Vec<Difference>) {
    let followed = |digest: &str| {
        let members = digest.strip_suffix("/json/digest").map(|file| format!("{file}/json/members"));
        members.is_some_and(|members| {
            found.iter().any(|one| {
                one.pointer.strip_prefix(&members).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        })
    };
    let gone: HashSet<String> =
        found.iter().map(|one| one.pointer.clone()).filter(|pointer| followed(pointer)).collect();
    found.retain(|one| !gone.contains(&one.pointer));
}

fn shown(value: Value) -> ShownValue {
    let mut text = Vec::new();
    // Both only go to memory, and a declaration that was read has a canonical form.
    let short = json_out::append_compact(&mut text, &value).is_ok() && text.len() <= MAX_SHOWN_BYTES;
    if short {
        ShownValue::Value(value)
    } else {
        ShownValue::Digest(canon::digest(&value).unwrap_or_else(|_| Digest::of(&text)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;
    use crate::identity::seal::{DeclarationParts, seal};

    fn object(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    fn sealed(parts: &[Map<String, Value>; 4]) -> Declaration {
        let [artifact, runtime, policy, history] = parts.clone();
        seal("test.v1", RUN_KIND, DeclarationParts { artifact, runtime, policy, history }).unwrap()
    }

    /// Every leaf's pointer.
    fn leaves(at: &str, value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) if !members.is_empty() => {
                for (name, member) in members {
                    leaves(&format!("{at}/{}", canon::pointer_part(name)), member, found);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for (n, item) in items.iter().enumerate() {
                    leaves(&format!("{at}/{n}"), item, found);
                }
            }
            _ => found.push(at.to_owned()),
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-1000..1000_i64).prop_map(Value::from),
            "[a-c/~]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c/~]{0,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn part() -> impl Strategy<Value = Map<String, Value>> {
        prop::collection::btree_map("[a-d]{1,2}", value(), 1..5).prop_map(|map| map.into_iter().collect())
    }

    proptest! {
        #[test]
        fn a_declaration_does_not_differ_from_itself(parts in [part(), part(), part(), part()]) {
            let one = sealed(&parts);
            for part in compare(&one, &one) {
                prop_assert!(part.materially_equal && part.items.is_empty() && part.a == part.b);
            }
        }

        #[test]
        fn both_ways_are_mirrors(a in [part(), part(), part(), part()], b in [part(), part(), part(), part()]) {
            let (a, b) = (sealed(&a), sealed(&b));
            let (there, mut back) = (compare(&a, &b), compare(&b, &a));
            for part in &mut back {
                std::mem::swap(&mut part.a, &mut part.b);
                for item in &mut part.items {
                    std::mem::swap(&mut item.a, &mut item.b);
                    if let Some(there) = &mut item.b_pointer {
                        std::mem::swap(&mut item.pointer, there);
                        item.name = names::of(RUN_KIND, &item.pointer);
                    }
                }
            }
            prop_assert_eq!(there, back);
        }

        #[test]
        fn one_changed_leaf_is_exactly_that_pointer(
            parts in [part(), part(), part(), part()],
            which in any::<prop::sample::Index>(),
        ) {
            let before = sealed(&parts);
            let [artifact, runtime, policy, history] = parts;
            let mut whole =
                json!({"artifact": artifact, "runtime": runtime, "policy": policy, "history": history});
            let mut all = Vec::new();
            leaves("", &whole, &mut all);
            let pointer = all[which.index(all.len())].clone();
            // A text that no generated value is.
            *whole.pointer_mut(&pointer).unwrap() = json!("changed");
            let changed = DeclarationPart::ALL.map(|part| object(whole[part.as_str()].clone()));
            let found: Vec<String> = compare(&before, &sealed(&changed))
                .into_iter()
                .flat_map(|part| part.items)
                .map(|item| item.pointer)
                .collect();
            prop_assert_eq!(found, vec![pointer]);
        }
    }

    #[test]
    fn only_the_listed_items_are_immaterial() {
        assert!(!is_material("/runtime/jobs"));
        assert!(!is_material("/policy/lock/mode"));
        assert!(is_material("/runtime/jobs_of_old"));
        assert!(is_material("/runtime/host/landlock_abi"));
    }

    #[test]
    fn long_values_are_shown_by_their_digest() {
        let long = json!("x".repeat(2000));
        assert_eq!(shown(long.clone()), ShownValue::Digest(canon::digest(&long).unwrap()));
        assert_eq!(shown(json!(1)), ShownValue::Value(json!(1)));
    }

    #[test]
    fn only_what_both_state_alike_is_stated_by_neither() {
        let with = |value: Value| {
            let [artifact, runtime, policy, history] =
                [json!({"x": value}), json!({}), json!({}), json!({})].map(object);
            seal("test.v1", "system", DeclarationParts { artifact, runtime, policy, history }).unwrap()
        };
        let [absent, other, known] =
            [json!({"absent": "unknown"}), json!({"absent": "there is none"}), json!("1")].map(with);
        let unstated = |a: &Declaration, b: &Declaration| stated_by_neither(a, b).len();
        assert_eq!(unstated(&absent, &absent.clone()), 1);
        assert_eq!([unstated(&absent, &other), unstated(&absent, &known), unstated(&known, &absent)], [0, 0, 0]);
    }
}
