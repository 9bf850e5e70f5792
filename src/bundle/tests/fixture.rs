//! Small whole bundles with a derivation, and a replay, of their own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::base::bundle_path::BundlePath;
use crate::base::digest::Digest;
use crate::base::ids::{PlanId, RunId, WorldId};
use crate::base::json_out;
use crate::base::shared_bytes::DocumentBytes;
use crate::bundle::index::{self, ExpectedArtifacts};
use crate::bundle::lock::OutputLock;
use crate::bundle::observed::HashedRows;
use crate::bundle::replay::ReplayError;
use crate::bundle::replay_inputs::ReplayInputs;
use crate::bundle::replay_sink::ReplaySink;
use crate::bundle::verify::verify_by;
use crate::bundle::writer::{BundleWriter, Committed, RunEnd};
use crate::bundle::{Bundle, BundleRefused, LockMode, Verified};
use crate::evidence::contradiction::Times;
use crate::evidence::{ArtifactSink, DeriveError, RowSource};
use crate::identity::seal::{DeclarationParts, seal};
use crate::plan::BundleInputsError;
use crate::record::identity::{Declaration, RUN_IDENTITY_SCHEMA, RUN_KIND};
use crate::record::layout::{self, ARTIFACTS, Artifact, Origin};
use crate::record::manifest::{ChannelKind, RunManifest, RunStatus, WorldCheck, testing};
use crate::record::outcome::Lane;

pub(crate) const RUN: &str = "run-1";
const LANES: [Lane; 4] = [Lane::Baseline, Lane::Control, Lane::Scenario, Lane::Oracle];
/// Derives documents that say of each lane what the digest of its rows is.
fn derive<S: ArtifactSink>(rows: &dyn RowSource, sources: &[u8], sink: &mut S) -> io::Result<()> {
    let mut lanes = BTreeMap::new();
    for lane in LANES {
        let Some(mut reader) = rows.open(lane)? else { continue };
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        lanes.insert(lane.as_str(), Digest::of(&bytes).to_string());
    }
    for Artifact { name, .. } in ARTIFACTS.iter().filter(|artifact| artifact.origin == Origin::Derived) {
        let mut out = sink.create(name)?;
        let document = json!({
            "schema_version": "counting.v1", "name": name, "lanes": lanes,
            "sources": Digest::of(sources).to_string(),
            // What gates and packet read of controls and summary.
            "profiles": [{
                "profile_id": "p", "status": "ok", "must_deny": {"status": "ok"}, "must_allow": {"status": "ok"},
            }],
            "counts": {"planned": 50, "matched": 50, "mismatched": 0, "undecided": 0},
            "undecided_rows": {"count": 0, "kinds": {}, "rows": [], "left_out": 0},
            "by_design_rows": {"count": 0, "kinds": {}, "rows": [], "left_out": 0},
            "profiles_without_refusal": {"count": 0, "profiles": [], "left_out": 0},
        });
        out.write_all(&json_out::to_pretty(&document))?;
        sink.finish(name, out)?;
    }
    Ok(())
}

/// A replay of such a bundle.
pub(super) fn replay_digests(
    inputs: &ReplayInputs<'_>,
    rows: &HashedRows,
    sink: &mut ReplaySink,
) -> Result<Times, ReplayError> {
    let absent = || BundleInputsError::List { reason: "it is absent".into() };
    let sources =
        inputs.files.get(&index::path_of(layout::INPUT_SOURCES)).and_then(DocumentBytes::held).ok_or_else(absent)?;
    derive(rows, &sources, sink).map_err(|source| DeriveError::Write { artifact: layout::SUMMARY, source })?;
    Ok(Times::default())
}

/// Verifies a bundle of this module, whose evidence no real run gives.
pub(crate) fn verify(path: &Path) -> Result<Verified<Bundle>, BundleRefused> {
    verify_by(path, &replay_digests)
}

pub(crate) fn status(run_id: &str) -> RunStatus {
    let plan = (PlanId::new("plan").unwrap(), Digest::of(b"plan"));
    let world = WorldId::new("linux-test").unwrap();
    RunStatus::begun(RunId::new(run_id).unwrap(), world, ChannelKind::Direct, plan, (std::process::id(), 0.0))
}

pub(crate) fn manifest(run_id: &str) -> RunManifest {
    let bare = testing::manifest(status(run_id));
    RunManifest {
        identity: Some(declaration().identity),
        world: WorldCheck { document_sha256: Some(Digest::of(b"world")), matches: true, ..bare.world },
        fixture_base: "/tmp/x".into(),
        started_at_unix_s: 1.5,
        ..bare
    }
}

