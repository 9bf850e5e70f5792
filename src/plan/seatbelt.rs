//! What a probe under a Seatbelt profile does, as an [`Action`].
//!
//! Documents of the reference name drivers of its own, or none; here each stands for exactly one of ours. What nothing
//! here performs becomes a policy query: it is asked about and never counted as attempted.

use super::diagnostic::{DiagnosticKind, Diagnostics, Severity, shown};
use super::file::ProbeEntry;
use super::probes::{
    check_capabilities, check_demands, check_listener, check_operation, check_params, check_texts, with_folders,
};
use super::text::{is_absolute, is_endpoint, is_own, own_elsewhere};
use crate::policy::operations::canonical;
use crate::record::action::Action;
use crate::record::driver::{Driver, Effect, PAYLOADS, Param, Platform, TargetKind};

/// The extended attribute that the reference's probes work on; its documents do not name it.
pub const REFERENCE_XATTR: &str = "user.sandbox_lore";

/// The reference's names for programs. (Protonk/sandbox-boostrap, book/api/runtime; `native` it pays no heed to.)
const REFERENCE_DRIVERS: [&str; 9] = [
    "sandbox_mach_probe",
    "mach_probe",
    "xpc_probe",
    "sandbox_iokit_probe",
    "iokit_probe",
    "metadata_runner",
    "file_probe",
    "sandbox_check_probe",
    "native",
];

/// Checks a probe that runs under a Seatbelt profile, and gives what it does. `base` is the probe's place.
pub(super) fn seatbelt_action(entry: &ProbeEntry, base: &str, notes: &mut Diagnostics<'_>) -> Option<Action> {
    let entry = &with_folders(entry);
    let before = notes.list.len();
    check_operation(entry, |name| canonical(name).is_some(), base, notes);
    check_capabilities(entry, Severity::Warning, base, notes);
    let own = entry.driver.as_deref().is_some_and(|name| !REFERENCE_DRIVERS.contains(&name));
    let driver = if own { own_driver(entry, base, notes)? } else { reference_driver(entry, base, notes) };
    let info = driver.info();
    let mut action = Action::new(driver, &*entry.target);
    action.to = entry.to.clone();
    action.name = entry.attribute.clone();
    action.argv = entry.argv.clone();
    action.exit_code = entry.exit_code;
    if own {
        check_params(entry, info, info.darwin_call, base, notes);
    } else if action.name.is_none() && matches!(driver, Driver::XattrGet | Driver::XattrSet) {
        action.name = Some(REFERENCE_XATTR.to_owned());
    }
    if info.params.contains(&Param::Payload) {
        action.payload = payload(entry, base, notes);
    }
    check_texts(entry, base, notes);
    check_demands(entry, base, notes);
    check_target(entry, driver, base, notes);
    check_listener(entry, driver, base, notes);
    if !entry.mounts.is_empty() {
        let message = "macOS has no mount namespaces, so a probe cannot have mounts of its own";
        notes.error(DiagnosticKind::Parameter, format!("{base}/mounts"), message, "remove them");
    }
    let refused = notes.list[before..].iter().any(|note| note.severity == Severity::Error);
    (!refused).then_some(action)
}

