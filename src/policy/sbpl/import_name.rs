//! Names of imported files, small enough to be a part of every place.

use std::sync::{Mutex, PoisonError};

/// The name of an imported file: its number among those that this process came across. They are few, and kept for as long
/// as it lives, so that a [`Place`](super::rules::Place) stays small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImportName(u16);

static NAMES: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());

impl ImportName {
    /// `None` where the process came across too many.
    pub(super) fn new(name: &str) -> Option<Self> {
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = names.iter().position(|known| *known == name) {
            return u16::try_from(known).ok().map(Self);
        }
        let number = u16::try_from(names.len()).ok()?;
        names.push(Box::leak(name.to_owned().into_boxed_str()));
        Some(Self(number))
    }

    /// The name, as the profile imports it.
    pub fn as_str(self) -> &'static str {
        let names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        names[usize::from(self.0)]
    }
}
