//! Bundles of shares, put together to one that reads like a single run.
//!
//! A merge is a function of its parts: whole copies of verified bundles, each in a folder of its own below `parts/`, listed by the
//! digest of their index, which stands for everything in them. What lies beside them (declaration, manifest, rows, evidence)
//! follows from them, so verification verifies the parts, puts them together once more, and compares. Copies rather than
//! references: a bundle is a closed world that verifies wherever it is carried, and parts come from runners that are gone by then.
//!
//! A merge makes no evidence better. Attempts at one share that differ leave their rows undecided, a profile has the controls
//! that showed least, and every reason against a part stands against the whole.

mod check;
mod compose;
mod replay;
mod rows;
mod write;

pub use check::{PartFault, sort_out};
pub(super) use replay::{read_parts, replay};
pub use write::{MergeError, Merged, write};
