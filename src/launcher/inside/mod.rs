//! The worker inside a launcher: it says that it lives, tests what it needs step by step, says what it finds around itself,
//! and then performs one operation after another.
//!
//! It ends at the end of its standard input, when its time is over, and when its mailbox is gone; never because the
//! launcher's own process has ended. One thread; a process for each question where processes can be made.

mod around;
mod here;
mod perform;
mod proxy;
mod view;
mod world;

use std::cell::RefCell;
use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use super::frame::{self, Direction, FrameReader, SessionKey};
use super::said::{LAST, UNASKED, UNFIT, WorkerMessage, WorkerReport, WorkerRequest};
use crate::base::json_out;
use crate::sys::native::path;
use crate::sys::native::process::{Watched, ignore_signal, is_open, pipe, poll, start_random, wait};
use crate::sys::native::sole::Sole;
use world::WorldWatch;

/// How often a mailbox is looked at.
const MAILBOX_POLL_MS: i32 = 15;

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
    /// Folders that had nothing in them when something was first to be changed there. What came since is the run's own.
    emptied: RefCell<Vec<(u64, u64)>>,
    world: WorldWatch,
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
        emptied: RefCell::new(Vec::new()),
        world: WorldWatch::default(),
    };
    // Before anything that could be forbidden.
    if mode != "v" {
        worker.say(UNASKED, &WorkerMessage::Alive);
    }
    if mode == "v" {
        return here::be_signalled();
    }
    // It needs no `/proc`, but asks where there is one.
    let Ok(sole) = Sole::claim() else { return UNFIT };
    let path_of = |text: &String| frame::decode(text).and_then(|bytes| CString::new(bytes).ok());
    let channel = match mode {
        "l" => RequestChannel::Input,
        "m" => match rest.first().and_then(path_of) {
            Some(path) => RequestChannel::Mailbox(path),
            None => return UNFIT,
        },
        "f" => {
            let Some(path) = rest.first().and_then(path_of) else { return UNFIT };
            let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT;
            let Ok(fd) = path::open(&path, flags, 0o666) else { return UNFIT };
            if sole.duplicate(fd as i32, 1, false).is_err() {
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
    worker.inherited = (3..1024).filter(|fd| is_open(*fd)).collect();
    worker.test_plumbing(&sole);
    let hello = around::look(&worker.inherited, tty, worker.in_process, worker.world());
    worker.say(UNASKED, &WorkerMessage::Hello(Box::new(hello)));
    match channel {
        RequestChannel::Input => worker.serve_input(&sole),
        RequestChannel::Mailbox(path) => worker.serve_mailbox(&path, &sole),
        RequestChannel::Arguments(requests) => {
            for (n, request) in requests.iter().enumerate() {
                worker.answer(n as u64 + 1, request, &sole);
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
    fn test_plumbing(&mut self, sole: &Sole) {
        if self.in_process {
            self.say(UNASKED, &WorkerMessage::Step("inproc".into()));
            return;
        }
        self.say(UNASKED, &WorkerMessage::Step("pipe".into()));
        let ends = pipe().ok().map(|(reading, writing)| (really_made(reading), really_made(writing)));
        if matches!(ends, Some((Some(_), Some(_)))) {
            self.say(UNASKED, &WorkerMessage::Step("fork".into()));
            match sole.fork(|_| 0) {
                Ok(pid) => {
                    let _ = wait(pid, 0);
                }
                Err(_) => self.in_process = true,
            }
        } else {
            self.in_process = true;
        }
        self.say(UNASKED, &WorkerMessage::Step(if self.in_process { "inproc" } else { "forks" }.into()));
    }

    /// The digest of the world as it is now.
    fn world(&self) -> u64 {
        self.world.digest(self.in_process)
    }

    /// Milliseconds that are left.
    fn left_ms(&self) -> i32 {
        i32::try_from(self.until.saturating_duration_since(Instant::now()).as_millis()).unwrap_or(i32::MAX)
    }

    fn serve_input(&self, sole: &Sole) {
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
                        self.answer(frame.seq, &frame.body, sole);
                    }
                }
                Err(libc::EINTR | libc::EAGAIN) => {}
                Err(_) => break,
            }
        }
        for frame in reader.finish() {
            self.answer(frame.seq, &frame.body, sole);
        }
    }

    fn serve_mailbox(&self, mailbox: &CString, sole: &Sole) {
        let mut reader = FrameReader::new(self.key.clone(), Direction::Request);
        let Ok(file) = path::open_owned(mailbox, libc::O_RDONLY, 0) else { return };
        let mut buffer = [0; 16 * 1024];
        loop {
            match path::read(file.as_raw_fd(), &mut buffer) {
                Ok(count) if count > 0 => {
                    for frame in reader.take(&buffer[..count as usize]) {
                        self.answer(frame.seq, &frame.body, sole);
                    }
                }
                _ => {
                    // Whoever has no more questions takes it away.
                    if path::open_handle(mailbox).is_err() || self.left_ms() == 0 {
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

    fn answer(&self, seq: u64, body: &[u8], sole: &Sole) {
        let Ok(request) = serde_json::from_slice::<WorkerRequest>(body) else { return };
        let said = match request {
            WorkerRequest::Ping => WorkerMessage::Pong,
            WorkerRequest::Nop => perform::nop(sole, self.in_process),
            WorkerRequest::Look { path } => WorkerMessage::Looked(perform::look(&path)),
            WorkerRequest::Empty { call, family } => {
                WorkerMessage::Empty(perform::empty(sole, self.in_process, &call, family))
            }
            WorkerRequest::Do(mut order) => {
                self.emptied.borrow_mut().extend(perform::emptied(&order));
                order.pledge.own.extend_from_slice(&self.emptied.borrow());
                let report = perform::perform(&order, sole, self.in_process, &self.inherited);
                WorkerMessage::Done(Box::new(WorkerReport { world: self.world(), ..report }))
            }
        };
        self.say(seq, &said);
    }
}

/// A filter of system calls may say that something was made, and give the number of a standard stream, which is open and has to stay
/// so.
fn really_made(made: OwnedFd) -> Option<OwnedFd> {
    if made.as_raw_fd() > libc::STDERR_FILENO {
        return Some(made);
    }
    std::mem::forget(made);
    None
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
