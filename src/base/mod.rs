//! What everything else stands on: bytes, digests, ids, paths inside a bundle, files, clocks.
//!
//! Nothing here knows what a probe or a policy is. No module of this layer prints, exits, or reads the environment.

pub mod archive;
pub mod bundle_path;
pub mod canon;
pub mod checkout;
pub mod clock;
pub mod digest;
pub mod errno;
pub mod error_chain;
#[allow(
    dead_code,
    unused_imports,
    reason = "declarations that name folders and the sealing of commands use it, each a part"
)]
pub mod folder;
pub mod format;
pub mod fsx;
pub mod grouping;
pub mod ids;
pub mod json;
pub mod json_array;
pub mod json_out;
mod json_serializer;
pub mod json_span;
pub mod limits;
pub mod line_excerpt;
pub mod number_text;
mod objects_only;

pub mod output;
pub mod placeholder;
pub mod printable;
pub mod random;
#[cfg(any(target_os = "linux", test))]
pub mod report_line;
pub mod shared_bytes;
pub mod suggest;
pub mod threads;
pub mod words;

/// The version of this program, as in its package manifest.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
