//! What a run is asked to do.

use std::path::PathBuf;
use std::time::Duration;

use super::executable::Executable;
use crate::base::clock;
use crate::base::ids::{IdError, RunId, WorldId};
use crate::bundle::index::ExpectedArtifacts;
use crate::bundle::lock::LockMode;
use crate::lane::cancel::Cancel;
use crate::plan::{BundleInputs, ResolvedPlan};
use crate::record::channel_witness::WorkerWitness;
use crate::record::identity::Declaration;
use crate::record::manifest::{ChannelKind, HostFacts, RunStatus, WorldCheck};
use crate::record::outcome::Lane;
use crate::world;

/// Everything that a run depends on, as values: the run itself reads no environment.
#[derive(Debug)]
pub struct RunRequest {
    /// What is run, and how: the run declares it before anything is executed.
    pub declared: DeclaredRun,
    /// Where it is run.
    pub places: RunPlaces,
    /// How it is controlled while it goes on.
    pub control: RunControl,
}

/// What a run is asked to do, and declares.
#[derive(Debug)]
pub struct DeclaredRun {
    /// What to run.
    pub plan: ResolvedPlan,
    /// Id of the run.
    pub run_id: RunId,
    /// How the worker is started.
    pub channel: ChannelKind,
    /// How long a worker that a manager starts may take.
    pub channel_limit: Duration,
    /// What to do when another run has the output root.
    pub lock_mode: LockMode,
    /// Whether to do everything but execute.
    pub dry: bool,
    /// How many workers run probes; at least 1.
    pub jobs: u32,
    /// How often each probe is performed; at least 1.
    pub repeat: u32,
    /// The seed of the order in which probes are taken up; `None`: as the plan has them.
    pub shuffle: Option<u32>,
    /// Whether probes may execute programs and scripts that are not this program's own.
    pub host_programs: bool,
    /// What was agreed to about launchers.
    pub launchers: LauncherConsent,
    /// The environment of this process, names and values as they are.
    pub environment: Vec<(String, Vec<u8>)>,
}

/// The folders and the file that a run works with.
#[derive(Debug)]
pub struct RunPlaces {
    /// The folder that relative paths in documents are relative to.
    pub root: PathBuf,
    /// The output root.
    pub out: PathBuf,
    /// Folders in which fixtures may be made, best first.
    pub fixture_candidates: Vec<PathBuf>,
    /// This executable's file, which probe processes are forked from.
    pub exe: Executable,
}

/// Who can end a run, and whom it works for.
#[derive(Debug)]
pub struct RunControl {
    /// The cancellation, which every wait looks at.
    pub cancel: Cancel,
    /// If this process is itself a worker that a manager has started: what it was told and what it found.
    pub worker: Option<WorkerContext>,
    /// Whether to listen to what the kernel itself says of denials, which changes the host's audit while the run goes on.
    pub attribute: bool,
}

impl DeclaredRun {
    /// The world that the run belongs to, and how the host compares with the declared one.
    pub(super) fn world_on(&self, host: &HostFacts) -> Result<(WorldId, WorldCheck), IdError> {
        let declared = world::declared(self.plan.plan.world_id.as_ref());
        let document = self.plan.world.as_ref();
        let id = world::id(&declared, document.map(|world| &world.value), host)?;
        Ok((id, world::check(&declared, document.map(|world| (&world.value, world.digest)), host)))
    }

    /// The status that says that the run has begun.
    pub(super) fn first_status(&self, world_id: &WorldId) -> RunStatus {
        let plan = (self.plan.plan.plan_id.clone(), self.plan.plan_digest);
        let written = (std::process::id(), clock::unix_seconds());
        RunStatus::begun(self.run_id.clone(), world_id.clone(), self.channel, plan, written)
    }

    /// Which files the bundle has to have. `managed`: this process starts a worker through a manager.
    pub(super) fn expected(&self, managed: bool) -> ExpectedArtifacts {
        let on = |lane: bool| lane && !self.dry;
        let lanes = self.plan.lanes;
        ExpectedArtifacts {
            baseline: on(lanes.baseline),
            scenario: on(lanes.scenario),
            oracle: on(lanes.oracle),
            preflight: on(self.plan.preflight.is_some()),
            channel_witness: on(managed),
            identity: true,
        }
    }
}

/// What whoever starts a run agrees to about launchers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LauncherConsent {
    /// The launcher was named by whoever started the run, and not by a plan.
    pub given: bool,
    /// It may be started as root.
    pub as_root: bool,
}

/// What a worker knows beside the request.
#[derive(Debug)]
pub struct WorkerContext {
    /// The bundle's folder as documents spell it in the end.
    pub bundle_root: String,
    /// Path of the stage's folder.
    pub stage: PathBuf,
    /// What the run is held to, as its parent sealed it.
    pub declaration: Declaration,
    /// The staged input documents.
    pub inputs: BundleInputs,
    /// What this process found out about its own context before anything else.
    pub witness: WorkerWitness,
}

/// Told how the run goes, by whichever thread takes it on; for progress only.
pub trait RunObserver: Send {
    /// The run has so many rows, in all its lanes. Said once, before the first of them.
    fn begin(&mut self, _rows: usize) {}

    /// A lane begins that has so many rows.
    fn lane(&mut self, lane: Lane, rows: usize);

    /// One more row of the lane is there.
    fn row(&mut self);
}
