//! Looking at a bundle that is not trusted: which files lie there, and how they agree with the index.
//!
//! Nothing here judges. [`super::verify()`] makes a verified bundle of what was found, or refuses; [`open_unverified`] is
//! the view for debugging and for repair.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::finding::{BundleFinding, Findings, Problem, identity_differs};
use super::index::{self, clip};
use super::observed::{ObservedFile, compare, observe};
use super::reference;
use super::verified::{Bundle, Verified};
use super::walk;
use crate::base::bundle_path::BundlePath;
use crate::base::digest::Digest;
use crate::base::fsx;
use crate::base::ids::RunId;
use crate::base::json;
use crate::base::limits::{
    MAX_BUNDLE_DOCUMENT_BYTES, MAX_BUNDLE_FILE_BYTES, MAX_BUNDLE_FILES, MAX_INDEX_BYTES, MAX_INPUT_DOCUMENT_BYTES,
};
use crate::base::shared_bytes::{DocumentBytes, SharedBytes};
use crate::evidence::contradiction::Times;
use crate::identity;
use crate::record::channel_witness::{CHANNEL_WITNESS_SCHEMA, ChannelWitness};
use crate::record::identity::{Declaration, RUN_IDENTITY_SCHEMA};
use crate::record::index::{ARTIFACT_INDEX_SCHEMA, ArtifactEntry, ArtifactIndex};
use crate::record::layout;
use crate::record::manifest::{RUN_MANIFEST_SCHEMA, RUN_STATUS_SCHEMA, RunManifest, RunStatus};
use crate::record::merge::{MERGE_SCHEMA, MergeDocument};
use crate::record::outcome::Lane;

/// Largest content of a `LATEST` file, in bytes.
const MAX_LATEST_BYTES: u64 = 1024;

/// The folder of the bundle that `path` names: where its `LATEST` leads if it is an output root, else itself.
///
/// A folder that has an index or a run status is a bundle, whatever else lies in it.
pub fn resolve(path: &Path) -> Result<PathBuf, BundleFinding> {
    let finding = |path: String, problem| BundleFinding { path, problem };
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => {
            let problem = Problem::NoBundle("it is not a folder; give the bundle's folder, or its output root".into());
            return Err(finding(clip(&path.to_string_lossy()), problem));
        }
        Err(error) => return Err(finding(clip(&path.to_string_lossy()), Problem::NoBundle(error.to_string()))),
    }
    let exists = |name| std::fs::symlink_metadata(path.join(name)).is_ok();
    if exists(layout::ARTIFACT_INDEX) || exists(layout::RUN_STATUS) || !exists(layout::LATEST) {
        return Ok(path.to_owned());
    }
    let bad = |text: String| finding(layout::LATEST.into(), Problem::BadPointer(text));
    let bytes = fsx::read_regular(&path.join(layout::LATEST), MAX_LATEST_BYTES)
        .map_err(|error| bad(super::finding::chain(&error)))?;
    let text = String::from_utf8(bytes).map_err(|_| bad("it is not UTF-8 text".into()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let run_id = RunId::new(text).map_err(|error| bad(error.to_string()))?;
    let folder = path.join(run_id.as_str());
    match std::fs::symlink_metadata(&folder) {
        Ok(metadata) if metadata.is_dir() => Ok(folder),
        Ok(_) => Err(bad(format!("`{run_id}` is not a folder"))),
        Err(error) => Err(bad(format!("`{run_id}`: {error}"))),
    }
}

/// What is read now, and what later, by and beside a derivation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadSchedule {
    /// All now.
    Now,
    /// The rows later.
    RowsLater,
    /// The rows and what is derived from them later.
    EvidenceLater,
}

