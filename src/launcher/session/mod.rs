//! One start of a launcher: what is written to the worker inside of it, and what comes back.

mod ending;
mod ladder;
#[cfg(target_os = "linux")]
#[path = "nameless_linux.rs"]
mod nameless;
#[cfg(target_os = "macos")]
#[path = "nameless_macos.rs"]
mod nameless;
mod unreached;

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::launcher::frame::{self, Direction, FrameReader, SessionKey};
use crate::launcher::said::{Hello, LAST, SUBCOMMAND, UNASKED, WorkerMessage, WorkerRequest};
use crate::policy::launcher::{LauncherDocument, StartTexts};
use crate::record::launcher::{NamedExecutable, StartMode};
use crate::sys::native::tty::SessionTerminal;
pub use ladder::{ask_at_once, patience, start, start_alone};
use nameless::NamelessFile;
pub use unreached::NotStarted;

/// How long the launcher may take to end once the worker's input is closed.
const END: Duration = Duration::from_secs(5);
/// How much longer than the first worker a second one may take to say that it lives.
const LATER: Duration = Duration::from_secs(1);
/// How many requests are with a worker at a time: as many as its input holds, whatever they say, while it writes an answer.
const UNDER_WAY: usize = 4;
/// The most bytes that are kept of what a launcher says, of each of its streams.
const SAID_BYTES: usize = 300;

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
    /// The terminal that controls the launcher's session, if a question is about one.
    pub terminal: Option<SessionTerminal>,
    /// The same of the worker that is started by itself.
    pub own_terminal: Option<SessionTerminal>,
}

/// As what the worker's executable is named to the launcher.
#[derive(Debug)]
pub enum WorkerExecutable {
    /// The path of this executable itself.
    Path,
    /// A copy in the workspace.
    Copy(PathBuf),
    /// An inherited descriptor.
    MemFd(NamelessFile),
}

