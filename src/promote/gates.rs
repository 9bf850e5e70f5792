//! Whether a bundle may be promoted.

use serde_json::Value;

use super::derived::{self, ControlFacts, SummaryFacts};
use super::reason::Reason;
use crate::bundle::{Bundle, UnverifiedBundle, Verified};
use crate::evidence::channel_checks::{self, DeclaredWorker, WitnessSides};
use crate::evidence::contradiction::{TOLERANCE_S, Times};
use crate::identity::redefines_carried_world;
use crate::record::channel_witness::{ChannelWitness, WitnessCheck};
use crate::record::identity::Declaration;
use crate::record::index::{ArtifactIndex, IndexStatus};
use crate::record::layout;
use crate::record::manifest::{ChannelKind, RunManifest, RunState, RunStatus};
use crate::record::packet::{GatingInputs, Promotability};
use crate::record::sources::InputRole;

/// Whether a bundle may be promoted, and what that was judged from.
#[derive(Debug, Clone, PartialEq)]
pub struct GateEvaluation {
    reasons: Vec<Reason>,
    inputs: GatingInputs,
}

impl GateEvaluation {
    /// Whether no reason blocks promotion.
    pub fn is_promotable(&self) -> bool {
        self.reasons.is_empty()
    }

    /// The reasons that block it, sorted, each once.
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// The report as the packet holds it.
    pub fn to_record(&self) -> Promotability {
        Promotability {
            promotable_decision_stage: self.is_promotable(),
            reasons: self.reasons.iter().map(|reason| reason.as_str().to_owned()).collect(),
            gating_inputs: self.inputs.clone(),
        }
    }
}

/// Judges a verified bundle.
pub fn evaluate(bundle: &Verified<Bundle>) -> GateEvaluation {
    let mut own = judge_alone(bundle);
    for part in bundle.parts() {
        // What is asked of the whole, a part need not have by itself.
        let of_whole = [Reason::CoveragePartial, Reason::RowsUndecided, Reason::ControlsNotDerivable];
        own.reasons.extend(judge_alone(part).reasons.into_iter().filter(|reason| !of_whole.contains(reason)));
    }
    own.reasons.sort_unstable();
    own.reasons.dedup();
    own
}

fn judge_alone(bundle: &Verified<Bundle>) -> GateEvaluation {
    GateFacts {
        merged: bundle.merge().is_some(),
        verified: true,
        manifest: Some(bundle.manifest()),
        status: Some(bundle.status().into()),
        index: Some(bundle.index()),
        witness: bundle.channel_witness(),
        declared: bundle.identity().and_then(DeclaredWorker::of),
        times: bundle.times(),
        reproducible: true,
        controls: derived::controls(bundle.controls()),
        summary: derived::summary(bundle.summary()),
        missing: false,
    }
    .judge()
}

/// The bytes of the documents, beside manifest and index, that gates read; those that the bundle has.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    /// `channel_witness.json`
    pub channel_witness: Option<Vec<u8>>,
    /// `run_identity.json`
    pub run_identity: Option<Vec<u8>>,
    /// `controls.json`
    pub controls: Option<Vec<u8>>,
    /// `summary.json`
    pub summary: Option<Vec<u8>>,
    /// `run_status.json`
    pub run_status: Option<Vec<u8>>,
    /// When its rows were executed, as they say.
    pub times: Times,
}

/// Judges a bundle that this process has just committed as complete, before anybody verified it. A report without
/// reasons means only that verifying is worth while.
pub fn evaluate_committed(manifest: &RunManifest, index: &ArtifactIndex, documents: &Documents) -> GateEvaluation {
    let status: Option<RunStatus> =
        documents.run_status.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok());
    let declaration: Option<Declaration> =
        documents.run_identity.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok());
    let witness: Option<ChannelWitness> =
        documents.channel_witness.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok());
    GateFacts {
        merged: false,
        verified: true,
        manifest: Some(manifest),
        status: status.as_ref().map(StatusFacts::from),
        index: Some(index),
        witness: witness.as_ref(),
        declared: declaration.as_ref().and_then(DeclaredWorker::of),
        times: documents.times,
        reproducible: true,
        controls: derived::controls(documents.controls.as_deref()),
        summary: derived::summary(documents.summary.as_deref()),
        missing: false,
    }
    .judge()
}

/// Judges a bundle that did not pass verification, or was not put to it. It is never promotable.
pub fn evaluate_unverified(bundle: &UnverifiedBundle) -> GateEvaluation {
    GateFacts {
        merged: index_lists(bundle.artifact_index.as_ref(), layout::MERGE),
        verified: false,
        manifest: bundle.run_manifest.as_ref(),
        status: bundle.run_status.as_ref().map(StatusFacts::from),
        index: bundle.artifact_index.as_ref(),
        witness: bundle.channel_witness.as_ref(),
        declared: bundle.run_identity.as_ref().and_then(DeclaredWorker::of),
        // What rows say is known from verified bytes only.
        times: Times::default(),
        reproducible: bundle.identity_findings().next().is_none(),
        // What controls and rows showed is known from verified bytes only; the bundle is refused in any case.
        controls: ControlFacts::default(),
        summary: Some(SummaryFacts::default()),
        missing: !bundle.missing.is_empty(),
    }
    .judge()
}

