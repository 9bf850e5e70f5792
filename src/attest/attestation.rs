//! A file that somebody signed: which form it has, and what it says. Whether that counts is `judge`'s to say.

use base64ct::{Base64, Encoding as _};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::sshsig::SshSignature;
use crate::base::json;
use crate::base::printable::excerpt;
use crate::record::statement::{DsseEnvelope, InTotoStatement, STATEMENT_PAYLOAD_TYPE, STATEMENT_TYPE};

/// Largest attestation, in bytes.
pub const MAX_ATTESTATION_BYTES: u64 = 8 * 1024 * 1024;
/// Most signatures of one envelope.
const MAX_SIGNATURES: usize = 100;
/// How the media type of every version of a sigstore bundle begins.
const SIGSTORE_MEDIA_TYPES: &str = "application/vnd.dev.sigstore.bundle";

/// The form of an attestation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttestationFormat {
    /// A DSSE envelope with a statement.
    Dsse,
    /// A sigstore bundle that holds one.
    Sigstore,
    /// A signature of OpenSSH.
    Sshsig,
}

impl AttestationFormat {
    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dsse => "dsse",
            Self::Sigstore => "sigstore",
            Self::Sshsig => "sshsig",
        }
    }

    /// What it is, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Dsse => "a DSSE envelope",
            Self::Sigstore => "a sigstore bundle",
            Self::Sshsig => "a signature of OpenSSH",
        }
    }
}

/// An attestation, read and not judged.
#[derive(Debug, Clone)]
pub enum Attestation {
    /// A signed statement.
    Statement(SignedStatement),
    /// A signature over a file's bytes.
    Ssh(Box<SshSignature>),
}

/// A statement with its signatures.
#[derive(Debug, Clone)]
pub struct SignedStatement {
    /// Whether a sigstore bundle holds it.
    pub format: AttestationFormat,
    /// The bytes that are signed.
    pub payload: Vec<u8>,
    /// What they say.
    pub statement: InTotoStatement,
    /// Everybody's signatures, in the envelope's order.
    pub signatures: Vec<StatementSignature>,
}

/// A signature over a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementSignature {
    /// Which key, as a hint; empty if there is none.
    pub keyid: String,
    /// The signature.
    pub bytes: Vec<u8>,
}

/// Why a file is no attestation that can be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttestationFault {
    /// It is none of the forms.
    #[error("it is no attestation: neither a DSSE envelope, nor a sigstore bundle, nor a signature of OpenSSH ({0})")]
    NoForm(String),
    /// It has the form of one, and is damaged.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It has to be judged with a certificate.
    #[error(
        "it goes by a certificate, and nothing here judges who issued one; `cosign verify-blob-attestation` and `gh attestation \
         verify` do"
    )]
    Certificate,
    /// It signs a digest and states nothing.
    #[error("it is a sigstore bundle that signs a digest (messageSignature) and holds no statement")]
    NoStatement,
    /// Its payload is something else.
    #[error("its payload is `{0}`, and no statement (`{STATEMENT_PAYLOAD_TYPE}`)")]
    PayloadType(String),
    /// Its payload is no statement.
    #[error("its payload is no in-toto Statement v1: {0}")]
    BadStatement(String),
    /// It has no signature, or more than its form allows.
    #[error("it has {0} signatures, and {1}")]
    Signatures(usize, &'static str),
}

impl AttestationFault {
    /// Its name, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoForm(_) => "no_attestation",
            Self::Damaged(_) => "damaged",
            Self::Certificate => "certificate",
            Self::NoStatement => "no_statement",
            Self::PayloadType(_) => "payload_type",
            Self::BadStatement(_) => "bad_statement",
            Self::Signatures(..) => "signatures",
        }
    }
}

impl Attestation {
    /// Reads one.
    ///
    /// # Errors
    /// Why it is none that can be judged.
    pub fn parse(bytes: &[u8]) -> Result<Self, AttestationFault> {
        if bytes.trim_ascii_start().starts_with(b"-----BEGIN SSH SIGNATURE-----") {
            let signature = SshSignature::parse(bytes.trim_ascii()).map_err(AttestationFault::Damaged)?;
            return Ok(Self::Ssh(Box::new(signature)));
        }
        let value = json::parse(bytes).map_err(|error| AttestationFault::NoForm(error.to_string()))?;
        let media = value.get("mediaType").and_then(Value::as_str).unwrap_or_default();
        if media.starts_with(SIGSTORE_MEDIA_TYPES) {
            return sigstore(&value).map(Self::Statement);
        }
        if value.get("payload").is_none() || value.get("signatures").is_none() {
            let format = value.get("schema_version").and_then(Value::as_str);
            let why = format.map_or("no `payload` and `signatures`".into(), |format| {
                format!("its format is `{}`", excerpt(format, 80))
            });
            return Err(AttestationFault::NoForm(why));
        }
        envelope(&value, AttestationFormat::Dsse).map(Self::Statement)
    }

    /// Which form it has.
    pub fn format(&self) -> AttestationFormat {
        match self {
            Self::Statement(signed) => signed.format,
            Self::Ssh(_) => AttestationFormat::Sshsig,
        }
    }
}

fn sigstore(bundle: &Value) -> Result<SignedStatement, AttestationFault> {
    let material = bundle.get("verificationMaterial");
    if material.and_then(|material| material.get("publicKey")).is_none() {
        return Err(AttestationFault::Certificate);
    }
    let Some(held) = bundle.get("dsseEnvelope") else { return Err(AttestationFault::NoStatement) };
    let signed = envelope(held, AttestationFormat::Sigstore)?;
    match signed.signatures.len() {
        1 => Ok(signed),
        n => Err(AttestationFault::Signatures(n, "a sigstore bundle has one")),
    }
}

fn envelope(value: &Value, format: AttestationFormat) -> Result<SignedStatement, AttestationFault> {
    let damaged = |why: &dyn std::fmt::Display| AttestationFault::Damaged(excerpt(&why.to_string(), 200));
    let envelope: DsseEnvelope = shaped(value).map_err(|error| damaged(&error))?;
    if envelope.payload_type != STATEMENT_PAYLOAD_TYPE {
        return Err(AttestationFault::PayloadType(excerpt(&envelope.payload_type, 80)));
    }
    let decoded = |text: &str| Base64::decode_vec(text).map_err(|_| damaged(&"it has text that is no base64"));
    let payload = decoded(&envelope.payload)?;
    let bad = |why: &dyn std::fmt::Display| AttestationFault::BadStatement(excerpt(&why.to_string(), 200));
    let value = json::parse(&payload).map_err(|error| bad(&error))?;
    let statement: InTotoStatement = shaped(&value).map_err(|error| bad(&error))?;
    if statement.statement_type != STATEMENT_TYPE {
        return Err(bad(&format!("its `_type` is `{}`", statement.statement_type)));
    }
    match envelope.signatures.len() {
        0 => return Err(AttestationFault::Signatures(0, "an envelope without one is signed by nobody")),
        n if n > MAX_SIGNATURES => return Err(AttestationFault::Signatures(n, "at most 100 are looked at")),
        _ => {}
    }
    let mut signatures = Vec::new();
    for one in envelope.signatures {
        signatures.push(StatementSignature { keyid: one.keyid.unwrap_or_default(), bytes: decoded(&one.sig)? });
    }
    Ok(SignedStatement { format, payload, statement, signatures })
}

fn shaped<T: DeserializeOwned>(value: &Value) -> serde_json::Result<T> {
    json::from_value(value.clone())
}
