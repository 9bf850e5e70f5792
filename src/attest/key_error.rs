//! What is wrong with the file of a key, and what to do about it.

use std::path::PathBuf;

use p256::pkcs8::spki::AlgorithmIdentifierRef;

use crate::base::fsx::FileError;
use crate::base::printable::excerpt;

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Others than its owner may read it.
    #[error("the private key `{}` can be read by others (mode {mode:04o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// The permission bits of that file.
        mode: u32,
    },
    /// It holds no key that can be used.
    #[error("`{}`: {fault}", path.display())]
    Fault {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: KeyFault,
    },
    /// A line of a file of allowed signers cannot be used.
    #[error("`{}`, line {line}: {fault}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        fault: KeyFault,
    },
}

impl KeyError {
    /// What to do about it.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::File(_) => None,
            Self::Exposed { path, .. } => Some(format!("chmod 600 {}", path.display())),
            Self::Fault { path, fault } => fault.remedy(&path.display().to_string()),
            Self::Line { fault, .. } => fault.remedy("KEY"),
        }
    }
}

/// Why a text is no key that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// There is none.
    #[error("there is no key in it")]
    NoKey,
    /// It is encrypted.
    #[error("the key is encrypted, and nothing here asks for passwords")]
    Encrypted,
    /// It is encrypted in OpenSSH's form.
    #[error("the OpenSSH key is encrypted, and nothing here asks for passwords")]
    EncryptedOpenSsh,
    /// It is cosign's.
    #[error("it is a key of cosign, which is encrypted in a form of its own")]
    Cosign,
    /// A public key where a private one is needed.
    #[error("it is a public key, and signing takes the private one")]
    PublicForPrivate,
    /// A private key where a public one is needed.
    #[error("it is a private key, and verifying takes the public one: a private key is nobody else's to have")]
    PrivateForPublic,
    /// A certificate.
    #[error("it is a certificate; nothing here judges who issued it")]
    Certificate,
    /// A block that is no key.
    #[error("it holds a `{}`, and no key", excerpt(.0, 40))]
    OtherBlock(String),
    /// A kind of key that is not used here.
    #[error("it is a key of the kind `{}`; used are ECDSA on the curve P-256 and Ed25519", excerpt(.0, 60))]
    OtherKind(String),
    /// It cannot be read as what it says that it is.
    #[error("the key is damaged: {}", excerpt(.0, 200))]
    Damaged(String),
    /// A line of allowed signers that is not understood.
    #[error("{}", excerpt(.0, 200))]
    Entry(String),
}

impl KeyFault {
    fn remedy(&self, file: &str) -> Option<String> {
        match self {
            Self::NoKey | Self::OtherBlock(_) | Self::Damaged(_) | Self::OtherKind(_) => Some(
                "make one: `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem`, and \
                 `openssl pkey -in key.pem -pubout -out key.pub.pem` for those who verify"
                    .into(),
            ),
            Self::Encrypted => Some(format!(
                "decrypt it where nobody else reads: `openssl pkey -in {file} -out plain.pem`, and remove that afterwards; or \
                 hand it over by a pipe: `--key <(openssl pkey -in {file})`"
            )),
            Self::EncryptedOpenSsh => Some(
                "sign with OpenSSH itself, which asks the agent: `ssh-keygen -Y sign -n sandproof -f KEY FILE`; `verify` reads \
                 that signature"
                    .into(),
            ),
            Self::Cosign => Some(
                "let cosign sign: `sandproof statement … --out st.json`, then `cosign attest-blob --statement st.json --key …`"
                    .into(),
            ),
            Self::PublicForPrivate => None,
            Self::PrivateForPublic => Some(format!("`openssl pkey -in {file} -pubout` prints the public one of a PEM key")),
            Self::Certificate => Some(format!("`openssl x509 -in {file} -pubkey -noout` prints its key, if that is trusted")),
            Self::Entry(_) => Some("the form is that of ssh-keygen(1), ALLOWED SIGNERS".into()),
        }
    }
}

/// What a key with this algorithm is instead of one that is used here; `None` if it should be one of those.
pub(super) fn kind_of_algorithm(algorithm: &AlgorithmIdentifierRef<'_>) -> Option<KeyFault> {
    let parameters = algorithm.parameters_oid().map(|oid| oid.to_string()).unwrap_or_default();
    let kind = match (algorithm.oid.to_string().as_str(), parameters.as_str()) {
        ("1.2.840.10045.2.1", "1.2.840.10045.3.1.7") | ("1.3.101.112", _) => return None,
        ("1.2.840.10045.2.1", "1.3.132.0.34") => "ECDSA P-384".to_owned(),
        ("1.2.840.10045.2.1", "1.3.132.0.35") => "ECDSA P-521".to_owned(),
        ("1.2.840.10045.2.1", other) => format!("ECDSA on the curve {other}"),
        ("1.2.840.113549.1.1.1", _) => "RSA".to_owned(),
        ("1.3.101.113", _) => "Ed448".to_owned(),
        (other, _) => other.to_owned(),
    };
    Some(KeyFault::OtherKind(kind))
}
