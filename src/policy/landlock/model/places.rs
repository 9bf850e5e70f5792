//! Where a policy's path rules lead, as far as the policy and the declared fixtures tell.

use super::super::table::LandlockPolicy;
use super::tree::{BETWEEN, ModelTree, ObjectKind, PathEnd, SLASH};
use crate::record::fixture::FixtureEntry;

/// Where a rule's path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RulePlace {
    /// To something below `${root}`, or to nothing that the fixtures make.
    Own,
    /// To `/`.
    Slash,
    /// To this path of the host, links of the host not followed.
    Host(String),
    /// To somewhere that only a process with that root and working folder knows.
    Unknown,
}

/// The place of each rule of every layer, in the order of the document, for a process that finds `fixtures` under `${root}`.
pub fn rule_places(policy: &LandlockPolicy, fixtures: &[FixtureEntry]) -> Vec<RulePlace> {
    // Fixtures that cannot be laid out are not made either; what the rules say of the host stands all the same.
    let mut tree = ModelTree::build(fixtures, &[])
        .or_else(|_| ModelTree::build(&[], &[]))
        .expect("no fixtures can always be laid");
    let mut place = |path: &str| {
        // A folder with a name of the row's own is made for it alone; nothing else lies below it.
        if path.contains("${name.") {
            return RulePlace::Own;
        }
        match tree.resolve(path, true) {
            Ok(PathEnd { place: Some(place), .. }) if place.name == SLASH => RulePlace::Slash,
            Ok(PathEnd { place: Some(place), .. }) if place.name == BETWEEN => RulePlace::Unknown,
            Ok(PathEnd { place: Some(place), .. }) if *tree.kind(place.name) == ObjectKind::Host => {
                RulePlace::Host(tree.path(place.name))
            }
            Ok(_) => RulePlace::Own,
            Err(lost) if lost.is_missing() => RulePlace::Own,
            Err(_) => RulePlace::Unknown,
        }
    };
    policy.path_rules().map(|placed| place(&placed.rule.path)).collect()
}