/// The driver of ours that the entry names.
fn own_driver(entry: &ProbeEntry, base: &str, notes: &mut Diagnostics<'_>) -> Option<Driver> {
    let name = entry.driver.as_deref().unwrap_or_default();
    let here = || Driver::ALL.iter().map(|driver| driver.info()).filter(|info| info.platforms.macos());
    let pointer = format!("{base}/driver");
    let Some(driver) = Driver::by_name(name) else {
        let known = here().map(|info| info.name).chain(REFERENCE_DRIVERS);
        let remedy = notes.hint(name, known, "`sandproof list-drivers` lists them");
        notes.error(DiagnosticKind::Driver, pointer, format!("there is no driver `{}`", shown(name)), remedy);
        return None;
    };
    let operation = canonical(&entry.operation).unwrap_or(&entry.operation);
    if !driver.info().platforms.macos() {
        let fitting: Vec<&str> =
            here().filter(|info| info.operations.contains(&operation)).map(|info| info.name).collect();
        let remedy = format!(
            "for this operation: {}",
            if fitting.is_empty() { "policy_query".into() } else { fitting.join(", ") }
        );
        let message = format!("the driver `{name}` belongs to Linux, and the profile to macOS");
        notes.error(DiagnosticKind::Driver, pointer, message, remedy);
        return None;
    }
    if canonical(&entry.operation).is_some() && !driver.performs(operation) {
        notes.error(
            DiagnosticKind::Driver,
            pointer,
            format!("the driver `{name}` does not perform `{}`", entry.operation),
            format!("it stands for {}", driver.info().operations.join(", ")),
        );
    }
    Some(driver)
}

/// Our driver for a probe that names one of the reference's, or none.
fn reference_driver(entry: &ProbeEntry, base: &str, notes: &mut Diagnostics<'_>) -> Driver {
    let operation = canonical(&entry.operation).unwrap_or(&entry.operation);
    let local = entry.filter_name.as_deref() == Some("local-name");
    match entry.driver.as_deref() {
        Some("sandbox_check_probe") => return Driver::PolicyQuery,
        Some("xpc_probe") => return Driver::XpcLookup,
        Some("sandbox_mach_probe" | "mach_probe") if operation != "mach-register" => {
            return if local { Driver::MachLookupLocal } else { Driver::MachLookup };
        }
        Some("sandbox_iokit_probe" | "iokit_probe") => {
            let client = operation == "iokit-open-user-client";
            return if client { Driver::IokitOpenUserClient } else { Driver::IokitOpenService };
        }
        Some("metadata_runner") => return metadata_driver(entry, operation, base, notes),
        _ => {}
    }
    let relative = entry.syscall.as_deref();
    match (operation, relative) {
        ("file-read*" | "file-read-data", Some("openat")) => return Driver::FileReadAt,
        ("file-read*" | "file-read-data", Some("openat_rootrel")) => return Driver::FileReadRootrel,
        ("file-write*" | "file-write-data", Some("openat")) => return Driver::FileWriteAt,
        ("file-write*" | "file-write-data", Some("openat_rootrel")) => return Driver::FileWriteRootrel,
        // Links on the way would be another operation each.
        ("file-read-metadata", _) => return Driver::FileLstat,
        ("signal", _) => return Driver::SignalSameSandbox,
        ("mach-lookup", _) if local => return Driver::MachLookupLocal,
        _ => {}
    }
    let macos = || {
        // The reference's documents know no driver that looks into its own environment.
        let attempts = |driver: &Driver| {
            !matches!(driver, Driver::ApplyOnly | Driver::PolicyQuery) && driver.info().target != TargetKind::Variable
        };
        Driver::ALL.iter().copied().filter(|driver| driver.info().platforms.macos()).filter(attempts)
    };
    let attempted = macos()
        .find(|driver| driver.info().operations.first() == Some(&operation))
        .or_else(|| macos().find(|driver| driver.info().operations.contains(&operation)))
        // A program has to be one that the run knows; the reference executes one that says nothing about the target.
        .filter(|driver| *driver != Driver::Exec || entry.target.starts_with('/'))
        // Nothing says where to.
        .filter(|driver| !driver.info().params.contains(&Param::To) || entry.to.is_some());
    attempted.unwrap_or_else(|| {
        if canonical(&entry.operation).is_some() {
            notes.warning(
                DiagnosticKind::Driver,
                base,
                format!("nothing here performs `{operation}` on such a target, so the policy is only asked"),
                "name a driver, or expect no more than an oracle's answer",
            );
        }
        Driver::PolicyQuery
    })
}

