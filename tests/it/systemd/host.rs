//! A real systemd for tests: the first process of namespaces of its own.
//!
//! The host of the tests may have been booted by anything. Inside, `/run` and `/tmp` are fresh, so what tests need from
//! outside (the executables and the plans) is bound beneath [`INSIDE`], and their folders lie in `/var/tmp`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{LazyLock, mpsc};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use serde_json::Value;
use tempfile::TempDir;

use crate::support;

/// Where the executables and the plans are, inside.
const INSIDE: &str = "/run/sandproof-tests";
/// The programs that it takes.
const TOOLS: [&str; 7] = [
    "/usr/bin/unshare",
    "/usr/bin/nsenter",
    "/usr/bin/setpriv",
    "/usr/bin/flock",
    "/usr/bin/systemctl",
    "/usr/bin/systemd-run",
    "/lib/systemd/systemd",
];
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// What runs before it becomes systemd. Arguments: the folder of the executables, the workspace.
const INIT: &str = r#"
    mount --make-rprivate / &&
    mount -t tmpfs -o mode=755 tmpfs /run &&
    mkdir -p /run/sandproof-tests/target /run/sandproof-tests/root &&
    mount --bind "$1" /run/sandproof-tests/target &&
    mount --bind "$2" /run/sandproof-tests/root &&
    mount -t tmpfs -o mode=1777 tmpfs /tmp &&
    exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=basic.target
"#;
/// Longer than anything that is waited for takes on a busy machine.
pub const LONG: Duration = Duration::from_secs(120);

/// Why there is no host.
#[derive(Debug, Clone)]
pub enum Missing {
    /// Only root can make one. The tests also run as an ordinary user, who has nothing to see here.
    Root,
    /// The machine lacks something.
    Other(String),
}

/// A running systemd. It ends with this value, or with the process that started it.
#[derive(Debug)]
pub struct Host {
    outer: Child,
    /// systemd's process id, as this process sees it.
    pub pid: i32,
}

/// The systemd that the tests share, or a return from the test that says why there is none.
#[macro_export]
macro_rules! systemd_host {
    ($host:expr) => {
        match $host {
            Ok(host) => host,
            Err($crate::systemd::host::Missing::Root) => {
                eprintln!("SKIPPED: only root can start a systemd of its own");
                return;
            }
            Err($crate::systemd::host::Missing::Other(reason)) => $crate::skip!("no systemd: {reason}"),
        }
    };
    () => {
        $crate::systemd_host!($crate::systemd::host::Host::shared())
    };
}

