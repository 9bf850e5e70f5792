//! What a probe process says about itself before its operation.

use sandproof::test_support::policy::landlock::{FsRight, LandlockPolicy, Layer, NetRight, Scope};
use sandproof::test_support::record::action::{Action, BindMount};
use sandproof::test_support::record::driver::Driver;
use sandproof::test_support::record::outcome::FailureKind;
use sandproof::test_support::record::report::CallRole;

use super::harness::{Bench, User, action, beneath, handles_fs, handles_net, on_port, scoped};

#[test]
fn a_probe_starts_with_nothing_but_null_and_its_report() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        let todo = action(Driver::FileRead, &bench.file("f"));
        let answer = bench.run(&todo, None);
        let prologue = answer.prologue();
        let fds: Vec<(i32, &str)> = prologue.open_fds.iter().map(|open| (open.fd, open.what.as_str())).collect();
        assert_eq!(fds.len(), 4, "{fds:?}");
        assert_eq!(fds[..3], [(0, "/dev/null"), (1, "/dev/null"), (2, "/dev/null")]);
        assert!(fds[3].0 == 3 && fds[3].1.starts_with("pipe:["), "{fds:?}");
        assert_eq!(Some(prologue.pid), answer.reply.pid);
        let inherited = action(Driver::FileReadInherited, &bench.path("f"));
        let answer = bench.run(&inherited, None);
        assert!(answer.prologue().open_fds.iter().any(|open| open.what == bench.path("f")));
    }
}

#[test]
fn the_self_check_sees_the_domain_come() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        let todo = action(Driver::ApplyOnly, "");
        let answer = bench.run(&todo, Some(&handles_fs(&[FsRight::MakeBlock])));
        let (before, after) = (&answer.prologue().self_check_before, answer.prologue().self_check_after.as_ref());
        assert_eq!((before.confined, before.errno, before.no_new_privs), (Some(false), 0, false));
        let after = after.unwrap();
        assert_eq!((after.confined, after.errno, after.no_new_privs), (Some(true), libc::EACCES, true));
    }
}

#[test]
fn the_target_and_the_opened_file_are_named_by_the_kernel() {
    use std::os::unix::fs::MetadataExt;
    let mut bench = Bench::new(User::Caller);
    let file = bench.file("f");
    std::os::unix::fs::symlink("f", bench.root.join("l")).unwrap();
    let answer = bench.run(&action(Driver::FileRead, &bench.path("l")), None);
    let link = std::fs::symlink_metadata(bench.path("l")).unwrap();
    let real = std::fs::metadata(&file).unwrap();
    let target = answer.prologue().target.as_ref().unwrap();
    assert_eq!((target.dev, target.ino, target.mode), (Some(link.dev()), Some(link.ino()), Some(link.mode())));
    let opened = answer.operation().opened.as_ref().unwrap();
    assert_eq!((opened.dev, opened.ino, opened.mode), (real.dev(), real.ino(), real.mode()));
    assert_eq!(opened.path.as_deref(), Some(file.as_str()));
    let missing = bench.run(&action(Driver::FileRead, &bench.path("none")), None);
    assert_eq!(missing.prologue().target.as_ref().unwrap().errno, libc::ENOENT);
    assert_eq!(missing.last(), (CallRole::Operation, libc::ENOENT));
}

/// The failure kind of a policy that must not have been applied, with the message.
fn refused(bench: &mut Bench, policy: &LandlockPolicy) -> (FailureKind, i32, String, Vec<String>) {
    let todo = action(Driver::FileRead, &bench.file("f"));
    let answer = bench.run_policy(&todo, policy);
    assert_eq!(answer.operation, None, "no operation without its policy");
    assert_eq!(answer.prologue().self_check_after, None);
    let apply = answer.prologue().apply.clone().unwrap();
    assert_eq!(apply.rc, -1);
    (apply.failure.unwrap(), apply.errno, apply.message.unwrap(), apply.unsupported)
}

#[test]
fn a_policy_that_cannot_be_enforced_stops_the_probe() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        let future = LandlockPolicy::single(10, handles_net(&[NetRight::BindUdp]));
        let (kind, _, _, unsupported) = refused(&mut bench, &future);
        assert_eq!((kind, unsupported), (FailureKind::LandlockRightUnsupported, vec!["bind_udp".to_owned()]));

        let newer = LandlockPolicy::single(99, handles_fs(&[FsRight::ReadFile]));
        let (kind, _, message, unsupported) = refused(&mut bench, &newer);
        assert_eq!((kind, unsupported), (FailureKind::LandlockRightUnsupported, Vec::new()));
        assert!(message.contains("requires Landlock ABI 99"), "{message}");

        let rights = [FsRight::ReadFile, FsRight::ReadDir];
        let absent = Layer { path_beneath: vec![beneath("${root}/none", &rights)], ..handles_fs(&rights) };
        let (kind, errno, message, _) = refused(&mut bench, &absent.clone().into());
        assert_eq!((kind, errno), (FailureKind::LandlockRuleTarget, libc::ENOENT));
        assert!(message.contains(&bench.path("none")), "{message}");

        let on_a_file = Layer { path_beneath: vec![beneath("${root}/f", &rights)], ..handles_fs(&rights) };
        let (kind, errno, message, _) = refused(&mut bench, &on_a_file.clone().into());
        assert_eq!((kind, errno), (FailureKind::LandlockApplyFailed, libc::EINVAL));
        assert!(message.contains("rule 0") && message.contains("read_dir can only be granted on one"), "{message}");

        let no_port =
            Layer { net_port: vec![on_port("${port.x}", &[NetRight::BindTcp])], ..handles_net(&[NetRight::BindTcp]) };
        let (kind, _, message, _) = refused(&mut bench, &no_port.clone().into());
        assert_eq!(kind, FailureKind::LandlockApplyFailed);
        assert!(message.contains("${port.x}"), "{message}");
    }
}

