//! From bytes to typed shapes: strict JSON, then the schema, then the shape.

use std::io;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::diagnostic::{Diagnostic, DiagnosticKind, Diagnostics};
use super::error::LoadError;
use super::schema::DocumentKind;
use super::source::DocumentSource;
use super::subject::NamedPath;
use crate::base::fsx::FileError;
use crate::base::json;
use crate::base::limits::{MAX_INPUT_DOCUMENT_BYTES, MAX_POLICY_BYTES};
use crate::base::shared_bytes::{DocumentBytes, SharedBytes};
use crate::base::threads;
use crate::record::sources::InputRole;
use crate::record::subject_digest::{GivenNamedDigest, NamedDigest, NamedThing, SUBJECT_DIGEST_SCHEMA};

/// A document as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct InputDocument {
    /// What it is for.
    pub role: InputRole,
    /// Its path as it is referred to: relative to the root where it lies under it, else as spelled.
    pub path: String,
    /// The document's bytes, exactly as they were read.
    pub bytes: DocumentBytes,
}

/// What a declaration names.
pub(super) enum NamedContent {
    /// A file's bytes.
    Bytes(SharedBytes),
    /// The digest of a folder, or of a file that is too large to be carried.
    Digest(NamedDigest),
}

/// Reads documents from a source and keeps each one once, in the order of reading.
pub(super) struct DocumentReader<'a> {
    source: &'a dyn DocumentSource,
    pub(super) documents: Vec<InputDocument>,
}

impl<'a> DocumentReader<'a> {
    pub(super) fn new(source: &'a dyn DocumentSource) -> Self {
        Self { source, documents: Vec::new() }
    }

