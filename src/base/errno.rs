//! Names of error numbers.

/// The symbolic name of a host error number, as in `errno(3)`: 13 is `EACCES`. `None` for 0 and unknown numbers.
pub fn errno_name(number: i32) -> Option<String> {
    match nix::errno::Errno::from_raw(number) {
        nix::errno::Errno::UnknownErrno => None,
        known => Some(format!("{known:?}")),
    }
}

/// The error of a system call that failed with this number.
pub fn io_error(number: i32) -> std::io::Error {
    std::io::Error::from_raw_os_error(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_symbolic() {
        assert_eq!(errno_name(libc::EACCES).as_deref(), Some("EACCES"));
        assert_eq!(errno_name(libc::EPERM).as_deref(), Some("EPERM"));
        assert_eq!(errno_name(0), None);
        assert_eq!(errno_name(99_999), None);
    }
}
