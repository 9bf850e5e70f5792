//! Checks of one probe, and what it does as an [`Action`].

use std::borrow::Cow;

use super::capability::Capability;
use super::diagnostic::{DiagnosticKind, Diagnostics, Severity, shown};
use super::file::ProbeEntry;
use super::text::{folders_as_parts, has_folder, is_absolute, is_endpoint, is_new_of_own, is_own, own_elsewhere};
use crate::base::placeholder;
use crate::base::printable::is_hidden;
use crate::policy::operations::{OPERATIONS, is_operation};
use crate::record::action::Action;
use crate::record::driver::{Driver, DriverInfo, Effect, Param, Platform, TargetKind};
use crate::record::fixture::ListenerKind;
use crate::record::outcome::Expectation;

/// What is known about the placeholders, for messages.
const PLACEHOLDERS: &str = "known are `${root}`, `${port.NAME}` and `${name.NAME}`, with NAME of a-z, 0-9 and `_`";

/// Checks a probe that runs under a profile for Linux, and gives what it does. `base` is the probe's place.
pub(super) fn linux_action(entry: &ProbeEntry, base: &str, notes: &mut Diagnostics<'_>) -> Option<Action> {
    let entry = &with_folders(entry);
    check_operation(entry, is_operation, base, notes);
    check_capabilities(entry, Severity::Error, base, notes);
    let driver = find_driver(entry, base, notes)?;
    let info = driver.info();
    let before = notes.list.len();
    check_params(entry, info, info.syscall, base, notes);
    check_texts(entry, base, notes);
    check_demands(entry, base, notes);
    check_target(entry, info, base, notes);
    check_mounts(entry, base, notes);
    check_listener(entry, driver, base, notes);
    if notes.list[before..].iter().any(|note| note.severity == Severity::Error) {
        return None;
    }
    Some(Action {
        to: entry.to.clone(),
        name: entry.attribute.clone(),
        argv: entry.argv.clone(),
        exit_code: entry.exit_code,
        mounts: entry.mounts.clone(),
        ..Action::new(driver, &*entry.target)
    })
}

/// The probe with the folders that a launcher is told of spelled as what they are: parts of its own root.
pub(super) fn with_folders(entry: &ProbeEntry) -> Cow<'_, ProbeEntry> {
    let texts = [Some(&*entry.target), entry.to.as_deref(), entry.listener.as_ref().map(|it| it.address.as_str())];
    if !texts.into_iter().flatten().chain(entry.argv.iter().map(String::as_str)).any(has_folder) {
        return Cow::Borrowed(entry);
    }
    let mut entry = entry.clone();
    entry.target = folders_as_parts(&entry.target).into();
    entry.to = entry.to.as_deref().map(folders_as_parts);
    entry.argv = entry.argv.iter().map(|text| folders_as_parts(text)).collect();
    if let Some(listener) = &mut entry.listener {
        listener.address = folders_as_parts(&listener.address);
    }
    Cow::Owned(entry)
}

/// Every text that may hold placeholders.
pub(super) fn check_texts(entry: &ProbeEntry, base: &str, notes: &mut Diagnostics<'_>) {
    let texts =
        [("target", Some(&*entry.target)), ("to", entry.to.as_deref()), ("attribute", entry.attribute.as_deref())];
    let argv = entry.argv.iter().enumerate().map(|(n, text)| (format!("argv/{n}"), text.as_str()));
    for (key, text) in texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?))).chain(argv).chain(
        entry
            .mounts
            .iter()
            .enumerate()
            .flat_map(|(n, mount)| {
                [(format!("mounts/{n}/from"), mount.from.as_str()), (format!("mounts/{n}/at"), &mount.at)]
            })
            .chain(entry.listener.iter().map(|listener| ("listener/address".to_owned(), listener.address.as_str()))),
    ) {
        if let Some(unknown) = placeholder::unknown(text) {
            let message = format!("the placeholder `{}` does not exist", shown(unknown));
            notes.error(DiagnosticKind::Placeholder, format!("{base}/{key}"), message, PLACEHOLDERS);
        }
        if text.contains('\0') {
            let remedy = "remove it; an abstract name is written without its leading NUL";
            notes.error(DiagnosticKind::Target, format!("{base}/{key}"), "the text holds a NUL", remedy);
        } else if let Some(c) = text.chars().find(|c| c.is_control()) {
            // As in an id: whoever reads a report could be told another result than there is.
            let message = format!("the text holds a control character (U+{:04X})", u32::from(c));
            notes.error(DiagnosticKind::Target, format!("{base}/{key}"), message, "remove it");
        } else if let Some(c) = text.chars().find(|c| is_hidden(*c)) {
            let message = format!("the text holds a character that cannot be seen (U+{:04X})", u32::from(c));
            let remedy = "remove it, unless it is meant; in every report U+FFFD stands for it";
            notes.warning(DiagnosticKind::Target, format!("{base}/{key}"), message, remedy);
        }
    }
}

