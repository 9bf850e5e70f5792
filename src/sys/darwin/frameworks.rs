//! IOKit and CoreFoundation, loaded at run time.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use super::mach::task_self;
use super::symbols::{Library, Missing};

/// A CoreFoundation object.
type CfObject = *const c_void;
type Matching = unsafe extern "C" fn(*const c_char) -> CfObject;
type GetService = unsafe extern "C" fn(u32, CfObject) -> u32;
type OpenService = unsafe extern "C" fn(u32, u32, u32, *mut u32) -> c_int;
type Close = unsafe extern "C" fn(u32) -> c_int;

/// The functions that open a service of the I/O registry.
#[derive(Debug, Clone, Copy)]
pub struct IoKit {
    task: u32,
    matching: Matching,
    get_service: GetService,
    open: OpenService,
    close: Close,
}

impl IoKit {
    /// Loads IOKit and finds them.
    pub fn resolve() -> Result<Self, Missing> {
        let library = Library::open(c"/System/Library/Frameworks/IOKit.framework/IOKit")?;
        // SAFETY: these are the functions' signatures (IOKit/IOKitLib.h).
        unsafe {
            Ok(Self {
                task: task_self()?,
                matching: library.function(c"IOServiceMatching")?,
                get_service: library.function(c"IOServiceGetMatchingService")?,
                open: library.function(c"IOServiceOpen")?,
                close: library.function(c"IOServiceClose")?,
            })
        }
    }

    /// The first service of a registry class; `None` if there is none.
    pub fn service(&self, class: &CStr) -> Option<u32> {
        // SAFETY: the name is NUL-terminated and only read; the dictionary is used up by the second call. Port 0 is the
        // default one.
        let found = unsafe { (self.get_service)(0, (self.matching)(class.as_ptr())) };
        (found != 0).then_some(found)
    }

    /// Opens a service with a user client of type 0; the `kern_return_t`.
    pub fn open(&self, service: u32) -> i32 {
        let mut connection = 0;
        // SAFETY: one connection is written, and closed again if there is one.
        unsafe {
            let code = (self.open)(service, self.task, 0, &raw mut connection);
            if code == 0 {
                (self.close)(connection);
            }
            code
        }
    }
}

type CreateString = unsafe extern "C" fn(CfObject, *const u8, isize, u32, u8) -> CfObject;
type CopyValue = unsafe extern "C" fn(CfObject, CfObject, CfObject, CfObject) -> CfObject;
type GetCenter = unsafe extern "C" fn() -> CfObject;
type Post = unsafe extern "C" fn(CfObject, CfObject, CfObject, CfObject, u8);

/// `kCFStringEncodingUTF8` of CFString.h.
const UTF8: u32 = 0x0800_0100;

/// The functions of CoreFoundation that probes call.
#[derive(Debug, Clone, Copy)]
pub struct CoreFoundation {
    create_string: CreateString,
    copy_value: CopyValue,
    center: GetCenter,
    post: Post,
    current_user: CfObject,
    any_host: CfObject,
}

impl CoreFoundation {
    /// Loads CoreFoundation and finds them.
    pub fn resolve() -> Result<Self, Missing> {
        let library = Library::open(c"/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation")?;
        // SAFETY: these are the functions' signatures (CFString.h, CFPreferences.h, CFNotificationCenter.h), and the two
        // constants are references to strings.
        unsafe {
            Ok(Self {
                create_string: library.function(c"CFStringCreateWithBytes")?,
                copy_value: library.function(c"CFPreferencesCopyValue")?,
                center: library.function(c"CFNotificationCenterGetDistributedCenter")?,
                post: library.function(c"CFNotificationCenterPostNotification")?,
                current_user: library.value(c"kCFPreferencesCurrentUser")?,
                any_host: library.value(c"kCFPreferencesAnyHost")?,
            })
        }
    }

    fn string(&self, text: &CStr) -> CfObject {
        let bytes = text.to_bytes();
        // SAFETY: the bytes are only read during the call; the string is never freed, since the process ends soon.
        unsafe { (self.create_string)(ptr::null(), bytes.as_ptr(), bytes.len().cast_signed(), UTF8, 0) }
    }

    /// Whether the user's preference `key` of the very domain `domain` has a value.
    pub fn has_preference(&self, key: &CStr, domain: &CStr) -> bool {
        let (key, domain) = (self.string(key), self.string(domain));
        if key.is_null() || domain.is_null() {
            return false;
        }
        // SAFETY: all four are strings; the value is never freed, since the process ends soon.
        unsafe { !(self.copy_value)(key, domain, self.current_user, self.any_host).is_null() }
    }

    /// Posts a notification to the distributed centre. It answers nothing. `false`: there is no centre or no name.
    pub fn post(&self, name: &CStr) -> bool {
        let name = self.string(name);
        // SAFETY: the call takes nothing and gives a centre or null.
        let center = unsafe { (self.center)() };
        if name.is_null() || center.is_null() {
            return false;
        }
        // SAFETY: centre and name are what the call takes; it may do without an object and a dictionary.
        unsafe { (self.post)(center, name, ptr::null(), ptr::null(), 1) };
        true
    }
}
