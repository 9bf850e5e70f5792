//! How probes and zygotes end, and that each end is told apart.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use sandproof::test_support::process::{SUBCOMMAND, Zygote};
use sandproof::test_support::record::driver::Driver;
use sandproof::test_support::record::ending::Ending;
use sandproof::test_support::zygote::protocol::{Job, PolicyUse};

use super::harness::{Bench, User, action};

pub fn fifo(bench: &Bench) -> String {
    let path = bench.path("fifo");
    nix::unistd::mkfifo(path.as_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    path
}

#[test]
fn a_probe_that_hangs_is_ended_by_the_ladder() {
    let mut bench = Bench::new(User::Caller);
    // Opening a FIFO for reading waits for a writer that never comes.
    let todo = action(Driver::FileRead, &fifo(&bench));
    let answer = bench.run_until(&todo, None, 60);
    let Ending::Expired { deadline_ms, sent, signal } = &answer.reply.ending else { panic!("{answer:?}") };
    assert_eq!((*deadline_ms, *signal), (60, Some(libc::SIGTERM)));
    assert_eq!(sent.len(), 1);
    assert!(sent[0].signal == libc::SIGTERM && sent[0].at_ms >= 60);
    assert!(answer.prologue.is_some() && answer.operation.is_none(), "it was inside its operation");
    // The zygote goes on.
    assert!(bench.run(&action(Driver::ProcessFork, ""), None).allowed());
}

/// Lets a probe wait for the other end of a FIFO; returns its process id.
fn started_reader(bench: &mut Bench, deadline_ms: u64) -> i32 {
    let (action, scope) = (action(Driver::FileRead, &fifo(bench)), bench.scope.clone());
    bench.zygote.send(&Job { seq: 1, action, scope, policy: None, check: None, deadline_ms }).unwrap();
    started_child(bench.zygote.pid())
}

#[test]
fn a_probe_that_is_killed_from_outside_is_told_from_one_that_ends() {
    let mut bench = Bench::new(User::Caller);
    let probe = started_reader(&mut bench, 20_000);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(probe), nix::sys::signal::Signal::SIGSEGV).unwrap();
    let reply = bench.zygote.recv().unwrap();
    assert_eq!(reply.ending, Ending::Signaled { signal: libc::SIGSEGV, core_dumped: false });
    assert_eq!(reply.pid, Some(probe));
}

/// Executes a shell script as a probe: the way to a process that does anything at all.
fn run_script(bench: &mut Bench, script: &str, deadline_ms: u64) -> super::harness::Answer {
    use std::os::unix::fs::PermissionsExt;
    let path = bench.path("script");
    // Written and made executable by another process, so that no fork of a test holds it open.
    let status = Command::new("sh")
        .args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$2\"", "sh", script, &path])
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    bench.run_until(&action(Driver::Exec, &path), None, deadline_ms)
}

#[test]
fn a_program_that_ignores_the_first_rung_meets_the_second() {
    let mut bench = Bench::new(User::Caller);
    let answer = run_script(&mut bench, "trap '' TERM; while :; do sleep 1; done", 80);
    let Ending::Expired { sent, signal, .. } = &answer.reply.ending else { panic!("{answer:?}") };
    let signals: Vec<i32> = sent.iter().map(|one| one.signal).collect();
    assert_eq!((signals, *signal), (vec![libc::SIGTERM, libc::SIGKILL], Some(libc::SIGKILL)));
    assert!(sent[1].at_ms >= sent[0].at_ms + 100);
}

#[test]
fn the_exit_of_a_program_is_told_from_its_death() {
    let mut bench = Bench::new(User::Caller);
    assert_eq!(run_script(&mut bench, "exit 3", 10_000).reply.ending, Ending::Exited { code: 3 });
    let crashed = run_script(&mut bench, "kill -ABRT $$", 10_000).reply.ending;
    assert_eq!(crashed, Ending::Signaled { signal: libc::SIGABRT, core_dumped: false });
}

#[test]
fn what_a_program_leaves_behind_is_killed_and_said() {
    let mut bench = Bench::new(User::Caller);
    let clean = run_script(&mut bench, "sleep 0 & wait", 10_000);
    assert!(!clean.reply.left_descendants);
    // One stays in the group, the other leaves it.
    for script in ["sleep 300 & echo $! > pid", "setsid sleep 300 & echo $! > pid"] {
        let script = format!("cd {}; {script}", bench.root.display());
        let answer = run_script(&mut bench, &script, 10_000);
        assert_eq!(answer.reply.ending, Ending::Exited { code: 0 });
        assert!(answer.reply.left_descendants, "{script}");
        let pid = std::fs::read_to_string(bench.path("pid")).unwrap();
        assert!(!Path::new("/proc").join(pid.trim()).exists(), "{script}: {pid} is alive");
    }
    assert!(bench.run(&action(Driver::ProcessFork, ""), None).allowed());
}

#[test]
fn a_deadline_of_nothing_still_ends_in_a_reply() {
    let mut bench = Bench::new(User::Caller);
    for _ in 0..20 {
        let answer = bench.run_until(&action(Driver::ApplyOnly, ""), None, 0);
        assert!(matches!(answer.reply.ending, Ending::Expired { deadline_ms: 0, .. }), "{answer:?}");
    }
}

/// The child of a zygote that was given a job, as soon as there is one.
pub fn started_child(pid: u32) -> i32 {
    loop {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        if let Some(child) = children.split_ascii_whitespace().next() {
            return child.parse().unwrap();
        }
    }
}

