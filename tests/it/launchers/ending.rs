//! What is still there when a run of launchers has ended, or was ended: nothing.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::support::{expect_code, output};

/// `sandproof ask` with an executable of its own, by which its workers are known among all processes.
struct Asking {
    folder: tempfile::TempDir,
    exe: PathBuf,
}

impl Asking {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("ending-").tempdir_in("/var/tmp").unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let exe = folder.path().join("sandproof");
        std::fs::copy(executable(), &exe).unwrap();
        Self { folder, exe }
    }

    fn command(&self, questions: &[&str], script: &str) -> Command {
        let mut asking = Command::new(&self.exe);
        asking.current_dir(self.folder.path()).arg("ask").args(questions);
        if nix::unistd::geteuid().is_root() {
            asking.arg("--as-root");
        }
        asking.args(["--", "sh", "-c", script, "box"]);
        asking
    }

    /// The command lines of all processes that have this executable, or that text, in theirs.
    fn alive(&self, or: &str) -> Vec<String> {
        let exe = self.exe.to_str().unwrap();
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let lines =
            numbers.filter_map(|pid| std::fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline")).ok());
        let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        lines.filter(|line| line.contains(exe) || line.contains(or)).collect()
    }

    #[track_caller]
    fn nothing_is_left(&self, or: &str, limit: Duration) {
        let until = Instant::now() + limit;
        while !self.alive(or).is_empty() {
            assert!(Instant::now() < until, "still there: {:#?}", self.alive(or));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until a worker is there.
    fn wait_for_worker(&self, run: &mut Child) {
        let until = Instant::now() + Duration::from_secs(60);
        // The run, a worker without the launcher, and one inside.
        while self.alive("no such text").iter().filter(|line| line.contains(".600")).count() < 2 {
            assert!(run.try_wait().unwrap().is_none() && Instant::now() < until, "no worker was started");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A number of seconds that nobody else sleeps.
fn own_seconds() -> String {
    format!("31{}", std::process::id())
}

#[test]
fn what_a_launcher_leaves_behind_ends_with_the_run() {
    let asking = Asking::new();
    let seconds = own_seconds();
    // One in the launcher's group, one that has left it, and one whose parent is gone as well.
    let script = format!(
        "sleep {seconds} >/dev/null 2>&1 <&- & setsid sleep {seconds} >/dev/null 2>&1 <&- & \
         (setsid sh -c 'sleep {seconds} & sleep {seconds}' >/dev/null 2>&1 <&- &); \"$@\""
    );
    let asked = output(&mut asking.command(&["allow read ${workspace}/f"], &script));
    expect_code(&asked, 0);
    asking.nothing_is_left(&format!("sleep {seconds}"), Duration::ZERO);
}

#[test]
fn a_worker_answers_after_its_launcher_was_killed_and_ends_with_the_run() {
    let asking = Asking::new();
    let script = "exec 3<&0; setsid \"$@\" <&3 & sleep 0.3; kill -9 $$";
    let asked = output(&mut asking.command(&["allow read ${workspace}/f", "allow create ${workspace}/n"], script));
    expect_code(&asked, 0);
    asking.nothing_is_left("no such text", Duration::ZERO);
}

#[test]
fn workers_end_when_the_run_was_killed() {
    let asking = Asking::new();
    // Enough of them that the run is still there when it is looked for.
    let many: Vec<String> = (0..300).map(|n| format!("deny read /nonexistent/{n}")).collect();
    let questions: Vec<&str> = ["exec ${workspace}/p"].into_iter().chain(many.iter().map(String::as_str)).collect();
    for script in [
        "\"$@\"",
        // Nobody is left to close its input or to take its mailbox away.
        "exec 3<&0; setsid \"$@\" <&3",
        "setsid \"$@\" </dev/null",
    ] {
        let mut asked = asking.command(&questions, script);
        let mut run = asked.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        asking.wait_for_worker(&mut run);
        run.kill().unwrap();
        run.wait().unwrap();
        asking.nothing_is_left("no such text", Duration::from_secs(10));
    }
}
