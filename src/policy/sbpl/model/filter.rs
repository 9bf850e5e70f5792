//! Whether a filter matches what a check looks at: yes, no, or not to be known.

use std::collections::{BTreeMap, BTreeSet};

use super::applies::can_apply;
use super::network::{self, AddressMatch};
use super::object::{CheckFact, CheckObject, CheckSocket, Process};
use super::path::folded;
use super::regex::{PatternMatch, Regexes};
use super::tri::Tri;
use crate::base::placeholder::ROOT as ROOT_TEXT;
use crate::policy::sbpl::rules::{Filter, PathFilter, Pattern, Rule};

/// Folders that never hold the folder of a run's fixtures.
const NEVER_ABOVE_ROOT: [&str; 9] =
    ["/Applications", "/Library", "/System", "/bin", "/cores", "/dev", "/private/etc", "/sbin", "/usr"];

/// What is taken for granted about the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presumption {
    /// Nothing.
    Nothing,
    /// It holds no sandbox extension.
    NoExtension,
}

/// Evaluates filters and gathers what their answers take for granted.
#[derive(Debug)]
pub(super) struct Matcher<'m> {
    pub regexes: &'m Regexes,
    /// The operation that is checked.
    pub operation: &'static str,
    /// Facts of the question.
    pub facts: &'m BTreeMap<String, String>,
    pub presume: Presumption,
    pub assumes: BTreeSet<String>,
    /// Facts that filters asked for.
    pub asked: BTreeSet<String>,
    /// A filter asked whether the process holds an extension, and nobody knows.
    pub extension_in_doubt: bool,
    /// A filter was asked at all.
    pub filtered: bool,
}

impl<'m> Matcher<'m> {
    pub(super) fn new(regexes: &'m Regexes, operation: &'static str, facts: &'m BTreeMap<String, String>) -> Self {
        Self {
            regexes,
            operation,
            facts,
            presume: Presumption::Nothing,
            assumes: BTreeSet::new(),
            asked: BTreeSet::new(),
            extension_in_doubt: false,
            filtered: false,
        }
    }

    /// Whether the rule's filters match. None at all always do; of several, one suffices.
    pub(super) fn rule(&mut self, rule: &Rule, object: &CheckObject) -> Tri {
        if rule.filters.is_empty() {
            return Tri::Yes;
        }
        self.filtered = true;
        self.any(&rule.filters, object)
    }

    fn any(&mut self, filters: &[Filter], object: &CheckObject) -> Tri {
        let answers: Vec<Tri> = filters.iter().map(|filter| self.filter(filter, object)).collect();
        Tri::any(answers)
    }

    fn filter(&mut self, filter: &Filter, object: &CheckObject) -> Tri {
        match filter {
            Filter::All(filters) => {
                let answers: Vec<Tri> = filters.iter().map(|filter| self.filter(filter, object)).collect();
                Tri::all(answers)
            }
            Filter::Any(filters) => self.any(filters, object),
            Filter::Not(filter) => self.filter(filter, object).not(),
            Filter::Path(filter) => self.path(filter, object),
            Filter::Name { filter, pattern } => self.named(filter, pattern, object),
            Filter::Symbol { filter, value } => self.symbol(filter, value, object),
            Filter::FileMode(_) if !can_apply("file-mode", self.operation) => Tri::No,
            Filter::FileMode(bits) => {
                self.asked.insert("file-mode".into());
                match object.mode {
                    Some(mode) if mode & bits == 0 && *bits != 0 => Tri::No,
                    Some(mode) if mode & bits == *bits && *bits != 0 => Tri::Yes,
                    Some(_) => Tri::unknown(format!(
                        "whether `(file-mode #o{bits:04o})` asks for all of its bits or for any is not known"
                    )),
                    None => Tri::unknown(format!("the permission bits of `{}` are not known", object.shown)),
                }
            }
            Filter::Network { .. } if !can_apply("remote", self.operation) => Tri::No,
            Filter::Network { end, protocol, address } => {
                match network::matches(*end, protocol, address, object, &mut self.assumes) {
                    AddressMatch::Answered(answer) => answer,
                    AddressMatch::OnPath(filter) => self.path(filter, object),
                }
            }
            Filter::Extension(class) => self.extension(class),
            Filter::Entitlement(name) => {
                self.asked.insert("entitlement".into());
                match self.facts.get("entitlement") {
                    Some(held) => holds(held, name).into(),
                    None => Tri::unknown(format!("whether the process has the entitlement `{name}` is not known here")),
                }
            }
            Filter::Unknown { text, .. } => Tri::unknown(format!("what `{text}` matches cannot be worked out here")),
        }
    }

