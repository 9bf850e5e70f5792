//! `summary.json` and `summary.md`: the run in numbers.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::ArtifactSink;
use super::artifact_writer::whole;
use super::decide::DECISION_RULE;
use super::error::DeriveError;
use super::outcome::PlannedRowCounts;
use super::row_facts::Context;
use crate::base::json_out::to_pretty;
use crate::base::printable::is_hidden;
use crate::record::attribution::AttributionSummary;
use crate::record::layout::{SUMMARY, SUMMARY_TEXT};
use crate::record::mismatch::MismatchType;
use crate::record::summary::{ProfileList, RowList, SUMMARY_SCHEMA, Summary, SummaryStatus};

/// What the scenario lane left open: rows without a decision, and profiles without a refusal.
#[derive(Debug, Default)]
pub(super) struct LeftOpen {
    /// Those that should have been decided.
    pub undecided: RowList,
    /// Those that could not be, by the nature of their driver.
    pub by_design: RowList,
    /// Profiles without a control that must be refused, under which no row was refused either.
    pub without_refusal: ProfileList,
}

/// Writes both.
pub(super) fn write<S: ArtifactSink>(
    context: &Context<'_>,
    status: SummaryStatus,
    total: &PlannedRowCounts,
    mismatch_counts: &BTreeMap<MismatchType, u64>,
    left_open: LeftOpen,
    attribution: Option<&AttributionSummary>,
    sink: &mut S,
) -> Result<(), DeriveError> {
    let summary = summary(context, status, total, mismatch_counts, left_open, attribution);
    whole(sink, SUMMARY, &to_pretty(&summary))?;
    whole(sink, SUMMARY_TEXT, text(&summary).as_bytes())
}

fn summary(
    context: &Context<'_>,
    status: SummaryStatus,
    total: &PlannedRowCounts,
    mismatch_counts: &BTreeMap<MismatchType, u64>,
    left_open: LeftOpen,
    attribution: Option<&AttributionSummary>,
) -> Summary {
    let (plan, manifest) = (context.plan, context.manifest);
    let lanes = if manifest.dry_run {
        ["scenario", "baseline", "oracle"].map(|lane| (lane.to_owned(), Value::Bool(false))).into_iter().collect()
    } else {
        plan.plan.lanes.clone()
    };
    Summary {
        schema_version: SUMMARY_SCHEMA.to_owned(),
        world_id: manifest.world_id.clone(),
        run_id: manifest.run_id.clone(),
        identity: manifest.identity,
        plan_id: manifest.plan_id.clone(),
        plan_digest: manifest.plan_digest,
        channel: manifest.channel,
        status,
        lanes: Map::from_iter(lanes),
        profile_count: plan.profiles.len() as u64,
        scenario_count: plan.row_count() as u64,
        expected_profiles: plan.profiles.iter().map(|profile| profile.id.clone()).collect(),
        mismatch_counts: mismatch_counts.iter().map(|(kind, count)| (kind.as_str().to_owned(), *count)).collect(),
        dry_run: manifest.dry_run,
        decision_rule: DECISION_RULE.to_owned(),
        counts: total.rows,
        undecided_kinds: total.undecided_by_kind.clone(),
        undecided_rows: left_open.undecided,
        by_design_rows: left_open.by_design,
        profiles_without_refusal: left_open.without_refusal,
        attribution: attribution.cloned(),
    }
}

/// A line of a text that stays one line whatever stands in it.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) { ' ' } else { c }).collect()
}

fn text(summary: &Summary) -> String {
    let mut out = String::from("# Runtime run summary\n\n");
    let lines = [
        ("Status", summary.status.as_str().to_owned()),
        ("Plan", one_line(summary.plan_id.as_str())),
        ("Channel", summary.channel.as_str().to_owned()),
        ("Profiles", summary.profile_count.to_string()),
        ("Scenarios", summary.scenario_count.to_string()),
    ];
    for (label, value) in lines {
        writeln!(out, "{label}: {value}").expect("a string takes any text");
    }
    let mismatches: u64 = summary.mismatch_counts.values().sum();
    let number = if mismatches == 0 { "none".to_owned() } else { mismatches.to_string() };
    writeln!(out, "\nMismatches: {number}").expect("a string takes any text");
    out
}
