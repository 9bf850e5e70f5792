//! What macOS refuses when a profile is applied, although it compiles: found by looking, before anything runs.
//!
//! Seen on macOS 14.4.1 (23E224): a deny inside `apply-message-filter` needs the private entitlement
//! `com.apple.private.security.message-filter`, without which applying fails with EPERM; an operation of the message
//! filter outside of one is "not applicable in this context"; `(with report)` does not go with a deny. That an address
//! is `*` or `localhost` is what `sandbox-exec` says when it refuses another.

use std::fmt;

use super::rules::{Filter, LineColumn, NetworkAddress, Rule, SbplRules};
use crate::record::outcome::Decision;

/// The operations that exist only inside `apply-message-filter`.
pub const MESSAGE_FILTER_OPERATIONS: [&str; 6] = [
    "default-message-filter",
    "iokit-async-external-method",
    "iokit-external-method",
    "iokit-external-trap",
    "mach-message-send",
    "xpc-message-send",
];

/// A part of a profile that keeps it from being applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyGate {
    /// Line and column of the rule.
    pub place: LineColumn,
    /// Why the rule keeps the profile from being applied.
    pub kind: GateKind,
}

/// Why a profile cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateKind {
    /// A deny inside `apply-message-filter`, on these operations: EPERM without a private entitlement.
    MessageFilterDeny(Vec<String>),
    /// An operation that exists only inside `apply-message-filter`, outside of one.
    OutsideMessageFilter(String),
    /// `(with report)` on a deny.
    ReportOnDeny,
    /// An address whose host is neither `*` nor `localhost`.
    NetworkHost(String),
    /// A name that macOS does not have.
    UnboundName(String),
}

impl GateKind {
    /// The kind's name in documents.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::MessageFilterDeny(_) => "message_filter_deny",
            Self::OutsideMessageFilter(_) => "outside_message_filter",
            Self::ReportOnDeny => "report_on_deny",
            Self::NetworkHost(_) => "network_host",
            Self::UnboundName(_) => "unbound_name",
        }
    }
}

impl fmt::Display for GateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MessageFilterDeny(operations) => write!(
                f,
                "a deny of `{}` inside `apply-message-filter` needs a private entitlement; applying fails with EPERM",
                operations.join("`, `")
            ),
            Self::OutsideMessageFilter(operation) => {
                write!(f, "`{operation}` is not applicable outside `apply-message-filter`")
            }
            Self::ReportOnDeny => f.write_str("`(with report)` does not apply to a deny"),
            Self::UnboundName(name) => {
                write!(f, "macOS has no `{name}`, and a profile with an unbound name does not compile")
            }
            Self::NetworkHost(host) => {
                write!(f, "the host of an address is `*` or `localhost`, not `{}`", super::error::shown(host))
            }
        }
    }
}

/// Everything in `rules` that is known to keep them from being applied, in their order. Without a finding they may
/// still be refused: gaps are not looked into.
pub fn scan(rules: &SbplRules) -> Vec<ApplyGate> {
    let mut gates: Vec<ApplyGate> = (rules.unbound.iter())
        .map(|(place, name)| ApplyGate { place: *place, kind: GateKind::UnboundName(name.clone()) })
        .collect();
    // What stands under a condition may never be made.
    for rule in rules.rules.iter().filter(|rule| rule.conditions.is_empty()) {
        let mut add = |kind| {
            let gate = ApplyGate { place: rule.place, kind };
            if gates.last() != Some(&gate) {
                gates.push(gate);
            }
        };
        if rule.in_message_filter {
            if rule.action == Decision::Deny {
                add(GateKind::MessageFilterDeny(rule.operations.clone()));
            }
        } else {
            for operation in &rule.operations {
                if MESSAGE_FILTER_OPERATIONS.contains(&operation.as_str()) {
                    add(GateKind::OutsideMessageFilter(operation.clone()));
                }
            }
        }
        if rule.action == Decision::Deny && reports(rule) {
            add(GateKind::ReportOnDeny);
        }
        for filter in &rule.filters {
            hosts(filter, &mut |host| add(GateKind::NetworkHost(host.to_owned())));
        }
    }
    gates
}

fn reports(rule: &Rule) -> bool {
    rule.modifiers.iter().any(|text| text.split_ascii_whitespace().any(|word| word == "report"))
}

/// Calls `found` with every host that is not allowed. Filters are nested no deeper than their limit.
fn hosts(filter: &Filter, found: &mut impl FnMut(&str)) {
    match filter {
        Filter::All(parts) | Filter::Any(parts) => parts.iter().for_each(|part| hosts(part, found)),
        Filter::Not(part) => hosts(part, found),
        Filter::Network { address: NetworkAddress::Text { host, .. }, .. } if host != "*" && host != "localhost" => {
            found(host);
        }
        _ => {}
    }
}
