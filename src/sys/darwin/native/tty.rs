//! Terminals that control a launcher's session: questions about them are Linux's alone.

/// A terminal that a command's session gets. There is none.
#[derive(Debug, Clone, Copy)]
pub enum SessionTerminal {}

impl SessionTerminal {
    /// Lets a command begin as the leader of a session that it controls.
    pub fn lead(self, _command: &mut std::process::Command) {
        match self {}
    }
}
