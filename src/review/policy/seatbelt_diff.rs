//! How the access of two Seatbelt profiles differs: both are asked the same questions, and the answers compared.

use std::collections::{BTreeMap, BTreeSet};

use super::filters;
use super::operations::{compressed, leaves, leaves_of};
use super::witness::{self, TargetKind, Witness};
use crate::policy::sbpl::SbplPolicy;
use crate::policy::sbpl::model::{Model, Question};
use crate::policy::sbpl::rules::{Filter, PathFilter, Pattern};
use crate::record::outcome::Decision;
use crate::record::policy_review::AccessChange;
use crate::record::why::WhyDecision;

/// As many rule comparisons as are made before the rest of the witnesses is left out, and that is said.
const MOST_COMPARISONS: u64 = 40_000_000;

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Compared {
    /// How many questions both were asked.
    pub questions: usize,
    /// Whether no witness was left out.
    pub complete: bool,
    /// The answers that differ.
    pub changes: Vec<AccessChange>,
}

/// Compares two profiles.
pub fn compare(a: &SbplPolicy, b: &SbplPolicy) -> Compared {
    compare_from(a, b, 0)
}

/// Compares a profile with the same one to which rules were added, by what those of `b` from `first` on suggest. (`first`
/// 0: all of both.)
pub fn compare_from(a: &SbplPolicy, b: &SbplPolicy, first: usize) -> Compared {
    let mut asked: BTreeSet<(Witness, &'static str)> = BTreeSet::new();
    for leaf in leaves() {
        asked.extend(witness::of_nobody(leaf).into_iter().map(|witness| (witness, leaf)));
    }
    let sources = if first == 0 { vec![a, b] } else { vec![b] };
    for policy in sources {
        for (index, witnesses) in witness::of_rules(policy.rules()).into_iter().filter(|(index, _)| *index >= first) {
            let operations: BTreeSet<&'static str> =
                policy.rules().rules[index].operations.iter().flat_map(|name| leaves_of(name)).collect();
            for witness in witnesses {
                let fits = operations.iter().copied().filter(|leaf| is_target_of(&witness, leaf));
                asked.extend(fits.map(|leaf| (witness.clone(), leaf)));
            }
        }
    }
    let each = cost(a) + cost(b) + 1;
    let most = usize::try_from(MOST_COMPARISONS / each).unwrap_or(usize::MAX).max(1);
    let complete = asked.len() <= most;
    let (model_a, model_b) = (Model::new(a.rules()), Model::new(b.rules()));
    let mut grouped: BTreeMap<(Witness, Answered, Answered), BTreeSet<&'static str>> = BTreeMap::new();
    let mut questions = 0;
    for (witness, leaf) in asked.into_iter().take(most) {
        questions += 1;
        let question = question(&witness, leaf);
        let of_a = Answered::of(&model_a, a, &question);
        let of_b = Answered::of(&model_b, b, &question);
        if of_a.decision != of_b.decision {
            grouped.entry((witness, of_a, of_b)).or_default().insert(leaf);
        }
    }
    let changes = grouped.into_iter().map(|((witness, of_a, of_b), operations)| AccessChange {
        operations: compressed(&operations),
        target: witness.target,
        facts: witness.facts,
        a: of_a.decision,
        a_rule: of_a.rule,
        b: of_b.decision,
        b_rule: of_b.rule,
    });
    Compared { questions, complete, changes: changes.collect() }
}

/// What one question costs at most, in rule comparisons. A regular expression is as dear as this many plain filters.
fn cost(policy: &SbplPolicy) -> u64 {
    const EXPRESSION: u64 = 20;
    let mut cost = 0;
    for rule in &policy.rules().rules {
        cost += 1;
        for filter in &rule.filters {
            filters::parts(filter, false, &mut |part, _| {
                let dear = matches!(
                    part,
                    Filter::Path(PathFilter::Regex(_)) | Filter::Name { pattern: Pattern::Regex(_), .. }
                );
                cost += if dear { EXPRESSION } else { 1 };
            });
        }
    }
    cost
}

/// The question that a witness is for one operation.
fn question(witness: &Witness, operation: &'static str) -> Question {
    let mut question = Question::new(operation, witness.target.clone());
    question.filter.clone_from(&witness.filter);
    question.facts.clone_from(&witness.facts);
    question
}

/// Whether a witness may be what an operation is attempted on.
fn is_target_of(witness: &Witness, operation: &str) -> bool {
    let is_path = witness.target.starts_with('/') || witness.target.starts_with("${root}");
    match witness::target_kind(operation) {
        TargetKind::Path => is_path && witness.filter.is_none(),
        TargetKind::Network => witness.filter.is_none() && (is_path || witness.target.contains(':')),
        TargetKind::Process => {
            ["self", "others", "same-sandbox", "children", "pgrp"].contains(&witness.target.as_str())
        }
        TargetKind::Name => witness.filter.is_some() || !is_path,
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Answered {
    decision: WhyDecision,
    rule: Option<String>,
}

impl Answered {
    fn of(model: &Model<'_>, policy: &SbplPolicy, question: &Question) -> Self {
        let answer = model.ask(question);
        let rule = answer.rule.map(|index| policy.rules().rules[index].place.to_string());
        Self { decision: WhyDecision::of(answer.decision), rule }
    }
}

/// What a policy decides about a target that no filter matches, and the rule that says so.
pub fn otherwise(model: &Model<'_>, operation: &'static str) -> (Option<Decision>, Option<usize>) {
    let witness = witness::of_nobody(operation).remove(0);
    let answer = model.ask(&question(&witness, operation));
    (answer.decision, answer.rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(a: &str, b: &str) -> Vec<String> {
        let read = |text: &str| SbplPolicy::new(format!("(version 1)\n{text}\n"), BTreeMap::new()).unwrap();
        let compared = compare(&read(a), &read(b));
        assert!(compared.complete);
        let line = |change: AccessChange| {
            let operations = change.operations.join(" ");
            format!("{operations} on {}: {} -> {}", change.target, change.a.as_str(), change.b.as_str())
        };
        compared.changes.into_iter().map(line).collect()
    }

    #[test]
    fn text_that_means_the_same_differs_in_nothing() {
        let a = "(deny default)\n(allow file-read* (subpath \"/private/tmp/a\"))";
        let b = "(deny default)\n; the same\n(define top \"/private/tmp/a\")\n(allow file-read-data file-read-metadata \
                 file-read-xattr (subpath top))";
        assert_eq!(changes(a, a), [""; 0]);
        assert_eq!(changes(a, b), [""; 0]);
    }

    #[test]
    fn a_wider_folder_is_shown_by_a_path() {
        let a = "(deny default)\n(allow file-read-data (literal \"/private/tmp/a\"))";
        let b = "(deny default)\n(allow file-read-data (subpath \"/private/tmp/a\"))";
        assert_eq!(changes(a, b), ["file-read-data on /private/tmp/a/sandproof-witness: deny -> allow"]);
        assert_eq!(changes(b, a), ["file-read-data on /private/tmp/a/sandproof-witness: allow -> deny"]);
    }

    #[test]
    fn names_and_ports_are_witnesses_too() {
        let a = "(deny default)\n(allow mach-lookup (global-name \"com.example.a\"))";
        let b = "(deny default)\n(allow mach-lookup (global-name-prefix \"com.example.\"))";
        let found = changes(a, b);
        assert!(found.contains(&"mach-lookup on com.example.sandproof-witness: deny -> allow".to_owned()), "{found:?}");
        let a = "(deny default)\n(allow network-outbound (remote ip \"localhost:80\"))";
        let b = "(deny default)\n(allow network-outbound (remote ip \"*:80\"))";
        assert_eq!(changes(a, b), ["network-outbound on 192.0.2.1:80: deny -> allow"]);
    }
}