/// `known` says which spellings count.
pub(super) fn check_operation(entry: &ProbeEntry, known: fn(&str) -> bool, base: &str, notes: &mut Diagnostics<'_>) {
    if !known(&entry.operation) {
        let remedy = notes.hint(&entry.operation, OPERATIONS, "use one of Seatbelt's names, such as `file-read-data`");
        notes.error(
            DiagnosticKind::Operation,
            format!("{base}/operation"),
            format!("`{}` is not an operation of the vocabulary", shown(&entry.operation)),
            remedy,
        );
    }
    for (n, operation) in entry.expected_primary_ops().iter().enumerate() {
        if !known(operation) {
            let remedy = notes.hint(operation, OPERATIONS, "use one of Seatbelt's names");
            notes.error(
                DiagnosticKind::ExpectedOps,
                format!("{base}/expected_primary_ops/{n}"),
                format!("`{}` is not an operation of the vocabulary", shown(operation)),
                remedy,
            );
        }
    }
}

/// `severity` of a need that nobody knows: the reference's documents hold free texts.
pub(super) fn check_capabilities(entry: &ProbeEntry, severity: Severity, base: &str, notes: &mut Diagnostics<'_>) {
    for (n, text) in entry.capabilities_required.iter().enumerate() {
        if let Err(error) = Capability::parse(text) {
            let known = format!("known are {}", Capability::NAMES.join(", "));
            let remedy = notes.hint(text, Capability::NAMES, &known);
            let pointer = format!("{base}/capabilities_required/{n}");
            notes.push(severity, DiagnosticKind::Capability, pointer, error.to_string(), remedy);
        }
    }
}

fn find_driver(entry: &ProbeEntry, base: &str, notes: &mut Diagnostics<'_>) -> Option<Driver> {
    let Some(name) = entry.driver.as_deref() else {
        let fitting: Vec<&str> = Driver::ALL
            .iter()
            .map(|driver| driver.info())
            .filter(|info| info.platforms.linux() && info.operations.contains(&entry.operation.as_str()))
            .map(|info| info.name)
            .collect();
        let remedy = if fitting.is_empty() {
            "add `driver`".to_owned()
        } else {
            format!("add `driver`; for this operation: {}", fitting.join(", "))
        };
        notes.error(DiagnosticKind::Driver, base, "a probe under a Landlock profile needs a driver", remedy);
        return None;
    };
    let Some(driver) = Driver::by_name(name) else {
        let remedy = notes.hint(
            name,
            Driver::ALL.iter().map(|driver| driver.info().name),
            "`sandproof list-drivers` lists them",
        );
        notes.error(
            DiagnosticKind::Driver,
            format!("{base}/driver"),
            format!("there is no driver `{}` on this system", shown(name)),
            remedy,
        );
        return None;
    };
    let info = driver.info();
    if !info.platforms.linux() {
        notes.error(
            DiagnosticKind::Driver,
            format!("{base}/driver"),
            format!("the driver `{name}` belongs to macOS, and the profile to Linux"),
            "use one of Linux",
        );
        return None;
    }
    if is_operation(&entry.operation) && !info.operations.contains(&entry.operation.as_str()) {
        notes.error(
            DiagnosticKind::Driver,
            format!("{base}/driver"),
            format!("the driver `{name}` does not perform `{}`", entry.operation),
            format!("it stands for {}", info.operations.join(", ")),
        );
    }
    Some(driver)
}