    pub(super) fn source(&self) -> &'a dyn DocumentSource {
        self.source
    }

    fn known(&self, role: InputRole, path: &str) -> Option<SharedBytes> {
        self.documents
            .iter()
            .find(|known| known.role == role && known.path == path)
            .and_then(|known| known.bytes.held())
    }

    fn add(&mut self, role: InputRole, path: String, bytes: &SharedBytes) {
        self.documents.push(InputDocument { role, path, bytes: bytes.clone().into() });
    }

    /// The bytes of a document; the same bytes however often they are asked for.
    pub(super) fn bytes(&mut self, role: InputRole, path: &str, cap_bytes: u64) -> Result<SharedBytes, FileError> {
        if let Some(known) = self.known(role, path) {
            return Ok(known);
        }
        let bytes = self.source.read(role, path, cap_bytes)?;
        self.add(role, path.to_owned(), &bytes);
        Ok(bytes)
    }

    /// The same for a file that another document names by a path relative to its own folder, and that must not lead out
    /// of it.
    pub(super) fn bytes_beneath(
        &mut self,
        role: InputRole,
        folder: &str,
        relative: &str,
        cap_bytes: u64,
    ) -> Result<SharedBytes, FileError> {
        let path = if folder.is_empty() { relative.to_owned() } else { format!("{folder}/{relative}") };
        if let Some(known) = self.known(role, &path) {
            return Ok(known);
        }
        let bytes = self.source.read_beneath(role, folder, relative, cap_bytes)?;
        self.add(role, path, &bytes);
        Ok(bytes)
    }

    /// What a declaration in `folder` names: the bytes of a small file, the digest of a large one. A folder is always known by
    /// its digest.
    pub(super) fn named(
        &mut self,
        kind: NamedThing,
        folder: &str,
        named: &NamedPath,
        cap_bytes: u64,
    ) -> Result<NamedContent, FileError> {
        let path = named.referred(folder);
        let carried = kind == NamedThing::File && !self.source.has_digest_alone(&path);
        if carried {
            if let Some(known) = self.known(InputRole::SubjectFile, &path) {
                return Ok(NamedContent::Bytes(known));
            }
            match self.source.read_named(InputRole::SubjectFile, folder, named, cap_bytes) {
                Ok(bytes) => {
                    self.add(InputRole::SubjectFile, path, &bytes);
                    return Ok(NamedContent::Bytes(bytes));
                }
                Err(error) if error.source.kind() == io::ErrorKind::FileTooLarge => {}
                Err(error) => return Err(error),
            }
        }
        let bytes = match self.known(InputRole::SubjectDigest, &path) {
            Some(known) => known,
            None => {
                let bytes = self.source.read_named(InputRole::SubjectDigest, folder, named, MAX_POLICY_BYTES)?;
                self.add(InputRole::SubjectDigest, path.clone(), &bytes);
                bytes
            }
        };
        let failed = |reason: String| FileError {
            action: "read",
            path: PathBuf::from(&path),
            source: io::Error::new(io::ErrorKind::InvalidData, reason),
        };
        let found: GivenNamedDigest = json::typed(&bytes).map_err(|error| failed(error.to_string()))?;
        if found.schema_version != SUBJECT_DIGEST_SCHEMA {
            return Err(failed(format!("its digest is not in the format `{SUBJECT_DIGEST_SCHEMA}`")));
        }
        if found.kind != kind {
            return Err(failed(format!("it is a {}, and not a {}", found.kind.as_str(), kind.as_str())));
        }
        Ok(NamedContent::Digest(NamedDigest::new(found.kind, found.size, found.sha256)))
    }

    /// A whole document in its typed shape.
    pub(super) fn typed<T: DeserializeOwned>(
        &mut self,
        kind: DocumentKind,
        role: InputRole,
        path: &str,
    ) -> Result<T, LoadError> {
        let bytes = self.document(kind, role, path)?;
        typed(checked(kind, path, &bytes)?, path, "")
    }

    /// What `go_on` makes of a whole document in its typed shape.
    ///
    /// While it works on a large one, another thread looks whether that is good JSON that satisfies its schema, which has to ask
    /// nothing of the members of `long` together. What it gives is returned only if so; else it is dropped, and the
    /// document refused.
    pub(super) fn typed_for<T: DeserializeOwned, M>(
        &mut self,
        kind: DocumentKind,
        role: InputRole,
        path: &str,
        long: &str,
        go_on: impl FnOnce(&mut Self, T) -> Result<M, LoadError>,
    ) -> Result<M, LoadError> {
        /// Below that, a thread costs more than it saves.
        const LARGE_BYTES: usize = 128 * 1024;
        let bytes = self.document(kind, role, path)?;
        if bytes.len() < LARGE_BYTES {
            return go_on(self, typed(checked(kind, path, &bytes)?, path, "")?);
        }
        let check = || match json::is_good_in_pieces(&bytes, long, |value| kind.accepts(value)) {
            true => Ok(()),
            false => checked(kind, path, &bytes).map(drop),
        };
        let mut go_on = Some(go_on);
        let (good, made) = threads::both(check, || {
            let document = json::typed::<T>(&bytes).ok()?;
            go_on.take().map(|go_on| go_on(self, document))
        });
        good?;
        match (made, go_on) {
            (Some(made), _) => made,
            // The slower way says why.
            (None, Some(go_on)) => go_on(self, typed(checked(kind, path, &bytes)?, path, "")?),
            (None, None) => unreachable!("what was taken has made something"),
        }
    }

    /// The bytes of a whole document.
    fn document(&mut self, kind: DocumentKind, role: InputRole, path: &str) -> Result<SharedBytes, LoadError> {
        let what = kind.what();
        self.bytes(role, path, MAX_INPUT_DOCUMENT_BYTES).map_err(|source| LoadError::Read {
            what,
            file: path.to_owned(),
            source,
        })
    }
}

/// A document as JSON that satisfies its schema.
fn checked(kind: DocumentKind, path: &str, bytes: &[u8]) -> Result<Value, LoadError> {
    let value =
        json::parse(bytes).map_err(|source| LoadError::Json { what: kind.what(), file: path.to_owned(), source })?;
    let mut notes = Vec::new();
    if !kind.check(&value, &mut Diagnostics { list: &mut notes, file: path, subject: "" }) {
        return Err(refused(notes).located_within(path, &bytes.to_vec().into()));
    }
    Ok(value)
}

/// A value in its typed shape. Past the schema, only what a schema cannot say is refused here (an id that is too long
/// in bytes, `1.0` where an integer is needed).
pub(super) fn typed<T: DeserializeOwned>(value: Value, path: &str, pointer: &str) -> Result<T, LoadError> {
    json::from_value(value).map_err(|error| {
        let mut notes = Vec::new();
        Diagnostics { list: &mut notes, file: path, subject: "" }.error(
            DiagnosticKind::BadValue,
            pointer,
            // The texts within are shortened where they arise; this only bounds a message of serde's own.
            error.to_string().chars().take(400).collect::<String>(),
            "correct the value",
        );
        refused(notes)
    })
}

/// The error of these findings.
pub(super) fn refused(mut notes: Vec<Diagnostic>) -> LoadError {
    super::diagnostic::tidy(&mut notes);
    LoadError::Refused { notes }
}
