//! Limits of the process and filters around it: one sentence and an exit code of ours, and nothing is left behind.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::only_root;
use crate::support::{copy_folder, expect_code, output, root, sandproof, stderr, stdout, validate};
use crate::systemd::confine::confined_by;
use crate::workspace::{Workspace, probe, read_policy};

const PLAN: &str = "plans/quickstart/plan.json";

/// A place for a run: its fixtures and its bundles lie here and nowhere else.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("sandproof-it-").tempdir_in("/tmp").unwrap();
        std::fs::create_dir(dir.path().join("fixtures")).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The words of a run of `plan` by `executable`.
    fn run(&self, executable: &Path, plan: &Path) -> Vec<String> {
        let words = [executable, Path::new("run"), Path::new("--plan"), plan, Path::new("--jobs"), Path::new("2")];
        let mut words: Vec<String> = words.iter().map(|word| word.display().to_string()).collect();
        for (option, folder) in [("--out", "out"), ("--fixtures", "fixtures")] {
            words.extend([option.to_string(), self.path(folder).display().to_string()]);
        }
        words
    }

    /// What is left in the folder for fixtures.
    #[track_caller]
    fn expect_clean(&self, what: &str) {
        let left: Vec<_> =
            std::fs::read_dir(self.path("fixtures")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{what}: left {left:?}");
    }

    /// The only bundle.
    fn bundle(&self) -> PathBuf {
        let bundles = std::fs::read_dir(self.path("out")).unwrap().map(|entry| entry.unwrap().path());
        bundles.filter(|path| path.is_dir()).last().unwrap()
    }
}

fn executable() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_sandproof"))
}

/// The words of a command that confines itself with `kind` and then becomes `command`.
fn confined(kind: &str, command: &[String]) -> Vec<String> {
    confined_by(&std::env::current_exe().unwrap(), kind, command)
}

fn plan() -> PathBuf {
    root().join(PLAN)
}

fn command(words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env_clear().current_dir(root());
    command
}

/// Runs a command that has to end by itself within a minute.
#[track_caller]
fn within_a_minute(command: &mut Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            panic!("it does not end; stdout:\n{}\nstderr:\n{}", stdout(&output), stderr(&output));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

/// It ended by itself, with a code of the contract, and with a sentence if that says that nothing was done.
#[track_caller]
fn expect_an_answer(output: &Output, what: &str, limit: &str) {
    let (code, said) = (output.status.code(), stderr(output));
    assert!(matches!(code, Some(0 | 7 | 8 | 70)), "{what}: {:?}\n{said}", output.status);
    assert!(!said.contains("panicked"), "{what}: {said}");
    if matches!(code, Some(7 | 70)) {
        assert!(said.contains("error: "), "{what}: {said}");
        assert_eq!(code, Some(7), "{what}: {said}");
        assert!(said.contains(limit), "{what}: {said}");
    }
}

/// How many probes a run had, and how many were as expected, by its last line of counts.
#[track_caller]
fn counted(output: &Output) -> [u64; 2] {
    let said = stdout(output);
    let line = said.lines().find(|line| line.contains(" probes, ") && line.contains(" as expected"));
    let line = line.unwrap_or_else(|| panic!("no counts: {said}\n{}", stderr(output)));
    let mut numbers = line.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok());
    [numbers.next().unwrap(), numbers.next().unwrap()]
}

#[track_caller]
fn expect_all_decided(output: &Output) {
    let [all, as_expected] = counted(output);
    assert!(all >= 15 && all == as_expected, "{}", stdout(output));
}

#[test]
fn a_limit_on_processes_is_named_or_lived_with_and_nothing_is_left() {
    only_root!("only root can become a user whose processes are counted from none");
    let place = Place::new();
    let open = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    open(place.dir.path(), 0o755);
    // Where everybody can reach them: the checkout may be closed to others.
    let install = Command::new("install").args(["-m", "755"]).arg(executable()).arg(place.path("sandproof")).status();
    assert!(install.unwrap().success());
    for folder in ["plans/quickstart", "registries"] {
        copy_folder(&root().join(folder), &place.path(folder));
    }
    std::fs::create_dir(place.path("out")).unwrap();
    let mut codes = Vec::new();
    for limit in [1, 2, 3, 4, 5, 6, 8, 10, 12, 32] {
        // A user of this test alone: the limit counts all processes of a user.
        let uid = 2_000_000_000 + std::process::id() % 1_000_000;
        for folder in ["out", "fixtures"] {
            nix::unistd::chown(&place.path(folder), Some(uid.into()), Some(uid.into())).unwrap();
        }
        let user = [format!("--reuid={uid}"), format!("--regid={uid}"), "--clear-groups".to_string()];
        let mut words = vec!["/usr/bin/setpriv".to_string()];
        words.extend(user);
        // The limit is set after the change of user, which it would refuse.
        words.extend(["/usr/bin/prlimit".to_string(), format!("--nproc={limit}"), "--".to_string()]);
        words.extend(place.run(&place.path("sandproof"), &place.path(PLAN)));
        let ended = within_a_minute(&mut command(&words));
        expect_an_answer(&ended, &format!("{limit} processes"), "RLIMIT_NPROC");
        place.expect_clean(&format!("{limit} processes"));
        codes.push(ended.status.code().unwrap());
    }
    assert!(codes.contains(&7) && codes.contains(&0), "each end of the range has to be reached: {codes:?}");
}

