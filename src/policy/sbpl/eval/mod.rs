//! Runs the program of a profile: definitions, parameters and conditions go, rules in their order remain.
//!
//! A profile may say things that nobody here knows: an import, a procedure of another OS build, a condition on what the
//! process is entitled to. Such a thing is never dropped and never guessed at. Where a condition is not known, the program
//! goes both ways, and the rules of each stand under that condition (`fork.rs`). Anything else becomes a [`Gap`] where it may
//! stand for rules, and [`Filter::Unknown`](super::rules::Filter::Unknown) where it stands for a filter. What the system would refuse as a plain mistake (an
//! operation that does not exist) is refused here.
//!
//! The program runs within limits of nesting and of work, so that no text can hold the evaluation up or exhaust memory.

mod filter;
mod fork;
mod form;
mod makro;
mod names;
mod number;
mod procedure;
mod remark;
mod rule;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

pub use remark::{Remark, RemarkKind};

use self::value::{Bindings, BuiltFilter, EvalStep, Form, ListItems, MacroForms, ScopeId, Value, ValueUse};
use super::error::{Fault, LocatedFault, SbplError};
use super::imports::{ImportName, Imports};
use super::print::brief;
use super::rules::{Condition, ConditionChoice, Gap, GapKind, LineColumn, Rule, SbplRules};
use super::syntax::{Datum, Node, NodeMark, SbplText};
use crate::base::limits::{MAX_SBPL_CALLS, MAX_SBPL_DEPTH, MAX_SBPL_WORK, SBPL_WORK_PER_BYTE};
use crate::base::suggest::close_to;
use crate::policy::operations::{self, OTHER_NAMES, UNSTARRED_GROUPS};

/// What came of a program.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The rules that the program made.
    pub rules: SbplRules,
    /// What is doubtful about it, in the order of the text's evaluation.
    pub remarks: Vec<Remark>,
    /// The parameters that it asked for.
    pub asked: BTreeSet<String>,
}

/// Runs `program`, which was read from `text`, with these parameters and imported files. A parameter that has no value is
/// `#f`, as in Seatbelt; a file that is not among them is a gap.
///
/// # Errors
/// The first mistake that the system would refuse, too, or a limit.
pub fn evaluate(
    program: &SbplText,
    text: &str,
    parameters: &BTreeMap<String, String>,
    imports: &Imports,
) -> Result<Evaluation, SbplError> {
    let made = MacroForms::default();
    let evaluator = Evaluator::new(text, parameters, imports, &made);
    evaluator.run(program).map_err(|stop| {
        let text = stop.place.file.map_or(text, |file| imports.text(file));
        stop.in_text(text)
    })
}

struct Evaluator<'t> {
    parameters: &'t BTreeMap<String, String>,
    imports: &'t Imports,
    /// The imported files that are being run.
    importing: Vec<ImportName>,
    version: u32,
    scopes: Vec<Bindings<'t>>,
    rules: Vec<Rule>,
    gaps: Vec<Gap>,
    remarks: Vec<Remark>,
    asked: BTreeSet<String>,
    /// Inside `apply-message-filter`.
    in_message_filter: bool,
    /// The filters of the `with-filter` forms around.
    around: Vec<Rc<BuiltFilter>>,
    /// Something before may have defined any name, and what that was.
    foreign: Option<GapKind>,
    /// Something before may have changed any variable, and what that was.
    lost: Option<GapKind>,
    /// Names that macOS does not have.
    unbound: Vec<(LineColumn, String)>,
    /// Conditions that are not known, and the ways that are being gone.
    conditions: Vec<Condition>,
    choices: Vec<ConditionChoice>,
    /// How often the program went several ways.
    forks: usize,
    /// What names were bound to before, while several ways are being gone.
    journal: Vec<(ScopeId, &'t str, Option<Value<'t>>)>,
    /// The last scope that a procedure holds on to; those behind it are reused.
    captured: usize,
    /// The last form that a macro made.
    made: &'t MacroForms,
    /// The text has `set!` in it.
    sets: bool,
    depth: usize,
    work: u64,
    most_work: u64,
}

/// Nobody reads a longer list.
const MOST_REMARKS: usize = 200;

const GLOBAL: ScopeId = ScopeId(0);