/// Everything found in one pass over a bundle.
#[derive(Debug)]
pub(super) struct Inspection {
    pub(super) folder: PathBuf,
    pub(super) findings: Findings,
    pub(super) index: Option<(ArtifactIndex, Digest)>,
    /// The files that are there, with their sizes; without the index.
    pub(super) files: BTreeMap<BundlePath, u64>,
    /// The indexed files whose path is acceptable.
    pub(super) entries: BTreeMap<BundlePath, ArtifactEntry>,
    pub(super) status: Option<RunStatus>,
    pub(super) manifest: Option<RunManifest>,
    /// What the run declared, if it did.
    pub(super) identity: Option<Declaration>,
    /// The files under `inputs/`.
    pub(super) inputs: BTreeMap<BundlePath, DocumentBytes>,
    pub(super) controls: Option<SharedBytes>,
    pub(super) summary: Option<SharedBytes>,
    pub(super) channel_witness: Option<ChannelWitness>,
    preflight: Option<Value>,
    /// How many rows each lane has, as far as they were read.
    pub(super) rows: BTreeMap<Lane, u64>,
    /// When rows were executed, once they were derived from.
    pub(super) times: Times,
    /// Lanes whose rows are still to be read.
    pub(super) pending: Vec<Lane>,
    /// Derived artifacts that are still to be read.
    pub(super) pending_derived: Vec<BundlePath>,
    block: Vec<u8>,
    /// What it was put together from, if it was.
    pub(super) merge: Option<MergeDocument>,
    /// Its parts, once they are verified.
    pub(super) parts: Vec<Verified<Bundle>>,
    /// It is a bundle of the reference runtime, and the findings say so.
    pub(super) of_reference: bool,
}

pub(super) fn inspect(folder: PathBuf, reading: ReadSchedule) -> Inspection {
    let mut findings = Findings::default();
    let mut files = walk::files(&folder, &mut findings);
    let index_path = index::path_of(layout::ARTIFACT_INDEX);
    let has_index = files.remove(&index_path).is_some();
    if files.len() > MAX_BUNDLE_FILES {
        findings.add(".", Problem::TooManyFiles);
    }
    let index = read_index(&folder, has_index, &mut findings);
    let mut inspection = Inspection {
        folder,
        findings,
        index,
        files,
        entries: BTreeMap::new(),
        status: None,
        manifest: None,
        identity: None,
        inputs: BTreeMap::new(),
        controls: None,
        summary: None,
        channel_witness: None,
        preflight: None,
        rows: BTreeMap::new(),
        times: Times::default(),
        pending: Vec::new(),
        pending_derived: Vec::new(),
        block: Vec::new(),
        merge: None,
        parts: Vec::new(),
        of_reference: false,
    };
    inspection.check_entries();
    inspection.check_world();
    inspection.read_files(reading);
    inspection.check_parts();
    inspection.check_agreement();
    // What else would be said of one follows from its being one.
    if inspection.index.is_none()
        && let Some(findings) = reference::findings(&inspection.folder)
    {
        inspection.findings = Findings::of(findings);
        inspection.of_reference = true;
    }
    inspection
}

pub(super) fn read_index(folder: &Path, present: bool, findings: &mut Findings) -> Option<(ArtifactIndex, Digest)> {
    let path = folder.join(layout::ARTIFACT_INDEX);
    let bytes = match fsx::read_regular(&path, MAX_INDEX_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.source.kind() == io::ErrorKind::NotFound && !present => {
            findings.add(layout::ARTIFACT_INDEX, Problem::NotCommitted);
            return None;
        }
        Err(error) => {
            findings.add(layout::ARTIFACT_INDEX, Problem::Unreadable(error.source.to_string()));
            return None;
        }
    };
    let index: ArtifactIndex = decode(layout::ARTIFACT_INDEX, &bytes, ARTIFACT_INDEX_SCHEMA, findings)?;
    Some((index, Digest::of(&bytes)))
}

