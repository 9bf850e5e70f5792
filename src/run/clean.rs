//! A run through a clean channel: stage, start, wait for the end, verify, add what the manager says, commit once.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::declared_facts::{self, WORKER_ENVIRONMENT, ZygoteStarter};
use super::drift;
use super::error::{ChannelFailure, RunError, RunStep};
use super::fixture_places::fixture_places;
use super::inputs;
use super::request::RunRequest;
use super::sweep;
use super::transaction::{self, RunReport, RunStart, transact};
use crate::base::bundle_path::BundlePath;
use crate::base::digest::Digest;
use crate::base::fsx;
use crate::base::ids::{RunId, WorldId};
use crate::base::json_out;
use crate::base::limits::MAX_BUNDLE_FILE_BYTES;
use crate::bundle::index::path_of;
use crate::bundle::writer::BundleWriter;
use crate::bundle::{self, Bundle, Verified};
use crate::channel::job::{JobOwner, ManagedJob};
use crate::channel::manager::Manager;
use crate::channel::stage::{self, Stage};
use crate::channel::witness::NONCE_VARIABLE;
use crate::channel::{self, ChannelError};
use crate::evidence::channel_checks::{DeclaredWorker, WitnessSides, checks, is_clean};
use crate::evidence::{self, DerivationOutcome, ProfileControls};
use crate::lane::executor::LaneError;
use crate::lane::fixture::{RulePlaces, choose_base, remove_left};
use crate::plan::Workspace;
use crate::record::channel_witness::{CHANNEL_WITNESS_SCHEMA, ChannelWitness, JobFacts, ManagerAccount, WorkerWitness};
use crate::record::identity::Declaration;
use crate::record::layout::{self, Origin};
use crate::record::manifest::RunManifest;
use crate::record::worker_job::{WORKER_JOB_SCHEMA, WorkerJob};

/// How much of what a worker printed is kept, in bytes.
const MAX_PRINTED_BYTES: u64 = 1024 * 1024;

/// Runs a plan in a worker that the service manager starts.
pub(super) fn run(request: &RunRequest) -> Result<RunReport, RunError> {
    let manager = channel::manager_of(request.declared.channel)
        .map_err(|reason| RunError::Channel { channel: request.declared.channel, reason: reason.to_string() })?;
    run_through(request, manager.as_ref())
}

/// The same through a given manager. The program itself has no other than the host's; tests give doubles.
///
/// # Errors
/// As `run`.
pub fn run_through(request: &RunRequest, manager: &dyn Manager) -> Result<RunReport, RunError> {
    sweep::clear(&request.places.fixture_candidates);
    // What this process sees of the host, until the worker has said what it sees.
    let WorkerDeclaration { world_id, declaration, candidates } = look(request, manager)?;
    let bundle_root = transaction::bundle_root(request);
    let begun = RunStart { world_id, declaration: &declaration, bundle_root: &bundle_root, managed: true };
    transact(request, begun, |writer| through_worker(request, manager, &declaration, candidates, &bundle_root, writer))
}

/// Declares a run through the host's own manager.
pub(super) fn declare(request: &RunRequest) -> Result<Declaration, RunError> {
    let manager = channel::manager_of(request.declared.channel)
        .map_err(|reason| RunError::Channel { channel: request.declared.channel, reason: reason.to_string() })?;
    Ok(look(request, manager.as_ref())?.declaration)
}

/// What this process finds before it starts a worker.
struct WorkerDeclaration {
    world_id: WorldId,
    declaration: Declaration,
    /// Where the worker is to make its fixtures: first where the declared file system is.
    candidates: Vec<PathBuf>,
}

fn look(request: &RunRequest, manager: &dyn Manager) -> Result<WorkerDeclaration, RunError> {
    // Made and removed again: the worker makes its own in the same place.
    let places = fixture_places(request);
    let base = choose_base(&places, &request.declared.run_id, &RulePlaces::of(&request.declared.plan)).ok();
    let host = super::host::observe(base.as_ref().map(|base| base.file_system().to_string()));
    let (world_id, _) = request.declared.world_on(&host).map_err(RunError::World)?;
    let tool = declared_facts::tool_facts(&request.places.exe)?;
    let declaration = declared_facts::declare(request, &host, base.as_ref(), &tool, ZygoteStarter::Manager(manager))?;
    let chosen = base.as_ref().and_then(|base| base.path().parent()).map(Path::to_owned);
    let candidates = chosen.into_iter().chain(places).collect();
    Ok(WorkerDeclaration { world_id, declaration, candidates })
}

