//! `emit-promotion`

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::exit::{Exit, Failure, OrFail};
use super::failures::key_failure;
use super::named_args::BundleArg;
use super::out::{Destination, output_failure};
use super::ui::Ui;
use super::validate_bundle;
use super::verify;
use crate::attest::judge::{self, AttestationJudgement, AttestationStanding};
use crate::attest::{AttestedContent, TrustAnchors};
use crate::base::clock;
use crate::base::printable::{Lines, path_text};
use crate::bundle::{self, Bundle, BundleRefused, Verified};
use crate::plan::Workspace;
use crate::promote::packet::PacketError;
use crate::promote::{self, GateEvaluation, Reason};

/// Verify a bundle and write its promotion packet.
///
/// The packet says whether the bundle may be promoted, and every reason why not. With --require-promotable nothing is
/// written for one that has a reason against it (exit 5), and with --require-signed-by for one that nobody of those vouches for. Of a bundle that does not verify (exit 4), the packet says that it
/// does not, and nothing else in it is to be relied on; nothing is written if no run id can be read.
#[derive(Debug, Args)]
pub(super) struct EmitPromotionArgs {
    #[command(flatten)]
    bundle: BundleArg,
    /// Where the packet goes, outside the bundle; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Refuse, and write nothing, unless the bundle may be promoted.
    #[arg(long)]
    require_promotable: bool,
    /// What somebody signed of the bundle; see --require-signed-by.
    #[arg(long, value_name = "FILE", requires = "require_signed_by")]
    attestation: Option<PathBuf>,
    /// Refuse, and write nothing, unless --attestation is of this bundle and signed by the public key, or somebody of the allowed
    /// signers, in this file; more than once: by any of them.
    #[arg(long, value_name = "PUB|ALLOWED", requires = "attestation")]
    require_signed_by: Vec<PathBuf>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Verifies a bundle and writes its packet.
pub(super) fn run(args: &EmitPromotionArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let to_stdout = matches!(Destination::of(&args.out)?, Destination::Stdout);
    if to_stdout && args.json {
        return Err(Failure::new(Exit::Usage, "the packet and the answer cannot both go to standard output")
            .hint("leave out --json: the packet is JSON, and holds what the answer says"));
    }
    let bundle = match bundle::verify(args.bundle.path()) {
        Ok(bundle) => bundle,
        Err(refused) => return args.unverified(&refused, to_stdout, ui),
    };
    let report = promote::evaluate(&bundle);
    let signed = args.judge(&bundle, &report)?;
    let unsigned = signed.as_ref().is_some_and(|judged| judged.standing() != AttestationStanding::Authenticated);
    let refused = unsigned || (args.require_promotable && !report.is_promotable());
    let attestation = args.attestation.as_deref().zip(signed.as_ref());
    if !refused && let Some(remark) = misleading(bundle.folder(), &bundle.index().bundle_root) {
        ui.remark(remark);
    }
    if !refused {
        let packet = promote::packet::make(&bundle, &report);
        if to_stdout {
            ui.bytes(&promote::packet::to_bytes(&packet));
            if let Some((file, judged)) = attestation {
                ui.remarks(&verify::what_counts(file, judged));
            }
            ui.remarks(&describe(report.reasons()));
            return Ok(Exit::Done);
        }
        promote::packet::write(&packet, &bundle, &args.out).map_err(unwritten)?;
    }
    if args.json {
        ui.answer(
            "promotion_report",
            &json!({
                "wrote": (!refused).then(|| path_text(&args.out)),
                "promotability": report.to_record(),
                "trust": if signed.is_some() && !unsigned { verify::AUTHENTICATED } else { validate_bundle::TRUST },
                "attestation": attestation.map(|(file, judged)| verify::record(file, judged)),
            }),
        );
    } else {
        if let Some((file, judged)) = attestation {
            ui.within_width(&verify::what_counts(file, judged));
        }
        ui.within_width(&describe(report.reasons()));
        if signed.is_none() || unsigned {
            ui.line(validate_bundle::TRUST_WORDS);
        }
        if !refused {
            ui.line(format!("wrote {}", args.out.display()));
        }
    }
    Ok(if refused { Exit::GateRefused } else { Exit::Done })
}

impl EmitPromotionArgs {
    /// What the attestation comes to, if one is demanded.
    fn judge(
        &self,
        bundle: &Verified<Bundle>,
        report: &GateEvaluation,
    ) -> Result<Option<AttestationJudgement>, Failure> {
        let Some(file) = &self.attestation else { return Ok(None) };
        let mut anchors = TrustAnchors::default();
        for named in &self.require_signed_by {
            anchors.add_file(named, clock::unix_seconds()).map_err(key_failure)?;
        }
        if anchors.is_empty() {
            return Err(Failure::new(
                Exit::InputRefused,
                "the files of --require-signed-by name nobody whose signature would count",
            ));
        }
        let content = AttestedContent::Bundle(Box::new(bundle.clone()), report.clone());
        judge::judge_file(&content, file, &anchors).map(Some).or_fail(Exit::InputRefused)
    }

