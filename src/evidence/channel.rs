//! Whether a channel was clean: every question about the worker's context, and its answer.
//!
//! A pure function of what the worker said, what the manager said of the same process, and what the job definition
//! carried. It fails closed: a question without an answer is not clean, and neither is a channel without questions.

use crate::record::channel_witness::{JobFacts, ManagerAccount, WitnessCheck, WorkerWitness};
use crate::record::manifest::ChannelKind;

/// Every question that the channel has to answer. `direct` has one, and its answer is no.
pub fn checks(
    channel: ChannelKind,
    worker: Option<&WorkerWitness>,
    manager: Option<&ManagerAccount>,
    job: Option<&JobFacts>,
) -> Vec<WitnessCheck> {
    if channel == ChannelKind::Direct {
        let found = "the run was started by its caller, in whatever context that has".to_string();
        return vec![WitnessCheck { check: "started_by_manager".to_string(), ok: Some(false), found }];
    }
    let mut list = Checks(Vec::new());
    let own = |read: fn(&WorkerWitness) -> Option<String>| worker.and_then(read);
    let told = |read: fn(&ManagerAccount) -> Option<String>| manager.and_then(read);

    list.same("main_pid", own(|w| Some(w.pid.to_string())), told(|m| m.main_pid.map(|pid| pid.to_string())));
    list.same("unit", own(|w| w.unit.clone()), job.map(|job| job.unit.clone()));
    list.same("unit_of_manager", told(|m| Some(m.unit.clone())), job.map(|job| job.unit.clone()));
    list.same(
        "nonce",
        own(|w| w.nonce_sha256.map(|digest| digest.to_string())),
        job.map(|job| job.nonce_sha256.to_string()),
    );
    environment(&mut list, worker, job);
    descriptors(&mut list, worker);
    if channel == ChannelKind::SystemdClean {
        list.same("invocation_id", own(|w| w.invocation_id.clone()), told(|m| m.invocation_id.clone()));
        list.same("control_group", own(|w| w.control_group.clone()), told(|m| m.control_group.clone()));
        list.same("parent", own(|w| w.parent_name.clone()), Some("systemd".to_string()));
        // A user's manager is some process; the host's is the first one.
        if manager.is_none_or(|manager| manager.domain != "user") {
            list.same("parent_pid", own(|w| Some(w.ppid.to_string())), Some("1".to_string()));
        }
        list.same(
            "capability_bounding_set",
            own(|w| w.capability_bounding_set.clone()),
            own(|w| w.parent_capability_bounding_set.clone()),
        );
        namespaces(&mut list, worker);
        list.same("no_new_privs", own(|w| w.no_new_privs.map(|on| on.to_string())), Some("false".to_string()));
        list.same("seccomp", own(|w| w.seccomp.map(|mode| mode.to_string())), Some("0".to_string()));
        list.same("landlock_layers", own(|w| w.landlock_layers.map(|n| n.to_string())), Some("0".to_string()));
        label(&mut list, worker);
        filters(&mut list, manager);
    } else {
        list.same("parent", own(|w| Some(w.ppid.to_string())), Some("1".to_string()));
        // The label is new for every run, so a second start is somebody else's doing.
        list.same("runs", told(|m| line(m, "runs")), Some("1".to_string()));
        list.same("seatbelt", own(|w| w.seatbelt_confined.map(|on| on.to_string())), Some("false".to_string()));
    }
    list.0
}

/// Whether the answers make the channel clean.
pub fn is_clean(checks: &[WitnessCheck]) -> bool {
    !checks.is_empty() && checks.iter().all(|check| check.ok == Some(true))
}

struct Checks(Vec<WitnessCheck>);

impl Checks {
    fn add(&mut self, check: &str, ok: Option<bool>, found: String) {
        self.0.push(WitnessCheck { check: check.to_string(), ok, found });
    }

    /// Both sides have to be known, not empty, and equal.
    fn same(&mut self, check: &str, found: Option<String>, wanted: Option<String>) {
        let (ok, text) = match (found, wanted) {
            (Some(found), Some(wanted)) if found.is_empty() || wanted.is_empty() => {
                (None, format!("found `{found}`, wanted `{wanted}`: an empty text is no answer"))
            }
            (Some(found), Some(wanted)) if found == wanted => (Some(true), format!("`{found}`")),
            (Some(found), Some(wanted)) => (Some(false), format!("found `{found}`, wanted `{wanted}`")),
            (found, wanted) => (None, format!("found {}, wanted {}", or_unknown(found), or_unknown(wanted))),
        };
        self.add(check, ok, text);
    }
}

