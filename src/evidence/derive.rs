//! From resolved inputs and raw rows to every derived artifact, in one pass.
//!
//! All lanes are in plan order, so the rows of one place stand at the same line of each: they are read side by side,
//! judged, written into every document, and forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Mutex;

use super::artifact_writer::{ArrayDocument, ArtifactWriter, EntriesDocument, ListDocument};
use super::contradiction::{ContradictionFrame, Times};
use super::controls::{self, ControlOutcomes, ProfileControls};
use super::decide::{self, ControlsSay, Verdict};
use super::error::DeriveError;
use super::finding;
use super::host_os::HostOs;
use super::mismatch::{self, OtherLanes};
use super::oracle_document::{callout_result, oracle_result};
use super::outcome::{
    CauseCounts, DerivationOutcome, MAX_FINDINGS, PlannedRowCounts, ProfileOutcome, RowAgreement, RowFinding,
};
use super::places::RuleLines;
use super::row_facts::{self, Baseline, Context, RowInPlan};
use super::row_prefetch::{self, RowBatches, RowPrefetch};
use super::rows::{LaneReader, NextPlannedRow};
use super::scenario::{Judged, baseline_row};
use super::summary::LeftOpen;
use super::verdict_lines::{ShownByLanes, VerdictLines};
use super::waivers::{JudgedWaiver, Waivers};
use super::witness::{self, LaneAnswer};
use super::{ArtifactSink, RowSource, matrix, oracle_model, static_preflight, summary};
use crate::base::json_out::append_line;
use crate::plan::{LaneSet, ResolvedPlan, ResolvedProfile};
use crate::record::attribution::AttributionSummary;
use crate::record::baseline::BASELINE_RESULTS_SCHEMA;
use crate::record::controls::{CONTROLS_SCHEMA, ControlStatus};
use crate::record::fixtures_doc::FIXTURES_SCHEMA;
use crate::record::layout;
use crate::record::manifest::{BundleFormat, RunManifest};
use crate::record::mismatch::MismatchType;
use crate::record::oracle::ORACLE_RESULTS_SCHEMA;
use crate::record::outcome::Lane;
use crate::record::results::{EntryStatus, RUNTIME_RESULTS_SCHEMA};
use crate::record::row::{OracleRow, ProbeRow};
use crate::record::scan::StaticScan;
use crate::record::summary::SummaryStatus;
use crate::record::witness::PATH_WITNESSES_SCHEMA;

/// Who wrote the mismatch summary.
const GENERATED_BY: &str = "sandproof::evidence";

/// Derives every artifact that the lanes call for.
///
/// `controls` has one entry for each profile of the plan, in its order. It is used only if the scenario lane is on.
///
/// # Errors
///
/// Rows that are missing, foreign, out of order, undecodable or too many; and failures to read or write.
pub fn derive<S: ArtifactSink>(
    plan: &ResolvedPlan,
    manifest: &RunManifest,
    controls: &[ProfileControls],
    rows: &dyn RowSource,
    sink: &mut S,
) -> Result<DerivationOutcome, DeriveError> {
    derive_recorded(&Context::new(plan, manifest), controls, rows, sink)
}

/// The same for rows that several runs made. Those in `disagreeing`, by place in the plan, show nothing: attempts at them differ.
///
/// # Errors
///
/// As [`derive()`].
pub fn derive_merged<S: ArtifactSink>(
    plan: &ResolvedPlan,
    manifest: &RunManifest,
    controls: &[ProfileControls],
    rows: &dyn RowSource,
    disagreeing: &BTreeSet<u64>,
    sink: &mut S,
) -> Result<DerivationOutcome, DeriveError> {
    let context = Context { disagreeing: Some(disagreeing), ..Context::new(plan, manifest) };
    derive_recorded(&context, controls, rows, sink)
}

fn derive_recorded<S: ArtifactSink>(
    context: &Context<'_>,
    controls: &[ProfileControls],
    rows: &dyn RowSource,
    sink: &mut S,
) -> Result<DerivationOutcome, DeriveError> {
    std::thread::scope(|scope| {
        let rows = RowPrefetch::start(scope, rows);
        let oracle = row_prefetch::oracle_as_recorded(scope, rows.source);
        derive_rows(context, controls, rows, oracle, sink)
    })
}

