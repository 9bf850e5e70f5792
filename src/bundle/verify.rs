//! Reading is verifying: a bundle that can be relied on is made here or not at all.
//!
//! The checks, in order: the folder is a closed world of plain files that agree with the index in size and digest; the
//! documents agree with each other; the run is complete; and the evidence, derived once more from the bundle's own inputs
//! and rows, is byte for byte the evidence that the bundle holds. All problems of a step are reported together. The last
//! step is taken only if the steps before it found nothing, because what it would say then follows from them.

use std::path::{Path, PathBuf};

use super::contradiction::{self, DocumentContradiction, DocumentRule};
use super::finding::{Findings, Problem, chain, identity_differs};
use super::index::clip;
use super::merge;
use super::observed::{HashedRows, compare};
use super::published::ShapeError;
use super::reader::{self, Inspection, ReadSchedule};
use super::replay::{ReplayError, replay};
use super::replay_inputs::{MergeInputs, ReplayInputs};
use super::replay_sink::{ReplaySink, Replayed};
pub use super::verified::{Bundle, BundleRefused, Verified};
use crate::evidence::DeriveError;
use crate::evidence::contradiction::Times;
use crate::record::index::IndexStatus;
use crate::record::layout::{self, Origin};
use crate::record::manifest::RunState;