/// A line of the manager's account.
fn line(manager: &ManagerAccount, name: &str) -> Option<String> {
    manager.raw.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

fn or_unknown(text: Option<String>) -> String {
    text.map_or_else(|| "nothing".to_string(), |text| format!("`{text}`"))
}

/// Only listed variables, and those that the manager adds of its own accord.
fn environment(list: &mut Checks, worker: Option<&WorkerWitness>, job: Option<&JobFacts>) {
    let (Some(worker), Some(job)) = (worker, job) else {
        return list.add("environment", None, "not known".to_string());
    };
    let listed = |name: &String| job.environment.contains(name) || job.manager_environment.contains(name);
    let names: Vec<&String> = worker.environment.iter().map(|entry| &entry.name).collect();
    let strange: Vec<&str> = names.iter().filter(|name| !listed(name)).map(|name| name.as_str()).collect();
    let missing: Vec<&str> = job.environment.iter().filter(|name| !names.contains(name)).map(String::as_str).collect();
    if strange.is_empty() && missing.is_empty() {
        return list.add("environment", Some(true), format!("{} variables, all listed", names.len()));
    }
    let found = format!("not listed: [{}]; listed and absent: [{}]", strange.join(", "), missing.join(", "));
    list.add("environment", Some(false), found);
}

/// Nothing open but the three standard descriptors.
fn descriptors(list: &mut Checks, worker: Option<&WorkerWitness>) {
    let Some(open) = worker.and_then(|worker| worker.open_fds.as_ref()) else {
        return list.add("open_fds", None, "not known".to_string());
    };
    let inherited: Vec<String> =
        open.iter().filter(|fd| fd.fd > 2).map(|fd| format!("{} ({})", fd.fd, fd.what)).collect();
    if inherited.is_empty() {
        list.add("open_fds", Some(true), format!("{} standard descriptors", open.len()));
    } else {
        list.add("open_fds", Some(false), format!("inherited: {}", inherited.join(", ")));
    }
}

/// The same namespaces as the manager that started it.
fn namespaces(list: &mut Checks, worker: Option<&WorkerWitness>) {
    let Some(worker) = worker.filter(|worker| !worker.namespaces.is_empty()) else {
        return list.add("namespaces", None, "not known".to_string());
    };
    let mut ok = Some(true);
    let mut found = Vec::new();
    for namespace in &worker.namespaces {
        match (&namespace.own, &namespace.parent) {
            (Some(own), Some(parent)) if own == parent => {}
            (Some(_), Some(_)) => {
                ok = Some(false);
                found.push(format!("{} is another", namespace.name));
            }
            _ => {
                ok = ok.filter(|ok| !ok);
                found.push(format!("{} is not known", namespace.name));
            }
        }
    }
    let text = if found.is_empty() { "all as the manager's".to_string() } else { found.join(", ") };
    list.add("namespaces", ok, text);
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
fn filters(list: &mut Checks, manager: Option<&ManagerAccount>) {
    let told = |name: &str| {
        let (_, value) = manager?.raw.iter().find(|(known, _)| known == name)?;
        Some(value.as_str())
    };
    if told("DevicePolicy").is_none() {
        return list.add("filters", None, "not known".to_string());
    }
    let set: Vec<String> = FILTERS
        .iter()
        .filter_map(|(name, free)| Some((name, told(name).filter(|value| !free.contains(value))?)))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let found = if set.is_empty() { "none".to_string() } else { set.join(", ") };
    list.add("filters", Some(set.is_empty()), found);
}

/// No label, or one that says that nothing is confined.
///
/// AppArmor says `unconfined`. SELinux domains have names of all kinds; those of unconfined services end in
/// `unconfined_service_t` or `unconfined_t`, and `kernel` is what a host without a loaded policy says.
fn label(list: &mut Checks, worker: Option<&WorkerWitness>) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digest::Digest;
    use crate::record::channel_witness::{EnvironmentEntry, NamespaceEntry, WORKER_WITNESS_SCHEMA};
    use crate::record::report::OpenFd;

    fn worker() -> WorkerWitness {
        WorkerWitness {
            schema_version: WORKER_WITNESS_SCHEMA.into(),
            pid: 42,
            ppid: 1,
            parent_name: Some("systemd".into()),
            session: Some(42),
            unit: Some("sandproof-x.service".into()),
            invocation_id: Some("abc".into()),
            nonce_sha256: Some(Digest::of(b"nonce")),
            control_group: Some("/system.slice/sandproof-x.service".into()),
            environment: vec![EnvironmentEntry { name: "PATH".into(), value_sha256: Digest::of(b"/bin") }],
            open_fds: Some(vec![OpenFd { fd: 0, what: "/dev/null".into() }]),
            rlimits: Vec::new(),
            umask: 0o22,
            ids: [0; 4],
            namespaces: vec![NamespaceEntry {
                name: "mnt".into(),
                own: Some("mnt:[1]".into()),
                parent: Some("mnt:[1]".into()),
            }],
            no_new_privs: Some(false),
            seccomp: Some(0),
            capability_bounding_set: Some("ff".into()),
            parent_capability_bounding_set: Some("ff".into()),
            lsm_label: Some(String::new()),
            landlock_layers: Some(0),
            seatbelt_confined: None,
        }
    }

    fn manager() -> ManagerAccount {
        ManagerAccount {
            manager: "systemd".into(),
            domain: "system".into(),
            unit: "sandproof-x.service".into(),
            main_pid: Some(42),
            invocation_id: Some("abc".into()),
            control_group: Some("/system.slice/sandproof-x.service".into()),
            state: Some("exited".into()),
            result: Some("success".into()),
            exit_code: Some(0),
            signal: None,
            raw: vec![("DevicePolicy".into(), "auto".into()), ("RestrictFileSystems".into(), "~".into())],
        }
    }

    fn job() -> JobFacts {
        JobFacts {
            unit: "sandproof-x.service".into(),
            nonce_sha256: Digest::of(b"nonce"),
            environment: vec!["PATH".into()],
            manager_environment: vec!["INVOCATION_ID".into()],
        }
    }

    fn clean(worker: Option<&WorkerWitness>, manager: Option<&ManagerAccount>, job: Option<&JobFacts>) -> bool {
        is_clean(&checks(ChannelKind::SystemdClean, worker, manager, job))
    }

    #[test]
    fn everything_answered_well_is_clean() {
        assert!(clean(Some(&worker()), Some(&manager()), Some(&job())));
    }

    #[test]
    fn a_missing_side_is_not_clean() {
        assert!(!clean(None, Some(&manager()), Some(&job())));
        assert!(!clean(Some(&worker()), None, Some(&job())));
        assert!(!clean(Some(&worker()), Some(&manager()), None));
        assert!(!is_clean(&checks(ChannelKind::Direct, Some(&worker()), Some(&manager()), Some(&job()))));
        assert!(!is_clean(&[]));
    }

    #[test]
    fn each_single_fault_is_found_under_its_name() {
        type Spoil = fn(&mut WorkerWitness);
        let faults: [(&str, Spoil); 18] = [
            ("main_pid", |w| w.pid = 43),
            ("unit", |w| w.unit = None),
            ("nonce", |w| w.nonce_sha256 = Some(Digest::of(b"other"))),
            ("nonce", |w| w.nonce_sha256 = None),
            ("environment", |w| w.environment[0].name = "LD_PRELOAD".into()),
            ("environment", |w| w.environment.clear()),
            ("open_fds", |w| w.open_fds = Some(vec![OpenFd { fd: 7, what: "socket:[1]".into() }])),
            ("open_fds", |w| w.open_fds = None),
            ("invocation_id", |w| w.invocation_id = Some(String::new())),
            ("control_group", |w| w.control_group = Some("/user.slice".into())),
            ("parent", |w| w.parent_name = Some("bash".into())),
            ("parent_pid", |w| w.ppid = 7),
            ("capability_bounding_set", |w| w.capability_bounding_set = Some("0f".into())),
            ("namespaces", |w| w.namespaces[0].own = Some("mnt:[2]".into())),
            ("no_new_privs", |w| w.no_new_privs = Some(true)),
            ("seccomp", |w| w.seccomp = Some(2)),
            ("landlock_layers", |w| w.landlock_layers = Some(1)),
            ("lsm_label", |w| w.lsm_label = Some("docker-default (enforce)".into())),
        ];
        for (check, spoil) in faults {
            let mut worker = worker();
            spoil(&mut worker);
            let list = checks(ChannelKind::SystemdClean, Some(&worker), Some(&manager()), Some(&job()));
            let bad: Vec<&str> = list.iter().filter(|c| c.ok != Some(true)).map(|c| c.check.as_str()).collect();
            assert_eq!(bad, [check]);
        }
    }

    #[test]
    fn filters_of_the_manager_are_found() {
        let verdict = |raw: &[(&str, &str)]| {
            let mut manager = manager();
            manager.raw = raw.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            let list = checks(ChannelKind::SystemdClean, Some(&worker()), Some(&manager), Some(&job()));
            list.iter().find(|c| c.check == "filters").unwrap().ok
        };
        assert_eq!(verdict(&[("DevicePolicy", "auto"), ("IPAddressDeny", "")]), Some(true));
        assert_eq!(verdict(&[("DevicePolicy", "auto"), ("IPAddressDeny", "0.0.0.0/0")]), Some(false));
        assert_eq!(verdict(&[("DevicePolicy", "closed")]), Some(false));
        assert_eq!(verdict(&[]), None);
    }

    #[test]
    fn a_user_manager_is_not_the_first_process() {
        let (mut worker, mut manager) = (worker(), manager());
        worker.ppid = 812;
        manager.domain = "user".into();
        assert!(clean(Some(&worker), Some(&manager), Some(&job())));
    }

    #[test]
    fn an_unreadable_namespace_is_not_clean_and_not_a_lie_either() {
        let mut worker = worker();
        worker.namespaces[0].parent = None;
        let list = checks(ChannelKind::SystemdClean, Some(&worker), Some(&manager()), Some(&job()));
        let found = list.iter().find(|c| c.check == "namespaces").unwrap();
        assert_eq!(found.ok, None);
        assert!(!is_clean(&list));
    }

    /// The same worker as launchd would have it: nothing of procfs, systemd or Landlock is known there.
    fn launchd() -> (WorkerWitness, ManagerAccount, JobFacts) {
        let label = "sandproof.runtime.x".to_string();
        let names = ["PATH", "XPC_FLAGS", "XPC_SERVICE_NAME"];
        let worker = WorkerWitness {
            parent_name: None,
            unit: Some(label.clone()),
            invocation_id: None,
            control_group: None,
            environment: names
                .map(|name| EnvironmentEntry { name: name.into(), value_sha256: Digest::of(name.as_bytes()) })
                .to_vec(),
            namespaces: Vec::new(),
            no_new_privs: None,
            seccomp: None,
            capability_bounding_set: None,
            parent_capability_bounding_set: None,
            lsm_label: None,
            landlock_layers: None,
            seatbelt_confined: Some(false),
            ..worker()
        };
        let manager = ManagerAccount {
            manager: "launchd".into(),
            domain: "gui/501".into(),
            unit: label.clone(),
            invocation_id: None,
            control_group: None,
            state: Some("not running".into()),
            result: Some("0".into()),
            raw: vec![("state".into(), "not running".into()), ("runs".into(), "1".into())],
            ..manager()
        };
        let facts = JobFacts {
            unit: label,
            manager_environment: vec!["XPC_FLAGS".into(), "XPC_SERVICE_NAME".into(), "SSH_AUTH_SOCK".into()],
            ..job()
        };
        (worker, manager, facts)
    }

    #[test]
    fn a_job_of_launchd_is_clean_by_other_facts() {
        let (worker, manager, job) = launchd();
        let list = checks(ChannelKind::LaunchdClean, Some(&worker), Some(&manager), Some(&job));
        assert!(is_clean(&list), "{list:?}");
        for (worker, manager, job) in [
            (None, Some(&manager), Some(&job)),
            (Some(&worker), None, Some(&job)),
            (Some(&worker), Some(&manager), None),
            (None, None, None),
        ] {
            assert!(!is_clean(&checks(ChannelKind::LaunchdClean, worker, manager, job)));
        }
    }

    #[test]
    fn each_single_fault_of_a_launchd_job_is_found_under_its_name() {
        type Spoil = fn(&mut WorkerWitness, &mut ManagerAccount);
        let faults: [(&str, Option<bool>, Spoil); 15] = [
            ("main_pid", Some(false), |w, _| w.pid = 43),
            ("main_pid", None, |_, m| m.main_pid = None),
            ("unit", Some(false), |w, _| w.unit = Some("0".into())),
            ("unit", None, |w, _| w.unit = None),
            ("unit_of_manager", Some(false), |_, m| m.unit = "another".into()),
            ("nonce", None, |w, _| w.nonce_sha256 = None),
            ("environment", Some(false), |w, _| w.environment[1].name = "DYLD_INSERT_LIBRARIES".into()),
            ("environment", Some(false), |w, _| w.environment[1].name = "SET_BY_LAUNCHCTL_SETENV".into()),
            ("open_fds", None, |w, _| w.open_fds = None),
            ("open_fds", Some(false), |w, _| w.open_fds = Some(vec![OpenFd { fd: 3, what: "socket".into() }])),
            ("parent", Some(false), |w, _| w.ppid = 4711),
            ("runs", Some(false), |_, m| m.raw[1].1 = "2".into()),
            ("runs", None, |_, m| m.raw.clear()),
            ("seatbelt", Some(false), |w, _| w.seatbelt_confined = Some(true)),
            ("seatbelt", None, |w, _| w.seatbelt_confined = None),
        ];
        for (check, answer, spoil) in faults {
            let (mut worker, mut manager, job) = launchd();
            spoil(&mut worker, &mut manager);
            let list = checks(ChannelKind::LaunchdClean, Some(&worker), Some(&manager), Some(&job));
            let bad: Vec<(&str, Option<bool>)> =
                list.iter().filter(|c| c.ok != Some(true)).map(|c| (c.check.as_str(), c.ok)).collect();
            assert_eq!(bad, [(check, answer)]);
            assert!(!is_clean(&list));
        }
    }
}
