//! Questions to `sandbox_check` (macOS): what was asked inside the confined process, and what it answered.
//!
//! An answer is not an observation of the operation: no document counts it as one. Field names and values are those of
//! the reference runtime's `seatbelt-callout` marker (Protonk/sandbox-boostrap, book/api/runtime), version 2.

use serde::{Deserialize, Serialize};

/// The marker's name, as documents carry it.
pub const CALLOUT_TOOL: &str = "seatbelt-callout";
/// The marker's version, as documents carry it.
pub const CALLOUT_MARKER_VERSION: u32 = 2;

/// Which question the harness had the probe put before the operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// The operation as `sandbox_check` takes it: see [`candidate`].
    pub operation: String,
    /// The filter's number in `sandbox_check`'s own numbering.
    pub filter_type: i32,
    /// The filter's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_name: Option<String>,
    /// What the filter is compared with; absent for a filter that takes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argument: Option<String>,
    /// `both`: asked with and without the flag that refuses paths with links in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canonicalization: Option<String>,
}

/// One question with its answer, as the probe reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalloutRecord {
    /// When: `pre_syscall`, right before the operation.
    pub stage: String,
    /// The call: `sandbox_check`, `sandbox_check_by_audit_token`.
    pub api: String,
    /// The operation that was asked about.
    pub operation: String,
    /// The filter's number.
    pub filter_type: i32,
    /// Filter and flags, as passed.
    pub check_type: i64,
    /// How many arguments followed.
    pub varargs_count: u32,
    /// The first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argument: Option<String>,
    /// `raw`, or `canonical` where the flag was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canonicalization: Option<String>,
    /// Whether that flag was passed.
    pub canonical_flag_used: bool,
    /// Why it was not: `not_requested`, `symbol_missing`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canonical_flag_reason: Option<String>,
    /// Whether the flag was passed that keeps the question out of the log.
    pub no_report: bool,
    /// Why it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_report_reason: Option<String>,
    /// By what the process was named: `pid`, `ok` (its audit token), `task_info_failed`.
    pub token_status: String,
    /// The Mach code of asking for the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_mach_kr: Option<i32>,
    /// The answer: 0 allow, 1 deny, anything else an error; -2 if the call was not there.
    pub rc: i32,
    /// The error number; it means something only if the answer is an error.
    pub errno: i32,
    /// Why there is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl CalloutRecord {
    /// What the answer says.
    pub fn decision(&self) -> CalloutDecision {
        match self.rc {
            0 => CalloutDecision::Allow,
            1 => CalloutDecision::Deny,
            _ => CalloutDecision::Error,
        }
    }

    /// Whether it is an answer about `operation` on `argument`.
    pub fn is_about(&self, operation: &str, argument: &str) -> bool {
        is_candidate(operation, &self.operation) && self.argument.as_deref().is_none_or(|own| own == argument)
    }
}

/// What a question was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalloutDecision {
    /// It would be let through.
    Allow,
    /// It would be refused.
    Deny,
    /// There is no answer.
    Error,
}

/// The operation under which `sandbox_check` knows a registry's operation. The two families stand for the member that
/// opening a file asks about.
pub fn candidate(operation: &str) -> &str {
    match operation {
        "file-read*" => "file-read-data",
        "file-write*" => "file-write-data",
        other => other,
    }
}

/// Whether an answer about `asked` speaks of the registry's `operation`.
fn is_candidate(operation: &str, asked: &str) -> bool {
    operation == asked || candidate(operation) == asked || operation == candidate(asked)
}

/// The filters of `sandbox_check` whose numbers are known for macOS 14.4.1, by number. They are not the numbers of
/// compiled profiles: mixing the two makes every answer a denial (the reference's weakness W-44).
const FILTERS: &[(i32, &str)] = &[
    (0, "none"),
    (1, "path"),
    (2, "global-name"),
    (3, "local-name"),
    (4, "appleevent-destination"),
    (5, "right-name"),
    (6, "preference-domain"),
    (7, "kext-bundle-id"),
    (8, "info-type"),
    (9, "notification-name"),
    (12, "xpc-service-name"),
    (13, "iokit-connection"),
    (15, "nvram-variable"),
    (17, "ipc-posix-name"),
];

