//! `summary.json` and `summary.md`: the run in numbers.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::ArtifactSink;
use super::artifact::whole;
use super::decide::DECISION_RULE;
use super::error::DeriveError;
use super::facts::Context;
use super::outcome::Counts;
use crate::base::json_out::to_pretty;
use crate::base::printable::is_hidden;
use crate::record::layout::{SUMMARY, SUMMARY_TEXT};
use crate::record::mismatch::MismatchType;
use crate::record::summary::{SUMMARY_SCHEMA, Summary, SummaryStatus};

/// Writes both.
pub(super) fn write<S: ArtifactSink>(
    context: &Context<'_>,
    status: SummaryStatus,
    total: &Counts,
    mismatch_counts: &BTreeMap<MismatchType, u64>,
    sink: &mut S,
) -> Result<(), DeriveError> {
    let summary = summary(context, status, total, mismatch_counts);
    whole(sink, SUMMARY, &to_pretty(&summary))?;
    whole(sink, SUMMARY_TEXT, text(&summary).as_bytes())
}

fn summary(
    context: &Context<'_>,
    status: SummaryStatus,
    total: &Counts,
    mismatch_counts: &BTreeMap<MismatchType, u64>,
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
