//! Launchers of every kind that makes a careless verdict: each is a command, and each answer is known beforehand.
//!
//! The engine is driven as `run` drives it, with this program's own executable as the worker inside.
#![cfg(target_os = "linux")]

mod ending;
mod flags;
mod kinds;
mod made_outside;
mod mock_ups;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use sandproof::test_support::base::ids::RunId;
use sandproof::test_support::evidence::launcher::{Judgement, OperatedObject, QuestionOutcome, judge};
use sandproof::test_support::lane::cancel::Cancel;
use sandproof::test_support::lane::capability::HostCapabilities;
use sandproof::test_support::lane::fixture::{FixtureBase, RulePlaces, choose_base};
use sandproof::test_support::lane::task::Task;
use sandproof::test_support::launcher::lane::{LauncherLane, ONE_WORKER, Turns};
use sandproof::test_support::policy::launcher::{LauncherDocument, LauncherStartKind};
use sandproof::test_support::record::action::Action;
use sandproof::test_support::record::driver::Driver;
use sandproof::test_support::record::fixture::{FixtureEntry, FixtureKind, ListenerKind, ListenerSpec};
use sandproof::test_support::record::launcher::{NameKind, Names, StartMode};
use sandproof::test_support::record::outcome::Lane;
use sandproof::test_support::record::row::ProbeRow;

use crate::{only_root, skip};

/// One question.
struct Q {
    action: Action,
    fixtures: Vec<FixtureEntry>,
    listener: Option<ListenerSpec>,
}

fn q(driver: Driver, target: &str) -> Q {
    let mut fixtures = Vec::new();
    let within =
        target.strip_prefix("${").and_then(|rest| rest.split_once('}')).map(|(at, rest)| format!("{at}{rest}"));
    let exists = !matches!(driver, Driver::FileCreate | Driver::DirCreate | Driver::SymlinkCreate | Driver::UnixBind);
    if let Some(within) = within.filter(|within| within.contains('/') && exists) {
        let kind = match driver {
            Driver::Exec => FixtureKind::Program,
            Driver::DirList | Driver::DirRemove => FixtureKind::Dir,
            _ => FixtureKind::File,
        };
        if driver != Driver::UnixConnect {
            fixtures.push(FixtureEntry::new(&within, kind));
        }
    }
    Q { action: Action::new(driver, target), fixtures, listener: None }
}

fn read(target: &str) -> Q {
    q(Driver::FileRead, target)
}

fn create(target: &str) -> Q {
    q(Driver::FileCreate, target)
}

fn connect() -> Q {
    let address = "127.0.0.1:${port.p}";
    let listener = Some(ListenerSpec { kind: ListenerKind::Tcp, address: address.into() });
    Q { listener, ..q(Driver::TcpConnect, address) }
}

/// What came of one question.
struct Got {
    judgement: Judgement,
    row: ProbeRow,
}

impl Got {
    /// `allow`, `deny MECHANISM`, or the word of what is undecided.
    fn words(&self) -> String {
        match self.judgement.shown {
            QuestionOutcome::Allow => "allow".into(),
            QuestionOutcome::Deny { mechanism, .. } => format!("deny {}", mechanism.as_str()),
            QuestionOutcome::Undecided { kind, .. } => kind.as_str().into(),
        }
    }

    fn mode(&self) -> Option<StartMode> {
        self.row.launcher.as_ref().and_then(|record| record.start.mode)
    }

    /// Everything that was recorded, for messages.
    fn told(&self) -> String {
        serde_json::to_string_pretty(&self.row.launcher).unwrap()
    }
}

fn base(run_id: &RunId) -> FixtureBase {
    let places = [PathBuf::from("/var/tmp"), PathBuf::from("/tmp")];
    choose_base(&places, run_id, &RulePlaces::default()).unwrap()
}

/// The executable, where every user can reach it.
fn executable() -> PathBuf {
    static COPY: std::sync::OnceLock<(tempfile::TempDir, PathBuf)> = std::sync::OnceLock::new();
    let (_, path) = COPY.get_or_init(|| {
        let folder = tempfile::Builder::new().prefix("launchers-").tempdir_in("/var/tmp").unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = folder.path().join("sandproof");
        std::fs::copy(env!("CARGO_BIN_EXE_sandproof"), &path).unwrap();
        (folder, path)
    });
    path.clone()
}

fn ask_with(document: &LauncherDocument, questions: &[Q]) -> Vec<Got> {
    ask_heard_out(document, questions, ONE_WORKER)
}

