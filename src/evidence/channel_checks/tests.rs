//! Each fault, and the question that finds it.

use super::*;
use crate::base::digest::Digest;
use crate::base::ids::RunId;
use crate::record::absence::Absence;
use crate::record::channel_witness::{
    EnvironmentEntry, NamespaceEntry, PreloadEntry, RootEntry, WORKER_WITNESS_SCHEMA,
};
use crate::record::channel_witness::{JobFacts, ManagerAccount};
use crate::record::report::OpenFd;
use crate::record::run_identity::JobElement;
use crate::record::run_identity::{ChannelElement, UserElement};

const UNIT: &str = "sandproof-x.service";
const LABEL: &str = "sandproof.runtime.x";

/// Every side of a channel.
#[derive(Clone)]
struct Story {
    channel: ChannelKind,
    declared: Option<DeclaredWorker>,
    worker: Option<WorkerWitness>,
    manager: Option<ManagerAccount>,
    job: Option<JobFacts>,
}

impl Story {
    fn w(&mut self) -> &mut WorkerWitness {
        self.worker.as_mut().unwrap()
    }

    fn m(&mut self) -> &mut ManagerAccount {
        self.manager.as_mut().unwrap()
    }

    fn j(&mut self) -> &mut JobFacts {
        self.job.as_mut().unwrap()
    }

    fn d(&mut self) -> &mut DeclaredWorker {
        self.declared.as_mut().unwrap()
    }

    fn declared_job(&mut self) -> &mut JobElement {
        let Stated::Is(job) = &mut self.d().channel.job else { panic!("it was declared") };
        job
    }

    /// Sets a line of the manager's account.
    fn line(&mut self, name: &str, value: &str) {
        self.m().raw.retain(|(known, _)| known != name);
        self.m().raw.push((name.into(), value.into()));
    }

    /// Lets the worker have a variable more.
    fn variable(&mut self, name: &str) {
        self.w().environment.push(EnvironmentEntry { name: name.into(), value_sha256: Digest::of(b"x") });
    }

    fn checks(&self) -> Vec<WitnessCheck> {
        checks(WitnessSides {
            channel: self.channel,
            run_id: &RunId::new("x").unwrap(),
            declared: self.declared.as_ref(),
            worker: self.worker.as_ref(),
            manager: self.manager.as_ref(),
            job: self.job.as_ref(),
        })
    }

    fn is_clean(&self) -> bool {
        is_clean(&self.checks())
    }

    /// The questions without a good answer.
    fn bad(&self) -> Vec<(String, Option<bool>)> {
        self.checks().into_iter().filter(|c| c.ok != Some(true)).map(|c| (c.check, c.ok)).collect()
    }
}

