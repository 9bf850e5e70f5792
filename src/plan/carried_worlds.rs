//! The worlds that this program carries, so that every workspace knows them.

use crate::record::layout::WORLDS_FOLDER;

macro_rules! carried {
    ($($id:literal,)*) => {
        /// The worlds that every workspace knows, as (id, document), by id.
        const CARRIED: &[(&str, &str)] =
            &[$(($id, include_str!(concat!("../../registries/worlds/", $id, ".json")))),*];
    };
}

carried! {
    "linux-host",
    "macos-host",
    "sonoma-14.4.1-23E224-arm64-dyld-2c0602c5",
    "sonoma-14.4.1-23E224-arm64-dyld-a3a840f9",
}

/// The ids of the worlds that every workspace knows, sorted.
pub(super) fn carried_ids() -> impl Iterator<Item = &'static str> {
    CARRIED.iter().map(|(id, _)| *id)
}

/// The worlds that this program carries, by id: id and document.
pub fn carried_worlds() -> impl Iterator<Item = (&'static str, &'static str)> {
    CARRIED.iter().copied()
}

/// The carried document that a workspace would have at `path`.
pub(super) fn carried(path: &str) -> Option<&'static str> {
    let name = path.strip_prefix(WORLDS_FOLDER)?.strip_prefix('/')?.strip_suffix(".json")?;
    CARRIED.iter().find(|(id, _)| *id == name).map(|(_, text)| *text)
}
