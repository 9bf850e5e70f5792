//! What `run` says at the end: for people a short table, for programs a document.

use std::collections::HashSet;
use std::path::Path;

use serde::Serialize;

use super::color;
use super::exit::{Exit, Failure};
use super::run_attribution;
use super::run_findings::{self as findings, SHOWN};
use super::table;
use super::ui::Ui;
use crate::base::errno::errno_name;
use crate::base::fsx;
use crate::base::ids::{ExpectationId, PlanId, ProfileId, RunId, WorldId};
use crate::base::limits::{MAX_BUNDLE_DOCUMENT_BYTES, MAX_INDEX_BYTES, MAX_INPUT_DOCUMENT_BYTES};
use crate::base::printable::{Lines, path_text};
use crate::bundle;
use crate::evidence::controls::ControlResult;
use crate::evidence::{DerivationOutcome, JudgedWaiver, ProfileOutcome, RowFinding, WaiverStanding};
use crate::promote::gates::{self, Documents, GateEvaluation};
use crate::record::attribution::AttributionSummary;
use crate::record::controls::ControlsStatus;
use crate::record::layout;
use crate::record::manifest::ChannelKind;
use crate::record::mismatch::MismatchType;
use crate::record::opinions::Opinions;
use crate::record::outcome::{Decision, Expectation, FailureKind, FailureStage};
use crate::record::packet::Promotability;
use crate::record::shard::ShardRecord;
use crate::record::summary::SummaryStatus;
use crate::run::RunReport;

/// Format of `run --json`. 1: first release.
pub const RUN_REPORT_SCHEMA: &str = "sandproof.run_report.v1";

/// `run --json`
#[derive(Debug, Serialize)]
struct RunAnswer<'r> {
    schema_version: &'static str,
    run_id: &'r RunId,
    plan_id: &'r PlanId,
    world_id: &'r WorldId,
    channel: ChannelKind,
    status: SummaryStatus,
    bundle: String,
    latest: bool,
    planned: u64,
    matched: u64,
    mismatched: u64,
    undecided: u64,
    asked: u64,
    unasserted: u64,
    profiles: Vec<ProfileDocument<'r>>,
    mismatches: Vec<RowDocument<'r>>,
    undecided_rows: Vec<RowDocument<'r>>,
    surprises: Vec<RowDocument<'r>>,
    surprised: u64,
    known: u64,
    waivers: Vec<WaiverDocument<'r>>,
    promotability: Promotability,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribution: Option<&'r AttributionSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<&'r ShardRecord>,
    exit_code: u8,
}

#[derive(Debug, Serialize)]
struct WaiverDocument<'r> {
    expectation_id: &'r ExpectationId,
    standing: WaiverStanding,
    reason: &'r str,
    approved_by: &'r str,
    expires: Option<&'r str>,
}

impl<'r> From<&'r JudgedWaiver> for WaiverDocument<'r> {
    fn from(one: &'r JudgedWaiver) -> Self {
        Self {
            expectation_id: &one.waiver.expectation_id,
            standing: one.standing,
            reason: &one.waiver.reason,
            approved_by: &one.waiver.approved_by,
            expires: one.waiver.expires.as_deref(),
        }
    }
}

#[derive(Debug, Serialize)]
struct ProfileDocument<'r> {
    profile_id: &'r ProfileId,
    planned: u64,
    matched: u64,
    mismatched: u64,
    undecided: u64,
    unasserted: u64,
    undecided_kinds: std::collections::BTreeMap<&'static str, u64>,
    control: Option<ControlsStatus>,
}

#[derive(Debug, Serialize)]
struct RowDocument<'r> {
    profile_id: &'r ProfileId,
    expectation_id: &'r ExpectationId,
    operation: &'r str,
    target: &'r str,
    expected: Expectation,
    actual: Option<Decision>,
    mismatch_type: Option<MismatchType>,
    failure_stage: Option<FailureStage>,
    failure_kind: Option<FailureKind>,
    asked: bool,
    errno: Option<i32>,
    errno_name: Option<String>,
    reason: &'r str,
    opinions: &'r Opinions,
}

impl<'r> From<&'r RowFinding> for RowDocument<'r> {
    fn from(row: &'r RowFinding) -> Self {
        Self {
            profile_id: &row.profile_id,
            expectation_id: &row.expectation_id,
            operation: &row.operation,
            target: &row.target,
            expected: row.expected,
            actual: row.actual,
            mismatch_type: row.mismatch_type,
            failure_stage: row.kind.map(FailureKind::stage),
            failure_kind: row.kind,
            asked: row.asked,
            errno: row.errno,
            errno_name: row.errno.and_then(errno_name),
            reason: &row.reason,
            opinions: &row.opinions,
        }
    }
}