/// Reads a document strictly: JSON, then its format, then its shape.
pub(super) fn decode<T: DeserializeOwned>(
    name: &str,
    bytes: &[u8],
    schema: &'static str,
    findings: &mut Findings,
) -> Option<T> {
    let value = match json::parse(bytes) {
        Ok(value) => value,
        Err(error) => {
            findings.add(name, Problem::Malformed(clip(&error.to_string())));
            return None;
        }
    };
    if let Some(found) = value.get("schema_version").and_then(|found| found.as_str())
        && found != schema
    {
        findings.add(name, Problem::UnknownFormat { found: clip(found), known: schema });
        return None;
    }
    match json::from_value(value) {
        Ok(document) => Some(document),
        Err(error) => {
            findings.add(name, Problem::Malformed(clip(&error.to_string())));
            None
        }
    }
}

impl Inspection {
    /// The index's own list: paths that stay inside, each once, in order.
    fn check_entries(&mut self) {
        let Some((index, _)) = &self.index else { return };
        if index.artifacts.len() > MAX_BUNDLE_FILES {
            self.findings.add(layout::ARTIFACT_INDEX, Problem::TooManyFiles);
            return;
        }
        let mut order = Vec::with_capacity(index.artifacts.len());
        for entry in &index.artifacts {
            let path = match index::strip(&index.bundle_root, &entry.path) {
                Ok(path) => path,
                Err(error) => {
                    self.findings.add(clip(&entry.path), Problem::BadIndexedPath(clip(&error.to_string())));
                    continue;
                }
            };
            if path.as_str() == layout::ARTIFACT_INDEX {
                self.findings.add(&path, Problem::IndexListsItself);
                continue;
            }
            if self.entries.insert(path.clone(), entry.clone()).is_some() {
                self.findings.add(&path, Problem::ListedTwice);
                continue;
            }
            order.push(path);
        }
        if !order.is_sorted_by(|a, b| layout::index_order(a.as_str()) < layout::index_order(b.as_str())) {
            self.findings.add(layout::ARTIFACT_INDEX, Problem::OutOfOrder);
        }
        let mut folded: BTreeMap<String, &BundlePath> = BTreeMap::new();
        for path in self.entries.keys() {
            if let Some(twin) = folded.insert(path.as_str().to_ascii_lowercase(), path) {
                self.findings.add(path, Problem::CaseTwin(twin.to_string()));
            }
        }
        for name in [layout::RUN_STATUS, layout::RUN_MANIFEST] {
            if !self.entries.contains_key(&index::path_of(name)) {
                self.findings.add(name, Problem::NotListed);
            }
        }
    }

    /// The closed world: what is there is listed, and what is listed is there.
    fn check_world(&mut self) {
        if self.index.is_none() {
            // Not committed: that everything is unlisted would be said once per file, and says no more.
            return;
        }
        for path in self.files.keys().filter(|path| !self.entries.contains_key(*path)) {
            self.findings.add(path, if is_temporary(path) { Problem::LeftoverTemporary } else { Problem::Unlisted });
        }
        for path in self.entries.keys().filter(|path| !self.files.contains_key(*path)) {
            self.findings.add(path, Problem::Missing);
        }
    }

    /// Only a merge has parts: nothing else would look into their folders.
    fn check_parts(&mut self) {
        if self.merge.is_none() {
            for path in self.files.keys().filter(|path| path.as_str().starts_with(layout::PARTS_FOLDER)) {
                self.findings.add(path, Problem::UnknownArtifact);
            }
        }
    }

