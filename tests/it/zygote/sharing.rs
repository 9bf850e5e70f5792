//! Probe processes that share the memory of their zygote: which do, that the others do not, and that nothing of one reaches
//! the next.

use std::process::Command;

use serde_json::{Value, json};

use sandproof::test_support::policy::landlock::{FsRight, LandlockPolicy, Layer};
use sandproof::test_support::record::action::{Action, BindMount};
use sandproof::test_support::record::driver::Driver;
use sandproof::test_support::record::ending::Ending;
use sandproof::test_support::record::row::ProbeProcess;
use sandproof::test_support::zygote::protocol::Job;

use super::endings::{fifo, started_child};
use super::harness::{Bench, User, action, handles_fs};
use crate::skip;
use crate::support::{output, root};
use crate::systemd::confine::{Call, answering, confined_here};

/// What zygotes start their children with, as the first argument of clone(2): the filter of a kernel or emulator that does not
/// know it, as qemu's user emulation does not.
const SHARING: Call = Call::with(libc::SYS_clone, 0, (libc::CLONE_VM | libc::SIGCHLD) as u32);

/// Whether probes share memory here, by a release of Linux of 5.16 or newer.
fn shares() -> bool {
    let release = nix::sys::utsname::uname().unwrap().release().to_str().unwrap().to_owned();
    let mut numbers = release.split(|other: char| !other.is_ascii_digit()).map(|number| number.parse::<u32>().unwrap());
    (numbers.next(), numbers.next()) >= (Some(5), Some(16))
}

fn kind(bench: &mut Bench, todo: &Action) -> ProbeProcess {
    bench.run(todo, None).reply.process.unwrap()
}

#[test]
fn a_probe_has_memory_of_its_own_where_it_could_leave_something_in_it_or_ask_about_it() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        let file = bench.file("f");
        let usual = if shares() { ProbeProcess::Shared } else { ProbeProcess::Forked };
        for todo in [
            action(Driver::FileRead, &file),
            action(Driver::FileWrite, &file),
            action(Driver::FileRead, "/proc-but-not-it"),
            action(Driver::TcpListenUnbound, ""),
            action(Driver::ProcessInspectOutside, ""),
            action(Driver::ApplyOnly, ""),
        ] {
            assert_eq!(kind(&mut bench, &todo), usual, "{todo:?}");
        }
        let link = bench.path("link");
        std::os::unix::fs::symlink("/proc/self/maps", &link).unwrap();
        let folder = bench.dir("d");
        let mounted = BindMount { from: bench.dir("e"), at: folder };
        let mount = Action { mounts: vec![mounted], ..action(Driver::FileRead, &file) };
        for todo in [
            action(Driver::FileRead, "/proc/self/environ"),
            action(Driver::FileOpenWrite, "/proc/self/oom_score_adj"),
            action(Driver::FileRead, &link),
            action(Driver::ProcessFork, ""),
            action(Driver::Exec, "/bin/true"),
            mount,
        ] {
            assert_eq!(kind(&mut bench, &todo), ProbeProcess::Forked, "{todo:?}");
        }
    }
}

#[test]
fn where_memory_cannot_be_shared_probes_are_forked() {
    for errno in [libc::EINVAL, libc::EPERM] {
        let mut bench = Bench::answered(errno, &[SHARING]);
        let file = bench.file("f");
        for _ in 0..3 {
            let answer = bench.run(&action(Driver::FileRead, &file), None);
            assert_eq!(answer.reply.process, Some(ProbeProcess::Forked));
            assert!(answer.allowed(), "{answer:?}");
        }
    }
    // What else clone(2) may say is no reason to do without.
    if shares() {
        let mut bench = Bench::answered(libc::EAGAIN, &[SHARING]);
        let answer = bench.run(&action(Driver::ApplyOnly, ""), None);
        assert_eq!(answer.reply.ending, Ending::NotStarted { errno: libc::EAGAIN });
    }
}

/// A policy that no kernel puts in force, because it is about a folder that is not there.
fn unusable(bench: &Bench) -> LandlockPolicy {
    use sandproof::test_support::policy::landlock::{PathBeneathRule, RightSet};
    let rule = PathBeneathRule { path: bench.path("absent"), allow: RightSet::of(&[FsRight::ReadFile]) };
    Layer { path_beneath: vec![rule], ..handles_fs(&[FsRight::ReadFile]) }.into()
}

#[test]
fn nothing_of_a_probe_stands_in_the_report_of_the_next() {
    let mut bench = Bench::new(User::Caller);
    let file = bench.file("f");
    let read = action(Driver::FileRead, &file);
    let before = bench.run(&read, None);
    let unusable = unusable(&bench);
    for _ in 0..2 {
        // It says one line alone.
        let refused = bench.run_policy(&read, &unusable);
        assert!(refused.operation.is_none() && refused.prologue().apply.as_ref().unwrap().rc != 0, "{refused:?}");
        // One whose text cannot be made.
        let unmade = bench.run(&action(Driver::FileRead, "a\0b"), None);
        assert!(unmade.prologue().setup_failure.is_some(), "{unmade:?}");
        // One that is refused what it asks, and one that is not.
        let denied = bench.run(&read, Some(&handles_fs(&[FsRight::ReadFile])));
        assert_eq!(denied.last().1, libc::EACCES, "{denied:?}");
        let after = bench.run(&read, None);
        assert_eq!(after.operation(), before.operation());
        assert_eq!(after.prologue().self_check_before, before.prologue().self_check_before);
        assert!(after.prologue().apply.is_none() && after.prologue().setup_failure.is_none(), "{after:?}");
    }
}

