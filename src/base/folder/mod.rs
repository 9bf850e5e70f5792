//! The digest of a folder: of everything in it, so that two folders with one digest cannot be told apart by what they hold.
//!
//! Each entry below the folder is a row of five fields: kind, path, `x` or `-`, size, and digest or text (see [`row`]). Rows
//! stand in the order of the bytes of their paths, behind a line that names the format, and the digest is SHA-256 over all.
//! Nothing is skipped: empty folders, hidden files and caches count, and so does whether a file may be executed. Of a link the
//! text counts, which has to lead to a place within the folder. What holds no bytes of its own (a FIFO, a socket, a device) is
//! refused. Owners, times, other permissions, extended attributes and which names share an inode do not count. SPEC.md 8.6
//! states the same.

mod answer;
mod links;
mod row;
mod walk;

pub use answer::{FolderDigest, FolderError};
pub use links::LeavingLinks;
pub use row::{DigestedEntry, digest_of_rows};
pub use walk::{FolderSink, NoCopy, digest_file, digest_opened, folder_digest, folder_rows};

#[cfg(test)]
mod tests;
