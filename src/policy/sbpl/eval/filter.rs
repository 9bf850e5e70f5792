//! Filters.

use std::rc::Rc;

use super::super::error::{Fault, LocatedFault, shown};
use super::super::model::regex::is_refused;
use super::super::print::brief;
use super::super::rules::{Filter, GapKind, LineColumn, NetworkAddress, NetworkEnd, PathFilter, Pattern};
use super::super::syntax::{Datum, Node};
use super::Evaluator;
use super::names::{self, Compare, FilterKind, PathKind};
use super::remark::RemarkKind;
use super::value::{BuiltFilter, Form, ScopeId, Value, ValueUse};
use crate::base::limits::MAX_SBPL_DEPTH;

impl<'t> Evaluator<'t> {
    /// A filter as a form: symbols among its arguments may be constants, and unknown parts keep their text.
    pub(super) fn filter_form(&mut self, form: Form<'t>) -> Result<Value<'t>, LocatedFault> {
        let Form { name, node, parts: arguments, scope, .. } = form;
        let (kind, _) = names::filter(name).expect("the caller has looked it up");
        let mut values = Vec::with_capacity(arguments.len());
        for (n, argument) in arguments.iter().enumerate() {
            values.push(match kind {
                FilterKind::Combination => self.filter_argument(argument, scope)?,
                FilterKind::Symbol => self.constant(argument, scope)?,
                FilterKind::Network if n == 0 => self.constant(argument, scope)?,
                _ => self.eval(argument, scope, ValueUse::Value)?,
            });
        }
        self.filter(name, values, node)
    }

    /// A symbol, a number or a form such as `(_IO "h" 47)` that stands for a number, as written.
    fn constant(&mut self, node: &'t Node, scope: ScopeId) -> Result<Value<'t>, LocatedFault> {
        let name = match &node.datum {
            Datum::Symbol(name) => Some(name.as_str()),
            Datum::List(_) => node.head().filter(|name| names::builtin(name).is_none() && !names::FORMS.contains(name)),
            Datum::Number { .. } => Some(""),
            _ => None,
        };
        match name {
            Some(name) if self.bound(name, scope).is_none() => {
                let text = brief(node);
                self.charge(text.len() as u64, node.place)?;
                Ok(Value::Symbol(Rc::from(text)))
            }
            _ => self.eval(node, scope, ValueUse::Value),
        }
    }

    /// The filter `name` of these values; `node` is the form that asks for it.
    pub(super) fn filter(
        &mut self,
        name: &str,
        values: Vec<Value<'t>>,
        node: &Node,
    ) -> Result<Value<'t>, LocatedFault> {
        let (kind, base) = names::filter(name).expect("the caller has looked it up");
        if kind == FilterKind::Combination {
            return self.combination(name, values, node);
        }
        if kind == FilterKind::Network {
            return self.network(name, values, node);
        }
        if kind == FilterKind::Opaque {
            return self.unknown_leaf(name, node);
        }
        // A parameter without a value is `#f`, which no filter takes: macOS refuses such a profile when it is applied.
        if values.iter().any(|value| matches!(value, Value::Unknown(_) | Value::Bool(false) | Value::Nothing)) {
            return self.unknown_leaf(name, node);
        }
        if values.is_empty() {
            return Err(argument(name, wanted(kind), "nothing", node));
        }
        let mut leaves = Vec::with_capacity(values.len());
        for value in values {
            if let (FilterKind::Symbol, Value::Symbol(text)) = (kind, &value)
                && let Some((filter, known)) = names::constants(base)
                && !known.contains(&text.as_ref())
            {
                self.unknown_constant(filter, text, known, node)?;
                leaves.push(Filter::Unknown { name: shown(name), text: brief(node) });
                continue;
            }
            let leaf = self.leaf(kind, name, base, &value, node)?;
            self.doubtful_path(&leaf, node);
            let weight = 64 + text_bytes(&leaf);
            self.charge(weight, node.place)?;
            leaves.push(leaf);
        }
        self.alternatives(leaves, node.place)
    }

    /// Remarks on a path that no resolved one can be compared with.
    fn doubtful_path(&mut self, leaf: &Filter, node: &Node) {
        if let Filter::Path(
            PathFilter::Literal(text)
            | PathFilter::Subpath(text)
            | PathFilter::Prefix(text)
            | PathFilter::Ancestors(text),
        ) = leaf
            && !text.starts_with(['/', '$'])
        {
            self.remark(node.place, RemarkKind::Path(shown(text)));
        }
    }

    fn leaf(
        &self,
        kind: FilterKind,
        name: &str,
        base: &str,
        value: &Value<'t>,
        node: &Node,
    ) -> Result<Filter, LocatedFault> {
        let refused = || argument(name, wanted(kind), value.kind(), node);
        let text = || match value {
            Value::Text(text) => Ok(text.to_string()),
            _ => Err(refused()),
        };
        Ok(match kind {
            FilterKind::Path(path) => {
                let text = text()?;
                if matches!(path, PathKind::Regex | PathKind::HomeRegex) {
                    compiles(&text, node)?;
                }
                Filter::Path(path_filter(path, text))
            }
            FilterKind::Name(compare) => {
                let text = match value {
                    Value::Symbol(symbol) => symbol.to_string(),
                    _ => text()?,
                };
                let pattern = match compare {
                    Compare::Literal => Pattern::Literal(text),
                    Compare::Prefix => Pattern::Prefix(text),
                    Compare::Regex => {
                        compiles(&text, node)?;
                        Pattern::Regex(text)
                    }
                };
                Filter::Name { filter: base.to_owned(), pattern }
            }
            FilterKind::Symbol => {
                let value = match value {
                    Value::Symbol(text) | Value::Text(text) | Value::Operation(text) => text.to_string(),
                    Value::Number(number) => number.to_string(),
                    _ => return Err(refused()),
                };
                Filter::Symbol { filter: base.to_owned(), value }
            }
            FilterKind::FileMode => match value {
                Value::Number(bits @ 0..=0o7777) => Filter::FileMode(u32::try_from(*bits).expect("it is small")),
                _ => return Err(refused()),
            },
            FilterKind::Extension => Filter::Extension(text()?),
            FilterKind::Entitlement => Filter::Entitlement(text()?),
            FilterKind::Opaque | FilterKind::Network | FilterKind::Combination => {
                unreachable!("they are no leaves")
            }
        })
    }

    fn unknown_leaf(&mut self, name: &str, node: &Node) -> Result<Value<'t>, LocatedFault> {
        self.built(Filter::Unknown { name: shown(name), text: brief(node) }, 0, 1, node.place)
    }

