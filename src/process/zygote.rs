//! The harness's side of the zygote: start it, send it jobs, read its replies.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::policy::Enforceable;
use crate::record::report::ENVIRONMENT_ROOM;
use crate::zygote::protocol::{Job, Reply, ZygoteRequest, read_reply, write_frame};

/// The hidden subcommand that serves jobs.
pub const SUBCOMMAND: &str = "__zygote";
/// The hidden subcommand that serves jobs by starting a fresh process for each.
pub const SPAWNER: &str = "__spawner";
/// Which of the two this system's runs use: frameworks and `sandbox_init` of macOS do not survive a fork.
pub const SERVER: &str = if cfg!(target_os = "macos") { SPAWNER } else { SUBCOMMAND };

/// How often cancellation is checked while the zygote is waited for.
const STOP_POLL: Duration = Duration::from_millis(25);
/// How much longer than its job's deadline an answer may take. The zygote ends what overruns a deadline by itself, in a
/// few seconds at most; one that is silent for longer does not work any more.
const ANSWER_SPARE: Duration = Duration::from_secs(30);
/// How long a zygote that was told to end may take.
const END_LIMIT: Duration = Duration::from_secs(5);
/// The longest pause between two looks at whether it has ended.
const END_POLL: Duration = Duration::from_millis(5);

/// The zygote could not be started.
#[derive(Debug, thiserror::Error)]
#[error("could not start `{}` as the probe server", executable.display())]
pub struct SpawnError {
    /// The executable that was to be started.
    pub executable: PathBuf,
    /// What the operating system said.
    #[source]
    pub source: io::Error,
}

/// Probes have no standard streams.
#[derive(Debug, thiserror::Error)]
#[error("could not open `/dev/null`, which probes get as their standard streams")]
struct NoNullDevice {
    source: io::Error,
}

/// The zygote ended, or its socket failed; what it was doing is not known.
#[derive(Debug, thiserror::Error)]
#[error("the probe server was lost: {reason}")]
pub struct ZygoteLost {
    /// How it ended or fell silent, in words.
    pub reason: String,
    /// The cause, if it is an I/O error.
    #[source]
    pub source: Option<io::Error>,
}

/// What each direction of the control socket holds at least: a policy and a report at once. The usual size on Linux is
/// some 200 KiB, on macOS 8 KiB (`PIPSIZ`, bsd/kern/uipc_usrreq.c of xnu).
const BUFFER_BYTES: usize = 256 * 1024;

/// Makes the buffers of a socket larger, where they are smaller. A system that will not lets the exchange stay as it is.
fn widen(end: &UnixStream) {
    use nix::sys::socket::{getsockopt, setsockopt, sockopt};
    if getsockopt(end, sockopt::SndBuf).is_ok_and(|bytes| bytes < BUFFER_BYTES) {
        let _ = setsockopt(end, sockopt::SndBuf, &BUFFER_BYTES);
    }
    if getsockopt(end, sockopt::RcvBuf).is_ok_and(|bytes| bytes < BUFFER_BYTES) {
        let _ = setsockopt(end, sockopt::RcvBuf, &BUFFER_BYTES);
    }
}

/// A running zygote.
///
/// Jobs are answered one by one, in order. The next may be sent before the reply to the last was read, so that the
/// zygote never waits; no more than two should be on their way, because both directions of the socket hold only
/// 256 KiB, and a harness that only sends while the zygote only answers would stop both.
///
/// On Linux the zygote dies with the *thread* that started it (`PR_SET_PDEATHSIG`), so that thread has to live as long
/// as the zygote is used. Dropping it ends and reaps it.
///
/// Nothing here waits for ever: an answer is waited for until its job's deadline and a while after, less if the run
/// is cancelled ([`Self::stop_on`]), and the end of a zygote for some seconds.
#[derive(Debug)]
pub struct Zygote {
    child: Child,
    sending: TimedSocket,
    receiving: BufReader<TimedSocket>,
    scratch: Vec<u8>,
    /// The deadlines of the jobs that were not answered, oldest first.
    waiting: VecDeque<u64>,
}

/// The harness's end of the socket, which waits, but not longer than it may.
#[derive(Debug)]
struct TimedSocket {
    /// With timeouts of [`STOP_POLL`] both ways, after which it is looked whether to wait on.
    stream: UnixStream,
    stop: Arc<AtomicUsize>,
    limit: Duration,
}

impl TimedSocket {
    fn patiently(&self, mut call: impl FnMut(&UnixStream) -> io::Result<usize>) -> io::Result<usize> {
        // Nearly every call succeeds at once, and asks no clock.
        let mut started = None;
        loop {
            match call(&self.stream) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                done => return done,
            }
            if self.stop.load(Ordering::SeqCst) != 0 {
                return Err(io::Error::other("the run is stopped"));
            }
            if started.get_or_insert_with(Instant::now).elapsed() >= self.limit {
                let words = format!("it was silent for {} s", self.limit.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, words));
            }
        }
    }
}

