//! The zygote: a server whose probes are its forks.

use std::ffi::CString;
use std::io;

use super::child::{self, NULL};
use super::protocol::{Job, Reply};
use super::server::{self, ProbeStarter, ServeError};
use super::watch::{self, Unended};
use crate::base::clock::Stopwatch;
use crate::base::limits::MAX_REPORT_BYTES;
use crate::enforce;
use crate::policy::Enforceable;
use crate::probe::SyscallTexts;
use crate::record::ending::Ending;
use crate::sys::linux::huge_text;
use crate::sys::linux::path::{self, close};
use crate::sys::linux::process::{
    Cpus, Forked, adopt_orphans, chdir, close_range, die_with_parent, forbid_core_dumps, fork, ids, report_pipe,
    reset_signals, set_process_group, set_umask,
};

/// The descriptor of the control socket.
const SOCKET: i32 = 0;

/// The job at which the text moves to huge pages. That takes a few milliseconds, and saves a third of each probe after it.
const HUGE_TEXT_AT: u64 = 40;

/// The control socket as a stream. It owns nothing: the descriptor stays open until the process ends.
struct ControlSocket;

impl io::Read for ControlSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        path::read(SOCKET, buffer).map(|count| count as usize).map_err(io::Error::from_raw_os_error)
    }
}

impl io::Write for ControlSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        path::write(SOCKET, bytes).map(|count| count as usize).map_err(io::Error::from_raw_os_error)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the zygote holds, and memory that is used again for each child.
struct Forker {
    pid: i32,
    /// How many jobs there were.
    jobs: u64,
    /// The processors that it may run on.
    cpus: Option<Cpus>,
    link: CString,
    report: Box<[u8]>,
    child_buffer: Vec<u8>,
}

/// Serves jobs from the control socket on descriptor 0. For a process that does nothing else.
///
/// # Errors
/// If this process cannot be made fit for it, and what the server's loop says.
pub fn serve() -> Result<(), ServeError> {
    prepare()?;
    let pid = ids().0;
    let mut forker = Forker {
        pid,
        jobs: 0,
        cpus: Cpus::allowed(),
        link: child::executable_link(pid),
        report: vec![0; MAX_REPORT_BYTES].into_boxed_slice(),
        child_buffer: Vec::with_capacity(8 * 1024),
    };
    server::serve(ControlSocket, ControlSocket, &mut forker)
}

/// Makes this process fit to be forked from.
fn prepare() -> Result<(), ServeError> {
    let step = |step, ret: Result<i64, i32>| {
        ret.map_err(|errno| ServeError::Prepare { step, source: io::Error::from_raw_os_error(errno) })
    };
    let parent = ids().1;
    step("ask to end with its parent", die_with_parent())?;
    if ids().1 != parent {
        step("find its parent alive", Err(libc::ESRCH))?;
    }
    // Refused with EPERM for a session leader, which is in a group of its own already.
    match set_process_group(0, 0) {
        Err(libc::EPERM) => {}
        ret => {
            step("enter its own process group", ret)?;
        }
    }
    step("close inherited descriptors", close_range(3, u32::MAX))?;
    // Whatever descriptor 1 was, from here it is /dev/null.
    let _ = close(NULL);
    let null = step("open /dev/null", path::open(c"/dev/null", libc::O_RDWR, 0))?;
    if null != i64::from(NULL) {
        step("find descriptors 0 and 2 open", Err(libc::EBADF))?;
    }
    step("adopt orphans", adopt_orphans(true))?;
    // Children inherit the rest, so it need not be done for each of them.
    step("forbid core dumps", forbid_core_dumps())?;
    step("go to the root folder", chdir(c"/"))?;
    set_umask(0o022);
    reset_signals();
    Ok(())
}

impl Forker {
    /// Counts a job, and makes forks cheap once it is clear that there will be many.
    fn count(&mut self) {
        self.jobs += 1;
        if self.jobs == HUGE_TEXT_AT {
            // Where it cannot be had, forks cost what they did before.
            let _ = huge_text::move_text();
        }
    }
}

impl ProbeStarter for Forker {
    fn run(&mut self, job: &Job<Enforceable>) -> Option<Reply> {
        self.count();
        // Before the fork: memory that the parent has touched already costs the child nothing.
        let mut work = child::Work {
            action: &job.action,
            scope: &job.scope,
            texts: SyscallTexts::of(&job.action, &job.scope),
            policy: job.policy.as_ref().map(enforce::ready),
            zygote: self.pid,
            zygote_link: &self.link,
        };
        let mut reply = Reply::to(job.seq);
        let watch = Stopwatch::start();
        let (reading, writing) = match report_pipe() {
            Ok(ends) => ends,
            Err(errno) => return Some(Reply { ending: Ending::NotStarted { errno }, ..reply }),
        };
        // A new process is put on the idlest processor, where it finds nothing of what it needs in the caches and whose
        // end then has to be signalled across. This one only waits for it, so the best place is here.
        let here = self.cpus.and_then(|_| Cpus::here());
        if let Some(here) = here {
            let _ = here.run_on();
        }
        let forked = fork();
        // On either side: neither stays bound.
        if let (Some(_), Some(all)) = (here, &self.cpus) {
            let _ = all.run_on();
        }
        let pid = match forked {
            Ok(Forked::Child) => child::run(&mut work, writing, &mut self.child_buffer),
            Ok(Forked::Parent(pid)) => pid,
            Err(errno) => {
                let _ = (close(reading), close(writing));
                return Some(Reply { ending: Ending::NotStarted { errno }, ..reply });
            }
        };
        let _ = close(writing);
        let seen = watch::until_end(pid, reading, SOCKET, job.deadline_ms, watch, &mut self.report);
        let _ = close(reading);
        reply.pid = Some(pid);
        let seen = match seen {
            Ok(seen) => seen,
            Err(Unended::Abandoned) => return None,
            Err(Unended::Stuck(refused)) => {
                let why = refused.map_or_else(String::new, |errno| {
                    format!(" (which was refused: {})", io::Error::from_raw_os_error(errno))
                });
                let reason = format!("it passed its deadline and did not end after SIGKILL{why}");
                return Some(Reply { ending: Ending::Lost { reason }, ..reply });
            }
        };
        reply.duration_us = seen.duration_us;
        reply.ending = seen.ending;
        reply.left_descendants = seen.left_descendants;
        reply.report_overflow = seen.overflow;
        reply.report.extend_from_slice(&self.report[..seen.report_length]);
        Some(reply)
    }
}