/// What is known of a job, and grows while it runs.
#[derive(Default)]
struct JobKnowledge {
    job: Option<JobFacts>,
    manager: Option<ManagerAccount>,
    worker: Option<WorkerWitness>,
}

fn through_worker(
    request: &RunRequest,
    manager: &dyn Manager,
    declaration: &Declaration,
    candidates: Vec<PathBuf>,
    bundle_root: &str,
    writer: &mut BundleWriter,
) -> Result<(RunManifest, DerivationOutcome), RunStep> {
    let staged = Stage::create(&stage::usual_base()).map_err(|error| RunStep::Channel(ChannelFailure::Stage(error)))?;
    let mut known = JobKnowledge::default();
    let order = WorkerOrder { bundle_root: bundle_root.to_owned(), declaration, candidates };
    let brought = bring(request, manager, order, &staged, &mut known);
    // Whatever came of it, what is known is evidence.
    let brought = match brought {
        Ok(bundle) => import(&bundle, writer).map(|worker| {
            known.worker = Some(worker);
            bundle
        }),
        Err(failure) => Err(failure),
    };
    store_witness(request, declaration, &known, writer)?;
    store_printed(&staged, writer)?;
    for (path, bytes) in manager.diagnostics(&request.declared.run_id, bundle_root) {
        writer.put(&path, &bytes).map_err(RunStep::Write)?;
    }
    let bundle = brought?;
    let manifest = bundle.manifest().clone();
    writer.adopt_world(&manifest.world_id);
    let now = look(request, manager).map(|seen| seen.declaration);
    let elements = drift::of_elements(declaration, now);
    drift::check(&Workspace::at(&request.places.root), &manifest, request.places.exe.path(), elements, writer)?;
    let rows = writer.rows();
    let controls = ProfileControls::of_plan(&request.declared.plan);
    let outcome =
        evidence::derive(&request.declared.plan, &manifest, &controls, &rows, writer).map_err(RunStep::Derive)?;
    Ok((manifest, outcome))
}

/// What a worker is told beside the request.
struct WorkerOrder<'o> {
    bundle_root: String,
    declaration: &'o Declaration,
    candidates: Vec<PathBuf>,
}

/// Stages, starts, waits, and verifies what the worker has sealed.
fn bring(
    request: &RunRequest,
    manager: &dyn Manager,
    order: WorkerOrder<'_>,
    staged: &Stage,
    known: &mut JobKnowledge,
) -> Result<Verified<Bundle>, RunStep> {
    let failed = |failure| RunStep::Channel(failure);
    prepare(request, order, staged).map_err(|error| failed(ChannelFailure::Stage(error)))?;
    let unit = manager.name_of(&request.declared.run_id);
    let nonce = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    let mut environment: Vec<(String, String)> =
        WORKER_ENVIRONMENT.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect();
    environment.push((NONCE_VARIABLE.to_string(), nonce.clone()));
    known.job = Some(JobFacts {
        unit: unit.clone(),
        nonce_sha256: Digest::of(nonce.as_bytes()),
        environment: environment.iter().map(|(name, _)| name.clone()).collect(),
        manager_environment: manager.own_environment().iter().map(|name| (*name).to_string()).collect(),
    });
    let place = |name: &str| staged.path().join(name);
    let argv = [
        place(stage::EXECUTABLE).display().to_string(),
        "__worker".to_string(),
        place(stage::JOB).display().to_string(),
    ];
    let job = ManagedJob {
        unit: &unit,
        argv: &argv,
        environment: &environment,
        folder: staged.path(),
        stdout: &place(stage::STDOUT),
        stderr: &place(stage::STDERR),
        limit: request.declared.channel_limit,
    };
    let result = staged.path().join(stage::OUT).join(request.declared.run_id.as_str());
    let watched = match manager.start(&job) {
        Ok(_) => watch(request, manager, &unit, staged, &result, known),
        Err(_) if matches!(manager.whose(&job), Ok(JobOwner::Anothers)) => {
            Err(failed(ChannelFailure::NameTaken { unit: unit.clone() }))
        }
        Err(source) => {
            known.manager = manager.account(&unit).ok();
            let how = known.manager.as_ref().map_or_else(|| "the manager has no account of it".into(), how_it_ended);
            Err(failed(ChannelFailure::NotStarted { how, source: Box::new(source) }))
        }
    };
    // Also after a start that failed: a manager that was too slow to answer may have started it.
    manager.end(&job);
    remove_left_fixtures(staged, &request.declared.run_id);
    watched?;

    let ended = known.manager.as_ref();
    let sealed = result.join(layout::ARTIFACT_INDEX).exists();
    let well = ended.is_some_and(|account| account.exit_code == Some(0));
    if !sealed || !well {
        return Err(failed(ChannelFailure::NoResult {
            how: ended.map_or_else(|| "the manager has no account of it".to_string(), how_it_ended),
            stderr: tail(&place(stage::STDERR)),
        }));
    }
    bundle::verify(&result).map_err(|refused| failed(ChannelFailure::Result(refused)))
}

