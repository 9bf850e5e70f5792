//! What the digest of a folder comes to, and why there may be none.

use std::path::PathBuf;

use crate::base::digest::Digest;
use crate::base::fsx::FileError;
use crate::base::limits::{MAX_FOLDER_DEPTH, MAX_FOLDER_ENTRIES};

/// What a folder holds, as far as its digest counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderDigest {
    /// SHA-256 over the rows.
    pub digest: Digest,
    /// How many plain files there are.
    pub files: u64,
    /// How many folders there are below it.
    pub folders: u64,
    /// How many links there are.
    pub links: u64,
    /// How many bytes the files hold together.
    pub bytes: u64,
}

/// Why a folder has no digest.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Something could not be read, or its copy not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// What has no bytes of its own.
    #[error(
        "`{}` is {kind}, which holds no bytes that could be declared; take it out of the folder, or declare the files beside it",
        path.display()
    )]
    Special {
        /// Where it stands.
        path: PathBuf,
        /// What it is, in words.
        kind: &'static str,
    },
    /// A link that leads out of the folder.
    #[error(
        "the link `{}` leads to `{text}`, out of the folder, so that what is read through it would not be counted; declare \
         the folder that holds both, or put a copy in the link's place",
        path.display()
    )]
    LinkLeaves {
        /// Where the link stands.
        path: PathBuf,
        /// What the link holds, as it may be printed.
        text: String,
    },
    /// More than this program counts.
    #[error(
        "`{}` holds more than {MAX_FOLDER_ENTRIES} entries; declare the folders below it that are used",
        path.display()
    )]
    TooMany {
        /// The folder that was to be digested.
        path: PathBuf,
    },
    /// Deeper than this program goes.
    #[error("`{}` lies more than {MAX_FOLDER_DEPTH} folders deep; declare a folder further down", path.display())]
    TooDeep {
        /// The folder where it ended.
        path: PathBuf,
    },
}
