//! What a run leaves when it is killed, and who takes it away; a probe server that is lost.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::interruption::wait_for_rows;
use crate::limits::hanging_plan;
use crate::support::{expect_code, output, root, sandproof, stderr, stdout, validate};
use crate::workspace::Workspace;

const PLAN: &str = "plans/quickstart/plan.json";

/// A run with its fixtures and bundles in these folders.
fn run(plan: &Path, fixtures: &Path, out: &Path) -> Command {
    let mut command = sandproof();
    command.args(["run", "--jobs", "1", "--plan"]).arg(plan).arg("--fixtures").arg(fixtures).arg("--out").arg(out);
    command
}

fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id() as i32), signal).unwrap();
}

/// The folders of fixtures in `place`.
fn fixtures(place: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("sandproof-")).collect()
}

fn status(place: &Path, out: &Path) -> Value {
    let answer = output(sandproof().env("TMPDIR", place).args(["status", "--json", "--out"]).arg(out));
    expect_code(&answer, 0);
    serde_json::from_slice(&answer.stdout).unwrap()
}

/// The leftovers of that kind that `status` names in `place`.
fn named(status: &Value, kind: &str, place: &Path) -> Vec<PathBuf> {
    let left = status["leftovers"].as_array().unwrap().iter().filter(|left| left["kind"] == kind);
    let paths = left.map(|left| PathBuf::from(left["path"].as_str().unwrap()));
    paths.filter(|path| path.starts_with(place)).collect()
}

#[test]
fn what_a_killed_run_leaves_is_named_by_status_and_taken_away_by_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().canonicalize().unwrap().join("fixtures");
    fs::create_dir(&place).unwrap();
    let out = dir.path().join("out");
    let plan = Workspace::new(&dir.path().join("workspace")).long_run("slow").plan_path("slow");
    for end in [Signal::SIGKILL, Signal::SIGALRM, Signal::SIGHUP] {
        let mut child = start(&mut run(&plan, &place, &out));
        // The folder of its rows is there before that of its fixtures.
        while fixtures(&place).is_empty() {
            assert!(child.try_wait().unwrap().is_none(), "the run ended before it could be killed");
            std::thread::sleep(Duration::from_millis(2));
        }
        wait_for_new_rows(&mut child, &out);
        signal(&child, end);
        assert_eq!(child.wait().unwrap().signal(), Some(end as i32));
        let [left] = fixtures(&place).try_into().unwrap();
        let temporary = out.join(format!(".LATEST.{}.tmp", "5a".repeat(16)));
        fs::write(&temporary, "x").unwrap();
        let status = status(&place, &out);
        assert_eq!(named(&status, "fixtures", &place), std::slice::from_ref(&left), "{end}: {status}");
        assert_eq!(named(&status, "temporary", &out), std::slice::from_ref(&temporary), "{end}: {status}");
        let said = output(sandproof().env("TMPDIR", &place).args(["status", "--out"]).arg(&out));
        assert!(stdout(&said).contains(left.to_str().unwrap()), "{}", stdout(&said));
        expect_code(&output(&mut run(&root().join(PLAN), &place, &out)), 0);
        assert!(fixtures(&place).is_empty() && !temporary.exists(), "{end}: it is still there");
        fs::remove_dir_all(&out).unwrap();
    }
}

#[test]
fn folders_that_a_killed_run_made_elsewhere_go_with_its_fixtures() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let plan = hanging_plan(&dir.path().join("workspace"), 60_000);
    let run_id = format!("killed-{}", std::process::id());
    let mut child = start(run(&plan, dir.path(), &out).args(["--run-id", &run_id]));
    let elsewhere = PathBuf::from(format!("/tmp/sandproof-{run_id}-1-elsewhere"));
    let started = Instant::now();
    while !elsewhere.join("inner").exists() {
        assert!(started.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(2));
    }
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    assert!(elsewhere.exists());
    expect_code(&output(&mut run(&root().join(PLAN), dir.path(), &out)), 0);
    assert!(!elsewhere.exists() && fixtures(dir.path()).is_empty());
}

/// Waits until the lanes have begun, in an output root of its own.
fn wait_for_new_rows(child: &mut Child, out: &Path) {
    wait_for_rows(out);
    assert!(child.try_wait().unwrap().is_none(), "the run ended before it could be killed");
}

#[test]
fn what_a_living_run_uses_is_not_taken_away_by_another_with_its_own_output_root() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().canonicalize().unwrap().join("fixtures");
    fs::create_dir(&place).unwrap();
    let out = dir.path().join("out");
    let plan = Workspace::new(&dir.path().join("workspace")).long_run("slow").plan_path("slow");
    let mut living = start(&mut run(&plan, &place, &out));
    wait_for_new_rows(&mut living, &out);
    let [used] = fixtures(&place).try_into().unwrap();
    let temporary = out.join(format!(".LATEST.{}.tmp", "5a".repeat(16)));
    fs::write(&temporary, "x").unwrap();
    let status = status(&place, &out);
    assert!(named(&status, "fixtures", &place).is_empty() && named(&status, "temporary", &out).is_empty(), "{status}");
    expect_code(&output(&mut run(&root().join(PLAN), &place, &dir.path().join("other"))), 0);
    assert_eq!(fixtures(&place), [used], "it is in use");
    assert!(living.try_wait().unwrap().is_none(), "the run was not disturbed");
    signal(&living, Signal::SIGTERM);
    let ended = living.wait_with_output().unwrap();
    expect_code(&ended, 143);
    assert!(fixtures(&place).is_empty());
}

