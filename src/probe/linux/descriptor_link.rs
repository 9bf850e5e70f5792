//! What an open descriptor is, as `/proc/self/fd` names it.

use std::ffi::CStr;

use crate::sys::linux::path;

/// A path as the kernel gives it: bytes, nearly always few.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the large one is the usual one, and is not to be allocated")]
pub enum LinkText {
    /// Up to as many bytes as fit, and how many there are.
    Short([u8; Self::SHORT], usize),
    /// Any number of them.
    Long(Vec<u8>),
}

impl LinkText {
    /// Enough for nearly every path, and little enough to touch no further page of the stack.
    pub const SHORT: usize = 256;

    /// The link's text, without its terminating NUL.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short(bytes, length) => bytes.get(..*length).unwrap_or(bytes),
            Self::Long(bytes) => bytes,
        }
    }

    /// The text. Bytes that are none are replaced.
    pub fn to_text(&self) -> String {
        String::from_utf8_lossy(self.as_bytes()).into_owned()
    }
}

/// A text like `/proc/self/fd/7`, without allocation and without the formatting machinery.
pub fn descriptor_path(fd: i32, buffer: &mut [u8; 32]) -> &CStr {
    const FOLDER: &[u8] = b"/proc/self/fd/";
    // Ten digits are the most, so the array ends with NULs.
    let mut number = fd.unsigned_abs();
    let mut digits = [0; 10];
    let mut count = 0;
    while count == 0 || number > 0 {
        digits[count] = b'0' + (number % 10) as u8;
        number /= 10;
        count += 1;
    }
    buffer[..FOLDER.len()].copy_from_slice(FOLDER);
    for (place, digit) in buffer[FOLDER.len()..].iter_mut().zip(digits[..count].iter().rev()) {
        *place = *digit;
    }
    CStr::from_bytes_until_nul(buffer).unwrap_or_default()
}

/// What `/proc/self/fd/N` says that a descriptor is.
pub fn link_of_descriptor(fd: i32) -> Result<LinkText, i32> {
    let mut place = [0; 32];
    let path = descriptor_path(fd, &mut place);
    let mut link = [0; LinkText::SHORT];
    let length = path::readlink(path, &mut link)? as usize;
    if length < link.len() { Ok(LinkText::Short(link, length)) } else { long_link(path) }
}

#[cold]
#[inline(never)]
fn long_link(path: &CStr) -> Result<LinkText, i32> {
    let mut long = vec![0; libc::PATH_MAX as usize];
    let length = path::readlink(path, &mut long)? as usize;
    long.truncate(length);
    Ok(LinkText::Long(long))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptor_links_are_read() {
        let file = tempfile::tempfile().unwrap();
        let link = link_of_descriptor(std::os::fd::AsRawFd::as_raw_fd(&file)).unwrap().to_text();
        assert!(link.starts_with('/'), "{link}");
        assert_eq!(link_of_descriptor(i32::MAX).unwrap_err(), libc::ENOENT);
        for fd in [0, 7, 10, 1009, i32::MAX] {
            assert_eq!(descriptor_path(fd, &mut [0; 32]).to_str().unwrap(), format!("/proc/self/fd/{fd}"));
        }
    }
}