    fn extension(&mut self, class: &str) -> Tri {
        self.asked.insert("extension".into());
        match (self.facts.get("extension"), self.presume) {
            (Some(held), _) => holds(held, class).into(),
            (None, Presumption::NoExtension) => Tri::No,
            (None, Presumption::Nothing) => {
                self.extension_in_doubt = true;
                Tri::unknown(format!("whether the process holds the extension `{class}` is known to the kernel alone"))
            }
        }
    }

    /// Whether a path filter matches the object's path.
    fn path(&mut self, filter: &PathFilter, object: &CheckObject) -> Tri {
        if !can_apply("path", self.operation) {
            return Tri::No;
        }
        let Some(path) = object.path.as_deref() else {
            // An address is no path, so no rule on a path is about it.
            if matches!(object.socket, Some(CheckSocket::Inet { .. })) {
                return Tri::No;
            }
            return Tri::unknown("the operation has no path that is known");
        };
        // `${root}` is a fresh folder of an unknown place, and only what is written with it can name what it holds.
        let symbolic = path.starts_with(ROOT_TEXT);
        let elsewhere = |rule: &str| symbolic && !rule.starts_with(ROOT_TEXT);
        let unknown_root = || Tri::unknown(format!("where `{ROOT_TEXT}` lies is not known before the run"));
        if let PathFilter::Literal(rule)
        | PathFilter::Subpath(rule)
        | PathFilter::Prefix(rule)
        | PathFilter::Ancestors(rule) = filter
            && !rule.starts_with(['/', '$'])
        {
            return Tri::unknown(if rule.is_empty() {
                "what an empty path in a rule matches is not known".to_owned()
            } else {
                format!("what the rule's path `{rule}`, which is relative, matches is not known")
            });
        }
        match filter {
            PathFilter::Literal(rule) if elsewhere(rule) => Tri::No,
            PathFilter::Literal(rule) => self.same(rule, path),
            PathFilter::Subpath(rule) if rule == "/" => Tri::Yes,
            PathFilter::Subpath(rule) if elsewhere(rule) => {
                let never = NEVER_ABOVE_ROOT.iter().any(|top| is_below(&folded(rule), top));
                if never { Tri::No } else { unknown_root() }
            }
            PathFilter::Subpath(rule) => self.subpath(rule, path),
            PathFilter::Prefix(rule) if rule == "/" => Tri::Yes,
            PathFilter::Prefix(rule) if elsewhere(rule) => {
                let never = NEVER_ABOVE_ROOT.iter().any(|top| rule.starts_with(&format!("{top}/")));
                if never { Tri::No } else { unknown_root() }
            }
            PathFilter::Prefix(rule) => prefix(rule, path),
            PathFilter::Regex(_) if symbolic => unknown_root(),
            PathFilter::Regex(pattern) => match self.find(pattern, path) {
                Ok(PatternMatch::Match) => Tri::Yes,
                Ok(PatternMatch::Nothing | PatternMatch::NoGroup) => Tri::No,
                Ok(PatternMatch::CaseOnly) => spelling(pattern, path),
                Err(unknown) => unknown,
            },
            PathFilter::Ancestors(rule) if elsewhere(rule) => Tri::No,
            PathFilter::Ancestors(rule) => {
                let ends = rule.match_indices('/').map(|(end, _)| &rule[..end.max(1)]);
                let answers: Vec<Tri> =
                    ends.filter(|above| above.len() < rule.len()).map(|above| self.same(above, path)).collect();
                Tri::any(answers)
            }
            PathFilter::Home(below) => {
                self.asked.insert("home".into());
                match self.facts.get("home") {
                    Some(home) => self.path(&behind(home.trim_end_matches('/'), below), object),
                    None => {
                        Tri::unknown("whose home folder a rule means is not known here (`--fact home=PATH` says it)")
                    }
                }
            }
        }
    }

