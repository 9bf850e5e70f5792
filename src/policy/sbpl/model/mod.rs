//! The model oracle: what a Seatbelt profile decides about one operation, worked out from its rules and from what is
//! known of the system, without a kernel.
//!
//! `docs/sbpl.md` says how certain each of its rules is. The semantics:
//!
//! - The rules on the operation's own name are asked first, then those on its groups from narrow to wide, then those on
//!   `default`. Within one of these levels the last rule with a filter that matches decides; one without a filter is what
//!   the level falls back to. Where a plain "the last rule that matches" would say something else, the answer says that
//!   it takes this for granted: no decision recorded on macOS 14.4.1 tells the two apart.
//! - A rule sees the path that the kernel resolved. A rule that spells an alias matches nothing but the link itself.
//! - An operation is all checks of its system call. Each symbolic link on the way is one: `file-read-metadata` on the
//!   link. The first check that is refused is the answer.
//!
//! What cannot be known (an import, an extension, a filter or a fact that is not known) leaves the answer open only if
//! it could change it, and is named then.

mod action;
mod applies;
mod beyond;
mod calls;
mod decide;
mod filter;
mod host;
mod index;
mod network;
mod object;
mod path;
mod question;
pub(super) mod regex;
#[cfg(test)]
mod second;
#[cfg(test)]
mod tests;
mod tri;

use std::collections::BTreeSet;

use super::gate::{self, GateKind};
use super::rules::SbplRules;
use crate::policy::operations::covers;
use crate::record::outcome::Decision;
use decide::{CheckRuling, ConditionPaths, RuleContext, decide};
use filter::{Matcher, Presumption};
use index::Index;
use object::CheckObject;
use regex::Regexes;
use tri::Tri;

pub use action::question;
pub use calls::usual_filter;
pub use decide::Level;
pub use filter::behind;
pub use path::{DeclaredTree, NodeKind, resolved_spelling};
pub use question::SbplQuestion;

/// What the model says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SbplAnswer {
    /// The decision; `None` if the model cannot know.
    pub decision: Option<Decision>,
    /// The rule that decides, as a place in [`SbplRules::rules`]; `None` without a decision, and where none matches.
    pub rule: Option<usize>,
    /// The checks that the operation leads to, in order.
    pub chain: Vec<CheckStep>,
    /// Why, in words; without a decision, what is missing.
    pub reason: String,
    /// What the answer takes for granted.
    pub assumes: Vec<String>,
    /// Facts of the question that nothing asked for.
    pub unasked: Vec<String>,
}

impl SbplAnswer {
    fn unknown(reason: String, chain: Vec<CheckStep>) -> Self {
        Self { decision: None, rule: None, chain, reason, assumes: Vec::new(), unasked: Vec::new() }
    }
}

/// One check of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckStep {
    /// The operation that is checked.
    pub operation: &'static str,
    /// What it is checked on: the resolved path, the name, the address.
    pub on: String,
    /// What the check decides; `None` if the model cannot know.
    pub decision: Option<Decision>,
    /// The rule that decides it.
    pub rule: Option<usize>,
    /// The reason, as text for people.
    pub why: String,
    /// The levels that were asked, the nearest first; empty where the profile cannot be applied.
    pub levels: Vec<Level>,
}

/// A profile, ready to be asked.
#[derive(Debug)]
pub struct Model<'r> {
    rules: &'r SbplRules,
    index: Index,
    regexes: Regexes,
    /// Why macOS refuses to apply the profile.
    refused: Option<String>,
    /// What applying it needs.
    needs: Option<String>,
}

impl<'r> Model<'r> {
    /// Prepares a profile.
    pub fn new(rules: &'r SbplRules) -> Self {
        let (mut refused, mut needs) = (None, None);
        for gate in gate::scan(rules) {
            let text = || format!("{} ({})", gate.kind, gate.place);
            match gate.kind {
                GateKind::MessageFilterDeny(_) => {
                    needs.get_or_insert_with(|| {
                        format!("the process has the entitlement that applying takes: {}", text())
                    });
                }
                _ => drop(refused.get_or_insert_with(text)),
            }
        }
        Self { rules, index: Index::new(rules), regexes: Regexes::default(), refused, needs }
    }

