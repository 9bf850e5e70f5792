//! Every driver: allowed without a policy, and under one exactly what Landlock decides.

use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};

use sandproof::test_support::policy::landlock::{FsRight, Layer, NetRight, Scope};
use sandproof::test_support::record::action::Action;
use sandproof::test_support::record::driver::Driver;
use sandproof::test_support::record::ending::Ending;
use sandproof::test_support::record::fixture::PROGRAM_EXIT;
use sandproof::test_support::record::report::CallRole;

use super::harness::{
    Answer, Bench, User, action, action_to, beneath, handles_fs, handles_net, is_root, on_port, scoped,
};

/// What the policy makes of an operation that works without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Under {
    Denied(i32),
    Allowed,
}

use Under::{Allowed, Denied};

const ACCES: Under = Denied(libc::EACCES);

/// Runs the same action without and then with the policy, making the fixture anew before each.
pub(super) fn check(
    bench: &mut Bench,
    make: impl Fn(&Bench) -> Action,
    policy: &Layer,
    under: Under,
) -> (Answer, Answer) {
    let fresh = |bench: &Bench| {
        std::fs::remove_dir_all(&bench.root).unwrap();
        bench.dir("");
        make(bench)
    };
    let todo = fresh(bench);
    let baseline = bench.run(&todo, None);
    assert!(baseline.allowed(), "{todo:?} without a policy: {baseline:#?}");
    assert_ne!(baseline.detail("confirmed"), Some(0), "{todo:?} without a policy: {baseline:#?}");
    assert_eq!(baseline.prologue().apply, None);
    let todo = fresh(bench);
    let scenario = bench.run(&todo, Some(policy));
    let applied = scenario.prologue().apply.as_ref().unwrap();
    assert_eq!(applied.rc, 0, "{todo:?}: {applied:?}");
    assert_eq!(scenario.prologue().self_check_after.as_ref().unwrap().confined, Some(true));
    match under {
        Allowed => {
            assert!(scenario.allowed(), "{todo:?} under {policy:?}: {scenario:#?}");
            let confirmed = scenario.detail("confirmed");
            assert_eq!(confirmed, baseline.detail("confirmed"), "{todo:?} under {policy:?}: {scenario:#?}");
        }
        Denied(errno) => {
            assert_eq!(scenario.last(), (CallRole::Operation, errno), "{todo:?} under {policy:?}: {scenario:#?}");
            assert!(
                todo.driver.info().landlock_denials.contains(&errno),
                "{todo:?} answers {errno}, which its driver does not name"
            );
        }
    }
    (baseline, scenario)
}

/// For every user: the policy denies, and with a rule on the fixture root it allows.
pub(super) fn decided_by(right: FsRight, extra: &[FsRight], make: impl Fn(&Bench) -> Action) {
    for user in User::all() {
        let mut bench = Bench::new(user);
        let mut rights = vec![right];
        check(&mut bench, &make, &handles_fs(&rights), ACCES);
        rights.extend(extra);
        let policy = Layer { path_beneath: vec![beneath("${root}", &rights)], ..handles_fs(&rights) };
        check(&mut bench, &make, &policy, Allowed);
    }
}

/// Older kernels ask for `make_char` on a whiteout, newer ones for `make_reg`: with neither it is refused by both.
fn whiteouts() {
    let rights = [FsRight::MakeChar, FsRight::MakeReg];
    let make = |b: &Bench| action(Driver::CharDeviceCreate, &b.path("c"));
    for user in User::all() {
        let mut bench = Bench::new(user);
        check(&mut bench, make, &handles_fs(&rights), ACCES);
        let policy = Layer { path_beneath: vec![beneath("${root}", &rights)], ..handles_fs(&rights) };
        check(&mut bench, make, &policy, Allowed);
    }
}

/// For every user: a policy that handles every file right does not touch the operation.
pub(super) fn never_decided(make: impl Fn(&Bench) -> Action) {
    for user in User::all() {
        let mut bench = Bench::new(user);
        check(&mut bench, &make, &everything(), Allowed);
    }
}

