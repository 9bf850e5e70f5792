//! What no rule of Landlock is about, or only by a way around: allowed as the kernel allows it, refused by a filter where
//! Landlock refuses nothing, and never believed without its consequence.

use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;

use sandproof::test_support::policy::landlock::{FsRight, Layer, NetRight};
use sandproof::test_support::record::action::Action;
use sandproof::test_support::record::driver::Driver;
use sandproof::test_support::record::report::CallRole;

use super::drivers::Under::{Allowed, Denied};
use super::drivers::{check, decided_by, everything, never_decided};
use super::harness::{Bench, User, action, handles_fs, handles_net, is_root, on_port};
use crate::systemd::confine::Call;

type Make = fn(&Bench) -> Action;

/// For every user: the operation goes through under a policy that handles everything, and its consequence is there.
fn never_refused(make: Make) {
    never_decided(make);
    let mut bench = Bench::new(User::Caller);
    let todo = make(&bench);
    assert_eq!(bench.run(&todo, None).detail("confirmed"), Some(1), "{todo:?}");
}

/// A filter that refuses the system call is seen as a refusal of the operation, with an error number that the driver
/// names; and one that only says that the call succeeded is not believed.
fn filtered(make: Make, call: Call) {
    for errno in [libc::EPERM, libc::EACCES] {
        let mut bench = Bench::answered(errno, &[call]);
        let todo = make(&bench);
        let answer = bench.run(&todo, None);
        assert_eq!(answer.last(), (CallRole::Operation, errno), "{todo:?}: {answer:#?}");
        assert_ne!(answer.detail("confirmed"), Some(1), "{todo:?}: {answer:#?}");
        assert!(todo.driver.info().platform_denials.contains(&errno));
    }
    let mut bench = Bench::answered(0, &[call]);
    let todo = make(&bench);
    let answer = bench.run(&todo, None);
    assert_eq!(answer.detail("confirmed"), Some(0), "{todo:?}, answered by a filter: {answer:#?}");
}

#[test]
fn what_is_done_with_files_and_folders_beside_reading_and_writing() {
    let all: [(Make, i64); 4] = [
        (|b| action(Driver::FileChown, &b.file("f")), libc::SYS_fchownat),
        (|b| action(Driver::FileStatfs, &b.file("f")), libc::SYS_statfs),
        (|b| action(Driver::InotifyWatch, &b.dir("d")), libc::SYS_inotify_add_watch),
        (|b| action(Driver::FileLock, &b.file("f")), libc::SYS_flock),
    ];
    for (make, call) in all {
        // Locking opens the file under the policy first, for which there is a right.
        if make(&Bench::new(User::Caller)).driver == Driver::FileLock {
            decided_by_write_alone(make);
        } else {
            never_refused(make);
        }
        filtered(make, Call::any(call));
    }
}

/// For what only opens for reading first: a policy about everything else leaves it alone.
fn decided_by_write_alone(make: Make) {
    for user in User::all() {
        let mut bench = Bench::new(user);
        let (baseline, _) = check(&mut bench, make, &handles_fs(&[FsRight::WriteFile, FsRight::MakeReg]), Allowed);
        assert_eq!(baseline.detail("confirmed"), Some(1));
        let opened = bench.run(&make(&bench), Some(&handles_fs(&[FsRight::ReadFile])));
        assert_eq!(opened.last(), (CallRole::Prepare, libc::EACCES), "only preparing was refused: {opened:#?}");
    }
}

