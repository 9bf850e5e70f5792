//! The process that puts the kernel's audit back as it was.
//!
//! A run that is killed can put nothing back. So this is done by a process of its own, which is in no session of the run's, takes
//! no signal that a terminal sends, and waits for one thing: the end of a pipe whose other end nobody but the run has.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use nix::unistd::setsid;
use serde::{Deserialize, Serialize};

use super::KEEPER;
use super::refusal::AuditRefusal;
use super::wire::AuditControl;
use crate::record::attribution::AuditState;
use crate::sys::linux::process::ignore_signal;

/// The abstract name that one run at a time has: two that put the audit back would each undo what the other needs.
const SEAT: &str = "sandproof-audit";
/// How many records may wait for a reader, at least: with the usual 64, two of three denials of a fast run are lost; with this
/// many, none.
const BACKLOG_LIMIT: u32 = 8192;
/// How long the keeper tries to put the audit back, and between two tries.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// What the keeper says, a line of JSON, once it holds the audit or will not.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeeperWord {
    /// It is on, and was found like that.
    Holds(AuditState),
    /// It belongs to that process.
    Owned(u32),
    /// A lost record would end the machine.
    Panics,
    /// Another run has it.
    Taken,
    /// The kernel refused, with this error number.
    Refused(i32),
}

/// The audit, held by a keeper until this is dropped.
#[derive(Debug)]
pub(super) struct HeldAudit {
    keeper: Child,
    /// Its end is what the keeper waits for.
    pipe: Option<ChildStdin>,
    found: AuditState,
}

impl HeldAudit {
    /// Has a keeper put the audit on.
    #[expect(clippy::disallowed_methods, reason = "the home of the keeper, which ends when its pipe does")]
    pub(super) fn hold(exe: &Path) -> Result<Self, AuditRefusal> {
        let failed = |source| AuditRefusal::Failed { step: "start the process that puts the audit back", source };
        let mut keeper = Command::new(exe)
            .arg(KEEPER)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let pipe = keeper.stdin.take();
        let mut line = String::new();
        let read = match keeper.stdout.take() {
            Some(said) => BufReader::new(said).read_line(&mut line),
            None => Ok(0),
        };
        let word = read.and_then(|_| serde_json::from_str(&line).map_err(io::Error::from));
        // From here on dropping it ends the keeper.
        let mut held = Self { keeper, pipe, found: AuditState { enabled: 0, backlog_limit: 0, backlog_wait_time: 0 } };
        match word.map_err(failed)? {
            KeeperWord::Holds(found) => {
                held.found = found;
                Ok(held)
            }
            KeeperWord::Owned(pid) => Err(AuditRefusal::Owned { pid }),
            KeeperWord::Panics => Err(AuditRefusal::Panics),
            KeeperWord::Taken => Err(AuditRefusal::Taken),
            KeeperWord::Refused(libc::EPERM) => Err(AuditRefusal::NotPermitted),
            KeeperWord::Refused(errno) => {
                Err(AuditRefusal::Failed { step: "put the audit on", source: io::Error::from_raw_os_error(errno) })
            }
        }
    }

    /// How the audit was found.
    pub(super) fn found(&self) -> AuditState {
        self.found
    }
}

impl Drop for HeldAudit {
    fn drop(&mut self) {
        drop(self.pipe.take());
        // So that the run has not ended before the audit is as it was. The keeper itself says if that fails.
        let _ = self.keeper.wait();
    }
}

/// Is the keeper: holds the audit until standard input ends. What it found it says on standard output.
///
/// # Errors
/// The audit could not be put back.
pub fn keep() -> Result<(), AuditNotRestored> {
    let _ = setsid();
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGPIPE] {
        ignore_signal(signal);
    }
    let say = |word: &KeeperWord| {
        let mut out = io::stdout().lock();
        // A run that is gone already ends the pipe, too.
        let _ = serde_json::to_writer(&mut out, word).map_err(io::Error::from).and_then(|()| out.write_all(b"\n"));
        let _ = out.flush();
    };
    let seat = SocketAddr::from_abstract_name(SEAT).and_then(|name| UnixListener::bind_addr(&name));
    let Ok(_seat) = seat else {
        say(&KeeperWord::Taken);
        return Ok(());
    };
    match put_on() {
        Ok((control, found)) => {
            say(&KeeperWord::Holds(found));
            wait_for_the_end();
            put_back(&control, found)
        }
        Err(word) => {
            say(&word);
            Ok(())
        }
    }
}

/// Puts the audit on, and says how it was found.
fn put_on() -> Result<(AuditControl, AuditState), KeeperWord> {
    let refused = |error: io::Error| KeeperWord::Refused(error.raw_os_error().unwrap_or(libc::EIO));
    let control = AuditControl::open().map_err(|_| KeeperWord::Refused(libc::EPROTONOSUPPORT))?;
    let found = control.status().map_err(refused)?;
    if found.owner != 0 {
        return Err(KeeperWord::Owned(found.owner));
    }
    if found.panics {
        return Err(KeeperWord::Panics);
    }
    let state = found.state;
    // A locked audit is on and cannot be changed; what it loses is seen.
    if state.enabled < 2 {
        let limit = if state.backlog_limit == 0 { 0 } else { state.backlog_limit.max(BACKLOG_LIMIT) };
        control.set(AuditState { enabled: 1, backlog_limit: limit, backlog_wait_time: 0 }).map_err(refused)?;
    }
    Ok((control, state))
}

fn wait_for_the_end() {
    let mut input = io::stdin().lock();
    let mut byte = [0];
    while !matches!(input.read(&mut byte), Ok(0)) {}
}

fn put_back(control: &AuditControl, found: AuditState) -> Result<(), AuditNotRestored> {
    if found.enabled >= 2 {
        return Ok(());
    }
    let mut outcome = Ok(());
    for _ in 0..TRIES {
        outcome = control.set(found);
        if outcome.is_ok() {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    outcome.map_err(|source| AuditNotRestored { found, source })
}

/// The audit stays as the run needed it.
#[derive(Debug, thiserror::Error)]
#[error(
    "the kernel's audit could not be put back as it was; `auditctl -e {} -b {} --backlog_wait_time {}` does",
    found.enabled, found.backlog_limit, found.backlog_wait_time
)]
pub struct AuditNotRestored {
    found: AuditState,
    #[source]
    source: io::Error,
}

/// The state of the audit now, as JSON.
///
/// # Errors
/// Why it cannot be asked.
pub fn state() -> Result<String, AuditRefusal> {
    let status = AuditControl::open()?
        .status()
        .map_err(|source| AuditRefusal::Failed { step: "ask for the state of the audit", source })?;
    Ok(serde_json::to_string(&status.state).unwrap_or_default())
}
