//! The steps of a run, in order.

use std::io::Write;
use std::path::PathBuf;

use super::clean;
use super::confinement;
use super::declared_facts::{self, Starter};
use super::drift;
use super::error::{RunError, Step};
use super::executable::Executable;
use super::inputs;
use super::preflight;
use super::request::{Observer, RunRequest};
use super::sweep;
use crate::base::clock;
use crate::base::error_chain::error_chain;
use crate::base::fsx::{self, IoContext};
use crate::base::ids::{IdError, WorldId};
use crate::base::json_out;
use crate::base::threads;
use crate::bundle::index::{ExpectedArtifacts, path_of};
use crate::bundle::lock::OutputLock;
use crate::bundle::writer::{ArtifactOut, BundleWriter, Committed, RunEnd};
use crate::channel;
use crate::enforce;
use crate::evidence::{self, Outcome, ProfileControls, oracle_model};
use crate::identity;
use crate::lane::capability::HostCapabilities;
use crate::lane::control::ControlTasks;
use crate::lane::executor::{self, LaneError};
use crate::lane::fixture::{FixtureBase, RulePlaces, choose_base};
use crate::lane::ports::PortPool;
use crate::lane::task::{PlanTasks, Tasks};
use crate::lane::worker::{Shared, Worker};
use crate::plan::{self, Workspace};
use crate::policy::answer::Answerer;
use crate::record::identity::Declaration;
use crate::record::layout;
use crate::record::manifest::{
    ChannelKind, HostFacts, PreflightRef, RUN_MANIFEST_SCHEMA, RUN_STATUS_SCHEMA, RunManifest, RunState, RunStatus,
    SelectionRecord, ToolFacts, WorldCheck,
};
use crate::record::outcome::Lane;
use crate::world;

/// A complete run.
#[derive(Debug)]
pub struct RunReport {
    /// The sealed bundle.
    pub committed: Committed,
    /// Its manifest.
    pub manifest: RunManifest,
    /// What came out.
    pub outcome: Outcome,
}

/// Runs a plan and commits its bundle.
///
/// # Errors
/// See [`RunError`]. Where a bundle was begun, it is marked failed and named.
pub fn run(request: &RunRequest, observer: &mut dyn Observer) -> Result<RunReport, RunError> {
    check_host(request)?;
    check_host_programs(request)?;
    if request.channel == ChannelKind::Direct || request.dry || request.worker.is_some() {
        run_here(request, observer)
    } else {
        clean::run(request)
    }
}

/// Whoever starts a run has to agree before a plan executes what is not this program's own.
fn check_host_programs(request: &RunRequest) -> Result<(), RunError> {
    let lanes = request.plan.lanes;
    if request.host_programs || request.dry || !(lanes.baseline || lanes.scenario) {
        return Ok(());
    }
    match plan::host_programs(&request.plan) {
        (_, 0) => Ok(()),
        (first, count) => Err(RunError::HostPrograms { first, count }),
    }
}

