//! `statement`

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::exit::{Exit, Failure};
use super::failures::{content_failure, no_statement};
use super::out::Destination;
use super::ui::Ui;
use crate::attest::AttestedContent;
use crate::attest::statement::{self, StatementForm};
use crate::base::fsx::folder_of;
use crate::base::printable::path_text;

/// Print what can be signed of a bundle, a packet or a sealed declaration: an in-toto Statement v1.
///
/// The content is verified first, and what does not verify gets no statement (exit 4). The subject is the exact bytes of the
/// bundle's index, which stands for every file, of the packet, or of the declaration. `--format vsa` makes a SLSA verification
/// summary of a packet that may be promoted (exit 5 if it may not). Nothing is signed: `attest` does that here, and other tools
/// take the statement as it is.
#[derive(Debug, Args)]
pub(super) struct StatementArgs {
    /// A bundle's folder, an output root whose LATEST leads to it, a packet, or the file of a sealed declaration.
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Which of the statements that there are of it.
    #[arg(long, value_enum, default_value_t = StatementName::InToto)]
    format: StatementName,
    /// The folder that the pointers of a packet are relative to.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Where the statement goes, outside the bundle; without it, and with `-`, to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
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
    let destination = Destination::of(args.out.as_deref().unwrap_or(Path::new("-")))?;
    let content = AttestedContent::open(&args.path, args.root.as_deref()).map_err(content_failure)?;
    outside_of(&content, args.out.as_deref())?;
    let made = statement::of(&content, args.format.into()).map_err(no_statement)?;
    let mut bytes = statement::to_bytes(&made);
    bytes.push(b'\n');
    if !destination.put(&bytes, ui)? {
        let out = args.out.as_deref().unwrap_or(Path::new("-"));
        if args.json {
            ui.answer_with("written_files", "wrote", &[path_text(out)]);
        } else {
            ui.line(format!("wrote {}", out.display()));
        }
    }
    Ok(Exit::Done)
}

/// Refuses a place inside the bundle, which would no longer be what its index says.
pub(super) fn outside_of(content: &AttestedContent, out: Option<&Path>) -> Result<(), Failure> {
    let (Some(folder), Some(out)) = (content.closed_folder(), out) else { return Ok(()) };
    let inside = match (folder_of(out).canonicalize(), folder.canonicalize()) {
        (Ok(place), Ok(folder)) => place.starts_with(folder),
        _ => false,
    };
    if inside && out.as_os_str() != "-" {
        let error = format!(
            "`{}` would lie inside the bundle `{}`, which would then no longer verify; give a place outside of it",
            out.display(),
            folder.display()
        );
        return Err(Failure::new(Exit::Usage, error));
    }
    Ok(())
}
