//! Seatbelt's own functions. Signatures as Chromium, WebKit and Nix declare them; only `sandbox_init` has a public header.

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;

use super::symbols::{LOADED, Library, Missing};
use crate::record::callout::filter_name;

/// Declared variadic, because arm64 passes such arguments on the stack.
type SandboxCheck = unsafe extern "C" fn(libc::pid_t, *const c_char, c_int, ...) -> c_int;
type SandboxInit = unsafe extern "C" fn(*const c_char, u64, *const *const c_char, *mut *mut c_char) -> c_int;
type FreeError = unsafe extern "C" fn(*mut c_char);
type SandboxApply = unsafe extern "C" fn(*mut CompiledProfile) -> c_int;

/// `struct sandbox_profile` of libsandbox.
#[repr(C)]
struct CompiledProfile {
    builtin: *mut c_char,
    data: *const u8,
    size: usize,
}

/// `SANDBOX_CHECK_NO_REPORT`, should the data symbol of this name be missing.
const NO_REPORT: c_int = 0x4000_0000;

/// The number of a filter for which `sandbox_check` looks for one text, or for nothing, among its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextFilter(c_int);

impl TextFilter {
    /// The filter of that number. `None`: it is not known what it takes.
    pub fn of(number: c_int) -> Option<Self> {
        filter_name(number).map(|_| Self(number))
    }
}

/// Asks questions of `sandbox_check`.
#[derive(Debug, Clone, Copy)]
pub struct Checker {
    check: SandboxCheck,
    /// The flag that keeps a question out of the log.
    no_report: c_int,
    /// Whether that flag was taken from the system, and not from this program.
    pub no_report_found: bool,
}

impl Checker {
    /// Finds the function.
    pub fn resolve() -> Result<Self, Missing> {
        // SAFETY: this is the function's signature, and the flag is a `const int`.
        let (check, flag) = unsafe {
            (LOADED.function::<SandboxCheck>(c"sandbox_check")?, LOADED.value::<c_int>(c"SANDBOX_CHECK_NO_REPORT"))
        };
        Ok(Self { check, no_report: flag.clone().unwrap_or(NO_REPORT), no_report_found: flag.is_ok() })
    }

    /// Whether this process is confined, and the error number if that was not answered.
    pub fn confined(&self) -> (Option<bool>, i32) {
        // SAFETY: without an operation and with the filter type 0 (none), it asks for no more arguments and keeps none.
        match unsafe { (self.check)(libc::getpid(), ptr::null(), 0) } {
            0 => (Some(false), 0),
            1 => (Some(true), 0),
            _ => (None, nix::errno::Errno::last_raw()),
        }
    }

    /// The number of a filter, with the flag that keeps the question out of the log.
    pub fn flagged(&self, filter: c_int) -> c_int {
        filter | self.no_report
    }

    /// Asks about one operation of this process, out of the log: the answer, and the error number, which counts if the answer
    /// is -1.
    pub fn ask(&self, operation: &CStr, filter: TextFilter, argument: &CStr) -> (i32, i32) {
        let check_type = self.flagged(filter.0);
        nix::errno::Errno::clear();
        // SAFETY: both texts are NUL-terminated and only read during the call. The further zero is what a filter that
        // takes a number as well finds; for the others nobody looks at it.
        let answer =
            unsafe { (self.check)(libc::getpid(), operation.as_ptr(), check_type, argument.as_ptr(), 0 as c_int) };
        (answer, nix::errno::Errno::last_raw())
    }
}

/// Why a policy was not put in force: the error number, and the text if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatbeltRefused {
    /// The error number.
    pub errno: i32,
    /// What the system says about it; `None` if it says nothing.
    pub text: Option<String>,
}

/// Applies profile texts.
#[derive(Debug, Clone, Copy)]
pub struct Initializer {
    init: SandboxInit,
    free_error: FreeError,
}

impl Initializer {
    /// Finds the functions.
    pub fn resolve() -> Result<Self, Missing> {
        // SAFETY: these are the functions' signatures.
        unsafe {
            Ok(Self {
                init: LOADED.function(c"sandbox_init_with_parameters")?,
                free_error: LOADED.function(c"sandbox_free_error")?,
            })
        }
    }

    /// Confines this process for good by a profile text. `parameters` are keys and values, in turns.
    pub fn apply(&self, text: &CStr, parameters: &[CString]) -> Result<(), SeatbeltRefused> {
        let mut list: Vec<*const c_char> = parameters.iter().map(|text| text.as_ptr()).collect();
        list.push(ptr::null());
        let mut error: *mut c_char = ptr::null_mut();
        nix::errno::Errno::clear();
        // SAFETY: all texts are NUL-terminated, the list ends with a null pointer, and nothing is kept after the call;
        // an error text is written to `error`. Flag 0 says that the profile is a text.
        let answer = unsafe { (self.init)(text.as_ptr(), 0, list.as_ptr(), &raw mut error) };
        let errno = nix::errno::Errno::last_raw();
        let text = (!error.is_null()).then(|| {
            // SAFETY: the text is NUL-terminated, and copied before it is freed.
            let copy = unsafe { CStr::from_ptr(error) }.to_string_lossy().into_owned();
            // SAFETY: the text came from the call above, and this is the function that belongs to it.
            unsafe { (self.free_error)(error) };
            copy
        });
        if answer == 0 { Ok(()) } else { Err(SeatbeltRefused { errno, text }) }
    }
}

/// Applies compiled profiles.
#[derive(Debug, Clone, Copy)]
pub struct Applier {
    apply: SandboxApply,
}

impl Applier {
    /// Loads libsandbox and finds the function.
    pub fn resolve() -> Result<Self, Missing> {
        let library = Library::open(c"/usr/lib/libsandbox.1.dylib")?;
        // SAFETY: this is the function's signature.
        unsafe { Ok(Self { apply: library.function(c"sandbox_apply")? }) }
    }

    /// Confines this process for good by a compiled profile.
    pub fn apply(&self, bytes: &[u8]) -> Result<(), SeatbeltRefused> {
        let mut profile = CompiledProfile { builtin: ptr::null_mut(), data: bytes.as_ptr(), size: bytes.len() };
        nix::errno::Errno::clear();
        // SAFETY: the structure and its bytes live during the call, which reads them and keeps nothing.
        let answer = unsafe { (self.apply)(&raw mut profile) };
        if answer == 0 { Ok(()) } else { Err(SeatbeltRefused { errno: nix::errno::Errno::last_raw(), text: None }) }
    }
}