    /// Reads every file that is there, once, and keeps the small documents that were asked for.
    fn read_files(&mut self, reading: ReadSchedule) {
        let paths: Vec<(BundlePath, u64)> = self.files.iter().map(|(path, size)| (path.clone(), *size)).collect();
        // All of them together are kept in memory, so the limit of one is the limit of all.
        let mut input_bytes = 0;
        for (path, found) in paths {
            let entry = self.entries.get(&path).cloned();
            let document = is_kept(&path);
            let input = layout::is_input(path.as_str());
            if entry.is_none() && !document {
                continue;
            }
            let indexed = entry.as_ref().map_or(found, |entry| entry.file_size);
            let most = if document { MAX_BUNDLE_DOCUMENT_BYTES } else { MAX_BUNDLE_FILE_BYTES };
            if found > most {
                self.findings.add(&path, Problem::TooLarge(most));
                continue;
            }
            if found != indexed {
                self.findings.add(&path, Problem::SizeMismatch { indexed, found });
                continue;
            }
            if reading != ReadSchedule::Now
                && let Some(lane) = layout::lane_of(path.as_str())
            {
                self.pending.push(lane);
                continue;
            }
            if reading == ReadSchedule::EvidenceLater && !document && layout::is_derived(path.as_str()) {
                self.pending_derived.push(path);
                continue;
            }
            if input {
                input_bytes += found;
                if input_bytes > MAX_INPUT_DOCUMENT_BYTES {
                    self.findings.add(&path, Problem::InputsTooLarge);
                    continue;
                }
            }
            let mut kept = Vec::with_capacity(if document || input { indexed as usize } else { 0 });
            let keep = (document || input).then_some(&mut kept);
            let Some(observed) = self.read(&path, indexed, keep) else { continue };
            if let Some(entry) = &entry
                && !compare(&path, entry, &observed, &mut self.findings)
            {
                continue;
            }
            self.keep(path, SharedBytes::digested(kept, observed.digest));
        }
    }

    fn read(&mut self, path: &BundlePath, size: u64, keep: Option<&mut Vec<u8>>) -> Option<ObservedFile> {
        let opened = fsx::open_regular(&path.under(&self.folder));
        match opened.and_then(|file| observe(file, path, size, &mut self.block, keep)) {
            Ok(observed) => Some(observed),
            Err(error) => {
                self.findings.add(path, Problem::Unreadable(error.to_string()));
                None
            }
        }
    }

    /// Takes in a document whose bytes are those that were digested.
    fn keep(&mut self, path: BundlePath, bytes: SharedBytes) {
        match path.as_str() {
            layout::RUN_STATUS => {
                self.status = decode(layout::RUN_STATUS, &bytes, RUN_STATUS_SCHEMA, &mut self.findings);
            }
            layout::RUN_MANIFEST => {
                self.manifest = decode(layout::RUN_MANIFEST, &bytes, RUN_MANIFEST_SCHEMA, &mut self.findings);
            }
            layout::RUN_IDENTITY => {
                self.identity = decode(layout::RUN_IDENTITY, &bytes, RUN_IDENTITY_SCHEMA, &mut self.findings);
            }
            layout::APPLY_PREFLIGHT => match json::parse(&bytes) {
                Ok(value) => self.preflight = Some(value),
                Err(error) => self.findings.add(&path, Problem::Malformed(clip(&error.to_string()))),
            },
            layout::CHANNEL_WITNESS => {
                self.channel_witness =
                    decode(layout::CHANNEL_WITNESS, &bytes, CHANNEL_WITNESS_SCHEMA, &mut self.findings);
            }
            layout::MERGE => self.merge = decode(layout::MERGE, &bytes, MERGE_SCHEMA, &mut self.findings),
            layout::CONTROLS => self.controls = Some(bytes),
            layout::SUMMARY => self.summary = Some(bytes),
            _ if layout::is_input(path.as_str()) => {
                self.inputs.insert(path, bytes.into());
            }
            _ => {}
        }
    }

    /// Reads what was left for later and is not known from elsewhere: `known` may say what a derived artifact is.
    pub(super) fn read_pending(&mut self, known: impl Fn(&BundlePath) -> Option<ObservedFile>) {
        for path in std::mem::take(&mut self.pending_derived) {
            let Some(entry) = self.entries.get(&path).cloned() else { continue };
            if let Some(observed) = known(&path).or_else(|| self.read(&path, entry.file_size, None)) {
                compare(&path, &entry, &observed, &mut self.findings);
            }
        }
        for lane in std::mem::take(&mut self.pending) {
            let path = index::path_of(layout::rows_of(lane));
            let Some(entry) = self.entries.get(&path).cloned() else { continue };
            if let Some(observed) = self.read(&path, entry.file_size, None) {
                compare(&path, &entry, &observed, &mut self.findings);
                self.rows.insert(lane, observed.lines);
            }
        }
    }

