//! What a probe finds under its own fixture root, and what the harness listens on for it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One thing that the harness makes under `${root}` before a probe runs, freshly for every lane.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixtureEntry {
    /// Where, relative to `${root}`; plain parts only. Missing parent folders are made with mode 0755. Where the
    /// spelling of a path is the question, an absolute one of the form that [`OutsideFixture`] reads.
    pub path: String,
    /// What is made: a file, a folder, a link, …
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

impl FixtureEntry {
    /// One with its kind's usual content and mode.
    pub fn new(path: impl Into<String>, kind: FixtureKind) -> Self {
        Self { path: path.into(), kind, text: None, to: None, mode: None, xattrs: BTreeMap::new() }
    }
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
    /// A minimal program that exits with [`PROGRAM_EXIT`]; static where the system has that. The `exec` driver's target.
    Program,
}

/// Shared folders in which a fixture may have a folder of the run's own: those of Linux, then those of macOS, which are what
/// the aliases `/tmp` and `/var/tmp` lead to there. Other absolute paths are nobody's to make.
pub const ELSEWHERE: [&str; 4] = ["/tmp", "/var/tmp", "/private/tmp", "/private/var/tmp"];

/// A fixture path outside of `${root}`: a shared folder, a folder in it that has a name of the run's own, and what is in
/// that. In documents the name is `${name.NAME}`, alone; in a run, what that stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutsideFixture<'p> {
    /// One of [`ELSEWHERE`].
    pub parent: &'static str,
    /// The folder in it.
    pub folder: &'p str,
    /// What is in that; empty for the folder itself.
    pub rest: &'p str,
}

impl<'p> OutsideFixture<'p> {
    /// Reads an absolute path. `None`: it lies nowhere that a fixture may be.
    pub fn read(path: &'p str) -> Option<Self> {
        ELSEWHERE.into_iter().find_map(|parent| {
            let below = path.strip_prefix(parent)?.strip_prefix('/')?;
            let (folder, rest) = below.split_once('/').map_or((below, ""), |(folder, rest)| (folder, rest));
            let declared = folder.strip_prefix("${name.").and_then(|name| name.strip_suffix('}'));
            let name = declared.or_else(|| folder.strip_prefix("sandproof-"))?;
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            let fine = !name.is_empty() && !below.ends_with('/') && name.bytes().all(plain);
            fine.then_some(Self { parent, folder, rest })
        })
    }
}

/// The exit code of the `program` fixture. Chosen so that no shell, loader or panic produces it.
pub const PROGRAM_EXIT: i32 = 42;

/// What the harness listens on while a probe runs, outside any policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// A UNIX datagram receiver on a path.
    UnixDgram,
    /// A UNIX stream listener on an abstract name.
    Abstract,
    /// A UNIX datagram receiver on an abstract name.
    AbstractDgram,
}

impl ListenerKind {
    /// The name in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Unix => "unix",
            Self::UnixDgram => "unix_dgram",
            Self::Abstract => "abstract",
            Self::AbstractDgram => "abstract_dgram",
        }
    }
}