/// Asks, and lets the first start become that old before its worker is told to end.
fn ask_heard_out(document: &LauncherDocument, questions: &[Q], one_worker: Duration) -> Vec<Got> {
    let run_id = RunId::fresh();
    let base = base(&run_id);
    let capabilities = HostCapabilities::measure(base.path(), None);
    let cancel = Cancel::default();
    let exe = executable();
    let lane = LauncherLane {
        document,
        exe: &exe,
        base: &base,
        unique: run_id.as_str(),
        deadline_ms: 5_000,
        host_programs: true,
        capabilities: &capabilities,
        cancel: &cancel,
        turns: &Turns::new(1),
        one_worker,
    };
    let profile = "p".parse().unwrap();
    let tasks: Vec<Task<'_>> = questions
        .iter()
        .enumerate()
        .map(|(n, question)| Task {
            seq: n as u64,
            lane: Lane::Scenario,
            profile_id: &profile,
            probe_id: format!("q{n}").parse().unwrap(),
            expectation_id: format!("q{n}").parse().unwrap(),
            control_expects: None,
            action: &question.action,
            fixtures: &question.fixtures,
            listener: question.listener.as_ref(),
            supported: true,
            capabilities: &[],
            asks: None,
            policy: None,
        })
        .collect();
    let rows = lane.run(&tasks);
    assert_eq!(rows.len(), questions.len());
    rows.into_iter()
        .map(|row| {
            assert!(row.not_run.is_none(), "{:?}", row.not_run);
            let judgement = judge(row.action.driver, row.launcher.as_ref().unwrap(), Names::All);
            Got { judgement, row }
        })
        .collect()
}

fn ask(argv: &[&str], questions: &[Q]) -> Vec<Got> {
    let mut document = LauncherDocument::of_command("mock", argv.iter().map(|word| (*word).to_owned()).collect());
    // However busy the machine is.
    document.start_timeout_ms = 60_000;
    ask_with(&document, questions)
}

/// A launcher that is a shell script: `$W` and `$O` are the two folders, `"$@"` is the probe.
fn sh(script: &str, questions: &[Q]) -> Vec<Got> {
    let script = format!("W=$1; O=$2; shift 2; {script}");
    ask(&["sh", "-c", &script, "box", "${workspace}", "${outside}"], questions)
}

#[track_caller]
fn expect(gots: &[Got], wanted: &[&str]) {
    for (n, (got, wanted)) in gots.iter().zip(wanted).enumerate() {
        assert_eq!(got.words(), *wanted, "question {n}: {}", got.told());
    }
}

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// A box that leaves the workspace writable and shows the rest read-only.
const BOX: &str = "bwrap --ro-bind / / --dev /dev --proc /proc --bind \"$W\" \"$W\" --unshare-all --cap-drop ALL --";

fn three() -> Vec<Q> {
    vec![read("${workspace}/f"), create("${outside}/n1"), create("${workspace}/n1")]
}

const THREE: [&str; 3] = ["allow", "deny refused", "allow"];

#[test]
fn without_a_launcher_everything_is_allowed_and_seen() {
    let unix = Q {
        listener: Some(ListenerSpec { kind: ListenerKind::Unix, address: "${outside}/s".into() }),
        ..q(Driver::UnixConnect, "${outside}/s")
    };
    let questions = vec![
        read("${outside}/f"),
        create("${outside}/n"),
        q(Driver::FileWrite, "${outside}/w"),
        q(Driver::FileUnlink, "${outside}/u"),
        q(Driver::DirList, "${outside}/d"),
        q(Driver::FileStat, "${outside}/s1"),
        q(Driver::FileChmod, "${outside}/c"),
        q(Driver::Exec, "${outside}/p"),
        connect(),
        unix,
        q(Driver::ProcessFork, ""),
        q(Driver::EnvironmentRead, "SANDPROOF_SECRET"),
        q(Driver::SignalOutside, "outside"),
        q(Driver::ProcessInspectOutside, "outside"),
    ];
    let gots = ask(&["env"], &questions);
    expect(&gots, &vec!["allow"; questions.len()]);
    assert!(gots.iter().all(|got| got.mode() == Some(StartMode::Live)));
    let ids = gots[0].row.launcher.as_ref().unwrap();
    assert!(ids.start.residue.is_empty(), "{:?}", ids.start.residue);
}