impl Host {
    /// The one that all tests share.
    pub fn shared() -> Result<&'static Self, Missing> {
        static SHARED: LazyLock<Result<Host, Missing>> = LazyLock::new(Host::start);
        SHARED.as_ref().map_err(Clone::clone)
    }

    /// One of its own.
    pub fn start() -> Result<Self, Missing> {
        if !geteuid().is_root() {
            return Err(Missing::Root);
        }
        if let Some(tool) = TOOLS.iter().find(|tool| !Path::new(tool).exists()) {
            return Err(Missing::Other(format!("`{tool}` is not installed (Debian: systemd, util-linux)")));
        }
        let mut command = Command::new("/usr/bin/setpriv");
        command
            .args(["--pdeathsig", "KILL", "/usr/bin/unshare", "--fork", "--pid", "--mount", "--uts", "--ipc"])
            .args(["--cgroup", "--mount-proc", "--kill-child=KILL", "/bin/sh", "-c", INIT, "sh"])
            .arg(target())
            .arg(support::root())
            .env_clear()
            .env("PATH", PATH)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let outer = spawn_for_good(command).map_err(|error| Missing::Other(error.to_string()))?;
        let mut host = Self { outer, pid: 0 };
        let children = format!("/proc/{0}/task/{0}/children", host.outer.id());
        let started = Instant::now();
        while started.elapsed() < LONG {
            if let Ok(Some(status)) = host.outer.try_wait() {
                return Err(Missing::Other(format!("namespaces are not to be had here, or systemd ended: {status}")));
            }
            let pid = std::fs::read_to_string(&children).ok().and_then(|text| text.trim().parse().ok());
            if let Some(pid) = pid {
                host.pid = pid;
                let state = support::stdout(&host.run(&["systemctl", "is-system-running"]));
                if matches!(state.trim(), "running" | "degraded") {
                    return Ok(host);
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(Missing::Other("systemd did not come up".to_string()))
    }

    /// A command inside, with nothing of the caller's environment.
    pub fn enter(&self) -> Command {
        let mut command = Command::new("/usr/bin/nsenter");
        command
            .args(["-t", &self.pid.to_string(), "-p", "-m", "-u", "-i", "-C", "--"])
            .args(["/usr/bin/env", "-C"])
            .arg(workspace())
            .env_clear()
            .env("PATH", PATH)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command inside to its end.
    pub fn run(&self, words: &[&str]) -> Output {
        support::output(self.enter().args(words))
    }

    /// Runs a command inside that has to succeed, and gives what it printed.
    #[track_caller]
    pub fn must(&self, words: &[&str]) -> String {
        let output = self.run(words);
        support::expect_code(&output, 0);
        support::stdout(&output)
    }

    /// The real executable, inside.
    pub fn sandproof(&self) -> Command {
        let mut command = self.enter();
        command.arg(executable());
        command
    }

    /// `run` of a shipped plan through the clean channel.
    pub fn clean_run(&self, plan: &str, run_id: &str, out: &Path) -> Command {
        let mut command = self.sandproof();
        command.args(["run", "--channel", "systemd_clean", "--run-id", run_id, "--plan", plan, "--out"]).arg(out);
        command
    }

    /// A property of a unit.
    pub fn property(&self, unit: &str, name: &str) -> String {
        support::stdout(&self.run(&["systemctl", "show", unit, "--value", "--property", name])).trim().to_string()
    }

    /// Writes a drop-in for a unit that does not exist yet.
    pub fn drop_in(&self, unit: &str, text: &str) {
        let folder = PathBuf::from(format!("/proc/{}/root/run/systemd/system/{unit}.d", self.pid));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("test.conf"), text).unwrap();
        self.must(&["systemctl", "daemon-reload"]);
    }

    /// Fails if the manager still knows the unit, or one of the folders is left.
    #[track_caller]
    pub fn expect_nothing_left(&self, unit: &str, folders: &[&Path]) {
        assert_eq!(self.property(unit, "LoadState"), "not-found", "{unit} is left behind");
        for folder in folders {
            assert!(!folder.exists(), "{} is left behind", folder.display());
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if self.pid > 0 {
            let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
        }
        let _ = self.outer.kill();
        let _ = self.outer.wait();
    }
}

/// The folder of the executables, outside.
fn target() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_sandproof")).parent().expect("an executable is in a folder")
}

/// The executable, inside.
pub fn executable() -> PathBuf {
    Path::new(INSIDE).join("target/sandproof")
}

/// This test executable, inside.
pub fn this_executable() -> PathBuf {
    let own = std::env::current_exe().expect("a test has an executable");
    Path::new(INSIDE).join("target").join(own.strip_prefix(target()).expect("it is beside the other"))
}

/// The workspace with the shipped plans, inside.
pub fn workspace() -> PathBuf {
    Path::new(INSIDE).join("root")
}

/// A folder that is seen inside and outside.
pub fn folder() -> TempDir {
    tempfile::Builder::new().prefix("sandproof-test-").tempdir_in("/var/tmp").expect("a temporary folder")
}

/// Starts a child from a thread that never ends: its parent-death signal is tied to the thread.
fn spawn_for_good(mut command: Command) -> std::io::Result<Child> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = send.send(command.spawn());
        loop {
            std::thread::park();
        }
    });
    receive.recv().expect("the thread answers")
}

/// A JSON document.
#[track_caller]
pub fn json(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap()
}

/// Fails unless the document has its published shape, and would not without a required member, or with a further one.
#[track_caller]
pub fn expect_closed_shape(schema: &str, document: &Value) {
    support::expect_shape(schema, document);
    let schema = support::published_schema(schema);
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    for required in schema["required"].as_array().unwrap() {
        let mut without = document.clone();
        without.as_object_mut().unwrap().remove(required.as_str().unwrap());
        assert!(!validator.is_valid(&without), "without {required}");
    }
    let mut with_more = document.clone();
    with_more["more"] = Value::Null;
    assert!(!validator.is_valid(&with_more));
}

/// Waits until `ready` gives something.
#[track_caller]
pub fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    while started.elapsed() < LONG {
        if let Some(found) = ready() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("waited in vain for {what}");
}

/// The names of the checks of a bundle's witness that are not answered well.
#[track_caller]
pub fn failed_checks(bundle: &Path) -> Vec<String> {
    let witness = json(&bundle.join("channel_witness.json"));
    expect_closed_shape("channel_witness", &witness);
    let checks = witness["checks"].as_array().unwrap();
    assert!(checks.len() > 10, "only {} checks", checks.len());
    let bad: Vec<String> = checks
        .iter()
        .filter(|check| check["ok"] != true)
        .map(|check| check["check"].as_str().unwrap().into())
        .collect();
    assert_eq!(witness["clean"], bad.is_empty(), "{witness:#}");
    bad
}
