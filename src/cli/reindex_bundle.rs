//! `reindex-bundle`

use clap::Args;
use serde_json::json;

use super::exit::{Exit, Failure};
use super::named_args::BundleArg;
use super::ui::Ui;
use super::validate_bundle;
use crate::base::printable::path_text;
use crate::bundle::repair::{self, Repair, RepairError};
use crate::bundle::{LockError, verify};

/// Compare a bundle with its index, or write a new index for it.
///
/// Where the index fits what lies there, nothing is written. A repaired bundle says so, is never worth more than before, and is never promotable: what it is good for is looking at
/// what is left.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("mode").required(true).args(["strict", "repair"]))]
pub(super) struct ReindexBundleArgs {
    #[command(flatten)]
    bundle: BundleArg,
    /// Change nothing; explain every difference.
    #[arg(long)]
    strict: bool,
    /// Index what is there now, and keep the old and new digests in repair_log.json.
    #[arg(long)]
    repair: bool,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Compares a bundle with its index, or repairs that.
pub(super) fn run(args: &ReindexBundleArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    if args.strict { args.check(ui) } else { args.repair(ui) }
}

impl ReindexBundleArgs {
    fn check(&self, ui: &mut Ui) -> Result<Exit, Failure> {
        let folder = match verify::check_strictly(self.bundle.path()) {
            Ok(folder) => folder,
            Err(refused) => return validate_bundle::report(&refused, self.json, ui),
        };
        if self.json {
            ui.answer("reindex_report", &json!({ "status": "ok", "bundle_dir": path_text(&folder) }));
        } else {
            ui.line("bundle ok");
        }
        Ok(Exit::Done)
    }

    fn repair(&self, ui: &mut Ui) -> Result<Exit, Failure> {
        let repaired = match repair::repair(self.bundle.path()) {
            Ok(Repair::Done(repaired)) => repaired,
            Ok(Repair::Unchanged { bundle_dir, index_status }) => {
                if self.json {
                    ui.answer("reindex_report", &json!({ "status": "unchanged", "bundle_dir": path_text(&bundle_dir), "index_status": index_status }));
                } else {
                    ui.line(format!(
                        "nothing to repair, and nothing written: the index fits the files (status `{}`)",
                        index_status.as_str()
                    ));
                }
                return Ok(Exit::Done);
            }
            Err(RepairError::Refused(refused)) => return validate_bundle::report(&refused, self.json, ui),
            Err(error) => {
                let class = match &error {
                    RepairError::Lock(LockError::Held { .. }) => Exit::Locked,
                    RepairError::Nameless { .. } | RepairError::Log { .. } => Exit::BundleInvalid,
                    _ => Exit::Fault,
                };
                return Err(Failure::new(class, error));
            }
        };
        if self.json {
            ui.answer(
                "reindex_report",
                &json!({
                    "status": "repaired",
                    "bundle_dir": path_text(&repaired.bundle_dir),
                    "index_status": repaired.index_status,
                    "errors": repaired.findings,
                    "changes": repaired.changes,
                }),
            );
        } else {
            for finding in &repaired.findings {
                ui.line(finding.to_string());
            }
            ui.line(format!(
                "bundle reindexed: status `{}`, {} changed entries; it is not promotable",
                repaired.index_status.as_str(),
                repaired.changes.len()
            ));
        }
        Ok(Exit::Done)
    }
}