#[test]
fn every_layer_is_put_in_force_in_its_order_and_what_is_wrong_with_one_stops_the_probe() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        let rights = [FsRight::ReadFile];
        let on = |path: &str| Layer { path_beneath: vec![beneath(path, &rights)], ..handles_fs(&rights) };
        let stack = |layers: Vec<Layer>| LandlockPolicy { abi: 6, tsync: false, layers };
        let todo = action(Driver::FileRead, &bench.file("in/f"));
        bench.file("out/f");
        let both = stack(vec![on("${root}"), scoped(&[Scope::Signal]), on("${root}/in")]);
        assert!(bench.run_policy(&todo, &both).allowed());
        let other = stack(vec![on("${root}"), scoped(&[Scope::Signal]), on("${root}/out")]);
        assert_eq!(bench.run_policy(&todo, &other).last(), (CallRole::Operation, libc::EACCES));
        let signal = action(Driver::SignalOutside, "");
        assert_eq!(bench.run_policy(&signal, &both).last(), (CallRole::Operation, libc::EPERM));

        let absent = stack(vec![on("${root}"), on("${root}/none")]);
        let (kind, errno, message, _) = refused(&mut bench, &absent);
        assert_eq!((kind, errno), (FailureKind::LandlockRuleTarget, libc::ENOENT));
        assert!(message.starts_with("layer 1: rule 0 names "), "{message}");
        // The kernel takes sixteen; those that the test itself runs in count as well.
        let outside = sandproof::test_support::enforce::already_confined_layers().unwrap() as usize;
        let most = stack(vec![on("${root}"); 16 - outside]);
        assert!(bench.run_policy(&todo, &most).allowed());
        let (kind, errno, message, _) = refused(&mut bench, &stack(vec![on("${root}"); 17 - outside]));
        assert_eq!((kind, errno), (FailureKind::LandlockApplyFailed, libc::E2BIG));
        assert!(message.starts_with(&format!("layer {}: ", 16 - outside)), "{message}");
    }
}

#[test]
fn threads_are_restricted_with_the_process_where_the_kernel_can_and_else_the_probe_stops() {
    let Some(abi) = sandproof::test_support::enforce::landlock_abi() else { return };
    for user in User::all() {
        let mut bench = Bench::new(user);
        let policy = LandlockPolicy { tsync: true, ..LandlockPolicy::single(8, handles_fs(&[FsRight::ReadFile])) };
        if abi < 8 {
            let (kind, _, _, unsupported) = refused(&mut bench, &policy);
            assert_eq!((kind, unsupported), (FailureKind::LandlockRightUnsupported, vec!["tsync".to_owned()]));
            continue;
        }
        let todo = action(Driver::FileRead, &bench.file("f"));
        let answer = bench.run_policy(&todo, &policy);
        assert_eq!(answer.prologue().apply.as_ref().map(|apply| apply.rc), Some(0), "{answer:#?}");
        assert!(answer.prologue().self_check_after.as_ref().unwrap().no_new_privs);
        assert_eq!(answer.last(), (CallRole::Operation, libc::EACCES));
        let older = action(Driver::FileReadOlderThread, &bench.file("f"));
        assert_eq!(bench.run_policy(&older, &policy).last(), (CallRole::Operation, libc::EACCES));
        assert!(bench.run_policy(&older, &LandlockPolicy { tsync: false, ..policy }).allowed());
    }
}

#[test]
fn bind_mounts_are_the_probes_own() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        bench.file("from/f");
        let mounts = vec![BindMount { from: bench.path("from"), at: bench.dir("at") }];
        let todo = Action { mounts, ..action(Driver::FileRead, &bench.path("at/f")) };
        let answer = bench.run(&todo, None);
        assert!(answer.allowed(), "{answer:#?}");
        assert!(!bench.root.join("at/f").exists(), "the mount is visible outside");
        let rights = [FsRight::ReadFile];
        let policy = handles_fs(&rights);
        let answer = bench.run(&todo, Some(&policy));
        assert_eq!(answer.last(), (CallRole::Operation, libc::EACCES));
        assert_eq!(answer.prologue().self_check_before.confined, Some(false));
        assert!(!answer.reply.left_descendants);
        let granted = Layer { path_beneath: vec![beneath("${root}/at", &rights)], ..policy };
        let answer = bench.run(&todo, Some(&granted));
        // The rule's folder is opened inside the namespace, so it is the mounted one.
        assert!(answer.allowed(), "{answer:#?}");
        let absent = vec![BindMount { from: bench.path("none"), at: bench.path("at") }];
        let answer = bench.run(&Action { mounts: absent, ..todo }, None);
        let failure = answer.prologue().setup_failure.clone().unwrap();
        assert_eq!((failure.step.as_str(), failure.errno), ("mount_bind", libc::ENOENT));
        assert_eq!(answer.operation, None);
    }
}