impl<'t> Evaluator<'t> {
    fn new(text: &str, parameters: &'t BTreeMap<String, String>, imports: &'t Imports, made: &'t MacroForms) -> Self {
        Self {
            parameters,
            imports,
            importing: Vec::new(),
            most_work: MAX_SBPL_WORK + SBPL_WORK_PER_BYTE * (text.len() + imports.bytes()) as u64,
            version: 0,
            scopes: vec![Bindings::default()],
            rules: Vec::new(),
            gaps: Vec::new(),
            remarks: Vec::new(),
            asked: BTreeSet::new(),
            in_message_filter: false,
            around: Vec::new(),
            foreign: None,
            lost: None,
            unbound: Vec::new(),
            conditions: Vec::new(),
            choices: Vec::new(),
            forks: 0,
            journal: Vec::new(),
            captured: 0,
            made,
            sets: text.contains("set!") || imports.mention("set!"),
            depth: 0,
            work: 0,
        }
    }

    fn run(mut self, program: &'t SbplText) -> Result<Evaluation, LocatedFault> {
        self.begin(program)?;
        let mut escapes = Vec::new();
        for escape in &program.doubtful_escapes.0 {
            let shown = escape.written.escape_default();
            if escape.by_code {
                escapes.push((escape.place, format!("the character of the code `\\{shown}`")));
            } else {
                self.remarks.push(Remark { place: escape.place, kind: RemarkKind::Escape(escape.written.clone()) });
                escapes.push((escape.place, format!("`{shown}`, without its backslash")));
            }
        }
        for form in &program.forms {
            self.eval(form, GLOBAL, ValueUse::Effect)?;
        }
        let rules = SbplRules {
            version: self.version,
            rules: self.rules,
            gaps: self.gaps,
            conditions: self.conditions,
            escapes,
            unbound: self.unbound,
        };
        // What is not known here may decide about it.
        if rules.on_default().next().is_none() && rules.gaps.is_empty() {
            let place = program.forms[0].place;
            self.remarks.push(Remark { place, kind: RemarkKind::NoDefault });
        }
        Ok(Evaluation { rules, remarks: self.remarks, asked: self.asked })
    }

    /// A profile begins with its version.
    fn begin(&mut self, program: &SbplText) -> Result<(), LocatedFault> {
        let Some(first) = program.forms.first() else {
            let place = LineColumn::at(1, 1);
            return Err(LocatedFault::new(place, Fault::NoVersion { found: String::new() }));
        };
        if first.head() != Some("version") {
            return Err(LocatedFault::new(first.place, Fault::NoVersion { found: brief(first) }));
        }
        self.version = version_of(first)?;
        Ok(())
    }

    /// Counts work; past the limit, the program is refused.
    fn charge(&mut self, work: u64, place: LineColumn) -> Result<(), LocatedFault> {
        self.work = self.work.saturating_add(work);
        if self.work > self.most_work {
            return Err(LocatedFault::new(place, Fault::TooMuchWork { most: self.most_work }));
        }
        Ok(())
    }

