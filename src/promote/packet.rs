//! The packet of a bundle: of a verified one, and of one that does not verify, which says so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::derived;
use super::gates::GateEvaluation;
use crate::base::digest::Digest;
use crate::base::fsx::{self, FileError, folder_of};
use crate::base::json_out;
use crate::base::limits::MAX_BUNDLE_FILE_BYTES;
use crate::base::output::OutputPlace;
use crate::bundle::{Bundle, BundleFinding, Problem, UnverifiedBundle, Verified};
use crate::plan::Workspace;
use crate::record::layout;
use crate::record::packet::{PROMOTION_PACKET_SCHEMA, PacketControls, PromotionPacket, Unverified, UnverifiedPacket};

/// A packet could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PacketError {
    /// The packet would lie in the bundle, which would no longer be what its index says.
    #[error("the packet `{}` would lie inside the bundle `{}`; give a place outside of it", out.display(), bundle.display())]
    InsideBundle {
        /// Where it was to go.
        out: PathBuf,
        /// Path of the bundle's folder.
        bundle: PathBuf,
    },
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Makes the packet of a bundle from what its gates said.
pub fn make(bundle: &Verified<Bundle>, report: &GateEvaluation) -> PromotionPacket {
    let index = bundle.index();
    let summary = derived::summary(bundle.summary()).unwrap_or_default();
    let mut artifact_digests = BTreeMap::new();
    // A pointer's text, and whether the file exists; an existing file's digest is noted.
    let mut point = |name: &str| match bundle.entry(name) {
        Some(entry) => {
            artifact_digests.insert(entry.path.clone(), entry.sha256);
            (entry.path.clone(), true)
        }
        None => (format!("{}/{name}", index.bundle_root), false),
    };
    let mut optional = |name: &str| {
        let (path, exists) = point(name);
        exists.then_some(path)
    };
    let baseline_results = optional(layout::BASELINE_RESULTS);
    let oracle_results = optional(layout::ORACLE_RESULTS);
    let mismatch_packets = optional(layout::MISMATCH_PACKETS);
    let summary_path = optional(layout::SUMMARY);
    let verdicts = optional(layout::VERDICTS);
    let path_witnesses = optional(layout::PATH_WITNESSES);
    let fixtures = optional(layout::FIXTURES);
    PromotionPacket {
        schema_version: PROMOTION_PACKET_SCHEMA.into(),
        run_id: index.run_id.clone(),
        identity: bundle.identity().map(|declaration| declaration.identity),
        identity_parts: bundle.identity().map(|declaration| declaration.digests),
        world_id: index.world_id.clone(),
        world_document_sha256: bundle.manifest().world.document_sha256,
        index_sha256: bundle.index_sha256(),
        run_manifest: point(layout::RUN_MANIFEST).0,
        expected_matrix: point(layout::EXPECTED_MATRIX).0,
        runtime_results: point(layout::RUNTIME_RESULTS).0,
        runtime_events: point(layout::RUNTIME_EVENTS).0,
        baseline_results,
        oracle_results,
        mismatch_packets,
        summary: summary_path,
        verdicts,
        path_witnesses,
        fixtures,
        rows: summary.rows,
        controls: PacketControls {
            without_refusal: summary.without_refusal,
            ..derived::controls(bundle.controls()).record
        },
        promotability: report.to_record(),
        artifact_digests,
    }
}

/// Makes the packet of a bundle that does not verify, from what its gates said and from what was found. `None`: nothing in it says which run it
/// is, or it is none of this program's.
pub fn make_unverified(
    bundle: &UnverifiedBundle,
    report: &GateEvaluation,
    findings: &[BundleFinding],
) -> Option<UnverifiedPacket> {
    if findings.iter().any(|finding| matches!(finding.problem, Problem::Reference { .. })) {
        return None;
    }
    let status = bundle.run_status.as_ref().map(|status| &status.run_id);
    let manifest = bundle.run_manifest.as_ref().map(|manifest| &manifest.run_id);
    let index = bundle.artifact_index.as_ref().map(|index| &index.run_id);
    let run_id = status.or(manifest).or(index)?.clone();
    // Where they lie, not where the bundle says that they do.
    let folder = Workspace::pointer_to(&bundle.bundle_dir);
    let mut digests_as_read = BTreeMap::new();
    let mut point = |name: &str| {
        let pointer = format!("{folder}/{name}");
        let file = fsx::open_regular(&bundle.bundle_dir.join(name));
        let small = file.and_then(|file| Ok((file.metadata()?.len() <= MAX_BUNDLE_FILE_BYTES).then_some(file)));
        if let Ok(Some(file)) = small
            && let Ok((digest, _)) = Digest::of_reader(file)
        {
            digests_as_read.insert(pointer.clone(), digest);
        }
        pointer
    };
    let mut promotability = report.to_record();
    // The rest is typed; this is whatever a manifest holds.
    promotability.gating_inputs.sandbox_check_self = None;
    let kinds: BTreeSet<&str> = findings.iter().map(|finding| finding.problem.code()).collect();
    Some(UnverifiedPacket {
        schema_version: PROMOTION_PACKET_SCHEMA.into(),
        run_id,
        run_manifest: point(layout::RUN_MANIFEST),
        expected_matrix: point(layout::EXPECTED_MATRIX),
        runtime_results: point(layout::RUNTIME_RESULTS),
        runtime_events: point(layout::RUNTIME_EVENTS),
        promotability,
        unverified: Unverified {
            problems: findings.len(),
            kinds: kinds.into_iter().map(str::to_owned).collect(),
            digests_as_read,
        },
    })
}

/// Writes a packet, durably and as a whole, outside its bundle.
pub fn write(packet: &PromotionPacket, bundle: &Verified<Bundle>, out: &Path) -> Result<(), PacketError> {
    write_document(packet, bundle.folder(), out)
}

/// The same for the packet of a bundle that does not verify.
pub fn write_unverified(packet: &UnverifiedPacket, bundle: &UnverifiedBundle, out: &Path) -> Result<(), PacketError> {
    write_document(packet, &bundle.bundle_dir, out)
}

/// A packet as it is written.
pub fn to_bytes(packet: &impl Serialize) -> Vec<u8> {
    json_out::to_pretty(packet)
}

fn write_document(packet: &impl Serialize, bundle: &Path, out: &Path) -> Result<(), PacketError> {
    let place = OutputPlace::of(out)?;
    let real = |path: &Path| {
        std::fs::canonicalize(path).map_err(|source| FileError {
            action: "find the folder",
            path: path.to_owned(),
            source,
        })
    };
    if let Some(file) = place.file()
        && real(folder_of(file))?.starts_with(real(bundle)?)
    {
        return Err(PacketError::InsideBundle { out: out.to_owned(), bundle: bundle.to_owned() });
    }
    Ok(place.write(&to_bytes(packet))?)
}