    /// The packet of a bundle that does not verify, where there is enough to say so.
    fn unverified(&self, refused: &BundleRefused, to_stdout: bool, ui: &mut Ui) -> Result<Exit, Failure> {
        let looked_at = if self.require_promotable || self.attestation.is_some() {
            None
        } else {
            bundle::open_unverified(self.bundle.path()).ok()
        };
        let made = looked_at.and_then(|bundle| {
            let report = promote::evaluate_unverified(&bundle);
            let packet = promote::packet::make_unverified(&bundle, &report, &refused.findings)?;
            Some((bundle, report, packet))
        });
        let Some((bundle, report, packet)) = made else { return validate_bundle::report(refused, self.json, ui) };
        if to_stdout {
            ui.bytes(&promote::packet::to_bytes(&packet));
            ui.remarks(&validate_bundle::findings(refused));
            ui.remarks(&describe(report.reasons()));
            return Ok(Exit::BundleInvalid);
        }
        promote::packet::write_unverified(&packet, &bundle, &self.out).map_err(unwritten)?;
        if self.json {
            ui.answer(
                "promotion_report",
                &json!({
                    "wrote": path_text(&self.out),
                    "promotability": packet.promotability,
                    "errors": refused.findings,
                }),
            );
            return Ok(Exit::BundleInvalid);
        }
        let exit = validate_bundle::report(refused, false, ui)?;
        ui.within_width(&describe(report.reasons()));
        ui.line(format!("wrote {}, which says that the bundle does not verify", self.out.display()));
        Ok(exit)
    }
}

fn unwritten(error: PacketError) -> Failure {
    match error {
        PacketError::InsideBundle { .. } => Failure::new(Exit::Usage, error),
        PacketError::File(error) => output_failure(error),
    }
}

/// What to say where whoever follows the pointers of a packet does not come to its bundle.
fn misleading(folder: &Path, pointers: &str) -> Option<String> {
    let real = folder.canonicalize().ok()?;
    let pointed = Path::new(pointers);
    let pointed = match Workspace::pointer_root_around(&real) {
        _ if pointed.is_absolute() => pointed.to_owned(),
        Some(root) => root.join(pointed),
        // Relative to what is not known, but there is a folder from which it fits.
        None if real.ends_with(pointed) => return None,
        None => pointed.to_owned(),
    };
    if pointed.canonicalize().is_ok_and(|pointed| pointed == real) {
        return None;
    }
    Some(format!(
        "the packet's pointers lead to `{}`, where the bundle lay when it was made, and it lies at `{}`: a consumer that \
         follows them needs it there, or the folder that they are relative to (`--root`)",
        pointed.display(),
        real.display(),
    ))
}

fn describe(reasons: &[Reason]) -> Lines {
    if reasons.is_empty() {
        return Lines::from_iter(["promotable"]);
    }
    let reasons = reasons.iter().map(|reason| format!("  {}: {}", reason.as_str(), reason.explain()));
    std::iter::once("not promotable:".to_owned()).chain(reasons).collect()
}
