//! Running a system tool to its end: bounded in time and output, with a listed environment.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Most bytes that are kept of each stream of a tool of the system.
const MAX_OUTPUT_BYTES: usize = 1024 * 1024;
/// How often the end is looked for.
const POLL_MS: u16 = 2;
/// How long after the tool's end its streams may stay open: what it started may hold them, and is not waited for.
const STREAMS_LIMIT: Duration = Duration::from_millis(500);
/// How long a tool that was killed may take to end.
const KILL_LIMIT: Duration = Duration::from_secs(2);

/// What a tool did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolOutput {
    /// The tool's path and its arguments.
    pub argv: Vec<String>,
    /// Exit code; `None` if a signal ended the tool.
    pub code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Standard output, as far as it is kept; bytes that are no text are replaced.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
}

impl ToolOutput {
    /// Whether it exited with code 0.
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }

    /// Its exit code, negative for a signal.
    pub fn exit_status(&self) -> Option<i32> {
        self.code.or(self.signal.map(|signal| -signal))
    }

    /// What it said and how it ended, in one line.
    pub fn in_a_line(&self) -> String {
        let text = if self.stderr.trim().is_empty() { self.stdout.trim() } else { self.stderr.trim() };
        let how = match (self.code, self.signal) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "no exit code".to_string(),
        };
        format!("{} ({how})", text.replace('\n', "; "))
    }
}