fn systemd() -> Story {
    let variable = |name: &str, value: &[u8]| EnvironmentEntry { name: name.into(), value_sha256: Digest::of(value) };
    let worker = WorkerWitness {
        schema_version: WORKER_WITNESS_SCHEMA.into(),
        pid: 42,
        ppid: 1,
        parent_name: Some("systemd".into()),
        session: Some(42),
        unit: Some(UNIT.into()),
        invocation_id: Some("abc".into()),
        nonce_sha256: Some(Digest::of(b"nonce")),
        control_group: Some(format!("/system.slice/{UNIT}")),
        environment: vec![
            variable("PATH", b"/usr/bin:/bin"),
            variable("NONCE", b"nonce"),
            variable("INVOCATION_ID", b""),
        ],
        open_fds: Some(vec![OpenFd { fd: 0, what: "/dev/null".into() }]),
        rlimits: Vec::new(),
        umask: 0o22,
        ids: [0; 4],
        namespaces: ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"]
            .map(|name| {
                let link = Some(format!("{name}:[1]"));
                NamespaceEntry { name: name.into(), own: link.clone(), parent: link }
            })
            .to_vec(),
        no_new_privs: Some(false),
        seccomp: Some(0),
        capability_bounding_set: Some("00ff".into()),
        parent_capability_bounding_set: Some("00ff".into()),
        effective_capabilities: Some("00ff".into()),
        ambient_capabilities: Some("0000".into()),
        root_directory: Some(RootEntry { own: Some("mount 1".into()), parent: Some("mount 1".into()) }),
        preload: Some(PreloadEntry { named: Some(Vec::new()), libraries: Some(vec!["/lib/libc.so.6".into()]) }),
        lsm_label: Some(String::new()),
        landlock_layers: Some(0),
        seatbelt_confined: None,
    };
    let lines = [
        ("LoadState", "loaded"),
        ("SubState", "exited"),
        ("Result", "success"),
        ("ExecMainPID", "42"),
        ("ExecMainCode", "1"),
        ("ExecMainStatus", "0"),
        ("InvocationID", "abc"),
        ("FragmentPath", "/run/systemd/transient/sandproof-x.service"),
        ("DropInPaths", ""),
        ("Type", "exec"),
        ("RemainAfterExit", "yes"),
        ("Restart", "no"),
        ("RootDirectory", ""),
        ("RootImage", ""),
        ("User", ""),
        ("Group", ""),
        ("PAMName", ""),
        ("DevicePolicy", "auto"),
        ("RestrictFileSystems", "~"),
    ];
    let manager = ManagerAccount {
        manager: "systemd".into(),
        domain: "system".into(),
        unit: UNIT.into(),
        main_pid: Some(42),
        invocation_id: Some("abc".into()),
        control_group: Some(format!("/system.slice/{UNIT}")),
        state: Some("exited".into()),
        result: Some("success".into()),
        exit_code: Some(0),
        signal: None,
        raw: lines.map(|(name, value)| (name.into(), value.into())).to_vec(),
    };
    let own = vec!["HOME".to_owned(), "INVOCATION_ID".to_owned()];
    let job = JobFacts {
        unit: UNIT.into(),
        nonce_sha256: Digest::of(b"nonce"),
        environment: vec!["PATH".into(), "NONCE".into()],
        manager_environment: own.clone(),
    };
    let environment = [
        ("PATH".to_owned(), Stated::Is(Digest::of(b"/usr/bin:/bin"))),
        ("NONCE".to_owned(), Stated::absent(Absence::DrawnAnew)),
    ];
    let declared = DeclaredWorker {
        channel: ChannelElement {
            kind: ChannelKind::SystemdClean,
            job: Stated::Is(JobElement { environment: environment.into(), manager_environment: own }),
        },
        user: UserElement { uid_class: "root".into(), gid_class: "root".into() },
    };
    Story {
        channel: ChannelKind::SystemdClean,
        declared: Some(declared),
        worker: Some(worker),
        manager: Some(manager),
        job: Some(job),
    }
}

/// The same of an ordinary user's own manager.
fn of_a_user() -> Story {
    let mut story = systemd();
    let group = format!("/user.slice/user-1000.slice/user@1000.service/app.slice/{UNIT}");
    let worker = story.w();
    worker.ppid = 812;
    worker.ids = [1000; 4];
    worker.effective_capabilities = Some("0000".into());
    worker.control_group = Some(group.clone());
    story.m().domain = "user".into();
    story.m().control_group = Some(group);
    story.d().user = UserElement { uid_class: "user".into(), gid_class: "user".into() };
    story
}

#[test]
fn everything_answered_well_is_clean() {
    assert_eq!(systemd().bad(), []);
    assert_eq!(of_a_user().bad(), []);
}

#[test]
fn a_missing_side_is_not_clean() {
    for story in [systemd(), launchd()] {
        assert!(!Story { worker: None, ..story.clone() }.is_clean());
        assert!(!Story { manager: None, ..story.clone() }.is_clean());
        assert!(!Story { job: None, ..story.clone() }.is_clean());
        assert!(!Story { declared: None, ..story.clone() }.is_clean());
        assert!(!Story { worker: None, manager: None, job: None, ..story.clone() }.is_clean());
        assert!(!Story { channel: ChannelKind::Direct, ..story }.is_clean());
    }
    assert!(!is_clean(&[]));
}

type Spoil = fn(&mut Story);

/// Expects each fault under its name and no other.
#[track_caller]
fn expect(good: fn() -> Story, faults: &[(&str, Option<bool>, Spoil)]) {
    for (n, (check, answer, spoil)) in faults.iter().enumerate() {
        let mut story = good();
        spoil(&mut story);
        assert_eq!(story.bad(), [((*check).to_owned(), *answer)], "fault {n}");
        assert!(!story.is_clean());
    }
}

