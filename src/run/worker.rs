//! The worker's side of a clean channel: check what arrived, wait to be seen, run, seal.
//!
//! A worker belongs to somebody: whoever made its stage. When that process is gone nobody will ever take the result, so
//! the worker stops, takes its stage away, and asks the manager to end its unit.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::engine;
use super::error::RunError;
use super::request::{DeclaredRun, RunControl, RunObserver, RunPlaces, RunRequest, WorkerContext};
use crate::base::clock::Stopwatch;
use crate::base::fsx::{self, FileError};
use crate::base::json::{self, JsonError};
use crate::base::threads;
use crate::bundle::lock::LockMode;
use crate::channel::stage::{self, ArrivalError};
use crate::channel::systemd::{self, Systemd};
use crate::lane::cancel::Cancel;
use crate::plan::{self, BundleInputs, BundleInputsError, LoadError, Selection};
use crate::record::channel_witness::WorkerWitness;
use crate::record::identity::Declaration;
use crate::record::manifest::ChannelKind;
use crate::record::outcome::Lane;
use crate::record::worker_job::{StagedFile, WORKER_JOB_SCHEMA, WorkerJob};

/// Largest job, in bytes.
const MAX_JOB_BYTES: u64 = 16 * 1024 * 1024;
/// How long the worker waits to be let go.
const GO_LIMIT_US: u64 = 120_000_000;
/// How often it looks.
const GO_POLL: Duration = Duration::from_millis(2);
/// How often it looks whether its owner still lives.
const OWNER_POLL: Duration = Duration::from_millis(200);