#[test]
fn a_working_folder_that_is_entered_again_is_entered() {
    let mut bench = Bench::new(User::Caller);
    never_refused(|b| action(Driver::Chdir, &b.dir("d")));
    let mut answered = Bench::answered(0, &[Call::any(libc::SYS_chdir)]);
    let answer = answered.run(&action(Driver::Chdir, "/tmp"), None);
    assert_eq!(answer.detail("confirmed"), Some(0), "answered by a filter: {answer:#?}");
    for user in User::all() {
        let mut bench = Bench::new(user);
        let closed = bench.dir("closed");
        std::fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o0)).unwrap();
        let expected = if user == User::Caller && is_root() { 0 } else { libc::EACCES };
        assert_eq!(bench.run(&action(Driver::Chdir, &closed), None).last(), (CallRole::Operation, expected));
    }
    for folder in ["/", "/proc", "/tmp/."] {
        let answer = bench.run(&action(Driver::Chdir, folder), None);
        assert!(answer.allowed() && answer.detail("confirmed") == Some(1), "{folder}: {answer:#?}");
    }
    let missing = bench.run(&action(Driver::Chdir, &bench.path("none")), None);
    assert_eq!(missing.last(), (CallRole::Operation, libc::ENOENT));
    let none = bench.run(&action(Driver::FileStatfs, &bench.path("none")), None);
    assert_eq!(none.last(), (CallRole::Operation, libc::ENOENT));
}

#[test]
fn a_handle_from_before_is_opened_again_only_with_the_right() {
    decided_by(FsRight::ReadFile, &[], |b| action(Driver::FileReadReopened, &b.file("f")));
    decided_by(FsRight::WriteFile, &[], |b| action(Driver::FileWriteReopened, &b.file("f")));
    decided_by(FsRight::ReadFile, &[], |b| action(Driver::FileReadAtInherited, &b.file("d/f")));
    let mut bench = Bench::new(User::Caller);
    for driver in [Driver::FileReadReopened, Driver::FileWriteReopened, Driver::FileReadAtInherited] {
        let todo = action(driver, &bench.file("f"));
        let answer = bench.run(&todo, None);
        assert_eq!(answer.detail("confirmed"), Some(1), "{answer:#?}");
    }
    assert_eq!(std::fs::read(bench.root.join("f")).unwrap(), b"content", "made afresh before the last of them");
}

#[test]
fn a_thread_from_before_is_not_bound_by_the_policy() {
    never_refused(|b| action(Driver::FileReadOlderThread, &b.file("f")));
    let mut bench = Bench::new(User::Caller);
    let missing = bench.run(&action(Driver::FileReadOlderThread, &bench.path("none")), None);
    assert_eq!(missing.last(), (CallRole::Operation, libc::ENOENT));
    // What binds all threads binds this one: the mode of the file.
    let closed = bench.file("closed");
    std::fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o0)).unwrap();
    let answer = bench.run(&action(Driver::FileReadOlderThread, &closed), None);
    let expected = if is_root() { 0 } else { libc::EACCES };
    assert_eq!(answer.last(), (CallRole::Operation, expected));
}

#[test]
fn sockets_of_other_kinds_can_be_made() {
    let make: [(Make, bool); 4] = [
        (|_| action(Driver::NetlinkSocket, ""), true),
        (|_| action(Driver::VsockSocket, ""), true),
        (|_| action(Driver::RawSocket, ""), false),
        (|_| action(Driver::PacketSocket, ""), false),
    ];
    for (make, by_anybody) in make {
        for user in User::all() {
            let mut bench = Bench::new(user);
            let todo = make(&bench);
            let found = bench.run(&todo, None);
            match found.last() {
                (CallRole::Operation, 0) => {
                    check(&mut bench, make, &everything(), Allowed);
                    assert_eq!(found.detail("confirmed"), Some(1), "{found:#?}");
                }
                // Without the capability.
                (CallRole::Operation, libc::EPERM) if !by_anybody => {}
                // A kernel without the family.
                (CallRole::Operation, libc::EAFNOSUPPORT | libc::ESOCKTNOSUPPORT | libc::EPROTONOSUPPORT) => {}
                other => panic!("{todo:?} as {user:?}: {other:?}"),
            }
        }
        filtered(make, Call::any(libc::SYS_socket));
    }
}

/// Whether the kernel has multipath TCP switched on.
fn has_mptcp() -> bool {
    std::fs::read_to_string("/proc/sys/net/mptcp/enabled").is_ok_and(|text| text.trim() == "1")
}

