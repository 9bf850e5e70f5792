//! What probes may not reach, asked of real probe processes: what the plan's own checks would refuse is sent to them all the
//! same.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use sandproof::test_support::record::action::{Action, ActionScope, BindMount};
use sandproof::test_support::record::driver::{Driver, Effect, TargetKind};
use sandproof::test_support::record::ending::Ending;
use sandproof::test_support::record::fixture::PROGRAM_EXIT;

use super::harness::{Bench, User, action};

/// Everything below a folder: names, kinds, permission bits, times and contents.
fn picture(folder: &Path) -> BTreeMap<String, (u32, i64, u64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let facts = std::fs::symlink_metadata(&path).unwrap();
            let content = if facts.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
            found.insert(path.display().to_string(), (facts.mode(), facts.mtime(), facts.nlink(), content));
            if facts.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

/// A folder beside the bench's own that its user could change, with what every driver can work on.
fn victim(bench: &Bench) -> std::path::PathBuf {
    bench.file("../victim/keep");
    bench.dir("../victim/empty");
    let victim = bench.root.parent().unwrap().join("victim");
    std::fs::set_permissions(victim.join("keep"), std::fs::Permissions::from_mode(0o755)).unwrap();
    victim
}

/// Every driver that changes what its path leads to, as it would act on `target` (and `to`).
fn changing(target: &str, to: &str) -> impl Iterator<Item = Action> {
    let changes = |driver: &Driver| {
        let info = driver.info();
        info.effect == Effect::Changes && info.target == TargetKind::Path && info.platforms.linux()
    };
    let (target, to) = (target.to_owned(), to.to_owned());
    Driver::ALL.iter().copied().filter(changes).map(move |driver| Action {
        to: driver.info().params.contains(&sandproof::test_support::record::driver::Param::To).then(|| to.clone()),
        name: (driver == Driver::XattrSet).then(|| "user.sandproof".to_owned()),
        ..Action::new(driver, &target)
    })
}

#[track_caller]
fn stopped(bench: &mut Bench, todo: &Action) -> String {
    let answer = bench.run(todo, None);
    assert_eq!(answer.operation, None, "{todo:?} was attempted: {answer:#?}");
    let failure = answer.prologue().setup_failure.clone().unwrap_or_else(|| panic!("{todo:?}: {answer:#?}"));
    failure.leads_to.clone().unwrap_or_else(|| panic!("{todo:?}: {failure:?}"))
}

#[test]
fn no_driver_changes_what_links_lead_to_outside() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        let victim = victim(&bench);
        symlink(&victim, bench.root.join("b")).unwrap();
        symlink("b", bench.root.join("a")).unwrap();
        bench.dir("d1/d2");
        symlink("../../a", bench.root.join("d1/d2/c")).unwrap();
        symlink(&bench.root, bench.root.join("d1/d2/up")).unwrap();
        bench.file("f");
        let before = picture(&victim);
        let own = bench.path("f");
        for name in ["keep", "empty", "new"] {
            for way in ["a", "b", "d1/d2/c", "d1/d2/up/a", "d1/d2/up/../victim"] {
                let foreign = bench.path(&format!("{way}/{name}"));
                for todo in changing(&foreign, &own).chain(changing(&own, &foreign)) {
                    // The text of a symbolic link is only text; and what does not exist cannot be changed.
                    let only_text = todo.driver == Driver::SymlinkCreate && todo.target == own;
                    let nothing = name == "new"
                        && todo
                            .driver
                            .reach()
                            .iter()
                            .all(|reach| *reach == sandproof::test_support::record::driver::ChangeReach::Object);
                    if only_text || nothing || (todo.target == own && todo.to.is_none()) {
                        continue;
                    }
                    let place = stopped(&mut bench, &todo);
                    assert!(place.starts_with(victim.to_str().unwrap()), "{todo:?}: {place}");
                }
            }
        }
        assert_eq!(picture(&victim), before);
    }
}

#[test]
fn no_driver_changes_what_mounts_show_of_the_host() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        let victim = victim(&bench);
        symlink(&victim, bench.root.join("link")).unwrap();
        for folder in ["m", "n", "own/deep"] {
            bench.dir(folder);
        }
        bench.file("f");
        let before = picture(&victim);
        let mount = |from: &str, at: &str| BindMount { from: from.into(), at: at.into() };
        let (m, n, own) = (bench.path("m"), bench.path("n"), bench.path("own"));
        let foreign = victim.to_str().unwrap();
        let around = bench.root.parent().unwrap().to_str().unwrap().to_owned();
        for mounts in [
            vec![mount(foreign, &m)],
            vec![mount(&bench.path("link"), &m)],
            vec![mount(&bench.path(".."), &m)],
            vec![mount(&around, &m)],
            // Over one of the run's own, and the other way round.
            vec![mount(&own, &m), mount(foreign, &m)],
            vec![mount(foreign, &m), mount(&own, &m)],
            vec![mount(&own, &m), mount(&bench.path("m/../../victim"), &n)],
            // Over the run's own folder itself.
            vec![mount(foreign, bench.root.to_str().unwrap())],
        ] {
            for rest in ["keep", "victim/keep", "empty", "new"] {
                for todo in changing(&format!("{m}/{rest}"), &bench.path("g")) {
                    stopped(&mut bench, &Action { mounts: mounts.clone(), ..todo });
                }
            }
        }
        assert_eq!(picture(&victim), before);
        // A place outside is none either, although nobody else would see that mount.
        let todo = Action { mounts: vec![mount(&own, foreign)], ..action(Driver::FileWrite, &bench.path("f")) };
        assert_eq!(stopped(&mut bench, &todo), foreign);
        // Reading through a mount of the host's is still a question.
        let read = Action { mounts: vec![mount(foreign, &m)], ..action(Driver::FileRead, &format!("{m}/keep")) };
        assert!(bench.run(&read, None).allowed());
    }
}