/// The same for a replay, from rows whose reading began earlier. Each oracle row has to be, byte for byte, what the model
/// answers now; and no row of any lane may contradict the rest of the bundle (`evidence::contradiction`).
///
/// # Errors
///
/// As [`derive()`]; a row that contradicts the rest; and, if all else is well, an oracle row that the model does not answer.
pub fn replay<S: ArtifactSink>(
    plan: &ResolvedPlan,
    manifest: &RunManifest,
    controls: &[ProfileControls],
    rows: RowPrefetch<'_>,
    sink: &mut S,
) -> Result<DerivationOutcome, DeriveError> {
    let other = Mutex::new(None);
    let outcome = std::thread::scope(|scope| {
        let oracle = row_prefetch::oracle_asked_again(scope, rows.source, plan, &other);
        let context = Context { frame: Some(ContradictionFrame::of(manifest)), ..Context::new(plan, manifest) };
        derive_rows(&context, controls, rows, oracle, sink)
    })?;
    match other.into_inner() {
        Ok(Some(other)) => Err(other.into()),
        _ => Ok(outcome),
    }
}

fn derive_rows<S: ArtifactSink>(
    context: &Context<'_>,
    controls: &[ProfileControls],
    rows: RowPrefetch<'_>,
    oracle: RowBatches<OracleRow>,
    sink: &mut S,
) -> Result<DerivationOutcome, DeriveError> {
    let (plan, manifest) = (context.plan, context.manifest);
    let mut times = Times::default();
    let lanes = if manifest.dry_run { LaneSet { baseline: false, scenario: false, oracle: false } } else { plan.lanes };
    matrix::write(context, sink)?;
    let reports = if lanes.scenario {
        let reports = controls::judge(context, controls, rows.control, &mut times)?;
        write_controls(context, &reports, sink)?;
        Some(reports)
    } else {
        LaneReader::expect_none(Lane::Control, rows.control)?;
        None
    };
    let mut readers = Readers {
        baseline: lane_reader(Lane::Baseline, rows.baseline, lanes.baseline)?,
        scenario: lane_reader(Lane::Scenario, rows.scenario, lanes.scenario)?,
        oracle: lane_reader(Lane::Oracle, oracle, lanes.oracle)?,
    };
    let mut writers = Writers::open(context, lanes, sink)?;
    let declared = plan.plan.history.iter().flat_map(|history| &history.waivers);
    let waivers = Waivers::of(declared, manifest.started_at_unix_s);
    let listened = lanes.scenario && manifest.attribution.is_some();
    let attribution = listened.then(AttributionSummary::default);
    let mut tally = MismatchTally { times, waivers, attribution, ..MismatchTally::default() };
    let mut profiles = Vec::with_capacity(plan.profiles.len());
    let mut total = PlannedRowCounts::default();
    let mut seq = 0;
    for (n, profile) in plan.profiles.iter().enumerate() {
        let report = reports.as_ref().map(|reports| &reports[n]);
        let (counts, status) =
            derive_profile(context, profile, report, &mut seq, &mut readers, &mut writers, &mut tally)?;
        total.add(&counts);
        profiles.push(ProfileOutcome { profile_id: profile.id.clone(), status, counts, controls: report.cloned() });
    }
    readers.finish()?;
    writers.finish(&tally.mismatch_counts, sink)?;
    let status = if manifest.dry_run {
        SummaryStatus::Dry
    } else if lanes.scenario && tally.mismatch_counts.is_empty() && total.rows.unasserted == 0 {
        SummaryStatus::Ok
    } else {
        SummaryStatus::Partial
    };
    summary::write(context, status, &total, &tally.mismatch_counts, tally.left_open, tally.attribution.as_ref(), sink)?;
    Ok(DerivationOutcome {
        status,
        lanes,
        total,
        profiles,
        mismatch_counts: tally.mismatch_counts,
        mismatched: tally.mismatched,
        undecided: tally.undecided,
        causes: tally.causes,
        surprises: tally.surprises,
        surprised: tally.surprised,
        asked: tally.asked,
        waivers: tally.judged_waivers,
        times: tally.times,
        attribution: tally.attribution,
    })
}

