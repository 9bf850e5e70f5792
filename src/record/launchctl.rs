//! `launchctl/launchctl_diagnostics.json` and `launchctl/launchctl_last_run.json`: what launchd was asked, and said.
//!
//! The members that other readers know keep their names. `schema_version`, `stage_root`, `plist_sha256`, `outcome`,
//! `teardown`, `job_stdout_path`, `job_stderr_path`, the commands' `step` and `error`, and the failure's `cause` and
//! `advice` are ours.

use serde::{Deserialize, Serialize};

use crate::base::digest::Digest;
use crate::base::ids::RunId;

/// Format of the diagnostics. 1: first release.
pub const LAUNCHCTL_DIAGNOSTICS_SCHEMA: &str = "sandproof.launchctl_diagnostics.v1";
/// The diagnostics' file name.
pub const LAUNCHCTL_DIAGNOSTICS: &str = "launchctl_diagnostics.json";
/// The file name of the short note on the job.
pub const LAUNCHCTL_LAST_RUN: &str = "launchctl_last_run.json";

/// `launchctl_last_run.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchctlLastRun {
    /// The job's label.
    pub label: String,
    /// Id of the run.
    pub run_id: RunId,
    /// The stage, which is gone by now.
    pub stage_root: String,
}

/// `launchctl_diagnostics.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchctlDiagnostics {
    /// The document's format: always [`LAUNCHCTL_DIAGNOSTICS_SCHEMA`].
    pub schema_version: String,
    /// The job's label.
    pub label: String,
    /// Id of the run.
    pub run_id: RunId,
    /// The domain: `gui/UID`, `user/UID`, or `system` for root.
    pub domain: String,
    /// Why this domain.
    pub domain_reason: DomainReason,
    /// `LimitLoadToSessionType`; null if the job definition leaves it out.
    pub session_types: Option<Vec<String>>,
    /// The bundle's copy of the job definition.
    pub plist_path: String,
    /// SHA-256 of the job definition; null if the definition could not be made.
    pub plist_sha256: Option<Digest>,
    /// The stage, which is gone by now.
    pub stage_root: String,
    /// The commands that were run, in order: those that change something, and the prints that matter.
    pub launchctl_cmds: Vec<LaunchctlCommand>,
    /// What the unified log says; only after the job was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_show: Option<LaunchctlCommand>,
    /// Why launchd did not take the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap_failure: Option<BootstrapFailure>,
    /// What became of the job, as far as it was watched.
    pub outcome: JobOutcome,
    /// Whether launchd has forgotten the job.
    pub teardown: Teardown,
    /// What the job printed to standard output; null if there was no such file.
    pub job_stdout_path: Option<String>,
    /// What the job printed to standard error; null if there was no such file.
    pub job_stderr_path: Option<String>,
}

/// Why a domain was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DomainReason {
    /// The user has a session with a graphical login, and its domain answers.
    GuiDomainAvailable,
    /// It does not answer, so the user's background domain is taken.
    GuiDomainUnavailable,
    /// It does not answer, and root has the system's domain. Ours.
    RootSystemDomain,
}

/// One command and where its output lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchctlCommand {
    /// What it was for; also a part of the files' names.
    pub step: String,
    /// The command and its arguments.
    pub argv: Vec<String>,
    /// The exit code, negative for a signal; null if it did not run to its end.
    pub rc: Option<i32>,
    /// Path of the file with standard output.
    pub stdout_path: String,
    /// Path of the file with standard error.
    pub stderr_path: String,
    /// Why it did not run to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Why launchd did not take a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootstrapFailure {
    /// The class that other readers know.
    pub classification: FailureClass,
    /// The exit code of the last `launchctl bootstrap`, negative for a signal; null if it was not run.
    pub rc: Option<i32>,
    /// What the evidence says more exactly.
    pub cause: FailureCause,
    /// What to do about it, as text for people.
    pub advice: String,
}

/// The class of a refused job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The job definition is no good.
    PlistInvalid,
    /// launchd may not or will not read the job definition.
    PlistUnreadable,
    /// The domain is not there, or does not take this kind of job.
    DomainSessionMismatch,
    /// Everything else.
    BootstrapFailed,
}

impl FailureClass {
    /// As documents spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PlistInvalid => "plist_invalid",
            Self::PlistUnreadable => "plist_unreadable",
            Self::DomainSessionMismatch => "domain_session_mismatch",
            Self::BootstrapFailed => "bootstrap_failed",
        }
    }
}

/// The cause of a refusal, as far as it can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCause {
    /// The job cannot be described or its definition cannot be written.
    NotWritten,
    /// `plutil -lint` refuses the definition.
    RefusedByLint,
    /// The definition cannot be read back.
    NotReadable,
    /// 122: its owner or mode.
    OwnershipOrMode,
    /// 112: there is no such domain.
    NoSuchDomain,
    /// 125: the domain does not do this for this caller.
    DomainDoesNotSupport,
    /// 134: the job is not for this type of session.
    WrongSessionType,
    /// 124: the domain is going away.
    DomainTearingDown,
    /// The label is loaded already, or still on its way out.
    LabelInUse,
    /// 119: somebody has disabled the label.
    Disabled,
    /// 155: the program is quarantined.
    Quarantined,
    /// 159: the caller is confined.
    CallerConfined,
    /// 133: several errors at once.
    SeveralErrors,
    /// 5: launchctl's error for everything else.
    Unspecified,
    /// A code that is not known here.
    UnknownCode,
    /// launchctl did not run to its end.
    NoExitCode,
}

/// What became of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobOutcome {
    /// It was never started.
    NotStarted,
    /// It was started, and its end was not seen.
    Started,
    /// It ended, and its result was there. Whether that result is good is another question.
    Ended,
    /// It ended or vanished without a result.
    Crashed,
    /// It did not end in time.
    Expired,
    /// Nobody wished to wait any longer.
    Cancelled,
    /// launchd did not answer any more.
    Silent,
}

/// Whether launchd has forgotten a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Teardown {
    /// It was not asked to.
    NotAsked,
    /// It says that there is no such job.
    Gone,
    /// It still knew the job when the time was up.
    StillKnown,
}
