//! `allow` and `deny`.

use super::super::error::{Fault, LocatedFault, shown};
use super::super::print::brief;
use super::super::rules::{Filter, GapKind, LineColumn, Rule};
use super::super::syntax::Node;
use super::remark::RemarkKind;
use super::value::{Form, ScopeId, Value, ValueUse};
use super::{Evaluator, MOST_REMARKS};
use crate::base::suggest::{close_to, slips};
use crate::policy::operations::{FURTHER_GROUPS, OPERATIONS, OTHER_NAMES, UNSTARRED_GROUPS};
use crate::record::outcome::Decision;

impl<'t> Evaluator<'t> {
    /// A rule as a form: names of operations and unknown filters are seen as they are written.
    pub(super) fn rule_form(&mut self, form: Form<'t>) -> Result<Value<'t>, LocatedFault> {
        let Form { name: action, node, parts: arguments, scope, .. } = form;
        let mut values = Vec::with_capacity(arguments.len());
        let mut message_filters = Vec::new();
        for argument in arguments {
            if argument.head() == Some("apply-message-filter") && self.bound("apply-message-filter", scope).is_none() {
                message_filters.push(argument);
                continue;
            }
            values.push(match argument.symbol() {
                Some(name) if self.bound(name, scope).is_none() => {
                    let first = !values.iter().any(|value| matches!(value, Value::Operation(_)));
                    self.operation(name, first, argument)?
                }
                _ => self.filter_argument(argument, scope)?,
            });
        }
        if !self.rule(action, values, node.place)? {
            self.gap(node, scope, GapKind::Form)?;
        }
        for filter in message_filters {
            self.message_filter(filter.list().map_or(&[], |items| &items[1..]), scope)?;
        }
        Ok(Value::Nothing)
    }

    /// The operation of that name. A name that is one slip away from one is a mistake; any other one may be an operation of
    /// another release. Only where something unknown may have bound it, and an operation stands before it already, it
    /// may be a filter.
    fn operation(&mut self, name: &'t str, first: bool, node: &'t Node) -> Result<Value<'t>, LocatedFault> {
        if self.is_operation(name) {
            return Ok(Value::Operation(name.into()));
        }
        if UNSTARRED_GROUPS.contains(&name) {
            let fault =
                Fault::NotInVersion { name: name.to_owned(), version: self.version, instead: format!("{name}*") };
            return Err(LocatedFault::new(node.place, fault));
        }
        // Comparing names is dear.
        self.charge(16 * OPERATIONS.len() as u64, node.place)?;
        let known = || {
            let others = OTHER_NAMES.iter().map(|(name, _)| *name);
            OPERATIONS.into_iter().chain(FURTHER_GROUPS).chain(others)
        };
        // After an import, a name that is no operation is a filter more likely than not.
        let most = if !first && self.foreign.is_some() { 2 } else { 1 };
        if known().any(|operation| slips(name, operation) <= most) {
            let close: Vec<String> = close_to(name, known()).into_iter().map(str::to_owned).collect();
            return Err(LocatedFault::new(node.place, Fault::UnknownOperation { found: shown(name), close }));
        }
        if !first && self.foreign.is_some() {
            return self.unknown_filter(node);
        }
        if self.remarks.len() < MOST_REMARKS {
            self.remark(node.place, RemarkKind::Operation(shown(name)));
        }
        Ok(Value::Operation(name.into()))
    }

    /// An argument that has to be a filter or a modifier. What is not known is an unknown filter.
    pub(super) fn filter_argument(&mut self, node: &'t Node, scope: ScopeId) -> Result<Value<'t>, LocatedFault> {
        let value = self.eval(node, scope, ValueUse::Value)?;
        match value {
            Value::Filter(_) | Value::Modifier(_) | Value::Operation(_) => Ok(value),
            // What a missing parameter, a condition without an `else` or a list stands for is the system's to say.
            Value::Unknown(_) | Value::Bool(false) | Value::Nothing | Value::List(_) => self.unknown_filter(node),
            other => {
                let (filter, found) = (brief(node), other.kind().to_owned());
                Err(LocatedFault::new(node.place, Fault::NoFilter { filter, found }))
            }
        }
    }

    fn unknown_filter(&mut self, node: &Node) -> Result<Value<'t>, LocatedFault> {
        let text = brief(node);
        let name = node.head().or(node.symbol()).map_or_else(|| text.clone(), shown);
        self.built(Filter::Unknown { name, text }, 0, 1, node.place)
    }

    /// Adds a rule of these parts. Not if something unknown stands in it and no operation: then that may be one, and the
    /// answer is `false`.
    pub(super) fn rule(
        &mut self,
        action: &str,
        values: Vec<Value<'t>>,
        place: LineColumn,
    ) -> Result<bool, LocatedFault> {
        let (action, word) = match action {
            "allow" => (Decision::Allow, "allow"),
            _ => (Decision::Deny, "deny"),
        };
        let (mut operations, mut filters, mut modifiers) = (Vec::new(), Vec::new(), Vec::new());
        let mut weight = 64;
        for value in values {
            match value {
                Value::Operation(name) => {
                    weight += 16 + name.len() as u64;
                    operations.push(name.to_string());
                }
                Value::Modifier(text) => {
                    weight += 16 + text.len() as u64;
                    modifiers.push(text.to_string());
                }
                Value::Filter(built) => {
                    // Before it is copied.
                    self.charge(built.weight, place)?;
                    match &built.filter {
                        // A list of filters is an OR already.
                        Filter::Any(inner) => filters.extend(inner.iter().cloned()),
                        filter => filters.push(filter.clone()),
                    }
                }
                other => {
                    let text = other.kind().to_owned();
                    filters.push(Filter::Unknown { name: text.clone(), text });
                }
            }
        }
        if operations.is_empty() && filters.iter().any(|filter| matches!(filter, Filter::Unknown { .. })) {
            return Ok(false);
        }
        if operations.is_empty() {
            return Err(LocatedFault::new(place, Fault::NoOperation { action: word }));
        }
        if !self.around.is_empty() {
            self.charge(self.around.iter().map(|built| built.weight).sum(), place)?;
            let mut all: Vec<Filter> = self.around.iter().map(|built| built.filter.clone()).collect();
            match filters.len() {
                0 => {}
                1 => all.append(&mut filters),
                _ => all.push(Filter::Any(std::mem::take(&mut filters))),
            }
            filters = vec![Filter::All(all)];
        }
        self.charge(weight, place)?;
        let in_message_filter = self.in_message_filter;
        let conditions = self.choices.clone();
        self.charge(conditions.len() as u64, place)?;
        self.rules.push(Rule { action, operations, filters, modifiers, in_message_filter, conditions, place });
        Ok(true)
    }
}
