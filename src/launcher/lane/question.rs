//! The questions of a profile with everything that is made for them before the launcher starts.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::launcher::effects::{self, Snapshot, StateBefore, Twin};
use crate::launcher::frame::SessionKey;
use crate::launcher::listeners::LauncherListener;
use crate::launcher::said::{ChangeBounds, OutsideProcess, PerformRequest, SUBCOMMAND};
use crate::record::action::Action;
use crate::record::driver::{Driver, Effect, TargetKind};
use crate::record::fixture::{FixtureEntry, FixtureKind};
use crate::sys::linux::path;
use crate::sys::linux::process::pidfd_open;

/// How long a connection may take inside, in milliseconds.
const CONNECT_MS: u64 = 1_000;

/// A process outside that a question signals.
#[derive(Debug)]
pub(super) struct OutsideTarget {
    child: Child,
    /// Standard input of the process, which ends when this is closed.
    _input: Option<ChildStdin>,
    lines: Receiver<String>,
    heard: Vec<i32>,
    pub(super) victim: OutsideProcess,
}

impl OutsideTarget {
    /// Starts one that says which numbers came with the signal.
    #[expect(clippy::disallowed_methods, reason = "a process outside that ends with its input")]
    pub(super) fn start(exe: &std::path::Path) -> io::Result<Self> {
        let token = format!("{}.v.600", SessionKey::fresh().as_str());
        let mut child = Command::new(exe)
            .args([SUBCOMMAND, &token])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or_else(|| io::Error::other("it has no output"))?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let ready = lines.recv_timeout(Duration::from_secs(5)).map_err(io::Error::other)?;
        if ready != "ready" {
            return Err(io::Error::other(format!("it said `{ready}`")));
        }
        let pid = child.id() as i32;
        let (inode, own) = (inode_of(pid)?, inode_of(std::process::id() as i32)?);
        if inode == own {
            let _ = child.kill();
            let _ = child.wait();
            return Err(io::Error::other("this kernel gives processes no numbers that last (Linux 6.9 does)"));
        }
        let nonce = uuid::Uuid::new_v4().as_u128() as i32;
        Ok(Self { child, _input: input, lines, heard: Vec::new(), victim: OutsideProcess { pid, inode, nonce } })
    }

    /// Whether the signal with that number has come.
    pub(super) fn has_heard(&mut self, nonce: i32) -> bool {
        self.heard.extend(self.lines.try_iter().filter_map(|line| line.strip_prefix("got ")?.parse::<i32>().ok()));
        self.heard.contains(&nonce)
    }
}

impl Drop for OutsideTarget {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn inode_of(pid: i32) -> io::Result<u64> {
    let fd = pidfd_open(pid).map_err(io::Error::from_raw_os_error)? as i32;
    let found = path::fstat(fd).map_err(io::Error::from_raw_os_error);
    let _ = path::close(fd);
    Ok(found?.ino)
}

/// One question.
#[derive(Debug)]
pub(super) struct LauncherQuestion {
    /// The operation, resolved for outside.
    pub(super) action: Action,
    /// What its content has to hold, if the run knows.
    pub(super) expected: Option<Vec<u8>>,
    /// Where the run waits for it.
    pub(super) listener: Option<LauncherListener>,
    /// What a connection says.
    pub(super) greeting: String,
    pub(super) outsider: Option<OutsideTarget>,
    /// What its objects were before anybody asked.
    pub(super) before: StateBefore,
    pub(super) twin: Option<Twin>,
    /// The folders and objects that it may change.
    own: Vec<(u64, u64)>,
    limit_ms: u64,
}

impl LauncherQuestion {
    /// `own_root`: the run's own folder. `expected`: see there.
    pub(super) fn new(
        action: Action,
        own_root: &str,
        expected: Option<Vec<u8>>,
        listener: Option<LauncherListener>,
        outsider: Option<OutsideTarget>,
        unique: &str,
        deadline_ms: u64,
    ) -> Self {
        let own_target = action.target.starts_with(&format!("{own_root}/"));
        let changes = action.driver.info().effect == Effect::Changes;
        let twin = (own_target && changes && effects::shows_on_files(action.driver))
            .then(|| Twin::beside(&action.target, unique))
            .flatten();
        let second = action.to.as_deref().filter(|_| action.driver != Driver::SymlinkCreate);
        let mut own = Vec::new();
        for path in [Some(action.target.as_str()), second].into_iter().flatten() {
            own.extend(Snapshot::take(path).map(|found| found.identity()));
            own.extend(path.rsplit_once('/').and_then(|(parent, _)| {
                use std::os::unix::fs::MetadataExt;
                let found = std::fs::metadata(if parent.is_empty() { "/" } else { parent }).ok()?;
                Some((found.dev(), found.ino()))
            }));
        }
        Self {
            before: StateBefore::of(&action),
            expected,
            listener,
            greeting: format!("sandproof-{}", uuid::Uuid::new_v4().simple()),
            outsider,
            twin,
            own,
            limit_ms: if is_connection(action.driver) { CONNECT_MS } else { deadline_ms },
            action,
        }
    }

    /// Whether it changes something, so that it can be done only once.
    pub(super) fn changes(&self) -> bool {
        self.action.driver.info().effect == Effect::Changes
    }

