//! The rows that a folder's digest is made of.

use std::collections::BTreeMap;

use crate::base::digest::{Digest, Hasher};

/// What the digested bytes begin with. 1: first release.
pub(super) const FORMAT: &str = "sandproof.folder.v1\n";

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DigestedEntry {
    /// A folder, empty or not.
    Folder,
    /// A plain file.
    File {
        /// Whether anybody may execute it (a bit of 0111).
        executable: bool,
        /// How many bytes were read.
        size: u64,
        /// SHA-256 of those bytes.
        digest: Digest,
    },
    /// A symbolic link.
    Link {
        /// What it holds.
        text: Vec<u8>,
    },
}

/// Adds the row of one entry: each field as its length in decimal, a colon, its bytes and a comma, so that no name can look
/// like the end of a field. `path` is relative to the folder, with `/` between its parts.
fn add(hasher: &mut Hasher, path: &[u8], entry: &DigestedEntry) {
    let (kind, mark, size, content) = match entry {
        DigestedEntry::Folder => ("folder", "-", 0, Vec::new()),
        DigestedEntry::File { executable, size, digest } => {
            ("file", if *executable { "x" } else { "-" }, *size, digest.to_string().into_bytes())
        }
        DigestedEntry::Link { text } => ("link", "-", text.len() as u64, text.clone()),
    };
    for field in [kind.as_bytes(), path, mark.as_bytes(), size.to_string().as_bytes(), &content] {
        hasher.update(format!("{}:", field.len()).as_bytes());
        hasher.update(field);
        hasher.update(b",");
    }
}

/// The digest of a folder that holds these entries, by path.
pub fn digest_of_rows(entries: &BTreeMap<Vec<u8>, DigestedEntry>) -> Digest {
    let mut hasher = Hasher::default();
    hasher.update(FORMAT.as_bytes());
    entries.iter().for_each(|(path, entry)| add(&mut hasher, path, entry));
    hasher.finish().0
}
