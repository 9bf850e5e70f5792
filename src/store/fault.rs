//! Why a bundle could not be brought to a store, or back.

use std::error::Error;
use std::path::PathBuf;

use crate::base::fsx::FileError;
use crate::bundle::BundleRefused;
use crate::record::transfer::TransferProblem;

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address is none.
    #[error("`{given}` names no store: {reason}")]
    Address {
        /// What was given.
        given: String,
        /// The reason, as text for people.
        reason: &'static str,
    },
    /// This executable speaks to no bucket.
    #[error("this executable was built without the means to reach the bucket `{bucket}`")]
    #[cfg_attr(feature = "upload", allow(dead_code, reason = "here it can"))]
    NotBuilt {
        /// Name of the bucket.
        bucket: String,
    },
    /// A file here could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is not what was verified a moment ago.
    #[error("`{}` has changed since the bundle was verified; nothing of it was stored", path.display())]
    ChangedHere {
        /// The file.
        path: PathBuf,
    },
    /// The store did not do what it was asked.
    #[error("the store could not {action} `{object}`")]
    #[cfg_attr(
        not(feature = "upload"),
        allow(dead_code, reason = "a folder says what it cannot do as a file that fails")
    )]
    Request {
        /// What was asked: "list", "read", …
        action: &'static str,
        /// The object, as people name it.
        object: String,
        /// What the store, or the way to it, said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// What is there is no bundle, or not this one.
    #[error("what the store holds at `{place}` {what}")]
    Unfit {
        /// Where, as people name it.
        place: String,
        /// What is wrong with it as a whole.
        what: &'static str,
        /// Each object that is not as it has to be; empty if that is said already.
        problems: Vec<TransferProblem>,
    },
    /// A bundle does not verify.
    #[error(transparent)]
    Refused(Box<BundleRefused>),
    /// There is something where the bundle was to be put.
    #[error("`{}` exists; nothing is ever overwritten", folder.display())]
    Exists {
        /// Path of the folder, or of whatever else has the bundle's name there.
        folder: PathBuf,
    },
}
