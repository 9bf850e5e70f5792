//! One message to an XPC service, through libSystem's C interface (xpc/xpc.h).

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use super::symbols::{LOADED, Missing};
use crate::record::driver::{XPC_INTERRUPTED, XPC_INVALID, XPC_OTHER, XPC_TERMINATION};

type XpcObject = *mut c_void;
type Create = unsafe extern "C" fn(*const c_char, *mut c_void, u64) -> XpcObject;
type SetHandler = unsafe extern "C" fn(XpcObject, *const Block);
type Resume = unsafe extern "C" fn(XpcObject);
type Dictionary = unsafe extern "C" fn(*const *const c_char, *const XpcObject, usize) -> XpcObject;
type SendSync = unsafe extern "C" fn(XpcObject, XpcObject) -> XpcObject;
type GetType = unsafe extern "C" fn(XpcObject) -> *const c_void;

/// A block without captured variables, as clang lays it out ("Block Implementation Specification", clang documentation).
#[repr(C)]
#[derive(Debug)]
struct Block {
    isa: *const c_void,
    flags: c_int,
    reserved: c_int,
    invoke: extern "C" fn(*const Block, XpcObject),
    descriptor: *const Descriptor,
}

/// The part of a block that its kind shares.
#[repr(C)]
#[derive(Debug)]
struct Descriptor {
    reserved: usize,
    size: usize,
}

/// `BLOCK_IS_GLOBAL`: never copied, never freed.
const IS_GLOBAL: c_int = 1 << 28;
static DESCRIPTOR: Descriptor = Descriptor { reserved: 0, size: size_of::<Block>() };

/// A connection has to have a handler; the answer comes another way.
extern "C" fn ignore(_block: *const Block, _event: XpcObject) {}

/// The functions, and the objects that answers are compared with.
#[derive(Debug, Clone, Copy)]
pub struct Xpc {
    create: Create,
    set_handler: SetHandler,
    resume: Resume,
    dictionary: Dictionary,
    send_sync: SendSync,
    get_type: GetType,
    error_type: *mut c_void,
    invalid: *mut c_void,
    interrupted: *mut c_void,
    termination: *mut c_void,
    global_block: *mut c_void,
}

impl Xpc {
    /// Finds them.
    pub fn resolve() -> Result<Self, Missing> {
        // SAFETY: these are the functions' signatures (xpc/connection.h, xpc/xpc.h).
        unsafe {
            Ok(Self {
                create: LOADED.function(c"xpc_connection_create_mach_service")?,
                set_handler: LOADED.function(c"xpc_connection_set_event_handler")?,
                resume: LOADED.function(c"xpc_connection_resume")?,
                dictionary: LOADED.function(c"xpc_dictionary_create")?,
                send_sync: LOADED.function(c"xpc_connection_send_message_with_reply_sync")?,
                get_type: LOADED.function(c"xpc_get_type")?,
                error_type: LOADED.address(c"_xpc_type_error")?,
                invalid: LOADED.address(c"_xpc_error_connection_invalid")?,
                interrupted: LOADED.address(c"_xpc_error_connection_interrupted")?,
                termination: LOADED.address(c"_xpc_error_termination_imminent")?,
                global_block: LOADED.address(c"_NSConcreteGlobalBlock")?,
            })
        }
    }

    /// Sends an empty message to a Mach service and waits for the answer: 0 if it was one, else the error's code.
    pub fn ask(&self, service: &CStr) -> i32 {
        // Leaked on purpose: the connection keeps it for as long as the process lives.
        let block: &'static Block = Box::leak(Box::new(Block {
            isa: self.global_block,
            flags: IS_GLOBAL,
            reserved: 0,
            invoke: ignore,
            descriptor: &raw const DESCRIPTOR,
        }));
        // SAFETY: the name is NUL-terminated and only read; the block is global and lives for ever; an empty dictionary
        // is made from null lists of length 0; objects are never released, since the process ends soon.
        let answer = unsafe {
            let connection = (self.create)(service.as_ptr(), ptr::null_mut(), 0);
            if connection.is_null() {
                return XPC_OTHER;
            }
            (self.set_handler)(connection, block);
            (self.resume)(connection);
            let message = (self.dictionary)(ptr::null(), ptr::null(), 0);
            let answer = (self.send_sync)(connection, message);
            if answer.is_null() {
                return XPC_OTHER;
            }
            if (self.get_type)(answer) != self.error_type.cast_const() {
                return 0;
            }
            answer
        };
        match answer {
            error if error == self.invalid => XPC_INVALID,
            error if error == self.interrupted => XPC_INTERRUPTED,
            error if error == self.termination => XPC_TERMINATION,
            _ => XPC_OTHER,
        }
    }
}
