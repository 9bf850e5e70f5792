//! What a probe finds under its own fixture root, and what the harness listens on for it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One thing that the harness makes under `${root}` before a probe runs, freshly for every lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixtureEntry {
    /// Where, relative to `${root}`; plain parts only. Missing parent folders are made with mode 0755.
    pub path: String,
    /// What.
    pub kind: FixtureKind,
    /// A file's content; empty if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A symbolic link's text (may use `${root}`), or a hard link's existing path relative to `${root}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Permission bits in octal: `"0640"`. Default 0644 for files, 0755 for folders and programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Extended attributes: name to value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub xattrs: BTreeMap<String, String>,
}

/// The kinds of fixture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FixtureKind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A hard link to a fixture that stands before it.
    Hardlink,
    /// A FIFO.
    Fifo,
    /// A minimal static program that exits with [`PROGRAM_EXIT`]. The `exec` driver's target.
    Program,
}

/// The exit code of the `program` fixture. Chosen so that no shell, loader or panic produces it.
pub const PROGRAM_EXIT: i32 = 42;

/// What the harness listens on while a probe runs, outside any policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenerSpec {
    /// The kind of socket.
    pub kind: ListenerKind,
    /// Where: `HOST:PORT`, a path, or an abstract name; placeholders are resolved.
    pub address: String,
}

/// The kinds of listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListenerKind {
    /// A TCP listener.
    Tcp,
    /// A UDP receiver.
    Udp,
    /// A UNIX stream listener on a path.
    Unix,
    /// A UNIX stream listener on an abstract name.
    Abstract,
    /// A UNIX datagram receiver on an abstract name.
    AbstractDgram,
}
