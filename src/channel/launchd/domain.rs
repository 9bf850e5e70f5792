//! Where launchd keeps the job.

use crate::record::launchctl::DomainReason;

/// Where launchd keeps jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Domain {
    /// As launchctl(1) spells it: `gui/501`, `system`.
    pub(super) target: String,
    /// Why it was chosen.
    pub(super) reason: DomainReason,
    /// The kinds of sessions that a job has to be for, where the usual one does not do.
    pub(super) session_types: Option<Vec<String>>,
}
