//! The one road of a run from its lock to its commit: lock, folder, declaration, whatever the run produces, commit; or what
//! there is, sealed as failed.

use super::error::{RunError, RunStep};
use super::request::RunRequest;
use super::sweep;
use crate::base::error_chain::error_chain;
use crate::base::fsx;
use crate::base::ids::WorldId;
use crate::base::json_out;
use crate::bundle::lock::OutputLock;
use crate::bundle::writer::{BundleWriter, Committed, RunEnd};
use crate::evidence::DerivationOutcome;
use crate::lane::executor::LaneError;
use crate::plan::Workspace;
use crate::record::identity::Declaration;
use crate::record::manifest::RunManifest;

/// A complete run.
#[derive(Debug)]
pub struct RunReport {
    /// The sealed bundle.
    pub committed: Committed,
    /// The manifest as it was written.
    pub manifest: RunManifest,
    /// What came out.
    pub outcome: DerivationOutcome,
}

/// What is known of a run when its bundle is begun.
pub(super) struct RunStart<'d> {
    /// The world, as far as this process can tell.
    pub(super) world_id: WorldId,
    pub(super) declaration: &'d Declaration,
    /// The bundle's folder as documents spell it.
    pub(super) bundle_root: &'d str,
    /// Whether this process starts a worker through a manager.
    pub(super) managed: bool,
}

/// The bundle's folder as documents spell it.
pub(super) fn bundle_root(request: &RunRequest) -> String {
    let folder = request.places.out.join(request.declared.run_id.as_str());
    Workspace::pointer(&Workspace::pointer_root(&request.places.root), &folder)
}

/// Takes the output root's lock, begins the bundle, makes the declaration durable, lets the run produce what it does, and
/// commits. Nothing is executed before the declaration is durable.
pub(super) fn transact(
    request: &RunRequest,
    begun: RunStart<'_>,
    produce: impl FnOnce(&mut BundleWriter) -> Result<(RunManifest, DerivationOutcome), RunStep>,
) -> Result<RunReport, RunError> {
    let declared = &request.declared;
    fsx::create_dir_all(&request.places.out).map_err(|source| RunError::Lock(source.into()))?;
    let cancelled = || request.control.cancel.requested().is_some();
    let lock = OutputLock::acquire(&request.places.out, declared.lock_mode, &declared.run_id, &cancelled)
        .map_err(RunError::Lock)?;
    sweep::clear_output(&lock);
    let status = declared.first_status(&begun.world_id);
    let mut writer = BundleWriter::create(&lock, begun.bundle_root, status, declared.expected(begun.managed))
        .map_err(RunError::Start)?;
    let bundle = writer.folder().to_owned();
    let bytes = json_out::to_pretty(begun.declaration);
    let produced = writer
        .seal_identity(begun.declaration.identity, &bytes)
        .map_err(RunStep::Write)
        .and_then(|()| produce(&mut writer));
    let (manifest, outcome) = match produced {
        Ok(produced) => produced,
        Err(step) => return Err(give_up(writer, step)),
    };
    let committed = writer
        .commit(RunEnd::Complete { dry: declared.dry })
        .map_err(|error| RunError::Failed { bundle, source: RunStep::Write(error) })?;
    Ok(RunReport { committed, manifest, outcome })
}

/// Seals what there is as failed.
fn give_up(writer: BundleWriter, step: RunStep) -> RunError {
    let bundle = writer.folder().to_owned();
    let interrupted = match &step {
        RunStep::Lane(LaneError::Cancelled { signal }) => Some(*signal),
        _ => None,
    };
    let (error, stage) = match interrupted {
        Some(signal) => (format!("interrupted by signal {signal}"), "interrupted"),
        None => (error_chain(&step), step.stage()),
    };
    let sealed = writer.commit(RunEnd::Failed { error, stage: stage.to_string() });
    match (interrupted, sealed) {
        (Some(signal), Ok(_)) => RunError::Interrupted { signal, bundle },
        (_, Err(error)) => RunError::Failed { bundle, source: RunStep::Write(error) },
        (None, Ok(_)) => RunError::Failed { bundle, source: step },
    }
}