    /// The value of a node. What stands last in it is evaluated in its place, so that a loop needs no depth.
    fn eval(&mut self, node: &'t Node, scope: ScopeId, want: ValueUse) -> Result<Value<'t>, LocatedFault> {
        let Datum::List(_) = &node.datum else {
            self.charge(1, node.place)?;
            return self.atom(node, scope, want);
        };
        if self.depth == MAX_SBPL_CALLS {
            return Err(LocatedFault::new(node.place, Fault::TooManyCalls { most: MAX_SBPL_CALLS }));
        }
        self.depth += 1;
        let floor = self.scopes.len();
        let (mut node, mut scope) = (node, scope);
        let value = loop {
            self.charge(1, node.place)?;
            let Datum::List(items) = &node.datum else { break self.atom(node, scope, want)? };
            match self.list(node, items, scope, want)? {
                EvalStep::Done(value) => break value,
                EvalStep::Tail(next, inner) => (node, scope) = (next, self.reuse(inner, floor)),
            }
        };
        if self.choices.is_empty() && self.captured < floor {
            self.scopes.truncate(floor);
        }
        self.depth -= 1;
        Ok(value)
    }

    /// Moves `scope` down over scopes that were made since there were `floor` of them, and that nobody holds on to.
    fn reuse(&mut self, scope: ScopeId, floor: usize) -> ScopeId {
        let above_parent = self.scopes[scope.0].parent.map_or(0, |parent| parent.0 + 1);
        let first = floor.max(above_parent).max(self.captured + 1);
        if !self.choices.is_empty() || scope.0 <= first {
            return scope;
        }
        self.scopes.swap(first, scope.0);
        self.scopes.truncate(first + 1);
        ScopeId(first)
    }

    /// The value of what is no list.
    fn atom(&mut self, node: &'t Node, scope: ScopeId, want: ValueUse) -> Result<Value<'t>, LocatedFault> {
        match &node.datum {
            Datum::Text(text) => self.text(text, node.place),
            Datum::Raw(text) => self.text(text.as_str(), node.place),
            Datum::Number { value, .. } => Ok(Value::Number(*value)),
            Datum::Decimal(text) => Ok(number::decimal(text)),
            Datum::Bool(truth) => Ok(Value::Bool(*truth)),
            Datum::Symbol(name) => {
                let value = self.variable(name, node.place, scope);
                // A name alone, where a form is meant: nobody knows what it does.
                if let (ValueUse::Effect, Some(kind)) = (want, value.unknown())
                    && self.bound(name, scope).is_none()
                {
                    self.gap(node, scope, kind)?;
                }
                Ok(value)
            }
            Datum::Marked(NodeMark::Quote, inner) => self.quoted(inner),
            Datum::Marked(NodeMark::Vector, inner) => match self.quoted(inner)? {
                Value::List(items) => Ok(Value::Vector(items)),
                _ => Ok(Value::Unknown(GapKind::Form)),
            },
            Datum::Marked(NodeMark::Quasi, inner) => self.quasi(inner, scope),
            Datum::Marked(..) | Datum::List(_) => Ok(Value::Unknown(GapKind::Form)),
        }
    }

    fn text(&mut self, text: &str, place: LineColumn) -> Result<Value<'t>, LocatedFault> {
        self.charge(text.len() as u64, place)?;
        Ok(Value::Text(Rc::from(text)))
    }

    /// What a quoted node stands for.
    fn quoted(&mut self, node: &'t Node) -> Result<Value<'t>, LocatedFault> {
        self.charge(1, node.place)?;
        Ok(match &node.datum {
            Datum::Symbol(name) => Value::Symbol(Rc::from(name.as_str())),
            Datum::List(items) => {
                let values: Result<Vec<_>, LocatedFault> = items.iter().map(|item| self.quoted(item)).collect();
                self.items(values?, node.place)?
            }
            Datum::Text(text) => self.text(text, node.place)?,
            Datum::Raw(text) => self.text(text.as_str(), node.place)?,
            Datum::Number { value, .. } => Value::Number(*value),
            Datum::Decimal(text) => number::decimal(text),
            Datum::Bool(truth) => Value::Bool(*truth),
            Datum::Marked(NodeMark::Vector, inner) => match self.quoted(inner)? {
                Value::List(items) => Value::Vector(items),
                _ => Value::Unknown(GapKind::Form),
            },
            Datum::Marked(mark, inner) => {
                let word = match mark {
                    NodeMark::Quote => "quote",
                    NodeMark::Quasi => "quasiquote",
                    NodeMark::Unquote => "unquote",
                    NodeMark::Splice | NodeMark::Vector => "unquote-splicing",
                };
                let inner = self.quoted(inner)?;
                self.items(vec![Value::Symbol(Rc::from(word)), inner], node.place)?
            }
        })
    }

    /// A list of these values.
    fn items(&mut self, values: Vec<Value<'t>>, place: LineColumn) -> Result<Value<'t>, LocatedFault> {
        self.charge(values.len() as u64, place)?;
        let depth_of = |value: &Value<'t>| match value {
            Value::List(items) | Value::Vector(items) => items.depth,
            _ => 0,
        };
        let inner = values.iter().map(depth_of).max();
        let depth = inner.unwrap_or(0) + 1;
        if depth > MAX_SBPL_DEPTH {
            return Err(LocatedFault::new(place, Fault::TooDeep { most: MAX_SBPL_DEPTH }));
        }
        Ok(Value::List(Rc::new(ListItems { values, depth })))
    }

    /// What the profile itself bound to a name.
    fn bound(&self, name: &str, scope: ScopeId) -> Option<&Value<'t>> {
        let mut next = Some(scope);
        while let Some(ScopeId(id)) = next {
            if let Some(value) = self.scopes[id].names.get(name) {
                return Some(value);
            }
            next = self.scopes[id].parent;
        }
        None
    }

    fn variable(&mut self, name: &'t str, place: LineColumn, scope: ScopeId) -> Value<'t> {
        if let Some(value) = self.bound(name, scope) {
            return match (value, self.lost) {
                (Value::Lambda(_) | Value::Macro(..) | Value::Builtin(_) | Value::Operation(_), _) | (_, None) => {
                    value.clone()
                }
                (_, Some(kind)) => Value::Unknown(kind),
            };
        }
        if self.is_operation(name) {
            return Value::Operation(Rc::from(name));
        }
        if let Some(builtin) = names::builtin(name) {
            return Value::Builtin(builtin);
        }
        if is_constant(name) {
            return Value::Symbol(Rc::from(name));
        }
        self.unknown_name(name, place)
    }

    /// A name that nobody here knows.
    fn unknown_name(&mut self, name: &str, place: LineColumn) -> Value<'t> {
        let name_shown = super::error::shown(name);
        if self.foreign.is_none() && names::UNBOUND.contains(&name) {
            if !self.choices.is_empty() {
                self.remark(place, RemarkKind::Unbound(name_shown));
            } else if self.unbound.len() < MOST_REMARKS {
                self.unbound.push((place, name_shown));
            }
            return Value::Unknown(GapKind::Form);
        }
        let told =
            |remark: &Remark| matches!(&remark.kind, RemarkKind::UnknownName { name, .. } if *name == name_shown);
        // Comparing names costs more than anything else here, so it is done once for each of the first few.
        if self.foreign.is_none() && self.remarks.len() < MOST_REMARKS && !self.remarks.iter().any(told) {
            let close = close_to(name, names::all()).into_iter().map(str::to_owned).collect();
            self.remark(place, RemarkKind::UnknownName { name: name_shown, close });
        }
        Value::Unknown(self.foreign.unwrap_or(GapKind::Form))
    }

    /// Whether the name is an operation in this version of the language.
    fn is_operation(&self, name: &str) -> bool {
        let starred = !UNSTARRED_GROUPS.contains(&name) || self.version != 2;
        (operations::meaning(name).is_some() && starred) || OTHER_NAMES.iter().any(|(other, _)| *other == name)
    }

    fn list(
        &mut self,
        node: &'t Node,
        items: &'t [Node],
        scope: ScopeId,
        want: ValueUse,
    ) -> Result<EvalStep<'t>, LocatedFault> {
        let Some((head, arguments)) = items.split_first() else { return Ok(EvalStep::Done(Value::Nothing)) };
        let procedure = match head.symbol() {
            Some(name) if self.bound(name, scope).is_none() => {
                let form = Form { name, node, parts: arguments, scope, want };
                if names::FORMS.binary_search(&name).is_ok() {
                    return self.form(form);
                }
                if let "allow" | "deny" = name {
                    return self.rule_form(form).map(EvalStep::Done);
                }
                if names::filter(name).is_some() {
                    return self.filter_form(form).map(EvalStep::Done);
                }
                match names::builtin(name) {
                    Some(builtin) => Value::Builtin(builtin),
                    None => self.unknown_name(name, head.place),
                }
            }
            _ => self.eval(head, scope, ValueUse::Value)?,
        };
        match procedure {
            Value::Lambda(_) | Value::Builtin(_) => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    values.push(self.eval(argument, scope, ValueUse::Value)?);
                }
                self.call(&procedure, values, node, want)
            }
            Value::Macro(makro, whole) => self.expand(&makro, whole, node, arguments, scope),
            other => {
                let kind = other.unknown().unwrap_or(GapKind::Form);
                self.unknown_call(node, arguments, scope, want, kind).map(EvalStep::Done)
            }
        }
    }

    /// The value that a step comes to.
    fn finish(&mut self, step: EvalStep<'t>, want: ValueUse) -> Result<Value<'t>, LocatedFault> {
        match step {
            EvalStep::Done(value) => Ok(value),
            EvalStep::Tail(node, scope) => self.eval(node, scope, want),
        }
    }

    /// A call of something that is not known: a gap, if it may stand for rules.
    fn unknown_call(
        &mut self,
        node: &'t Node,
        arguments: &'t [Node],
        scope: ScopeId,
        want: ValueUse,
        kind: GapKind,
    ) -> Result<Value<'t>, LocatedFault> {
        let mut effects = want == ValueUse::Effect;
        for argument in arguments {
            // What gets a procedure may call it.
            let called = argument.symbol().and_then(|name| self.bound(name, scope));
            if matches!(called, Some(Value::Lambda(_))) {
                effects = true;
                if self.sets {
                    self.lost = self.lost.or(Some(kind));
                }
            }
            effects = effects || self.has_effects(argument, scope, false)?;
        }
        if effects {
            self.gap(node, scope, kind)?;
        }
        Ok(Value::Unknown(kind))
    }

    /// Records that `node` may stand for rules. Whatever it may define is not known from here on.
    fn gap(&mut self, node: &'t Node, scope: ScopeId, kind: GapKind) -> Result<(), LocatedFault> {
        let text = brief(node);
        self.charge(text.len() as u64, node.place)?;
        self.gaps.push(Gap { before: self.rules.len(), kind, text, place: node.place });
        if node.head().is_some_and(|name| name.starts_with("define") || name == "macro") {
            // Some other way to define something: its name is not even known for sure.
            self.foreign = self.foreign.or(Some(kind));
        }
        self.forget(node, scope, kind)
    }

    /// Makes the names unknown that forms inside `node` would define or change.
    fn forget(&mut self, node: &'t Node, scope: ScopeId, kind: GapKind) -> Result<(), LocatedFault> {
        self.charge(1, node.place)?;
        let items = match &node.datum {
            Datum::List(items) => items,
            _ => return Ok(()),
        };
        if let (Some("define" | "define-once" | "set!"), Some(defined)) = (node.head(), items.get(1)) {
            let name = defined.symbol().or_else(|| defined.head());
            if let Some(name) = name {
                self.bind(name, Value::Unknown(kind), scope, node.place)?;
            }
        }
        for item in items {
            self.forget(item, scope, kind)?;
        }
        Ok(())
    }

    /// Whether evaluating `node` may make rules or change names. `unknown_calls`: a call of an unknown name counts.
    fn has_effects(&mut self, node: &'t Node, scope: ScopeId, unknown_calls: bool) -> Result<bool, LocatedFault> {
        self.charge(1, node.place)?;
        let Datum::List(items) = &node.datum else { return Ok(false) };
        if let Some(name) = node.head() {
            let own = match self.bound(name, scope) {
                Some(Value::Lambda(_) | Value::Macro(..)) => true,
                Some(value) => unknown_calls && value.unknown().is_some(),
                None => match name {
                    "allow"
                    | "deny"
                    | "import"
                    | "apply-message-filter"
                    | "with-filter"
                    | "define"
                    | "define-once"
                    | "define-macro"
                    | "macro"
                    | "set!"
                    | "error"
                    | "version"
                    | "apply"
                    | "for-each"
                    | "map" => true,
                    _ => {
                        unknown_calls
                            && names::filter(name).is_none()
                            && names::builtin(name).is_none()
                            && names::FORMS.binary_search(&name).is_err()
                    }
                },
            };
            if own {
                return Ok(true);
            }
        }
        for item in items {
            if self.has_effects(item, scope, unknown_calls)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn bind(&mut self, name: &'t str, value: Value<'t>, scope: ScopeId, place: LineColumn) -> Result<(), LocatedFault> {
        self.charge(2, place)?;
        let before = self.scopes[scope.0].names.insert(name, value);
        if !self.choices.is_empty() {
            self.journal.push((scope, name, before));
        }
        Ok(())
    }

    fn inner_scope(&mut self, parent: ScopeId, place: LineColumn) -> Result<ScopeId, LocatedFault> {
        self.charge(8, place)?;
        self.scopes.push(Bindings { parent: Some(parent), ..Bindings::default() });
        Ok(ScopeId(self.scopes.len() - 1))
    }

    fn remark(&mut self, place: LineColumn, kind: RemarkKind) {
        if self.remarks.len() < MOST_REMARKS && !self.remarks.iter().any(|known| known.kind == kind) {
            self.remarks.push(Remark { place, kind });
        }
    }
}

/// The version that a `version` form states.
fn version_of(form: &Node) -> Result<u32, LocatedFault> {
    match form.list() {
        Some([_, Node { datum: Datum::Number { value: value @ 1..=3, .. }, .. }]) => {
            Ok(u32::try_from(*value).expect("it is 1, 2 or 3"))
        }
        _ => Err(LocatedFault::new(form.place, Fault::BadVersion { found: brief(form) })),
    }
}

/// Whether an unbound name is a constant, such as `AF_UNIX`, `SYS_exit` or `REGULAR-FILE`. Which of them there are
/// depends on the OS build.
fn is_constant(name: &str) -> bool {
    name.chars().any(|c| c.is_ascii_uppercase())
}