/// `call` is the system call that the driver makes on the profile's system.
pub(super) fn check_params(entry: &ProbeEntry, info: DriverInfo, call: &str, base: &str, notes: &mut Diagnostics<'_>) {
    for (param, key, given) in
        [(Param::To, "to", entry.to.is_some()), (Param::Name, "attribute", entry.attribute.is_some())]
    {
        match (info.params.contains(&param), given) {
            (true, false) => notes.error(
                DiagnosticKind::Parameter,
                base,
                format!("the driver `{}` needs `{key}`", info.name),
                format!("add `{key}`"),
            ),
            (false, true) => notes.error(
                DiagnosticKind::Parameter,
                format!("{base}/{key}"),
                format!("the driver `{}` takes no `{key}`", info.name),
                "remove it",
            ),
            _ => {}
        }
    }
    let executes = info.name == Driver::Exec.info().name;
    for (key, given) in [("argv", !entry.argv.is_empty()), ("exit_code", entry.exit_code.is_some())] {
        if given && !executes {
            notes.error(
                DiagnosticKind::Parameter,
                format!("{base}/{key}"),
                format!("the driver `{}` executes nothing, so it takes no `{key}`", info.name),
                "remove it",
            );
        }
    }
    let takes_payload = info.params.contains(&Param::Payload);
    for (key, given) in [("syscall", &entry.syscall), ("attr_payload", &entry.attr_payload)] {
        let ignored = |text: &str| match key {
            "attr_payload" => !takes_payload,
            _ => text != call,
        };
        if given.as_deref().is_some_and(ignored) {
            notes.warning(
                DiagnosticKind::Parameter,
                format!("{base}/{key}"),
                format!("the driver `{}` ignores `{key}`; its system call is `{call}`", info.name),
                "remove it",
            );
        }
    }
}

/// What an expectation demands beside its decision has to make sense.
pub(super) fn check_demands(entry: &ProbeEntry, base: &str, notes: &mut Diagnostics<'_>) {
    for (key, what, given) in [
        ("mechanism", "a mechanism", !entry.mechanism.is_empty()),
        ("errno", "an error number", !entry.errno.is_empty()),
    ] {
        if given && entry.expected != Expectation::Deny {
            notes.error(
                DiagnosticKind::Parameter,
                format!("{base}/{key}"),
                format!("only a denial has {what}, and the probe expects none"),
                "remove it, or expect `deny`",
            );
        }
    }
}

fn check_target(entry: &ProbeEntry, info: DriverInfo, base: &str, notes: &mut Diagnostics<'_>) {
    let target = &*entry.target;
    let refuse = |notes: &mut Diagnostics<'_>, key: &str, message: String, remedy: &str| {
        notes.error(DiagnosticKind::Target, format!("{base}/{key}"), message, remedy);
    };
    match info.target {
        TargetKind::Path if !is_absolute(target) => {
            refuse(
                notes,
                "target",
                format!("`{}` is a relative path", shown(target)),
                "start it with `${root}` or `/`",
            );
        }
        TargetKind::Endpoint if !is_endpoint(target) => refuse(
            notes,
            "target",
            format!("`{}` is not an endpoint", shown(target)),
            "write `127.0.0.1:PORT` or `[::1]:PORT`, where PORT is a number or `${port.NAME}`",
        ),
        TargetKind::AbstractName if target.is_empty() => {
            refuse(notes, "target", "the abstract name is empty".into(), "write a name, such as `${name.outside}`");
        }
        TargetKind::Variable if target.is_empty() || target.contains(['=', '$']) => {
            refuse(
                notes,
                "target",
                format!("`{}` is not a variable name", shown(target)),
                "write one, such as `SANDPROOF_SECRET`",
            );
        }
        _ => {}
    }
    if info.effect != Effect::Changes {
        return;
    }
    // The text of a symbolic link is only text: making the link touches nothing that it names.
    let second = entry.to.as_deref().filter(|_| info.name != Driver::SymlinkCreate.info().name);
    for (key, path) in [("target", Some(target)), ("to", second)] {
        if let Some(path) = path
            && (is_absolute(path) || key == "to")
            && !is_own(path)
            && own_elsewhere(path, Platform::Linux).is_none()
            && !(info.name == Driver::FileCreate.info().name && is_new_of_own(path))
        {
            notes.error(
                DiagnosticKind::ForeignTarget,
                format!("{base}/{key}"),
                format!("the driver `{}` changes `{}`, which is not the run's own", info.name, shown(path)),
                "start it with `${root}/`, or with `/tmp/${name.NAME}/` and let a fixture make it, and do not climb out",
            );
        }
    }
}

