//! Filters of Seatbelt rules: as text, and which of two matches whatever the other does.

use crate::policy::sbpl::quote;
use crate::policy::sbpl::rules::{Filter, NetworkAddress, NetworkEnd, PathFilter, Pattern, Rule};

/// A filter as a profile would spell it, with everything in it worked out.
pub fn text(filter: &Filter) -> String {
    let list = |name: &str, parts: &[Filter]| {
        let parts: Vec<String> = parts.iter().map(text).collect();
        format!("({name} {})", parts.join(" "))
    };
    match filter {
        Filter::All(parts) => list("require-all", parts),
        Filter::Any(parts) => list("require-any", parts),
        Filter::Not(part) => format!("(require-not {})", text(part)),
        Filter::Path(path) => path_text(path, ""),
        Filter::Name { filter, pattern } => match pattern {
            Pattern::Literal(wanted) => format!("({filter} {})", quote(wanted)),
            Pattern::Prefix(wanted) => format!("({filter}-prefix {})", quote(wanted)),
            Pattern::Regex(wanted) => format!("({filter}-regex {})", raw(wanted)),
        },
        Filter::Symbol { filter, value } => format!("({filter} {value})"),
        Filter::FileMode(bits) => format!("(file-mode #o{bits:04o})"),
        Filter::Network { end, protocol, address } => {
            let end = match end {
                NetworkEnd::Local => "local",
                NetworkEnd::Remote => "remote",
            };
            match address {
                NetworkAddress::Any => format!("({end} {protocol})"),
                NetworkAddress::Text { host, port } => {
                    format!("({end} {protocol} {})", quote(&format!("{host}:{port}")))
                }
                NetworkAddress::Path(path) => format!("({end} {protocol} {})", path_text(path, "path-")),
                NetworkAddress::Unknown(text) => text.clone(),
            }
        }
        Filter::Extension(class) => format!("(extension {})", quote(class)),
        Filter::Entitlement(name) => format!("(require-entitlement {})", quote(name)),
        Filter::Unknown { text, .. } => text.clone(),
    }
}

fn path_text(path: &PathFilter, prefix: &str) -> String {
    match path {
        PathFilter::Literal(path) => format!("({prefix}literal {})", quote(path)),
        PathFilter::Subpath(path) => format!("(subpath {})", quote(path)),
        PathFilter::Prefix(path) => format!("({prefix}prefix {})", quote(path)),
        PathFilter::Regex(pattern) => format!("({prefix}regex {})", raw(pattern)),
        PathFilter::Ancestors(path) => format!("(path-ancestors {})", quote(path)),
        PathFilter::Home(below) => path_text(below, "home-").replacen("(subpath", "(home-subpath", 1),
    }
}

fn raw(pattern: &str) -> String {
    if pattern.contains('"') { quote(pattern) } else { format!("#\"{pattern}\"") }
}

/// Whether `a` certainly matches every object that `b` matches, and is there whenever `b` is.
pub fn rule_covers(a: &Rule, b: &Rule) -> bool {
    if !a.conditions.iter().all(|choice| b.conditions.contains(choice)) {
        return false;
    }
    a.filters.is_empty() || (!b.filters.is_empty() && b.filters.iter().all(|b| a.filters.iter().any(|a| covers(a, b))))
}

/// Whether some object is certainly matched by both, as far as one covers a part of the other.
pub fn rules_overlap(a: &Rule, b: &Rule) -> bool {
    a.filters.is_empty()
        || b.filters.is_empty()
        || a.filters.iter().any(|a| b.filters.iter().any(|b| covers(a, b) || covers(b, a)))
}

/// Whether `a` certainly matches every object that `b` matches.
pub fn covers(a: &Filter, b: &Filter) -> bool {
    if a == b {
        return true;
    }
    match (a, b) {
        (_, Filter::Any(parts)) => !parts.is_empty() && parts.iter().all(|part| covers(a, part)),
        (Filter::All(parts), _) => !parts.is_empty() && parts.iter().all(|part| covers(part, b)),
        (Filter::Any(parts), _) => parts.iter().any(|part| covers(part, b)),
        (_, Filter::All(parts)) => parts.iter().any(|part| covers(a, part)),
        (Filter::Not(a), Filter::Not(b)) => covers(b, a),
        (Filter::Path(a), Filter::Path(b)) => path_covers(a, b),
        (Filter::Name { filter: a, pattern: wide }, Filter::Name { filter: b, pattern: narrow }) => {
            a == b
                && match (wide, narrow) {
                    (Pattern::Prefix(wide), Pattern::Literal(narrow) | Pattern::Prefix(narrow)) => {
                        narrow.starts_with(wide.as_str())
                    }
                    _ => false,
                }
        }
        (
            Filter::Network { end: a_end, protocol: a_protocol, address: a },
            Filter::Network { end: b_end, protocol: b_protocol, address: b },
        ) => {
            a_end == b_end
                && (a_protocol == b_protocol || (a_protocol == "ip" && !b_protocol.starts_with("unix")))
                && match (a, b) {
                    (NetworkAddress::Any, _) => true,
                    (
                        NetworkAddress::Text { host: a_host, port: a_port },
                        NetworkAddress::Text { host: b_host, port: b_port },
                    ) => (a_host == "*" || a_host == b_host) && (a_port == "*" || a_port == b_port),
                    (NetworkAddress::Path(a), NetworkAddress::Path(b)) => a == b || path_covers(a, b),
                    _ => false,
                }
        }
        _ => false,
    }
}

