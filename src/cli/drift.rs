//! `sandproof drift`

use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::{Exit, Failure, OrFail};
use super::out::output_failure;
use super::run::own_executable;
use super::signals;
use super::ui::Ui;
use crate::base::fsx;
use crate::base::ids::RunId;
use crate::base::json_out;
use crate::base::limits::MAX_INPUT_DOCUMENT_BYTES;
use crate::base::output::OutputPlace;
use crate::base::printable::Lines;
use crate::base::threads;
use crate::drift::{self, DriftRequest};
use crate::enforce;
use crate::lane::fixture::{RulePlaces, choose_base, usual_places};
use crate::policy::Enforcer;
use crate::record::drift::{DriftReport, KeptCase, KernelOutcome};
use crate::run::host;

/// Compare the model of Landlock with this kernel, on random policies, trees and operations that a seed fixes.
///
/// A case on which they part is a fault of the model, or a finding about the kernel. It is shrunk to the smallest that is found, and
/// with `--keep` written to a file that can be sent to others and put to another kernel with `--case`. Exit codes: 0 if they agree, 1
/// if they do not, 7 without Landlock.
#[derive(Debug, Args)]
pub(super) struct DriftArgs {
    /// What fixes the cases.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many cases are compared.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    cases: u64,
    /// Put this case to the kernel, which `--keep` has written, and no random ones.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "cases"])]
    case: Option<PathBuf>,
    /// Write each case on which they part to a file in this folder.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// How many workers there are. Default: one per processor.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    jobs: Option<u32>,
    /// Make fixtures in this folder. Default: as in `run`.
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// Compares.
pub(super) fn run(args: &DriftArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let cancel = signals::install().or_fail(Exit::Fault)?;
    let known = args.case.as_deref().map(read).transpose()?;
    let abi = enforce::landlock_abi().filter(|_| enforce::needs(Enforcer::Landlock).is_none());
    let Some(abi) = abi else {
        let needs = enforce::needs(Enforcer::Landlock).unwrap_or("a kernel with Landlock");
        return Err(Failure::new(Exit::Unavailable, format!("there is no kernel to compare with: that takes {needs}")));
    };
    let places = args.fixtures.as_ref().map_or_else(usual_places, |folder| vec![folder.clone()]);
    let base = choose_base(&places, &RunId::fresh(), &RulePlaces::default()).or_fail(Exit::Unavailable)?;
    let exe = own_executable()?;
    let kernel = host::observe(None).kernel_release.unwrap_or_default();
    let jobs = args.jobs.unwrap_or_else(threads::usual_workers) as usize;
    let request = DriftRequest {
        seed: args.seed,
        cases: args.cases,
        jobs,
        exe: &exe,
        base: &base,
        abi,
        kernel: &kernel,
        cancel: &cancel,
    };
    let report = match &known {
        Some((kept, case)) => drift::again(&request, kept, case),
        None => drift::drift(&request),
    }
    .or_fail(Exit::Fault)?;
    if let Some(signal) = cancel.requested() {
        let exit = if signal == libc::SIGTERM { Exit::Terminated } else { Exit::Interrupted };
        return Err(Failure::new(exit, format!("interrupted by signal {signal}")));
    }
    if let Some(folder) = &args.keep {
        for kept in &report.kept {
            let path = folder.join(format!("drift-{}-{}.json", kept.seed, kept.number));
            let place = OutputPlace::of(&path).map_err(output_failure)?;
            place.write(&json_out::to_pretty(kept)).map_err(output_failure)?;
            ui.remark(format!("wrote {}", path.display()));
        }
    }
    if args.json {
        ui.json(&report);
    } else {
        ui.out(&render(&report, known.as_ref().map(|(kept, _)| kept)));
    }
    Ok(if report.disagreements == 0 { Exit::Done } else { Exit::Mismatch })
}

fn read(path: &Path) -> Result<(KeptCase, drift::case::DriftCase), Failure> {
    let bytes = fsx::read_input(path, MAX_INPUT_DOCUMENT_BYTES).or_fail(Exit::InputRefused)?;
    drift::read(&bytes).map_err(|error| {
        Failure::new(Exit::InputRefused, format!("`{}`: {error}", path.display())).hint(
            "a case is a file that `sandproof drift --keep DIR` has written; `sandproof schema drift_case` says how",
        )
    })
}

fn render(report: &DriftReport, asked: Option<&KeptCase>) -> Lines {
    let mut lines = Lines::default();
    let on = format!("Linux {}, Landlock ABI {}", report.kernel, report.landlock_abi);
    match asked {
        Some(kept) => {
            lines.line(format!("case {} of seed {}, kept on Linux {}, on {on}", kept.number, kept.seed, kept.kernel))
        }
        None => {
            lines.line(format!(
                "{} cases of seed {} on {on}: {} allowed, {} denied, {} that the model cannot know",
                report.cases, report.seed, report.allowed, report.denied, report.unknown
            ));
            if !report.mounts {
                lines.line("cases with bind mounts are left out: this process may not mount");
            }
        }
    }
    for kept in &report.kept {
        lines.blank();
        lines.line(format!("case {}: {}", kept.number, described(kept)));
        lines.line(format!("  policy    {}", kept.policy));
        let fixtures: Vec<&str> = kept.fixtures.iter().map(|entry| entry.path.as_str()).collect();
        lines.line(format!("  fixtures  {}", fixtures.join(" ")));
        lines.line(format!("  model     {}: {}", kept.model.map_or("unknown", |model| model.as_str()), kept.reason));
        lines.line(format!("  kernel    {} without the policy, {} under it", words(kept.without), words(kept.under)));
    }
    lines.line(match report.disagreements {
        0 => "model and kernel agree".to_owned(),
        1 => "model and kernel part in 1 case".to_owned(),
        n => format!("model and kernel part in {n} cases"),
    });
    lines
}

fn described(kept: &KeptCase) -> String {
    let action = &kept.action;
    let to = action.to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default();
    let mounts: String =
        action.mounts.iter().map(|mount| format!(", {} bound over {}", mount.from, mount.at)).collect();
    format!("{} on {}{to}{mounts}", action.driver.info().name, action.target)
}

fn words(seen: KernelOutcome) -> String {
    match seen {
        KernelOutcome::Done => "done".to_owned(),
        KernelOutcome::Failed { errno } => format!("failed with error {errno}"),
        KernelOutcome::NotReached => "not reached".to_owned(),
        KernelOutcome::NotApplied => "policy not applied".to_owned(),
    }
}
