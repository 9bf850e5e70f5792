//! What else than the policy may explain an outcome.

use super::decide::{Attempt, Verdict};
use super::host_os::HostOs;
use super::row_facts::{self, Baseline, RowInPlan};
use crate::record::callout::Callout;
use crate::record::events::{
    ConfounderAttribution, ConfounderClass, FileConfounder, Prepass, PrepassCheck, ServiceConfounder, TccAttribution,
    TccConfounder, TccStatus,
};
use crate::record::outcome::{Decision, FailureKind};
use crate::record::row::ProbeRow;

/// What a file operation's error number may be put down to.
///
/// The contract reads EACCES as ordinary permissions and EPERM as a sandbox. Landlock answers EACCES, and the baseline
/// tells the two apart: a counted denial was allowed without the policy, so it is the policy's whatever its number. A
/// refusal in both lanes is read by its number as in the contract. Everything else is left open.
pub(super) fn file(host_os: HostOs, operation: &str, verdict: Verdict) -> Option<FileConfounder> {
    let errno = verdict.errno()?;
    if !row_facts::is_file_operation(operation) || verdict.stage().is_some_and(|stage| stage.is_blocked()) {
        return None;
    }
    let refused_anyway = verdict.kind() == Some(FailureKind::BaselineDenied);
    let (classification, attribution) = match (verdict, errno) {
        (Verdict::Deny { .. }, _) => (ConfounderClass::SandboxOrMac, ConfounderAttribution::AppSandbox),
        (_, libc::EACCES) if refused_anyway => (ConfounderClass::UnixPermissions, ConfounderAttribution::UnixAcl),
        (_, libc::EPERM) if refused_anyway => (ConfounderClass::SandboxOrMac, ConfounderAttribution::Mac),
        _ => (ConfounderClass::OtherErrno, ConfounderAttribution::Unknown),
    };
    Some(FileConfounder { attribution, classification, errno, errno_name: host_os.errno_name(errno) })
}

/// Operations that TCC guards whatever the policy says.
const TCC_OPERATIONS: [&str; 3] = ["device-camera", "device-microphone", "device-mic"];
/// Folders of a home that it guards.
const TCC_FOLDERS: [&str; 3] = ["Documents", "Downloads", "Desktop"];

/// Whether a path lies in such a folder of anybody's home. The reference knows only the home of who judges (its weakness
/// W-79).
fn is_tcc_path(path: &str) -> bool {
    let mut parts = path.strip_prefix("/Users/").unwrap_or_default().split('/').skip(1);
    parts.next().is_some_and(|folder| TCC_FOLDERS.contains(&folder))
}

/// What privacy protection (TCC) may have to do with it; macOS only.
pub(super) fn tcc(
    host_os: HostOs,
    placed: &RowInPlan<'_>,
    row: &ProbeRow,
    verdict: Verdict,
    baseline: Option<&Baseline<'_>>,
) -> Option<TccConfounder> {
    let guarded = TCC_OPERATIONS.contains(&placed.operation()) || is_tcc_path(&row.action.target);
    if host_os != HostOs::Macos || !guarded {
        return None;
    }
    let status = |decision: Option<Decision>, kind: Option<FailureKind>| match (decision, kind) {
        (Some(Decision::Allow), _) => TccStatus::Allow,
        (Some(Decision::Deny), _) => TccStatus::Deny,
        (None, Some(FailureKind::ProbeTimeout)) => TccStatus::PromptOrTimeout,
        (None, _) => TccStatus::Unknown,
    };
    let baseline_status = baseline.map_or(TccStatus::Unknown, |baseline| {
        let kind = match baseline.attempt {
            Attempt::Undecided(cause) => Some(cause.kind),
            _ => None,
        };
        status(baseline.attempt.decision(), kind)
    });
    let scenario_status = status(verdict.actual(), verdict.kind());
    let attribution = match (baseline_status, scenario_status) {
        (TccStatus::Deny | TccStatus::PromptOrTimeout, _) => TccAttribution::TccOrPlatform,
        (TccStatus::Allow, TccStatus::Deny | TccStatus::PromptOrTimeout) => TccAttribution::SandboxOrOther,
        (TccStatus::Allow, TccStatus::Allow) => TccAttribution::Allow,
        _ => TccAttribution::Unknown,
    };
    Some(TccConfounder { attribution, baseline_status, scenario_status, sensitive: true })
}

/// Whether the service that was looked up is not there in either lane, so that neither outcome is about the policy.
pub(super) fn service(
    placed: &RowInPlan<'_>,
    row: &ProbeRow,
    baseline: Option<&Baseline<'_>>,
) -> Option<ServiceConfounder> {
    let absent = |row: &ProbeRow| {
        row_facts::probe_details(row).is_some_and(|details| {
            details.service_present == Some(false) || details.xpc_error == Some("connection_invalid")
        })
    };
    let both = placed.operation() == "mach-lookup" && absent(row) && absent(baseline?.row);
    both.then_some(ServiceConfounder {
        baseline_state: "missing",
        scenario_state: "missing",
        source: "probe_details",
        status: "missing_service",
    })
}

/// Stages of callouts that were put before the operation.
const BEFORE: [&str; 3] = ["pre_syscall", "preflight", "bootstrap_exec"];

/// What `sandbox_check` said beforehand about this operation on this target.
pub(super) fn prepass<'a>(operation: &str, row: &'a ProbeRow) -> Option<Prepass<'a>> {
    let records = &row.prologue.as_ref()?.callouts;
    let about = records
        .iter()
        .filter(|record| BEFORE.contains(&record.stage.as_str()) && record.is_about(operation, &row.action.target));
    let variants: Vec<PrepassCheck<'a>> = about.map(|record| PrepassCheck::from(Callout::from(record))).collect();
    match variants.as_slice() {
        [] => None,
        [only] => Some(Prepass::One(*only)),
        [first, ..] => {
            let raw = variants.iter().find(|variant| variant.canonicalization == Some("raw"));
            Some(Prepass::Several { primary: *raw.unwrap_or(first), variants })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::decide::Undecided;

    #[test]
    fn a_refusal_in_both_lanes_is_read_by_its_number_and_nothing_else_is() {
        let said = |kind, errno| {
            let verdict = Verdict::Undecided(Undecided { kind, errno: Some(errno), note: "" });
            file(HostOs::Linux, "file-read-data", verdict).map(|found| (found.classification, found.attribution))
        };
        let unknown = Some((ConfounderClass::OtherErrno, ConfounderAttribution::Unknown));
        let unix = Some((ConfounderClass::UnixPermissions, ConfounderAttribution::UnixAcl));
        let mac = Some((ConfounderClass::SandboxOrMac, ConfounderAttribution::Mac));
        assert_eq!(said(FailureKind::BaselineDenied, libc::EACCES), unix);
        assert_eq!(said(FailureKind::BaselineDenied, libc::EPERM), mac);
        for errno in [libc::EACCES, libc::EPERM] {
            assert_eq!(said(FailureKind::BaselineMissing, errno), unknown);
        }
        assert_eq!(said(FailureKind::BaselineDenied, libc::ENOENT), unknown);
    }

    #[test]
    fn guarded_folders_are_those_of_any_home() {
        assert!(is_tcc_path("/Users/a/Documents/x"));
        assert!(is_tcc_path("/Users/b/Desktop"));
        assert!(!is_tcc_path("/Users/Documents"));
        assert!(!is_tcc_path("/Users/a/x/Documents"));
        assert!(!is_tcc_path("/home/a/Documents"));
        assert!(!is_tcc_path("/Users/a/DocumentsOld"));
    }
}
