//! A policy as it is in force: its rules with everything worked out, and what decides about each operation or right.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::operations::{compressed, distance, leaves};
use super::{filters, seatbelt_diff};
use crate::policy::landlock::rights::{FsRight, NetRight, Right, Scope};
use crate::policy::landlock::{LandlockPolicy, PlacedRule, TSYNC};
use crate::policy::sbpl::SbplPolicy;
use crate::policy::sbpl::model::Model;
use crate::policy::sbpl::rules::{Gap, SbplRules};
use crate::record::outcome::Decision;
use crate::record::policy_review::{ShownAccess, ShownGap, ShownRule};
use crate::record::why::WhyDecision;

/// What is shown of a policy.
#[derive(Debug, Default)]
pub struct PolicyOverview {
    /// The policy's rules, in the order of the document.
    pub rules: Vec<ShownRule>,
    /// What is not known of it.
    pub gaps: Vec<ShownGap>,
    /// What decides about what.
    pub access: Vec<ShownAccess>,
}

/// What decides about an operation: the answer that no filter gives, its rule, and the filtered rules that are about it.
type DecidedOperation = (WhyDecision, Option<usize>, Vec<usize>);
/// What decides about a right: whether it is free, the list that handles it, and the rules that grant it.
type RestrictedRight = (bool, Option<String>, Vec<String>);

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
    let mut alike: BTreeMap<DecidedOperation, BTreeSet<&'static str>> = BTreeMap::new();
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

/// Shows a Landlock policy. Of several layers, each that restricts a right has an entry of its own: all of them have to allow.
pub fn landlock(policy: &LandlockPolicy) -> PolicyOverview {
    let shown = |at: String, operations: Vec<&'static str>, on: String| ShownRule {
        at,
        action: WhyDecision::Allow,
        operations: owned(operations),
        on: vec![on],
        modifiers: Vec::new(),
    };
    let of_paths = policy
        .path_rules()
        .map(|PlacedRule { pointer, rule, .. }| shown(pointer, rule.allow.names(), rule.path.clone()));
    let of_ports = policy
        .port_rules()
        .map(|PlacedRule { pointer, rule, .. }| shown(pointer, rule.allow.names(), format!("port {}", rule.port)));
    let mut alike: BTreeMap<RestrictedRight, Vec<String>> = BTreeMap::new();
    // Each restriction: the list that handles the right, and the rules that grant it.
    let mut put = |restrictions: Vec<(String, Vec<String>)>, name: &str| {
        if restrictions.is_empty() {
            alike.entry((true, None, Vec::new())).or_default().push(name.to_owned());
        }
        for (by, granted) in restrictions {
            alike.entry((false, Some(by), granted)).or_default().push(name.to_owned());
        }
    };
    let layers = || 0..policy.layers.len();
    let handled = |layer: usize, list: &str| format!("{}/handled/{list}", policy.layer_pointer(layer));
    for right in FsRight::ALL {
        let of_layer = |layer: usize| {
            let granting = policy.path_rules().filter(|one| one.layer == layer && one.rule.allow.contains(*right));
            (policy.refusal_pointer(layer), granting.map(|one| one.pointer).collect())
        };
        let restricting = layers().filter(|layer| policy.refuses_on_paths(*layer).contains(*right));
        put(restricting.map(of_layer).collect(), right.name());
    }
    for right in NetRight::ALL {
        let of_layer = |layer: usize| {
            let granting = policy.port_rules().filter(|one| one.layer == layer && one.rule.allow.contains(*right));
            (handled(layer, "net"), granting.map(|one| one.pointer).collect())
        };
        let restricting = layers().filter(|layer| policy.layers[*layer].handled_net.contains(*right));
        put(restricting.map(of_layer).collect(), right.name());
    }
    for scope in Scope::ALL {
        let restricting = layers().filter(|layer| policy.layers[*layer].scoped.contains(*scope));
        put(restricting.map(|layer| (handled(layer, "scope"), Vec::new())).collect(), scope.name());
    }
    if policy.tsync {
        put(vec![("/tsync".to_owned(), Vec::new())], TSYNC);
    }
    let access = alike.into_iter().map(|((free, by, allowed_by), operations)| ShownAccess {
        operations,
        otherwise: if free { WhyDecision::Allow } else { WhyDecision::Deny },
        by,
        allowed_by,
        denied_by: Vec::new(),
    });
    PolicyOverview { rules: of_paths.chain(of_ports).collect(), gaps: Vec::new(), access: access.collect() }
}

fn owned(names: Vec<&'static str>) -> Vec<String> {
    names.into_iter().map(str::to_owned).collect()
}
