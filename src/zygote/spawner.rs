//! The server whose probes are processes started afresh: frameworks and `sandbox_init` of macOS do not survive a fork.
//!
//! It speaks the same protocol as the zygote. Each job becomes one process of this executable, which reads its work from
//! standard input, and its report goes to the pipe on its standard output until it has moved that to a descriptor of its
//! own. Nothing here is of one system: it runs on Linux too, where tests use it with the real drivers.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::sys::socket::{MsgFlags, recv};
use nix::unistd::{Pid, getppid};

use super::protocol::{Job, Reply, write_frame};
use super::server::{self, ProbeStarter, ServeError};
use crate::base::clock::Stopwatch;
use crate::base::limits::MAX_REPORT_BYTES;
use crate::policy::Enforceable;
use crate::record::ending::{Ending, SentSignal};
use crate::record::row::ProbeProcess;

/// The hidden subcommand of a probe process that was started afresh.
pub const PROBE_SUBCOMMAND: &str = "__fresh";

/// How often the end of a probe is looked for while its pipe is quiet.
const TICK_MS: u16 = 4;
/// How long a probe has between SIGTERM and SIGKILL.
const GRACE_MS: u64 = 100;
/// How long a probe that was sent SIGKILL may take to end. Then it hangs in the kernel, or this process may not kill.
const KILL_LIMIT_MS: u64 = 3_000;

/// Why a probe was not watched to its end. This process has to end now.
enum UnendedChild {
    /// The harness closed its end while the probe was running.
    Abandoned,
    /// It did not end after SIGKILL.
    Stuck,
}

/// Serves jobs from the control socket on descriptor 0. `executable` is this program.
///
/// # Errors
/// What the server's loop says.
pub fn serve(executable: &Path) -> Result<(), ServeError> {
    let socket = || io::stdin().as_fd().try_clone_to_owned().map(File::from);
    let prepare = |source| ServeError::Prepare { step: "take its control socket", source };
    let mut spawner =
        Spawner { socket: socket().map_err(prepare)?, executable: executable.to_owned(), harness: getppid() };
    server::serve(socket().map_err(prepare)?, socket().map_err(prepare)?, &mut spawner)
}

struct Spawner {
    /// The control socket, to see whether the harness is there.
    socket: File,
    executable: PathBuf,
    /// Who started this process.
    harness: Pid,
}

/// How the harness's end of the socket is watched while a probe runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SocketWatch {
    /// For anything: the next request, or the end.
    Readable,
    /// A request is waiting, so the socket stays readable and says nothing more; the parent is all there is to look at.
    Waiting,
}

/// What came through the pipe.
#[derive(Default)]
struct PipeBuffer {
    bytes: Vec<u8>,
    overflow: bool,
    ended: bool,
}

impl PipeBuffer {
    /// Takes what the pipe holds; never waits, because the pipe does not.
    fn drain(&mut self, pipe: &mut impl Read) {
        let mut chunk = [0; 4096];
        while !self.ended {
            match pipe.read(&mut chunk) {
                Ok(0) => self.ended = true,
                Ok(count) => {
                    let room = MAX_REPORT_BYTES - self.bytes.len();
                    self.bytes.extend_from_slice(&chunk[..count.min(room)]);
                    self.overflow |= count > room;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.ended = true,
            }
        }
    }
}

impl ProbeStarter for Spawner {
    fn run(&mut self, job: &Job<Enforceable>) -> Option<Reply> {
        let mut reply = Reply::to(job.seq);
        let watch = Stopwatch::start();
        let mut child = match self.start(job) {
            Ok(child) => child,
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(libc::EIO);
                return Some(Reply { ending: Ending::NotStarted { errno }, ..reply });
            }
        };
        reply.pid = i32::try_from(child.id()).ok();
        reply.process = Some(ProbeProcess::Fresh);
        let mut report = PipeBuffer::default();
        let mut sent = Vec::new();
        let status = match self.until_end(&mut child, job.deadline_ms, &watch, &mut report, &mut sent) {
            Ok(status) => status,
            Err(UnendedChild::Abandoned) => return None,
            Err(UnendedChild::Stuck) => {
                let reason = "it passed its deadline and did not end after SIGKILL".to_owned();
                return Some(Reply { ending: Ending::Lost { reason }, ..reply });
            }
        };
        reply.duration_us = watch.elapsed_us();
        // Whatever is left of its group; that there was something is an answer.
        reply.left_descendants = killpg(group_of(&child), Signal::SIGKILL).is_ok();
        if let Some(pipe) = &mut child.stdout {
            report.drain(pipe);
        }
        reply.ending = ending_of(status, job.deadline_ms, sent);
        reply.report_overflow = report.overflow;
        reply.report = report.bytes;
        Some(reply)
    }
}

