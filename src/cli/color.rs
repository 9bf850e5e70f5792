//! Colour, for people who look at a terminal.
//!
//! `--color` decides; left to itself, a stream is coloured if it is a terminal and neither `NO_COLOR` nor `TERM=dumb` says
//! otherwise, or if `CLICOLOR_FORCE` demands it. JSON is never coloured.

use std::ffi::OsStr;
use std::io::{stderr, stdout};

use anstream::{AutoStream, ColorChoice as Resolved};
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

/// When to colour, as typed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorChoice {
    /// Where somebody looks.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl From<ColorChoice> for clap::ColorChoice {
    fn from(when: ColorChoice) -> Self {
        match when {
            ColorChoice::Auto => Self::Auto,
            ColorChoice::Always => Self::Always,
            ColorChoice::Never => Self::Never,
        }
    }
}

impl ColorChoice {
    /// What the arguments say, before they are parsed: help and usage errors are coloured too.
    pub(super) fn ahead_of_parsing<S: AsRef<OsStr>>(arguments: &[S]) -> Self {
        let mut found = Self::default();
        let mut arguments = arguments.iter().map(|argument| argument.as_ref().to_string_lossy());
        while let Some(argument) = arguments.next() {
            let value = match argument.strip_prefix("--color") {
                _ if argument == "--" => break,
                Some("") => arguments.next().map(|value| value.into_owned()),
                Some(rest) => rest.strip_prefix('=').map(str::to_owned),
                None => None,
            };
            if let Some(when) = value.and_then(|value| <Self as ValueEnum>::from_str(&value, false).ok()) {
                found = when;
            }
        }
        found
    }

    /// Settles it for this process.
    pub(super) fn settle(self) {
        let choice = match self {
            Self::Auto => Resolved::Auto,
            Self::Always => Resolved::Always,
            Self::Never => Resolved::Never,
        };
        choice.write_global();
    }
}

/// A word that is bad news.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// A word that wants attention.
pub(super) const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
/// A word that helps.
pub(super) const HELPFUL: Style = AnsiColor::Cyan.on_default();

/// A word for standard output.
pub(super) fn on_stdout(style: Style, word: &str) -> String {
    painted(style, word, AutoStream::choice(&stdout()))
}

/// A word for standard error.
pub(super) fn on_stderr(style: Style, word: &str) -> String {
    painted(style, word, AutoStream::choice(&stderr()))
}

/// Whether `stream` is coloured where the arguments said `when`, before that is settled.
pub(super) fn wanted(when: ColorChoice, stream: &impl anstream::stream::RawStream) -> bool {
    when.settle();
    AutoStream::choice(stream) != Resolved::Never
}

fn painted(style: Style, word: &str, choice: Resolved) -> String {
    if choice == Resolved::Never { word.to_owned() } else { format!("{style}{word}{style:#}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_before_the_rest_counts() {
        let of = |line: &str| ColorChoice::ahead_of_parsing(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(of("sandproof run --help"), ColorChoice::Auto);
        assert_eq!(of("sandproof --color never run"), ColorChoice::Never);
        assert_eq!(of("sandproof run --color=always"), ColorChoice::Always);
        assert_eq!(of("sandproof --color=always run --color never"), ColorChoice::Never);
        assert_eq!(of("sandproof run -- --color never"), ColorChoice::Auto);
        assert_eq!(of("sandproof run --color"), ColorChoice::Auto);
        assert_eq!(of("sandproof run --colour=never --color=loud"), ColorChoice::Auto);
    }
}
