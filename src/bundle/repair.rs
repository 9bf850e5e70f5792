//! Writing a new index for a bundle whose index does not fit it, without making the evidence any better.
//!
//! A repair changes two files: the index and `repair_log.json`, which the index lists. It indexes what lies there now,
//! leftovers of an interrupted write included, and takes nothing away. Its rules:
//!
//! - It says so: the index gets `repaired: true`, which no gate lets through, and the log keeps for each changed file
//!   what the index said and what the file is.
//! - The new status is never better than the old one. If any file was changed, added or lost, or if there was no index,
//!   it is at best `partial`; if the run is not complete, it is `failed`. So a bundle that was edited does not become
//!   one that validates.
//! - What the old index called missing stays listed as missing.
//! - Where the index fits what lies there, it writes nothing: a repair leaves a mark that no gate lets through, and a sound
//!   bundle has not deserved that.
//! - It refuses a folder with links, FIFOs and the like in it: those have no content of their own to index.
//! - It holds the lock of the output root, so it cannot meet a run that is still writing. A bundle that is `in_progress`
//!   while the lock is free belongs to a run that was killed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::finding::{BundleFinding, Findings, Problem, chain};
use super::index;
use super::lock::{LockError, LockMode, OutputLock};
use super::observed::{ObservedFile, observe};
use super::reader::{self, Inspection, ReadSchedule};
use super::verify::BundleRefused;
use crate::base::bundle_path::BundlePath;
use crate::base::digest::Digest;
use crate::base::fsx::{self, FileError};
use crate::base::ids::RunId;
use crate::base::limits::MAX_INDEX_BYTES;
use crate::base::{VERSION, clock, json, json_out};
use crate::record::index::{ARTIFACT_INDEX_SCHEMA, ArtifactEntry, ArtifactIndex, IndexStatus};
use crate::record::layout;
use crate::record::manifest::RunState;
use crate::record::repair::{FileFacts, REPAIR_LOG_SCHEMA, RepairChange, RepairLog, RepairRecord, RepairView};

/// A bundle could not be repaired; it is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// What lies there cannot be indexed.
    #[error("the bundle cannot be repaired")]
    Refused(#[source] BundleRefused),
    /// Nothing in the bundle says which run it belongs to.
    #[error("the bundle `{}` cannot be repaired: neither index, manifest nor run status can be read, so nothing says which run it is", folder.display())]
    Nameless {
        /// Path of the bundle's folder.
        folder: PathBuf,
    },
    /// There is a log that cannot be appended to.
    #[error("`{}` cannot be appended to, and a repair never replaces it: {reason}; move it out of the bundle first", path.display())]
    Log {
        /// Path of the repair log.
        path: PathBuf,
        /// The reason, as text for people.
        reason: String,
    },
    /// The output root is locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
}

/// How a repair ended.
#[derive(Debug, Clone)]
pub enum Repair {
    /// The index fits what lies there, so nothing was written.
    Unchanged {
        /// Where the bundle lies.
        bundle_dir: PathBuf,
        /// The status that its index has.
        index_status: IndexStatus,
    },
    /// There is a new index.
    Done(Repaired),
}

/// What a repair did.
#[derive(Debug, Clone, Serialize)]
pub struct Repaired {
    /// Where the bundle lies.
    #[serde(serialize_with = "crate::base::printable::serialize_path")]
    pub bundle_dir: PathBuf,
    /// The status in its new index.
    pub index_status: IndexStatus,
    /// What was wrong.
    pub findings: Vec<BundleFinding>,
    /// Files whose entries changed.
    pub changes: Vec<RepairChange>,
}