/// Prints the result and classifies it.
pub(super) fn conclude(report: &RunReport, json: bool, ui: &mut Ui) -> Result<Exit, Failure> {
    let gate = judge(report)?;
    let exit = if is_empty_share(report) { Exit::Done } else { exit_of(&report.outcome) };
    if json {
        ui.json(&document(report, &gate, exit));
    } else {
        ui.within_width(&text(report, &gate, ui.width()));
    }
    Ok(exit)
}

/// The gate's answer. It is given on a verified bundle only, so the bundle is verified first; what could not be
/// promoted in any case is judged without that.
fn judge(report: &RunReport) -> Result<GateEvaluation, Failure> {
    let folder = &report.committed.folder;
    let read = |name: &str, cap| fsx::read_regular(&folder.join(name), cap).ok();
    // The very documents that a reader of the bundle judges, so that both come to the same reasons.
    let documents = Documents {
        channel_witness: read(layout::CHANNEL_WITNESS, MAX_INDEX_BYTES),
        run_identity: read(layout::RUN_IDENTITY, MAX_INPUT_DOCUMENT_BYTES),
        controls: read(layout::CONTROLS, MAX_BUNDLE_DOCUMENT_BYTES),
        summary: read(layout::SUMMARY, MAX_BUNDLE_DOCUMENT_BYTES),
        run_status: read(layout::RUN_STATUS, MAX_INDEX_BYTES),
        times: report.outcome.times,
    };
    let early = gates::evaluate_committed(&report.manifest, &report.committed.index, &documents);
    if !early.is_promotable() {
        return Ok(early);
    }
    let verified =
        bundle::verify(&report.committed.folder).map_err(|refused| Failure::new(Exit::BundleInvalid, refused))?;
    Ok(gates::evaluate(&verified))
}

/// Whether there was nothing to do, because the plan has fewer rows than shares. That is no fault of whoever runs the share.
fn is_empty_share(report: &RunReport) -> bool {
    report.manifest.selection.shard.is_some() && report.outcome.total.rows.planned == 0
}

/// The exit code of a merge, which is that of a run with its rows.
pub(super) fn exit_of_merge(report: &RunReport) -> Exit {
    exit_of(&report.outcome)
}

/// What a merge says of its rows, as a run does.
pub(super) fn text_of_merge(report: &RunReport, gate: &GateEvaluation, width: Option<usize>) -> Lines {
    text(report, gate, width)
}

fn exit_of(outcome: &DerivationOutcome) -> Exit {
    let rows = &outcome.total.rows;
    let unneeded = outcome.with_standing(WaiverStanding::Unneeded).next().is_some();
    let contradicted = outcome.attribution.as_ref().is_some_and(|said| said.oracle_disagrees.count > 0);
    if rows.mismatched > outcome.known() || unneeded || contradicted {
        Exit::Mismatch
    } else if outcome.status == SummaryStatus::Dry {
        // Nothing was asked for but a look at what would be done, and that was done.
        if rows.planned == 0 { Exit::NothingRan } else { Exit::Done }
    } else if rows.planned == 0 || !outcome.lanes.scenario {
        // Without scenario rows nothing was held against an expectation, whatever the other lanes found.
        Exit::NothingRan
    } else if rows.undecided > outcome.asked || rows.matched + rows.unasserted == 0 {
        // What was only asked leaves nothing open if it was answered as expected; by itself it shows nothing either.
        Exit::Undecided
    } else {
        Exit::Done
    }
}

fn document<'r>(report: &'r RunReport, gate: &GateEvaluation, exit: Exit) -> RunAnswer<'r> {
    let outcome = &report.outcome;
    let rows = &outcome.total.rows;
    RunAnswer {
        schema_version: RUN_REPORT_SCHEMA,
        run_id: &report.manifest.run_id,
        plan_id: &report.manifest.plan_id,
        world_id: &report.manifest.world_id,
        channel: report.manifest.channel,
        status: outcome.status,
        bundle: path_text(&report.committed.folder),
        latest: report.committed.latest,
        planned: rows.planned,
        matched: rows.matched,
        mismatched: rows.mismatched,
        undecided: rows.undecided,
        asked: outcome.asked,
        unasserted: rows.unasserted,
        profiles: outcome
            .profiles
            .iter()
            .map(|profile| ProfileDocument {
                profile_id: &profile.profile_id,
                planned: profile.counts.rows.planned,
                matched: profile.counts.rows.matched,
                mismatched: profile.counts.rows.mismatched,
                undecided: profile.counts.rows.undecided,
                unasserted: profile.counts.rows.unasserted,
                undecided_kinds: profile
                    .counts
                    .undecided_by_kind
                    .iter()
                    .map(|(kind, count)| (kind.as_str(), *count))
                    .collect(),
                control: profile.controls.as_ref().map(|controls| controls.status()),
            })
            .collect(),
        mismatches: outcome.mismatched.iter().map(RowDocument::from).collect(),
        undecided_rows: outcome.undecided.iter().map(RowDocument::from).collect(),
        surprises: outcome.surprises.iter().map(RowDocument::from).collect(),
        surprised: outcome.surprised,
        known: outcome.known(),
        waivers: outcome.waivers.iter().map(WaiverDocument::from).collect(),
        promotability: gate.to_record(),
        attribution: outcome.attribution.as_ref(),
        shard: report.manifest.selection.shard.as_ref(),
        exit_code: exit.code(),
    }
}

