//! Conditions whose value is not known: the program goes every way, one after the other, from the same state.
//!
//! The rules of each way stand under its [`ConditionChoice`]. What the ways bind differently is not known afterwards.

use std::collections::HashMap;

use super::super::error::LocatedFault;
use super::super::print::brief;
use super::super::rules::{Condition, ConditionChoice, Filter, GapKind, Rule};
use super::super::syntax::{Datum, Node};
use super::Evaluator;
use super::value::{Form, ScopeId, Value, ValueUse};

/// So deep ways may branch off from ways, and so often a program may branch. Past that, a form that branches is a gap.
const MOST_NESTED: usize = 6;
const MOST_FORKS: usize = 2000;

/// A way to go on.
pub(super) enum EvalPath<'t> {
    /// These forms.
    Body(&'t [Node]),
    /// Further clauses of a `cond`.
    Clauses(&'t [Node]),
    /// The rest of an `and` (or else of an `or`).
    Rest(bool, &'t [Node]),
    /// Nothing but a value.
    Value(Value<'t>),
    /// Something that nobody knows.
    Lost,
}

/// What a way left behind.
struct PathResult<'t> {
    value: Value<'t>,
    /// What it bound.
    bound: HashMap<(ScopeId, &'t str), Option<Value<'t>>>,
    /// Where its rules end.
    rules_end: usize,
}

impl<'t> Evaluator<'t> {
    /// Goes every way of `node`, which depends on `condition`.
    pub(super) fn fork(
        &mut self,
        node: &'t Node,
        condition: &'t Node,
        value: &Value<'t>,
        ways: Vec<EvalPath<'t>>,
        scope: ScopeId,
        want: ValueUse,
    ) -> Result<Value<'t>, LocatedFault> {
        let kind = value.unknown().unwrap_or(GapKind::Form);
        if self.choices.len() >= MOST_NESTED || self.forks >= MOST_FORKS {
            return self.undecided(node, std::slice::from_ref(node), scope, want, kind);
        }
        self.forks += 1;
        let number = self.conditions.len();
        let text = brief(condition);
        self.charge(16 + text.len() as u64, node.place)?;
        let branches = ways.len() as u32;
        let entitlement = self.entitlement_of(condition, scope);
        self.conditions.push(Condition { text, place: condition.place, kind, branches, entitlement });
        let (rules_start, gaps_start) = (self.rules.len(), self.gaps.len());
        let (foreign, lost) = (self.foreign, self.lost);
        let (mut foreign_after, mut lost_after) = (foreign, lost);
        let mut gone = Vec::with_capacity(ways.len());
        let mut refused = false;
        for (branch, way) in ways.into_iter().enumerate() {
            (self.foreign, self.lost) = (foreign, lost);
            match self.go(
                way,
                ConditionChoice { condition: number as u32, branch: branch as u32 },
                node,
                scope,
                want,
            )? {
                Some(one) => gone.push(one),
                None => refused = true,
            }
            foreign_after = foreign_after.or(self.foreign);
            lost_after = lost_after.or(self.lost);
        }
        (self.foreign, self.lost) = (foreign_after, lost_after);
        self.merge(&gone, kind, node)?;
        if refused {
            // A way that the system refuses says nothing about the profile that is applied.
            self.gap(node, scope, kind)?;
        } else if self.gaps.len() == gaps_start {
            self.join(&gone, rules_start);
        }
        if self.rules[rules_start..].iter().all(|rule| rule.conditions.len() <= self.choices.len()) {
            self.conditions.truncate(number);
        }
        let values: Vec<Value<'t>> = gone.into_iter().map(|one| one.value).collect();
        if refused {
            return Ok(Value::Unknown(kind));
        }
        match values.split_first() {
            Some((first, others)) if others.iter().all(|other| other.is_same(first)) => Ok(first.clone()),
            _ => self.one_of(&values, condition, kind, node),
        }
    }

    /// A value that is one of these. Of filters it is known at least that it does not match where none of them does.
    fn one_of(
        &mut self,
        values: &[Value<'t>],
        condition: &Node,
        kind: GapKind,
        node: &'t Node,
    ) -> Result<Value<'t>, LocatedFault> {
        let (mut parts, mut weight, mut depth) = (Vec::with_capacity(values.len()), 0, 0);
        for value in values {
            let Value::Filter(built) = value else { return Ok(Value::Unknown(kind)) };
            self.charge(built.weight, node.place)?;
            weight += built.weight;
            depth = depth.max(built.depth);
            parts.push(built.filter.clone());
        }
        if parts.is_empty() {
            return Ok(Value::Unknown(kind));
        }
        let open = Filter::Unknown { name: "if".to_owned(), text: brief(condition) };
        self.built(Filter::All(vec![open, Filter::Any(parts)]), weight + 256, depth + 2, node.place)
    }

    /// Goes one way, and takes back what it bound. `None`: the system would refuse a profile that goes it.
    fn go(
        &mut self,
        way: EvalPath<'t>,
        choice: ConditionChoice,
        node: &'t Node,
        scope: ScopeId,
        want: ValueUse,
    ) -> Result<Option<PathResult<'t>>, LocatedFault> {
        let mark = self.journal.len();
        let (rules, gaps, depth) = (self.rules.len(), self.gaps.len(), self.depth);
        self.choices.push(choice);
        let outcome = match way {
            EvalPath::Body(body) => self.whole_body(body, scope, want),
            EvalPath::Clauses(parts) => {
                let rest = Form { name: "cond", node, parts, scope, want };
                self.cond_form(rest).and_then(|step| self.finish(step, want))
            }
            EvalPath::Rest(all, parts) => {
                let rest = Form { name: if all { "and" } else { "or" }, node, parts, scope, want };
                self.and_or(all, rest).and_then(|step| self.finish(step, want))
            }
            EvalPath::Value(value) => Ok(value),
            EvalPath::Lost => self.gap(node, scope, GapKind::Form).map(|()| Value::Unknown(GapKind::Form)),
        };
        self.choices.pop();
        let mut bound = HashMap::new();
        for (scope, name, before) in self.journal.split_off(mark).into_iter().rev() {
            let after = match before {
                Some(before) => self.scopes[scope.0].names.insert(name, before),
                None => self.scopes[scope.0].names.remove(name),
            };
            bound.entry((scope, name)).or_insert(after);
        }
        match outcome {
            Ok(value) => Ok(Some(PathResult { value, bound, rules_end: self.rules.len() })),
            Err(stop) if stop.fault.is_limit() => Err(stop),
            Err(_) => {
                self.rules.truncate(rules);
                self.gaps.truncate(gaps);
                // Filters around it and message filters are left on the way out, whatever ended it.
                self.depth = depth;
                Ok(None)
            }
        }
    }

    /// Binds what the ways bound: what they agree on, and nothing that is known where they do not.
    fn merge(&mut self, gone: &[PathResult<'t>], kind: GapKind, node: &'t Node) -> Result<(), LocatedFault> {
        let mut names: Vec<(ScopeId, &'t str)> = gone.iter().flat_map(|one| one.bound.keys().copied()).collect();
        names.sort_by_key(|(scope, name)| (scope.0, *name));
        names.dedup();
        for (scope, name) in names {
            let base = self.scopes[scope.0].names.get(name).cloned();
            let mut values = gone.iter().map(|one| one.bound.get(&(scope, name)).unwrap_or(&base));
            let first = values.next().cloned().flatten();
            let agreed = first.filter(|first| {
                let same = |other: &Option<Value<'t>>| other.as_ref().is_some_and(|other| other.is_same(first));
                values.all(same)
            });
            self.bind(name, agreed.unwrap_or(Value::Unknown(kind)), scope, node.place)?;
        }
        Ok(())
    }

    /// Where every way made the same rules, they do not depend on the condition.
    fn join(&mut self, gone: &[PathResult<'t>], start: usize) {
        let Some((first, others)) = gone.split_first() else { return };
        let end = first.rules_end;
        let mut begin = end;
        let all_same = others.iter().all(|other| {
            let range = begin..other.rules_end;
            begin = other.rules_end;
            let (mine, theirs) = (&self.rules[start..end], &self.rules[range]);
            mine.len() == theirs.len() && mine.iter().zip(theirs).all(|(a, b)| says_the_same(a, b, self.choices.len()))
        });
        if !all_same || others.is_empty() {
            return;
        }
        self.rules.truncate(end);
        let depth = self.choices.len();
        for rule in &mut self.rules[start..] {
            rule.conditions.truncate(depth);
        }
    }

    /// The entitlement that a condition asks for, if it asks for nothing else.
    fn entitlement_of(&self, condition: &Node, scope: ScopeId) -> Option<String> {
        match condition.list()? {
            [head, Node { datum: Datum::Text(name), .. }]
                if head.symbol() == Some("entitlement") && self.bound("entitlement", scope).is_none() =>
            {
                Some(name.clone())
            }
            _ => None,
        }
    }

    /// Nobody knows whether these parts of `node` are evaluated: a gap, if that could matter.
    pub(super) fn undecided(
        &mut self,
        node: &'t Node,
        parts: &'t [Node],
        scope: ScopeId,
        want: ValueUse,
        kind: GapKind,
    ) -> Result<Value<'t>, LocatedFault> {
        for part in parts {
            if self.has_effects(part, scope, want == ValueUse::Effect)? {
                self.gap(node, scope, kind)?;
                // A procedure that is called may set anything.
                if self.sets {
                    self.lost = self.lost.or(Some(kind));
                }
                break;
            }
        }
        Ok(Value::Unknown(kind))
    }
}

/// Whether two rules of different ways say the same: no further condition, and the same decision about the same.
fn says_the_same(a: &Rule, b: &Rule, depth: usize) -> bool {
    a.conditions.len() == depth + 1
        && b.conditions.len() == depth + 1
        && a.action == b.action
        && a.operations == b.operations
        && a.filters == b.filters
        && a.in_message_filter == b.in_message_filter
}
