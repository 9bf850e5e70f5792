//! The hidden subcommand that holds the kernel's audit for a run, and puts it back.

use clap::Args;

use super::exit::{Exit, Failure, OrFail};
use super::ui::Ui;
use crate::audit::keeper;

/// Holds the kernel's audit until its standard input ends. Started by `run --attribute`, not by people.
#[derive(Debug, Args)]
pub(super) struct AuditKeeperArgs {
    /// Say in which state the audit is, and hold nothing.
    #[arg(long)]
    state: bool,
}

/// Does it.
pub(super) fn run(args: &AuditKeeperArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    if args.state {
        let state = keeper::state().or_fail(Exit::Unavailable)?;
        ui.line(state);
        return Ok(Exit::Done);
    }
    keeper::keep().or_fail(Exit::Fault)?;
    Ok(Exit::Done)
}
