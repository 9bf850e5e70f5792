//! Whether a run listens to the kernel's audit.

use super::error::RunError;
use super::request::RunRequest;
use crate::audit::AuditListener;
use crate::policy::{Enforcer, PolicyMode};
use crate::record::manifest::ChannelKind;

/// Whether something would be heard, if that was asked for.
///
/// # Errors
/// Nothing would.
pub(super) fn check(request: &RunRequest) -> Result<(), RunError> {
    let declared = &request.declared;
    if !is_wanted(request) {
        return Ok(());
    }
    if declared.channel != ChannelKind::Direct {
        return Err(RunError::AttributionUnused { why: "a worker that a service manager starts does not listen" });
    }
    let heard = |mode: PolicyMode| mode.enforcer() == Enforcer::Landlock;
    if !declared.plan.lanes.scenario || !declared.plan.profiles.iter().any(|one| heard(one.policy.value.mode())) {
        return Err(RunError::AttributionUnused { why: "no row of the plan is performed under a Landlock policy" });
    }
    Ok(())
}

/// Begins to listen, if that was asked for. What it changes of the host is put back when the listener is dropped, or when this
/// process ends in whatever way.
///
/// # Errors
/// The host does not let it.
pub(super) fn listen(request: &RunRequest, abi: Option<i32>) -> Result<Option<AuditListener>, RunError> {
    if !is_wanted(request) {
        return Ok(None);
    }
    AuditListener::start(request.places.exe.path(), abi).map(Some).map_err(RunError::Attribution)
}

/// Where nothing is executed, there is nothing to listen to.
fn is_wanted(request: &RunRequest) -> bool {
    request.control.attribute && !request.declared.dry
}
