//! Statements about what verifies, signatures over them, and whether a signature is one that a reader trusts.
//!
//! [`content`] opens what can be vouched for: a bundle, a packet, a declaration, each verified on the way. [`mod@statement`] says
//! of it what an in-toto statement says, as a function of the content alone. [`mod@sign`] signs that offline, and [`judge`] holds
//! an attestation against content and keys: a signature counts only together with the content that it is about. Nothing
//! here asks the network for anything.

mod anchors;
pub mod attestation;
pub mod content;
mod dsse;
pub mod judge;
mod key_error;
mod pem;
mod public_key;
mod secret_key;
pub mod sign;
mod sshsig;
pub mod statement;

pub use anchors::{KeyOwner, TrustAnchors, TrustedKey};
pub use content::{AttestedContent, ContentError};
pub use key_error::KeyError;
pub use public_key::VerifyingKey;
pub use secret_key::SecretKey;