/// What is judged.
struct GateFacts<'a> {
    /// It is put together from parts, which have the witnesses.
    merged: bool,
    verified: bool,
    manifest: Option<&'a RunManifest>,
    status: Option<StatusFacts<'a>>,
    index: Option<&'a ArtifactIndex>,
    witness: Option<&'a ChannelWitness>,
    /// What was declared of the worker.
    declared: Option<DeclaredWorker>,
    /// When rows were executed.
    times: Times,
    /// Nothing was found that contradicts the declared identity.
    reproducible: bool,
    controls: ControlFacts,
    /// Absent if it cannot be parsed.
    summary: Option<SummaryFacts>,
    missing: bool,
}

/// What is judged of the run's status.
#[derive(Clone, Copy)]
struct StatusFacts<'a> {
    state: RunState,
    drift: Option<&'a [String]>,
    updated_at_unix: f64,
}

impl<'a> From<&'a RunStatus> for StatusFacts<'a> {
    fn from(status: &'a RunStatus) -> Self {
        Self { state: status.state, drift: status.drift.as_deref(), updated_at_unix: status.updated_at_unix }
    }
}

impl GateFacts<'_> {
    fn judge(&self) -> GateEvaluation {
        let mut reasons = Vec::new();
        let mut add = |reason, holds: bool| {
            if holds {
                reasons.push(reason);
            }
        };
        let preflight = self.manifest.and_then(|manifest| manifest.apply_preflight.as_ref());
        let record = preflight.map(|preflight| &preflight.record);
        let apply_ok = record.and_then(|record| record.get("apply_ok")).and_then(Value::as_bool);
        let self_check = record.and_then(|record| record.get("sandbox_check_self"));
        let sandboxed = self_check.and_then(|check| check.get("sandboxed")).and_then(Value::as_bool);

        add(Reason::BundleIntegrityUnverified, !self.verified);
        add(Reason::RunStatusMissing, self.status.is_none());
        add(Reason::ManifestMissing, self.manifest.is_none());
        let state = self.status.map(|status| status.state);
        add(Reason::BundleInProgress, state == Some(RunState::InProgress));
        let failed_index = self.index.is_some_and(|index| index.status == IndexStatus::Failed);
        add(Reason::BundleFailed, failed_index || state == Some(RunState::Failed));
        add(Reason::BundleIncomplete, self.missing || self.index.is_some_and(|index| !index.missing.is_empty()));
        // The log speaks too, should the mark have been taken away.
        let marked = self.index.is_some_and(|index| index.repaired);
        add(Reason::BundleRepaired, marked || self.has(layout::REPAIR_LOG));

        let channel = self.manifest.map(|manifest| manifest.channel);
        let clean = self.manifest.is_some_and(|manifest| manifest.world.clean_channels.contains(&manifest.channel));
        add(Reason::NotCleanChannel, !clean || channel == Some(ChannelKind::Direct));
        // Asked of every channel that claims to be clean, whatever the world thinks of it.
        let claimed = matches!(channel, Some(ChannelKind::LaunchdClean | ChannelKind::SystemdClean));
        add(Reason::ChannelUnwitnessed, claimed && !self.merged && !self.is_witnessed());
        add(Reason::ApplyPreflightMissing, preflight.is_none());
        add(Reason::ApplyFailed, preflight.is_some() && apply_ok != Some(true));
        add(Reason::AlreadySandboxed, sandboxed == Some(true));
        add(Reason::SelfCheckUnknown, preflight.is_some() && sandboxed.is_none());
        let decision_stage = [layout::RUNTIME_RESULTS, layout::RUNTIME_EVENTS, layout::EXPECTED_MATRIX];
        let whole = decision_stage.into_iter().all(|name| self.has(name));
        add(Reason::DecisionStageArtifactsMissing, !whole);
        add(Reason::ControlsFailed, self.controls.failed);
        // What cannot be told is not taken for good.
        let left_open = |of: fn(&SummaryFacts) -> u64| self.summary.as_ref().is_none_or(|summary| of(summary) > 0);
        add(Reason::ControlsNotDerivable, left_open(|summary| summary.without_refusal.count));
        add(Reason::RowsUndecided, left_open(|summary| summary.rows.undecided.count));
        if let Some(manifest) = self.manifest {
            add(Reason::DryRun, manifest.dry_run);
            let selection = &manifest.selection;
            let filtered = !selection.only_profiles.is_empty() || !selection.only_scenarios.is_empty();
            add(Reason::SelectionFiltered, filtered);
            add(Reason::CoveragePartial, selection.shard.is_some());
            add(Reason::WorldMismatch, !manifest.world.matches);
            add(Reason::WorldRedefined, redefines_carried_world(manifest));
        }
        add(Reason::TimesDisagree, self.times_disagree());
        let drift = self.status.and_then(|status| status.drift);
        add(Reason::IdentityDrift, drift.is_some_and(|drift| !drift.is_empty()));
        let compared = drift.is_some() || self.manifest.is_some_and(|manifest| manifest.dry_run);
        add(Reason::IdentityMissing, !self.is_identified() || !compared);
        add(Reason::IdentityNotReproducible, !self.reproducible);
        reasons.sort_unstable();
        let inputs = GatingInputs {
            channel: channel.map(|channel| channel.as_str().to_owned()),
            apply_preflight_present: preflight.is_some(),
            apply_ok,
            sandbox_check_self: self_check.cloned(),
        };
        GateEvaluation { reasons, inputs }
    }

    /// Manifest, rows and status, in this order, are not of this order; or a process ran for longer than it could.
    fn times_disagree(&self) -> bool {
        let (Some(manifest), Some(status)) = (self.manifest, self.status) else { return false };
        let start = manifest.started_at_unix_s - TOLERANCE_S;
        let end = status.updated_at_unix + TOLERANCE_S;
        let (first, last) = self.times.span.unwrap_or((start, start));
        !(start <= first && last <= end && start <= end) || self.times.overran || self.times.out_of_order
    }

    /// The witness is of this very run and channel, its answers are what its own facts give, and all of them are good.
    fn is_witnessed(&self) -> bool {
        let (Some(manifest), Some(witness)) = (self.manifest, self.witness) else { return false };
        let answers = channel_checks::checks(WitnessSides {
            channel: witness.channel,
            run_id: &manifest.run_id,
            declared: self.declared.as_ref(),
            worker: witness.worker.as_ref(),
            manager: witness.manager.as_ref(),
            job: witness.job.as_ref(),
        });
        self.has(layout::CHANNEL_WITNESS)
            && witness.run_id == manifest.run_id
            && witness.channel == manifest.channel
            && answers_alike(&witness.checks, &answers)
            && witness.clean
            && channel_checks::is_clean(&answers)
            && is_of_one_worker(manifest, witness)
    }

    /// It is on record what ran: a declaration, the plan among the declared documents, and the documents themselves in the
    /// bundle.
    fn is_identified(&self) -> bool {
        let stamped = self.manifest.is_some_and(|manifest| manifest.identity.is_some());
        let declared = self
            .manifest
            .is_some_and(|manifest| manifest.declared_inputs.iter().any(|input| input.role == InputRole::Plan));
        stamped && declared && self.has(layout::RUN_IDENTITY) && self.has(layout::INPUT_SOURCES)
    }

    fn has(&self, name: &str) -> bool {
        index_lists(self.index, name)
    }
}

