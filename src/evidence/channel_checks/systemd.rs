//! What is asked of a worker that systemd started.

use super::sides::{DeclaredWorker, WitnessChecks, WitnessSides, or_unknown};
use crate::record::channel_witness::WorkerWitness;

/// The questions, in their order.
pub(super) fn checks(list: &mut WitnessChecks, sides: &WitnessSides<'_>, unit: &str) {
    list.same("manager", sides.told(|m| Some(m.manager.clone())), Some("systemd".to_string()));
    // Root's units are the host manager's, everybody else's are their own manager's.
    let domain = sides.declared.map(|declared| if declared.is_root() { "system" } else { "user" });
    list.same("domain", sides.told(|m| Some(m.domain.clone())), domain.map(str::to_owned));
    ended(list, sides);
    account(list, sides);
    list.same("invocation_id", sides.own(|w| w.invocation_id.clone()), sides.told(|m| m.invocation_id.clone()));
    control_group(list, sides, unit);
    list.same("parent", sides.own(|w| w.parent_name.clone()), Some("systemd".to_string()));
    // A user's manager is some process; the host's is the first one.
    if domain != Some("user") {
        list.same("parent_pid", sides.own(|w| Some(w.ppid.to_string())), Some("1".to_string()));
    }
    bounding_set(list, sides);
    capabilities(list, sides);
    namespaces(list, sides.worker);
    list.same(
        "root_directory",
        sides.own(|w| w.root_directory.as_ref()?.own.clone()),
        sides.own(|w| w.root_directory.as_ref()?.parent.clone()),
    );
    list.same("no_new_privs", sides.own(|w| w.no_new_privs.map(|on| on.to_string())), Some("false".to_string()));
    list.same("seccomp", sides.own(|w| w.seccomp.map(|mode| mode.to_string())), Some("0".to_string()));
    list.same("landlock_layers", sides.own(|w| w.landlock_layers.map(|n| n.to_string())), Some("0".to_string()));
    label(list, sides.worker);
    list.same("umask", sides.own(|w| Some(format!("{:04o}", w.umask))), Some("0022".to_string()));
    preload(list, sides.worker);
    filters(list, sides);
    definition(list, sides, unit);
    drop_ins(list, sides);
}

/// The worker ended by itself, and well.
fn ended(list: &mut WitnessChecks, sides: &WitnessSides<'_>) {
    let wrong = sides.told(|m| {
        let mut wrong = Vec::new();
        let word = |fact: &Option<String>| fact.clone().unwrap_or_else(|| "unknown".to_string());
        if !matches!(m.state.as_deref(), Some("exited" | "dead")) {
            wrong.push(format!("state {}", word(&m.state)));
        }
        if m.result.as_deref() != Some("success") {
            wrong.push(format!("result {}", word(&m.result)));
        }
        if m.exit_code != Some(0) {
            wrong.push(m.exit_code.map_or_else(|| "no exit code".to_string(), |code| format!("exit code {code}")));
        }
        if let Some(signal) = m.signal {
            wrong.push(format!("signal {signal}"));
        }
        Some(wrong)
    });
    list.nothing_wrong("ended", wrong, "by itself, with exit code 0");
}

/// The manager's own lines say what was read from them. What every systemd that can start a worker tells must be there.
fn account(list: &mut WitnessChecks, sides: &WitnessSides<'_>) {
    let wrong = sides.told(|m| {
        let number = |value: Option<i32>| value.map(|value| value.to_string());
        let code = m.exit_code.map(|_| "1".to_string());
        let lines = [
            ("LoadState", Some("loaded".to_string())),
            ("SubState", m.state.clone()),
            ("Result", m.result.clone()),
            ("ExecMainPID", number(m.main_pid)),
            ("ExecMainCode", code),
            ("ExecMainStatus", number(m.exit_code)),
            ("InvocationID", m.invocation_id.clone()),
        ];
        let differs = |(name, read): (&str, Option<String>)| match (sides.line(name), read) {
            (Some(line), Some(read)) if line == read => None,
            (None, _) => Some(format!("it has no line `{name}`")),
            (Some(line), read) => Some(format!("its line `{name}={line}` was read as {}", or_unknown(read))),
        };
        let twice =
            m.raw.iter().enumerate().filter(|(n, (name, _))| m.raw[..*n].iter().any(|(before, _)| before == name));
        let twice = twice.map(|(_, (name, _))| format!("its line `{name}` stands there twice"));
        Some(lines.into_iter().filter_map(differs).chain(twice).collect())
    });
    list.nothing_wrong("account", wrong, "its lines say what was read from them");
}

