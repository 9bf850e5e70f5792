//! How the access of two Seatbelt profiles differs: both are asked the same questions, and the answers compared.

use std::collections::{BTreeMap, BTreeSet};

use super::filters;
use super::operations::{compressed, leaves, leaves_of};
use super::witness::{self, OperationTarget, Witness};
use crate::policy::sbpl::SbplPolicy;
use crate::policy::sbpl::model::{Model, SbplQuestion};
use crate::policy::sbpl::rules::{Filter, NetworkAddress, PathFilter, Pattern, Rule, SbplRules};
use crate::record::outcome::Decision;
use crate::record::policy_review::AccessChange;
use crate::record::why::WhyDecision;

/// As many rule comparisons as are made before the rest of the witnesses is left out, and that is said.
const MOST_COMPARISONS: u64 = 40_000_000;

/// What a comparison found.
#[derive(Debug, Default)]
pub struct PolicyComparison {
    /// How many questions both were asked.
    pub questions: usize,
    /// Whether no witness was left out.
    pub complete: bool,
    /// Rules that only one profile has and whose difference no target showed, although there may be one: those for which no
    /// target was found, and those with a regular expression, which no list of targets exhausts. Of the first profile,
    /// and of the second.
    pub unwitnessed: [BTreeSet<String>; 2],
    /// The answers that differ.
    pub changes: Vec<AccessChange>,
}

/// Compares two profiles.
pub fn compare(a: &SbplPolicy, b: &SbplPolicy) -> PolicyComparison {
    compare_from(a, b, 0)
}

/// Compares a profile with the same one to which rules were added, by what those of `b` from `first` on suggest. (`first`
/// 0: all of both.)
pub fn compare_from(a: &SbplPolicy, b: &SbplPolicy, first: usize) -> PolicyComparison {
    let mut asked: BTreeSet<(Witness, &'static str)> = BTreeSet::new();
    for leaf in leaves() {
        asked.extend(witness::of_nobody(leaf).into_iter().map(|witness| (witness, leaf)));
    }
    let (model_a, model_b) = (Model::new(a.rules()), Model::new(b.rules()));
    let mut unwitnessed = [BTreeSet::new(), BTreeSet::new()];
    let expressions = [expressions(a.rules()), expressions(b.rules())];
    for (side, (policy, other, model)) in [(a, b, &model_a), (b, a, &model_b)].into_iter().enumerate() {
        if first > 0 && side == 0 {
            continue;
        }
        let rules = &policy.rules().rules;
        // What is left of these in the end was shown by no target.
        let mut open = unlike(rules, &other.rules().rules, first);
        for (index, witnesses) in witness::of_rules(policy.rules()).into_iter().filter(|(index, _)| *index >= first) {
            let operations: BTreeSet<&'static str> =
                rules[index].operations.iter().flat_map(|name| leaves_of(name)).collect();
            let is_easy = |index: usize| {
                expressions.iter().all(|those| those.is_disjoint(&operations)) && !is_hard(&rules[index])
            };
            for witness in witnesses {
                let fits: Vec<&'static str> =
                    operations.iter().copied().filter(|leaf| is_target_of(&witness, leaf)).collect();
                let shows = |leaf: &&'static str| model.certainly_matches(index, &question(&witness, leaf));
                if open.contains(&index) && is_easy(index) && fits.iter().any(shows) {
                    open.remove(&index);
                }
                asked.extend(fits.into_iter().map(|leaf| (witness.clone(), leaf)));
            }
        }
        open.retain(|index| {
            let rule = &rules[*index];
            let meets = |those: &BTreeSet<&'static str>| {
                rule.operations.iter().flat_map(|name| leaves_of(name)).any(|leaf| those.contains(leaf))
            };
            !rule.in_message_filter && (!rule.filters.is_empty() || expressions.iter().any(meets))
        });
        unwitnessed[side].extend(open.into_iter().map(|index| rules[index].place.to_string()));
    }
    let each = cost(a) + cost(b) + 1;
    let most = usize::try_from(MOST_COMPARISONS / each).unwrap_or(usize::MAX).max(1);
    let all_asked = asked.len() <= most;
    let mut grouped: BTreeMap<(Witness, AnsweredOperation, AnsweredOperation), BTreeSet<&'static str>> =
        BTreeMap::new();
    let mut questions = 0;
    for (witness, leaf) in asked.into_iter().take(most) {
        questions += 1;
        let question = question(&witness, leaf);
        let of_a = AnsweredOperation::of(&model_a, a, &question);
        let of_b = AnsweredOperation::of(&model_b, b, &question);
        if of_a.decision != of_b.decision {
            grouped.entry((witness, of_a, of_b)).or_default().insert(leaf);
        }
    }
    for (_, of_a, of_b) in grouped.keys() {
        for (side, place) in [&of_a.rule, &of_b.rule].into_iter().enumerate() {
            place.as_ref().map(|place| unwitnessed[side].remove(place));
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
    PolicyComparison {
        questions,
        complete: all_asked && unwitnessed.iter().all(BTreeSet::is_empty),
        unwitnessed,
        changes: changes.collect(),
    }
}

/// The rules from `first` on that the other profile has not got, or has elsewhere among those that both have. A change of
/// places alone only counts for rules whose matches no list of targets exhausts: of two others that overlap, the
/// narrower one's own targets lie in both.
fn unlike(rules: &[Rule], others: &[Rule], first: usize) -> BTreeSet<usize> {
    let theirs: Vec<Option<String>> = others.iter().map(told_apart).collect();
    let ours: Vec<Option<String>> = rules.iter().map(told_apart).collect();
    let (their_texts, our_texts): (BTreeSet<_>, BTreeSet<_>) =
        (theirs.iter().flatten().collect(), ours.iter().flatten().collect());
    let common = |list: &'_ [Option<String>]| -> Vec<String> {
        list.iter().flatten().filter(|text| their_texts.contains(text) && our_texts.contains(text)).cloned().collect()
    };
    let moved = common(&ours) != common(&theirs);
    let is_alone = |at: &usize| ours[*at].as_ref().is_none_or(|text| !their_texts.contains(text));
    (first..rules.len()).filter(|at| is_alone(at) || (moved && is_hard(&rules[*at]))).collect()
}

/// A rule as a text that a rule of another profile has only if it says the same; `None` if it depends on a condition.
fn told_apart(rule: &Rule) -> Option<String> {
    rule.conditions.is_empty().then(|| {
        let filters: Vec<String> = rule.filters.iter().map(filters::text).collect();
        format!("{:?} {:?} {filters:?} {}", rule.action, rule.operations, rule.in_message_filter)
    })
}

/// The operations that rules cover whose matches no list of targets exhausts.
fn expressions(rules: &SbplRules) -> BTreeSet<&'static str> {
    let hard = rules.rules.iter().filter(|rule| is_hard(rule));
    let names: BTreeSet<&String> = hard.flat_map(|rule| &rule.operations).collect();
    names.into_iter().flat_map(|name| leaves_of(name)).collect()
}

