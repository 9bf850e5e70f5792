//! The parent's side of one probe: its report, its deadline, its end, and what it left behind.

use crate::base::clock::Stopwatch;
use crate::record::ending::{Ending, SentSignal};
use crate::sys::linux::path::{self, close};
use crate::sys::linux::process::{Watched, kill, pidfd_open, poll, set_process_group, wait};

/// How long only the child's end is waited for. A probe that ends sooner, as nearly all do, wakes its parent once
/// instead of with every line of its report; one that fills its pipe is read from after that.
const QUIET_MS: u64 = 20;
/// How long a probe has between SIGTERM and SIGKILL.
const GRACE_MS: u64 = 100;
/// How long processes that a dead probe left may take to end by themselves.
const LINGER_MS: u64 = 20;

/// How long a probe that was sent SIGKILL may take to end. Then it hangs in the kernel, or this process may not kill.
const KILL_LIMIT_MS: u64 = 3_000;
/// How long that is waited for where nobody waits for the answer.
const ABANDONED_LIMIT_MS: u64 = 1_000;

/// Why a probe was not watched to its end. It ends with the zygote (`PR_SET_PDEATHSIG`), which has to end now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unended {
    /// The harness closed the control socket while the probe was running.
    Abandoned,
    /// It did not end after SIGKILL; with the error number of the refusal to send that.
    Stuck(Option<i32>),
}

/// What the parent saw.
#[derive(Debug)]
pub struct ProbeEnd {
    /// From fork to the reported end.
    pub duration_us: u64,
    /// How the process ended, as wait(2) says.
    pub ending: Ending,
    /// How many bytes of the report are in the buffer.
    pub report_length: usize,
    /// Whether it reported more than fits.
    pub overflow: bool,
    /// Whether processes that it started were alive after its end.
    pub left_descendants: bool,
}

struct ReportBuffer<'a> {
    pipe: i32,
    buffer: &'a mut [u8],
    length: usize,
    overflow: bool,
    ended: bool,
}

impl ReportBuffer<'_> {
    /// Takes what the pipe holds; never waits, because the pipe does not.
    fn drain(&mut self) {
        let mut beyond = [0; 512];
        while !self.ended {
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
}

/// Signals the probe's group; before the child has made it, makes it.
fn signal_group(pid: i32, signal: i32) -> Result<(), i32> {
    if kill(-pid, signal).is_err() {
        let _ = set_process_group(pid, pid);
        kill(pid, signal)?;
    }
    Ok(())
}

/// Waits for the end of a probe that was sent SIGKILL, and reaps it. False: it did not end in time.
fn reap_within(pid: i32, limit_ms: u64) -> bool {
    let watch = Stopwatch::start();
    loop {
        match wait(pid, libc::WNOHANG) {
            Ok(None) if watch.elapsed_us() / 1000 < limit_ms => {
                let _ = poll(&mut [], 1);
            }
            ended => return !matches!(ended, Ok(None)),
        }
    }
}

/// Waits until the child ended, at most until its deadline and the ladder after it, and reaps it and its descendants.
pub fn until_end(
    pid: i32,
    pipe: i32,
    socket: i32,
    deadline_ms: u64,
    watch: Stopwatch,
    buffer: &mut [u8],
) -> Result<ProbeEnd, Unended> {
    let mut report = ReportBuffer { pipe, buffer, length: 0, overflow: false, ended: false };
    let mut sent: Vec<SentSignal> = Vec::new();
    let pidfd = pidfd_open(pid).unwrap_or(-1) as i32;
    let mut limit_ms = deadline_ms;
    let mut quiet = true;
    let mut refused = None;
    loop {
        let now_ms = watch.elapsed_us() / 1000;
        if now_ms >= limit_ms {
            let (signal, patience_ms) = match sent.len() {
                0 => (libc::SIGTERM, GRACE_MS),
                1 => (libc::SIGKILL, KILL_LIMIT_MS),
                _ => {
                    if pidfd >= 0 {
                        let _ = close(pidfd);
                    }
                    return Err(Unended::Stuck(refused));
                }
            };
            limit_ms = now_ms + patience_ms;
            refused = signal_group(pid, signal).err();
            sent.push(SentSignal { signal, at_ms: now_ms });
            continue;
        }
        let until_ms = if quiet { limit_ms.min(QUIET_MS.max(now_ms + 1)) } else { limit_ms };
        // Without a pidfd (the table of open files is full) the end is looked for every few milliseconds.
        let wait_ms = if pidfd < 0 { 5 } else { (until_ms - now_ms).min(60_000) as i32 };
        let reading = if quiet || report.ended { -1 } else { pipe };
        let mut watched =
            [Watched::new(pidfd, libc::POLLIN), Watched::new(reading, libc::POLLIN), Watched::new(socket, 0)];
        let _ = poll(&mut watched, wait_ms);
        if watched[2].came & (libc::POLLHUP | libc::POLLERR) != 0 {
            let _ = signal_group(pid, libc::SIGKILL);
            if reap_within(pid, ABANDONED_LIMIT_MS) {
                reap_descendants(pid, 0);
            }
            return Err(Unended::Abandoned);
        }
        if watched[0].came == 0 && pidfd >= 0 {
            if !quiet {
                report.drain();
            }
            quiet = quiet && watch.elapsed_us() / 1000 < QUIET_MS;
            continue;
        }
        match wait(pid, libc::WNOHANG) {
            Ok(None) => {
                quiet = false;
                report.drain();
            }
            Ok(Some((_, status))) => {
                let duration_us = watch.elapsed_us();
                if pidfd >= 0 {
                    let _ = close(pidfd);
                }
                report.drain();
                let left_descendants = reap_descendants(pid, LINGER_MS);
                report.drain();
                let ending = ending_of(status, deadline_ms, sent);
                let ReportBuffer { length, overflow, .. } = report;
                return Ok(ProbeEnd { duration_us, ending, report_length: length, overflow, left_descendants });
            }
            // Nobody else waits for this child, so it is there until it is waited for here.
            Err(errno) => {
                let ending = Ending::Lost { reason: format!("waiting for the probe failed with error {errno}") };
                let ReportBuffer { length, overflow, .. } = report;
                let duration_us = watch.elapsed_us();
                return Ok(ProbeEnd { duration_us, ending, report_length: length, overflow, left_descendants: false });
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
    use crate::sys::linux::process::report_pipe;

    fn drained(bytes: &[u8], room: usize) -> (usize, bool, Vec<u8>) {
        let (reading, writing) = report_pipe().unwrap();
        path::write(writing, bytes).unwrap();
        let mut buffer = vec![0; room];
        let mut report = ReportBuffer { pipe: reading, buffer: &mut buffer, length: 0, overflow: false, ended: false };
        // An open pipe without more bytes is no end.
        report.drain();
        assert!(!report.ended);
        close(writing).unwrap();
        report.drain();
        assert!(report.ended);
        let (length, overflow) = (report.length, report.overflow);
        close(reading).unwrap();
        buffer.truncate(length);
        (length, overflow, buffer)
    }

    #[test]
    fn a_report_is_taken_up_to_its_limit_and_the_rest_is_noticed() {
        assert_eq!(drained(b"0123456789", 10), (10, false, b"0123456789".to_vec()));
        assert_eq!(drained(b"0123456789", 9), (9, true, b"012345678".to_vec()));
        assert_eq!(drained(&[b'x'; 5000], 16), (16, true, vec![b'x'; 16]));
        assert_eq!(drained(b"", 16), (0, false, Vec::new()));
    }
}
