//! One start of a launcher, and the ladder of ways to reach the worker inside of it.
//!
//! The gentlest way comes first: requests over standard input as they arise; all of them at once; a file in the workspace;
//! arguments; answers in a file. Then the same with the worker's executable copied into the workspace, and with one that is
//! inherited. A way counts once the worker has answered through it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::frame::{self, Direction, FrameReader, SessionKey};
use super::said::{Hello, LAST, SUBCOMMAND, UNASKED, WorkerMessage, WorkerRequest};
use crate::policy::launcher::{LauncherDocument, StartTexts};
use crate::record::launcher::StartMode;

/// How long nothing at all may come before the worker's input is closed, in case the launcher collects it first.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a launcher may take to bring something after its input was closed.
const AFTER_CLOSE: Duration = Duration::from_millis(1_500);
/// How long a ping may take once the worker has said hello.
const PONG: Duration = Duration::from_secs(1);
/// How long a worker may live, in seconds, whatever happens to the run.
const LIFETIME_S: u64 = 600;
/// How long the launcher may take to end once the worker's input is closed.
const END: Duration = Duration::from_secs(5);
/// The most bytes of standard error that are kept.
const STDERR_BYTES: usize = 300;

/// What every start of one launcher shares.
#[derive(Debug)]
pub struct Setting<'a> {
    /// The launcher. `None`: the worker is started by itself, for comparison.
    pub document: Option<&'a LauncherDocument>,
    /// This executable, by its real path.
    pub exe: PathBuf,
    /// What placeholders stand for; `probe` is left to this module.
    pub places: StartTexts,
    /// What makes names in the workspace the run's own.
    pub unique: String,
    /// Variables that questions are about, in the environment of every start.
    pub variables: Vec<(String, String)>,
}

/// As what the worker's executable is named to the launcher.
#[derive(Debug)]
pub enum WorkerExecutable {
    /// The path of this executable itself.
    Path,
    /// A copy in the workspace.
    Copy(PathBuf),
    /// An inherited descriptor.
    MemFd(OwnedFd),
}

impl WorkerExecutable {
    /// The word that documents have for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Copy(_) => "copy",
            Self::MemFd(_) => "memfd",
        }
    }
}

