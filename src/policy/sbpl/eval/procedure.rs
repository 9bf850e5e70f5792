//! Calls: procedures of the profile, and those of the language.

use std::rc::Rc;

use super::super::error::{Fault, LocatedFault, shown};
use super::super::model::regex;
use super::super::rules::{GapKind, LineColumn};
use super::super::syntax::Node;
use super::number;
use super::remark::RemarkKind;
use super::value::{EvalStep, Lambda, Value, ValueUse};
use super::{Evaluator, is_constant, names};

impl<'t> Evaluator<'t> {
    /// Calls a procedure; `node` is the form that does so.
    pub(super) fn call(
        &mut self,
        procedure: &Value<'t>,
        values: Vec<Value<'t>>,
        node: &'t Node,
        want: ValueUse,
    ) -> Result<EvalStep<'t>, LocatedFault> {
        match procedure {
            Value::Lambda(lambda) => self.call_lambda(lambda, values, node.place, want),
            Value::Builtin("apply") => self.apply(values, node, want),
            Value::Builtin(name) => self.call_builtin(name, values, node).map(EvalStep::Done),
            other => Ok(EvalStep::Done(Value::Unknown(other.unknown().unwrap_or(GapKind::Form)))),
        }
    }

    fn call_lambda(
        &mut self,
        lambda: &Rc<Lambda<'t>>,
        mut values: Vec<Value<'t>>,
        place: LineColumn,
        want: ValueUse,
    ) -> Result<EvalStep<'t>, LocatedFault> {
        let takes = lambda.parameters.len();
        if values.len() < takes || (values.len() > takes && lambda.rest.is_none()) {
            let more = if lambda.rest.is_some() { " or more" } else { "" };
            let fault =
                Fault::Arity { name: shown(&lambda.name), takes: format!("{takes}{more}"), given: values.len() };
            return Err(LocatedFault::new(place, fault));
        }
        let scope = self.inner_scope(lambda.scope, place)?;
        if let Some(rest) = lambda.rest {
            let further = values.split_off(takes);
            let further = self.items(further, place)?;
            self.bind(rest, further, scope, place)?;
        }
        for (name, value) in lambda.parameters.iter().zip(values) {
            self.bind(name, value, scope, place)?;
        }
        self.body(lambda.body, scope, want)
    }

    /// `(apply PROCEDURE ARGUMENT … LIST)`
    fn apply(&mut self, values: Vec<Value<'t>>, node: &'t Node, want: ValueUse) -> Result<EvalStep<'t>, LocatedFault> {
        self.charge(values.len() as u64, node.place)?;
        if let [procedure, arguments @ .., Value::List(last)] = values.as_slice() {
            let mut all = arguments.to_vec();
            self.charge(last.values.len() as u64, node.place)?;
            all.extend(last.values.iter().cloned());
            return self.call(procedure, all, node, want);
        }
        if let [procedure, arguments @ .., Value::Nothing] = values.as_slice() {
            return self.call(procedure, arguments.to_vec(), node, want);
        }
        self.anything(&values, node).map(EvalStep::Done)
    }

    /// What is done to an unknown list may be anything.
    fn anything(&mut self, values: &[Value<'t>], node: &'t Node) -> Result<Value<'t>, LocatedFault> {
        let kind = Self::reason(values).unwrap_or(GapKind::Form);
        self.gap(node, super::GLOBAL, kind)?;
        if self.sets {
            self.lost = self.lost.or(Some(kind));
        }
        Ok(Value::Unknown(kind))
    }

    fn call_builtin(
        &mut self,
        name: &'static str,
        values: Vec<Value<'t>>,
        node: &'t Node,
    ) -> Result<Value<'t>, LocatedFault> {
        self.charge(values.len() as u64, node.place)?;
        if names::filter(name).is_some() {
            return self.filter(name, values, node);
        }
        match (name, values.as_slice()) {
            ("allow" | "deny", _) => {
                if !self.rule(name, values, node.place)? {
                    self.gap(node, super::GLOBAL, GapKind::Form)?;
                }
                Ok(Value::Nothing)
            }
            ("param", [Value::Text(key)]) => self.parameter(key, node.place),
            ("defined?", [Value::Symbol(name) | Value::Text(name)]) => Ok(self.is_defined(name)),
            ("map" | "for-each", [procedure, Value::List(items)]) => {
                let (procedure, items) = (procedure.clone(), Rc::clone(items));
                let mut results = Vec::new();
                for item in &items.values {
                    self.charge(2, node.place)?;
                    let want = if name == "map" { ValueUse::Value } else { ValueUse::Effect };
                    let step = self.call(&procedure, vec![item.clone()], node, want)?;
                    results.push(self.finish(step, want)?);
                }
                if name == "map" { self.items(results, node.place) } else { Ok(Value::Nothing) }
            }
            ("map" | "for-each", [procedure, first, second]) => {
                // Two lists, side by side.
                let (Value::List(a), Value::List(b)) = (first, second) else { return self.anything(&values, node) };
                let want = if name == "map" { ValueUse::Value } else { ValueUse::Effect };
                let mut results = Vec::new();
                for (a, b) in a.values.iter().zip(&b.values) {
                    self.charge(3, node.place)?;
                    let step = self.call(procedure, vec![a.clone(), b.clone()], node, want)?;
                    results.push(self.finish(step, want)?);
                }
                if name == "map" { self.items(results, node.place) } else { Ok(Value::Nothing) }
            }
            ("map" | "for-each", _) => self.anything(&values, node),
            ("error", _) => {
                let words: Vec<String> = values
                    .iter()
                    .map(|value| match value {
                        Value::Text(text) | Value::Symbol(text) => shown(text),
                        other => other.kind().to_owned(),
                    })
                    .collect();
                Err(LocatedFault::new(node.place, Fault::Raised { message: words.join(" ") }))
            }
            ("display" | "print" | "newline", _) => Ok(Value::Nothing),
            _ => match Self::reason(&values) {
                Some(kind) if !matches!(name, "list" | "cons" | "vector") => Ok(Value::Unknown(kind)),
                _ => self.pure(name, &values, node.place),
            },
        }
    }

    /// `(param "KEY")`
    fn parameter(&mut self, key: &str, place: LineColumn) -> Result<Value<'t>, LocatedFault> {
        self.charge(key.len() as u64, place)?;
        if !self.asked.contains(key) {
            self.asked.insert(key.to_owned());
        }
        match self.parameters.get(key) {
            Some(value) => self.text(value, place),
            None => {
                self.remark(place, RemarkKind::MissingParameter(shown(key)));
                Ok(Value::Bool(false))
            }
        }
    }

    /// `(defined? 'name)`. The names of macOS 14.4.1 are known here, its constants are not.
    fn is_defined(&self, name: &str) -> Value<'t> {
        // `defined?` is asked about the outermost scope: profiles guard against names of other builds with it.
        if self.bound(name, super::GLOBAL).is_some() || self.is_operation(name) {
            return Value::Bool(true);
        }
        if name == "debug" && self.version == 2 {
            return Value::Bool(false);
        }
        let builtin = names::filter(name).is_some() || names::builtin(name).is_some();
        if builtin || names::FORMS.binary_search(&name).is_ok() {
            return Value::Bool(true);
        }
        match self.foreign {
            Some(kind) => Value::Unknown(kind),
            None if is_constant(name) => Value::Unknown(GapKind::Form),
            None => Value::Bool(false),
        }
    }

    /// A procedure without effects, of known values.
    fn pure(&mut self, name: &str, values: &[Value<'t>], place: LineColumn) -> Result<Value<'t>, LocatedFault> {
        let truth = |truth| Ok(Value::Bool(truth));
        match (name, values) {
            ("not", [value]) => truth(value.truth() == Some(false)),
            ("string-append" | "string", _) => {
                let mut out = String::new();
                for value in values {
                    let Value::Text(text) = value else { return Ok(missing(value)) };
                    self.charge(text.len() as u64, place)?;
                    out.push_str(text);
                }
                Ok(Value::Text(Rc::from(out)))
            }
            ("string=?" | "string<?" | "string>?" | "string<=?" | "string>=?", [Value::Text(a), Value::Text(b)]) => {
                self.charge(a.len().min(b.len()) as u64, place)?;
                let order = a.as_bytes().cmp(b.as_bytes());
                truth(match name {
                    "string=?" => order.is_eq(),
                    "string<?" => order.is_lt(),
                    "string>?" => order.is_gt(),
                    "string<=?" => order.is_le(),
                    _ => order.is_ge(),
                })
            }
            ("string=?" | "string<?" | "string>?" | "string<=?" | "string>=?", [a, b]) => {
                Ok(missing(if matches!(a, Value::Text(_)) { b } else { a }))
            }
            ("substring", [Value::Text(text), Value::Number(from), rest @ ..]) => {
                self.charge(text.len() as u64, place)?;
                let to = match rest {
                    [] => i64::try_from(text.len()).ok(),
                    [Value::Number(to)] => Some(*to),
                    _ => None,
                };
                // Places are those of bytes; within a sign nobody knows what comes of it.
                let part = to.and_then(|to| text.get(usize::try_from(*from).ok()?..usize::try_from(to).ok()?));
                Ok(part.map_or(Value::Unknown(GapKind::Form), |part| Value::Text(Rc::from(part))))
            }
            ("substring" | "regex-quote" | "string->number", [value, ..]) if !matches!(value, Value::Text(_)) => {
                Ok(missing(value))
            }
            ("regex-quote", [Value::Text(text)]) => {
                self.charge(2 * text.len() as u64, place)?;
                Ok(Value::Text(Rc::from(regex::quote(text))))
            }
            ("string->number", [Value::Text(text)]) => Ok(number::read(text, 10)),
            ("string->number", [Value::Text(text), Value::Number(radix @ (2 | 8 | 10 | 16))]) => {
                Ok(number::read(text, u32::try_from(*radix).unwrap_or(10)))
            }
            ("equal?" | "eqv?" | "eq?", [a, b]) => Ok(self
                .alike(Equality::of(name), a, b, place)?
                .map_or_else(|| Value::Unknown(GapKind::Form), Value::Bool)),
            ("list", _) => self.items(values.to_vec(), place),
            ("append", _) => {
                let mut all = Vec::new();
                for value in values {
                    let Value::List(items) = value else { return Ok(Value::Unknown(GapKind::Form)) };
                    self.charge(items.values.len() as u64, place)?;
                    all.extend(items.values.iter().cloned());
                }
                self.items(all, place)
            }
            ("cons", [first, Value::List(items)]) => {
                self.charge(items.values.len() as u64, place)?;
                let mut all = vec![first.clone()];
                all.extend(items.values.iter().cloned());
                self.items(all, place)
            }
            ("reverse", [Value::List(items)]) => {
                self.charge(items.values.len() as u64, place)?;
                self.items(items.values.iter().rev().cloned().collect(), place)
            }
            (
                "car" | "cdr" | "caar" | "cadr" | "cdar" | "cddr" | "caadr" | "cadar" | "caddr" | "cdddr" | "cadddr",
                [value],
            ) => {
                let mut value = value.clone();
                for letter in name[1..name.len() - 1].chars().rev() {
                    let Value::List(items) = &value else { return Ok(missing(&value)) };
                    value = match (letter, items.values.split_first()) {
                        ('a', Some((first, _))) => first.clone(),
                        ('d', Some((_, rest))) => {
                            self.charge(rest.len() as u64, place)?;
                            self.items(rest.to_vec(), place)?
                        }
                        _ => return Ok(Value::Unknown(GapKind::Form)),
                    };
                }
                Ok(value)
            }
            ("list-ref", [Value::List(items), Value::Number(n)])
            | ("vector-ref", [Value::Vector(items), Value::Number(n)]) => {
                let item = usize::try_from(*n).ok().and_then(|n| items.values.get(n));
                Ok(item.cloned().unwrap_or(Value::Unknown(GapKind::Form)))
            }
            ("list-tail", [Value::List(items), Value::Number(n)]) => {
                match usize::try_from(*n).ok().and_then(|n| items.values.get(n..)) {
                    Some(rest) => self.items(rest.to_vec(), place),
                    None => Ok(Value::Unknown(GapKind::Form)),
                }
            }
            ("member" | "memq" | "memv", [wanted, Value::List(items)]) => {
                for (n, item) in items.values.iter().enumerate() {
                    match self.alike(Equality::of(name), wanted, item, place)? {
                        Some(true) => return self.items(items.values[n..].to_vec(), place),
                        Some(false) => {}
                        None => return Ok(Value::Unknown(GapKind::Form)),
                    }
                }
                truth(false)
            }
            ("assoc" | "assq" | "assv", [wanted, Value::List(items)]) => {
                for item in &items.values {
                    let Value::List(pair) = item else { return Ok(Value::Unknown(GapKind::Form)) };
                    let Some(key) = pair.values.first() else { return Ok(Value::Unknown(GapKind::Form)) };
                    match self.alike(Equality::of(name), wanted, key, place)? {
                        Some(true) => return Ok(item.clone()),
                        Some(false) => {}
                        None => return Ok(Value::Unknown(GapKind::Form)),
                    }
                }
                truth(false)
            }
            ("vector", _) => Ok(match self.items(values.to_vec(), place)? {
                Value::List(items) => Value::Vector(items),
                other => other,
            }),
            ("make-vector", [Value::Number(n), rest @ ..]) if (0..=10_000).contains(n) => {
                let filling = rest.first().cloned().unwrap_or(Value::Nothing);
                self.charge(n.unsigned_abs(), place)?;
                Ok(match self.items(vec![filling; usize::try_from(*n).unwrap_or(0)], place)? {
                    Value::List(items) => Value::Vector(items),
                    other => other,
                })
            }
            ("vector->list", [Value::Vector(items)]) => Ok(Value::List(Rc::clone(items))),
            ("list->vector", [Value::List(items)]) => Ok(Value::Vector(Rc::clone(items))),
            ("vector-length", [Value::Vector(items)]) => Ok(count(items.values.len())),
            ("vector?", [value]) => truth(matches!(value, Value::Vector(_))),
            ("boolean?", [value]) => truth(matches!(value, Value::Bool(_))),
            ("length", [Value::List(items)]) => Ok(count(items.values.len())),
            // Of bytes, as the places of `substring` are.
            ("string-length", [Value::Text(text)]) => Ok(count(text.len())),
            ("string-length", [value]) => Ok(missing(value)),
            ("null?", [value]) => truth(match value {
                Value::List(items) => items.values.is_empty(),
                value => matches!(value, Value::Nothing),
            }),
            ("pair?", [value]) => truth(matches!(value, Value::List(items) if !items.values.is_empty())),
            ("list?", [value]) => truth(matches!(value, Value::List(_) | Value::Nothing)),
            ("string?", [value]) => truth(matches!(value, Value::Text(_))),
            ("symbol?", [value]) => truth(matches!(value, Value::Symbol(_))),
            ("number?", [value]) => truth(matches!(value, Value::Number(_) | Value::Real(_))),
            ("procedure?", [value]) => truth(matches!(value, Value::Lambda(_) | Value::Builtin(_))),
            ("zero?" | "positive?" | "negative?" | "even?" | "odd?", [value]) => {
                Ok(number::is(name, value).unwrap_or(Value::Unknown(GapKind::Form)))
            }
            ("<" | "<=" | "=" | ">" | ">=", _) => {
                Ok(number::compared(name, values).unwrap_or(Value::Unknown(GapKind::Form)))
            }
            ("+" | "-" | "*" | "/" | "abs" | "max" | "min" | "modulo" | "quotient" | "remainder", _) => {
                Ok(number::computed(name, values).unwrap_or(Value::Unknown(GapKind::Form)))
            }
            ("number->string", [Value::Number(a)]) => self.text(&a.to_string(), place),
            ("symbol->string", [Value::Symbol(a)]) => self.text(a, place),
            ("string->symbol", [Value::Text(a)]) => Ok(Value::Symbol(Rc::clone(a))),
            _ => Ok(Value::Unknown(GapKind::Form)),
        }
    }

    /// Whether two values are the same as far as `how` asks; `None` if nobody knows.
    pub(super) fn alike(
        &mut self,
        how: Equality,
        a: &Value<'t>,
        b: &Value<'t>,
        place: LineColumn,
    ) -> Result<Option<bool>, LocatedFault> {
        let equal = self.equal(a, b, place)?;
        // Two texts that say the same may be one or two, and which of them a name stands for is not kept here. To `eq?`,
        // so may numbers.
        let may_be_two = match a {
            Value::Text(_) => how != Equality::Equal,
            Value::Number(_) | Value::Real(_) => how == Equality::Eq,
            _ => false,
        };
        Ok(equal.filter(|equal| !(*equal && may_be_two)))
    }

    /// Whether two values say the same; `None` if nobody knows.
    fn equal(&mut self, a: &Value<'t>, b: &Value<'t>, place: LineColumn) -> Result<Option<bool>, LocatedFault> {
        self.charge(1, place)?;
        Ok(match (a, b) {
            (Value::Unknown(_), _) | (_, Value::Unknown(_)) => None,
            (Value::Text(a), Value::Text(b)) => {
                self.charge(a.len().min(b.len()) as u64, place)?;
                Some(a == b)
            }
            // Some readers of Scheme fold the case of names; whether this one does is not known.
            (Value::Symbol(a), Value::Symbol(b)) if a != b && a.eq_ignore_ascii_case(b) => None,
            (Value::Symbol(a), Value::Symbol(b)) | (Value::Operation(a), Value::Operation(b)) => Some(a == b),
            (Value::Number(a), Value::Number(b)) => Some(a == b),
            // Exact and inexact numbers of one value: which of the predicates tell them apart is not asked here.
            (Value::Number(_) | Value::Real(_), Value::Number(_) | Value::Real(_)) => None,
            (Value::Bool(a), Value::Bool(b)) => Some(a == b),
            (Value::List(a), Value::List(b)) if a.values.is_empty() && b.values.is_empty() => Some(true),
            (Value::Nothing, Value::Nothing) => Some(true),
            // An empty list and the value of nothing may be one.
            (Value::Nothing, Value::List(items)) | (Value::List(items), Value::Nothing) if items.values.is_empty() => {
                None
            }
            // Deeper comparisons are not what profiles do.
            (Value::List(_), Value::List(_))
            | (Value::Vector(_), Value::Vector(_))
            | (Value::Filter(_), Value::Filter(_))
            | (Value::Macro(..), Value::Macro(..)) => None,
            (Value::Lambda(a), Value::Lambda(b)) => Some(Rc::ptr_eq(a, b)),
            (Value::Builtin(a), Value::Builtin(b)) => Some(a == b),
            _ => Some(false),
        })
    }
}

/// What has to be the same for two values to count as the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Equality {
    /// What they say: `equal?`, `member`, `assoc`.
    Equal,
    /// The object, or the number: `eqv?`, `memv`, `assv`, `case`.
    Eqv,
    /// The object: `eq?`, `memq`, `assq`.
    Eq,
}

impl Equality {
    /// What the procedure `name` asks for.
    fn of(name: &str) -> Self {
        match name {
            "equal?" | "member" | "assoc" => Self::Equal,
            "eqv?" | "memv" | "assv" => Self::Eqv,
            _ => Self::Eq,
        }
    }
}

/// What comes of a value that is no text where one is needed. A parameter without a value is the usual cause.
fn missing<'t>(value: &Value<'t>) -> Value<'t> {
    Value::Unknown(if matches!(value, Value::Bool(false)) { GapKind::Parameter } else { GapKind::Form })
}

fn count<'t>(count: usize) -> Value<'t> {
    i64::try_from(count).map_or(Value::Unknown(GapKind::Form), Value::Number)
}
