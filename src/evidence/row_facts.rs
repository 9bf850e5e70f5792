//! What documents say about a row, computed once and shared by all of them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::contradiction::ContradictionFrame;
use super::decide::{Attempt, Undecided};
use super::error::DeriveError;
use super::host_os::HostOs;
use crate::plan::{ResolvedPlan, ResolvedProbe, ResolvedProfile};
use crate::record::callout::Callout;
use crate::record::driver::Driver;
use crate::record::ending::Ending;
use crate::record::events::NormalizedSource;
use crate::record::fixture::{FixtureEntry, ListenerKind};
use crate::record::layout::RUN_MANIFEST;
use crate::record::manifest::RunManifest;
use crate::record::outcome::{FailureKind, FailureStage};
use crate::record::report::CallRole;
use crate::record::results::{
    ApplyReport, Details, ErrClass, ErrClassSource, ListenerDoc, PathSource, Precheck, ProbeDetails, ResourceHygiene,
    RunnerInfo,
};
use crate::record::row::ProbeRow;

const APPLY_MODEL: &str = "self_apply";
const APPLY_TIMING: &str = "pre_syscall";
const COMMAND: &[&str] = &["sandproof", "__zygote"];
const INHERITED: &[&str] = &["inherited_descriptor"];

/// What is the same for the whole run.
pub(super) struct Context<'a> {
    pub plan: &'a ResolvedPlan,
    pub manifest: &'a RunManifest,
    pub world_id: &'a str,
    pub run_id: &'a str,
    pub tool_sha256: String,
    /// The manifest's path, spelled as in the index.
    pub manifest_path: String,
    pub host_os: HostOs,
    /// What rows are held to, where they are somebody else's.
    pub frame: Option<ContradictionFrame<'a>>,
    /// The places of rows that several runs performed and did not come to the same, if the rows are of several.
    pub disagreeing: Option<&'a BTreeSet<u64>>,
}

impl<'a> Context<'a> {
    /// Holds a row to the rest of its bundle. `fixtures`: what the run made for it.
    pub(super) fn check(&self, row: &ProbeRow, fixtures: &[FixtureEntry]) -> Result<(), DeriveError> {
        let Some(frame) = &self.frame else { return Ok(()) };
        // The rows of a lane stand in its order.
        frame.check(row, fixtures).map_err(|(rule, words)| DeriveError::Contradiction {
            lane: row.lane,
            line: row.seq + 1,
            rule,
            words,
        })
    }

    pub(super) fn new(plan: &'a ResolvedPlan, manifest: &'a RunManifest) -> Self {
        Self {
            plan,
            manifest,
            world_id: manifest.world_id.as_str(),
            run_id: manifest.run_id.as_str(),
            tool_sha256: manifest.tool.sha256.to_string(),
            manifest_path: format!("{}/{RUN_MANIFEST}", manifest.output_root),
            host_os: HostOs::of(&manifest.host),
            frame: None,
            disagreeing: None,
        }
    }
}

/// `path` with its leading alias replaced. Whole components are compared, so `/tmpfoo` has no alias (the reference's
/// weakness W-80).
fn without_alias(path: &str, aliases: &[(&str, &str)]) -> Option<String> {
    aliases.iter().find_map(|(alias, real)| {
        let rest = path.strip_prefix(alias)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{real}{rest}"))
    })
}

/// Whether an alias of the platform is all that tells two paths apart.
fn alias_pair(one: &str, other: &str, aliases: &[(&str, &str)]) -> bool {
    one != other
        && (without_alias(one, aliases).as_deref() == Some(other)
            || without_alias(other, aliases).as_deref() == Some(one))
}

/// The paths of a row.
#[derive(Clone)]
pub(super) struct Paths<'r> {
    /// What was asked for; only for operations starting `file-`.
    pub requested: Option<&'r str>,
    /// What the kernel says was opened. It comes from the probe itself, never from the harness (weakness W-54).
    pub observed: Option<&'r str>,
    pub observed_source: PathSource,
    pub observed_errno: Option<i32>,
    /// The same without firmlinks (macOS).
    pub nofirmlink: Option<&'r str>,
    /// `None`: not asked.
    pub nofirmlink_source: Option<PathSource>,
    pub nofirmlink_errno: Option<i32>,
    pub normalized: Option<Cow<'r, str>>,
    pub normalized_source: NormalizedSource,
    pub alias_pair: bool,
    /// Both observed spellings are known, and a firmlink tells them apart.
    pub nofirmlink_differs: bool,
}

