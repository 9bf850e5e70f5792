//! Reading `launchctl print DOMAIN/LABEL`.
//!
//! Apple declares that text to be no interface (launchctl(1)), so it is read leniently and never guessed at: a line that
//! is missing, doubled or strange makes its fact unknown, and unknown is never taken for an end.

use crate::record::channel_witness::{LAUNCHD_DEFAULT_ENVIRONMENT, LAUNCHD_ENVIRONMENT, LAUNCHD_INHERITED_ENVIRONMENT};

/// What launchd says of a loaded job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PrintedJob {
    /// `state`, as launchctl writes it; `None` if it is not there.
    pub(super) state: Option<String>,
    /// `pid`; `None` if no process of the job runs.
    pub(super) pid: Option<i32>,
    /// `runs`: how often it was started.
    pub(super) runs: Option<u32>,
    /// `path`: the job definition.
    pub(super) path: Option<String>,
    /// `last exit code`, which also says that the job never ended.
    pub(super) exit: LastExit,
    /// The job's own lines, in order, without those of the blocks inside.
    pub(super) lines: Vec<(String, String)>,
    /// The blocks on the job's environment, in order, each with its lines.
    pub(super) environment: Vec<(String, String)>,
}

/// How the job's last run ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum LastExit {
    /// There is no line about it that can be read.
    #[default]
    Unknown,
    /// `(never exited)`
    Never,
    /// It exited with that code.
    Code(i32),
    /// A signal ended it; its number, if the line has one.
    Signal(Option<i32>),
}

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has not been started yet, or is about to be started again.
    Pending,
    /// It has a process.
    Running,
    /// It was started and has no process any more.
    Ended,
    /// The text does not tell.
    Unknown,
}

/// Reads the text.
pub(super) fn parse(text: &str) -> PrintedJob {
    let lines = own_lines(text);
    let value = |wanted: &str| {
        let mut found = lines.iter().filter(|(key, _)| key == wanted).map(|(_, value)| value.as_str());
        let first = found.next()?;
        // Two lines that differ leave the fact unknown.
        found.all(|other| other == first).then_some(first)
    };
    PrintedJob {
        state: value("state").filter(|state| !state.is_empty()).map(str::to_lowercase),
        pid: value("pid").and_then(|text| text.parse().ok()).filter(|pid| *pid > 0),
        runs: value("runs").and_then(|text| text.parse().ok()),
        path: value("path").filter(|path| path.starts_with('/')).map(str::to_owned),
        exit: last_exit(&lines, value("last exit code")),
        lines,
        environment: environment(text),
    }
}