fn text(report: &RunReport, gate: &GateEvaluation, width: Option<usize>) -> Lines {
    let outcome = &report.outcome;
    let rows: Vec<Vec<String>> = outcome.profiles.iter().map(profile_cells).collect();
    let head = ["PROFILE", "PROBES", "MATCHED", "MISMATCHED", "UNDECIDED", "CONTROLS"];
    let mut out = table::fitted(&head, &rows, width);
    out.blank();
    let known: HashSet<&ExpectationId> =
        outcome.with_standing(WaiverStanding::Holds).map(|one| &one.waiver.expectation_id).collect();
    let mismatched = outcome.mismatched.iter().filter(|row| !known.contains(&row.expectation_id));
    let causes = &outcome.causes;
    let total = outcome.total.rows.mismatched - outcome.known();
    findings::text(&mut out, (color::BAD, "not as expected"), mismatched, total, causes);
    // The verdict counts those that were only asked, and nothing is to be done about them.
    let open: Vec<&RowFinding> = outcome.undecided.iter().filter(|row| !row.asked).collect();
    let total = outcome.total.rows.undecided - outcome.asked;
    findings::text(&mut out, (color::DOUBTFUL, "undecided"), open, total, causes);
    let title = (color::DOUBTFUL, "as expected, and a surprise");
    findings::text(&mut out, title, &outcome.surprises, outcome.surprised, causes);
    waivers_text(&mut out, outcome);
    if is_empty_share(report) {
        out.line("This share of the plan has no rows: there was nothing to do.");
    } else {
        out.line(verdict(outcome));
    }
    if let Some(said) = &outcome.attribution {
        run_attribution::append(&mut out, said);
    }
    out.line(format!("bundle      {}{}", shown(&report.committed.folder), latest(report)));
    if gate.is_promotable() {
        out.line("promotable  yes");
    } else {
        out.line("promotable  no");
        for reason in gate.reasons() {
            out.line(format!("            {}: {}", reason.as_str(), reason.explain()));
        }
    }
    out
}

/// Every waiver about a row of the run: those that are findings by themselves first.
fn waivers_text(out: &mut Lines, outcome: &DerivationOutcome) {
    let titles = [
        (color::BAD, "waived, and as expected", WaiverStanding::Unneeded),
        (color::BAD, "waived until a day that is past", WaiverStanding::Expired),
        (color::DOUBTFUL, "waived, and undecided", WaiverStanding::Undecided),
        (color::DOUBTFUL, "known deviations", WaiverStanding::Holds),
    ];
    for (style, title, standing) in titles {
        let some: Vec<&JudgedWaiver> = outcome.with_standing(standing).collect();
        if some.is_empty() {
            continue;
        }
        out.marked(&color::on_stdout(style, &format!("{title}:")), "");
        for one in some.iter().take(SHOWN) {
            out.line(format!("  {}  {}", one.waiver.expectation_id, one.sentence()));
        }
        if some.len() > SHOWN {
            out.line(format!("  … and {} more", some.len() - SHOWN));
        }
        out.blank();
    }
}

fn profile_cells(profile: &ProfileOutcome) -> Vec<String> {
    let word = |control: &ControlResult| control.status().words();
    let controls = profile.controls.as_ref().map_or_else(
        || "-".to_string(),
        |controls| format!("deny {}, allow {}", word(&controls.must_deny), word(&controls.must_allow)),
    );
    let rows = &profile.counts.rows;
    let numbers = [rows.planned, rows.matched, rows.mismatched, rows.undecided].map(|n| n.to_string());
    [profile.profile_id.to_string()].into_iter().chain(numbers).chain([controls]).collect()
}

