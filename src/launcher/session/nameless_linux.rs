//! An executable without a path.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

/// A copy of a program in memory, which those who are started inherit; see memfd_create(2).
#[derive(Debug)]
pub struct NamelessFile(OwnedFd);

impl NamelessFile {
    /// Makes one.
    ///
    /// # Errors
    /// If it cannot be made or filled.
    pub fn of(exe: &Path) -> io::Result<Self> {
        let fd = nix::sys::memfd::memfd_create(c"sandproof", nix::sys::memfd::MFdFlags::empty())?;
        let mut file = File::from(fd);
        io::copy(&mut File::open(exe)?, &mut file)?;
        Ok(Self(file.into()))
    }

    /// How those who inherit it name it.
    pub fn name(&self) -> String {
        format!("/proc/self/fd/{}", self.0.as_raw_fd())
    }
}
