//! Everything that a document names, opened once. Later steps use these descriptors and never the paths again, but to show
//! the very same file at another place.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};

use super::links::{HostLinks, followed, interpreter, names_of, script_interpreter};
use crate::seal::error::SealError;
use crate::seal::request::{ReadableItem, SealRequest, check_places};

/// An item, held open.
#[derive(Debug)]
pub(super) struct OpenedItem {
    pub item: ReadableItem,
    /// Where it stands inside.
    pub place: PathBuf,
    /// Where it is on the host, without links.
    pub real: PathBuf,
    pub opened: OwnedFd,
    pub is_folder: bool,
    /// How many bytes a file has; 0 of a folder, or of what has no size.
    pub size: u64,
}

/// All of them, folders before what is in them, and the links of the runtime.
#[derive(Debug)]
pub(super) struct OpenedItems {
    pub items: Vec<OpenedItem>,
    pub links: HostLinks,
}

/// Opens what the request names.
///
/// # Errors
/// What cannot be opened, is neither file nor folder, or would need what is not declared.
pub(super) fn open_all(request: &SealRequest) -> Result<OpenedItems, SealError> {
    check_places(&request.items)?;
    let mut links = HostLinks::new();
    let mut items = Vec::new();
    for item in &request.items {
        let failed = |source| SealError::Open { pointer: item.pointer.clone(), path: item.host.clone(), source };
        let absolute = std::path::absolute(&item.host).map_err(failed)?;
        let (real, on_the_way) = followed(&absolute).map_err(failed)?;
        // A link that was turned meanwhile is refused by the kernel, not followed.
        let opened = open_without_links(&real).map_err(failed)?;
        let facts = File::from(opened.try_clone().map_err(failed)?).metadata().map_err(failed)?;
        if !facts.is_dir() && !facts.is_file() {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "it is neither a plain file nor a folder")));
        }
        let place = if item.is_runtime { real.clone() } else { item.input_place() };
        if item.is_runtime {
            links.extend(on_the_way);
        }
        let size = if facts.is_dir() { 0 } else { facts.size() };
        items.push(OpenedItem { item: item.clone(), place, real, opened, is_folder: facts.is_dir(), size });
    }
    // A folder is placed before a file within it, whose bytes it has already; equal places follow each other.
    items.sort_by(|a, b| (&a.place, &a.item.pointer).cmp(&(&b.place, &b.item.pointer)));
    let files: Vec<&Path> =
        items.iter().filter(|one| one.item.is_runtime && !one.is_folder).map(|one| one.real.as_path()).collect();
    links.extend(names_of(&files));
    if let Some(first) = request.command.first().map(Path::new).filter(|first| first.is_absolute())
        && let Ok((_, on_the_way)) = followed(first)
    {
        links.extend(on_the_way);
    }
    check_interpreters(&items, &mut links)?;
    Ok(OpenedItems { items, links })
}

/// What declared programs are executed by has to be declared, too, and to have the name by which they ask for it.
fn check_interpreters(items: &[OpenedItem], links: &mut HostLinks) -> Result<(), SealError> {
    for one in items.iter().filter(|one| !one.is_folder) {
        let file = one.opened.try_clone().map(File::from);
        let Some(named) = file.ok().and_then(|file| interpreter(&file).or_else(|| script_interpreter(&file))) else {
            continue;
        };
        let declared = followed(&named).ok().filter(|(real, _)| {
            items.iter().any(|other| other.place == *real || other.is_folder && real.starts_with(&other.place))
        });
        match declared {
            Some((_, on_the_way)) => links.extend(on_the_way),
            // A library may name one as well, and need none; an executable is not started without.
            None if fs::metadata(&one.real).is_ok_and(|facts| facts.mode() & 0o111 != 0) && one.item.is_runtime => {
                let is_library = one.real.file_name().is_some_and(|name| name.to_string_lossy().contains(".so"));
                if !is_library {
                    return Err(SealError::Interpreter { program: one.real.clone(), interpreter: named });
                }
            }
            None => {}
        }
    }
    Ok(())
}

/// Opens a file or folder whose path holds no link, for reading.
fn open_without_links(path: &Path) -> io::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    openat2(AT_FDCWD, path, how).map_err(io::Error::from)
}