#[test]
fn jobs_may_be_sent_ahead() {
    let mut bench = Bench::new(User::Caller);
    let todo = action(Driver::ApplyOnly, "");
    let job = |seq| Job {
        seq,
        action: todo.clone(),
        scope: bench.scope.clone(),
        policy: None,
        check: None,
        deadline_ms: 10_000,
    };
    bench.zygote.send(&job(0)).unwrap();
    for seq in 0..50 {
        bench.zygote.send(&job(seq + 1)).unwrap();
        assert_eq!(bench.zygote.recv().unwrap().seq, seq);
    }
    assert_eq!(bench.zygote.recv().unwrap().seq, 50);
}

#[test]
fn a_probe_may_run_wherever_its_harness_may_and_blocks_no_signal() {
    let mut bench = Bench::new(User::Caller);
    let line_of = |status: &str, name: &str| {
        status.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
    };
    let own = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let wanted = (line_of(&own, "Cpus_allowed:"), Some("0000000000000000".to_owned()));
    let path = fifo(&bench);
    // The zygote itself stays on one processor.
    for seq in 0..10 {
        let todo = action(Driver::FileRead, &path);
        bench
            .zygote
            .send(&Job {
                seq,
                action: todo,
                scope: bench.scope.clone(),
                policy: None,
                check: None,
                deadline_ms: 20_000,
            })
            .unwrap();
        let child = started_child(bench.zygote.pid());
        let begun = std::time::Instant::now();
        loop {
            let status = std::fs::read_to_string(format!("/proc/{child}/status")).unwrap();
            let found = (line_of(&status, "Cpus_allowed:"), line_of(&status, "SigBlk:"));
            if found == wanted {
                break;
            }
            assert!(begun.elapsed().as_secs() < 10, "job {seq}: {found:?}");
        }
        // Its reader is waited for, so this does not return before the probe reads.
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().write_all(b"x").unwrap();
        assert_eq!(bench.zygote.recv().unwrap().ending, Ending::Exited { code: 0 });
    }
}

#[test]
fn a_lost_zygote_is_an_error_and_takes_its_probe_with_it() {
    let mut bench = Bench::new(User::Caller);
    let probe = started_reader(&mut bench, 60_000);
    bench.zygote.kill();
    let lost = bench.zygote.recv().unwrap_err();
    // Its socket is shut down first: it may see that, and end by itself, before the signal comes.
    let lost = lost.to_string();
    assert!(lost.contains("signal 9 ended it") || lost.contains("it exited with code 0"), "{lost}");
    assert!(bench.zygote.recv().is_err());
    let stat = format!("/proc/{probe}/stat");
    for _ in 0..1000 {
        match std::fs::read_to_string(&stat) {
            Ok(text) if !text.contains(") Z") => std::thread::sleep(std::time::Duration::from_millis(2)),
            _ => return,
        }
    }
    panic!("the probe {probe} outlived its zygote");
}

/// A zygote that nothing of ours speaks for, and the socket to speak to it.
fn bare_zygote() -> (UnixStream, Child) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let zygote = Command::new(env!("CARGO_BIN_EXE_sandproof"))
        .arg(SUBCOMMAND)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    (ours, zygote)
}

#[test]
fn a_harness_that_goes_away_ends_the_zygote_and_its_probe() {
    let bench = Bench::new(User::Caller);
    let (ours, zygote) = bare_zygote();
    let job = Job {
        seq: 1,
        action: action(Driver::FileRead, &fifo(&bench)),
        scope: bench.scope.clone(),
        policy: None,
        check: None,
        deadline_ms: 60_000,
    };
    let request = sandproof::test_support::zygote::protocol::ZygoteRequest::Run(std::borrow::Cow::Borrowed(&job));
    sandproof::test_support::zygote::protocol::write_frame(&mut &ours, &mut Vec::new(), &request).unwrap();
    started_child(zygote.id());
    drop(ours);
    // Without a word: its standard error is the user's, who gets one from the harness.
    let output = zygote.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn frames_that_make_no_sense_end_the_zygote_with_a_message() {
    for bytes in [&b"\xff\xff\xff\xff"[..], b"\x02\0\0\0[]", b"\x05\0\0\0{", b"\x01\0"] {
        let (mut ours, zygote) = bare_zygote();
        ours.write_all(bytes).unwrap();
        drop(ours);
        let output = zygote.wait_with_output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(70), "{bytes:?}: {message}");
        assert!(message.contains("could not read a request"), "{message}");
    }
    let mut zygote = Zygote::spawn(Path::new(env!("CARGO_BIN_EXE_sandproof"))).unwrap();
    let policy = Some(PolicyUse { key: 7, texts: Vec::new() });
    zygote
        .send(&Job {
            seq: 1,
            action: action(Driver::ApplyOnly, ""),
            scope: sandproof::test_support::record::action::ActionScope::default(),
            policy,
            check: None,
            deadline_ms: 1000,
        })
        .unwrap();
    let lost = zygote.recv().unwrap_err();
    assert!(lost.to_string().contains("exited with code 70"), "{lost}");
}

#[test]
fn a_file_that_is_no_executable_cannot_be_a_zygote() {
    let error = Zygote::spawn(Path::new("/proc/version")).unwrap_err();
    assert!(error.to_string().contains("/proc/version"));
    assert_eq!(error.source.kind(), std::io::ErrorKind::PermissionDenied);
}
