//! What the program costs, as ratios to floors that are measured in the same run.
//!
//! Absolute times say more about a machine and its mood than about a program. So each item here times the program and
//! a small program of our own that does only what cannot be left out, in turns, and looks at the median of the
//! per-round ratios. Each item has a target, and a limit beyond which it fails; `README.md` beside the sources tells
//! why they are where they are.
//!
//! `scripts/bench` builds both statically and runs this. The floors are hidden modes of this same executable
//! (`floors`), started as processes of their own.
//!
//! - exit 0: every item is within its limit;
//! - exit 1: an item is beyond its limit;
//! - exit 2: usage; exit 70: something could not be measured.

#![allow(clippy::disallowed_methods, reason = "floors are programs, and write files without syncing them")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints what it measured")]

mod bundles;
mod derive;
mod floors;
mod identity;
mod launchers;
mod probes;
mod stats;
mod tool;
mod workspace;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use stats::{Item, Verdict};
use tool::Tool;

/// Any failure to measure. It is printed with its causes, and nobody matches on it.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Alternating rounds per item.
    pub rounds: usize,
    /// Probes of the long run.
    pub probes: usize,
    /// Rows that stand behind the late windows of the item `late rate`.
    pub rows_behind: usize,
    /// Rows of the item `derive`.
    pub rows_to_derive: usize,
    /// Bytes of the big file.
    pub big_file_bytes: usize,
    /// Bash scripts in one round.
    pub scripts: usize,
}

impl Scale {
    /// What a statement about speed needs.
    pub const FULL: Self = Self {
        rounds: 7,
        probes: 10_000,
        rows_behind: 1_000_000,
        rows_to_derive: 1_000_000,
        big_file_bytes: 512 << 20,
        scripts: 100,
    };
    /// Enough to see that every item can be measured. Its ratios mean little.
    pub const QUICK: Self = Self {
        rounds: 1,
        probes: 200,
        rows_behind: 2_000,
        rows_to_derive: 2_000,
        big_file_bytes: 16 << 20,
        scripts: 5,
    };
}

/// Measures some items together.
type Group = fn(&Tool) -> Result<Vec<Item>>;

const USAGE: &str = "usage: scripts/bench [--quick] [ITEM...]";

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if words.first().is_some_and(|word| word == "floor") {
        return conclude(floors::main(&words[1..]).map(|()| true));
    }
    let mut take = |flag: &str| -> bool {
        let before = words.len();
        words.retain(|word| word != flag);
        words.len() < before
    };
    let quick = take("--quick");
    let Some(at) = words.iter().position(|word| word == "--sandproof") else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let given: Vec<String> = words.drain(at..(at + 2).min(words.len())).collect();
    let (Some(program), None) = (given.get(1), words.iter().find(|word| word.starts_with('-'))) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    conclude(measure(PathBuf::from(program), quick, &words))
}

fn conclude(outcome: Result<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("bench: {error}");
            let mut cause = error.source();
            while let Some(inner) = cause {
                eprintln!("  cause: {inner}");
                cause = inner.source();
            }
            ExitCode::from(70)
        }
    }
}

/// Measures everything, or the items whose names contain one of `wanted`, and prints the table.
fn measure(program: PathBuf, quick: bool, wanted: &[String]) -> Result<bool> {
    let scale = if quick { Scale::QUICK } else { Scale::FULL };
    let tool = Tool::new(program, scale)?;
    let groups: [(&[&str], Group); 9] = [
        (
            &["probe", "probe with fixture", "probe to shared", "two workers", "two workers free", "two workers bound"],
            probes::workers,
        ),
        (&["scripts"], probes::scripts),
        (&["late rate"], probes::late_rate),
        (&["validate"], bundles::validate),
        (&["derive"], derive::derive),
        (&["hash"], bundles::hash),
        (&["declare"], identity::declare),
        (
            &[
                "question",
                "question by all names",
                "question to start",
                "fresh question",
                "fresh question to start",
                "matrix",
            ],
            launchers::launchers,
        ),
        (&["commit 15", "commit 1000", "sync calls"], bundles::commit),
    ];
    let is_wanted =
        |names: &[&str]| wanted.is_empty() || names.iter().any(|name| wanted.iter().any(|word| name.contains(&**word)));
    let mut items = Vec::new();
    for (names, group) in groups {
        if is_wanted(names) {
            eprintln!("measuring {}", names.join(", "));
            let measured = group(&tool)?;
            // A full run takes minutes; what is known is shown at once.
            eprint!("{}", stats::table(&measured, !quick));
            items.extend(measured);
        }
    }
    if items.is_empty() {
        return Err(format!("no item is named like {}", wanted.join(" or ")).into());
    }
    print!("{}", stats::table(&items, !quick));
    if quick {
        println!("Quick: every item could be measured. With so few rounds and probes the ratios mean little.");
        return Ok(true);
    }
    Ok(items.iter().all(|item| item.verdict() != Verdict::Fail))
}
