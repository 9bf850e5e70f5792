//! Putting an implementation of SPEC.md to the test vectors (its section 10): forged bundles, changed packets, shapes of rows,
//! digests and controls. What is asked and what the right answers are stands in the vectors alone; nothing of this program
//! decides here.

mod calling;
mod edit;
mod forge;
mod forgeries;
mod lines;
mod packets;
mod vectors;

use std::path::{Path, PathBuf};

pub use calling::{ConformanceError, ConformanceRequest};
use calling::{Differs, VectorAnswer};

use crate::record::conformance::{ConformanceGroup, ConformanceReport, VectorDifference, VectorKind};

/// Puts an implementation to the vectors of every kind that it has a command for.
///
/// # Errors
/// Vectors that cannot be used, and commands that cannot be started or do not end. A wrong answer is no error.
pub fn conformance(request: &ConformanceRequest<'_>) -> Result<ConformanceReport, ConformanceError> {
    let mut groups = Vec::new();
    let mut differing = Vec::new();
    let mut take = |kind: VectorKind, answers: Vec<VectorAnswer>| {
        let asked = answers.len() as u64;
        let before = differing.len();
        let wrong = answers.into_iter().filter_map(|one| Some((one.name, one.differs?)));
        differing.extend(wrong.map(|(name, Differs { expected, found })| VectorDifference {
            kind,
            name,
            expected,
            found,
        }));
        groups.push(ConformanceGroup { kind, vectors: asked, differing: (differing.len() - before) as u64 });
    };
    if let Some(command) = request.implementation {
        take(VectorKind::Forgery, forgeries::ask(request, command)?);
    }
    if let Some(command) = request.packets {
        take(VectorKind::Packet, packets::ask(request, command)?);
    }
    if let Some(command) = request.rows {
        take(VectorKind::Row, lines::rows(request, command)?);
    }
    if let Some(command) = request.values {
        take(VectorKind::Value, lines::values(request, command)?);
    }
    Ok(ConformanceReport { groups, differing })
}

/// The nearest folder of vectors: `tests/vectors` in `from` or a folder above it.
pub fn vectors_near(from: &Path) -> Option<PathBuf> {
    let mut places = from.ancestors().map(|folder| folder.join("tests").join("vectors"));
    places.find(|folder| folder.join(vectors::FORGERIES).is_file())
}