/// The probe servers of a run.
fn servers(child: &Child) -> Vec<Pid> {
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{}/task", child.id())).into_iter().flatten().flatten() {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for pid in children.split_ascii_whitespace() {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if words.split(|byte| *byte == 0).any(|word| word == b"__zygote") {
                found.push(Pid::from_raw(pid.parse().unwrap()));
            }
        }
    }
    found
}

/// The first probe server, as soon as there is one.
fn first_server(child: &mut Child) -> Pid {
    let started = Instant::now();
    loop {
        if let Some(server) = servers(child).first() {
            return *server;
        }
        assert!(child.try_wait().unwrap().is_none(), "the run ended before its server was seen");
        assert!(started.elapsed() < Duration::from_secs(60), "no server");
        std::thread::sleep(Duration::from_micros(200));
    }
}

#[test]
fn a_probe_server_that_is_lost_costs_one_row_and_none_of_a_later_lane() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let plan = hanging_plan(&dir.path().join("workspace"), 2_000);
    let mut child = start(&mut run(&plan, dir.path(), &out));
    // While the second probe hangs.
    let server = first_server(&mut child);
    wait_for_rows(&out);
    std::thread::sleep(Duration::from_millis(500));
    assert!(servers(&child).contains(&server));
    kill(server, Signal::SIGKILL).unwrap();
    let ended = child.wait_with_output().unwrap();
    expect_code(&ended, 8);
    let bundle = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    let mut lost = Vec::new();
    let mut expired = 0;
    for lane in ["baseline", "control", "scenario"] {
        let rows = fs::read_to_string(bundle.join(format!("rows/{lane}.jsonl"))).unwrap();
        for row in rows.lines().map(|row| serde_json::from_str::<Value>(row).unwrap()) {
            match row["ending"]["how"].as_str() {
                Some("lost") => lost.push(format!("{lane} {}", row["seq"])),
                Some("expired") => expired += 1,
                _ => {}
            }
        }
    }
    assert_eq!(lost, ["baseline 1"]);
    assert_eq!(expired, 1, "the scenario's FIFO was waited for until its deadline");
    expect_code(&validate(&bundle), 0);
}

#[test]
fn an_interrupt_is_obeyed_at_once_also_by_a_server_that_replaced_another() {
    for lose in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let plan = hanging_plan(&dir.path().join("workspace"), 60_000);
        let mut child = start(&mut run(&plan, dir.path(), &out));
        let server = first_server(&mut child);
        wait_for_rows(&out);
        std::thread::sleep(Duration::from_millis(500));
        if lose {
            // The scenario's first probes, and then its FIFO, are for the one that replaces it.
            kill(server, Signal::SIGKILL).unwrap();
            std::thread::sleep(Duration::from_millis(1_000));
            let now = servers(&child);
            assert!(!now.is_empty() && !now.contains(&server), "{now:?}");
        }
        let told = Instant::now();
        signal(&child, Signal::SIGINT);
        let ended = child.wait_with_output().unwrap();
        assert!(told.elapsed() < Duration::from_secs(10), "after a loss: {lose}: {:?}", told.elapsed());
        expect_code(&ended, 130);
        let said = stderr(&ended);
        assert!(said.starts_with("error: interrupted by signal 2"), "nothing comes before it: {said}");
        assert!(!said.contains("control socket"), "{said}");
        assert!(fixtures(dir.path()).is_empty());
    }
}

/// A stage as one looks whose maker is `alive` or not.
fn stage(name: &str) -> (PathBuf, fs::File) {
    use std::os::unix::fs::DirBuilderExt;
    let random: String =
        name.chars().cycle().take(10).chain(format!("{:06}", std::process::id() % 1_000_000).chars()).collect();
    let stage = Path::new("/var/tmp").join(format!("sandproof-stage-{random}"));
    fs::DirBuilder::new().mode(0o700).create(&stage).unwrap();
    fs::write(stage.join("job.json"), "{}").unwrap();
    let alive = fs::File::create(stage.join("alive")).unwrap();
    (stage, alive)
}

#[test]
fn a_stage_goes_with_the_next_run_unless_whoever_made_it_lives() {
    let dir = tempfile::tempdir().unwrap();
    let (used, alive) = stage("used");
    let alive = nix::fcntl::Flock::lock(alive, nix::fcntl::FlockArg::LockExclusiveNonblock).unwrap();
    let (left, _) = stage("left");
    expect_code(&output(&mut run(&root().join(PLAN), dir.path(), &dir.path().join("out"))), 0);
    assert!(!left.exists(), "nobody uses it");
    assert!(used.join("job.json").exists(), "its maker lives");
    drop(alive);
    expect_code(&output(&mut run(&root().join(PLAN), dir.path(), &dir.path().join("out"))), 0);
    assert!(!used.exists(), "nobody uses it any more");
}
