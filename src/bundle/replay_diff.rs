//! A bundle against its replay, to look at: every difference is told, and where it begins.
//!
//! Verification refuses a bundle whose derived artifacts are not what its inputs and rows give. This says what they
//! should be. It demands of a bundle everything that verification demands, but for the derived artifacts themselves:
//! those may be wrong, absent, or too many.

use std::fs;
use std::path::{Path, PathBuf};

use super::file_comparison::FirstDifference;
use super::finding::{BundleFinding, Findings, Problem};
use super::reader::{self, ReadSchedule};
use super::replay::replay;
use super::replay_sink::{FileState, ReplaySink, Replayed};
use super::verify::{BundleRefused, check_state, replay_into};
use crate::base::bundle_path::BundlePath;
use crate::base::digest::Digest;
use crate::base::fsx::{self, FileError, IoContext};
use crate::base::ids::RunId;
use crate::record::layout::is_derived;

/// What a bundle's inputs and rows give, against what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayDiff {
    /// Path of the bundle's folder.
    pub folder: PathBuf,
    /// Id of the run that the bundle is of.
    pub run_id: RunId,
    /// Every artifact that is derived, by name.
    pub artifacts: Vec<DerivedArtifact>,
    /// Everything in which the bundle is not what was derived, by name. Empty if nothing was to be compared.
    pub differences: Vec<ArtifactDifference>,
}

/// One derived artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DerivedArtifact {
    /// Name of the artifact: its path inside the bundle.
    pub name: String,
    /// Size in bytes, as derived.
    pub file_size: u64,
    /// SHA-256 of the derived bytes.
    pub sha256: Digest,
}

/// One way in which a bundle is not what was derived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactDifference {
    /// Name of the artifact: its path inside the bundle.
    pub name: String,
    /// How it differs.
    pub kind: ArtifactDifferenceKind,
}

/// How an artifact is not what was derived.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactDifferenceKind {
    /// The bundle has other bytes than are derived.
    #[error("{}", describe(.0))]
    Content(FirstDifference),
    /// The bundle does not hold it.
    #[error("the bundle's own inputs and rows yield it, but it is absent")]
    Absent,
    /// It is not derived from these inputs and rows.
    #[error("the bundle's own inputs and rows do not yield it")]
    Extra,
    /// The file is as derived, and the index says something else of it.
    #[error("it is what the bundle's own inputs and rows yield, but {0}")]
    Index(String),
}

impl ArtifactDifferenceKind {
    /// The word that `--json` has for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Content(_) => "content",
            Self::Absent => "absent",
            Self::Extra => "extra",
            Self::Index(_) => "index",
        }
    }
}

fn describe(first: &FirstDifference) -> String {
    let FirstDifference { byte, line, length_only } = first;
    let how = if *length_only { "one of the two ends" } else { "it differs" };
    format!("it is not what the bundle's own inputs and rows yield: {how} at byte {byte}, line {line}")
}