#[test]
fn starts_that_do_not_work_are_undecided_each_with_its_own_word() {
    let question = || vec![read("${workspace}/f")];
    for (script, word) in [
        ("exit 0", "launcher_not_started"),
        ("echo welcome; exit 3", "launcher_not_started"),
        ("set -x; : \"$@\"; exit 0", "launcher_not_started"),
        ("exec cat", "launcher_not_started"),
        // Nothing is asked before both have begun.
        ("{ sleep 1; exec cat; } | { \"$@\" <&0 & \"$@\"; wait; }", "launcher_many"),
        ("exec timeout 0.05 sleep 5", "launcher_not_started"),
    ] {
        let gots = sh(script, &question());
        expect(&gots, &[word]);
        let record = gots[0].row.launcher.as_ref().unwrap();
        assert!(!record.start.attempts.is_empty(), "{script}: {}", gots[0].told());
    }
    let gots = ask(&["/nonexistent/launcher"], &question());
    expect(&gots, &["launcher_not_started"]);
    assert!(gots[0].told().contains("No such file"), "{}", gots[0].told());
}

#[test]
fn a_launcher_that_starts_the_program_again_without_the_box_is_not_believed() {
    // The first worker ends in its first question, and a second one reads the rest.
    let script = "exec 3<&0; timeout 0.4 \"$@\" <&3; \"$@\" <&3";
    let slow = Q {
        action: Action { argv: vec!["sleep".into(), "0.9".into()], ..Action::new(Driver::Exec, "/bin/sleep") },
        fixtures: Vec::new(),
        listener: None,
    };
    let gots = sh(script, &[slow, create("${workspace}/n1")]);
    assert_eq!(gots[1].words(), "launcher_restarted", "{}", gots[1].told());
}

#[test]
fn a_second_worker_that_begins_once_everything_was_answered_is_heard() {
    // What the second one says is there beforehand, and is let out once the last question has made its file.
    let script = "t=$(mktemp); \"$@\" </dev/null >$t; \
                  (until [ -e \"$W/n1\" ]; do sleep 0.02; done; cat $t; rm $t) <&- & exec \"$@\"";
    let script = format!("W=$1; O=$2; shift 2; {script}");
    let argv = ["sh", "-c", &script, "box", "${workspace}", "${outside}"].map(str::to_owned);
    let document = LauncherDocument::of_command("mock", argv.to_vec());
    // However busy the machine is: it ends as soon as the second one is heard.
    let gots = ask_heard_out(&document, &[read("${workspace}/f"), create("${workspace}/n1")], Duration::from_secs(300));
    match &*gots[1].words() {
        "launcher_many" => assert_eq!(gots[0].words(), "launcher_many", "{}", gots[0].told()),
        // The file is there a moment before the answer is.
        word => assert_eq!(word, "launcher_restarted", "{}", gots[1].told()),
    }
    // One that begins when the first has ended is asked nothing, and what is asked all at once it would have been asked too.
    expect(&sh("\"$@\"; \"$@\"", &[read("${workspace}/f")]), &["allow"]);
    let twice = "t=$(mktemp); cat >$t; o=$(\"$@\" <$t; [ ! -e \"$W/n1\" ] || \"$@\" <$t); rm $t; printf '%s\\n' \"$o\"";
    let gots = sh(twice, &[read("${workspace}/f"), create("${workspace}/n1")]);
    expect(&gots, &["launcher_many"; 2]);
    assert_eq!(gots[0].mode(), Some(StartMode::Batch), "{}", gots[0].told());
}

#[test]
fn workers_are_reached_through_what_launchers_do_to_streams() {
    for (script, mode) in [
        ("printf 'welcome to it: '; \"$@\" 2>&1 | sed -u 's/^/[box] /'", StartMode::Live),
        ("\"$@\" | stdbuf -o0 tr -d '\\000-\\010\\016-\\037'", StartMode::Live),
        ("read yes; exec \"$@\"", StartMode::Live),
        ("exec 3<&0; (sleep 0.2; setsid \"$@\" <&3) & exit 0", StartMode::Live),
        ("exec \"$@\" </dev/null", StartMode::Mailbox),
        ("t=$(mktemp); cat >$t; o=$(\"$@\" <$t); rm $t; printf '%s\\n' \"$o\"", StartMode::Batch),
        ("exec \"$@\" >/dev/null", StartMode::ReportFile),
    ] {
        let script = script.replace("exec \"$@\"", "\"$@\"");
        let gots = sh(&script, &[read("${workspace}/f"), create("${workspace}/n1"), create("${outside}/n1")]);
        expect(&gots, &["allow", "allow", "allow"]);
        assert_eq!(gots[0].mode(), Some(mode), "{script}: {}", gots[0].told());
        let start = &gots[0].row.launcher.as_ref().unwrap().start;
        assert_eq!(
            start.executable.as_str(),
            "path",
            "{script}: no copy is made where the executable itself can be started"
        );
    }
}

