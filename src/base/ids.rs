//! Ids as types, so that one kind cannot stand where another is meant.

use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Longest id, in bytes.
pub const MAX_ID_BYTES: usize = 512;

/// The text cannot be an id of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` cannot be a {kind}: {reason}")]
pub struct IdError {
    kind: &'static str,
    found: String,
    reason: &'static str,
}

fn check_text(kind: &'static str, text: &str) -> Result<(), IdError> {
    let refuse = |reason| Err(IdError { kind, found: text.chars().take(80).collect(), reason });
    if text.is_empty() {
        return refuse("it is empty");
    }
    if text.len() > MAX_ID_BYTES {
        return refuse("it is longer than 512 bytes");
    }
    // Nearly all are plain ASCII, which is seen sooner.
    let plain = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if !plain && text.chars().any(char::is_control) {
        return refuse("it holds a control character");
    }
    Ok(())
}

/// A run id is also a folder name, so its alphabet is narrow.
fn check_run_id(kind: &'static str, text: &str) -> Result<(), IdError> {
    check_text(kind, text)?;
    let refuse = |reason| Err(IdError { kind, found: text.chars().take(80).collect(), reason });
    if text.len() > 128 {
        return refuse("it is longer than 128 bytes");
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
        return refuse("it may hold only ASCII letters, digits, `-`, `_` and `.`");
    }
    if text.starts_with(['.', '-']) {
        return refuse("it starts with `.` or `-`");
    }
    if text == "LATEST" {
        return refuse("that name is reserved for the pointer file");
    }
    Ok(())
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(CompactString);

        impl $name {
            /// Checks `text` and makes it an id.
            pub fn new(text: impl Into<CompactString>) -> Result<Self, IdError> {
                let text = text.into();
                $check($kind, &text)?;
                Ok(Self(text))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(CompactString::deserialize(deserializer)?).map_err(de::Error::custom)
            }
        }
    };
}

id_type!(
    /// Names a plan.
    PlanId, "plan id", check_text
);
id_type!(
    /// Names a registry in the registry index.
    RegistryId, "registry id", check_text
);
id_type!(
    /// Names a profile within a registry.
    ProfileId, "profile id", check_text
);
impl ProbeId {
    /// The id of a probe that does not repeat it, until its key is known. No text is read as it.
    pub(crate) fn of_its_key() -> Self {
        Self(CompactString::default())
    }

    /// Whether it is an id, and does not stand for one that is still to come.
    pub(crate) fn is_known(&self) -> bool {
        !self.0.is_empty()
    }
}

id_type!(
    /// Names a probe within a registry.
    ProbeId, "probe id", check_text
);
id_type!(
    /// Names one expectation: what one probe should see under one profile.
    ExpectationId, "expectation id", check_text
);
id_type!(
    /// Names a host baseline.
    WorldId, "world id", check_text
);
id_type!(
    /// Names one attempt at a plan; also the name of its bundle's folder.
    RunId, "run id", check_run_id
);

impl RunId {
    /// A fresh random id (UUID version 4).
    pub fn fresh() -> Self {
        Self(uuid::Uuid::new_v4().to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_cannot_leave_their_folder() {
        for bad in ["", ".", "..", "../x", "a/b", ".hidden", "-x", "LATEST", "a b", "é", "a\0b"] {
            assert!(RunId::new(bad).is_err(), "{bad:?} was accepted");
        }
        assert!(RunId::new("x".repeat(129)).is_err());
        assert!(RunId::new("nightly-2026.11_3").is_ok());
        assert!(RunId::new(RunId::fresh().as_str()).is_ok());
    }

    #[test]
    fn other_ids_take_any_visible_text() {
        assert!(ProfileId::new("bucket4:v1_read").is_ok());
        assert!(ProbeId::new("").is_err());
        assert!(ProbeId::new("a\nb").is_err());
    }
}
