//! The mutants of a Seatbelt profile, and what the model says of them. Only the profile's own rules are changed, not those of
//! what it imports.

use std::collections::BTreeSet;

use super::mutant::{Mutant, PolicyChange};
use crate::policy::operations::levels;
use crate::policy::sbpl::SbplPolicy;
use crate::policy::sbpl::model::{Model, SbplQuestion, question as action_question};
use crate::policy::sbpl::rules::{Filter, NetworkAddress, PathFilter, Pattern, Rule, SbplRules};
use crate::record::action::Action;
use crate::record::driver::Driver;
use crate::record::fixture::{FixtureEntry, FixtureKind};
use crate::record::mutation::{MutationEffect as Effect, Operator, ProbeToAdd};
use crate::record::outcome::Decision;
use crate::review::policy::seatbelt_diff::{is_hard, is_target_of, question};
use crate::review::policy::witness::{self, NOBODY, Witness};
use crate::review::policy::{filters, operations};

/// The operation of whoever looks a service up.
const MACH_LOOKUP: &str = "mach-lookup";

/// Every mutant of a profile, in the order of its text. Their effect is a guess until [`Comparison`] has looked.
pub(super) fn mutants(policy: &SbplPolicy) -> Vec<Mutant<SbplRules>> {
    let rules = policy.rules();
    let mut found = Vec::new();
    let own = |rule: &&Rule| rule.place.file.is_none() && !rule.in_message_filter;
    for (n, rule) in rules.rules.iter().enumerate().filter(|(_, rule)| own(rule)) {
        let mut put = |operator: Operator, words: String, policy: Option<SbplRules>| {
            let change = PolicyChange {
                at: rule.place.to_string(),
                says: text_of(rule),
                operator,
                words,
                effect: guessed(rule.action, operator),
            };
            found.push(Mutant { change, policy });
        };
        let with = |change: &dyn Fn(&mut Rule)| {
            let mut changed = rules.clone();
            change(&mut changed.rules[n]);
            Some(changed)
        };
        let dropped = without(rules, n);
        // What the system does without a rule on `default`, nobody has verified: no model answers for that.
        let answered = dropped.default_rule().is_some() || rules.default_rule().is_none();
        put(Operator::DroppedRule, "the rule dropped".into(), answered.then_some(dropped));
        let other = match rule.action {
            Decision::Allow => Decision::Deny,
            Decision::Deny => Decision::Allow,
        };
        let words = format!("`{}` instead of `{}`", other.as_str(), rule.action.as_str());
        put(Operator::Flipped, words, with(&|rule| rule.action = other));
        for (k, operation) in rule.operations.iter().enumerate() {
            if rule.operations.len() > 1 {
                let changed = with(&|rule| drop(rule.operations.remove(k)));
                put(Operator::DroppedRight, format!("`{operation}` dropped"), changed);
            }
            if let Some(group) = group_of(operation) {
                let changed = with(&|rule| rule.operations[k] = group.to_owned());
                put(Operator::AddedRight, format!("`{group}` instead of `{operation}`"), changed);
            }
        }
        for (k, filter) in rule.filters.iter().enumerate() {
            if rule.filters.len() > 1 {
                let changed = with(&|rule| drop(rule.filters.remove(k)));
                put(Operator::NarrowedTarget, format!("without `{}`", filters::text(filter)), changed);
            }
            for (operator, other) in variants(filter) {
                let words = format!("`{}` instead of `{}`", filters::text(&other), filters::text(filter));
                put(operator, words, with(&|rule| rule.filters[k] = other.clone()));
            }
        }
        if !rule.filters.is_empty() {
            put(Operator::WidenedTarget, "without its filters".into(), with(&|rule| rule.filters.clear()));
        }
    }
    found
}

/// The rules without one of them; what stands between rules stays where it is.
fn without(rules: &SbplRules, n: usize) -> SbplRules {
    let mut changed = rules.clone();
    changed.rules.remove(n);
    for gap in changed.gaps.iter_mut().filter(|gap| gap.before > n) {
        gap.before -= 1;
    }
    changed
}