impl Drop for WorkerExecutable {
    fn drop(&mut self) {
        if let Self::Copy(path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Why no worker could be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoWorker {
    /// None said that it lives.
    NotStarted(Vec<String>),
    /// Several did.
    Many(Vec<String>),
}

/// A way to a worker.
#[derive(Debug)]
pub struct ReachedWorker {
    /// How requests reach the worker.
    pub mode: StartMode,
    /// What its executable is called.
    pub executable: WorkerExecutable,
    /// What the worker found around itself.
    pub hello: Hello,
    /// Whether each question needs a start of its own.
    pub fresh: bool,
    /// The ways that failed before.
    pub attempts: Vec<String>,
    /// The worker that waits for requests, if it does.
    pub session: Option<Session>,
}

/// One running launcher.
#[derive(Debug)]
pub struct Session {
    child: Child,
    input: Option<ChildStdin>,
    output: Option<ChildStdout>,
    errors: Option<ChildStderr>,
    readers: [FrameReader; 2],
    key: SessionKey,
    mailbox: Option<(PathBuf, File)>,
    report_file: Option<(PathBuf, u64)>,
    /// When it was started.
    pub started: Instant,
    /// When its output ended.
    ended: Option<Instant>,
    alive: bool,
    steps: Vec<String>,
    hello: Option<Hello>,
    instances: Vec<String>,
    answers: BTreeMap<u64, WorkerMessage>,
    said_bye: bool,
    stderr: Vec<u8>,
    next: u64,
}

impl Session {
    #[expect(clippy::disallowed_methods, reason = "the home of launchers: limited in time, ended with their group")]
    fn spawn(
        setting: &Setting<'_>,
        executable: &WorkerExecutable,
        mode: &str,
        more: &[String],
        input: bool,
    ) -> io::Result<Self> {
        let key = SessionKey::fresh();
        let named = match executable {
            WorkerExecutable::Path => setting.exe.display().to_string(),
            WorkerExecutable::Copy(path) => {
                let path = path.display().to_string();
                let renamed = setting.document.and_then(|document| setting.places.inside(document, &path));
                renamed.unwrap_or(path)
            }
            WorkerExecutable::MemFd(fd) => format!("/proc/self/fd/{}", fd.as_raw_fd()),
        };
        let token = format!("{}.{mode}", key.as_str());
        let mut probe = vec![named, SUBCOMMAND.to_owned(), token];
        probe.extend_from_slice(more);
        let places = StartTexts { probe, ..setting.places.clone() };
        let words = match setting.document {
            Some(document) => places.command(&document.argv),
            None => places.probe.clone(),
        };
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(&setting.places.workspace).process_group(0);
        for (name, value) in &setting.variables {
            command.env(name, value);
        }
        if let Some(document) = setting.document {
            for (name, value) in &document.env {
                command.env(name, places.fill(value));
            }
        }
        command.stdin(if input { Stdio::piped() } else { Stdio::null() });
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        if let Some(output) = &output {
            unblock(output)?;
        }
        if let Some(errors) = &errors {
            unblock(errors)?;
        }
        let reader = || FrameReader::new(key.clone(), Direction::Report);
        Ok(Self {
            child,
            input,
            output,
            errors,
            readers: [reader(), reader()],
            key,
            mailbox: None,
            report_file: None,
            started: Instant::now(),
            ended: None,
            alive: false,
            steps: Vec::new(),
            hello: None,
            instances: Vec::new(),
            answers: BTreeMap::new(),
            said_bye: false,
            stderr: Vec::new(),
            next: 1,
        })
    }

    /// The key of this start, which stands among the worker's arguments.
    pub fn key(&self) -> &SessionKey {
        &self.key
    }

    /// Whether another worker than the first has said something.
    pub fn has_another(&self) -> bool {
        self.instances.len() > 1
    }

    /// Whether everything that the worker could say has been read.
    pub fn is_over(&self) -> bool {
        self.ended.is_some()
    }

    /// How old it was when its output ended, or is.
    pub fn age(&self) -> Duration {
        self.ended.unwrap_or_else(Instant::now).duration_since(self.started)
    }

    fn take(&mut self, stream: usize, bytes: &[u8]) {
        for frame in self.readers[stream].take(bytes) {
            self.note(frame);
        }
    }

    fn note(&mut self, frame: frame::Frame) {
        let Ok(said) = serde_json::from_slice::<WorkerMessage>(&frame.body) else { return };
        if !self.instances.contains(&frame.instance) {
            self.instances.push(frame.instance.clone());
        }
        // Whatever comes after the first is not its doing.
        if self.instances[0] != frame.instance {
            return;
        }
        match said {
            WorkerMessage::Alive => self.alive = true,
            WorkerMessage::Step(step) => self.steps.push(step),
            WorkerMessage::Hello(hello) if self.hello.is_none() => self.hello = Some(*hello),
            WorkerMessage::Bye if frame.seq == LAST => self.said_bye = true,
            said if frame.seq != UNASKED => {
                self.answers.entry(frame.seq).or_insert(said);
            }
            _ => {}
        }
    }

    /// Reads until `until` holds, the output ends, or the time is over.
    fn pump(&mut self, until: impl Fn(&Self) -> bool, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut buffer = [0; 64 * 1024];
        loop {
            if until(self) {
                return true;
            }
            self.read_report_file();
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || (self.ended.is_some() && self.report_file.is_none()) {
                return until(self);
            }
            if self.output.is_none() && self.errors.is_none() {
                // Answers may still come into the file.
                std::thread::sleep(Duration::from_millis(10).min(left));
                continue;
            }
            let (out, err) = {
                let mut watched = Vec::with_capacity(2);
                watched.extend(self.output.as_ref().map(|it| PollFd::new(it.as_fd(), PollFlags::POLLIN)));
                watched.extend(self.errors.as_ref().map(|it| PollFd::new(it.as_fd(), PollFlags::POLLIN)));
                let step = left.min(Duration::from_millis(if self.report_file.is_some() { 20 } else { 250 }));
                let _ = poll(&mut watched, PollTimeout::try_from(step).unwrap_or(PollTimeout::ZERO));
                (self.output.is_some(), self.errors.is_some())
            };
            if out && let Some(output) = &mut self.output {
                match output.read(&mut buffer) {
                    Ok(0) => {
                        self.output = None;
                        for frame in self.readers[0].finish() {
                            self.note(frame);
                        }
                        self.ended = Some(Instant::now());
                    }
                    Ok(count) => self.take(0, &buffer[..count]),
                    Err(_) => {}
                }
            }
            if err && let Some(errors) = &mut self.errors {
                match errors.read(&mut buffer) {
                    Ok(0) => self.errors = None,
                    Ok(count) => {
                        let room = STDERR_BYTES.saturating_sub(self.stderr.len());
                        self.stderr.extend_from_slice(&buffer[..count.min(room)]);
                        self.take(1, &buffer[..count]);
                    }
                    Err(_) => {}
                }
            }
        }
    }

    fn read_report_file(&mut self) {
        let Some((path, taken)) = &self.report_file else { return };
        let Ok(bytes) = std::fs::read(path) else { return };
        let from = usize::try_from(*taken).unwrap_or(usize::MAX).min(bytes.len());
        if let Some((_, taken)) = &mut self.report_file {
            *taken = bytes.len() as u64;
        }
        self.take(0, &bytes[from..]);
    }

    /// Hands a request over, and gives its number.
    fn send(&mut self, request: &WorkerRequest) -> u64 {
        let seq = self.next;
        self.next += 1;
        let body = serde_json::to_vec(request).unwrap_or_default();
        let bytes = frame::lines(&self.key, Direction::Request, seq, "", &body);
        if let Some((_, mailbox)) = &mut self.mailbox {
            let _ = mailbox.write_all(&bytes);
        } else if let Some(input) = &mut self.input {
            // Whoever does not read it is found out by the answer that does not come.
            let _ = input.write_all(&bytes).and_then(|()| input.flush());
        }
        seq
    }

    fn close_input(&mut self) {
        self.input = None;
        if let Some((path, _)) = self.mailbox.take() {
            let _ = std::fs::remove_file(path);
        }
    }

    /// Asks, and waits for the answer. `None`: none came.
    pub fn ask(&mut self, request: &WorkerRequest, limit: Duration) -> Option<WorkerMessage> {
        let seq = self.send(request);
        self.pump(|it| it.answers.contains_key(&seq) || it.has_another(), limit);
        self.answers.remove(&seq)
    }

    /// Waits while nothing is asked. Whether the worker is still there.
    pub fn idle(&mut self, time: Duration) -> bool {
        self.pump(|_| false, time);
        !self.is_over()
    }

    /// Closes what the worker reads, and waits until everything has ended, or ends it.
    pub fn end(mut self) {
        self.close_input();
        self.pump(|_| false, END);
        self.reap();
    }

    fn reap(&mut self) -> Option<std::process::ExitStatus> {
        let until = Instant::now() + END;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < until && self.is_over() => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                _ => {
                    self.kill();
                    return self.child.wait().ok();
                }
            }
        }
    }

    fn kill(&mut self) {
        let group = Pid::from_raw(self.child.id() as i32);
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.child.kill();
    }

    /// How a start went, for people.
    fn describe(&mut self, way: &str) -> String {
        // Its output ends a moment before it does.
        let until = Instant::now() + Duration::from_millis(if self.is_over() { 300 } else { 0 });
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        let status = match self.child.try_wait() {
            Ok(Some(status)) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("ended with exit code {code}"),
                (None, Some(signal)) => format!("ended by signal {signal}"),
                _ => "ended".to_owned(),
            },
            _ => "was still running".to_owned(),
        };
        let said = String::from_utf8_lossy(&self.stderr).trim().to_owned();
        let said = if said.is_empty() { String::new() } else { format!(", saying `{said}`") };
        format!("{way}: the launcher {status}{said}")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close_input();
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            self.kill();
            let _ = self.child.wait();
        }
    }
}

