//! `runtime_results.json`: the scenario lane, profile by profile. Derived.
//!
//! The file is an object of profile id to entry; entries are written a row at a time. Keys of nested objects stand in
//! alphabetical order, because events carry the same objects and have sorted keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::callout::{Callout, CheckRequest};
use super::detail_name::DetailName;
use super::driver::Driver;
use super::enforcer::PolicyMode;
use super::fixture::ListenerKind;
use super::outcome::{Decision, Expectation, FailureKind, FailureStage};

/// Format of a profile entry.
pub const RUNTIME_RESULTS_SCHEMA: &str = "runtime-tools.runtime_results.v0.1";
/// Version of a row's `runtime_result`.
pub const RESULT_SCHEMA_VERSION: u32 = 1;
/// Version of the marker protocol whose fields `runtime_result` has.
pub const MARKER_SCHEMA_VERSION: u32 = 2;

/// How a profile went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryStatus {
    /// Every row matched.
    Ok,
    /// Some row did not match, or stayed undecided.
    Partial,
    /// No row reached its operation.
    Blocked,
}

/// How a system call ended, in the contract's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeStatus {
    /// The operation went through and counts.
    Success,
    /// It did not succeed, or it does not count.
    Errno,
    /// No process was started, or it stopped before a policy was applied.
    Blocked,
}

/// One probe under one profile.
#[derive(Debug, Serialize)]
pub struct ResultRow<'a> {
    /// The probe's short name.
    pub name: &'a str,
    /// Id of the expectation.
    pub expectation_id: &'a str,
    /// Anchor context, copied from the registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchor_ctx_id: Option<&'a str>,
    /// The operation, as the policy language names it, such as `file-read-data`.
    pub operation: &'a str,
    /// The target as declared.
    pub path: &'a str,
    /// What the author expects.
    pub expected: Expectation,
    /// What the policy did; null if undecided.
    pub actual: Option<Decision>,
    /// Whether they agree; null exactly if `actual` is.
    #[serde(rename = "match")]
    pub matched: Option<bool>,
    /// How it went in detail.
    pub runtime_result: RuntimeResult<'a>,
    /// `EPERM` if that was the error.
    pub violation_summary: Option<&'static str>,
    /// What the kernel says the opened descriptor is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_observation: Option<PathObservation<'a>>,
    /// What ran; empty if nothing did.
    pub command: &'static [&'static str],
    /// Exit code, negative for a signal; null if no process ended by itself or by a signal.
    pub exit_code: Option<i32>,
    /// Always empty: probes report over a private descriptor.
    pub stdout: &'static str,
    /// Always empty.
    pub stderr: &'static str,
    /// The deciding system call.
    pub probe_details: Option<ProbeDetails<'a>>,
    /// When it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmd_started_at_unix_s: Option<f64>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmd_finished_at_unix_s: Option<f64>,
    /// How long it ran, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmd_duration_s: Option<f64>,
    /// Process id of the probe process; absent if none was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmd_pid: Option<i32>,
    /// As in [`RuntimeResult`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox_check_request: Option<&'a CheckRequest>,
    /// The harness's listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener: Option<ListenerDoc<'a>>,
    /// What was judged of a question under a launcher.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launcher: Option<super::launcher::LauncherJudgement<'a>>,
    /// `timeout`, or why no process ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
    /// `timeout`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_kind: Option<&'static str>,
    /// Why nothing was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<&'a str>,
}

/// How a row went in detail.
#[derive(Debug, Serialize)]
pub struct RuntimeResult<'a> {
    /// [`RESULT_SCHEMA_VERSION`].
    pub runtime_result_schema_version: u32,
    /// [`MARKER_SCHEMA_VERSION`].
    pub tool_marker_schema_version: u32,
    /// In the contract's words.
    pub status: RuntimeStatus,
    /// The error number that was seen.
    pub errno: Option<i32>,
    /// Where it stopped; null for an allowed operation.
    pub failure_stage: Option<FailureStage>,
    /// The kind of failure; `None` if it came to a decision.
    pub failure_kind: Option<FailureKind>,
    /// How applying the policy went.
    pub apply_report: Option<ApplyReport<'a>>,
    /// What ran the probe.
    pub runner_info: Option<RunnerInfo<'a>>,
    /// What `sandbox_check` answered before the operation; null where it was not asked (Seatbelt only).
    pub seatbelt_callouts: Option<Vec<Callout<'a>>>,
    /// Whether the operation was witnessed: something was decided; null if the row was blocked.
    pub intended_op_witnessed: Option<bool>,
    /// What it was to be asked; null where it was not to be.
    pub sandbox_check_request: Option<&'a CheckRequest>,
    /// What the process inherited.
    pub resource_hygiene: ResourceHygiene,
}

