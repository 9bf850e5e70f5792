//! `baseline_results.json`: every planned probe without a policy. Derived.

use serde::{Deserialize, Serialize};

use super::events::BaselineStatus;
use super::outcome::FailureKind;
use super::results::{ListenerDoc, PathSource, ProbeDetails};

/// Format of the file.
pub const BASELINE_RESULTS_SCHEMA: &str = "runtime-tools.baseline_results.v0.1";

/// One row. Keys in alphabetical order, since mismatch packets carry it whole.
#[derive(Debug, Serialize)]
pub struct BaselineRow<'a> {
    /// What ran; empty if nothing did.
    pub command: &'static [&'static str],
    /// Always `baseline`.
    pub decision_path: &'static str,
    /// The error number that was seen. Ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    /// `timeout`, or why no process ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
    /// Exit code, negative for a signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Why nothing was decided. Ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_kind: Option<FailureKind>,
    /// The harness's listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener: Option<ListenerDoc<'a>>,
    /// `baseline:<profile id>:<probe name>`
    pub name: &'a str,
    /// What the kernel says the opened descriptor is; for operations starting `file-`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_path: Option<&'a str>,
    /// Error number of that question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_path_errno: Option<i32>,
    /// The same without firmlinks (macOS).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_path_nofirmlink: Option<&'a str>,
    /// Error number of that question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_path_nofirmlink_errno: Option<i32>,
    /// Where that comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_path_nofirmlink_source: Option<PathSource>,
    /// Where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_path_source: Option<PathSource>,
    /// The operation, as the policy language names it, such as `file-read-data`.
    pub operation: &'a str,
    /// What it was meant to try.
    pub primary_intent: PrimaryIntent<'a>,
    /// The deciding system call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_details: Option<ProbeDetails<'a>>,
    /// The probe's short name.
    pub probe_name: &'a str,
    /// The profile whose scenario row this one is compared with.
    pub profile_id: &'a str,
    /// Whether the operation's system call was issued and answered, decided or not.
    pub reached_primary_op: bool,
    /// What it shows.
    pub status: BaselineStatus,
    /// Always empty: probes report over a private descriptor.
    pub stderr: &'static str,
    /// Always empty.
    pub stdout: &'static str,
    /// The target as declared.
    pub target: &'a str,
}

/// What is read of a baseline row. `T` is a kind of text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BaselineView<T> {
    /// What it shows.
    pub status: BaselineStatus,
    /// The profile's id.
    pub profile_id: T,
    /// Why nothing was decided; absent if something was.
    pub failure_kind: Option<T>,
    /// The error number that was seen; absent or 0 if none was.
    pub errno: Option<i32>,
}

/// What a baseline row was meant to try. Keys in alphabetical order.
#[derive(Debug, Serialize)]
pub struct PrimaryIntent<'a> {
    /// The operation, as the policy language names it, such as `file-read-data`.
    pub operation: &'a str,
    /// The probe's short name.
    pub probe_name: &'a str,
    /// Id of the profile, as in the registry.
    pub profile_id: &'a str,
    /// The target as declared.
    pub target: &'a str,
}