fn unblock(stream: &impl AsFd) -> io::Result<()> {
    let flags = OFlag::from_bits_truncate(fcntl(stream, FcntlArg::F_GETFL)?);
    fcntl(stream, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// The mode's part of the token that the worker reads.
fn token(letter: char, alone: bool) -> String {
    format!("{letter}.{LIFETIME_S}{}", if alone { ".i" } else { "" })
}

/// Starts the worker by itself, without any launcher.
///
/// # Errors
/// In words, if it does not answer.
pub fn start_alone(setting: &Setting<'_>) -> Result<(Session, Hello), String> {
    let alone = Setting {
        document: None,
        exe: setting.exe.clone(),
        places: setting.places.clone(),
        unique: setting.unique.clone(),
        variables: setting.variables.clone(),
    };
    let mut session = Session::spawn(&alone, &WorkerExecutable::Path, &token('l', false), &[], true)
        .map_err(|error| format!("the worker could not be started by itself: {error}"))?;
    session.pump(|it| it.hello.is_some(), PATIENCE);
    match session.hello.clone() {
        Some(hello) => Ok((session, hello)),
        None => Err(session.describe("by itself")),
    }
}

/// Reaches a worker inside the launcher by the gentlest way that works.
///
/// # Errors
/// If there is none.
pub fn start(setting: &Setting<'_>) -> Result<ReachedWorker, NoWorker> {
    let mut attempts = Vec::new();
    for executable in [ExecutableChoice::Path, ExecutableChoice::Copy, ExecutableChoice::MemFd] {
        let executable = match executable.make(setting) {
            Ok(executable) => executable,
            Err(error) => {
                attempts.push(format!("{}: {error}", executable.as_str()));
                continue;
            }
        };
        match by_input(setting, executable, &mut attempts)? {
            Ok(reached) => return Ok(reached),
            Err(Some(executable)) if matches!(executable, WorkerExecutable::Path) => {
                if let Some(reached) = by_report_file(setting, executable, &mut attempts) {
                    return Ok(reached);
                }
            }
            Err(Some(_)) => {}
            Err(None) => break,
        }
    }
    Err(NoWorker::NotStarted(attempts))
}

/// The executables to try, in order.
#[derive(Debug, Clone, Copy)]
enum ExecutableChoice {
    Path,
    Copy,
    MemFd,
}

impl ExecutableChoice {
    fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Copy => "copy",
            Self::MemFd => "memfd",
        }
    }

    fn make(self, setting: &Setting<'_>) -> io::Result<WorkerExecutable> {
        Ok(match self {
            Self::Path => WorkerExecutable::Path,
            Self::Copy => {
                let copy = own_path(setting, "worker");
                std::fs::copy(&setting.exe, &copy)?;
                let executable: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
                std::fs::set_permissions(&copy, executable)?;
                WorkerExecutable::Copy(copy)
            }
            Self::MemFd => {
                let fd = nix::sys::memfd::memfd_create(c"sandproof", nix::sys::memfd::MFdFlags::empty())?;
                let mut file = File::from(fd);
                io::copy(&mut File::open(&setting.exe)?, &mut file)?;
                WorkerExecutable::MemFd(file.into())
            }
        })
    }
}

