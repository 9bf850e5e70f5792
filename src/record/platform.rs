//! The systems that this program runs on.

use serde::{Deserialize, Serialize};

/// A system that this program runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// Linux.
    Linux,
    /// macOS.
    Macos,
}

impl Platform {
    /// Every system that this program runs on.
    pub const ALL: [Self; 2] = [Self::Linux, Self::Macos];

    /// Linux, which documents need not name.
    pub const fn linux() -> Self {
        Self::Linux
    }

    /// Whether it is the one that documents need not name.
    pub fn is_linux(&self) -> bool {
        *self == Self::Linux
    }

    /// The name in sentences.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Linux => "Linux",
            Self::Macos => "macOS",
        }
    }

    /// The one that this program was built for; `None` for a system where it runs nothing.
    pub fn here() -> Option<Self> {
        Self::of_os(std::env::consts::OS)
    }

    /// The one that host facts name.
    pub fn of_os(os: &str) -> Option<Self> {
        match os {
            "linux" => Some(Self::Linux),
            "macos" => Some(Self::Macos),
            _ => None,
        }
    }
}
