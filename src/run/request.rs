//! What a run is asked to do.

use std::path::PathBuf;
use std::time::Duration;

use super::executable::Executable;
use crate::base::ids::RunId;
use crate::bundle::lock::LockMode;
use crate::lane::cancel::Cancel;
use crate::plan::{BundleInputs, ResolvedPlan};
use crate::record::channel_witness::WorkerWitness;
use crate::record::identity::Declaration;
use crate::record::manifest::ChannelKind;
use crate::record::outcome::Lane;

/// Everything that a run depends on, as values: the run itself reads no environment.
#[derive(Debug)]
pub struct RunRequest {
    /// What to run.
    pub plan: ResolvedPlan,
    /// The folder that relative paths in documents are relative to.
    pub root: PathBuf,
    /// The output root.
    pub out: PathBuf,
    /// How the worker is started.
    pub channel: ChannelKind,
    /// What to do when another run has the output root.
    pub lock_mode: LockMode,
    /// Whether to do everything but execute.
    pub dry: bool,
    /// The environment of this process.
    pub environment: Vec<(String, Vec<u8>)>,
    /// How many workers run probes; at least 1.
    pub jobs: u32,
    /// The attempt's id.
    pub run_id: RunId,
    /// Folders in which fixtures may be made, best first.
    pub fixture_candidates: Vec<PathBuf>,
    /// Whether probes may execute programs and scripts that are not this program's own.
    pub host_programs: bool,
    /// This executable's file, which probe processes are forked from.
    pub exe: Executable,
    /// The wish to stop.
    pub cancel: Cancel,
    /// If this process is itself a worker that a manager has started: what it was told and what it found.
    pub worker: Option<WorkerContext>,
    /// How long a worker that a manager starts may take.
    pub channel_limit: Duration,
}

/// What a worker knows beside the request.
#[derive(Debug)]
pub struct WorkerContext {
    /// The bundle's folder as documents spell it in the end.
    pub bundle_root: String,
    /// The stage.
    pub stage: PathBuf,
    /// What the run is held to, as its parent sealed it.
    pub declaration: Declaration,
    /// The staged input documents.
    pub inputs: BundleInputs,
    /// What this process found out about its own context before anything else.
    pub witness: WorkerWitness,
}

/// Told how the run goes, by whichever thread takes it on; for progress only.
pub trait Observer: Send {
    /// A lane begins that has so many rows.
    fn lane(&mut self, lane: Lane, rows: usize);

    /// One more row of the lane is there.
    fn row(&mut self);
}
