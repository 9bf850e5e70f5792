//! Artifacts while they are written: a buffer before each sink, and the frame that most documents share.

use std::io::{self, Write};

use serde::Serialize;

use super::ArtifactSink;
use super::error::DeriveError;
use crate::base::json_out::{ArrayOut, ObjectOut};

/// How much is gathered before it goes to the sink, in bytes.
const SPILL_BYTES: usize = 64 * 1024;

/// One artifact that is being written.
pub(super) struct ArtifactWriter<O> {
    name: &'static str,
    out: O,
    buffer: Vec<u8>,
}

impl<O: Write> ArtifactWriter<O> {
    pub(super) fn create<S: ArtifactSink<Out = O>>(sink: &mut S, name: &'static str) -> Result<Self, DeriveError> {
        let out = sink.create(name).map_err(|source| DeriveError::Write { artifact: name, source })?;
        Ok(Self { name, out, buffer: Vec::with_capacity(SPILL_BYTES + 16 * 1024) })
    }

    /// Lets `f` append to the artifact.
    pub(super) fn put<T>(&mut self, f: impl FnOnce(&mut Vec<u8>) -> io::Result<T>) -> Result<T, DeriveError> {
        f(&mut self.buffer)
            .and_then(|value| {
                if self.buffer.len() >= SPILL_BYTES {
                    self.spill()?;
                }
                Ok(value)
            })
            .map_err(|source| DeriveError::Write { artifact: self.name, source })
    }

    fn spill(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    pub(super) fn finish<S: ArtifactSink<Out = O>>(mut self, sink: &mut S) -> Result<(), DeriveError> {
        let artifact = self.name;
        self.spill()
            .and_then(|()| sink.finish(artifact, self.out))
            .map_err(|source| DeriveError::Write { artifact, source })
    }
}

/// Writes a whole small artifact.
pub(super) fn whole<S: ArtifactSink>(sink: &mut S, name: &'static str, bytes: &[u8]) -> Result<(), DeriveError> {
    let mut artifact = ArtifactWriter::create(sink, name)?;
    artifact.put(|out| out.write_all(bytes))?;
    artifact.finish(sink)
}

/// A document of a few leading members and one long list.
pub(super) struct ListDocument<O> {
    artifact: ArtifactWriter<O>,
    object: ObjectOut,
    list: ArrayOut,
}

impl<O: Write> ListDocument<O> {
    pub(super) fn create<S: ArtifactSink<Out = O>>(
        sink: &mut S,
        name: &'static str,
        head: &[(&str, &str)],
        list: &str,
    ) -> Result<Self, DeriveError> {
        let mut artifact = ArtifactWriter::create(sink, name)?;
        let (object, list) = artifact.put(|out| {
            let mut object = ObjectOut::open(out, 0);
            for (key, value) in head {
                object.member(out, key, value)?;
            }
            object.key(out, list);
            let list = ArrayOut::open(out, object.value_level());
            Ok((object, list))
        })?;
        Ok(Self { artifact, object, list })
    }

    pub(super) fn push<T: Serialize>(&mut self, element: &T) -> Result<(), DeriveError> {
        let list = &mut self.list;
        self.artifact.put(|out| list.push(out, element))
    }

    /// Closes the list, lets `tail` add members, and closes the document.
    pub(super) fn finish<S: ArtifactSink<Out = O>>(
        self,
        sink: &mut S,
        tail: impl FnOnce(&mut ObjectOut, &mut Vec<u8>) -> io::Result<()>,
    ) -> Result<(), DeriveError> {
        let Self { mut artifact, mut object, list } = self;
        artifact.put(|out| {
            list.close(out);
            tail(&mut object, out)?;
            object.close(out);
            Ok(())
        })?;
        artifact.finish(sink)
    }
}

/// A document that is one long list.
pub(super) struct ArrayDocument<O> {
    artifact: ArtifactWriter<O>,
    list: ArrayOut,
}

impl<O: Write> ArrayDocument<O> {
    pub(super) fn create<S: ArtifactSink<Out = O>>(sink: &mut S, name: &'static str) -> Result<Self, DeriveError> {
        let mut artifact = ArtifactWriter::create(sink, name)?;
        let list = artifact.put(|out| Ok(ArrayOut::open(out, 0)))?;
        Ok(Self { artifact, list })
    }

    pub(super) fn push<T: Serialize>(&mut self, element: &T) -> Result<(), DeriveError> {
        let list = &mut self.list;
        self.artifact.put(|out| list.push(out, element))
    }

    pub(super) fn finish<S: ArtifactSink<Out = O>>(self, sink: &mut S) -> Result<(), DeriveError> {
        let Self { mut artifact, list } = self;
        artifact.put(|out| {
            list.close(out);
            Ok(())
        })?;
        artifact.finish(sink)
    }
}

/// A document of profile id to an entry with one long list, as `runtime_results.json` is.
pub(super) struct EntriesDocument<O> {
    artifact: ArtifactWriter<O>,
    object: ObjectOut,
    entry: Option<(ObjectOut, ArrayOut)>,
}

impl<O: Write> EntriesDocument<O> {
    pub(super) fn create<S: ArtifactSink<Out = O>>(sink: &mut S, name: &'static str) -> Result<Self, DeriveError> {
        let mut artifact = ArtifactWriter::create(sink, name)?;
        let object = artifact.put(|out| Ok(ObjectOut::open(out, 0)))?;
        Ok(Self { artifact, object, entry: None })
    }

    /// Starts an entry; `head` writes the members before the list.
    pub(super) fn begin(
        &mut self,
        key: &str,
        head: impl FnOnce(&mut ObjectOut, &mut Vec<u8>) -> io::Result<()>,
        list: &str,
    ) -> Result<(), DeriveError> {
        let object = &mut self.object;
        let entry = self.artifact.put(|out| {
            object.key(out, key);
            let mut entry = ObjectOut::open(out, object.value_level());
            head(&mut entry, out)?;
            entry.key(out, list);
            let list = ArrayOut::open(out, entry.value_level());
            Ok((entry, list))
        })?;
        self.entry = Some(entry);
        Ok(())
    }

    pub(super) fn push<T: Serialize>(&mut self, element: &T) -> Result<(), DeriveError> {
        let (_, list) = self.entry.as_mut().expect("an entry was begun before its rows");
        self.artifact.put(|out| list.push(out, element))
    }

    /// Ends the entry; `tail` writes the members after the list.
    pub(super) fn end(
        &mut self,
        tail: impl FnOnce(&mut ObjectOut, &mut Vec<u8>) -> io::Result<()>,
    ) -> Result<(), DeriveError> {
        let (mut entry, list) = self.entry.take().expect("an entry was begun before it ends");
        self.artifact.put(|out| {
            list.close(out);
            tail(&mut entry, out)?;
            entry.close(out);
            Ok(())
        })
    }

    pub(super) fn finish<S: ArtifactSink<Out = O>>(self, sink: &mut S) -> Result<(), DeriveError> {
        let Self { mut artifact, object, .. } = self;
        artifact.put(|out| {
            object.close(out);
            Ok(())
        })?;
        artifact.finish(sink)
    }
}
