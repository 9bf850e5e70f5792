//! Running a system tool to its end: bounded in time and output, with a listed environment.

use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Most bytes that are kept of each stream.
const MAX_OUTPUT_BYTES: u64 = 1024 * 1024;
/// How often the end is looked for.
const POLL: Duration = Duration::from_millis(2);

/// What a tool did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolOutput {
    /// What was called.
    pub argv: Vec<String>,
    /// Its exit code, if it exited.
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
}

/// A tool that could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It could not be started.
    #[error("could not start `{}`", tool.display())]
    Start {
        /// The tool.
        tool: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It did not end in time, and was killed.
    #[error("`{}` did not end within {limit_s} s and was killed", tool.display())]
    Expired {
        /// The tool.
        tool: PathBuf,
        /// The limit, in seconds.
        limit_s: u64,
    },
    /// Waiting for it failed.
    #[error("could not wait for `{}`", tool.display())]
    Wait {
        /// The tool.
        tool: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
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
    let mut child = Command::new(tool)
        .args(arguments)
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|source| ToolError::Start { tool: tool.to_owned(), source })?;
    // Both streams are drained meanwhile, so that a tool that says much does not wait for its reader.
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let status = wait(&mut child, limit).map_err(|source| ToolError::Wait { tool: tool.to_owned(), source })?;
    let Some(status) = status else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(ToolError::Expired { tool: tool.to_owned(), limit_s: limit.as_secs() });
    };
    let mut argv = vec![tool.to_string_lossy().into_owned()];
    argv.extend_from_slice(arguments);
    Ok(ToolOutput {
        argv,
        code: status.code(),
        signal: status.signal(),
        stdout: stdout.join().unwrap_or_default(),
        stderr: stderr.join().unwrap_or_default(),
    })
}

fn drain(stream: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            let _ = stream.by_ref().take(MAX_OUTPUT_BYTES).read_to_end(&mut bytes);
            let _ = io::copy(&mut stream, &mut io::sink());
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<std::process::ExitStatus>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() >= limit {
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
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
    fn a_tool_that_does_not_end_is_ended() {
        assert!(matches!(sh("sleep 60", Duration::from_millis(50)), Err(ToolError::Expired { .. })));
        assert!(matches!(
            run(Path::new("/nonexistent/tool"), &[], &[], Duration::from_secs(1)),
            Err(ToolError::Start { .. })
        ));
    }
}
