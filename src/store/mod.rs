//! Stores: bundles as objects in a folder or in a bucket.
//!
//! An object is written once and never again, and the index of a bundle is written last, when everything else is there: it is the
//! commit of the copy as it is that of the run. Whoever dies on the way leaves objects without an index, which nobody takes for a
//! bundle and which the next upload completes. What comes back is verified as any bundle that strangers bring.

mod address;
mod download;
mod fault;
mod folder;
mod objects;
#[cfg(feature = "upload")]
mod s3;
mod upload;

pub use address::{StoreAddress, StoreSettings};
pub use download::download;
pub use fault::StoreError;
pub use upload::upload;

#[cfg(test)]
mod tests;
