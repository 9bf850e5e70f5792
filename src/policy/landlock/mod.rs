//! Landlock policies: the rule table as a value, and the model that evaluates it without a kernel.
//!
//! Facts about rights and ABI versions: `Documentation/userspace-api/landlock.rst` and `include/uapi/linux/landlock.h`
//! of the kernel.

pub mod controls;
pub mod document;
pub mod model;
pub mod rights;
pub mod table;

pub use controls::derive_controls;
pub use document::PolicyDocument;
pub use model::{NEVER_ABOVE_ROOT, evaluate};
pub use rights::{FsRight, RightSet};
pub use table::{LandlockPolicy, Layer, NetPortRule, PlacedRule, TSYNC};
