//! Whether what a run declared before it began is still so when its last lane has ended.

use std::fs::File;
use std::path::Path;

use super::error::Step;
use crate::base::digest::Digest;
use crate::base::limits::MAX_INPUT_DOCUMENT_BYTES;
use crate::bundle::writer::BundleWriter;
use crate::plan::Source;
use crate::record::manifest::RunManifest;

/// Digests the executable and every input document again, notes what differs in the run's status, and fails if anything
/// does.
pub(super) fn check(
    source: &dyn Source,
    manifest: &RunManifest,
    exe: &Path,
    writer: &mut BundleWriter,
) -> Result<(), Step> {
    let drift = find(source, manifest, exe);
    writer.note_drift(drift.clone());
    if drift.is_empty() { Ok(()) } else { Err(Step::Drift { drift }) }
}

/// What differs, one line each.
fn find(source: &dyn Source, manifest: &RunManifest, exe: &Path) -> Vec<String> {
    let mut drift = Vec::new();
    let mut compare = |what: String, declared: Digest, found: Result<Digest, String>| match found {
        Ok(found) if found == declared => {}
        Ok(found) => drift.push(format!("{what}: declared {declared}, found {found}")),
        Err(reason) => drift.push(format!("{what}: cannot be read again: {reason}")),
    };
    let digest = File::open(exe).and_then(Digest::of_reader).map(|(digest, _)| digest);
    compare("the executable".to_string(), manifest.tool.sha256, digest.map_err(|error| error.to_string()));
    for input in &manifest.declared_inputs {
        let read = source.read(input.role, &input.path, MAX_INPUT_DOCUMENT_BYTES);
        let found = read.map(|bytes| Digest::of(&bytes)).map_err(|error| error.source.to_string());
        compare(format!("{} `{}`", input.role.as_str(), input.path), input.sha256, found);
    }
    drift
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::tests::fixture::{RUN, manifest};
    use crate::plan::Workspace;

    #[test]
    fn what_changed_or_went_away_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let exe = folder.path().join("tool");
        std::fs::write(&exe, b"tool").unwrap();
        std::fs::write(folder.path().join("plan.json"), b"plan").unwrap();
        let source = Workspace::at(folder.path());
        let manifest = manifest(RUN);
        let found = || find(&source, &manifest, &exe);
        assert_eq!(found(), Vec::<String>::new());
        std::fs::write(folder.path().join("plan.json"), b"plan ").unwrap();
        let [only] = found().try_into().unwrap();
        assert!(only.starts_with("plan `plan.json`: declared "), "{only}");
        std::fs::remove_file(folder.path().join("plan.json")).unwrap();
        std::fs::write(&exe, b"other").unwrap();
        let [first, second] = found().try_into().unwrap();
        assert!(first.starts_with("the executable: declared "), "{first}");
        assert!(second.contains("cannot be read again"), "{second}");
    }
}
