//! What `upload` and `download` share: settings of a store, and what is said where one cannot be used.

use super::exit::{Exit, Failure};
use super::out::io_exit;
use super::ui::Ui;
use super::validate_bundle;
use crate::base::printable::Lines;
use crate::record::transfer::{TRANSFER_SCHEMA, TransferCounts, TransferReport};
use crate::store::{StoreError, StoreSettings};

/// What the settings of a bucket begin with.
const SETTINGS: &str = "AWS_";

/// The settings of a bucket, from the environment.
#[expect(clippy::disallowed_methods, reason = "settings are read in cli and passed down")]
pub(super) fn settings() -> StoreSettings {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).filter(|(name, _)| name.starts_with(SETTINGS)).collect()
}

/// The class of a store that cannot be used, or of a bundle that is not in it.
pub(super) fn failure(error: StoreError) -> Failure {
    let (exit, hint) = match &error {
        StoreError::Address { .. } => (Exit::Usage, None),
        StoreError::Exists { .. } => (Exit::Usage, Some("name another folder with --out, or use what is there")),
        StoreError::NotBuilt { .. } => {
            (Exit::Unavailable, Some("build it with `cargo build --release --features upload`, or name a folder"))
        }
        StoreError::Request { .. } => (
            Exit::Unavailable,
            Some("AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and their like say which store, and who asks"),
        ),
        StoreError::File(error) => (io_exit(error), None),
        StoreError::ChangedHere { .. } | StoreError::Unfit { .. } | StoreError::Refused(_) => {
            (Exit::BundleInvalid, None)
        }
    };
    let failure = Failure::new(exit, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Says why a bundle is not where it was to be brought.
pub(super) fn refused(
    error: StoreError,
    direction: &'static str,
    address: &str,
    run_id: &str,
    json: bool,
    ui: &mut Ui,
) -> Result<Exit, Failure> {
    match error {
        StoreError::Refused(refused) => validate_bundle::report(&refused, json, ui),
        StoreError::Unfit { problems, .. } if json && !problems.is_empty() => {
            ui.json(&TransferReport {
                schema_version: TRANSFER_SCHEMA,
                ok: false,
                direction,
                address: address.to_owned(),
                bundle_dir: None,
                run_id: run_id.to_owned(),
                index_sha256: None,
                counts: TransferCounts::default(),
                problems,
            });
            Ok(Exit::BundleInvalid)
        }
        StoreError::Unfit { place, what, problems } => {
            let lines: Lines = problems.iter().map(|problem| format!("{}: {}", problem.path, problem.what)).collect();
            ui.out(&lines);
            Err(failure(StoreError::Unfit { place, what, problems }))
        }
        other => Err(failure(other)),
    }
}