/// All steps in this process.
fn run_here(request: &RunRequest, observer: &mut dyn Observer) -> Result<RunReport, RunError> {
    // Before anything is made: what was left may fill the memory that fixtures lie in.
    if !request.dry && request.worker.is_none() {
        sweep::clear(&request.fixture_candidates);
    }
    let base = if request.dry { None } else { Some(base_for(request)?) };
    let confinement = confinement::measure(base.as_ref());
    if let (Some(worker), Some(base)) = (&request.worker, &base) {
        clean::note_fixtures(&worker.stage, base.path());
    }
    let host = super::host::observe(base.as_ref().map(|base| base.file_system().to_string()));
    let (world_id, world) = world_of(request, &host).map_err(RunError::World)?;
    let tool = tool_facts(&request.exe)?;
    let declaration = match &request.worker {
        Some(worker) => worker.declaration.clone(),
        None => declare_with(request, &host, base.as_ref(), &tool, Starter::Myself(&confinement))?,
    };

    fsx::create_dir_all(&request.out).map_err(|source| RunError::Lock(source.into()))?;
    let cancelled = || request.cancel.requested().is_some();
    let lock =
        OutputLock::acquire(&request.out, request.lock_mode, &request.run_id, &cancelled).map_err(RunError::Lock)?;
    sweep::clear_output(&lock);
    let bundle_root = match &request.worker {
        Some(worker) => worker.bundle_root.clone(),
        None => bundle_root(request),
    };
    let status = first_status(request, &world_id);
    let expected = expected(request, false);
    let mut writer = BundleWriter::create(&lock, &bundle_root, status, expected).map_err(RunError::Start)?;
    let folder = writer.folder().to_owned();
    let stage = request.worker.as_ref().map(|worker| worker.stage.display().to_string());
    let manifest = RunManifest {
        schema_version: RUN_MANIFEST_SCHEMA.to_string(),
        run_id: request.run_id.clone(),
        identity: Some(declaration.identity),
        world_id,
        channel: request.channel,
        plan_id: request.plan.plan.plan_id.clone(),
        plan_digest: request.plan.plan_digest,
        dry_run: request.dry,
        stage_used: stage.is_some(),
        stage_root: stage.clone(),
        repo_root_context: stage.clone().unwrap_or_else(|| ".".to_string()),
        staged_output_root: stage.map(|_| request.out.display().to_string()),
        output_root: bundle_root,
        apply_preflight: None,
        tool,
        host,
        world,
        declared_inputs: inputs::declared(&request.plan),
        selection: SelectionRecord {
            only_profiles: request.plan.selection.only_profiles.clone(),
            only_scenarios: request.plan.selection.only_scenarios.clone(),
        },
        deadline_ms: request.plan.deadline_ms,
        jobs: request.jobs,
        host_programs: request.host_programs,
        fixture_base: base.as_ref().map(|base| base.path().to_string_lossy().into_owned()).unwrap_or_default(),
        confinement: Some(confinement),
        started_at_unix_s: clock::unix_seconds(),
    };

    let produced = seal(&declaration, &mut writer)
        .and_then(|()| produce(request, base.as_ref(), &declaration, manifest, &mut writer, observer));
    match produced {
        Ok((manifest, outcome)) => {
            let committed = writer
                .commit(RunEnd::Complete { dry: request.dry })
                .map_err(|error| RunError::Failed { bundle: folder, source: Step::Write(error) })?;
            Ok(RunReport { committed, manifest, outcome })
        }
        Err(step) => Err(give_up(writer, folder, step)),
    }
}

/// Declares a run as it would be sealed, and does nothing else.
///
/// # Errors
/// As [`run`], as far as it gets without writing.
pub fn declare(request: &RunRequest) -> Result<Declaration, RunError> {
    check_host(request)?;
    if request.channel == ChannelKind::Direct || request.dry {
        let base = match request.dry {
            true => None,
            false => Some(base_for(request)?),
        };
        let confinement = confinement::measure(base.as_ref());
        let host = super::host::observe(base.as_ref().map(|base| base.file_system().to_string()));
        declare_with(request, &host, base.as_ref(), &tool_facts(&request.exe)?, Starter::Myself(&confinement))
    } else {
        clean::declare(request)
    }
}

/// A folder for the fixtures that no rule of the plan's policies reaches, if there is one.
fn base_for(request: &RunRequest) -> Result<FixtureBase, RunError> {
    choose_base(&request.fixture_candidates, &request.run_id, &RulePlaces::of(&request.plan))
        .map_err(RunError::Fixtures)
}

/// Declares a run from what was gathered so far.
pub(super) fn declare_with(
    request: &RunRequest,
    host: &HostFacts,
    base: Option<&FixtureBase>,
    tool: &ToolFacts,
    starter: Starter<'_>,
) -> Result<Declaration, RunError> {
    identity::declare(&request.plan, declared_facts::gather(request, host, base, tool, starter))
        .map_err(RunError::Declaration)
}

/// Makes a declaration durable. Nothing is executed before this has returned.
pub(super) fn seal(declaration: &Declaration, writer: &mut BundleWriter) -> Result<(), Step> {
    writer.seal_identity(declaration.identity, &json_out::to_pretty(declaration)).map_err(Step::Write)
}

/// The bundle's folder as documents spell it.
pub(super) fn bundle_root(request: &RunRequest) -> String {
    Workspace::pointer(&Workspace::pointer_root(&request.root), &request.out.join(request.run_id.as_str()))
}

/// The world that a run belongs to, and how the host compares with the declared one.
pub(super) fn world_of(request: &RunRequest, host: &HostFacts) -> Result<(WorldId, WorldCheck), IdError> {
    let declared = world::declared(request.plan.plan.world_id.as_ref());
    let document = request.plan.world.as_ref();
    let id = world::id(&declared, document.map(|world| &world.value), host)?;
    Ok((id, world::check(&declared, document.map(|world| (&world.value, world.digest)), host)))
}

