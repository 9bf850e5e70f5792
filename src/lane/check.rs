//! Which question `sandbox_check` is put before an operation (macOS).
//!
//! It answers for operations whose filter has a number in its own numbering, and for no others: it has no filter for a
//! sysctl name, an IOKit class or a network address, and asked without one it answers another question.

use crate::plan::file::ProbeEntry;
use crate::record::callout::{CheckRequest, candidate, filter_name, filter_number};
use crate::record::driver::Driver;

/// The filter of an operation that says what it is about.
const BY_OPERATION: &[(&str, &str)] = &[
    ("file-", "path"),
    ("mach-lookup", "global-name"),
    ("mach-register", "global-name"),
    ("darwin-notification-post", "notification-name"),
    ("distributed-notification-post", "notification-name"),
    ("appleevent-send", "appleevent-destination"),
    ("authorization-right-obtain", "right-name"),
    ("user-preference-", "preference-domain"),
    ("managed-preference-read", "preference-domain"),
    ("ipc-posix-", "ipc-posix-name"),
    ("nvram-", "nvram-variable"),
    ("system-info", "info-type"),
    ("system-kext-", "kext-bundle-id"),
];

/// Filters that can be asked about.
fn askable(name: &str) -> Option<i32> {
    filter_number(name).filter(|number| *number > 0)
}

/// The question for a probe whose resolved driver and target these are. `None`: it is not asked.
///
/// A filter's name counts more than its number, because numbers of the reference's first documents are those of compiled
/// profiles and mean something else here.
pub fn request(entry: &ProbeEntry, driver: Driver, target: &str) -> Option<CheckRequest> {
    let by_operation = || {
        let (_, name) = BY_OPERATION.iter().find(|(start, _)| match start.strip_suffix('-') {
            Some(_) => entry.operation.starts_with(start),
            None => entry.operation == *start,
        })?;
        askable(name)
    };
    let number = match (entry.filter_name.as_deref(), entry.filter_type, driver) {
        (Some(name), _, _) => askable(name),
        (None, _, Driver::XpcLookup) => askable("xpc-service-name"),
        (None, _, Driver::MachLookupLocal) => askable("local-name"),
        (None, Some(number), _) => match by_operation() {
            Some(known) => Some(known),
            None => i32::try_from(number).ok().filter(|number| *number > 0 && filter_name(*number).is_some()),
        },
        (None, None, _) => by_operation(),
    }?;
    Some(CheckRequest {
        operation: candidate(&entry.operation).to_owned(),
        filter_type: number,
        filter_name: filter_name(number).map(str::to_owned),
        argument: Some(target.to_owned()),
        canonicalization: None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ask(operation: &str, driver: Driver, more: serde_json::Value) -> Option<(String, i32)> {
        let mut value = json!({
            "probe_id": "p", "name": "p", "operation": operation, "target": "t", "expected": "allow",
            "supports_lanes": {}, "expected_primary_ops": [], "expected_predicates": [],
            "capabilities_required": [], "controls_supported": [],
        });
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let entry: ProbeEntry = serde_json::from_value(value).unwrap();
        request(&entry, driver, "t").map(|request| {
            assert_eq!(request.argument.as_deref(), Some("t"));
            (request.operation, request.filter_type)
        })
    }

    #[test]
    fn questions_use_the_numbers_of_sandbox_check() {
        let none = || json!({});
        for (operation, driver, more, asked, number) in [
            ("file-read*", Driver::FileRead, none(), "file-read-data", 1),
            ("file-read-metadata", Driver::FileLstat, none(), "file-read-metadata", 1),
            ("mach-lookup", Driver::MachLookup, none(), "mach-lookup", 2),
            ("mach-lookup", Driver::MachLookupLocal, none(), "mach-lookup", 3),
            ("mach-lookup", Driver::XpcLookup, none(), "mach-lookup", 12),
            ("mach-lookup", Driver::MachLookup, json!({"filter_name": "local-name"}), "mach-lookup", 3),
            // 5 is the compiled id of global-name, and right-name here.
            ("mach-lookup", Driver::MachLookup, json!({"filter_type": 5}), "mach-lookup", 2),
            ("authorization-right-obtain", Driver::PolicyQuery, none(), "authorization-right-obtain", 5),
            ("user-preference-read", Driver::PolicyQuery, none(), "user-preference-read", 6),
            ("darwin-notification-post", Driver::DarwinNotificationPost, none(), "darwin-notification-post", 9),
            ("ipc-posix-shm-write-create", Driver::PosixShm, none(), "ipc-posix-shm-write-create", 17),
        ] {
            assert_eq!(ask(operation, driver, more), Some((asked.to_owned(), number)), "{operation}");
        }
    }

    #[test]
    fn what_it_cannot_answer_is_not_asked() {
        for (operation, driver, more) in [
            ("sysctl-read", Driver::SysctlRead, json!({})),
            ("sysctl-read", Driver::SysctlRead, json!({"filter_name": "sysctl-name"})),
            ("sysctl-read", Driver::SysctlRead, json!({"filter_type": 37})),
            ("iokit-open-service", Driver::IokitOpenService, json!({})),
            ("iokit-open-service", Driver::IokitOpenService, json!({"filter_name": "iokit-registry-entry-class"})),
            ("network-outbound", Driver::TcpConnect, json!({})),
            ("signal", Driver::SignalSameSandbox, json!({})),
            ("process-fork", Driver::ProcessFork, json!({"filter_name": "none"})),
        ] {
            assert_eq!(ask(operation, driver, more), None, "{operation}");
        }
    }
}
