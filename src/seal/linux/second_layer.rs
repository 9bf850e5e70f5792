//! Landlock around a sealed command: the same bounds as its root has, by other code of the kernel. A file that is not below the
//! root's own folders is refused, whatever way leads to it.

use std::io;
use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope,
};

/// The newest rights that are handled; an older kernel handles those that it has, and the record says which ABI it has.
const NEWEST: ABI = ABI::V6;

/// What may be done below a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LayerReach {
    /// To read, list and execute.
    Read,
    /// To read and write devices.
    Device,
    /// To read, and to write to files that are there.
    Process,
    /// Everything.
    Write,
}

impl LayerReach {
    fn rights(self) -> BitFlags<AccessFs> {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        match self {
            Self::Read => read | AccessFs::Execute,
            Self::Device => read | AccessFs::WriteFile | AccessFs::IoctlDev | AccessFs::Truncate,
            Self::Process => read | AccessFs::WriteFile | AccessFs::Truncate,
            Self::Write => AccessFs::from_all(NEWEST),
        }
    }
}

/// The same bounds as the sealed root has.
pub(super) fn of_root() -> Vec<(PathBuf, LayerReach)> {
    let rules = [
        ("/", LayerReach::Read),
        ("/dev", LayerReach::Device),
        ("/proc", LayerReach::Process),
        ("/dev/shm", LayerReach::Write),
        ("/out", LayerReach::Write),
        ("/scratch", LayerReach::Write),
    ];
    rules.map(|(path, reach)| (PathBuf::from(path), reach)).into()
}

/// Confines this process to what is below these paths, without TCP, and without signals and nameless sockets of others.
///
/// # Errors
/// What the kernel refuses.
pub(super) fn confine(rules: &[(PathBuf, LayerReach)]) -> io::Result<()> {
    let confined = || -> Result<RulesetStatus, Box<dyn std::error::Error + Send + Sync>> {
        let mut ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(NEWEST))?
            .handle_access(AccessNet::from_all(NEWEST))?
            .scope(Scope::from_all(NEWEST))?
            .create()?;
        for (path, reach) in rules {
            let rights = if path.is_dir() { reach.rights() } else { reach.rights() & AccessFs::from_file(NEWEST) };
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