/// The driver that makes one call of the reference's metadata program.
fn metadata_driver(entry: &ProbeEntry, operation: &str, base: &str, notes: &mut Diagnostics<'_>) -> Driver {
    let reads = operation == "file-read-metadata";
    match entry.syscall.as_deref() {
        None if reads => Driver::FileLstat,
        None => Driver::FileChmod,
        Some("lstat") => Driver::FileLstat,
        Some("stat") => Driver::FileStat,
        Some("fstat") => Driver::FileFstat,
        Some("getattrlist") => Driver::FileGetattrlist,
        Some("setattrlist") => Driver::FileSetattrlist,
        Some("chmod") => Driver::FileChmod,
        Some("fchmod") => Driver::FileFchmod,
        Some("chown") => Driver::FileChown,
        Some("lchown") => Driver::FileLchown,
        Some("fchown") => Driver::FileFchown,
        Some("fchownat") => Driver::FileFchownat,
        Some("utimes") => Driver::FileUtimes,
        Some("futimes") => Driver::FileFutimes,
        Some("lutimes") => Driver::FileLutimes,
        Some(other) => {
            notes.error(
                DiagnosticKind::Parameter,
                format!("{base}/syscall"),
                format!("the metadata driver makes no call `{}`", shown(other)),
                "use lstat, stat, fstat, getattrlist, setattrlist, chmod, fchmod, chown, lchown, fchown, fchownat, \
                 utimes, futimes or lutimes",
            );
            Driver::FileLstat
        }
    }
}

fn payload(entry: &ProbeEntry, base: &str, notes: &mut Diagnostics<'_>) -> Option<String> {
    let Some(text) = &entry.attr_payload else { return Some(PAYLOADS[0].to_owned()) };
    if !PAYLOADS.contains(&text.as_str()) {
        let remedy = notes.hint(text, PAYLOADS, &format!("use {}", PAYLOADS.join(", ")));
        let message = format!("`{}` is not an attribute list", shown(text));
        notes.error(DiagnosticKind::Parameter, format!("{base}/attr_payload"), message, remedy);
    }
    Some(text.clone())
}

