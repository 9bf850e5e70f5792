//! A zygote to ask, with and without privileges, and small words for jobs and answers.

use std::path::{Path, PathBuf};
use std::process::Command;

use sandproof::test_support::policy::landlock::{
    FsRight, LandlockPolicy, Layer, NetPortRule, NetRight, PathBeneathRule, RightSet, Scope,
};
use sandproof::test_support::process::{SUBCOMMAND, Zygote};
use sandproof::test_support::record::action::{Action, ActionScope as Reach};
use sandproof::test_support::record::driver::Driver;
use sandproof::test_support::record::ending::Ending;
use sandproof::test_support::record::report::{CallRole, OperationReport, Prologue};
use sandproof::test_support::zygote::protocol::{Job, PolicyUse, Reply};

use crate::systemd::confine::{Call, answering, confined_here};

/// Who runs the probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    /// Whoever runs the tests.
    Caller,
    /// User 65534 without groups; only if the tests run as root.
    Nobody,
}

impl User {
    /// Everybody that can be on this host.
    pub fn all() -> Vec<Self> {
        if is_root() { vec![Self::Caller, Self::Nobody] } else { vec![Self::Caller] }
    }
}

pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Copies the executable to where everybody can reach it, because the build's folder may be closed to others. Another
/// process does it: were it written here, another test's fork could hold it open, and it could not be executed.
fn open_copy(folder: &Path) -> PathBuf {
    let copy = folder.join("sandproof");
    let install = Command::new("install").args(["-m", "755", env!("CARGO_BIN_EXE_sandproof")]).arg(&copy).status();
    assert!(install.unwrap().success());
    copy
}

/// A zygote and a folder that its user owns.
pub struct Bench {
    pub zygote: Zygote,
    pub root: PathBuf,
    /// What its probes may change and execute.
    pub scope: Reach,
    _folder: tempfile::TempDir,
    next: u64,
    /// Another one of the same kind, for when a probe has spent this one.
    start: Box<dyn Fn() -> Zygote>,
}

impl Bench {
    pub fn new(user: User) -> Self {
        let executable = Path::new(env!("CARGO_BIN_EXE_sandproof"));
        let folder = tempfile::Builder::new().prefix("sandproof-it-").tempdir_in("/tmp").unwrap();
        let start: Box<dyn Fn() -> Zygote> = match user {
            User::Caller => Box::new(move || Zygote::spawn(executable).unwrap()),
            User::Nobody => {
                nix::unistd::chown(folder.path(), Some(65534.into()), Some(65534.into())).unwrap();
                let copy = open_copy(folder.path());
                Box::new(move || {
                    let mut command = Command::new("/usr/bin/setpriv");
                    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&copy);
                    Zygote::spawn_command(command).unwrap()
                })
            }
        };
        let bench = Self::over(start, folder);
        if user == User::Nobody {
            bench.give(&bench.root);
        }
        bench
    }

    /// A zygote below a filter that answers these system calls with that error number; 0 says that they succeeded.
    pub fn answered(errno: i32, calls: &[Call]) -> Self {
        let folder = tempfile::Builder::new().prefix("sandproof-it-").tempdir_in("/tmp").unwrap();
        let zygote = [env!("CARGO_BIN_EXE_sandproof").to_owned(), SUBCOMMAND.to_owned()];
        let words = confined_here(&answering(errno, calls), &zygote);
        let start = move || {
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]);
            Zygote::spawn_command(command).unwrap()
        };
        Self::over(Box::new(start), folder)
    }

    fn over(start: Box<dyn Fn() -> Zygote>, folder: tempfile::TempDir) -> Self {
        let zygote = start();
        let root = folder.path().join("root");
        std::fs::create_dir(&root).unwrap();
        let scope = Reach { own: vec![root.to_str().unwrap().to_owned()], host_programs: true };
        Self { zygote, root, scope, _folder: folder, next: 0, start }
    }

    fn give(&self, path: &Path) {
        if is_root() {
            let owner = std::fs::metadata(self._folder.path()).unwrap();
            use std::os::unix::fs::MetadataExt;
            nix::unistd::chown(path, Some(owner.uid().into()), Some(owner.gid().into())).unwrap();
        }
    }

    /// Another zygote in the place of this one.
    pub fn renew(&mut self) {
        self.zygote = (self.start)();
    }

    pub fn path(&self, name: &str) -> String {
        self.root.join(name).to_str().unwrap().to_owned()
    }

    /// Makes a file with content, owned by the zygote's user.
    pub fn file(&self, name: &str) -> String {
        let path = self.root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, b"content").unwrap();
        self.give(&path);
        self.give(path.parent().unwrap());
        self.path(name)
    }

    /// Makes a folder, owned by the zygote's user.
    pub fn dir(&self, name: &str) -> String {
        std::fs::create_dir_all(self.root.join(name)).unwrap();
        self.give(&self.root.join(name));
        self.path(name)
    }

    /// Under a policy of one layer, if there is one.
    pub fn run(&mut self, action: &Action, policy: Option<&Layer>) -> Answer {
        self.run_until(action, policy, 10_000)
    }

    pub fn run_until(&mut self, action: &Action, policy: Option<&Layer>, deadline_ms: u64) -> Answer {
        let policy = policy.map(|layer| LandlockPolicy::from(layer.clone()));
        self.run_policy_until(action, policy.as_ref(), deadline_ms)
    }

    pub fn run_policy(&mut self, action: &Action, policy: &LandlockPolicy) -> Answer {
        self.run_policy_until(action, Some(policy), 10_000)
    }

    fn run_policy_until(&mut self, action: &Action, policy: Option<&LandlockPolicy>, deadline_ms: u64) -> Answer {
        self.next += 1;
        let used = policy.map(|policy| {
            self.zygote.load_policy(1, policy).unwrap();
            PolicyUse { key: 1, texts: vec![("${root}".into(), self.root.to_str().unwrap().into())] }
        });
        self.zygote
            .send(&Job {
                seq: self.next,
                action: action.clone(),
                scope: self.scope.clone(),
                policy: used,
                check: None,
                deadline_ms,
            })
            .unwrap();
        let reply = self.zygote.recv().unwrap();
        if reply.spent {
            self.renew();
        }
        assert_eq!(reply.seq, self.next);
        Answer::read(reply)
    }
}