impl Spawner {
    /// Starts the probe process and hands it its job.
    #[expect(clippy::disallowed_methods, reason = "the home of fresh probes: their end is watched")]
    fn start(&self, job: &Job<Enforceable>) -> io::Result<Child> {
        let mut child = Command::new(&self.executable)
            .arg(PROBE_SUBCOMMAND)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let handed = child.stdin.take().map_or(Ok(()), |mut pipe| write_frame(&mut pipe, &mut Vec::new(), job));
        let quiet = child.stdout.as_ref().map_or(Ok(()), |pipe| {
            fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map(|_| ()).map_err(io::Error::from)
        });
        // A process that died before it read its job is seen by its end; one that cannot be read from is no use.
        if let Err(error) = quiet {
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
        drop(handed);
        Ok(child)
    }

    /// Waits for the end, at most until the deadline and the ladder after it.
    fn until_end(
        &self,
        child: &mut Child,
        deadline_ms: u64,
        watch: &Stopwatch,
        report: &mut PipeBuffer,
        sent: &mut Vec<SentSignal>,
    ) -> Result<Result<ExitStatus, io::Error>, UnendedChild> {
        let mut pipe = child.stdout.take();
        let mut limit_ms = deadline_ms;
        let mut harness = SocketWatch::Readable;
        let ended = loop {
            match child.try_wait() {
                Ok(Some(status)) => break Ok(status),
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => break Err(error),
            }
            let now_ms = watch.elapsed_us() / 1000;
            if now_ms >= limit_ms {
                let (signal, patience_ms) = match sent.len() {
                    0 => (Signal::SIGTERM, GRACE_MS),
                    1 => (Signal::SIGKILL, KILL_LIMIT_MS),
                    _ => return Err(UnendedChild::Stuck),
                };
                limit_ms = now_ms + patience_ms;
                if killpg(group_of(child), signal).is_err() {
                    let _ = child.kill();
                }
                sent.push(SentSignal { signal: signal as i32, at_ms: now_ms });
                continue;
            }
            if self.wait_a_little(pipe.as_ref(), report.ended, &mut harness) {
                let _ = killpg(group_of(child), Signal::SIGKILL);
                let _ = child.kill();
                // Not waited for: this process ends now, and whoever adopts the probe reaps it.
                return Err(UnendedChild::Abandoned);
            }
            if let Some(pipe) = &mut pipe {
                report.drain(pipe);
            }
        };
        child.stdout = pipe;
        Ok(ended)
    }

    /// Waits until the pipe has something, but not long. Whether the harness is gone.
    ///
    /// A poll(2) that asks for nothing is told of a hang-up by Linux and not by xnu, which registers only what is asked for
    /// (`poll_nocancel`, bsd/kern/sys_generic.c). So it is asked whether there is something to read: the end is, too.
    fn wait_a_little(&self, pipe: Option<&impl AsFd>, pipe_ended: bool, harness: &mut SocketWatch) -> bool {
        let asked = if *harness == SocketWatch::Readable { PollFlags::POLLIN } else { PollFlags::empty() };
        let mut watched = vec![PollFd::new(self.socket.as_fd(), asked)];
        if let Some(pipe) = pipe.filter(|_| !pipe_ended) {
            watched.push(PollFd::new(pipe.as_fd(), PollFlags::POLLIN));
        }
        let _ = poll(&mut watched, PollTimeout::from(TICK_MS));
        let came = watched[0].revents().unwrap_or(PollFlags::empty());
        if came.intersects(PollFlags::POLLHUP | PollFlags::POLLERR) || getppid() != self.harness {
            return true;
        }
        if came.contains(PollFlags::POLLIN) && *harness == SocketWatch::Readable {
            let peeked = recv(self.socket.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT);
            match peeked {
                Ok(0) => return true,
                Ok(_) => *harness = SocketWatch::Waiting,
                Err(_) => {}
            }
        }
        false
    }
}

fn group_of(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

fn ending_of(status: Result<ExitStatus, io::Error>, deadline_ms: u64, sent: Vec<SentSignal>) -> Ending {
    let status = match status {
        Ok(status) => status,
        Err(error) => return Ending::Lost { reason: format!("waiting for the probe failed: {error}") },
    };
    if !sent.is_empty() {
        return Ending::Expired { deadline_ms, sent, signal: status.signal() };
    }
    match (status.signal(), status.code()) {
        (Some(signal), _) => Ending::Signaled { signal, core_dumped: status.core_dumped() },
        (None, Some(code)) => Ending::Exited { code },
        (None, None) => Ending::Lost { reason: "it ended in an unknown way".to_owned() },
    }
}
