//! Processes that a launcher has started and left behind, on macOS.
//!
//! Orphans go to launchd there, whose descendants nobody can tell apart. So each start ends what is left in its own process group
//! (`launcher::session`). What has left that group stays: a worker ends with its input, and by its own deadline; a service that a
//! launcher has started for good is its user's to end.

/// Stands for the time in which launchers are asked.
#[derive(Debug)]
pub struct Adoption {
    _begun: (),
}

impl Adoption {
    /// Begins.
    pub fn begin() -> Self {
        Self { _begun: () }
    }
}