#[test]
fn where_no_thread_can_be_had_a_run_is_done_without_any() {
    only_root!("only root can become a user whose processes are counted from none");
    // clone3(2) does not exist and clone(2) makes no threads: what is left are processes.
    let place = Place::new();
    let words = confined("seccomp-no-threads", &place.run(executable(), &plan()));
    let ended = within_a_minute(&mut command(&words));
    expect_code(&ended, 0);
    expect_all_decided(&ended);
    place.expect_clean("no threads");
    expect_code(&validate(&place.bundle()), 0);
    // So are the readers of bundles.
    let validate = ["validate-bundle", "--bundle"].map(str::to_string);
    let mut words = vec![executable().display().to_string()];
    words.extend(validate);
    words.push(place.bundle().display().to_string());
    expect_code(&within_a_minute(&mut command(&confined("seccomp-no-threads", &words))), 0);
}

#[test]
fn a_limit_on_the_size_of_files_is_named() {
    for blocks in [0, 1, 8, 64] {
        let place = Place::new();
        let script = format!("ulimit -f {blocks}; exec \"$@\"");
        let mut words = vec!["/bin/sh".to_string(), "-c".to_string(), script, "sh".to_string()];
        words.extend(place.run(executable(), &plan()));
        let ended = within_a_minute(&mut command(&words));
        expect_an_answer(&ended, &format!("{blocks} blocks"), "RLIMIT_FSIZE");
        place.expect_clean(&format!("{blocks} blocks"));
        if blocks == 0 {
            expect_code(&ended, 7);
        }
    }
}

#[test]
fn a_limit_on_open_files_is_raised_as_far_as_it_may_and_else_named() {
    let place = Place::new();
    let limited_at = |home: &str, limit: &str| {
        let mut words = vec!["/usr/bin/prlimit".to_string(), format!("--nofile={limit}"), "--".to_string()];
        words.extend(place.run(executable(), &plan()));
        within_a_minute(command(&words).env("HOME", home))
    };
    let limited = |limit: &str| limited_at("/", limit);
    expect_code(&limited("16:1024"), 0);
    let mut codes = Vec::new();
    for hard in [4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 64] {
        let ended = limited(&format!("{hard}:{hard}"));
        // Below that the loader cannot even open the C library.
        if ended.status.code() != Some(127) {
            expect_an_answer(&ended, &format!("{hard} files"), "RLIMIT_NOFILE");
            codes.push(ended.status.code().unwrap());
        }
        place.expect_clean(&format!("{hard} files"));
    }
    assert_eq!((codes.first(), codes.last()), (Some(&7), Some(&0)), "{codes:?}");
    // A last folder that is refused for a reason of its own does not hide that the others were refused for the limit.
    for hard in [4, 5, 6] {
        let ended = limited_at("/nowhere", &format!("{hard}:{hard}"));
        if ended.status.code() != Some(127) {
            expect_an_answer(&ended, &format!("{hard} files and no home"), "RLIMIT_NOFILE");
        }
    }
}

#[test]
fn a_limit_on_memory_never_ends_the_program_by_a_signal() {
    let place = Place::new();
    let limited = |mebibytes: u64, words: &[String]| {
        let mut all = vec!["/usr/bin/prlimit".to_string(), format!("--as={}", mebibytes << 20), "--".to_string()];
        all.extend_from_slice(words);
        within_a_minute(&mut command(&all))
    };
    let version = [executable().display().to_string(), "--version".to_string()];
    // With less than that the loader cannot map the executable, and ends it before any of its code has run.
    let enough = |mebibytes: &u64| limited(*mebibytes, &version).status.success();
    let coarse = (4..1024).step_by(4).find(enough).unwrap();
    let least = (coarse - 3..=coarse).find(enough).unwrap();
    let mut codes = Vec::new();
    for mebibytes in (least..least + 8).chain((least + 8..least + 64).step_by(4)) {
        let ended = limited(mebibytes, &place.run(executable(), &plan()));
        let code = ended.status.code();
        assert!(matches!(code, Some(0 | 7 | 8 | 70)), "{mebibytes} MiB: {:?}\n{}", ended.status, stderr(&ended));
        let said = stderr(&ended);
        assert!(matches!(code, Some(0 | 8)) || said.contains("error: "), "{mebibytes} MiB: {said}");
        codes.push(code);
    }
    assert!(codes.iter().any(|code| *code != Some(0)), "no limit was low enough: {codes:?}");
    assert_eq!(codes.last(), Some(&Some(0)), "{codes:?}");
}

