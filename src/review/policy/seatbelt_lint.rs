//! What in a Seatbelt profile does not do what it seems to say.
//!
//! A finding claims only what is certain of the text: that one rule comes before another in the order of precedence, and
//! matches whatever the other matches. Filters that cannot be compared are left alone.

use super::UnplacedFinding;
use super::filters::{self, is_below};
use super::operations::{distance, leaves_of};
use crate::policy::operations::canonical;
use crate::policy::sbpl::SbplPolicy;
use crate::policy::sbpl::eval::RemarkKind;
use crate::policy::sbpl::model::{Model, SbplQuestion, resolved_spelling};
use crate::policy::sbpl::rules::{Filter, NetworkAddress, NetworkEnd, PathFilter, Rule};
use crate::record::outcome::Decision;
use crate::record::policy_review::{PolicyFindingKind as Kind, Weight};

/// More rules than this are not compared with each other: that is quadratic.
const MOST_COMPARED: usize = 3_000;

/// Looks through a profile.
pub fn lint(policy: &SbplPolicy) -> Vec<UnplacedFinding> {
    let mut found = Vec::new();
    of_text(policy, &mut found);
    let rules = &policy.rules().rules;
    for rule in rules {
        of_filters(rule, &mut found);
    }
    if rules.len() <= MOST_COMPARED {
        of_precedence(rules, &mut found);
    } else {
        let message = format!("the profile has {} rules; they were not compared with each other", rules.len());
        found.push(UnplacedFinding::new(Weight::Remark, Kind::Doubtful, "", message, ""));
    }
    of_sockets(policy, &mut found);
    found
}

/// What reading the text brought up.
fn of_text(policy: &SbplPolicy, found: &mut Vec<UnplacedFinding>) {
    for gate in policy.gates() {
        let message = format!("the system refuses to apply this profile: {}", gate.kind);
        let remedy = "remove it, or write what the system accepts";
        found.push(UnplacedFinding::new(Weight::Error, Kind::WouldNotApply, gate.place.to_string(), message, remedy));
    }
    for remark in policy.remarks() {
        let at = remark.place.to_string();
        let (kind, remedy) = match &remark.kind {
            RemarkKind::MissingParameter(name) => (Kind::Parameter, format!("give it one with -D {name}=VALUE")),
            kind => (Kind::Doubtful, kind.remedy()),
        };
        found.push(UnplacedFinding::new(Weight::Warning, kind, at, remark.kind.to_string(), remedy));
    }
    for name in policy.unused_parameters() {
        let message = format!("the parameter `{name}` is given, and the profile does not ask for it");
        found.push(UnplacedFinding::new(
            Weight::Warning,
            Kind::Parameter,
            "",
            message,
            "leave it out, or correct its name",
        ));
    }
    for gap in &policy.rules().gaps {
        let message =
            format!("what `{}` stands for is not known here, so answers that it could change stay open", gap.text);
        found.push(UnplacedFinding::new(Weight::Remark, Kind::Doubtful, gap.place.to_string(), message, ""));
    }
}

