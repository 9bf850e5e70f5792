//! Watching one child to its end: its deadline, the signals after it, and its report.
//!
//! A child may share this process's memory (`shared_child`), so nothing here allocates or sets the C library's error number.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::process::Watched;
use super::quiet;
use crate::base::clock::Stopwatch;

/// How long only the child's end is waited for. A probe that ends sooner, as nearly all do, wakes its parent once
/// instead of with every line of its report; one that fills its pipe is read from after that.
const QUIET_MS: u64 = 20;
/// How long a probe has between SIGTERM and SIGKILL.
const GRACE_MS: u64 = 100;
/// How long a probe that was sent SIGKILL may take to end. Then it hangs in the kernel, or this process may not kill.
const KILL_LIMIT_MS: u64 = 3_000;
/// How long that is waited for where nobody waits for the answer.
const ABANDONED_LIMIT_MS: u64 = 1_000;
/// How many signals the ladder has.
const RUNGS: usize = 2;

/// What a child is watched with.
#[derive(Debug)]
pub struct Watching<'w> {
    /// The reading end of its report, which does not wait.
    pub report: BorrowedFd<'w>,
    /// The writing end, which the child has by then: closed here, so that the report ends with whoever writes to it.
    pub writing: OwnedFd,
    /// A descriptor whose hang-up says that nobody waits for the answer.
    pub socket: i32,
    /// How long it may run, in milliseconds from `since`.
    pub deadline_ms: u64,
    /// From when its time is counted.
    pub since: Stopwatch,
    /// Where its report goes.
    pub buffer: &'w mut [u8],
}

/// Why a child was not watched to its end. It ends with this process (`PR_SET_PDEATHSIG`), which has to end now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unended {
    /// The harness closed the control socket while the child was running. Whether it was reaped after it was killed.
    Abandoned(bool),
    /// It did not end after SIGKILL; with the error number of the refusal to send that.
    Stuck(Option<i32>),
}

/// What was seen of a child that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchedEnd {
    /// Its status as wait(2) gives it, or the error number of a wait that failed.
    pub status: Result<i32, i32>,
    /// From its start to its end, in microseconds.
    pub duration_us: u64,
    /// The signals that it was sent, in order, and when, in milliseconds from its start.
    pub sent: [Option<(i32, u64)>; RUNGS],
    /// How many bytes of its report are in the buffer.
    pub report_length: usize,
    /// Whether it reported more than fits.
    pub overflow: bool,
    /// Whether nobody can write to the report any more.
    pub report_ended: bool,
}

impl WatchedEnd {
    /// Whether it ended by itself and by no signal, so that nothing of it was cut off.
    pub fn is_clean(&self) -> bool {
        self.status.is_ok_and(|status| libc::WIFEXITED(status)) && self.sent == [None; RUNGS]
    }

