//! Review: what can be said of finished runs without running anything.
//!
//! [`packet`] opens a promotion packet together with the bundle behind it, [`op_summary`] counts events by operation,
//! [`report`] shows a run in
//! the formats of other tools, [`cyclonedx`] a declaration in one, [`links`] ties expectations and profiles of several packets to the files that hold them. All of them start from a
//! verified bundle, and so does [`learn`], which lists what a run shows that nobody said; [`inventory`] looks at a workspace instead. The one exception says so in its name and in the document that it makes.

pub mod compare;
pub mod cyclonedx;
pub mod error;
mod events;
pub mod inventory;
pub mod learn;
pub mod links;
pub mod op_summary;
pub mod packet;
pub mod policy;
pub mod report;
pub mod vocabulary;

pub use error::ReviewError;
pub use packet::OpenedPacket;
pub use vocabulary::Vocabulary;