/// A path in the workspace that nobody else has.
fn own_path(setting: &Setting<'_>, what: &str) -> PathBuf {
    let name = format!(".sandproof-{}-{what}-{}", setting.unique, &uuid::Uuid::new_v4().simple().to_string()[..8]);
    Path::new(&setting.places.workspace).join(name)
}

/// The same as it is called inside.
fn inside(setting: &Setting<'_>, path: &Path) -> String {
    let path = path.display().to_string();
    let renamed = setting.document.and_then(|document| setting.places.inside(document, &path));
    frame::encode(renamed.unwrap_or(path).as_bytes())
}

/// By standard input, and by what follows from how that goes. The inner error gives the executable back if another one
/// should be tried; `None` if that is of no use.
fn by_input(
    setting: &Setting<'_>,
    executable: WorkerExecutable,
    attempts: &mut Vec<String>,
) -> Result<Result<ReachedWorker, Option<WorkerExecutable>>, NoWorker> {
    let way = executable.as_str();
    let limit = Duration::from_millis(setting.document.map_or(10_000, |document| document.start_timeout_ms));
    let mut session = match Session::spawn(setting, &executable, &token('l', false), &[], true) {
        Ok(session) => session,
        Err(error) => {
            attempts.push(format!("{way}: the launcher could not be started: {error}"));
            return Ok(Err(None));
        }
    };
    let ping = session.send(&WorkerRequest::Ping);
    session.pump(|it| it.hello.is_some(), PATIENCE.min(limit));
    if session.hello.is_none() && !session.alive && !session.is_over() {
        // Somebody may collect the whole input first.
        session.close_input();
        let left = limit.saturating_sub(session.age()).max(AFTER_CLOSE);
        session.pump(|it| it.hello.is_some() && it.answers.contains_key(&ping), left);
    } else if session.hello.is_none() {
        session.pump(|it| it.hello.is_some(), limit.saturating_sub(session.age()).min(AFTER_CLOSE));
    }
    let reached = |mode, hello, fresh, session, attempts: &mut Vec<String>, executable| ReachedWorker {
        mode,
        executable,
        hello,
        fresh,
        attempts: std::mem::take(attempts),
        session,
    };
    if session.has_another() {
        attempts.push(format!("{way}: {} workers answered", session.instances.len()));
        return Err(NoWorker::Many(std::mem::take(attempts)));
    }
    let Some(hello) = session.hello.clone() else {
        if session.alive {
            let step = session.steps.last().map_or("alive", String::as_str).to_owned();
            attempts.push(session.describe(&format!("{way}: the worker ended after its step `{step}`")));
            drop(session);
            return Ok(match by_arguments(setting, &executable, true, attempts) {
                Some(hello) => Ok(reached(StartMode::Argv, hello, true, None, attempts, executable)),
                None => Err(Some(executable)),
            });
        }
        // Give it the time to say how it ended.
        session.pump(|_| false, Duration::from_millis(50));
        attempts.push(session.describe(way));
        return Ok(Err(Some(executable)));
    };
    let had_input = session.input.is_some();
    if had_input {
        session.pump(|it| it.answers.contains_key(&ping), PONG);
        let again = (!session.answers.contains_key(&ping)).then(|| session.send(&WorkerRequest::Ping));
        let answered =
            |it: &Session| it.answers.contains_key(&ping) || again.is_some_and(|seq| it.answers.contains_key(&seq));
        if again.is_some() {
            session.pump(answered, PONG / 2);
        }
        if session.has_another() {
            attempts.push(format!("{way}: {} workers answered", session.instances.len()));
            return Err(NoWorker::Many(std::mem::take(attempts)));
        }
        if answered(&session) && !session.is_over() {
            return Ok(Ok(reached(StartMode::Live, hello, false, Some(session), attempts, executable)));
        }
        session.close_input();
        session.pump(answered, AFTER_CLOSE);
        if answered(&session) {
            attempts.push("live: requests arrived only after the input had ended".into());
            drop(session);
            return Ok(Ok(reached(StartMode::Batch, hello, false, None, attempts, executable)));
        }
    } else if session.answers.contains_key(&ping) {
        attempts.push("live: nothing came before the input had ended".into());
        drop(session);
        return Ok(Ok(reached(StartMode::Batch, hello, false, None, attempts, executable)));
    }
    attempts.push("live: the worker said hello, and requests do not reach it".into());
    drop(session);
    if let Some(session) = by_mailbox(setting, &executable) {
        return Ok(Ok(reached(StartMode::Mailbox, hello, false, Some(session), attempts, executable)));
    }
    attempts.push("mailbox: a file in the workspace does not reach it".into());
    Ok(match by_arguments(setting, &executable, false, attempts) {
        Some(hello) => Ok(reached(StartMode::Argv, hello, false, None, attempts, executable)),
        None => Err(None),
    })
}