/// A policy that handles all that ABI 6 knows, and grants nothing.
pub(super) fn everything() -> Layer {
    use sandproof::test_support::policy::landlock::RightSet;
    Layer {
        handled_fs: RightSet::of_abi(6),
        handled_net: RightSet::of_abi(6),
        scoped: RightSet::of_abi(6),
        ..Layer::default()
    }
}

#[test]
fn reading_and_writing() {
    decided_by(FsRight::ReadFile, &[], |b| action(Driver::FileRead, &b.file("f")));
    decided_by(FsRight::ReadFile, &[], |b| action(Driver::FileReadAt, &b.file("d/f")));
    decided_by(FsRight::WriteFile, &[], |b| action(Driver::FileWrite, &b.file("f")));
    decided_by(FsRight::WriteFile, &[], |b| action(Driver::FileReadWrite, &b.file("f")));
    decided_by(FsRight::ReadFile, &[], |b| action(Driver::FileReadWrite, &b.file("f")));
    decided_by(FsRight::ReadDir, &[], |b| action(Driver::DirList, &b.dir("d")));
    decided_by(FsRight::MakeReg, &[], |b| action(Driver::FileCreate, &b.path("new")));
}

#[test]
fn truncating() {
    decided_by(FsRight::Truncate, &[], |b| action(Driver::FileTruncate, &b.file("f")));
    decided_by(FsRight::Truncate, &[], |b| action(Driver::FileOpenTruncate, &b.file("f")));
    decided_by(FsRight::Truncate, &[], |b| action(Driver::FileTruncateFd, &b.file("f")));
    never_decided(|b| action(Driver::FileTruncateInherited, &b.file("f")));
}

#[test]
fn making_and_removing_names() {
    decided_by(FsRight::RemoveFile, &[], |b| action(Driver::FileUnlink, &b.file("f")));
    decided_by(FsRight::RemoveDir, &[], |b| action(Driver::DirRemove, &b.dir("d")));
    decided_by(FsRight::MakeDir, &[], |b| action(Driver::DirCreate, &b.path("d")));
    decided_by(FsRight::MakeSym, &[], |b| action_to(Driver::SymlinkCreate, &b.path("l"), "text"));
    decided_by(FsRight::MakeFifo, &[], |b| action(Driver::FifoCreate, &b.path("p")));
    decided_by(FsRight::MakeSock, &[], |b| action(Driver::SocketNodeCreate, &b.path("s")));
    whiteouts();
    decided_by(FsRight::MakeSock, &[], |b| action(Driver::UnixBind, &b.path("s")));
    decided_by(FsRight::RemoveFile, &[FsRight::MakeReg], |b| action_to(Driver::FileRename, &b.file("f"), &b.path("g")));
    decided_by(FsRight::MakeReg, &[], |b| action_to(Driver::FileLink, &b.file("f"), &b.path("g")));
    decided_by(FsRight::RemoveFile, &[FsRight::MakeReg], |b| {
        action_to(Driver::FileExchange, &b.file("f"), &b.file("g"))
    });
}

#[test]
fn a_block_device_needs_privilege_and_the_right() {
    let mut bench = Bench::new(User::Caller);
    if is_root() {
        let make = |b: &Bench| action(Driver::BlockDeviceCreate, &b.path("b"));
        check(&mut bench, make, &handles_fs(&[FsRight::MakeBlock]), ACCES);
    } else {
        let todo = action(Driver::BlockDeviceCreate, &bench.path("b"));
        assert_eq!(bench.run(&todo, None).last(), (CallRole::Operation, libc::EPERM));
    }
}

#[test]
fn crossing_folders_is_refused_as_exdev_unless_refer_is_granted() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        let rename = |b: &Bench| {
            b.dir("b");
            action_to(Driver::FileRename, &b.file("a/f"), &b.path("b/f"))
        };
        let link = |b: &Bench| {
            b.dir("b");
            action_to(Driver::FileLink, &b.file("a/f"), &b.path("b/f"))
        };
        // A ruleset refuses reparenting also if it does not handle `refer`.
        let read_only = handles_fs(&[FsRight::ReadFile]);
        check(&mut bench, rename, &read_only, Denied(libc::EXDEV));
        check(&mut bench, link, &read_only, Denied(libc::EXDEV));
        let granted =
            Layer { path_beneath: vec![beneath("${root}", &[FsRight::Refer])], ..handles_fs(&[FsRight::Refer]) };
        check(&mut bench, rename, &granted, Allowed);
        check(&mut bench, link, &granted, Allowed);
    }
}

