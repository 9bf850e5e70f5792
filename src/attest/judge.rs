//! Whether an attestation is one, by somebody whom the reader trusts, of exactly this content.
//!
//! A signature by itself says that somebody signed something. It counts here only if what it signs is this content, which was
//! verified, and nothing that the content does not bear out.

use serde_json::Value;

use super::anchors::{TrustAnchors, TrustedKey};
use super::attestation::{Attestation, AttestationFault, AttestationFormat, MAX_ATTESTATION_BYTES, SignedStatement};
use super::content::AttestedContent;
use super::dsse;
use super::sshsig::{NAMESPACE, SshSignature};
use super::statement::{self, StatementForm};
use crate::base::digest::Digest;
use crate::base::fsx::{self, FileError};
use crate::base::limits::MAX_INPUT_DOCUMENT_BYTES;
use crate::base::printable::excerpt;
use crate::identity;
use crate::record::statement::{InTotoStatement, STATEMENT_PAYLOAD_TYPE, VSA_PREDICATE};

/// What was found out about an attestation.
#[derive(Debug, Clone)]
pub struct AttestationJudgement {
    /// Its form, if it has one that is known.
    pub format: Option<AttestationFormat>,
    /// What kind of thing it states; `None` of a signature over bytes, which states nothing.
    pub predicate_type: Option<String>,
    /// Trusted keys with a signature that verifies, each once.
    pub signers: Vec<TrustedKey>,
    /// How many signatures are by no key that is trusted, or do not verify.
    pub other_signatures: usize,
    /// How whoever made it names the key that no trusted key was found for: a fingerprint, or a hint.
    pub claimed_keys: Vec<String>,
    /// Why it does not hold; empty if nothing speaks against it.
    pub problems: Vec<AttestationProblem>,
    anchored: bool,
}

/// What an attestation comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttestationStanding {
    /// Somebody who is trusted vouches for exactly this content.
    Authenticated,
    /// Nothing speaks against it, and nobody said who is trusted.
    NotJudged,
    /// It does not hold.
    Refused,
}

impl AttestationStanding {
    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authenticated => "authenticated",
            Self::NotJudged => "not_judged",
            Self::Refused => "refused",
        }
    }
}

impl AttestationJudgement {
    /// What it comes to.
    pub fn standing(&self) -> AttestationStanding {
        match (self.problems.is_empty(), self.anchored) {
            (false, _) => AttestationStanding::Refused,
            (true, true) => AttestationStanding::Authenticated,
            (true, false) => AttestationStanding::NotJudged,
        }
    }
}

/// Why an attestation does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttestationProblem {
    /// It cannot be read as one.
    #[error(transparent)]
    Fault(#[from] AttestationFault),
    /// It is about something else.
    #[error("it is of other content: it names {}, and `{file}` has sha256:{found}", named.join(", "))]
    OtherContent {
        /// What it is about.
        named: Vec<String>,
        /// The file that was verified.
        file: String,
        /// The digest of that file's bytes.
        found: Digest,
    },
    /// It states another kind of thing.
    #[error("it states `{found}` of it, and what can be held against a {kind} is `{due}`")]
    PredicateType {
        /// What it states.
        found: String,
        /// The kind of content.
        kind: &'static str,
        /// What it should state.
        due: String,
    },
    /// It states what the content does not bear out.
    #[error("it says of it what does not hold: {}", members.join(", "))]
    OtherPredicate {
        /// Pointers of the members of the predicate that are not what the content yields.
        members: Vec<String>,
    },
    /// There is no such statement of this content.
    #[error("it says what does not hold: {0}")]
    NotDue(String),
    /// It was made for something else.
    #[error("it was made for the namespace `{0}`, and not for `{NAMESPACE}`")]
    Namespace(String),
    /// The key that it names did not make it over these bytes.
    #[error("the key that it names did not sign these bytes")]
    NotOfBytes,
    /// Its key is of a kind that is not judged here.
    #[error("its key cannot be used here: {0}")]
    Key(String),
    /// No key that is trusted signed it.
    #[error("no trusted key signed it{}", if claimed.is_empty() { String::new() } else { format!("; it names {}", claimed.join(", ")) })]
    NobodyTrusted {
        /// Keys that it names.
        claimed: Vec<String>,
    },
}

impl AttestationProblem {
    /// Its name, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Fault(fault) => fault.code(),
            Self::OtherContent { .. } => "other_content",
            Self::PredicateType { .. } => "predicate_type",
            Self::OtherPredicate { .. } => "other_predicate",
            Self::NotDue(_) => "not_due",
            Self::Namespace(_) => "namespace",
            Self::NotOfBytes => "not_of_bytes",
            Self::Key(_) => "key_kind",
            Self::NobodyTrusted { .. } => "nobody_trusted",
        }
    }
}

/// Judges the attestation in a file.
///
/// # Errors
/// If a file cannot be read. Whatever is wrong with what it holds is in the judgement.
pub fn judge_file(
    content: &AttestedContent,
    path: &std::path::Path,
    anchors: &TrustAnchors,
) -> Result<AttestationJudgement, FileError> {
    let bytes = fsx::read_input(path, MAX_ATTESTATION_BYTES)?;
    judge(content, &bytes, anchors)
}