/// The name of a filter.
pub fn filter_name(number: i32) -> Option<&'static str> {
    FILTERS.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

/// The number of a filter.
pub fn filter_number(name: &str) -> Option<i32> {
    FILTERS.iter().find(|(_, known)| *known == name).map(|(number, _)| *number)
}

/// A question with its answer, as documents carry it: the marker's keys, in alphabetical order.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Callout<'a> {
    /// As in [`CalloutRecord`], here and below.
    pub api: &'a str,
    /// The first argument.
    pub argument: Option<&'a str>,
    /// Why the flag was not passed.
    pub canonical_flag_reason: Option<&'a str>,
    /// Whether the question was asked with the canonical flag.
    pub canonical_flag_used: bool,
    /// `raw` or `canonical`.
    pub canonicalization: Option<&'a str>,
    /// Filter and flags.
    pub check_type: i64,
    /// What `sandbox_check` answered.
    pub decision: CalloutDecision,
    /// The error number.
    pub errno: i32,
    /// Why there is no answer.
    pub error: Option<&'a str>,
    /// The filter's number.
    pub filter_type: i32,
    /// Name of the filter's number; `unknown` for another number.
    pub filter_type_name: &'static str,
    /// [`CALLOUT_MARKER_VERSION`].
    pub marker_schema_version: u32,
    /// Whether it was kept out of the log.
    pub no_report: bool,
    /// Why the flag was not set; null if it was.
    pub no_report_reason: Option<&'a str>,
    /// The operation, as the policy language names it, such as `file-read-data`.
    pub operation: &'a str,
    /// What the call returned.
    pub rc: i32,
    /// At which stage the question was asked.
    pub stage: &'a str,
    /// The Mach code of asking for the token.
    pub token_mach_kr: Option<i32>,
    /// By what the process was named.
    pub token_status: &'a str,
    /// [`CALLOUT_TOOL`].
    pub tool: &'static str,
    /// How many arguments followed.
    pub varargs_count: u32,
}

impl<'a> From<&'a CalloutRecord> for Callout<'a> {
    fn from(record: &'a CalloutRecord) -> Self {
        Self {
            api: &record.api,
            argument: record.argument.as_deref(),
            canonical_flag_reason: record.canonical_flag_reason.as_deref(),
            canonical_flag_used: record.canonical_flag_used,
            canonicalization: record.canonicalization.as_deref(),
            check_type: record.check_type,
            decision: record.decision(),
            errno: record.errno,
            error: record.error.as_deref(),
            filter_type: record.filter_type,
            filter_type_name: filter_name(record.filter_type).unwrap_or("unknown"),
            marker_schema_version: CALLOUT_MARKER_VERSION,
            no_report: record.no_report,
            no_report_reason: record.no_report_reason.as_deref(),
            operation: &record.operation,
            rc: record.rc,
            stage: &record.stage,
            token_mach_kr: record.token_mach_kr,
            token_status: &record.token_status,
            tool: CALLOUT_TOOL,
            varargs_count: record.varargs_count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_have_one_number_and_one_name() {
        for (number, name) in FILTERS {
            assert_eq!(filter_number(name), Some(*number));
            assert_eq!(filter_name(*number), Some(*name));
        }
        assert_eq!(filter_number("sysctl-name"), None, "sandbox_check has no such filter");
    }

    #[test]
    fn an_answer_speaks_of_its_family() {
        assert!(is_candidate("file-read*", "file-read-data"));
        assert!(is_candidate("file-read-data", "file-read*"));
        assert!(is_candidate("mach-lookup", "mach-lookup"));
        assert!(!is_candidate("file-read*", "file-write-data"));
        assert!(!is_candidate("file-read-metadata", "file-read-data"));
    }
}
