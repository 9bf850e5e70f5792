//! A policy of any kind, read and checked.

use serde::{Deserialize, Serialize};

use super::landlock::LandlockPolicy;
use super::sbpl::SbplPolicy;

/// How a profile's policy document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyMode {
    /// Seatbelt profile language text.
    Sbpl,
    /// A compiled Seatbelt profile.
    Blob,
    /// A Landlock rule table, as JSON.
    Landlock,
}

impl PolicyMode {
    /// The mode's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sbpl => "sbpl",
            Self::Blob => "blob",
            Self::Landlock => "landlock",
        }
    }
}

/// A policy document's meaning.
#[derive(Debug, Clone, PartialEq)]
pub enum PolicyValue {
    /// A Seatbelt profile, with the parameters and the further rules that belong to it.
    Sbpl(SbplPolicy),
    /// Compiled Seatbelt bytes, kept as they are.
    Blob(Vec<u8>),
    /// A Landlock rule table.
    Landlock(LandlockPolicy),
}

impl PolicyValue {
    /// The mode it belongs to.
    pub fn mode(&self) -> PolicyMode {
        match self {
            Self::Sbpl(_) => PolicyMode::Sbpl,
            Self::Blob(_) => PolicyMode::Blob,
            Self::Landlock(_) => PolicyMode::Landlock,
        }
    }
}
