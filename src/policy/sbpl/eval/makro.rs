//! Macros, and forms that are made: `` ` ``, `,` and `,@`.

use std::rc::Rc;

use super::super::error::{Fault, LocatedFault};
use super::super::rules::{GapKind, LineColumn};
use super::super::syntax::{Datum, Node, NodeMark, Radix};
use super::Evaluator;
use super::value::{EvalStep, Form, Lambda, ScopeId, Value, ValueUse};

impl<'t> Evaluator<'t> {
    /// `(define-macro (NAME PARAMETER …) FORM …)`, `(define-macro NAME PROCEDURE)`, `(macro (NAME FORM) FORM …)`,
    /// `(macro NAME PROCEDURE)`
    pub(super) fn define_macro(&mut self, form: Form<'t>) -> Result<Value<'t>, LocatedFault> {
        let Form { name, node, parts, scope, .. } = form;
        let wanted = "write `(define-macro (NAME PARAMETER …) FORM …)`";
        let malformed = || LocatedFault::new(node.place, Fault::Malformed { form: name.to_owned(), wanted });
        let Some((target, body)) = parts.split_first() else { return Err(malformed()) };
        let (bound, procedure) = match (&target.datum, body) {
            (Datum::List(signature), body) => {
                let Some((Node { datum: Datum::Symbol(bound), .. }, parameters)) = signature.split_first() else {
                    return Err(malformed());
                };
                (bound, self.lambda(bound, parameters, body, scope))
            }
            (Datum::Symbol(bound), [procedure]) => (bound, self.eval(procedure, scope, ValueUse::Value)?),
            _ => return Err(malformed()),
        };
        let value = match procedure {
            Value::Lambda(lambda) => Value::Macro(lambda, name == "macro"),
            other => Value::Unknown(other.unknown().unwrap_or(GapKind::Form)),
        };
        self.bind(bound, value, scope, node.place)?;
        Ok(Value::Nothing)
    }

    /// Calls a macro; what it makes is evaluated in its place.
    pub(super) fn expand(
        &mut self,
        makro: &Rc<Lambda<'t>>,
        whole: bool,
        node: &'t Node,
        arguments: &'t [Node],
        scope: ScopeId,
    ) -> Result<EvalStep<'t>, LocatedFault> {
        let mut values = Vec::new();
        if whole {
            values.push(self.quoted(node)?);
        } else {
            for argument in arguments {
                values.push(self.quoted(argument)?);
            }
        }
        let made = self.call(&Value::Lambda(Rc::clone(makro)), values, node, ValueUse::Value)?;
        let made = self.finish(made, ValueUse::Value)?;
        let Some(made) = self.node_of(&made, node.place)? else {
            self.gap(node, scope, made.unknown().unwrap_or(GapKind::Form))?;
            return Ok(EvalStep::Done(Value::Unknown(GapKind::Form)));
        };
        let kept = self.made.keep(made);
        self.made = kept;
        Ok(kept.node().map_or(EvalStep::Done(Value::Nothing), |made| EvalStep::Tail(made, scope)))
    }

    /// The form that a value is written as; `None` if it is none.
    fn node_of(&mut self, value: &Value<'t>, place: LineColumn) -> Result<Option<Node>, LocatedFault> {
        self.charge(4, place)?;
        let datum = match value {
            Value::Bool(truth) => Datum::Bool(*truth),
            Value::Text(text) => {
                self.charge(text.len() as u64, place)?;
                Datum::Text(text.to_string())
            }
            Value::Number(value) => Datum::Number { value: *value, radix: Radix::Decimal },
            Value::Real(value) => Datum::Decimal(format!("{value:?}")),
            Value::Symbol(name) | Value::Operation(name) => Datum::Symbol(name.to_string()),
            Value::Builtin(name) => Datum::Symbol((*name).to_owned()),
            Value::Nothing => Datum::List(Vec::new()),
            Value::List(items) => {
                let mut nodes = Vec::with_capacity(items.values.len());
                for item in &items.values {
                    let Some(node) = self.node_of(item, place)? else { return Ok(None) };
                    nodes.push(node);
                }
                Datum::List(nodes)
            }
            _ => return Ok(None),
        };
        Ok(Some(Node { place, datum }))
    }

    /// What stands behind a `` ` ``.
    pub(super) fn quasi(&mut self, node: &'t Node, scope: ScopeId) -> Result<Value<'t>, LocatedFault> {
        self.charge(1, node.place)?;
        match &node.datum {
            Datum::Marked(NodeMark::Unquote, inner) => self.eval(inner, scope, ValueUse::Value),
            // One within the other is more than profiles do.
            Datum::Marked(NodeMark::Quasi | NodeMark::Splice, _) => Ok(Value::Unknown(GapKind::Form)),
            Datum::List(items) => {
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    if let Datum::Marked(NodeMark::Splice, inner) = &item.datum {
                        match self.eval(inner, scope, ValueUse::Value)? {
                            Value::List(more) => {
                                self.charge(more.values.len() as u64, item.place)?;
                                values.extend(more.values.iter().cloned());
                            }
                            Value::Nothing => {}
                            other => return Ok(Value::Unknown(other.unknown().unwrap_or(GapKind::Form))),
                        }
                        continue;
                    }
                    values.push(self.quasi(item, scope)?);
                }
                self.items(values, node.place)
            }
            _ => self.quoted(node),
        }
    }
}