/// A plan with reads that work, and between them one of a FIFO that nobody writes to, which lasts until its deadline and has
/// a folder in `/tmp` besides.
pub fn hanging_plan(dir: &Path, deadline_ms: u64) -> PathBuf {
    let reads = |name: &str, kind: &str| {
        let mut probe = probe(&format!("hang:{name}"), "file-read-data", &format!("${{root}}/open/{name}"), "allow");
        probe["driver"] = "file_read".into();
        probe["fixtures"] = json!([{"path": "open", "kind": "dir"}, {"path": format!("open/{name}"), "kind": kind}]);
        probe
    };
    let mut hangs = reads("b", "fifo");
    let elsewhere = json!({"path": "/tmp/${name.elsewhere}/inner", "kind": "dir"});
    hangs["fixtures"].as_array_mut().unwrap().push(elsewhere);
    let workspace =
        Workspace::new(dir).add("hang", &read_policy(), vec![reads("a", "file"), hangs, reads("c", "file")]);
    let path = workspace.plan_path("hang");
    let mut plan: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    plan["deadline_ms"] = deadline_ms.into();
    std::fs::write(&path, serde_json::to_vec(&plan).unwrap()).unwrap();
    path
}

#[test]
fn where_nothing_may_be_killed_a_run_ends_all_the_same_and_loses_only_what_hung() {
    let place = Place::new();
    let plan = hanging_plan(&place.path("workspace"), 300);
    let ended = within_a_minute(&mut command(&confined("seccomp-no-kill", &place.run(executable(), &plan))));
    expect_code(&ended, 8);
    let rows = std::fs::read_to_string(place.bundle().join("rows/baseline.jsonl")).unwrap();
    let endings: Vec<Value> =
        rows.lines().map(|row| serde_json::from_str::<Value>(row).unwrap()["ending"].clone()).collect();
    assert_eq!(endings[0]["how"], "exited", "{endings:?}");
    assert_eq!(endings[1]["how"], "lost", "{endings:?}");
    assert!(endings[1]["reason"].as_str().unwrap().contains("did not end after SIGKILL"), "{endings:?}");
    assert_eq!(endings[2]["how"], "exited", "{endings:?}");
    place.expect_clean("no kill");
    // And it listens to whoever wants it to end.
    let mut words = confined("seccomp-no-kill", &place.run(executable(), &plan));
    words.extend([]);
    let child = command(&words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(700));
    let started = Instant::now();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), nix::sys::signal::Signal::SIGTERM).unwrap();
    let ended = child.wait_with_output().unwrap();
    expect_code(&ended, 143);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn a_filter_that_kills_whoever_asks_for_landlock_is_named() {
    let place = Place::new();
    let ended = within_a_minute(&mut command(&confined("seccomp-kills-landlock", &place.run(executable(), &plan()))));
    expect_code(&ended, 7);
    assert!(stderr(&ended).contains("seccomp"), "{}", stderr(&ended));
    let words = [executable().display().to_string(), "status".to_string()];
    let ended = within_a_minute(&mut command(&confined("seccomp-kills-landlock", &words)));
    expect_code(&ended, 0);
    assert!(stdout(&ended).contains("seccomp filter that kills"), "{}", stdout(&ended));
}

/// The verdicts of a run's rows that are at `stage`: (lane, target, reason, errno).
fn not_run(bundle: &Path) -> Vec<(String, String, String, i64)> {
    let mut found = Vec::new();
    for lane in ["baseline", "scenario", "control"] {
        let Ok(rows) = std::fs::read_to_string(bundle.join(format!("rows/{lane}.jsonl"))) else { continue };
        for row in rows.lines().map(|row| serde_json::from_str::<Value>(row).unwrap()) {
            if let Some(not_run) = row.get("not_run") {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
                let errno = not_run["errno"].as_i64().unwrap_or_default();
                found.push((lane.to_string(), text(&row["action"]["target"]), text(&not_run["reason"]), errno));
            }
        }
    }
    found
}

