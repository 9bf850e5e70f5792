//! What became of starts in which no worker could be reached: for the row as it was, and for people what it means and what to do.

use std::io;
use std::time::Duration;

/// What was tried, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TriedStarts {
    /// A sentence for each.
    pub(super) attempts: Vec<String>,
    /// What the first one came to: by the program's own path nothing stands between the launcher and the program.
    first: Option<StartOutcome>,
}

/// How a start went in which nobody answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StartOutcome {
    /// The launcher itself could not be executed, and why.
    NoLauncher(String),
    /// It ended with that code, and the program had not said that it lives.
    Ended(i32),
    /// A signal ended it.
    Killed(i32),
    /// It was there until its time was over, and nothing came.
    Silent,
    /// It closed what it and its program print to, and lived on.
    Muted,
    /// The program began, and was gone before it could be asked anything; what it did last.
    EndedInside(String),
    /// The program began, and reads nothing that is meant for it.
    Deaf,
}

impl TriedStarts {
    /// Adds a try and what it came to.
    pub(super) fn add(&mut self, told: String, outcome: StartOutcome) {
        self.attempts.push(told);
        self.first.get_or_insert(outcome);
    }

    /// Adds a remark.
    pub(super) fn remark(&mut self, told: impl Into<String>) {
        self.attempts.push(told.into());
    }

    /// Whether the launcher was still there when its time was over: whatever else is tried would wait as long for nothing.
    pub(super) fn waited_in_vain(&self) -> bool {
        self.first == Some(StartOutcome::Silent)
    }

    /// Everything, for a row. `launcher`: its first word; `limit`: how long a start may take.
    pub(super) fn conclude(self, launcher: &str, limit: Duration) -> NotStarted {
        let words = self.first.as_ref().map(|outcome| outcome.words(launcher, limit));
        let told = merged(&self.attempts);
        let detail = words.map_or_else(|| told.clone(), |words| format!("{words} (tried: {told})"));
        NotStarted { attempts: self.attempts, detail }
    }
}

/// A launcher under which no program could be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotStarted {
    /// What was tried, a sentence each.
    pub attempts: Vec<String>,
    /// What it means, and what to do.
    pub detail: String,
}

impl StartOutcome {
    /// The outcome of a launcher that was executed: how it ended, if it did; `muted`: whether its output had ended before.
    pub(super) fn of(status: Option<std::process::ExitStatus>, muted: bool) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let Some(status) = status else { return if muted { Self::Muted } else { Self::Silent } };
        status.code().map_or_else(|| Self::Killed(status.signal().unwrap_or(0)), Self::Ended)
    }

    fn words(&self, launcher: &str, limit: Duration) -> String {
        let by_hand = "type it by hand with `true` as the program to run, until that works";
        match self {
            Self::NoLauncher(error) => format!(
                "`{launcher}` cannot be executed here, {error}; name a program of this host by its path, or one that PATH finds"
            ),
            Self::Ended(0) => format!(
                "`{launcher}` ended as if all were well, and the program that it was given was not started; a launcher starts what \
                 stands behind its last word, as `bwrap … --` does, or where it says `${{probe}}`"
            ),
            Self::Ended(code) => format!(
                "`{launcher}` ended with exit code {code} before the program that it was given said a word; {by_hand}"
            ),
            Self::Killed(signal) => format!(
                "signal {signal} ended `{launcher}` before the program that it was given said a word; {by_hand}"
            ),
            Self::Silent => format!(
                "nothing came from inside within {} s; `{launcher}` may wait for a terminal, a password or a yes, or not start the \
                 program at all; if it only takes longer, say so with `--start-timeout-ms`, or `start_timeout_ms` in its document",
                limit.as_secs_f64()
            ),
            Self::Muted => format!(
                "`{launcher}` goes on, and what its program prints comes back neither by its output nor by a file of the workspace; it \
                 may run something else, or give the program another terminal: let it hand standard output on"
            ),
            Self::EndedInside(step) => format!(
                "the program began inside of `{launcher}`, and was gone after its step `{step}`, before it was asked anything; see \
                 which call or how much time the sandbox leaves it"
            ),
            Self::Deaf => format!(
                "the program began inside of `{launcher}`, and nothing that it was asked reached it: not by its standard input, a \
                 file of the workspace, or its arguments; see whether the launcher ends after a moment what it starts"
            ),
        }
    }
}

/// Tries in one line each way that ended alike, with the words of the first.
fn merged(attempts: &[String]) -> String {
    let ended = |rest: &str| rest.split_once(", saying `").map_or(rest, |(ended, _)| ended).to_owned();
    let mut lines: Vec<(String, String, &str)> = Vec::new();
    for attempt in attempts {
        let (way, rest) = attempt.split_once(": ").unwrap_or(("", attempt));
        match lines.last_mut().filter(|(ways, known, _)| !ways.is_empty() && *known == ended(rest)) {
            Some((ways, ..)) => *ways = format!("{ways}, {way}"),
            None => lines.push((way.to_owned(), ended(rest), rest)),
        }
    }
    let line = |(ways, _, rest): (String, String, &str)| {
        if ways.is_empty() { rest.to_owned() } else { format!("{ways}: {rest}") }
    };
    lines.into_iter().map(line).collect::<Vec<_>>().join("; ")
}

/// An error of the system in words, without its number.
pub(super) fn words_of(error: &io::Error) -> String {
    let said = error.to_string();
    said.split(" (os error").next().unwrap_or(&said).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(tries: &[(&str, StartOutcome)]) -> NotStarted {
        let mut tried = TriedStarts::default();
        for (told, outcome) in tries {
            tried.add((*told).to_owned(), outcome.clone());
        }
        tried.conclude("box", Duration::from_millis(10_000))
    }

    #[test]
    fn what_ended_alike_is_told_once_and_what_the_first_means_stands_before() {
        let ended = "the launcher ended with exit code 3";
        let told = told(&[
            (&format!("path: {ended}, saying `no, a`"), StartOutcome::Ended(3)),
            (&format!("copy: {ended}, saying `no, b`"), StartOutcome::Ended(3)),
            ("memfd: the launcher ended by signal 9", StartOutcome::Killed(9)),
        ]);
        assert_eq!(told.attempts.len(), 3);
        assert!(told.detail.starts_with("`box` ended with exit code 3 before"), "{}", told.detail);
        let end = "(tried: path, copy: the launcher ended with exit code 3, saying `no, a`; memfd: the launcher ended by signal 9)";
        assert!(told.detail.ends_with(end), "{}", told.detail);
    }

    #[test]
    fn each_way_of_not_starting_has_words_of_its_own() {
        let outcomes = [
            StartOutcome::NoLauncher("No such file or directory".into()),
            StartOutcome::Ended(0),
            StartOutcome::Ended(1),
            StartOutcome::Killed(9),
            StartOutcome::Silent,
            StartOutcome::Muted,
            StartOutcome::EndedInside("processes".into()),
            StartOutcome::Deaf,
        ];
        let words: std::collections::BTreeSet<String> =
            outcomes.iter().map(|outcome| told(&[("path: x", outcome.clone())]).detail).collect();
        assert_eq!(words.len(), outcomes.len());
        assert!(told(&[("path: x", StartOutcome::Silent)]).detail.contains("within 10 s"));
        assert_eq!(words_of(&io::Error::from_raw_os_error(libc::ENOENT)), "No such file or directory");
    }
}
