//! A process outside that questions are about.

use std::io::{self, BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::base::threads;
use crate::launcher::frame::SessionKey;
use crate::launcher::said::{OutsideProcess, SUBCOMMAND, TOKEN_VARIABLE};
use crate::sys::native::process::lasting_number;

/// Whether whoever gets a signal reads a number that was sent along.
const SIGNALS_CARRY_NUMBERS: bool = cfg!(target_os = "linux");
/// How long the host's own signal may take to be told of.
const OWN_SIGNAL: Duration = Duration::from_millis(500);

/// A process outside that a question signals.
#[derive(Debug)]
pub(super) struct OutsideTarget {
    child: Child,
    /// Standard input of the process, which ends when this is closed.
    _input: Option<ChildStdin>,
    lines: Receiver<String>,
    heard: Vec<i32>,
    pub(super) victim: OutsideProcess,
    /// The token that it holds.
    pub(super) held: u64,
}

impl OutsideTarget {
    /// Starts one that says which numbers came with the signal.
    #[expect(clippy::disallowed_methods, reason = "a process outside that ends with its input")]
    pub(super) fn start(exe: &std::path::Path) -> io::Result<Self> {
        let token = format!("{}.v.600", SessionKey::fresh().as_str());
        let held = uuid::Uuid::new_v4().as_u128() as u64;
        let mut child = Command::new(exe)
            .args([SUBCOMMAND, &token])
            // What it is found by stands nowhere else in its environment.
            .env_clear()
            .env(TOKEN_VARIABLE, format!("sandproof-{held:016x}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or_else(|| io::Error::other("it has no output"))?;
        let (sender, lines) = channel();
        let hear = move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        };
        threads::builder()?.spawn(hear)?;
        let ready = lines.recv_timeout(Duration::from_secs(5)).map_err(io::Error::other)?;
        let mut words = ready.split_whitespace();
        let (Some("ready"), Some(Ok(fd)), Some(Ok(address))) =
            (words.next(), words.next().map(str::parse), words.next().map(str::parse))
        else {
            return Err(io::Error::other(format!("it said `{ready}`")));
        };
        let pid = child.id() as i32;
        let number = |pid| lasting_number(pid).map_err(io::Error::from_raw_os_error);
        let (inode, own) = (number(pid)?, number(std::process::id() as i32)?);
        if inode == own {
            let _ = child.kill();
            let _ = child.wait();
            return Err(io::Error::other("this kernel gives processes no numbers that last (Linux 6.9 does)"));
        }
        let nonce = if SIGNALS_CARRY_NUMBERS { uuid::Uuid::new_v4().as_u128() as i32 } else { 0 };
        Ok(Self {
            child,
            _input: input,
            lines,
            heard: Vec::new(),
            held,
            victim: OutsideProcess { pid, inode, nonce, fd, address },
        })
    }

    /// Takes the host's own signal, where it cannot be told from a later one.
    pub(super) fn forget(&mut self) {
        if !SIGNALS_CARRY_NUMBERS {
            let _ = self.lines.recv_timeout(OWN_SIGNAL);
            self.heard.clear();
        }
    }

    /// Whether the signal with that number has come.
    pub(super) fn has_heard(&mut self, nonce: i32) -> bool {
        self.heard.extend(self.lines.try_iter().filter_map(|line| line.strip_prefix("got ")?.parse::<i32>().ok()));
        self.heard.contains(&nonce)
    }
}

impl Drop for OutsideTarget {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
