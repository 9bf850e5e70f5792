//! Private keys: read from a file that only its owner may read, used, and forgotten.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use p256::ecdsa::signature::Signer as _;
use p256::pkcs8::{DecodePrivateKey as _, PrivateKeyInfoRef, SecretDocument};
use zeroize::Zeroizing;

use super::key_error::{KeyError, KeyFault, kind_of_algorithm};
use super::pem::{self, PemBlock};
use super::public_key::VerifyingKey;
use crate::base::fsx::IoContext;

/// Largest file of a key, in bytes. Those that are used here have a few hundred.
const MAX_KEY_FILE_BYTES: u64 = 64 * 1024;
/// Who else may do something with a file.
const OTHERS: u32 = 0o077;

/// A key that signs. Its memory is overwritten when it is dropped.
pub enum SecretKey {
    /// ECDSA on the curve P-256, with SHA-256; what is signed twice has the same signature twice (RFC 6979).
    P256(p256::ecdsa::SigningKey),
    /// Ed25519.
    Ed25519(ed25519_dalek::SigningKey),
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey({})", self.public().keyid())
    }
}

impl SecretKey {
    /// Reads the key in `path`: PEM of PKCS#8 or SEC1, or an OpenSSH key; a file, or a pipe.
    ///
    /// # Errors
    /// If others may read the file, or it holds no key that can be used.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let text = read_private(path)?;
        Self::from_text(&text).map_err(|fault| KeyError::Fault { path: path.to_owned(), fault })
    }

    fn from_text(text: &str) -> Result<Self, KeyFault> {
        let Some(block) = pem::first_block(text) else {
            let public = VerifyingKey::from_openssh(text);
            return Err(if public.is_ok() { KeyFault::PublicForPrivate } else { KeyFault::NoKey });
        };
        match block.label {
            _ if block.is_encrypted_by_headers() => Err(KeyFault::Encrypted),
            "PRIVATE KEY" => Self::from_pkcs8(block),
            "EC PRIVATE KEY" => Self::from_sec1(block),
            "OPENSSH PRIVATE KEY" => Self::from_openssh(block),
            "ENCRYPTED PRIVATE KEY" => Err(KeyFault::Encrypted),
            "ENCRYPTED COSIGN PRIVATE KEY" | "ENCRYPTED SIGSTORE PRIVATE KEY" => Err(KeyFault::Cosign),
            "PUBLIC KEY" => Err(KeyFault::PublicForPrivate),
            "CERTIFICATE" => Err(KeyFault::Certificate),
            "RSA PRIVATE KEY" => Err(KeyFault::OtherKind("RSA".into())),
            "DSA PRIVATE KEY" => Err(KeyFault::OtherKind("DSA".into())),
            other => Err(KeyFault::OtherBlock(other.to_owned())),
        }
    }

    fn from_pkcs8(block: PemBlock<'_>) -> Result<Self, KeyFault> {
        let damaged = |error: &dyn std::fmt::Display| KeyFault::Damaged(error.to_string());
        let (_, der) = SecretDocument::from_pem(block.text).map_err(|error| damaged(&error))?;
        let info = PrivateKeyInfoRef::try_from(der.as_bytes()).map_err(|error| damaged(&error))?;
        if let Some(fault) = kind_of_algorithm(&info.algorithm) {
            return Err(fault);
        }
        if let Ok(key) = p256::ecdsa::SigningKey::from_pkcs8_der(der.as_bytes()) {
            return Ok(Self::P256(key));
        }
        let key = ed25519_dalek::SigningKey::from_pkcs8_der(der.as_bytes()).map_err(|error| damaged(&error))?;
        Ok(Self::Ed25519(key))
    }

    fn from_sec1(block: PemBlock<'_>) -> Result<Self, KeyFault> {
        // P-384 and P-521 come in the same kind of block; whoever has them reads which kind is used.
        let key = p256::SecretKey::from_sec1_pem(block.text);
        let key =
            key.map_err(|error| KeyFault::OtherKind(format!("EC, and not on the curve P-256, or damaged ({error})")))?;
        Ok(Self::P256(key.into()))
    }

    fn from_openssh(block: PemBlock<'_>) -> Result<Self, KeyFault> {
        use ssh_key::private::{EcdsaKeypair, KeypairData};
        let damaged = |error: &dyn std::fmt::Display| KeyFault::Damaged(error.to_string());
        let key = ssh_key::PrivateKey::from_openssh(block.text).map_err(|error| damaged(&error))?;
        if key.is_encrypted() {
            return Err(KeyFault::EncryptedOpenSsh);
        }
        match key.key_data() {
            KeypairData::Ed25519(pair) => {
                let seed = Zeroizing::new(pair.private.to_bytes());
                let key = ed25519_dalek::SigningKey::from_bytes(&seed);
                if key.verifying_key().to_bytes() != pair.public.0 {
                    return Err(KeyFault::Damaged("its public half is another key's".into()));
                }
                Ok(Self::Ed25519(key))
            }
            KeypairData::Ecdsa(EcdsaKeypair::NistP256 { private, public }) => {
                let key = p256::ecdsa::SigningKey::from_slice(private.as_slice()).map_err(|error| damaged(&error))?;
                if key.verifying_key().to_sec1_point(false).as_bytes() != public.as_bytes() {
                    return Err(KeyFault::Damaged("its public half is another key's".into()));
                }
                Ok(Self::P256(key))
            }
            _ => Err(KeyFault::OtherKind(key.algorithm().to_string())),
        }
    }

    /// The key that verifies what this one signs.
    pub fn public(&self) -> VerifyingKey {
        match self {
            Self::P256(key) => VerifyingKey::P256(*key.verifying_key()),
            Self::Ed25519(key) => VerifyingKey::Ed25519(key.verifying_key()),
        }
    }

    /// The signature over `message` as envelopes hold it: ECDSA as DER, Ed25519 as its 64 bytes.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
        }
    }

    /// The same in OpenSSH's form.
    pub(super) fn sign_ssh(&self, message: &[u8]) -> ssh_key::Signature {
        let made = match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                ssh_key::Signature::try_from(signature)
            }
            Self::Ed25519(key) => {
                ssh_key::Signature::new(ssh_key::Algorithm::Ed25519, key.sign(message).to_bytes().to_vec())
            }
        };
        made.expect("a signature of these kinds has its form")
    }
}

/// Reads a file that only its owner may read, or a pipe.
fn read_private(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let file =
        OpenOptions::new().read(true).custom_flags(libc::O_CLOEXEC | libc::O_NOCTTY).open(path).at("open", path)?;
    let found = file.metadata().at("look at", path)?;
    let kind = found.file_type();
    let refused = |why: &str| {
        let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, why);
        KeyError::File(crate::base::fsx::FileError { action: "read", path: path.to_owned(), source })
    };
    // The mode of a pipe says nothing: it is whose descriptor it is.
    if kind.is_file() {
        let mode = found.permissions().mode() & 0o7777;
        if mode & OTHERS != 0 {
            return Err(KeyError::Exposed { path: path.to_owned(), mode });
        }
    } else if !kind.is_fifo() {
        return Err(refused("it is neither a regular file nor a pipe"));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    file.take(MAX_KEY_FILE_BYTES + 1).read_to_end(&mut bytes).at("read", path)?;
    if bytes.len() as u64 > MAX_KEY_FILE_BYTES {
        return Err(refused("it is too large for a key"));
    }
    let text =
        std::str::from_utf8(&bytes).map_err(|_| KeyError::Fault { path: path.to_owned(), fault: KeyFault::NoKey })?;
    Ok(Zeroizing::new(text.to_owned()))
}
