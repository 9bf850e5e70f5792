//! Calls: procedures of the profile, and those of the language.

use std::rc::Rc;

use super::super::error::{Fault, Stop, shown};
use super::super::rules::{GapKind, Place};
use super::super::syntax::Node;
use super::remark::RemarkKind;
use super::value::{Lambda, Value};
use super::{Evaluator, Want, is_constant, names};

impl<'t> Evaluator<'t> {
    /// Calls a procedure; `node` is the form that does so.
    pub(super) fn call(
        &mut self,
        procedure: &Value<'t>,
        values: Vec<Value<'t>>,
        node: &'t Node,
        want: Want,
    ) -> Result<Value<'t>, Stop> {
        match procedure {
            Value::Lambda(lambda) => self.call_lambda(lambda, values, node.place, want),
            Value::Builtin(name) => self.call_builtin(name, values, node, want),
            other => Ok(Value::Unknown(other.unknown().unwrap_or(GapKind::Form))),
        }
    }

    fn call_lambda(
        &mut self,
        lambda: &Rc<Lambda<'t>>,
        mut values: Vec<Value<'t>>,
        place: Place,
        want: Want,
    ) -> Result<Value<'t>, Stop> {
        let takes = lambda.parameters.len();
        if values.len() < takes || (values.len() > takes && lambda.rest.is_none()) {
            let more = if lambda.rest.is_some() { " or more" } else { "" };
            let fault =
                Fault::Arity { name: shown(&lambda.name), takes: format!("{takes}{more}"), given: values.len() };
            return Err(Stop::new(place, fault));
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

    fn call_builtin(
        &mut self,
        name: &'static str,
        values: Vec<Value<'t>>,
        node: &'t Node,
        want: Want,
    ) -> Result<Value<'t>, Stop> {
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
            ("apply", [procedure, arguments @ .., Value::List(last)]) => {
                let mut all = arguments.to_vec();
                self.charge(last.values.len() as u64, node.place)?;
                all.extend(last.values.iter().cloned());
                let procedure = procedure.clone();
                self.call(&procedure, all, node, want)
            }
            ("map" | "for-each", [procedure, Value::List(items)]) => {
                let (procedure, items) = (procedure.clone(), Rc::clone(items));
                let mut results = Vec::new();
                for item in &items.values {
                    self.charge(2, node.place)?;
                    let want = if name == "map" { Want::Value } else { Want::Effect };
                    results.push(self.call(&procedure, vec![item.clone()], node, want)?);
                }
                if name == "map" { self.items(results, node.place) } else { Ok(Value::Nothing) }
            }
            ("apply" | "map" | "for-each", _) => {
                // What is done to an unknown list may be anything.
                let kind = Self::reason(&values).unwrap_or(GapKind::Form);
                self.gap(node, super::GLOBAL, kind)?;
                Ok(Value::Unknown(kind))
            }
            ("error", _) => {
                let words: Vec<String> = values
                    .iter()
                    .map(|value| match value {
                        Value::Text(text) | Value::Symbol(text) => shown(text),
                        other => other.kind().to_owned(),
                    })
                    .collect();
                Err(Stop::new(node.place, Fault::Raised { message: words.join(" ") }))
            }
            ("display" | "print" | "newline", _) => Ok(Value::Nothing),
            _ => match Self::reason(&values) {
                Some(kind) if name != "list" && name != "cons" => Ok(Value::Unknown(kind)),
                _ => self.pure(name, &values, node.place),
            },
        }
    }

    /// `(param "KEY")`
    fn parameter(&mut self, key: &str, place: Place) -> Result<Value<'t>, Stop> {
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
    fn pure(&mut self, name: &str, values: &[Value<'t>], place: Place) -> Result<Value<'t>, Stop> {
        let truth = |truth| Ok(Value::Bool(truth));
        match (name, values) {
            ("not", [value]) => truth(value.truth() == Some(false)),
            ("string-append", _) => {
                let mut out = String::new();
                for value in values {
                    let Value::Text(text) = value else { return Ok(missing(value)) };
                    self.charge(text.len() as u64, place)?;
                    out.push_str(text);
                }
                Ok(Value::Text(Rc::from(out)))
            }
            ("string=?", [Value::Text(a), Value::Text(b)]) => truth(a == b),
            ("string=?", [a, b]) => Ok(missing(if matches!(a, Value::Text(_)) { b } else { a })),
            ("equal?" | "eqv?" | "eq?", [a, b]) => {
                Ok(self.equal(a, b, place)?.map_or_else(|| Value::Unknown(GapKind::Form), Value::Bool))
            }
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
            ("car", [Value::List(items)]) => Ok(items.values.first().cloned().unwrap_or(Value::Unknown(GapKind::Form))),
            ("cdr", [Value::List(items)]) if !items.values.is_empty() => {
                self.charge(items.values.len() as u64, place)?;
                self.items(items.values[1..].to_vec(), place)
            }
            ("length", [Value::List(items)]) => Ok(count(items.values.len())),
            ("string-length", [Value::Text(text)]) => {
                self.charge(text.len() as u64, place)?;
                Ok(count(text.chars().count()))
            }
            ("string-length", [value]) => Ok(missing(value)),
            ("null?", [value]) => truth(match value {
                Value::List(items) => items.values.is_empty(),
                value => matches!(value, Value::Nothing),
            }),
            ("pair?", [value]) => truth(matches!(value, Value::List(items) if !items.values.is_empty())),
            ("list?", [value]) => truth(matches!(value, Value::List(_) | Value::Nothing)),
            ("string?", [value]) => truth(matches!(value, Value::Text(_))),
            ("symbol?", [value]) => truth(matches!(value, Value::Symbol(_))),
            ("number?", [value]) => truth(matches!(value, Value::Number(_))),
            ("procedure?", [value]) => truth(matches!(value, Value::Lambda(_) | Value::Builtin(_))),
            ("zero?", [Value::Number(a)]) => truth(*a == 0),
            ("positive?", [Value::Number(a)]) => truth(*a > 0),
            ("<", [Value::Number(a), Value::Number(b)]) => truth(a < b),
            ("<=", [Value::Number(a), Value::Number(b)]) => truth(a <= b),
            ("=", [Value::Number(a), Value::Number(b)]) => truth(a == b),
            (">", [Value::Number(a), Value::Number(b)]) => truth(a > b),
            (">=", [Value::Number(a), Value::Number(b)]) => truth(a >= b),
            ("+", [Value::Number(a), Value::Number(b)]) => Ok(number(a.checked_add(*b))),
            ("-", [Value::Number(a), Value::Number(b)]) => Ok(number(a.checked_sub(*b))),
            ("number->string", [Value::Number(a)]) => self.text(&a.to_string(), place),
            ("symbol->string", [Value::Symbol(a)]) => self.text(a, place),
            ("string->symbol", [Value::Text(a)]) => Ok(Value::Symbol(Rc::clone(a))),
            _ => Ok(Value::Unknown(GapKind::Form)),
        }
    }

    /// Whether two values say the same; `None` if nobody knows.
    fn equal(&mut self, a: &Value<'t>, b: &Value<'t>, place: Place) -> Result<Option<bool>, Stop> {
        self.charge(1, place)?;
        Ok(match (a, b) {
            (Value::Unknown(_), _) | (_, Value::Unknown(_)) => None,
            (Value::Text(a), Value::Text(b)) => {
                self.charge(a.len().min(b.len()) as u64, place)?;
                Some(a == b)
            }
            (Value::Symbol(a), Value::Symbol(b)) | (Value::Operation(a), Value::Operation(b)) => Some(a == b),
            (Value::Number(a), Value::Number(b)) => Some(a == b),
            (Value::Bool(a), Value::Bool(b)) => Some(a == b),
            (Value::List(a), Value::List(b)) if a.values.is_empty() && b.values.is_empty() => Some(true),
            // Deeper comparisons are not what profiles do.
            (Value::List(_), Value::List(_)) | (Value::Filter(_), Value::Filter(_)) => None,
            (Value::Lambda(a), Value::Lambda(b)) => Some(Rc::ptr_eq(a, b)),
            (Value::Builtin(a), Value::Builtin(b)) => Some(a == b),
            _ => Some(false),
        })
    }
}

/// What comes of a value that is no text where one is needed. A parameter without a value is the usual cause.
fn missing<'t>(value: &Value<'t>) -> Value<'t> {
    Value::Unknown(if matches!(value, Value::Bool(false)) { GapKind::Parameter } else { GapKind::Form })
}

fn count<'t>(count: usize) -> Value<'t> {
    number(i64::try_from(count).ok())
}

fn number<'t>(number: Option<i64>) -> Value<'t> {
    number.map_or(Value::Unknown(GapKind::Form), Value::Number)
}