fn lane_reader<T>(lane: Lane, rows: RowBatches<T>, on: bool) -> Result<Option<LaneReader<T>>, DeriveError> {
    if on {
        return LaneReader::open(lane, rows).map(Some);
    }
    LaneReader::expect_none(lane, rows)?;
    Ok(None)
}

fn write_controls<S: ArtifactSink>(
    context: &Context<'_>,
    reports: &[ControlOutcomes],
    sink: &mut S,
) -> Result<(), DeriveError> {
    let head = [
        ("schema_version", CONTROLS_SCHEMA),
        ("world_id", context.world_id),
        ("run_id", context.run_id),
        ("plan_id", context.manifest.plan_id.as_str()),
    ];
    let mut document = ListDocument::create(sink, layout::CONTROLS, &head, "profiles")?;
    for (profile, report) in context.plan.profiles.iter().zip(reports) {
        document.push(&report.entry(profile.id.as_str()))?;
    }
    document.finish(sink, |_, _| Ok(()))
}

struct Readers {
    baseline: Option<LaneReader<ProbeRow>>,
    scenario: Option<LaneReader<ProbeRow>>,
    oracle: Option<LaneReader<OracleRow>>,
}

impl Readers {
    fn finish(self) -> Result<(), DeriveError> {
        for reader in [self.baseline, self.scenario].into_iter().flatten() {
            reader.finish()?;
        }
        self.oracle.map_or(Ok(()), LaneReader::finish)
    }
}

/// The documents that grow with the rows.
struct Writers<O> {
    baseline: Option<ListDocument<O>>,
    results: Option<EntriesDocument<O>>,
    events: Option<ArrayDocument<O>>,
    oracle: Option<ListDocument<O>>,
    witnesses: Option<ListDocument<O>>,
    fixtures: Option<ListDocument<O>>,
    mismatches: ListDocument<O>,
    packets: ArtifactWriter<O>,
    /// Nothing in a bundle of a format that has none.
    verdicts: Option<VerdictLines<O>>,
}

impl<O: Write> Writers<O> {
    fn open<S: ArtifactSink<Out = O>>(
        context: &Context<'_>,
        lanes: LaneSet,
        sink: &mut S,
    ) -> Result<Self, DeriveError> {
        let plan_id = context.manifest.plan_id.as_str();
        let list = |sink: &mut S, on: bool, name, schema, list: &str, with_plan: bool| {
            let head = [
                ("schema_version", schema),
                ("world_id", context.world_id),
                ("run_id", context.run_id),
                ("plan_id", plan_id),
            ];
            let head = if with_plan { &head[..] } else { &head[..3] };
            (on && sink.wants(name)).then(|| ListDocument::create(sink, name, head, list)).transpose()
        };
        let probes = lanes.baseline || lanes.scenario;
        let wants = |sink: &S, name| lanes.scenario && sink.wants(name);
        Ok(Self {
            baseline: list(sink, lanes.baseline, layout::BASELINE_RESULTS, BASELINE_RESULTS_SCHEMA, "results", false)?,
            results: wants(sink, layout::RUNTIME_RESULTS)
                .then(|| EntriesDocument::create(sink, layout::RUNTIME_RESULTS))
                .transpose()?,
            events: wants(sink, layout::RUNTIME_EVENTS)
                .then(|| ArrayDocument::create(sink, layout::RUNTIME_EVENTS))
                .transpose()?,
            oracle: list(sink, lanes.oracle, layout::ORACLE_RESULTS, ORACLE_RESULTS_SCHEMA, "results", false)?,
            witnesses: list(sink, probes, layout::PATH_WITNESSES, PATH_WITNESSES_SCHEMA, "records", true)?,
            fixtures: list(sink, probes, layout::FIXTURES, FIXTURES_SCHEMA, "records", true)?,
            mismatches: ListDocument::create(
                sink,
                layout::MISMATCH_SUMMARY,
                &[("world_id", context.world_id), ("generated_by", GENERATED_BY)],
                "mismatches",
            )?,
            packets: ArtifactWriter::create(sink, layout::MISMATCH_PACKETS)?,
            verdicts: context.manifest.bundle_format.map(|BundleFormat::V2| VerdictLines::create(sink)).transpose()?,
        })
    }