    /// Answers one question.
    pub fn ask(&self, question: &SbplQuestion) -> SbplAnswer {
        let checks = match calls::checks(question) {
            Ok(checks) => checks,
            Err(reason) => return SbplAnswer::unknown(reason, Vec::new()),
        };
        if let Some(why) = &self.refused {
            let reason = format!("nothing is decided: macOS is known to refuse this profile when it is applied: {why}");
            let step = |check: &calls::CallCheck| CheckStep {
                operation: check.operation,
                on: check.object.shown.clone(),
                decision: None,
                rule: None,
                why: "the profile cannot be applied".into(),
                levels: Vec::new(),
            };
            return SbplAnswer::unknown(reason, checks.list.iter().map(step).collect());
        }
        let ways = self.ways(question);
        let mut noted = CheckNotes::default();
        let chain: Vec<CheckStep> = checks
            .list
            .iter()
            .map(|check| {
                let ruling = self.rule(check.operation, &check.object, question, &ways, &mut noted);
                CheckStep {
                    operation: check.operation,
                    on: check.object.shown.clone(),
                    decision: ruling.decision,
                    rule: ruling.rule,
                    why: ruling.why,
                    levels: ruling.levels,
                }
            })
            .collect();
        let (decision, at, reason) = if checks.members.is_empty() {
            verdict(&chain)
        } else {
            agreement(&question.operation, &chain, &checks.members)
        };
        let mut assumes: Vec<String> = checks.assumes;
        assumes.extend(noted.assumes);
        if decision.is_none() {
            assumes.clear();
        } else {
            self.assume_surroundings(question, decision, &mut assumes);
        }
        assumes.sort();
        assumes.dedup();
        let rule = decision.and(at).and_then(|at| chain[at].rule);
        noted.asked.extend(ways.keys().map(|_| "entitlement".to_owned()));
        let unasked = question.facts.keys().filter(|fact| !noted.asked.contains(*fact)).cloned().collect();
        SbplAnswer { decision, rule, chain, reason, assumes, unasked }
    }

    /// Whether the filters of a rule, by its place in [`SbplRules::rules`], certainly match one of the checks that a question
    /// leads to, among the operations that the rule covers.
    pub fn certainly_matches(&self, rule: usize, question: &SbplQuestion) -> bool {
        let Ok(checks) = calls::checks(question) else { return false };
        let rule = &self.rules.rules[rule];
        let matches = |check: &calls::CallCheck| {
            Matcher::new(&self.regexes, check.operation, &question.facts).rule(rule, &check.object) == Tri::Yes
        };
        let is_covered = |operation: &str| rule.operations.iter().any(|name| covers(name, operation));
        checks.list.iter().any(|check| is_covered(check.operation) && matches(check))
    }

    /// The ways that conditions go of which a fact of the question says so.
    fn ways(&self, question: &SbplQuestion) -> ConditionPaths {
        let Some(held) = question.facts.get("entitlement") else { return ConditionPaths::new() };
        let conditions = self.rules.conditions.iter().enumerate();
        conditions
            .filter_map(|(n, condition)| {
                let wanted = condition.entitlement.as_deref()?;
                Some((n as u32, u32::from(!filter::holds(held, wanted))))
            })
            .collect()
    }