/// Both sides name the group, and it is that of the unit.
fn control_group(list: &mut WitnessChecks, sides: &WitnessSides<'_>, unit: &str) {
    let own = sides.own(|w| w.control_group.clone());
    match &own {
        Some(group) if group.rsplit('/').next() != Some(unit) => {
            list.add("control_group", Some(false), format!("`{group}` is not the group of `{unit}`"));
        }
        _ => list.same("control_group", own, sides.told(|m| m.control_group.clone())),
    }
}

/// Whether a set of capabilities, in hexadecimal, has nothing in it; `None` for what is no such set.
fn is_empty_set(set: &str) -> Option<bool> {
    u64::from_str_radix(set, 16).ok().map(|bits| bits == 0)
}

/// The manager's own bounding set. Root without any capability is no root.
fn bounding_set(list: &mut WitnessChecks, sides: &WitnessSides<'_>) {
    let own = sides.own(|w| w.capability_bounding_set.clone());
    let none = own.as_deref().and_then(is_empty_set) == Some(true);
    if none && sides.declared.is_some_and(DeclaredWorker::is_root) {
        return list.add("capability_bounding_set", Some(false), "root was declared, and it is empty".to_string());
    }
    list.same("capability_bounding_set", own, sides.own(|w| w.parent_capability_bounding_set.clone()));
}

/// Root has what its bounding set has, other users nothing, and nothing is inherited through the ambient set.
fn capabilities(list: &mut WitnessChecks, sides: &WitnessSides<'_>) {
    let known = sides.own(|w| Some((w.effective_capabilities.as_deref()?, w.ambient_capabilities.as_deref()?)));
    let (Some((effective, ambient)), Some(declared)) = (known, sides.declared) else {
        return list.nothing_wrong("capabilities", None, "");
    };
    let mut wrong = Vec::new();
    if is_empty_set(ambient) != Some(true) {
        wrong.push(format!("ambient `{ambient}`"));
    }
    let as_it_should = if declared.is_root() {
        sides.own(|w| w.capability_bounding_set.as_deref()) == Some(effective)
    } else {
        is_empty_set(effective) == Some(true)
    };
    if !as_it_should {
        wrong.push(format!("effective `{effective}`"));
    }
    list.nothing_wrong("capabilities", Some(wrong), format!("effective `{effective}`, none ambient"));
}

/// The namespaces that decide what a process sees (namespaces(7)).
const NAMESPACES: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

/// All namespaces, and each the same as that of the manager that started it.
fn namespaces(list: &mut WitnessChecks, worker: Option<&WorkerWitness>) {
    let Some(worker) = worker.filter(|worker| !worker.namespaces.is_empty()) else {
        return list.add("namespaces", None, "not known".to_string());
    };
    let mut ok = Some(true);
    let mut found = Vec::new();
    for name in NAMESPACES {
        let mut of_kind = worker.namespaces.iter().filter(|namespace| namespace.name == name);
        let (one, another) = (of_kind.next(), of_kind.next());
        match one.map(|namespace| (&namespace.own, &namespace.parent)) {
            _ if another.is_some() => {
                ok = Some(false);
                found.push(format!("{name} stands there twice"));
            }
            Some((Some(own), Some(parent))) if own == parent && own.starts_with(&format!("{name}:[")) => {}
            Some((Some(_), Some(_))) => {
                ok = Some(false);
                found.push(format!("{name} is another"));
            }
            _ => {
                ok = ok.filter(|ok| !ok);
                found.push(format!("{name} is not known"));
            }
        }
    }
    let text = if found.is_empty() { "all as the manager's".to_string() } else { found.join(", ") };
    list.add("namespaces", ok, text);
}

/// No library that `/etc/ld.so.preload` names is in the worker. A program that loads none is not touched by that file.
fn preload(list: &mut WitnessChecks, worker: Option<&WorkerWitness>) {
    let Some(preload) = worker.and_then(|worker| worker.preload.as_ref()) else {
        return list.nothing_wrong("preload", None, "");
    };
    match (preload.named.as_deref(), preload.libraries.as_deref()) {
        (Some([]), Some(_)) => list.add("preload", Some(true), "`/etc/ld.so.preload` names nothing".to_string()),
        (Some(named), Some([])) => {
            let text = format!("`/etc/ld.so.preload` names {}, and the worker loads no library", named.join(", "));
            list.add("preload", Some(true), text);
        }
        (Some(named), Some(_)) => {
            list.add("preload", Some(false), format!("`/etc/ld.so.preload` names {}", named.join(", ")));
        }
        _ => list.nothing_wrong("preload", None, ""),
    }
}

