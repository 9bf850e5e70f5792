//! `verify`

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};

use super::attest::signer;
use super::exit::{Exit, Failure, OrFail};
use super::failures::{content_failure, key_failure};
use super::ui::Ui;
use super::validate_bundle::{self, TRUST, TRUST_WORDS};
use crate::attest::judge::{self, AttestationJudgement, AttestationStanding};
use crate::attest::{AttestedContent, ContentError, KeyOwner, TrustAnchors, TrustedKey};
use crate::base::clock;
use crate::base::printable::{Lines, path_text};
use crate::promote::GateEvaluation;
use crate::record::verification::{AttestationRecord, ProblemRecord, SignerRecord, VerificationReport};

/// Verify a bundle, a packet or a sealed declaration, and who vouches for it.
///
/// The content comes first: a bundle's evidence is derived again, a packet is held to its bundle, a declaration to its parts
/// (exit 4 if something is wrong). An attestation then counts only if it is of exactly these bytes, says nothing that they do not
/// bear out, and is signed by a key that you name (exit 5 if not). Without one, what verifies is consistent and not authenticated;
/// --require-signed refuses that (exit 5).
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["path", "bundle"])))]
pub(super) struct VerifyArgs {
    /// A bundle's folder, an output root whose LATEST leads to it, a packet, or the file of a sealed declaration.
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// A bundle, as `validate-bundle` takes it and answers; what `verify` was before there were signatures.
    #[arg(long, value_name = "DIR", hide = true, conflicts_with_all = ["root", "attestation", "key", "allowed_signers", "require_signed"])]
    bundle: Option<PathBuf>,
    /// The folder that the pointers of a packet are relative to.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// What somebody signed of it: a DSSE envelope, a sigstore bundle with a key, or a signature of OpenSSH.
    #[arg(long, value_name = "FILE")]
    attestation: Option<PathBuf>,
    /// A public key that you trust, in PEM or OpenSSH's form; more than once: any of them.
    #[arg(long, value_name = "PUB", requires = "attestation")]
    key: Vec<PathBuf>,
    /// Whom you trust, as OpenSSH's file of allowed signers; more than once: all of them.
    #[arg(long, value_name = "FILE", requires = "attestation")]
    allowed_signers: Vec<PathBuf>,
    /// Refuse what is not signed by somebody whom you trust.
    #[arg(long)]
    require_signed: bool,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// What is said of content that somebody trusted vouches for, for programs.
pub(super) const AUTHENTICATED: &str = "authenticated";
/// The same in words.
const AUTHENTICATED_WORDS: &str = "authenticated: whoever has that key vouches for these bytes; not shown: that the host which made them told the truth";

/// Verifies.
pub(super) fn run(args: &VerifyArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let path = match (&args.path, &args.bundle) {
        (Some(path), _) => path,
        (None, Some(bundle)) => return validate_bundle::of(bundle, args.json, ui),
        (None, None) => unreachable!("clap demands one of them"),
    };
    let anchors = anchors(&args.key, &args.allowed_signers)?;
    let content = match AttestedContent::open(path, args.root.as_deref()) {
        Ok(content) => content,
        Err(ContentError::Bundle(refused)) => return validate_bundle::report(&refused, args.json, ui),
        Err(error) => return Err(content_failure(error)),
    };
    let judged = match &args.attestation {
        Some(file) => Some((file, judge::judge_file(&content, file, &anchors).or_fail(Exit::InputRefused)?)),
        None => None,
    };
    let standing = judged.as_ref().map(|(_, judgement)| judgement.standing());
    let authenticated = standing == Some(AttestationStanding::Authenticated);
    let ok = standing != Some(AttestationStanding::Refused) && (authenticated || !args.require_signed);
    if args.json {
        ui.answer("verification_report", &report(&content, judged.as_ref(), args.require_signed, ok));
    } else {
        let mut lines = what_verifies(&content);
        if let Some((file, judgement)) = &judged {
            what_is_signed(&mut lines, &content, file, judgement);
        }
        lines.line(if authenticated { AUTHENTICATED_WORDS } else { TRUST_WORDS });
        ui.within_width(&lines);
        if !ok && standing != Some(AttestationStanding::Refused) {
            ui.remark(match standing {
                None => "refused: a signature is required, and no attestation is given (--attestation)",
                Some(_) => {
                    "refused: a signature is required, and nobody is named whose would count (--key, --allowed-signers)"
                }
            });
        }
    }
    Ok(if ok { Exit::Done } else { Exit::GateRefused })
}

/// Everybody who is trusted.
pub(super) fn anchors(keys: &[PathBuf], allowed_signers: &[PathBuf]) -> Result<TrustAnchors, Failure> {
    let mut anchors = TrustAnchors::default();
    let now = clock::unix_seconds();
    for file in keys {
        anchors.add_key(file).map_err(key_failure)?;
    }
    for file in allowed_signers {
        anchors.add_allowed_signers(file, now).map_err(key_failure)?;
    }
    if anchors.is_empty() && !allowed_signers.is_empty() {
        let error = format!(
            "`{}` allows nobody to sign what sandproof makes",
            allowed_signers.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join("` and `")
        );
        return Err(Failure::new(Exit::InputRefused, error).hint(
            "lines of certificate authorities, of keys other than ECDSA P-256 and Ed25519, for other namespaces than `sandproof`, \
             and whose time is not now allow nobody",
        ));
    }
    Ok(anchors)
}

fn report(
    content: &AttestedContent,
    judged: Option<&(&PathBuf, AttestationJudgement)>,
    required: bool,
    ok: bool,
) -> VerificationReport {
    let authenticated = judged.is_some_and(|(_, judgement)| judgement.standing() == AttestationStanding::Authenticated);
    let (run_id, identity, promotable) = match content {
        AttestedContent::Bundle(bundle, report) => (
            Some(bundle.index().run_id.to_string()),
            bundle.identity().map(|declared| declared.identity),
            Some(report.is_promotable()),
        ),
        AttestedContent::Packet(opened) => {
            (Some(opened.packet().run_id.to_string()), opened.packet().identity, Some(opened.report().is_promotable()))
        }
        AttestedContent::Declaration(sealed) => (None, Some(sealed.declaration().identity), None),
    };
    VerificationReport {
        ok,
        kind: content.kind().as_str(),
        file: path_text(&content.file()),
        sha256: content.digest(),
        run_id,
        identity,
        promotable,
        trust: if authenticated { AUTHENTICATED } else { TRUST },
        signature_required: required,
        attestation: judged.map(|(file, judgement)| record(file, judgement)),
    }
}

/// What was found out about an attestation, for programs.
pub(super) fn record(file: &Path, judgement: &AttestationJudgement) -> AttestationRecord {
    AttestationRecord {
        file: path_text(file),
        format: judgement.format.map(|format| format.as_str()),
        predicate_type: judgement.predicate_type.clone(),
        standing: judgement.standing().as_str(),
        signers: judgement.signers.iter().map(signer_record).collect(),
        other_signatures: judgement.other_signatures,
        claimed_keys: judgement.claimed_keys.clone(),
        problems: judgement
            .problems
            .iter()
            .map(|problem| ProblemRecord { code: problem.code(), message: problem.to_string() })
            .collect(),
    }
}

fn signer_record(trusted: &TrustedKey) -> SignerRecord {
    match &trusted.owner {
        KeyOwner::Principals(who) => signer(&trusted.key, Some(who), None),
        KeyOwner::File(file) => signer(&trusted.key, None, Some(file)),
    }
}

fn what_verifies(content: &AttestedContent) -> Lines {
    let mut lines = Lines::default();
    match content {
        AttestedContent::Bundle(bundle, report) => {
            let (files, rows, derived) = (bundle.file_count(), bundle.row_count(), bundle.derived_count());
            let mark = if bundle.index().repaired { " (its index was rewritten by a repair)" } else { "" };
            lines.line(format!(
                "bundle {} verifies: {files} files, {rows} rows, {derived} derived artifacts recomputed{mark}",
                bundle.index().run_id
            ));
            lines.line(promotable(report));
        }
        AttestedContent::Packet(opened) => {
            lines.line(format!(
                "packet verifies: it is what the bundle of {} at `{}` yields, which verifies",
                opened.packet().run_id,
                opened.bundle().folder().display()
            ));
            lines.line(promotable(opened.report()));
        }
        AttestedContent::Declaration(sealed) => {
            let declared = sealed.declaration();
            lines.line(format!("declaration verifies: identity {} ({})", declared.identity, declared.kind));
            lines.line("its digests are those of its parts; nothing shows that anything was executed as it says");
        }
    }
    lines
}

fn promotable(report: &GateEvaluation) -> String {
    if report.is_promotable() {
        return "promotable".to_owned();
    }
    let reasons: Vec<&str> = report.reasons().iter().map(|reason| reason.as_str()).collect();
    format!("not promotable: {}", reasons.join(", "))
}

fn what_is_signed(lines: &mut Lines, content: &AttestedContent, file: &Path, judgement: &AttestationJudgement) {
    for problem in &judgement.problems {
        lines.line(format!("attestation `{}` refused: {problem}", file.display()));
    }
    if !judgement.problems.is_empty() {
        return;
    }
    let form = judgement.format.map_or("an attestation", |format| format.words());
    let what = match &judgement.predicate_type {
        Some(predicate) => format!("`{predicate}` of"),
        None => "the bytes of".to_owned(),
    };
    let file = content.file();
    let verb = if judgement.signers.is_empty() { "stated, by nobody known:" } else { "signed:" };
    lines.line(format!("{verb} {what} `{}` (sha256:{}), in {form}", file.display(), content.digest()));
    for trusted in &judgement.signers {
        lines.line(signed_by(trusted));
    }
    if judgement.signers.is_empty() {
        lines.line("whose signature would count was not said (--key, --allowed-signers), so none was judged");
    } else if judgement.other_signatures > 0 {
        lines.line(format!(
            "{} more signatures are by nobody who is trusted, or do not verify",
            judgement.other_signatures
        ));
    }
}

/// What an attestation of a gate comes to, for people.
pub(super) fn what_counts(file: &Path, judgement: &AttestationJudgement) -> Lines {
    if judgement.problems.is_empty() {
        return judgement.signers.iter().map(signed_by).collect();
    }
    judgement.problems.iter().map(|problem| format!("attestation `{}` refused: {problem}", file.display())).collect()
}

fn signed_by(trusted: &TrustedKey) -> String {
    let key = format!("{} key {}", trusted.key.algorithm().as_str(), trusted.key.fingerprint());
    match &trusted.owner {
        KeyOwner::Principals(who) => format!("signed by {who}, with the {key}"),
        KeyOwner::File(named) => format!("signed by whoever has the {key} (`{}`)", named.display()),
    }
}