/// A tool that could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It could not be started.
    #[error("could not start `{}`", tool.display())]
    Start {
        /// The tool's path.
        tool: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// It did not end in time, and was killed.
    #[error("`{}` did not end within {limit_s} s and was killed", tool.display())]
    Expired {
        /// The tool's path.
        tool: PathBuf,
        /// The limit, in seconds.
        limit_s: u64,
    },
    /// Somebody asked to stop, and it was killed.
    #[error("`{}` was ended, because somebody asked to stop", tool.display())]
    Stopped {
        /// The tool's path.
        tool: PathBuf,
    },
    /// Waiting for it failed.
    #[error("could not wait for `{}`", tool.display())]
    Wait {
        /// The tool's path.
        tool: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

/// How a tool is called.
#[derive(Clone, Copy)]
pub struct ToolCall<'a> {
    /// The tool. A bare name is looked up along `PATH`.
    pub tool: &'a Path,
    /// Words behind the tool's name, in order.
    pub arguments: &'a [String],
    /// The variables that it gets.
    pub environment: ToolEnvironment<'a>,
    /// The folder that it is called in.
    pub folder: &'a Path,
    /// What it reads on standard input. `None`: nothing.
    pub input: Option<&'a File>,
    /// How long it may take.
    pub limit: Duration,
    /// Most bytes that are kept of each stream.
    pub most_bytes: usize,
    /// Whether somebody asked to stop. Asked while the tool runs.
    pub stop: &'a dyn Fn() -> bool,
}

/// The environment of a tool.
#[derive(Debug, Clone, Copy)]
pub enum ToolEnvironment<'a> {
    /// Nothing but these variables.
    Only(&'a [(String, String)]),
    /// That of this process.
    Own,
}

/// Runs `tool` with these arguments and nothing but this environment, and waits for its end.
///
/// # Errors
/// See [`ToolError`]. A tool that fails is no error.
pub fn run(
    tool: &Path,
    arguments: &[String],
    environment: &[(String, String)],
    limit: Duration,
) -> Result<ToolOutput, ToolError> {
    call(ToolCall {
        tool,
        arguments,
        environment: ToolEnvironment::Only(environment),
        folder: Path::new("/"),
        input: None,
        limit,
        most_bytes: MAX_OUTPUT_BYTES,
        stop: &|| false,
    })
}

/// Calls a tool, and waits for its end.
///
/// The tool gets a process group of its own. What is left of the group, when the tool or its time has ended, is killed.
///
/// # Errors
/// See [`ToolError`]. A tool that fails is no error.
#[expect(clippy::disallowed_methods, reason = "the home of tools: limited in time, ended with their group")]
pub fn call(asked: ToolCall<'_>) -> Result<ToolOutput, ToolError> {
    let ToolCall { tool, arguments, limit, most_bytes, .. } = asked;
    let start = |source| ToolError::Start { tool: tool.to_owned(), source };
    let mut command = Command::new(tool);
    if let ToolEnvironment::Only(environment) = asked.environment {
        command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    }
    let input = match asked.input {
        Some(file) => Stdio::from(file.try_clone().map_err(start)?),
        None => Stdio::null(),
    };
    let mut child = command
        .args(arguments)
        .current_dir(asked.folder)
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(start)?;
    let mut streams =
        (ToolStream::of(child.stdout.take(), most_bytes), ToolStream::of(child.stderr.take(), most_bytes));
    let status = match wait(&mut child, limit, asked.stop, &mut streams.0, &mut streams.1) {
        Ok(ToolEnd::Ended(status)) => status,
        ended => {
            end(&mut child);
            return Err(match ended {
                Err(source) => ToolError::Wait { tool: tool.to_owned(), source },
                Ok(ToolEnd::Stopped) => ToolError::Stopped { tool: tool.to_owned() },
                Ok(_) => ToolError::Expired { tool: tool.to_owned(), limit_s: limit.as_secs() },
            });
        }
    };
    if !(streams.0.ended() && streams.1.ended()) {
        let _ = killpg(group_of(&child), Signal::SIGKILL);
    }
    let mut argv = vec![tool.to_string_lossy().into_owned()];
    argv.extend_from_slice(arguments);
    Ok(ToolOutput {
        argv,
        code: status.code(),
        signal: status.signal(),
        stdout: streams.0.text(),
        stderr: streams.1.text(),
    })
}

/// One stream of a tool, read as far as that never waits.
struct ToolStream<P> {
    /// `None` once it has ended.
    pipe: Option<P>,
    kept: Vec<u8>,
    most_bytes: usize,
}

/// How waiting for a tool ended.
enum ToolEnd {
    Ended(std::process::ExitStatus),
    Expired,
    Stopped,
}

impl<P: Read + AsFd> ToolStream<P> {
    fn of(pipe: Option<P>, most_bytes: usize) -> Self {
        // One that would make its reader wait is not read at all.
        let pipe = pipe.filter(|pipe| fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).is_ok());
        Self { pipe, kept: Vec::new(), most_bytes }
    }

    /// Takes what is there. What is too much is read and dropped, so that the tool does not wait for its reader.
    fn drain(&mut self) {
        let mut chunk = [0; 8 * 1024];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut chunk) {
                Ok(0) => self.pipe = None,
                Ok(count) => {
                    let room = self.most_bytes - self.kept.len();
                    self.kept.extend_from_slice(&chunk[..count.min(room)]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.pipe = None,
            }
        }
    }

    fn ended(&self) -> bool {
        self.pipe.is_none()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.kept).into_owned()
    }
}

/// Waits for the tool's end and then, a little, for that of its streams.
fn wait(
    child: &mut Child,
    limit: Duration,
    stop: &dyn Fn() -> bool,
    stdout: &mut ToolStream<impl Read + AsFd>,
    stderr: &mut ToolStream<impl Read + AsFd>,
) -> io::Result<ToolEnd> {
    let started = Instant::now();
    let mut ended = None;
    loop {
        if ended.is_none() {
            ended = child.try_wait()?.map(|status| (status, Instant::now()));
        }
        stdout.drain();
        stderr.drain();
        match ended {
            Some((status, at)) if (stdout.ended() && stderr.ended()) || at.elapsed() >= STREAMS_LIMIT => {
                return Ok(ToolEnd::Ended(status));
            }
            None if started.elapsed() >= limit => return Ok(ToolEnd::Expired),
            None if stop() => return Ok(ToolEnd::Stopped),
            _ => {}
        }
        let open = stdout.pipe.as_ref().map(AsFd::as_fd).into_iter().chain(stderr.pipe.as_ref().map(AsFd::as_fd));
        let mut watched: Vec<PollFd<'_>> = open.map(|pipe| PollFd::new(pipe, PollFlags::POLLIN)).collect();
        let _ = poll(&mut watched, PollTimeout::from(POLL_MS));
    }
}

