//! `sandproof identity`

mod declare_from;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::exit::{Exit, Failure};
use super::ui::Ui;

/// Declare what a run or another system is composed of.
#[derive(Debug, Args)]
pub(super) struct IdentityArgs {
    #[command(subcommand)]
    command: IdentityCommand,
}

#[derive(Debug, Subcommand)]
enum IdentityCommand {
    Declare(DeclareArgs),
}

/// Print the declaration of a system that a document describes, and its identity.
///
/// The document (schema `system_declaration`) describes an AI run or a deployment. The files that it names are digested;
/// everything that it leaves unstated is listed at once (exit 3). Nothing is executed.
#[derive(Debug, Args)]
struct DeclareArgs {
    /// The document.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Print the sealed declaration as JSON.
    #[arg(long)]
    json: bool,
}

/// Does what is asked of an identity.
pub(super) fn run(args: &IdentityArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    match &args.command {
        IdentityCommand::Declare(args) => declare_from::run(&args.from, args.json, ui),
    }
}
