//! The rows of a merge: those of its parts, in the order of the plan, each with its place there.
//!
//! No file is kept open: a merge may have more parts than a process has descriptors, and all of them are read by turns.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::PathBuf;

use serde::Deserialize;

use super::compose::Composition;
use crate::base::fsx;
use crate::base::limits::MAX_ROW_BYTES;
use crate::bundle::verified::{Bundle, Verified};
use crate::evidence::RowSource;
use crate::record::layout;
use crate::record::outcome::Lane;
use crate::record::row::{ORACLE_ROW_SCHEMA, ROW_SCHEMA};

/// How much of a part is read at a time, in bytes.
const BLOCK_BYTES: usize = 16 * 1024;

/// The rows that a composition has of its parts.
pub(super) struct MergedRows<'m> {
    composition: &'m Composition,
    /// The parts' folders, by place.
    folders: Vec<PathBuf>,
    /// The lanes that they have.
    lanes: Vec<Lane>,
}

impl<'m> MergedRows<'m> {
    pub(super) fn new(composition: &'m Composition, parts: &[&Verified<Bundle>]) -> Self {
        let all = [Lane::Baseline, Lane::Control, Lane::Scenario, Lane::Oracle];
        let has = |lane: &Lane| parts.iter().all(|part| part.entry(layout::rows_of(*lane)).is_some());
        let folders = parts.iter().map(|part| part.folder().to_owned()).collect();
        Self { composition, folders, lanes: all.into_iter().filter(has).collect() }
    }

    /// The lanes that there are.
    pub(super) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    fn path(&self, place: usize, lane: Lane) -> PathBuf {
        self.folders[place].join(layout::rows_of(lane))
    }

    /// The controls, of each profile those of one part. There are two a profile at most.
    fn controls(&self) -> io::Result<Vec<u8>> {
        #[derive(Deserialize)]
        struct OfProfile {
            profile_id: String,
        }
        let profiles: Vec<&str> = self.composition.plan.profiles.iter().map(|profile| profile.id.as_str()).collect();
        let mut lines: Vec<Vec<Vec<u8>>> = vec![Vec::new(); profiles.len()];
        for place in 0..self.folders.len() {
            let wanted: Vec<usize> =
                (0..profiles.len()).filter(|profile| self.composition.controls_of[*profile] == place).collect();
            if wanted.is_empty() {
                continue;
            }
            let mut reader = BufReader::new(fsx::open_regular(&self.path(place, Lane::Control))?);
            let mut line = Vec::new();
            while read_line(&mut reader, &mut line)? {
                let row: OfProfile = serde_json::from_slice(&line)?;
                if let Some(profile) = wanted.iter().find(|profile| profiles[**profile] == row.profile_id) {
                    lines[*profile].push(line.clone());
                }
            }
        }
        let mut all = Vec::new();
        for (seq, line) in (0..).zip(lines.into_iter().flatten()) {
            put_at(&line, ROW_SCHEMA, seq, &mut all)?;
        }
        Ok(all)
    }
}

impl RowSource for MergedRows<'_> {
    fn open(&self, lane: Lane) -> io::Result<Option<Box<dyn BufRead + '_>>> {
        if !self.lanes.contains(&lane) {
            return Ok(None);
        }
        let schema = match lane {
            Lane::Control => return Ok(Some(Box::new(io::Cursor::new(self.controls()?)))),
            Lane::Oracle => ORACLE_ROW_SCHEMA,
            Lane::Baseline | Lane::Scenario => ROW_SCHEMA,
        };
        let cursors = (0..self.folders.len()).map(|place| PartCursor::new(self.path(place, lane))).collect();
        let order = &self.composition.part_of_row;
        let lines = MergedLines { order, cursors, next: 0, schema, row: Vec::new(), out: Vec::new(), given: 0 };
        Ok(Some(Box::new(BufReader::with_capacity(BLOCK_BYTES, lines))))
    }
}

/// One lane, row by row.
struct MergedLines<'m> {
    /// The part of each row, by place.
    order: &'m [usize],
    cursors: Vec<PartCursor>,
    next: usize,
    schema: &'static str,
    row: Vec<u8>,
    /// The row that is being given, and how much of it was.
    out: Vec<u8>,
    given: usize,
}