#[test]
fn a_plain_box_refuses_outside_and_allows_the_workspace() {
    if !has("bwrap") {
        skip!("bubblewrap is not installed");
    }
    let mut questions = three();
    questions.push(connect());
    questions.push(q(Driver::SignalOutside, "outside"));
    questions.push(q(Driver::Exec, "${workspace}/p"));
    questions.push(q(Driver::EnvironmentRead, "SANDPROOF_SECRET"));
    let gots = sh(&format!("exec {BOX} \"$@\""), &questions);
    expect(&gots, &["allow", "deny refused", "allow", "deny hidden", "deny hidden", "allow", "allow"]);
    let gots = sh(&format!("exec {} \"$@\"", BOX.replace("--cap-drop ALL", "--clearenv")), &questions[6..]);
    expect(&gots, &["deny hidden"]);
    // The same through a front end that collects input, and one without input.
    let gots = sh(&format!("exec {BOX} \"$@\" </dev/null"), &three());
    expect(&gots, &THREE);
    let gots = sh(&format!("t=$(mktemp); cat >$t; o=$({BOX} \"$@\" <$t); rm $t; printf '%s\\n' \"$o\""), &three());
    expect(&gots, &THREE);
}

#[test]
fn a_mask_hides_a_file_and_swallows_what_is_made_in_it() {
    if !has("bwrap") {
        skip!("bubblewrap is not installed");
    }
    let script = "exec bwrap --ro-bind / / --dev /dev --proc /proc --bind \"$W\" \"$W\" --tmpfs \"$O\" -- \"$@\"";
    let gots = sh(script, &[read("${outside}/secret"), create("${outside}/n1"), read("${workspace}/f")]);
    expect(&gots, &["deny hidden", "deny diverted", "allow"]);
    assert!(gots[0].judgement.covered_by.as_deref().unwrap_or_default().contains("tmpfs"), "{}", gots[0].told());
}

#[test]
fn a_file_that_is_masked_under_one_name_and_shown_under_another_is_allowed() {
    if !has("bwrap") {
        skip!("bubblewrap is not installed");
    }
    let script =
        "exec bwrap --ro-bind / / --ro-bind / /mnt --dev /dev --proc /proc --tmpfs \"$O\" --unshare-pid -- \"$@\"";
    let gots = sh(script, &[read("${outside}/secret"), create("${outside}/n1")]);
    expect(&gots, &["allow", "deny diverted"]);
    let record = gots[0].row.launcher.as_ref().unwrap();
    let name = &record.asked[gots[0].judgement.name.unwrap()];
    assert_eq!(name.kind, NameKind::Mount, "{}", gots[0].told());
    assert!(name.name.starts_with("/mnt/"), "{}", name.name);
}

#[test]
fn a_workspace_under_another_name_is_found_there() {
    if !has("bwrap") {
        skip!("bubblewrap is not installed");
    }
    let script = "exec bwrap --ro-bind /usr /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64 --symlink usr/bin /bin \
                  --proc /proc --dev /dev --bind \"$W\" /inside --chdir /inside --unshare-all --cap-drop ALL -- \"$@\"";
    let questions = || vec![read("${workspace}/f"), create("${workspace}/n1"), read("${outside}/secret")];
    let script = format!("W=$1; O=$2; shift 2; {script}");
    let argv = ["sh", "-c", &script, "box", "${workspace}", "${outside}"].map(str::to_owned);
    let mut document = LauncherDocument::of_command("mock", argv.to_vec());
    document.paths = [("${workspace}".to_owned(), "/inside".to_owned())].into();
    let gots = ask_with(&document, &questions());
    expect(&gots, &["allow", "allow", "deny hidden"]);
    assert_eq!(gots[0].judgement.object, Some(OperatedObject::Same));
    let record = gots[0].row.launcher.as_ref().unwrap();
    let name = &record.asked[gots[0].judgement.name.unwrap()];
    assert_eq!((name.kind, name.name.as_str()), (NameKind::Mapped, "/inside/f"), "{}", gots[0].told());
}