impl<'r> Paths<'r> {
    /// The normalised path as witnesses have it: observed, else as asked for.
    pub(super) fn witnessed(&self) -> (Option<&'r str>, NormalizedSource) {
        match (self.observed, self.requested) {
            (Some(observed), _) => (Some(observed), NormalizedSource::ObservedPath),
            (None, Some(requested)) => (Some(requested), NormalizedSource::RequestedPath),
            (None, None) => (None, NormalizedSource::Missing),
        }
    }
}

/// Whether the contract's path fields are for this operation.
pub(super) fn is_file_operation(operation: &str) -> bool {
    operation.starts_with("file-")
}

pub(super) fn paths<'r>(context: &Context<'_>, row: &'r ProbeRow) -> Paths<'r> {
    let requested = Some(row.action.target.as_str());
    let opened = row.operation.as_ref().and_then(|operation| operation.opened.as_ref());
    let observed = opened.and_then(|opened| opened.path.as_deref());
    let observed_source = match opened {
        None => PathSource::NotAttempted,
        Some(_) if observed.is_some() => PathSource::FdPath,
        Some(_) => PathSource::Error,
    };
    let observed_errno = opened.map(|opened| opened.path_errno).filter(|errno| *errno != 0);
    let (normalized, normalized_source) = if let Some(observed) = observed {
        (Some(Cow::Borrowed(observed)), NormalizedSource::ObservedPath)
    } else if let Some(real) = requested.and_then(|path| without_alias(path, context.host_os.aliases())) {
        (Some(Cow::Owned(real)), NormalizedSource::AliasMap)
    } else {
        (requested.map(Cow::Borrowed), NormalizedSource::RequestedPath)
    };
    let nofirmlink = opened.and_then(|opened| opened.nofirmlink.as_deref());
    let nofirmlink_errno = opened.and_then(|opened| opened.nofirmlink_errno);
    let nofirmlink_source =
        nofirmlink_errno.map(|_| if nofirmlink.is_some() { PathSource::FdPath } else { PathSource::Error });
    let seems_alias = |seen: Option<&str>| match (requested, seen) {
        (Some(requested), Some(seen)) => alias_pair(requested, seen, context.host_os.aliases()),
        _ => false,
    };
    Paths {
        requested,
        observed,
        observed_source,
        observed_errno,
        nofirmlink,
        nofirmlink_source,
        nofirmlink_errno: nofirmlink_errno.filter(|errno| *errno != 0),
        normalized,
        normalized_source,
        alias_pair: seems_alias(observed) || seems_alias(nofirmlink),
        nofirmlink_differs: observed.is_some() && nofirmlink.is_some() && observed != nofirmlink,
    }
}

/// Whether a process ran.
fn ran(row: &ProbeRow) -> bool {
    matches!(row.ending, Some(Ending::Exited { .. } | Ending::Signaled { .. } | Ending::Expired { .. }))
}

pub(super) fn command(row: &ProbeRow) -> &'static [&'static str] {
    if ran(row) { COMMAND } else { &[] }
}

/// Exit code, negative for a signal; nothing if the process did not end on its own account.
pub(super) fn exit_code(row: &ProbeRow) -> Option<i32> {
    match row.ending {
        Some(Ending::Exited { code }) => Some(code),
        Some(Ending::Signaled { signal, .. }) => Some(signal.wrapping_neg()),
        _ => None,
    }
}

/// `timeout`, or why no process ran.
pub(super) fn error(row: &ProbeRow) -> Option<&str> {
    match (&row.ending, &row.not_run) {
        (Some(Ending::Expired { .. }), _) => Some("timeout"),
        (Some(Ending::NotStarted { .. }), _) => Some("the process could not be started"),
        (Some(Ending::Lost { reason }), _) => Some(reason),
        (_, Some(not_run)) => Some(&not_run.reason),
        _ => None,
    }
}

pub(super) fn error_kind(row: &ProbeRow) -> Option<&'static str> {
    matches!(row.ending, Some(Ending::Expired { .. })).then_some("timeout")
}

/// What `sandbox_check` answered; nothing where it was not asked.
pub(super) fn callouts(row: &ProbeRow) -> Option<Vec<Callout<'_>>> {
    let records = &row.prologue.as_ref()?.callouts;
    (!records.is_empty()).then(|| records.iter().map(Callout::from).collect())
}

/// Whether the process seems to have been confined before the policy was applied.
fn preexisting(row: &ProbeRow, report: Option<&ApplyReport<'_>>) -> bool {
    let refused =
        report.is_some_and(|report| matches!(report.err_class, ErrClass::AlreadySandboxed | ErrClass::ErrnoEperm));
    refused || row.prologue.as_ref().is_some_and(|prologue| prologue.self_check_before.confined == Some(true))
}

