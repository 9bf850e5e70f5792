//! Which filters can apply to what an operation looks at. One that cannot does not match, whatever it says.

/// What operations have in common that look at the same kind of thing.
fn is_file(operation: &str) -> bool {
    operation.starts_with("file-") || operation.starts_with("fs-") || operation.starts_with("process-exec")
}

fn is_socket(operation: &str) -> bool {
    operation.starts_with("network-") || operation.starts_with("socket-") || operation == "system-socket"
}

/// Operations whose kind of target is known, so that a filter on another kind cannot apply.
fn is_plain(operation: &str) -> bool {
    let begins = |list: &[&str]| list.iter().any(|begin| operation.starts_with(begin));
    is_file(operation)
        || is_socket(operation)
        || begins(&["ipc-", "iokit-open", "iokit-get-", "iokit-set-", "nvram-", "process-info-", "syscall-", "sysctl-"])
        || begins(&["user-preference-", "system-kext-"])
        || matches!(
            operation,
            "mach-lookup"
                | "mach-register"
                | "signal"
                | "darwin-notification-post"
                | "distributed-notification-post"
                | "authorization-right-obtain"
                | "appleevent-send"
                | "managed-preference-read"
        )
}

/// Whether the filter can apply to what the operation looks at; `true` also where that is not known.
pub(super) fn can_apply(filter: &str, operation: &str) -> bool {
    if !is_plain(operation) {
        return true;
    }
    let begins = |begin: &str| operation.starts_with(begin);
    match filter {
        "path" => is_file(operation) || is_socket(operation) || begins("process-info-"),
        "vnode-type" | "file-mode" | "file-attribute" | "device-major" | "device-minor" => {
            is_file(operation) || is_socket(operation)
        }
        "xattr" => is_file(operation),
        "global-name" | "local-name" | "xpc-service-name" => begins("mach-"),
        "local" | "remote" => is_socket(operation),
        "socket-domain" | "socket-type" | "socket-protocol" | "control-name" => is_socket(operation),
        "sysctl-name" => begins("sysctl-"),
        "iokit-connection"
        | "iokit-property"
        | "iokit-registry-entry-attribute"
        | "iokit-registry-entry-class"
        | "iokit-user-client-class"
        | "iokit-user-client-type" => begins("iokit-"),
        "ipc-posix-name" | "semaphore-owner" => begins("ipc-posix-"),
        "notification-name" | "notification-payload" => operation.ends_with("-notification-post"),
        "preference-domain" => operation.contains("preference-"),
        "right-name" => operation == "authorization-right-obtain",
        "appleevent-destination" => operation == "appleevent-send",
        "nvram-variable" => begins("nvram-"),
        "syscall-number" => operation == "syscall-unix",
        "machtrap-number" => operation == "syscall-mach",
        "kernel-mig-routine" => operation == "syscall-mig",
        "signal-number" => operation == "signal",
        "target" => operation == "signal" || begins("process-info-") || begins("mach-"),
        "kext-bundle-id" => begins("system-kext-"),
        "ioctl-command" => matches!(operation, "file-ioctl" | "socket-ioctl"),
        "socket-option-level" | "socket-option-name" => begins("socket-option-"),
        "snapshot-name" => begins("fs-snapshot-"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_stay_with_their_kind_of_target() {
        assert!(!can_apply("global-name", "file-read-data"));
        assert!(!can_apply("path", "mach-lookup"));
        assert!(!can_apply("remote", "file-read-data"));
        assert!(can_apply("path", "network-outbound"));
        assert!(can_apply("vnode-type", "network-outbound"));
        assert!(can_apply("extension", "mach-lookup"));
        assert!(!can_apply("path", "user-preference-read") && can_apply("preference-domain", "user-preference-read"));
        assert!(!can_apply("path", "system-kext-load") && can_apply("kext-bundle-id", "system-kext-load"));
        for operation in ["signal", "process-info-pidinfo", "mach-lookup"] {
            assert!(can_apply("target", operation), "{operation}");
        }
        assert!(!can_apply("target", "sysctl-read"));
        for operation in ["network-outbound", "socket-option-get", "system-socket"] {
            assert!(can_apply("remote", operation) && !can_apply("global-name", operation), "{operation}");
        }
        for operation in ["file-ioctl", "fs-snapshot-create", "process-exec"] {
            assert!(can_apply("xattr", operation) && !can_apply("remote", operation), "{operation}");
        }
        assert!(can_apply("path", "lsopen"));
        assert!(can_apply("something-new", "file-read-data"));
    }
}
