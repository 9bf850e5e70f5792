//! `sandproof selftest`

mod items;
mod trials;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use self::items::{ITEMS, Method, ProgramFact, SelftestQuestion};
use self::trials::TrialBench;
use super::exit::{Exit, Failure};
use super::out::{Destination, output_exit, output_failure};
use super::run::own_executable;
use super::ui::Ui;
use crate::base::error_chain::error_chain;
use crate::base::json_out;
use crate::base::printable::Lines;
use crate::channel;
use crate::enforce;
use crate::process::tool;
use crate::record::manifest::ChannelKind;
use crate::record::selftest::{
    SELFTEST_SCHEMA, SelftestConclusion as Verdict, SelftestCounts, SelftestDocument, SelftestItem,
};

/// How long a program of the system may take.
const TOOL_LIMIT: Duration = Duration::from_secs(30);

/// Probe this host for what is not known for certain about its sandbox, and print a report to send back.
#[derive(Debug, Args)]
pub(super) struct SelftestArgs {
    /// Put only this question. May be given several times.
    #[arg(long, value_name = "ID")]
    only: Vec<String>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    /// Also write the report, as JSON, to this file, which must not exist; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Asks, and says.
pub(super) fn run(args: &SelftestArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let wanted: Vec<&SelftestQuestion> =
        ITEMS.iter().filter(|item| args.only.is_empty() || args.only.iter().any(|id| id == item.id)).collect();
    if wanted.is_empty() {
        let ids: Vec<&str> = ITEMS.iter().map(|item| item.id).collect();
        return Err(Failure::new(Exit::NothingRan, NothingSelected { known: ids.join(", ") }));
    }
    let destination = args.out.as_deref().map(Destination::of).transpose()?;
    if let (Some(Destination::Place(place)), Some(path)) = (&destination, &args.out)
        && place.file().is_some_and(Path::exists)
    {
        let source = io::ErrorKind::AlreadyExists.into();
        return Err(Failure::new(Exit::Usage, NotWritten { path: path.clone(), source }));
    }
    let exe = own_executable()?;
    let items: Vec<SelftestItem> = wanted.into_iter().map(|item| answer(item, &exe)).collect();
    let mut counts = SelftestCounts::default();
    for item in &items {
        match item.verdict {
            Verdict::Settled => counts.settled += 1,
            Verdict::Differs => counts.differs += 1,
            Verdict::Unavailable => counts.unavailable += 1,
            Verdict::Skipped => counts.skipped += 1,
        }
    }
    let document = SelftestDocument {
        schema_version: SELFTEST_SCHEMA,
        version: crate::base::VERSION,
        host: crate::run::host::observe(None),
        confined: crate::run::self_check().sandboxed,
        counts,
        items,
    };
    let mut on_stdout = false;
    if let Some((destination, path)) = destination.zip(args.out.as_ref()) {
        let mut bytes = json_out::to_pretty(&document);
        bytes.push(b'\n');
        match destination {
            Destination::Stdout => on_stdout = true,
            Destination::Place(place) => match place.file() {
                // Never over a report that somebody may still need, also if it came up while the questions were put.
                Some(file) => {
                    std::fs::File::create_new(file).and_then(|mut file| file.write_all(&bytes)).map_err(|source| {
                        Failure::new(output_exit(&source), NotWritten { path: path.clone(), source })
                    })?;
                }
                None => place.write(&bytes).map_err(output_failure)?,
            },
        }
    }
    if args.json || on_stdout {
        ui.json(&document);
    } else {
        ui.out(&render(&document));
    }
    Ok(exit(&document))
}

/// No question has such an id.
#[derive(Debug, thiserror::Error)]
#[error("no question has such an id; there are {known}")]
struct NothingSelected {
    known: String,
}

/// The report could not be written.
#[derive(Debug, thiserror::Error)]
#[error("could not write the report to `{}`, which must be a new file", path.display())]
struct NotWritten {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// What the counts come to: a difference first, then what could not be asked here. What belongs to another system, or to a
/// person, is no failure; but if nothing at all was asked, nothing ran.
fn exit(document: &SelftestDocument) -> Exit {
    let counts = document.counts;
    let no_enforcer = |item: &SelftestItem| item.id == "linux-01" && item.verdict == Verdict::Unavailable;
    if document.items.iter().any(no_enforcer) {
        Exit::Unavailable
    } else if counts.differs > 0 {
        Exit::Mismatch
    } else if counts.unavailable > 0 {
        Exit::Undecided
    } else if counts.settled == 0 {
        Exit::NothingRan
    } else {
        Exit::Done
    }
}

/// Puts one question.
fn answer(item: &SelftestQuestion, exe: &Path) -> SelftestItem {
    let mut out = SelftestItem {
        id: item.id,
        question: item.question,
        done: done(item),
        expected: item.expected,
        observed: None,
        verdict: Verdict::Skipped,
        reason: None,
    };
    if !item.host.is_here() {
        out.reason = Some(format!("the question is about {}", item.host.name()));
        return out;
    }
    let observed = match item.method {
        Method::ByHand(_) => {
            out.reason = Some("this is for a person to do".to_owned());
            return out;
        }
        Method::Trials(trials) => TrialBench::new(exe).and_then(|mut bench| bench.observe(trials)),
        Method::Tool(argv) => observe_tool(argv),
        Method::Symbols(names) => observe_symbols(names),
        Method::Fact(fact) => observe_fact(fact),
    };
    match observed {
        Ok(observed) => {
            let as_expected = is_as_expected(item, &observed);
            out.verdict = if as_expected { Verdict::Settled } else { Verdict::Differs };
            out.observed = Some(observed);
        }
        Err(reason) => {
            out.verdict = Verdict::Unavailable;
            out.reason = Some(reason);
        }
    }
    out
}

fn is_as_expected(item: &SelftestQuestion, observed: &str) -> bool {
    match item.method {
        Method::Tool(_) => observed.contains(item.expected),
        _ => observed == item.expected,
    }
}

/// What is expected of a question with this id, and whether this answer is it. Nothing of a question that is not here.
pub(super) fn expects(id: &str, observed: &str) -> Option<(&'static str, bool)> {
    let item = ITEMS.iter().find(|item| item.id == id)?;
    Some((item.expected, is_as_expected(item, observed)))
}

/// What is done for a question, in words.
fn done(item: &SelftestQuestion) -> String {
    match item.method {
        Method::Trials(trials) => trials.iter().map(trials::words).collect::<Vec<_>>().join("; "),
        Method::Tool(argv) => argv.join(" "),
        Method::Symbols(names) => format!("looked for {}", names.join(", ")),
        Method::Fact(ProgramFact::Landlock) => "asked the kernel for its Landlock ABI".to_owned(),
        Method::Fact(ProgramFact::Layers) => "counted how many more Landlock domains fit".to_owned(),
        Method::Fact(ProgramFact::CleanChannel) => "looked for the service manager".to_owned(),
        Method::ByHand(what) => what.to_owned(),
    }
}

fn observe_tool(argv: &[&str]) -> Result<String, String> {
    let (program, arguments) = argv.split_first().ok_or("no program")?;
    let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
    let ended = tool::run(Path::new(program), &arguments, &[], TOOL_LIMIT).map_err(|error| error_chain(&error))?;
    let how = match (ended.code, ended.signal) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no exit code".to_owned(),
    };
    let first = [&ended.stdout, &ended.stderr].into_iter().find_map(|text| text.lines().find(|line| !line.is_empty()));
    Ok(first.map_or_else(|| how.clone(), |line| format!("{how}: {line}")))
}

#[cfg(target_os = "macos")]
fn observe_symbols(names: &'static [&'static str]) -> Result<String, String> {
    let missing: Vec<&str> =
        names.iter().copied().filter(|name| !crate::sys::darwin::symbols::is_there(name)).collect();
    Ok(if missing.is_empty() { "all found".to_owned() } else { format!("missing: {}", missing.join(", ")) })
}