    /// Whether its effect shows to the host.
    pub(super) fn has_effect(&self) -> bool {
        effects::shows_on_files(self.action.driver) || self.listener.is_some() || self.outsider.is_some()
    }

    /// Whether the effect is there now.
    pub(super) fn effect_is_there(&mut self, greeting: &str, nonce: i32) -> bool {
        if let Some(listener) = &mut self.listener {
            return listener.has_heard(greeting);
        }
        if let Some(outsider) = &mut self.outsider {
            return outsider.has_heard(nonce);
        }
        effects::happened(&self.action, &self.before)
    }

    /// How long the worker may take for it, in milliseconds.
    pub(super) fn limit_ms(&self) -> u64 {
        self.limit_ms
    }

    /// The request for it. `greeting` and `nonce` are what its effect carries.
    pub(super) fn order(&self, action: Action, greeting: &str, nonce: i32, mark: &str) -> PerformRequest {
        let driver = action.driver;
        let content = matches!(
            driver,
            Driver::FileRead
                | Driver::FileReadAt
                | Driver::FileReadInherited
                | Driver::DirList
                | Driver::FileReadlink
                | Driver::XattrGet
        );
        PerformRequest {
            content: content && self.expected.is_some(),
            greeting: self.listener.as_ref().filter(|_| is_connection(driver)).map(|_| format!("{greeting}\n")),
            victim: self.outsider.as_ref().map(|outsider| OutsideProcess { nonce, ..outsider.victim }),
            folder_fd: None,
            fd: None,
            pledge: ChangeBounds { own: self.own.clone(), mark: mark.to_owned() },
            limit_ms: self.limit_ms,
            action,
        }
    }
}

/// Whether the operation waits for somebody else.
pub(super) fn is_connection(driver: Driver) -> bool {
    matches!(driver, Driver::TcpConnect | Driver::UnixConnect | Driver::AbstractConnect)
}

/// The family of the socket that a driver makes, for the call that names nothing.
pub(super) fn family(action: &Action) -> i32 {
    match action.driver.info().target {
        TargetKind::Endpoint if action.target.starts_with('[') => libc::AF_INET6,
        TargetKind::Endpoint => libc::AF_INET,
        _ => libc::AF_UNIX,
    }
}

/// What fixtures hold that nobody else can know: by path within the root, the text that was added.
pub(super) type Nonces = BTreeMap<String, String>;

/// The fixtures of several questions as one list, each file with a nonce in its content. `Err`: two of them cannot stand side
/// by side.
pub(super) fn merged(lists: &[&[FixtureEntry]]) -> Result<(Vec<FixtureEntry>, Nonces), String> {
    let mut entries: Vec<FixtureEntry> = Vec::new();
    let mut nonces = Nonces::new();
    let mut declared: BTreeMap<&str, &FixtureEntry> = BTreeMap::new();
    for entry in lists.iter().flat_map(|list| list.iter()) {
        match declared.insert(&entry.path, entry) {
            Some(other) if other == entry => continue,
            Some(_) => return Err(format!("the fixture `{}` is declared in two ways", entry.path)),
            None => {}
        }
        let mut made = entry.clone();
        // What is executed stays as it is.
        let script = entry.text.as_deref().is_some_and(|text| text.starts_with("#!"));
        if entry.kind == FixtureKind::File && !script {
            let nonce = uuid::Uuid::new_v4().simple().to_string();
            made.text = Some(format!("{}{nonce}\n", entry.text.as_deref().unwrap_or_default()));
            nonces.insert(entry.path.clone(), nonce);
        }
        entries.push(made);
    }
    // A folder that a list names is made before what others put into it.
    entries.sort_by(|one, other| {
        let folder = |entry: &FixtureEntry| (entry.kind == FixtureKind::Dir).then(|| entry.path.clone());
        match (folder(one), folder(other)) {
            (Some(one), Some(other)) => one.cmp(&other),
            (one, other) => other.is_some().cmp(&one.is_some()),
        }
    });
    Ok((entries, nonces))
}

/// Gives a file a time that nobody else has, in nanoseconds.
pub(super) fn mark_time(path: &str) {
    use nix::sys::stat::{UtimensatFlags, utimensat};
    use nix::sys::time::TimeSpec;
    let nanoseconds = (uuid::Uuid::new_v4().as_u128() % 999_999_937) as i64 + 1;
    let time = TimeSpec::new(1_500_000_000 + nanoseconds % 86_400, nanoseconds);
    let _ = utimensat(nix::fcntl::AT_FDCWD, path, &time, &time, UtimensatFlags::NoFollowSymlink);
}

/// Writes a file of the run's own that everybody may read.
pub(super) fn plant(path: &std::path::Path, content: &str) -> io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(content.as_bytes())?;
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_before_what_another_question_puts_into_it() {
        let entry = |path: &str, kind| FixtureEntry {
            path: path.into(),
            kind,
            text: None,
            to: None,
            mode: None,
            xattrs: BTreeMap::new(),
        };
        let first = [entry("home/.docker/config.json", FixtureKind::File), entry("w/link", FixtureKind::Symlink)];
        let second = [entry("home/.docker", FixtureKind::Dir), entry("home", FixtureKind::Dir)];
        let (entries, nonces) = merged(&[&first, &second]).unwrap();
        let paths: Vec<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, ["home", "home/.docker", "home/.docker/config.json", "w/link"]);
        assert_eq!(nonces.len(), 1);
    }
}
