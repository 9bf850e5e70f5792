//! The parent's side of one probe: its report, its deadline, its end, and what it left behind.

use crate::base::clock::Stopwatch;
use crate::base::limits::MAX_REPORT_BYTES;
use crate::record::ending::{Ending, SentSignal};
use crate::sys::linux::path;
use crate::sys::linux::process::{Watched, kill, poll, set_process_group, wait};

/// How long only the child's end is waited for. A probe that ends sooner, as nearly all do, wakes its parent once
/// instead of with every line of its report; one that fills its pipe is read from after that.
const QUIET_MS: u64 = 20;
/// How long a probe has between SIGTERM and SIGKILL.
const GRACE_MS: u64 = 100;
/// How long processes that a dead probe left may take to end by themselves.
const LINGER_MS: u64 = 20;
/// Room for the reports of nearly all probes. Little memory, because the kernel copies for the next child what was written to.
const USUAL_REPORT_BYTES: usize = 2 * 1024;

/// The harness closed the control socket while the probe was running.
#[derive(Debug)]
pub struct Abandoned;

/// What the parent saw.
#[derive(Debug)]
pub struct Seen {
    /// From fork to the reported end.
    pub duration_us: u64,
    /// How it ended.
    pub ending: Ending,
    /// What it reported, as far as it fits.
    pub report: Vec<u8>,
    /// Whether it reported more than fits.
    pub overflow: bool,
    /// Whether processes that it started were alive after its end.
    pub left_descendants: bool,
}

struct Report {
    pipe: i32,
    /// Memory for the report, of which `length` bytes are in use.
    buffer: Vec<u8>,
    length: usize,
    overflow: bool,
    ended: bool,
}

impl Report {
    /// A report of which nothing was read, in memory that may have been used before.
    fn new(pipe: i32, mut buffer: Vec<u8>) -> Self {
        buffer.resize(USUAL_REPORT_BYTES, 0);
        Self { pipe, buffer, length: 0, overflow: false, ended: false }
    }

    /// Takes what the pipe holds; never waits, because the pipe does not.
    fn drain(&mut self) {
        let mut beyond = [0; 512];
        while !self.ended {
            if self.length == self.buffer.len() && self.length < MAX_REPORT_BYTES {
                self.buffer.resize((self.length * 2).min(MAX_REPORT_BYTES), 0);
            }
            let full = self.length == self.buffer.len();
            let place = if full { &mut beyond[..] } else { &mut self.buffer[self.length..] };
            match path::read(self.pipe, place) {
                Ok(0) => self.ended = true,
                Ok(_) if full => self.overflow = true,
                Ok(count) => self.length += count as usize,
                Err(libc::EINTR) => {}
                Err(libc::EAGAIN) => return,
                Err(_) => self.ended = true,
            }
        }
    }

    /// What was read, and whether there was more than fits.
    fn into_bytes(mut self) -> (Vec<u8>, bool) {
        self.buffer.truncate(self.length);
        (self.buffer, self.overflow)
    }
}

/// Signals the probe's group; before the child has made it, makes it.
fn signal_group(pid: i32, signal: i32) {
    if kill(-pid, signal).is_err() {
        let _ = set_process_group(pid, pid);
        let _ = kill(pid, signal);
    }
}

/// Forgets that children ended. (A descriptor of the child itself would say more, and costs a file to make and to give up.)
fn forget_ends(ends: i32) {
    // One that ends now is said again. What is said of several at once is one thing.
    let _ = path::read(ends, &mut [0; size_of::<libc::signalfd_siginfo>()]);
}

