//! What a profile's program works with.

use std::collections::HashMap;
use std::rc::Rc;

use super::super::rules::{Filter, GapKind};
use super::super::syntax::Node;

/// A value of the program.
#[derive(Debug, Clone)]
pub(super) enum Value<'t> {
    Bool(bool),
    Text(Rc<str>),
    /// A number, and how it was written.
    Number(i64),
    /// A quoted name, or a constant such as `AF_UNIX`.
    Symbol(Rc<str>),
    /// The name of an operation, as written.
    Operation(Rc<str>),
    Filter(Rc<Built>),
    /// What stands behind `with`, as written.
    Modifier(Rc<str>),
    List(Rc<Items<'t>>),
    Lambda(Rc<Lambda<'t>>),
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

    /// What it is, for a message.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Bool(true) => "`#t`",
            Self::Bool(false) => "`#f`",
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::Symbol(_) => "a name",
            Self::Operation(_) => "an operation",
            Self::Filter(_) => "a filter",
            Self::Modifier(_) => "a modifier",
            Self::List(_) => "a list",
            Self::Lambda(_) | Self::Builtin(_) => "a procedure",
            Self::Nothing | Self::Unknown(_) => "no value",
        }
    }
}

/// A filter, and what it costs to copy it.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) filter: Filter,
    pub(super) weight: u64,
    pub(super) depth: usize,
}

/// A list, and how deep lists are nested in it: what is nested without limit cannot be freed either.
#[derive(Debug)]
pub(super) struct Items<'t> {
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ScopeId(pub(super) usize);

/// Names and their values.
#[derive(Debug, Default)]
pub(super) struct Scope<'t> {
    pub(super) names: HashMap<&'t str, Value<'t>>,
    pub(super) parent: Option<ScopeId>,
}
