//! The steps of a run, in order.

use std::io::Write;

use super::attribution;
use super::clean;
use super::confinement;
use super::consent::{check_launchers, is_launcher};
use super::declared_facts::{self, ZygoteStarter};
use super::drift;
use super::error::{RunError, RunStep};
use super::fixture_places::fixture_places;
use super::inputs;
use super::launchers;
use super::preflight;
use super::repetitions::Repetitions;
use super::request::{RunObserver, RunRequest};
use super::sweep;
use super::transaction::{self, RunReport, RunStart, transact};
use crate::audit::AuditListener;
use crate::base::clock;
use crate::base::json_out;
use crate::base::threads;
use crate::bundle::index::path_of;
use crate::bundle::writer::{ArtifactOut, BundleWriter};
use crate::channel;
use crate::enforce;
use crate::evidence::{self, DerivationOutcome, ProfileControls, oracle_model};
use crate::lane::capability::HostCapabilities;
use crate::lane::control_tasks::ControlTasks;
use crate::lane::executor::LaneError;
use crate::lane::fixture::{FixtureBase, RulePlaces, choose_base};
use crate::lane::ports::PortPool;
use crate::lane::task::{PlanTasks, Tasks};
use crate::lane::worker::{RunShared, Worker};
use crate::plan::{self, Workspace};
use crate::policy::answer::Answerer;
use crate::record::identity::Declaration;
use crate::record::layout;
use crate::record::manifest::{
    BundleFormat, ChannelKind, PreflightRef, RUN_MANIFEST_SCHEMA, RunManifest, SelectionRecord,
};
use crate::record::outcome::Lane;
use crate::record::platform::Platform;

/// Runs a plan and commits its bundle.
///
/// # Errors
/// See [`RunError`]. Where a bundle was begun, it is marked failed and named.
pub fn run(request: &RunRequest, observer: &mut dyn RunObserver) -> Result<RunReport, RunError> {
    check(request)?;
    if request.declared.channel == ChannelKind::Direct || request.declared.dry || request.control.worker.is_some() {
        run_here(request, observer)
    } else {
        clean::run(request)
    }
}

/// Whether this host can do it, and whoever starts it has agreed to what it would execute. Nothing is written.
///
/// # Errors
/// The first reason why it is not begun.
pub fn check(request: &RunRequest) -> Result<(), RunError> {
    attribution::check(request)?;
    check_host(request)?;
    check_host_programs(request)?;
    check_launchers(request)
}

/// Whoever starts a run has to agree before a plan executes what is not this program's own.
fn check_host_programs(request: &RunRequest) -> Result<(), RunError> {
    let lanes = request.declared.plan.lanes;
    if request.declared.host_programs || request.declared.dry || !(lanes.baseline || lanes.scenario) {
        return Ok(());
    }
    match plan::host_programs(&request.declared.plan) {
        (_, 0) => Ok(()),
        (first, count) => Err(RunError::HostPrograms { first, count }),
    }
}