#[test]
fn other_ways_to_connect_and_bind_are_seen_at_the_other_end() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let port = listener.local_addr().unwrap().port().to_string();
        let mut drivers = vec![Driver::TcpFastOpen];
        if has_mptcp() {
            drivers.push(Driver::MptcpConnect);
        }
        for driver in drivers {
            let connect = |_: &Bench| action(driver, &address);
            let handled = handles_net(&[NetRight::ConnectTcp]);
            let rule = on_port(&port, &[NetRight::ConnectTcp]);
            check(&mut bench, connect, &Layer { net_port: vec![rule], ..handled.clone() }, Allowed);
            let accepted = std::iter::from_fn(|| listener.accept().ok()).count();
            assert_eq!(accepted, 2, "{driver:?}: one of each lane");
            // Without a rule kernels differ; what this one says is either of the two.
            let answer = bench.run(&connect(&bench), Some(&handled));
            let came = std::iter::from_fn(|| listener.accept().ok()).count();
            match answer.last() {
                (CallRole::Operation, 0) => assert_eq!(came, 1),
                (CallRole::Operation, libc::EACCES) => assert_eq!(came, 0),
                other => panic!("{driver:?}: {other:?}"),
            }
        }
        if has_mptcp() {
            let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
            let bind = |_: &Bench| action(Driver::MptcpBind, &free);
            let (baseline, _) = check(&mut bench, bind, &handles_fs(&[FsRight::ReadFile]), Allowed);
            assert_eq!(baseline.detail("confirmed"), Some(1));
        }
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_nonblocking(true).unwrap();
        let address = receiver.local_addr().unwrap().to_string();
        check(&mut bench, |_| action(Driver::UdpConnect, &address), &everything(), Allowed);
        assert_eq!(std::iter::from_fn(|| receiver.recv(&mut [0]).ok()).count(), 2);
        let unix = |b: &Bench| {
            let path = b.path("s");
            let receiver = UnixDatagram::bind(&path).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
            // It has to outlive this closure.
            std::mem::forget(receiver);
            action(Driver::UnixSend, &path)
        };
        // Below ABI 9 no right covers it.
        check(&mut bench, unix, &everything(), Allowed);
    }
}

#[test]
fn ways_to_connect_are_refused_by_a_filter_as_such() {
    let all: [(Driver, &str, i64); 5] = [
        (Driver::MptcpConnect, "127.0.0.1:9", libc::SYS_connect),
        (Driver::MptcpBind, "127.0.0.1:0", libc::SYS_bind),
        (Driver::TcpFastOpen, "127.0.0.1:9", libc::SYS_sendto),
        (Driver::UdpConnect, "127.0.0.1:9", libc::SYS_connect),
        (Driver::UnixSend, "/nowhere", libc::SYS_sendto),
    ];
    for (driver, target, call) in all {
        if !has_mptcp() && matches!(driver, Driver::MptcpConnect | Driver::MptcpBind) {
            continue;
        }
        let mut bench = Bench::answered(libc::EACCES, &[Call::any(call)]);
        let answer = bench.run(&action(driver, target), None);
        assert_eq!(answer.last(), (CallRole::Operation, libc::EACCES), "{answer:#?}");
        assert!(driver.info().landlock_denials.contains(&libc::EACCES));
    }
    let mut bench = Bench::answered(0, &[Call::any(libc::SYS_bind)]);
    if has_mptcp() {
        let answer = bench.run(&action(Driver::MptcpBind, "127.0.0.1:47111"), None);
        assert_eq!(answer.detail("confirmed"), Some(0), "{answer:#?}");
    }
}

