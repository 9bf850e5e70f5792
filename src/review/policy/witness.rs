//! Targets that tell two Seatbelt profiles apart: for each filter of their rules something that it matches and something
//! beside it, and for each operation a target that no rule names.

use std::collections::{BTreeMap, BTreeSet};

use regex_syntax::hir::{Class, Hir, HirKind};

use super::filters;
use crate::policy::sbpl::model::behind;
use crate::policy::sbpl::rules::{Filter, NetworkAddress, NetworkEnd, PathFilter, Pattern, SbplRules};

/// A name that nothing is called.
pub const NOBODY: &str = "sandproof-witness";
/// An address that is nobody's (RFC 5737).
pub const NOWHERE: &str = "192.0.2.1";
/// A home folder that is nobody's, for filters on what lies behind one.
const NOBODYS_HOME: &str = "/Users/sandproof-witness";
/// Samples of one regular expression.
const MOST_SAMPLES: usize = 8;
/// Paths that one rule's folders and expressions make together.
const MOST_JOINED: usize = 64;
/// Bytes of a sample.
const LONGEST_SAMPLE: usize = 512;

/// A target with what else is true of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Witness {
    /// The target that is asked about; empty where the operation has none.
    pub target: String,
    /// The filter that it is, where it is a name.
    pub filter: Option<String>,
    /// What else is assumed of the question, by the filter that asks for it.
    pub facts: BTreeMap<String, String>,
}

impl Witness {
    fn plain(target: impl Into<String>) -> Self {
        Self { target: target.into(), filter: None, facts: BTreeMap::new() }
    }
}

/// What kind of target an operation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationTarget {
    /// A path of the file system.
    Path,
    /// An address, or a socket's path.
    Network,
    /// A process, as seen from the caller.
    Process,
    /// A name in a space of its own, such as a Mach service or a sysctl.
    Name,
}

/// The kind of target of an operation that is no group.
pub fn target_kind(operation: &str) -> OperationTarget {
    if operation.starts_with("file") || operation.starts_with("process-exec") || operation.starts_with("fs-") {
        return OperationTarget::Path;
    }
    if operation.starts_with("network-") {
        return OperationTarget::Network;
    }
    let on_process = ["signal", "process-info", "process-codesigning", "process-legacy-codesigning", "mach-task"];
    let is_port = operation.starts_with("mach-task-special-port");
    if !is_port && (operation == "mach-priv-task-port" || on_process.iter().any(|begin| operation.starts_with(begin))) {
        return OperationTarget::Process;
    }
    OperationTarget::Name
}

/// Targets that no rule is likely to name.
pub fn of_nobody(operation: &str) -> Vec<Witness> {
    let plain = |targets: &[&str]| targets.iter().map(|target| Witness::plain(*target)).collect();
    match target_kind(operation) {
        OperationTarget::Path => plain(&[&format!("/{NOBODY}"), &format!("/private/tmp/{NOBODY}")]),
        OperationTarget::Network => plain(&[&format!("{NOWHERE}:9"), "localhost:9", &format!("/private/tmp/{NOBODY}")]),
        OperationTarget::Process => plain(&["others", "self"]),
        OperationTarget::Name => plain(&[&format!("com.example.{NOBODY}")]),
    }
}

/// For each rule of a profile, by its place in the list: the targets that its filters suggest.
pub fn of_rules(rules: &SbplRules) -> Vec<(usize, BTreeSet<Witness>)> {
    let mut out = Vec::new();
    for (index, rule) in rules.rules.iter().enumerate().filter(|(_, rule)| !rule.in_message_filter) {
        let mut targets: BTreeSet<(String, Option<String>)> = BTreeSet::new();
        let mut facts = BTreeMap::new();
        for filter in &rule.filters {
            filters::parts(filter, false, &mut |part, _| suggested(part, &mut targets, &mut facts));
        }
        targets.extend(joined(&rule.filters).into_iter().map(|path| (path, None)));
        let mut found: BTreeSet<Witness> = BTreeSet::new();
        for (target, filter) in targets {
            if !facts.is_empty() {
                found.insert(Witness { target: target.clone(), filter: filter.clone(), facts: facts.clone() });
            }
            found.insert(Witness { target, filter, facts: BTreeMap::new() });
        }
        if found.is_empty() && !facts.is_empty() {
            // Filters on facts alone: anything that has them.
            found.insert(Witness { target: format!("/{NOBODY}"), filter: None, facts });
        }
        if !found.is_empty() {
            out.push((index, found));
        }
    }
    out
}