/// How applying a policy went. Keys in alphabetical order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ApplyReport<'a> {
    /// `landlock_restrict_self`
    pub api: &'a str,
    /// The class of the error.
    pub err_class: ErrClass,
    /// What the class was read from.
    pub err_class_source: ErrClassSource,
    /// The error in words.
    pub errbuf: Option<&'a str>,
    /// Error number (errno) of the failed call; null if none failed.
    pub errno: Option<i32>,
    /// 0 if the policy is in force, -1 if not.
    pub rc: i32,
}

/// The class of an apply error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrClass {
    /// No error.
    Ok,
    /// Seatbelt says that the process is in a sandbox already.
    AlreadySandboxed,
    /// EPERM.
    ErrnoEperm,
    /// EACCES.
    ErrnoEacces,
    /// Another number.
    ErrnoOther,
    /// No number.
    Unknown,
}

/// What an error class was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrClassSource {
    /// There was nothing to read.
    None,
    /// The text says it.
    ErrbufRegex,
    /// From the error number alone.
    ErrnoOnly,
    /// Only a text was there.
    ErrbufPresent,
}

impl ErrClass {
    /// The class of a failed apply, and what it was read from: what `sandbox_init` says of a process that is sandboxed
    /// already, else the error number if there is one, else that there is a text.
    pub fn of_failure(api: &str, errno: Option<i32>, text: Option<&str>) -> (Self, ErrClassSource) {
        if PolicyMode::by_api(api) == Some(PolicyMode::Sbpl) && text.is_some_and(says_already_sandboxed) {
            return (Self::AlreadySandboxed, ErrClassSource::ErrbufRegex);
        }
        match errno {
            Some(libc::EPERM) => (Self::ErrnoEperm, ErrClassSource::ErrnoOnly),
            Some(libc::EACCES) => (Self::ErrnoEacces, ErrClassSource::ErrnoOnly),
            Some(_) => (Self::ErrnoOther, ErrClassSource::ErrnoOnly),
            None if text.is_some() => (Self::Unknown, ErrClassSource::ErrbufPresent),
            None => (Self::Unknown, ErrClassSource::None),
        }
    }
}

/// Whether a text has "already" and, somewhere after it, "sandbox", in any case.
fn says_already_sandboxed(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.split_once("already").is_some_and(|(_, after)| after.contains("sandbox"))
}

/// What ran the probe. Keys in alphabetical order.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct RunnerInfo<'a> {
    /// `self_apply`: the probe process applies the policy to itself.
    pub apply_model: &'static str,
    /// `pre_syscall`: right before the operation.
    pub apply_timing: &'static str,
    /// The program's name.
    pub entrypoint: &'a str,
    /// How it is called.
    pub entrypoint_path: &'a str,
    /// Digest of its file.
    pub entrypoint_sha256: &'a str,
    /// Whether the process seems to have been confined before.
    pub preexisting_sandbox_suspected: bool,
    /// The same digest.
    pub tool_build_id: &'a str,
}

/// What the process inherited. Keys in alphabetical order.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ResourceHygiene {
    /// As in [`RunnerInfo`].
    pub apply_model: &'static str,
    /// As in [`RunnerInfo`].
    pub apply_timing: &'static str,
    /// Descriptors are closed before the operation.
    pub close_fds: bool,
    /// Descriptors passed on purpose by number: none.
    pub pass_fds: &'static [i32],
    /// As in [`RunnerInfo`].
    pub preexisting_sandbox_suspected: bool,
    /// Whether something was opened before the policy was applied.
    pub preopen_detected: bool,
    /// What: `inherited_descriptor` for the drivers whose point it is.
    pub preopen_hints: &'static [&'static str],
}