#[test]
fn networks_copies_overlays_and_users_of_root_are_judged_by_what_the_host_sees() {
    only_root!("new namespaces without a user namespace");
    // No interface is up, so even the inside's own loopback fails.
    let gots = sh("exec unshare -n -- \"$@\"", &[connect(), read("${outside}/secret")]);
    expect(&gots, &["deny hidden", "allow"]);
    // A copy that is carried back each second.
    let copy = "exec 3<&0; C=$(mktemp -d -p /var/tmp); cp -a \"$W/.\" \"$C\"; \
                (while sleep 1; do cp -a \"$C/.\" \"$W/\"; done) >/dev/null 2>&1 <&- & k=$!; \
                unshare -m sh -c 'mount --bind \"$0\" \"$1\"; shift; exec \"$@\"' \"$C\" \"$W\" \"$@\" <&3; \
                kill $k; cp -a \"$C/.\" \"$W/\"; rm -rf \"$C\"";
    let gots = sh(copy, &[create("${workspace}/n1"), create("${outside}/n1")]);
    expect(&gots, &["allow", "allow"]);
    // Reads reach the host's files, writes stay in memory.
    let overlay = "exec unshare -m sh -c 'mount -t tmpfs t /mnt && mkdir /mnt/u /mnt/w && \
                   mount -t overlay o -o lowerdir=\"$0\",upperdir=/mnt/u,workdir=/mnt/w \"$0\" && exec \"$@\"' \"$O\" \"$@\"";
    let questions = [
        read("${outside}/secret"),
        q(Driver::FileStat, "${outside}/s2"),
        create("${outside}/n1"),
        read("${workspace}/f"),
    ];
    let gots = sh(overlay, &questions);
    expect(&gots, &["allow", "allow", "deny diverted", "allow"]);
    assert_eq!(gots[0].judgement.object, Some(OperatedObject::Other), "{}", gots[0].told());
    // An id that may have one process: the worker works without any.
    let one = "exec setpriv --reuid 4711 --regid 4711 --clear-groups prlimit --nproc=1 \"$@\"";
    let gots = sh(one, &[read("${workspace}/f"), create("${outside}/n1"), q(Driver::ProcessFork, "")]);
    expect(&gots, &["allow", "allow", "deny refused"]);
    assert_eq!(gots[2].judgement.via.as_deref(), Some("rlimit NPROC"), "{}", gots[2].told());
    assert!(gots[0].row.launcher.as_ref().unwrap().start.in_process);
}

/// Whatever goes wrong with a start is a word of its own. Nothing is refused here, so every denial would be an invention.
#[test]
fn a_start_that_goes_wrong_is_never_a_denial() {
    let questions = || vec![read("${outside}/f"), create("${outside}/n1"), connect()];
    for (script, word) in [
        // It hangs, it runs something else, it eats what is meant for the probe, it wants a user to say yes.
        ("exec sleep 600", "launcher_not_started"),
        ("exec sleep 0.2", "launcher_not_started"),
        ("cat >/dev/null; exit 0", "launcher_not_started"),
        ("printf 'continue? [y/N] '; exit 1", "launcher_not_started"),
        ("kill -9 $$", "launcher_not_started"),
    ] {
        let script = format!("W=$1; O=$2; shift 2; {script}");
        let argv = ["sh", "-c", &script, "box", "${workspace}", "${outside}"].map(str::to_owned);
        let mut document = LauncherDocument::of_command("mock", argv.to_vec());
        document.start_timeout_ms = 300;
        let gots = ask_with(&document, &questions());
        expect(&gots, &[word; 3]);
        for got in &gots {
            let record = got.row.launcher.as_ref().unwrap();
            let told = record.start.attempts.join("; ");
            assert!(told.contains("the launcher"), "{script}: {told}");
        }
    }
    // Without any input it is reached in another way.
    expect(&sh("\"$@\" <&-", &questions()), &["allow"; 3]);
}

