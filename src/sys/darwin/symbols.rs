//! Libraries and symbols that are looked for at run time. What is missing is said, and never keeps the program from
//! loading.

use std::ffi::{CStr, c_void};
use std::mem::size_of;

/// A library or symbol that this system does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing(pub String);

/// A library; it stays loaded until the process ends.
#[derive(Debug, Clone, Copy)]
pub struct Library {
    handle: *mut c_void,
    name: &'static CStr,
}

/// Everything that is loaded already: libSystem.
pub const LOADED: Library = Library { handle: libc::RTLD_DEFAULT, name: c"libSystem" };

impl Library {
    /// Loads a library by its full path. Those of the shared cache have no file, and load all the same.
    pub(super) fn open(path: &'static CStr) -> Result<Self, Missing> {
        // SAFETY: the path is NUL-terminated; the libraries named here are the system's own and run nothing harmful when
        // they are loaded.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL) };
        if handle.is_null() {
            Err(Missing(path.to_string_lossy().into_owned()))
        } else {
            Ok(Self { handle, name: path })
        }
    }

    /// The address of a symbol.
    pub(super) fn address(&self, symbol: &CStr) -> Result<*mut c_void, Missing> {
        // SAFETY: the handle is `RTLD_DEFAULT` or came from dlopen(3) and was never closed; the name is NUL-terminated.
        let found = unsafe { libc::dlsym(self.handle, symbol.as_ptr()) };
        if found.is_null() {
            let (symbol, library) = (symbol.to_string_lossy(), self.name.to_string_lossy());
            return Err(Missing(format!("{symbol} of {library}")));
        }
        Ok(found)
    }

    /// A function.
    ///
    /// # Safety
    /// `F` has to be a function pointer type with the symbol's own signature.
    pub(super) unsafe fn function<F: Copy>(&self, symbol: &CStr) -> Result<F, Missing> {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>(), "a function pointer is as large as an address") };
        let address = self.address(symbol)?;
        // SAFETY: sizes agree, and the caller vouches for the type.
        Ok(unsafe { std::mem::transmute_copy::<*mut c_void, F>(&address) })
    }

    /// The value of a data symbol.
    ///
    /// # Safety
    /// The symbol has to be an initialised object of type `T`.
    pub(super) unsafe fn value<T: Copy>(&self, symbol: &CStr) -> Result<T, Missing> {
        // SAFETY: the address is that of an object of this type, as the caller vouches.
        self.address(symbol).map(|address| unsafe { *address.cast::<T>() })
    }
}

/// Whether a function is there: `NAME`, or `LIBRARY NAME` for one of the system's libraries that has to be loaded first.
pub fn is_there(text: &'static str) -> bool {
    let (library, name) = match text.split_once(' ') {
        Some((path, name)) => (Some(path), name),
        None => (None, text),
    };
    let Ok(name) = std::ffi::CString::new(name) else { return false };
    let handle = match library.map(std::ffi::CString::new) {
        None => libc::RTLD_DEFAULT,
        Some(Err(_)) => return false,
        // SAFETY: as in `Library::open`; the name stands in this program.
        Some(Ok(path)) => unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL) },
    };
    if library.is_some() && handle.is_null() {
        return false;
    }
    // SAFETY: the handle is `RTLD_DEFAULT` or came from dlopen(3); the name is NUL-terminated.
    !unsafe { libc::dlsym(handle, name.as_ptr()) }.is_null()
}
