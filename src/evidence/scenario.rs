//! One scenario row with everything that follows from it.

use super::decide::{self, Attempt, ControlsSay, Verdict};
use super::host_os::HostOs;
use super::launcher;
use super::outcome::RowAgreement;
use super::row_facts::{self, Baseline, Context, Paths, RowInPlan};
use super::{confounders, layers, surroundings};
use crate::record::baseline::{BaselineRow, PrimaryIntent};
use crate::record::events::{Event, PolicyLayers, ServiceConfounder, TccConfounder};
use crate::record::launcher::{LauncherJudgement, Mechanism};
use crate::record::mismatch::MismatchType;
use crate::record::outcome::{FailureKind, Lane};
use crate::record::results::{
    ApplyReport, MARKER_SCHEMA_VERSION, PathObservation, PathSource, RESULT_SCHEMA_VERSION, ResultRow, RuntimeResult,
    RuntimeStatus,
};
use crate::record::row::ProbeRow;
use crate::record::scan::StaticScan;

/// A scenario row, judged.
pub(super) struct Judged<'r> {
    pub placed: RowInPlan<'r>,
    pub row: &'r ProbeRow,
    /// What the row shows by itself.
    pub by_itself: Attempt,
    pub verdict: Verdict,
    /// The contract's `intended_op_witnessed`.
    pub witnessed: Option<bool>,
    /// How it ended, in the contract's words.
    pub status: RuntimeStatus,
    pub layers: PolicyLayers,
    pub paths: Paths<'r>,
    /// Why nothing was decided, in words.
    pub reason: Option<String>,
    /// In what it was not denied as the expectation demands, though it was denied as expected.
    otherwise: Option<MismatchType>,
    /// What was judged of a question under a launcher.
    launcher: Option<LauncherJudgement<'r>>,
    report: Option<ApplyReport<'r>>,
    tcc: Option<TccConfounder>,
    service: Option<ServiceConfounder>,
}

impl<'r> Judged<'r> {
    pub(super) fn new(
        context: &Context<'_>,
        placed: RowInPlan<'r>,
        row: &'r ProbeRow,
        baseline: Option<&Baseline<'_>>,
        controls: ControlsSay,
        paths: Paths<'r>,
    ) -> Self {
        let host_os = context.host_os;
        let declared = &placed.probe.entry;
        let attempt = match context.disagreeing {
            Some(places) if places.contains(&row.seq) => Attempt::undecided(
                FailureKind::RepetitionsDisagree,
                0,
                "several runs of this share of the plan performed it, and did not come to the same",
            ),
            _ => decide::attempt_by(row, declared.names()),
        };
        let launcher =
            row.launcher.as_deref().map(|record| launcher::verdict(row.action.driver, record, declared.names()));
        let (settled, more) = surroundings::settle(context.manifest, &placed, row, attempt);
        let verdict = decide::verdict(row, settled, baseline.map(|b| (b.row, b.attempt)), controls);
        let stage = verdict.stage();
        let cause = match &verdict {
            Verdict::Undecided(cause) => Some(cause),
            _ => None,
        };
        let status = layers::runtime_status(row, verdict);
        let otherwise = otherwise(host_os, &placed, verdict, launcher.as_ref());
        Self {
            placed,
            row,
            by_itself: attempt,
            verdict,
            witnessed: verdict.witnessed(),
            status,
            layers: layers::policy_layers(verdict, status, baseline),
            paths,
            reason: match cause {
                Some(cause) => Some(match baseline {
                    Some(baseline) => row_facts::reason_beside(host_os, row, cause, more.as_deref(), baseline),
                    None => row_facts::reason(host_os, row, cause, more.as_deref()),
                }),
                None => otherwise.as_ref().map(|(_, words)| words.clone()),
            },
            otherwise: otherwise.map(|(kind, _)| kind),
            launcher,
            report: row_facts::apply_report(row, stage, cause),
            tcc: confounders::tcc(host_os, &placed, row, verdict, baseline),
            service: confounders::service(&placed, row, baseline),
        }
    }

    pub(super) fn matched(&self) -> Option<bool> {
        let as_decided = self.verdict.matches(self.placed.probe.entry.expected)?;
        Some(as_decided && self.otherwise.is_none())
    }

