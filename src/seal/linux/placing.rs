//! How declared files get into the sealed root, and by what their bytes are held.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::message::PlacedItem;
use super::opened::OpenedItem;
use super::shown::show;
use crate::base::digest::Digest;
use crate::base::folder::{DigestedEntry, FolderError, FolderSink, LeavingLinks, digest_file, digest_opened};
use crate::base::fsx::FileError;
use crate::record::sealed_folders::ListedFolder;
use crate::record::system_ending::{DriftedItem, HeldBy};
use crate::sys::linux::sealing;

/// What is held by something else than a copy.
#[derive(Debug)]
pub(super) enum Hold {
    /// Nothing can change it, or nobody but root: there is nothing to look at later.
    Fixed,
    /// Whether the lease is still there is asked at the end.
    Lease(File),
    /// It is digested again at the end, and compared with what it was.
    Again(File, Option<Digest>),
}

/// A file that was not copied.
#[derive(Debug)]
pub(super) struct BoundFile {
    pub pointer: String,
    /// Where it stands in the sealed root.
    pub path: PathBuf,
    pub hold: Hold,
}

/// The state of filling the root, which is the working directory meanwhile.
#[derive(Debug)]
pub(super) struct Placing {
    /// How many bytes may still be copied.
    pub copy_left: u64,
    /// The user who seals, by the host's number.
    pub user: u32,
    pub bound: Vec<BoundFile>,
}

/// One item being placed.
pub(super) struct ItemPlacing<'a> {
    pub state: &'a mut Placing,
    pub held: HeldBy,
    /// Where it stands on the host, without links.
    pub real: &'a Path,
    /// Where it stands inside.
    pub place: &'a Path,
    /// Of a folder: what was found in it.
    pub listed: Option<ListedFolder>,
}

/// Keeps no bytes, and says what was found.
#[derive(Debug, Default)]
pub(super) struct ListingAlone(pub Option<ListedFolder>);

impl FolderSink for ListingAlone {
    fn rows(&mut self, entries: BTreeMap<Vec<u8>, DigestedEntry>) {
        self.0 = Some(ListedFolder::of(String::new(), &entries));
    }
}

/// A path inside, from the working directory.
pub(super) fn below_root(path: &Path) -> PathBuf {
    Path::new(".").join(path.strip_prefix("/").unwrap_or(path))
}

impl FolderSink for ItemPlacing<'_> {
    fn folder(&mut self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(below_root(&self.place.join(path)))
    }

    fn file(&mut self, path: &Path, executable: bool, opened: &File) -> io::Result<Option<File>> {
        let (real, place) = (self.real.join(path), self.place.join(path));
        self.place_file(&real, &place, executable, opened)
    }

    fn digested(&mut self, digest: Digest) {
        self.remember(digest);
    }

    fn link(&mut self, path: &Path, text: &OsStr) -> io::Result<()> {
        symlink(text, below_root(&self.place.join(path)))
    }

    fn rows(&mut self, entries: BTreeMap<Vec<u8>, DigestedEntry>) {
        self.listed = Some(ListedFolder::of(String::new(), &entries));
    }
}

impl ItemPlacing<'_> {
    /// Gives a file its place inside: an empty one for a copy, or the file itself, held.
    pub(super) fn place_file(
        &mut self,
        real: &Path,
        place: &Path,
        executable: bool,
        opened: &File,
    ) -> io::Result<Option<File>> {
        let target = below_root(place);
        let facts = opened.metadata()?;
        let mode = if executable { 0o555 } else { 0o444 };
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&target)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        if facts.size() <= self.state.copy_left {
            self.state.copy_left -= facts.size();
            self.held.copied += 1;
            return Ok(Some(file));
        }
        let hold = self.hold(real, opened, facts.uid());
        show_at(real, opened, &target)?;
        self.state.bound.push(BoundFile { pointer: self.held.pointer.clone(), path: place.to_owned(), hold });
        Ok(None)
    }

    /// Keeps the digest of the file that was placed last, if that is all that it is held by.
    pub(super) fn remember(&mut self, digest: Digest) {
        if let Some(BoundFile { hold: Hold::Again(_, before @ None), .. }) = self.state.bound.last_mut() {
            *before = Some(digest);
        }
    }

    fn hold(&mut self, real: &Path, opened: &File, owner: u32) -> Hold {
        if sealing::has_verity(opened.as_fd()) {
            self.held.verity += 1;
            return Hold::Fixed;
        }
        if sealing::take_read_lease(opened.as_fd()).is_ok()
            && let Ok(file) = opened.try_clone()
        {
            self.held.leased += 1;
            return Hold::Lease(file);
        }
        if self.state.user != 0 && owner == 0 && only_root_can_write(real) {
            self.held.not_mine += 1;
            return Hold::Fixed;
        }
        self.held.checked += 1;
        match opened.try_clone() {
            Ok(file) => Hold::Again(file, None),
            Err(_) => Hold::Fixed,
        }
    }
}

