//! What is kept beside a sealed declaration so that a reader can say in what two of them differ: what is in declared folders, and the
//! bytes of small inputs. None of it is part of the identity, and all of it is held to the identity's digests by whoever reads it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::message::PlacedItem;
use super::opened::{OpenedItem, OpenedItems};
use crate::base::canon::pointer_part;
use crate::base::digest::Digest;
use crate::base::fsx::{self, IoContext, sync_dir};
use crate::base::json_out;
use crate::identity::external::ADDED_BY_SEALING;
use crate::record::sealed_folders::{ListedFolder, SEALED_FOLDERS_SCHEMA, SealedFolders};
use crate::seal::error::SealError;

/// Largest input whose bytes are kept, and how many bytes of inputs are kept together.
const MAX_KEPT_BYTES: u64 = 256 * 1024;
const MAX_KEPT_TOGETHER_BYTES: u64 = 16 * 1024 * 1024;
/// The folder of what is kept, the file of each named by its digest.
const CONTENT: &str = "content";

/// That what the document gives the digest of is what was sealed.
///
/// # Errors
/// What changed between.
pub(super) fn check_stated(opened: &OpenedItems, items: &[PlacedItem]) -> Result<(), SealError> {
    let changed =
        opened.items.iter().zip(items).find(|(one, placed)| one.item.stated.is_some_and(|it| it != placed.digest));
    match changed {
        Some((one, _)) => Err(SealError::Changed { pointer: one.item.pointer.clone(), path: one.real.clone() }),
        None => Ok(()),
    }
}

/// Writes `folders.json`, and small inputs that anybody may read.
///
/// # Errors
/// If it cannot be written. What cannot be read again any more is left out.
pub(super) fn write(results: &Path, opened: &OpenedItems, items: &[PlacedItem]) -> Result<(), SealError> {
    let mut folders: Vec<ListedFolder> = Vec::new();
    let mut kept = KeptContent { folder: results.join(CONTENT), left_bytes: MAX_KEPT_TOGETHER_BYTES };
    for (one, placed) in opened.items.iter().zip(items) {
        if !one.item.is_runtime {
            kept.keep_item(one, placed)?;
        }
        if let Some(listed) = &placed.listed {
            folders.push(ListedFolder { pointer: pointer(one), ..listed.clone() });
        }
    }
    folders.sort_by(|a, b| a.pointer.cmp(&b.pointer));
    folders.dedup_by(|a, b| a.pointer == b.pointer);
    let list = SealedFolders { schema_version: SEALED_FOLDERS_SCHEMA.to_owned(), folders };
    if kept.folder.exists() {
        sync_dir(&kept.folder)?;
    }
    write_once(results, "folders.json", &json_out::to_pretty(&list))
}

/// Writes a file that is never written again, and makes it durable with its name.
pub(super) fn write_once(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), SealError> {
    let path = folder.join(name);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o444).open(&path).at("create", &path)?;
    file.write_all(bytes).at("write", &path)?;
    file.sync_all().at("sync", &path)?;
    Ok(sync_dir(folder)?)
}

/// Where the declaration has the folder's digest.
fn pointer(one: &OpenedItem) -> String {
    if one.item.is_runtime {
        format!("/runtime/{ADDED_BY_SEALING}/files/{}/folder", pointer_part(&one.place.to_string_lossy()))
    } else {
        format!("/artifact/{ADDED_BY_SEALING}/inputs/{}/folder", pointer_part(&one.item.name))
    }
}

struct KeptContent {
    folder: PathBuf,
    left_bytes: u64,
}

impl KeptContent {
    fn keep_item(&mut self, one: &OpenedItem, placed: &PlacedItem) -> Result<(), SealError> {
        if !placed.is_folder {
            return self.keep(&one.real, placed.digest, placed.bytes);
        }
        for entry in placed.listed.iter().flat_map(|listed| &listed.entries) {
            if let Some(file) = &entry.file {
                self.keep(&one.real.join(&entry.path), file.sha256, file.bytes)?;
            }
        }
        Ok(())
    }

    /// Keeps the bytes with this digest, if the file still has them, is small, and is one that anybody may read.
    fn keep(&mut self, path: &Path, digest: Digest, bytes: u64) -> Result<(), SealError> {
        let target = self.folder.join(digest.to_string());
        if bytes > MAX_KEPT_BYTES.min(self.left_bytes) || target.exists() {
            return Ok(());
        }
        if !fs::symlink_metadata(path).is_ok_and(|facts| facts.is_file() && facts.mode() & 0o004 != 0) {
            return Ok(());
        }
        let Some(content) = fsx::read_regular(path, bytes).ok().filter(|content| Digest::of(content) == digest) else {
            return Ok(());
        };
        self.left_bytes -= bytes;
        fs::create_dir_all(&self.folder).at("create the folder", &self.folder)?;
        // An aid to readers, and not worth a sync for each.
        Ok(fsx::write_scratch(&target, &content).at("write", &target)?)
    }
}