    /// Facts that several documents state.
    fn check_agreement(&mut self) {
        let Some((index, _)) = &self.index else { return };
        let findings = &mut self.findings;
        let mut agree = |name: &str, field, indexed: &str, found: &str| {
            if indexed != found {
                let (indexed, found) = (clip(indexed), clip(found));
                findings.add(name, Problem::Disagrees { field, indexed, found });
            }
        };
        let last = index.bundle_root.rsplit('/').next().unwrap_or_default();
        agree(layout::ARTIFACT_INDEX, "bundle_root's last part", index.run_id.as_str(), last);
        if let Some(status) = &self.status {
            agree(layout::RUN_STATUS, "run_id", index.run_id.as_str(), status.run_id.as_str());
            agree(layout::RUN_STATUS, "world_id", index.world_id.as_str(), status.world_id.as_str());
        }
        if let Some(manifest) = &self.manifest {
            agree(layout::RUN_MANIFEST, "run_id", index.run_id.as_str(), manifest.run_id.as_str());
            agree(layout::RUN_MANIFEST, "world_id", index.world_id.as_str(), manifest.world_id.as_str());
            agree(layout::RUN_MANIFEST, "output_root", &index.bundle_root, &manifest.output_root);
        }
        if let Some(witness) = &self.channel_witness {
            agree(layout::CHANNEL_WITNESS, "run_id", index.run_id.as_str(), witness.run_id.as_str());
        }
        // One identity everywhere, or none anywhere.
        let declared = self.identity.as_ref().map(|declaration| declaration.identity);
        let shown =
            |identity: Option<Digest>| identity.map_or_else(|| "absent".to_owned(), |identity| identity.to_string());
        let mut stamped = |name: &str, stamp: Option<Digest>| {
            if stamp != declared {
                let problem = Problem::OtherIdentity { declared: shown(declared), found: shown(stamp) };
                findings.add(name, problem);
            }
        };
        stamped(layout::ARTIFACT_INDEX, index.identity);
        if let Some(status) = &self.status {
            stamped(layout::RUN_STATUS, status.identity);
        }
        if let Some(manifest) = &self.manifest {
            stamped(layout::RUN_MANIFEST, manifest.identity);
        }
        for (path, entry) in &self.entries {
            stamped(path.as_str(), entry.identity);
        }
        if let Some(manifest) = &self.manifest {
            // The gates read the manifest's copy of the record.
            let copied = manifest.apply_preflight.as_ref().map(|preflight| &preflight.record);
            let listed = self.entries.contains_key(&index::path_of(layout::APPLY_PREFLIGHT));
            if copied.is_some() && !listed {
                findings.add(layout::APPLY_PREFLIGHT, Problem::NotListed);
            } else if listed && copied != self.preflight.as_ref() {
                findings.add(layout::APPLY_PREFLIGHT, Problem::PreflightDiffers);
            }
        }
        if let (Some(status), Some(manifest)) = (&self.status, &self.manifest) {
            let mut same = |field, a: &str, b: &str| {
                if a != b {
                    let problem = Problem::StatusDisagrees { field, manifest: clip(a), status: clip(b) };
                    findings.add(layout::RUN_STATUS, problem);
                }
            };
            same("channel", manifest.channel.as_str(), status.channel.as_str());
            same("plan_id", manifest.plan_id.as_str(), status.plan_id.as_str());
            same("plan_digest", &manifest.plan_digest.to_string(), &status.plan_digest.to_string());
        }
    }
}

