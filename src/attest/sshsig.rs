//! OpenSSH's signatures of files (`ssh-keygen -Y sign`), over the bytes that stand for content.

use ssh_key::{HashAlg, SshSig};

use super::key_error::KeyFault;
use super::public_key::VerifyingKey;
use super::secret_key::SecretKey;
use crate::base::digest::Digest;

/// The namespace of OpenSSH signatures over what this program makes (`ssh-keygen -Y sign -n sandproof`).
pub(super) const NAMESPACE: &str = "sandproof";

/// Signs a file by the digest of its bytes.
pub(super) fn sign(key: &SecretKey, digest: Digest) -> String {
    let signed = SshSig::signed_data_for_prehash(NAMESPACE, HashAlg::Sha256, digest.as_bytes())
        .expect("a namespace and a digest make what is signed");
    let signature = SshSig::new(key.public().to_ssh(), NAMESPACE, HashAlg::Sha256, key.sign_ssh(&signed))
        .expect("the namespace is not empty");
    signature.to_pem(Default::default()).expect("a signature has its text")
}

/// A signature of OpenSSH, as far as it can be judged here.
#[derive(Debug, Clone)]
pub struct SshSignature {
    parsed: SshSig,
    key: Result<VerifyingKey, KeyFault>,
}

impl SshSignature {
    /// Reads one.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let parsed = SshSig::from_pem(text).map_err(|error| error.to_string())?;
        let key = VerifyingKey::from_ssh(parsed.public_key());
        Ok(Self { parsed, key })
    }

    /// What it was made for: `file`, `git`, or ours.
    pub fn namespace(&self) -> &str {
        self.parsed.namespace()
    }

    /// The key that it names as its own.
    pub fn key(&self) -> Result<&VerifyingKey, &KeyFault> {
        self.key.as_ref()
    }

    /// Whether the key that it names made it over these bytes, for our namespace.
    pub(super) fn is_of(&self, message: &[u8]) -> bool {
        let Ok(key) = &self.key else { return false };
        if self.namespace() != NAMESPACE {
            return false;
        }
        SshSig::signed_data(NAMESPACE, self.parsed.hash_alg(), message)
            .is_ok_and(|signed| key.verifies_ssh(&signed, self.parsed.signature()))
    }

    /// The same over the bytes with this SHA-256; `None` where it was made with another digest, so that the bytes are needed.
    pub(super) fn is_of_digest(&self, digest: Digest) -> Option<bool> {
        if self.parsed.hash_alg() != HashAlg::Sha256 {
            return None;
        }
        let Ok(key) = &self.key else { return Some(false) };
        let signed = SshSig::signed_data_for_prehash(NAMESPACE, HashAlg::Sha256, digest.as_bytes());
        let verified = signed.is_ok_and(|signed| key.verifies_ssh(&signed, self.parsed.signature()));
        Some(self.namespace() == NAMESPACE && verified)
    }
}
