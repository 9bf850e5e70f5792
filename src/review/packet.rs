//! A promotion packet and the bundle behind it.
//!
//! A packet is small and easily edited, so nothing in it is believed: its bundle is verified, and the packet has to be,
//! field by field, the one that this bundle gives.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::ReviewError;
use crate::base::digest::Digest;
use crate::base::format::{self, FormatStanding};
use crate::base::limits::MAX_INDEX_BYTES;
use crate::base::printable::excerpt;
use crate::base::{fsx, json};
use crate::bundle::{self, Bundle, Verified};
use crate::plan::Workspace;
use crate::promote::{self, GateEvaluation};
use crate::record::layout;
use crate::record::packet::{PROMOTION_PACKET_SCHEMA, PromotionPacket};

/// A packet whose bundle was verified, and which is that bundle's packet.
#[derive(Debug, Clone)]
pub struct OpenedPacket {
    path: PathBuf,
    digest: Digest,
    packet: PromotionPacket,
    bundle: Verified<Bundle>,
    report: GateEvaluation,
}

impl OpenedPacket {
    /// Opens a packet and verifies the bundle that it points at.
    ///
    /// Pointers are relative to `root`, or else to the checkout or the workspace that the packet or the current folder
    /// lies in; a bundle that was moved is also found under its run id beside the packet.
    pub fn open(file: &Path, root: Option<&Path>) -> Result<Self, ReviewError> {
        let shape = |reason: String| ReviewError::Shape { file: file.to_owned(), what: "promotion packet", reason };
        let bytes = fsx::read_input(file, MAX_INDEX_BYTES)?;
        let value = json::parse(&bytes).map_err(|error| shape(error.to_string()))?;
        let found = value.get("schema_version").and_then(Value::as_str).unwrap_or_default();
        if found != PROMOTION_PACKET_SCHEMA {
            let newer = match format::standing(found, PROMOTION_PACKET_SCHEMA) {
                FormatStanding::Newer => "; it is made for a newer sandproof",
                FormatStanding::Older | FormatStanding::Other => "",
            };
            let reason = format!("its format is `{}`, not `{PROMOTION_PACKET_SCHEMA}`{newer}", shown(found));
            return Err(shape(reason));
        }
        if bundle::reference::is_reference_packet(&value) {
            let manifest = value.get("run_manifest").and_then(Value::as_str).unwrap_or_default();
            let words = bundle::reference::describe_packet(&places(file, root, manifest, None));
            return Err(ReviewError::ReferencePacket { file: file.to_owned(), words });
        }
        if value.get("unverified").is_some() {
            return Err(shape("it says itself that its bundle does not verify, so nothing can be built on it".into()));
        }
        if value.get("index_sha256").is_none() {
            return Err(shape("it has no `index_sha256`, so nothing ties it to its bundle".into()));
        }
        let packet: PromotionPacket =
            json::from_value(value.clone()).map_err(|error| shape(shown(&error.to_string())))?;
        let folder = find_bundle(file, root, &packet)?;
        let bundle = bundle::verify(&folder).map_err(ReviewError::Refused)?;
        let report = promote::evaluate(&bundle);
        let due = serde_json::to_value(promote::packet::make(&bundle, &report)).unwrap_or_default();
        let fields = differences(&value, &due);
        if !fields.is_empty() {
            return Err(ReviewError::NotItsPacket { packet: file.to_owned(), bundle: folder, fields });
        }
        Ok(Self { path: file.to_owned(), digest: Digest::of(&bytes), packet, bundle, report })
    }

    /// Refuses one that may not be promoted.
    pub fn require_promotable(&self) -> Result<(), ReviewError> {
        require_promotable(&self.path, &self.report)
    }

    /// The packet's file, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The digest of that file.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The packet's content.
    pub fn packet(&self) -> &PromotionPacket {
        &self.packet
    }

    /// The bundle behind it.
    pub fn bundle(&self) -> &Verified<Bundle> {
        &self.bundle
    }

    /// What its gates say.
    pub fn report(&self) -> &GateEvaluation {
        &self.report
    }
}

/// Refuses what may not be promoted, with every reason.
pub(super) fn require_promotable(what: &Path, report: &GateEvaluation) -> Result<(), ReviewError> {
    if report.is_promotable() {
        return Ok(());
    }
    let reasons = report.reasons().iter().map(|reason| reason.as_str().to_owned()).collect();
    Err(ReviewError::NotPromotable { what: what.to_owned(), reasons })
}

fn find_bundle(file: &Path, root: Option<&Path>, packet: &PromotionPacket) -> Result<PathBuf, ReviewError> {
    let looked = places(file, root, &packet.run_manifest, Some(packet.run_id.as_str()));
    let there = || looked.iter().filter(|folder| folder.is_dir());
    // A run id may have been used twice: the bundle that the packet is of has its index.
    let its_own = |folder: &&PathBuf| {
        fsx::read_regular(&folder.join(layout::ARTIFACT_INDEX), MAX_INDEX_BYTES)
            .is_ok_and(|index| Digest::of(&index) == packet.index_sha256)
    };
    match there().find(its_own).or_else(|| there().next()) {
        Some(folder) => Ok(folder.clone()),
        None => Err(ReviewError::NoBundle { packet: file.to_owned(), looked }),
    }
}

/// Where the bundle of the packet in `file` may lie: where its pointer to the manifest leads, or beside it.
fn places(file: &Path, root: Option<&Path>, manifest: &str, run_id: Option<&str>) -> Vec<PathBuf> {
    let beside = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let pointed = Path::new(manifest).parent();
    let mut places: Vec<PathBuf> = Vec::new();
    for root in root.map_or_else(|| roots(beside), |root| vec![root.to_owned()]) {
        places.extend(pointed.map(|folder| root.join(folder)));
    }
    let name = run_id.map(OsStr::new).or_else(|| pointed.and_then(Path::file_name));
    places.extend(name.map(|name| beside.join(name)));
    places.dedup();
    places
}

/// What the pointers of a packet in the folder `beside` may be relative to: the checkout that it lies in, the workspace
/// that it lies in, and the same of the current folder.
fn roots(beside: &Path) -> Vec<PathBuf> {
    let mut roots = Vec::new();
    for folder in [beside, Path::new(".")] {
        roots.extend(Workspace::pointer_root_around(folder));
        roots.extend(Workspace::around(folder).map(|workspace| workspace.root().to_owned()));
    }
    let mut seen = std::collections::BTreeSet::new();
    roots.retain(|root| seen.insert(root.clone()));
    if roots.is_empty() {
        roots.push(PathBuf::from("."));
    }
    roots
}

/// The keys in which two objects differ; nested ones with a dot.
fn differences(found: &Value, due: &Value) -> Vec<String> {
    let (Some(found), Some(due)) = (found.as_object(), due.as_object()) else { return vec!["everything".into()] };
    let keys = found.keys().chain(due.keys().filter(|key| !found.contains_key(*key)));
    let mut differing: Vec<String> =
        keys.filter(|key| found.get(*key) != due.get(*key)).map(|key| format!("`{}`", shown(key))).collect();
    differing.sort();
    differing
}

/// Untrusted text for a message.
fn shown(text: &str) -> String {
    excerpt(text, 200)
}