/// All steps in this process.
fn run_here(request: &RunRequest, observer: &mut dyn RunObserver) -> Result<RunReport, RunError> {
    // Before anything is made: what was left may fill the memory that fixtures lie in.
    if !request.declared.dry && request.control.worker.is_none() {
        sweep::clear(&request.places.fixture_candidates);
    }
    let base = if request.declared.dry { None } else { Some(base_for(request)?) };
    let confinement = confinement::measure(base.as_ref());
    if let (Some(worker), Some(base)) = (&request.control.worker, &base) {
        clean::note_fixtures(&worker.stage, base.path());
    }
    let host = super::host::observe(base.as_ref().map(|base| base.file_system().to_string()));
    let (world_id, world) = request.declared.world_on(&host).map_err(RunError::World)?;
    let tool = declared_facts::tool_facts(&request.places.exe)?;
    let declaration = match &request.control.worker {
        Some(worker) => worker.declaration.clone(),
        None => declared_facts::declare(request, &host, base.as_ref(), &tool, ZygoteStarter::Myself(&confinement))?,
    };

    let bundle_root = match &request.control.worker {
        Some(worker) => worker.bundle_root.clone(),
        None => transaction::bundle_root(request),
    };
    let audit = attribution::listen(request, host.landlock_abi)?;
    let begun =
        RunStart { world_id: world_id.clone(), declaration: &declaration, bundle_root: &bundle_root, managed: false };
    transact(request, begun, |writer| {
        let stage = request.control.worker.as_ref().map(|worker| worker.stage.display().to_string());
        let manifest = RunManifest {
            schema_version: RUN_MANIFEST_SCHEMA.to_string(),
            bundle_format: Some(BundleFormat::V2),
            run_id: request.declared.run_id.clone(),
            identity: Some(declaration.identity),
            world_id,
            channel: request.declared.channel,
            plan_id: request.declared.plan.plan.plan_id.clone(),
            plan_digest: request.declared.plan.plan_digest,
            dry_run: request.declared.dry,
            stage_used: stage.is_some(),
            stage_root: stage.clone(),
            repo_root_context: stage.clone().unwrap_or_else(|| ".".to_string()),
            staged_output_root: stage.map(|_| request.places.out.display().to_string()),
            output_root: bundle_root.clone(),
            apply_preflight: None,
            tool,
            host,
            world,
            declared_inputs: inputs::declared(&request.declared.plan),
            selection: SelectionRecord::from(&request.declared.plan.selection),
            deadline_ms: request.declared.plan.deadline_ms,
            jobs: request.declared.jobs,
            repeat: Some(request.declared.repeat).filter(|times| *times > 1),
            shuffle: request.declared.shuffle,
            host_programs: request.declared.host_programs,
            attribution: audit.as_ref().map(AuditListener::setup),
            fixture_base: base.as_ref().map(|base| base.path().to_string_lossy().into_owned()).unwrap_or_default(),
            confinement: Some(confinement),
            started_at_unix_s: clock::unix_seconds(),
        };

        let performing = Performing { base: base.as_ref(), audit: audit.as_ref() };
        produce(request, performing, &declaration, manifest, writer, observer)
    })
}

/// Declares a run as it would be sealed, and does nothing else.
///
/// # Errors
/// As [`run`], as far as it gets without writing.
pub fn declare(request: &RunRequest) -> Result<Declaration, RunError> {
    check_host(request)?;
    if request.declared.channel == ChannelKind::Direct || request.declared.dry {
        let base = match request.declared.dry {
            true => None,
            false => Some(base_for(request)?),
        };
        let confinement = confinement::measure(base.as_ref());
        let host = super::host::observe(base.as_ref().map(|base| base.file_system().to_string()));
        declared_facts::declare(
            request,
            &host,
            base.as_ref(),
            &declared_facts::tool_facts(&request.places.exe)?,
            ZygoteStarter::Myself(&confinement),
        )
    } else {
        clean::declare(request)
    }
}

/// A folder for the fixtures that no rule of the plan's policies reaches, if there is one.
fn base_for(request: &RunRequest) -> Result<FixtureBase, RunError> {
    let declared = &request.declared;
    choose_base(&fixture_places(request), &declared.run_id, &RulePlaces::of(&declared.plan)).map_err(RunError::Fixtures)
}

/// Whether this host can do it at all; asked before anything is written.
fn check_host(request: &RunRequest) -> Result<(), RunError> {
    if request.control.worker.is_none() {
        channel::check(request.declared.channel)
            .map_err(|reason| RunError::Channel { channel: request.declared.channel, reason: reason.to_string() })?;
    }
    if request.declared.dry {
        return Ok(());
    }
    for profile in &request.declared.plan.profiles {
        if is_launcher(profile) && Platform::here() != Some(profile.platform()) {
            let system = profile.platform().title();
            return Err(RunError::LauncherElsewhere { profile: profile.id.to_string(), system });
        }
        let Some(enforcer) = enforce::needs(profile.policy.value.enforcer()) else { continue };
        return Err(RunError::Enforcer { profile: profile.id.to_string(), enforcer });
    }
    Ok(())
}

