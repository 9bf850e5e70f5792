//! The plan that was resolved last, for the next bundle of the very same inputs.
//!
//! A thousand worlds are asked one plan, and a fifth of what it takes to verify a small bundle is to resolve it. What a plan resolves
//! to follows from the bytes under `inputs/` and from what narrowed it, and from nothing else, so bundles that have the same of both
//! may share it. That they have is seen by digests, which were taken of the very bytes that were read.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use super::replay_inputs::ReplayInputs;
use crate::base::digest::Digest;
use crate::base::threads;
use crate::plan::{self, BundleInputs, LoadError, ResolvedPlan, Selection};

/// How large the inputs may be of a plan that is kept, in bytes: resolved it is a few times as large, and it stays to the end.
const MOST_BYTES: u64 = 8 * 1024 * 1024;

static LAST: Mutex<Option<(Digest, Arc<ResolvedPlan>)>> = Mutex::new(None);

/// The plan of a bundle, whose documents were taken from its inputs.
pub(super) fn resolve(inputs: &ReplayInputs<'_>, documents: &BundleInputs) -> Result<Arc<ResolvedPlan>, LoadError> {
    let last = || LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let small = inputs.files.values().map(|bytes| bytes.length()).sum::<u64>() <= MOST_BYTES;
    let key = small.then(|| key(inputs));
    let known = last().as_ref().filter(|(known, _)| Some(*known) == key).map(|(_, plan)| Arc::clone(plan));
    if let Some(plan) = known {
        return Ok(plan);
    }
    let selection = Selection::from(&inputs.manifest.selection);
    let plan = Arc::new(plan::resolve(documents, documents.plan_path(), &selection)?);
    if let Some(key) = key {
        // What it takes the place of is freed here once nobody uses it, and not under the lock.
        let before = last().replace((key, Arc::clone(&plan)));
        drop(before);
    }
    Ok(plan)
}

/// Gives a plan back. Nobody needs to wait until a large one is freed. Where there can be no further thread, it is done here.
pub(super) fn give_back(plan: Arc<ResolvedPlan>) {
    if let Some(plan) = Arc::into_inner(plan) {
        let _ = threads::builder().and_then(|new| new.spawn(move || drop(plan)));
    }
}

/// Stands for everything that a plan is resolved from.
fn key(inputs: &ReplayInputs<'_>) -> Digest {
    let mut text = format!("{:?}\n", Selection::from(&inputs.manifest.selection));
    for (path, bytes) in inputs.files {
        let _ = writeln!(text, "{path} {}", bytes.digest());
    }
    Digest::of(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::bundle_path::BundlePath;
    use crate::base::shared_bytes::{DocumentBytes, SharedBytes};
    use crate::bundle::tests::fixture;
    use crate::record::manifest::RunManifest;

    #[test]
    fn another_plan_is_another_whatever_it_differs_in() {
        let bundle = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/out/sound");
        let mut files: BTreeMap<BundlePath, DocumentBytes> = BTreeMap::new();
        for entry in std::fs::read_dir(bundle.join("inputs")).unwrap().flatten().filter(|entry| entry.path().is_file())
        {
            let path = BundlePath::new(format!("inputs/{}", entry.file_name().to_str().unwrap())).unwrap();
            files.insert(path, SharedBytes::from(std::fs::read(entry.path()).unwrap()).into());
        }
        let manifest = fixture::manifest(fixture::RUN);
        let of = |manifest: &RunManifest, files: &BTreeMap<BundlePath, DocumentBytes>| {
            key(&ReplayInputs { manifest, status: None, identity: None, witness: None, files, merge: None })
        };
        let first = of(&manifest, &files);
        assert_eq!(of(&manifest.clone(), &files.clone()), first);
        let mut narrowed = manifest.clone();
        narrowed.selection.only_profiles.push("p".into());
        assert_ne!(of(&narrowed, &files), first);
        for path in files.keys() {
            let mut other = files.clone();
            other.insert(path.clone(), SharedBytes::from(b"other".to_vec()).into());
            assert_ne!(of(&manifest, &other), first, "{path}");
            let mut less = files.clone();
            less.remove(path);
            assert_ne!(of(&manifest, &less), first, "{path}");
        }
    }
}
