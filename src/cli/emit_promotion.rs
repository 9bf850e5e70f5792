//! `emit-promotion`

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::exit::{Exit, Failure};
use super::out::{Destination, output_failure};
use super::ui::Ui;
use super::validate_bundle;
use crate::base::printable::{Lines, path_text};
use crate::bundle::{self, BundleRefused};
use crate::plan::Workspace;
use crate::promote::packet::PacketError;
use crate::promote::{self, Reason};

/// Verify a bundle and write its promotion packet.
///
/// The packet says whether the bundle may be promoted, and every reason why not. With --require-promotable nothing is
/// written for one that has a reason against it (exit 5). Of a bundle that does not verify (exit 4), the packet says that it
/// does not, and nothing else in it is to be relied on; nothing is written if no run id can be read.
#[derive(Debug, Args)]
pub(super) struct EmitPromotionArgs {
    /// The bundle's folder, or an output root whose LATEST leads to it.
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    /// Where the packet goes, outside the bundle; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Refuse, and write nothing, unless the bundle may be promoted.
    #[arg(long)]
    require_promotable: bool,
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
    let bundle = match bundle::verify(&args.bundle) {
        Ok(bundle) => bundle,
        Err(refused) => return args.unverified(&refused, to_stdout, ui),
    };
    let report = promote::evaluate(&bundle);
    let refused = args.require_promotable && !report.is_promotable();
    if !refused && let Some(remark) = misleading(bundle.folder(), &bundle.index().bundle_root) {
        ui.remark(remark);
    }
    if !refused {
        let packet = promote::packet::make(&bundle, &report);
        if to_stdout {
            ui.bytes(&promote::packet::to_bytes(&packet));
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
                "trust": validate_bundle::TRUST,
            }),
        );
    } else {
        ui.within_width(&describe(report.reasons()));
        ui.line(validate_bundle::TRUST_WORDS);
        if !refused {
            ui.line(format!("wrote {}", args.out.display()));
        }
    }
    Ok(if refused { Exit::GateRefused } else { Exit::Done })
}

impl EmitPromotionArgs {
    /// The packet of a bundle that does not verify, where there is enough to say so.
    fn unverified(&self, refused: &BundleRefused, to_stdout: bool, ui: &mut Ui) -> Result<Exit, Failure> {
        let looked_at = if self.require_promotable { None } else { bundle::open_unverified(&self.bundle).ok() };
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