fn latest(report: &RunReport) -> &'static str {
    if report.committed.latest { "  (LATEST points at it)" } else { "" }
}

/// A path as one would type it from here.
pub(super) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let below = path.strip_prefix(&here).ok().filter(|_| here.parent().is_some());
    below.unwrap_or(path).display().to_string()
}

fn verdict(outcome: &DerivationOutcome) -> String {
    let rows = &outcome.total.rows;
    let probes = if rows.planned == 1 { "1 probe".to_string() } else { format!("{} probes", rows.planned) };
    if outcome.status == SummaryStatus::Dry {
        return format!("{probes} planned, nothing executed (dry run).");
    }
    if !outcome.lanes.scenario {
        return format!("{probes} planned, none decided: the scenario lane is off.");
    }
    let open = rows.undecided - outcome.asked;
    let known = outcome.known();
    let mut text = format!("{probes}, {} as expected", rows.matched);
    if rows.mismatched > known {
        text.push_str(&format!(", {} not", rows.mismatched - known));
    }
    if known > 0 {
        text.push_str(&format!(", {known} not and known"));
    }
    if open > 0 || rows.mismatched > 0 {
        text.push_str(&format!(", {open} undecided"));
    }
    if rows.unasserted > 0 {
        text.push_str(&format!(", {} answered with nothing expected", rows.unasserted));
    }
    if outcome.asked > 0 {
        text.push_str(&format!(", {} only asked, and answered as expected", outcome.asked));
    }
    text + "."
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::PlannedRowCounts;
    use crate::plan::LaneSet;
    use crate::record::summary::RowCounts;

    fn outcome(matched: u64, mismatched: u64, undecided: u64, asked: u64) -> DerivationOutcome {
        let rows =
            RowCounts { planned: matched + mismatched + undecided, matched, mismatched, undecided, unasserted: 0 };
        DerivationOutcome {
            status: SummaryStatus::Partial,
            lanes: LaneSet { baseline: true, scenario: true, oracle: true },
            total: PlannedRowCounts { rows, ..PlannedRowCounts::default() },
            profiles: Vec::new(),
            mismatch_counts: std::collections::BTreeMap::new(),
            mismatched: Vec::new(),
            undecided: Vec::new(),
            causes: Default::default(),
            surprises: Vec::new(),
            surprised: 0,
            asked,
            waivers: Vec::new(),
            times: Default::default(),
            attribution: None,
        }
    }

    #[test]
    fn a_right_that_kernel_and_model_name_differently_is_a_finding() {
        let mut said = outcome(3, 0, 0, 0);
        said.attribution = Some(AttributionSummary::default());
        assert_eq!(exit_of(&said), Exit::Done);
        said.attribution.as_mut().unwrap().oracle_disagrees.count = 1;
        assert_eq!(exit_of(&said), Exit::Mismatch);
    }

    #[test]
    fn rows_that_are_only_asked_and_answered_as_expected_leave_nothing_open() {
        let first = outcome(72, 0, 4, 4);
        assert_eq!(exit_of(&first), Exit::Done);
        assert_eq!(verdict(&first), "76 probes, 72 as expected, 4 only asked, and answered as expected.");
        // One of them was answered otherwise, or not at all.
        let open = outcome(72, 0, 4, 3);
        assert_eq!(exit_of(&open), Exit::Undecided);
        assert_eq!(verdict(&open), "76 probes, 72 as expected, 1 undecided, 3 only asked, and answered as expected.");
        let wrong = outcome(71, 1, 4, 4);
        assert_eq!(exit_of(&wrong), Exit::Mismatch);
        assert_eq!(
            verdict(&wrong),
            "76 probes, 71 as expected, 1 not, 0 undecided, 4 only asked, and answered as expected."
        );
        // By themselves they show nothing.
        assert_eq!(exit_of(&outcome(0, 0, 4, 4)), Exit::Undecided);
        assert_eq!(exit_of(&outcome(3, 0, 1, 0)), Exit::Undecided);
        assert_eq!(verdict(&outcome(3, 0, 0, 0)), "3 probes, 3 as expected.");
    }

    #[test]
    fn rows_of_which_nothing_is_expected_are_counted_by_themselves() {
        let mut any = outcome(2, 0, 0, 0);
        any.total.rows.unasserted = 3;
        any.total.rows.planned = 5;
        assert_eq!(verdict(&any), "5 probes, 2 as expected, 3 answered with nothing expected.");
        assert_eq!(exit_of(&any), Exit::Done);
        any.total.rows.undecided = 1;
        assert_eq!(exit_of(&any), Exit::Undecided);
    }
}