    pub(super) fn agreement(&self) -> RowAgreement {
        match (self.matched(), self.verdict.actual()) {
            (Some(true), _) => RowAgreement::Matched,
            (Some(false), _) => RowAgreement::Mismatched,
            (None, Some(_)) => RowAgreement::Unasserted,
            (None, None) => RowAgreement::Undecided,
        }
    }

    /// How the question under a launcher was denied; nothing for anything else.
    pub(super) fn mechanism(&self) -> Option<Mechanism> {
        self.launcher.as_ref()?.mechanism
    }

    /// In what it was not denied as the expectation demands, though it was denied as expected.
    pub(super) fn came_about_otherwise(&self) -> Option<MismatchType> {
        self.otherwise
    }

    pub(super) fn result_row<'a>(&'a self, context: &'a Context<'_>) -> ResultRow<'a> {
        let (row, placed) = (self.row, &self.placed);
        let declared = &*placed.probe.entry;
        let report = self.report.as_ref();
        let errno = self.verdict.errno();
        let ran = row.ending.is_some();
        let duration = row.duration_us as f64 / 1e6;
        ResultRow {
            name: placed.name(),
            expectation_id: placed.expectation_id(),
            anchor_ctx_id: declared.anchor_ctx_id.as_deref(),
            operation: placed.operation(),
            path: placed.target(),
            expected: declared.expected,
            actual: self.verdict.actual(),
            matched: self.matched(),
            runtime_result: RuntimeResult {
                runtime_result_schema_version: RESULT_SCHEMA_VERSION,
                tool_marker_schema_version: MARKER_SCHEMA_VERSION,
                status: self.status,
                errno,
                failure_stage: self.verdict.stage(),
                failure_kind: self.verdict.kind(),
                apply_report: self.report,
                runner_info: row_facts::runner_info(context, row, report),
                seatbelt_callouts: row_facts::callouts(row),
                intended_op_witnessed: self.witnessed,
                sandbox_check_request: row.check_request.as_ref(),
                resource_hygiene: row_facts::hygiene(row, report),
            },
            violation_summary: row_facts::violation_summary(errno),
            path_observation: (self.paths.observed_source != PathSource::NotAttempted).then_some(PathObservation {
                observed_path: self.paths.observed,
                observed_path_errno: self.paths.observed_errno,
                observed_path_nofirmlink: self.paths.nofirmlink,
                observed_path_nofirmlink_errno: self.paths.nofirmlink_errno,
                observed_path_nofirmlink_source: self.paths.nofirmlink_source,
                observed_path_source: self.paths.observed_source,
            }),
            command: row_facts::command(row),
            exit_code: row_facts::exit_code(row),
            stdout: "",
            stderr: "",
            probe_details: row_facts::probe_details(row),
            cmd_started_at_unix_s: ran.then_some(row.started_at_unix_s),
            cmd_finished_at_unix_s: ran.then_some(row.started_at_unix_s + duration),
            cmd_duration_s: ran.then_some(duration),
            cmd_pid: row.pid,
            sandbox_check_request: row.check_request.as_ref(),
            listener: row_facts::listener(row),
            launcher: self.launcher.clone(),
            error: row_facts::error(row),
            error_kind: row_facts::error_kind(row),
            notes: self.reason.as_deref(),
        }
    }

    pub(super) fn event<'a>(&'a self, context: &'a Context<'_>, scan: Option<&'a StaticScan<'a>>) -> Event<'a> {
        let (row, placed) = (self.row, &self.placed);
        let report = self.report.as_ref();
        let errno = self.verdict.errno();
        let file = row_facts::is_file_operation(placed.operation());
        Event {
            actual: self.verdict.actual(),
            apply_report: self.report,
            command: row_facts::command(row),
            errno,
            errno_name: errno.and_then(|errno| context.host_os.errno_name(errno)),
            expectation_id: placed.expectation_id(),
            expected: placed.probe.entry.expected,
            failure_kind: self.verdict.kind(),
            failure_stage: self.verdict.stage(),
            file_confounder: confounders::file(context.host_os, placed.operation(), self.verdict),
            intended_op_witnessed: self.witnessed,
            matched: self.matched(),
            normalized_path: self.paths.normalized.as_deref().filter(|_| file),
            normalized_path_source: file.then_some(self.paths.normalized_source),
            notes: self.reason.as_deref(),
            observed_path: self.paths.observed.filter(|_| file),
            observed_path_source: file.then_some(self.paths.observed_source),
            operation: placed.operation(),
            policy_layers: self.layers,
            preflight: scan,
            probe_details: row_facts::probe_details(row),
            probe_name: placed.name(),
            profile_id: placed.profile_id(),
            requested_path: self.paths.requested.filter(|_| file),
            resource_hygiene: row_facts::hygiene(row, report),
            run_id: context.run_id,
            runner_info: row_facts::runner_info(context, row, report),
            runtime_status: self.status,
            sandbox_check_prepass: confounders::prepass(placed.operation(), row),
            scenario_id: placed.expectation_id(),
            seatbelt_callouts: row_facts::callouts(row),
            service_confounder: self.service,
            target: placed.target(),
            tcc_confounder: self.tcc,
            unmet_demand: self.otherwise.map(MismatchType::as_str),
            violation_summary: row_facts::violation_summary(errno),
            world_id: context.world_id,
        }
    }
}