    /// Looks for a pattern in a text. The error is an answer that cannot be known.
    fn find(&mut self, pattern: &str, text: &str) -> Result<PatternMatch, Tri> {
        let compiled = self.regexes.get(pattern);
        match compiled.as_ref() {
            Ok(compiled) => match compiled.find(text) {
                Ok(PatternMatch::NoGroup) => {
                    let what = format!("the group `(?:…)` of `{pattern}` matches nothing, as is reported of macOS");
                    self.assumes.insert(what);
                    Ok(PatternMatch::Nothing)
                }
                Ok(found) => Ok(found),
                Err(why) => Err(Tri::unknown(format!("the regular expression `{pattern}`: {why}"))),
            },
            Err(why) => Err(Tri::unknown(format!("the regular expression `{pattern}`: {why}"))),
        }
    }

    /// Whether a rule's path is the object's.
    fn same(&mut self, rule: &str, path: &str) -> Tri {
        if rule == path {
            return Tri::Yes;
        }
        if skeleton(rule) == skeleton(path) {
            return spelling(rule, path);
        }
        if folded(rule) == path { self.untidy(rule) } else { Tri::No }
    }

    /// Whether the object's path is the rule's, or lies below it.
    fn subpath(&mut self, rule: &str, path: &str) -> Tri {
        if is_below(path, rule) {
            return Tri::Yes;
        }
        if is_below(&skeleton(path), &skeleton(rule)) {
            return spelling(rule, path);
        }
        let tidy = folded(rule);
        if tidy == "/" || is_below(path, &tidy) { self.untidy(rule) } else { Tri::No }
    }

    /// A rule's path that would match if it were tidied. What `.` and `..` in one do was seen: they never made a rule
    /// match on 14.4.1. What happens to needless slashes is not known.
    fn untidy(&mut self, rule: &str) -> Tri {
        if rule.split('/').any(|part| part == "." || part == "..") {
            self.assumes.insert(format!("`{rule}`, which no resolved path is spelled like, matches nothing"));
            return Tri::No;
        }
        Tri::unknown(format!("whether the slashes of `{rule}` are tidied before it is compared is not known"))
    }

    fn named(&mut self, filter: &str, pattern: &Pattern, object: &CheckObject) -> Tri {
        // `iokit-user-client-class` and `iokit-registry-entry-class` are one filter of a compiled profile: both ask for
        // the class of the object that the check looks at.
        let key = if filter == "iokit-user-client-class" { "iokit-registry-entry-class" } else { filter };
        // A control socket has a name, one of the Internet or of UNIX has none.
        if !can_apply(filter, self.operation) || (key == "control-name" && object.socket.is_some()) {
            return Tri::No;
        }
        self.asked.insert(filter.to_owned());
        let text = match object.named.get(key) {
            Some(CheckFact::Is(text)) => text,
            Some(CheckFact::Absent) => return Tri::No,
            None => return Tri::unknown(format!("`{filter}` is not known of `{}`", object.shown)),
        };
        if key == "iokit-registry-entry-class"
            && let (Some(service), Pattern::Literal(wanted)) = (&object.service_class, pattern)
            && service == wanted
            && service != text
        {
            self.assumes.insert(format!("a user client is known by its own class `{text}`, not by its service's"));
        }
        let answer = self.pattern(pattern, text);
        if key != "ipc-posix-name" {
            return answer;
        }
        // Whether the name is compared with its leading slash is not known.
        let other = text.strip_prefix('/').map_or_else(|| format!("/{text}"), str::to_owned);
        if self.pattern(pattern, &other) == answer {
            return answer;
        }
        Tri::unknown(format!("whether `{text}` is compared with a leading slash is not known"))
    }