#[test]
fn what_no_right_covers_stays_possible() {
    never_decided(|b| action(Driver::FileOpenPath, &b.file("f")));
    never_decided(|b| action(Driver::FileReadInherited, &b.file("f")));
    never_decided(|b| action(Driver::FileStat, &b.file("f")));
    never_decided(|b| action(Driver::FileAccess, &b.file("f")));
    never_decided(|b| action(Driver::FileChmod, &b.file("f")));
    never_decided(|b| action(Driver::FileUtimes, &b.file("f")));
    never_decided(|b| action(Driver::XattrList, &b.file("f")));
    never_decided(|b| Action { name: Some("user.t".into()), ..action(Driver::XattrSet, &b.file("f")) });
    never_decided(|b| {
        let path = b.file("f");
        set_user_attribute(&path);
        Action { name: Some("user.t".into()), ..action(Driver::XattrGet, &path) }
    });
    never_decided(|b| {
        std::os::unix::fs::symlink("text", b.root.join("l")).unwrap();
        action(Driver::FileReadlink, &b.path("l"))
    });
    never_decided(|_| action(Driver::ProcessFork, ""));
    never_decided(|_| action(Driver::SignalInside, ""));
    never_decided(|_| action(Driver::SignalSelf, ""));
    never_decided(|_| action(Driver::ApplyOnly, ""));
}

fn set_user_attribute(path: &str) {
    use std::os::fd::AsFd;
    let file = std::fs::File::open(path).unwrap();
    sandproof::test_support::sys::files::set_xattr(file.as_fd(), c"user.t", b"value").unwrap();
}

#[test]
fn device_control() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        let ioctl = |_: &Bench| action(Driver::DeviceIoctl, "/dev/urandom");
        check(&mut bench, ioctl, &handles_fs(&[FsRight::IoctlDev]), ACCES);
        let policy = Layer {
            path_beneath: vec![beneath("/dev/urandom", &[FsRight::IoctlDev])],
            ..handles_fs(&[FsRight::IoctlDev])
        };
        check(&mut bench, ioctl, &policy, Allowed);
    }
}

#[test]
fn programs() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        // A program that exits with another code would be no witness.
        let program = bench.file("program");
        std::fs::write(&program, sandproof::test_support::probe::program_image()).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, mode).unwrap();
        let todo = action(Driver::Exec, &program);
        let ran = bench.run(&todo, None);
        assert_eq!(ran.reply.ending, Ending::Exited { code: PROGRAM_EXIT });
        assert_eq!(ran.operation, None, "nobody is left to write it");
        let refused = bench.run(&todo, Some(&handles_fs(&[FsRight::Execute])));
        assert_eq!(refused.last(), (CallRole::Operation, libc::EACCES));
        assert_eq!(refused.reply.ending, Ending::Exited { code: 0 });
        let missing = bench.run(&action(Driver::Exec, &bench.path("none")), None);
        assert_eq!(missing.last(), (CallRole::Operation, libc::ENOENT));
    }
}

