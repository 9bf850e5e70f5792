//! Whether whoever starts a run agrees to the launchers that its plan has.

use super::error::RunError;
use super::request::RunRequest;
use crate::plan::ResolvedProfile;
use crate::policy::Enforcer;

/// A launcher is a program of the host that starts others: whoever starts a run names it, or agrees to what a plan names. It
/// reaches the real host, so as root only if that is wanted.
pub(super) fn check_launchers(request: &RunRequest) -> Result<(), RunError> {
    let mut launchers = request.declared.plan.declared_profiles().iter().filter(|profile| is_launcher(profile));
    let Some(first) = launchers.next().filter(|_| !request.declared.dry && request.control.worker.is_none()) else {
        return Ok(());
    };
    let profile = first.id.to_string();
    // One start answers many questions, in an order of its own.
    let declared = &request.declared;
    for (option, asked) in [("--repeat", declared.repeat > 1), ("--shuffle", declared.shuffle.is_some())] {
        if asked {
            return Err(RunError::LauncherOnce { profile, option });
        }
    }
    if !request.declared.launchers.given && !request.declared.host_programs {
        return Err(RunError::LauncherUnasked { profile });
    }
    if !request.declared.launchers.as_root && nix::unistd::geteuid().is_root() {
        return Err(RunError::LauncherAsRoot { profile });
    }
    Ok(())
}

pub(super) fn is_launcher(profile: &ResolvedProfile) -> bool {
    profile.policy.value.enforcer() == Enforcer::Launcher
}
