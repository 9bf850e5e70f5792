//! Expectations that contradict their own policy, found before anything runs.

use super::diagnostic::{Diagnostic, DiagnosticKind, Diagnostics, Severity, pointer_part};
use super::resolved::{ResolvedProbe, ResolvedProfile};
use crate::policy::answer::{self, PolicyQuestion};

/// Compares what a probe expects with what the model makes of its policy. An answer that takes something for granted
/// makes a warning of it: the author may know better what is on the host.
pub(super) fn check(profile: &ResolvedProfile, probe: &ResolvedProbe, probes_path: &str, notes: &mut Vec<Diagnostic>) {
    let asked = PolicyQuestion {
        action: probe.action.as_deref(),
        operation: &probe.entry.operation,
        filter: probe.entry.filter_name.as_deref(),
        fixtures: &probe.fixtures,
    };
    let answer = answer::answer(&profile.policy.value, asked);
    let Some(decision) = answer.decision.filter(|decision| *decision != probe.entry.expected) else { return };
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
    if !answer.assumes.is_empty() {
        message.push_str(&format!(" (if {})", answer.assumes.join(", and ")));
    }
    let pointer = format!("/probes/{}/expected", pointer_part(id));
    let remedy = "correct the expectation or the policy; where profiles differ, each needs its own probe".to_owned();
    let before = notes.len();
    let mut at = Diagnostics { list: notes, file: probes_path, subject: id };
    at.push(severity, DiagnosticKind::Contradiction, pointer, message, remedy);
    at.runs_anyway(before);
}
