//! How a worker's executable was named to a launcher, which rows tell.

use serde::{Deserialize, Serialize};

/// As what a worker's executable was named to its launcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedExecutable {
    /// By the path of the executable itself.
    #[serde(rename = "path")]
    Itself,
    /// By that of a copy in the workspace.
    Copy,
    /// By an inherited descriptor of a file without a name.
    Memfd,
}

impl NamedExecutable {
    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Itself => "path",
            Self::Copy => "copy",
            Self::Memfd => "memfd",
        }
    }
}
