//! `sandproof identity export`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::super::exit::{Exit, Failure};
use super::super::out::Destination;
use super::super::ui::Ui;
use super::failures::failure;
use crate::base::json_out;
use crate::bundle::verify_identity;
use crate::identity;
use crate::record::identity::SYSTEM_DECLARATION_SCHEMAS;
use crate::review::cyclonedx::bill_of_materials;

/// Write a sealed declaration of another system as a document of another standard.
///
/// `cyclonedx`: a CycloneDX 1.6 document (JSON). The model, data, libraries and files are components with their SHA-256; every item of the
/// declaration is a property by its pointer, so that what is unknown is said and makes no component. Equal declarations give equal documents.
///
/// Exit 4 if the declaration does not hold in itself; 2 if it is that of a run, whose bundle has reports of its own.
#[derive(Debug, Args)]
pub(super) struct IdentityExportArgs {
    /// A sealed declaration's own file, or the folder that `identity declare --out` or `identity seal --out` wrote.
    #[arg(long, value_name = "PATH")]
    bundle: PathBuf,
    /// The standard.
    #[arg(long, value_enum, default_value_t = StandardName::Cyclonedx)]
    format: StandardName,
    /// Where the document goes; `-` is standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
}

/// A standard that declarations are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StandardName {
    /// CycloneDX 1.6, as JSON.
    Cyclonedx,
}

/// Does it.
pub(super) fn run(args: &IdentityExportArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let destination = Destination::of(&args.out)?;
    let declaration = verify_identity::read(&args.bundle).map_err(failure)?;
    if let Some(flaw) = identity::verify_against_itself(&declaration).first() {
        return Err(Failure::new(
            Exit::BundleInvalid,
            DoesNotHold { at: flaw.pointer().to_owned(), why: flaw.words() },
        ));
    }
    if !SYSTEM_DECLARATION_SCHEMAS.contains(&declaration.schema_version.as_str()) {
        return Err(Failure::new(Exit::Usage, OfRun));
    }
    let document = match args.format {
        StandardName::Cyclonedx => bill_of_materials(&declaration),
    };
    let mut bytes = json_out::to_pretty(&document);
    bytes.push(b'\n');
    destination.put(&bytes, ui)?;
    Ok(Exit::Done)
}

/// A declaration that was changed since it was sealed.
#[derive(Debug, thiserror::Error)]
#[error("the declaration does not hold in itself: `{at}`: {why}")]
struct DoesNotHold {
    at: String,
    why: String,
}

/// A declaration of a run of this program.
#[derive(Debug, thiserror::Error)]
#[error(
    "this is the declaration of a run of sandproof; name that of another system, or see `sandproof report --help` for the run"
)]
struct OfRun;
