//! The content of a document.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

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

/// The content of a document that may be let go once nobody needs it: its length and its digest stay. Whoever has a clone has the
/// same document, and it is let go for all of them.
#[derive(Clone)]
pub struct DocumentBytes(Arc<DocumentState>);

struct DocumentState {
    length: u64,
    digest: OnceLock<Digest>,
    held: Mutex<Option<SharedBytes>>,
}

impl DocumentBytes {
    /// How long it is, in bytes.
    pub fn length(&self) -> u64 {
        self.0.length
    }

    /// The digest of the bytes.
    pub fn digest(&self) -> Digest {
        let take = || self.held().expect("bytes are let go only once their digest is taken").digest();
        *self.0.digest.get_or_init(take)
    }

    /// The bytes, unless they were let go.
    pub fn held(&self) -> Option<SharedBytes> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets the bytes go; who holds them as [`SharedBytes`] still does.
    pub fn release(&self) {
        self.digest();
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl From<SharedBytes> for DocumentBytes {
    fn from(bytes: SharedBytes) -> Self {
        let (length, digest) = (bytes.len() as u64, OnceLock::new());
        Self(Arc::new(DocumentState { length, digest, held: Mutex::new(Some(bytes)) }))
    }
}

impl PartialEq for DocumentBytes {
    fn eq(&self, other: &Self) -> bool {
        self.length() == other.length() && self.digest() == other.digest()
    }
}

impl Eq for DocumentBytes {}

impl fmt::Debug for DocumentBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DocumentBytes({} bytes)", self.length())
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

    #[test]
    fn of_a_document_that_was_let_go_length_and_digest_are_left() {
        let bytes = SharedBytes::from(b"abc".to_vec());
        let document = DocumentBytes::from(bytes.clone());
        let other = document.clone();
        assert_eq!(other.held().as_deref(), Some(&b"abc"[..]));
        document.release();
        assert_eq!(Arc::strong_count(&bytes.0), 1, "nobody else holds the bytes any more");
        assert_eq!((other.held(), other.length(), other.digest()), (None, 3, Digest::of(b"abc")));
        assert_eq!(other, DocumentBytes::from(bytes));
    }
}
