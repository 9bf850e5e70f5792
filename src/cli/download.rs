//! `sandproof download`

use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure, OrFail};
use super::transfer;
use super::ui::Ui;
use super::validate_bundle::TRUST_WORDS;
use crate::base::ids::RunId;
use crate::base::printable::path_text;
use crate::record::transfer::{TRANSFER_SCHEMA, TransferReport};
use crate::store::{self, StoreAddress};

/// Fetch a bundle from a store, and verify it.
///
/// What is fetched is what the index in the store names; it becomes a folder in DIR only if it verifies. Exit 0 if it does, 4 if it does
/// not or is not committed there (its upload was interrupted), 2 if the folder exists, 7 as of `upload`, whose variables hold
/// here too.
#[derive(Debug, Args)]
pub(super) struct DownloadArgs {
    /// The bundle in its store: `s3://BUCKET/PREFIX/RUN_ID`, `file:///PATH/RUN_ID`, or a path.
    #[arg(value_name = "STORE/RUN_ID")]
    from: String,
    /// The output root; the bundle becomes a folder in it.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Downloads.
pub(super) fn run(args: &DownloadArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let (address, run_id) = StoreAddress::of_bundle(&args.from).map_err(transfer::failure)?;
    let run_id = RunId::new(run_id).or_fail(Exit::Usage)?;
    let store = address.open(&transfer::settings()).map_err(transfer::failure)?;
    let shown = store.shown(run_id.as_str());
    match store::download(&*store, &run_id, &args.out) {
        Ok((bundle, counts)) => {
            if args.json {
                ui.json(&TransferReport {
                    schema_version: TRANSFER_SCHEMA,
                    ok: true,
                    direction: "download",
                    address: shown,
                    bundle_dir: Some(path_text(bundle.folder())),
                    run_id: run_id.to_string(),
                    index_sha256: Some(bundle.index_sha256()),
                    counts,
                    problems: Vec::new(),
                });
            } else {
                ui.line(format!("bundle ok: {}", path_text(bundle.folder())));
                ui.line(format!("{} files; index {}", counts.files(), bundle.index_sha256()));
                ui.line(TRUST_WORDS);
            }
            Ok(Exit::Done)
        }
        Err(error) => transfer::refused(error, "download", &shown, run_id.as_str(), args.json, ui),
    }
}