#[cfg(not(target_os = "macos"))]
fn observe_symbols(_names: &'static [&'static str]) -> Result<String, String> {
    Err("functions are looked for by name on macOS alone".to_owned())
}

fn observe_fact(fact: ProgramFact) -> Result<String, String> {
    match fact {
        ProgramFact::Landlock => enforce::landlock_abi()
            .map(|_| "present".to_owned())
            .ok_or_else(|| "this kernel has no Landlock, or it is switched off".to_owned()),
        ProgramFact::Layers => enforce::already_confined_layers()
            .map(|layers| format!("{layers} layers"))
            .ok_or_else(|| "it cannot be found out here".to_owned()),
        ProgramFact::CleanChannel => {
            let channel = if cfg!(target_os = "macos") { ChannelKind::LaunchdClean } else { ChannelKind::SystemdClean };
            channel::check(channel).map(|()| "available".to_owned()).map_err(|error| error.to_string())
        }
    }
}

/// The line that a question ends in, as the checklist shows it.
fn line(item: &SelftestItem) -> String {
    let rest = match (&item.observed, &item.reason) {
        (Some(observed), _) => observed.clone(),
        (None, Some(reason)) => reason.clone(),
        (None, None) => String::new(),
    };
    format!("{} {}: {rest}", item.id, item.verdict.as_str())
}

