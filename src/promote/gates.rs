//! Whether a bundle may be promoted, and every reason why not.

use serde_json::Value;

use crate::bundle::{Bundle, UnverifiedBundle, Verified};
use crate::plan::file::HOME_WORLD;
use crate::record::index::{ArtifactIndex, IndexStatus};
use crate::record::layout;
use crate::record::manifest::{ChannelKind, RunManifest, RunState};
use crate::record::packet::{GatingInputs, Promotability};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $why:literal;)*) => {
        /// A reason why a bundle may not be promoted. The order is that of the names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// Every reason, by name.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The reason's name in documents.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// The reason in words, for people.
            pub fn explain(self) -> &'static str {
                match self { $(Self::$name => $why),* }
            }
        }
    };
}

reasons! {
    /// The harness itself was confined.
    AlreadySandboxed = "already_sandboxed",
        "the harness was already confined when the run started, so denials may not be the policy's";
    /// The preflight policy was not in force.
    ApplyFailed = "apply_failed",
        "the apply preflight did not show that a policy can be applied here";
    /// There is no preflight record.
    ApplyPreflightMissing = "apply_preflight_missing",
        "the manifest has no apply preflight; name an `apply_preflight_profile` in the plan";
    /// The run failed.
    BundleFailed = "bundle_failed",
        "the run failed";
    /// The run is not over.
    BundleInProgress = "bundle_in_progress",
        "the run is in progress, or was killed";
    /// Something is missing.
    BundleIncomplete = "bundle_incomplete",
        "artifacts that the bundle should have are missing";
    /// The bundle did not pass verification.
    BundleIntegrityUnverified = "bundle_integrity_unverified",
        "the bundle did not pass verification; `sandproof validate-bundle` says why";
    /// The index was written by a repair.
    BundleRepaired = "bundle_repaired",
        "the index was rewritten by a repair; only a fresh run can be promoted";
    /// A clean channel that nothing witnesses.
    ChannelUnwitnessed = "channel_unwitnessed",
        "the manifest names a clean channel, but the bundle has no witness of it";
    /// A control showed the wrong thing.
    ControlsFailed = "controls_failed",
        "a control of some profile did not show what it must, or controls are absent";
    /// The artifacts of the decision stage are not all there.
    DecisionStageArtifactsMissing = "decision_stage_artifacts_missing",
        "results, events or the expected matrix are absent";
    /// Nothing was executed.
    DryRun = "dry_run",
        "it was a dry run: nothing was executed";
    /// There is no manifest.
    ManifestMissing = "manifest_missing",
        "there is no manifest that can be read";
    /// The channel is not a clean one.
    NotCleanChannel = "not_clean_channel",
        "the worker was started by the harness itself (channel `direct`), not by the service manager in a clean context";
    /// There is no run status.
    RunStatusMissing = "run_status_missing",
        "there is no run status that can be read";
    /// Only a part of the plan ran.
    SelectionFiltered = "selection_filtered",
        "only a part of the plan ran (`--only-profile`, `--only-scenario`)";
    /// Nobody knows whether the harness itself was confined.
    SelfCheckUnknown = "self_check_unknown",
        "whether the harness itself was confined could not be found out";
    /// The host is not the declared world.
    WorldMismatch = "world_mismatch",
        "the host that was observed is not the world that the plan declares";
}

/// Whether a bundle may be promoted, and what that was judged from.
#[derive(Debug, Clone, PartialEq)]
pub struct GateReport {
    reasons: Vec<Reason>,
    inputs: GatingInputs,
}

impl GateReport {
    /// Whether nothing speaks against it.
    pub fn is_promotable(&self) -> bool {
        self.reasons.is_empty()
    }

    /// The reasons against it, sorted, each once.
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
pub fn evaluate(bundle: &Verified<Bundle>) -> GateReport {
    Facts {
        verified: true,
        manifest: Some(bundle.manifest()),
        state: Some(bundle.status().state),
        index: Some(bundle.index()),
        controls_hold: bundle.controls().is_some_and(controls_hold),
        missing: false,
    }
    .judge()
}

/// Judges a bundle that this process has just committed as complete, before anybody verified it. A report without
/// reasons means only that verifying is worth while.
pub fn evaluate_committed(manifest: &RunManifest, index: &ArtifactIndex, controls_hold: bool) -> GateReport {
    Facts {
        verified: true,
        manifest: Some(manifest),
        state: Some(RunState::Complete),
        index: Some(index),
        controls_hold,
        missing: false,
    }
    .judge()
}

/// Judges a bundle that did not pass verification, or was not put to it. It is never promotable.
pub fn evaluate_unverified(bundle: &UnverifiedBundle) -> GateReport {
    Facts {
        verified: false,
        manifest: bundle.run_manifest.as_ref(),
        state: bundle.run_status.as_ref().map(|status| status.state),
        index: bundle.artifact_index.as_ref(),
        // What the controls showed is known from verified bytes only; the bundle is refused in any case.
        controls_hold: true,
        missing: !bundle.missing.is_empty(),
    }
    .judge()
}

/// No profile has a control that went wrong, and the document can be understood.
fn controls_hold(document: &[u8]) -> bool {
    let Ok(document) = serde_json::from_slice::<Value>(document) else { return false };
    let Some(Value::Array(profiles)) = document.get("profiles") else { return false };
    profiles.iter().all(|profile| profile.get("status").and_then(Value::as_str).is_some_and(|status| status != "wrong"))
}

/// What is judged.
struct Facts<'a> {
    verified: bool,
    manifest: Option<&'a RunManifest>,
    state: Option<RunState>,
    index: Option<&'a ArtifactIndex>,
    controls_hold: bool,
    missing: bool,
}

