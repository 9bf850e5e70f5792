//! `statement`

use clap::{Args, ValueEnum};

use super::content_args::ContentArgs;
use super::exit::{Exit, Failure};
use super::failures::no_statement;
use super::out::Destination;
use super::ui::Ui;
use crate::attest::statement::{self, StatementForm};
use crate::base::printable::path_text;

/// Print what can be signed of a bundle, a packet or a sealed declaration: an in-toto Statement v1.
///
/// The content is verified first, and what does not verify gets no statement (exit 4). The subject is the exact bytes of the
/// bundle's index, which stands for every file, of the packet, or of the declaration. `--format vsa` makes a SLSA verification
/// summary of a packet that may be promoted (exit 5 if it may not). Nothing is signed: `attest` does that here, and other tools
/// take the statement as it is.
#[derive(Debug, Args)]
pub(super) struct StatementArgs {
    #[command(flatten)]
    content: ContentArgs,
    /// Which of the statements that there are of it.
    #[arg(long, value_enum, default_value_t = StatementName::InToto)]
    format: StatementName,
    /// Say in JSON what was written, and why nothing was. The statement is JSON anyway.
    #[arg(long)]
    json: bool,
}

/// The statements, as they are named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StatementName {
    /// With a predicate of sandproof's own.
    InToto,
    /// A SLSA verification summary.
    Vsa,
}

impl From<StatementName> for StatementForm {
    fn from(name: StatementName) -> Self {
        match name {
            StatementName::InToto => Self::Own,
            StatementName::Vsa => Self::Summary,
        }
    }
}

/// Prints the statement.
pub(super) fn run(args: &StatementArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let destination = Destination::of(args.content.out())?;
    let content = args.content.open()?;
    let made = statement::of(&content, args.format.into()).map_err(no_statement)?;
    let mut bytes = statement::to_bytes(&made);
    bytes.push(b'\n');
    if !destination.put(&bytes, ui)? {
        let out = args.content.out();
        if args.json {
            ui.answer_with("written_files", "wrote", &[path_text(out)]);
        } else {
            ui.line(format!("wrote {}", out.display()));
        }
    }
    Ok(Exit::Done)
}
