//! Which rule decides one check.
//!
//! The rules are asked level by level: those that name the operation, then its groups from narrow to wide, then
//! `default`. Within a level the last rule with a filter that matches decides; a rule without a filter is what the level
//! falls back to, wherever it stands; a level without an answer passes on to the next. No decision that was recorded on
//! 14.4.1 tells this order from a plain "the last rule that matches decides", so an answer that depends on it says so.

use std::collections::{BTreeMap, HashMap};

use super::beyond::{WideDenialReach, reached};
use super::filter::Matcher;
use super::index::Index;
use super::object::CheckObject;
use super::tri::Tri;
use crate::policy::operations::{levels, may_concern};
use crate::policy::sbpl::rules::{Gap, GapKind, SbplRules};
use crate::record::outcome::Decision;

/// What became of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CheckRuling {
    /// `None`: it cannot be known.
    pub decision: Option<Decision>,
    /// The rule that decides.
    pub rule: Option<usize>,
    /// Why it decides, or what is missing.
    pub why: String,
    /// The levels that were asked.
    pub levels: Vec<Level>,
}

/// One level of a check: what the rules on one name said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// The name: the operation, a group of it, or `default`.
    pub name: &'static str,
    /// The rules with a filter that match or may match, the last first, up to the first that certainly does; as places in
    /// [`SbplRules::rules`].
    pub filtered: Vec<(usize, MatchCertainty)>,
    /// The rule without a filter that the level falls back to, if it was asked for one.
    pub fallback: Option<usize>,
}

/// How certainly a rule matches that is not certain not to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchCertainty {
    /// It does.
    Yes,
    /// It may.
    Perhaps,
}

/// A part of the profile that may decide against what decides otherwise.
struct Doubt {
    /// What it would decide; `None` if that is not known either.
    action: Option<Decision>,
    why: String,
    /// Conditions that it depends on.
    conditions: Vec<u32>,
}

/// Which way the program went at conditions.
pub(super) type ConditionPaths = BTreeMap<u32, u32>;

/// What rules are asked of: the profile, and what is known beyond its text.
pub(super) struct RuleContext<'a> {
    pub rules: &'a SbplRules,
    pub index: &'a Index,
    pub ways: &'a ConditionPaths,
}

/// So many conditions are tried both ways, to see whether the answer depends on them.
const MOST_CONDITIONS: usize = 6;

/// Decides one check.
pub(super) fn decide(
    asked: &RuleContext<'_>,
    operation: &'static str,
    object: &CheckObject,
    matcher: &mut Matcher<'_>,
) -> CheckRuling {
    every_way(asked, operation, object, matcher, MOST_CONDITIONS)
}

/// Decides one check; where conditions keep it open, each way is tried, and all of them have to agree.
fn every_way(
    asked: &RuleContext<'_>,
    operation: &'static str,
    object: &CheckObject,
    matcher: &mut Matcher<'_>,
    depth: usize,
) -> CheckRuling {
    let mut check = CheckEvaluation { asked, operation, object, matcher, known: HashMap::new() };
    let (open, condition) = check.ruling();
    let Some(condition) = condition.filter(|_| open.decision.is_none() && depth > 0) else { return open };
    let mut agreed: Option<CheckRuling> = None;
    for branch in 0..asked.rules.conditions[condition as usize].branches {
        let mut ways = asked.ways.clone();
        ways.insert(condition, branch);
        let asked = RuleContext { ways: &ways, ..*asked };
        let ruling = every_way(&asked, operation, object, matcher, depth - 1);
        match &agreed {
            _ if ruling.decision.is_none() => return open,
            Some(known) if known.decision != ruling.decision => return open,
            Some(_) => {}
            None => agreed = Some(ruling),
        }
    }
    agreed
        .map_or(open, |ruling| CheckRuling { why: format!("{}, or one like it, whatever holds", ruling.why), ..ruling })
}

