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
    fn every_driver_stands_for_known_operations() {
        for driver in crate::record::driver::Driver::ALL {
            for operation in driver.info().operations {
                assert!(is_operation(operation), "{operation} of {:?}", driver.info().name);
            }
        }
    }
}
