//! The parent's side of one probe, once it has ended: what its end means, and what it left behind.

use crate::base::clock::Stopwatch;
use crate::record::ending::{Ending, SentSignal};
use crate::sys::linux::process::{kill, poll, wait};
use crate::sys::linux::watch::WatchedEnd;

/// How long processes that a dead probe left may take to end by themselves.
const LINGER_MS: u64 = 20;

/// How a child ended, in the words of a row.
pub fn ending_of(end: &WatchedEnd, deadline_ms: u64) -> Ending {
    let status = match end.status {
        Ok(status) => status,
        Err(errno) => return Ending::Lost { reason: format!("waiting for the probe failed with error {errno}") },
    };
    let signal = libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status));
    let sent: Vec<_> = end.sent.into_iter().flatten().map(|(signal, at_ms)| SentSignal { signal, at_ms }).collect();
    if !sent.is_empty() {
        return Ending::Expired { deadline_ms, sent, signal };
    }
    match signal {
        Some(signal) => Ending::Signaled { signal, core_dumped: libc::WCOREDUMP(status) },
        None => Ending::Exited { code: libc::WEXITSTATUS(status) },
    }
}

/// Reaps what a probe left that ended by itself. Whether any of it was still alive after some milliseconds; then it was
/// killed.
pub fn reap_descendants(group: i32) -> bool {
    reap_within(group, LINGER_MS)
}

/// Reaps what a probe left that was ended, without waiting for it.
pub fn end_descendants(group: i32) {
    reap_within(group, 0);
}

/// The zygote adopts orphans and has no other child, so what it has now came from the probe, also if it left the probe's
/// process group.
fn reap_within(group: i32, linger_ms: u64) -> bool {
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
