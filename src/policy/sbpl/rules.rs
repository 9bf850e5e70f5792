//! A Seatbelt profile after its program has run: a flat list of rules in the order in which the text states them.
//!
//! `define`, `if`, `when`, `param` and `string-append` are gone. What could not be worked out is not dropped: it stands
//! in [`SbplRules::gaps`] or as [`Filter::Unknown`], and whoever evaluates the rules has to mind it.

use std::fmt;

use super::import_name::ImportName;
use crate::record::outcome::Decision;

/// Where something stands: line and column, both counted from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineColumn {
    /// The imported file that it stands in, by the name that the import gives; `None`: the profile's own text.
    pub file: Option<ImportName>,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
}

impl LineColumn {
    /// A place in the profile's own text.
    pub const fn at(line: u32, column: u32) -> Self {
        Self { file: None, line, column }
    }
}

impl fmt::Display for LineColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.file {
            Some(file) => write!(f, "{}:{}:{}", file.as_str(), self.line, self.column),
            None => write!(f, "{}:{}", self.line, self.column),
        }
    }
}

/// A whole profile.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SbplRules {
    /// The language version that the profile declares (1, 2 or 3).
    pub version: u32,
    /// The rules of the profile, in the order of the text.
    pub rules: Vec<Rule>,
    /// What the profile also says and nobody here knows: later rules may override it, earlier ones may be overridden.
    pub gaps: Vec<Gap>,
    /// Conditions of the program whose value is not known; rules in their branches name them by number.
    pub conditions: Vec<Condition>,
    /// Escapes in strings that were read as TinyScheme reads them, the first few: a filter may hold what they gave.
    pub escapes: Vec<(LineColumn, String)>,
    /// Names that the program uses and macOS is known not to have.
    pub unbound: Vec<(LineColumn, String)>,
}

impl SbplRules {
    /// The rule that decides where no other matches: the last one on `default` that has no filter. Without one, nobody
    /// has verified what the system does.
    pub fn default_rule(&self) -> Option<&Rule> {
        self.on_default().find(|rule| rule.conditions.is_empty())
    }

    /// Every rule on `default` without a filter, the last first; some may stand under a condition.
    pub fn on_default(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().rev().filter(|rule| {
            !rule.in_message_filter && rule.filters.is_empty() && rule.operations.iter().any(|name| name == "default")
        })
    }
}

/// A condition whose value is not known here.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// As written, shortened if long.
    pub text: String,
    /// Line and column at which it begins.
    pub place: LineColumn,
    /// Why it is not known.
    pub kind: GapKind,
    /// How many ways there are to go on.
    pub branches: u32,
    /// The entitlement that it asks for and nothing else: without it, the program goes the second way.
    pub entitlement: Option<String>,
}

/// One of the ways to go on at a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConditionChoice {
    /// The condition, as a place in [`SbplRules::conditions`].
    pub condition: u32,
    /// Which of its branches, from 0.
    pub branch: u32,
}

impl SbplRules {
    /// Every host folder that some rule names with everything below it, but `/`, and where the rule stands.
    pub fn subpaths(&self) -> impl Iterator<Item = (LineColumn, &str)> {
        fn add<'f>(filter: &'f Filter, found: &mut Vec<&'f str>) {
            match filter {
                Filter::All(list) | Filter::Any(list) => list.iter().for_each(|filter| add(filter, found)),
                Filter::Not(inner) => add(inner, found),
                Filter::Path(PathFilter::Subpath(path))
                | Filter::Network { address: NetworkAddress::Path(PathFilter::Subpath(path)), .. }
                    if path.starts_with('/') && !path.trim_matches('/').is_empty() && !path.contains("${") =>
                {
                    found.push(path);
                }
                _ => {}
            }
        }
        self.rules.iter().flat_map(|rule| {
            let mut found = Vec::new();
            rule.filters.iter().for_each(|filter| add(filter, &mut found));
            found.into_iter().map(|path| (rule.place, path))
        })
    }
}