/// Filters that no object matches, or not the ones that are meant.
fn of_filters(rule: &Rule, found: &mut Vec<UnplacedFinding>) {
    let at = rule.place.to_string();
    let mut put = |weight, kind, message: String, remedy: String| {
        found.push(UnplacedFinding::new(weight, kind, at.clone(), message, remedy));
    };
    for filter in &rule.filters {
        filters::parts(filter, false, &mut |part, _| {
            if let Filter::Network { end: NetworkEnd::Local, protocol, address } = part
                && !matches!(address, NetworkAddress::Path(_))
                && rule.operations.iter().any(|name| canonical(name) == Some("network-outbound"))
            {
                let message = format!(
                    "`{}` is about the own end of the connection, not about whom it goes to: reports differ on whether it \
                     matches every connection that leaves or none",
                    filters::text(part)
                );
                let remedy = format!("write `(remote {protocol} …)` to say where to");
                put(Weight::Warning, Kind::LocalEnd, message, remedy);
            }
            let (Filter::Path(path) | Filter::Network { address: NetworkAddress::Path(path), .. }) = part else {
                return;
            };
            let (PathFilter::Literal(text) | PathFilter::Subpath(text) | PathFilter::Prefix(text)) = path else {
                return;
            };
            if !text.starts_with('/') {
                if !text.starts_with("${root}") {
                    let message = format!("`{text}` is not an absolute path, and the kernel compares absolute ones");
                    put(Weight::Warning, Kind::NeverMatches, message, "write the whole path".into());
                }
                return;
            }
            if text.split('/').any(|name| name == "." || name == "..") {
                let message = format!("no resolved path is spelled like `{text}`, so it matches nothing");
                put(Weight::Warning, Kind::NeverMatches, message, "write the resolved path".into());
                return;
            }
            if matches!(path, PathFilter::Prefix(_)) {
                // A prefix of a longer name is no path that could be resolved; its folder is.
                let folder = &text[..text.rfind('/').map_or(0, |end| end.max(1))];
                if let Some(real) = resolved_spelling(folder) {
                    put(
                        Weight::Warning,
                        Kind::AliasSpelling,
                        alias(text, folder, &real),
                        format!("begin it with `{real}`"),
                    );
                }
                return;
            }
            if text.len() > 1 && text.ends_with('/') {
                let message = format!("whether `{text}` matches anything with its slash at the end is not known");
                put(Weight::Warning, Kind::NeverMatches, message, format!("write `{}`", text.trim_end_matches('/')));
                return;
            }
            if let Some(real) = resolved_spelling(text) {
                // The link's own metadata is what a rule on its own place is about.
                let on_the_link = is_link_itself(text, &real) && matches!(path, PathFilter::Literal(_));
                let about_links = rule.operations.iter().any(|name| {
                    ["file-read-metadata", "file-read*", "file*", "default"].contains(&canonical(name).unwrap_or(name))
                });
                if on_the_link && about_links {
                    return;
                }
                put(Weight::Warning, Kind::AliasSpelling, alias(text, text, &real), format!("write `{real}`"));
            }
        });
    }
}

fn alias(text: &str, through: &str, real: &str) -> String {
    let by = if text == through { String::new() } else { format!(", as `{through}` does") };
    format!(
        "`{text}` goes through a symbolic link{by}: the kernel compares `{real}`, so this matches nothing but the link itself"
    )
}

/// Whether only the last name of `text` is a link.
fn is_link_itself(text: &str, real: &str) -> bool {
    let folder = |path: &str| path.rfind('/').map(|end| path[..end].to_owned());
    resolved_spelling(&folder(text).unwrap_or_default()).is_none() && text != real
}

/// Which of two rules comes first where both match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// Nearer names first.
    distance: usize,
    /// Filtered rules before those without a filter.
    unfiltered: bool,
    /// Later ones first.
    from_end: usize,
}

fn rank(rules: &[Rule], index: usize, operation: &str) -> Option<Rank> {
    let rule = &rules[index];
    if rule.in_message_filter {
        return None;
    }
    let distance = rule.operations.iter().filter_map(|name| distance(name, operation)).min()?;
    Some(Rank { distance, unfiltered: rule.filters.is_empty(), from_end: rules.len() - index })
}

/// Rules that another one always comes before, and orders that read otherwise than they work.
fn of_precedence(rules: &[Rule], found: &mut Vec<UnplacedFinding>) {
    for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| !rule.in_message_filter) {
        match beaten(rules, index) {
            Overruled::Always { by, alike } => {
                let names = rules[by].place;
                let (weight, kind, how) = if alike {
                    (Weight::Remark, Kind::Redundant, "and decides the same")
                } else {
                    (Weight::Warning, Kind::NeverDecides, "and decides otherwise")
                };
                let message = format!(
                    "this rule never decides: whatever it matches, the rule at {names} matches too, comes first, {how}"
                );
                found.push(UnplacedFinding::new(
                    weight,
                    kind,
                    rule.place.to_string(),
                    message,
                    "remove one of the two",
                ));
                continue;
            }
            Overruled::Sometimes => {}
        }
        of_order(rules, index, found);
    }
}

enum Overruled {
    Always { by: usize, alike: bool },
    Sometimes,
}