/// Repairs the bundle that `path` leads to.
pub fn repair(path: &Path) -> Result<Repair, RepairError> {
    let folder = reader::resolve(path)
        .map_err(|finding| RepairError::Refused(BundleRefused { bundle: path.to_owned(), findings: vec![finding] }))?;
    // The real folder: its parent is the output root, also when the bundle was given as `.`.
    let folder = std::fs::canonicalize(&folder).map_err(|source| FileError {
        action: "find the folder",
        path: folder.clone(),
        source,
    })?;
    // Before the lock is taken, which would write beside the bundle. An index is written last, so a bundle that has a
    // fitting one has no writer any more.
    if let Some(index_status) = fitting_status(&reader::inspect(folder.clone(), ReadSchedule::Now)) {
        return Ok(Repair::Unchanged { bundle_dir: folder, index_status });
    }
    let out_root = folder.parent().unwrap_or(&folder).to_owned();
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let signature = RunId::new(name).unwrap_or_else(|_| RunId::fresh());
    let _lock = OutputLock::acquire(&out_root, LockMode::Fail, &signature, &|| false)?;

    let before = reader::inspect(folder.clone(), ReadSchedule::Now);
    if before.of_reference {
        let findings = before.findings.into_sorted();
        return Err(RepairError::Refused(BundleRefused { bundle: folder, findings }));
    }
    let names = RunNames::of(&before).ok_or_else(|| RepairError::Nameless { folder: folder.clone() })?;
    let observed = observe_all(&before)?;
    let log_path = folder.join(layout::REPAIR_LOG);
    let earlier = earlier_repairs(&log_path)?;

    let changes = changes(&before.entries, &observed);
    let old = before.index.as_ref().map(|(index, digest)| (index.clone(), *digest));
    let complete = before.status.as_ref().is_some_and(|status| status.state == RunState::Complete);
    let mut missing: Vec<String> = old.as_ref().map_or_else(Vec::new, |(index, _)| index.missing.clone());
    let lost = changes.iter().filter(|change| change.after.is_none());
    missing.extend(lost.map(|change| format!("{}/{}", names.bundle_root, change.path)));
    let mut seen = BTreeSet::new();
    missing.retain(|path| seen.insert(path.clone()));

    let status = status_after(old.as_ref().map(|(index, _)| index.status), complete);
    let findings = before.findings.into_sorted();
    let record = RepairRecord {
        repaired_at_unix: clock::unix_seconds(),
        tool_version: VERSION.into(),
        index_sha256_before: old.as_ref().map(|(_, digest)| *digest),
        status_before: old.as_ref().map(|(index, _)| index.status),
        status_after: status,
        findings: findings.iter().map(BundleFinding::to_string).collect(),
        changes: changes.clone(),
    };
    let log = log(&names, record, earlier, &findings, &missing);
    let log_bytes = json_out::to_pretty(&log);
    fsx::write_durably(&log_path, &log_bytes)?;

    let mut entries = observed;
    let path = index::path_of(layout::REPAIR_LOG);
    let size = log_bytes.len() as u64;
    let seen_log = observe(&log_bytes[..], &path, size, &mut Vec::new(), None).expect("memory can be read");
    entries.insert(path, seen_log);
    let index = new_index(names, entries, missing, status);
    fsx::write_durably(&folder.join(layout::ARTIFACT_INDEX), &json_out::to_pretty(&index))?;
    Ok(Repair::Done(Repaired { bundle_dir: folder, index_status: status, findings, changes }))
}

/// The status of an index that nothing contradicts, and that does not say better of the run than its status does.
fn fitting_status(bundle: &Inspection) -> Option<IndexStatus> {
    let (index, _) = bundle.index.as_ref()?;
    let complete = bundle.status.as_ref().is_some_and(|status| status.state == RunState::Complete);
    (bundle.findings.is_empty() && (complete || index.status == IndexStatus::Failed)).then_some(index.status)
}

/// Which run a bundle belongs to, from the best document that says so.
struct RunNames {
    run_id: RunId,
    world_id: crate::base::ids::WorldId,
    bundle_root: String,
    /// The identity that the run declared.
    declared: Option<Digest>,
}

impl RunNames {
    fn of(bundle: &Inspection) -> Option<Self> {
        let (run_id, world_id, root) = if let Some((index, _)) = &bundle.index {
            (&index.run_id, &index.world_id, Some(&index.bundle_root))
        } else if let Some(manifest) = &bundle.manifest {
            (&manifest.run_id, &manifest.world_id, Some(&manifest.output_root))
        } else {
            let status = bundle.status.as_ref()?;
            (&status.run_id, &status.world_id, None)
        };
        let fits = |root: &&String| root.rsplit('/').next() == Some(run_id.as_str());
        let bundle_root = root.filter(fits).map_or_else(|| run_id.to_string(), Clone::clone);
        let declared = bundle.identity.as_ref().map(|declaration| declaration.identity);
        Some(Self { run_id: run_id.clone(), world_id: world_id.clone(), bundle_root, declared })
    }
}