/// A rule as a profile would spell it.
fn text_of(rule: &Rule) -> String {
    let filters: String = rule.filters.iter().map(|filter| format!(" {}", filters::text(filter))).collect();
    format!("({} {}{filters})", rule.action.as_str(), rule.operations.join(" "))
}

/// What a change does most likely.
fn guessed(action: Decision, operator: Operator) -> Effect {
    let covers_more = matches!(operator, Operator::AddedRight | Operator::WidenedTarget);
    match (action, operator) {
        (Decision::Deny, Operator::Flipped) => Effect::Weakened,
        (Decision::Allow, Operator::Flipped) => Effect::Narrowed,
        (Decision::Allow, _) if covers_more => Effect::Weakened,
        (Decision::Deny, _) if !covers_more => Effect::Weakened,
        _ => Effect::Narrowed,
    }
}

/// The nearest group that covers an operation, but `default`, which is no group of a kind.
fn group_of(operation: &str) -> Option<&'static str> {
    let known = operations::leaves().find(|leaf| *leaf == operation)?;
    levels(known).into_iter().skip(1).find(|level| *level != "default")
}

/// Filters that match more, or less, than one.
fn variants(filter: &Filter) -> Vec<(Operator, Filter)> {
    use Operator::{NarrowedTarget, OtherPort, WidenedTarget};
    let above = |path: &str| {
        let (above, _) = path.trim_end_matches('/').rsplit_once('/')?;
        (!above.is_empty()).then(|| above.to_owned())
    };
    match filter {
        Filter::Path(PathFilter::Literal(path)) => {
            above(path).map(|above| (WidenedTarget, Filter::Path(PathFilter::Subpath(above)))).into_iter().collect()
        }
        Filter::Path(PathFilter::Subpath(path)) => {
            let mut found = vec![(NarrowedTarget, Filter::Path(PathFilter::Literal(path.clone())))];
            found.extend(above(path).map(|above| (WidenedTarget, Filter::Path(PathFilter::Subpath(above)))));
            found
        }
        Filter::Name { filter, pattern: Pattern::Literal(name) } => {
            let begin = name.rsplit_once('.').map_or("", |(begin, _)| begin);
            if begin.is_empty() {
                return Vec::new();
            }
            vec![(WidenedTarget, Filter::Name { filter: filter.clone(), pattern: Pattern::Prefix(begin.to_owned()) })]
        }
        Filter::Name { filter, pattern: Pattern::Prefix(begin) } => {
            vec![(NarrowedTarget, Filter::Name { filter: filter.clone(), pattern: Pattern::Literal(begin.clone()) })]
        }
        Filter::Network { end, protocol, address: NetworkAddress::Text { host, port } } => {
            let with = |host: &str, port: &str| Filter::Network {
                end: *end,
                protocol: protocol.clone(),
                address: NetworkAddress::Text { host: host.to_owned(), port: port.to_owned() },
            };
            let mut found = Vec::new();
            if host != "*" {
                found.push((WidenedTarget, with("*", port)));
            }
            if port != "*" {
                found.push((WidenedTarget, with(host, "*")));
                found.push((OtherPort, with(host, "9")));
            }
            found
        }
        Filter::All(parts) if parts.len() > 1 => {
            parts.iter().enumerate().map(|(n, _)| (WidenedTarget, Filter::All(all_but(parts, n)))).collect()
        }
        Filter::Any(parts) if parts.len() > 1 => {
            parts.iter().enumerate().map(|(n, _)| (NarrowedTarget, Filter::Any(all_but(parts, n)))).collect()
        }
        _ => Vec::new(),
    }
}

fn all_but(parts: &[Filter], n: usize) -> Vec<Filter> {
    parts.iter().enumerate().filter(|(k, _)| *k != n).map(|(_, part)| part.clone()).collect()
}

