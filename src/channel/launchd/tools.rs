//! The three programs that are asked, and the time between two questions.
//!
//! Both are behind a trait, so that a test gives a value that keeps jobs and domains of its own. The shipped value knows
//! nothing but the paths below; no flag, file or variable leads to another.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::process::tool::{self, ToolError, ToolOutput};

/// A program of macOS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// launchctl(1)
    Launchctl,
    /// plutil(1)
    Plutil,
    /// log(1)
    Log,
}

impl Tool {
    /// Where macOS has it.
    pub fn path(self) -> &'static Path {
        Path::new(match self {
            Self::Launchctl => "/bin/launchctl",
            Self::Plutil => "/usr/bin/plutil",
            Self::Log => "/usr/bin/log",
        })
    }
}

/// What the channel needs of its host.
pub trait LaunchdTools: fmt::Debug {
    /// Runs a program to its end, within `limit`.
    ///
    /// # Errors
    /// If it cannot be run to its end. A program that fails is no error.
    fn run(&self, tool: Tool, arguments: &[String], limit: Duration) -> Result<ToolOutput, ToolError>;
    /// Time since some fixed instant; it never goes back.
    fn now(&self) -> Duration;
    /// Waits.
    fn pause(&self, time: Duration);
}

/// The host's own programs and clock.
#[derive(Debug)]
pub(super) struct HostTools {
    since: Instant,
}

impl HostTools {
    pub(super) fn new() -> Self {
        Self { since: Instant::now() }
    }
}

impl LaunchdTools for HostTools {
    fn run(&self, tool: Tool, arguments: &[String], limit: Duration) -> Result<ToolOutput, ToolError> {
        // Texts are parsed, so they have to come in one language.
        let environment = [("PATH".to_string(), "/usr/bin:/bin".to_string()), ("LC_ALL".to_string(), "C".to_string())];
        tool::run(tool.path(), arguments, &environment, limit)
    }

    fn now(&self) -> Duration {
        self.since.elapsed()
    }

    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }
}