/// Whether for every operation that the rule names some other rule comes first and matches whatever it matches.
fn beaten(rules: &[Rule], index: usize) -> Overruled {
    let rule = &rules[index];
    let mut by = None;
    let mut alike = true;
    // A rule on `default` covers everything, and an operation that nothing else names is left to it.
    if rule.operations.iter().any(|name| name == "default") && !rule.filters.is_empty() {
        return Overruled::Sometimes;
    }
    for name in &rule.operations {
        let operations: Vec<&'static str> = match name.as_str() {
            "default" => vec!["default"],
            name => leaves_of(name).collect(),
        };
        if operations.is_empty() {
            return Overruled::Sometimes;
        }
        for operation in operations {
            let Some(own) = rank(rules, index, operation) else { return Overruled::Sometimes };
            let first = (0..rules.len()).filter(|other| *other != index).find(|other| {
                rank(rules, *other, operation).is_some_and(|rank| rank < own)
                    && filters::rule_covers(&rules[*other], rule)
            });
            let Some(first) = first else { return Overruled::Sometimes };
            alike &= rules[first].action == rule.action;
            by.get_or_insert(first);
        }
    }
    by.map_or(Overruled::Sometimes, |by| Overruled::Always { by, alike })
}

/// An earlier rule that comes before this one although this one stands later and overlaps with it.
fn of_order(rules: &[Rule], index: usize, found: &mut Vec<UnplacedFinding>) {
    let rule = &rules[index];
    let against = rules[..index].iter().enumerate().filter(|(_, earlier)| {
        earlier.action != rule.action && !earlier.in_message_filter && filters::rules_overlap(earlier, rule)
    });
    for (earlier_index, earlier) in against {
        let contested = rule.operations.iter().find_map(|name| {
            let mut operations: Box<dyn Iterator<Item = &'static str>> = match name.as_str() {
                "default" => Box::new(earlier.operations.iter().filter_map(|name| canonical(name))),
                name => Box::new(leaves_of(name)),
            };
            operations.find_map(|operation| {
                let (own, other) = (rank(rules, index, operation)?, rank(rules, earlier_index, operation)?);
                (other < own).then_some((operation, own, other))
            })
        });
        let Some((operation, own, other)) = contested else { continue };
        let (at, action) = (rule.place.to_string(), said(rule.action));
        let earlier_at = earlier.place;
        // `(deny default)` at the head and exceptions after it is how profiles are written; at the end it surprises.
        let weight = if own.distance == usize::MAX { Weight::Remark } else { Weight::Warning };
        let (kind, message) = if other.distance < own.distance {
            let message = format!(
                "this {action} does not hold for `{operation}` where the rule at {earlier_at} matches: that one names the \
                 operation more narrowly and comes first, although it stands before"
            );
            (Kind::DefeatedByNamedRule, message)
        } else {
            let message = format!(
                "this {action} has no filter, so it only decides what no filtered rule on the same name matches: the rule at \
                 {earlier_at} comes first for `{operation}`, although it stands before"
            );
            (Kind::FallbackOnly, message)
        };
        let remedy = format!("name `{operation}` here too, with a filter, if this is to win");
        found.push(UnplacedFinding::new(weight, kind, at, message, remedy));
        return;
    }
}

fn said(action: Decision) -> &'static str {
    match action {
        Decision::Allow => "allowance",
        Decision::Deny => "denial",
    }
}