/// What probes are performed with.
#[derive(Clone, Copy)]
struct Performing<'r> {
    /// Where fixtures are made; nowhere in a dry run.
    base: Option<&'r FixtureBase>,
    /// Who hears what the kernel says of denials.
    audit: Option<&'r AuditListener>,
}

/// Everything between the first and the last write.
fn produce(
    request: &RunRequest,
    performing: Performing<'_>,
    declaration: &Declaration,
    mut manifest: RunManifest,
    writer: &mut BundleWriter,
    observer: &mut dyn RunObserver,
) -> Result<(RunManifest, DerivationOutcome), RunStep> {
    inputs::store(&request.declared.plan, &request.places.root, writer)?;
    request.declared.plan.release_registries();
    if let Some(worker) = &request.control.worker {
        writer.put(&path_of(layout::WORKER_WITNESS), &json_out::to_pretty(&worker.witness)).map_err(RunStep::Write)?;
    }
    if let Some(worker) = &request.control.worker {
        drift::check_worker(&request.declared.plan, &manifest, &worker.declaration)?;
    }
    if let Some(base) = performing.base {
        execute(request, base, performing.audit, &mut manifest, writer, observer)?;
        match &request.control.worker {
            Some(worker) => drift::check(&worker.inputs, &manifest, request.places.exe.path(), Vec::new(), writer)?,
            None => {
                let host = super::host::observe(Some(base.file_system().to_string()));
                // What confines a process never loosens, and this one has added nothing.
                let confinement = manifest.confinement.clone().unwrap_or_default();
                let now = declared_facts::declare(
                    request,
                    &host,
                    Some(base),
                    &manifest.tool,
                    ZygoteStarter::Myself(&confinement),
                );
                let elements = drift::of_elements(declaration, now);
                drift::check(
                    &Workspace::at(&request.places.root),
                    &manifest,
                    request.places.exe.path(),
                    elements,
                    writer,
                )?;
            }
        }
    } else {
        store_manifest(&manifest, writer)?;
    }
    let rows = writer.rows();
    let controls = ProfileControls::of_plan(&request.declared.plan);
    let outcome =
        evidence::derive(&request.declared.plan, &manifest, &controls, &rows, writer).map_err(RunStep::Derive)?;
    Ok((manifest, outcome))
}

fn store_manifest(manifest: &RunManifest, writer: &mut BundleWriter) -> Result<(), RunStep> {
    writer.put(&path_of(layout::RUN_MANIFEST), &json_out::to_pretty(manifest)).map_err(RunStep::Write)
}

