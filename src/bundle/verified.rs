//! What a verified bundle is, and why another is none.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use super::finding::{BundleFinding, Problem};
use crate::base::bundle_path::BundlePath;
use crate::base::digest::Digest;
use crate::base::shared_bytes::SharedBytes;
use crate::evidence::contradiction::Times;
use crate::record::channel_witness::ChannelWitness;
use crate::record::identity::Declaration;
use crate::record::index::{ArtifactEntry, ArtifactIndex};
use crate::record::manifest::{RunManifest, RunStatus};
use crate::record::merge::MergeDocument;

/// Something that passed every check. Only `verify` makes it.
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

impl<T> Verified<T> {
    /// For [`super::verify()`] alone, once it has looked at everything.
    pub(super) fn after_every_check(of: T) -> Self {
        Self(of)
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A bundle's own account of itself.
#[derive(Debug, Clone)]
pub struct Bundle {
    pub(super) folder: PathBuf,
    pub(super) index: ArtifactIndex,
    pub(super) index_sha256: Digest,
    pub(super) entries: Vec<(BundlePath, ArtifactEntry)>,
    pub(super) status: RunStatus,
    pub(super) manifest: RunManifest,
    pub(super) identity: Option<Declaration>,
    pub(super) controls: Option<SharedBytes>,
    pub(super) summary: Option<SharedBytes>,
    pub(super) channel_witness: Option<ChannelWitness>,
    pub(super) row_count: u64,
    pub(super) derived_count: usize,
    pub(super) times: Times,
    pub(super) merge: Option<MergeDocument>,
    pub(super) parts: Vec<Verified<Bundle>>,
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

    /// What it was put together from, if it was.
    pub fn merge(&self) -> Option<&MergeDocument> {
        self.merge.as_ref()
    }

    /// The parts of a merge, in their order; of any other bundle none.
    pub fn parts(&self) -> &[Verified<Bundle>] {
        &self.parts
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

impl BundleRefused {
    /// Whether it is refused for nothing but that its run did not end well.
    pub fn is_unfinished(&self) -> bool {
        self.findings.iter().all(|finding| {
            matches!(
                finding.problem,
                Problem::NotCommitted
                    | Problem::RunState { .. }
                    | Problem::IndexStatus(_)
                    | Problem::DeclaredMissing
                    | Problem::LeftoverTemporary
            )
        })
    }
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
