//! Reading is verifying: a bundle that can be relied on is made here or not at all.
//!
//! The checks, in order: the folder is a closed world of plain files that agree with the index in size and digest; the
//! documents agree with each other; the run is complete; and the evidence, derived once more from the bundle's own inputs
//! and rows, is byte for byte the evidence that the bundle holds. All problems of a step are reported together. The last
//! step is taken only if the steps before it found nothing, because what it would say then follows from them.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use super::contradiction::{self, DocumentContradiction, DocumentRule};
use super::finding::{BundleFinding, Findings, Problem, chain, identity_differs};
use super::index::clip;
use super::observed::{HashedRows, compare};
use super::published::ShapeError;
use super::reader::{self, Inspection, ReadSchedule};
use super::replay::{ReplayError, ReplayInputs, replay};
use super::replay_sink::{ReplaySink, Replayed};
use crate::base::bundle_path::BundlePath;
use crate::base::digest::Digest;
use crate::base::shared_bytes::SharedBytes;
use crate::evidence::DeriveError;
use crate::evidence::contradiction::Times;
use crate::record::channel_witness::ChannelWitness;
use crate::record::identity::Declaration;
use crate::record::index::{ArtifactEntry, ArtifactIndex, IndexStatus};
use crate::record::layout::{self, Origin};
use crate::record::manifest::{RunManifest, RunState, RunStatus};

/// Something that passed every check. Only this module makes it.
///
/// It is the only way in for everything that relies on a bundle: packet, summary, links, diff, report.
///
/// ```no_run
/// use sandproof::api::{bundles::load_bundle, promotion};
///
/// let bundle = load_bundle("out".as_ref())?;
/// let packet = promotion::make_packet(&bundle, &promotion::evaluate(&bundle));
/// # let _ = packet;
/// # Ok::<(), sandproof::api::bundles::BundleRefused>(())
/// ```
///
/// What was only looked at does not become one:
///
/// ```compile_fail,E0423
/// use sandproof::api::bundles::{UnverifiedBundle, Verified};
///
/// fn believe(bundle: UnverifiedBundle) -> Verified<UnverifiedBundle> {
///     Verified(bundle)
/// }
/// ```
///
/// nor does anything that relies on a bundle take it:
///
/// ```compile_fail,E0308
/// use sandproof::api::{bundles::open_bundle_unverified, promotion};
///
/// let seen = open_bundle_unverified("out".as_ref()).unwrap();
/// promotion::evaluate(&seen);
/// ```
#[derive(Debug, Clone)]
pub struct Verified<T>(T);

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A bundle's own account of itself.
#[derive(Debug, Clone)]
pub struct Bundle {
    folder: PathBuf,
    index: ArtifactIndex,
    index_sha256: Digest,
    entries: Vec<(BundlePath, ArtifactEntry)>,
    status: RunStatus,
    manifest: RunManifest,
    identity: Option<Declaration>,
    controls: Option<SharedBytes>,
    summary: Option<SharedBytes>,
    channel_witness: Option<ChannelWitness>,
    row_count: u64,
    derived_count: usize,
    times: Times,
}

impl Bundle {
    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The artifact index, as verified.
    pub fn index(&self) -> &ArtifactIndex {
        &self.index
    }

    /// The digest of its index, which stands for the whole bundle.
    pub fn index_sha256(&self) -> Digest {
        self.index_sha256
    }

    /// The run's state.
    pub fn status(&self) -> &RunStatus {
        &self.status
    }

    /// What was run.
    pub fn manifest(&self) -> &RunManifest {
        &self.manifest
    }

    /// What the run declared, if it did.
    pub fn identity(&self) -> Option<&Declaration> {
        self.identity.as_ref()
    }

    /// The bytes of `controls.json`, if the bundle has one.
    pub fn controls(&self) -> Option<&[u8]> {
        self.controls.as_deref()
    }

    /// The bytes of `summary.json`, if the bundle has one.
    pub fn summary(&self) -> Option<&[u8]> {
        self.summary.as_deref()
    }

    /// What witnesses the channel, if the bundle has it.
    pub fn channel_witness(&self) -> Option<&ChannelWitness> {
        self.channel_witness.as_ref()
    }

    /// The entry of an artifact.
    pub fn entry(&self, name: &str) -> Option<&ArtifactEntry> {
        self.entries.iter().find(|(path, _)| path.as_str() == name).map(|(_, entry)| entry)
    }

    /// Every indexed file with its entry, by path.
    pub fn entries(&self) -> impl Iterator<Item = (&BundlePath, &ArtifactEntry)> {
        self.entries.iter().map(|(path, entry)| (path, entry))
    }

    /// When its rows were executed, as they say.
    pub fn times(&self) -> Times {
        self.times
    }

    /// How many files it holds, the index included.
    pub fn file_count(&self) -> usize {
        self.entries.len() + 1
    }

    /// How many rows it holds, in all lanes.
    pub fn row_count(&self) -> u64 {
        self.row_count
    }

    /// How many artifacts were derived again and found equal.
    pub fn derived_count(&self) -> usize {
        self.derived_count
    }
}

/// A bundle was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleRefused {
    /// Which: its folder, or what was given if that leads to none.
    pub bundle: PathBuf,
    /// Everything that is wrong, sorted; never empty.
    pub findings: Vec<BundleFinding>,
}

impl fmt::Display for BundleRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.findings.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        write!(f, "the bundle `{}` is refused: {count} {noun}", self.bundle.display())?;
        if let Some(first) = self.findings.first() {
            write!(f, "; {first}")?;
        }
        Ok(())
    }
}

impl std::error::Error for BundleRefused {}

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
        ..
    } = inspection;
    match (index, status, manifest) {
        (Some((index, index_sha256)), Some(status), Some(manifest)) if findings.is_empty() => Ok(Verified(Bundle {
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
        })),
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
    let Some(manifest) = &inspection.manifest else { return false };
    let rows = HashedRows::new(inspection.folder.clone(), inspection.pending.clone());
    let inputs = ReplayInputs {
        manifest,
        status: inspection.status.as_ref(),
        identity: inspection.identity.as_ref(),
        witness: inspection.channel_witness.as_ref(),
        files: &inspection.inputs,
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