/// Gives an item its place inside, unless something that was placed before stands there already, and digests it there.
pub(super) fn place(placing: &mut Placing, one: &OpenedItem) -> Result<PlacedItem, FolderError> {
    let at = |source| FileError { action: "place", path: one.item.host.clone(), source };
    let held = HeldBy { pointer: one.item.pointer.clone(), ..HeldBy::default() };
    let target = below_root(&one.place);
    let is_there = fs::symlink_metadata(&target).is_ok();
    // What of a runtime leads out of a folder leads nowhere in a root that holds nothing else.
    let leaving = if one.item.is_runtime { LeavingLinks::CountedAsText } else { LeavingLinks::Refused };
    let mut into = ItemPlacing { state: placing, held, real: &one.real, place: &one.place, listed: None };
    if one.is_folder {
        let found = if is_there {
            let opened: OwnedFd = File::open(&target).map_err(at)?.into();
            let mut alone = ListingAlone::default();
            let found = digest_opened(&opened, &one.item.host, leaving, &mut alone)?;
            into.listed = alone.0;
            found
        } else {
            fs::create_dir_all(&target).map_err(at)?;
            digest_opened(&one.opened, &one.item.host, leaving, &mut into)?
        };
        let (held, listed) = (into.held, into.listed);
        return Ok(PlacedItem {
            digest: found.digest,
            is_folder: true,
            executable: false,
            bytes: found.bytes,
            held,
            listed,
        });
    }
    let opened = if is_there { File::open(&target) } else { one.opened.try_clone().map(File::from) }.map_err(at)?;
    let mut copy = None;
    if !is_there {
        if let Some(above) = target.parent() {
            fs::create_dir_all(above).map_err(at)?;
        }
        let executable = io_executable(&opened).map_err(at)?;
        copy = into.place_file(&one.real, &one.place, executable, &opened).map_err(at)?;
    }
    let (digest, bytes, executable) = digest_file(&opened, copy.as_mut()).map_err(at)?;
    if !is_there {
        into.remember(digest);
    }
    Ok(PlacedItem { digest, is_folder: false, executable, bytes, held: into.held, listed: None })
}

fn io_executable(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.permissions().mode() & 0o111 != 0)
}

/// Whether neither the file nor a folder above it can be changed by anybody but root.
fn only_root_can_write(real: &Path) -> bool {
    real.ancestors().all(|path| {
        fs::symlink_metadata(path)
            .is_ok_and(|facts| facts.uid() == 0 && facts.mode() & 0o022 == 0 && !facts.is_symlink())
    })
}

/// Shows the opened file at `target`, read-only. Its path is used once more, and has to lead to the same file.
fn show_at(real: &Path, opened: &File, target: &Path) -> io::Result<()> {
    show(real, target, false)?;
    let (shown, held) = (fs::metadata(target)?, opened.metadata()?);
    if (shown.dev(), shown.ino()) != (held.dev(), held.ino()) {
        return Err(io::Error::other("another file has taken its place since it was opened"));
    }
    Ok(())
}

fn digest_again(file: &File) -> io::Result<Digest> {
    io::Seek::seek(&mut &*file, io::SeekFrom::Start(0))?;
    Ok(digest_file(file, None)?.0)
}

/// What of the files that were not copied may have been read with other bytes than were declared.
pub(super) fn drifted(bound: &[BoundFile]) -> Vec<DriftedItem> {
    let how = |hold: &Hold| match hold {
        Hold::Fixed => None,
        Hold::Lease(file) => (!sealing::has_read_lease(file.as_fd())).then_some("lease_broken"),
        Hold::Again(file, before) => (digest_again(file).ok() != *before).then_some("other_bytes"),
    };
    let item = |one: &BoundFile| {
        let how = how(&one.hold)?.to_owned();
        Some(DriftedItem { pointer: one.pointer.clone(), path: one.path.to_string_lossy().into_owned(), how })
    };
    bound.iter().filter_map(item).collect()
}