pub(super) fn runner_info<'a>(
    context: &'a Context<'_>,
    row: &ProbeRow,
    report: Option<&ApplyReport<'_>>,
) -> Option<RunnerInfo<'a>> {
    ran(row).then(|| RunnerInfo {
        apply_model: APPLY_MODEL,
        apply_timing: APPLY_TIMING,
        entrypoint: &context.manifest.tool.name,
        entrypoint_path: &context.manifest.tool.name,
        entrypoint_sha256: &context.tool_sha256,
        preexisting_sandbox_suspected: preexisting(row, report),
        tool_build_id: &context.tool_sha256,
    })
}

pub(super) fn hygiene(row: &ProbeRow, report: Option<&ApplyReport<'_>>) -> ResourceHygiene {
    let inherits = {
        let driver = row.action.driver;
        // Bundles of macOS have never counted the file that is mapped among the descriptors that were open before.
        driver.holds_before() && driver != Driver::FileMapExecutable
    };
    ResourceHygiene {
        apply_model: APPLY_MODEL,
        apply_timing: APPLY_TIMING,
        close_fds: true,
        pass_fds: &[],
        preexisting_sandbox_suspected: preexisting(row, report),
        preopen_detected: inherits,
        preopen_hints: if inherits { INHERITED } else { &[] },
    }
}

/// How applying the policy went, of a process that tried; nothing for a row that was blocked before that, as the
/// contract's guardrail wants, and nothing where no process was started or none says that it applied anything.
///
/// `rc` says whether the policy is in force. So it is -1 also where the kernel accepted the policy but the process did
/// not find itself confined: the contract refuses stage `apply` with `rc` 0, and the policy is not shown to be in force.
pub(super) fn apply_report<'r>(
    row: &'r ProbeRow,
    stage: Option<FailureStage>,
    cause: Option<&Undecided>,
) -> Option<ApplyReport<'r>> {
    if stage == Some(FailureStage::Preflight) || row.not_run.is_some() {
        return None;
    }
    let record = row.prologue.as_ref().and_then(|prologue| prologue.apply.as_ref())?;
    let api = record.api.as_str();
    if stage != Some(FailureStage::Apply) {
        return Some(ApplyReport {
            api,
            err_class: ErrClass::Ok,
            err_class_source: ErrClassSource::None,
            errbuf: None,
            errno: None,
            rc: 0,
        });
    }
    let errno = cause.and_then(|cause| cause.errno);
    let errbuf = record.message.as_deref().or(cause.map(|cause| cause.note));
    let (err_class, err_class_source) = ErrClass::of_failure(api, errno, errbuf);
    Some(ApplyReport { api, err_class, err_class_source, errbuf, errno, rc: -1 })
}

/// The deciding call: the one that failed, else the last that is the operation.
pub(super) fn probe_details(row: &ProbeRow) -> Option<ProbeDetails<'_>> {
    let operation = row.operation.as_ref()?;
    let call = operation
        .calls
        .iter()
        .find(|call| call.errno != 0)
        .or_else(|| operation.calls.iter().rev().find(|call| call.role == CallRole::Operation))
        .or(operation.calls.last())?;
    Some(ProbeDetails {
        details: Details(&operation.details),
        driver: row.action.driver,
        errno: call.errno,
        kr: call.code,
        ret: call.ret,
        service_present: service_present(&call.syscall, call.code),
        syscall: &call.syscall,
        xpc_error: xpc_error(&call.syscall, call.code),
    })
}

/// Whether the service that a lookup asks for is there. Found is code 0; `BOOTSTRAP_UNKNOWN_SERVICE` (1102, bootstrap.h) is
/// absent. A refusal says nothing of it.
fn service_present(syscall: &str, code: Option<i32>) -> Option<bool> {
    match (syscall, code) {
        ("bootstrap_look_up", Some(0)) => Some(true),
        ("bootstrap_look_up", Some(1102)) => Some(false),
        _ => None,
    }
}

/// The name of an XPC error. The codes are those of `driver::XPC_INVALID` and its neighbours.
fn xpc_error(syscall: &str, code: Option<i32>) -> Option<&'static str> {
    if !syscall.starts_with("xpc_") {
        return None;
    }
    match code? {
        0 => None,
        1 => Some("connection_invalid"),
        2 => Some("interrupted"),
        3 => Some("termination_imminent"),
        _ => Some("unknown"),
    }
}

pub(super) fn listener(row: &ProbeRow) -> Option<ListenerDoc<'_>> {
    let record = row.listener.as_ref()?;
    let (host, port) = match record.kind {
        ListenerKind::Tcp | ListenerKind::Udp => match record.address.rsplit_once(':') {
            Some((host, port)) => (Some(host), port.parse().ok()),
            None => (None, None),
        },
        _ => (None, None),
    };
    Some(ListenerDoc {
        accept_count: record.accept_count,
        address: &record.address,
        error: None,
        host,
        kind: record.kind,
        port,
        precheck: Precheck::SKIPPED,
        status: "ok",
    })
}