/// The evidence was not derived.
#[derive(Debug, thiserror::Error)]
pub enum ReplayDiffError {
    /// Something else than derived artifacts is wrong with the bundle.
    #[error("the evidence cannot be derived")]
    Refused(#[source] BundleRefused),
    /// The folder for the artifacts is not a new one.
    #[error("`{}` is there already and not empty; give a folder that does not exist", .0.display())]
    Occupied(PathBuf),
    /// The folder for the artifacts lies in the bundle.
    #[error("`{}` lies inside the bundle, which must not change; name a folder outside it", .0.display())]
    Inside(PathBuf),
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Replays the run of a bundle. With `check`, compares what is derived with what the bundle holds; with `out`, writes it to
/// that folder, which must be new.
///
/// # Errors
/// If something else than derived artifacts is wrong with the bundle, or `out` cannot be used.
pub fn replay_diff(path: &Path, check: bool, out: Option<&Path>) -> Result<ReplayDiff, ReplayDiffError> {
    let refused = |bundle: PathBuf, findings| ReplayDiffError::Refused(BundleRefused { bundle, findings });
    let folder = reader::resolve(path).map_err(|finding| refused(path.to_owned(), vec![finding]))?;
    let mut inspection = reader::inspect(folder, ReadSchedule::RowsLater);
    check_state(&mut inspection);
    inspection.findings.keep_uncommitted();
    let (theirs, others) = std::mem::take(&mut inspection.findings).split(is_about_derived);
    inspection.findings = others;
    if !inspection.findings.is_empty() {
        return Err(refused(inspection.folder, inspection.findings.into_sorted()));
    }
    if let Some(out) = out {
        prepare(out, &inspection.folder)?;
    }
    let mut sink = ReplaySink::new(check.then(|| inspection.folder.clone()), out.map(Path::to_owned));
    let done = replay_into(&mut inspection, &replay, &mut sink);
    let Some((index, _)) = inspection.index.filter(|_| done) else {
        if let Some(out) = out {
            clear(out)?;
        }
        return Err(refused(inspection.folder, inspection.findings.into_sorted()));
    };
    let present = |name: &str| inspection.files.keys().any(|path| path.as_str() == name);
    let differences = if check { differences(&sink, inspection.files.keys(), present, theirs) } else { Vec::new() };
    let artifacts = sink.artifacts.into_iter();
    Ok(ReplayDiff {
        folder: inspection.folder,
        run_id: index.run_id,
        artifacts: artifacts
            .map(|(name, Replayed { observed, .. })| DerivedArtifact {
                name,
                file_size: observed.size,
                sha256: observed.digest,
            })
            .collect(),
        differences,
    })
}

/// Whether a finding concerns nothing but a derived artifact as a file.
fn is_about_derived(finding: &BundleFinding) -> bool {
    let fine = matches!(
        finding.problem,
        Problem::DigestMismatch { .. }
            | Problem::SizeMismatch { .. }
            | Problem::SchemaMismatch { .. }
            | Problem::Missing
            | Problem::Unlisted
            | Problem::HardLinked(_)
    );
    fine && is_derived(&finding.path)
}

fn differences<'a>(
    sink: &ReplaySink,
    files: impl Iterator<Item = &'a BundlePath>,
    present: impl Fn(&str) -> bool,
    theirs: Findings,
) -> Vec<ArtifactDifference> {
    let mut all = Vec::new();
    for (name, replayed) in &sink.artifacts {
        if let FileState::Differs(first) = replayed.file {
            all.push(ArtifactDifference { name: name.clone(), kind: ArtifactDifferenceKind::Content(first) });
        } else if !present(name) {
            all.push(ArtifactDifference { name: name.clone(), kind: ArtifactDifferenceKind::Absent });
        }
    }
    for path in files.filter(|path| is_derived(path.as_str()) && !sink.artifacts.contains_key(path.as_str())) {
        all.push(ArtifactDifference { name: path.to_string(), kind: ArtifactDifferenceKind::Extra });
    }
    for finding in theirs.into_sorted() {
        if !all.iter().any(|difference| difference.name == finding.path) {
            let kind = ArtifactDifferenceKind::Index(finding.problem.to_string());
            all.push(ArtifactDifference { name: finding.path, kind });
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// Makes the folder for the artifacts.
fn prepare(out: &Path, bundle: &Path) -> Result<(), ReplayDiffError> {
    // What is there of it already, before anything is made.
    let there = out.ancestors().find(|part| part.exists()).unwrap_or(Path::new("."));
    let real = fs::canonicalize(if there.as_os_str().is_empty() { Path::new(".") } else { there });
    let real = real.at("find the folder", there)?;
    let inside = fs::canonicalize(bundle).at("find the folder", bundle)?;
    if real.starts_with(&inside) {
        return Err(ReplayDiffError::Inside(out.to_owned()));
    }
    fsx::create_dir_all(out)?;
    if fs::read_dir(out).at("list", out)?.next().is_some() {
        return Err(ReplayDiffError::Occupied(out.to_owned()));
    }
    Ok(())
}

/// Takes away what was written to a folder that was empty before.
fn clear(out: &Path) -> Result<(), ReplayDiffError> {
    for entry in fs::read_dir(out).at("list", out)? {
        let path = entry.at("list", out)?.path();
        fs::remove_file(&path).at("remove", &path)?;
    }
    Ok(())
}
