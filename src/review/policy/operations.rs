//! Seatbelt's operations as a tree: what a rule on a name covers, and how a list of them is said shortly.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use crate::policy::operations::{FURTHER_GROUPS, OPERATIONS, covers, levels, meaning};

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

/// The levels of the model, by operation.
static LEVELS: LazyLock<HashMap<&'static str, Vec<&'static str>>> =
    LazyLock::new(|| OPERATIONS.into_iter().chain(FURTHER_GROUPS).map(|name| (name, levels(name))).collect());

/// How far `name`, as a rule spells it, stands from `operation` in the order in which the model asks: 0 for the operation
/// itself, then its groups from the narrowest on, `default` last. `None` if it does not cover the operation, or if what it
/// means is not known.
pub fn distance(name: &str, operation: &str) -> Option<usize> {
    let name = meaning(name)?;
    let levels = LEVELS.get(operation)?;
    let at = levels.iter().position(|level| *level == name)?;
    Some(if name == "default" && operation != "default" { usize::MAX } else { at })
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
        let at = |name| distance(name, "ipc-posix-shm-read-data").unwrap();
        assert!(at("ipc-posix-shm-read-data") < at("ipc-posix-shm-read*"));
        assert!(at("ipc-posix-shm-read*") < at("ipc-posix-shm"));
        assert_eq!(distance("default", "default"), Some(0));
    }

    #[test]
    fn a_name_of_unknown_meaning_stands_nowhere() {
        for name in ["process-codesigning*", "process-codesigning-status*", "mach-per-user-lookup", "file-frobnicate*"]
        {
            assert!(leaves().all(|leaf| distance(name, leaf).is_none()), "{name}");
        }
    }

    #[test]
    fn a_rule_stands_as_near_as_the_model_asks_it() {
        for leaf in leaves() {
            for (at, level) in levels(leaf).into_iter().enumerate() {
                let expected = if level == "default" { usize::MAX } else { at };
                assert_eq!(distance(level, leaf), Some(expected), "{level} of {leaf}");
            }
        }
    }
}