#[test]
fn each_single_fault_of_the_worker_is_found_under_its_name() {
    expect(
        systemd,
        &[
            ("main_pid", Some(false), |s| s.w().pid = 43),
            ("unit", None, |s| s.w().unit = None),
            ("unit", Some(false), |s| s.w().unit = Some("evil.service".into())),
            ("nonce", Some(false), |s| s.w().nonce_sha256 = Some(Digest::of(b"other"))),
            ("nonce", None, |s| s.w().nonce_sha256 = None),
            ("environment", Some(false), |s| s.variable("FOO")),
            ("environment", Some(false), |s| s.w().environment.clear()),
            ("environment", Some(false), |s| s.w().environment[0].value_sha256 = Digest::of(b"/evil")),
            ("open_fds", Some(false), |s| s.w().open_fds = Some(vec![OpenFd { fd: 7, what: "socket:[1]".into() }])),
            ("open_fds", None, |s| s.w().open_fds = None),
            ("user", Some(false), |s| s.w().ids = [1000; 4]),
            ("user", Some(false), |s| s.w().ids = [1000, 0, 0, 0]),
            ("user", Some(false), |s| s.w().ids = [0, 0, 5, 0]),
            ("invocation_id", None, |s| s.w().invocation_id = Some(String::new())),
            ("control_group", Some(false), |s| s.w().control_group = Some("/user.slice".into())),
            ("control_group", Some(false), |s| s.w().control_group = Some(format!("/evil.slice/{UNIT}"))),
            ("control_group", Some(false), |s| {
                // Both name the same one, and it is not that of the unit.
                s.w().control_group = Some("/system.slice/other.service".into());
                s.m().control_group = Some("/system.slice/other.service".into());
            }),
            ("parent", Some(false), |s| s.w().parent_name = Some("bash".into())),
            ("parent_pid", Some(false), |s| s.w().ppid = 7),
            ("capabilities", Some(false), |s| s.w().ambient_capabilities = Some("0001".into())),
            ("capabilities", Some(false), |s| s.w().effective_capabilities = Some("000f".into())),
            ("capabilities", None, |s| s.w().ambient_capabilities = None),
            ("namespaces", Some(false), |s| s.w().namespaces[2].own = Some("mnt:[2]".into())),
            ("namespaces", None, |s| s.w().namespaces[2].parent = None),
            ("namespaces", None, |s| s.w().namespaces.clear()),
            ("namespaces", None, |s| s.w().namespaces.truncate(7)),
            ("namespaces", None, |s| s.w().namespaces.retain(|namespace| namespace.name == "uts")),
            ("namespaces", Some(false), |s| {
                let twice = s.w().namespaces[0].clone();
                s.w().namespaces.push(twice);
            }),
            ("namespaces", Some(false), |s| {
                let other = &mut s.w().namespaces[0];
                (other.own, other.parent) = (Some("uts:[1]".into()), Some("uts:[1]".into()));
            }),
            ("root_directory", Some(false), |s| {
                s.w().root_directory = Some(RootEntry { own: Some("mount 9".into()), parent: Some("mount 1".into()) });
            }),
            ("root_directory", None, |s| s.w().root_directory = Some(RootEntry { own: None, parent: None })),
            ("root_directory", None, |s| s.w().root_directory = None),
            ("no_new_privs", Some(false), |s| s.w().no_new_privs = Some(true)),
            ("seccomp", Some(false), |s| s.w().seccomp = Some(2)),
            ("landlock_layers", Some(false), |s| s.w().landlock_layers = Some(1)),
            ("lsm_label", Some(false), |s| s.w().lsm_label = Some("docker-default (enforce)".into())),
            ("umask", Some(false), |s| s.w().umask = 0o77),
            ("preload", Some(false), |s| s.w().preload.as_mut().unwrap().named = Some(vec!["/lib/x.so".into()])),
            ("preload", None, |s| s.w().preload.as_mut().unwrap().named = None),
            ("preload", None, |s| s.w().preload.as_mut().unwrap().libraries = None),
            ("preload", None, |s| s.w().preload = None),
        ],
    );
}

