//! `--out FILE`: where the document of a command goes.

use std::error::Error;
use std::io;
use std::path::Path;

use super::exit::{Exit, Failure};
use super::ui::Ui;
use crate::base::fsx::FileError;
use crate::base::output::OutputPlace;

/// Where a document goes.
#[derive(Debug)]
pub(super) enum Destination {
    /// Standard output, which then holds the document and nothing else.
    Stdout,
    /// Somewhere else.
    Place(OutputPlace),
}

impl Destination {
    /// What `--out` names: `-` is standard output.
    pub(super) fn of(out: &Path) -> Result<Self, Failure> {
        if out.as_os_str() == "-" {
            return Ok(Self::Stdout);
        }
        let place = OutputPlace::of(out).map_err(output_failure)?;
        Ok(if place.is_stdout() { Self::Stdout } else { Self::Place(place) })
    }

    /// Puts the document there, and says whether that was standard output.
    pub(super) fn put(self, document: &[u8], ui: &mut Ui) -> Result<bool, Failure> {
        match self {
            Self::Stdout => ui.bytes(document),
            Self::Place(place) => {
                place.write(document).map_err(output_failure)?;
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The class of an output that could not be written: it was named wrongly, or something went wrong on the way.
pub(super) fn output_failure(error: FileError) -> Failure {
    Failure::new(output_exit(&error.source), error)
}

/// The class of an error that comes of the operating system at its end.
pub(super) fn io_exit(error: &(dyn Error + 'static)) -> Exit {
    let mut current = Some(error);
    let mut class = Exit::Fault;
    while let Some(inner) = current {
        class = inner.downcast_ref::<io::Error>().map_or(class, output_exit);
        current = inner.source();
    }
    class
}

/// The class of an error of a place that was named for output.
pub(super) fn output_exit(error: &io::Error) -> Exit {
    use io::ErrorKind::{AlreadyExists, InvalidInput, IsADirectory, NotADirectory, NotFound};
    match error.kind() {
        NotFound | NotADirectory | IsADirectory | AlreadyExists | InvalidInput => Exit::Usage,
        _ => Exit::Fault,
    }
}