/// By a file in the workspace.
fn by_mailbox(setting: &Setting<'_>, executable: &WorkerExecutable) -> Option<Session> {
    let path = own_path(setting, "mail");
    let file = File::create(&path).ok()?;
    let readable: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    let _ = std::fs::set_permissions(&path, readable);
    let more = [inside(setting, &path)];
    let session = Session::spawn(setting, executable, &token('m', false), &more, false);
    let Ok(mut session) = session else {
        let _ = std::fs::remove_file(&path);
        return None;
    };
    session.mailbox = Some((path, file));
    session.pump(|it| it.hello.is_some(), PATIENCE);
    session.ask(&WorkerRequest::Ping, PONG)?;
    Some(session)
}

/// By arguments; whether the worker answers that way.
fn by_arguments(
    setting: &Setting<'_>,
    executable: &WorkerExecutable,
    alone: bool,
    attempts: &mut Vec<String>,
) -> Option<Hello> {
    let mut session = by_arguments_with(setting, executable, alone, &[WorkerRequest::Ping])?;
    session.pump(|it| it.said_bye, PATIENCE);
    let answered = session.answers.contains_key(&1);
    if !answered {
        attempts.push(session.describe("argv"));
    }
    session.hello.clone().filter(|_| answered)
}

fn by_arguments_with(
    setting: &Setting<'_>,
    executable: &WorkerExecutable,
    alone: bool,
    requests: &[WorkerRequest],
) -> Option<Session> {
    let bodies: Vec<String> =
        requests.iter().map(|request| frame::encode(&serde_json::to_vec(request).unwrap_or_default())).collect();
    Session::spawn(setting, executable, &token('a', alone), &bodies, false).ok()
}