impl Facts<'_> {
    fn judge(&self) -> GateReport {
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
        add(Reason::RunStatusMissing, self.state.is_none());
        add(Reason::ManifestMissing, self.manifest.is_none());
        let state = self.state;
        add(Reason::BundleInProgress, state == Some(RunState::InProgress));
        let failed_index = self.index.is_some_and(|index| index.status == IndexStatus::Failed);
        add(Reason::BundleFailed, failed_index || state == Some(RunState::Failed));
        add(Reason::BundleIncomplete, self.missing || self.index.is_some_and(|index| !index.missing.is_empty()));
        // The log speaks too, should the mark have been taken away.
        let marked = self.index.is_some_and(|index| index.repaired);
        add(Reason::BundleRepaired, marked || self.has(layout::REPAIR_LOG));

        let channel = self.manifest.map(|manifest| manifest.channel);
        let clean = matches!(channel, Some(ChannelKind::LaunchdClean | ChannelKind::SystemdClean));
        add(Reason::NotCleanChannel, !clean);
        add(Reason::ChannelUnwitnessed, clean && !self.has(CHANNEL_WITNESS));
        add(Reason::ApplyPreflightMissing, preflight.is_none());
        add(Reason::ApplyFailed, apply_ok != Some(true));
        add(Reason::AlreadySandboxed, sandboxed == Some(true));
        add(Reason::SelfCheckUnknown, preflight.is_some() && sandboxed.is_none());
        let decision_stage = [layout::RUNTIME_RESULTS, layout::RUNTIME_EVENTS, layout::EXPECTED_MATRIX];
        let whole = decision_stage.into_iter().all(|name| self.has(name));
        add(Reason::DecisionStageArtifactsMissing, !whole);
        add(Reason::ControlsFailed, !self.controls_hold);
        if let Some(manifest) = self.manifest {
            add(Reason::DryRun, manifest.dry_run);
            let selection = &manifest.selection;
            let filtered = !selection.only_profiles.is_empty() || !selection.only_scenarios.is_empty();
            add(Reason::SelectionFiltered, filtered);
            add(Reason::WorldMismatch, !is_declared_world(manifest));
        }
        reasons.sort_unstable();
        let inputs = GatingInputs {
            channel: channel.map(|channel| channel.as_str().to_owned()),
            apply_preflight_present: preflight.is_some(),
            apply_ok,
            sandbox_check_self: self_check.cloned(),
        };
        GateReport { reasons, inputs }
    }

    fn has(&self, name: &str) -> bool {
        let Some(index) = self.index else { return false };
        let wanted =
            |path: &str| path.strip_prefix(&index.bundle_root).and_then(|rest| rest.strip_prefix('/')) == Some(name);
        index.artifacts.iter().any(|entry| wanted(&entry.path))
    }
}

/// What a clean channel's worker proves its start with. Without it, a channel's name is only a claim.
const CHANNEL_WITNESS: &str = "channel_witness.json";

/// Whether the observed host can be the declared world. A derived world is the host by construction; the home baseline
/// is one product build of macOS.
fn is_declared_world(manifest: &RunManifest) -> bool {
    let host = &manifest.host;
    manifest.world_id.as_str() != HOME_WORLD
        || (host.os == "macos"
            && host.product_version.as_deref() == Some("14.4.1")
            && host.product_build.as_deref() == Some("23E224")
            && host.arch.as_deref() == Some("arm64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_explained() {
        let names: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        assert!(Reason::ALL.iter().all(|reason| !reason.explain().is_empty()));
    }

    #[test]
    fn controls_that_cannot_be_understood_do_not_hold() {
        assert!(controls_hold(br#"{"profiles": [{"status": "ok"}, {"status": "not_derivable"}]}"#));
        assert!(controls_hold(br#"{"profiles": []}"#));
        for bad in [
            &br#"{"profiles": [{"status": "ok"}, {"status": "wrong"}]}"#[..],
            b"{}",
            b"[]",
            b"",
            br#"{"profiles": [{}]}"#,
        ] {
            assert!(!controls_hold(bad), "{}", String::from_utf8_lossy(bad));
        }
    }
}