/// That a denial did not come about as the expectation demands: in what, and in words.
fn otherwise(
    host_os: HostOs,
    placed: &RowInPlan<'_>,
    verdict: Verdict,
    shown: Option<&LauncherJudgement<'_>>,
) -> Option<(MismatchType, String)> {
    let declared = &placed.probe.entry;
    let Verdict::Deny { errno } = verdict else { return None };
    if verdict.matches(declared.expected) != Some(true) {
        return None;
    }
    let how = shown.and_then(|shown| shown.mechanism);
    let name = errno.and_then(|errno| host_os.errno_name(errno));
    let other_way = !declared.mechanism.is_empty() && !how.is_some_and(|how| declared.mechanism.contains(&how));
    let other_number =
        !declared.errno.is_empty() && !name.is_some_and(|name| declared.errno.iter().any(|one| one == name));
    let kind = match (other_way, other_number) {
        (true, _) => MismatchType::UnexpectedMechanism,
        (false, true) => MismatchType::UnexpectedErrno,
        (false, false) => return None,
    };
    let how = match how {
        _ if !other_way => "",
        Some(how) => &format!(" {}", how.as_str()),
        None => " in no way that is known",
    };
    let with = match name {
        _ if !other_number => "",
        Some(name) => &format!(" with {name}"),
        None => " with no error number that has a name",
    };
    Some((kind, format!("expected {}, and it was denied{how}{with}", declared.expectation())))
}

/// A row of `baseline_results.json`.
pub(super) fn baseline_row<'a>(
    host_os: HostOs,
    placed: RowInPlan<'a>,
    baseline: &Baseline<'a>,
    paths: &Paths<'a>,
) -> BaselineRow<'a> {
    let row = baseline.row;
    let file = row_facts::is_file_operation(placed.operation());
    BaselineRow {
        command: row_facts::command(row),
        decision_path: "baseline",
        errno: baseline.attempt.errno(),
        error: row_facts::error(row),
        exit_code: row_facts::exit_code(row),
        failure_kind: match baseline.attempt {
            Attempt::Undecided(cause) => Some(cause.kind),
            _ => None,
        },
        listener: row_facts::listener(row),
        name: baseline.name,
        observed_path: paths.observed.filter(|_| file),
        observed_path_errno: paths.observed_errno.filter(|_| file),
        observed_path_nofirmlink: paths.nofirmlink.filter(|_| file),
        observed_path_nofirmlink_errno: paths.nofirmlink_errno.filter(|_| file),
        observed_path_nofirmlink_source: host_os
            .nofirmlink_source(Lane::Baseline, paths.nofirmlink_source)
            .filter(|_| file),
        observed_path_source: file.then(|| host_os.witness_source(Lane::Baseline, paths.observed_source)),
        operation: placed.operation(),
        primary_intent: PrimaryIntent {
            operation: placed.operation(),
            probe_name: placed.name(),
            profile_id: placed.profile_id(),
            target: placed.target(),
        },
        probe_details: row_facts::probe_details(row),
        probe_name: placed.name(),
        profile_id: placed.profile_id(),
        reached_primary_op: decide::reached(baseline.attempt),
        status: layers::baseline_status(baseline.attempt),
        stderr: "",
        stdout: "",
        target: placed.target(),
    }
}
