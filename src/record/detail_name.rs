//! What a driver may tell of an operation beside its calls: the closed list of names in `details`.

use serde::{Deserialize, Serialize};

macro_rules! names {
    ($($(#[$doc:meta])* $variant:ident = $word:literal),* $(,)?) => {
        /// A fact that is no return value, with a whole number.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum DetailName {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)*
        }

        impl DetailName {
            /// Every one, sorted by name.
            #[cfg(test)]
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word that documents have for it.
            #[cfg(any(target_os = "linux", test))]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}

names! {
    /// How many bytes of entries a folder gave.
    BytesListed = "bytes_listed",
    /// How many bytes were read.
    BytesRead = "bytes_read",
    /// How many bytes were written.
    BytesWritten = "bytes_written",
    /// The exit code of the child that was forked.
    ChildExitCode = "child_exit_code",
    /// Whether what the call should have caused is really there (1: the lock is held, the namespace is another one, the byte came
    /// back) or not (0). Absent where the driver looks for nothing of the kind.
    Confirmed = "confirmed",
    /// Eight bytes that were found where a token may lie, as a number.
    Content = "content",
    /// How many entries a folder gave.
    Entries = "entries",
    /// How many bits of entropy the kernel says that it has.
    EntropyBits = "entropy_bits",
    /// The kind of a file system, as statfs(2) has it.
    FileSystem = "file_system",
    /// Kind and permission bits of what was found.
    Mode = "mode",
    /// The exit code of the program that was executed in a child.
    ProgramExitCode = "program_exit_code",
    /// The signal that ended that program.
    ProgramSignal = "program_signal",
    /// Whether a signal arrived (1) or not (0).
    Received = "received",
    /// The error number of taking away what was made; 0 if it went.
    UnlinkErrno = "unlink_errno",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_the_schema_has_the_same() {
        let names: Vec<&str> = DetailName::ALL.iter().map(|name| name.as_str()).collect();
        assert!(names.is_sorted_by(|a, b| a < b));
        let part = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/parts/detail_name.json"));
        let part: serde_json::Value = serde_json::from_str(part).unwrap();
        assert_eq!(part["enum"], serde_json::json!(names));
        for name in DetailName::ALL {
            assert_eq!(serde_json::to_value(name).unwrap(), name.as_str());
        }
    }
}
