//! The server whose probes are fresh processes: the path that macOS takes, here with the drivers of Linux.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use sandproof::test_support::policy::landlock::FsRight;
use sandproof::test_support::process::{SPAWNER, Zygote};
use sandproof::test_support::record::action::ActionScope;
use sandproof::test_support::record::callout::CheckRequest;
use sandproof::test_support::record::driver::Driver;
use sandproof::test_support::record::ending::Ending;
use sandproof::test_support::record::outcome::FailureKind;
use sandproof::test_support::record::report::{CallRole, OperationReport, Prologue};
use sandproof::test_support::zygote::protocol::{Job, PolicyUse, Reply};

use super::harness::{action, beneath, handles_fs};

struct Spawner {
    server: Zygote,
    folder: tempfile::TempDir,
    next: u64,
}

impl Spawner {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("sandproof-it-").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let server = Zygote::spawn_serving(Command::new(Path::new(env!("CARGO_BIN_EXE_sandproof"))), SPAWNER).unwrap();
        Self { server, folder, next: 0 }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn file(&self, name: &str) -> String {
        std::fs::write(self.folder.path().join(name), "content").unwrap();
        self.path(name)
    }

    fn ask(&mut self, driver: Driver, target: &str, policy: Option<u32>, deadline_ms: u64) -> Reply {
        self.next += 1;
        let texts = vec![("${root}".to_owned(), self.folder.path().to_str().unwrap().to_owned())];
        let policy = policy.map(|key| PolicyUse { key, texts });
        // What is asked of `sandbox_check` is macOS's to answer; here it changes nothing.
        let check = Some(CheckRequest {
            operation: "file-read-data".into(),
            filter_type: 1,
            filter_name: Some("path".into()),
            argument: Some(target.to_owned()),
            canonicalization: None,
        });
        let scope = ActionScope { own: vec![self.folder.path().to_str().unwrap().to_owned()], host_programs: false };
        let job = Job { seq: self.next, action: action(driver, target), scope, policy, check, deadline_ms };
        self.server.send(&job).unwrap();
        let reply = self.server.recv().unwrap();
        assert_eq!(reply.seq, self.next);
        reply
    }
}

fn taken_apart(reply: &Reply) -> (Prologue, Option<OperationReport>) {
    let mut lines = reply.text().unwrap().lines();
    let prologue = serde_json::from_str(lines.next().unwrap_or_else(|| panic!("{reply:?}"))).unwrap();
    (prologue, lines.next().map(|line| serde_json::from_str(line).unwrap()))
}

#[test]
fn a_fresh_process_shows_what_a_forked_one_does() {
    let mut bench = Spawner::new();
    let (inside, outside) = (bench.file("inside"), bench.file("outside"));
    let rights = [FsRight::ReadFile];
    let mut policy = handles_fs(&rights);
    policy.path_beneath = vec![beneath("${root}/inside", &rights)];
    bench.server.load_policy(3, &policy).unwrap();
    let mut pids = Vec::new();
    for (target, policy, errno) in
        [(&inside, None, 0), (&outside, None, 0), (&inside, Some(3), 0), (&outside, Some(3), libc::EACCES)]
    {
        let reply = bench.ask(Driver::FileRead, target, policy, 10_000);
        assert_eq!(reply.ending, Ending::Exited { code: 0 }, "{reply:?}");
        assert!(!reply.left_descendants && !reply.report_overflow);
        let (prologue, operation) = taken_apart(&reply);
        assert_eq!(reply.pid, Some(prologue.pid));
        // Its report and nothing else of anybody's.
        let open: Vec<&str> = prologue.open_fds.iter().map(|open| open.what.as_str()).collect();
        assert_eq!(&open[..3], ["/dev/null"; 3]);
        assert!(open.len() == 4 && open[3].starts_with("pipe:"), "{open:?}");
        assert_eq!(prologue.self_check_before.confined, Some(false));
        assert_eq!(prologue.apply.is_some(), policy.is_some());
        assert_eq!(prologue.self_check_after.and_then(|check| check.confined), policy.map(|_| true));
        let last = operation.unwrap().calls.pop().unwrap();
        assert_eq!((last.role, last.errno), (CallRole::Operation, errno), "{target} {policy:?}");
        pids.push(prologue.pid);
    }
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 4, "each probe is a process of its own");
}

#[test]
fn a_policy_of_another_system_is_not_applied_and_nothing_is_done_under_it() {
    let mut bench = Spawner::new();
    let file = bench.file("f");
    let profile =
        sandproof::test_support::policy::sbpl::SbplPolicy::new("(version 1)\n(allow default)\n", Default::default());
    let profile = sandproof::test_support::policy::PolicyValue::Sbpl(profile.unwrap());
    bench.server.load_policy(1, &profile).unwrap();
    let (prologue, operation) = taken_apart(&bench.ask(Driver::FileRead, &file, Some(1), 10_000));
    let applied = prologue.apply.unwrap();
    assert_eq!((applied.rc, applied.failure), (-1, Some(FailureKind::EnforcerUnavailable)));
    assert!(operation.is_none());
}

#[test]
fn a_fresh_process_is_ended_at_its_deadline() {
    let mut bench = Spawner::new();
    let fifo = bench.path("fifo");
    nix::unistd::mkfifo(fifo.as_str(), nix::sys::stat::Mode::S_IRUSR).unwrap();
    let reply = bench.ask(Driver::FileRead, &fifo, None, 300);
    let Ending::Expired { deadline_ms: 300, sent, signal } = &reply.ending else { panic!("{reply:?}") };
    assert_eq!((sent[0].signal, *signal), (libc::SIGTERM, Some(libc::SIGTERM)));
    let (_, operation) = taken_apart(&reply);
    assert!(operation.is_none());
    // The server is fit for the next one.
    let file = bench.file("f");
    assert_eq!(bench.ask(Driver::FileRead, &file, None, 10_000).ending, Ending::Exited { code: 0 });
}

#[test]
fn a_driver_of_another_system_is_never_attempted() {
    let mut bench = Spawner::new();
    let own = bench.file("own");
    for driver in Driver::ALL.iter().filter(|driver| !driver.info().platforms.linux()) {
        let (_, operation) = taken_apart(&bench.ask(*driver, &own, None, 10_000));
        let calls = operation.unwrap().calls;
        assert!(calls.iter().all(|call| call.role == CallRole::Prepare && call.errno != 0), "{driver:?}: {calls:?}");
        assert_eq!(calls.len(), 1);
    }
}