/// With answers in a file of the workspace.
fn by_report_file(
    setting: &Setting<'_>,
    executable: WorkerExecutable,
    attempts: &mut Vec<String>,
) -> Option<ReachedWorker> {
    let mut session = with_report_file(setting, &executable)?;
    let ping = session.send(&WorkerRequest::Ping);
    session.close_input();
    session.pump(|it| it.answers.contains_key(&ping), AFTER_CLOSE);
    let hello = session.hello.clone().filter(|_| session.answers.contains_key(&ping));
    finish_report_file(&mut session);
    let hello = hello?;
    attempts.push("output: what the worker prints does not come back".into());
    Some(ReachedWorker {
        mode: StartMode::ReportFile,
        executable,
        hello,
        fresh: false,
        attempts: std::mem::take(attempts),
        session: None,
    })
}

fn with_report_file(setting: &Setting<'_>, executable: &WorkerExecutable) -> Option<Session> {
    let path = own_path(setting, "report");
    File::create(&path).ok()?;
    let writable: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    let _ = std::fs::set_permissions(&path, writable);
    let more = [inside(setting, &path)];
    match Session::spawn(setting, executable, &token('f', false), &more, true) {
        Ok(mut session) => {
            session.report_file = Some((path, 0));
            Some(session)
        }
        Err(_) => {
            let _ = std::fs::remove_file(&path);
            None
        }
    }
}

fn finish_report_file(session: &mut Session) {
    session.read_report_file();
    if let Some((path, _)) = session.report_file.take() {
        let _ = std::fs::remove_file(path);
    }
}

/// Asks everything at once in a start of its own. An answer is missing where none came; the second value says whether
/// another worker answered too.
pub fn ask_at_once(
    setting: &Setting<'_>,
    reached: &ReachedWorker,
    requests: &[WorkerRequest],
    limit: Duration,
) -> (Vec<Option<WorkerMessage>>, bool) {
    let none = || (vec![None; requests.len()], false);
    let session = match reached.mode {
        StartMode::Argv => by_arguments_with(setting, &reached.executable, reached.fresh, requests),
        StartMode::ReportFile => with_report_file(setting, &reached.executable),
        _ => Session::spawn(setting, &reached.executable, &token('l', false), &[], true).ok(),
    };
    let Some(mut session) = session else { return none() };
    if reached.mode != StartMode::Argv {
        for request in requests {
            session.send(request);
        }
        session.close_input();
    }
    session.pump(|it| it.said_bye || it.has_another(), limit);
    finish_report_file(&mut session);
    let another = session.has_another();
    let answers = (1..=requests.len() as u64).map(|seq| session.answers.remove(&seq)).collect();
    // A launcher that carries something back does it at its end.
    session.end();
    (answers, another)
}
