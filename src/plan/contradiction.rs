//! Expectations that their own policy contradicts, found by the model before anything runs.

use super::note::{Note, NoteKind, Severity, pointer_part};
use super::resolved::{InputRole, ResolvedPlan};
use crate::policy::PolicyValue;
use crate::policy::landlock::model;

/// One note for each expectation that the model answers otherwise: an error where the answer is certain, a warning
/// where it takes something for granted. Where the model cannot know, there is none.
pub fn notes(plan: &ResolvedPlan) -> Vec<Note> {
    let file = plan
        .documents
        .iter()
        .find(|document| document.role == InputRole::Probes)
        .map_or_else(String::new, |document| document.path.clone());
    let mut notes = Vec::new();
    for (profile, probe) in plan.rows() {
        let (PolicyValue::Landlock(policy), Some(action)) = (profile.policy.value.as_ref(), &probe.action) else {
            continue;
        };
        let answer = model::evaluate(policy, action, &probe.fixtures);
        let expected = probe.entry.expected;
        let Some(decision) = answer.decision.filter(|decision| *decision != expected) else { continue };
        let assumed = if answer.assumes.is_empty() {
            String::new()
        } else {
            format!(", taking for granted that {}", answer.assumes.join(" and "))
        };
        let rule = answer.rule.map_or_else(String::new, |rule| format!(" at `{rule}`"));
        notes.push(Note {
            severity: if answer.assumes.is_empty() { Severity::Error } else { Severity::Warning },
            file: file.clone(),
            pointer: format!("/probes/{}/expected", pointer_part(probe.entry.probe_id.as_str())),
            subject: probe.expectation_id.to_string(),
            kind: NoteKind::Contradiction,
            message: format!(
                "`{}` is expected, but the policy `{}` says `{}`{rule}: {}{assumed}",
                expected.as_str(),
                profile.policy.path,
                decision.as_str(),
                answer.reason,
            ),
            remedy: "correct the expectation, or the policy".to_string(),
        });
    }
    notes
}