/// What the job sets, with the values that it sets or that an untouched unit has. `UMask` and capabilities are judged by
/// what the worker found; limits, slice and keyring decide nothing about access, and are recorded.
const DEFINITION: [(&str, &str); 8] = [
    ("Type", "exec"),
    ("RemainAfterExit", "yes"),
    ("Restart", "no"),
    ("RootDirectory", ""),
    ("RootImage", ""),
    ("User", ""),
    ("Group", ""),
    ("PAMName", ""),
];

/// Programs beside the worker that a unit can run. A manager may be silent about those that there are not.
const OTHER_PROGRAMS: [&str; 5] = ["ExecCondition", "ExecStartPre", "ExecStartPost", "ExecStop", "ExecStopPost"];

/// The unit is the job's own, and what it ran is what the job says: nothing before the worker and nothing beside it.
fn definition(list: &mut WitnessChecks, sides: &WitnessSides<'_>, unit: &str) {
    let wrong = sides.told(|_| {
        let mut wrong = Vec::new();
        let file = sides.line("FragmentPath");
        if file.and_then(|path| path.rsplit('/').next()) != Some(unit) {
            wrong.push(format!("FragmentPath={}", file.unwrap_or_default()));
        }
        for (name, wanted) in DEFINITION {
            match sides.line(name) {
                Some(value) if value == wanted => {}
                Some(value) => wrong.push(format!("{name}={value}")),
                None => wrong.push(format!("no line `{name}`")),
            }
        }
        for name in OTHER_PROGRAMS {
            if let Some(value) = sides.line(name).filter(|value| !value.is_empty()) {
                wrong.push(format!("{name}={value}"));
            }
        }
        Some(wrong)
    });
    list.nothing_wrong("definition", wrong, "as the job sets it, and no other program");
}

/// Which drop-ins there are is known. A distribution may ship some for all services: what they do to the worker is
/// judged by the other questions, that they are there is told.
fn drop_ins(list: &mut WitnessChecks, sides: &WitnessSides<'_>) {
    match sides.line("DropInPaths") {
        None => list.nothing_wrong("drop_ins", None, ""),
        Some("") => list.add("drop_ins", Some(true), "none".to_string()),
        Some(paths) => list.add("drop_ins", Some(true), format!("{paths}; judged by what the other questions find")),
    }
}

/// What the manager hangs on a unit's control group, which no process sees in itself, with the values that mean nothing.
/// (systemd.resource-control(5) and systemd.exec(5); a `~` alone forbids nothing.)
const FILTERS: [(&str, &[&str]); 11] = [
    ("DevicePolicy", &["auto"]),
    ("DeviceAllow", &[""]),
    ("IPAddressAllow", &[""]),
    ("IPAddressDeny", &[""]),
    ("IPIngressFilterPath", &[""]),
    ("IPEgressFilterPath", &[""]),
    ("BPFProgram", &[""]),
    ("RestrictFileSystems", &["", "no", "~"]),
    ("RestrictNetworkInterfaces", &["", "no", "~"]),
    ("SocketBindAllow", &[""]),
    ("SocketBindDeny", &[""]),
];

/// No filter of the manager on the unit. `DevicePolicy` is older than every manager that can start a worker, so one that
/// does not tell it has told nothing; others are absent where the manager does not know them.
fn filters(list: &mut WitnessChecks, sides: &WitnessSides<'_>) {
    if sides.line("DevicePolicy").is_none() {
        return list.add("filters", None, "not known".to_string());
    }
    let set: Vec<String> = FILTERS
        .iter()
        .filter_map(|(name, free)| Some((name, sides.line(name).filter(|value| !free.contains(value))?)))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let found = if set.is_empty() { "none".to_string() } else { set.join(", ") };
    list.add("filters", Some(set.is_empty()), found);
}

/// No label, or one that says that nothing is confined.
///
/// AppArmor says `unconfined`. SELinux domains have names of all kinds; those of unconfined services end in
/// `unconfined_service_t` or `unconfined_t`, and `kernel` is what a host without a loaded policy says.
fn label(list: &mut WitnessChecks, worker: Option<&WorkerWitness>) {
    let Some(label) = worker.and_then(|worker| worker.lsm_label.as_deref()) else {
        return list.add("lsm_label", None, "not known".to_string());
    };
    let domain = label.split(':').nth(2).unwrap_or(label);
    let free = label.is_empty()
        || label == "unconfined"
        || label == "kernel"
        || matches!(domain, "unconfined_service_t" | "unconfined_t" | "init_t" | "initrc_t" | "kernel_t");
    list.add("lsm_label", Some(free), if label.is_empty() { "none".to_string() } else { format!("`{label}`") });
}