#[test]
fn each_single_fault_of_the_manager_and_of_the_job_is_found_under_its_name() {
    expect(
        systemd,
        &[
            ("unit_of_manager", Some(false), |s| s.m().unit = "evil.service".into()),
            ("unit_of_job", Some(false), |s| s.j().unit = "evil.service".into()),
            ("manager", Some(false), |s| s.m().manager = "sysvinit".into()),
            ("domain", Some(false), |s| s.m().domain = "user".into()),
            ("job", Some(false), |s| s.j().manager_environment.push("LD_PRELOAD".into())),
            ("job", Some(false), |s| s.declared_job().manager_environment.clear()),
            ("job", Some(false), |s| {
                s.declared_job().environment.insert("FOO".into(), Stated::absent(Absence::NotSet));
            }),
            ("account", Some(false), |s| s.line("InvocationID", "other")),
            ("account", Some(false), |s| s.line("ExecMainPID", "43")),
            ("account", Some(false), |s| s.line("LoadState", "not-found")),
            ("account", Some(false), |s| s.m().raw.retain(|(name, _)| name != "Result")),
            ("account", Some(false), |s| s.m().raw.push(("DevicePolicy".into(), "strict".into()))),
            ("filters", Some(false), |s| s.line("IPAddressDeny", "0.0.0.0/0")),
            ("filters", Some(false), |s| s.line("DevicePolicy", "closed")),
            ("filters", None, |s| s.m().raw.retain(|(name, _)| name != "DevicePolicy")),
            ("definition", Some(false), |s| s.line("RootDirectory", "/run/ch")),
            ("definition", Some(false), |s| s.line("User", "nobody")),
            ("definition", Some(false), |s| s.line("Restart", "always")),
            ("definition", Some(false), |s| s.line("ExecStartPre", "{ path=/bin/true ; argv[]=/bin/true }")),
            ("definition", Some(false), |s| s.line("FragmentPath", "/etc/systemd/system/other.service")),
            ("definition", Some(false), |s| s.m().raw.retain(|(name, _)| name != "User")),
            ("drop_ins", None, |s| s.m().raw.retain(|(name, _)| name != "DropInPaths")),
        ],
    );
}

#[test]
fn a_worker_that_did_not_end_well_brought_nothing() {
    let ended: [(&str, Spoil); 4] = [
        ("failed", |s| {
            s.m().state = Some("failed".into());
            s.line("SubState", "failed");
        }),
        ("another result", |s| {
            s.m().result = Some("timeout".into());
            s.line("Result", "timeout");
        }),
        ("another code", |s| {
            s.m().exit_code = Some(8);
            s.line("ExecMainStatus", "8");
        }),
        ("a signal", |s| s.m().signal = Some(9)),
    ];
    for (what, spoil) in ended {
        let mut story = systemd();
        spoil(&mut story);
        assert_eq!(story.bad(), [("ended".to_owned(), Some(false))], "{what}");
    }
}

#[test]
fn what_is_false_on_all_sides_is_found_all_the_same() {
    // The same unit on every side, and not this run's.
    let mut story = systemd();
    story.w().unit = Some("evil.service".into());
    story.m().unit = "evil.service".into();
    story.j().unit = "evil.service".into();
    let bad: Vec<String> = story.bad().into_iter().map(|(check, _)| check).collect();
    assert_eq!(bad, ["unit", "unit_of_manager", "unit_of_job"]);
    // Process ids that no worker has.
    for pid in [-5, 0, 1] {
        let mut story = systemd();
        story.w().pid = pid;
        story.m().main_pid = Some(pid);
        story.line("ExecMainPID", &pid.to_string());
        assert_eq!(story.bad(), [("main_pid".to_owned(), Some(false))], "{pid}");
    }
    // Root that can do nothing.
    let mut story = systemd();
    story.w().capability_bounding_set = Some("0000".into());
    story.w().parent_capability_bounding_set = Some("0000".into());
    story.w().effective_capabilities = Some("0000".into());
    assert_eq!(story.bad(), [("capability_bounding_set".to_owned(), Some(false))]);
    // A variable that everybody lists, and that a loader reads.
    for name in ["LD_PRELOAD", "LD_AUDIT", "GLIBC_TUNABLES", "DYLD_INSERT_LIBRARIES"] {
        let mut story = systemd();
        story.variable(name);
        story.j().manager_environment.push(name.into());
        story.declared_job().manager_environment.push(name.into());
        assert_eq!(story.bad(), [("environment".to_owned(), Some(false))], "{name}");
    }
    // A user's manager where root was declared, which would spare the question after process 1.
    let mut story = systemd();
    story.m().domain = "user".into();
    story.w().ppid = 812;
    let bad: Vec<String> = story.bad().into_iter().map(|(check, _)| check).collect();
    assert_eq!(bad, ["domain", "parent_pid"]);
    let mut story = of_a_user();
    story.w().effective_capabilities = Some("0001".into());
    assert_eq!(story.bad(), [("capabilities".to_owned(), Some(false))]);
}