#[test]
fn system_v_ipc_and_keys_are_beyond_landlock_and_not_beyond_a_filter() {
    let all: [(Make, Call); 5] = [
        // For reading alone; who made it attached it for both.
        (|_| action(Driver::SysvShm, ""), Call::with(libc::SYS_shmat, 2, libc::SHM_RDONLY as u32)),
        (|_| action(Driver::SysvSem, ""), Call::any(libc::SYS_semget)),
        (|_| action(Driver::SysvMsg, ""), Call::any(libc::SYS_msgget)),
        // `KEYCTL_SEARCH`; to make the key takes other commands.
        (|_| action(Driver::KeyRead, ""), Call::with(libc::SYS_keyctl, 0, 10)),
        (|_| action(Driver::KeyAdd, ""), Call::any(libc::SYS_add_key)),
    ];
    let objects = || {
        let list = |name: &str| std::fs::read_to_string(format!("/proc/sysvipc/{name}")).unwrap_or_default();
        ["shm", "sem", "msg"].map(|name| list(name).lines().count())
    };
    let before = objects();
    for (make, call) in all {
        never_refused(make);
        filtered_first(make, call);
    }
    assert_eq!(objects(), before, "nothing is left behind");
}

/// [`filtered`], where the key that is searched for has the number 0 if a filter says so, which is no key.
fn filtered_first(make: Make, call: Call) {
    if make(&Bench::new(User::Caller)).driver != Driver::KeyRead {
        return filtered(make, call);
    }
    for errno in [libc::EPERM, libc::EACCES] {
        let mut bench = Bench::answered(errno, &[call]);
        let answer = bench.run(&make(&bench), None);
        assert_eq!(answer.last(), (CallRole::Operation, errno), "{answer:#?}");
    }
    let mut bench = Bench::answered(0, &[call]);
    let answer = bench.run(&make(&bench), None);
    assert!(!answer.allowed() && answer.detail("confirmed").is_none(), "{answer:#?}");
}

#[test]
fn what_cannot_be_removed_again_is_not_made() {
    let mut bench = Bench::answered(libc::EPERM, &[Call::any(libc::SYS_shmctl)]);
    let memory = bench.run(&action(Driver::SysvShm, ""), None);
    assert_eq!(memory.prologue().setup_failure.as_ref().unwrap().errno, libc::EPERM);
    for (driver, call) in [
        (Driver::SysvSem, libc::SYS_semctl),
        (Driver::SysvMsg, libc::SYS_msgctl),
        (Driver::PosixMq, libc::SYS_mq_unlink),
    ] {
        for errno in [libc::EPERM, 0] {
            let mut bench = Bench::answered(errno, &[Call::any(call)]);
            let answer = bench.run(&action(driver, ""), None);
            let (role, found) = answer.last();
            assert_eq!(role, CallRole::Prepare, "{answer:#?}");
            assert!(found == errno || errno == 0, "{answer:#?}");
        }
    }
}

#[test]
fn message_queues_of_posix_are_files_without_a_place() {
    let make: Make = |_| action(Driver::PosixMq, "");
    for user in User::all() {
        let mut bench = Bench::new(user);
        let (baseline, _) = check(&mut bench, make, &handles_net(&[NetRight::ConnectTcp]), Allowed);
        assert_eq!(baseline.detail("confirmed"), Some(1));
        check(&mut bench, make, &handles_fs(&[FsRight::MakeReg]), Allowed);
        let answer = bench.run(&make(&bench), Some(&handles_fs(&[FsRight::ReadFile])));
        assert!(matches!(answer.last(), (CallRole::Operation, 0 | libc::EACCES)), "{answer:#?}");
    }
    filtered(make, Call::any(libc::SYS_mq_open));
}

