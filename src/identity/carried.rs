//! Whether a run goes by the name of a world that this program carries, under a document of somebody else's.
//!
//! A workspace may describe worlds. Those whose ids others join on are not its to describe: a document of its own could
//! let any host pass for them.

use crate::base::digest::Digest;
use crate::plan::{carried_worlds, has_derived_form};
use crate::record::manifest::RunManifest;
use crate::record::world::WorldFile;
use crate::world;

/// Whether the manifest's world is one that this program carries, told by another document than the carried one.
///
/// That is so if the declared id is a carried one (in whatever case) and the document is not the carried one; if the
/// resolved id is that of a carried world and another was declared; or if the resolved id is a label of the form that a
/// carried world derives, and not what it derives for this host.
pub fn redefines_carried_world(manifest: &RunManifest) -> bool {
    let declared = manifest.world.declared.as_str();
    let resolved = manifest.world_id.as_str();
    let of_document = |text: &str| Some(Digest::of(text.as_bytes())) == manifest.world.document_sha256;
    if carried_worlds().any(|(id, text)| declared == id && of_document(text)) {
        return false;
    }
    carried_worlds().any(|(id, text)| {
        if declared.eq_ignore_ascii_case(id) || resolved.eq_ignore_ascii_case(id) {
            return true;
        }
        let Ok(document) = serde_json::from_str::<WorldFile>(text) else { return true };
        let is_label = declared == resolved;
        is_label
            && has_derived_form(&document, resolved)
            && world::id(&manifest.world.declared, Some(&document), &manifest.host).ok().as_ref()
                != Some(&manifest.world_id)
    })
}
