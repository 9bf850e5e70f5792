//! What a profile's program works with.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::super::rules::{Filter, GapKind};
use super::super::syntax::Node;

/// What a value is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueUse {
    /// For itself: an argument, a condition.
    Value,
    /// For what it does: a form of the outermost level, or of a body.
    Effect,
}

/// A form as it stands in the text, and where it is evaluated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form<'t> {
    /// The operator as the text spells it: the word behind the parenthesis.
    pub(super) name: &'t str,
    /// The whole of it.
    pub(super) node: &'t Node,
    /// What stands behind the word.
    pub(super) parts: &'t [Node],
    /// The scope that its names are looked up in.
    pub(super) scope: ScopeId,
    /// What its value is wanted for.
    pub(super) want: ValueUse,
}

/// A value of the program.
#[derive(Debug, Clone)]
pub(super) enum Value<'t> {
    Bool(bool),
    Text(Rc<str>),
    /// A whole number.
    Number(i64),
    /// Another number.
    Real(f64),
    /// A quoted name, or a constant such as `AF_UNIX`.
    Symbol(Rc<str>),
    /// The name of an operation, as written.
    Operation(Rc<str>),
    Filter(Rc<BuiltFilter>),
    /// What stands behind `with`, as written.
    Modifier(Rc<str>),
    List(Rc<ListItems<'t>>),
    Vector(Rc<ListItems<'t>>),
    Lambda(Rc<Lambda<'t>>),
    /// A procedure that makes forms out of forms; `true`: it takes the whole form, `false`: the form's parts.
    Macro(Rc<Lambda<'t>>, bool),
    /// A procedure of the language, by name.
    Builtin(&'static str),
    /// What a form gives that gives nothing.
    Nothing,
    /// Nobody here knows, and why.
    Unknown(GapKind),
}

impl Value<'_> {
    /// Whether a condition holds; `None` if nobody knows. Only `#f` does not hold.
    pub(super) fn truth(&self) -> Option<bool> {
        match self {
            Self::Unknown(_) => None,
            Self::Bool(truth) => Some(*truth),
            _ => Some(true),
        }
    }

    /// Why it is not known, if it is not.
    pub(super) fn unknown(&self) -> Option<GapKind> {
        match self {
            Self::Unknown(kind) => Some(*kind),
            _ => None,
        }
    }

    /// Whether it is surely the same as another value.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Text(a), Self::Text(b)) | (Self::Symbol(a), Self::Symbol(b)) => a == b,
            (Self::Operation(a), Self::Operation(b)) | (Self::Modifier(a), Self::Modifier(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::Filter(a), Self::Filter(b)) => Rc::ptr_eq(a, b),
            (Self::List(a), Self::List(b)) | (Self::Vector(a), Self::Vector(b)) => Rc::ptr_eq(a, b),
            (Self::Lambda(a), Self::Lambda(b)) => Rc::ptr_eq(a, b),
            (Self::Macro(a, _), Self::Macro(b, _)) => Rc::ptr_eq(a, b),
            (Self::Builtin(a), Self::Builtin(b)) => a == b,
            (Self::Nothing, Self::Nothing) => true,
            _ => false,
        }
    }

    /// What it is, for a message.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Bool(true) => "`#t`",
            Self::Bool(false) => "`#f`",
            Self::Text(_) => "a string",
            Self::Number(_) | Self::Real(_) => "a number",
            Self::Symbol(_) => "a name",
            Self::Operation(_) => "an operation",
            Self::Filter(_) => "a filter",
            Self::Modifier(_) => "a modifier",
            Self::List(_) => "a list",
            Self::Vector(_) => "a vector",
            Self::Macro(..) => "a macro",
            Self::Lambda(_) | Self::Builtin(_) => "a procedure",
            Self::Nothing | Self::Unknown(_) => "no value",
        }
    }
}

/// A filter, and what it costs to copy it.
#[derive(Debug)]
pub(super) struct BuiltFilter {
    pub(super) filter: Filter,
    pub(super) weight: u64,
    pub(super) depth: usize,
}

/// A list, and how deep lists are nested in it: what is nested without limit cannot be freed either.
#[derive(Debug)]
pub(super) struct ListItems<'t> {
    pub(super) values: Vec<Value<'t>>,
    pub(super) depth: usize,
}

/// A procedure of the profile.
#[derive(Debug)]
pub(super) struct Lambda<'t> {
    /// For messages.
    pub(super) name: Rc<str>,
    pub(super) parameters: Vec<&'t str>,
    /// The parameter that takes all further arguments as a list.
    pub(super) rest: Option<&'t str>,
    pub(super) body: &'t [Node],
    pub(super) scope: ScopeId,
}

/// A scope by number. Scopes live as long as the evaluation: procedures may hold on to any of them, and numbers cannot
/// form circles that are never freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ScopeId(pub(super) usize);

/// What is left to do for a value.
#[derive(Debug)]
pub(super) enum EvalStep<'t> {
    /// Nothing.
    Done(Value<'t>),
    /// To evaluate this node instead: it stands last, and nothing comes after it.
    Tail(&'t Node, ScopeId),
}

/// Forms that macros made. Each stays where it is as long as the evaluation lasts.
#[derive(Debug, Default)]
pub(super) struct MacroForms {
    node: Option<Node>,
    next: OnceCell<Box<MacroForms>>,
}

impl MacroForms {
    /// Keeps a node behind this one, the last.
    pub(super) fn keep(&self, node: Node) -> &Self {
        self.next.get_or_init(|| Box::new(Self { node: Some(node), next: OnceCell::new() }))
    }

    pub(super) fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }
}

impl Drop for MacroForms {
    /// One after the other, so that no long chain is freed by nested calls.
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut one) = next {
            next = one.next.take();
        }
    }
}

/// Names and their values.
#[derive(Debug, Default)]
pub(super) struct Bindings<'t> {
    pub(super) names: HashMap<&'t str, Value<'t>>,
    pub(super) parent: Option<ScopeId>,
}