/// A reply, taken apart.
#[derive(Debug)]
pub struct Answer {
    pub reply: Reply,
    pub prologue: Option<Prologue>,
    pub operation: Option<OperationReport>,
}

impl Answer {
    fn read(reply: Reply) -> Self {
        let mut lines = reply.text().unwrap().lines();
        let prologue = lines.next().map(|line| serde_json::from_str(line).unwrap());
        let operation = lines.next().map(|line| serde_json::from_str(line).unwrap());
        assert_eq!(lines.next(), None);
        Self { reply, prologue, operation }
    }

    pub fn prologue(&self) -> &Prologue {
        self.prologue.as_ref().unwrap_or_else(|| panic!("no prologue: {self:?}"))
    }

    pub fn operation(&self) -> &OperationReport {
        self.operation.as_ref().unwrap_or_else(|| panic!("no operation: {self:?}"))
    }

    /// The last call: its role and error number.
    pub fn last(&self) -> (CallRole, i32) {
        let call = self.operation().calls.last().unwrap_or_else(|| panic!("no call: {self:?}"));
        (call.role, call.errno)
    }

    pub fn detail(&self, name: &str) -> Option<i64> {
        self.operation().details.iter().find(|(found, _)| found.as_str() == name).map(|(_, value)| *value)
    }

    /// Whether every call succeeded and the process ended well.
    pub fn allowed(&self) -> bool {
        self.reply.ending == (Ending::Exited { code: 0 })
            && self.operation.as_ref().is_some_and(|operation| operation.calls.iter().all(|call| call.errno == 0))
    }
}

pub fn action(driver: Driver, target: &str) -> Action {
    Action::new(driver, target)
}

pub fn action_to(driver: Driver, target: &str, to: &str) -> Action {
    Action { to: Some(to.into()), ..action(driver, target) }
}

pub fn handles_fs(rights: &[FsRight]) -> Layer {
    Layer { handled_fs: RightSet::of(rights), ..Layer::default() }
}

pub fn handles_net(rights: &[NetRight]) -> Layer {
    Layer { handled_net: RightSet::of(rights), ..Layer::default() }
}

pub fn scoped(scopes: &[Scope]) -> Layer {
    Layer { scoped: RightSet::of(scopes), ..Layer::default() }
}

pub fn beneath(path: &str, rights: &[FsRight]) -> PathBeneathRule {
    PathBeneathRule { path: path.into(), allow: RightSet::of(rights) }
}

pub fn on_port(port: &str, rights: &[NetRight]) -> NetPortRule {
    NetPortRule { port: port.into(), allow: RightSet::of(rights) }
}
