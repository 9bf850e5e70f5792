//! Public keys, and the signatures that they verify.

use p256::ecdsa::signature::Verifier as _;
use p256::pkcs8::{DecodePublicKey as _, Document, EncodePublicKey as _, SubjectPublicKeyInfoRef};
use ssh_key::public::{EcdsaPublicKey, Ed25519PublicKey, KeyData};

use super::key_error::{KeyFault, kind_of_algorithm};
use super::pem;
use crate::base::digest::Digest;

/// A key that signatures are verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifyingKey {
    /// ECDSA on the curve P-256, with SHA-256.
    P256(p256::ecdsa::VerifyingKey),
    /// Ed25519.
    Ed25519(ed25519_dalek::VerifyingKey),
}

impl VerifyingKey {
    /// Reads a public key: PEM (`PUBLIC KEY`), or the line of OpenSSH's `.pub` files.
    ///
    /// # Errors
    /// What is there instead, or that it is of a kind which is not judged here.
    pub fn from_text(text: &str) -> Result<Self, KeyFault> {
        let Some(block) = pem::first_block(text) else { return Self::from_openssh(text) };
        match block.label {
            "PUBLIC KEY" => Self::from_spki_pem(block.text),
            label if label.ends_with("PRIVATE KEY") => Err(KeyFault::PrivateForPublic),
            "CERTIFICATE" => Err(KeyFault::Certificate),
            other => Err(KeyFault::OtherBlock(other.to_owned())),
        }
    }

    fn from_spki_pem(pem: &str) -> Result<Self, KeyFault> {
        let (_, der) = Document::from_pem(pem).map_err(|error| KeyFault::Damaged(error.to_string()))?;
        let info =
            SubjectPublicKeyInfoRef::try_from(der.as_bytes()).map_err(|error| KeyFault::Damaged(error.to_string()))?;
        if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_der(der.as_bytes()) {
            return Ok(Self::P256(key));
        }
        match ed25519_dalek::VerifyingKey::from_public_key_der(der.as_bytes()) {
            Ok(key) => Ok(Self::Ed25519(key)),
            Err(error) => Err(kind_of_algorithm(&info.algorithm).unwrap_or(KeyFault::Damaged(error.to_string()))),
        }
    }

    /// Reads the line of an OpenSSH public key: `TYPE BASE64 [COMMENT]`.
    pub(super) fn from_openssh(line: &str) -> Result<Self, KeyFault> {
        let line = line.trim();
        if !line.contains(' ') {
            return Err(KeyFault::NoKey);
        }
        let key = ssh_key::PublicKey::from_openssh(line).map_err(|_| KeyFault::NoKey)?;
        Self::from_ssh(key.key_data())
    }

    /// The key in OpenSSH's form.
    pub(super) fn from_ssh(key: &KeyData) -> Result<Self, KeyFault> {
        let damaged = |error: &dyn std::fmt::Display| KeyFault::Damaged(error.to_string());
        match key {
            KeyData::Ed25519(key) => {
                let key = ed25519_dalek::VerifyingKey::from_bytes(&key.0).map_err(|error| damaged(&error))?;
                Ok(Self::Ed25519(key))
            }
            KeyData::Ecdsa(EcdsaPublicKey::NistP256(point)) => {
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point.as_bytes());
                Ok(Self::P256(key.map_err(|error| damaged(&error))?))
            }
            other => Err(KeyFault::OtherKind(other.algorithm().to_string())),
        }
    }

    /// The same in OpenSSH's form.
    pub(super) fn to_ssh(&self) -> KeyData {
        match self {
            Self::P256(key) => {
                let point = EcdsaPublicKey::from_sec1_bytes(key.to_sec1_point(false).as_bytes());
                KeyData::Ecdsa(point.expect("a point of P-256 has its length"))
            }
            Self::Ed25519(key) => KeyData::Ed25519(Ed25519PublicKey(key.to_bytes())),
        }
    }

    /// The key as DER, SubjectPublicKeyInfo.
    pub fn to_der(&self) -> Vec<u8> {
        let der = match self {
            Self::P256(key) => key.to_public_key_der(),
            Self::Ed25519(key) => key.to_public_key_der(),
        };
        der.expect("a key has a DER form").into_vec()
    }

    /// How it is named in envelopes: the SHA-256 of its DER form.
    pub fn keyid(&self) -> Digest {
        Digest::of(&self.to_der())
    }

    /// How `ssh-keygen -l` names it.
    pub fn fingerprint(&self) -> String {
        self.to_ssh().fingerprint(ssh_key::HashAlg::Sha256).to_string()
    }

    /// What kind it is, in a word.
    pub fn algorithm(&self) -> KeyAlgorithm {
        match self {
            Self::P256(_) => KeyAlgorithm::EcdsaP256,
            Self::Ed25519(_) => KeyAlgorithm::Ed25519,
        }
    }

    /// Whether `signature`, as envelopes hold it (ECDSA as DER, Ed25519 as its 64 bytes), is this key's over `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::P256(key) => {
                p256::ecdsa::DerSignature::from_bytes(signature).is_ok_and(|one| key.verify(message, &one).is_ok())
            }
            Self::Ed25519(key) => {
                // Strictly: a weak key, for which one signature fits many messages, vouches for nothing.
                ed25519_dalek::Signature::from_slice(signature)
                    .is_ok_and(|one| key.verify_strict(message, &one).is_ok())
            }
        }
    }

    /// The same of a signature in OpenSSH's form.
    pub(super) fn verifies_ssh(&self, message: &[u8], signature: &ssh_key::Signature) -> bool {
        match self {
            Self::P256(key) => {
                p256::ecdsa::Signature::try_from(signature).is_ok_and(|one| key.verify(message, &one).is_ok())
            }
            Self::Ed25519(key) => {
                ed25519_dalek::Signature::try_from(signature).is_ok_and(|one| key.verify_strict(message, &one).is_ok())
            }
        }
    }
}

/// The kinds of keys that are used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyAlgorithm {
    /// ECDSA on the curve P-256, with SHA-256.
    EcdsaP256,
    /// Ed25519.
    Ed25519,
}

impl KeyAlgorithm {
    /// Its name, for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ECDSA P-256",
            Self::Ed25519 => "Ed25519",
        }
    }
}
