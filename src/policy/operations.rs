//! The names of Seatbelt's operations, which probes of every platform use to say what they attempt.
//!
//! The 196 names are those that the `libsandbox.1.dylib` of macOS 14.4.1 (23E224) knows. A name that ends in `*` is a
//! group: a rule on it covers the operations whose names begin with what stands before the star.

/// Every operation, sorted.
pub const OPERATIONS: [&str; 196] = [
    "appleevent-send",
    "authorization-right-obtain",
    "boot-arg-set",
    "darwin-notification-post",
    "default",
    "default-message-filter",
    "device*",
    "device-camera",
    "device-microphone",
    "distributed-notification-post",
    "dynamic-code-generation",
    "file*",
    "file-chroot",
    "file-clone",
    "file-ioctl",
    "file-issue-extension",
    "file-link",
    "file-lock",
    "file-map-executable",
    "file-mknod",
    "file-mount",
    "file-mount-update",
    "file-read*",
    "file-read-data",
    "file-read-metadata",
    "file-read-xattr",
    "file-revoke",
    "file-search",
    "file-test-existence",
    "file-unmount",
    "file-write*",
    "file-write-acl",
    "file-write-create",
    "file-write-data",
    "file-write-finderinfo",
    "file-write-flags",
    "file-write-mode",
    "file-write-owner",
    "file-write-setugid",
    "file-write-times",
    "file-write-unlink",
    "file-write-xattr",
    "fs-quota*",
    "fs-quota-get",
    "fs-quota-off",
    "fs-quota-on",
    "fs-quota-set*",
    "fs-quota-set-limits",
    "fs-quota-set-usage",
    "fs-quota-stat",
    "fs-quota-sync",
    "fs-rename",
    "fs-snapshot*",
    "fs-snapshot-create",
    "fs-snapshot-delete",
    "fs-snapshot-mount",
    "fs-snapshot-revert",
    "generic-issue-extension",
    "hid-control",
    "iokit*",
    "iokit-async-external-method",
    "iokit-external-method",
    "iokit-external-trap",
    "iokit-get-properties",
    "iokit-issue-extension",
    "iokit-open*",
    "iokit-open-service",
    "iokit-open-user-client",
    "iokit-set-properties",
    "ipc*",
    "ipc-posix*",
    "ipc-posix-issue-extension",
    "ipc-posix-sem*",
    "ipc-posix-sem-create",
    "ipc-posix-sem-open",
    "ipc-posix-sem-post",
    "ipc-posix-sem-unlink",
    "ipc-posix-sem-wait",
    "ipc-posix-shm*",
    "ipc-posix-shm-read-data",
    "ipc-posix-shm-write*",
    "ipc-posix-shm-write-create",
    "ipc-posix-shm-write-data",
    "ipc-posix-shm-write-unlink",
    "ipc-sysv*",
    "ipc-sysv-msg",
    "ipc-sysv-sem",
    "ipc-sysv-shm",
    "job-creation",
    "lsopen",
    "mach*",
    "mach-bootstrap",
    "mach-cross-domain-lookup",
    "mach-derive-port",
    "mach-host*",
    "mach-host-exception-port-set",
    "mach-host-special-port-set",
    "mach-issue-extension",
    "mach-kernel-endpoint",
    "mach-lookup",
    "mach-message-send",
    "mach-priv*",
    "mach-priv-host-port",
    "mach-priv-task-port",
    "mach-register",
    "mach-task*",
    "mach-task-inspect",
    "mach-task-name",
    "mach-task-read",
    "mach-task-special-port*",
    "mach-task-special-port-get",
    "mach-task-special-port-set",
    "managed-preference-read",
    "necp-client-open",
    "network*",
    "network-bind",
    "network-inbound",
    "network-outbound",
    "nvram*",
    "nvram-delete",
    "nvram-get",
    "nvram-set",
    "opendirectory-user-modify",
    "process*",
    "process-codesigning",
    "process-exec*",
    "process-exec-interpreter",
    "process-exec-update-label",
    "process-fork",
    "process-info*",
    "process-info-codesignature",
    "process-info-dirtycontrol",
    "process-info-ledger",
    "process-info-listpids",
    "process-info-pidfdinfo",
    "process-info-pidfileportinfo",
    "process-info-pidinfo",
    "process-info-rusage",
    "process-info-setcontrol",
    "process-legacy-codesigning*",
    "process-legacy-codesigning-blob-get",
    "process-legacy-codesigning-cdhash-get",
    "process-legacy-codesigning-entitlements-blob-get",
    "process-legacy-codesigning-entitlements-der-blob-get",
    "process-legacy-codesigning-identity-get",
    "process-legacy-codesigning-status*",
    "process-legacy-codesigning-status-get",
    "process-legacy-codesigning-status-set",
    "process-legacy-codesigning-teamid-get",
    "process-legacy-codesigning-text-offset-get",
    "pseudo-tty",
    "qtn-user",
    "signal",
    "socket-ioctl",
    "socket-option*",
    "socket-option-get",
    "socket-option-set",
    "storage-class-map",
    "syscall*",
    "syscall-mach",
    "syscall-mig",
    "syscall-unix",
    "sysctl*",
    "sysctl-read",
    "sysctl-write",
    "system*",
    "system-acct",
    "system-audit",
    "system-automount",
    "system-debug",
    "system-fcntl",
    "system-fsctl",
    "system-info",
    "system-kas-info",
    "system-kext*",
    "system-kext-load",
    "system-kext-query",
    "system-kext-unload",
    "system-mac*",
    "system-mac-label",
    "system-mac-syscall",
    "system-memorystatus-control",
    "system-necp-client-action",
    "system-nfssvc",
    "system-package-check",
    "system-privilege",
    "system-reboot",
    "system-sched",
    "system-set-time",
    "system-socket",
    "system-suspend-resume",
    "system-swap",
    "user-preference*",
    "user-preference-read",
    "user-preference-write",
    "xpc-message-send",
];