fn render(document: &SelftestDocument) -> Lines {
    let mut lines = Lines::default();
    for item in &document.items {
        lines.line(line(item));
        if item.verdict == Verdict::Differs {
            lines.line(format!("    expected: {}", item.expected));
            lines.line(format!("    question: {}", item.question));
        }
    }
    let counts = document.counts;
    lines.line(format!(
        "{} settled, {} different, {} unavailable, {} skipped",
        counts.settled, counts.differs, counts.unavailable, counts.skipped
    ));
    if document.confined == Some(true) {
        lines.line("this process is confined already: start from a plain terminal, or the answers say little");
    }
    lines
}

/// The checklist of macOS, as `docs/first-run-on-a-mac.md` has it.
#[cfg(test)]
fn checklist() -> String {
    let mut text = String::new();
    for item in ITEMS.iter().filter(|item| item.host == items::ItemSystem::Macos) {
        text.push_str(&format!("### {}\n\n{}\n\n", item.id, item.question));
        match item.method {
            Method::ByHand(what) => {
                text.push_str(&format!("By hand: {what}.\n\nExpected: {}\n\n", item.expected));
            }
            method => {
                let about = if matches!(method, Method::Tool(_)) { "a line with" } else { "" };
                let expected = match about {
                    "" => format!("{} settled: {}", item.id, item.expected),
                    about => format!("{} settled, and {about} `{}`", item.id, item.expected),
                };
                text.push_str(&format!("    sandproof selftest --only {}\n\nExpected: {expected}\n\n", item.id));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_uncertain_fact_has_its_own_item() {
        let macos: Vec<&str> =
            ITEMS.iter().filter(|item| item.host == items::ItemSystem::Macos).map(|item| item.id).collect();
        let all: Vec<String> = (1..=31).map(|n| format!("mac-{n:02}")).collect();
        assert_eq!(macos, all);
        for item in ITEMS {
            assert!(!item.expected.is_empty() && !done(item).is_empty(), "{}", item.id);
        }
    }

    #[test]
    fn profiles_of_items_can_be_read() {
        let parameters = || [("ROOT", "/r"), ("LOWER", "/r/file")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        for item in ITEMS.iter().filter(|item| item.host == items::ItemSystem::Macos) {
            let Method::Trials(trials) = item.method else { continue };
            for trial in trials {
                assert!(trial.driver.info().platforms.macos(), "{}", item.id);
                if let Some(text) = trial.policy {
                    let read = crate::policy::sbpl::SbplPolicy::new(text, parameters());
                    assert!(read.is_ok() || item.id == "mac-12", "{}: {:?}", item.id, read.err());
                }
            }
        }
    }

    /// `UPDATE_CHECKLIST=1` writes it.
    #[test]
    fn the_checklist_is_in_step() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/first-run-on-a-mac.md");
        let text = std::fs::read_to_string(&path).unwrap();
        let (head, _) = text.split_once("## The questions\n\n").expect("the document has a list of questions");
        let whole = format!("{head}## The questions\n\n{}", checklist().trim_end().to_owned() + "\n");
        if std::env::var_os("UPDATE_CHECKLIST").is_some() {
            std::fs::write(&path, &whole).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
    }
}