/// Preflight and lanes.
fn execute(
    request: &RunRequest,
    base: &FixtureBase,
    audit: Option<&AuditListener>,
    manifest: &mut RunManifest,
    writer: &mut BundleWriter,
    observer: &mut dyn RunObserver,
) -> Result<(), RunStep> {
    let capabilities = HostCapabilities::measure(base.path(), manifest.host.landlock_abi);
    let ports = PortPool::new();
    // From this thread, which outlives every lane: a zygote ends with the thread that started it.
    let mut workers = Vec::new();
    for _ in 0..request.declared.jobs.max(1) {
        match Worker::start(request.places.exe.path(), &request.control.cancel) {
            Ok(worker) => workers.push(worker),
            Err(error) if workers.is_empty() => return Err(RunStep::Worker(error)),
            // How many there are changes no row. A limit on processes or files leaves fewer.
            Err(_) => break,
        }
    }
    if let Some(policy) = &request.declared.plan.preflight {
        let record = preflight::run(policy, manifest, request, base).map_err(RunStep::Worker)?;
        let bytes = json_out::to_pretty(&record);
        writer.put(&path_of(layout::APPLY_PREFLIGHT), &bytes).map_err(RunStep::Write)?;
        let record = serde_json::to_value(&record).expect("a document shape is a JSON value");
        manifest.apply_preflight = Some(PreflightRef { path: layout::APPLY_PREFLIGHT.to_string(), record });
    }
    store_manifest(manifest, writer)?;

    let shared = RunShared {
        exe: request.places.exe.path(),
        base,
        deadline_ms: request.declared.plan.deadline_ms,
        capabilities: &capabilities,
        ports: &ports,
        unique: request.declared.run_id.as_str(),
        host_programs: request.declared.host_programs,
        audit,
    };
    let plan = &request.declared.plan;
    let lanes = plan.lanes;
    let mut oracle = lanes.oracle.then(|| rows_artifact(Lane::Oracle, writer)).transpose()?;
    let baseline_rows = if lanes.baseline { PlanTasks::new(plan, Lane::Baseline).len() } else { 0 };
    let scenario_rows = if lanes.scenario { ControlTasks::new(plan).len() + plan.row_count() } else { 0 };
    observer.begin(baseline_rows + scenario_rows);
    let mut run_lanes = || {
        if lanes.baseline {
            let tasks = PlanTasks::new(plan, Lane::Baseline);
            observer.lane(Lane::Baseline, tasks.len());
            run_lane(&mut workers, &shared, Lane::Baseline, &tasks, request, writer, observer)?;
        }
        if lanes.scenario {
            let controls = ControlTasks::new(plan);
            observer.lane(Lane::Control, controls.len());
            run_lane(&mut workers, &shared, Lane::Control, &controls, request, writer, observer)?;
            observer.lane(Lane::Scenario, plan.row_count());
            if plan.profiles.iter().any(is_launcher) {
                let mut out = rows_artifact(Lane::Scenario, writer)?;
                let ran = launchers::run_lane(&mut workers, &shared, request, &mut out, observer);
                // Also after an error: the rows up to it are evidence.
                let kept = writer.finish_artifact(out).map_err(RunStep::Write);
                ran.and(kept)?;
            } else {
                let tasks = PlanTasks::new(plan, Lane::Scenario);
                run_lane(&mut workers, &shared, Lane::Scenario, &tasks, request, writer, observer)?;
            }
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
    let kept = oracle.map_or(Ok(()), |out| writer.finish_artifact(out).map_err(RunStep::Write));
    ran.and(kept)
}

fn rows_artifact(lane: Lane, writer: &mut BundleWriter) -> Result<ArtifactOut, RunStep> {
    writer.stage(&path_of(layout::rows_of(lane))).map_err(RunStep::Write)
}

fn run_lane<'r>(
    workers: &mut [Worker<'r>],
    shared: &RunShared<'r>,
    lane: Lane,
    tasks: &dyn Tasks,
    request: &RunRequest,
    writer: &mut BundleWriter,
    observer: &mut dyn RunObserver,
) -> Result<(), RunStep> {
    let mut out = rows_artifact(lane, writer)?;
    let declared = &request.declared;
    let repetitions = Repetitions::new(declared.repeat, declared.shuffle, lane);
    let ran = repetitions.run(workers, shared, tasks, &request.control.cancel, &mut |row| {
        observer.row();
        out.write_all(row)?;
        out.write_all(b"\n")
    });
    // Also after an error: the rows up to it are evidence.
    let kept = writer.finish_artifact(out).map_err(RunStep::Write);
    ran?;
    kept
}

/// Writes the oracle lane's rows.
fn ask_oracle(request: &RunRequest, out: &mut ArtifactOut) -> Result<(), RunStep> {
    let mut line = Vec::with_capacity(1024);
    let mut answerer = Answerer::default();
    for (seq, (profile, probe)) in request.declared.plan.rows().enumerate() {
        line.clear();
        let row = oracle_model::ask(&mut answerer, seq as u64, profile, probe);
        json_out::append_compact(&mut line, &row)
            .and_then(|()| line.write_all(b"\n"))
            .and_then(|()| out.write_all(&line))
            .map_err(RunStep::Artifact)?;
        if let Some(signal) = request.control.cancel.requested() {
            return Err(RunStep::Lane(LaneError::Cancelled { signal }));
        }
    }
    Ok(())
}