impl WorkerExecutable {
    /// Which of them it is.
    pub fn named(&self) -> NamedExecutable {
        match self {
            Self::Path => NamedExecutable::Itself,
            Self::Copy(_) => NamedExecutable::Copy,
            Self::MemFd(_) => NamedExecutable::Memfd,
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
    NotStarted(NotStarted),
    /// Several did: what was tried.
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
    /// When the first worker said hello.
    greeted: Option<Instant>,
    alive: bool,
    steps: Vec<String>,
    hello: Option<Hello>,
    instances: Vec<String>,
    answers: BTreeMap<u64, WorkerMessage>,
    said_bye: bool,
    /// What begins its streams.
    said: [Vec<u8>; 2],
    /// What each start has of its own in the launcher's words, and what stands for it, so that rows of one cause read alike.
    own: Vec<(String, &'static str)>,
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
            WorkerExecutable::MemFd(file) => file.name(),
        };
        let token = format!("{}.{mode}", key.as_str());
        let folders = [(&setting.places.workspace, "${workspace}"), (&setting.places.outside, "${outside}")];
        let mut own = vec![(named.clone(), "${probe}"), (token.clone(), "…")];
        own.extend(folders.map(|(path, name)| (path.clone(), name)).into_iter().filter(|(path, _)| !path.is_empty()));
        let mut probe = vec![named, SUBCOMMAND.to_owned(), token];
        probe.extend_from_slice(more);
        let places = StartTexts { probe, ..setting.places.clone() };
        let words = match setting.document {
            Some(document) => places.command(&document.argv),
            None => places.probe.clone(),
        };
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(&setting.places.workspace);
        match setting.document.map_or(setting.own_terminal, |_| setting.terminal) {
            Some(terminal) => terminal.lead(&mut command),
            None => {
                command.process_group(0);
            }
        }
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
            greeted: None,
            alive: false,
            steps: Vec::new(),
            hello: None,
            instances: Vec::new(),
            answers: BTreeMap::new(),
            said_bye: false,
            said: [Vec::new(), Vec::new()],
            own,
            next: 1,
        })
    }

    /// The key of this start, which stands among the worker's arguments.
    pub fn key(&self) -> &SessionKey {
        &self.key
    }

    /// How long the first worker took to say hello.
    pub fn hello_took(&self) -> Duration {
        self.greeted.map_or(Duration::ZERO, |greeted| greeted.duration_since(self.started))
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
        let room = SAID_BYTES.saturating_sub(self.said[stream].len());
        self.said[stream].extend_from_slice(&bytes[..bytes.len().min(room)]);
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
            WorkerMessage::Hello(hello) if self.hello.is_none() => {
                self.greeted = Some(Instant::now());
                self.hello = Some(*hello);
            }
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
                    Ok(count) => self.take(1, &buffer[..count]),
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

    /// Asks several things, each in the time that stands beside it, until one has no answer or one that `is_plain` does not hold
    /// of, and gives the answers before that. A few requests are always with the worker, so that it need not wait for this
    /// process in between: they must be such as can be put again.
    pub fn ask_each(
        &mut self,
        requests: &[(WorkerRequest, Duration)],
        is_plain: impl Fn(&WorkerMessage) -> bool,
    ) -> Vec<WorkerMessage> {
        let mut unsent = requests.iter();
        let mut under_way = VecDeque::new();
        let mut answers = Vec::with_capacity(requests.len());
        let mut plain = true;
        loop {
            while plain && under_way.len() < UNDER_WAY {
                let Some((request, limit)) = unsent.next() else { break };
                under_way.push_back((self.send(request), *limit));
            }
            let Some((seq, limit)) = under_way.pop_front() else { return answers };
            self.pump(|it| it.answers.contains_key(&seq) || it.has_another(), limit);
            let answer = self.answers.remove(&seq).filter(|_| !self.has_another());
            if answer.is_none() {
                // Nothing will come for those behind it either.
                return answers;
            }
            let answer = answer.filter(|answer| plain && is_plain(answer));
            plain = answer.is_some();
            answers.extend(answer);
        }
    }

    /// Waits while nothing is asked. Whether the worker is still there.
    pub fn idle(&mut self, time: Duration) -> bool {
        self.pump(|_| false, time);
        !self.is_over()
    }

    /// Hears whatever else is said while nothing is asked, until a second worker would have begun too: the start is as old as
    /// `at_least`, and it is as long ago that the first one said hello as that took, but at most `LATER`. Whether there is a second.
    pub fn hear_out(&mut self, at_least: Duration) -> bool {
        let took = self.hello_took();
        let age = at_least.max(took + took.min(LATER));
        // What has come by now is read in any case.
        self.pump(Self::has_another, age.saturating_sub(self.age()).max(Duration::from_millis(1)));
        self.has_another()
    }

    /// Closes what the worker reads, and waits until everything has ended, or ends it. Whether another worker than the first has
    /// said something by then.
    pub fn end(mut self) -> bool {
        self.close_input();
        self.pump(|_| false, END);
        self.reap();
        self.has_another()
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::launcher::said::PathIdentity;

    fn setting<'a>(document: Option<&'a LauncherDocument>, workspace: &Path) -> Setting<'a> {
        let places = StartTexts { workspace: workspace.to_str().unwrap().to_owned(), ..StartTexts::default() };
        Setting {
            document,
            exe: "/bin/cat".into(),
            places,
            unique: "u".into(),
            variables: Vec::new(),
            terminal: None,
            own_terminal: None,
        }
    }

    #[test]
    fn only_the_first_worker_of_a_start_is_heard_and_its_first_words_count() {
        let folder = tempfile::tempdir().unwrap();
        let mut session =
            Session::spawn(&setting(None, folder.path()), &WorkerExecutable::Path, "l.1", &[], true).unwrap();
        let key = session.key.clone();
        let say = |session: &mut Session, instance: &str, seq: u64, said: WorkerMessage| {
            let body = serde_json::to_vec(&said).unwrap();
            session.take(0, &frame::lines(&key, Direction::Report, seq, instance, &body));
        };
        let hello = |pid| WorkerMessage::Hello(Box::new(Hello { pid, ..Hello::default() }));
        say(&mut session, "a", UNASKED, hello(1));
        say(&mut session, "a", UNASKED, hello(2));
        assert_eq!(session.hello.as_ref().map(|hello| hello.pid), Some(1));
        say(&mut session, "a", 1, WorkerMessage::Pong);
        say(&mut session, "a", 1, WorkerMessage::Looked(Ok(PathIdentity::default())));
        assert_eq!(session.answers.get(&1), Some(&WorkerMessage::Pong));
        assert!(!session.has_another());
        say(&mut session, "b", 2, WorkerMessage::Pong);
        assert!(session.has_another());
        assert_eq!(session.answers.get(&2), None, "what another worker says is no answer");
    }

    #[test]
    fn a_launcher_is_given_the_variables_of_its_document_with_their_placeholders_filled() {
        let folder = tempfile::tempdir().unwrap();
        let script = "printf %s \"$GIVEN\" >\"$1\"";
        let argv = ["sh", "-c", script, "sh", "${workspace}/given"].map(str::to_owned);
        let mut document = LauncherDocument::of_command("box", argv.to_vec());
        document.env = [("GIVEN".to_owned(), "in ${workspace}".to_owned())].into();
        let setting = setting(Some(&document), folder.path());
        Session::spawn(&setting, &WorkerExecutable::Path, "l.1", &[], true).unwrap().end();
        let given = std::fs::read_to_string(folder.path().join("given")).unwrap();
        assert_eq!(given, format!("in {}", folder.path().display()));
    }
}
