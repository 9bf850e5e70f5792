//! The error numbers, by name, with which an enforcer can deny an operation: what an expectation may demand.

use super::driver::{Driver, TargetKind};
use super::enforcer::Enforcer;
use crate::base::errno::errno_name;

/// Of any operation inside a launcher: permissions, a filter's own answer, a lower limit.
const LAUNCHER: &[&str] = &["EACCES", "EPERM", "EROFS", "ENOSYS", "EAGAIN", "ENOMEM", "EMFILE", "EFBIG"];
/// Of a path that the sandbox shows otherwise or not at all.
const OF_PATHS: &[&str] = &[
    "ENOENT",
    "ENOTDIR",
    "EISDIR",
    "EEXIST",
    "ENXIO",
    "ELOOP",
    "EXDEV",
    "EBUSY",
    "ENOSPC",
    "EDQUOT",
    "EOVERFLOW",
    "ECONNREFUSED",
];
/// Of an address, or an abstract name.
const OF_ADDRESSES: &[&str] =
    &["ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL", "ENETDOWN", "EAFNOSUPPORT"];
/// Of anything else: what is handed down, other processes, namespaces.
const OF_OTHERS: &[&str] =
    &["ENOENT", "ESRCH", "EBADF", "ENOKEY", "EINVAL", "ENXIO", "ENOSPC", "EUSERS", "EAFNOSUPPORT"];

/// The names with which the enforcer can deny the driver's operation.
pub fn denial_errnos(driver: Driver, enforcer: Enforcer) -> Vec<String> {
    let info = driver.info();
    let named = |numbers: &[i32]| numbers.iter().filter_map(|number| errno_name(*number)).collect();
    match enforcer {
        Enforcer::Landlock => named(info.landlock_denials),
        Enforcer::Seatbelt => named(info.seatbelt.errnos),
        Enforcer::Launcher => {
            let more = match info.target {
                TargetKind::Path => OF_PATHS,
                TargetKind::Endpoint | TargetKind::AbstractName => OF_ADDRESSES,
                TargetKind::Name
                | TargetKind::Process
                | TargetKind::Variable
                | TargetKind::HandedDown
                | TargetKind::SharedMemory
                | TargetKind::OutsideProcess
                | TargetKind::None => OF_OTHERS,
            };
            LAUNCHER.iter().chain(more).map(|name| (*name).to_owned()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_driver_calls_a_denial_can_be_demanded_and_nothing_else() {
        assert_eq!(denial_errnos(Driver::FileRead, Enforcer::Landlock), ["EACCES"]);
        assert!(denial_errnos(Driver::FileRename, Enforcer::Landlock).contains(&"EXDEV".to_owned()));
        let launcher = denial_errnos(Driver::FileRead, Enforcer::Launcher);
        assert!(launcher.contains(&"EROFS".to_owned()) && launcher.contains(&"ENOENT".to_owned()));
        assert!(!launcher.contains(&"ECONNRESET".to_owned()) && !launcher.contains(&"EINTR".to_owned()));
    }
}
