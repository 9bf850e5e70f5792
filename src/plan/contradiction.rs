//! Expectations that contradict their own policy, found before anything runs.

use std::path::Path;

use super::diagnostic::{Diagnostic, DiagnosticKind, Diagnostics, Severity, pointer_part};
use super::resolved::{ResolvedProbe, ResolvedProfile};
use crate::policy::answer::{self, PolicyQuestion};
use crate::policy::model_answer::{assumed_host_path, assumptions_phrase};

/// Whether a path exists here, and no part of it is a symbolic link.
fn is_plain(path: &str) -> bool {
    Path::new(path).canonicalize().is_ok_and(|found| found == Path::new(path))
}

/// Compares what a probe expects with what the model makes of its policy. An answer that takes something for granted
/// makes a warning of it: the author may know better what is on the host.
pub(super) fn check(profile: &ResolvedProfile, probe: &ResolvedProbe, probes_path: &str, notes: &mut Vec<Diagnostic>) {
    let asked = PolicyQuestion {
        action: probe.action.as_deref(),
        operation: &probe.entry.operation,
        filter: probe.entry.filter_name.as_deref(),
        fixtures: &probe.fixtures,
    };
    let expected = probe.entry.expected.decision();
    let answer = answer::answer(&profile.policy.value, asked);
    let Some(decision) = answer.decision.filter(|decision| expected.is_some_and(|expected| *decision != expected))
    else {
        return;
    };
    let severity = if answer.is_certain() { Severity::Error } else { Severity::Warning };
    let id = probe.entry.probe_id.as_str();
    let mut message = format!(
        "the probe expects {}, and the policy `{}` of profile `{}` decides {}: {}",
        probe.entry.expected.as_str(),
        profile.policy.path,
        profile.id,
        decision.as_str(),
        answer.reason
    );
    if let Some(rule) = &answer.rule {
        message.push_str(&format!(" (`{rule}`)"));
    }
    // What holds on this host needs no word, though it may not hold where the plan will run.
    let open = answer.assumes.iter().map(String::as_str).filter(|text| !assumed_host_path(text).is_some_and(is_plain));
    let open = assumptions_phrase(open);
    if !open.is_empty() {
        message.push_str(&format!(" (if {open})"));
    }
    let pointer = format!("/probes/{}/expected", pointer_part(id));
    let remedy = "correct the expectation or the policy; where profiles differ, each needs its own probe".to_owned();
    let before = notes.len();
    let mut at = Diagnostics { list: notes, file: probes_path, subject: id };
    at.push(severity, DiagnosticKind::Contradiction, pointer, message, remedy);
    at.runs_anyway(before);
}