/// Why a worker did not run.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The job cannot be read.
    #[error("the job cannot be read")]
    Read(#[source] FileError),
    /// The job is no acceptable JSON.
    #[error("the job is not acceptable JSON")]
    Json(#[source] JsonError),
    /// The job has another shape.
    #[error("the job does not have the shape `{WORKER_JOB_SCHEMA}`")]
    Shape(#[source] serde_json::Error),
    /// The declaration has another shape.
    #[error("the staged declaration cannot be parsed")]
    Declaration(#[source] serde_json::Error),
    /// Something arrived as another thing.
    #[error("a staged file is not what was staged")]
    Arrival(#[source] ArrivalError),
    /// The staged inputs cannot be used.
    #[error("the staged inputs cannot be used")]
    Inputs(#[source] BundleInputsError),
    /// The staged plan cannot be resolved.
    #[error("the staged plan cannot be resolved")]
    Plan(#[source] LoadError),
    /// Nobody let the worker go on.
    #[error("the worker was not told to continue within two minutes")]
    NotLetGo,
    /// Nobody waits for a result.
    #[error("whoever made the stage `{}` has ended, so nothing would collect a result", stage.display())]
    Abandoned {
        /// Path of the stage's folder.
        stage: PathBuf,
    },
    /// The run itself failed.
    #[error(transparent)]
    Run(RunError),
}

/// Does the job in `path`. `witness` is what the process found out about itself before anything else.
///
/// # Errors
/// See [`WorkerError`]. Nothing runs unless everything arrived as it was staged.
pub fn work(path: &Path, running: &Path, witness: WorkerWitness, cancel: Cancel) -> Result<(), WorkerError> {
    let bytes = fsx::read_regular(path, MAX_JOB_BYTES).map_err(WorkerError::Read)?;
    let value = json::parse(&bytes).map_err(WorkerError::Json)?;
    let job: WorkerJob = json::from_value(value).map_err(WorkerError::Shape)?;
    let stage = path.parent().unwrap_or(Path::new("/")).to_owned();
    // Only its own unit may it end: started by hand it is in another, the one of its caller's session for instance.
    let unit = Some(systemd::unit_of(&job.run_id)).filter(|unit| witness.unit.as_ref() == Some(unit));
    let channel = job.channel;
    let outcome = under_watch(job, &stage, running, witness, cancel);
    if matches!(outcome, Err(WorkerError::Abandoned { .. })) {
        stage::remove_abandoned(&stage);
        if let (ChannelKind::SystemdClean, Some(unit), Ok(manager)) = (channel, unit, Systemd::find()) {
            manager.leave(&unit);
            // The manager keeps a unit that ends with a failure; this one nobody would ever look at.
            return Ok(());
        }
    }
    outcome
}

fn under_watch(
    job: WorkerJob,
    stage: &Path,
    running: &Path,
    witness: WorkerWitness,
    cancel: Cancel,
) -> Result<(), WorkerError> {
    stage::check_executable(stage, &job.executable, running).map_err(WorkerError::Arrival)?;
    for file in &job.inputs {
        stage::read_arrived(stage, file).map_err(WorkerError::Arrival)?;
    }
    let declaration = read_declaration(stage, &job.identity)?;
    let inputs = BundleInputs::open(stage).map_err(WorkerError::Inputs)?;
    let selection =
        Selection { only_profiles: job.only_profiles, only_scenarios: job.only_scenarios, shard: job.shard };
    let plan = plan::resolve(&inputs, inputs.plan_path(), &selection).map_err(WorkerError::Plan)?;
    wait_to_be_let_go(stage)?;
    let abandoned = watch_owner(stage, &cancel);
    let request = RunRequest {
        declared: DeclaredRun {
            plan,
            run_id: job.run_id,
            channel: job.channel,
            channel_limit: Duration::ZERO,
            lock_mode: LockMode::Fail,
            dry: false,
            jobs: job.jobs,
            repeat: job.repeat.unwrap_or(1),
            shuffle: job.shuffle,
            host_programs: job.host_programs,
            launchers: Default::default(),
            environment: Vec::new(),
        },
        places: RunPlaces {
            root: stage.to_owned(),
            out: stage.join(stage::OUT),
            fixture_candidates: job.fixture_candidates.into_iter().map(PathBuf::from).collect(),
            exe: stage.join(stage::EXECUTABLE).into(),
        },
        control: RunControl {
            cancel,
            worker: Some(WorkerContext {
                bundle_root: job.bundle_root,
                stage: stage.to_owned(),
                declaration,
                inputs,
                witness,
            }),
            attribute: false,
        },
    };
    let ran = engine::run(&request, &mut SilentObserver);
    if abandoned.load(Ordering::SeqCst) {
        return Err(WorkerError::Abandoned { stage: stage.to_owned() });
    }
    ran.map(|_| ()).map_err(WorkerError::Run)
}

/// The declaration that the parent sealed.
fn read_declaration(stage: &Path, staged: &StagedFile) -> Result<Declaration, WorkerError> {
    let bytes = stage::read_arrived(stage, staged).map_err(WorkerError::Arrival)?;
    let value = json::parse(&bytes).map_err(WorkerError::Json)?;
    json::from_value(value).map_err(WorkerError::Declaration)
}

/// Asks to stop as soon as the owner of the stage is gone, and says so in the flag that is returned.
fn watch_owner(stage: &Path, cancel: &Cancel) -> Arc<AtomicBool> {
    let abandoned = Arc::new(AtomicBool::new(false));
    let (flag, stage, cancel) = (Arc::clone(&abandoned), stage.to_owned(), cancel.clone());
    // Where there can be no further thread, the manager ends an abandoned worker when its time is up.
    let watch = move || {
        while !stage::is_abandoned(&stage) {
            std::thread::sleep(OWNER_POLL);
        }
        flag.store(true, Ordering::SeqCst);
        cancel.request(libc::SIGTERM);
    };
    let _ = threads::builder().and_then(|new| new.name("owner".into()).spawn(watch));
    abandoned
}

/// The manager is asked about this process while it is alive; until then it waits.
fn wait_to_be_let_go(stage: &Path) -> Result<(), WorkerError> {
    let go = stage.join(stage::GO);
    let watch = Stopwatch::start();
    loop {
        if stage::is_abandoned(stage) {
            return Err(WorkerError::Abandoned { stage: stage.to_owned() });
        }
        if go.exists() {
            return Ok(());
        }
        if watch.elapsed_us() > GO_LIMIT_US {
            return Err(WorkerError::NotLetGo);
        }
        std::thread::sleep(GO_POLL);
    }
}

/// Nobody watches a worker.
struct SilentObserver;

impl RunObserver for SilentObserver {
    fn lane(&mut self, _: Lane, _: usize) {}

    fn row(&mut self) {}
}
