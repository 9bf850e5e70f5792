//! `sandproof compare`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::bundle_folders;
use super::exit::{Exit, Failure};
use super::failures::review_failure;
use super::out::Destination;
use super::ui::Ui;
use crate::base::json_out;
use crate::review::compare;

/// Show what many worlds, or many launchers, answer differently, and which declared facts differ with it.
///
/// A world is a bundle, or one launcher of a bundle. Worlds that answer every question alike are one group. Every bundle is verified
/// first. Exit 0 if all answer alike, 1 if not, 4 if a bundle is invalid, 9 if there is none. Runs that are not finished are left out
/// and listed.
#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// The bundles, or folders with bundles somewhere below, of which all are taken.
    #[arg(value_name = "DIR", required = true)]
    bundles: Vec<PathBuf>,
    /// The form of the answer.
    #[arg(long, value_enum, default_value_t = CompareFormat::Text)]
    format: CompareFormat,
    /// Write it to this file. Default: standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Answer in JSON: `--format json`.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// The forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CompareFormat {
    /// For people.
    Text,
    /// For a pull request or a job's summary.
    Markdown,
    /// One page that loads nothing.
    Html,
    /// For programs.
    Json,
}

/// Compares.
pub(super) fn run(args: &CompareArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    crate::sys::keep_freed_memory();
    let destination = args.out.as_deref().map(Destination::of).transpose()?;
    let mut paths = Vec::new();
    for given in &args.bundles {
        let found = bundle_folders::at_or_below(given);
        // What is no folder is refused as any other bundle that is none.
        paths.extend(if found.is_empty() { vec![given.clone()] } else { found });
    }
    let comparison = compare::compare(&paths).map_err(review_failure)?;
    let format = if args.json { CompareFormat::Json } else { args.format };
    let document = match format {
        CompareFormat::Text => compare::text(&comparison).into_string().into_bytes(),
        CompareFormat::Markdown => compare::markdown(&comparison).into_bytes(),
        CompareFormat::Html => compare::html(&comparison).into_bytes(),
        CompareFormat::Json => {
            let mut bytes = json_out::to_pretty(&comparison);
            bytes.push(b'\n');
            bytes
        }
    };
    match destination {
        Some(destination) => _ = destination.put(&document, ui)?,
        None => ui.bytes(&document),
    }
    Ok(if comparison.left_out.iter().any(|left| !left.unfinished) {
        Exit::BundleInvalid
    } else if comparison.worlds == 0 {
        ui.remark("there is no finished run to look at");
        Exit::NothingRan
    } else if comparison.differ() > 0 {
        Exit::Mismatch
    } else {
        Exit::Done
    })
}