/// Waits until the child ended, at most until its deadline and the ladder after it, and reaps it and its descendants.
///
/// `ends` is a descriptor that can be read from when some child has ended: a signalfd(2) for SIGCHLD. `buffer` is memory for the
/// report, which comes back as such.
pub fn until_end(
    pid: i32,
    pipe: i32,
    socket: i32,
    ends: i32,
    deadline_ms: u64,
    watch: Stopwatch,
    buffer: Vec<u8>,
) -> Result<Seen, Abandoned> {
    let mut report = Report::new(pipe, buffer);
    let mut sent: Vec<SentSignal> = Vec::new();
    let mut limit_ms = deadline_ms;
    let mut quiet = true;
    loop {
        let now_ms = watch.elapsed_us() / 1000;
        if now_ms >= limit_ms {
            let signal = match sent.len() {
                0 => libc::SIGTERM,
                _ => libc::SIGKILL,
            };
            // After SIGKILL the end is certain, if not its time: a process can hang in the kernel.
            limit_ms = if signal == libc::SIGTERM { now_ms + GRACE_MS } else { u64::MAX };
            signal_group(pid, signal);
            sent.push(SentSignal { signal, at_ms: now_ms });
            continue;
        }
        let until_ms = if quiet { limit_ms.min(QUIET_MS.max(now_ms + 1)) } else { limit_ms };
        let wait_ms = (until_ms - now_ms).min(60_000) as i32;
        let reading = if quiet || report.ended { -1 } else { pipe };
        let mut watched =
            [Watched::new(ends, libc::POLLIN), Watched::new(reading, libc::POLLIN), Watched::new(socket, 0)];
        let _ = poll(&mut watched, wait_ms);
        if watched[2].came & (libc::POLLHUP | libc::POLLERR) != 0 {
            signal_group(pid, libc::SIGKILL);
            let _ = wait(pid, 0);
            reap_descendants(pid, 0);
            return Err(Abandoned);
        }
        if watched[0].came == 0 {
            if !quiet {
                report.drain();
            }
            quiet = quiet && watch.elapsed_us() / 1000 < QUIET_MS;
            continue;
        }
        // Before the question, so that an end after it is not missed.
        forget_ends(ends);
        match wait(pid, libc::WNOHANG) {
            // It was an orphan that this process had adopted.
            Ok(None) => {
                quiet = false;
                report.drain();
            }
            Ok(Some((_, status))) => {
                let duration_us = watch.elapsed_us();
                report.drain();
                let left_descendants = reap_descendants(pid, LINGER_MS);
                report.drain();
                let ending = ending_of(status, deadline_ms, sent);
                let (report, overflow) = report.into_bytes();
                return Ok(Seen { duration_us, ending, report, overflow, left_descendants });
            }
            // Nobody else waits for this child, so it is there until it is waited for here.
            Err(errno) => {
                let ending = Ending::Lost { reason: format!("waiting for the probe failed with error {errno}") };
                let (report, overflow) = report.into_bytes();
                let duration_us = watch.elapsed_us();
                return Ok(Seen { duration_us, ending, report, overflow, left_descendants: false });
            }
        }
    }
}

fn ending_of(status: i32, deadline_ms: u64, sent: Vec<SentSignal>) -> Ending {
    let signal = libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status));
    if !sent.is_empty() {
        return Ending::Expired { deadline_ms, sent, signal };
    }
    match signal {
        Some(signal) => Ending::Signaled { signal, core_dumped: libc::WCOREDUMP(status) },
        None => Ending::Exited { code: libc::WEXITSTATUS(status) },
    }
}

/// Reaps what the probe left. The zygote adopts orphans and has no other child, so what it has now came from the probe,
/// also if it left the probe's process group. Whether any of it was still alive after `linger_ms`; then it was killed.
fn reap_descendants(group: i32, linger_ms: u64) -> bool {
    let watch = Stopwatch::start();
    let mut left = false;
    loop {
        match wait(-1, libc::WNOHANG) {
            Err(_) => return left,
            Ok(Some(_)) => {}
            Ok(None) => {
                let waited_ms = watch.elapsed_us() / 1000;
                if waited_ms >= linger_ms {
                    left = true;
                    let _ = kill(-group, libc::SIGKILL);
                    kill_own_children();
                }
                if waited_ms >= linger_ms + 2_000 {
                    // It hangs in the kernel. The next probe is not kept waiting for it.
                    return true;
                }
                let _ = poll(&mut [], 1);
            }
        }
    }
}

/// Kills every child of this process, as `/proc` lists them. See proc_pid_task(5), `children`.
fn kill_own_children() {
    let Ok(children) = std::fs::read_to_string("/proc/thread-self/children") else { return };
    for pid in children.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()) {
        let _ = kill(pid, libc::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::linux::path::close;
    use crate::sys::linux::process::report_pipe;

    fn drained(bytes: &[u8]) -> (bool, Vec<u8>) {
        let (reading, writing) = report_pipe().unwrap();
        let mut report = Report::new(reading, vec![b'?'; 3]);
        for piece in bytes.chunks(4096) {
            path::write(writing, piece).unwrap();
            // An open pipe without more bytes is no end.
            report.drain();
            assert!(!report.ended);
        }
        close(writing).unwrap();
        report.drain();
        assert!(report.ended);
        close(reading).unwrap();
        let (bytes, overflow) = report.into_bytes();
        (overflow, bytes)
    }

    #[test]
    fn a_report_is_taken_up_to_its_limit_and_the_rest_is_noticed() {
        let whole: Vec<u8> = (0..MAX_REPORT_BYTES + 1).map(|n| n as u8).collect();
        for length in [0, 1, USUAL_REPORT_BYTES, USUAL_REPORT_BYTES + 1, MAX_REPORT_BYTES - 1, MAX_REPORT_BYTES] {
            assert_eq!(drained(&whole[..length]), (false, whole[..length].to_vec()), "{length}");
        }
        assert_eq!(drained(&whole), (true, whole[..MAX_REPORT_BYTES].to_vec()));
        assert_eq!(drained(&vec![b'x'; 2 * MAX_REPORT_BYTES]), (true, vec![b'x'; MAX_REPORT_BYTES]));
    }
}
