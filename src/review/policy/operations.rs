//! Seatbelt's operations as a tree: what a rule on a name covers, and how a list of them is said shortly.

use std::collections::BTreeSet;

use crate::policy::operations::{OPERATIONS, canonical, covers};

/// Whether something can be asked for this name itself: every operation that is no group, and `process-exec*`, which is
/// both.
fn is_leaf(name: &str) -> bool {
    name != "default" && (!name.ends_with('*') || name == "process-exec*")
}

/// Every operation that can be asked for.
pub fn leaves() -> impl Iterator<Item = &'static str> {
    OPERATIONS.into_iter().filter(|name| is_leaf(name))
}

/// The operations that a rule on `name` covers.
pub fn leaves_of(name: &str) -> impl Iterator<Item = &'static str> {
    leaves().filter(move |leaf| covers(name, leaf))
}

/// How far `name`, as a rule spells it, stands from `operation`: 0 for the operation itself, then its groups from the
/// narrowest on, `default` last. `None` if it does not cover the operation.
pub fn distance(name: &str, operation: &str) -> Option<usize> {
    if !covers(name, operation) {
        return None;
    }
    let name = canonical(name).unwrap_or(name);
    if name == operation {
        return Some(0);
    }
    if name == "default" {
        return Some(usize::MAX);
    }
    // A longer stem is a narrower group, and a stem is never longer than the operation that it covers.
    Some(1 + operation.len().saturating_sub(name.len().saturating_sub(1)))
}

/// The same operations with a group in the place of its members wherever all of them are there.
pub fn compressed(operations: &BTreeSet<&'static str>) -> Vec<String> {
    if operations.len() > 1 && leaves().all(|leaf| operations.contains(leaf)) {
        return vec!["default".to_owned()];
    }
    let mut rest: BTreeSet<&str> = operations.clone();
    let mut out: BTreeSet<&str> = BTreeSet::new();
    // Wide groups first: a group that stands for its members leaves nothing for the narrower ones within.
    let mut groups: Vec<&'static str> = OPERATIONS.into_iter().filter(|name| name.ends_with('*')).collect();
    groups.sort_by_key(|name| name.len());
    for group in groups {
        let members: Vec<&str> = leaves_of(group).collect();
        if members.len() > 1 && members.iter().all(|member| rest.contains(member)) {
            rest.retain(|name| !members.contains(name));
            out.insert(group);
        }
    }
    out.extend(rest);
    out.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_groups_stand_for_their_members() {
        let set: BTreeSet<&str> = leaves_of("file-read*").chain(["signal"]).collect();
        assert_eq!(compressed(&set), ["file-read*", "signal"]);
        assert_eq!(compressed(&leaves().collect()), ["default"]);
        let one: BTreeSet<&str> = ["process-exec*"].into();
        assert_eq!(compressed(&one), ["process-exec*"]);
        assert_eq!(compressed(&["file-read-data"].into()), ["file-read-data"]);
        let exec: BTreeSet<&str> = leaves_of("process-exec*").collect();
        assert_eq!(compressed(&exec), ["process-exec*"]);
    }

    #[test]
    fn narrow_groups_stand_nearer() {
        let at = |name| distance(name, "file-read-data").unwrap();
        assert_eq!(at("file-read-data"), 0);
        assert!(at("file-read-data") < at("file-read*"));
        assert!(at("file-read*") < at("file*"));
        assert!(at("file*") < at("default"));
        assert_eq!(distance("file-write*", "file-read-data"), None);
        assert_eq!(distance("process-exec", "process-exec*"), Some(0));
    }
}
