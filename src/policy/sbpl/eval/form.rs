//! Forms that see their parts before they are evaluated: definitions, conditions, imports.

use std::rc::Rc;

use super::super::error::{Fault, Stop};
use super::super::print::brief;
use super::super::rules::GapKind;
use super::super::syntax::{Datum, Node};
use super::value::{Lambda, ScopeId, Value};
use super::{Evaluator, Want, version_of};

fn malformed(node: &Node, form: &str, wanted: &'static str) -> Stop {
    Stop::new(node.place, Fault::Malformed { form: form.to_owned(), wanted })
}

impl<'t> Evaluator<'t> {
    /// A form of [`super::names::FORMS`].
    pub(super) fn form(
        &mut self,
        name: &'t str,
        node: &'t Node,
        parts: &'t [Node],
        scope: ScopeId,
        want: Want,
    ) -> Result<Value<'t>, Stop> {
        match name {
            "begin" => self.body(parts, scope, want),
            "if" => self.if_form(node, parts, scope, want),
            "when" | "unless" => self.when_form(name, node, parts, scope, want),
            "cond" => self.cond_form(node, parts, scope, want),
            "and" | "or" => self.and_or(name == "and", node, parts, scope),
            "let" | "let*" | "letrec" => self.let_form(name, node, parts, scope, want),
            "define" | "define-once" => self.define(name, node, parts, scope),
            "set!" => self.set(node, parts, scope),
            "lambda" => self.lambda_form(node, parts, scope),
            "quote" => match parts {
                [inner] => self.quoted(inner),
                _ => Err(malformed(node, name, "it takes one datum")),
            },
            "with" => {
                let parts: Vec<String> = parts.iter().map(brief).collect();
                let text = parts.join(" ");
                self.charge(text.len() as u64, node.place)?;
                Ok(Value::Modifier(Rc::from(text)))
            }
            "with-filter" => self.with_filter(node, parts, scope, want),
            "apply-message-filter" => {
                self.message_filter(parts, scope)?;
                Ok(Value::Nothing)
            }
            "import" => {
                self.gap(node, scope, GapKind::Import)?;
                self.foreign = Some(GapKind::Import);
                Ok(Value::Nothing)
            }
            "version" => {
                let second = version_of(node)?;
                if second != self.version {
                    return Err(Stop::new(node.place, Fault::TwoVersions { first: self.version, second }));
                }
                Ok(Value::Nothing)
            }
            "debug" if self.version == 2 => Err(Stop::new(
                node.place,
                Fault::NotInVersion { name: name.to_owned(), version: 2, instead: String::new() },
            )),
            // They change what is logged, and no decision.
            _ => Ok(Value::Nothing),
        }
    }

    /// Forms in order; the last one's value.
    pub(super) fn body(&mut self, body: &'t [Node], scope: ScopeId, want: Want) -> Result<Value<'t>, Stop> {
        let Some((last, before)) = body.split_last() else { return Ok(Value::Nothing) };
        for form in before {
            self.eval(form, scope, Want::Effect)?;
        }
        self.eval(last, scope, want)
    }

    /// Nobody knows whether these parts of `node` are evaluated: a gap, if that could matter.
    fn undecided(
        &mut self,
        node: &'t Node,
        parts: &'t [Node],
        scope: ScopeId,
        want: Want,
        kind: GapKind,
    ) -> Result<Value<'t>, Stop> {
        for part in parts {
            if self.has_effects(part, scope, want == Want::Effect)? {
                self.gap(node, scope, kind)?;
                break;
            }
        }
        Ok(Value::Unknown(kind))
    }

    fn if_form(&mut self, node: &'t Node, parts: &'t [Node], scope: ScopeId, want: Want) -> Result<Value<'t>, Stop> {
        let (condition, branches) = match parts.split_first() {
            Some((condition, branches)) if (1..=2).contains(&branches.len()) => (condition, branches),
            _ => return Err(malformed(node, "if", "write `(if CONDITION THEN ELSE)`")),
        };
        let value = self.eval(condition, scope, Want::Value)?;
        match value.truth() {
            Some(true) => self.eval(&branches[0], scope, want),
            Some(false) => branches.get(1).map_or(Ok(Value::Nothing), |branch| self.eval(branch, scope, want)),
            None => self.undecided(node, branches, scope, want, value.unknown().unwrap_or(GapKind::Form)),
        }
    }

    fn when_form(
        &mut self,
        name: &str,
        node: &'t Node,
        parts: &'t [Node],
        scope: ScopeId,
        want: Want,
    ) -> Result<Value<'t>, Stop> {
        let Some((condition, body)) = parts.split_first() else {
            return Err(malformed(node, name, "it takes a condition and forms"));
        };
        let value = self.eval(condition, scope, Want::Value)?;
        match value.truth() {
            Some(truth) if truth == (name == "when") => self.body(body, scope, want),
            Some(_) => Ok(Value::Nothing),
            None => self.undecided(node, body, scope, want, value.unknown().unwrap_or(GapKind::Form)),
        }
    }

    fn cond_form(
        &mut self,
        node: &'t Node,
        clauses: &'t [Node],
        scope: ScopeId,
        want: Want,
    ) -> Result<Value<'t>, Stop> {
        for (n, clause) in clauses.iter().enumerate() {
            let Some((condition, body)) = clause.list().and_then(|items| items.split_first()) else {
                return Err(malformed(clause, "cond", "a clause is `(CONDITION FORM …)`"));
            };
            if condition.symbol() == Some("else") && self.bound("else", scope).is_none() {
                return self.body(body, scope, want);
            }
            let value = self.eval(condition, scope, Want::Value)?;
            match value.truth() {
                Some(true) if body.is_empty() => return Ok(value),
                Some(true) if body[0].symbol() == Some("=>") => {
                    return self.undecided(node, &clauses[n..], scope, want, GapKind::Form);
                }
                Some(true) => return self.body(body, scope, want),
                Some(false) => {}
                None => {
                    let kind = value.unknown().unwrap_or(GapKind::Form);
                    return self.undecided(node, &clauses[n..], scope, want, kind);
                }
            }
        }
        Ok(Value::Nothing)
    }

    fn and_or(&mut self, all: bool, node: &'t Node, parts: &'t [Node], scope: ScopeId) -> Result<Value<'t>, Stop> {
        let mut last = Value::Bool(all);
        for (n, part) in parts.iter().enumerate() {
            last = self.eval(part, scope, Want::Value)?;
            match last.truth() {
                Some(truth) if truth != all => return Ok(last),
                Some(_) => {}
                None => {
                    let kind = last.unknown().unwrap_or(GapKind::Form);
                    return self.undecided(node, &parts[n + 1..], scope, Want::Value, kind);
                }
            }
        }
        Ok(last)
    }

    fn let_form(
        &mut self,
        name: &'t str,
        node: &'t Node,
        parts: &'t [Node],
        scope: ScopeId,
        want: Want,
    ) -> Result<Value<'t>, Stop> {
        const WANTED: &str = "write `(let ((NAME VALUE) …) FORM …)`";
        let (own_name, parts) = match parts {
            [Node { datum: Datum::Symbol(own), .. }, rest @ ..] if name == "let" => (Some(own.as_str()), rest),
            _ => (None, parts),
        };
        let Some((bindings, body)) = parts.split_first() else { return Err(malformed(node, name, WANTED)) };
        let Some(bindings) = bindings.list() else { return Err(malformed(node, name, WANTED)) };
        let inner = self.inner_scope(scope, node.place)?;
        let (mut parameters, mut values) = (Vec::new(), Vec::new());
        for binding in bindings {
            let Some([Node { datum: Datum::Symbol(bound), .. }, value]) = binding.list() else {
                return Err(malformed(binding, name, WANTED));
            };
            let value = self.eval(value, if name == "let" { scope } else { inner }, Want::Value)?;
            if name == "let" {
                parameters.push(bound.as_str());
                values.push(value);
            } else {
                self.bind(bound, value, inner, binding.place)?;
            }
        }
        if let Some(own) = own_name {
            // A named `let` is a procedure that calls itself.
            let name: Rc<str> = Rc::from(own);
            let lambda = Value::Lambda(Rc::new(Lambda { name, parameters, rest: None, body, scope: inner }));
            self.bind(own, lambda.clone(), inner, node.place)?;
            return self.call(&lambda, values, node, want);
        }
        for (bound, value) in parameters.into_iter().zip(values) {
            self.bind(bound, value, inner, node.place)?;
        }
        self.body(body, inner, want)
    }

    fn define(&mut self, name: &'t str, node: &'t Node, parts: &'t [Node], scope: ScopeId) -> Result<Value<'t>, Stop> {
        const WANTED: &str = "write `(define NAME VALUE)` or `(define (NAME PARAMETER …) FORM …)`";
        let Some((target, rest)) = parts.split_first() else { return Err(malformed(node, name, WANTED)) };
        match (&target.datum, rest) {
            (Datum::Symbol(bound), []) => self.bind(bound, Value::Nothing, scope, node.place)?,
            (Datum::Symbol(bound), [value]) => {
                let value = self.eval(value, scope, Want::Value)?;
                self.bind(bound, value, scope, node.place)?;
            }
            (Datum::List(signature), body) => {
                let Some((Node { datum: Datum::Symbol(bound), .. }, parameters)) = signature.split_first() else {
                    return Err(malformed(node, name, WANTED));
                };
                let value = self.lambda(bound, parameters, body, scope);
                self.bind(bound, value, scope, node.place)?;
            }
            _ => return Err(malformed(node, name, WANTED)),
        }
        Ok(Value::Nothing)
    }

    fn set(&mut self, node: &'t Node, parts: &'t [Node], scope: ScopeId) -> Result<Value<'t>, Stop> {
        let [Node { datum: Datum::Symbol(name), .. }, value] = parts else {
            return Err(malformed(node, "set!", "write `(set! NAME VALUE)`"));
        };
        let value = self.eval(value, scope, Want::Value)?;
        let mut home = scope;
        while !self.scopes[home.0].names.contains_key(name.as_str()) {
            match self.scopes[home.0].parent {
                Some(parent) => home = parent,
                None => break,
            }
        }
        self.bind(name, value, home, node.place)?;
        Ok(Value::Nothing)
    }

    fn lambda_form(&mut self, node: &'t Node, parts: &'t [Node], scope: ScopeId) -> Result<Value<'t>, Stop> {
        self.charge(8, node.place)?;
        match parts.split_first() {
            Some((Node { datum: Datum::List(parameters), .. }, body)) => {
                Ok(self.lambda("lambda", parameters, body, scope))
            }
            // One name takes all arguments.
            Some((Node { datum: Datum::Symbol(rest), .. }, body)) => Ok(Value::Lambda(Rc::new(Lambda {
                name: Rc::from("lambda"),
                parameters: Vec::new(),
                rest: Some(rest),
                body,
                scope,
            }))),
            _ => Err(malformed(node, "lambda", "write `(lambda (PARAMETER …) FORM …)`")),
        }
    }

    /// A procedure; not known, if its parameters are more than names.
    fn lambda(&mut self, name: &str, parameters: &'t [Node], body: &'t [Node], scope: ScopeId) -> Value<'t> {
        let mut names = Vec::with_capacity(parameters.len());
        let mut rest = None;
        let mut all = parameters.iter();
        while let Some(parameter) = all.next() {
            match parameter.symbol() {
                Some(".") => match (all.next().and_then(Node::symbol), all.next()) {
                    (Some(last), None) => rest = Some(last),
                    _ => return Value::Unknown(GapKind::Form),
                },
                Some(name) => names.push(name),
                None => return Value::Unknown(GapKind::Form),
            }
        }
        Value::Lambda(Rc::new(Lambda { name: Rc::from(name), parameters: names, rest, body, scope }))
    }

    /// `(with-filter FILTER FORM …)`: the rules inside have to match the filter, too.
    fn with_filter(
        &mut self,
        node: &'t Node,
        parts: &'t [Node],
        scope: ScopeId,
        want: Want,
    ) -> Result<Value<'t>, Stop> {
        let Some((filter, body)) = parts.split_first() else {
            return Err(malformed(node, "with-filter", "it takes a filter and forms"));
        };
        let built = match self.filter_argument(filter, scope)? {
            Value::Filter(built) => built,
            _ => return Err(malformed(filter, "with-filter", "it takes a filter and forms")),
        };
        self.around.push(built);
        let value = self.body(body, scope, want);
        self.around.pop();
        value
    }

    /// The rules of an `apply-message-filter` form.
    pub(super) fn message_filter(&mut self, body: &'t [Node], scope: ScopeId) -> Result<(), Stop> {
        let outside = std::mem::replace(&mut self.in_message_filter, true);
        let value = self.body(body, scope, Want::Effect);
        self.in_message_filter = outside;
        value.map(drop)
    }
}