/// Whether a document is needed beyond its digest.
fn is_kept(path: &BundlePath) -> bool {
    matches!(
        path.as_str(),
        layout::RUN_STATUS
            | layout::RUN_MANIFEST
            | layout::RUN_IDENTITY
            | layout::APPLY_PREFLIGHT
            | layout::CHANNEL_WITNESS
            | layout::MERGE
            | layout::CONTROLS
            | layout::SUMMARY
            | layout::INPUT_SOURCES
    )
}

/// Whether a name is one under which the writer stages: `.NAME.RANDOM.tmp`.
pub(super) fn is_temporary(path: &BundlePath) -> bool {
    let name = path.as_str().rsplit('/').next().unwrap_or_default();
    name.starts_with('.') && name.ends_with(".tmp")
}

/// A bundle as it lies there, whatever it is worth. For debugging: nothing can be promoted from it.
#[derive(Debug, Serialize)]
pub struct UnverifiedBundle {
    /// Path of the bundle's folder.
    #[serde(serialize_with = "crate::base::printable::serialize_path")]
    pub bundle_dir: PathBuf,
    /// Always `unverified`.
    pub integrity: &'static str,
    /// Whether there is an index that could be read.
    pub artifact_index_present: bool,
    /// Whether there is a run status that could be read.
    pub run_status_present: bool,
    /// Indexed files that are not there, and files that the index itself calls missing.
    pub missing: Vec<String>,
    /// Files that are not what the index says.
    pub digest_mismatches: Vec<String>,
    /// The run status; null if it cannot be read.
    pub run_status: Option<RunStatus>,
    /// The run manifest; null if it cannot be read.
    pub run_manifest: Option<RunManifest>,
    /// What the run declared.
    pub run_identity: Option<Declaration>,
    /// The artifact index; null if it cannot be read.
    pub artifact_index: Option<ArtifactIndex>,
    /// What witnesses the channel.
    #[serde(skip)]
    pub channel_witness: Option<ChannelWitness>,
    /// Every problem that can be seen without deriving anything.
    pub findings: Vec<BundleFinding>,
}

impl UnverifiedBundle {
    /// What contradicts the declared identity: stamps, and what the declaration says of itself.
    pub fn identity_findings(&self) -> impl Iterator<Item = &BundleFinding> {
        self.findings.iter().filter(|finding| {
            matches!(finding.problem, Problem::OtherIdentity { .. } | Problem::IdentityDiffers { .. })
        })
    }
}

/// Looks at a bundle without trusting it. Fails only if there is no folder to look at.
pub fn open_unverified(path: &Path) -> Result<UnverifiedBundle, BundleFinding> {
    Ok(inspect(resolve(path)?, ReadSchedule::Now).into_unverified())
}

impl Inspection {
    pub(super) fn into_unverified(mut self) -> UnverifiedBundle {
        if let Some(declaration) = &self.identity {
            for one in identity::verify_against_itself(declaration) {
                self.findings.add(layout::RUN_IDENTITY, identity_differs(&one));
            }
        }
        let findings = self.findings.into_sorted();
        let named = |wanted: fn(&Problem) -> bool| {
            findings.iter().filter(|f| wanted(&f.problem)).map(|f| f.path.clone()).collect::<Vec<_>>()
        };
        let mut missing = named(|problem| matches!(problem, Problem::Missing | Problem::NotListed));
        missing.extend(self.index.iter().flat_map(|(index, _)| index.missing.iter().map(|path| clip(path))));
        let changed =
            |problem: &Problem| matches!(problem, Problem::DigestMismatch { .. } | Problem::SizeMismatch { .. });
        UnverifiedBundle {
            bundle_dir: self.folder,
            integrity: "unverified",
            artifact_index_present: self.index.is_some(),
            run_status_present: self.status.is_some(),
            missing,
            digest_mismatches: named(changed),
            run_status: self.status,
            run_manifest: self.manifest,
            run_identity: self.identity,
            artifact_index: self.index.map(|(index, _)| index),
            channel_witness: self.channel_witness,
            findings,
        }
    }
}