    fn pattern(&mut self, pattern: &Pattern, text: &str) -> Tri {
        match pattern {
            Pattern::Literal(wanted) => (wanted == text).into(),
            Pattern::Prefix(wanted) => text.starts_with(wanted.as_str()).into(),
            Pattern::Regex(wanted) => match self.find(wanted, text) {
                Ok(found) => (found == PatternMatch::Match).into(),
                Err(unknown) => unknown,
            },
        }
    }

    /// A condition on a symbol.
    fn symbol(&mut self, filter: &str, value: &str, object: &CheckObject) -> Tri {
        if !can_apply(filter, self.operation) {
            return Tri::No;
        }
        self.asked.insert(filter.to_owned());
        if filter == "target" {
            return target(value, object);
        }
        let known = match filter {
            "socket-domain" | "socket-type" | "socket-protocol" => {
                network::socket_fact(filter, object, &mut self.assumes)
            }
            _ => None,
        };
        match known.or_else(|| object.named.get(filter).cloned()) {
            Some(CheckFact::Absent) => Tri::No,
            Some(CheckFact::Is(text)) if filter.starts_with("socket-") => network::same_constant(filter, &text, value),
            // A terminal is a character device.
            Some(CheckFact::Is(text)) if filter == "vnode-type" && value == "TTY" && text == "CHARACTER-DEVICE" => {
                Tri::unknown(format!("whether `{}` counts as a terminal is not known", object.shown))
            }
            Some(CheckFact::Is(text)) => (text == value).into(),
            None => Tri::unknown(format!("`{filter}` is not known of `{}`", object.shown)),
        }
    }
}

/// Whether what is held (names by commas, or `none`) has `wanted` among it.
pub(super) fn holds(held: &str, wanted: &str) -> bool {
    held.split(',').any(|one| one.trim() == wanted)
}

/// A filter on what lies behind a home folder, as one on whole paths.
pub fn behind(home: &str, below: &PathFilter) -> PathFilter {
    let whole =
        |text: &String| format!("{home}{}{text}", if text.is_empty() || text.starts_with('/') { "" } else { "/" });
    match below {
        PathFilter::Literal(text) => PathFilter::Literal(whole(text)),
        PathFilter::Subpath(text) => PathFilter::Subpath(whole(text)),
        PathFilter::Prefix(text) => PathFilter::Prefix(whole(text)),
        PathFilter::Ancestors(text) => PathFilter::Ancestors(whole(text)),
        PathFilter::Regex(text) => PathFilter::Regex(format!("^{}{text}", super::regex::quote(home))),
        PathFilter::Home(within) => behind(home, within),
    }
}

/// `(target …)`: which process is acted on.
fn target(value: &str, object: &CheckObject) -> Tri {
    match (value, object.process) {
        (_, None) => Tri::unknown(format!("how the process `{}` is related to the caller is not known", object.shown)),
        ("self", Some(process)) => (process == Process::Itself).into(),
        ("same-sandbox", Some(process)) => (process != Process::Other).into(),
        ("others", Some(Process::Itself)) => Tri::No,
        ("others", Some(Process::Other)) => Tri::Yes,
        (_, Some(_)) => Tri::unknown(format!("whether `{}` counts as `(target {value})` is not known", object.shown)),
    }
}

fn prefix(rule: &str, path: &str) -> Tri {
    if path.starts_with(rule) {
        return Tri::Yes;
    }
    if skeleton(path).starts_with(&skeleton(rule)) { spelling(rule, path) } else { Tri::No }
}

/// Whether `path` is `top` or lies below it.
fn is_below(path: &str, top: &str) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn spelling(rule: &str, path: &str) -> Tri {
    Tri::unknown(format!(
        "`{rule}` and `{path}` differ in case or in the form of their characters only, and whether that matters is not \
         known"
    ))
}

