//! The harness's side of the zygote: start it, send it jobs, read its replies.

use std::io::{self, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::policy::Enforceable;
use crate::zygote::protocol::{Job, Reply, Sent, read_reply, write_frame};

/// The hidden subcommand that serves jobs.
pub const SUBCOMMAND: &str = "__zygote";
/// The hidden subcommand that serves jobs by starting a fresh process for each.
pub const SPAWNER: &str = "__spawner";
/// Which of the two this system's runs use: frameworks and `sandbox_init` of macOS do not survive a fork.
pub const SERVER: &str = if cfg!(target_os = "macos") { SPAWNER } else { SUBCOMMAND };

/// The zygote could not be started.
#[derive(Debug, thiserror::Error)]
#[error("could not start `{}` as the probe server", executable.display())]
pub struct SpawnError {
    /// The executable.
    pub executable: PathBuf,
    /// The cause.
    #[source]
    pub source: io::Error,
}

/// The zygote ended, or its socket failed; what it was doing is not known.
#[derive(Debug, thiserror::Error)]
#[error("the probe server was lost: {reason}")]
pub struct Lost {
    /// What was seen.
    pub reason: String,
    /// The cause, if it is an I/O error.
    #[source]
    pub source: Option<io::Error>,
}

/// A running zygote.
///
/// Jobs are answered one by one, in order. The next may be sent before the reply to the last was read, so that the
/// zygote never waits; no more than two should be on their way, because both directions of the socket hold only some
/// hundred kilobytes, and a harness that only sends while the zygote only answers would stop both.
///
/// On Linux the zygote dies with the *thread* that started it (`PR_SET_PDEATHSIG`), so that thread has to live as long
/// as the zygote is used. Dropping it ends and reaps it.
#[derive(Debug)]
pub struct Zygote {
    child: Child,
    sending: UnixStream,
    receiving: BufReader<UnixStream>,
    scratch: Vec<u8>,
}

impl Zygote {
    /// Starts `executable` (this program) as a zygote, with nothing of this process but standard error.
    pub fn spawn(executable: &Path) -> Result<Self, SpawnError> {
        Self::spawn_command(Command::new(executable))
            .map_err(|source| SpawnError { executable: executable.to_owned(), source })
    }

    /// Starts the zygote through a command to which the hidden subcommand is added: the executable itself, or one that
    /// becomes it by exec after dropping privileges.
    pub fn spawn_command(command: Command) -> io::Result<Self> {
        Self::spawn_serving(command, SERVER)
    }

    /// The same with that subcommand, [`SUBCOMMAND`] or [`SPAWNER`].
    pub fn spawn_serving(mut command: Command, subcommand: &str) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let child = command
            .arg(subcommand)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()?;
        // The command still holds its end of the socket; dropping it lets a dead zygote be noticed.
        drop(command);
        let receiving = BufReader::with_capacity(64 * 1024, ours.try_clone()?);
        Ok(Self { child, sending: ours, receiving, scratch: Vec::new() })
    }

    /// A handle with which another thread can end the conversation.
    ///
    /// # Errors
    /// If the socket cannot be duplicated.
    pub fn interrupter(&self) -> io::Result<Interrupter> {
        self.sending.try_clone().map(Interrupter)
    }

    /// The zygote's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a policy for later jobs to name.
    pub fn load_policy(&mut self, key: u32, policy: impl Into<Enforceable>) -> Result<(), Lost> {
        self.write(Sent::Policy { key, policy: &policy.into() })
    }

    /// Sends one job. Its reply comes from [`Self::recv`].
    pub fn send(&mut self, job: &Job) -> Result<(), Lost> {
        self.write(Sent::Run(job))
    }

    fn write(&mut self, request: Sent<'_>) -> Result<(), Lost> {
        write_frame(&mut self.sending, &mut self.scratch, &request).map_err(|error| self.lost(Some(error)))
    }

    /// Waits for the reply to the oldest job that was not answered.
    pub fn recv(&mut self) -> Result<Reply, Lost> {
        match read_reply(&mut self.receiving, &mut self.scratch) {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err(self.lost(None)),
            Err(error) => Err(self.lost(Some(error))),
        }
    }

    /// Says how the zygote ended. It is ended first, because nothing can be made of a broken conversation.
    fn lost(&mut self, source: Option<io::Error>) -> Lost {
        self.kill();
        let reason = match self.child.wait() {
            Err(_) => "its end could not be seen".to_owned(),
            Ok(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("it exited with code {code}"),
                (None, Some(signal)) => format!("signal {signal} ended it"),
                (None, None) => "it ended in an unknown way".to_owned(),
            },
        };
        Lost { reason, source }
    }

    /// Ends the zygote at once; a probe that runs ends with it.
    pub fn kill(&mut self) {
        // An error says that it is gone already.
        let _ = self.child.kill();
    }
}

/// Ends a zygote's work from another thread.
#[derive(Debug)]
pub struct Interrupter(UnixStream);

impl Interrupter {
    /// Shuts the socket down: the zygote kills what runs and exits, and whoever waits for a reply learns that it is lost.
    pub fn interrupt(&self) {
        // An error says that the socket is closed already.
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        self.kill();
        let _ = self.child.wait();
    }
}
