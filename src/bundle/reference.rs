//! Bundles of the reference runtime, as far as they can be looked at.
//!
//! They carry the format names that ours carry, with fewer facts: the index has no `bundle_root`, the manifest no `tool`,
//! no file holds a raw row, and there is no declared identity. So nothing can be derived from one, and none is ever
//! verified. What can be said is whether the files that its index lists still have the digests that it gives, wherever the
//! bundle lies today.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::finding::{BundleFinding, Findings, Problem};
use super::index::clip;
use super::observed::{observe, same_bytes};
use crate::base::bundle_path::BundlePath;
use crate::base::digest::Digest;
use crate::base::limits::{MAX_BUNDLE_FILE_BYTES, MAX_BUNDLE_FILES, MAX_INDEX_BYTES};
use crate::base::{fsx, json};
use crate::record::index::ARTIFACT_INDEX_SCHEMA;
use crate::record::layout;
use crate::record::manifest::RUN_MANIFEST_SCHEMA;

/// What is said of the bundle in `folder`, if it is one of the reference runtime.
pub(super) fn findings(folder: &Path) -> Option<Vec<BundleFinding>> {
    let index = recognised(folder)?;
    let mut found = Findings::default();
    let (listed, holding) = match &index {
        Some(index) => check(folder, index, &mut found),
        None => (0, 0),
    };
    let problem = Problem::Reference { indexed: index.is_some(), listed, holding };
    found.add(".", problem);
    if let Some(state) = state(folder).filter(|state| state != "complete") {
        found.add(layout::RUN_STATUS, Problem::ReferenceState(clip(&state)));
    }
    Some(found.into_sorted())
}

/// Whether the bundle in `folder` is one of the reference runtime.
pub fn is_reference(folder: &Path) -> bool {
    recognised(folder).is_some()
}

/// Whether `packet` is a promotion packet of the reference runtime: it has the format's name, and nothing that ties it to
/// a run or a bundle.
pub fn is_reference_packet(packet: &Value) -> bool {
    let own = ["run_id", "world_id", "index_sha256", "artifact_digests"];
    packet.get("run_manifest").is_some_and(Value::is_string) && own.iter().all(|key| packet.get(key).is_none())
}

/// What is to be said of a packet of the reference runtime whose bundle may lie at one of `places`.
pub fn describe_packet(places: &[PathBuf]) -> String {
    let bundle = places.iter().find_map(|place| Some((place, findings(place)?)));
    let whole =
        |findings: &[BundleFinding]| findings.iter().find(|finding| finding.path == ".").map(|f| f.problem.to_string());
    let bundle = match bundle.as_ref().and_then(|(place, findings)| Some((place, whole(findings)?))) {
        Some((place, words)) => format!("of the bundle at `{}`: {words}", place.display()),
        None => "and there is no bundle of that runtime where its pointers lead".to_owned(),
    };
    format!("it is a packet of the reference runtime, which no digest ties to a bundle, {bundle}")
}

/// `Some` if it is one, with its index if it has one.
fn recognised(folder: &Path) -> Option<Option<Value>> {
    let format = |document: &Value| document.get("schema_version").and_then(Value::as_str).map(str::to_owned);
    let index = read(folder, layout::ARTIFACT_INDEX);
    let manifest = read(folder, layout::RUN_MANIFEST);
    let foreign_manifest = manifest.as_ref().is_none_or(|manifest| manifest.get("tool").is_none());
    match index {
        Some(index) => {
            let foreign = index.get("bundle_root").is_none() && index.get("identity").is_none();
            let named = format(&index).as_deref() == Some(ARTIFACT_INDEX_SCHEMA);
            let listed = index.get("artifacts").is_some_and(Value::is_array);
            (foreign && foreign_manifest && named && listed).then_some(Some(index))
        }
        // Only a file that cannot be read as a document keeps this from being told.
        None if folder.join(layout::ARTIFACT_INDEX).symlink_metadata().is_ok() => None,
        None => {
            let manifest = manifest?;
            (foreign_manifest && format(&manifest).as_deref() == Some(RUN_MANIFEST_SCHEMA)).then_some(None)
        }
    }
}

fn read(folder: &Path, name: &str) -> Option<Value> {
    let bytes = fsx::read_regular(&folder.join(name), MAX_INDEX_BYTES).ok()?;
    json::parse(&bytes).ok().filter(Value::is_object)
}

fn state(folder: &Path) -> Option<String> {
    read(folder, layout::RUN_STATUS)?.get("state")?.as_str().map(str::to_owned)
}

/// Compares the files with the index; gives how many it lists, and how many of these hold.
fn check(folder: &Path, index: &Value, found: &mut Findings) -> (usize, usize) {
    let entries = index.get("artifacts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if entries.len() > MAX_BUNDLE_FILES {
        found.add(layout::ARTIFACT_INDEX, Problem::TooManyFiles);
        return (entries.len(), 0);
    }
    for path in index.get("missing").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        found.add(clip(path), Problem::DeclaredMissing);
    }
    let path_of = |entry: &Value| entry.get("path").and_then(Value::as_str).unwrap_or_default().to_owned();
    let root = root_of(entries.iter().map(path_of));
    let mut block = Vec::new();
    let mut holding = 0;
    for entry in entries {
        let spelled = path_of(entry);
        let inside = spelled.strip_prefix(&root).unwrap_or_default();
        let path = match BundlePath::new(inside) {
            Ok(path) => path,
            Err(error) => {
                found.add(clip(&spelled), Problem::BadIndexedPath(clip(&error.to_string())));
                continue;
            }
        };
        let sha256 = entry.get("sha256").and_then(Value::as_str).and_then(|text| text.parse::<Digest>().ok());
        let size = entry.get("file_size").and_then(Value::as_u64);
        let (Some(sha256), Some(size)) = (sha256, size) else {
            found.add(&path, Problem::Malformed("the index gives it no size or no digest".into()));
            continue;
        };
        let file = path.under(folder);
        match file.symlink_metadata() {
            Err(_) => {
                found.add(&path, Problem::Missing);
                continue;
            }
            Ok(metadata) if metadata.len() > MAX_BUNDLE_FILE_BYTES => {
                found.add(&path, Problem::TooLarge(MAX_BUNDLE_FILE_BYTES));
                continue;
            }
            Ok(_) => {}
        }
        match fsx::open_regular(&file).and_then(|file| observe(file, &path, size, &mut block, None)) {
            Ok(observed) if same_bytes(&path, size, sha256, &observed, found) => holding += 1,
            Ok(_) => {}
            Err(error) => found.add(&path, Problem::Unreadable(error.to_string())),
        }
    }
    (entries.len(), holding)
}

/// What the indexed paths start with: the folder of the bundle where it lay once, with a `/`, as the place of its manifest
/// or of its status shows.
fn root_of(paths: impl Iterator<Item = String> + Clone) -> String {
    let of = |name: &str| {
        let end = format!("/{name}");
        let found = paths.clone().filter(|path| path.ends_with(&end)).min_by_key(String::len)?;
        Some(found[..found.len() - name.len()].to_owned())
    };
    of(layout::RUN_MANIFEST).or_else(|| of(layout::RUN_STATUS)).unwrap_or_default()
}