fn suggested(part: &Filter, targets: &mut BTreeSet<(String, Option<String>)>, facts: &mut BTreeMap<String, String>) {
    let mut path = |text: String| {
        targets.insert((text, None));
    };
    if let Filter::Path(PathFilter::Home(below)) = part {
        facts.insert("home".into(), NOBODYS_HOME.into());
        paths_of(&behind(NOBODYS_HOME, below)).into_iter().for_each(&mut path);
        return;
    }
    match part {
        Filter::Path(filter) | Filter::Network { address: NetworkAddress::Path(filter), .. } => {
            paths_of(filter).into_iter().for_each(&mut path);
        }
        Filter::Network { end: _, address: NetworkAddress::Any, .. } => path(format!("{NOWHERE}:9")),
        Filter::Network { end, address: NetworkAddress::Text { host, port }, .. } => {
            let port = if port == "*" { "9" } else { port };
            let own = if *end == NetworkEnd::Local { "0.0.0.0" } else { NOWHERE };
            path(format!("{}:{port}", if host == "*" { own } else { host }));
            path(format!("{own}:{port}"));
            path(format!("localhost:{port}"));
        }
        Filter::Name { filter, pattern } => {
            let texts = match pattern {
                Pattern::Literal(name) => vec![name.clone(), format!("{name}.{NOBODY}")],
                Pattern::Prefix(begin) => vec![format!("{begin}{NOBODY}")],
                Pattern::Regex(pattern) => samples(pattern),
            };
            targets.extend(texts.into_iter().map(|text| (text, Some(filter.clone()))));
        }
        Filter::Symbol { filter, value } if filter == "target" => {
            path(if value == "others" { "others".into() } else { value.clone() });
        }
        Filter::Symbol { filter, value } => drop(facts.insert(filter.clone(), value.clone())),
        Filter::FileMode(bits) => drop(facts.insert("file-mode".into(), format!("{bits:o}"))),
        Filter::Extension(class) => held("extension", class, facts),
        Filter::Entitlement(name) => held("entitlement", name, facts),
        Filter::Network { address: NetworkAddress::Unknown(_), .. } | Filter::Unknown { .. } => {}
        // Not leaves: `filters::parts` looks into them.
        Filter::All(_) | Filter::Any(_) | Filter::Not(_) => {}
    }
}

/// Adds to the things of one kind that the process holds, a list by commas.
fn held(kind: &str, name: &str, facts: &mut BTreeMap<String, String>) {
    facts.entry(kind.to_owned()).and_modify(|all| all.extend([",", name])).or_insert_with(|| name.to_owned());
}

/// Paths in the folders that a rule's filters name, which its regular expressions may match too: what `require-all` of both
/// matches is seldom a sample of either.
fn joined(rule: &[Filter]) -> BTreeSet<String> {
    let (mut folders, mut ends) = (BTreeSet::new(), BTreeSet::new());
    for filter in rule {
        filters::parts(filter, false, &mut |part, _| {
            let home;
            let path = match part {
                Filter::Path(PathFilter::Home(below)) => {
                    home = behind(NOBODYS_HOME, below);
                    &home
                }
                Filter::Path(path) | Filter::Network { address: NetworkAddress::Path(path), .. } => path,
                _ => return,
            };
            match path {
                PathFilter::Subpath(top) | PathFilter::Prefix(top) => {
                    folders.insert(top.trim_end_matches('/').to_owned());
                }
                PathFilter::Regex(pattern) => ends.extend(path_samples(pattern)),
                PathFilter::Literal(_) | PathFilter::Ancestors(_) | PathFilter::Home(_) => {}
            }
        });
    }
    let pairs =
        folders.iter().flat_map(|top| ends.iter().map(move |end| format!("{top}/{}", end.trim_start_matches('/'))));
    pairs.filter(|path| path.len() <= LONGEST_SAMPLE).take(MOST_JOINED).collect()
}

fn paths_of(filter: &PathFilter) -> Vec<String> {
    let below = |path: &str| format!("{}/{NOBODY}", path.trim_end_matches('/'));
    let beside = |path: &str| format!("{}-{NOBODY}", path.trim_end_matches('/'));
    let found = match filter {
        PathFilter::Literal(path) => vec![path.clone(), below(path)],
        PathFilter::Subpath(path) => vec![path.clone(), below(path), beside(path)],
        PathFilter::Prefix(path) => vec![format!("{path}{NOBODY}")],
        PathFilter::Regex(pattern) => path_samples(pattern),
        PathFilter::Ancestors(path) => path
            .match_indices('/')
            .map(|(end, _)| path[..end.max(1)].to_owned())
            .filter(|above| above != path)
            .collect(),
        PathFilter::Home(_) => Vec::new(),
    };
    found.into_iter().filter(|path| path.starts_with('/') || path.starts_with("${root}")).collect()
}

