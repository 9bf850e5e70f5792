//! What is made outside for a question, for the processes that are started afterwards: nothing here. The operations that need it
//! are Linux's.

use std::io;

use crate::record::action::Action;
use crate::sys::native::tty::SessionTerminal;

/// One object. There is none.
#[derive(Debug)]
pub(super) enum OutsideObject {}

/// Both ends of a pseudo terminal. There is none.
#[derive(Debug)]
pub(super) enum Terminal {}

impl Terminal {
    /// Makes one.
    pub(super) fn make() -> Result<Self, i32> {
        Err(libc::ENOTSUP)
    }

    /// The end that a session gets.
    pub(super) fn of_session(&self) -> SessionTerminal {
        match *self {}
    }
}

impl OutsideObject {
    /// Makes what an operation needs; `None` for one that needs nothing of the kind.
    pub(super) fn make(_action: &Action) -> io::Result<Option<Self>> {
        Ok(None)
    }

    /// Device and inode of what is handed down.
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        match *self {}
    }

    /// The identifier of a System V segment or a key.
    pub(super) fn ipc_id(&self) -> Option<i32> {
        match *self {}
    }

    /// What it holds.
    pub(super) fn token(&self) -> Option<u64> {
        match *self {}
    }

    /// What stands for the size that the terminal is to be given, or for the word that is to be typed into it.
    pub(super) fn drawn(&self) -> Option<u64> {
        match *self {}
    }

    /// Types a word itself, and waits until the terminal echoes it.
    pub(super) fn barrier(&mut self) -> Option<bool> {
        match *self {}
    }

    /// The terminal.
    pub(super) fn terminal(&self) -> Option<SessionTerminal> {
        match *self {}
    }

    /// Whether the host sees what is done to it.
    pub(super) fn shows_effects(&self) -> bool {
        match *self {}
    }

    /// Whether something was done to it.
    pub(super) fn was_changed(&mut self) -> bool {
        match *self {}
    }
}
