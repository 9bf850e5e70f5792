//! The worker inside a launcher: it says that it lives, tests what it needs step by step, says what it finds around itself,
//! and then performs one operation after another.
//!
//! It ends at the end of its standard input, when its time is over, and when its mailbox is gone; never because the
//! launcher's own process has ended. One thread; a process for each question where processes can be made.

mod around;
mod objects;
mod perform;
mod process;

use std::ffi::CString;
use std::time::{Duration, Instant};

use super::frame::{self, Direction, FrameReader, SessionKey};
use super::said::{LAST, UNASKED, WorkerMessage, WorkerRequest};
use crate::base::json_out;
use crate::sys::linux::path;
use crate::sys::linux::process::{
    Forked, Watched, duplicate, exit_now, fork, ignore_signal, pipe, poll, start_random, wait,
};

/// How often a mailbox is looked at.
const MAILBOX_POLL_MS: i32 = 15;
/// What ends a worker that cannot work.
const UNFIT: u8 = 64;

/// The variable in which a process outside has the token that others are asked to read.
pub const TOKEN_VARIABLE: &str = "SANDPROOF_HELD";
/// How many tokens a pipe holds: each reading takes one.
pub const TOKENS: usize = 400;

/// How requests come to it.
enum RequestChannel {
    Input,
    Mailbox(CString),
    Arguments(Vec<Vec<u8>>),
}

/// What it holds.
struct InsideWorker {
    key: SessionKey,
    instance: String,
    /// When its time is over.
    until: Instant,
    in_process: bool,
    /// Descriptors that it had at its start.
    inherited: Vec<i32>,
}

/// Works as the arguments say: `KEY.MODE.SECONDS[.i]`, and then what the mode needs. Gives the exit code.
pub fn main(arguments: &[String]) -> u8 {
    let Some((token, rest)) = arguments.split_first() else { return UNFIT };
    let mut parts = token.split('.');
    let (Some(key), Some(mode), Some(seconds)) = (parts.next().and_then(SessionKey::read), parts.next(), parts.next())
    else {
        return UNFIT;
    };
    let Ok(seconds) = seconds.parse::<u64>() else { return UNFIT };
    let alone = parts.next() == Some("i");
    let mut worker = InsideWorker {
        key,
        instance: format!("{:08x}", start_random() as u32),
        until: Instant::now() + Duration::from_secs(seconds.min(86_400)),
        in_process: alone,
        inherited: Vec::new(),
    };
    // Before anything that could be forbidden.
    if mode != "v" {
        worker.say(UNASKED, &WorkerMessage::Alive);
    }
    let path_of = |text: &String| frame::decode(text).and_then(|bytes| CString::new(bytes).ok());
    let channel = match mode {
        "v" => return be_signalled(),
        "l" => RequestChannel::Input,
        "m" => match rest.first().and_then(path_of) {
            Some(path) => RequestChannel::Mailbox(path),
            None => return UNFIT,
        },
        "f" => {
            let Some(path) = rest.first().and_then(path_of) else { return UNFIT };
            let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT;
            let Ok(fd) = path::open(&path, flags, 0o666) else { return UNFIT };
            if duplicate(fd as i32, 1, false).is_err() {
                return UNFIT;
            }
            worker.say(UNASKED, &WorkerMessage::Alive);
            RequestChannel::Input
        }
        "a" => match rest.iter().map(|text| frame::decode(text)).collect() {
            Some(requests) => RequestChannel::Arguments(requests),
            None => return UNFIT,
        },
        _ => return UNFIT,
    };
    let tty = quiet_terminal();
    ignore_signal(libc::SIGPIPE);
    // A limit on file sizes is then an error number, which says more.
    ignore_signal(libc::SIGXFSZ);
    worker.inherited = (3..1024).filter(|fd| crate::sys::linux::process::is_open(*fd)).collect();
    worker.test_plumbing();
    let hello = around::look(&worker.inherited, tty, worker.in_process);
    worker.say(UNASKED, &WorkerMessage::Hello(Box::new(hello)));
    match channel {
        RequestChannel::Input => worker.serve_input(),
        RequestChannel::Mailbox(path) => worker.serve_mailbox(&path),
        RequestChannel::Arguments(requests) => {
            for (n, request) in requests.iter().enumerate() {
                worker.answer(n as u64 + 1, request);
            }
        }
    }
    worker.say(LAST, &WorkerMessage::Bye);
    0
}