fn index_lists(index: Option<&ArtifactIndex>, name: &str) -> bool {
    let Some(index) = index else { return false };
    let wanted =
        |path: &str| path.strip_prefix(&index.bundle_root).and_then(|rest| rest.strip_prefix('/')) == Some(name);
    index.artifacts.iter().any(|entry| wanted(&entry.path))
}

/// Whether both are the same questions in the same order, answered alike. What was found is told in words, which decide nothing.
fn answers_alike(told: &[WitnessCheck], given: &[WitnessCheck]) -> bool {
    let answer = |check: &'_ WitnessCheck| (check.check.clone(), check.ok);
    told.iter().map(answer).eq(given.iter().map(answer))
}

/// The manifest and the witness are of one worker, which found out both: the same confinement, as far as both name it, and
/// (systemd) output into the staged copy that the manifest names. By the copy's own name: what lies above it may be a link.
pub(super) fn is_of_one_worker(manifest: &RunManifest, witness: &ChannelWitness) -> bool {
    fn agree<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> bool {
        a.is_none() || b.is_none() || a == b
    }
    let Some(worker) = &witness.worker else { return false };
    let confined_alike = manifest.confinement.as_ref().is_none_or(|own| {
        agree(own.landlock_layers.as_ref(), worker.landlock_layers.as_ref())
            && agree(own.seccomp.as_ref(), worker.seccomp.as_ref())
            && agree(own.no_new_privs.as_ref(), worker.no_new_privs.as_ref())
            && agree(own.lsm_label.as_ref(), worker.lsm_label.as_ref())
    });
    let stage = manifest.stage_root.as_deref().and_then(|root| root.rsplit('/').next());
    let folder = |file: &str| file.rsplit('/').nth(1).map(str::to_owned);
    let outputs = worker.open_fds.iter().flatten().filter(|open| matches!(open.fd, 1 | 2));
    let staged = witness.channel != ChannelKind::SystemdClean
        || outputs.map(|open| folder(&open.what)).all(|folder| folder.as_deref() == stage);
    confined_alike && staged
}