#[test]
fn what_mounts_and_links_show_of_the_own_folder_is_changed() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        bench.file("own/f");
        bench.dir("m");
        bench.dir("n");
        symlink(bench.root.join("own"), bench.root.join("absolute")).unwrap();
        symlink("m", bench.root.join("l")).unwrap();
        let mount = |from: &str, at: &str| BindMount { from: bench.path(from), at: bench.path(at) };
        let cases = [
            (vec![mount("own", "m")], "m/f"),
            (vec![mount("own", "m"), mount("m", "n")], "n/f"),
            (vec![mount("absolute", "l")], "l/f"),
            (vec![mount("own", "m")], "m/../own/f"),
            (vec![mount("", "m")], "m/own/f"),
            (vec![], "absolute/f"),
            (vec![], "absolute/../l/../own/f"),
        ];
        let mut size = 7;
        for (mounts, target) in cases {
            let write = Action { mounts: mounts.clone(), ..action(Driver::FileWrite, &bench.path(target)) };
            let answer = bench.run(&write, None);
            assert!(answer.allowed(), "{write:?}: {answer:#?}");
            size += 1;
            assert_eq!(std::fs::metadata(bench.root.join("own/f")).unwrap().len(), size, "{target}");
            let make = bench.path(&target.replace("/f", "/new"));
            let make = Action { mounts, ..action(Driver::FileCreate, &make) };
            assert!(bench.run(&make, None).allowed(), "{make:?}");
            std::fs::remove_file(bench.root.join("own/new")).unwrap();
        }
    }
}

#[test]
fn a_probe_process_executes_nothing_but_the_own_program_unless_it_may() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        let victim = victim(&bench);
        let mark = bench.root.join("mark");
        let script = bench.file("script");
        std::fs::write(&script, format!("#!/bin/sh\necho > {}\nexit 42\n", mark.display())).unwrap();
        let (program, foreign) = (bench.file("program"), victim.join("keep"));
        for path in [Path::new(&program), &foreign] {
            std::fs::write(path, sandproof::test_support::probe::program_image()).unwrap();
        }
        for path in [Path::new(&program), Path::new(&script)] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        symlink("script", bench.root.join("link")).unwrap();
        let m = bench.dir("m");
        let through = vec![BindMount { from: victim.to_str().unwrap().into(), at: m.clone() }];
        let shown = Action { mounts: through, ..action(Driver::Exec, &format!("{m}/keep")) };
        bench.scope = ActionScope { host_programs: false, ..bench.scope.clone() };
        for target in [script.as_str(), &bench.path("link"), "/bin/sh", "/proc/self/exe", foreign.to_str().unwrap()] {
            stopped(&mut bench, &action(Driver::Exec, target));
        }
        stopped(&mut bench, &shown);
        assert!(!mark.exists());
        let ran = Ending::Exited { code: PROGRAM_EXIT };
        assert_eq!(bench.run(&action(Driver::Exec, &program), None).reply.ending, ran);
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o111)).unwrap();
        assert_eq!(bench.run(&action(Driver::Exec, &program), None).reply.ending, ran, "its mode only hides it");
        bench.scope.host_programs = true;
        for todo in [action(Driver::Exec, &script), action(Driver::Exec, foreign.to_str().unwrap()), shown] {
            assert_eq!(bench.run(&todo, None).reply.ending, ran, "{todo:?}");
        }
        assert!(mark.exists(), "the script did run in the end");
    }
}

#[test]
fn a_file_of_others_is_opened_for_writing_and_stays_as_it_is() {
    for user in User::all() {
        let mut bench = Bench::new(user);
        let victim = victim(&bench);
        let before = picture(&victim);
        let keep = victim.join("keep");
        for driver in [Driver::FileReadWrite, Driver::FileOpenWrite] {
            for target in [keep.to_str().unwrap(), "/dev/null", "/dev/ptmx"] {
                let answer = bench.run(&action(driver, target), None);
                assert!(answer.allowed(), "{driver:?} {target}: {answer:#?}");
            }
            let folder = bench.run(&action(driver, "/etc"), None);
            assert_eq!(folder.last().1, libc::EISDIR);
            // Nobody reads from it, and nobody is waited for.
            let fifo = bench.root.join(format!("{driver:?}"));
            nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
            let answer = bench.run(&action(driver, fifo.to_str().unwrap()), None);
            let wanted = if driver == Driver::FileOpenWrite { libc::ENXIO } else { 0 };
            assert!(answer.last().1 == wanted || user == User::Nobody, "{answer:#?}");
        }
        assert_eq!(picture(&victim), before);
        let fifo = victim.join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
        for target in [fifo.to_str().unwrap(), "/dev/loop0", "/dev/watchdog", "/dev/ttyS0"] {
            if Path::new(target).exists() {
                stopped(&mut bench, &action(Driver::FileOpenWrite, target));
            }
        }
        if Path::new("/dev/watchdog").exists() {
            stopped(&mut bench, &action(Driver::FileRead, "/dev/watchdog"));
        }
    }
}