fn check_target(entry: &ProbeEntry, driver: Driver, base: &str, notes: &mut Diagnostics<'_>) {
    let (info, target) = (driver.info(), &*entry.target);
    let pointer = format!("{base}/target");
    let known_process = |text: &str| {
        matches!(text, "self" | "outside") || text.parse::<i32>().is_ok_and(|pid| pid > 0 && pid.to_string() == text)
    };
    let (message, remedy) = match info.target {
        TargetKind::Path if !is_absolute(target) => ("is a relative path", "start it with `${root}` or `/`"),
        TargetKind::Endpoint if !is_endpoint(target) => {
            ("is not an endpoint", "write `127.0.0.1:PORT` or `[::1]:PORT`, where PORT is a number or `${port.NAME}`")
        }
        TargetKind::Name if target.is_empty() => ("names nothing", "write a name"),
        TargetKind::Variable if target.is_empty() || target.contains(['=', '$']) => {
            ("is not a variable name", "write one, such as `SANDPROOF_SECRET`")
        }
        TargetKind::Process if !known_process(target) => {
            ("is not a process", "write `self`, `outside` or a process id")
        }
        _ => {
            for (key, path) in [("target", Some(target)), ("to", entry.to.as_deref())] {
                let foreign = |path: &&str| !is_own(path) && own_elsewhere(path, Platform::Macos).is_none();
                let Some(path) = path.filter(|_| info.effect == Effect::Changes).filter(foreign) else { continue };
                if driver == Driver::SymlinkCreate && key == "to" {
                    continue;
                }
                notes.warning(
                    DiagnosticKind::ForeignTarget,
                    format!("{base}/{key}"),
                    format!("the driver `{}` changes `{}`, which is not the run's own", info.name, shown(path)),
                    "start it with `${root}/`, or with `/private/tmp/${name.NAME}/` and let a fixture make it",
                );
            }
            return;
        }
    };
    notes.error(DiagnosticKind::Target, pointer, format!("`{}` {message}", shown(target)), remedy);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::diagnostic::Diagnostic;
    use super::*;
    use crate::policy::operations::is_operation;

    fn entry(operation: &str, driver: Option<&str>, target: &str, more: serde_json::Value) -> ProbeEntry {
        let mut value = json!({
            "probe_id": "p", "name": "p", "operation": operation, "target": target, "expected": "allow",
            "supports_lanes": {}, "expected_primary_ops": [], "expected_predicates": [],
            "capabilities_required": [], "controls_supported": [],
        });
        if let Some(driver) = driver {
            value["driver"] = driver.into();
        }
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(value).unwrap()
    }

    fn resolve(entry: &ProbeEntry) -> (Option<Action>, Vec<Diagnostic>) {
        let mut list = Vec::new();
        let mut notes = Diagnostics { list: &mut list, file: "f", subject: "p" };
        let action = seatbelt_action(entry, "/probes/p", &mut notes);
        (action, list)
    }

    fn driver(operation: &str, driver: Option<&str>, target: &str, more: serde_json::Value) -> Driver {
        let (action, notes) = resolve(&entry(operation, driver, target, more));
        action.unwrap_or_else(|| panic!("{operation} {driver:?} {target}: {notes:?}")).driver
    }

    #[test]
    fn every_driver_names_operations_of_the_vocabulary() {
        for driver in Driver::ALL {
            for operation in driver.info().operations {
                assert!(is_operation(operation), "{operation}");
            }
        }
    }

    #[test]
    fn the_references_programs_become_single_operations() {
        let none = || json!({});
        for (operation, name, target, more, ours) in [
            ("file-read*", None, "/tmp/a", none(), Driver::FileRead),
            ("file-read-data", Some("file_probe"), "/tmp/a", none(), Driver::FileRead),
            ("file-read*", None, "/tmp/a", json!({"syscall": "openat"}), Driver::FileReadAt),
            ("file-read*", None, "/tmp/a", json!({"syscall": "openat_rootrel"}), Driver::FileReadRootrel),
            ("file-write*", None, "/tmp/a", json!({"syscall": "open"}), Driver::FileWrite),
            ("file-write-data", None, "/tmp/a", json!({"syscall": "openat_rootrel"}), Driver::FileWriteRootrel),
            ("file-read-metadata", None, "/tmp/a", none(), Driver::FileLstat),
            ("file-read-metadata", Some("metadata_runner"), "/tmp/a", none(), Driver::FileLstat),
            ("file-write*", Some("metadata_runner"), "/tmp/a", none(), Driver::FileChmod),
            ("file-write*", Some("metadata_runner"), "/tmp/a", json!({"syscall": "fchownat"}), Driver::FileFchownat),
            ("file-test-existence", None, "/tmp/a", none(), Driver::FileAccess),
            ("file-search", Some("file_probe"), "/tmp/a", none(), Driver::FileSearch),
            ("file-write-unlink", None, "/tmp/a", none(), Driver::FileUnlink),
            ("mach-lookup", Some("sandbox_mach_probe"), "a.b", none(), Driver::MachLookup),
            ("mach-lookup", Some("mach_probe"), "a.b", json!({"filter_name": "local-name"}), Driver::MachLookupLocal),
            ("mach-lookup", Some("xpc_probe"), "a.b", none(), Driver::XpcLookup),
            ("mach-register", None, "a.b", none(), Driver::MachRegister),
            ("iokit-open-service", Some("sandbox_iokit_probe"), "IOSurfaceRoot", none(), Driver::IokitOpenService),
            ("iokit-open-user-client", Some("iokit_probe"), "X", none(), Driver::IokitOpenUserClient),
            ("sysctl-read", None, "kern.ostype", none(), Driver::SysctlRead),
            ("darwin-notification-post", None, "a.b", none(), Driver::DarwinNotificationPost),
            ("distributed-notification-post", None, "a.b", none(), Driver::DistributedNotificationPost),
            ("process-info-pidinfo", None, "self", none(), Driver::ProcessInfo),
            ("process-info-pidinfo", None, "1", none(), Driver::ProcessInfo),
            ("signal", None, "self", none(), Driver::SignalSameSandbox),
            ("network-outbound", None, "127.0.0.1:80", none(), Driver::TcpConnect),
            ("process-fork", None, "x", none(), Driver::ProcessFork),
            ("process-exec", None, "/usr/bin/true", none(), Driver::Exec),
            ("user-preference-read", Some("sandbox_check_probe"), "a.b", none(), Driver::PolicyQuery),
            ("user-preference-read", Some("native"), "a.b", none(), Driver::PreferenceRead),
            ("ipc-posix-shm-write-create", None, "/x", none(), Driver::PosixShm),
        ] {
            assert_eq!(driver(operation, name, target, more.clone()), ours, "{operation} {name:?} {more}");
        }
        let (action, _) = resolve(&entry("file-read-xattr", None, "/tmp/a", none()));
        assert_eq!(action.unwrap().name.as_deref(), Some(REFERENCE_XATTR));
        let lists = json!({"syscall": "getattrlist", "attr_payload": "cmn-times"});
        let (action, _) = resolve(&entry("file-read-metadata", Some("metadata_runner"), "/tmp/a", lists));
        let action = action.unwrap();
        assert_eq!((action.driver, action.payload.as_deref()), (Driver::FileGetattrlist, Some("cmn-times")));
    }

    #[test]
    fn what_nothing_performs_is_only_asked_and_says_so() {
        for operation in ["authorization-right-obtain", "system-kext-query", "default", "file-link"] {
            let (action, notes) = resolve(&entry(operation, None, "/x", json!({})));
            assert_eq!(action.unwrap().driver, Driver::PolicyQuery, "{operation}");
            assert_eq!(notes.len(), 1, "{operation}: {notes:?}");
            assert_eq!(notes[0].severity, Severity::Warning);
        }
    }

    #[test]
    fn our_own_drivers_are_checked_strictly() {
        for (operation, name, target, more, part) in [
            ("file-read*", "file_raed", "/a", json!({}), "no driver"),
            ("file-read-metadata", "file_open_path", "/a", json!({}), "belongs to Linux"),
            ("file-read*", "mach_lookup", "/a", json!({}), "does not perform"),
            ("file-read*", "file_read", "a", json!({}), "relative path"),
            ("file-link", "file_link", "${root}/a", json!({}), "needs `to`"),
            ("network-outbound", "tcp_connect", "host", json!({}), "not an endpoint"),
            ("process-info-pidinfo", "process_info", "0", json!({}), "not a process"),
            ("mach-lookup", "mach_lookup", "", json!({}), "names nothing"),
            ("file-read-metadata", "file_getattrlist", "/a", json!({"attr_payload": "all"}), "not an attribute list"),
            ("file-read*", "file_read", "/a", json!({"mounts": [{"from": "/a", "at": "${root}"}]}), "mount namespaces"),
        ] {
            let (action, notes) = resolve(&entry(operation, Some(name), target, more));
            assert_eq!(action, None, "{name}");
            assert!(notes.iter().any(|note| note.message.contains(part)), "{name}: {notes:?}");
        }
    }

    #[test]
    fn a_change_of_what_the_run_did_not_make_is_pointed_out() {
        let (action, notes) = resolve(&entry("file-write*", None, "/etc/hosts", json!({})));
        assert!(action.is_some());
        assert!(notes.iter().any(|note| note.kind == DiagnosticKind::ForeignTarget), "{notes:?}");
        let (_, notes) = resolve(&entry("file-write*", None, "${root}/a", json!({})));
        assert_eq!(notes.len(), 0, "{notes:?}");
    }
}
