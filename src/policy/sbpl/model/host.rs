//! What an installed system has at fixed places: links, firmlinks, folders. It is data, in `host.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;

/// The table as written. What says where its facts come from is for readers of the file.
#[derive(Debug, Deserialize)]
#[allow(dead_code)] // … and for the test that it is there
#[serde(deny_unknown_fields)]
struct HostFile {
    /// Which system it is about.
    host: String,
    /// Where the Data volume is mounted.
    data_volume: String,
    /// Folders of the root volume that are the Data volume's own.
    firmlinks: BTreeSet<String>,
    firmlinks_source: String,
    /// Symbolic links: place to text.
    links: BTreeMap<String, String>,
    links_source: String,
    /// Places that are there and no symbolic links.
    plain: BTreeSet<String>,
    plain_source: String,
    /// Character devices that every system has.
    devices: BTreeSet<String>,
    devices_source: String,
    /// The class of the user client that opening a service makes.
    user_clients: BTreeMap<String, String>,
    user_clients_source: String,
}

/// The table, ready for use.
#[derive(Debug)]
pub(super) struct HostTable {
    file: HostFile,
    /// Data-volume spelling to the firmlinked one.
    firmlinked: BTreeMap<String, String>,
}

static HOST: LazyLock<HostTable> = LazyLock::new(|| {
    let file: HostFile = serde_json::from_str(include_str!("host.json")).expect("the built-in table is well formed");
    let spelled = |place: &String| (format!("{}{place}", file.data_volume), place.clone());
    let firmlinked = file.firmlinks.iter().map(spelled).collect();
    HostTable { file, firmlinked }
});

impl HostTable {
    /// The built-in table.
    pub(super) fn get() -> &'static Self {
        &HOST
    }

    /// The text of the symbolic link at `place`, if the system has one there.
    pub(super) fn link(&self, place: &str) -> Option<&str> {
        self.file.links.get(place).map(String::as_str)
    }

    /// How the kernel names a folder that is reached through the Data volume's mount point.
    pub(super) fn firmlinked(&self, place: &str) -> Option<&str> {
        self.firmlinked.get(place).map(String::as_str)
    }

    /// Whether `place` is there and no symbolic link.
    pub(super) fn is_plain(&self, place: &str) -> bool {
        self.file.plain.contains(place)
    }

    /// Whether `place` is a character device on every system.
    pub(super) fn is_device(&self, place: &str) -> bool {
        self.file.devices.contains(place)
    }

    /// Whether `place` lies on the Data volume, outside everything that is firmlinked.
    pub(super) fn is_outside_firmlinks(&self, place: &str) -> bool {
        place.strip_prefix(self.file.data_volume.as_str()).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The class of the user client that opening a service of class `service` makes, where it is known.
    pub(super) fn user_client(&self, service: &str) -> Option<&str> {
        self.file.user_clients.get(service).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_together() {
        let host = HostTable::get();
        let file = &host.file;
        assert!(file.host.contains("23E224"));
        let sources = [&file.firmlinks_source, &file.links_source, &file.plain_source, &file.devices_source];
        for source in sources.into_iter().chain([&file.user_clients_source]) {
            assert!(!source.is_empty());
        }
        assert!(host.is_device("/dev/null") && file.devices.iter().all(|place| file.plain.contains(place)));
        assert!(!host.is_device("/dev") && !host.is_device("/private/etc/hosts"));
        for place in file.links.keys() {
            assert!(!file.plain.contains(place), "{place} is both a link and none");
            assert_eq!(place.matches('/').count(), 1, "a link's own place has to be a resolved one");
        }
        for place in file.plain.iter().chain(&file.firmlinks) {
            assert!(place == "/" || (place.starts_with('/') && !place.ends_with('/')), "{place}");
        }
        assert_eq!(host.link("/tmp"), Some("private/tmp"));
        assert_eq!(host.firmlinked("/System/Volumes/Data/private"), Some("/private"));
        assert_eq!(host.firmlinked("/System/Volumes/Data/private/tmp"), None);
        assert!(host.is_outside_firmlinks("/System/Volumes/Data/home"));
        assert!(!host.is_outside_firmlinks("/System/Volumes/Database"));
    }
}
