//! What a Landlock policy answers.

use std::collections::BTreeSet;

use super::super::exit::Failure;
use super::super::policy_source::{NamedPolicy, bad};
use super::query::{PolicyAnswer, Query};
use crate::plan::ResolvedProbe;
use crate::policy::landlock::{LandlockPolicy, evaluate};
use crate::policy::operations::canonical;
use crate::record::action::Action;
use crate::record::driver::Driver;
use crate::record::fixture::{FixtureEntry, FixtureKind};
use crate::record::why::{WhyDecision, WhyStep};

/// Asks the model.
pub(super) fn answer(source: &NamedPolicy, query: &Query, policy: &LandlockPolicy) -> Result<PolicyAnswer, Failure> {
    for (given, option) in [
        (query.filter.is_some(), "--filter"),
        (query.syscall.is_some(), "--syscall"),
        (!query.facts.is_empty(), "--fact"),
        (!query.links.is_empty(), "--link"),
    ] {
        if given {
            let remedy = "leave it out; --driver names what would attempt the operation";
            return Err(bad(format!("{option} does not apply to a Landlock policy"), remedy));
        }
    }
    let operation = canonical(&query.operation).unwrap_or(&query.operation);
    let probe = source.asked.profile.as_ref().and_then(|found| {
        let same = |probe: &&ResolvedProbe| {
            canonical(&probe.entry.operation) == Some(operation) && *probe.entry.target == *query.target
        };
        found.profile.probes.iter().find(same)
    });
    let fixtures = match (&source.asked.profile, probe) {
        (_, Some(probe)) => probe.fixtures.to_vec(),
        (Some(found), None) => found.profile.entry.fixtures.clone(),
        (None, None) => Vec::new(),
    };
    // Nobody has said what there is below `${root}`, and a policy cannot be applied without what its rules name.
    let taken_for_granted = if source.asked.profile.is_none() { named_below_root(policy) } else { Vec::new() };
    let assumed = taken_for_granted
        .iter()
        .map(|path| format!("`${{root}}/{path}` is there, and is a folder"))
        .collect::<Vec<_>>();
    let folders = taken_for_granted.into_iter().map(|path| FixtureEntry::new(path, FixtureKind::Dir));
    let fixtures: Vec<FixtureEntry> = fixtures.into_iter().chain(folders).collect();
    let action = match (query.driver, probe.and_then(|probe| probe.action.as_deref())) {
        (None, Some(action)) if query.to.is_none() => action.clone(),
        _ => {
            let driver = match query.driver {
                Some(driver) => driver,
                None => usual_driver(operation, &query.target).ok_or_else(|| {
                    bad(format!("Landlock has no driver for `{operation}`"), "ask about another operation")
                })?,
            };
            Action { to: query.to.clone(), ..Action::new(driver, query.target.clone()) }
        }
    };
    let answer = evaluate(policy, &action, &fixtures);
    let rule = answer.rule.map(|pointer| source.member(&pointer));
    let step =
        |operation: &str, on: String| WhyStep { operation: operation.to_owned(), on, decision: None, rule: None };
    Ok(PolicyAnswer {
        decision: WhyDecision::of(answer.decision),
        rule,
        chain: answer.needs.into_iter().map(|need| step(need.right, need.on)).collect(),
        reason: answer.reason,
        assumes: answer.assumes.into_iter().chain(assumed).collect(),
        remarks: vec![format!("asked as the driver `{}` would attempt it", action.driver.info().name)],
    })
}

/// What the rules of a policy name below `${root}`, relative to it.
fn named_below_root(policy: &LandlockPolicy) -> Vec<String> {
    let rules = policy.layers.iter().flat_map(|layer| &layer.path_beneath);
    let paths: BTreeSet<&str> = rules.filter_map(|rule| rule.path.strip_prefix("${root}/")).collect();
    paths.into_iter().map(str::to_owned).collect()
}

/// The driver that attempts an operation under Seatbelt's name, on such a target.
fn usual_driver(operation: &str, target: &str) -> Option<Driver> {
    let on_path = target.starts_with('/') || target.starts_with("${root}");
    let on_address = target.rsplit_once(':').is_some_and(|(host, _)| !host.is_empty()) && !on_path;
    match operation {
        "network-outbound" if on_path => return Some(Driver::UnixConnect),
        "network-outbound" if !on_address => return Some(Driver::AbstractConnect),
        "network-bind" if on_path => return Some(Driver::UnixBind),
        "file-read-metadata" => return Some(Driver::FileStat),
        "signal" if target == "self" => return Some(Driver::SignalSelf),
        "signal" if target == "same-sandbox" || target == "child" => return Some(Driver::SignalInside),
        _ => {}
    }
    let drivers = || Driver::ALL.iter().copied().filter(|driver| driver.info().platforms.linux());
    let first = drivers().find(|driver| driver.info().operations.first() == Some(&operation));
    first
        .or_else(|| drivers().find(|driver| driver.info().operations.contains(&operation)))
        .filter(|driver| *driver != Driver::ApplyOnly)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_become_drivers() {
        for (operation, target, driver) in [
            ("file-read-data", "/etc/hosts", Driver::FileRead),
            ("file-read*", "/etc/hosts", Driver::FileRead),
            ("file-write*", "/x", Driver::FileWrite),
            ("file-write-create", "/x", Driver::FileCreate),
            ("file-write-unlink", "/x", Driver::FileUnlink),
            ("network-outbound", "127.0.0.1:80", Driver::TcpConnect),
            ("network-outbound", "/run/x", Driver::UnixConnect),
            ("network-outbound", "name", Driver::AbstractConnect),
            ("network-bind", "127.0.0.1:80", Driver::TcpBind),
            ("signal", "others", Driver::SignalOutside),
            ("signal", "self", Driver::SignalSelf),
            ("process-exec*", "/bin/true", Driver::Exec),
        ] {
            assert_eq!(usual_driver(operation, target), Some(driver), "{operation} {target}");
        }
        assert_eq!(usual_driver("mach-bootstrap", "x"), None);
        assert_eq!(usual_driver("default", "x"), None);
    }
}