/// Reads every file. What has no content of its own, or cannot be read, is a refusal.
fn observe_all(bundle: &Inspection) -> Result<BTreeMap<BundlePath, ObservedFile>, RepairError> {
    let refuse = |findings: Findings| {
        let findings = findings.into_sorted();
        Err(RepairError::Refused(BundleRefused { bundle: bundle.folder.clone(), findings }))
    };
    let mut hard = Findings::default();
    let mut files = super::walk::files(&bundle.folder, &mut hard);
    if !hard.is_empty() {
        return refuse(hard);
    }
    files.remove(&index::path_of(layout::ARTIFACT_INDEX));
    let mut observed = BTreeMap::new();
    let mut block = Vec::new();
    for (path, size) in files {
        let read = fsx::open_regular(&path.under(&bundle.folder))
            .and_then(|file| observe(file, &path, size, &mut block, None));
        match read {
            Ok(seen) => {
                observed.insert(path, seen);
            }
            Err(error) => hard.add(&path, Problem::Unreadable(error.to_string())),
        }
    }
    if hard.is_empty() { Ok(observed) } else { refuse(hard) }
}

fn earlier_repairs(path: &Path) -> Result<Vec<RepairRecord>, RepairError> {
    let refuse = |reason: String| RepairError::Log { path: path.to_owned(), reason };
    let bytes = match fsx::read_regular(path, MAX_INDEX_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.source.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(refuse(chain(&error))),
    };
    let value = json::parse(&bytes).map_err(|error| refuse(error.to_string()))?;
    let log: RepairLog = json::from_value(value).map_err(|error| refuse(error.to_string()))?;
    Ok(log.repairs)
}

/// Where the index and the files differ. The log itself does not count: it is the repair's own.
fn changes(
    entries: &BTreeMap<BundlePath, ArtifactEntry>,
    observed: &BTreeMap<BundlePath, ObservedFile>,
) -> Vec<RepairChange> {
    let paths: BTreeSet<&BundlePath> = entries.keys().chain(observed.keys()).collect();
    let facts = paths.into_iter().filter(|path| path.as_str() != layout::REPAIR_LOG).map(|path| RepairChange {
        path: path.to_string(),
        before: entries.get(path).map(|entry| FileFacts { file_size: entry.file_size, sha256: entry.sha256 }),
        after: observed.get(path).map(|seen| FileFacts { file_size: seen.size, sha256: seen.digest }),
    });
    facts.filter(|change| change.before != change.after).collect()
}

/// Never better than before, and never `ok`: what is repaired did not fit. See the module's page.
fn status_after(before: Option<IndexStatus>, complete: bool) -> IndexStatus {
    let deserved = if complete { IndexStatus::Partial } else { IndexStatus::Failed };
    deserved.min(before.unwrap_or(IndexStatus::Partial))
}

fn log(
    names: &RunNames,
    record: RepairRecord,
    mut repairs: Vec<RepairRecord>,
    findings: &[BundleFinding],
    missing: &[String],
) -> RepairLog {
    let named = |wanted: fn(&Problem) -> bool| {
        findings.iter().filter(|f| wanted(&f.problem)).map(|f| f.path.clone()).collect::<Vec<_>>()
    };
    let repaired_at_unix = record.repaired_at_unix;
    repairs.push(record);
    RepairLog {
        schema_version: REPAIR_LOG_SCHEMA.into(),
        bundle_dir: names.bundle_root.clone(),
        repaired_at_unix,
        before: RepairView {
            missing: named(|problem| matches!(problem, Problem::Missing | Problem::DeclaredMissing)),
            digest_mismatches: named(|problem| {
                matches!(problem, Problem::DigestMismatch { .. } | Problem::SizeMismatch { .. })
            }),
        },
        after: RepairView { missing: missing.to_vec(), digest_mismatches: Vec::new() },
        repairs,
    }
}

fn new_index(
    names: RunNames,
    observed: BTreeMap<BundlePath, ObservedFile>,
    missing: Vec<String>,
    status: IndexStatus,
) -> ArtifactIndex {
    let mut files: Vec<(BundlePath, ObservedFile)> = observed.into_iter().collect();
    files.sort_by(|(a, _), (b, _)| layout::index_order(a.as_str()).cmp(&layout::index_order(b.as_str())));
    let artifacts = files.into_iter().map(|(path, seen)| ArtifactEntry {
        path: format!("{}/{path}", names.bundle_root),
        file_size: seen.size,
        sha256: seen.digest,
        schema_version: seen.schema_version,
        identity: names.declared,
    });
    ArtifactIndex {
        schema_version: ARTIFACT_INDEX_SCHEMA.into(),
        artifacts: artifacts.collect(),
        run_id: names.run_id,
        identity: names.declared,
        world_id: names.world_id,
        bundle_root: names.bundle_root,
        missing,
        status,
        repaired: true,
    }
}
