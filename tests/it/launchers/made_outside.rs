//! What only somebody outside can make: processes, objects of the kernel, terminals, listeners and mounts.

use super::*;

fn listening(driver: Driver, kind: ListenerKind) -> Q {
    let address = "127.0.0.1:${port.p}";
    let listener = Some(ListenerSpec { kind, address: address.into() });
    Q { listener, ..q(driver, address) }
}

/// Operations on what only somebody outside can make.
fn of_outside() -> Vec<Q> {
    use Driver as D;
    let processes = [
        D::PtraceOutside,
        D::PidfdGetfdOutside,
        D::ProcessVmReadvOutside,
        D::ProcessEnvironOutside,
        D::ProcessMapsOutside,
        D::ProcessMemOutside,
        D::ProcessRootOutside,
        D::ProcessPriorityOutside,
    ];
    let others = [D::SysvShm, D::TtyIoctl, D::TtyInject, D::DescriptorRead, D::KeyRead];
    processes.into_iter().chain(others).map(|driver| q(driver, "outside")).collect()
}

#[test]
fn what_was_made_outside_is_reached_without_a_launcher() {
    only_root!("debugging a process that is no child, and typing into a terminal");
    let questions = of_outside();
    expect(&ask(&["env"], &questions), &vec!["allow"; questions.len()]);
    let connections = [
        listening(Driver::TcpConnect, ListenerKind::Tcp),
        listening(Driver::TcpFastOpen, ListenerKind::Tcp),
        listening(Driver::UdpConnect, ListenerKind::Udp),
        listening(Driver::IoUringConnect, ListenerKind::Tcp),
    ];
    expect(&ask(&["env"], &connections), &["allow"; 4]);
    let files = [
        q(Driver::FileReadReopened, "${outside}/a"),
        q(Driver::FileWriteReopened, "${outside}/b"),
        q(Driver::FileLock, "${outside}/c"),
        q(Driver::FileChown, "${outside}/d"),
        q(Driver::FileMapExecutable, "${outside}/e"),
        q(Driver::IoUringRead, "${outside}/f"),
        q(Driver::PosixShm, "x"),
    ];
    expect(&ask(&["env"], &files), &["allow"; 7]);
}

#[test]
fn a_box_of_its_own_processes_and_ipc_hides_those_of_the_outside() {
    if !has("bwrap") {
        skip!("bubblewrap is not installed");
    }
    only_root!("debugging a process that is no child, and typing into a terminal");
    let questions = of_outside();
    let boxed = BOX.replace(" --cap-drop", " --new-session --cap-drop");
    let mut wanted = vec!["deny hidden"; questions.len()];
    // It hands descriptors and keyrings down.
    let last = wanted.len();
    wanted[last - 2..].fill("allow");
    expect(&sh(&format!("exec {boxed} \"$@\""), &questions), &wanted);
    // Without a session of its own, its terminal is the caller's.
    let terminal = [q(Driver::TtyIoctl, ""), q(Driver::TtyInject, "")];
    let kept = BOX.replace(" --cap-drop ALL", "");
    expect(&sh(&format!("exec {kept} \"$@\""), &terminal), &["allow", "allow"]);
    let closed = "for n in {40..99}; do eval \"exec $n<&-\"; done; exec \"$@\"";
    expect(&sh(&format!("exec bash -c '{closed}' x \"$@\""), &[q(Driver::DescriptorRead, "")]), &["deny hidden"]);
}

#[test]
fn mounts_are_made_where_nobody_else_sees_them() {
    only_root!("mounting");
    let questions = || {
        let mut all = Vec::new();
        for (driver, name) in [(Driver::MountTmpfs, "m"), (Driver::Chroot, "r"), (Driver::PivotRoot, "p")] {
            let target = format!("${{workspace}}/{name}");
            let fixtures = vec![FixtureEntry::new(format!("workspace/{name}"), FixtureKind::Dir)];
            all.push(Q { fixtures, ..q(driver, &target) });
        }
        all.push(read("${workspace}/f"));
        all
    };
    let before = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    expect(&ask(&["env"], &questions()), &["allow"; 4]);
    assert_eq!(std::fs::read_to_string("/proc/self/mountinfo").unwrap(), before);
    if !has("cc") {
        skip!("there is no C compiler");
    }
    // A filter that says that everything went through, and lets nothing happen.
    let folder = tempfile::Builder::new().prefix("filter-").tempdir_in("/var/tmp").unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let (source, filter) = (folder.path().join("f.c"), folder.path().join("f"));
    std::fs::write(&source, FILTER).unwrap();
    assert!(Command::new("cc").arg("-o").args([&filter, &source]).status().unwrap().success());
    let filter = filter.to_str().unwrap();
    let mut all = questions();
    all.truncate(1);
    all.extend([q(Driver::PacketSocket, ""), q(Driver::UserNamespace, ""), read("${outside}/f")]);
    expect(&ask(&[filter, "0"], &all), &["deny diverted", "deny diverted", "deny diverted", "allow"]);
    // One that refuses.
    let gots = ask(&[filter, "1"], &all);
    expect(&gots, &["deny refused", "deny refused", "deny refused", "allow"]);
    assert_eq!(gots[0].judgement.via.as_deref(), Some("seccomp"), "{}", gots[0].told());
}