/// Group names that profile language version 1 also accepts without their star.
pub const UNSTARRED_GROUPS: [&str; 4] = ["iokit-open", "ipc-posix-sem", "ipc-posix-shm", "process-exec"];

/// Groups that the profile language has beside those of the vocabulary. As of every group, the operations with their stem
/// are their members.
pub const FURTHER_GROUPS: [&str; 1] = ["ipc-posix-shm-read*"];

/// Names that profiles of other releases use, and what the operations begin with that each may be about. None: it is an
/// operation of its own that 14.4.1 does not list.
pub const OTHER_NAMES: [(&str, &[&str]); 8] = [
    ("ipc-posix-shm-read-metadata", &[]),
    ("mach-per-user-lookup", &["mach-lookup"]),
    ("process-codesigning*", &["process-codesigning", "process-legacy-codesigning"]),
    ("process-codesigning-status*", &["process-codesigning", "process-legacy-codesigning-status"]),
    ("process-codesigning-status-get", &["process-codesigning", "process-legacy-codesigning-status"]),
    ("process-codesigning-status-set", &["process-codesigning", "process-legacy-codesigning-status"]),
    ("qtn-download", &["qtn-"]),
    ("qtn-sandbox", &["qtn-"]),
];

/// Whether `name` is an operation of the vocabulary. Un-starred group names are not.
pub fn is_operation(name: &str) -> bool {
    OPERATIONS.binary_search(&name).is_ok()
}

/// The vocabulary's own spelling of `name`: itself, or the starred group that version 1 lets one write without star.
/// `None` for a name that is no operation at all.
pub fn canonical(name: &str) -> Option<&'static str> {
    if let Ok(place) = OPERATIONS.binary_search(&name) {
        return Some(OPERATIONS[place]);
    }
    if UNSTARRED_GROUPS.contains(&name) {
        return OPERATIONS.iter().copied().find(|known| known.strip_suffix('*') == Some(name));
    }
    None
}

/// What a name in a rule means: an operation or a group under the vocabulary's own spelling, a group of the language
/// alone included. `None` for a name whose meaning is not known for certain.
pub fn meaning(name: &str) -> Option<&'static str> {
    canonical(name).or_else(|| FURTHER_GROUPS.into_iter().find(|known| *known == name))
}

