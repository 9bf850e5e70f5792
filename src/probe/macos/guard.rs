//! What keeps a probe from reaching what the run did not make: the thin one of macOS, which resolves paths as the system
//! does (realpath(3)), right before the policy is applied. There are no mounts of a probe's own here.

use std::fs::FileType;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::probe::program::program_image;
use crate::record::action::{Action, ActionScope};
use crate::record::driver::{ChangeReach, Driver, Effect, TargetKind};
use crate::record::report::SetupFailure;

/// Devices that nothing happens to when they are opened for writing and closed again.
const HARMLESS: [&str; 6] = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx"];

/// Right before the operation: whether it may be attempted.
///
/// # Errors
/// If it may not, with where its path really leads.
pub fn check(action: &Action, scope: &ActionScope) -> Result<(), SetupFailure> {
    let info = action.driver.info();
    match info.effect {
        Effect::Changes if info.target == TargetKind::Path => {
            // The text of a symbolic link is only text.
            let second = action.to.as_deref().filter(|_| action.driver != Driver::SymlinkCreate);
            for path in [Some(action.target.as_str()), second].into_iter().flatten() {
                for reach in action.driver.reach() {
                    match reach {
                        ChangeReach::Object => object("change", path, &scope.own)?,
                        ChangeReach::Entry => check_entry(path, &scope.own)?,
                    }
                }
            }
            Ok(())
        }
        Effect::OpensForWriting => {
            let Some(real) = reached(&action.target)? else { return Ok(()) };
            let kind = std::fs::metadata(&real).map(|found| found.file_type());
            let acts = |kind: FileType| kind.is_fifo() || kind.is_char_device() || kind.is_block_device();
            let harmless = HARMLESS.iter().any(|device| real == Path::new(device)) || is_within(&real, &scope.own);
            if kind.is_ok_and(acts) && !harmless { Err(leads("open_device", &real)) } else { Ok(()) }
        }
        Effect::Reads if action.driver == Driver::Exec && !scope.host_programs => {
            object("execute", &action.target, &scope.own)?;
            let Some(real) = reached(&action.target)? else { return Ok(()) };
            if !std::fs::metadata(&real).is_ok_and(|found| found.is_file()) {
                return Ok(());
            }
            match std::fs::read(&real) {
                Ok(found) if found != program_image() => Err(leads("execute", &real)),
                Ok(_) | Err(_) => Ok(()),
            }
        }
        Effect::Changes | Effect::Reads => Ok(()),
    }
}

/// What `path` leads to, a final link followed, has to be the run's own, if it leads anywhere.
fn object(step: &str, path: &str, own: &[String]) -> Result<(), SetupFailure> {
    match reached(path)? {
        Some(real) if !is_within(&real, own) => Err(leads(step, &real)),
        _ => Ok(()),
    }
}

/// Whether an entry at `path` would be made in one of `folders`; otherwise where it would be.
///
/// # Errors
/// If it would not.
pub fn check_entry(path: &str, folders: &[String]) -> Result<(), SetupFailure> {
    let trimmed = path.trim_end_matches('/');
    let (parent, name) = match trimmed.rsplit_once('/') {
        Some((parent, name)) if !matches!(name, "." | "..") => (if parent.is_empty() { "/" } else { parent }, name),
        _ => (path, ""),
    };
    let Some(real) = reached(parent)? else { return Ok(()) };
    // One of the run's own folders may itself be removed or moved.
    let itself = folders.iter().any(|folder| real.join(name) == Path::new(folder));
    if itself || is_within(&real, folders) { Ok(()) } else { Err(leads("change", &real)) }
}

fn is_within(real: &Path, own: &[String]) -> bool {
    own.iter().any(|folder| real.starts_with(folder))
}

/// Where a path leads. `None`: nowhere, and the operation fails at the same place.
fn reached(path: &str) -> Result<Option<PathBuf>, SetupFailure> {
    match std::fs::canonicalize(path) {
        Ok(real) => Ok(Some(real)),
        Err(error) => match error.raw_os_error().unwrap_or(0) {
            libc::ENOENT | libc::ENOTDIR | libc::ELOOP | libc::EACCES | libc::ENAMETOOLONG => Ok(None),
            errno => Err(SetupFailure::at("resolve", errno)),
        },
    }
}

fn leads(step: &str, real: &Path) -> SetupFailure {
    SetupFailure { leads_to: Some(real.display().to_string()), ..SetupFailure::at(step, 0) }
}