/// Judges an attestation of content.
///
/// # Errors
/// If the content's file has to be read again, and cannot be.
pub fn judge(
    content: &AttestedContent,
    attestation: &[u8],
    anchors: &TrustAnchors,
) -> Result<AttestationJudgement, FileError> {
    let mut found = AttestationJudgement {
        format: None,
        predicate_type: None,
        signers: Vec::new(),
        other_signatures: 0,
        claimed_keys: Vec::new(),
        problems: Vec::new(),
        anchored: !anchors.is_empty(),
    };
    match Attestation::parse(attestation) {
        Err(fault) => found.problems.push(fault.into()),
        Ok(attestation) => {
            found.format = Some(attestation.format());
            match attestation {
                Attestation::Statement(signed) => found.statement(content, &signed, anchors),
                Attestation::Ssh(signature) => found.ssh(content, &signature, anchors)?,
            }
        }
    }
    Ok(found)
}

impl AttestationJudgement {
    fn statement(&mut self, content: &AttestedContent, signed: &SignedStatement, anchors: &TrustAnchors) {
        let said = &signed.statement;
        self.predicate_type = Some(excerpt(&said.predicate_type, 200));
        let message = dsse::signed_bytes(STATEMENT_PAYLOAD_TYPE, &signed.payload);
        for signature in &signed.signatures {
            let mut verified = false;
            for trusted in anchors.keys() {
                if trusted.key.verifies(&message, &signature.bytes) {
                    verified = true;
                    self.signed_by(trusted);
                }
            }
            if !verified {
                self.other_signatures += 1;
                self.claimed_keys.extend(Some(excerpt(&signature.keyid, 80)).filter(|hint| !hint.is_empty()));
            }
        }
        self.nobody(anchors);
        self.hold_against(content, said);
    }

    /// Whether what is said is what the content yields.
    fn hold_against(&mut self, content: &AttestedContent, said: &InTotoStatement) {
        let summary = said.predicate_type == VSA_PREDICATE && matches!(content, AttestedContent::Packet(_));
        let form = if summary { StatementForm::Summary } else { StatementForm::Own };
        let due = match statement::of(content, form) {
            Ok(due) => due,
            Err(error) => return self.problems.push(AttestationProblem::NotDue(error.to_string())),
        };
        let digest = content.digest();
        let mut named = said.subject.iter().map(|one| one.digest.sha256);
        if said.subject.is_empty() || !named.all(|one| one == Some(digest)) {
            self.problems.push(AttestationProblem::OtherContent {
                named: said
                    .subject
                    .iter()
                    .map(|one| named_subject(one.name.as_deref(), one.digest.sha256))
                    .take(5)
                    .collect(),
                file: content.file().display().to_string(),
                found: digest,
            });
            // What it says of that, nobody here can know.
            if said.predicate_type == due.predicate_type {
                return;
            }
        }
        if said.predicate_type != due.predicate_type {
            self.problems.push(AttestationProblem::PredicateType {
                found: excerpt(&said.predicate_type, 200),
                kind: content.kind().as_str(),
                due: due.predicate_type,
            });
            return;
        }
        let members = beyond(&said.predicate, &due.predicate);
        if !members.is_empty() {
            self.problems.push(AttestationProblem::OtherPredicate { members });
        }
    }

    fn ssh(
        &mut self,
        content: &AttestedContent,
        signature: &SshSignature,
        anchors: &TrustAnchors,
    ) -> Result<(), FileError> {
        if signature.namespace() != NAMESPACE {
            self.problems.push(AttestationProblem::Namespace(excerpt(signature.namespace(), 80)));
            return Ok(());
        }
        let key = match signature.key() {
            Ok(key) => key,
            Err(fault) => {
                self.problems.push(AttestationProblem::Key(fault.to_string()));
                return Ok(());
            }
        };
        let made = match signature.is_of_digest(content.digest()) {
            Some(made) => made,
            None => {
                let bytes = fsx::read_input(&content.file(), MAX_INPUT_DOCUMENT_BYTES)?;
                // What is read now counts only if it is what was verified.
                Digest::of(&bytes) == content.digest() && signature.is_of(&bytes)
            }
        };
        if !made {
            self.problems.push(AttestationProblem::NotOfBytes);
            self.other_signatures = 1;
            return Ok(());
        }
        for trusted in anchors.keys().iter().filter(|trusted| trusted.key == *key) {
            self.signed_by(trusted);
        }
        if self.signers.is_empty() {
            self.other_signatures = 1;
            self.claimed_keys.push(key.fingerprint());
        }
        self.nobody(anchors);
        Ok(())
    }

    fn signed_by(&mut self, trusted: &TrustedKey) {
        if !self.signers.contains(trusted) {
            self.signers.push(trusted.clone());
        }
    }

    fn nobody(&mut self, anchors: &TrustAnchors) {
        if !anchors.is_empty() && self.signers.is_empty() {
            self.problems.push(AttestationProblem::NobodyTrusted { claimed: self.claimed_keys.clone() });
        }
    }
}

fn named_subject(name: Option<&str>, digest: Option<Digest>) -> String {
    let name = name.map(|name| format!("`{}` ", excerpt(name, 80))).unwrap_or_default();
    match digest {
        Some(digest) => format!("{name}sha256:{digest}"),
        None => format!("{name}without a sha256"),
    }
}

/// Pointers of what `said` says, and `due` does not, or otherwise; and of what `due` says and `said` leaves out.
fn beyond(said: &Value, due: &Value) -> Vec<String> {
    identity::differences("", due, said)
        .into_iter()
        .map(|one| format!("`{}`", excerpt(&one.pointer, 80)))
        .take(20)
        .collect()
}