/// The `KEY = VALUE` lines of the outermost block. Blocks inside it (arguments, environment, …) hold texts that others
/// chose; their lines are indented deeper.
fn own_lines(text: &str) -> Vec<(String, String)> {
    let Some(own) = own_depth(text) else { return Vec::new() };
    text.lines()
        .filter(|line| depth(line) == own)
        .filter_map(|line| line.trim().split_once(" = "))
        .filter(|(_, value)| *value != "{")
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

fn depth(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

/// How deep the outermost block's own lines are indented.
fn own_depth(text: &str) -> Option<usize> {
    text.lines().filter(|line| !line.trim().is_empty()).map(depth).filter(|depth| *depth > 0).min()
}

/// Whether a block is about the job's environment.
pub(super) fn is_environment(key: &str) -> bool {
    [LAUNCHD_ENVIRONMENT, LAUNCHD_DEFAULT_ENVIRONMENT, LAUNCHD_INHERITED_ENVIRONMENT].contains(&key)
}

/// The blocks on the environment: every one, in order, with its lines without their indentation. A value can hold line
/// ends and so look like a block of its own; whoever reads them has to mind that one stands there twice then.
fn environment(text: &str) -> Vec<(String, String)> {
    let Some(own) = own_depth(text) else { return Vec::new() };
    let mut found: Vec<(String, Vec<&str>)> = Vec::new();
    let mut inside = false;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        if depth(line) > own {
            if let (true, Some((_, lines))) = (inside, found.last_mut()) {
                lines.push(line.trim());
            }
            continue;
        }
        let opened = line.trim().strip_suffix(" = {").filter(|key| depth(line) == own && is_environment(key));
        inside = opened.is_some();
        found.extend(opened.map(|key| (key.to_owned(), Vec::new())));
    }
    found.into_iter().map(|(key, lines)| (key, lines.join("\n"))).collect()
}

fn last_exit(lines: &[(String, String)], code: Option<&str>) -> LastExit {
    // The exact key is not documented; "last terminating signal" has been seen. A value in parentheses is launchd's way to
    // say that there was none, as in "(never exited)".
    let signal = lines.iter().find(|(key, value)| is_signal_line(key) && !value.starts_with('('));
    if let Some((_, value)) = signal {
        // "Killed: 9", "9", or words alone.
        let number = value.rsplit([':', ' ']).next().and_then(|word| word.trim().parse().ok());
        return LastExit::Signal(number.filter(|number| (1..128).contains(number)));
    }
    match code {
        None => LastExit::Unknown,
        Some("(never exited)") => LastExit::Never,
        // "78" or "78: EX_CONFIG" (sysexits(3)).
        Some(text) => match text.split(':').next().unwrap_or(text).trim().parse() {
            Ok(code) if (0..=255).contains(&code) => LastExit::Code(code),
            _ => LastExit::Unknown,
        },
    }
}

/// Whether the line is about the signal that ended the last run.
pub(super) fn is_signal_line(key: &str) -> bool {
    key.starts_with("last ") && key.contains("signal")
}

impl PrintedJob {
    /// Where the job is in its life.
    pub(super) fn phase(&self) -> Phase {
        let state = self.state.as_deref();
        let idle = state.is_some_and(|state| state.starts_with("not running") || state.starts_with("exited"));
        match self.pid {
            Some(_) if idle => return Phase::Unknown,
            Some(_) => return Phase::Running,
            None => {}
        }
        let was_started =
            self.runs.is_some_and(|runs| runs > 0) || matches!(self.exit, LastExit::Code(_) | LastExit::Signal(_));
        match state {
            Some("running") => Phase::Running,
            Some(state) if state.starts_with("spawn") || state == "waiting" => Phase::Pending,
            _ if idle && was_started => Phase::Ended,
            _ if idle && (self.runs == Some(0) || self.exit == LastExit::Never) => Phase::Pending,
            _ => Phase::Unknown,
        }
    }

    /// The exit code, if it ended by exiting.
    pub(super) fn exit_code(&self) -> Option<i32> {
        match self.exit {
            LastExit::Code(code) if self.phase() == Phase::Ended => Some(code),
            _ => None,
        }
    }

    /// The signal, if one ended it.
    pub(super) fn signal(&self) -> Option<i32> {
        match self.exit {
            LastExit::Signal(number) if self.phase() == Phase::Ended => number,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The form that launchd prints, shortened; blocks inside carry texts made to mislead.
    fn text(lines: &str) -> String {
        let body: String = lines.lines().map(|line| format!("\t{line}\n")).collect();
        format!(
            "gui/501/a.b = {{\n\tactive count = 1\n\tpath = /private/tmp/s/a.b.plist\n\ttype = LaunchAgent\n{body}\
             \n\tprogram = /s/sandproof\n\targuments = {{\n\t\t/s/sandproof\n\t\tstate = not running\n\t\tpid = 7\n\
             \t\tlast exit code = 0\n\t}}\n\n\tenvironment = {{\n\t\truns => 9\n\t\tstate = running\n\t}}\n\n\
             \tproperties = runatload\n}}\n"
        )
    }

    #[test]
    fn every_stage_of_a_life_is_read() {
        use LastExit::{Code, Never, Signal, Unknown};
        type Case<'c> = (&'c str, Phase, Option<i32>, LastExit);
        let cases: [Case<'_>; 20] = [
            ("state = running\npid = 42\nruns = 1\nlast exit code = (never exited)", Phase::Running, Some(42), Never),
            ("state = xpcproxy\npid = 42\nruns = 1", Phase::Running, Some(42), Unknown),
            ("state = running\nruns = 1", Phase::Running, None, Unknown),
            ("pid = 42", Phase::Running, Some(42), Unknown),
            ("state = spawn scheduled\nruns = 0\nlast exit code = (never exited)", Phase::Pending, None, Never),
            ("state = not running\nruns = 0\nlast exit code = (never exited)", Phase::Pending, None, Never),
            ("state = not running\nlast exit code = (never exited)", Phase::Pending, None, Never),
            ("state = waiting\nruns = 0", Phase::Pending, None, Unknown),
            ("state = not running\nruns = 1\nlast exit code = 0", Phase::Ended, None, Code(0)),
            ("state = not running\nruns = 1\nlast exit code = 78: EX_CONFIG", Phase::Ended, None, Code(78)),
            ("state = Not Running\nlast exit code = 3", Phase::Ended, None, Code(3)),
            ("state = exited\nruns = 1\nlast exit code = 1: EPERM", Phase::Ended, None, Code(1)),
            ("state = not running\nruns = 1\nlast terminating signal = Killed: 9", Phase::Ended, None, Signal(Some(9))),
            ("state = not running\nruns = 1\nlast terminating signal = SIGKILL", Phase::Ended, None, Signal(None)),
            (
                "state = not running\nruns = 1\nlast exit code = 2\nlast terminating signal = (none)",
                Phase::Ended,
                None,
                Code(2),
            ),
            (
                "state = not running\nruns = 1\nlast exit code = 0\nlast terminating signal = Abort trap: 6",
                Phase::Ended,
                None,
                Signal(Some(6)),
            ),
            ("state = not running\nruns = 1\nlast exit code = (never exited)", Phase::Ended, None, Never),
            ("state = not running\npid = 42\nruns = 1\nlast exit code = 0", Phase::Unknown, Some(42), Code(0)),
            ("state = not running", Phase::Unknown, None, Unknown),
            ("state = quiescent\nruns = 1\nlast exit code = 0", Phase::Unknown, None, Code(0)),
        ];
        for (lines, phase, pid, exit) in cases {
            let read = parse(&text(lines));
            assert_eq!((read.phase(), read.pid, read.exit), (phase, pid, exit), "{lines}");
            assert_eq!(read.path.as_deref(), Some("/private/tmp/s/a.b.plist"));
        }
    }

    #[test]
    fn the_blocks_on_the_environment_are_kept_and_no_others() {
        let read = parse(
            "gui/501/a = {\n\tstate = running\n\targuments = {\n\t\tA => 1\n\t}\n\n\tinherited environment = {\n\
             \t\tSSH_AUTH_SOCK => /private/tmp/x\n\t\tODD => a\n\t}\n\tenvironment = {\n\t\tEVIL => 1\n\t}\n\n\
             \tdefault environment = {\n\t\tPATH => /usr/bin:/bin\n\t}\n\n\tenvironment = {\n\t\tOSLogRateLimit => 64\n\
             \t\tXPC_SERVICE_NAME => a\n\t}\n\n\tendpoints = {\n\t\t\"x\" = {\n\t\t\tenvironment = {\n\t\t\tB => 2\n\t\t}\n\
             \t}\n\tpid = 3\n}\n",
        );
        let expected = [
            ("inherited environment", "SSH_AUTH_SOCK => /private/tmp/x\nODD => a"),
            ("environment", "EVIL => 1"),
            ("default environment", "PATH => /usr/bin:/bin"),
            ("environment", "OSLogRateLimit => 64\nXPC_SERVICE_NAME => a"),
        ];
        assert_eq!(read.environment, expected.map(|(key, lines)| (key.to_owned(), lines.to_owned())));
        assert_eq!(read.pid, Some(3));
    }

    #[test]
    fn codes_and_signals_belong_to_an_end() {
        let ended = parse(&text("state = not running\nruns = 1\nlast exit code = 8"));
        assert_eq!((ended.exit_code(), ended.signal()), (Some(8), None));
        let killed = parse(&text("state = not running\nruns = 1\nlast terminating signal = Killed: 9"));
        assert_eq!((killed.exit_code(), killed.signal()), (None, Some(9)));
        // The code of an earlier run says nothing about one that goes on.
        let again = parse(&text("state = running\npid = 5\nruns = 2\nlast exit code = 0"));
        assert_eq!((again.exit_code(), again.signal()), (None, None));
    }

    #[test]
    fn strange_texts_are_unknown() {
        for text in [
            "",
            "\n",
            "{}",
            "no such thing",
            "a = {\n}",
            "state = running",
            "x = {\n\tstate=running\n}",
            "x = {\n\tstate = \n\tpid = -3\n\truns = many\n}",
        ] {
            let read = parse(text);
            assert_eq!(read.phase(), Phase::Unknown, "{text:?}");
            assert_eq!((read.pid, read.runs, read.exit), (None, None, LastExit::Unknown), "{text:?}");
        }
        let twice = parse("x = {\n\tstate = running\n\tstate = not running\n\truns = 1\n\tlast exit code = 0\n}");
        assert_eq!(twice.phase(), Phase::Unknown);
        for value in ["300", "-1", "0x0", "zero", ""] {
            let read = parse(&text(&format!("state = not running\nruns = 1\nlast exit code = {value}")));
            assert_eq!((read.phase(), read.exit_code()), (Phase::Ended, None), "{value}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_only_words_for_it_make_an_end(text in "(.|\n|\t|state = |not running|pid = 1|\\{|\\}){0,80}") {
            let read = parse(&text);
            if read.phase() == Phase::Ended {
                proptest::prop_assert!(text.contains("not running") || text.contains("exited"));
            }
        }
    }
}