#[test]
fn after_a_probe_that_was_cut_off_another_zygote_goes_on() {
    let mut bench = Bench::new(User::Caller);
    let (pipe, file) = (fifo(&bench), bench.file("f"));
    for signal in [libc::SIGKILL, libc::SIGSEGV, libc::SIGABRT, libc::SIGTERM] {
        let zygote = bench.zygote.pid();
        let job = Job {
            seq: 1,
            action: action(Driver::FileRead, &pipe),
            scope: bench.scope.clone(),
            policy: None,
            check: None,
            deadline_ms: 20_000,
        };
        bench.zygote.send(&job).unwrap();
        // One that waits already is answered by the next zygote or by nobody, never by this one.
        bench.zygote.send(&Job { seq: 2, action: action(Driver::FileRead, &file), ..job.clone() }).unwrap();
        let probe = started_child(zygote);
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(probe), nix::sys::signal::Signal::try_from(signal).unwrap())
            .unwrap();
        let reply = bench.zygote.recv().unwrap();
        assert_eq!(reply.ending, Ending::Signaled { signal, core_dumped: false });
        assert_eq!(reply.spent, reply.process == Some(ProbeProcess::Shared));
        if reply.spent {
            bench.zygote.recv().unwrap_err();
            bench.renew();
        } else {
            bench.zygote.recv().unwrap();
        }
        assert!(bench.run(&action(Driver::FileRead, &file), None).allowed());
    }
    // So it is after a deadline.
    let late = bench.run_until(&action(Driver::FileRead, &pipe), None, 30);
    assert!(matches!(late.reply.ending, Ending::Expired { .. }), "{late:?}");
    assert!(bench.run(&action(Driver::FileRead, &file), None).allowed());
}

/// The memory that a process has in use, in KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn what_probes_allocate_does_not_pile_up() {
    let mut bench = Bench::new(User::Caller);
    let file = bench.file("f");
    let all = [
        action(Driver::FileRead, &file),
        action(Driver::FileReadAt, &file),
        action(Driver::ProcessInspectOutside, ""),
        action(Driver::FileRead, &bench.path("absent")),
    ];
    let round = |bench: &mut Bench| {
        for todo in &all {
            bench.run(todo, Some(&handles_fs(&[FsRight::ReadFile])));
        }
    };
    // Until buffers have their size.
    (0..50).for_each(|_| round(&mut bench));
    let (zygote, before) = (bench.zygote.pid(), resident(bench.zygote.pid()));
    (0..1_000).for_each(|_| round(&mut bench));
    assert_eq!(bench.zygote.pid(), zygote, "no probe was cut off");
    let grown = resident(zygote).saturating_sub(before);
    assert!(grown < 2_048, "4,000 probes left {grown} KiB");
}

/// What the rows of a lane show, without what is another each time: times, numbers of processes, files and descriptors, names
/// of this run's own.
fn shown(bundle: &std::path::Path, lane: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(bundle.join(format!("rows/{lane}.jsonl"))).unwrap();
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        let calls: Vec<Value> = row["operation"]["calls"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|call| json!([call["syscall"], call["role"], call["ret"].as_i64() < Some(0), call["errno"]]))
            .collect();
        let said = &row["prologue"];
        let checks =
            ["self_check_before", "self_check_after"].map(|name| json!([said[name]["confined"], said[name]["errno"]]));
        let facts = ["seq", "profile_id", "expectation_id", "ending", "not_run"].map(|name| row[name].clone());
        json!([facts, calls, checks, said["apply"], said["setup_failure"], said["uid"]])
    };
    text.lines().map(row).collect()
}

#[test]
fn shipped_plans_say_the_same_either_way() {
    if !shares() {
        skip!("no process shares memory before Linux 5.16");
    }
    let folder = tempfile::tempdir().unwrap();
    for plan in ["quickstart", "linux-files", "linux-network", "linux-scopes"] {
        let run = |name: &str, under: Option<&str>| {
            let out = folder.path().join(plan).join(name);
            let words: Vec<String> = [env!("CARGO_BIN_EXE_sandproof"), "run", "--plan"]
                .map(str::to_owned)
                .into_iter()
                .chain([format!("plans/{plan}/plan.json"), "--out".into(), out.to_str().unwrap().into()])
                .collect();
            let words = under.map_or(words.clone(), |kind| confined_here(kind, &words));
            let ended = output(Command::new(&words[0]).args(&words[1..]).current_dir(root()));
            let latest = std::fs::read_to_string(out.join("LATEST")).unwrap_or_else(|_| panic!("{plan}: {ended:?}"));
            (ended.status.code(), out.join(latest.trim()))
        };
        let (shared, forked) = (run("shared", None), run("forked", Some(&answering(libc::EINVAL, &[SHARING]))));
        assert_eq!(shared.0, forked.0, "{plan}");
        let mut kinds = [0_usize; 2];
        for lane in ["baseline", "scenario", "control"] {
            let [one, other] = [&shared.1, &forked.1].map(|bundle| shown(bundle, lane));
            assert!(!one.is_empty(), "{plan} has no rows of {lane}");
            for (one, other) in one.iter().zip(&other) {
                assert_eq!(one, other, "{plan}, {lane}");
            }
            assert_eq!(one.len(), other.len());
            for (place, bundle) in [&shared.1, &forked.1].into_iter().enumerate() {
                let text = std::fs::read_to_string(bundle.join(format!("rows/{lane}.jsonl"))).unwrap();
                kinds[place] += text.matches("\"process\":\"shared\"").count();
            }
        }
        assert!(kinds[0] > 0 && kinds[1] == 0, "{plan}: {kinds:?}");
    }
}