    /// Takes what came since: processes that the child left may have written to its report.
    pub fn take_rest(&mut self, report: BorrowedFd<'_>, buffer: &mut [u8]) {
        let Self { report_length: length, overflow, report_ended: ended, .. } = *self;
        let mut rest = ReportBuffer { pipe: report.as_raw_fd(), buffer, length, overflow, ended };
        rest.drain();
        (self.report_length, self.overflow, self.report_ended) = (rest.length, rest.overflow, rest.ended);
    }
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
            match quiet::read(self.pipe, place) {
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

/// Signals the child's group; before the child has made it, makes it.
fn signal_group(pid: i32, signal: i32) -> Result<(), i32> {
    if quiet::kill(-pid, signal).is_err() {
        let _ = quiet::set_process_group(pid, pid);
        quiet::kill(pid, signal)?;
    }
    Ok(())
}

/// Waits for the end of a child that was sent SIGKILL, and reaps it. False: it did not end in time.
fn reap_within(pid: i32, limit_ms: u64) -> bool {
    let watch = Stopwatch::start();
    loop {
        match quiet::wait(pid, libc::WNOHANG) {
            Ok(None) if watch.elapsed_us() / 1000 < limit_ms => {
                let _ = quiet::poll(&mut [], 1);
            }
            ended => return !matches!(ended, Ok(None)),
        }
    }
}

/// Waits until the child ended, at most until its deadline and the ladder after it, and reaps it.
pub fn until_end(pid: i32, watching: Watching<'_>) -> Result<WatchedEnd, Unended> {
    let Watching { report, writing, socket, deadline_ms, since, buffer } = watching;
    drop(writing);
    let mut report = ReportBuffer { pipe: report.as_raw_fd(), buffer, length: 0, overflow: false, ended: false };
    let mut sent = [None; RUNGS];
    let handle = quiet::pidfd_open(pid).ok();
    let pidfd = handle.as_ref().map_or(-1, AsRawFd::as_raw_fd);
    let mut limit_ms = deadline_ms;
    let mut quiet = true;
    let mut refused = None;
    let ended = loop {
        let now_ms = since.elapsed_us() / 1000;
        if now_ms >= limit_ms {
            let (rung, signal, patience_ms) = match sent {
                [None, _] => (0, libc::SIGTERM, GRACE_MS),
                [_, None] => (1, libc::SIGKILL, KILL_LIMIT_MS),
                _ => return Err(Unended::Stuck(refused)),
            };
            limit_ms = now_ms + patience_ms;
            refused = signal_group(pid, signal).err();
            sent[rung] = Some((signal, now_ms));
            continue;
        }
        let until_ms = if quiet { limit_ms.min(QUIET_MS.max(now_ms + 1)) } else { limit_ms };
        // Without a pidfd (the table of open files is full) the end is looked for every few milliseconds.
        let wait_ms = if pidfd < 0 { 5 } else { (until_ms - now_ms).min(60_000) as u32 };
        let reading = if quiet || report.ended { -1 } else { report.pipe };
        let mut watched =
            [Watched::new(pidfd, libc::POLLIN), Watched::new(reading, libc::POLLIN), Watched::new(socket, 0)];
        let _ = quiet::poll(&mut watched, wait_ms);
        if watched[2].came & (libc::POLLHUP | libc::POLLERR) != 0 {
            let _ = signal_group(pid, libc::SIGKILL);
            return Err(Unended::Abandoned(reap_within(pid, ABANDONED_LIMIT_MS)));
        }
        if watched[0].came == 0 && pidfd >= 0 {
            if !quiet {
                report.drain();
            }
            quiet = quiet && since.elapsed_us() / 1000 < QUIET_MS;
            continue;
        }
        match quiet::wait(pid, libc::WNOHANG) {
            Ok(None) => {
                quiet = false;
                report.drain();
            }
            // Nobody else waits for this child, so it is there until it is waited for here.
            ended => break ended.map(|found| found.map_or(0, |(_, status)| status)),
        }
    };
    let duration_us = since.elapsed_us();
    drop(handle);
    report.drain();
    let ReportBuffer { length, overflow, ended: report_ended, .. } = report;
    Ok(WatchedEnd { status: ended, duration_us, sent, report_length: length, overflow, report_ended })
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::sys::linux::path;
    use crate::sys::linux::process::report_pipe;

    fn drained(bytes: &[u8], room: usize) -> (usize, bool, Vec<u8>) {
        let (reading, writing) = report_pipe().unwrap();
        path::write(writing.as_raw_fd(), bytes).unwrap();
        let mut buffer = vec![0; room];
        let mut report =
            ReportBuffer { pipe: reading.as_raw_fd(), buffer: &mut buffer, length: 0, overflow: false, ended: false };
        // An open pipe without more bytes is no end.
        report.drain();
        assert!(!report.ended);
        drop(writing);
        report.drain();
        assert!(report.ended);
        let (length, overflow) = (report.length, report.overflow);
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
