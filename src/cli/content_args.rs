//! The arguments that say what a statement or a signature is about, and where it goes.

use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure};
use super::failures::content_failure;
use crate::attest::AttestedContent;
use crate::base::fsx::folder_of;

/// What is stated or signed, and where that goes.
#[derive(Debug, clap::Args)]
pub(super) struct ContentArgs {
    /// A bundle's folder, an output root whose LATEST leads to it, a packet, or the file of a sealed declaration.
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// The folder that the pointers of a packet are relative to.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Where it goes, outside the bundle; without this, and with `-`, to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl ContentArgs {
    /// Opens the content and verifies it; what is written must not come to lie in it.
    pub(super) fn open(&self) -> Result<AttestedContent, Failure> {
        let content = AttestedContent::open(&self.path, self.root.as_deref()).map_err(content_failure)?;
        outside_of(&content, self.out.as_deref())?;
        Ok(content)
    }

    /// Where the result goes; `-` is standard output.
    pub(super) fn out(&self) -> &Path {
        self.out.as_deref().unwrap_or(Path::new("-"))
    }
}

/// Refuses a place inside the bundle, which would no longer be what its index says.
fn outside_of(content: &AttestedContent, out: Option<&Path>) -> Result<(), Failure> {
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
