//! `sandproof summarize-ops`

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::exit::{Exit, Failure};
use super::failures::review_failure;
use super::out::Destination;
use super::table;
use super::ui::Ui;
use super::validate_bundle;
use crate::base::printable::Lines;
use crate::bundle::{self};
use crate::record::op_summary::OpSummary;
use crate::review::{OpenedPacket, ReviewError, Vocabulary, op_summary};

/// Count the events of a bundle by operation.
///
/// The bundle is verified first, and so is the one behind a packet. A bundle that may not be promoted is refused (exit 5)
/// unless --allow-nonpromotable says otherwise.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("source").required(true).args(["bundle", "packet"]))]
pub(super) struct SummarizeOpsArgs {
    /// The bundle's folder, or an output root whose LATEST leads to it.
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// A promotion packet.
    #[arg(long, value_name = "FILE")]
    packet: Option<PathBuf>,
    /// Write the document to this file; `-` is standard output. Without it, it is only shown.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Numbers of operations: a document with `ops[]` of `name` and `id`. Without it no operation has a number.
    #[arg(long, value_name = "FILE")]
    vocab: Option<PathBuf>,
    /// What the pointers of a packet are relative to. Default: the checkout or workspace around the packet.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Also summarise what may not be promoted.
    #[arg(long)]
    allow_nonpromotable: bool,
    /// Also summarise events that nothing vouches for. The document says so; for debugging. Needs --bundle.
    #[arg(long, conflicts_with = "packet")]
    allow_unverified: bool,
    /// Print the document itself.
    #[arg(long)]
    json: bool,
}

/// Summarises.
pub(super) fn run(args: &SummarizeOpsArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let destination = args.out.as_deref().map(Destination::of).transpose()?;
    let vocabulary = match &args.vocab {
        Some(file) => Vocabulary::load(file).map_err(review_failure)?,
        None => Vocabulary::default(),
    };
    let summary = match summarise(args, &vocabulary, ui) {
        Ok(summary) => summary,
        Err(ReviewError::Refused(refused)) => return validate_bundle::report(&refused, args.json, ui),
        Err(error) => return Err(review_failure(error)),
    };
    if let Some(destination) = destination
        && destination.put(&op_summary::to_bytes(&summary), ui)?
    {
        return Ok(Exit::Done);
    }
    if args.json {
        ui.json(&summary);
        return Ok(Exit::Done);
    }
    ui.out(&text(&summary, ui.width()));
    if let Some(out) = &args.out {
        ui.line(format!("wrote {}", out.display()));
    }
    Ok(Exit::Done)
}

fn summarise(args: &SummarizeOpsArgs, vocabulary: &Vocabulary, ui: &mut Ui) -> Result<OpSummary, ReviewError> {
    let promotable_only = !args.allow_nonpromotable;
    if let Some(packet) = &args.packet {
        let packet = OpenedPacket::open(packet, args.root.as_deref())?;
        return op_summary::from_packet(&packet, vocabulary, promotable_only);
    }
    let folder = args.bundle.as_deref().unwrap_or(std::path::Path::new("."));
    match bundle::verify(folder) {
        Ok(bundle) => op_summary::from_bundle(&bundle, vocabulary, promotable_only),
        Err(refused) if args.allow_unverified => {
            let problems = refused.findings.len();
            ui.remark(format!("the bundle does not verify ({problems} problems); the summary says `unverified`"));
            let bundle = bundle::open_unverified(folder).map_err(ReviewError::Unreadable)?;
            op_summary::from_unverified(&bundle, vocabulary)
        }
        Err(refused) => Err(ReviewError::Refused(refused)),
    }
}

fn text(summary: &OpSummary, width: Option<usize>) -> Lines {
    let rows: Vec<Vec<String>> = summary
        .ops
        .values()
        .map(|op| {
            let numbers = [op.probes, op.matches, op.mismatches, op.undecided, op.unobserved, op.blocked.total];
            [op.op_name.clone()]
                .into_iter()
                .chain(numbers.map(|number| number.to_string()))
                .chain([op.coverage_status.as_str().to_owned()])
                .collect()
        })
        .collect();
    let head = ["OPERATION", "DECIDED", "MATCHED", "MISMATCHED", "UNDECIDED", "UNOBSERVED", "BLOCKED", "COVERAGE"];
    table::fitted(&head, &rows, width)
}