/// Sockets that are denied as files and can be connected to all the same.
fn of_sockets(policy: &SbplPolicy, found: &mut Vec<UnplacedFinding>) {
    let rules = &policy.rules().rules;
    let model = Model::new(policy.rules());
    for rule in rules.iter().filter(|rule| rule.action == Decision::Deny && !rule.in_message_filter) {
        let about_files = rule.operations.iter().any(|name| name.starts_with("file"));
        let about_sockets = rule.operations.iter().any(|name| distance(name, "network-outbound").is_some());
        if !about_files || about_sockets {
            continue;
        }
        for filter in &rule.filters {
            let Filter::Path(PathFilter::Literal(path) | PathFilter::Subpath(path)) = filter else { continue };
            let name = path.rsplit('/').next().unwrap_or_default();
            let is_socket = name.ends_with(".sock") || name.ends_with("socket") || is_below(path, "/private/var/run");
            if !is_socket {
                continue;
            }
            let answer = model.ask(&SbplQuestion::new("network-outbound", path.clone()));
            if answer.decision == Some(Decision::Allow) {
                let message = format!(
                    "`{path}` can still be connected to: that is `network-outbound`, which this rule does not name, and no \
                     file operation is checked for it"
                );
                let remedy = format!("add `(deny network-outbound (literal \"{path}\"))`");
                found.push(UnplacedFinding::new(
                    Weight::Warning,
                    Kind::SocketByFileRules,
                    rule.place.to_string(),
                    message,
                    remedy,
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn kinds(text: &str) -> Vec<(&'static str, String)> {
        let policy = SbplPolicy::new(format!("(version 1)\n{text}\n"), BTreeMap::new()).unwrap();
        let mut found: Vec<_> = lint(&policy).into_iter().map(|found| (found.kind.as_str(), found.at)).collect();
        found.sort();
        found
    }

    fn at(kind: &'static str, place: &str) -> (&'static str, String) {
        (kind, place.to_owned())
    }

    #[test]
    fn a_sound_profile_has_no_findings() {
        let text = "(deny default)\n(allow file-read* (subpath \"/usr/lib\"))\n(allow file-read-data (literal \
                    \"/private/etc/hosts\"))\n(deny file-read* (subpath \"/usr/lib/secret\"))\n(allow network-outbound \
                    (remote ip \"localhost:*\"))";
        assert_eq!(kinds(text), []);
    }

    #[test]
    fn filters_that_match_nothing_are_named() {
        let one = |filter: &str| kinds(&format!("(deny default)\n(allow file-write-data {filter})"));
        assert_eq!(one("(subpath \"/tmp/x\")"), [at("alias_spelling", "3:1")]);
        assert_eq!(one("(literal \"/var/log/x\")"), [at("alias_spelling", "3:1")]);
        assert_eq!(one("(subpath \"/private/tmp/x\")"), []);
        assert_eq!(one("(subpath \"/a/../b\")"), [at("never_matches", "3:1")]);
        assert_eq!(one("(subpath \"/a/\")"), [at("never_matches", "3:1")]);
        assert_eq!(kinds("(deny default)\n(allow file-read-metadata (literal \"/tmp\"))"), []);
    }

    #[test]
    fn order_that_reads_otherwise_than_it_works_is_named() {
        // A narrower name wins over a later rule on its group.
        let text = "(deny default)\n(allow file-read-data (subpath \"/\"))\n(deny file-read* (literal \"/x/secret\"))";
        assert_eq!(kinds(text), [at("defeated_by_named_rule", "4:1")]);
        // A rule without filter is a fallback wherever it stands.
        let text = "(deny default)\n(allow file-write* (subpath \"/a\"))\n(deny file-write*)";
        assert_eq!(kinds(text), [at("fallback_only", "4:1")]);
        // `default` is the last resort.
        let text = "(allow file-write* (subpath \"/a\"))\n(deny default)";
        assert_eq!(kinds(text), [at("defeated_by_named_rule", "3:1")]);
    }

    #[test]
    fn dead_and_doubled_rules_are_named() {
        let text = "(deny default)\n(allow file-read* (literal \"/a/b\"))\n(deny file-read* (subpath \"/a\"))";
        assert_eq!(kinds(text), [at("never_decides", "3:1")]);
        let text = "(deny default)\n(allow file-read* (literal \"/a/b\"))\n(allow file-read* (subpath \"/a\"))";
        assert_eq!(kinds(text), [at("redundant", "3:1")]);
        let text = "(deny default)\n(allow signal)\n(deny signal)";
        assert_eq!(kinds(text), [at("never_decides", "3:1")]);
    }

    #[test]
    fn a_socket_behind_file_rules_is_named() {
        let text = "(allow default)\n(deny file-read* file-write* (literal \"/private/var/run/docker.sock\"))";
        assert_eq!(kinds(text), [at("socket_by_file_rules", "3:1")]);
        let more = format!("{text}\n(deny network-outbound (literal \"/private/var/run/docker.sock\"))");
        assert_eq!(kinds(&more), []);
    }

    #[test]
    fn the_own_end_of_a_connection_is_named() {
        let text = "(deny default)\n(allow network-outbound (local ip \"localhost:*\"))";
        assert_eq!(kinds(text), [at("local_end", "3:1")]);
    }
}
