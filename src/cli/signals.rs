//! SIGINT and SIGTERM cancel the run; a second one ends the program at once.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::lane::cancel::Cancel;

/// Installs the handlers and gives the wish that they set.
///
/// # Errors
/// If the system refuses a handler.
pub fn install() -> std::io::Result<Cancel> {
    let cancel = Cancel::default();
    for (signal, exit) in [(SIGINT, 130), (SIGTERM, 143)] {
        let second = Arc::new(AtomicBool::new(false));
        // The order matters: the first arrival finds the flag unset, and sets it after.
        signal_hook::flag::register_conditional_shutdown(signal, exit, Arc::clone(&second))?;
        signal_hook::flag::register(signal, second)?;
        signal_hook::flag::register_usize(signal, cancel.cell(), signal as usize)?;
    }
    Ok(cancel)
}