fn path_covers(a: &PathFilter, b: &PathFilter) -> bool {
    match (a, b) {
        // Whether a needless slash is tidied away is not known, so such a rule may match nothing.
        (PathFilter::Subpath(top), PathFilter::Literal(path) | PathFilter::Subpath(path)) => {
            (top == "/" || !top.ends_with('/')) && is_below(path, top)
        }
        (
            PathFilter::Prefix(begin),
            PathFilter::Literal(path) | PathFilter::Subpath(path) | PathFilter::Prefix(path),
        ) => !begin.is_empty() && path.starts_with(begin.as_str()),
        _ => false,
    }
}

/// Whether `path` is `top` or lies below it, by their spelling.
pub fn is_below(path: &str, top: &str) -> bool {
    let top = top.strip_suffix('/').filter(|top| !top.is_empty()).unwrap_or(top);
    top == "/" && path.starts_with('/')
        || path.strip_prefix(top).is_some_and(|rest| !top.is_empty() && (rest.is_empty() || rest.starts_with('/')))
}

/// Every leaf of a filter, with whether it stands under an odd number of `require-not`.
pub fn parts<'f>(filter: &'f Filter, negated: bool, each: &mut dyn FnMut(&'f Filter, bool)) {
    match filter {
        Filter::All(list) | Filter::Any(list) => list.iter().for_each(|part| parts(part, negated, each)),
        Filter::Not(part) => parts(part, !negated, each),
        leaf => each(leaf, negated),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::policy::sbpl::SbplPolicy;

    fn filters(text: &str) -> Vec<Filter> {
        let text = format!("(version 1)(deny default)(allow file-read* network-outbound mach-lookup {text})");
        SbplPolicy::new(text, BTreeMap::new()).unwrap().rules().rules[1].filters.clone()
    }

    #[test]
    fn wider_filters_cover_narrower_ones() {
        for (wide, narrow, yes) in [
            ("(subpath \"/a\")", "(literal \"/a/b\")", true),
            ("(subpath \"/a\")", "(literal \"/ab\")", false),
            ("(subpath \"/\")", "(subpath \"/x\")", true),
            ("(literal \"/a\")", "(subpath \"/a\")", false),
            ("(prefix \"/a\")", "(subpath \"/ab\")", true),
            ("(require-any (subpath \"/a\") (subpath \"/b\"))", "(literal \"/b/c\")", true),
            ("(require-all (subpath \"/a\") (subpath \"/b\"))", "(literal \"/b/c\")", false),
            ("(subpath \"/a\")", "(require-all (literal \"/a/x\") (vnode-type REGULAR-FILE))", true),
            ("(require-not (literal \"/a/x\"))", "(require-not (subpath \"/a\"))", true),
            ("(require-not (subpath \"/a\"))", "(require-not (literal \"/a/x\"))", false),
            ("(global-name-prefix \"com.\")", "(global-name \"com.a\")", true),
            ("(remote ip \"*:*\")", "(remote tcp \"localhost:80\")", true),
            ("(remote tcp \"*:80\")", "(remote udp \"*:80\")", false),
            ("(local ip)", "(remote ip)", false),
            ("(remote ip)", "(remote unix-socket)", false),
            ("(subpath \"/a/\")", "(literal \"/a/b\")", false),
        ] {
            let (wide_filters, narrow_filters) = (filters(wide), filters(narrow));
            // Several filters of one rule are any of them.
            let covered = |narrow: &Filter| wide_filters.iter().any(|wide| covers(wide, narrow));
            assert_eq!(narrow_filters.iter().all(covered), yes, "{wide} {narrow}");
        }
    }

    #[test]
    fn a_filter_reads_back_as_itself() {
        for one in [
            "(subpath \"/a\")",
            "(literal \"/a \\\"b\")",
            "(require-all (regex #\"^/x\") (require-not (vnode-type SYMLINK)))",
            "(global-name-regex #\"^a\")",
            "(remote ip \"*:80\")",
            "(remote unix-socket (path-literal \"/x\"))",
            "(file-mode #o0004)",
            "(extension \"a.b\")",
        ] {
            let once = filters(one);
            let again = filters(&text(&once[0]));
            assert_eq!(once, again, "{one}");
        }
    }
}