/// One `allow` or `deny` form.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Which of the two.
    pub action: Decision,
    /// The operations that it names, as written (`file-read*`, `default`, …), names of other releases included. At least
    /// one.
    pub operations: Vec<String>,
    /// Its filters: any of them has to match. Without any, the rule always matches.
    pub filters: Vec<Filter>,
    /// Its modifiers (`with …`), as written without the word `with`; they never change the decision.
    pub modifiers: Vec<String>,
    /// Whether the rule stands inside `apply-message-filter`, where it decides about messages and not about the operation.
    pub in_message_filter: bool,
    /// The ways that the program has to go for the rule to be there; none: it is there in any case.
    pub conditions: Vec<ConditionChoice>,
    /// Where the form begins.
    pub place: LineColumn,
}

/// A part of the profile that stands for rules which are not known here.
#[derive(Debug, Clone, PartialEq)]
pub struct Gap {
    /// How many of [`SbplRules::rules`] stand before it.
    pub before: usize,
    /// What it is.
    pub kind: GapKind,
    /// The form, as written, shortened if long.
    pub text: String,
    /// Line and column at which it begins.
    pub place: LineColumn,
}

/// Why something is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GapKind {
    /// `(import "system.sb")`: its content belongs to an OS build.
    Import,
    /// A parameter without a value decides about it.
    Parameter,
    /// A form or a procedure that this program does not know.
    Form,
}

/// A condition on the operation's facts.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// `require-all`.
    All(Vec<Filter>),
    /// `require-any`.
    Any(Vec<Filter>),
    /// `require-not`.
    Not(Box<Filter>),
    /// A condition on the resolved path.
    Path(PathFilter),
    /// A condition on a named text: `global-name`, `sysctl-name`, `preference-domain`, …
    Name {
        /// The filter's own name, without `-prefix` or `-regex`.
        filter: String,
        /// What the text has to be.
        pattern: Pattern,
    },
    /// A condition on a symbol or a number: `(target same-sandbox)`, `(vnode-type SYMLINK)`, `(signal-number SIGTERM)`,
    /// `(socket-domain AF_UNIX)`, `(socket-protocol 2)`.
    Symbol {
        /// The filter's name.
        filter: String,
        /// The value, as written.
        value: String,
    },
    /// `(file-mode #o0004)`: all of these permission bits are set.
    FileMode(u32),
    /// `(local …)` or `(remote …)`.
    Network {
        /// Which end of the connection.
        end: NetworkEnd,
        /// `ip`, `ip4`, `ip6`, `tcp`, `tcp4`, `tcp6`, `udp`, `udp4`, `udp6` or `unix-socket`, as written.
        protocol: String,
        /// What the address has to be.
        address: NetworkAddress,
    },
    /// `(extension "class")`: whether the process holds an extension is known to the kernel alone.
    Extension(String),
    /// `(require-entitlement "name")`: whether the process has it is known to the kernel alone.
    Entitlement(String),
    /// A filter that this program does not know.
    Unknown {
        /// Name of the filter, as written.
        name: String,
        /// The form, as written, shortened if long.
        text: String,
    },
}

/// A condition on a resolved, absolute path.
#[derive(Debug, Clone, PartialEq)]
pub enum PathFilter {
    /// `literal`, `path`, `path-literal`: exactly this path.
    Literal(String),
    /// `subpath`: this folder and all below it.
    Subpath(String),
    /// `prefix`: any path whose text begins like this.
    Prefix(String),
    /// `regex`: not anchored by itself.
    Regex(String),
    /// `path-ancestors`: the folders above this path, up to `/`.
    Ancestors(String),
    /// `home-subpath`, `home-literal`, …: what the filter within says, behind the path of a home folder that is not known
    /// here.
    Home(Box<PathFilter>),
}

/// What a named text has to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Pattern {
    /// Exactly this; a star in it is a star.
    Literal(String),
    /// Anything that begins like this.
    Prefix(String),
    /// Anything that this regular expression finds a match in.
    Regex(String),
}

/// An end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NetworkEnd {
    /// `local`.
    Local,
    /// `remote`.
    Remote,
}

/// What an address has to be.
#[derive(Debug, Clone, PartialEq)]
pub enum NetworkAddress {
    /// Not restricted: `(remote ip)`.
    Any,
    /// `"HOST:PORT"`, each of the two `*` or a value, as written.
    Text {
        /// `*` or `localhost`.
        host: String,
        /// `*` or a number.
        port: String,
    },
    /// A UNIX socket's path.
    Path(PathFilter),
    /// Something that this program does not know, as written.
    Unknown(String),
}