/// Paths that a regular expression is likely to match, and paths right beside them: longer at either end, which tells an
/// expression with an anchor from one without. No path but `/` ends in a slash, whatever the expression asks for.
fn path_samples(pattern: &str) -> Vec<String> {
    let mut found = BTreeSet::new();
    for sample in samples(pattern) {
        let tidy = sample.trim_end_matches('/');
        if tidy.len() == sample.len() {
            found.extend([sample.clone(), format!("{sample}-{NOBODY}")]);
        } else if tidy.is_empty() {
            found.insert("/".to_owned());
        }
        found.insert(format!("{tidy}/{NOBODY}"));
        found.insert(format!("/{NOBODY}/{}", if tidy.is_empty() { NOBODY } else { tidy.trim_start_matches('/') }));
    }
    found.into_iter().collect()
}

/// Texts that a regular expression is likely to match. Whether they do, the model says.
fn samples(pattern: &str) -> Vec<String> {
    let Ok(hir) = regex_syntax::parse(pattern) else { return Vec::new() };
    let mut texts = vec![String::new()];
    grow(&hir, &mut texts);
    let rooted = |text: String| if text.starts_with('/') { text } else { format!("/{text}") };
    let plain = texts.clone().into_iter().filter(|text| !text.is_empty());
    let mut found: BTreeSet<String> = plain.collect();
    found.extend(texts.into_iter().map(rooted));
    found.into_iter().filter(|text| text.len() <= LONGEST_SAMPLE).take(2 * MOST_SAMPLES).collect()
}

/// Makes each text longer by what the expression matches, in at most [`MOST_SAMPLES`] ways altogether.
fn grow(hir: &Hir, texts: &mut Vec<String>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => {
            let text = String::from_utf8_lossy(&literal.0);
            texts.iter_mut().filter(|grown| grown.len() <= LONGEST_SAMPLE).for_each(|grown| grown.push_str(&text));
        }
        HirKind::Class(class) => {
            let members = members(class);
            let before = std::mem::take(texts);
            for c in members {
                texts.extend(
                    before.iter().filter(|grown| grown.len() <= LONGEST_SAMPLE).map(|grown| format!("{grown}{c}")),
                );
            }
        }
        HirKind::Repetition(repetition) => {
            let least = repetition.min.clamp(0, 16);
            for _ in 0..least {
                grow(&repetition.sub, texts);
            }
            if repetition.max.is_none_or(|most| most > least) {
                let mut longer = texts.clone();
                grow(&repetition.sub, &mut longer);
                // Both lengths have to survive the limit.
                let half = MOST_SAMPLES / 2;
                texts.truncate(half.max(MOST_SAMPLES.saturating_sub(longer.len())));
                texts.extend(longer);
            }
        }
        HirKind::Capture(capture) => grow(&capture.sub, texts),
        HirKind::Concat(parts) => parts.iter().for_each(|part| grow(part, texts)),
        HirKind::Alternation(ways) => {
            let before = std::mem::take(texts);
            let each = (MOST_SAMPLES / ways.len().clamp(1, MOST_SAMPLES)).max(1);
            for way in ways.iter().take(MOST_SAMPLES) {
                let mut grown = before.clone();
                grow(way, &mut grown);
                texts.extend(grown.into_iter().take(each));
            }
        }
    }
    texts.truncate(MOST_SAMPLES);
}

/// Characters of a class: a letter or digit where there is one, the last of its last range and the first of its first, in
/// which another class seldom ends and begins.
fn members(class: &Class) -> Vec<char> {
    let usual = ['a', 'A', '0', '-', '_', '.', '/'];
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => class.iter().map(|range| (range.start(), range.end())).collect(),
        Class::Bytes(class) => class.iter().map(|range| (range.start() as char, range.end() as char)).collect(),
    };
    let has = |c: char| ranges.iter().any(|(start, end)| (*start..=*end).contains(&c));
    let first = ranges.first().map(|(start, _)| *start);
    let last = ranges.iter().rev().map(|(_, end)| *end).find(char::is_ascii_graphic);
    let mut members: Vec<char> = usual.into_iter().find(|c| has(*c)).into_iter().chain(last).chain(first).collect();
    members.dedup();
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_matched() {
        for pattern in [
            "^/private/tmp/sock[^/]+/L$",
            "/\\.git(/|$)",
            "^/dev/tty[a-z0-9]*$",
            "(a|b)c{2,3}",
            "^/Users/[^/]+/(Documents|Desktop)/",
        ] {
            let expression = regex::Regex::new(pattern).unwrap();
            let found = samples(pattern);
            assert!(found.iter().any(|text| expression.is_match(text)), "{pattern}: {found:?}");
            assert!(found.len() <= 2 * MOST_SAMPLES);
        }
        assert!(samples("(").is_empty());
        assert!(samples("(((a*)*)*)*{1000}").len() <= 2 * MOST_SAMPLES);
    }
}