    /// Decides one check: first without taking anything for granted about the process, then, if that keeps it open, as one
    /// that holds no extension.
    fn rule(
        &self,
        operation: &'static str,
        object: &CheckObject,
        question: &SbplQuestion,
        ways: &ConditionPaths,
        noted: &mut CheckNotes,
    ) -> CheckRuling {
        let asked = RuleContext { rules: self.rules, index: &self.index, ways };
        let mut matcher = Matcher::new(&self.regexes, operation, &question.facts);
        let mut ruling = decide(&asked, operation, object, &mut matcher);
        if ruling.decision.is_none() && matcher.extension_in_doubt {
            let mut second = Matcher {
                presume: Presumption::NoExtension,
                ..Matcher::new(&self.regexes, operation, &question.facts)
            };
            let presuming = decide(&asked, operation, object, &mut second);
            if presuming.decision.is_some() {
                second
                    .assumes
                    .insert("the process holds no sandbox extension (`--fact extension=CLASS` says otherwise)".into());
                (ruling, matcher) = (presuming, second);
            }
        }
        if matcher.filtered && !self.rules.escapes.is_empty() && ruling.decision.is_some() {
            for (place, what) in &self.rules.escapes {
                noted.assumes.insert(format!("the escape at {place} stands for {what}"));
            }
        }
        noted.assumes.extend(matcher.assumes);
        noted.asked.extend(matcher.asked);
        ruling
    }

    /// What an answer takes for granted beyond its own checks.
    fn assume_surroundings(&self, question: &SbplQuestion, decision: Option<Decision>, assumes: &mut Vec<String>) {
        assumes.extend(self.needs.clone());
        if question.operation == "mach-lookup" && decision == Some(Decision::Allow) {
            let bootstrap = self.rule(
                "mach-bootstrap",
                &CheckObject::default(),
                question,
                &self.ways(question),
                &mut CheckNotes::default(),
            );
            if bootstrap.decision != Some(Decision::Allow) {
                assumes.push("a lookup does not need `mach-bootstrap`, which the profile does not allow".into());
            }
        }
    }
}

/// What the checks of a question leave behind.
#[derive(Debug, Default)]
struct CheckNotes {
    assumes: BTreeSet<String>,
    asked: BTreeSet<String>,
}

/// Answers one question about a profile.
pub fn evaluate(rules: &SbplRules, question: &SbplQuestion) -> SbplAnswer {
    Model::new(rules).ask(question)
}

/// What a chain of checks comes to: refused at the first that is, open if one is and none is refused.
fn verdict(chain: &[CheckStep]) -> (Option<Decision>, Option<usize>, String) {
    let told = |at: usize, what: &str| {
        let step = &chain[at];
        let way = if at + 1 < chain.len() { " on the way" } else { "" };
        format!("`{}` on `{}` is {what}{way}: {}", step.operation, step.on, step.why)
    };
    if let Some(at) = chain.iter().position(|step| step.decision == Some(Decision::Deny)) {
        return (Some(Decision::Deny), Some(at), told(at, "denied"));
    }
    if let Some(at) = chain.iter().position(|step| step.decision.is_none()) {
        return (None, Some(at), told(at, "undecidable"));
    }
    match chain.len().checked_sub(1) {
        Some(last) => (Some(Decision::Allow), Some(last), told(last, "allowed")),
        None => (None, None, "the operation leads to no check that is known".into()),
    }
}

/// What the members of a group come to: an answer only if they agree. `starts` says where each one's checks begin.
fn agreement(operation: &str, chain: &[CheckStep], starts: &[usize]) -> (Option<Decision>, Option<usize>, String) {
    let ends = starts.iter().skip(1).copied().chain([chain.len()]);
    let members: Vec<_> = starts
        .iter()
        .zip(ends)
        .map(|(start, end)| {
            let (decision, at, why) = verdict(&chain[*start..end]);
            (decision, at.map(|at| start + at), why)
        })
        .collect();
    let Some((first, at, why)) = members.first().cloned() else { return verdict(chain) };
    if let Some(decision) = first
        && members.iter().all(|(other, ..)| *other == first)
    {
        return (first, at, format!("everything that `{operation}` covers is {}; {why}", past(decision)));
    }
    let (_, _, other) =
        members.iter().find(|(decision, ..)| *decision != first || decision.is_none()).unwrap_or(&members[0]);
    let why = format!(
        "`{operation}` covers several operations that are not answered alike: {why}, but {other}; ask about one of them"
    );
    (None, None, why)
}

fn past(decision: Decision) -> &'static str {
    match decision {
        Decision::Allow => "allowed",
        Decision::Deny => "denied",
    }
}
