//! Changed packets: the implementation has to hold each to its bundle.

use std::path::Path;

use super::calling::{ConformanceError, ConformanceRequest, Differs, VectorAnswer, call, ended, word};
use super::edit::changed;
use super::vectors::{self, PacketVectors};
use crate::base::fsx;

/// Puts the implementation to every packet. It is called in the folder of the vectors, which the packet's pointers begin in.
pub(super) fn ask(request: &ConformanceRequest<'_>, command: &[String]) -> Result<Vec<VectorAnswer>, ConformanceError> {
    let PacketVectors { packets } = vectors::read(request.vectors, "packets.json")?;
    let packet = String::from_utf8(vectors::bytes(request.vectors, "packet.json")?)
        .map_err(|error| vectors::unusable(request.vectors, format!("`packet.json`: {error}")))?;
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = absolute(request.vectors);
    let mut answers = Vec::new();
    for (number, vector) in packets.iter().enumerate() {
        let wrong = |reason: String| ConformanceError::Vector { vector: vector.name.clone(), reason };
        let mut text = packet.clone();
        for edit in &vector.edits {
            let pointer = edit.pointer.as_deref().ok_or_else(|| wrong("an edit has no `pointer`".into()))?;
            text = changed(&text, pointer, edit.value.as_ref()).map_err(wrong)?;
        }
        let file = absolute(&request.scratch.join(format!("packet-{number}.json")));
        fsx::write_scratch(&file, text.as_bytes()).map_err(|error| wrong(error.to_string()))?;
        let bundle = folder.join(&vector.base);
        let output = call(request, command, vec![word(&bundle), word(&file)], &folder, None)?;
        let wanted = if vector.accepted { 0 } else { 4 };
        let differs = (output.code != Some(wanted)).then(|| Differs {
            expected: format!("{} (exit code {wanted})", if vector.accepted { "accepted" } else { "refused" }),
            found: ended(&output),
        });
        answers.push(VectorAnswer { name: vector.name.clone(), differs });
    }
    Ok(answers)
}
