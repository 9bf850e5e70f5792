//! Forms that see their parts before they are evaluated: definitions, conditions, imports.

use std::rc::Rc;

use super::super::error::{Fault, LocatedFault, shown};
use super::super::print::brief;
use super::super::rules::{GapKind, LineColumn};
use super::super::syntax::{Datum, Node, SbplText};
use super::fork::EvalPath;
use super::procedure::Equality;
use super::remark::RemarkKind;
use super::value::{EvalStep, Form, Lambda, ScopeId, Value, ValueUse};
use super::{Evaluator, GLOBAL, names, version_of};
use crate::base::suggest::slips;

fn malformed(node: &Node, form: &str, wanted: &'static str) -> LocatedFault {
    LocatedFault::new(node.place, Fault::Malformed { form: form.to_owned(), wanted })
}

impl<'t> Evaluator<'t> {
    /// A form of [`super::names::FORMS`].
    pub(super) fn form(&mut self, form: Form<'t>) -> Result<EvalStep<'t>, LocatedFault> {
        match form.name {
            "begin" => self.body(form.parts, form.scope, form.want),
            "if" => self.if_form(form),
            "when" | "unless" => self.when_form(form),
            "cond" => self.cond_form(form),
            "case" => self.case_form(form),
            "do" => self.do_form(form),
            "and" | "or" => self.and_or(form.name == "and", form),
            "let" | "let*" | "letrec" => self.let_form(form),
            "with-filter" => self.with_filter(form).map(EvalStep::Done),
            _ => self.plain_form(form).map(EvalStep::Done),
        }
    }

    /// A form without a body of its own.
    fn plain_form(&mut self, form: Form<'t>) -> Result<Value<'t>, LocatedFault> {
        let Form { name, node, parts, scope, .. } = form;
        match name {
            "define" | "define-once" => self.define(form),
            "define-macro" | "macro" => self.define_macro(form),
            "set!" => self.set(node, parts, scope),
            "lambda" => self.lambda_form(node, parts, scope),
            "quote" => match parts {
                [inner] => self.quoted(inner),
                _ => Err(malformed(node, name, "it takes one datum")),
            },
            "with" => {
                self.modifier(node, parts)?;
                let parts: Vec<String> = parts.iter().map(brief).collect();
                let text = parts.join(" ");
                self.charge(text.len() as u64, node.place)?;
                Ok(Value::Modifier(Rc::from(text)))
            }
            "apply-message-filter" => {
                self.message_filter(parts, scope)?;
                Ok(Value::Nothing)
            }
            "import" => self.import(node, parts, scope),
            "version" => {
                let second = version_of(node)?;
                if second != self.version {
                    return Err(LocatedFault::new(node.place, Fault::TwoVersions { first: self.version, second }));
                }
                Ok(Value::Nothing)
            }
            "debug" if self.version == 2 => Err(LocatedFault::new(
                node.place,
                Fault::NotInVersion { name: name.to_owned(), version: 2, instead: String::new() },
            )),
            // They change what is logged, and no decision.
            _ => Ok(Value::Nothing),
        }
    }

    /// Runs an imported file in its place. One that was not handed over is a gap, and may define any name.
    fn import(&mut self, node: &'t Node, parts: &'t [Node], scope: ScopeId) -> Result<Value<'t>, LocatedFault> {
        let name = match parts {
            [one] => match self.eval(one, scope, ValueUse::Value)? {
                Value::Text(name) => Some(name),
                _ => None,
            },
            _ => None,
        };
        let imports = self.imports;
        let found = name.and_then(|name| imports.program(&name));
        let own_version = |program: &'t SbplText| match program.forms.first() {
            Some(first) if first.head() == Some("version") => version_of(first).ok(),
            _ => None,
        };
        match found {
            // A file that is on its way already brings nothing new.
            Some((name, _)) if self.importing.contains(&name) => Ok(Value::Nothing),
            // What a file of another version of the language means inside of this one is not known.
            Some((name, program)) if own_version(program).is_none_or(|version| version == self.version) => {
                self.importing.push(name);
                let mut forms = program.forms.iter();
                let outcome = forms.try_for_each(|form| self.eval(form, GLOBAL, ValueUse::Effect).map(drop));
                // Also where it failed: that may be on one way of two.
                self.importing.pop();
                outcome.map(|()| Value::Nothing)
            }
            _ => {
                self.gap(node, scope, GapKind::Import)?;
                self.foreign = Some(GapKind::Import);
                Ok(Value::Nothing)
            }
        }
    }

