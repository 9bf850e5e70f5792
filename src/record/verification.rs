//! What `verify --json` and `attest --json` print.

use serde::Serialize;

use crate::base::digest::Digest;

/// `verify --json`, of content that verifies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VerificationReport {
    /// Whether everything that was asked for holds: the content, and the attestation if there is one or one is demanded.
    pub ok: bool,
    /// What it is: `bundle`, `packet`, `declaration`.
    pub kind: &'static str,
    /// The file whose bytes stand for it.
    pub file: String,
    /// The digest of those.
    pub sha256: Digest,
    /// The attempt; absent of a declaration of another system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The identity; absent if none is declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Digest>,
    /// Whether it may be promoted; absent of a declaration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promotable: Option<bool>,
    /// `authenticated`, or `consistent_not_authenticated`.
    pub trust: &'static str,
    /// Whether a signature was demanded.
    pub signature_required: bool,
    /// What was found out about the attestation; absent if none was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attestation: Option<AttestationRecord>,
}

/// What was found out about an attestation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttestationRecord {
    /// The file that was given.
    pub file: String,
    /// `dsse`, `sigstore`, `sshsig`; null if it has none of these forms.
    pub format: Option<&'static str>,
    /// What kind of thing it states; null of a signature over bytes, and where nothing could be read.
    pub predicate_type: Option<String>,
    /// `authenticated`, `not_judged` (nobody said who is trusted), `refused`.
    pub standing: &'static str,
    /// Trusted keys with a signature that verifies.
    pub signers: Vec<SignerRecord>,
    /// How many signatures are by no trusted key, or do not verify.
    pub other_signatures: usize,
    /// Keys that it names, and that nobody said are trusted: hints, which prove nothing.
    pub claimed_keys: Vec<String>,
    /// Why it does not hold; empty if nothing speaks against it.
    pub problems: Vec<ProblemRecord>,
}

/// A key that signed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SignerRecord {
    /// Whose it is: principals of the file of allowed signers; null if the key was named by itself.
    pub principals: Option<String>,
    /// The file that named the key; null if it stands in a file of allowed signers.
    pub key_file: Option<String>,
    /// What kind of key.
    pub algorithm: &'static str,
    /// SHA-256 of the key as DER.
    pub keyid: Digest,
    /// As OpenSSH names it.
    pub fingerprint: String,
}

/// Why an attestation does not hold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProblemRecord {
    /// The name of that reason, for programs.
    pub code: &'static str,
    /// The same for people.
    pub message: String,
}

/// `attest --json`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttestReport {
    /// Where the attestation was written.
    pub wrote: String,
    /// `dsse`, `sigstore`, `sshsig`.
    pub format: &'static str,
    /// What is vouched for: `bundle`, `packet`, `declaration`.
    pub kind: &'static str,
    /// The file whose bytes are signed, or stated of.
    pub file: String,
    /// The digest of those.
    pub sha256: Digest,
    /// What kind of thing is stated; null of a signature over bytes.
    pub predicate_type: Option<&'static str>,
    /// The key that signed.
    pub key: SignerRecord,
}
