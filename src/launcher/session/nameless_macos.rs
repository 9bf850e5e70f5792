//! An executable without a path: macOS executes none.

use std::io;
use std::path::Path;

/// A program without a path. There is none.
#[derive(Debug)]
pub enum NamelessFile {}

impl NamelessFile {
    /// Makes one.
    ///
    /// # Errors
    /// Always.
    pub fn of(_exe: &Path) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "macOS executes no file without a path"))
    }

    /// How those who inherit it name it.
    pub fn name(&self) -> String {
        match *self {}
    }
}