/// The status that says that a run has begun.
pub(super) fn first_status(request: &RunRequest, world_id: &WorldId) -> RunStatus {
    RunStatus {
        schema_version: RUN_STATUS_SCHEMA.to_string(),
        run_id: request.run_id.clone(),
        identity: None,
        world_id: world_id.clone(),
        channel: request.channel,
        plan_id: request.plan.plan.plan_id.clone(),
        plan_digest: request.plan.plan_digest,
        state: RunState::InProgress,
        writer_pid: std::process::id(),
        updated_at_unix: clock::unix_seconds(),
        error: None,
        failure_stage: None,
        drift: None,
        launchctl_diagnostics: None,
    }
}

/// Which files the bundle has to have.
pub(super) fn expected(request: &RunRequest, channel_witness: bool) -> ExpectedArtifacts {
    let on = |lane: bool| lane && !request.dry;
    let lanes = request.plan.lanes;
    ExpectedArtifacts {
        baseline: on(lanes.baseline),
        scenario: on(lanes.scenario),
        oracle: on(lanes.oracle),
        preflight: on(request.plan.preflight.is_some()),
        channel_witness: on(channel_witness),
        identity: true,
    }
}

/// Whether this host can do it at all; asked before anything is written.
fn check_host(request: &RunRequest) -> Result<(), RunError> {
    if request.worker.is_none() {
        channel::check(request.channel)
            .map_err(|reason| RunError::Channel { channel: request.channel, reason: reason.to_string() })?;
    }
    if request.dry {
        return Ok(());
    }
    for profile in &request.plan.profiles {
        let Some(enforcer) = enforce::needs(profile.policy.value.enforcer()) else { continue };
        return Err(RunError::Enforcer { profile: profile.id.to_string(), enforcer });
    }
    Ok(())
}

pub(super) fn tool_facts(exe: &Executable) -> Result<ToolFacts, RunError> {
    let sha256 = exe.digest().at("read", exe.path()).map_err(RunError::Executable)?;
    Ok(ToolFacts { name: "sandproof".to_string(), version: crate::base::VERSION.to_string(), sha256 })
}

/// Everything between the first and the last write.
fn produce(
    request: &RunRequest,
    base: Option<&FixtureBase>,
    declaration: &Declaration,
    mut manifest: RunManifest,
    writer: &mut BundleWriter,
    observer: &mut dyn Observer,
) -> Result<(RunManifest, Outcome), Step> {
    inputs::store(&request.plan, writer)?;
    if let Some(worker) = &request.worker {
        writer.put(&path_of(layout::WORKER_WITNESS), &json_out::to_pretty(&worker.witness)).map_err(Step::Write)?;
    }
    if let Some(worker) = &request.worker {
        drift::check_worker(&request.plan, &manifest, &worker.declaration)?;
    }
    if let Some(base) = base {
        execute(request, base, &mut manifest, writer, observer)?;
        match &request.worker {
            Some(worker) => drift::check(&worker.inputs, &manifest, request.exe.path(), Vec::new(), writer)?,
            None => {
                let host = super::host::observe(Some(base.file_system().to_string()));
                // What confines a process never loosens, and this one has added nothing.
                let confinement = manifest.confinement.clone().unwrap_or_default();
                let now = declare_with(request, &host, Some(base), &manifest.tool, Starter::Myself(&confinement));
                let elements = drift::of_elements(declaration, now);
                drift::check(&Workspace::at(&request.root), &manifest, request.exe.path(), elements, writer)?;
            }
        }
    } else {
        store_manifest(&manifest, writer)?;
    }
    let rows = writer.rows();
    let controls = ProfileControls::of_plan(&request.plan);
    let outcome = evidence::derive(&request.plan, &manifest, &controls, &rows, writer).map_err(Step::Derive)?;
    Ok((manifest, outcome))
}

fn store_manifest(manifest: &RunManifest, writer: &mut BundleWriter) -> Result<(), Step> {
    writer.put(&path_of(layout::RUN_MANIFEST), &json_out::to_pretty(manifest)).map_err(Step::Write)
}

