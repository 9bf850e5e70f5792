//! A sandbox with one of its flags taken away: some question notices, or it is written down why none does.

use super::*;

/// The whole sandbox, a flag with its arguments an entry. `W` and `O` stand for the two folders.
const FLAGS: [&str; 15] = [
    "--ro-bind / /",
    "--dev /dev",
    "--proc /proc",
    "--bind W W",
    "--tmpfs O/masked",
    "--unshare-user",
    "--unshare-ipc",
    "--unshare-pid",
    "--unshare-net",
    "--unshare-uts",
    "--unshare-cgroup",
    "--die-with-parent",
    "--new-session",
    "--cap-drop ALL",
    "--unsetenv SANDPROOF_SECRET",
];

/// What taking a flag away does.
enum Removed {
    /// These questions are answered otherwise.
    Noticed(&'static [&'static str]),
    /// No question is about it.
    Unasked(&'static str),
}

use Removed::{Noticed, Unasked};

/// By flag, as it begins.
const REMOVED: [(&str, Removed); 15] = [
    ("--ro-bind", Noticed(&["read_masked", "create_in_workspace"])),
    ("--dev", Noticed(&["create_in_shared_memory"])),
    ("--proc", Noticed(&["read_of_another_process"])),
    ("--bind", Noticed(&["create_in_workspace"])),
    ("--tmpfs", Noticed(&["read_masked"])),
    (
        "--unshare-user",
        Unasked("bubblewrap makes one by itself for an ordinary user; for root every other flag does its work"),
    ),
    ("--unshare-ipc", Noticed(&["shared_memory"])),
    ("--unshare-pid", Noticed(&["signal_outside"])),
    ("--unshare-net", Noticed(&["connect"])),
    ("--unshare-uts", Unasked("no question is about the host's name")),
    ("--unshare-cgroup", Unasked("no question is about control groups")),
    ("--die-with-parent", Unasked("no operation asks what lives on after its launcher")),
    ("--new-session", Noticed(&["terminal"])),
    ("--cap-drop", Unasked("within a user namespace no question's object is one that capabilities reach")),
    ("--unsetenv", Noticed(&["variable"])),
];

fn questions() -> Vec<(&'static str, Q)> {
    vec![
        ("read_in_workspace", read("${workspace}/f")),
        ("create_in_workspace", create("${workspace}/n1")),
        ("read_outside", read("${outside}/f")),
        ("create_outside", create("${outside}/n1")),
        ("read_masked", read("${outside}/masked/secret")),
        ("create_in_shared_memory", create("/dev/shm/${name.n}")),
        ("read_of_another_process", read("/proc/1/comm")),
        ("connect", connect()),
        ("signal_outside", q(Driver::SignalOutside, "outside")),
        ("variable", q(Driver::EnvironmentRead, "SANDPROOF_SECRET")),
        ("shared_memory", q(Driver::SysvShm, "")),
        ("terminal", q(Driver::TtyIoctl, "")),
    ]
}

/// What came of each question under the sandbox that these flags make: word by word, so that another mechanism is another
/// answer.
fn answers(flags: &[&str]) -> Vec<(&'static str, String)> {
    let flags = flags.join(" ").replace(" O/", " ${outside}/").replace(" W W", " ${workspace} ${workspace}");
    let command = format!("bwrap {flags} --");
    let (names, questions): (Vec<_>, Vec<_>) = questions().into_iter().unzip();
    let gots = ask(&command.split(' ').collect::<Vec<_>>(), &questions);
    names.into_iter().zip(gots.iter().map(Got::words)).collect()
}

fn differing(whole: &[(&'static str, String)], other: &[(&'static str, String)]) -> Vec<&'static str> {
    let both = whole.iter().zip(other);
    both.filter(|((_, one), (_, other))| one != other).map(|((name, _), _)| *name).collect()
}

#[test]
fn a_flag_that_is_taken_away_is_noticed_or_written_down_as_unasked() {
    if !has("bwrap") {
        skip!("bubblewrap is not installed");
    }
    // What notices here is asked by the plans that ship.
    let shipped: String = ["agent", "files", "network", "processes", "surface"]
        .map(|plan| {
            let path = format!("{}/registries/launcher-{plan}/probes.json", env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(path).unwrap()
        })
        .concat();
    for (name, question) in questions() {
        let driver = question.action.driver.info().name;
        assert!(shipped.contains(&format!("\"driver\": \"{driver}\"")), "no plan asks {name} ({driver})");
    }
    let whole = answers(&FLAGS);
    assert_eq!(whole, answers(&FLAGS), "two looks at the same differ");
    // Starts wait more than they work.
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        let mut seen = Vec::new();
        while let Some(flag) = FLAGS.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            let others: Vec<&str> = FLAGS.iter().filter(|other| *other != flag).copied().collect();
            seen.push((*flag, differing(&whole, &answers(&others))));
        }
        seen
    };
    let seen = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(seen.len(), FLAGS.len());
    for (flag, differing) in seen {
        let known = REMOVED.iter().find(|(begin, _)| flag.split(' ').next() == Some(begin));
        match &known.unwrap_or_else(|| panic!("nothing is written down of {flag}")).1 {
            Noticed(names) => {
                let missing: Vec<_> = names.iter().filter(|name| !differing.contains(name)).collect();
                assert!(missing.is_empty(), "without {flag}, {missing:?} should differ, and only {differing:?} did");
            }
            // What some question notices after all does not belong into the list.
            Unasked(why) => assert!(differing.is_empty(), "without {flag} ({why}), {differing:?} differed"),
        }
    }
}

#[test]
fn the_order_of_binds_and_what_they_do_to_devices_is_noticed() {
    if !has("bwrap") {
        skip!("bubblewrap is not installed");
    }
    let asked = |flags: &[&str]| answers(flags);
    let of = |answers: &[(&'static str, String)], name: &str| {
        answers.iter().find(|(known, _)| *known == name).unwrap().1.clone()
    };
    // A later bind lies over an earlier one.
    let right = asked(&["--ro-bind / /", "--bind W W", "--dev /dev", "--proc /proc"]);
    let wrong = asked(&["--bind W W", "--ro-bind / /", "--dev /dev", "--proc /proc"]);
    assert_eq!(of(&right, "create_in_workspace"), "allow");
    assert_eq!(of(&wrong, "create_in_workspace"), "deny refused");
    // Devices that are bound as if they were files can be seen, and not opened.
    let device = || vec![q(Driver::FileRead, "/dev/zero")];
    let with = |bind: &str| ask(&["bwrap", "--ro-bind", "/", "/", bind, "/dev", "/dev", "--"], &device());
    expect(&with("--dev-bind"), &["allow"]);
    expect(&with("--bind"), &["deny refused"]);
}