/// The deciding system call. Keys in alphabetical order.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ProbeDetails<'a> {
    /// What else the driver saw.
    #[serde(skip_serializing_if = "Details::is_empty")]
    pub details: Details<'a>,
    /// The driver that performs the operation.
    pub driver: Driver,
    /// The call's error number; 0 on success.
    pub errno: i32,
    /// The code, of calls that answer with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kr: Option<i32>,
    /// What the call returned.
    pub ret: i64,
    /// Whether the service is there, as far as a lookup tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_present: Option<bool>,
    /// Name of the system call or function that is the operation.
    pub syscall: &'a str,
    /// What XPC answered, where it answered with an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xpc_error: Option<&'static str>,
}

/// What else a driver saw: an object of name to value. The last value counts if a name stands twice.
#[derive(Debug, Clone, Copy)]
pub struct Details<'a>(pub &'a [(DetailName, i64)]);

impl Details<'_> {
    /// Whether it saw nothing else.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Details<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let [(name, value)] = self.0 {
            return serializer.collect_map([(name, value)]);
        }
        let sorted: BTreeMap<DetailName, i64> = self.0.iter().copied().collect();
        serializer.collect_map(sorted)
    }
}

/// What the kernel says the opened descriptor is. Keys in alphabetical order.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct PathObservation<'a> {
    /// Path of the opened descriptor, as the kernel tells it; null if it did not answer.
    pub observed_path: Option<&'a str>,
    /// Error number of the question.
    pub observed_path_errno: Option<i32>,
    /// Path of the descriptor without firmlinks (macOS); absent if it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_path_nofirmlink: Option<&'a str>,
    /// Error number of that question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_path_nofirmlink_errno: Option<i32>,
    /// Where that comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_path_nofirmlink_source: Option<PathSource>,
    /// The source that was asked.
    pub observed_path_source: PathSource,
}

/// Where an observed path comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PathSource {
    /// The probe asked the kernel about the descriptor that it had opened.
    FdPath,
    /// It asked and got an error.
    Error,
    /// Nothing was opened, so there was nothing to ask about.
    NotAttempted,
    /// As the first three, asked by a probe of the baseline lane: outside any sandbox.
    UnsandboxedFdPath,
    /// It asked and got an error.
    UnsandboxedError,
    /// Nothing was opened.
    UnsandboxedUnavailable,
    /// In path witnesses, the probe of the scenario lane asked through `/proc/self/fd` and was answered.
    #[serde(rename = "probe_proc_fd:present")]
    ProcFdPresent,
    /// It asked and got an error.
    #[serde(rename = "probe_proc_fd:error")]
    ProcFdError,
    /// It had opened nothing.
    #[serde(rename = "probe_proc_fd:missing")]
    ProcFdMissing,
    /// The same through `F_GETPATH`.
    #[serde(rename = "probe_fgetpath:present")]
    FgetpathPresent,
    /// It asked and got an error.
    #[serde(rename = "probe_fgetpath:error")]
    FgetpathError,
    /// It had opened nothing.
    #[serde(rename = "probe_fgetpath:missing")]
    FgetpathMissing,
    /// The same through `F_GETPATH_NOFIRMLINK`.
    #[serde(rename = "probe_fgetpath_nofirmlink:present")]
    NofirmlinkPresent,
    /// It asked and got an error.
    #[serde(rename = "probe_fgetpath_nofirmlink:error")]
    NofirmlinkError,
    /// It had opened nothing.
    #[serde(rename = "probe_fgetpath_nofirmlink:missing")]
    NofirmlinkMissing,
}

/// The harness's listener. Keys in alphabetical order.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ListenerDoc<'a> {
    /// Connections or datagrams that arrived during the probe; the harness makes none itself.
    pub accept_count: u64,
    /// Where it listened, as one text.
    pub address: &'a str,
    /// Always null: a listener that cannot be made is a failed fixture, and the probe does not run.
    pub error: Option<()>,
    /// The host, for TCP and UDP.
    pub host: Option<&'a str>,
    /// The kind of socket.
    pub kind: ListenerKind,
    /// The port, for TCP and UDP.
    pub port: Option<u16>,
    /// No precheck is made, since it would count as a connection.
    pub precheck: Precheck,
    /// Always `ok`.
    pub status: &'static str,
}

/// The listener's precheck.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Precheck {
    /// Always null.
    pub error: Option<()>,
    /// Always `skipped`.
    pub status: &'static str,
}

impl Precheck {
    /// The only one there is.
    pub const SKIPPED: Self = Self { error: None, status: "skipped" };
}