struct CheckEvaluation<'a, 'm, 'p> {
    asked: &'a RuleContext<'a>,
    operation: &'static str,
    object: &'a CheckObject,
    matcher: &'m mut Matcher<'p>,
    /// Whether rules match, as far as they were asked.
    known: HashMap<usize, Tri>,
}

impl CheckEvaluation<'_, '_, '_> {
    /// The ruling, and a condition that keeps it open.
    fn ruling(&mut self) -> (CheckRuling, Option<u32>) {
        let rules = self.asked.rules;
        let mut doubts: Vec<Doubt> = Vec::new();
        let mut asked_levels = Vec::new();
        let mut named = false;
        for name in levels(self.operation) {
            let list = self.asked.index.on(name);
            named |= !list.is_empty() && name != "default";
            let decides = self.level(name, list, &mut doubts, &mut asked_levels);
            let Some(index) = decides else { continue };
            let decision = rules.rules[index].action;
            if decision == Decision::Deny {
                match reached(self.operation, name, self.object) {
                    WideDenialReach::Yes => {}
                    WideDenialReach::NotWhileUnnamed => break,
                    WideDenialReach::Unknown(why) => {
                        let why = format!(
                            "whether the rule on `{name}` at {} denies `{}` is not known: {why}",
                            rules.rules[index].place, self.operation
                        );
                        return (CheckRuling { decision: None, rule: None, why, levels: asked_levels }, None);
                    }
                }
            }
            let (last, by_position) = self.last_match(index);
            let mut why = if last == index {
                format!("the rule at {} is the last that matches", rules.rules[index].place)
            } else {
                self.precedence(index, name, last)
            };
            let (ruling, condition) = settle(decision, Some(index), why.clone(), asked_levels, &doubts);
            if ruling.decision.is_some() && by_position != Some(decision) {
                if last == index {
                    why = format!("the rule at {} comes first whatever stands behind it", rules.rules[index].place);
                }
                self.matcher.assumes.insert(format!(
                    "{why} ({}; reported of other releases, not recorded on 14.4.1)",
                    "a rule on a narrower name before one on a wider, one with a filter before one without"
                ));
            }
            return (ruling, condition);
        }
        let (decision, why) = nothing_matches(rules.version, self.operation, self.object, named);
        match decision {
            Some(decision) => settle(decision, None, why, asked_levels, &doubts),
            None => {
                let condition = doubts.iter().find_map(|doubt| doubt.conditions.first().copied());
                let why = match doubts.first() {
                    Some(doubt) => format!("{}; besides, {why}", doubt.why),
                    None => why,
                };
                (CheckRuling { decision: None, rule: None, why, levels: asked_levels }, condition)
            }
        }
    }

    /// Asks one level. What may decide before its answer goes to `doubts`.
    fn level(
        &mut self,
        name: &'static str,
        list: &[usize],
        doubts: &mut Vec<Doubt>,
        asked_levels: &mut Vec<Level>,
    ) -> Option<usize> {
        let rules = self.asked.rules;
        let mut level = Level { name, filtered: Vec::new(), fallback: None };
        let mut gaps = rules.gaps.iter().rev().peekable();
        // Names of unknown meaning may belong to this level, too.
        let unknown_ops: Vec<(usize, usize)> = (self.asked.index.unknown_ops().iter().copied())
            .filter(|(at, n)| may_concern(&rules.rules[*at].operations[*n], self.operation))
            .collect();
        let merged = merged(list, &unknown_ops);
        let mut decides = None;
        for (at, unknown_op) in merged.iter().rev().copied() {
            let rule = &rules.rules[at];
            if rule.filters.is_empty() {
                continue;
            }
            while let Some(gap) = gaps.next_if(|gap| gap.before > at) {
                doubts.push(doubt_of(gap));
            }
            match self.matches(at) {
                Tri::No => {}
                Tri::Yes if unknown_op.is_none() => {
                    level.filtered.push((at, MatchCertainty::Yes));
                    decides = Some(at);
                    break;
                }
                answer => {
                    level.filtered.push((at, MatchCertainty::Perhaps));
                    doubts.push(self.doubt(at, unknown_op, answer));
                }
            }
        }
        if decides.is_none() {
            doubts.extend(gaps.map(doubt_of));
            for (at, unknown_op) in merged.iter().rev().copied() {
                if !rules.rules[at].filters.is_empty() {
                    continue;
                }
                match self.matches(at) {
                    Tri::No => {}
                    Tri::Yes if unknown_op.is_none() => {
                        level.fallback = Some(at);
                        decides = Some(at);
                        break;
                    }
                    answer => doubts.push(self.doubt(at, unknown_op, answer)),
                }
            }
        }
        asked_levels.push(level);
        decides
    }

    fn doubt(&self, at: usize, unknown_op: Option<usize>, answer: Tri) -> Doubt {
        let rule = &self.asked.rules.rules[at];
        let why = match (unknown_op, answer) {
            (_, Tri::Unknown(why)) => format!("the rule at {}: {why}", rule.place),
            (Some(n), _) => format!(
                "the rule at {}: what `{}` means, which is not among the operations of 14.4.1, is not known",
                rule.place, rule.operations[n]
            ),
            (None, _) => format!("the rule at {}", rule.place),
        };
        let open = |condition: &u32| !self.asked.ways.contains_key(condition);
        let conditions = rule.conditions.iter().map(|choice| choice.condition).filter(open).collect();
        Doubt { action: Some(rule.action), why, conditions }
    }

    /// Whether a rule is there and matches.
    fn matches(&mut self, at: usize) -> Tri {
        if let Some(known) = self.known.get(&at) {
            return known.clone();
        }
        let rules = self.asked.rules;
        let rule = &rules.rules[at];
        let mut there = Tri::Yes;
        for choice in &rule.conditions {
            match self.asked.ways.get(&choice.condition) {
                Some(branch) if *branch == choice.branch => {}
                Some(_) => there = Tri::No,
                None if there == Tri::Yes => {
                    let condition = &rules.conditions[choice.condition as usize];
                    let what = match condition.kind {
                        GapKind::Import => "depends on what an import brings",
                        GapKind::Parameter => "depends on a parameter that has no value",
                        GapKind::Form => "is not known here",
                    };
                    there = Tri::unknown(format!("whether `{}` at {} holds {what}", condition.text, condition.place));
                }
                None => {}
            }
        }
        let answer = match there {
            Tri::No => Tri::No,
            there => Tri::all([self.matcher.rule(rule, self.object), there]),
        };
        self.known.insert(at, answer.clone());
        answer
    }

    /// What a plain reading by position comes to: the last rule in the text that certainly matches, whatever it names and
    /// whether it has a filter, with its decision, unless something behind it leaves that open. The rule at `decides` is one that
    /// matches.
    fn last_match(&mut self, decides: usize) -> (usize, Option<Decision>) {
        let rules = self.asked.rules;
        let mut all: Vec<(usize, &'static str)> = Vec::new();
        for name in levels(self.operation) {
            all.extend(self.asked.index.on(name).iter().map(|at| (*at, name)));
        }
        // A rule with several names counts as one on the narrowest.
        all.sort_by_key(|(at, _)| *at);
        all.dedup_by_key(|(at, _)| *at);
        let mut gaps = rules.gaps.iter().rev().peekable();
        let mut open: Vec<Option<Decision>> = Vec::new();
        for (at, name) in all.into_iter().rev() {
            while gaps.next_if(|gap| gap.before > at).is_some() {
                open.push(None);
            }
            let action = rules.rules[at].action;
            match self.matches(at) {
                Tri::No => {}
                Tri::Unknown(_) => open.push(Some(action)),
                Tri::Yes
                    if at != decides
                        && action == Decision::Deny
                        && reached(self.operation, name, self.object) != WideDenialReach::Yes => {}
                Tri::Yes => {
                    let certain = open.iter().all(|other| *other == Some(action));
                    return (at, certain.then_some(action));
                }
            }
        }
        (decides, None)
    }

    /// Why the rule at `index`, found on the level `name`, decides although the one at `last` stands later.
    fn precedence(&self, index: usize, name: &'static str, last: usize) -> String {
        let rules = self.asked.rules;
        let (rule, later) = (&rules.rules[index], &rules.rules[last]);
        let level_of =
            |at: usize| levels(self.operation).into_iter().position(|name| self.asked.index.on(name).contains(&at));
        let (mine, other) = (level_of(index), level_of(last));
        let other_name = other.map_or("", |at| levels(self.operation)[at]);
        if mine == other {
            return format!(
                "the rule at {}, which has a filter, comes before the one at {}, which has none, although that stands later",
                rule.place, later.place
            );
        }
        if other_name == "default" {
            return format!(
                "the rule on `{name}` at {} comes before the one on `default` at {}, although that stands later",
                rule.place, later.place
            );
        }
        let word = if name == self.operation { "the named rule" } else { "the rule on the narrower group" };
        format!(
            "{word} at {} (`{name}`) comes before the group rule at {} (`{other_name}`), although that stands later",
            rule.place, later.place
        )
    }
}