/// Whether targets made from a rule cannot stand for all that it matches.
pub fn is_hard(rule: &Rule) -> bool {
    let mut hard = false;
    for filter in &rule.filters {
        filters::parts(filter, false, &mut |part, _| {
            hard |= match part {
                Filter::Path(path) | Filter::Network { address: NetworkAddress::Path(path), .. } => {
                    matches!(path, PathFilter::Regex(_) | PathFilter::Home(_))
                }
                Filter::Name { pattern, .. } => matches!(pattern, Pattern::Regex(_)),
                Filter::Network { address, .. } => matches!(address, NetworkAddress::Unknown(_)),
                Filter::Unknown { .. } => true,
                Filter::All(_) | Filter::Any(_) | Filter::Not(_) | Filter::Symbol { .. } => false,
                Filter::FileMode(_) | Filter::Extension(_) | Filter::Entitlement(_) => false,
            };
        });
    }
    hard
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
pub fn question(witness: &Witness, operation: &'static str) -> SbplQuestion {
    let mut question = SbplQuestion::new(operation, witness.target.clone());
    question.filter.clone_from(&witness.filter);
    question.facts.clone_from(&witness.facts);
    question
}

/// Whether a witness may be what an operation is attempted on.
pub fn is_target_of(witness: &Witness, operation: &str) -> bool {
    let is_path = witness.target.starts_with('/') || witness.target.starts_with("${root}");
    match witness::target_kind(operation) {
        OperationTarget::Path => is_path && witness.filter.is_none(),
        OperationTarget::Network => witness.filter.is_none() && (is_path || witness.target.contains(':')),
        OperationTarget::Process => {
            ["self", "others", "same-sandbox", "children", "pgrp"].contains(&witness.target.as_str())
        }
        OperationTarget::Name => witness.filter.is_some() || !is_path,
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct AnsweredOperation {
    decision: WhyDecision,
    rule: Option<String>,
}

impl AnsweredOperation {
    fn of(model: &Model<'_>, policy: &SbplPolicy, question: &SbplQuestion) -> Self {
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
        assert_eq!(compared.complete, compared.unwitnessed.iter().all(BTreeSet::is_empty));
        let mut lines: Vec<String> = Vec::new();
        for (side, places) in ["a", "b"].iter().zip(&compared.unwitnessed) {
            lines.extend(places.iter().map(|place| format!("unwitnessed {side} {place}")));
        }
        let line = |change: AccessChange| {
            let operations = change.operations.join(" ");
            format!("{operations} on {}: {} -> {}", change.target, change.a.as_str(), change.b.as_str())
        };
        lines.extend(compared.changes.into_iter().map(line));
        lines
    }

    /// What differs of the operation alone, without what could not be compared.
    fn differ(a: &str, b: &str) -> bool {
        changes(a, b).iter().any(|line| line.contains(" -> "))
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

    #[test]
    fn an_expression_that_ends_in_a_slash_is_shown_by_what_lies_below() {
        let nothing = "(deny default)";
        for pattern in ["^/private/var/folders/[^/]+/[^/]+/[C,T]/", "^/x/(a|b)/", "/[.]git/", "/$", "^/dev/tty[a-z]+/"]
        {
            let allowed = format!("(deny default)\n(allow file-write-data (regex #\"{pattern}\"))");
            assert!(differ(&allowed, nothing), "{pattern}");
            assert!(differ(nothing, &allowed), "{pattern}");
        }
    }

    #[test]
    fn small_changes_of_an_expression_are_shown_or_called_open() {
        let rule = |pattern: &str| format!("(deny default)\n(allow file-read-data (regex #\"{pattern}\"))");
        for (one, other) in [
            ("^/a/foo", "^/a/foo$"),
            ("/foo$", "^/foo$"),
            ("^/a/[^/]+$", "^/a/[^/]$"),
            ("^/a/[a-z]$", "^/a/[a-z0-9]$"),
            ("^/a/b.*$", "^/a/b.+$"),
            ("^/a/(b|c)$", "^/a/(b|c|d)$"),
        ] {
            assert!(differ(&rule(one), &rule(other)), "{one} {other}");
        }
        // No sample lies in the difference of these: that is said.
        assert!(!changes(&rule("^/a/[a-y]{3}$"), &rule("^/a/[a-y]{3}$|^/q{9}z$")).is_empty());
        assert!(changes(&rule("^/a/k?$"), &rule("^/a/k?$")).is_empty());
        // Whether macOS counts repetitions is not known.
        assert!(!changes(&rule("^/a/b{2,3}$"), &rule("^/a/b{2}$")).is_empty());
        let far = changes(&rule("^/a/x{40}y$"), &rule("^/a/x{16}x{24}y$"));
        assert_eq!(far, ["unwitnessed a 3:1", "unwitnessed b 3:1"]);
    }

    #[test]
    fn what_a_folder_and_an_expression_match_together_is_shown() {
        let nothing = "(deny default)";
        let both = "(deny default)\n(allow file-read-data (require-all (subpath \"/a\") (regex #\"[.]txt$\")))";
        assert!(differ(both, nothing));
        let but = "(deny default)\n(allow file-read-data (require-all (subpath \"/a\") (require-not (regex #\"/[.]git(/|$)\"))))";
        assert!(differ(but, "(deny default)\n(allow file-read-data (subpath \"/a\"))"));
    }

    #[test]
    fn a_rule_that_only_acts_where_an_expression_matches_is_never_called_equal() {
        let texts = "(deny default)\n(allow file-read-data (regex #\"[.]txt$\"))";
        let without = format!("{texts}\n(deny file-read-data (subpath \"/a\"))");
        assert!(!changes(texts, &without).is_empty());
        let swapped =
            "(deny default)\n(deny file-read-data (subpath \"/a\"))\n(allow file-read-data (regex #\"[.]txt$\"))";
        assert!(!changes(&without, swapped).is_empty());
        // An operation that the expression has no part in stays certain.
        let apart = format!("{texts}\n(deny mach-lookup (global-name \"com.example.a\"))");
        assert!(changes(texts, &apart).is_empty());
    }

    #[test]
    fn what_is_held_and_home_folders_are_witnesses_too() {
        let nothing = "(deny default)";
        assert!(differ("(deny default)\n(allow file-read-data (extension \"com.example.a\"))", nothing));
        assert!(differ("(deny default)\n(allow mach-lookup (require-entitlement \"com.example.a\"))", nothing));
        assert!(differ("(deny default)\n(allow file-read-data (home-subpath \"/x\"))", nothing));
    }
}
