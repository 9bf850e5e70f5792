//! Statements (in-toto Statement v1) and what they are signed in: DSSE envelopes, and sigstore bundles that hold one.
//!
//! These shapes are others' (in-toto, secure-systems-lab, sigstore), spelled as they spell them; only the predicates are ours.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::digest::Digest;
use crate::base::ids::{PlanId, RunId, WorldId};
use crate::record::identity::PartDigests;
use crate::record::manifest::ChannelKind;

/// The type of every statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// What a DSSE envelope says that its payload is.
pub const STATEMENT_PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The media type of a sigstore bundle.
pub const SIGSTORE_BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// The type of a verification summary.
pub const VSA_PREDICATE: &str = "https://slsa.dev/verification_summary/v1";
/// The type of what is said of a bundle.
pub const BUNDLE_PREDICATE: &str = "urn:sandproof:predicate:bundle:v1";
/// The type of what is said of a promotion packet.
pub const PACKET_PREDICATE: &str = "urn:sandproof:predicate:packet:v1";
/// The type of what is said of a sealed declaration.
pub const DECLARATION_PREDICATE: &str = "urn:sandproof:predicate:declaration:v1";

/// An in-toto Statement v1: something said of files that are named by their digests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InTotoStatement {
    /// Always `https://in-toto.io/Statement/v1`.
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// What it is about. Ours have one.
    pub subject: Vec<StatementSubject>,
    /// What kind of thing is said.
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What is said; absent: nothing but that type.
    #[serde(default)]
    pub predicate: Value,
}

/// One file that a statement is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementSubject {
    /// A name for people; readers go by the digest. Absent in statements of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What its bytes have for digests.
    pub digest: SubjectDigest,
}

/// The digests of a subject. Others give further kinds, which nothing is held against here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectDigest {
    /// SHA-256 of the file's bytes; absent: none that can be held against anything here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
}

/// What is said of a bundle that verifies. Its subject is `artifact_index.json`, which stands for every file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundlePredicate {
    /// The attempt.
    pub run_id: RunId,
    /// The world, resolved.
    pub world_id: WorldId,
    /// The plan's id.
    pub plan_id: PlanId,
    /// The plan's digest.
    pub plan_digest: Digest,
    /// How the worker was started.
    pub channel: ChannelKind,
    /// The run's identity; absent if the bundle declares none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Digest>,
    /// The digests of the four parts that the identity stands for; absent with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_parts: Option<PartDigests>,
    /// How many raw rows it holds.
    pub rows: u64,
    /// How many artifacts were derived again and found equal.
    pub derived: usize,
    /// Whether it may be promoted.
    pub promotable: bool,
    /// The reasons why not, by name, sorted.
    pub reasons: Vec<String>,
    /// What verifying shows.
    pub trust: VerifiedTrust,
}

/// What is said of a packet that is the one which its bundle yields. Its subject is the packet's file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PacketPredicate {
    /// The attempt.
    pub run_id: RunId,
    /// The world, resolved.
    pub world_id: WorldId,
    /// The digest of the bundle's index, which stands for the whole bundle.
    pub index_sha256: Digest,
    /// The run's identity; absent if the bundle declares none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Digest>,
    /// Whether the bundle may be promoted.
    pub promotable: bool,
    /// The reasons why not, by name, sorted.
    pub reasons: Vec<String>,
    /// What verifying shows.
    pub trust: VerifiedTrust,
}

/// What is said of a sealed declaration whose digests are those of its parts. Its subject is the declaration's file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclarationPredicate {
    /// The format of the declaration.
    pub declaration_format: String,
    /// What is declared: `run`, `ai_run`, `deployment`.
    pub kind: String,
    /// The identity, computed over the four parts.
    pub identity: Digest,
    /// The digests of the four parts that the identity stands for.
    pub identity_parts: PartDigests,
    /// How many items say that they have no value.
    pub absent: usize,
    /// How many of them say that their value is not known. Absent for declarations whose format does not tell that apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<usize>,
    /// What verifying shows.
    pub trust: VerifiedTrust,
}

/// What verifying shows of something, whoever says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifiedTrust {
    /// Its parts agree with each other. Not: that the host which made it told the truth.
    Consistent,
}

/// A SLSA verification summary: that a packet passed the gates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerificationSummary {
    /// The program that verified.
    pub verifier: SummaryVerifier,
    /// What the packet is of.
    #[serde(rename = "resourceUri")]
    pub resource_uri: String,
    /// The gates.
    pub policy: SummaryPolicy,
    /// What was looked at: the bundle's index.
    #[serde(rename = "inputAttestations")]
    pub input_attestations: Vec<SummaryInput>,
    /// Always `PASSED`: there is no summary of a packet that did not.
    #[serde(rename = "verificationResult")]
    pub verification_result: String,
    /// What was reached: a level of ours, none of SLSA's.
    #[serde(rename = "verifiedLevels")]
    pub verified_levels: Vec<String>,
}

/// The program that verified, as a verification summary names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryVerifier {
    /// A name of this program.
    pub id: String,
}

/// The policy of a verification summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryPolicy {
    /// A name of the gates' rules.
    pub uri: String,
}

/// What a verification summary was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryInput {
    /// A name of it.
    pub uri: String,
    /// The digest of its bytes.
    pub digest: SubjectDigest,
}

/// A DSSE envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DsseEnvelope {
    /// What is signed, in base64.
    pub payload: String,
    /// What the payload is.
    #[serde(rename = "payloadType")]
    pub payload_type: String,
    /// Signatures over both.
    pub signatures: Vec<DsseSignature>,
}

/// One signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DsseSignature {
    /// Which key, as a hint that proves nothing; absent or empty: no hint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyid: Option<String>,
    /// The signature, in base64.
    pub sig: String,
}

/// A sigstore bundle, v0.3, with a key's hint and no transparency log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SigstoreBundle {
    /// Always [`SIGSTORE_BUNDLE_TYPE`].
    #[serde(rename = "mediaType")]
    pub media_type: String,
    /// What it takes to verify.
    #[serde(rename = "verificationMaterial")]
    pub verification_material: SigstoreMaterial,
    /// The envelope.
    #[serde(rename = "dsseEnvelope")]
    pub dsse_envelope: DsseEnvelope,
}

/// What it takes to verify a sigstore bundle: a key that the reader has already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SigstoreMaterial {
    /// A key that the reader has already.
    #[serde(rename = "publicKey")]
    pub public_key: SigstoreKeyHint,
    /// Entries of a transparency log; always empty.
    #[serde(rename = "tlogEntries")]
    pub tlog_entries: [(); 0],
}

/// Which key signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SigstoreKeyHint {
    /// The `keyid` of the signature.
    pub hint: String,
}