impl InsideWorker {
    fn say(&self, seq: u64, said: &WorkerMessage) {
        let body = serde_json::to_vec(said).unwrap_or_else(|_| json_out::to_pretty(&said));
        let bytes = frame::lines(&self.key, Direction::Report, seq, &self.instance, &body);
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            match path::write(1, rest) {
                Ok(count) if count > 0 => rest = &rest[count as usize..],
                Err(libc::EINTR) => {}
                Err(libc::EAGAIN) => {
                    let _ = poll(&mut [Watched::new(1, libc::POLLOUT)], 100);
                }
                _ => return,
            }
        }
    }

    /// Tries what a process for each question needs. Each step is told before it is tried, so that the last one that was
    /// told is what ended this process.
    fn test_plumbing(&mut self) {
        if self.in_process {
            self.say(UNASKED, &WorkerMessage::Step("inproc".into()));
            return;
        }
        self.say(UNASKED, &WorkerMessage::Step("pipe".into()));
        let piped = pipe();
        if let Ok((reading, writing)) = piped {
            let _ = (path::close(reading), path::close(writing));
            self.say(UNASKED, &WorkerMessage::Step("fork".into()));
            match fork() {
                Ok(Forked::Child) => exit_now(0),
                Ok(Forked::Parent(pid)) => {
                    let _ = wait(pid, 0);
                }
                Err(_) => self.in_process = true,
            }
        } else {
            self.in_process = true;
        }
        self.say(UNASKED, &WorkerMessage::Step(if self.in_process { "inproc" } else { "forks" }.into()));
    }

    /// Milliseconds that are left.
    fn left_ms(&self) -> i32 {
        i32::try_from(self.until.saturating_duration_since(Instant::now()).as_millis()).unwrap_or(i32::MAX)
    }

    fn serve_input(&self) {
        let mut reader = FrameReader::new(self.key.clone(), Direction::Request);
        let mut buffer = [0; 16 * 1024];
        loop {
            let left = self.left_ms();
            if left == 0 {
                return;
            }
            match poll(&mut [Watched::new(0, libc::POLLIN)], left.min(60_000)) {
                Ok(0) => continue,
                Ok(_) => {}
                // Without it, the reading waits.
                Err(_) if self.left_ms() == 0 => return,
                Err(_) => {}
            }
            match path::read(0, &mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    for frame in reader.take(&buffer[..count as usize]) {
                        self.answer(frame.seq, &frame.body);
                    }
                }
                Err(libc::EINTR | libc::EAGAIN) => {}
                Err(_) => break,
            }
        }
        for frame in reader.finish() {
            self.answer(frame.seq, &frame.body);
        }
    }

    fn serve_mailbox(&self, mailbox: &CString) {
        let mut reader = FrameReader::new(self.key.clone(), Direction::Request);
        let Ok(fd) = path::open(mailbox, libc::O_RDONLY, 0) else { return };
        let fd = fd as i32;
        let mut buffer = [0; 16 * 1024];
        loop {
            match path::read(fd, &mut buffer) {
                Ok(count) if count > 0 => {
                    for frame in reader.take(&buffer[..count as usize]) {
                        self.answer(frame.seq, &frame.body);
                    }
                }
                _ => {
                    // Whoever has no more questions takes it away.
                    let here = path::open(mailbox, libc::O_PATH, 0).map(|fd| path::close(fd as i32));
                    if here.is_err() || self.left_ms() == 0 {
                        return;
                    }
                    // A run that was killed takes nothing away; its end of the output is gone.
                    let mut output = [Watched::new(1, 0)];
                    let _ = poll(&mut output, MAILBOX_POLL_MS);
                    if output[0].came & (libc::POLLERR | libc::POLLHUP) != 0 {
                        return;
                    }
                }
            }
        }
    }

    fn answer(&self, seq: u64, body: &[u8]) {
        let Ok(request) = serde_json::from_slice::<WorkerRequest>(body) else { return };
        let said = match request {
            WorkerRequest::Ping => WorkerMessage::Pong,
            WorkerRequest::Nop => perform::nop(self.in_process),
            WorkerRequest::Look { path } => WorkerMessage::Looked(perform::look(&path)),
            WorkerRequest::Empty { call, family } => {
                WorkerMessage::Empty(perform::empty(self.in_process, &call, family))
            }
            WorkerRequest::Do(order) => {
                WorkerMessage::Done(Box::new(perform::perform(&order, self.in_process, &self.inherited)))
            }
        };
        self.say(seq, &said);
    }
}