/// Says in the stage where a worker's fixtures are. Should that fail, nothing but clearing up after a killed worker does.
#[expect(clippy::disallowed_methods, reason = "a note for the sweep, in a folder that is not kept")]
pub(super) fn note_fixtures(stage: &Path, base: &Path) {
    let _ = std::fs::write(stage.join(stage::FIXTURES), base.as_os_str().as_encoded_bytes());
}

/// Removes the fixtures of a worker that could not do so itself.
fn remove_left_fixtures(staged: &Stage, run_id: &RunId) {
    if let Ok(bytes) = fsx::read_regular(&staged.path().join(stage::FIXTURES), MAX_PRINTED_BYTES) {
        remove_left(Path::new(OsStr::from_bytes(&bytes)), run_id);
    }
}

/// Takes the manager's account of the running worker, lets it go on, and waits for its end.
fn watch(
    request: &RunRequest,
    manager: &dyn Manager,
    unit: &str,
    staged: &Stage,
    result: &Path,
    known: &mut JobKnowledge,
) -> Result<(), RunStep> {
    let failed = |error| RunStep::Channel(ChannelFailure::Manager(error));
    let alive = manager.account(unit).map_err(failed)?;
    known.manager = Some(alive.clone());
    staged.let_go().map_err(|error| RunStep::Channel(ChannelFailure::Stage(error)))?;
    let cancelled = || request.control.cancel.requested().is_some();
    let sealed = || result.join(layout::ARTIFACT_INDEX).exists();
    match manager.wait(&alive, request.declared.channel_limit, &sealed, &cancelled) {
        Ok(account) => {
            known.manager = Some(account);
            Ok(())
        }
        Err(ChannelError::Expired { limit_s, account }) => {
            known.manager = Some((*account).clone());
            Err(failed(ChannelError::Expired { limit_s, account }))
        }
        Err(ChannelError::Cancelled) => {
            let signal = request.control.cancel.requested().unwrap_or_default();
            Err(RunStep::Lane(LaneError::Cancelled { signal }))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Puts exactly the declared inputs, the executable and the job into the stage.
fn prepare(request: &RunRequest, order: WorkerOrder<'_>, staged: &Stage) -> Result<(), fsx::FileError> {
    let (placed, sources) = inputs::placed(&request.declared.plan);
    let mut files = Vec::with_capacity(placed.len() + 1);
    for (path, document) in placed {
        files.push(staged.put(&path, &inputs::content(document, &request.places.root)?)?);
    }
    files.push(staged.put(&path_of(layout::INPUT_SOURCES), &json_out::to_pretty(&sources))?);
    let job = WorkerJob {
        schema_version: WORKER_JOB_SCHEMA.to_string(),
        run_id: request.declared.run_id.clone(),
        channel: request.declared.channel,
        bundle_root: order.bundle_root,
        identity: staged.put(&path_of(layout::RUN_IDENTITY), &json_out::to_pretty(order.declaration))?,
        executable: staged.put_executable(request.places.exe.path())?,
        inputs: files,
        only_profiles: request.declared.plan.selection.only_profiles.clone(),
        only_scenarios: request.declared.plan.selection.only_scenarios.clone(),
        shard: request.declared.plan.selection.shard.clone(),
        jobs: request.declared.jobs,
        repeat: Some(request.declared.repeat).filter(|times| *times > 1),
        shuffle: request.declared.shuffle,
        host_programs: request.declared.host_programs,
        // The worker has another working folder.
        fixture_candidates: order
            .candidates
            .iter()
            .map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string())
            .collect(),
    };
    let path = BundlePath::new(stage::JOB).expect("a fixed name is a valid path");
    staged.put(&path, &json_out::to_pretty(&job)).map(|_| ())
}

/// Copies what cannot be derived from the worker's verified bundle, and gives its witness. Each file has to be, byte for
/// byte, the one that was verified.
fn import(bundle: &Verified<Bundle>, writer: &mut BundleWriter) -> Result<WorkerWitness, RunStep> {
    let mut witness = None;
    for (path, entry) in bundle.entries() {
        if path.as_str() == layout::RUN_IDENTITY {
            // The worker sealed what it was given, and this run has sealed it already.
            if writer.digest_of(path) != Some(entry.sha256) {
                return Err(RunStep::Channel(ChannelFailure::Changed { path: path.to_string() }));
            }
            continue;
        }
        let origin = layout::artifact(path.as_str()).map(|artifact| artifact.origin);
        if !matches!(origin, Some(Origin::Raw | Origin::Rows(_))) {
            continue;
        }
        let changed = || RunStep::Channel(ChannelFailure::Changed { path: path.to_string() });
        if path.as_str() == layout::WORKER_WITNESS {
            let bytes = read(bundle.folder(), path)?;
            if Digest::of(&bytes) != entry.sha256 {
                return Err(changed());
            }
            witness = serde_json::from_slice::<WorkerWitness>(&bytes).ok();
            continue;
        }
        let file = fsx::open_regular(&path.under(bundle.folder())).map_err(RunStep::Artifact)?;
        let mut out = writer.stage(path).map_err(RunStep::Write)?;
        let mut file = std::io::Read::take(file, MAX_BUNDLE_FILE_BYTES);
        std::io::copy(&mut file, &mut out).map_err(RunStep::Artifact)?;
        writer.finish_artifact(out).map_err(RunStep::Write)?;
        if writer.digest_of(path) != Some(entry.sha256) {
            return Err(changed());
        }
    }
    witness.ok_or_else(|| {
        RunStep::Channel(ChannelFailure::NoResult {
            how: "its result has no witness of its own context".to_string(),
            stderr: String::new(),
        })
    })
}

fn read(folder: &Path, path: &BundlePath) -> Result<Vec<u8>, RunStep> {
    fsx::read_regular(&path.under(folder), MAX_PRINTED_BYTES)
        .map_err(|error| RunStep::Channel(ChannelFailure::Stage(error)))
}

fn store_witness(
    request: &RunRequest,
    declaration: &Declaration,
    known: &JobKnowledge,
    writer: &mut BundleWriter,
) -> Result<(), RunStep> {
    let checks = checks(WitnessSides {
        channel: request.declared.channel,
        run_id: &request.declared.run_id,
        declared: DeclaredWorker::of(declaration).as_ref(),
        worker: known.worker.as_ref(),
        manager: known.manager.as_ref(),
        job: known.job.as_ref(),
    });
    let witness = ChannelWitness {
        schema_version: CHANNEL_WITNESS_SCHEMA.to_string(),
        run_id: request.declared.run_id.clone(),
        channel: request.declared.channel,
        worker: known.worker.clone(),
        manager: known.manager.clone(),
        job: known.job.clone(),
        clean: is_clean(&checks),
        checks,
    };
    writer.put(&path_of(layout::CHANNEL_WITNESS), &json_out::to_pretty(&witness)).map_err(RunStep::Write)
}

/// Keeps what the worker printed, if it printed anything.
fn store_printed(staged: &Stage, writer: &mut BundleWriter) -> Result<(), RunStep> {
    for name in [stage::STDOUT, stage::STDERR] {
        let Ok(bytes) = fsx::read_regular(&staged.path().join(name), MAX_PRINTED_BYTES) else { continue };
        if !bytes.is_empty() {
            let path = BundlePath::new(format!("{}{name}", layout::CHANNEL_FOLDER)).expect("fixed names are valid");
            writer.put(&path, &bytes).map_err(RunStep::Write)?;
        }
    }
    Ok(())
}

/// The manager's account in one line.
fn how_it_ended(account: &ManagerAccount) -> String {
    let how = match (account.exit_code, account.signal) {
        (Some(code), _) => format!("it exited with code {code}"),
        (None, Some(signal)) => format!("signal {signal} ended it"),
        (None, None) => "it was ended through the manager, which keeps no account of it".to_string(),
    };
    format!("{how} ({})", channel::words(account))
}

/// The last lines of a text file.
fn tail(path: &Path) -> String {
    let bytes = fsx::read_regular(path, MAX_PRINTED_BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().rev().take(3).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("; ")
}