#[test]
fn a_preloaded_library_does_not_matter_to_a_program_that_loads_none() {
    let mut story = systemd();
    let named = vec!["/lib/x.so".into()];
    story.w().preload = Some(PreloadEntry { named: Some(named), libraries: Some(Vec::new()) });
    assert_eq!(story.bad(), []);
    let told = story.checks().into_iter().find(|check| check.check == "preload").unwrap();
    assert!(told.found.contains("/lib/x.so"), "{}", told.found);
}

#[test]
fn drop_ins_are_named_and_judged_by_what_they_do() {
    let mut story = systemd();
    story.line("DropInPaths", "/usr/lib/systemd/system/service.d/10-timeout-abort.conf");
    assert_eq!(story.bad(), []);
    let told = story.checks().into_iter().find(|check| check.check == "drop_ins").unwrap();
    assert!(told.found.contains("10-timeout-abort.conf"), "{}", told.found);
    story.line("ExecStartPre", "{ path=/bin/sh }");
    assert_eq!(story.bad(), [("definition".to_owned(), Some(false))]);
}

/// The same worker as launchd would have it: nothing of procfs, systemd or Landlock is known there.
fn launchd() -> Story {
    let mut story = systemd();
    story.channel = ChannelKind::LaunchdClean;
    let names = ["PATH", "NONCE", "XPC_FLAGS", "XPC_SERVICE_NAME"];
    let own: Vec<String> = ["XPC_FLAGS", "XPC_SERVICE_NAME", "SSH_AUTH_SOCK"].map(str::to_owned).into();
    let worker = WorkerWitness {
        parent_name: None,
        unit: Some(LABEL.into()),
        invocation_id: None,
        control_group: None,
        environment: names
            .map(|name| EnvironmentEntry {
                name: name.into(),
                value_sha256: Digest::of(if name == "PATH" { b"/usr/bin:/bin" } else { name.as_bytes() }),
            })
            .to_vec(),
        ids: [501, 501, 20, 20],
        namespaces: Vec::new(),
        no_new_privs: None,
        seccomp: None,
        capability_bounding_set: None,
        parent_capability_bounding_set: None,
        effective_capabilities: None,
        ambient_capabilities: None,
        root_directory: None,
        preload: None,
        lsm_label: None,
        landlock_layers: None,
        seatbelt_confined: Some(false),
        ..story.w().clone()
    };
    let manager = ManagerAccount {
        manager: "launchd".into(),
        domain: "gui/501".into(),
        unit: LABEL.into(),
        invocation_id: None,
        control_group: None,
        state: Some("not running".into()),
        result: Some("0".into()),
        raw: vec![("state".into(), "not running".into()), ("runs".into(), "1".into())],
        ..story.m().clone()
    };
    story.worker = Some(worker);
    story.manager = Some(manager);
    story.j().unit = LABEL.into();
    story.j().manager_environment = own.clone();
    story.declared_job().manager_environment = own;
    story.d().user = UserElement { uid_class: "user".into(), gid_class: "user".into() };
    story
}

#[test]
fn a_job_of_launchd_is_clean_by_other_facts() {
    assert_eq!(launchd().bad(), []);
}

/// Launchd's own account of the environment, as entries of the raw text.
fn tell(story: &mut Story, blocks: &[(&str, &str)]) {
    story.m().raw.extend(blocks.iter().map(|(key, lines)| ((*key).to_owned(), (*lines).to_owned())));
}

