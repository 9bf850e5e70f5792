//! What a plan states for the run's declaration: it has to be complete, canonical, and about something that exists.

use std::collections::HashSet;

use chrono::NaiveDate;
use serde_json::Value;

use super::diagnostic::{DiagnosticKind, Diagnostics, shown};
use super::expectation::{PlannedProfile, SharedExpectationIds};
use super::file::PlanFile;
use crate::base::canon;
use crate::base::ids::ExpectationId;
use crate::base::suggest::close_to;

/// What can be said without the registry.
pub(super) fn check(plan: &PlanFile, notes: &mut Diagnostics<'_>) {
    if let Err(error) = canon::canonical(&Value::Object(plan.controls.clone())) {
        notes.error(
            DiagnosticKind::BadValue,
            format!("/controls{}", error.pointer),
            format!("the run cannot declare it: {}", error.problem),
            "declarations hold whole numbers, and texts in Unicode normal form C",
        );
    }
    let Some(history) = &plan.history else { return };
    let mut seen = HashSet::new();
    for (n, identity) in history.depends_on.iter().enumerate() {
        if !seen.insert(identity) {
            let message = format!("the identity `{identity}` is listed twice");
            notes.error(DiagnosticKind::Duplicate, format!("/history/depends_on/{n}"), message, "remove one");
        }
    }
    let mut seen = HashSet::new();
    for (n, waiver) in history.waivers.iter().enumerate() {
        let at = |member: &str| format!("/history/waivers/{n}/{member}");
        if !seen.insert(&waiver.expectation_id) {
            let message = format!("the expectation `{}` is waived twice", waiver.expectation_id);
            notes.error(DiagnosticKind::Duplicate, at("expectation_id"), message, "remove one");
        }
        for (member, text) in [("reason", &waiver.reason), ("approved_by", &waiver.approved_by)] {
            if text.trim().is_empty() {
                let remedy = "say why, and who approved it";
                notes.error(DiagnosticKind::Empty, at(member), format!("a waiver needs its `{member}`"), remedy);
            } else if !canon::is_normal(text) {
                let message = "the text is not in Unicode normal form C";
                notes.error(DiagnosticKind::BadValue, at(member), message, "normalise it");
            }
        }
        if let Some(day) = &waiver.expires
            && NaiveDate::parse_from_str(day, "%Y-%m-%d").is_err()
        {
            let message = format!("`{}` is not a calendar date", shown(day));
            notes.error(DiagnosticKind::BadValue, at("expires"), message, "write YYYY-MM-DD");
        }
    }
}

/// Waivers that hold no more on `day` (`YYYY-MM-DD`). Only a lint says it: a plan loads on every day, or old bundles would not.
pub(super) fn check_expired(plan: &PlanFile, day: &str, notes: &mut Diagnostics<'_>) {
    for (n, waiver) in plan.history.iter().flat_map(|history| &history.waivers).enumerate() {
        if let Some(last) = waiver.expires.as_deref().filter(|last| *last < day) {
            let message = format!("the waiver of `{}` expired on {last}", waiver.expectation_id);
            let remedy = "correct what it waived, or have it approved anew; until then the row counts as any other";
            let before = notes.list.len();
            notes.error(DiagnosticKind::Expired, format!("/history/waivers/{n}/expires"), message, remedy);
            notes.runs_anyway(before);
        }
    }
}

/// Every waiver has to be about a row of the plan, selected or not.
pub(super) fn check_waivers(
    plan: &PlanFile,
    profiles: &[PlannedProfile],
    ids: &SharedExpectationIds,
    notes: &mut Diagnostics<'_>,
) {
    let waivers = plan.history.iter().flat_map(|history| &history.waivers);
    let missing: HashSet<&ExpectationId> = waivers.clone().map(|waiver| &waiver.expectation_id).collect();
    if missing.is_empty() {
        return;
    }
    let known: HashSet<String> = ids.all(profiles).collect();
    for (n, waiver) in waivers.enumerate() {
        let id = waiver.expectation_id.as_str();
        if !known.contains(id) {
            let close = close_to(id, known.iter().map(String::as_str));
            let remedy = match close.first() {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`sandproof describe-plan` tells which there are".to_owned(),
            };
            let message = format!("the plan has no expectation `{}` to waive", shown(id));
            notes.error(DiagnosticKind::Dangling, format!("/history/waivers/{n}/expectation_id"), message, remedy);
        }
    }
}
