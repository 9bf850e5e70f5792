//! Signing, offline: a statement in an envelope or a sigstore bundle, or a file's bytes as OpenSSH does it.

use base64ct::{Base64, Encoding as _};

use super::attestation::AttestationFormat;
use super::content::AttestedContent;
use super::secret_key::SecretKey;
use super::statement::{self, NoStatement, StatementForm};
use super::{dsse, sshsig};
use crate::base::json_out;
use crate::record::statement::{
    DsseEnvelope, DsseSignature, SIGSTORE_BUNDLE_TYPE, STATEMENT_PAYLOAD_TYPE, SigstoreBundle, SigstoreKeyHint,
    SigstoreMaterial,
};

/// Vouches for content: the attestation as it is written to a file.
///
/// A signature of OpenSSH is over the content's own bytes and states nothing, so the form of the statement plays no part there.
///
/// # Errors
/// If there is no statement of that form.
pub fn sign(
    content: &AttestedContent,
    form: StatementForm,
    key: &SecretKey,
    format: AttestationFormat,
) -> Result<Vec<u8>, NoStatement> {
    match format {
        AttestationFormat::Sshsig => Ok(sshsig::sign(key, content.digest()).into_bytes()),
        AttestationFormat::Dsse => Ok(written(&envelope(content, form, key)?)),
        AttestationFormat::Sigstore => {
            let envelope = envelope(content, form, key)?;
            let hint = key.public().keyid().to_string();
            Ok(written(&SigstoreBundle {
                media_type: SIGSTORE_BUNDLE_TYPE.into(),
                verification_material: SigstoreMaterial { public_key: SigstoreKeyHint { hint }, tlog_entries: [] },
                dsse_envelope: envelope,
            }))
        }
    }
}

fn envelope(content: &AttestedContent, form: StatementForm, key: &SecretKey) -> Result<DsseEnvelope, NoStatement> {
    let payload = statement::to_bytes(&statement::of(content, form)?);
    let signature = key.sign(&dsse::signed_bytes(STATEMENT_PAYLOAD_TYPE, &payload));
    Ok(DsseEnvelope {
        payload: Base64::encode_string(&payload),
        payload_type: STATEMENT_PAYLOAD_TYPE.into(),
        signatures: vec![DsseSignature {
            keyid: Some(key.public().keyid().to_string()),
            sig: Base64::encode_string(&signature),
        }],
    })
}

fn written(value: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes = json_out::to_pretty(value);
    bytes.push(b'\n');
    bytes
}
