//! What is said of content: an in-toto Statement, and of a promotable packet a SLSA verification summary.
//!
//! A statement is a function of the content: whoever verifies the same bytes makes the same one, so that a signed statement can
//! be held against what it is about, member by member.

use serde::Serialize;
use serde_json::Value;

use super::content::AttestedContent;
use crate::base::json_out;
use crate::identity;
use crate::promote::GateEvaluation;
use crate::record::identity::RUN_IDENTITY_SCHEMA;
use crate::record::layout;
use crate::record::open_item::open_items;
use crate::record::open_word::OpenWord;
use crate::record::run_identity::GATE_RULES;
use crate::record::statement::{
    BUNDLE_PREDICATE, BundlePredicate, DECLARATION_PREDICATE, DeclarationPredicate, InTotoStatement, PACKET_PREDICATE,
    PacketPredicate, STATEMENT_TYPE, StatementSubject, SubjectDigest, SummaryInput, SummaryPolicy, SummaryVerifier,
    VSA_PREDICATE, VerificationSummary, VerifiedTrust,
};

/// What a packet's file is called in statements, whatever its name is.
const PACKET_NAME: &str = "promotion_packet.json";
/// The same of the declaration of another system.
const SYSTEM_IDENTITY_NAME: &str = "system_identity.json";
/// The level that a verification summary names: that no gate blocks promotion.
pub const PROMOTABLE_LEVEL: &str = "SANDPROOF_PROMOTABLE";

/// The two statements that there are of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatementForm {
    /// With a predicate of our own.
    Own,
    /// A SLSA verification summary.
    Summary,
}

/// There is no such statement of this content.
#[derive(Debug, thiserror::Error)]
pub enum NoStatement {
    /// Only of packets there is a verification summary.
    #[error("a verification summary is made of a promotion packet, and this is a {0}")]
    NoPacket(&'static str),
    /// The packet may not be promoted.
    #[error("a verification summary says that a packet may be promoted, and this one may not: {}", .0.join(", "))]
    NotPromotable(Vec<String>),
}

/// The statement of verified content.
///
/// # Errors
/// If there is none of that form.
pub fn of(content: &AttestedContent, form: StatementForm) -> Result<InTotoStatement, NoStatement> {
    match form {
        StatementForm::Own => Ok(own(content)),
        StatementForm::Summary => summary(content),
    }
}

/// A statement as it is printed, and as it is signed.
pub fn to_bytes(statement: &InTotoStatement) -> Vec<u8> {
    json_out::to_pretty(statement)
}

fn own(content: &AttestedContent) -> InTotoStatement {
    match content {
        AttestedContent::Bundle(bundle, report) => {
            let (promotable, reasons) = promotability(report);
            let manifest = bundle.manifest();
            statement(
                content,
                layout::ARTIFACT_INDEX,
                BUNDLE_PREDICATE,
                &BundlePredicate {
                    run_id: bundle.index().run_id.clone(),
                    world_id: bundle.index().world_id.clone(),
                    plan_id: manifest.plan_id.clone(),
                    plan_digest: manifest.plan_digest,
                    channel: manifest.channel,
                    identity: bundle.identity().map(|declared| declared.identity),
                    identity_parts: bundle.identity().map(|declared| declared.digests),
                    rows: bundle.row_count(),
                    derived: bundle.derived_count(),
                    promotable,
                    reasons,
                    trust: VerifiedTrust::Consistent,
                },
            )
        }
        AttestedContent::Packet(opened) => {
            let (promotable, reasons) = promotability(opened.report());
            let packet = opened.packet();
            statement(
                content,
                PACKET_NAME,
                PACKET_PREDICATE,
                &PacketPredicate {
                    run_id: packet.run_id.clone(),
                    world_id: packet.world_id.clone(),
                    index_sha256: packet.index_sha256,
                    identity: packet.identity,
                    promotable,
                    reasons,
                    trust: VerifiedTrust::Consistent,
                },
            )
        }
        AttestedContent::Declaration(sealed) => {
            let declared = sealed.declaration();
            let of_run = declared.schema_version == RUN_IDENTITY_SCHEMA;
            let open = open_items(declared);
            let unknown = open.iter().filter(|item| item.word == OpenWord::Unknown).count();
            statement(
                content,
                if of_run { layout::RUN_IDENTITY } else { SYSTEM_IDENTITY_NAME },
                DECLARATION_PREDICATE,
                &DeclarationPredicate {
                    declaration_format: declared.schema_version.clone(),
                    kind: declared.kind.clone(),
                    identity: declared.identity,
                    identity_parts: declared.digests,
                    absent: identity::absences(declared).len() + open.len(),
                    unknown: declared.completeness.map(|_| unknown),
                    trust: VerifiedTrust::Consistent,
                },
            )
        }
    }
}

fn summary(content: &AttestedContent) -> Result<InTotoStatement, NoStatement> {
    let AttestedContent::Packet(opened) = content else { return Err(NoStatement::NoPacket(content.kind().as_str())) };
    let (promotable, reasons) = promotability(opened.report());
    if !promotable {
        return Err(NoStatement::NotPromotable(reasons));
    }
    let packet = opened.packet();
    let predicate = VerificationSummary {
        verifier: SummaryVerifier { id: "urn:sandproof:verifier:v1".into() },
        resource_uri: format!("urn:sandproof:run:{}", packet.run_id),
        policy: SummaryPolicy { uri: format!("urn:sandproof:policy:{GATE_RULES}") },
        input_attestations: vec![SummaryInput {
            uri: format!("urn:sandproof:bundle:{}", packet.run_id),
            digest: SubjectDigest { sha256: Some(packet.index_sha256) },
        }],
        verification_result: "PASSED".into(),
        verified_levels: vec![PROMOTABLE_LEVEL.into()],
    };
    Ok(statement(content, PACKET_NAME, VSA_PREDICATE, &predicate))
}

fn promotability(report: &GateEvaluation) -> (bool, Vec<String>) {
    (report.is_promotable(), report.reasons().iter().map(|reason| reason.as_str().to_owned()).collect())
}

fn statement(
    content: &AttestedContent,
    name: &str,
    predicate_type: &str,
    predicate: &impl Serialize,
) -> InTotoStatement {
    InTotoStatement {
        statement_type: STATEMENT_TYPE.into(),
        subject: vec![StatementSubject {
            name: Some(name.to_owned()),
            digest: SubjectDigest { sha256: Some(content.digest()) },
        }],
        predicate_type: predicate_type.to_owned(),
        predicate: serde_json::to_value(predicate).unwrap_or(Value::Null),
    }
}
