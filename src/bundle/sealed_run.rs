//! What `identity seal` left behind: a declaration, how the command ended, and what it wrote. It is read only as far as its digests
//! hold.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::sealed_folder::{SEALED_DECLARATION, declaration_in};
use crate::base::digest::Digest;
use crate::base::folder::{DigestedEntry, folder_rows};
use crate::base::fsx::{self, FileError, IoContext};
use crate::base::json;
use crate::base::limits::MAX_INPUT_DOCUMENT_BYTES;
use crate::identity::check;
use crate::identity::external::ADDED_BY_SEALING;
use crate::record::identity::Declaration;
use crate::record::sealed_folders::{SEALED_FOLDERS_SCHEMA, SealedFolders, spelled};
use crate::record::system_ending::{OutputDigest, SYSTEM_ENDING_SCHEMA, SystemEnding};

/// How the command ended.
pub const ENDING: &str = "ending.json";
/// What is in each declared folder.
pub const FOLDERS: &str = "folders.json";
/// What the command left in `/out`.
const OUTPUTS: &str = "outputs";
/// Largest declaration that is read, in bytes.
const MAX_DECLARATION_BYTES: u64 = 64 * 1024 * 1024;

/// Why the folder of a sealed command cannot be relied on.
#[derive(Debug, thiserror::Error)]
pub enum SealedRunError {
    /// Something in it could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file of it is not what it has to be.
    #[error("`{file}`: {reason}")]
    Document {
        /// The file's name in the folder.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It has no ending.
    #[error("it has no ending.json: the command is still running, or whoever sealed it was ended")]
    Unfinished,
}

/// A sealed command that came to its end. Its declaration, its ending and its outputs hold together.
#[derive(Debug, Clone)]
pub struct SealedRun {
    /// Where it lies.
    pub folder: PathBuf,
    /// What was declared.
    pub declaration: Declaration,
    /// How it ended.
    pub ending: SystemEnding,
    /// What came of it, by name: `exit`, `stdout`, `stderr`, and `out/PATH` for each thing that it left in `/out`; `out` alone if what it
    /// left there could not be taken.
    pub outputs: BTreeMap<String, Value>,
}

/// Whether a folder is that of a sealed command, ended or not. (One that `identity declare --out` wrote has no command.)
pub fn is_sealed_run(folder: &Path) -> bool {
    let Some(file) = declaration_in(folder) else { return false };
    folder.join(ENDING).is_file()
        || read::<Declaration>(&file, MAX_DECLARATION_BYTES)
            .is_ok_and(|declaration| declaration.artifact.contains_key(ADDED_BY_SEALING))
}

impl SealedRun {
    /// Reads the folder, and holds everything in it to its digests.
    ///
    /// # Errors
    /// What is missing, or is not what it has to be.
    pub fn open(folder: &Path) -> Result<Self, SealedRunError> {
        let wrong = |file: &str, reason: String| SealedRunError::Document { file: file.to_owned(), reason };
        let declaration: Declaration = read(&folder.join(SEALED_DECLARATION), MAX_DECLARATION_BYTES)?;
        if let Some(flaw) = check(&declaration).first() {
            return Err(wrong(SEALED_DECLARATION, format!("`{}`: {flaw}", flaw.pointer())));
        }
        if !folder.join(ENDING).exists() {
            return Err(SealedRunError::Unfinished);
        }
        let ending: SystemEnding = read(&folder.join(ENDING), MAX_INPUT_DOCUMENT_BYTES)?;
        if ending.schema_version != SYSTEM_ENDING_SCHEMA {
            return Err(wrong(
                ENDING,
                format!("its format is `{}`, and not `{SYSTEM_ENDING_SCHEMA}`", ending.schema_version),
            ));
        }
        if ending.identity != declaration.identity {
            let reason = format!(
                "it is of the identity {}; the declaration beside it has {}",
                ending.identity, declaration.identity
            );
            return Err(wrong(ENDING, reason));
        }
        let outputs = outputs(folder, &ending)?;
        Ok(Self { folder: folder.to_owned(), declaration, ending, outputs })
    }

