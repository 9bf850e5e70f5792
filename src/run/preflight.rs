//! The apply preflight: whether the plan's preflight policy can be put in force in a process of its own, before
//! anything else runs.

use super::request::RunRequest;
use crate::base::placeholder::ROOT;
use crate::enforce;
use crate::lane::fixture::FixtureBase;
use crate::lane::worker::LaneWorkerError;
use crate::plan::ResolvedPolicy;
use crate::process::Zygote;
use crate::record::action::{Action, ActionScope};
use crate::record::driver::Driver;
use crate::record::ending::Ending;
use crate::record::manifest::RunManifest;
use crate::record::outcome::FailureStage;
use crate::record::preflight::{
    APPLY_PREFLIGHT_SCHEMA, ApplyPreflight, PreflightApplyReport, PreflightStatus, SelfCheckRecord,
};
use crate::record::report::Prologue;
use crate::sys;
use crate::zygote::protocol::{Job, PolicyUse};

/// The key under which the zygote keeps the preflight policy.
const KEY: u32 = u32::MAX;

/// Applies the policy once.
pub(super) fn run(
    policy: &ResolvedPolicy,
    manifest: &RunManifest,
    request: &RunRequest,
    base: &FixtureBase,
) -> Result<ApplyPreflight, LaneWorkerError> {
    let mut record = ApplyPreflight {
        schema_version: APPLY_PREFLIGHT_SCHEMA.to_string(),
        world_id: manifest.world_id.clone(),
        run_id: Some(manifest.run_id.clone()),
        profile: policy.path.clone(),
        runner: manifest.tool.name.clone(),
        sandbox_check_self: self_check(),
        status: PreflightStatus::Error,
        error: None,
        command: None,
        exit_code: None,
        stdout: None,
        stderr: None,
        apply_report: None,
        apply_marker_pid: None,
        apply_ok: None,
        failure_stage: None,
    };
    let mut zygote = Zygote::spawn(request.places.exe.path())?;
    zygote.stop_on(&request.control.cancel.cell());
    let job = Job {
        seq: 0,
        action: Action::new(Driver::ApplyOnly, ""),
        scope: ActionScope::default(),
        policy: Some(PolicyUse {
            key: KEY,
            texts: vec![(ROOT.to_string(), base.path().to_string_lossy().into_owned())],
        }),
        check: None,
        deadline_ms: request.declared.plan.deadline_ms,
    };
    let reply =
        zygote.load_policy(KEY, policy.value.as_ref()).and_then(|()| zygote.send(&job)).and_then(|()| zygote.recv());
    let reply = match reply {
        Ok(reply) => reply,
        Err(lost) => {
            record.error = Some(lost.to_string());
            return Ok(record);
        }
    };
    let prologue =
        reply.text().and_then(|text| text.lines().next()).and_then(|line| serde_json::from_str::<Prologue>(line).ok());
    match (&reply.ending, prologue) {
        (Ending::Expired { .. }, _) => record.error = Some("timeout".to_string()),
        (_, None) => record.error = Some("the process left no report".to_string()),
        (ending, Some(prologue)) => fill(&mut record, ending, &prologue),
    }
    Ok(record)
}

fn fill(record: &mut ApplyPreflight, ending: &Ending, prologue: &Prologue) {
    let confined = prologue.self_check_after.as_ref().and_then(|check| check.confined) == Some(true);
    record.status = PreflightStatus::Ok;
    record.command = Some(vec![record.runner.clone(), crate::process::SERVER.to_string()]);
    record.exit_code = match ending {
        Ending::Exited { code } => Some(*code),
        Ending::Signaled { signal, .. } => Some(-signal),
        _ => None,
    };
    record.stdout = Some(String::new());
    record.stderr = Some(String::new());
    record.apply_marker_pid = Some(prologue.pid);
    record.apply_report = prologue.apply.as_ref().map(PreflightApplyReport::of);
    // A process that did not end well after it applied the policy has not shown that it can be applied.
    let ok = prologue.apply.as_ref().is_some_and(|apply| apply.rc == 0) && confined && record.exit_code == Some(0);
    record.apply_ok = Some(ok);
    record.failure_stage = (!ok).then_some(FailureStage::Apply);
}

/// Whether this very process is confined already: asked of Seatbelt where there is one, else of Landlock, in a child that
/// is thrown away.
pub fn self_check() -> SelfCheckRecord {
    let answer = |source: &str, confined: bool| SelfCheckRecord {
        source: source.to_string(),
        rc: Some(i32::from(confined)),
        sandboxed: Some(confined),
        error: None,
    };
    if let Some(confined) = sys::seatbelt_confined() {
        return answer("sandbox_check", confined);
    }
    let (source, error) = if cfg!(target_os = "macos") {
        ("sandbox_check", "this system has no `sandbox_check`, or it gave no answer")
    } else {
        ("landlock_layers", "this kernel has no Landlock to ask")
    };
    match enforce::already_confined_layers() {
        Some(layers) => answer(source, layers > 0),
        None => {
            SelfCheckRecord { source: source.to_string(), rc: None, sandboxed: None, error: Some(error.to_string()) }
        }
    }
}
