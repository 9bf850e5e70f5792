//! Comparing what is derived with a file, byte by byte, while it is derived.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::recompute::count_lines;
use crate::base::fsx;

/// Where a file first is not what was derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstDifference {
    /// The first byte that differs, from 0.
    pub byte: u64,
    /// The line that it is in, from 1.
    pub line: u64,
    /// Whether one of the two only goes on where the other ends.
    pub length_only: bool,
}

/// A file that is being compared.
#[derive(Debug)]
pub(super) struct Compared {
    file: BufReader<File>,
    at: u64,
    line: u64,
    first: Option<FirstDifference>,
    block: Vec<u8>,
}

impl Compared {
    /// Opens the file; `None` if there is none.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = match fsx::open_regular(path) {
            Ok(file) => BufReader::with_capacity(64 * 1024, file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Self { file, at: 0, line: 1, first: None, block: Vec::new() }))
    }

    /// Compares the next bytes that were derived.
    pub(super) fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.first.is_some() {
            return Ok(());
        }
        self.block.clear();
        (&mut self.file).take(bytes.len() as u64).read_to_end(&mut self.block)?;
        if self.block == bytes {
            self.at += bytes.len() as u64;
            self.line += count_lines(bytes);
            return Ok(());
        }
        let same = self.block.iter().zip(bytes).take_while(|(found, derived)| found == derived).count();
        self.at += same as u64;
        self.line += count_lines(&bytes[..same]);
        if same < bytes.len() {
            self.first =
                Some(FirstDifference { byte: self.at, line: self.line, length_only: same == self.block.len() });
        }
        Ok(())
    }

    /// The first difference, if there is one.
    pub(super) fn finish(mut self) -> io::Result<Option<FirstDifference>> {
        if self.first.is_none() && self.file.read(&mut [0])? > 0 {
            self.first = Some(FirstDifference { byte: self.at, line: self.line, length_only: true });
        }
        Ok(self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(file: &str, derived: &[&str]) -> Option<(u64, u64, bool)> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, file).unwrap();
        let mut compared = Compared::open(&path).unwrap().unwrap();
        for part in derived {
            compared.take(part.as_bytes()).unwrap();
        }
        compared.finish().unwrap().map(|first| (first.byte, first.line, first.length_only))
    }

    #[test]
    fn the_first_difference_is_found_wherever_the_writes_are_cut() {
        assert_eq!(first("a\nb\nc", &["a\nb\nc"]), None);
        assert_eq!(first("a\nb\nc", &["a", "\nb", "\n", "c"]), None);
        assert_eq!(first("a\nb\nc", &["a\n", "x\nc"]), Some((2, 2, false)));
        assert_eq!(first("a\nb", &["a\nb\nc"]), Some((3, 2, true)));
        assert_eq!(first("a\nb\nc", &["a\nb"]), Some((3, 2, true)));
        assert_eq!(first("", &[]), None);
        assert_eq!(first("", &["a"]), Some((0, 1, true)));
    }

    #[test]
    fn a_file_that_is_not_there_is_no_error() {
        assert!(Compared::open(Path::new("/nonexistent/f")).unwrap().is_none());
    }
}