impl Read for TimedSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.patiently(|mut stream| stream.read(buffer))
    }
}

impl Write for TimedSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.patiently(|mut stream| stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Zygote {
    /// Starts `executable` (this program) as a zygote, with nothing of this process but standard error.
    #[expect(clippy::disallowed_methods, reason = "the home of zygotes")]
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
        ours.set_read_timeout(Some(STOP_POLL))?;
        ours.set_write_timeout(Some(STOP_POLL))?;
        let null = File::options().read(true).write(true).open("/dev/null");
        let null = null.map_err(|source| io::Error::new(source.kind(), NoNullDevice { source }))?;
        for end in [&ours, &theirs] {
            widen(end);
        }
        let child = command
            .arg(subcommand)
            .env_clear()
            .envs(cfg!(target_os = "linux").then_some(ENVIRONMENT_ROOM))
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(null))
            .process_group(0)
            .spawn()?;
        // The command still holds its end of the socket; dropping it lets a dead zygote be noticed.
        drop(command);
        let stop = Arc::<AtomicUsize>::default();
        let patient = |stream| TimedSocket { stream, stop: Arc::clone(&stop), limit: ANSWER_SPARE };
        let receiving = BufReader::with_capacity(64 * 1024, patient(ours.try_clone()?));
        Ok(Self { child, sending: patient(ours), receiving, scratch: Vec::new(), waiting: VecDeque::new() })
    }

    /// Waits no longer once this cell holds another number than zero: the signal that asked to stop.
    pub fn stop_on(&mut self, cell: &Arc<AtomicUsize>) {
        self.sending.stop = Arc::clone(cell);
        self.receiving.get_mut().stop = Arc::clone(cell);
    }

    /// The zygote's process id.
    #[cfg(any(test, feature = "test-support"))]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a policy for later jobs to name.
    pub fn load_policy(&mut self, key: u32, policy: impl Into<Enforceable>) -> Result<(), ZygoteLost> {
        self.write(&ZygoteRequest::Policy { key, policy: Cow::Owned(policy.into()) })
    }

    /// Sends one job. Its reply comes from [`Self::recv`].
    pub fn send(&mut self, job: &Job) -> Result<(), ZygoteLost> {
        self.waiting.push_back(job.deadline_ms);
        self.write(&ZygoteRequest::Run(Cow::Borrowed(job)))
    }

    fn write(&mut self, request: &ZygoteRequest<'_>) -> Result<(), ZygoteLost> {
        // The zygote reads nothing while a probe runs.
        self.sending.limit = self.limit();
        write_frame(&mut self.sending, &mut self.scratch, request).map_err(|error| self.lost(Some(error)))
    }

    /// Waits for the reply to the oldest job that was not answered.
    pub fn recv(&mut self) -> Result<Reply, ZygoteLost> {
        self.receiving.get_mut().limit = self.limit();
        let reply = match read_reply(&mut self.receiving, &mut self.scratch) {
            Ok(Some(reply)) => reply,
            Ok(None) => return Err(self.lost(None)),
            Err(error) => return Err(self.lost(Some(error))),
        };
        self.waiting.pop_front();
        Ok(reply)
    }

    /// How long the zygote may be silent now.
    fn limit(&self) -> Duration {
        Duration::from_millis(self.waiting.front().copied().unwrap_or(0)).saturating_add(ANSWER_SPARE)
    }

    /// Says how the zygote ended. It is ended first, because nothing can be made of a broken conversation.
    fn lost(&mut self, source: Option<io::Error>) -> ZygoteLost {
        self.kill();
        let ended = self.reap();
        let reason = match (&source, ended) {
            (Some(error), _) if error.kind() == io::ErrorKind::TimedOut => error.to_string(),
            (_, None) => "its end could not be seen".to_owned(),
            (_, Some(status)) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("it exited with code {code}"),
                (None, Some(signal)) => format!("signal {signal} ended it"),
                (None, None) => "it ended in an unknown way".to_owned(),
            },
        };
        ZygoteLost { reason, source }
    }

    /// Ends the zygote at once; a probe that runs ends with it.
    pub fn kill(&mut self) {
        // Errors say that it is gone already. One that cannot be killed, because kill(2) is refused here, ends by itself
        // when its socket does.
        let _ = self.sending.stream.shutdown(Shutdown::Both);
        let _ = self.child.kill();
    }

    /// Waits for the end of a zygote that was told to end, but not for ever: what hangs in the kernel is left to it.
    fn reap(&mut self) -> Option<ExitStatus> {
        let started = Instant::now();
        let mut pause = Duration::from_micros(50);
        loop {
            match self.child.try_wait() {
                Ok(None) if started.elapsed() < END_LIMIT => {}
                ended => return ended.ok().flatten(),
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(END_POLL);
        }
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        self.kill();
        let _ = self.reap();
    }
}
