//! `sandproof conformance`

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::exit::{Exit, Failure, OrFail};
use super::scratch::ScratchFolder;
use super::signals;
use super::ui::Ui;
use crate::base::printable::{Lines, path_text};
use crate::base::words;
use crate::conformance::{ConformanceError, ConformanceRequest, conformance, vectors_near};
use crate::process::tool::ToolError;
use crate::record::conformance::ConformanceReport;

/// Put another implementation of SPEC.md to the test vectors, and say where it differs.
///
/// CMD is one text, split into words as a shell splits them. It is called, and what it prints and how it ends is compared with the
/// vectors (SPEC.md, section 10); nothing of this program judges. Exit 0 if it differs on no vector, 1 if it does, 3 if the vectors
/// cannot be used or CMD cannot be started.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("asked").required(true).multiple(true)
    .args(["implementation", "packets", "rows", "values"])))]
pub(super) struct ConformanceArgs {
    /// Called with a forged bundle behind it; prints an object with `ok` and `errors` (a `code` each), and ends with 0 or 4.
    #[arg(long, value_name = "CMD", value_parser = command)]
    implementation: Option<CommandWords>,
    /// The implementation takes all bundles at once, and prints an object a line.
    #[arg(long, requires = "implementation")]
    many: bool,
    /// Called with a bundle and a packet behind it, in the folder of the vectors; ends with 0 or 4.
    #[arg(long, value_name = "CMD", value_parser = command)]
    packets: Option<CommandWords>,
    /// Reads an object with `row`, `baseline` and `mode` a line, and prints its outcome a line.
    #[arg(long, value_name = "CMD", value_parser = command)]
    rows: Option<CommandWords>,
    /// Reads an object with `plan`, `declaration`, or `policy` and `mode` a line, and prints its digests and controls a line; with
    /// `action` and `fixtures` also what the model answers.
    #[arg(long, value_name = "CMD", value_parser = command)]
    values: Option<CommandWords>,
    /// What it claims to be: `reference` answers for models and reports too, as this program does.
    #[arg(long, value_enum, value_name = "CLAIM", default_value_t = ConformanceClaim::Verifier)]
    claims: ConformanceClaim,
    /// The folder of the vectors. Default: `tests/vectors` in this folder or one above it.
    #[arg(long, value_name = "DIR")]
    vectors: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// What an implementation claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum ConformanceClaim {
    /// A verifier: it takes as it stands what SPEC.md, section 3.1, leaves to the program.
    Verifier,
    /// The program, or what repeats it.
    Reference,
}

/// A command with its words; at least one.
#[derive(Debug, Clone)]
struct CommandWords(Vec<String>);

fn command(text: &str) -> Result<CommandWords, String> {
    let words = words::split(text).map_err(|error| error.to_string())?;
    if words.is_empty() { Err("it names no program".into()) } else { Ok(CommandWords(words)) }
}

/// The report with what it is about.
#[derive(Serialize)]
struct ConformanceAnswer<'a> {
    vectors: String,
    claims: ConformanceClaim,
    ok: bool,
    #[serde(flatten)]
    report: &'a ConformanceReport,
}

/// Puts an implementation to the vectors.
pub(super) fn run(args: &ConformanceArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let cancel = signals::install().or_fail(Exit::Fault)?;
    let vectors = match &args.vectors {
        Some(folder) => folder.clone(),
        None => vectors_near(&std::env::current_dir().or_fail(Exit::Fault)?).ok_or_else(|| {
            Failure::new(Exit::InputRefused, "there is no folder `tests/vectors` here or above")
                .hint("the vectors are part of sandproof's source: call this in a checkout, or name theirs with --vectors DIR")
        })?,
    };
    let scratch = ScratchFolder::new("conformance")?;
    let words = |command: &'_ Option<CommandWords>| command.as_ref().map(|command| command.0.clone());
    let (implementation, packets) = (words(&args.implementation), words(&args.packets));
    let (rows, values) = (words(&args.rows), words(&args.values));
    let request = ConformanceRequest {
        vectors: &vectors,
        scratch: scratch.path(),
        implementation: implementation.as_deref(),
        many: args.many,
        packets: packets.as_deref(),
        rows: rows.as_deref(),
        values: values.as_deref(),
        reference: args.claims == ConformanceClaim::Reference,
        stop: &|| cancel.requested().is_some(),
    };
    let report = match conformance(&request) {
        Ok(report) => report,
        Err(error) => return Err(failure(error, cancel.requested())),
    };
    let ok = report.differing.is_empty();
    if args.json {
        let vectors = path_text(&vectors);
        ui.answer("conformance_report", &ConformanceAnswer { vectors, claims: args.claims, ok, report: &report });
    } else {
        ui.out(&render(&report, &vectors));
    }
    Ok(if ok { Exit::Done } else { Exit::Mismatch })
}

fn failure(error: ConformanceError, signal: Option<i32>) -> Failure {
    if let Some(signal) = signal {
        let exit = if signal == libc::SIGTERM { Exit::Terminated } else { Exit::Interrupted };
        return Failure::new(exit, format!("interrupted by signal {signal}"));
    }
    let hint = match &error {
        ConformanceError::Vectors { .. } | ConformanceError::Vector { .. } => {
            Some("--vectors DIR names the folder `tests/vectors` of a checkout of sandproof")
        }
        ConformanceError::Tool(ToolError::Start { .. }) => {
            Some("a command is one text: quote it as a whole, and name a script by its path")
        }
        ConformanceError::Tool(_) => None,
    };
    let failure = Failure::new(Exit::InputRefused, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn render(report: &ConformanceReport, vectors: &Path) -> Lines {
    let mut lines = Lines::default();
    for one in &report.differing {
        lines.line(format!("{} `{}`: {}", one.kind.as_str(), one.name, one.found));
        lines.line(format!("    the vector says: {}", one.expected));
    }
    let counts: Vec<String> =
        report.groups.iter().map(|group| format!("{} of kind {}", group.vectors, group.kind.as_str())).collect();
    let total: u64 = report.groups.iter().map(|group| group.vectors).sum();
    lines.line(format!(
        "{total} vectors of {} ({}), {} differ",
        vectors.display(),
        counts.join(", "),
        report.differing.len()
    ));
    lines
}
