//! Processes that a launcher has started and left behind.
//!
//! While launchers are asked, this process is the one that orphans among its descendants come to. What is there afterwards and
//! was not before, in a process group that is not this process's own, no launcher has ended.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpgrp};

use crate::sys::native::process::adopt_orphans;

/// How long what was ended may take to be gone.
const END: Duration = Duration::from_secs(2);

/// One child of this process: its number, its group, and when it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct ChildProcess {
    pid: i32,
    group: i32,
    started: u64,
}

/// Orphans come to this process as long as this is there, and are ended with it.
#[derive(Debug)]
pub struct Adoption {
    before: BTreeSet<ChildProcess>,
}

impl Adoption {
    /// Begins.
    pub fn begin() -> Self {
        // Where it may not be, orphans go to somebody else, who takes care of them.
        let _ = adopt_orphans(true);
        Self { before: children() }
    }

    fn end_strays(&self) {
        let own = getpgrp().as_raw();
        let until = Instant::now() + END;
        loop {
            let strays: Vec<ChildProcess> =
                children().into_iter().filter(|child| child.group != own && !self.before.contains(child)).collect();
            if strays.is_empty() || Instant::now() > until {
                return;
            }
            for stray in strays {
                let pid = Pid::from_raw(stray.pid);
                // Its own children come here in turn.
                let _ = kill(pid, Signal::SIGKILL);
                while matches!(waitpid(pid, Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::StillAlive))
                    && Instant::now() < until
                {
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        }
    }
}

impl Drop for Adoption {
    fn drop(&mut self) {
        self.end_strays();
        let _ = adopt_orphans(false);
    }
}

/// The children of this process, as `/proc` shows them.
fn children() -> BTreeSet<ChildProcess> {
    let own = std::process::id().to_string();
    let Ok(entries) = std::fs::read_dir("/proc") else { return BTreeSet::new() };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers
        .filter_map(|pid| {
            let text = std::fs::read(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
            let text = String::from_utf8_lossy(&text);
            // The name may hold anything, also what ends it.
            let mut rest = text.rsplit_once(')')?.1.split_whitespace().skip(1);
            if rest.next()? != own {
                return None;
            }
            let group = rest.next()?.parse().ok()?;
            let started = rest.nth(16)?.parse().ok()?;
            Some(ChildProcess { pid, group, started })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_found_with_its_group_and_start() {
        use std::os::unix::process::CommandExt;
        let mut child = std::process::Command::new("sleep").arg("100").process_group(0).spawn().unwrap();
        let pid = child.id() as i32;
        let found = children();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let started: u64 = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.contains(&ChildProcess { pid, group: pid, started }), "{found:?}");
        assert!(!children().iter().any(|child| child.pid == pid));
    }
}
