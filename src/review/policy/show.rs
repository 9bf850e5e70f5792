//! A policy as it is in force: its rules with everything worked out, and what decides about each operation or right.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::operations::{compressed, distance, leaves};
use super::{filters, landlock_access, seatbelt_diff};
use crate::policy::landlock::LandlockPolicy;
use crate::policy::landlock::rights::{FsRight, NetRight, Right, Scope};
use crate::policy::sbpl::SbplPolicy;
use crate::policy::sbpl::model::Model;
use crate::policy::sbpl::rules::{Gap, SbplRules};
use crate::record::outcome::Decision;
use crate::record::policy_review::{ShownAccess, ShownGap, ShownRule};
use crate::record::why::WhyDecision;

/// What is shown of a policy.
#[derive(Debug, Default)]
pub struct PolicyOverview {
    /// Its rules, in their order in the document.
    pub rules: Vec<ShownRule>,
    /// What is not known of it.
    pub gaps: Vec<ShownGap>,
    /// What decides about what.
    pub access: Vec<ShownAccess>,
}

/// What decides about an operation: the answer that no filter gives, its rule, and the filtered rules that are about it.
type Decided = (WhyDecision, Option<usize>, Vec<usize>);
/// What decides about a right: whether it is free, the list that handles it, and the rules that grant it.
type Restricted = (bool, Option<&'static str>, Vec<String>);

/// Shows a Seatbelt profile.
pub fn seatbelt(policy: &SbplPolicy) -> PolicyOverview {
    let rules = policy.rules();
    let shown = rules.rules.iter().map(|rule| ShownRule {
        at: rule.place.to_string(),
        action: WhyDecision::of(Some(rule.action)),
        operations: rule.operations.clone(),
        on: rule.filters.iter().map(filters::text).collect(),
        modifiers: rule.modifiers.clone(),
    });
    let gaps = rules.gaps.iter().map(|gap| ShownGap { at: gap.place.to_string(), text: gap.text.clone() });
    // Rules under a condition may be there or not.
    let conditional = rules.conditions.iter().enumerate().map(|(n, condition)| {
        let about = rules.rules.iter().filter(|rule| rule.conditions.iter().any(|one| one.condition as usize == n));
        let at: Vec<String> = about.map(|rule| rule.place.to_string()).collect();
        let text = format!("{} (decides whether the rules at {} are there)", condition.text, at.join(", "));
        ShownGap { at: condition.place.to_string(), text }
    });
    let gaps = gaps.chain(conditional);
    // What the rules without filter say: no filter of the others is tried, however many there are.
    let unfiltered = without_filters(rules);
    let model = Model::new(&unfiltered.rules);
    let mut covered: HashMap<&str, Vec<&'static str>> = HashMap::new();
    let mut filtered: BTreeMap<&'static str, Vec<usize>> = BTreeMap::new();
    for (index, rule) in rules.rules.iter().enumerate() {
        if rule.filters.is_empty() || rule.in_message_filter {
            continue;
        }
        let mut about: BTreeSet<&'static str> = BTreeSet::new();
        for name in &rule.operations {
            let of_name =
                covered.entry(name).or_insert_with(|| leaves().filter(|leaf| distance(name, leaf).is_some()).collect());
            about.extend(of_name.iter());
        }
        about.into_iter().for_each(|leaf| filtered.entry(leaf).or_default().push(index));
    }
    let mut alike: BTreeMap<Decided, BTreeSet<&'static str>> = BTreeMap::new();
    for leaf in leaves() {
        let (decision, by) = seatbelt_diff::otherwise(&model, leaf);
        let by = by.map(|index| unfiltered.places[index]);
        let filtered = filtered.remove(leaf).unwrap_or_default();
        alike.entry((WhyDecision::of(decision), by, filtered)).or_default().insert(leaf);
    }
    let at = |index: usize| rules.rules[index].place.to_string();
    let mut access: Vec<ShownAccess> = alike
        .into_iter()
        .map(|((otherwise, by, filtered), operations)| {
            let of = |action: Decision| {
                filtered.iter().copied().filter(|index| rules.rules[*index].action == action).map(at).collect()
            };
            ShownAccess {
                operations: compressed(&operations),
                otherwise,
                by: by.map(at),
                allowed_by: of(Decision::Allow),
                denied_by: of(Decision::Deny),
            }
        })
        .collect();
    // What rules say something of comes first, the large rest last.
    access.sort_by_key(|one| {
        (one.allowed_by.is_empty() && one.denied_by.is_empty(), one.operations.len(), one.operations.clone())
    });
    PolicyOverview { rules: shown.collect(), gaps: gaps.collect(), access }
}

/// The rules of a profile that have no filter.
struct Unfiltered {
    rules: SbplRules,
    /// Where each of them stands among all.
    places: Vec<usize>,
}

fn without_filters(rules: &SbplRules) -> Unfiltered {
    let kept = || rules.rules.iter().enumerate().filter(|(_, rule)| rule.filters.is_empty());
    let places: Vec<usize> = kept().map(|(index, _)| index).collect();
    let gaps = rules.gaps.iter().map(|gap| {
        let before = places.partition_point(|index| *index < gap.before);
        Gap { before, ..gap.clone() }
    });
    let rules = SbplRules {
        rules: kept().map(|(_, rule)| rule.clone()).collect(),
        gaps: gaps.collect(),
        version: rules.version,
        conditions: rules.conditions.clone(),
        escapes: Vec::new(),
        unbound: rules.unbound.clone(),
    };
    Unfiltered { rules, places }
}

/// Shows a Landlock policy.
pub fn landlock(policy: &LandlockPolicy) -> PolicyOverview {
    let allow = WhyDecision::Allow;
    let of_paths = policy.path_beneath.iter().enumerate().map(|(n, rule)| ShownRule {
        at: format!("/path_beneath/{n}"),
        action: allow,
        operations: owned(rule.allow.names()),
        on: vec![rule.path.clone()],
        modifiers: Vec::new(),
    });
    let of_ports = policy.net_port.iter().enumerate().map(|(n, rule)| ShownRule {
        at: format!("/net_port/{n}"),
        action: allow,
        operations: owned(rule.allow.names()),
        on: vec![format!("port {}", rule.port)],
        modifiers: Vec::new(),
    });
    let mut alike: BTreeMap<Restricted, Vec<String>> = BTreeMap::new();
    let mut put = |restricted: bool, by: &'static str, granted: Vec<String>, name: &str| {
        alike.entry((!restricted, restricted.then_some(by), granted)).or_default().push(name.to_owned());
    };
    for right in FsRight::ALL {
        let granting = policy.path_beneath.iter().enumerate().filter(|(_, rule)| rule.allow.contains(*right));
        let granting = granting.map(|(n, _)| format!("/path_beneath/{n}")).collect();
        put(landlock_access::restricts(policy, *right), "/handled/fs", granting, right.name());
    }
    for right in NetRight::ALL {
        let granting = policy.net_port.iter().enumerate().filter(|(_, rule)| rule.allow.contains(*right));
        let granting = granting.map(|(n, _)| format!("/net_port/{n}")).collect();
        put(policy.handled_net.contains(*right), "/handled/net", granting, right.name());
    }
    for scope in Scope::ALL {
        put(policy.scoped.contains(*scope), "/handled/scope", Vec::new(), scope.name());
    }
    let access = alike.into_iter().map(|((free, by, allowed_by), operations)| ShownAccess {
        operations,
        otherwise: if free { WhyDecision::Allow } else { WhyDecision::Deny },
        by: by.map(str::to_owned),
        allowed_by,
        denied_by: Vec::new(),
    });
    PolicyOverview { rules: of_paths.chain(of_ports).collect(), gaps: Vec::new(), access: access.collect() }
}

fn owned(names: Vec<&'static str>) -> Vec<String> {
    names.into_iter().map(str::to_owned).collect()
}
