//! The zygote: a server whose probes are its children. Most of them share its memory, which costs less than half of a fork;
//! those that could leave something in it, or ask about it, are forks (`probe::may_share_memory`).

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use super::child::{self, NULL};
use super::place::Place;
use super::protocol::{Job, Reply};
use super::server::{self, ProbeStarter, ServeError};
use super::watch as ended;
use crate::base::clock::Stopwatch;
use crate::base::limits::MAX_REPORT_BYTES;
use crate::enforce;
use crate::policy::Enforceable;
use crate::probe::{self, SyscallTexts};
use crate::record::ending::Ending;
use crate::record::row::ProbeProcess;
use crate::sys::linux::path;
use crate::sys::linux::process::{
    adopt_orphans, chdir, die_with_parent, forbid_core_dumps, ids, report_pipe, set_process_group, set_umask,
};
use crate::sys::linux::shared_child::{SharedChildren, is_dumpable};
use crate::sys::linux::sole::Sole;
use crate::sys::linux::watch::{self, Unended, WatchedEnd, Watching};

/// The descriptor of the control socket.
const SOCKET: i32 = 0;

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
    sole: Sole,
    pid: i32,
    place: Place,
    /// What children that share memory need; `None` where there are none.
    children: Option<SharedChildren>,
    /// Whether others may inspect this process, as it was at the start.
    dumpable: bool,
    link: CString,
    report: Box<[u8]>,
    child_buffer: Vec<u8>,
}

/// Serves jobs from the control socket on descriptor 0. For a process that does nothing else.
///
/// # Errors
/// If this process cannot be made fit for it, and what the server's loop says.
pub fn serve() -> Result<(), ServeError> {
    let claim = |source| ServeError::Prepare { step: "find itself alone", source: io::Error::other(source) };
    let sole = Sole::claim().map_err(claim)?;
    prepare(&sole)?;
    let pid = ids().0;
    let mut forker = Forker {
        sole,
        pid,
        place: Place::of_this_process(),
        children: SharedChildren::here(),
        dumpable: is_dumpable(),
        link: child::executable_link(pid),
        report: vec![0; MAX_REPORT_BYTES].into_boxed_slice(),
        child_buffer: Vec::with_capacity(8 * 1024),
    };
    server::serve(ControlSocket, ControlSocket, &mut forker)
}

/// Makes this process fit to be forked from.
fn prepare(sole: &Sole) -> Result<(), ServeError> {
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
    step("close inherited descriptors", sole.close_range(3, u32::MAX))?;
    // Whatever descriptor 1 was, from here it is /dev/null.
    let _ = sole.close(NULL);
    let null = step("open /dev/null", path::open(c"/dev/null", libc::O_RDWR, 0))?;
    if null != i64::from(NULL) {
        step("find descriptors 0 and 2 open", Err(libc::EBADF))?;
    }
    step("adopt orphans", adopt_orphans(true))?;
    // Children inherit the rest, so it need not be done for each of them.
    step("forbid core dumps", forbid_core_dumps())?;
    step("go to the root folder", chdir(c"/"))?;
    set_umask(0o022);
    sole.reset_signals();
    Ok(())
}

impl Forker {
    /// Starts a probe process for `job`, of the kind that is asked for, and watches it to its end.
    fn once(&mut self, job: &Job<Enforceable>, kind: ProbeProcess) -> Result<WatchedProbe, i32> {
        // Before the process is made: memory that the parent has touched already costs the child nothing, and one that shares
        // memory has no other time at which texts can be made without a trace.
        let mut work = child::Work {
            action: &job.action,
            scope: &job.scope,
            texts: SyscallTexts::of(&job.action, &job.scope),
            policy: job.policy.as_ref().map(enforce::ready),
            zygote: self.pid,
            zygote_link: &self.link,
            process: kind,
        };
        let since = Stopwatch::start();
        let (reading, writing) = report_pipe()?;
        self.place.settle();
        let may_run_on = self.place.for_probe();
        // What the last one that shared this memory wrote stands there still.
        let buffer = &mut self.child_buffer;
        buffer.clear();
        let report = writing.as_raw_fd();
        let child = |sole: Sole| -> i32 {
            let _ = may_run_on.map(|cpus| cpus.run_on());
            child::run(&mut work, report, buffer, sole)
        };
        let watching = Watching {
            report: reading.as_fd(),
            writing,
            socket: SOCKET,
            deadline_ms: job.deadline_ms,
            since,
            buffer: &mut self.report,
        };
        let watched = match (kind, &mut self.children) {
            (ProbeProcess::Shared, Some(children)) => self.sole.share(children, child, watching),
            _ => self.sole.fork(child).map(|pid| (pid, watch::until_end(pid, watching))),
        };
        self.place.leave();
        let (pid, end) = watched?;
        let end = end.map(|mut end| {
            let left_descendants = ended::reap_descendants(pid);
            end.take_rest(reading.as_fd(), &mut self.report);
            (end, left_descendants)
        });
        Ok(WatchedProbe { pid, kind, end })
    }

    /// The same, and once more by a fork where there can be no child that shares memory, or where such a child said that its
    /// target is none for it.
    fn run_job(&mut self, job: &Job<Enforceable>) -> Result<WatchedProbe, i32> {
        if self.children.is_some() && probe::may_share_memory(&job.action) {
            match self.once(job, ProbeProcess::Shared) {
                // An emulator, a filter of system calls, a security module.
                Err(libc::EINVAL | libc::EPERM) => self.children = None,
                Ok(WatchedProbe { end: Ok((end, _)), .. }) if child::asked_for_a_fork(&end) => {}
                done => return done,
            }
        }
        self.once(job, ProbeProcess::Forked)
    }
}

/// A probe process and its end: what was seen of it, and whether something of it was left.
struct WatchedProbe {
    pid: i32,
    kind: ProbeProcess,
    end: Result<(WatchedEnd, bool), Unended>,
}

impl ProbeStarter for Forker {
    fn run(&mut self, job: &Job<Enforceable>) -> Option<Reply> {
        let reply = Reply::to(job.seq);
        let WatchedProbe { pid, kind, end } = match self.run_job(job) {
            Ok(watched) => watched,
            Err(errno) => return Some(Reply { ending: Ending::NotStarted { errno }, ..reply }),
        };
        let reply = Reply { pid: Some(pid), process: Some(kind), ..reply };
        let (end, left_descendants) = match end {
            Ok(seen) => seen,
            Err(Unended::Abandoned(reaped)) => {
                if reaped {
                    ended::end_descendants(pid);
                }
                return None;
            }
            Err(Unended::Stuck(refused)) => {
                let why = refused.map_or_else(String::new, |errno| {
                    format!(" (which was refused: {})", io::Error::from_raw_os_error(errno))
                });
                let reason = format!("it passed its deadline and did not end after SIGKILL{why}");
                return Some(Reply { ending: Ending::Lost { reason }, ..reply });
            }
        };
        // Memory that a process shared which was cut off may be half changed, and one that nobody may inspect any more would
        // answer every self-check as a confined process does.
        let spent = kind == ProbeProcess::Shared && !(end.is_clean() && is_dumpable() == self.dumpable);
        Some(Reply {
            duration_us: end.duration_us,
            ending: ended::ending_of(&end, job.deadline_ms),
            left_descendants,
            report_overflow: end.overflow,
            report: self.report[..end.report_length].to_vec(),
            spent,
            ..reply
        })
    }
}
