//! What depends on the system that the run was made on. Bundles are read on other systems, so the reader's own will not
//! do.

use super::darwin_errno::darwin_errno_name;
use super::linux_errno::linux_errno_name;
use crate::record::manifest::HostFacts;
use crate::record::outcome::Lane;
use crate::record::platform::Platform;
use crate::record::results::PathSource;

/// The system that a run was made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostOs {
    Linux,
    Macos,
}

/// The name of an error number of that system, whatever the reader's own is.
pub fn errno_name(platform: Platform, number: i32) -> Option<&'static str> {
    match platform {
        Platform::Linux => linux_errno_name(number),
        Platform::Macos => darwin_errno_name(number),
    }
}

impl HostOs {
    /// The one that a manifest names.
    pub(super) fn of(host: &HostFacts) -> Self {
        if host.os == "macos" { Self::Macos } else { Self::Linux }
    }

    /// The name of an error number.
    pub(super) fn errno_name(self, number: i32) -> Option<&'static str> {
        let platform = match self {
            Self::Linux => Platform::Linux,
            Self::Macos => Platform::Macos,
        };
        errno_name(platform, number)
    }

    /// Folders that it shows under two names: (alias, real place).
    pub(super) fn aliases(self) -> &'static [(&'static str, &'static str)] {
        match self {
            // Links in the root of the system volume (`ls -l /` on any macOS).
            Self::Macos => &[("/tmp", "/private/tmp"), ("/var", "/private/var"), ("/etc", "/private/etc")],
            Self::Linux => &[],
        }
    }

    /// Where a path witness or a baseline row says that an observed path comes from.
    pub(super) fn witness_source(self, lane: Lane, seen: PathSource) -> PathSource {
        use PathSource as P;
        match (lane, self, seen) {
            (Lane::Baseline, _, P::FdPath) => P::UnsandboxedFdPath,
            (Lane::Baseline, _, P::Error) => P::UnsandboxedError,
            (Lane::Baseline, _, P::NotAttempted) => P::UnsandboxedUnavailable,
            (_, Self::Linux, P::FdPath) => P::ProcFdPresent,
            (_, Self::Linux, P::Error) => P::ProcFdError,
            (_, Self::Linux, P::NotAttempted) => P::ProcFdMissing,
            (_, Self::Macos, P::FdPath) => P::FgetpathPresent,
            (_, Self::Macos, P::Error) => P::FgetpathError,
            (_, Self::Macos, P::NotAttempted) => P::FgetpathMissing,
            (_, _, other) => other,
        }
    }

    /// The same of a path without firmlinks; nothing where there are none.
    pub(super) fn nofirmlink_source(self, lane: Lane, seen: Option<PathSource>) -> Option<PathSource> {
        use PathSource as P;
        if self == Self::Linux {
            return None;
        }
        Some(match (lane, seen.unwrap_or(P::NotAttempted)) {
            (Lane::Baseline, seen) => self.witness_source(lane, seen),
            (_, P::FdPath) => P::NofirmlinkPresent,
            (_, P::Error) => P::NofirmlinkError,
            (_, _) => P::NofirmlinkMissing,
        })
    }
}