#[test]
fn what_launchd_says_to_have_set_itself_is_clean_and_is_named() {
    for block in ["environment", "default environment"] {
        let mut story = launchd();
        story.variable("OSLogRateLimit");
        assert_eq!(story.bad(), [("environment".to_owned(), Some(false))], "nobody has said so yet");
        tell(
            &mut story,
            &[(block, "XPC_SERVICE_NAME => x\nOSLogRateLimit => 64"), ("inherited environment", "A => 1")],
        );
        assert_eq!(story.bad(), []);
        let told = story.checks().into_iter().find(|check| check.check == "environment").unwrap();
        assert!(told.found.ends_with("by launchd's own account [OSLogRateLimit]"), "{}", told.found);
    }
}

#[test]
fn what_launchctl_setenv_set_stays_unclean_whatever_launchds_account_looks_like() {
    let accounts: [&[(&str, &str)]; 6] = [
        &[("inherited environment", "SET => 1"), ("environment", "XPC_SERVICE_NAME => x")],
        // Also where it is said to be launchd's own.
        &[("inherited environment", "SET => 1"), ("environment", "SET => 1")],
        &[("inherited environment", "odd\nSET => 1\nodd"), ("default environment", "SET => 1")],
        // A value with line ends can look like a block; then there are two.
        &[("inherited environment", "A => x"), ("environment", "SET => 1"), ("environment", "XPC_SERVICE_NAME => x")],
        // A line that is no variable: this is not the block that is known here.
        &[("environment", "SET => 1\nsomething else")],
        &[("another block", "SET => 1")],
    ];
    for (n, account) in accounts.into_iter().enumerate() {
        let mut story = launchd();
        story.variable("SET");
        tell(&mut story, account);
        assert_eq!(story.bad(), [("environment".to_owned(), Some(false))], "account {n}");
    }
    // What a loader reads is never clean, and systemd has no such account.
    let mut story = launchd();
    story.variable("DYLD_INSERT_LIBRARIES");
    tell(&mut story, &[("environment", "DYLD_INSERT_LIBRARIES => /x.dylib")]);
    assert_eq!(story.bad(), [("environment".to_owned(), Some(false))]);
    let mut story = systemd();
    story.variable("SET");
    tell(&mut story, &[("environment", "SET => 1")]);
    assert_eq!(story.bad(), [("environment".to_owned(), Some(false))]);
}

#[test]
fn each_single_fault_of_a_launchd_job_is_found_under_its_name() {
    expect(
        launchd,
        &[
            ("main_pid", Some(false), |s| s.w().pid = 43),
            ("main_pid", None, |s| s.m().main_pid = None),
            ("unit", Some(false), |s| s.w().unit = Some("0".into())),
            ("unit", None, |s| s.w().unit = None),
            ("unit_of_manager", Some(false), |s| s.m().unit = "another".into()),
            ("unit_of_job", Some(false), |s| s.j().unit = "another".into()),
            ("manager", Some(false), |s| s.m().manager = "systemd".into()),
            ("ended", Some(false), |s| s.m().exit_code = Some(9)),
            ("ended", None, |s| s.m().exit_code = None),
            ("nonce", None, |s| s.w().nonce_sha256 = None),
            ("user", Some(false), |s| s.w().ids = [0; 4]),
            ("environment", Some(false), |s| s.w().environment[2].name = "DYLD_INSERT_LIBRARIES".into()),
            ("environment", Some(false), |s| s.w().environment[2].name = "SET_BY_LAUNCHCTL_SETENV".into()),
            ("open_fds", None, |s| s.w().open_fds = None),
            ("open_fds", Some(false), |s| s.w().open_fds = Some(vec![OpenFd { fd: 3, what: "socket".into() }])),
            ("parent", Some(false), |s| s.w().ppid = 4711),
            ("runs", Some(false), |s| s.m().raw[1].1 = "2".into()),
            ("runs", None, |s| s.m().raw.clear()),
            ("seatbelt", Some(false), |s| s.w().seatbelt_confined = Some(true)),
            ("seatbelt", None, |s| s.w().seatbelt_confined = None),
        ],
    );
}