#[test]
fn a_launcher_that_dies_half_way_decides_only_what_it_answered() {
    let slow = Q {
        action: Action { argv: vec!["sleep".into(), "0.9".into()], ..Action::new(Driver::Exec, "/bin/sleep") },
        fixtures: Vec::new(),
        listener: None,
    };
    let script = "exec 3<&0; \"$@\" <&3 & p=$!; (sleep 0.5; kill -9 $p) >/dev/null 2>&1 <&- & wait $p; exit 1";
    let gots = sh(script, &[read("${outside}/f"), slow, create("${outside}/n1")]);
    // How far it came by then is nobody's promise.
    let words = gots[1].words();
    assert!(matches!(words.as_str(), "launcher_time_limit" | "launcher_not_started" | "probe_no_report"), "{words}");
    for got in &gots {
        assert!(!got.words().starts_with("deny"), "{}", got.told());
    }
}

#[test]
fn boxes_that_copy_mask_and_limit_are_judged_by_what_they_do() {
    if !has("bwrap") {
        skip!("bubblewrap is not installed");
    }
    // Empty content over a file that holds something.
    let null = "exec bwrap --dev-bind / / --dev-bind /dev/null \"$O/token\" -- \"$@\"";
    expect(&sh(null, &[read("${outside}/token"), read("${outside}/f")]), &["deny diverted", "allow"]);
    // A snapshot of the start, which nobody carries back.
    let snapshot = "C=$(mktemp -d -p /var/tmp); cp -a \"$O/.\" \"$C\"; \
                    bwrap --dev-bind / / --bind \"$C\" \"$O\" -- \"$@\"; rm -rf \"$C\"";
    expect(&sh(snapshot, &[read("${outside}/secret"), create("${outside}/n1")]), &["allow", "deny diverted"]);
    // A folder is masked, and what a link in it leads to is not.
    let linked = Q {
        fixtures: vec![
            FixtureEntry::new("outside/real", FixtureKind::File),
            FixtureEntry::new("outside/masked", FixtureKind::Dir),
            FixtureEntry {
                to: Some("../real".into()),
                ..FixtureEntry::new("outside/masked/link", FixtureKind::Symlink)
            },
        ],
        ..q(Driver::FileRead, "${outside}/masked/link")
    };
    let masked = "exec bwrap --dev-bind / / --tmpfs \"$O/masked\" -- \"$@\"";
    let gots = sh(masked, &[linked]);
    expect(&gots, &["allow"]);
    let record = gots[0].row.launcher.as_ref().unwrap();
    assert_eq!(record.asked[gots[0].judgement.name.unwrap()].kind, NameKind::Canonical, "{}", gots[0].told());
    // A root of its own in which nothing of the run can be seen, not even the worker's executable.
    let elsewhere = "exec bwrap --ro-bind /usr /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64 --proc /proc \
                     --dev /dev --unshare-all -- \"$@\"";
    let gots = sh(elsewhere, &[read("${workspace}/f"), create("${outside}/n1")]);
    expect(&gots[..1], &["deny hidden"]);
    assert_eq!(gots[0].row.launcher.as_ref().unwrap().start.executable.as_str(), "memfd", "{}", gots[0].told());
    // No file may grow.
    let gots = sh("exec prlimit --fsize=0 \"$@\"", &[q(Driver::FileWrite, "${outside}/w"), read("${outside}/f")]);
    expect(&gots, &["deny refused", "allow"]);
    assert_eq!(gots[0].judgement.via.as_deref(), Some("rlimit FSIZE"), "{}", gots[0].told());
}

#[test]
fn a_worker_without_proc_makes_processes_all_the_same() {
    if !has("bwrap") {
        skip!("bubblewrap is not installed");
    }
    let script = "exec bwrap --dev-bind / / --tmpfs /proc -- \"$@\"";
    // A worker that makes none does not become a program.
    let gots = sh(script, &[q(Driver::Exec, "${workspace}/p"), q(Driver::ProcessFork, ""), read("${outside}/secret")]);
    expect(&gots, &["allow"; 3]);
}

#[test]
fn a_mask_that_is_full_hides_all_the_same() {
    only_root!("mounting");
    let full = "exec unshare -m sh -c 'mount -t tmpfs -o nr_inodes=1 t \"$0\" && exec \"$@\"' \"$O\" \"$@\"";
    expect(&sh(full, &[create("${outside}/n1")]), &["deny hidden"]);
}

/// Answers mount(2), unshare(2) and sockets of AF_PACKET with the error number of its first argument.
const FILTER: &str = r#"
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
int main(int argc, char **argv) {
    unsigned answer = SECCOMP_RET_ERRNO | atoi(argv[1]);
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mount, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_PACKET, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof code / sizeof *code, code };
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) return 9;
    execvp(argv[2], argv + 2);
    return 9;
}
"#;
