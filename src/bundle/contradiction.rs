//! What a manifest, a status and a preflight record cannot say of one run.
//!
//! Each rule holds for every honest bundle that is complete; SPEC 3 lists them. Rows have rules of their own
//! (`evidence::contradiction`).

use std::path::Path;

use crate::record::layout;
use crate::record::manifest::{ChannelKind, RunManifest, RunStatus};
use crate::record::preflight::{ApplyPreflight, PreflightStatus};
use crate::record::results::ErrClass;

/// A rule of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentRule {
    /// A worker ran on a staged copy exactly if a manager started it.
    ManifestStage,
    /// Fixtures lay in a folder of the run's own.
    ManifestFixtures,
    /// A complete run names no failure.
    StatusComplete,
    /// A preflight record is of this run, and says what its own facts give.
    PreflightFacts,
}

impl DocumentRule {
    /// The rule's name, for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::ManifestStage => "manifest_stage",
            Self::ManifestFixtures => "manifest_fixtures",
            Self::StatusComplete => "status_complete",
            Self::PreflightFacts => "preflight_facts",
        }
    }
}

/// A document contradicts itself.
#[derive(Debug, thiserror::Error)]
#[error("`{path}`: {words}")]
pub(crate) struct DocumentContradiction {
    /// The document's name in the bundle.
    pub path: &'static str,
    /// Which rule it breaks.
    pub rule: DocumentRule,
    /// What contradicts what, as text for people.
    pub words: String,
}

/// Holds a manifest, and the preflight record in it, to themselves. `preflight`: the policy that the plan names for it.
pub(super) fn check(manifest: &RunManifest, preflight: Option<&str>) -> Result<(), DocumentContradiction> {
    let wrong = |path, rule, words: String| Err(DocumentContradiction { path, rule, words });
    let managed = manifest.channel != ChannelKind::Direct && !manifest.dry_run;
    let roots = [manifest.stage_root.is_some(), manifest.staged_output_root.is_some()];
    let context = manifest.stage_root.as_deref().unwrap_or(".");
    if manifest.stage_used != managed || roots != [managed; 2] || manifest.repo_root_context != context {
        let words = format!(
            "the channel is `{}`, but what it says of a staged copy belongs to another one",
            manifest.channel.as_str()
        );
        return wrong(layout::RUN_MANIFEST, DocumentRule::ManifestStage, words);
    }
    let base = Path::new(&manifest.fixture_base);
    let own = format!("sandproof-{}", manifest.run_id);
    let is_own = base.is_absolute() && base.file_name().is_some_and(|name| name == own.as_str());
    if if manifest.dry_run { !manifest.fixture_base.is_empty() } else { !is_own } {
        let words = format!("its fixtures were in `{}`, which is not a folder of this run", manifest.fixture_base);
        return wrong(layout::RUN_MANIFEST, DocumentRule::ManifestFixtures, words);
    }
    let Some(record) = manifest.apply_preflight.as_ref().map(|preflight| &preflight.record) else { return Ok(()) };
    let broken = |words: String| wrong(layout::APPLY_PREFLIGHT, DocumentRule::PreflightFacts, words);
    let record: ApplyPreflight = match serde_json::from_value(record.clone()) {
        Ok(record) => record,
        Err(error) => return broken(error.to_string()),
    };
    if record.run_id.as_ref() != Some(&manifest.run_id) || record.world_id != manifest.world_id {
        return broken("it belongs to another run or world".into());
    }
    if preflight.is_some_and(|path| path != record.profile) {
        return broken(format!("it applied `{}`, which is not the policy that the plan names", record.profile));
    }
    match facts(&record) {
        Some(words) => broken(words.into()),
        None => Ok(()),
    }
}

/// In what a record's answers are not those of its facts.
fn facts(record: &ApplyPreflight) -> Option<&'static str> {
    let own = &record.sandbox_check_self;
    if own.rc.map(|rc| rc != 0) != own.sandboxed || own.sandboxed.is_some() == own.error.is_some() {
        return Some("its self-check contradicts itself");
    }
    let said = record.exit_code.is_some() || record.apply_report.is_some() || record.apply_marker_pid.is_some();
    if record.status == PreflightStatus::Error {
        let silent = !said && record.apply_ok.is_none() && record.error.is_some();
        return (!silent).then_some("it did not run, but has a result");
    }
    if record.error.is_some() || record.apply_ok.is_none() || record.apply_marker_pid.is_none_or(|pid| pid <= 1) {
        return Some("it ran, but does not say so");
    }
    if record.stderr.as_deref() != Some("") || record.stdout.as_deref() != Some("") {
        return Some("it holds output of a process, and a probe process cannot print");
    }
    let ok = record.apply_ok == Some(true);
    if ok == record.failure_stage.is_some() {
        return Some("`apply_ok` and `failure_stage` contradict each other");
    }
    let applied = record.apply_report.as_ref().is_some_and(|report| {
        report.rc == 0 && report.errno.is_none() && report.errbuf.is_none() && report.err_class == ErrClass::Ok
    });
    // It may have been applied and not confine, so this is asked in one direction only.
    (ok && !(applied && record.exit_code == Some(0)))
        .then_some("`apply_ok` is true, but the process did not apply the policy or did not end well")
}

/// In what the status of a complete run speaks of a failure.
pub(super) fn of_complete(status: &RunStatus) -> Option<&'static str> {
    if status.error.is_some() {
        return Some("the run is complete, but names an error");
    }
    status.failure_stage.is_some().then_some("the run is complete, but names a stage at which it failed")
}
