//! `sandproof attempts`

use std::path::{Path, PathBuf};

use clap::Args;

use super::diff_runs::failure;
use super::exit::{Exit, Failure, OrFail};
use super::ui::Ui;
use crate::base::fsx::IoContext;
use crate::bundle::sealed_run::is_sealed_run;
use crate::diff;
use crate::record::layout;

/// Group runs by what they declared, and report attempts that disagree.
///
/// Bundles are verified first, and folders of `identity seal` are held to their digests. Exit 0 if no two attempts of one declaration
/// disagree in a verdict or an output, 1 if some do, 4 if a bundle or folder is invalid. Runs that are not finished are left out and listed.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["out", "bundles"])))]
pub(super) struct AttemptsArgs {
    /// Every bundle, and every folder of `identity seal`, in this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Folders of bundles, or of `identity seal`.
    #[arg(value_name = "BUNDLE")]
    bundles: Vec<PathBuf>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Groups and compares.
pub(super) fn run(args: &AttemptsArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    crate::sys::keep_freed_memory();
    let bundles = match &args.out {
        Some(out) => below(out)?,
        None => args.bundles.clone(),
    };
    let report = diff::attempts(&bundles).map_err(failure)?;
    if args.json {
        ui.json(&report);
    } else {
        ui.out(&diff::render_attempts(&report));
    }
    Ok(if report.left_out.iter().any(|left| !left.unfinished) {
        Exit::BundleInvalid
    } else if !report.agree {
        Exit::Mismatch
    } else if report.groups.is_empty() && report.sealed.is_empty() {
        ui.remark("there is no finished run to look at");
        Exit::NothingRan
    } else {
        Exit::Done
    })
}

/// The bundles below an output root, by name.
fn below(out: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(out).at("list the folder", out).or_fail(Exit::Usage)?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.at("list the folder", out).or_fail(Exit::Usage)?.path();
        let has = |name: &str| path.join(name).is_file();
        if has(layout::ARTIFACT_INDEX) || has(layout::RUN_STATUS) || is_sealed_run(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