    fn finish<S: ArtifactSink<Out = O>>(
        self,
        counts: &BTreeMap<MismatchType, u64>,
        sink: &mut S,
    ) -> Result<(), DeriveError> {
        for document in [self.baseline, self.oracle, self.witnesses, self.fixtures].into_iter().flatten() {
            document.finish(sink, |_, _| Ok(()))?;
        }
        if let Some(results) = self.results {
            results.finish(sink)?;
        }
        if let Some(events) = self.events {
            events.finish(sink)?;
        }
        if let Some(verdicts) = self.verdicts {
            verdicts.finish(sink)?;
        }
        self.mismatches.finish(sink, |object, out| object.member(out, "counts", counts))?;
        self.packets.finish(sink)
    }
}

/// What grows with the mismatches, within bounds.
#[derive(Default)]
struct MismatchTally {
    mismatch_counts: BTreeMap<MismatchType, u64>,
    mismatched: Vec<RowFinding>,
    undecided: Vec<RowFinding>,
    causes: CauseCounts,
    surprises: Vec<RowFinding>,
    surprised: u64,
    places: RuleLines,
    asked: u64,
    waivers: Waivers,
    judged_waivers: Vec<JudgedWaiver>,
    left_open: LeftOpen,
    times: Times,
    /// Nothing where the run did not listen.
    attribution: Option<AttributionSummary>,
}

fn derive_profile<O: Write>(
    context: &Context<'_>,
    profile: &ResolvedProfile,
    report: Option<&ControlOutcomes>,
    seq: &mut u64,
    readers: &mut Readers,
    writers: &mut Writers<O>,
    tally: &mut MismatchTally,
) -> Result<(PlannedRowCounts, Option<EntryStatus>), DeriveError> {
    let say = report.map_or(ControlsSay::NothingWrong, ControlOutcomes::say);
    let mut counts = PlannedRowCounts::default();
    let mut blocked = 0;
    let mut refused = false;
    let scan = static_preflight::of(context, &profile.policy);
    if let Some(results) = &mut writers.results {
        results.begin(
            profile.id.as_str(),
            |entry, out| {
                entry.member(out, "schema_version", RUNTIME_RESULTS_SCHEMA)?;
                entry.member(out, "run_id", context.run_id)?;
                entry.member(out, "base_profile_path", &profile.policy.path)?;
                entry.member(out, "profile_path", &profile.policy.path)?;
                entry.member(out, "preflight", &scan)
            },
            "probes",
        )?;
    }
    let mut name = String::new();
    for probe in &profile.probes {
        let placed = RowInPlan { profile, probe };
        let place = *seq;
        let planned = NextPlannedRow::probe(place, profile, probe);
        *seq += 1;
        counts.rows.planned += 1;
        name.clear();
        name.extend(["baseline:", placed.profile_id(), ":", placed.name()]);
        let baseline_raw = readers.baseline.as_mut().map(|reader| reader.probe_row(&planned)).transpose()?;
        let scenario_raw = readers.scenario.as_mut().map(|reader| reader.probe_row(&planned)).transpose()?;
        let oracle = readers.oracle.as_mut().map(|reader| reader.oracle_row(&planned)).transpose()?;
        for row in [baseline_raw, scenario_raw].into_iter().flatten() {
            context.check(row, &probe.fixtures)?;
            tally.times.take(row, context.manifest.deadline_ms);
        }
        if let (Some(baseline), Some(scenario)) = (baseline_raw, scenario_raw) {
            tally.times.compare(baseline, scenario);
        }
        let lanes = Lanes { seq: place, baseline: baseline_raw, baseline_name: &name, scenario: scenario_raw, oracle };
        if let Some((agreement, verdict)) = derive_row(context, placed, scan.as_ref(), &lanes, say, writers, tally)? {
            counts.count(agreement, verdict.kind());
            tally.judged_waivers.extend(tally.waivers.judge(placed.expectation_id(), agreement.matched()));
            blocked += u64::from(verdict.stage().is_some_and(|stage| stage.is_blocked()));
            refused |= matches!(verdict, Verdict::Deny { .. });
        }
    }
    // A control that must be refused and was not is a matter of its own.
    let underivable = |report: &ControlOutcomes| report.must_deny.status() == ControlStatus::NotDerivable;
    if report.is_some_and(underivable) && !refused {
        tally.left_open.without_refusal.add(&profile.id);
    }
    let Some(results) = &mut writers.results else { return Ok((counts, None)) };
    let status = entry_status(&counts, blocked);
    results.end(|entry, out| {
        entry.member(out, "status", &status)?;
        if status != EntryStatus::Ok {
            entry.member(out, "notes", &entry_notes(&counts))?;
        }
        Ok(())
    })?;
    Ok((counts, Some(status)))
}

