//! From a store to a verified bundle.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::fault::StoreError;
use super::objects::{Store, for_all};
use crate::base::bundle_path::BundlePath;
use crate::base::digest::{Digest, Hasher};
use crate::base::fsx::{self, IoContext, Staged};
use crate::base::ids::RunId;
use crate::base::json;
use crate::base::limits::{MAX_BUNDLE_FILES, MAX_INDEX_BYTES};
use crate::bundle::{self, Bundle, BundleRefused, Verified, index};
use crate::record::index::ArtifactIndex;
use crate::record::layout;
use crate::record::transfer::{TransferCounts, TransferProblem};

/// Fetches the bundle of a run into a folder of its name in `out`, which must not exist, and verifies it. Whatever is wrong with it, no
/// such folder is left.
///
/// # Errors
/// Why there is none.
pub fn download(
    store: &dyn Store,
    run_id: &RunId,
    out: &Path,
) -> Result<(Verified<Bundle>, TransferCounts), StoreError> {
    download_by(store, run_id, out, &bundle::verify)
}

/// How a bundle is verified: [`bundle::verify`], but for tests.
type Verify<'v> = &'v dyn Fn(&Path) -> Result<Verified<Bundle>, BundleRefused>;

/// The same by a verification of one's own.
pub(super) fn download_by(
    store: &dyn Store,
    run_id: &RunId,
    out: &Path,
    verify: Verify<'_>,
) -> Result<(Verified<Bundle>, TransferCounts), StoreError> {
    let folder = out.join(run_id.as_str());
    let exists = |folder: &Path| folder.symlink_metadata().is_ok();
    if exists(&folder) {
        return Err(StoreError::Exists { folder });
    }
    let found = store.list(run_id.as_str())?;
    let unfit = |what, problems| Err(StoreError::Unfit { place: store.shown(run_id.as_str()), what, problems });
    if found.is_empty() {
        return unfit("is nothing at all", Vec::new());
    }
    if !found.contains_key(layout::ARTIFACT_INDEX) {
        return unfit("is not committed: it has no index. Its upload was interrupted, or is still at work", Vec::new());
    }

    let mut files = Vec::new();
    let mut indexes = Vec::new();
    indexed(store, run_id.as_str(), "", &mut files, &mut indexes)?;
    let problems = against(&files, &indexes, &found);
    if !problems.is_empty() {
        return unfit("is not what its index says", problems);
    }

    fsx::create_dir_all(out)?;
    // Removed again with all that is in it, unless it gets its name.
    let scratch =
        tempfile::Builder::new().prefix(".sandproof-download-").tempdir_in(out).at("make a folder in", out)?;
    let place = scratch.path().join(run_id.as_str());
    let fetch = |file: &IndexedObject| fetch(store, run_id, file, &place);
    let mut counts = for_all(&files, |file| file.size, fetch)?;
    for (name, bytes) in indexes.iter().rev() {
        let target = place.join(name);
        fsx::create_dir_all(fsx::folder_of(&target))?;
        fsx::write_durably(&target, bytes)?;
        counts.add(TransferCounts::copied(bytes.len() as u64));
    }
    verify(&place).map_err(|refused| StoreError::Refused(Box::new(refused)))?;
    // A rename would put a folder in the place of an empty one.
    if exists(&folder) {
        return Err(StoreError::Exists { folder });
    }
    std::fs::rename(&place, &folder).at("name", &folder)?;
    fsx::sync_dir(out)?;
    let bundle = verify(&folder).map_err(|refused| StoreError::Refused(Box::new(refused)))?;
    Ok((bundle, counts))
}

/// An object that an index names.
#[derive(Debug)]
struct IndexedObject {
    name: BundlePath,
    size: u64,
    sha256: Digest,
}

