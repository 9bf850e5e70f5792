//! A sealed declaration of another system in a folder of its own, with what it was sealed from.
//!
//! `identity.json` is the sealed declaration, `document.json` the document, `inputs.json` the list of what that names, and
//! `content` holds the bytes, by digest: of small files, of texts, and for what is large a document with its digest. So the
//! identity can be computed again wherever the folder lies. Everything is written once, `identity.json` last.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::base::digest::Digest;
use crate::base::fsx::{self, FileError, IoContext};
use crate::base::json;
use crate::base::json_out;
use crate::base::limits::MAX_INPUT_DOCUMENT_BYTES;
use crate::base::shared_bytes::SharedBytes;
use crate::plan::DocumentSource;
use crate::plan::subject::ResolvedSubject;
use crate::record::identity::Declaration;
use crate::record::layout;
use crate::record::sealed_inputs::{SEALED_INPUTS_SCHEMA, SealedInput, SealedInputs};
use crate::record::sources::InputRole;

/// The sealed declaration.
pub const SEALED_DECLARATION: &str = "identity.json";
/// The document that it was sealed from.
pub const SEALED_DOCUMENT: &str = "document.json";
/// The list of what the document names.
const INPUTS: &str = "inputs.json";
/// The folder of what is kept.
const CONTENT: &str = "content";

/// The file of the sealed declaration in `path`, if that is such a folder.
pub fn declaration_in(path: &Path) -> Option<PathBuf> {
    let file = path.join(SEALED_DECLARATION);
    let is_bundle = [layout::ARTIFACT_INDEX, layout::RUN_IDENTITY].iter().any(|name| path.join(name).exists());
    (path.is_dir() && !is_bundle && file.is_file()).then_some(file)
}

/// Writes a declaration, and what it was sealed from, into the new folder `out`.
///
/// # Errors
/// If there is something at `out`, or it cannot be written.
pub fn write(out: &Path, subject: &ResolvedSubject, declaration: &Declaration) -> Result<(), FileError> {
    make(out)?;
    write_sources(out, subject)?;
    // Without this last file the folder is none.
    let mut sealed = json_out::to_pretty(declaration);
    sealed.push(b'\n');
    fsx::write_once(&out.join(SEALED_DECLARATION), &sealed)?;
    fsx::sync_dir(out)?;
    fsx::sync_dir(fsx::folder_of(out))
}

fn make(folder: &Path) -> Result<(), FileError> {
    fs::DirBuilder::new().mode(0o755).create(folder).at("create the folder", folder)
}

/// Writes what a declaration is sealed from into the folder `out`, which is there: all but the declaration itself.
///
/// # Errors
/// If it cannot be written.
pub fn write_sources(out: &Path, subject: &ResolvedSubject) -> Result<(), FileError> {
    let content = out.join(CONTENT);
    make(&content)?;
    let mut listed = Vec::new();
    let keep = |bytes: &[u8], digest: Digest| {
        let path = content.join(digest.to_string());
        if path.exists() { Ok(()) } else { fsx::write_once(&path, bytes) }
    };
    for document in &subject.documents {
        let held = document.bytes.held().ok_or_else(|| io::Error::other("its bytes were let go"));
        let (bytes, sha256) = (&held.at("seal", Path::new(&document.path))?, document.bytes.digest());
        if document.role == InputRole::Subject {
            fsx::write_once(&out.join(SEALED_DOCUMENT), bytes)?;
            continue;
        }
        keep(bytes, sha256)?;
        let (role, path, size) = (document.role, document.path.clone(), bytes.len() as u64);
        listed.push(SealedInput { role, path, size, sha256 });
    }
    for (digest, text) in &subject.texts {
        keep(text.as_bytes(), *digest)?;
    }
    let inputs = SealedInputs { schema_version: SEALED_INPUTS_SCHEMA.to_owned(), documents: listed };
    fsx::write_once(&out.join(INPUTS), &json_out::to_pretty(&inputs))?;
    fsx::sync_dir(&content)?;
    fsx::sync_dir(out)
}

/// What a sealed declaration was sealed from, out of its folder.
#[derive(Debug, Clone)]
pub struct SealedFolder {
    folder: PathBuf,
    kept: HashMap<(InputRole, String), SealedInput>,
}

impl SealedFolder {
    /// Opens the folder; `None` if it holds a sealed declaration alone.
    ///
    /// # Errors
    /// If what it holds cannot be read.
    pub fn open(folder: &Path) -> Result<Option<Self>, FileError> {
        let list = folder.join(INPUTS);
        if !folder.join(SEALED_DOCUMENT).exists() && !list.exists() {
            return Ok(None);
        }
        let bytes = fsx::read_regular(&list, MAX_INPUT_DOCUMENT_BYTES)?;
        let failed = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
        let inputs = json::parse(&bytes)
            .map_err(|error| failed(error.to_string()))
            .and_then(|value| json::from_value::<SealedInputs>(value).map_err(|error| failed(error.to_string())))
            .and_then(|inputs| match inputs.schema_version.as_str() {
                SEALED_INPUTS_SCHEMA => Ok(inputs),
                other => Err(failed(format!("its format is `{other}`, and not `{SEALED_INPUTS_SCHEMA}`"))),
            })
            .at("read", &list)?;
        let kept = inputs.documents.into_iter().map(|input| ((input.role, input.path.clone()), input)).collect();
        Ok(Some(Self { folder: folder.to_owned(), kept }))
    }

    /// The bytes with this digest, if they are kept and are no more than `cap_bytes`.
    pub fn content(folder: &Path, digest: &Digest, cap_bytes: u64) -> Option<Vec<u8>> {
        let path = folder.join(CONTENT).join(digest.to_string());
        fsx::read_regular(&path, cap_bytes).ok().filter(|bytes| Digest::of(bytes) == *digest)
    }
}

impl DocumentSource for SealedFolder {
    fn read(&self, role: InputRole, path: &str, cap_bytes: u64) -> Result<SharedBytes, FileError> {
        if role == InputRole::Subject {
            return fsx::read_regular(&self.folder.join(SEALED_DOCUMENT), cap_bytes).map(SharedBytes::from);
        }
        let failed = |kind, reason: &str| FileError {
            action: "read",
            path: PathBuf::from(path),
            source: io::Error::new(kind, reason.to_owned()),
        };
        let kept = self.kept.get(&(role, path.to_owned()));
        let kept = kept.ok_or_else(|| failed(io::ErrorKind::NotFound, "the sealed folder does not list it"))?;
        let bytes = fsx::read_regular(&self.folder.join(CONTENT).join(kept.sha256.to_string()), cap_bytes)?;
        if bytes.len() as u64 != kept.size || Digest::of(&bytes) != kept.sha256 {
            return Err(failed(
                io::ErrorKind::InvalidData,
                "what is kept of it has another size or digest than is listed",
            ));
        }
        Ok(bytes.into())
    }

    fn has(&self, role: InputRole, path: &str) -> bool {
        role == InputRole::Subject || self.kept.contains_key(&(role, path.to_owned()))
    }

    fn has_digest_alone(&self, path: &str) -> bool {
        self.has(InputRole::SubjectDigest, path)
    }
}
