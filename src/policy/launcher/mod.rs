//! Launchers as documents: a command that runs a program inside a sandbox, and what has to be known to start it.

mod document;
mod texts;

pub use document::DEFAULT_START_TIMEOUT_MS;
pub use document::LauncherDocument;
pub use document::LauncherStartKind;
#[cfg(test)]
pub use document::WantedFile;
pub use texts::StartTexts;

/// Format of a launcher's document. 1: first release.
pub const LAUNCHER_SCHEMA: &str = "sandproof.launcher.v1";
