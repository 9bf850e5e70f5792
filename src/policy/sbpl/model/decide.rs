//! Which rule decides one check: the last that matches, over the operation, its groups and `default`.

use super::filter::Matcher;
use super::object::Object;
use super::tri::Tri;
use crate::policy::operations::covers;
use crate::policy::sbpl::rules::{Gap, GapKind, Rule, SbplRules};
use crate::record::outcome::Decision;

/// Operations that `(deny default)` does not refuse in a version 1 text, although it covers every other one.
///
/// `iokit-open-service`: on 14.4.1 a service was opened under `(deny default)` with a rule for its user client alone,
/// and was refused (0xe00002e2) once a rule denied `iokit-open-service` itself. The `syscall-*` operations: a process
/// under `(deny default)` goes on making system calls.
const PASSES_DENY_DEFAULT: [&str; 4] = ["iokit-open-service", "syscall-mach", "syscall-mig", "syscall-unix"];

/// What became of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ruling {
    /// `None`: it cannot be known.
    pub decision: Option<Decision>,
    /// The rule that decides.
    pub rule: Option<usize>,
    /// Why it decides, or what is missing.
    pub why: String,
}

/// A part of the profile that may decide against what decides otherwise.
struct Doubt {
    /// What it would decide; `None` if that is not known either.
    action: Option<Decision>,
    why: String,
}

/// Decides one check.
pub(super) fn decide(rules: &SbplRules, operation: &str, object: &Object, matcher: &mut Matcher<'_>) -> Ruling {
    let mut doubts: Vec<Doubt> = Vec::new();
    let mut gaps = rules.gaps.iter().rev().peekable();
    let passes_default = rules.version == 1 && PASSES_DENY_DEFAULT.contains(&operation);
    let mut named = false;
    for (index, rule) in rules.rules.iter().enumerate().rev() {
        while let Some(gap) = gaps.next_if(|gap| gap.before > index) {
            doubts.push(doubt_of(gap));
        }
        let Some(by_default) = coverage(rule, operation) else { continue };
        named |= !by_default;
        if by_default && passes_default && rule.action == Decision::Deny {
            continue;
        }
        match matcher.rule(rule, object) {
            Tri::No => {}
            Tri::Unknown(why) => {
                let why = format!("the rule at {}: {why}", rule.place);
                doubts.push(Doubt { action: Some(rule.action), why });
            }
            Tri::Yes => {
                if by_default && let Some(earlier) = overridden(rules, index, operation, object, matcher) {
                    matcher.assumes.insert(format!(
                        "the rule on `default` at {} overrides the rule at {}, which stands before it",
                        rule.place, earlier.place
                    ));
                }
                let why = format!("the rule at {} is the last that matches", rule.place);
                return settle(Ruling { decision: Some(rule.action), rule: Some(index), why }, &doubts);
            }
        }
    }
    doubts.extend(gaps.map(doubt_of));
    settle(nothing_matches(rules.version, operation, passes_default, named), &doubts)
}

/// Whether a rule is about the operation, and then whether only as one on `default`.
fn coverage(rule: &Rule, operation: &str) -> Option<bool> {
    // A rule in a message filter decides about messages.
    if rule.in_message_filter {
        return None;
    }
    let mut covering = rule.operations.iter().filter(|name| covers(name, operation)).peekable();
    covering.peek()?;
    Some(operation != "default" && covering.all(|name| name == "default"))
}

/// A rule on the operation itself that stands before a rule on `default`, matches too and decides otherwise. (Rules on
/// `default` usually come first; that a late one overrides follows from "the last wins", and was not recorded.)
fn overridden<'r>(
    rules: &'r SbplRules,
    end: usize,
    operation: &str,
    object: &Object,
    matcher: &mut Matcher<'_>,
) -> Option<&'r Rule> {
    rules.rules[..end].iter().rev().find(|rule| {
        coverage(rule, operation) == Some(false)
            && rule.action != rules.rules[end].action
            && matcher.rule(rule, object) != Tri::No
    })
}

fn nothing_matches(version: u32, operation: &str, passes_default: bool, named: bool) -> Ruling {
    let (decision, why) = match (version, passes_default, named) {
        (1, true, false) => (
            Some(Decision::Allow),
            format!("no rule names `{operation}`, which `(deny default)` does not refuse in a version 1 profile"),
        ),
        (1, true, true) => (
            None,
            format!(
                "no rule matches, and what decides `{operation}` then, which `(deny default)` does not refuse while \
                 nothing names it, is not known"
            ),
        ),
        (1, false, _) => (
            None,
            "no rule matches, and what a version 1 profile without a rule on `default` decides is not known".into(),
        ),
        _ => (
            Some(Decision::Deny),
            format!("no rule matches, and a version {version} profile refuses what it does not name"),
        ),
    };
    Ruling { decision, rule: None, why }
}

/// The ruling, unless something that comes later in the text could change it.
fn settle(ruling: Ruling, doubts: &[Doubt]) -> Ruling {
    let Some(decision) = ruling.decision else {
        return match doubts.first() {
            Some(doubt) => Ruling { why: format!("{}; besides, {}", doubt.why, ruling.why), ..ruling },
            None => ruling,
        };
    };
    match doubts.iter().find(|doubt| doubt.action != Some(decision)) {
        Some(doubt) => Ruling { decision: None, rule: None, why: doubt.why.clone() },
        None => ruling,
    }
}

fn doubt_of(gap: &Gap) -> Doubt {
    let what = match gap.kind {
        GapKind::Import => "what it brings belongs to a build of the system, and is not known here",
        GapKind::Parameter => "it depends on a parameter that has no value",
        GapKind::Form => "this form is not known here",
    };
    Doubt { action: None, why: format!("`{}` at {}: {what}", gap.text, gap.place) }
}