fn check_mounts(entry: &ProbeEntry, base: &str, notes: &mut Diagnostics<'_>) {
    for (n, mount) in entry.mounts.iter().enumerate() {
        if !is_absolute(&mount.from) {
            let message = format!("`{}` is a relative path", shown(&mount.from));
            let remedy = "start it with `${root}` or `/`";
            notes.error(DiagnosticKind::Target, format!("{base}/mounts/{n}/from"), message, remedy);
        }
        if !is_own(&mount.at) {
            let message = format!("`{}` is not the run's own", shown(&mount.at));
            notes.error(
                DiagnosticKind::ForeignTarget,
                format!("{base}/mounts/{n}/at"),
                message,
                "start it with `${root}/`",
            );
        }
    }
    let driver = entry.driver.as_deref().and_then(Driver::by_name);
    let mounts = !entry.mounts.is_empty() || driver.is_some_and(Driver::mounts);
    if mounts && !entry.capabilities_required.iter().any(|text| text == "mount_namespace") {
        notes.warning(
            DiagnosticKind::Capability,
            format!("{base}/capabilities_required"),
            "the probe needs a mount namespace of its own, and does not say so",
            "add `mount_namespace`",
        );
    }
}

pub(super) fn check_listener(entry: &ProbeEntry, driver: Driver, base: &str, notes: &mut Diagnostics<'_>) {
    let wanted = driver.listener();
    match (wanted, &entry.listener) {
        (Some(_), None) if driver.needs_listener() => notes.warning(
            DiagnosticKind::Listener,
            base,
            format!("nothing listens for `{}`, so even an allowed connection fails", driver.info().name),
            "add `listener`",
        ),
        (Some(kind), Some(listener)) if listener.kind != kind => notes.warning(
            DiagnosticKind::Listener,
            format!("{base}/listener/kind"),
            format!("the driver `{}` cannot reach a listener of this kind", driver.info().name),
            format!("use `{}`", kind.as_str()),
        ),
        (None, Some(_)) => notes.warning(
            DiagnosticKind::Listener,
            format!("{base}/listener"),
            format!("the driver `{}` connects to nothing, so nothing needs to listen", driver.info().name),
            "remove it, unless the address has to be taken",
        ),
        _ => {}
    }
    if let Some(listener) = &entry.listener {
        let fits = match listener.kind {
            ListenerKind::Tcp | ListenerKind::Udp => is_endpoint(&listener.address),
            ListenerKind::Unix | ListenerKind::UnixDgram => is_own(&listener.address),
            ListenerKind::Abstract | ListenerKind::AbstractDgram => !listener.address.is_empty(),
        };
        if !fits {
            notes.error(
                DiagnosticKind::Listener,
                format!("{base}/listener/address"),
                format!("`{}` is not an address for `{}`", shown(&listener.address), listener.kind.as_str()),
                "write `127.0.0.1:${port.NAME}`, a path under `${root}`, or an abstract name",
            );
        }
    }
}
