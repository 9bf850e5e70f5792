//! What a replay goes by.

use std::collections::BTreeMap;

use super::verified::{Bundle, Verified};
use crate::base::bundle_path::BundlePath;
use crate::base::shared_bytes::DocumentBytes;
use crate::record::channel_witness::ChannelWitness;
use crate::record::identity::Declaration;
use crate::record::index::ArtifactEntry;
use crate::record::manifest::{RunManifest, RunStatus};
use crate::record::merge::MergeDocument;

/// What a run is replayed from beside its rows.
#[derive(Debug)]
pub(crate) struct ReplayInputs<'a> {
    /// What was run.
    pub manifest: &'a RunManifest,
    /// How the run stands.
    pub status: Option<&'a RunStatus>,
    /// What the run declared, if it did.
    pub identity: Option<&'a Declaration>,
    /// What witnesses the channel, if the bundle has it.
    pub witness: Option<&'a ChannelWitness>,
    /// The files under `inputs/`, as the very bytes that were digested.
    pub files: &'a BTreeMap<BundlePath, DocumentBytes>,
    /// What it was put together from, if it was.
    pub merge: Option<MergeInputs<'a>>,
}

/// What a merge is held to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MergeInputs<'a> {
    /// `merge.json`
    pub document: &'a MergeDocument,
    /// Its parts, verified, in the order of their folders.
    pub parts: &'a [Verified<Bundle>],
    /// What its index lists.
    pub entries: &'a BTreeMap<BundlePath, ArtifactEntry>,
}