#[test]
fn where_no_port_can_be_had_only_what_needs_one_is_undecided_and_the_bundle_verifies() {
    let place = Place::new();
    let ended = within_a_minute(&mut command(&confined("seccomp-no-bind", &place.run(executable(), &plan()))));
    expect_code(&ended, 8);
    let [all, as_expected] = counted(&ended);
    assert_eq!(all - as_expected, 2, "the two that connect: {}", stdout(&ended));
    assert!(stdout(&ended).contains(", 2 undecided."), "{}", stdout(&ended));
    let rows = not_run(&place.bundle());
    assert!(rows.iter().any(|(_, target, ..)| target.contains("${port.")), "{rows:?}");
    for (lane, target, reason, errno) in rows {
        assert_eq!(errno, i64::from(libc::EACCES), "{lane}: {target}: {reason}");
        assert!(reason.contains("no port can be had for `${port.") && reason.contains("Permission denied"), "{reason}");
    }
    expect_code(&validate(&place.bundle()), 0);
}

#[test]
fn where_the_kernel_hands_out_every_port_by_itself_network_probes_are_decided() {
    only_root!("only root can make a network of its own");
    let place = Place::new();
    let range = "/proc/sys/net/ipv4/ip_local_port_range";
    let script = format!("ip link set lo up && echo '1024 65535' > {range} && exec \"$@\"");
    let mut words: Vec<String> =
        ["/usr/bin/unshare", "-n", "/bin/sh", "-c", &script, "sh"].map(str::to_string).to_vec();
    words.extend(place.run(executable(), &plan()));
    let ended = within_a_minute(command(&words).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"));
    expect_code(&ended, 0);
    expect_all_decided(&ended);
    expect_code(&validate(&place.bundle()), 0);
}

#[test]
fn without_dev_null_the_sentence_names_it() {
    only_root!("only root can make mounts of its own");
    let place = Place::new();
    let script = "mount -t tmpfs none /dev && exec \"$@\"";
    let mut words: Vec<String> = ["/usr/bin/unshare", "-m", "/bin/sh", "-c", script, "sh"].map(str::to_string).to_vec();
    words.extend(place.run(executable(), &plan()));
    let ended = within_a_minute(command(&words).env("PATH", "/usr/bin:/bin"));
    expect_code(&ended, 7);
    assert!(stderr(&ended).contains("/dev/null"), "{}", stderr(&ended));
    place.expect_clean("no /dev");
}

#[test]
fn a_proc_that_hides_processes_does_not_hide_that_a_policy_is_in_force() {
    only_root!("only root can make mounts of its own");
    let place = Place::new();
    std::fs::set_permissions(place.dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let install = Command::new("install").args(["-m", "755"]).arg(executable()).arg(place.path("sandproof")).status();
    assert!(install.unwrap().success());
    for folder in ["plans/linux-scopes", "registries"] {
        copy_folder(&root().join(folder), &place.path(folder));
    }
    std::fs::create_dir(place.path("out")).unwrap();
    for folder in ["out", "fixtures"] {
        nix::unistd::chown(&place.path(folder), Some(65534.into()), Some(65534.into())).unwrap();
    }
    // A process file system of its own; the host's is left as it is.
    let script =
        "mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";
    let mut words: Vec<String> =
        ["/usr/bin/unshare", "-m", "-p", "-f", "/bin/sh", "-c", script, "sh"].map(str::to_string).to_vec();
    words.extend(place.run(&place.path("sandproof"), &place.path("plans/linux-scopes/plan.json")));
    let ended = within_a_minute(command(&words).env("PATH", "/usr/bin:/bin"));
    assert!(matches!(ended.status.code(), Some(0 | 8)), "{:?}\n{}\n{}", ended.status, stdout(&ended), stderr(&ended));
    let rows = std::fs::read_to_string(place.bundle().join("rows/scenario.jsonl")).unwrap();
    let mut inspected = 0;
    for row in rows.lines().map(|row| serde_json::from_str::<Value>(row).unwrap()) {
        assert_eq!(row["prologue"]["self_check_after"]["confined"], true, "{row}");
        if row["action"]["driver"] == "process_inspect_outside" {
            assert_eq!(row["operation"]["calls"][0]["errno"], libc::ENOENT, "it is hidden: {row}");
            inspected += 1;
        }
    }
    assert!(inspected > 0);
    let said = stdout(&ended);
    assert!(!said.contains("process_inspect") && !said.contains("self_check"), "{said}");
    expect_code(&output(sandproof().args(["validate-bundle", "--bundle"]).arg(place.bundle())), 0);
}
