//! Documents of other systems, begun by this program: from what a command does while it is watched, or from what another tool has
//! recorded of a run. What is not seen there stays unknown.

mod document;
mod error;
mod evidence;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other_system;
mod request;

pub use document::DeclarationDraft;
pub use error::DraftError;
pub use evidence::draft_from;
#[cfg(target_os = "linux")]
pub use linux::watch;
#[cfg(not(target_os = "linux"))]
pub use other_system::watch;
pub use request::WatchRequest;
