//! The content of a document.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use super::digest::Digest;

/// Bytes that do not change and that any number of holders share, with their digest, which is taken at most once.
///
/// An `Arc<[u8]>` would have to copy what was read into it, and every holder would digest for itself.
#[derive(Clone, Default)]
pub struct SharedBytes(Arc<SharedBuffer>);

#[derive(Default)]
struct SharedBuffer {
    bytes: Vec<u8>,
    digest: OnceLock<Digest>,
}

impl PartialEq for SharedBytes {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

impl Eq for SharedBytes {}

impl SharedBytes {
    /// Bytes that were digested while they were read. That `digest` is theirs is the caller's word.
    pub fn digested(bytes: Vec<u8>, digest: Digest) -> Self {
        Self(Arc::new(SharedBuffer { bytes, digest: OnceLock::from(digest) }))
    }

    /// The digest of the bytes.
    pub fn digest(&self) -> Digest {
        *self.0.digest.get_or_init(|| Digest::of(&self.0.bytes))
    }
}

impl From<Vec<u8>> for SharedBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::new(SharedBuffer { bytes, digest: OnceLock::new() }))
    }
}

impl Deref for SharedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl fmt::Debug for SharedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedBytes({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_holder_has_the_same_bytes_and_digest() {
        let content = SharedBytes::from(b"abc".to_vec());
        let other = content.clone();
        assert_eq!(other.digest(), Digest::of(b"abc"));
        assert_eq!((&content[..], content.digest()), (&b"abc"[..], other.digest()));
        assert_eq!(content.as_ptr(), other.as_ptr());
        assert_eq!(SharedBytes::digested(b"abc".to_vec(), other.digest()).digest(), other.digest());
        assert_eq!(SharedBytes::default().digest(), Digest::of(b""));
    }
}