#[test]
fn tcp() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        for host in ["127.0.0.1", "[::1]"] {
            let Ok(listener) = TcpListener::bind(format!("{host}:0")) else { continue };
            let port = listener.local_addr().unwrap().port();
            let connect = |_: &Bench| action(Driver::TcpConnect, &format!("{host}:{port}"));
            let policy = handles_net(&[NetRight::ConnectTcp]);
            check(&mut bench, connect, &policy, ACCES);
            let rule = on_port(&port.to_string(), &[NetRight::ConnectTcp]);
            check(&mut bench, connect, &Layer { net_port: vec![rule], ..policy }, Allowed);

            let free = TcpListener::bind(format!("{host}:0")).unwrap().local_addr().unwrap().port();
            let bind = |_: &Bench| action(Driver::TcpBind, &format!("{host}:{free}"));
            let policy = handles_net(&[NetRight::BindTcp]);
            check(&mut bench, bind, &policy, ACCES);
            let rule = on_port(&free.to_string(), &[NetRight::BindTcp]);
            check(&mut bench, bind, &Layer { net_port: vec![rule], ..policy }, Allowed);
        }
        // The kernel picks the port without asking Landlock.
        check(&mut bench, |_| action(Driver::TcpListenUnbound, ""), &everything(), Allowed);
    }
}

#[test]
fn udp_is_not_covered_by_the_tcp_rights() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = receiver.local_addr().unwrap().to_string();
        check(&mut bench, |_| action(Driver::UdpSend, &address), &everything(), Allowed);
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        check(&mut bench, |_| action(Driver::UdpBind, &free), &everything(), Allowed);
    }
}

#[test]
fn unix_sockets() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        let connect = |b: &Bench| {
            let path = b.path("s");
            let listener = UnixListener::bind(&path).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
            // It has to outlive this closure.
            std::mem::forget(listener);
            action(Driver::UnixConnect, &path)
        };
        // Below ABI 9 no right covers it.
        check(&mut bench, connect, &everything(), Allowed);
        let long = bench.run(&action(Driver::UnixConnect, &format!("/{}", "p".repeat(120))), None);
        assert_eq!(long.last(), (CallRole::Prepare, libc::ENAMETOOLONG));
    }
}

#[test]
fn abstract_sockets_are_scoped() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        let name = format!("sandproof-it-{}-{user:?}", std::process::id());
        let datagrams = format!("{name}-d");
        let _listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let _receiver = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&datagrams).unwrap()).unwrap();
        let policy = scoped(&[Scope::AbstractUnixSocket]);
        let connect = |_: &Bench| action(Driver::AbstractConnect, &name);
        let send = |_: &Bench| action(Driver::AbstractSend, &datagrams);
        check(&mut bench, connect, &policy, Denied(libc::EPERM));
        check(&mut bench, send, &policy, Denied(libc::EPERM));
        check(&mut bench, connect, &scoped(&[Scope::Signal]), Allowed);
        check(&mut bench, send, &scoped(&[Scope::Signal]), Allowed);
    }
}

#[test]
fn signals_are_scoped_and_their_arrival_is_witnessed() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        let outside = |_: &Bench| action(Driver::SignalOutside, "");
        let (baseline, scenario) = check(&mut bench, outside, &scoped(&[Scope::Signal]), Denied(libc::EPERM));
        assert_eq!(baseline.detail("received"), Some(1));
        assert_eq!(scenario.detail("received"), Some(0));
        assert!(!baseline.reply.left_descendants && !scenario.reply.left_descendants);
        let inside = |_: &Bench| action(Driver::SignalInside, "");
        let (_, scenario) = check(&mut bench, inside, &scoped(&[Scope::Signal]), Allowed);
        assert_eq!(scenario.detail("received"), Some(1));
        let itself = |_: &Bench| action(Driver::SignalSelf, "");
        let (_, scenario) = check(&mut bench, itself, &scoped(&[Scope::Signal]), Allowed);
        assert_eq!(scenario.detail("received"), Some(1));
    }
}

#[test]
fn a_process_outside_cannot_be_inspected() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        let inspect = |_: &Bench| action(Driver::ProcessInspectOutside, "");
        check(&mut bench, inspect, &handles_fs(&[FsRight::MakeBlock]), ACCES);
    }
}

#[test]
fn mounting_is_refused_in_every_domain_that_handles_files() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        let mount = |b: &Bench| action_to(Driver::MountBind, &b.dir("a"), &b.dir("b"));
        check(&mut bench, mount, &handles_fs(&[FsRight::MakeBlock]), Denied(libc::EPERM));
        check(&mut bench, mount, &scoped(&[Scope::Signal]), Allowed);
    }
}
