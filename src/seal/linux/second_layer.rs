//! Landlock around a sealed command: the same bounds as its root has, by other code of the kernel. A file that is not below the
//! root's own folders is refused, whatever way leads to it.

use std::io;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope,
};

/// The newest rights that are handled; an older kernel handles those that it has, and the record says which ABI it has.
const NEWEST: ABI = ABI::V6;

/// Confines this process.
///
/// # Errors
/// What the kernel refuses.
pub(super) fn confine() -> io::Result<()> {
    let all = AccessFs::from_all(NEWEST);
    let read = AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::Execute;
    let device = AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::WriteFile | AccessFs::IoctlDev | AccessFs::Truncate;
    let rules = [
        ("/", read),
        ("/dev", device),
        ("/proc", AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::WriteFile | AccessFs::Truncate),
        ("/dev/shm", all),
        ("/out", all),
        ("/scratch", all),
    ];
    let confined = || -> Result<RulesetStatus, Box<dyn std::error::Error + Send + Sync>> {
        let mut ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(all)?
            .handle_access(AccessNet::from_all(NEWEST))?
            .scope(Scope::from_all(NEWEST))?
            .create()?;
        for (path, rights) in rules {
            ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(path)?, rights))?;
        }
        Ok(ruleset.restrict_self()?.ruleset)
    };
    match confined() {
        Ok(RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced) => Ok(()),
        Ok(RulesetStatus::NotEnforced) => Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)),
        Err(error) => Err(io::Error::other(error)),
    }
}