    /// The bytes of an output, if it is a file of at most `cap_bytes`.
    pub fn content(&self, output: &str, cap_bytes: u64) -> Option<Vec<u8>> {
        let value = self.outputs.get(output)?;
        let digest = value.get("digest")?.as_str()?.strip_prefix("sha256:")?.parse().ok()?;
        let path = match output.strip_prefix("out/") {
            Some(inside) => self.folder.join(OUTPUTS).join(inside),
            None => self.folder.join(output),
        };
        // What was changed since it was read is not shown.
        fsx::read_regular(&path, cap_bytes).ok().filter(|bytes| Digest::of(bytes) == digest)
    }
}

/// The list of what is in declared folders, by the pointer of their digests; empty where there is none. What is not a list of the
/// folder that it says is left out.
pub fn listed_folders(folder: &Path) -> BTreeMap<String, BTreeMap<Vec<u8>, DigestedEntry>> {
    let read: Result<SealedFolders, _> = read(&folder.join(FOLDERS), MAX_DECLARATION_BYTES);
    let Some(list) = read.ok().filter(|list| list.schema_version == SEALED_FOLDERS_SCHEMA) else {
        return BTreeMap::new();
    };
    list.folders.into_iter().filter_map(|one| Some((one.pointer.clone(), one.rows()?))).collect()
}

fn read<T: DeserializeOwned>(path: &Path, cap_bytes: u64) -> Result<T, SealedRunError> {
    let bytes = fsx::read_regular(path, cap_bytes)?;
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let wrong = |reason: String| SealedRunError::Document { file: file.clone(), reason };
    let value = json::parse(&bytes).map_err(|error| wrong(error.to_string()))?;
    json::from_value(value).map_err(|error| wrong(error.to_string()))
}

fn outputs(folder: &Path, ending: &SystemEnding) -> Result<BTreeMap<String, Value>, SealedRunError> {
    let mut found =
        BTreeMap::from([("exit".to_owned(), json!({"code": ending.exit.code, "signal": ending.exit.signal}))]);
    for (name, said) in [("stdout", ending.outputs.stdout), ("stderr", ending.outputs.stderr)] {
        let path = folder.join(name);
        let (sha256, bytes) = fsx::open_regular(&path).and_then(Digest::of_reader).at("read", &path)?;
        if (OutputDigest { sha256, bytes }) != said {
            let reason = format!("its bytes are others than {ENDING} says ({bytes} with the digest {sha256})");
            return Err(SealedRunError::Document { file: name.to_owned(), reason });
        }
        found.insert(name.to_owned(), of_file(sha256, bytes, false));
    }
    let Some(said) = &ending.outputs.out else { return Ok(found) };
    let Some(digest) = said.folder else {
        found.insert("out".to_owned(), json!({"refused": said.refused}));
        return Ok(found);
    };
    let wrong = |reason: String| SealedRunError::Document { file: OUTPUTS.to_owned(), reason };
    let (is, rows) = folder_rows(&folder.join(OUTPUTS)).map_err(|error| wrong(error.to_string()))?;
    if is.digest != digest {
        return Err(wrong(format!("it is another folder than {ENDING} says (its digest is {})", is.digest)));
    }
    for (path, entry) in rows {
        let value = match entry {
            DigestedEntry::Folder => json!("folder"),
            DigestedEntry::File { executable, size, digest } => of_file(digest, size, executable),
            DigestedEntry::Link { text } => json!({"link": spelled(&text)}),
        };
        found.insert(format!("out/{}", spelled(&path)), value);
    }
    Ok(found)
}

fn of_file(digest: Digest, bytes: u64, executable: bool) -> Value {
    let mut value = json!({"digest": format!("sha256:{digest}"), "bytes": bytes});
    if executable {
        value["executable"] = json!(true);
    }
    value
}