/// Ends a tool and what it started, and reaps it unless it hangs in the kernel.
fn end(child: &mut Child) {
    let _ = killpg(group_of(child), Signal::SIGKILL);
    let _ = child.kill();
    let told = Instant::now();
    while let Ok(None) = child.try_wait()
        && told.elapsed() < KILL_LIMIT
    {
        std::thread::sleep(Duration::from_millis(POLL_MS.into()));
    }
}

fn group_of(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, limit: Duration) -> Result<ToolOutput, ToolError> {
        let environment = [("ONLY".to_string(), "this".to_string())];
        run(Path::new("/bin/sh"), &["-c".to_string(), script.to_string()], &environment, limit)
    }

    #[test]
    fn streams_codes_and_signals_stay_apart() {
        let out = sh("echo out; echo err >&2; exit 3", Duration::from_secs(20)).unwrap();
        assert_eq!((out.stdout.as_str(), out.stderr.as_str(), out.code), ("out\n", "err\n", Some(3)));
        let killed = sh("kill -9 $$", Duration::from_secs(20)).unwrap();
        assert_eq!((killed.code, killed.signal), (None, Some(9)));
    }

    #[test]
    fn only_the_listed_environment_is_there() {
        let out = run(Path::new("/usr/bin/env"), &[], &[("A".into(), "b".into())], Duration::from_secs(20)).unwrap();
        assert_eq!(out.stdout, "A=b\n");
    }

    #[test]
    fn what_a_tool_started_neither_keeps_its_caller_waiting_nor_outlives_it() {
        for (script, limit_s) in [("exit 0", 20), ("wait", 1)] {
            let folder = tempfile::tempdir().unwrap();
            let note = folder.path().join("pid");
            let started = Instant::now();
            let script = format!("sleep 30 & echo $! > {}; {script}", note.display());
            let ran = sh(&script, Duration::from_secs(limit_s));
            assert_eq!(ran.is_ok(), limit_s == 20, "{ran:?}");
            assert!(started.elapsed() < Duration::from_secs(10), "{script}: {:?}", started.elapsed());
            let pid: i32 = std::fs::read_to_string(&note).unwrap().trim().parse().unwrap();
            // It is killed at once, and reaped by whoever adopts it, perhaps a little later or never.
            let is_over = || match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
                Ok(stat) => stat.contains(") Z "),
                Err(_) => nix::sys::signal::kill(Pid::from_raw(pid), None).is_err() || !Path::new("/proc").exists(),
            };
            while !is_over() {
                assert!(started.elapsed() < Duration::from_secs(20), "{script}: process {pid} is still there");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    #[test]
    fn a_tool_reads_what_it_is_given_in_its_folder_and_is_ended_when_somebody_asks() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("in"), "asked").unwrap();
        let input = File::open(folder.path().join("in")).unwrap();
        let asked = ToolCall {
            tool: Path::new("sh"),
            arguments: &["-c".into(), "pwd; cat; printf %s \"$ONLY$PATH\" | wc -c >&2".into()],
            environment: ToolEnvironment::Own,
            folder: folder.path(),
            input: Some(&input),
            limit: Duration::from_secs(20),
            most_bytes: 8,
            stop: &|| false,
        };
        let out = call(asked).unwrap();
        let all = format!("{}\nasked", folder.path().canonicalize().unwrap().display());
        assert_eq!(out.stdout, all[..8], "no more is kept than was asked for");
        assert_ne!(out.stderr.trim(), "0", "it has this process's environment");
        let waits: &[String] = &["-c".into(), "sleep 60".into()];
        let stopped = call(ToolCall { arguments: waits, stop: &|| true, ..asked });
        assert!(matches!(stopped, Err(ToolError::Stopped { .. })), "{stopped:?}");
    }

    #[test]
    fn a_tool_that_does_not_end_is_ended() {
        assert!(matches!(sh("sleep 60", Duration::from_millis(50)), Err(ToolError::Expired { .. })));
        assert!(matches!(
            run(Path::new("/nonexistent/tool"), &[], &[], Duration::from_secs(1)),
            Err(ToolError::Start { .. })
        ));
    }
}
