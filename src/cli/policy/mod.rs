//! `sandproof policy`: a policy by itself, for the people who write it.

mod diff;
mod lint;
mod show;

use clap::{Args, Subcommand};

use super::exit::{Exit, Failure};
use super::ui::Ui;

/// Look at a policy by itself: what in it is wrong, what it comes to, how two differ. Nothing is executed.
#[derive(Debug, Args)]
pub(super) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    Lint(lint::LintArgs),
    Show(show::ShowArgs),
    Diff(diff::DiffArgs),
}

/// Does what the command says.
pub(super) fn run(args: &PolicyArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    match &args.command {
        PolicyCommand::Lint(args) => lint::run(args, ui),
        PolicyCommand::Show(args) => show::run(args, ui),
        PolicyCommand::Diff(args) => diff::run(args, ui),
    }
}