/// Reads the index of a bundle that nobody has verified, and those of a merge's parts: which objects there are to be. Indexes come
/// in order, that of the whole first.
fn indexed(
    store: &dyn Store,
    run_id: &str,
    below: &str,
    files: &mut Vec<IndexedObject>,
    indexes: &mut Vec<(String, Vec<u8>)>,
) -> Result<(), StoreError> {
    let own = format!("{below}{}", layout::ARTIFACT_INDEX);
    let place = store.shown(&format!("{run_id}/{own}"));
    let unfit = |what| StoreError::Unfit { place: place.clone(), what, problems: Vec::new() };
    let mut bytes = BoundedBytes { bytes: Vec::new(), most: MAX_INDEX_BYTES };
    if !store.read(&format!("{run_id}/{own}"), &mut bytes)? {
        return Err(unfit("is missing"));
    }
    let bytes = bytes.bytes;
    let document: Option<ArtifactIndex> = json::parse(&bytes).ok().and_then(|value| json::from_value(value).ok());
    let Some(document) = document else { return Err(unfit("is no index of a bundle")) };
    if document.artifacts.len() > MAX_BUNDLE_FILES {
        return Err(unfit("names more files than a bundle may have"));
    }
    indexes.push((own, bytes));
    for entry in &document.artifacts {
        let stripped = index::strip(&document.bundle_root, &entry.path).ok();
        let name = stripped.and_then(|path| BundlePath::new(format!("{below}{path}")).ok());
        let Some(name) = name else { return Err(unfit("names a path that leaves the bundle")) };
        let part = name
            .as_str()
            .strip_suffix(layout::ARTIFACT_INDEX)
            .filter(|folder| folder.starts_with(layout::PARTS_FOLDER));
        match part.filter(|_| below.is_empty()) {
            Some(folder) => indexed(store, run_id, folder, files, indexes)?,
            None => files.push(IndexedObject { name, size: entry.file_size, sha256: entry.sha256 }),
        }
    }
    Ok(())
}

/// What a store holds against what the indexes name.
fn against(
    files: &[IndexedObject],
    indexes: &[(String, Vec<u8>)],
    found: &BTreeMap<String, u64>,
) -> Vec<TransferProblem> {
    let mut wanted: BTreeMap<&str, u64> = files.iter().map(|file| (file.name.as_str(), file.size)).collect();
    wanted.extend(indexes.iter().map(|(name, bytes)| (name.as_str(), bytes.len() as u64)));
    let missing = wanted.iter().filter_map(|(name, size)| match found.get(*name) {
        None => Some((*name, "it is missing")),
        Some(found) if found != size => Some((*name, "it has another size than the index says")),
        Some(_) => None,
    });
    let more = found.keys().filter(|name| !wanted.contains_key(name.as_str()));
    let more = more.map(|name| (name.as_str(), "no index names it"));
    missing.chain(more).map(|(path, what)| TransferProblem { path: path.to_owned(), what }).collect()
}

fn fetch(store: &dyn Store, run_id: &RunId, file: &IndexedObject, place: &Path) -> Result<TransferCounts, StoreError> {
    let target: PathBuf = file.name.under(place);
    fsx::create_dir_all(fsx::folder_of(&target))?;
    let mut staged = Staged::create(&target)?;
    let mut sink = CheckedFile { file: &mut staged, hasher: Hasher::default(), most: file.size };
    let there = store.read(&format!("{run_id}/{}", file.name), &mut sink)?;
    if !there || sink.hasher.finish() != (file.sha256, file.size) {
        let what = if there { "it has other bytes than the index says" } else { "it is missing" };
        let problems = vec![TransferProblem { path: file.name.to_string(), what }];
        let place = store.shown(run_id.as_str());
        return Err(StoreError::Unfit { place, what: "is not what its index says", problems });
    }
    staged.sync()?;
    staged.rename()?;
    Ok(TransferCounts::copied(file.size))
}

/// Bytes of a stranger, up to a number.
struct BoundedBytes {
    bytes: Vec<u8>,
    most: u64,
}

impl Write for BoundedBytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if (self.bytes.len() + bytes.len()) as u64 > self.most {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is larger than an index may be"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that takes no more than it is to have, and is digested meanwhile.
struct CheckedFile<'f> {
    file: &'f mut Staged,
    hasher: Hasher,
    most: u64,
}

impl Write for CheckedFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.hasher.length_bytes() + bytes.len() as u64 > self.most {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is larger than the index says"));
        }
        let n = self.file.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Write::flush(&mut self.file)
    }
}
