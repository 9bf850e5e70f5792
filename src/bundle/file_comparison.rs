//! Comparing what is derived with a file, byte by byte, while it is derived.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::observed::count_lines;
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
pub(super) struct FileComparison {
    file: File,
    at: u64,
    first: Option<FirstDifference>,
    block: Vec<u8>,
}

impl FileComparison {
    /// Opens the file; `None` if there is none.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        match fsx::open_regular(path) {
            Ok(file) => Ok(Some(Self { file, at: 0, first: None, block: Vec::new() })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Compares the next bytes that were derived. Best in large pieces: each is a call of the kernel.
    pub(super) fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.first.is_some() {
            return Ok(());
        }
        if self.block.len() < bytes.len() {
            self.block.resize(bytes.len(), 0);
        }
        let length = read_fully(&mut self.file, &mut self.block[..bytes.len()])?;
        let found = &self.block[..length];
        if found == bytes {
            self.at += bytes.len() as u64;
            return Ok(());
        }
        let same = found.iter().zip(bytes).take_while(|(found, derived)| found == derived).count();
        self.at += same as u64;
        if same < bytes.len() {
            self.differs(same == length)?;
        }
        Ok(())
    }

    /// The first difference, if there is one.
    pub(super) fn finish(mut self) -> io::Result<Option<FirstDifference>> {
        if self.first.is_none() && read_fully(&mut self.file, &mut [0])? > 0 {
            self.differs(true)?;
        }
        Ok(self.first)
    }

    /// Notes that what comes next differs. Lines are counted only now: up to here the file is what was derived.
    fn differs(&mut self, length_only: bool) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut before = BufReader::new((&mut self.file).take(self.at));
        let mut line = 1;
        loop {
            let block = before.fill_buf()?;
            if block.is_empty() {
                break;
            }
            line += count_lines(block);
            let length = block.len();
            before.consume(length);
        }
        self.first = Some(FirstDifference { byte: self.at, line, length_only });
        Ok(())
    }
}

/// Reads until the buffer is full or the file ends.
fn read_fully(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(file: &str, derived: &[&str]) -> Option<(u64, u64, bool)> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, file).unwrap();
        let mut compared = FileComparison::open(&path).unwrap().unwrap();
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

    /// Gives a byte each time, then what it was told to.
    struct Slowly(Vec<io::Result<u8>>);

    impl Read for Slowly {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.pop() {
                None => Ok(0),
                Some(Ok(byte)) => {
                    buffer[0] = byte;
                    Ok(1)
                }
                Some(Err(error)) => Err(error),
            }
        }
    }

    #[test]
    fn a_signal_ends_no_reading_and_another_error_does() {
        let read = |kind: io::ErrorKind| {
            let mut buffer = [0; 4];
            let length = read_fully(&mut Slowly(vec![Ok(b'b'), Err(kind.into()), Ok(b'a')]), &mut buffer)?;
            Ok::<_, io::Error>(buffer[..length].to_vec())
        };
        assert_eq!(read(io::ErrorKind::Interrupted).unwrap(), b"ab");
        assert_eq!(read(io::ErrorKind::Other).unwrap_err().kind(), io::ErrorKind::Other);
    }

    #[test]
    fn a_file_that_is_not_there_is_no_error() {
        assert!(FileComparison::open(Path::new("/nonexistent/f")).unwrap().is_none());
    }
}
