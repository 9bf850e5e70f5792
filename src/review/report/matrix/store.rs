//! Cells on their way from the order in which bundles hold them to the order of questions: in a private file, so that memory
//! holds their places alone.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::json_out;

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StoredPlace {
    from: u64,
    bytes: u32,
}

/// Records that are written once and read afterwards, in any order.
#[derive(Debug)]
pub(super) struct CellWriter {
    file: BufWriter<File>,
    end: u64,
    record: Vec<u8>,
}

impl CellWriter {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { file: BufWriter::with_capacity(256 * 1024, tempfile::tempfile()?), end: 0, record: Vec::new() })
    }

    pub(super) fn put<T: Serialize>(&mut self, record: &T) -> io::Result<StoredPlace> {
        self.record.clear();
        json_out::append_compact(&mut self.record, record)?;
        self.file.write_all(&self.record)?;
        let bytes = u32::try_from(self.record.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let place = StoredPlace { from: self.end, bytes };
        self.end += u64::from(bytes);
        Ok(place)
    }

    pub(super) fn finish(self) -> io::Result<StoredCells> {
        Ok(StoredCells { file: self.file.into_inner().map_err(io::IntoInnerError::into_error)? })
    }
}

/// The same, complete.
#[derive(Debug)]
pub(super) struct StoredCells {
    file: File,
}

impl StoredCells {
    pub(super) fn get<T: DeserializeOwned>(&self, place: StoredPlace) -> io::Result<T> {
        let mut record = vec![0; place.bytes as usize];
        self.file.read_exact_at(&mut record, place.from)?;
        serde_json::from_slice(&record).map_err(io::Error::from)
    }
}