/// Rules of a level and rules of a name that may be of it, in the order of the text.
fn merged(list: &[usize], unknown_ops: &[(usize, usize)]) -> Vec<(usize, Option<usize>)> {
    let mut all: Vec<(usize, Option<usize>)> = list.iter().map(|at| (*at, None)).collect();
    if !unknown_ops.is_empty() {
        all.extend(unknown_ops.iter().map(|(at, n)| (*at, Some(*n))));
        all.sort();
        all.dedup_by_key(|(at, _)| *at);
    }
    all
}

fn nothing_matches(version: u32, operation: &str, object: &CheckObject, named: bool) -> (Option<Decision>, String) {
    let left_alone = reached(operation, "default", object);
    match (version, left_alone) {
        (1, WideDenialReach::NotWhileUnnamed) if !named => (
            Some(Decision::Allow),
            format!("no rule names `{operation}`, which `(deny default)` does not refuse in a version 1 profile"),
        ),
        (_, WideDenialReach::NotWhileUnnamed) => (
            None,
            format!(
                "no rule matches, and what decides `{operation}` then, which `(deny default)` does not refuse while \
                 nothing names it, is not known"
            ),
        ),
        (1, _) => (
            None,
            "no rule matches, and what a version 1 profile without a rule on `default` decides is not known".into(),
        ),
        (_, WideDenialReach::Unknown(why)) => (
            None,
            format!("no rule matches, and whether a version {version} profile refuses it then is not known: {why}"),
        ),
        (2, _) => {
            (Some(Decision::Deny), "no rule matches, and a version 2 profile refuses what it does not name".into())
        }
        _ => (
            None,
            format!(
                "no rule matches, and what a version {version} profile without a rule on `default` decides is not known"
            ),
        ),
    }
}

/// The ruling, unless something that comes before it could change it.
fn settle(
    decision: Decision,
    rule: Option<usize>,
    why: String,
    levels: Vec<Level>,
    doubts: &[Doubt],
) -> (CheckRuling, Option<u32>) {
    let against = |doubt: &&Doubt| doubt.action != Some(decision);
    match doubts.iter().find(against) {
        Some(doubt) => {
            // Best one that the doubt itself depends on. One that a rule which agrees depends on may settle it too:
            // wherever that rule is there, it may come before what is doubtful.
            let condition =
                doubts.iter().filter(against).chain(doubts).find_map(|doubt| doubt.conditions.first().copied());
            (CheckRuling { decision: None, rule: None, why: doubt.why.clone(), levels }, condition)
        }
        None => (CheckRuling { decision: Some(decision), rule, why, levels }, None),
    }
}

fn doubt_of(gap: &Gap) -> Doubt {
    let what = match gap.kind {
        GapKind::Import => "what it brings belongs to a build of the system, and is not known here",
        GapKind::Parameter => "it depends on a parameter that has no value",
        GapKind::Form => "this form is not known here",
    };
    Doubt { action: None, why: format!("`{}` at {}: {what}", gap.text, gap.place), conditions: Vec::new() }
}