/// The entry's status. The reference says `blocked` as soon as every failure among the rows is a blocked one, however
/// many rows succeeded (its weakness W-58), and for any row that timed out; here it takes every row.
fn entry_status(counts: &PlannedRowCounts, blocked: u64) -> EntryStatus {
    if blocked == counts.rows.planned {
        EntryStatus::Blocked
    } else if counts.rows.matched == counts.rows.planned {
        EntryStatus::Ok
    } else {
        EntryStatus::Partial
    }
}

fn entry_notes(counts: &PlannedRowCounts) -> String {
    let rows = counts.rows;
    let mut text = format!(
        "{} of {} rows matched, {} did not, {} undecided",
        rows.matched, rows.planned, rows.mismatched, rows.undecided
    );
    if rows.unasserted > 0 {
        text.push_str(&format!(", {} answered without an expectation", rows.unasserted));
    }
    for (n, (kind, count)) in counts.undecided_by_kind.iter().enumerate() {
        text.push_str(if n == 0 { ": " } else { ", " });
        text.push_str(&format!("{} {count}", kind.as_str()));
    }
    text
}

/// The rows of one place.
struct Lanes<'r> {
    /// The place, from 0.
    seq: u64,
    baseline: Option<&'r ProbeRow>,
    /// The name that the contract gives the baseline row.
    baseline_name: &'r str,
    scenario: Option<&'r ProbeRow>,
    oracle: Option<&'r OracleRow>,
}

