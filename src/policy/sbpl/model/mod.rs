//! The model oracle: what a Seatbelt profile decides about one operation, worked out from its rules and from what is
//! known of the system, without a kernel.
//!
//! The semantics, each borne out by decisions recorded on macOS 14.4.1:
//!
//! - Of the rules that match, the last in the text decides, whether it names the operation, a group of it, or `default`.
//! - A rule sees the path that the kernel resolved. A rule that spells an alias matches nothing but the link itself.
//! - An operation is all checks of its system call. Each symbolic link on the way is one: `file-read-metadata` on the
//!   link. The first check that is refused is the answer.
//!
//! What cannot be known (an import, an extension, a filter or a fact that is not known) leaves the answer open only if
//! it could change it, and is named then.

mod action;
mod calls;
mod decide;
mod filter;
mod host;
mod network;
mod object;
mod path;
mod regex;
#[cfg(test)]
mod tests;
mod tri;

use std::collections::{BTreeMap, BTreeSet};

use super::rules::SbplRules;
use crate::record::outcome::Decision;
use filter::{Matcher, Regexes};
use regex::Compiled;

pub use action::question;
pub use calls::usual_filter;
pub use path::{Node, NodeKind, Tree, resolved_spelling};

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// The operation: one of the vocabulary, or a group that version 1 lets one write without its star.
    pub operation: String,
    /// What it is attempted on: a path, a name, an address, a class, or how a process is related to the caller.
    pub target: String,
    /// Which filter the target is, where the usual one is not meant; see [`usual_filter`].
    pub filter: Option<String>,
    /// The system call, where the usual one of the operation is not meant.
    pub syscall: Option<String>,
    /// The second path of a link, a clone or a rename.
    pub to: Option<String>,
    /// Further facts about the target, by the name of the filter that asks for them.
    pub facts: BTreeMap<String, String>,
    /// What is declared to stand in the file system.
    pub tree: Tree,
}

impl Question {
    /// A question with nothing but an operation and a target.
    pub fn new(operation: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            operation: operation.into(),
            target: target.into(),
            filter: None,
            syscall: None,
            to: None,
            facts: BTreeMap::new(),
            tree: calls::bare_tree(),
        }
    }
}

/// What the model says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The decision; `None` if the model cannot know.
    pub decision: Option<Decision>,
    /// The rule that decides, as a place in [`SbplRules::rules`]; `None` without a decision, and where none matches.
    pub rule: Option<usize>,
    /// The checks that the operation leads to, in order.
    pub chain: Vec<Step>,
    /// Why, in words; without a decision, what is missing.
    pub reason: String,
    /// What the answer takes for granted.
    pub assumes: Vec<String>,
}

/// One check of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The operation that is checked.
    pub operation: &'static str,
    /// What it is checked on: the resolved path, the name, the address.
    pub on: String,
    /// Its decision; `None` if the model cannot know.
    pub decision: Option<Decision>,
    /// The rule that decides it.
    pub rule: Option<usize>,
    /// Why, in words.
    pub why: String,
}

/// A profile, ready to be asked.
#[derive(Debug)]
pub struct Model<'r> {
    rules: &'r SbplRules,
    regexes: Regexes,
}

impl<'r> Model<'r> {
    /// Prepares a profile: its regular expressions are translated once.
    pub fn new(rules: &'r SbplRules) -> Self {
        let mut patterns = Vec::new();
        rules.rules.iter().flat_map(|rule| &rule.filters).for_each(|one| filter::regexes_of(one, &mut patterns));
        let regexes = patterns.into_iter().map(|pattern| (pattern.to_owned(), Compiled::new(pattern))).collect();
        Self { rules, regexes }
    }

    /// Answers one question.
    pub fn ask(&self, question: &Question) -> Answer {
        let checks = match calls::checks(question) {
            Ok(checks) => checks,
            Err(reason) => {
                return Answer { decision: None, rule: None, chain: Vec::new(), reason, assumes: Vec::new() };
            }
        };
        let mut matcher = Matcher { regexes: &self.regexes, assumes: BTreeSet::new() };
        let chain: Vec<Step> = checks
            .list
            .iter()
            .map(|check| {
                let ruling = decide::decide(self.rules, check.operation, &check.object, &mut matcher);
                Step {
                    operation: check.operation,
                    on: check.object.shown.clone(),
                    decision: ruling.decision,
                    rule: ruling.rule,
                    why: ruling.why,
                }
            })
            .collect();
        let (decision, at, reason) = if checks.members.is_empty() {
            verdict(&chain)
        } else {
            agreement(&question.operation, &chain, &checks.members)
        };
        let mut assumes: Vec<String> = checks.assumes;
        assumes.extend(matcher.assumes);
        if decision.is_none() {
            assumes.clear();
        } else {
            self.assume_surroundings(question, decision, &mut assumes);
        }
        assumes.sort();
        assumes.dedup();
        let rule = decision.and(at).and_then(|at| chain[at].rule);
        Answer { decision, rule, chain, reason, assumes }
    }

    /// What an answer takes for granted beyond its own checks.
    fn assume_surroundings(&self, question: &Question, decision: Option<Decision>, assumes: &mut Vec<String>) {
        if question.operation == "mach-lookup" && decision == Some(Decision::Allow) {
            let object = object::Object::default();
            let mut matcher = Matcher { regexes: &self.regexes, assumes: BTreeSet::new() };
            let bootstrap = decide::decide(self.rules, "mach-bootstrap", &object, &mut matcher);
            if bootstrap.decision != Some(Decision::Allow) {
                assumes.push("a lookup does not need `mach-bootstrap`, which the profile does not allow".into());
            }
        }
    }
}

/// Answers one question about a profile.
pub fn evaluate(rules: &SbplRules, question: &Question) -> Answer {
    Model::new(rules).ask(question)
}

/// What a chain of checks comes to: refused at the first that is, open if one is and none is refused.
fn verdict(chain: &[Step]) -> (Option<Decision>, Option<usize>, String) {
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
fn agreement(operation: &str, chain: &[Step], starts: &[usize]) -> (Option<Decision>, Option<usize>, String) {
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