/// What the model says of a profile and of a mutant of it.
#[derive(Debug, PartialEq)]
pub(super) enum Comparison {
    /// No target that the rules suggest is answered otherwise, and they stand for all that the rules match.
    Same,
    /// Something is answered otherwise; and what a probe of it would be.
    Differs(Effect, Box<ProbeToAdd>),
    /// The same of those that were asked; there may be others.
    Unknown,
}

/// Asks both about all that the changed rule is about.
pub(super) fn compare(policy: &SbplPolicy, at: &str, changed: &SbplRules) -> Comparison {
    let rules = policy.rules();
    let of_rule = |rules: &SbplRules| -> BTreeSet<&'static str> {
        let those = rules.rules.iter().filter(|rule| rule.place.to_string() == at);
        those
            .flat_map(|rule| rule.operations.clone())
            .flat_map(|name| operations::leaves_of(&name).collect::<Vec<_>>())
            .collect()
    };
    let leaves: BTreeSet<&'static str> = of_rule(rules).union(&of_rule(changed)).copied().collect();
    let both = BothModels { before: Model::new(rules), after: Model::new(changed), services: services_of(rules) };
    let mut shown: Option<ShownDifference> = None;
    // What the changed rule itself suggests shows nearly every difference; only where it shows none that a probe could show, the
    // other rules are asked.
    'asked: for own in [true, false] {
        let mut witnesses: BTreeSet<Witness> = BTreeSet::new();
        for one in [rules, changed] {
            let those =
                witness::of_rules(one).into_iter().filter(|(n, _)| (one.rules[*n].place.to_string() == at) == own);
            witnesses.extend(those.flat_map(|(_, found)| found));
        }
        for leaf in &leaves {
            let of_nobody = if own { witness::of_nobody(leaf) } else { Vec::new() };
            let fitting = witnesses.iter().filter(|witness| is_target_of(witness, leaf));
            for witness in fitting.chain(&of_nobody) {
                let Some((effect, expected)) = both.difference(&question(witness, leaf)) else { continue };
                // A probe is looked for only where it could be worth more than the one that is known.
                if shown.as_ref().is_some_and(|best| best.rank() >= (true, effect == Effect::Weakened)) {
                    continue;
                }
                let found = ShownDifference { effect, probe: both.probe(witness, leaf, effect, expected) };
                if shown.as_ref().is_none_or(|best| found.rank() > best.rank()) {
                    let best = found.rank() == (true, true);
                    shown = Some(found);
                    if best {
                        break 'asked;
                    }
                }
            }
        }
        if shown.as_ref().is_some_and(|best| best.probe.driver.is_some()) {
            break;
        }
    }
    if let Some(ShownDifference { effect, probe }) = shown {
        return Comparison::Differs(effect, probe.into());
    }
    let hard = |rules: &SbplRules| rules.rules.iter().any(|rule| rule.place.to_string() == at && is_hard(rule));
    if hard(rules) || hard(changed) || !rules.gaps.is_empty() { Comparison::Unknown } else { Comparison::Same }
}

/// Something that a profile and its mutant answer otherwise.
struct ShownDifference {
    effect: Effect,
    probe: ProbeToAdd,
}

impl ShownDifference {
    /// What a probe can show is worth more than what none can, and a hole more than what is refused too much.
    fn rank(&self) -> (bool, bool) {
        (self.probe.driver.is_some(), self.effect == Effect::Weakened)
    }
}

/// A profile and its mutant, to be asked the same.
struct BothModels<'r> {
    before: Model<'r>,
    after: Model<'r>,
    /// Names of services that the profile lets others look up, or refuses to.
    services: BTreeSet<String>,
}

/// The names that rules on lookups name, so names that services have.
fn services_of(rules: &SbplRules) -> BTreeSet<String> {
    let looked_up = |place: usize| {
        rules.rules[place].operations.iter().any(|name| operations::leaves_of(name).any(|leaf| leaf == MACH_LOOKUP))
    };
    let named =
        witness::of_rules(rules).into_iter().filter(|(place, _)| looked_up(*place)).flat_map(|(_, found)| found);
    named.map(|witness| witness.target).filter(|name| !name.contains(NOBODY)).collect()
}