/// The text with case removed, and with every character that Unicode can write in several ways replaced by one sign.
fn skeleton(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let mut plain = c.is_ascii();
        while chars.peek().is_some_and(|next| ('\u{300}'..='\u{36f}').contains(next)) {
            chars.next();
            plain = false;
        }
        out.push(if plain { c.to_ascii_lowercase() } else { '\u{fffd}' });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(filter: PathFilter, path: &str) -> Tri {
        let (regexes, facts) = (Regexes::default(), BTreeMap::new());
        let object = CheckObject { shown: path.into(), path: Some(path.into()), ..CheckObject::default() };
        Matcher::new(&regexes, "file-read-data", &facts).filter(&Filter::Path(filter), &object)
    }

    fn is_unknown(answer: &Tri) -> bool {
        matches!(answer, Tri::Unknown(_))
    }

    #[test]
    fn each_form_of_path_filter() {
        use PathFilter as P;
        let yes = |filter: P, path: &str| assert_eq!(at(filter.clone(), path), Tri::Yes, "{filter:?} {path}");
        let no = |filter: P, path: &str| assert_eq!(at(filter.clone(), path), Tri::No, "{filter:?} {path}");
        let open = |filter: P, path: &str| assert!(is_unknown(&at(filter.clone(), path)), "{filter:?} {path}");
        yes(P::Literal("/a/b".into()), "/a/b");
        no(P::Literal("/a/b".into()), "/a/b/c");
        open(P::Literal("/a/B".into()), "/a/b");
        open(P::Literal("/a/e\u{301}".into()), "/a/\u{e9}");
        no(P::Literal("/a/../b".into()), "/b");
        open(P::Literal("/b/".into()), "/b");
        no(P::Literal("/a/../b".into()), "/a/b");
        yes(P::Subpath("/a".into()), "/a");
        yes(P::Subpath("/a".into()), "/a/b/c");
        no(P::Subpath("/a".into()), "/ab");
        yes(P::Subpath("/".into()), "/a");
        open(P::Subpath("/a/".into()), "/a/b");
        open(P::Subpath("/A".into()), "/a/b");
        yes(P::Prefix("/a".into()), "/ab");
        no(P::Prefix("/a/".into()), "/a");
        yes(P::Regex("^/a(/|$)".into()), "/a");
        no(P::Regex("^/b".into()), "/a/b");
        open(P::Regex("^/B".into()), "/b");
        open(P::Regex(r"\d".into()), "/1");
        yes(P::Ancestors("/a/b/c".into()), "/a/b");
        yes(P::Ancestors("/a/b/c".into()), "/");
        no(P::Ancestors("/a/b/c".into()), "/a/b/c");
        no(P::Ancestors("/a/b/c".into()), "/a/bc");
        open(P::Home(Box::new(P::Subpath("/x".into()))), "/Users/a/x");
        open(P::Subpath(String::new()), "/a");
        open(P::Prefix(String::new()), "/a");
        open(P::Subpath("a".into()), "/a");
    }

    #[test]
    fn the_fixture_root_is_somewhere() {
        use PathFilter as P;
        let inside = "${root}/a";
        assert_eq!(at(P::Literal("/private/tmp/a".into()), inside), Tri::No);
        assert_eq!(at(P::Subpath("/usr/lib".into()), inside), Tri::No);
        assert!(is_unknown(&at(P::Subpath("/private".into()), inside)));
        assert!(is_unknown(&at(P::Regex("^/private/".into()), inside)));
        assert_eq!(at(P::Subpath("/".into()), inside), Tri::Yes);
        assert_eq!(at(P::Subpath("${root}".into()), inside), Tri::Yes);
        assert_eq!(at(P::Literal("${root}/b".into()), inside), Tri::No);
    }

    #[test]
    fn processes_are_told_apart_as_far_as_it_is_known() {
        let object = |process| CheckObject { process, ..CheckObject::default() };
        let child = object(Some(Process::SameSandbox));
        assert_eq!(target("same-sandbox", &child), Tri::Yes);
        assert_eq!(target("self", &child), Tri::No);
        assert!(is_unknown(&target("others", &child)));
        assert_eq!(target("others", &object(Some(Process::Other))), Tri::Yes);
        assert_eq!(target("same-sandbox", &object(Some(Process::Itself))), Tri::Yes);
        assert!(is_unknown(&target("self", &object(None))));
        assert!(is_unknown(&target("pgrp", &child)));
    }
}
