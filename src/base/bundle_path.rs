//! Paths inside a bundle: relative, plain, and unable to leave it.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A file's place inside a bundle, with `/` between the parts: `rows/baseline.jsonl`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundlePath(String);

/// The text cannot be a path inside a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` cannot be a path inside a bundle: {reason}")]
pub struct BundlePathError {
    found: String,
    reason: &'static str,
}

impl BundlePath {
    /// Checks `text`.
    pub fn new(text: impl Into<String>) -> Result<Self, BundlePathError> {
        let text = text.into();
        let reason = if text.is_empty() {
            "it is empty"
        } else if text.len() > 1024 {
            "it is longer than 1024 bytes"
        } else if text.starts_with('/') {
            "it is absolute"
        } else if text.split('/').any(|part| part == "..") {
            "it has a `..` part"
        } else if text.split('/').any(|part| part.is_empty() || part == ".") {
            "it has an empty or `.` part"
        } else if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._+-@".contains(&b)) {
            // ASCII alone also rules out names that only look different: case aside, there are no Unicode twins.
            "it may hold only ASCII letters, digits and `/._+-@`"
        } else {
            return Ok(Self(text));
        };
        Err(BundlePathError { found: text.chars().take(200).collect(), reason })
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path under `bundle`.
    pub fn under(&self, bundle: &Path) -> PathBuf {
        bundle.join(&self.0)
    }
}

impl fmt::Display for BundlePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BundlePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Serialize for BundlePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for BundlePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_leaves_the_bundle_is_accepted() {
        let long = "x".repeat(1025);
        for bad in ["", "/etc/passwd", "..", "a/../b", "../a", "a//b", "./a", "a/.", "a/", "a\\b", "a\0", "é", &long] {
            assert!(BundlePath::new(bad).is_err(), "{bad:?} was accepted");
        }
        for good in ["a", "rows/baseline.jsonl", "inputs/policies/x_y.json", "...", "..a"] {
            assert!(BundlePath::new(good).is_ok(), "{good:?} was refused");
        }
    }
}