    /// One filter as it is, several as alternatives.
    fn alternatives(&mut self, mut filters: Vec<Filter>, place: LineColumn) -> Result<Value<'t>, LocatedFault> {
        let weight = filters.iter().map(|filter| 64 + text_bytes(filter)).sum();
        match (filters.pop(), filters.is_empty()) {
            (Some(only), true) => self.built(only, weight, 1, place),
            (Some(last), false) => {
                filters.push(last);
                self.built(Filter::Any(filters), weight, 2, place)
            }
            (None, _) => unreachable!("there is a filter"),
        }
    }

    /// A filter as a value. `weight` is that of its parts, `depth` how deep it is nested.
    pub(super) fn built(
        &mut self,
        filter: Filter,
        weight: u64,
        depth: usize,
        place: LineColumn,
    ) -> Result<Value<'t>, LocatedFault> {
        if depth > MAX_SBPL_DEPTH {
            return Err(LocatedFault::new(place, Fault::TooDeep { most: MAX_SBPL_DEPTH }));
        }
        let weight = weight + 64 + text_bytes(&filter);
        self.charge(weight, place)?;
        Ok(Value::Filter(Rc::new(BuiltFilter { filter, weight, depth })))
    }

    fn combination(&mut self, name: &str, values: Vec<Value<'t>>, node: &Node) -> Result<Value<'t>, LocatedFault> {
        let (mut parts, mut weight, mut depth) = (Vec::with_capacity(values.len()), 0, 0);
        for value in values {
            match value {
                Value::Filter(built) => {
                    self.charge(built.weight, node.place)?;
                    weight += built.weight;
                    depth = depth.max(built.depth);
                    parts.push(built.filter.clone());
                }
                Value::Unknown(_) | Value::Bool(false) | Value::Nothing => {
                    parts.push(Filter::Unknown { name: shown(name), text: brief(node) });
                    weight += 256;
                    depth = depth.max(1);
                }
                other => return Err(argument(name, "filters", other.kind(), node)),
            }
        }
        let filter = match (name, parts.len()) {
            (_, 0) => return Err(argument(name, "a filter at least", "nothing", node)),
            ("require-all", _) => Filter::All(parts),
            ("require-any", _) => Filter::Any(parts),
            (_, 1) => Filter::Not(Box::new(parts.remove(0))),
            _ => return Err(argument(name, "exactly one filter", "more than one", node)),
        };
        self.built(filter, weight, depth + 1, node.place)
    }

    /// `(local …)` and `(remote …)`.
    fn network(&mut self, name: &str, values: Vec<Value<'t>>, node: &Node) -> Result<Value<'t>, LocatedFault> {
        let end = if name == "local" { NetworkEnd::Local } else { NetworkEnd::Remote };
        let mut values = values.into_iter();
        let protocol = match values.next() {
            Some(Value::Symbol(protocol)) => protocol.to_string(),
            Some(Value::Unknown(_) | Value::Bool(false) | Value::Filter(_)) => return self.unknown_leaf(name, node),
            other => {
                let found = other.map_or("nothing", |value| value.kind());
                return Err(argument(name, "a protocol such as `ip` or `unix-socket`", found, node));
            }
        };
        let mut addresses = Vec::new();
        for value in values {
            match value {
                Value::Text(text) => {
                    let Some((host, port)) = text.rsplit_once(':') else {
                        addresses.push(NetworkAddress::Unknown(brief(node)));
                        continue;
                    };
                    if port != "*" && port.parse::<u16>().is_err() {
                        let kind = RemarkKind::Constant { filter: name.to_owned(), value: shown(port) };
                        self.remark(node.place, kind);
                    }
                    addresses.push(NetworkAddress::Text { host: host.to_owned(), port: port.to_owned() });
                }
                Value::Filter(built) => match &built.filter {
                    Filter::Path(path) => addresses.push(NetworkAddress::Path(path.clone())),
                    Filter::Any(parts) => {
                        self.charge(built.weight, node.place)?;
                        for part in parts {
                            addresses.push(match part {
                                Filter::Path(path) => NetworkAddress::Path(path.clone()),
                                _ => NetworkAddress::Unknown(brief(node)),
                            });
                        }
                    }
                    _ => addresses.push(NetworkAddress::Unknown(brief(node))),
                },
                Value::Unknown(_) | Value::Bool(false) | Value::Nothing => {
                    addresses.push(NetworkAddress::Unknown(brief(node)));
                }
                other => return Err(argument(name, "an address such as `\"localhost:*\"`", other.kind(), node)),
            }
        }
        if addresses.is_empty() {
            addresses.push(NetworkAddress::Any);
        }
        let filters =
            addresses.into_iter().map(|address| Filter::Network { end, protocol: protocol.clone(), address }).collect();
        self.alternatives(filters, node.place)
    }

    /// Why a value is not known, for a result that depends on it: `#f` where a text is needed is a parameter without a
    /// value.
    pub(super) fn reason(values: &[Value<'t>]) -> Option<GapKind> {
        values.iter().find_map(Value::unknown)
    }
}

fn path_filter(kind: PathKind, text: String) -> PathFilter {
    match kind {
        PathKind::Literal => PathFilter::Literal(text),
        PathKind::Subpath => PathFilter::Subpath(text),
        PathKind::Prefix => PathFilter::Prefix(text),
        PathKind::Regex => PathFilter::Regex(text),
        PathKind::Ancestors => PathFilter::Ancestors(text),
        PathKind::HomeLiteral => PathFilter::Home(Box::new(PathFilter::Literal(text))),
        PathKind::HomeSubpath => PathFilter::Home(Box::new(PathFilter::Subpath(text))),
        PathKind::HomePrefix => PathFilter::Home(Box::new(PathFilter::Prefix(text))),
        PathKind::HomeRegex => PathFilter::Home(Box::new(PathFilter::Regex(text))),
    }
}

/// Refuses a pattern that macOS is known not to compile.
fn compiles(pattern: &str, node: &Node) -> Result<(), LocatedFault> {
    if is_refused(pattern) {
        return Err(LocatedFault::new(node.place, Fault::Regex { pattern: shown(pattern) }));
    }
    Ok(())
}

fn wanted(kind: FilterKind) -> &'static str {
    match kind {
        FilterKind::Path(_) | FilterKind::Name(_) | FilterKind::Extension | FilterKind::Entitlement => "a string",
        FilterKind::Symbol => "a name or a number",
        FilterKind::FileMode => "permission bits such as `#o0004`",
        FilterKind::Network => "a protocol",
        FilterKind::Combination | FilterKind::Opaque => "filters",
    }
}

fn argument(filter: &str, wanted: &'static str, found: &str, node: &Node) -> LocatedFault {
    LocatedFault::new(node.place, Fault::FilterArgument { filter: shown(filter), wanted, found: found.to_owned() })
}

/// The bytes of text in a filter itself, its parts aside.
fn text_bytes(filter: &Filter) -> u64 {
    let bytes = |text: &String| text.len() as u64;
    match filter {
        Filter::Path(path) => path_bytes(path),
        Filter::Name { filter, pattern } => {
            let (Pattern::Literal(text) | Pattern::Prefix(text) | Pattern::Regex(text)) = pattern;
            bytes(filter) + bytes(text)
        }
        Filter::Symbol { filter, value } => bytes(filter) + bytes(value),
        Filter::Network { protocol, address, .. } => {
            bytes(protocol)
                + match address {
                    NetworkAddress::Any => 0,
                    NetworkAddress::Text { host, port } => bytes(host) + bytes(port),
                    NetworkAddress::Path(path) => path_bytes(path),
                    NetworkAddress::Unknown(text) => bytes(text),
                }
        }
        Filter::Extension(class) | Filter::Entitlement(class) => bytes(class),
        Filter::Unknown { name, text } => bytes(name) + bytes(text),
        Filter::All(_) | Filter::Any(_) | Filter::Not(_) | Filter::FileMode(_) => 0,
    }
}

fn path_bytes(path: &PathFilter) -> u64 {
    match path {
        PathFilter::Literal(text)
        | PathFilter::Subpath(text)
        | PathFilter::Prefix(text)
        | PathFilter::Regex(text)
        | PathFilter::Ancestors(text) => text.len() as u64,
        PathFilter::Home(below) => 16 + path_bytes(below),
    }
}
