//! Operations of which it is not known that `(deny default)` refuses them.
//!
//! A version 1 profile is not the only text that is compiled: the system puts rules of its own before it. What those
//! allow holds unless the profile denies it by name. They have not been published; which operations they allow is known
//! from the policies of those who had to deny them one by one.

use super::object::{CheckFact, CheckObject, Process};
use crate::policy::operations::covers;

/// What is known of an operation that a rule on a wider group, or on `default`, denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WideDenialReach {
    /// The rule denies it.
    Yes,
    /// The rule leaves it alone as long as nothing names it: seen on 14.4.1.
    NotWhileUnnamed,
    /// Nobody knows, for this reason.
    Unknown(&'static str),
}

/// An entry: the widest name under which a profile denies it for certain, when it applies, and why it is here.
struct WideDenial {
    name: &'static str,
    applies: fn(&CheckObject) -> bool,
    why: &'static str,
}

const VENDORS: &str = "the published policies of browsers deny it by name, saying that `(deny default)` does not";
const BESIDES: &str = "the published policies of browsers deny it by name besides `(deny default)`";
const ITSELF: &str = "rules that the system puts before a profile are reported to allow it on the process itself";
const XPC: &str = "published policies deny lookups by `xpc-service-name` by name besides `(deny default)`";

const fn always(name: &'static str, why: &'static str) -> WideDenial {
    WideDenial { name, applies: |_| true, why }
}

const fn on_itself(name: &'static str) -> WideDenial {
    WideDenial { name, applies: |object| matches!(object.process, Some(Process::Itself) | None), why: ITSELF }
}

const ENTRIES: [WideDenial; 17] = [
    always("process-info*", VENDORS),
    always("nvram*", VENDORS),
    always("iokit-get-properties", VENDORS),
    always("file-map-executable", VENDORS),
    always("dynamic-code-generation", BESIDES),
    always("file-ioctl", BESIDES),
    always("lsopen", BESIDES),
    always("socket-ioctl", BESIDES),
    always("socket-option*", BESIDES),
    always("system-fcntl", BESIDES),
    always("system-mac-syscall", BESIDES),
    on_itself("signal"),
    on_itself("mach-task-name"),
    on_itself("mach-task-inspect"),
    on_itself("mach-task-read"),
    always("mach-task-special-port-get", ITSELF),
    WideDenial {
        name: "mach-lookup",
        applies: |object| matches!(object.named.get("xpc-service-name"), Some(CheckFact::Is(_))),
        why: XPC,
    },
];

/// Operations that `(deny default)` was seen to leave alone.
///
/// `iokit-open-service`: on 14.4.1 a service was opened under `(deny default)` with a rule for its user client alone,
/// and was refused (0xe00002e2) once a rule denied `iokit-open-service` itself. The `syscall-*` operations: a process
/// under `(deny default)` goes on making system calls.
const LEFT_ALONE: [&str; 4] = ["iokit-open-service", "syscall-mach", "syscall-mig", "syscall-unix"];

/// Whether a denial of `level`, one of the operation's levels, reaches the operation on this object.
pub(super) fn reached(operation: &str, level: &str, object: &CheckObject) -> WideDenialReach {
    if LEFT_ALONE.contains(&operation) && level == "default" {
        return WideDenialReach::NotWhileUnnamed;
    }
    let by_name = |entry: &WideDenial| level != "default" && covers(entry.name, level);
    let entry = ENTRIES.iter().find(|entry| covers(entry.name, operation) && (entry.applies)(object));
    match entry {
        Some(entry) if !by_name(entry) => WideDenialReach::Unknown(entry.why),
        _ => WideDenialReach::Yes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::operations::is_operation;

    #[test]
    fn a_denial_by_name_reaches_what_one_of_a_wider_group_may_not() {
        let other = CheckObject { process: Some(Process::Other), ..CheckObject::default() };
        let own = CheckObject { process: Some(Process::Itself), ..CheckObject::default() };
        let unknown = |operation, level, object: &CheckObject| {
            matches!(reached(operation, level, object), WideDenialReach::Unknown(_))
        };
        assert!(unknown("process-info-pidinfo", "default", &other));
        assert!(unknown("process-info-pidinfo", "process*", &other));
        assert!(!unknown("process-info-pidinfo", "process-info*", &other));
        assert!(!unknown("process-info-pidinfo", "process-info-pidinfo", &other));
        assert!(unknown("signal", "default", &own));
        assert!(!unknown("signal", "default", &other));
        assert!(!unknown("signal", "signal", &own));
        assert!(unknown("iokit-get-properties", "iokit*", &CheckObject::default()));
        assert!(!unknown("file-read-data", "default", &CheckObject::default()));
        assert_eq!(reached("iokit-open-service", "default", &other), WideDenialReach::NotWhileUnnamed);
        assert!(ENTRIES.iter().all(|entry| is_operation(entry.name)));
    }
}
