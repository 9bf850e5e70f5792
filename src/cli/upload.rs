//! `sandproof upload`

use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure};
use super::transfer;
use super::ui::Ui;
use super::validate_bundle;
use crate::bundle;
use crate::record::transfer::{TRANSFER_SCHEMA, TransferReport};
use crate::store::{self, StoreAddress};

/// Bring a bundle to a store, a folder or a bucket, where it is committed when its index is there.
///
/// The bundle is verified first. Its files go to STORE/RUN_ID, the index last, and nothing is ever overwritten: what is there already has
/// to have the very bytes. An upload that was interrupted leaves no index, and the next one completes it. Exit 0 if all of it is
/// there, 4 if the bundle is invalid or something else lies there, 7 if the store cannot be reached or this executable was built
/// without the means to reach a bucket (`cargo build --features upload`).
///
/// For a bucket the variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL and their like
/// are read; AWS_ALLOW_HTTP=true allows an endpoint without TLS.
#[derive(Debug, Args)]
pub(super) struct UploadArgs {
    /// The bundle's folder, or an output root whose LATEST leads to it.
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
    /// Where to: `s3://BUCKET/PREFIX`, `file:///PATH`, or a path.
    #[arg(long, value_name = "STORE")]
    to: String,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Uploads.
pub(super) fn run(args: &UploadArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let address = StoreAddress::new(&args.to).map_err(transfer::failure)?;
    let bundle = match bundle::verify(&args.bundle) {
        Ok(bundle) => bundle,
        Err(refused) => return validate_bundle::report(&refused, args.json, ui),
    };
    let store = address.open(&transfer::settings()).map_err(transfer::failure)?;
    let run_id = bundle.index().run_id.as_str();
    let shown = store.shown(run_id);
    match store::upload(&bundle, &*store) {
        Ok(counts) => {
            if args.json {
                ui.json(&TransferReport {
                    schema_version: TRANSFER_SCHEMA,
                    ok: true,
                    direction: "upload",
                    address: shown,
                    bundle_dir: Some(crate::base::printable::path_text(bundle.folder())),
                    run_id: run_id.to_owned(),
                    index_sha256: Some(bundle.index_sha256()),
                    counts,
                    problems: Vec::new(),
                });
            } else {
                let had = match counts.already_there {
                    0 => String::new(),
                    some => format!(", {some} of them there already"),
                };
                ui.line(format!("committed: {shown}"));
                ui.line(format!("{} files{had}; index {}", counts.files(), bundle.index_sha256()));
            }
            Ok(Exit::Done)
        }
        Err(error) => transfer::refused(error, "upload", &shown, run_id, args.json, ui),
    }
}
