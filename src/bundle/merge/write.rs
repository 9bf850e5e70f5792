//! Writing a merge.

use std::io;

use super::compose::{ComposeError, compose, in_order};
use super::replay::copy_rows;
use super::rows::MergedRows;
use crate::base::clock;
use crate::base::ids::RunId;
use crate::base::json_out;
use crate::bundle::index::{ExpectedArtifacts, path_of};
use crate::bundle::lock::OutputLock;
use crate::bundle::verified::{Bundle, Verified};
use crate::bundle::verified_artifact::ArtifactError;
use crate::bundle::writer::{BundleWriter, Committed, RunEnd, WriteError};
use crate::evidence::{self, DerivationOutcome, DeriveError, ProfileControls};
use crate::plan::{BundleInputs, BundleInputsError};
use crate::record::layout;
use crate::record::manifest::{RunManifest, RunStatus};
use crate::record::merge::MergeDocument;

/// A merge could not be written.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// The parts could not be put together.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// The inputs of a part cannot be used.
    #[error(transparent)]
    Inputs(#[from] BundleInputsError),
    /// A part changed since it was verified.
    #[error("a bundle changed since it was verified")]
    Part(#[source] ArtifactError),
    /// The bundle could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The rows of a lane could not be put together.
    #[error("the rows cannot be put together")]
    Rows(#[source] io::Error),
    /// The evidence could not be derived.
    #[error(transparent)]
    Derive(#[from] DeriveError),
}

/// A merge that was written.
#[derive(Debug)]
pub struct Merged {
    /// The bundle.
    pub committed: Committed,
    /// What it says of its parts.
    pub document: MergeDocument,
    /// For each part, in order, its place in what was given.
    pub given: Vec<usize>,
    /// The manifest as it was written.
    pub manifest: RunManifest,
    /// What came out.
    pub outcome: DerivationOutcome,
}

/// Puts bundles together, which belong together, and commits the result. `bundle_root` is its folder as documents spell it.
///
/// # Errors
/// See [`MergeError`]. Nothing that was begun is committed then.
pub fn write(
    bundles: &[&Verified<Bundle>],
    lock: &OutputLock,
    run_id: &RunId,
    bundle_root: &str,
) -> Result<Merged, MergeError> {
    let (given, parts): (Vec<usize>, Vec<&Verified<Bundle>>) = in_order(bundles.iter().copied()).into_iter().unzip();
    let first = parts[0];
    let documents = BundleInputs::open(first.folder())?;
    let composition = compose(&parts, &documents, documents.plan_path(), run_id, bundle_root)?;
    let manifest = &composition.manifest;
    let plan = (manifest.plan_id.clone(), manifest.plan_digest);
    let written = (std::process::id(), clock::unix_seconds());
    let status = RunStatus::begun(run_id.clone(), manifest.world_id.clone(), manifest.channel, plan, written);
    let lanes = composition.plan.lanes;
    let expected = ExpectedArtifacts {
        baseline: lanes.baseline,
        scenario: lanes.scenario,
        oracle: lanes.oracle,
        preflight: composition.plan.preflight.is_some(),
        channel_witness: false,
        identity: true,
    };
    let mut writer = BundleWriter::create(lock, bundle_root, status, expected)?;
    writer.seal_identity(composition.declaration.identity, &json_out::to_pretty(&composition.declaration))?;
    for (number, part) in (1..).zip(&parts) {
        writer.adopt(number, part)?;
    }
    for (path, _) in first.entries() {
        if path.as_str().starts_with(layout::INPUTS_FOLDER) || path.as_str() == layout::APPLY_PREFLIGHT {
            let copied = first.read_artifact(path.as_str(), |reader| {
                let mut bytes = Vec::new();
                reader.read_to_end(&mut bytes).map(|_| bytes)
            });
            writer.put(path, &copied.map_err(MergeError::Part)?)?;
        }
    }
    writer.put(&path_of(layout::MERGE), &json_out::to_pretty(&composition.document))?;
    writer.put(&path_of(layout::RUN_MANIFEST), &json_out::to_pretty(manifest))?;
    let merged = MergedRows::new(&composition, &parts);
    for lane in merged.lanes() {
        let mut out = writer.stage(&path_of(layout::rows_of(*lane)))?;
        copy_rows(&merged, *lane, &mut out).map_err(MergeError::Rows)?;
        writer.finish_artifact(out)?;
    }
    let rows = writer.rows();
    let controls = ProfileControls::of_plan(&composition.plan);
    let disagreeing = &composition.disagreeing;
    let outcome = evidence::derive_merged(&composition.plan, manifest, &controls, &rows, disagreeing, &mut writer)?;
    if parts.iter().all(|part| part.status().drift.as_ref().is_some_and(Vec::is_empty)) {
        writer.note_drift(Vec::new());
    }
    let committed = writer.commit(RunEnd::Complete { dry: false })?;
    Ok(Merged { committed, document: composition.document, given, manifest: composition.manifest, outcome })
}
