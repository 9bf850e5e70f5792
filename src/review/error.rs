//! Why a review could not be made.

use std::path::PathBuf;

use crate::base::fsx::FileError;
use crate::base::json::JsonError;
use crate::bundle::{ArtifactError, BundleFinding, BundleRefused};

/// Why a review could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// A document is no acceptable JSON.
    #[error("`{}` is not acceptable JSON", file.display())]
    Json {
        /// Path of the document, as it was named.
        file: PathBuf,
        /// Where and why it is not acceptable JSON.
        #[source]
        source: JsonError,
    },
    /// A document is not what it should be.
    #[error("`{}` is not a valid {what}: {reason}", file.display())]
    Shape {
        /// Path of the document, as it was named.
        file: PathBuf,
        /// What it should be.
        what: &'static str,
        /// Why it is not.
        reason: String,
    },
    /// A packet is one of the reference runtime.
    #[error("`{}`: {words}", file.display())]
    ReferencePacket {
        /// Path of the packet, as it was named.
        file: PathBuf,
        /// What is to be said of it and of its bundle.
        words: String,
    },
    /// A packet's bundle is nowhere.
    #[error("the bundle of `{}` is not at `{}`", packet.display(), looked.iter().map(|at| at.display().to_string()).collect::<Vec<_>>().join("` nor at `"))]
    NoBundle {
        /// Path of the packet, as it was named.
        packet: PathBuf,
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
    /// The bundle does not verify.
    #[error("nothing can be said of a bundle that does not verify")]
    Refused(#[source] BundleRefused),
    /// There is no bundle to look at.
    #[error("there is no bundle: {0}")]
    Unreadable(BundleFinding),
    /// A packet says something else than its bundle.
    #[error("`{}` is not the packet of its bundle `{}`: they differ in {}", packet.display(), bundle.display(), fields.join(", "))]
    NotItsPacket {
        /// Path of the packet, as it was named.
        packet: PathBuf,
        /// The bundle that it points at.
        bundle: PathBuf,
        /// Names of the members in which they differ.
        fields: Vec<String>,
    },
    /// A gate blocks promotion.
    #[error("`{}` may not be promoted: {}", what.display(), reasons.join(", "))]
    NotPromotable {
        /// The packet or bundle.
        what: PathBuf,
        /// The gates' reasons, by name.
        reasons: Vec<String>,
    },
    /// An artifact could not be used.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// What was made could not be written.
    #[error("the report could not be written")]
    Output(#[source] std::io::Error),
    /// Packets do not go together.
    #[error("{}", contradictions.join("; "))]
    Contradiction {
        /// Every contradiction, a sentence each.
        contradictions: Vec<String>,
    },
    /// A matrix would be too wide.
    #[error("the bundles have more than {most} launchers or policies, which is the most that a matrix has columns for")]
    TooManyColumns {
        /// The most columns.
        most: usize,
    },
    /// An id names nothing.
    #[error("there is no {kind} `{id}` in the links; {remedy}")]
    UnknownId {
        /// What kind of id.
        kind: &'static str,
        /// The id that nothing is known by.
        id: String,
        /// Close names, or where to look.
        remedy: String,
    },
}