/// Preflight and lanes.
fn execute(
    request: &RunRequest,
    base: &FixtureBase,
    manifest: &mut RunManifest,
    writer: &mut BundleWriter,
    observer: &mut dyn Observer,
) -> Result<(), Step> {
    let capabilities = HostCapabilities::measure(base.path(), manifest.host.landlock_abi);
    let ports = PortPool::new();
    // From this thread, which outlives every lane: a zygote ends with the thread that started it.
    let mut workers = Vec::new();
    for _ in 0..request.jobs.max(1) {
        match Worker::start(request.exe.path(), &request.cancel) {
            Ok(worker) => workers.push(worker),
            Err(error) if workers.is_empty() => return Err(Step::Worker(error)),
            // How many there are changes no row. A limit on processes or files leaves fewer.
            Err(_) => break,
        }
    }
    if let Some(policy) = &request.plan.preflight {
        let record = preflight::run(policy, manifest, request, base).map_err(Step::Worker)?;
        let bytes = json_out::to_pretty(&record);
        writer.put(&path_of(layout::APPLY_PREFLIGHT), &bytes).map_err(Step::Write)?;
        let record = serde_json::to_value(&record).expect("a document shape is a JSON value");
        manifest.apply_preflight = Some(PreflightRef { path: layout::APPLY_PREFLIGHT.to_string(), record });
    }
    store_manifest(manifest, writer)?;

    let shared = Shared {
        exe: request.exe.path(),
        base,
        deadline_ms: request.plan.deadline_ms,
        capabilities: &capabilities,
        ports: &ports,
        unique: request.run_id.as_str(),
        host_programs: request.host_programs,
    };
    let lanes = request.plan.lanes;
    let mut lane = |lane: Lane, tasks: &dyn Tasks, writer: &mut BundleWriter| {
        observer.lane(lane, tasks.len());
        run_lane(&mut workers, &shared, lane, tasks, request, writer, observer)
    };
    let mut oracle = lanes.oracle.then(|| rows_artifact(Lane::Oracle, writer)).transpose()?;
    let mut run_lanes = || {
        if lanes.baseline {
            lane(Lane::Baseline, &PlanTasks::new(&request.plan, Lane::Baseline), writer)?;
        }
        if lanes.scenario {
            lane(Lane::Control, &ControlTasks::new(&request.plan), writer)?;
            lane(Lane::Scenario, &PlanTasks::new(&request.plan, Lane::Scenario), writer)?;
        }
        Ok(())
    };
    let ran = match &mut oracle {
        // It executes nothing and needs nothing of the other lanes, so it takes no time of its own.
        Some(out) => {
            let (asked, ran) = threads::both(|| ask_oracle(request, out), run_lanes);
            ran.and(asked)
        }
        None => run_lanes(),
    };
    // Also after an error: the rows up to it are evidence.
    let kept = oracle.map_or(Ok(()), |out| writer.finish_artifact(out).map_err(Step::Write));
    ran.and(kept)
}

fn rows_artifact(lane: Lane, writer: &mut BundleWriter) -> Result<ArtifactOut, Step> {
    writer.stage(&path_of(layout::rows_of(lane))).map_err(Step::Write)
}

fn run_lane<'r>(
    workers: &mut [Worker<'r>],
    shared: &Shared<'r>,
    lane: Lane,
    tasks: &dyn Tasks,
    request: &RunRequest,
    writer: &mut BundleWriter,
    observer: &mut dyn Observer,
) -> Result<(), Step> {
    let mut out = rows_artifact(lane, writer)?;
    let ran = executor::run(workers, shared, tasks, &request.cancel, &mut |row| {
        observer.row();
        out.write_all(row)?;
        out.write_all(b"\n")
    });
    // Also after an error: the rows up to it are evidence.
    let kept = writer.finish_artifact(out).map_err(Step::Write);
    ran.map_err(Step::Lane)?;
    kept
}

/// Writes the oracle lane's rows.
fn ask_oracle(request: &RunRequest, out: &mut ArtifactOut) -> Result<(), Step> {
    let mut line = Vec::with_capacity(1024);
    let mut answerer = Answerer::default();
    for (seq, (profile, probe)) in request.plan.rows().enumerate() {
        line.clear();
        let row = oracle_model::ask(&mut answerer, seq as u64, profile, probe);
        json_out::append_compact(&mut line, &row)
            .and_then(|()| line.write_all(b"\n"))
            .and_then(|()| out.write_all(&line))
            .map_err(Step::Artifact)?;
        if let Some(signal) = request.cancel.requested() {
            return Err(Step::Lane(LaneError::Cancelled { signal }));
        }
    }
    Ok(())
}

/// Seals what there is as failed.
pub(super) fn give_up(writer: BundleWriter, bundle: PathBuf, step: Step) -> RunError {
    let interrupted = match &step {
        Step::Lane(LaneError::Cancelled { signal }) => Some(*signal),
        _ => None,
    };
    let (error, stage) = match interrupted {
        Some(signal) => (format!("interrupted by signal {signal}"), "interrupted"),
        None => (error_chain(&step), step.stage()),
    };
    let sealed = writer.commit(RunEnd::Failed { error, stage: stage.to_string() });
    match (interrupted, sealed) {
        (Some(signal), Ok(_)) => RunError::Interrupted { signal, bundle },
        (_, Err(error)) => RunError::Failed { bundle, source: Step::Write(error) },
        (None, Ok(_)) => RunError::Failed { bundle, source: step },
    }
}
