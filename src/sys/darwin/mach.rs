//! Mach services by name.

use std::ffi::{CStr, c_char, c_int};

use super::symbols::{LOADED, Missing};

/// `mach_port_t`.
type Port = u32;
type LookUp = unsafe extern "C" fn(Port, *const c_char, *mut Port) -> c_int;
type Register = unsafe extern "C" fn(Port, *const c_char, Port) -> c_int;
type Allocate = unsafe extern "C" fn(Port, u32, *mut Port) -> c_int;
type InsertRight = unsafe extern "C" fn(Port, Port, Port, u32) -> c_int;
type NotifyPost = unsafe extern "C" fn(*const c_char) -> u32;

/// `MACH_PORT_RIGHT_RECEIVE` of mach/port.h.
const RECEIVE: u32 = 1;
/// `MACH_MSG_TYPE_MAKE_SEND` of mach/message.h.
const MAKE_SEND: u32 = 20;

/// The functions of the bootstrap server, with the process's own bootstrap port: asking the kernel for the port would be
/// an operation of its own (`mach-task-special-port-get`).
#[derive(Debug, Clone, Copy)]
pub struct Bootstrap {
    port: Port,
    look_up: LookUp,
    register: Register,
}

impl Bootstrap {
    /// Finds them.
    pub fn resolve() -> Result<Self, Missing> {
        // SAFETY: these are the functions' signatures (servers/bootstrap.h), and `bootstrap_port` is a `mach_port_t`.
        unsafe {
            Ok(Self {
                port: LOADED.value(c"bootstrap_port")?,
                look_up: LOADED.function(c"bootstrap_look_up")?,
                register: LOADED.function(c"bootstrap_register")?,
            })
        }
    }

    /// Looks a service up; the `kern_return_t`.
    pub fn look_up(&self, name: &CStr) -> i32 {
        let mut port = 0;
        // SAFETY: the name is NUL-terminated and only read; one port name is written.
        unsafe { (self.look_up)(self.port, name.as_ptr(), &raw mut port) }
    }

    /// Registers a service; the `kern_return_t`.
    pub fn register(&self, name: &CStr, own: Port) -> i32 {
        // SAFETY: the name is NUL-terminated and only read.
        unsafe { (self.register)(self.port, name.as_ptr(), own) }
    }
}

/// This task's own port name.
pub fn task_self() -> Result<Port, Missing> {
    // SAFETY: `mach_task_self_` is a `mach_port_t` (mach/mach_init.h).
    unsafe { LOADED.value(c"mach_task_self_") }
}

/// A fresh port with a send right, or the `kern_return_t` that says why not.
pub fn fresh_port() -> Result<Result<Port, i32>, Missing> {
    let task = task_self()?;
    // SAFETY: these are the functions' signatures (mach/mach_port.h).
    let (allocate, insert) = unsafe {
        (
            LOADED.function::<Allocate>(c"mach_port_allocate")?,
            LOADED.function::<InsertRight>(c"mach_port_insert_right")?,
        )
    };
    let mut port = 0;
    // SAFETY: one port name is written; the second call takes plain numbers.
    let code = unsafe {
        match allocate(task, RECEIVE, &raw mut port) {
            0 => insert(task, port, port, MAKE_SEND),
            code => code,
        }
    };
    Ok(if code == 0 { Ok(port) } else { Err(code) })
}

/// notify(3): posts Darwin notifications.
#[derive(Debug, Clone, Copy)]
pub struct Notifier(NotifyPost);

impl Notifier {
    /// Finds the function.
    pub fn resolve() -> Result<Self, Missing> {
        // SAFETY: this is the function's signature (notify.h).
        unsafe { LOADED.function(c"notify_post").map(Self) }
    }

    /// Posts; the status.
    pub fn post(&self, name: &CStr) -> i32 {
        // SAFETY: the name is NUL-terminated and only read.
        unsafe { (self.0)(name.as_ptr()) }.cast_signed()
    }
}