/// The names that decide about `operation`, the nearest first: itself, its groups from narrow to wide, `default`.
pub fn levels(operation: &'static str) -> Vec<&'static str> {
    let mut groups: Vec<&'static str> = OPERATIONS
        .into_iter()
        .chain(FURTHER_GROUPS)
        .filter(|group| group.ends_with('*') && *group != operation && covers(group, operation))
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    let mut levels = vec![operation];
    levels.extend(groups);
    if operation != "default" {
        levels.push("default");
    }
    levels
}

/// Whether a name that [`meaning`] does not know may be about `operation`: as its other name, or as a group of it. Names
/// of one family begin with the same word; one of no known family may be about anything.
pub fn may_concern(name: &str, operation: &str) -> bool {
    if let Some((_, begins)) = OTHER_NAMES.iter().find(|(known, _)| *known == name) {
        return begins.iter().any(|begin| operation.starts_with(begin));
    }
    let word = |name: &str| name.split(['-', '*']).next().unwrap_or_default().to_owned();
    let family = word(name);
    family == word(operation) || !OPERATIONS.iter().any(|known| word(known) == family)
}

/// Whether a rule on `rule` decides about `operation`: the same name, `default`, or a group that it belongs to.
///
/// Names alone decide membership: `file-read*` covers `file-read-data`, and `file*` covers both. `process-exec*` covers
/// `process-exec-interpreter`.
pub fn covers(rule: &str, operation: &str) -> bool {
    let rule = canonical(rule).unwrap_or(rule);
    rule == "default"
        || rule == operation
        || rule.strip_suffix('*').is_some_and(|stem| {
            operation.strip_prefix(stem).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '*']))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_searchable() {
        assert!(OPERATIONS.windows(2).all(|pair| pair[0] < pair[1]));
        for name in OPERATIONS {
            assert!(is_operation(name));
            assert_eq!(canonical(name), Some(name));
        }
        for name in ["", "file-write-metadata", "network-listen", "file-read-acl", "process-exec", "FILE*"] {
            assert!(!is_operation(name), "{name}");
        }
    }

    #[test]
    fn groups_cover_their_members() {
        assert_eq!(canonical("process-exec"), Some("process-exec*"));
        assert_eq!(canonical("file"), None);
        assert!(covers("file*", "file-read-data"));
        assert!(covers("file-read*", "file-read*"));
        assert!(covers("file*", "file-read*"));
        assert!(covers("process-exec", "process-exec-interpreter"));
        assert!(covers("default", "signal"));
        assert!(!covers("file-read*", "file-write-data"));
        assert!(!covers("mach*", "machx"));
        assert!(!covers("file-read-data", "file-read*"));
    }

    #[test]
    fn levels_go_from_narrow_to_wide() {
        assert_eq!(levels("file-read-data"), ["file-read-data", "file-read*", "file*", "default"]);
        assert_eq!(
            levels("ipc-posix-shm-read-data"),
            ["ipc-posix-shm-read-data", "ipc-posix-shm-read*", "ipc-posix-shm*", "ipc-posix*", "ipc*", "default"]
        );
        assert_eq!(levels("process-exec*"), ["process-exec*", "process*", "default"]);
        assert_eq!(levels("signal"), ["signal", "default"]);
        assert_eq!(levels("default"), ["default"]);
    }

    #[test]
    fn a_name_of_another_release_concerns_its_own_family_alone() {
        assert!(may_concern("mach-per-user-lookup", "mach-lookup"));
        assert!(!may_concern("mach-per-user-lookup", "mach-register"));
        assert!(!may_concern("ipc-posix-shm-read-metadata", "ipc-posix-shm-read-data"));
        assert!(may_concern("file-frobnicate", "file-read-data"));
        assert!(!may_concern("file-frobnicate", "process-fork"));
        assert!(may_concern("frobnicate", "process-fork"));
    }

    #[test]
    fn every_driver_stands_for_known_operations() {
        for driver in crate::record::driver::Driver::ALL {
            for operation in driver.info().operations {
                assert!(is_operation(operation), "{operation} of {:?}", driver.info().name);
            }
        }
    }
}
