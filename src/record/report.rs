//! What a probe process says about itself, over its private descriptor.
//!
//! It writes one line before the operation ([`Prologue`]) and one after it ([`OperationReport`]). A process that dies in
//! between has left the first line, so a crash during the operation is told from one before it.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::callout::CalloutRecord;
use super::detail_name::DetailName;

/// The first line: everything up to the operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prologue {
    /// The probe process.
    pub pid: i32,
    /// Effective user id.
    pub uid: u32,
    /// The descriptors that were open when the operation was about to start.
    pub open_fds: Vec<OpenFd>,
    /// Whether the process found itself confined before the policy was applied.
    pub self_check_before: SelfCheck,
    /// A preparing step that failed; then nothing after it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup_failure: Option<SetupFailure>,
    /// What the target was, before the policy was applied. `None` if the driver has no path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetIdentity>,
    /// How applying the policy went. `None` in the baseline lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply: Option<ApplyRecord>,
    /// Whether the process found itself confined after the policy was applied. `None` in the baseline lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_check_after: Option<SelfCheck>,
    /// What the process asked `sandbox_check` about the operation, after the policy was applied (macOS).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub callouts: Vec<CalloutRecord>,
}

/// The second line: the operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationReport {
    /// The system calls in order. The first that failed ends the list.
    pub calls: Vec<Call>,
    /// What the kernel says the opened descriptor is. `None` if nothing was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<OpenedFile>,
    /// What else the driver saw, as (name, value) pairs: bytes read, a signal received.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<(DetailName, i64)>,
}

impl OperationReport {
    /// The first value under that name.
    pub fn detail(&self, name: DetailName) -> Option<i64> {
        self.details.iter().find(|(told, _)| *told == name).map(|(_, value)| *value)
    }
}

/// One system call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Name of the system call or function.
    pub syscall: CompactString,
    /// Whether it is the operation in question, or only prepares it.
    pub role: CallRole,
    /// What it returned.
    pub ret: i64,
    /// Its error number; 0 on success, and for a call that answers with a code.
    pub errno: i32,
    /// What it answered, if it answers with a code of its own space and not with an error number: `kern_return_t` of Mach
    /// and IOKit (signed, as C prints it), the status of notify(3), an XPC error (`driver::XPC_INVALID`, …). 0 is success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
}

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallRole {
    /// It prepares the operation; its failure decides nothing.
    Prepare,
    /// It is the operation.
    Operation,
}

#[cfg(any(target_os = "linux", test))]
impl CallRole {
    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Operation => "operation",
        }
    }
}

/// One open descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenFd {
    /// Number of the descriptor.
    pub fd: i32,
    /// What it is, in the words of `/proc/self/fd`.
    pub what: CompactString,
}

/// Whether the process is in a sandbox that its parent is not in.
///
/// macOS answers that itself (`sandbox_check` without an operation). On Linux it is found out: a process may not inspect one outside its domain (security/landlock/task.c, `hook_ptrace_access_check`), whatever
/// rights its policy handles. So the executable link of the parent can be read before, and not after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfCheck {
    /// The answer; `None` if it could not be asked.
    pub confined: Option<bool>,
    /// The error number of the question; 0 if it was answered with the link.
    pub errno: i32,
    /// `PR_GET_NO_NEW_PRIVS`.
    pub no_new_privs: bool,
}

/// A preparing step that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetupFailure {
    /// Name of the step.
    pub step: CompactString,
    /// Error number (errno); 0 if something is missing that has none.
    pub errno: i32,
    /// The library or function that this system does not have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// Where a path really leads that the operation must not reach; see [`GUARD_STEPS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leads_to: Option<String>,
}

impl SetupFailure {
    /// A system call of the preparation that failed.
    pub fn at(step: &str, errno: i32) -> Self {
        Self { step: step.into(), errno, missing: None, leads_to: None }
    }
}

/// A variable in the environment of the process that probes are forked from, and its value: room that a process outside the
/// domain writes over with what only it knows, so that its environment can be told from every other (Linux).
pub const ENVIRONMENT_ROOM: (&str, &str) = ("SANDPROOF_ROOM", "--------------------------");

/// The steps at which a probe process stops itself before it reaches something that the run did not make, each with what
/// that says.
pub const GUARD_STEPS: [(&str, &str); 5] = [
    ("change", "the operation would change what the run did not make"),
    ("mount_source", "a mount would put what the run did not make where the operation changes something"),
    ("mount_place", "a mount would be made where the run made nothing, and the operation changes something"),
    ("open_device", "opening this may have an effect by itself"),
    ("execute", "the operation would execute a program that is not the run's own, which needs `--allow-host-programs`"),
];

/// How applying a policy went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyRecord {
    /// The call that applies: `landlock_restrict_self`, `sandbox_init`, …
    pub api: CompactString,
    /// 0 if the policy is in force, -1 if not.
    pub rc: i32,
    /// Error number, 0 if there is none.
    pub errno: i32,
    /// Why it is not in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<super::outcome::FailureKind>,
    /// What a refusal of Seatbelt means, as far as it can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ApplyClass>,
    /// The cause in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The Landlock ABI that the kernel reported in this very process; `None` if it was not asked or has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abi: Option<i32>,
    /// Rights that are handled by the policy and unknown here, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsupported: Vec<String>,
}

impl ApplyRecord {
    /// The record of an application by that call that went well.
    pub fn in_force(api: &str) -> Self {
        Self {
            api: api.into(),
            rc: 0,
            errno: 0,
            failure: None,
            class: None,
            message: None,
            abi: None,
            unsupported: Vec::new(),
        }
    }
}

/// What a failed application of a Seatbelt profile means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplyClass {
    /// The profile's text has a mistake.
    ProfileText,
    /// A construct of the profile stands where it may not.
    NotApplicable,
    /// The process was confined already.
    AlreadySandboxed,
    /// The profile holds what only a process with a private entitlement may apply.
    ApplyGate,
    /// Something else.
    Other,
}

/// What a path was, without following a final link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetIdentity {
    /// Error number of the question; 0 if the rest is known, `ENOENT` for a target that is to be made.
    pub errno: i32,
    /// Device number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dev: Option<u64>,
    /// Inode number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ino: Option<u64>,
    /// File type and permission bits, as in `st_mode`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// User id of the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
}

/// What an opened descriptor is, as the kernel tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenedFile {
    /// The link text of `/proc/self/fd/N`, or the answer to `F_GETPATH` (macOS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Error number of that question; 0 if it was answered.
    pub path_errno: i32,
    /// The answer to `F_GETPATH_NOFIRMLINK` (macOS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nofirmlink: Option<String>,
    /// Error number of that question; 0 if it was answered. Absent if it was not put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nofirmlink_errno: Option<i32>,
    /// Device number; 0 where the policy refused fstat(2) on the descriptor (macOS).
    pub dev: u64,
    /// Inode number; 0 where the policy refused fstat(2) on the descriptor (macOS). No file has that number.
    pub ino: u64,
    /// File type and permission bits; 0 where the policy refused fstat(2) on the descriptor (macOS).
    pub mode: u32,
}