    /// Checks the word of a modifier: the list of them is closed.
    fn modifier(&mut self, node: &'t Node, parts: &'t [Node]) -> Result<(), LocatedFault> {
        let Some(word) = parts.first().and_then(Node::symbol) else { return Ok(()) };
        if names::MODIFIERS.contains(&word) || self.foreign.is_some() {
            return Ok(());
        }
        self.unknown_constant("with", word, names::MODIFIERS, node)
    }

    /// A value that is not among those of a closed list: refused if it is one slip away from one of them.
    pub(super) fn unknown_constant(
        &mut self,
        filter: &'static str,
        value: &str,
        known: &[&'static str],
        node: &Node,
    ) -> Result<(), LocatedFault> {
        self.charge(16 * known.len() as u64, node.place)?;
        let close: Vec<String> =
            known.iter().filter(|name| slips(name, value) <= 1).map(|name| (*name).to_owned()).collect();
        let value = shown(value);
        if close.is_empty() {
            self.remark(node.place, RemarkKind::Constant { filter: filter.to_owned(), value });
            return Ok(());
        }
        Err(LocatedFault::new(node.place, Fault::UnknownConstant { filter, found: value, close }))
    }

    /// Forms in order; the last one is left to do.
    pub(super) fn body(&mut self, body: &'t [Node], scope: ScopeId, _: ValueUse) -> Result<EvalStep<'t>, LocatedFault> {
        let Some((last, before)) = body.split_last() else { return Ok(EvalStep::Done(Value::Nothing)) };
        for form in before {
            self.eval(form, scope, ValueUse::Effect)?;
        }
        Ok(EvalStep::Tail(last, scope))
    }

    fn if_form(&mut self, form: Form<'t>) -> Result<EvalStep<'t>, LocatedFault> {
        let Form { node, parts, scope, want, .. } = form;
        let (condition, branches) = match parts.split_first() {
            Some((condition, branches)) if (1..=2).contains(&branches.len()) => (condition, branches),
            _ => return Err(malformed(node, "if", "write `(if CONDITION THEN ELSE)`")),
        };
        let value = self.eval(condition, scope, ValueUse::Value)?;
        match value.truth() {
            Some(true) => Ok(EvalStep::Tail(&branches[0], scope)),
            Some(false) => {
                Ok(branches.get(1).map_or(EvalStep::Done(Value::Nothing), |branch| EvalStep::Tail(branch, scope)))
            }
            None => {
                let ways = vec![EvalPath::Body(&branches[..1]), EvalPath::Body(&branches[1..])];
                self.fork(node, condition, &value, ways, scope, want).map(EvalStep::Done)
            }
        }
    }

    fn when_form(&mut self, form: Form<'t>) -> Result<EvalStep<'t>, LocatedFault> {
        let Form { name, node, parts, scope, want } = form;
        let Some((condition, body)) = parts.split_first() else {
            return Err(malformed(node, name, "it takes a condition and forms"));
        };
        let value = self.eval(condition, scope, ValueUse::Value)?;
        match value.truth() {
            Some(truth) if truth == (name == "when") => self.body(body, scope, want),
            Some(_) => Ok(EvalStep::Done(Value::Nothing)),
            None => {
                let mut ways = vec![EvalPath::Body(body), EvalPath::Body(&[])];
                if name == "unless" {
                    ways.reverse();
                }
                self.fork(node, condition, &value, ways, scope, want).map(EvalStep::Done)
            }
        }
    }

    pub(super) fn cond_form(&mut self, form: Form<'t>) -> Result<EvalStep<'t>, LocatedFault> {
        let Form { node, parts: clauses, scope, want, .. } = form;
        for (n, clause) in clauses.iter().enumerate() {
            let Some((condition, body)) = clause.list().and_then(|items| items.split_first()) else {
                return Err(malformed(clause, "cond", "a clause is `(CONDITION FORM …)`"));
            };
            if condition.symbol() == Some("else") && self.bound("else", scope).is_none() {
                return self.body(body, scope, want);
            }
            let value = self.eval(condition, scope, ValueUse::Value)?;
            match (value.truth(), body) {
                (Some(false), _) => {}
                (Some(true), []) => return Ok(EvalStep::Done(value)),
                (Some(true), [arrow, receiver]) if arrow.symbol() == Some("=>") => {
                    let receiver = self.eval(receiver, scope, ValueUse::Value)?;
                    return self.call(&receiver, vec![value], node, want);
                }
                (Some(true), _) => return self.body(body, scope, want),
                (None, _) => {
                    let taken = match body {
                        [arrow, ..] if arrow.symbol() == Some("=>") => EvalPath::Lost,
                        [] => EvalPath::Value(value.clone()),
                        _ => EvalPath::Body(body),
                    };
                    let ways = vec![taken, EvalPath::Clauses(&clauses[n + 1..])];
                    return self.fork(node, condition, &value, ways, scope, want).map(EvalStep::Done);
                }
            }
        }
        Ok(EvalStep::Done(Value::Nothing))
    }

    /// `(case KEY ((DATUM …) FORM …) … (else FORM …))`
    fn case_form(&mut self, form: Form<'t>) -> Result<EvalStep<'t>, LocatedFault> {
        let Form { node, parts, scope, want, .. } = form;
        const WANTED: &str = "write `(case KEY ((DATUM …) FORM …) … (else FORM …))`";
        let Some((key, clauses)) = parts.split_first() else { return Err(malformed(node, "case", WANTED)) };
        let mut value = self.eval(key, scope, ValueUse::Value)?;
        let mut ways = Vec::new();
        for clause in clauses {
            let Some((data, body)) = clause.list().and_then(|items| items.split_first()) else {
                return Err(malformed(clause, "case", WANTED));
            };
            if data.symbol() == Some("else") {
                if value.unknown().is_none() {
                    return self.body(body, scope, want);
                }
                ways.push(EvalPath::Body(body));
                return self.fork(node, key, &value, ways, scope, want).map(EvalStep::Done);
            }
            let Some(data) = data.list() else { return Err(malformed(clause, "case", WANTED)) };
            if value.unknown().is_some() {
                ways.push(EvalPath::Body(body));
                continue;
            }
            for datum in data {
                let datum = self.quoted(datum)?;
                match self.alike(Equality::Eqv, &datum, &value, node.place)? {
                    Some(true) => return self.body(body, scope, want),
                    Some(false) => {}
                    _ => {
                        // From here on nobody knows which clause it is.
                        value = Value::Unknown(GapKind::Form);
                        ways.push(EvalPath::Body(body));
                        break;
                    }
                }
            }
        }
        if value.unknown().is_none() {
            return Ok(EvalStep::Done(Value::Nothing));
        }
        ways.push(EvalPath::Body(&[]));
        self.fork(node, key, &value, ways, scope, want).map(EvalStep::Done)
    }

    /// `(do ((NAME FIRST NEXT) …) (END VALUE …) FORM …)`
    fn do_form(&mut self, form: Form<'t>) -> Result<EvalStep<'t>, LocatedFault> {
        let Form { node, parts, scope, want, .. } = form;
        const WANTED: &str = "write `(do ((NAME FIRST NEXT) …) (END FORM …) FORM …)`";
        let [variables, end, body @ ..] = parts else { return Err(malformed(node, "do", WANTED)) };
        let (Some(variables), Some([test, results @ ..])) = (variables.list(), end.list()) else {
            return Err(malformed(node, "do", WANTED));
        };
        let mut inner = self.inner_scope(scope, node.place)?;
        let mut steps = Vec::new();
        for variable in variables {
            let (name, first, next) = match variable.list() {
                Some([Node { datum: Datum::Symbol(name), .. }, first]) => (name, first, None),
                Some([Node { datum: Datum::Symbol(name), .. }, first, next]) => (name, first, Some(next)),
                _ => return Err(malformed(variable, "do", WANTED)),
            };
            let value = self.eval(first, scope, ValueUse::Value)?;
            self.bind(name, value, inner, variable.place)?;
            steps.push((name.as_str(), next));
        }
        loop {
            self.charge(1, node.place)?;
            let value = self.eval(test, inner, ValueUse::Value)?;
            match value.truth() {
                Some(true) => return self.body(results, inner, want),
                Some(false) => {}
                None => {
                    // How often it goes round is not known.
                    let kind = value.unknown().unwrap_or(GapKind::Form);
                    return self.undecided(node, &parts[1..], scope, ValueUse::Effect, kind).map(EvalStep::Done);
                }
            }
            for form in body {
                self.eval(form, inner, ValueUse::Effect)?;
            }
            let mut values = Vec::with_capacity(steps.len());
            for (name, next) in &steps {
                values.push(match next {
                    Some(next) => self.eval(next, inner, ValueUse::Value)?,
                    None => self.bound(name, inner).cloned().unwrap_or(Value::Nothing),
                });
            }
            if self.captured >= inner.0 {
                inner = self.inner_scope(scope, node.place)?;
            }
            for ((name, _), value) in steps.iter().zip(values) {
                self.bind(name, value, inner, node.place)?;
            }
        }
    }

    pub(super) fn and_or(&mut self, all: bool, form: Form<'t>) -> Result<EvalStep<'t>, LocatedFault> {
        let Form { node, parts, scope, want, .. } = form;
        let Some((last, before)) = parts.split_last() else { return Ok(EvalStep::Done(Value::Bool(all))) };
        for (n, part) in before.iter().enumerate() {
            let value = self.eval(part, scope, ValueUse::Value)?;
            match value.truth() {
                Some(truth) if truth != all => return Ok(EvalStep::Done(value)),
                Some(_) => {}
                None => {
                    let rest = EvalPath::Rest(all, &parts[n + 1..]);
                    let ways = if all {
                        vec![rest, EvalPath::Value(Value::Bool(false))]
                    } else {
                        vec![EvalPath::Value(value.clone()), rest]
                    };
                    return self.fork(node, part, &value, ways, scope, want).map(EvalStep::Done);
                }
            }
        }
        Ok(EvalStep::Tail(last, scope))
    }

    fn let_form(&mut self, form: Form<'t>) -> Result<EvalStep<'t>, LocatedFault> {
        let Form { name, node, parts, scope, want } = form;
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
            let value = self.eval(value, if name == "let" { scope } else { inner }, ValueUse::Value)?;
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
            self.captured = self.captured.max(inner.0);
            let lambda = Value::Lambda(Rc::new(Lambda { name, parameters, rest: None, body, scope: inner }));
            self.bind(own, lambda.clone(), inner, node.place)?;
            return self.call(&lambda, values, node, want);
        }
        for (bound, value) in parameters.into_iter().zip(values) {
            self.bind(bound, value, inner, node.place)?;
        }
        self.body(body, inner, want)
    }

    fn define(&mut self, form: Form<'t>) -> Result<Value<'t>, LocatedFault> {
        let Form { name, node, parts, scope, .. } = form;
        const WANTED: &str = "write `(define NAME VALUE)` or `(define (NAME PARAMETER …) FORM …)`";
        let Some((target, rest)) = parts.split_first() else { return Err(malformed(node, name, WANTED)) };
        match (&target.datum, rest) {
            (Datum::Symbol(bound), []) => self.bind(bound, Value::Nothing, scope, node.place)?,
            (Datum::Symbol(bound), [value]) => {
                let value = self.eval(value, scope, ValueUse::Value)?;
                let value = if name == "define-once" { self.once(bound, value, scope, node.place)? } else { value };
                self.bind(bound, value, scope, node.place)?;
            }
            (Datum::List(signature), body) => {
                let Some((Node { datum: Datum::Symbol(bound), .. }, parameters)) = signature.split_first() else {
                    return Err(malformed(node, name, WANTED));
                };
                let value = self.lambda(bound, parameters, body, scope);
                let value = if name == "define-once" { self.once(bound, value, scope, node.place)? } else { value };
                self.bind(bound, value, scope, node.place)?;
            }
            _ => return Err(malformed(node, name, WANTED)),
        }
        Ok(Value::Nothing)
    }

    /// What a name stands for after `define-once`. Which of two definitions holds is not known.
    fn once(
        &mut self,
        name: &'t str,
        value: Value<'t>,
        scope: ScopeId,
        place: LineColumn,
    ) -> Result<Value<'t>, LocatedFault> {
        let Some(known) = self.bound(name, scope) else { return Ok(value) };
        let known = known.clone();
        let is_same = match (&known, &value) {
            (Value::Lambda(known), Value::Lambda(value)) => {
                std::ptr::eq(known.body, value.body) && known.scope == value.scope
            }
            (known, value) => self.alike(Equality::Equal, known, value, place)? == Some(true),
        };
        Ok(if is_same { value } else { Value::Unknown(GapKind::Form) })
    }

    fn set(&mut self, node: &'t Node, parts: &'t [Node], scope: ScopeId) -> Result<Value<'t>, LocatedFault> {
        let [Node { datum: Datum::Symbol(name), .. }, value] = parts else {
            return Err(malformed(node, "set!", "write `(set! NAME VALUE)`"));
        };
        let value = self.eval(value, scope, ValueUse::Value)?;
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

    fn lambda_form(&mut self, node: &'t Node, parts: &'t [Node], scope: ScopeId) -> Result<Value<'t>, LocatedFault> {
        self.charge(8, node.place)?;
        match parts.split_first() {
            Some((Node { datum: Datum::List(parameters), .. }, body)) => {
                Ok(self.lambda("lambda", parameters, body, scope))
            }
            // One name takes all arguments.
            Some((Node { datum: Datum::Symbol(rest), .. }, body)) => {
                self.captured = self.captured.max(scope.0);
                let name = Rc::from("lambda");
                Ok(Value::Lambda(Rc::new(Lambda { name, parameters: Vec::new(), rest: Some(rest), body, scope })))
            }
            _ => Err(malformed(node, "lambda", "write `(lambda (PARAMETER …) FORM …)`")),
        }
    }

    /// A procedure; not known, if its parameters are more than names.
    pub(super) fn lambda(&mut self, name: &str, parameters: &'t [Node], body: &'t [Node], scope: ScopeId) -> Value<'t> {
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
        self.captured = self.captured.max(scope.0);
        Value::Lambda(Rc::new(Lambda { name: Rc::from(name), parameters: names, rest, body, scope }))
    }

    /// `(with-filter FILTER FORM …)`: the rules inside have to match the filter, too.
    fn with_filter(&mut self, form: Form<'t>) -> Result<Value<'t>, LocatedFault> {
        let Form { node, parts, scope, want, .. } = form;
        let Some((filter, body)) = parts.split_first() else {
            return Err(malformed(node, "with-filter", "it takes a filter and forms"));
        };
        let built = match self.filter_argument(filter, scope)? {
            Value::Filter(built) => built,
            _ => return Err(malformed(filter, "with-filter", "it takes a filter and forms")),
        };
        self.around.push(built);
        let value = self.whole_body(body, scope, want);
        self.around.pop();
        value
    }

    /// Forms in order, to the end.
    pub(super) fn whole_body(
        &mut self,
        body: &'t [Node],
        scope: ScopeId,
        want: ValueUse,
    ) -> Result<Value<'t>, LocatedFault> {
        let last = self.body(body, scope, want)?;
        self.finish(last, want)
    }

    /// The rules of an `apply-message-filter` form.
    pub(super) fn message_filter(&mut self, body: &'t [Node], scope: ScopeId) -> Result<(), LocatedFault> {
        let outside = std::mem::replace(&mut self.in_message_filter, true);
        let value = self.whole_body(body, scope, ValueUse::Effect);
        self.in_message_filter = outside;
        value.map(drop)
    }
}