impl Read for MergedLines<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.out.len() {
            let Some(place) = self.order.get(self.next) else { return Ok(0) };
            if !self.cursors[*place].line(&mut self.row)? {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a part has fewer rows than its share"));
            }
            (self.given, self.next) = (0, self.next + 1);
            self.out.clear();
            put_at(&self.row, self.schema, self.next as u64 - 1, &mut self.out)?;
        }
        let n = buffer.len().min(self.out.len() - self.given);
        buffer[..n].copy_from_slice(&self.out[self.given..self.given + n]);
        self.given += n;
        Ok(n)
    }
}

/// Where the reading of a part is.
struct PartCursor {
    path: PathBuf,
    offset: u64,
    block: Vec<u8>,
    taken: usize,
}

impl PartCursor {
    fn new(path: PathBuf) -> Self {
        Self { path, offset: 0, block: Vec::new(), taken: 0 }
    }

    /// The next line, with its newline. False: there is none.
    fn line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        line.clear();
        loop {
            let rest = &self.block[self.taken..];
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                line.extend_from_slice(&rest[..=end]);
                self.taken += end + 1;
                return Ok(true);
            }
            line.extend_from_slice(rest);
            if line.len() > MAX_ROW_BYTES {
                return Err(io::Error::other("a row of a part is too long"));
            }
            self.taken = self.block.len();
            if !self.refill()? {
                return if line.is_empty() {
                    Ok(false)
                } else {
                    Err(io::Error::other("a part's last row does not end"))
                };
            }
        }
    }

    fn refill(&mut self) -> io::Result<bool> {
        let mut file: File = fsx::open_regular(&self.path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        self.block.clear();
        self.taken = 0;
        file.take(BLOCK_BYTES as u64).read_to_end(&mut self.block)?;
        self.offset += self.block.len() as u64;
        Ok(!self.block.is_empty())
    }
}

/// Reads a line with its newline. False: there is none.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    reader.take(MAX_ROW_BYTES as u64 + 2).read_until(b'\n', line)?;
    match line.last() {
        None => Ok(false),
        Some(b'\n') => Ok(true),
        Some(_) => Err(io::Error::other("a row of a part is too long, or does not end")),
    }
}

/// The row with another place; all other bytes stay. Rows begin with their format and their place, as this program writes them.
fn put_at(row: &[u8], schema: &str, seq: u64, out: &mut Vec<u8>) -> io::Result<()> {
    let head = format!("{{\"schema_version\":\"{schema}\",\"seq\":");
    let rest = row
        .strip_prefix(head.as_bytes())
        .ok_or_else(|| io::Error::other("a row of a part does not begin with its format and place"))?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(seq.to_string().as_bytes());
    out.extend_from_slice(&rest[digits..]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_gets_another_place_and_keeps_every_other_byte() {
        let row = b"{\"schema_version\":\"sandproof.probe_row.v1\",\"seq\":12,\"x\":1.50,\"seq2\":12}\n";
        let mut out = Vec::new();
        put_at(row, ROW_SCHEMA, 7, &mut out).unwrap();
        assert_eq!(out, b"{\"schema_version\":\"sandproof.probe_row.v1\",\"seq\":7,\"x\":1.50,\"seq2\":12}\n");
        for bad in [&b"{\"seq\":12}\n"[..], b"{ \"schema_version\":\"sandproof.probe_row.v1\",\"seq\":1}\n", b""] {
            assert!(put_at(bad, ROW_SCHEMA, 7, &mut Vec::new()).is_err());
        }
        assert!(put_at(row, ORACLE_ROW_SCHEMA, 7, &mut Vec::new()).is_err());
    }

    #[test]
    fn lines_are_read_whole_wherever_a_block_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows");
        let long = "x".repeat(BLOCK_BYTES);
        std::fs::write(&path, format!("a\n{long}\nb\n")).unwrap();
        let mut cursor = PartCursor::new(path.clone());
        let mut line = Vec::new();
        let mut all = Vec::new();
        while cursor.line(&mut line).unwrap() {
            all.push(line.len());
        }
        assert_eq!(all, [2, BLOCK_BYTES + 1, 2]);
        std::fs::write(&path, "a\nb").unwrap();
        let mut cursor = PartCursor::new(path);
        assert!(cursor.line(&mut line).unwrap());
        assert!(cursor.line(&mut line).is_err());
    }
}