/// Writes one place of the plan into every document; what its scenario row shows, if that lane is on.
fn derive_row<O: Write>(
    context: &Context<'_>,
    placed: RowInPlan<'_>,
    scan: Option<&StaticScan<'_>>,
    lanes: &Lanes<'_>,
    say: ControlsSay,
    writers: &mut Writers<O>,
    tally: &mut MismatchTally,
) -> Result<Option<(RowAgreement, Verdict)>, DeriveError> {
    let baseline = lanes.baseline.map(|row| Baseline { row, attempt: decide::attempt(row), name: lanes.baseline_name });
    let baseline_paths = lanes.baseline.map(|row| row_facts::paths(context, row));
    let mut baseline_document = None;
    if let (Some(baseline), Some(paths), Some(document)) = (&baseline, &baseline_paths, &mut writers.baseline) {
        let row = baseline_row(context.host_os, placed, baseline, paths);
        document.push(&row)?;
        baseline_document = Some(row);
        let shown = LaneAnswer::Baseline(baseline.attempt);
        witness_and_fixtures(context.host_os, writers, placed, baseline.row, lanes.baseline_name, shown, paths)?;
    }
    if let Some(document) = &mut writers.oracle {
        let asked = lanes.scenario.and_then(|row| row.prologue.as_ref()).map_or(&[][..], |said| &said.callouts);
        for callout in asked {
            document.push(&callout_result(context, placed, callout))?;
        }
        if let Some(row) = lanes.oracle {
            document.push(&oracle_result(context, placed, row))?;
        }
    }
    let judged = lanes
        .scenario
        .map(|row| Judged::new(context, placed, row, baseline.as_ref(), say, row_facts::paths(context, row)));
    if let Some(document) = &mut writers.verdicts
        && !context.manifest.dry_run
    {
        let shown = ShownByLanes {
            baseline: baseline.as_ref().map(|baseline| baseline.attempt),
            scenario: judged.as_ref(),
            oracle: lanes.oracle,
        };
        document.push(lanes.seq, placed, &shown)?;
    }
    let Some(judged) = judged else { return Ok(None) };
    let row = judged.row;
    let id = placed.expectation_id();
    if let Some(results) = &mut writers.results {
        results.push(&judged.result_row(context))?;
    }
    if let Some(events) = &mut writers.events {
        events.push(&judged.event(context, scan))?;
    }
    witness_and_fixtures(
        context.host_os,
        writers,
        placed,
        row,
        id,
        LaneAnswer::Scenario(judged.verdict),
        &judged.paths,
    )?;
    if let Some(mismatch_type) = mismatch::mismatch_type(&judged) {
        *tally.mismatch_counts.entry(mismatch_type).or_default() += 1;
        writers.mismatches.push(&mismatch::row(context, &judged, mismatch_type))?;
        let beside =
            OtherLanes { baseline: baseline_document.as_ref().zip(baseline_paths.as_ref()), oracle: lanes.oracle };
        let packet = mismatch::packet(context, &judged, &beside);
        writers.packets.put(|out| {
            append_line(out, &packet)?;
            out.write_all(b"\n")
        })?;
        let undecided = judged.agreement() == RowAgreement::Undecided;
        let findings = if undecided { &mut tally.undecided } else { &mut tally.mismatched };
        if findings.len() < MAX_FINDINGS {
            let found = finding::of(context, &judged, Some(mismatch_type), lanes.oracle, &mut tally.places);
            found.cause().into_iter().for_each(|cause| tally.causes.count_listed(cause));
            findings.push(found);
        } else if undecided {
            tally.causes.count_unlisted(&finding::cause(context, &judged));
        }
    } else if let (Some(done), Some(said)) = (judged.verdict.actual(), lanes.oracle.and_then(|row| row.decision))
        && done != said
    {
        tally.surprised += 1;
        if tally.surprises.len() < MAX_FINDINGS {
            tally.surprises.push(finding::of(context, &judged, None, lanes.oracle, &mut tally.places));
        }
    }
    if let (Some(attribution), Some(said)) = (&mut tally.attribution, &row.attribution) {
        let model = oracle_model::blockers(placed.profile, placed.probe);
        attribution.add(&placed.profile.id, &placed.probe.expectation_id, said, model);
    }
    if let Verdict::Undecided(cause) = judged.verdict {
        tally.asked += u64::from(decide::asked_as_expected(row, cause.kind, placed.probe.entry.expected));
        let by_design = decide::by_design(row.action.driver, cause.kind);
        let LeftOpen { undecided, by_design: named, .. } = &mut tally.left_open;
        let list = if by_design { named } else { undecided };
        list.add(&placed.profile.id, &placed.probe.expectation_id, cause.kind);
    }
    Ok(Some((judged.agreement(), judged.verdict)))
}

fn witness_and_fixtures<O: Write>(
    host_os: HostOs,
    writers: &mut Writers<O>,
    placed: RowInPlan<'_>,
    row: &ProbeRow,
    scenario_id: &str,
    shown: LaneAnswer,
    paths: &row_facts::Paths<'_>,
) -> Result<(), DeriveError> {
    if let Some(document) = &mut writers.witnesses
        && let Some(witness) = witness::path_witness(host_os, placed, row, scenario_id, shown, paths)
    {
        document.push(&witness)?;
    }
    if let Some(document) = &mut writers.fixtures {
        for marker in witness::fixtures(placed, row, scenario_id) {
            document.push(&marker)?;
        }
    }
    Ok(())
}
