//! `folders.json` beside a sealed command's declaration: what is in each declared folder, so that a reader can say which file of
//! two folders differs. Its digests are those of the declaration, so it adds nothing to an identity.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::digest::Digest;
use crate::base::folder::{DigestedEntry, digest_of_rows};
use crate::base::json::present;

/// Format of the list. 1: first release.
pub const SEALED_FOLDERS_SCHEMA: &str = "sandproof.sealed_folders.v1";

/// `folders.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedFolders {
    /// The document's format: always [`SEALED_FOLDERS_SCHEMA`].
    pub schema_version: String,
    /// The declared folders, in the order of their pointers.
    pub folders: Vec<ListedFolder>,
}

/// A declared folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedFolder {
    /// JSON pointer into the declaration, to the member that holds the folder's digest.
    pub pointer: String,
    /// That digest, which is the one of these entries.
    pub folder: Digest,
    /// What is below it, in the order of the bytes of their paths.
    pub entries: Vec<ListedEntry>,
}

/// An entry of a folder. A folder has neither `file` nor `link`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedEntry {
    /// Its path below the folder, as a text; bytes that are no text as `%` and two hexadecimal digits each, and so is `%`.
    pub path: String,
    /// Of a file: its bytes. Absent: it is none.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub file: Option<ListedFile>,
    /// Of a link: its text, written like a path. Absent: it is none.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub link: Option<String>,
}

/// A file of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedFile {
    /// SHA-256 of its bytes.
    pub sha256: Digest,
    /// How many bytes it has.
    pub bytes: u64,
    /// Whether anybody may execute it.
    pub executable: bool,
}

impl ListedFolder {
    /// The list of these entries.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "commands are sealed on Linux alone"))]
    pub fn of(pointer: String, entries: &BTreeMap<Vec<u8>, DigestedEntry>) -> Self {
        let listed = entries.iter().map(|(path, entry)| {
            let path = spelled(path);
            match entry {
                DigestedEntry::Folder => ListedEntry { path, file: None, link: None },
                DigestedEntry::File { executable, size, digest } => {
                    let file = ListedFile { sha256: *digest, bytes: *size, executable: *executable };
                    ListedEntry { path, file: Some(file), link: None }
                }
                DigestedEntry::Link { text } => ListedEntry { path, file: None, link: Some(spelled(text)) },
            }
        });
        Self { pointer, folder: digest_of_rows(entries), entries: listed.collect() }
    }

    /// The entries by path, if it is a list of a folder with the digest that it says.
    pub fn rows(&self) -> Option<BTreeMap<Vec<u8>, DigestedEntry>> {
        let mut rows = BTreeMap::new();
        for one in &self.entries {
            let entry = match (&one.file, &one.link) {
                (None, None) => DigestedEntry::Folder,
                (Some(file), None) => {
                    DigestedEntry::File { executable: file.executable, size: file.bytes, digest: file.sha256 }
                }
                (None, Some(text)) => DigestedEntry::Link { text: bytes_of(text)? },
                (Some(_), Some(_)) => return None,
            };
            rows.insert(bytes_of(&one.path)?, entry);
        }
        (rows.len() == self.entries.len() && digest_of_rows(&rows) == self.folder).then_some(rows)
    }
}

/// Bytes as a text that gives them back.
pub fn spelled(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(&chunk.valid().replace('%', "%25"));
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("%{byte:02x}")));
    }
    text
}

/// The bytes of such a text.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = more;
            continue;
        }
        let digits = std::str::from_utf8(more.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &more[2..];
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_gives_its_folder_back_and_no_other() {
        let file = DigestedEntry::File { executable: true, size: 3, digest: Digest::of(b"abc") };
        let rows = BTreeMap::from([
            (b"a".to_vec(), DigestedEntry::Folder),
            (b"a/50%\xff".to_vec(), file),
            (b"l".to_vec(), DigestedEntry::Link { text: b"a/\xfe".to_vec() }),
        ]);
        let listed = ListedFolder::of("/x".to_owned(), &rows);
        assert_eq!(listed.entries[1].path, "a/50%25%ff");
        assert_eq!(listed.rows(), Some(rows));
        let text = serde_json::to_vec(&listed).unwrap();
        assert_eq!(crate::base::json::typed::<ListedFolder>(&text).unwrap(), listed);
        let mut other = listed.clone();
        other.entries[1].file.as_mut().unwrap().executable = false;
        assert_eq!(other.rows(), None);
        let mut twice = listed;
        twice.entries.push(twice.entries[0].clone());
        assert_eq!(twice.rows(), None);
    }
}
