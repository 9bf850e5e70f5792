//! What the drivers of services call.

use crate::sys::darwin::frameworks::{CoreFoundation, IoKit};
use crate::sys::darwin::mach::{Bootstrap, Notifier};
use crate::sys::darwin::xpc::Xpc;

/// Functions that are found at run time, while nothing is confined yet.
#[derive(Debug)]
pub(super) enum RuntimeFunctions {
    None,
    Bootstrap(Bootstrap),
    Register(Bootstrap, u32),
    Xpc(Xpc),
    Service(IoKit, u32),
    Notifier(Notifier),
    CoreFoundation(CoreFoundation),
}