impl BothModels<'_> {
    /// What a change does to the answer of a question, and what the profile as it stands answers.
    fn difference(&self, asked: &SbplQuestion) -> Option<(Effect, Decision)> {
        match (self.before.ask(asked).decision, self.after.ask(asked).decision) {
            (Some(Decision::Deny), Some(Decision::Allow)) => Some((Effect::Weakened, Decision::Deny)),
            (Some(Decision::Allow), Some(Decision::Deny)) => Some((Effect::Narrowed, Decision::Allow)),
            _ => None,
        }
    }

    /// Whether the operation can succeed without a policy, without which no probe of it is decided: nobody offers a service by
    /// a name that was made up here, and a name that a service has cannot be registered again (`BOOTSTRAP_NAME_IN_USE`,
    /// `BOOTSTRAP_SERVICE_ACTIVE` of servers/bootstrap.h).
    fn has_baseline(&self, operation: &str, target: &str) -> bool {
        match operation {
            MACH_LOOKUP => !target.contains(NOBODY),
            "mach-register" => !self.services.contains(target),
            _ => true,
        }
    }

    /// A probe that shows the difference. Of what a witness takes for granted beside its target a probe brings nothing along, and
    /// its call may ask for something else: so the driver's own question has to be answered otherwise, too.
    fn probe(&self, witness: &Witness, operation: &'static str, effect: Effect, expected: Decision) -> ProbeToAdd {
        let mut probe = ProbeToAdd {
            operation: operation.to_owned(),
            driver: None,
            target: witness.target.clone(),
            to: None,
            expected,
            fixtures: Vec::new(),
            listener: None,
        };
        let own = witness.target.strip_prefix("${root}/");
        let made = [None, Some(FixtureKind::File), Some(FixtureKind::Dir)];
        let here = |driver: &&Driver| {
            let info = driver.info();
            info.platforms.macos()
                && info.operations.contains(&operation)
                && self.has_baseline(operation, &witness.target)
        };
        for driver in Driver::ALL.iter().filter(here) {
            let action = Action::new(*driver, witness.target.clone());
            for kind in made.iter().filter(|kind| kind.is_none() || own.is_some()) {
                let fixtures: Vec<FixtureEntry> =
                    kind.iter().filter_map(|kind| Some(FixtureEntry::new(own?, *kind))).collect();
                let shown = action_question(&action, operation, None, &fixtures)
                    .is_ok_and(|asked| self.difference(&asked) == Some((effect, expected)));
                if shown {
                    (probe.driver, probe.fixtures) = (Some(driver.info().name), fixtures);
                    return probe;
                }
            }
        }
        probe
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn made(text: &str) -> (SbplPolicy, Vec<Mutant<SbplRules>>) {
        let policy = SbplPolicy::new(format!("(version 1)\n{text}\n"), BTreeMap::new()).unwrap();
        let mutants = mutants(&policy);
        (policy, mutants)
    }

    #[test]
    fn each_rule_is_dropped_flipped_widened_and_narrowed() {
        let (policy, mutants) =
            made("(allow default)\n(deny file-read-data file-write-data (subpath \"/private/tmp/a\"))");
        let words: Vec<&str> = mutants
            .iter()
            .filter(|mutant| mutant.change.at == "3:1")
            .map(|mutant| mutant.change.words.as_str())
            .collect();
        assert_eq!(
            words,
            [
                "the rule dropped",
                "`allow` instead of `deny`",
                "`file-read-data` dropped",
                "`file-read*` instead of `file-read-data`",
                "`file-write-data` dropped",
                "`file-write*` instead of `file-write-data`",
                "`(literal \"/private/tmp/a\")` instead of `(subpath \"/private/tmp/a\")`",
                "`(subpath \"/private/tmp\")` instead of `(subpath \"/private/tmp/a\")`",
                "without its filters",
            ]
        );
        for mutant in &mutants {
            let Some(changed) = &mutant.policy else {
                // Only the rule on `default` cannot be done without.
                assert_eq!((mutant.change.at.as_str(), mutant.change.operator), ("2:1", Operator::DroppedRule));
                continue;
            };
            let compared = compare(&policy, &mutant.change.at, changed);
            let Comparison::Differs(effect, probe) = compared else { panic!("{:?}: {compared:?}", mutant.change) };
            assert_eq!(effect, mutant.change.effect, "{:?}", mutant.change);
            let expected = if effect == Effect::Weakened { Decision::Deny } else { Decision::Allow };
            assert_eq!(probe.expected, expected, "{probe:?}");
        }
    }

    /// The probe that is proposed for the first change of a rule by an operator.
    fn proposed(text: &str, at: &str, operator: Operator) -> ProbeToAdd {
        let (policy, mutants) = made(text);
        let mutant = mutants.iter().find(|one| one.change.at == at && one.change.operator == operator).unwrap();
        match compare(&policy, at, mutant.policy.as_ref().unwrap()) {
            Comparison::Differs(_, probe) => *probe,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_probe_is_proposed_only_if_its_own_call_shows_the_difference() {
        let probe = proposed("(deny default)\n(allow file-read-data (literal \"/a\"))", "3:1", Operator::AddedRight);
        assert!(probe.driver.is_some(), "{probe:?}");
        // Among the operations of the group one is performed by a driver, whatever stands before it.
        let probe = proposed("(deny default)\n(allow file-write-mode (literal \"/a\"))", "3:1", Operator::AddedRight);
        assert_eq!((probe.operation.as_str(), probe.driver), ("file-write-create", Some("file_create")));
        // Nothing performs that operation.
        let probe = proposed("(deny default)\n(allow mach-bootstrap)", "3:1", Operator::DroppedRule);
        assert_eq!((probe.operation.as_str(), probe.driver), ("mach-bootstrap", None));
        // Whoever looks a service up does so by its global name.
        let local = "(allow default)\n(deny mach-lookup (local-name \"org.example.a\"))";
        let probe = proposed(local, "3:1", Operator::DroppedRule);
        assert_eq!((probe.operation.as_str(), probe.driver), ("mach-lookup", None));
        let global = "(allow default)\n(deny mach-lookup (global-name \"org.example.a\"))";
        assert_eq!(proposed(global, "3:1", Operator::DroppedRule).driver, Some("mach_lookup"));
        // The name has a service, so nobody else can register it; one that a rule on registrations names is free.
        let lookup = "(deny default)\n(allow mach-lookup (global-name \"org.example.a\"))";
        let probe = proposed(lookup, "3:1", Operator::AddedRight);
        assert_eq!(probe.driver, None, "{probe:?}");
        let register = "(deny default)\n(allow mach-register (global-name \"org.example.a\"))";
        assert_eq!(proposed(register, "3:1", Operator::DroppedRule).driver, Some("mach_register"));
        // Nobody offers a service by a name that is made up.
        let prefix = "(deny default)\n(allow mach-lookup (global-name-prefix \"org.example.\"))";
        assert_eq!(proposed(prefix, "3:1", Operator::DroppedRule).driver, None);
    }

    #[test]
    fn what_changes_no_answer_is_the_same_and_what_may_is_not_called_so() {
        // The later rule says the same of all that the first is about.
        let (policy, mutants) =
            made("(allow default)\n(deny file-read-data (literal \"/a\"))\n(deny file-read-data (subpath \"/a\"))");
        let dropped = mutants.iter().find(|one| one.change.at == "3:1").unwrap();
        assert_eq!(compare(&policy, "3:1", dropped.policy.as_ref().unwrap()), Comparison::Same);
        let (policy, mutants) = made(
            "(allow default)\n(deny file-read-data (regex #\"^/a/x{40}y$\"))\n(deny file-read-data (subpath \"/a\"))",
        );
        let dropped = mutants.iter().find(|one| one.change.at == "3:1").unwrap();
        assert_eq!(compare(&policy, "3:1", dropped.policy.as_ref().unwrap()), Comparison::Unknown);
    }
}