#[test]
fn shared_memory_of_posix_is_a_file_that_is_removed_in_any_case() {
    let make: Make = |_| action(Driver::PosixShm, "");
    let left = || {
        let names = std::fs::read_dir("/dev/shm").unwrap().map(|entry| entry.unwrap().file_name());
        // Those of fixture folders have more than sixteen digits.
        names
            .filter(|name| name.len() == "sandproof-".len() + 16 && name.to_string_lossy().starts_with("sandproof-"))
            .count()
    };
    for user in User::all() {
        let mut bench = Bench::new(user);
        let (baseline, _) = check(&mut bench, make, &handles_fs(&[FsRight::MakeReg]), Denied(libc::EACCES));
        assert_eq!(baseline.detail("confirmed"), Some(1));
        assert!(!baseline.reply.left_descendants);
        check(&mut bench, make, &handles_fs(&[FsRight::ReadFile]), Denied(libc::EACCES));
        let all = [FsRight::MakeReg, FsRight::ReadFile, FsRight::WriteFile, FsRight::RemoveFile];
        // Removing is handled and not granted: who removes it is outside.
        let granted = Layer { path_beneath: vec![super::harness::beneath("/dev/shm", &all[..3])], ..handles_fs(&all) };
        check(&mut bench, make, &granted, Allowed);
    }
    // Other tests make some as well, for an instant.
    let mut looks = 0;
    while left() != 0 {
        looks += 1;
        assert!(looks < 100, "{} objects are left in /dev/shm", left());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn mapping_for_execution_is_no_execution_to_landlock() {
    let make: Make = |b| action(Driver::FileMapExecutable, &b.file("f"));
    never_refused(make);
    // By its length: nobody else maps a single byte.
    filtered(make, Call::with(libc::SYS_mmap, 1, 1));
    let folder = Bench::new(User::Caller).run(&action(Driver::FileMapExecutable, "/"), None);
    assert_eq!(folder.last(), (CallRole::Operation, libc::ENODEV), "folders are not mapped");
}

#[test]
fn what_a_process_was_given_stays_with_it() {
    never_refused(|_| action(Driver::EnvironmentRead, "SANDPROOF_SECRET"));
    never_refused(|_| action(Driver::DescriptorRead, ""));
    let mut bench = Bench::new(User::Caller);
    let answer = bench.run(&action(Driver::EnvironmentRead, "no=name"), None);
    assert_eq!(answer.prologue().setup_failure.as_ref().unwrap().errno, libc::EINVAL);
}

#[test]
fn terminals() {
    never_refused(|_| action(Driver::TtyIoctl, ""));
    filtered(|_| action(Driver::TtyIoctl, ""), Call::with(libc::SYS_ioctl, 1, libc::TIOCSWINSZ as u32));
    let inject: Make = |_| action(Driver::TtyInject, "");
    let legacy = std::fs::read_to_string("/proc/sys/dev/tty/legacy_tiocsti").map_or(true, |text| text.trim() == "1");
    if legacy || is_root() {
        let mut bench = Bench::new(User::Caller);
        check(&mut bench, inject, &everything(), Allowed);
        assert_eq!(bench.run(&inject(&bench), None).detail("confirmed"), Some(1));
    } else {
        let mut bench = Bench::new(User::Caller);
        assert_eq!(bench.run(&inject(&bench), None).last(), (CallRole::Operation, libc::EIO));
    }
    filtered(inject, Call::with(libc::SYS_ioctl, 1, libc::TIOCSTI as u32));
    let pair: Make = |_| action(Driver::PseudoTty, "");
    for user in User::all() {
        let mut bench = Bench::new(user);
        let (baseline, _) = check(&mut bench, pair, &handles_net(&[NetRight::ConnectTcp]), Allowed);
        assert_eq!(baseline.detail("confirmed"), Some(1));
        check(&mut bench, pair, &handles_fs(&[FsRight::ReadFile]), Denied(libc::EACCES));
        check(&mut bench, pair, &handles_fs(&[FsRight::IoctlDev]), Denied(libc::EACCES));
    }
    let mut bench = Bench::answered(libc::EPERM, &[Call::with(libc::SYS_ioctl, 1, libc::TIOCGPTPEER as u32)]);
    assert_eq!(bench.run(&pair(&bench), None).last(), (CallRole::Operation, libc::EPERM));
}

#[test]
fn programs_without_a_path_and_programs_that_were_just_written() {
    never_refused(|_| action(Driver::ExecMemfd, ""));
    filtered(|_| action(Driver::ExecMemfd, ""), Call::any(libc::SYS_execveat));
    let write: Make = |b| action(Driver::ExecWritten, &b.path("program"));
    decided_by(FsRight::Execute, &[], write);
    for user in User::all() {
        let mut bench = Bench::new(user);
        assert_eq!(bench.run(&write(&bench), None).detail("program_exit_code"), Some(42));
        // Making the file only prepares.
        std::fs::remove_file(bench.root.join("program")).unwrap();
        let unmade = bench.run(&write(&bench), Some(&handles_fs(&[FsRight::MakeReg])));
        assert_eq!(unmade.last(), (CallRole::Prepare, libc::EACCES));
        let taken = bench.run(&action(Driver::ExecWritten, &bench.file("f")), None);
        assert_eq!(taken.last(), (CallRole::Prepare, libc::EEXIST), "what is there is not written over");
    }
}

/// Any policy at all.
fn some_policy() -> Layer {
    handles_fs(&[FsRight::MakeBlock])
}

#[test]
fn a_process_outside_is_out_of_reach_of_every_domain() {
    for (driver, errno) in [
        (Driver::PtraceOutside, libc::EPERM),
        (Driver::PidfdGetfdOutside, libc::EPERM),
        (Driver::ProcessVmReadvOutside, libc::EPERM),
        (Driver::ProcessMemOutside, libc::EACCES),
        (Driver::ProcessRootOutside, libc::EACCES),
        (Driver::ProcessEnvironOutside, libc::EACCES),
        (Driver::ProcessMapsOutside, libc::EACCES),
    ] {
        for user in User::all() {
            let mut bench = Bench::new(user);
            let make = |_: &Bench| action(driver, "");
            let capable = user == User::Caller && is_root();
            if capable && matches!(driver, Driver::ProcessEnvironOutside | Driver::ProcessMapsOutside) {
                // Kernels differ in whether CAP_PERFMON is enough.
                let answer = bench.run(&make(&bench), Some(&some_policy()));
                assert!(matches!(answer.last(), (CallRole::Operation, 0 | libc::EACCES)), "{answer:#?}");
            } else {
                check(&mut bench, make, &some_policy(), Denied(errno));
            }
            let baseline = bench.run(&make(&bench), None);
            assert_eq!(baseline.detail("confirmed"), Some(1), "{driver:?} as {user:?}: {baseline:#?}");
            assert!(!baseline.reply.left_descendants);
        }
    }
}

#[test]
fn what_else_is_done_to_a_process_outside() {
    never_refused(|_| action(Driver::ProcessPriorityOutside, ""));
    let all: [(Make, i64); 4] = [
        (|_| action(Driver::ProcessPriorityOutside, ""), libc::SYS_setpriority),
        (|_| action(Driver::PtraceOutside, ""), libc::SYS_ptrace),
        (|_| action(Driver::PidfdGetfdOutside, ""), libc::SYS_pidfd_getfd),
        (|_| action(Driver::ProcessVmReadvOutside, ""), libc::SYS_process_vm_readv),
    ];
    for (make, call) in all {
        filtered(make, Call::any(call));
    }
}

#[test]
fn namespaces_and_roots() {
    let answered: [(Make, i64); 4] = [
        (|_| action(Driver::UserNamespace, ""), libc::SYS_unshare),
        (|b| action(Driver::MountTmpfs, &b.dir("d")), libc::SYS_mount),
        (|b| action(Driver::Chroot, &b.dir("d")), libc::SYS_chroot),
        (|b| action(Driver::PivotRoot, &b.dir("d")), libc::SYS_pivot_root),
    ];
    never_refused(answered[0].0);
    never_refused(answered[2].0);
    filtered(answered[0].0, Call::any(answered[0].1));
    filtered(answered[2].0, Call::any(answered[2].1));
    filtered(answered[3].0, Call::any(answered[3].1));
    // To get a namespace of mounts of its own takes another call of mount(2), without a kind.
    let mut bench = Bench::answered(0, &[Call::with(libc::SYS_mount, 3, 14)]);
    let faked = bench.run(&answered[1].0(&bench), None);
    assert_eq!(faked.detail("confirmed"), Some(0), "{faked:#?}");
    for make in [answered[1].0, answered[3].0] {
        for user in User::all() {
            let mut bench = Bench::new(user);
            let (baseline, _) = check(&mut bench, make, &some_policy(), Denied(libc::EPERM));
            assert_eq!(baseline.detail("confirmed"), Some(1));
            check(&mut bench, make, &handles_net(&[NetRight::ConnectTcp]), Allowed);
        }
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains("sandproof-it-"), "nothing is mounted outside of the probes: {mounts}");
}

#[test]
fn root_in_a_user_namespace_needs_the_right_to_write_its_map() {
    let make: Make = |_| action(Driver::UserNamespaceMap, "");
    for user in User::all() {
        let mut bench = Bench::new(user);
        let (baseline, _) = check(&mut bench, make, &handles_fs(&[FsRight::WriteFile]), Denied(libc::EACCES));
        assert_eq!(baseline.detail("confirmed"), Some(1));
        check(&mut bench, make, &handles_fs(&[FsRight::ReadFile]), Allowed);
        let granted = Layer {
            path_beneath: vec![super::harness::beneath("/proc", &[FsRight::WriteFile])],
            ..handles_fs(&[FsRight::WriteFile])
        };
        check(&mut bench, make, &granted, Allowed);
    }
}

#[test]
fn parts_of_the_kernel_that_no_right_is_about() {
    let all: [(Make, i64); 4] = [
        (|_| action(Driver::BpfMap, ""), libc::SYS_bpf),
        (|_| action(Driver::PerfEvent, ""), libc::SYS_perf_event_open),
        (|_| action(Driver::Userfaultfd, ""), libc::SYS_userfaultfd),
        (|_| action(Driver::IoUring, ""), libc::SYS_io_uring_setup),
    ];
    for (make, call) in all {
        filtered(make, Call::any(call));
        for user in User::all() {
            let mut bench = Bench::new(user);
            let found = bench.run(&make(&bench), None);
            match found.last() {
                (CallRole::Operation, 0) => {
                    assert_eq!(found.detail("confirmed"), Some(1), "{found:#?}");
                    check(&mut bench, make, &everything(), Allowed);
                }
                // What a host keeps from its users, or from everybody.
                (CallRole::Operation, libc::EPERM | libc::EACCES | libc::ENOSYS) => {}
                other => panic!("{:?} as {user:?}: {other:?}", make(&bench).driver),
            }
        }
    }
}

#[test]
fn what_goes_through_an_io_uring_is_asked_about_all_the_same() {
    let mut bench = Bench::new(User::Caller);
    if bench.run(&action(Driver::IoUring, ""), None).last() != (CallRole::Operation, 0) {
        crate::skip!("this host lets nobody have an io_uring");
    }
    decided_by(FsRight::ReadFile, &[], |b| action(Driver::IoUringRead, &b.file("f")));
    let missing = bench.run(&action(Driver::IoUringRead, &bench.path("none")), None);
    assert_eq!(missing.last(), (CallRole::Operation, libc::ENOENT));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let connect = |_: &Bench| action(Driver::IoUringConnect, &address.to_string());
    let policy = handles_net(&[NetRight::ConnectTcp]);
    check(&mut bench, connect, &policy, Denied(libc::EACCES));
    assert_eq!(std::iter::from_fn(|| listener.accept().ok()).count(), 1, "of the baseline");
    let rule = on_port(&address.port().to_string(), &[NetRight::ConnectTcp]);
    check(&mut bench, connect, &Layer { net_port: vec![rule], ..policy }, Allowed);
    assert_eq!(std::iter::from_fn(|| listener.accept().ok()).count(), 2);
    for driver in [Driver::IoUringRead, Driver::IoUringConnect] {
        let mut bench = Bench::answered(libc::EPERM, &[Call::any(libc::SYS_io_uring_setup)]);
        let answer = bench.run(&action(driver, "127.0.0.1:9"), None);
        assert_eq!(answer.last(), (CallRole::Prepare, libc::EPERM), "{answer:#?}");
    }
}