/// What a process holds that others are asked to read.
struct HeldToken {
    line: String,
    _memory: crate::sys::linux::memory::Mapped,
}

/// Puts the token of its environment behind a descriptor and into memory, and says where: `ready FD ADDRESS`.
#[expect(clippy::disallowed_methods, reason = "whoever started it has put the token there")]
fn hold_token() -> Result<HeldToken, i32> {
    let text = std::env::var(TOKEN_VARIABLE).unwrap_or_default();
    let token = text.strip_prefix("sandproof-").and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let token = token.ok_or(libc::EINVAL)?;
    let memory = crate::sys::linux::memory::Mapped::page(token)?;
    let (held, filling) = pipe()?;
    // Each reading takes one of them.
    path::write(filling, &token.to_ne_bytes().repeat(TOKENS))?;
    path::close(filling)?;
    Ok(HeldToken { line: format!("ready {held} {}\n", memory.address()), _memory: memory })
}

/// Waits for signals, outside of any launcher, and says which number came with each; until its input ends.
fn be_signalled() -> u8 {
    use crate::sys::linux::process::{block_signal, signal_fd};
    let Ok(signals) = block_signal(libc::SIGUSR1).and_then(|_| signal_fd(libc::SIGUSR1)) else { return UNFIT };
    let Ok(ready) = hold_token() else { return UNFIT };
    let _ = path::write(1, ready.line.as_bytes());
    let signals = signals as i32;
    let mut record = [0; size_of::<libc::signalfd_siginfo>()];
    let number = std::mem::offset_of!(libc::signalfd_siginfo, ssi_int);
    loop {
        let mut watched = [Watched::new(signals, libc::POLLIN), Watched::new(0, libc::POLLIN)];
        if poll(&mut watched, -1).is_err() {
            return UNFIT;
        }
        if watched[0].came & libc::POLLIN != 0 {
            if path::read(signals, &mut record).is_err() {
                return UNFIT;
            }
            let bytes = [record[number], record[number + 1], record[number + 2], record[number + 3]];
            let line = format!("got {}\n", i32::from_ne_bytes(bytes));
            let _ = path::write(1, line.as_bytes());
        } else if watched[1].came != 0 {
            return 0;
        }
    }
}

/// A terminal as standard input echoes nothing, ends nothing by its control characters, and cuts no line.
fn quiet_terminal() -> bool {
    use nix::sys::termios::{InputFlags, LocalFlags, OutputFlags, SetArg, tcgetattr, tcsetattr};
    let input = std::io::stdin();
    let Ok(mut settings) = tcgetattr(&input) else { return false };
    settings.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
    settings.output_flags.remove(OutputFlags::OPOST);
    settings.input_flags.remove(InputFlags::ICRNL | InputFlags::IXON);
    let _ = tcsetattr(&input, SetArg::TCSANOW, &settings);
    true
}
