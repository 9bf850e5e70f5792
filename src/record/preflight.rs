//! `apply_preflight.json`: whether the plan's preflight policy could be applied at all, before anything else ran.

use serde::{Deserialize, Serialize};

use super::outcome::FailureStage;
use crate::base::ids::{RunId, WorldId};

/// Format of the file.
pub const APPLY_PREFLIGHT_SCHEMA: &str = "runtime-tools.apply_preflight.v0.1";

/// `apply_preflight.json`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyPreflight {
    /// The document's format: always [`APPLY_PREFLIGHT_SCHEMA`].
    pub schema_version: String,
    /// Id of the world that the plan declares.
    pub world_id: WorldId,
    /// Id of the run.
    pub run_id: Option<RunId>,
    /// The policy document, as the plan names it.
    pub profile: String,
    /// The program that applied it.
    pub runner: String,
    /// Whether the harness itself was confined already.
    pub sandbox_check_self: SelfCheckRecord,
    /// Whether the question could be put at all.
    pub status: PreflightStatus,
    /// Why not: `missing_preflight_profile`, `timeout`, or a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The program and arguments that ran; absent if nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Exit code, negative for a signal. This and what follows stands only with status `ok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Always empty: probes report over a private descriptor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// Always empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    /// How applying went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply_report: Option<PreflightApplyReport>,
    /// The process that applied it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply_marker_pid: Option<i32>,
    /// Whether the policy was in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply_ok: Option<bool>,
    /// `apply`, or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_stage: Option<FailureStage>,
}

/// Whether the harness itself was confined already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfCheckRecord {
    /// How it was asked: `landlock_layers` counts the domains that can still be stacked (the kernel's limit is 16);
    /// `sandbox_check` is Seatbelt's own answer (macOS).
    pub source: String,
    /// 1 if confined, 0 if not; null if it could not be asked.
    pub rc: Option<i32>,
    /// The same as a truth value.
    pub sandboxed: Option<bool>,
    /// Why it could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Whether the preflight could be asked at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreflightStatus {
    /// It ran; whether the policy was in force is in `apply_ok`.
    Ok,
    /// It did not run.
    Error,
}

/// How applying went. The same keys as in `results::ApplyReport`, owned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreflightApplyReport {
    /// `landlock_restrict_self`
    pub api: String,
    /// The class of the error.
    pub err_class: super::results::ErrClass,
    /// What the class was read from.
    pub err_class_source: super::results::ErrClassSource,
    /// The error in words.
    pub errbuf: Option<String>,
    /// Error number (errno) of the failed call; null if none failed.
    pub errno: Option<i32>,
    /// 0 if the policy is in force, -1 if not.
    pub rc: i32,
}

impl PreflightApplyReport {
    /// What a probe process said of applying.
    pub fn of(record: &super::report::ApplyRecord) -> Self {
        let errno = (record.errno != 0).then_some(record.errno);
        let (err_class, err_class_source) = if record.rc == 0 {
            (super::results::ErrClass::Ok, super::results::ErrClassSource::None)
        } else {
            super::results::ErrClass::of_failure(&record.api, errno, record.message.as_deref())
        };
        Self {
            api: record.api.to_string(),
            err_class,
            err_class_source,
            errbuf: record.message.clone(),
            errno,
            rc: record.rc,
        }
    }
}
