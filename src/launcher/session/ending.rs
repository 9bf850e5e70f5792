//! How a launcher ends, by itself or because it is ended, and what it said on the way.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getpgid};

use super::{END, Session};
use crate::sys::native::process::ADOPTS_ORPHANS;

impl Session {
    pub(super) fn reap(&mut self) {
        let until = Instant::now() + END;
        loop {
            match self.child.try_wait() {
                Ok(Some(_)) => {
                    if !ADOPTS_ORPHANS {
                        end_left(self.group());
                    }
                    return;
                }
                Ok(None) if Instant::now() < until && self.is_over() => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                _ => {
                    self.kill();
                    let _ = self.child.wait();
                    return;
                }
            }
        }
    }

    fn group(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    pub(super) fn kill(&mut self) {
        let _ = killpg(self.group(), Signal::SIGKILL);
        let _ = self.child.kill();
    }

    /// How it ended, if it did.
    pub(super) fn status(&mut self) -> Option<std::process::ExitStatus> {
        // Its output ends a moment before it does.
        let until = Instant::now() + Duration::from_millis(if self.is_over() { 300 } else { 0 });
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
                _ => return None,
            }
        }
    }

    /// How a start went, for people.
    pub(super) fn describe(&mut self, way: &str) -> String {
        let status = match self.status() {
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("ended with exit code {code}"),
                (None, Some(signal)) => format!("ended by signal {signal}"),
                _ => "ended".to_owned(),
            },
            None => "was still running".to_owned(),
        };
        let said = self.words();
        let said = if said.is_empty() { String::new() } else { format!(", saying `{said}`") };
        format!("{way}: the launcher {status}{said}")
    }

    /// What the launcher itself says: what it complains of, else what it prints, as a part of one line.
    pub(super) fn words(&self) -> String {
        let line = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            // Neither what a worker says nor what comes back of what it is asked.
            let text = text.split("@S").next().unwrap_or_default();
            let text = self.own.iter().fold(text.to_owned(), |text, (own, name)| text.replace(own, name));
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let complaint = line(&self.said[1]);
        if complaint.is_empty() { line(&self.said[0]) } else { complaint }
    }
}

/// Ends what is left of a process group whose leader is gone. As long as somebody is in it, no other process gets its number: so if
/// there is one of that number, the group is another's.
fn end_left(group: Pid) {
    if getpgid(Some(group)) == Err(Errno::ESRCH) {
        let _ = killpg(group, Signal::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn what_is_left_of_a_group_ends_and_another_group_does_not() {
        let mut leader = Command::new("sh")
            .args(["-c", "sleep 1000 >/dev/null & echo $!"])
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let group = Pid::from_raw(leader.id() as i32);
        let mut said = String::new();
        leader.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        let left = Pid::from_raw(said.trim().parse().unwrap());
        leader.wait().unwrap();
        assert_eq!(getpgid(Some(left)), Ok(group));
        end_left(group);
        let until = Instant::now() + Duration::from_secs(10);
        // Whoever gets it may reap it later.
        let is_there = || std::fs::read_to_string(format!("/proc/{left}/stat")).is_ok_and(|it| !it.contains(") Z "));
        while is_there() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!is_there());
        // A group with its leader is somebody's who lives.
        let mut other = Command::new("sleep").arg("1000").process_group(0).spawn().unwrap();
        end_left(Pid::from_raw(other.id() as i32));
        assert!(matches!(other.try_wait(), Ok(None)));
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
