//! `attest`

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::content_args::ContentArgs;
use super::exit::{Exit, Failure};
use super::failures::{key_failure, no_statement};
use super::out::Destination;
use super::statement::StatementName;
use super::ui::Ui;
use crate::attest::attestation::AttestationFormat;
use crate::attest::statement::StatementForm;
use crate::attest::{AttestedContent, SecretKey, VerifyingKey, sign};
use crate::base::printable::{Lines, path_text};
use crate::record::statement::{BUNDLE_PREDICATE, DECLARATION_PREDICATE, PACKET_PREDICATE, VSA_PREDICATE};
use crate::record::verification::{AttestReport, SignerRecord};

/// Sign what verifies, with a key of one's own; no network, no log, no service.
///
/// The content is verified first, and what does not verify is not signed (exit 4). The key is ECDSA P-256 or Ed25519: PEM
/// (PKCS#8, or SEC1 for P-256), or OpenSSH's form; not encrypted, and a file that nobody else may read. A signature says who
/// vouches for these bytes, and that they are these; not that the host which made them told the truth.
#[derive(Debug, Args)]
pub(super) struct AttestArgs {
    #[command(flatten)]
    content: ContentArgs,
    /// The private key, a file or a pipe.
    #[arg(long, value_name = "KEY")]
    key: PathBuf,
    /// What the signature comes in.
    #[arg(long, value_enum, default_value_t = AttestationName::Sigstore)]
    format: AttestationName,
    /// Which statement is signed; `sshsig` signs the bytes themselves, and states nothing.
    #[arg(long, value_enum, default_value_t = StatementName::InToto)]
    statement: StatementName,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// What a signature comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AttestationName {
    /// A sigstore bundle v0.3 with a key's hint and no transparency log: what cosign and @sigstore/verify read.
    Sigstore,
    /// A DSSE envelope: what in-toto and securesystemslib read.
    Dsse,
    /// A signature of OpenSSH over the file itself: what `ssh-keygen -Y verify -n sandproof` reads.
    Sshsig,
}

impl From<AttestationName> for AttestationFormat {
    fn from(name: AttestationName) -> Self {
        match name {
            AttestationName::Sigstore => Self::Sigstore,
            AttestationName::Dsse => Self::Dsse,
            AttestationName::Sshsig => Self::Sshsig,
        }
    }
}

/// Signs.
pub(super) fn run(args: &AttestArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let form = StatementForm::from(args.statement);
    if args.format == AttestationName::Sshsig && form == StatementForm::Summary {
        return Err(Failure::new(
            Exit::Usage,
            "a signature of OpenSSH is over the packet's own bytes and states nothing",
        )
        .hint("leave out --statement, or sign the summary with --format dsse or sigstore"));
    }
    let destination = Destination::of(args.content.out())?;
    if args.json && matches!(destination, Destination::Stdout) {
        return Err(Failure::new(Exit::Usage, "the attestation and the answer cannot both go to standard output")
            .hint("name a file with --out, or leave out --json"));
    }
    let key = SecretKey::read(&args.key).map_err(key_failure)?;
    let content = args.content.open()?;
    let format = AttestationFormat::from(args.format);
    let signed = sign::sign(&content, form, &key, format).map_err(no_statement)?;
    let to_stdout = destination.put(&signed, ui)?;
    let public = key.public();
    let out = args.content.out();
    if args.json {
        ui.answer(
            "attest_report",
            &AttestReport {
                wrote: path_text(out),
                format: format.as_str(),
                kind: content.kind().as_str(),
                file: path_text(&content.file()),
                sha256: content.digest(),
                predicate_type: predicate_type(&content, form, format),
                key: signer(&public, None, Some(&args.key)),
            },
        );
        return Ok(Exit::Done);
    }
    let mut lines = Lines::default();
    lines.line(format!(
        "signed {} `{}` (sha256:{})",
        content.kind().as_str(),
        content.file().display(),
        content.digest()
    ));
    lines.line(format!(
        "with the {} key {} (keyid {})",
        public.algorithm().as_str(),
        public.fingerprint(),
        public.keyid()
    ));
    if to_stdout {
        ui.remarks(&lines);
    } else {
        lines.line(format!("wrote {}", out.display()));
        ui.out(&lines);
    }
    Ok(Exit::Done)
}

fn predicate_type(content: &AttestedContent, form: StatementForm, format: AttestationFormat) -> Option<&'static str> {
    if format == AttestationFormat::Sshsig {
        return None;
    }
    Some(match (form, content) {
        (StatementForm::Summary, _) => VSA_PREDICATE,
        (StatementForm::Own, AttestedContent::Bundle(..)) => BUNDLE_PREDICATE,
        (StatementForm::Own, AttestedContent::Packet(_)) => PACKET_PREDICATE,
        (StatementForm::Own, AttestedContent::Declaration(_)) => DECLARATION_PREDICATE,
    })
}

/// A key, as answers name it.
pub(super) fn signer(key: &VerifyingKey, principals: Option<&str>, file: Option<&Path>) -> SignerRecord {
    SignerRecord {
        principals: principals.map(str::to_owned),
        key_file: file.map(path_text),
        algorithm: key.algorithm().as_str(),
        keyid: key.keyid(),
        fingerprint: key.fingerprint(),
    }
}
