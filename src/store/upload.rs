//! From a verified bundle to a store: content first, the index last.

use std::collections::BTreeMap;
use std::path::Path;

use super::fault::StoreError;
use super::objects::{PutAnswer, SourceFile, Store, for_all};
use crate::base::digest::{Digest, Hasher};
use crate::base::fsx::IoContext;
use crate::bundle::{Bundle, Verified};
use crate::record::layout;
use crate::record::transfer::{TransferCounts, TransferProblem};

/// Brings a bundle to a store, below the id of its run. What an earlier upload left is completed. Nothing is overwritten: an object
/// that is there has to have the very bytes, and there may be no object that is none of the bundle's. The index is written when all the
/// rest is there, so whoever sees it sees the whole bundle.
///
/// # Errors
/// Why it is not there. What was written stays: without the index it is no bundle.
pub fn upload(bundle: &Verified<Bundle>, store: &dyn Store) -> Result<TransferCounts, StoreError> {
    let run_id = bundle.index().run_id.as_str();
    let mut content = Vec::new();
    collect(bundle, bundle.folder(), &mut content);
    let index = index_file(bundle)?;
    let known: BTreeMap<&str, &SourceFile> =
        content.iter().map(|(name, file)| (name.as_str(), file)).chain([(layout::ARTIFACT_INDEX, &index)]).collect();

    // What is in the way is found before anything is written, as far as it can be told from names and sizes.
    let found = store.list(run_id)?;
    let problems: Vec<TransferProblem> = found
        .iter()
        .filter_map(|(name, size)| {
            let what = match known.get(name.as_str()) {
                None => "it is none of the bundle's files",
                Some(file) if file.size != *size => "it has another size than the bundle's file",
                Some(_) => return None,
            };
            Some(TransferProblem { path: name.clone(), what })
        })
        .collect();
    refuse(store, run_id, problems)?;
    if found.contains_key(layout::ARTIFACT_INDEX) {
        // Committed there: everything has to be, and nothing is added to it.
        let missing = known.keys().filter(|name| !found.contains_key(**name));
        let what = "it is missing, although the index is there";
        refuse(store, run_id, missing.map(|name| TransferProblem { path: (*name).to_owned(), what }).collect())?;
    }

    let put = |(name, file): &(String, SourceFile)| put(store, run_id, name, file);
    let mut counts = for_all(&content, |(_, file)| file.size, put)?;
    store.sweep(run_id)?;
    counts.add(put(&(layout::ARTIFACT_INDEX.to_owned(), index))?);
    Ok(counts)
}

/// The files of a bundle but for its index, with their names in it. A merge's index names of each part the index alone, and that one
/// names the rest.
fn collect(bundle: &Bundle, root: &Path, files: &mut Vec<(String, SourceFile)>) {
    let name = |path: &Path| path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
    for part in bundle.parts() {
        collect(part, root, files);
    }
    for (path, entry) in bundle.entries() {
        let path = path.under(bundle.folder());
        files.push((name(&path), SourceFile { path, size: entry.file_size, sha256: entry.sha256 }));
    }
}

/// The index itself, which no index names.
fn index_file(bundle: &Bundle) -> Result<SourceFile, StoreError> {
    let path = bundle.folder().join(layout::ARTIFACT_INDEX);
    let size = path.symlink_metadata().at("look at", &path)?.len();
    Ok(SourceFile { path, size, sha256: bundle.index_sha256() })
}

/// Writes an object, or sees that the one that is there has the same bytes.
fn put(store: &dyn Store, run_id: &str, name: &str, file: &SourceFile) -> Result<TransferCounts, StoreError> {
    let object = format!("{run_id}/{name}");
    if store.put_new(&object, file)? == PutAnswer::Stored {
        return Ok(TransferCounts::copied(file.size));
    }
    let mut hasher = Hasher::default();
    let there = store.read(&object, &mut hasher)?;
    let found: (Digest, u64) = hasher.finish();
    if there && found == (file.sha256, file.size) {
        return Ok(TransferCounts::already_there());
    }
    let problem = TransferProblem { path: name.to_owned(), what: "it has other bytes than the bundle's file" };
    refuse(store, run_id, vec![problem]).map(|()| TransferCounts::default())
}

fn refuse(store: &dyn Store, run_id: &str, problems: Vec<TransferProblem>) -> Result<(), StoreError> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(StoreError::Unfit { place: store.shown(run_id), what: "is not this bundle", problems })
}