/// How a run is replayed: [`replay()`], but for tests.
pub(crate) type Replay<'r> = &'r dyn Fn(&ReplayInputs<'_>, &HashedRows, &mut ReplaySink) -> Result<Times, ReplayError>;

/// Verifies the bundle that `path` leads to.
///
/// # Errors
/// Everything that is wrong with it.
pub fn verify(path: &Path) -> Result<Verified<Bundle>, BundleRefused> {
    verify_by(path, &replay)
}

/// The same by a replay of one's own.
pub(crate) fn verify_by(path: &Path, replay: Replay<'_>) -> Result<Verified<Bundle>, BundleRefused> {
    let folder =
        reader::resolve(path).map_err(|finding| BundleRefused { bundle: path.to_owned(), findings: vec![finding] })?;
    let mut inspection = reader::inspect(folder, ReadSchedule::EvidenceLater);
    check_state(&mut inspection);
    inspection.findings.keep_uncommitted();
    let derived_count = if inspection.findings.is_empty() {
        compare_with_replay(&mut inspection, replay)
    } else {
        inspection.read_pending(|_| None);
        0
    };
    let Inspection {
        folder,
        findings,
        index,
        entries,
        status,
        manifest,
        identity,
        controls,
        summary,
        channel_witness,
        rows,
        times,
        merge,
        parts,
        ..
    } = inspection;
    match (index, status, manifest) {
        (Some((index, index_sha256)), Some(status), Some(manifest)) if findings.is_empty() => {
            Ok(Verified::after_every_check(Bundle {
                folder,
                index,
                index_sha256,
                entries: entries.into_iter().collect(),
                status,
                manifest,
                identity,
                controls,
                summary,
                channel_witness,
                row_count: rows.values().sum(),
                derived_count,
                times,
                merge,
                parts,
            }))
        }
        _ => Err(BundleRefused { bundle: folder, findings: findings.into_sorted() }),
    }
}

/// Compares a bundle with its index and its own account, without deriving anything: what `reindex-bundle --strict`
/// does.
pub fn check_strictly(path: &Path) -> Result<PathBuf, BundleRefused> {
    let folder =
        reader::resolve(path).map_err(|finding| BundleRefused { bundle: path.to_owned(), findings: vec![finding] })?;
    let mut inspection = reader::inspect(folder, ReadSchedule::Now);
    check_state(&mut inspection);
    let Inspection { folder, findings, .. } = inspection;
    if findings.is_empty() {
        Ok(folder)
    } else {
        Err(BundleRefused { bundle: folder, findings: findings.into_sorted() })
    }
}

/// The run is complete, and the index says so.
pub(super) fn check_state(inspection: &mut Inspection) {
    let findings = &mut inspection.findings;
    if let Some(status) = &inspection.status
        && status.state != RunState::Complete
    {
        let problem = Problem::RunState {
            state: status.state,
            failure_stage: status.failure_stage.as_deref().map(clip),
            error: status.error.as_deref().map(clip),
        };
        findings.add(layout::RUN_STATUS, problem);
    }
    if let Some(status) = inspection.status.as_ref().filter(|status| status.state == RunState::Complete)
        && let Some(words) = contradiction::of_complete(status)
    {
        let rule = DocumentRule::StatusComplete.code();
        findings.add(layout::RUN_STATUS, Problem::Contradicts { rule, words: words.into() });
    }
    if let Some((index, _)) = &inspection.index {
        if index.status != IndexStatus::Ok {
            findings.add(layout::ARTIFACT_INDEX, Problem::IndexStatus(index.status));
        }
        for path in &index.missing {
            findings.add(clip(path), Problem::DeclaredMissing);
        }
    }
}

/// Replays the run and compares; returns the number of artifacts that agree.
fn compare_with_replay(inspection: &mut Inspection, replay: Replay<'_>) -> usize {
    let mut sink = ReplaySink::new(Some(inspection.folder.clone()), None);
    if replay_into(inspection, replay, &mut sink) { compare_artifacts(inspection, &sink) } else { 0 }
}

/// Replays the run from the very rows that the index names. False: that cannot be done, and the findings say why.
pub(super) fn replay_into(inspection: &mut Inspection, replay: Replay<'_>, sink: &mut ReplaySink) -> bool {
    if let Some(document) = inspection.merge.clone() {
        let folder = inspection.folder.clone();
        inspection.parts = merge::read_parts(&folder, &document, &inspection.files, &mut inspection.findings, &verify);
        if !inspection.findings.is_empty() {
            inspection.read_pending(|_| None);
            return false;
        }
    }
    let Some(manifest) = &inspection.manifest else { return false };
    let rows = HashedRows::new(inspection.folder.clone(), inspection.pending.clone());
    let inputs = ReplayInputs {
        manifest,
        status: inspection.status.as_ref(),
        identity: inspection.identity.as_ref(),
        witness: inspection.channel_witness.as_ref(),
        files: &inspection.inputs,
        merge: inspection.merge.as_ref().map(|document| MergeInputs {
            document,
            parts: &inspection.parts,
            entries: &inspection.entries,
        }),
    };
    let outcome = replay(&inputs, &rows, sink);

    // First what was read: if the rows are not the indexed ones, nothing that follows from them says anything.
    let mut findings = Findings::default();
    for (lane, observed) in rows.into_seen() {
        inspection.pending.retain(|other| *other != lane);
        let path = super::index::path_of(layout::rows_of(lane));
        if let Some(entry) = inspection.entries.get(&path) {
            compare(&path, entry, &observed, &mut findings);
            inspection.rows.insert(lane, observed.lines);
        }
    }
    inspection.findings.append(findings);
    inspection.read_pending(|path| sink.observed(path));
    if !inspection.findings.is_empty() {
        return false;
    }
    match outcome {
        Ok(times) => inspection.times = times,
        Err(error) => add_failure(error, &mut inspection.findings),
    }
    inspection.findings.is_empty()
}

/// What is wrong with a bundle whose run cannot be replayed.
fn add_failure(error: ReplayError, findings: &mut Findings) {
    match error {
        ReplayError::Derive(DeriveError::Contradiction { lane, line, rule, words }) => {
            let words = clip(&format!("line {line}: {words}"));
            findings.add(layout::rows_of(lane), Problem::Contradicts { rule: rule.code(), words });
        }
        ReplayError::Contradiction(DocumentContradiction { path, rule, words }) => {
            findings.add(path, Problem::Contradicts { rule: rule.code(), words: clip(&words) });
        }
        ReplayError::Shape(ShapeError { path, pointer, reason }) => {
            findings.add(path, Problem::NotPublished { pointer: clip(&pointer), reason: clip(&reason) });
        }
        ReplayError::Merge(found) => findings.append(Findings::of(found)),
        ReplayError::Identity(discrepancies) => {
            for one in &discrepancies {
                findings.add(layout::RUN_IDENTITY, identity_differs(one));
            }
        }
        other => findings.add(".", Problem::NotDerivable(chain(&other))),
    }
}

/// What was derived against what the index says; returns the number of artifacts that agree.
fn compare_artifacts(inspection: &mut Inspection, sink: &ReplaySink) -> usize {
    let mut agreeing = 0;
    for (name, Replayed { observed, .. }) in &sink.artifacts {
        let entry = inspection.entries.iter().find(|(path, _)| path.as_str() == name);
        match entry {
            None => inspection.findings.add(name, Problem::DerivedMissing),
            Some((_, entry)) if (entry.sha256, entry.file_size) == (observed.digest, observed.size) => agreeing += 1,
            Some(_) if name == layout::VERDICTS => inspection.findings.add(name, Problem::VerdictsDiffer),
            Some(_) => inspection.findings.add(name, Problem::NotDerived),
        }
    }
    for path in inspection.entries.keys().filter(|path| !sink.artifacts.contains_key(path.as_str())) {
        match layout::artifact(path.as_str()).map(|artifact| artifact.origin) {
            Some(Origin::Derived) => inspection.findings.add(path, Problem::DerivedExtra),
            Some(_) => {}
            None => inspection.findings.add(path, Problem::UnknownArtifact),
        }
    }
    agreeing
}