/// `EPERM` if that was the error; the contract has no other value.
pub(super) fn violation_summary(errno: Option<i32>) -> Option<&'static str> {
    (errno == Some(libc::EPERM)).then_some("EPERM")
}

/// Why a row shows nothing, in words; where that is because its baseline shows nothing, also why that is.
pub(super) fn reason_beside(
    host_os: HostOs,
    row: &ProbeRow,
    cause: &Undecided,
    more: Option<&str>,
    baseline: &Baseline<'_>,
) -> String {
    let mut text = reason(host_os, row, cause, more);
    if let (FailureKind::BaselineUndecided, Attempt::Undecided(without)) = (cause.kind, &baseline.attempt) {
        text.push_str("; without it: ");
        text.push_str(&reason(host_os, baseline.row, without, None));
        let nobody =
            matches!(without.errno.and_then(|errno| host_os.errno_name(errno)), Some("ECONNREFUSED" | "ENOENT"));
        let reaches_out = baseline.row.action.driver.needs_listener();
        if nobody && reaches_out && baseline.row.listener.is_none() {
            text.push_str("; the probe has no `listener`, so nobody answers there: add one");
        }
    }
    text
}

/// Why a row shows nothing, in words. `more`: what its cause does not say by itself.
pub(super) fn reason(host_os: HostOs, row: &ProbeRow, cause: &Undecided, more: Option<&str>) -> String {
    let mut text = String::with_capacity(96);
    text.push_str(cause.note);
    if let Some(errno) = cause.errno {
        match host_os.errno_name(errno) {
            Some(name) => write!(text, " ({name})"),
            None => write!(text, " (error {errno})"),
        }
        .expect("a string takes any text");
    }
    let prologue = row.prologue.as_ref();
    let said = match (&row.not_run, prologue, &row.ending) {
        (Some(not_run), _, _) => Some(not_run.reason.as_str()),
        (_, _, Some(Ending::Lost { reason })) => Some(reason.as_str()),
        _ if row.launcher.is_some() => {
            let fault = row.launcher.as_ref().and_then(|record| record.fault.as_ref());
            fault.map(|fault| fault.detail.as_str())
        }
        (_, Some(prologue), _) if prologue.setup_failure.is_some() => {
            prologue.setup_failure.as_ref().map(|failure| failure.leads_to.as_deref().unwrap_or(&failure.step))
        }
        (_, Some(prologue), _) if cause.kind.stage() == FailureStage::Apply => {
            prologue.apply.as_ref().and_then(|apply| apply.message.as_deref())
        }
        _ => row.report_error.as_deref(),
    };
    for more in [said, more].into_iter().flatten().filter(|more| !more.is_empty()) {
        text.push_str(": ");
        text.push_str(more);
    }
    text
}

/// A row of a lane with its place in the plan.
#[derive(Clone, Copy)]
pub(super) struct RowInPlan<'p> {
    pub profile: &'p ResolvedProfile,
    pub probe: &'p ResolvedProbe,
}

impl<'p> RowInPlan<'p> {
    pub(super) fn profile_id(&self) -> &'p str {
        self.profile.id.as_str()
    }
    pub(super) fn name(&self) -> &'p str {
        self.probe.entry.name()
    }
    pub(super) fn operation(&self) -> &'p str {
        &self.probe.entry.operation
    }
    pub(super) fn target(&self) -> &'p str {
        &self.probe.entry.target
    }
    pub(super) fn expectation_id(&self) -> &'p str {
        self.probe.expectation_id.as_str()
    }
}

/// A row of the baseline lane with what it shows.
pub(super) struct Baseline<'r> {
    pub row: &'r ProbeRow,
    pub attempt: Attempt,
    /// `baseline:<profile id>:<probe name>`
    pub name: &'r str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_whole_components() {
        let aliases = HostOs::Macos.aliases();
        assert!(alias_pair("/tmp/a", "/private/tmp/a", aliases));
        assert!(alias_pair("/private/tmp/a", "/tmp/a", aliases));
        assert!(!alias_pair("/tmpfoo", "/private/tmpfoo", aliases));
        assert!(!alias_pair("/tmp/a", "/private/tmp/b", aliases));
        assert!(!alias_pair("/tmp/a", "/tmp/a", aliases));
        assert!(!alias_pair("/tmp/a", "/private/tmp/a", HostOs::Linux.aliases()));
    }
}
