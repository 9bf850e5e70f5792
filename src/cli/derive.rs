//! `derive`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::exit::{Exit, Failure};
use super::named_args::BundleArg;
use super::ui::Ui;
use super::validate_bundle;
use crate::base::printable::{Lines, path_text};
use crate::bundle::replay_diff;
use crate::bundle::replay_diff::{ArtifactDifference, ReplayDiff, ReplayDiffError};

/// Derive a bundle's evidence once more from its own inputs and raw rows.
///
/// Lists every derived artifact with its digest. With --check, compares each byte for byte with the bundle's and lists
/// every difference; with --out, writes them to a new folder. The bundle is never changed. Exit 0 if all is as derived, 1
/// with differences, 4 if something else is wrong with the bundle.
#[derive(Debug, Args)]
pub(super) struct DeriveArgs {
    #[command(flatten)]
    bundle: BundleArg,
    /// Compare with what the bundle holds.
    #[arg(long)]
    check: bool,
    /// Write the artifacts to this folder, which must be new or empty and outside of the bundle.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Derives, and compares or writes.
pub(super) fn run(args: &DeriveArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let derived = match replay_diff(args.bundle.path(), args.check, args.out.as_deref()) {
        Ok(derived) => derived,
        Err(ReplayDiffError::Refused(refused)) => return validate_bundle::report(&refused, args.json, ui),
        Err(error) => {
            let usage = matches!(error, ReplayDiffError::Occupied(_) | ReplayDiffError::Inside(_));
            return Err(Failure::new(if usage { Exit::Usage } else { Exit::Fault }, error));
        }
    };
    if args.json {
        ui.answer("derive_report", &args.document(&derived));
    } else {
        ui.out(&args.text(&derived));
    }
    Ok(if derived.differences.is_empty() { Exit::Done } else { Exit::Mismatch })
}

impl DeriveArgs {
    fn document(&self, derived: &ReplayDiff) -> serde_json::Value {
        let artifacts = derived.artifacts.iter().map(
            |artifact| json!({ "name": artifact.name, "file_size": artifact.file_size, "sha256": artifact.sha256 }),
        );
        let differences = derived
            .differences
            .iter()
            .map(|ArtifactDifference { name, kind }| json!({ "name": name, "kind": kind.code(), "message": kind.to_string() }));
        json!({
            "bundle_dir": path_text(&derived.folder),
            "run_id": derived.run_id,
            "checked": self.check,
            "ok": self.check.then_some(derived.differences.is_empty()),
            "wrote": self.out.as_deref().map(path_text),
            "artifacts": artifacts.collect::<Vec<_>>(),
            "differences": differences.collect::<Vec<_>>(),
        })
    }

    fn text(&self, derived: &ReplayDiff) -> Lines {
        let mut lines = Lines::default();
        let count = derived.artifacts.len();
        if self.check {
            for ArtifactDifference { name, kind } in &derived.differences {
                lines.line(format!("{name}: {kind}"));
            }
            match derived.differences.len() {
                0 => lines.line(format!("{count} derived artifacts, all as the inputs and rows yield them")),
                some => lines.line(format!("{count} derived artifacts, {some} differences")),
            }
        } else {
            for artifact in &derived.artifacts {
                lines.line(format!("{}  {}", artifact.sha256, artifact.name));
            }
        }
        if let Some(out) = &self.out {
            lines.line(format!("wrote {count} artifacts to {}", out.display()));
        }
        lines
    }
}