/// A sealed declaration of no more than what gates ask for: the derivation of these bundles does not ask what is in it.
pub(crate) fn declaration() -> Declaration {
    let Value::Object(runtime) = json!({
        "channel": {
            "kind": "systemd_clean",
            "job": {"environment": {"PATH": Digest::of(b"x").to_string()}, "manager_environment": []},
        },
        "user": {"uid_class": "root", "gid_class": "root"},
    }) else {
        unreachable!("it is an object")
    };
    let none = DeclarationParts { artifact: Map::new(), runtime, policy: Map::new(), history: Map::new() };
    seal(RUN_IDENTITY_SCHEMA, RUN_KIND, none).unwrap()
}

pub(crate) fn path(name: &str) -> BundlePath {
    BundlePath::new(name).unwrap()
}

pub(crate) fn lock(root: &Path, run_id: &str) -> OutputLock {
    OutputLock::acquire(root, LockMode::Fail, &RunId::new(run_id).unwrap(), &|| false).unwrap()
}

pub(crate) const EXPECTED: ExpectedArtifacts = ExpectedArtifacts {
    baseline: true,
    scenario: true,
    oracle: true,
    preflight: false,
    channel_witness: false,
    identity: false,
};

/// A writer with its raw artifacts finished, and nothing derived.
pub(crate) fn raw(lock: &OutputLock, run_id: &str) -> BundleWriter {
    raw_as(lock, &manifest(run_id))
}

/// The same with a manifest of one's own.
pub(crate) fn raw_as(lock: &OutputLock, manifest: &RunManifest) -> BundleWriter {
    let run_id = manifest.run_id.as_str();
    let status = RunStatus { world_id: manifest.world_id.clone(), channel: manifest.channel, ..status(run_id) };
    let mut writer = BundleWriter::create(lock, &format!("out/{run_id}"), status, EXPECTED).unwrap();
    writer.note_drift(Vec::new());
    if let Some(identity) = manifest.identity {
        writer.seal_identity(identity, &json_out::to_pretty(&declaration())).unwrap();
    }
    if let Some(preflight) = &manifest.apply_preflight {
        writer.put(&path(layout::APPLY_PREFLIGHT), &json_out::to_pretty(&preflight.record)).unwrap();
    }
    writer.put(&path(layout::RUN_MANIFEST), &json_out::to_pretty(manifest)).unwrap();
    writer.put(&path(layout::INPUT_SOURCES), br#"{"schema_version": "sources.v1"}"#).unwrap();
    writer.put(&path("inputs/policies/p.json"), br#"{"schema_version": "policy.v1"}"#).unwrap();
    for lane in LANES {
        let mut out = writer.stage(&index::path_of(layout::rows_of(lane))).unwrap();
        for seq in 0..50 {
            writeln!(out, r#"{{"schema_version":"row.v1","seq":{seq},"lane":"{}"}}"#, lane.as_str()).unwrap();
        }
        writer.finish_artifact(out).unwrap();
    }
    writer
}

pub(crate) fn derived(mut writer: BundleWriter) -> BundleWriter {
    let rows = writer.rows();
    derive(&rows, br#"{"schema_version": "sources.v1"}"#, &mut writer).unwrap();
    writer
}

/// A committed bundle under `root`.
pub(crate) fn build(root: &Path, run_id: &str) -> Committed {
    let lock = lock(root, run_id);
    derived(raw(&lock, run_id)).commit(RunEnd::Complete { dry: false }).unwrap()
}

/// Changes the index as a document.
pub(crate) fn edit_index(folder: &Path, edit: impl FnOnce(&mut Value)) {
    let at = folder.join(layout::ARTIFACT_INDEX);
    let mut index: Value = serde_json::from_slice(&fs::read(&at).unwrap()).unwrap();
    edit(&mut index);
    fs::write(at, json_out::to_pretty(&index)).unwrap();
}

/// Changes the entry of one artifact.
pub(crate) fn edit_entry(folder: &Path, name: &str, edit: impl FnOnce(&mut Value)) {
    edit_index(folder, |index| {
        let path = format!("out/{RUN}/{name}");
        let entries = index["artifacts"].as_array_mut().unwrap();
        edit(entries.iter_mut().find(|entry| entry["path"] == path).unwrap());
    });
}

/// Rewrites a file and its index entry, so that both agree again.
pub(crate) fn rewrite(folder: &Path, name: &str, edit: impl FnOnce(String) -> String) {
    let at = folder.join(name);
    let text = edit(fs::read_to_string(&at).unwrap());
    fs::write(&at, &text).unwrap();
    edit_entry(folder, name, |entry| {
        entry["file_size"] = json!(text.len());
        entry["sha256"] = json!(Digest::of(text.as_bytes()).to_string());
        entry["schema_version"] = json!(index::schema_version_of(&path(name), text.as_bytes()));
    });
}

/// Copies a tree of plain files.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> PathBuf {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
    to.to_owned()
}
