//! Memory of this process and of others, and random numbers.

use std::ptr;

use crate::sys::Ret;
use crate::sys::ret::outcome;

/// Eight random bytes; see getrandom(2).
pub fn random() -> Result<u64, i32> {
    let mut bytes = [0_u8; 8];
    // SAFETY: the kernel writes at most eight bytes to the array.
    outcome(unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) } as i64)?;
    Ok(u64::from_ne_bytes(bytes))
}

/// From here on the C library keeps memory that is freed for what is allocated next, up to 128 MiB. Else it gives blocks back to
/// the kernel one by one, and who reads many documents one after the other pays a page fault for each page of each of them.
pub fn keep_freed() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt(3) changes settings of the allocator under its own lock, and nothing that was allocated.
    unsafe {
        // The largest that glibc takes: half of a heap of 64 MiB.
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 * 1024 * 1024);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 128 * 1024 * 1024);
    }
}

/// Memory that was mapped, and is unmapped when this is dropped.
#[derive(Debug)]
pub struct Mapped {
    at: *mut u8,
    length: usize,
    writable: bool,
}

impl Mapped {
    /// A page of memory of this process alone, with that number at its beginning.
    pub fn page(number: u64) -> Result<Self, i32> {
        let page = Self::map(4096, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)?;
        page.put(0, &number.to_ne_bytes());
        Ok(page)
    }

    /// Memory that is shared with what a descriptor stands for, from that offset on.
    pub fn shared(fd: i32, length: usize, offset: i64) -> Result<Self, i32> {
        Self::map(length, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, fd, offset)
    }

    /// What a descriptor stands for, to be executed (and read).
    pub fn executable(fd: i32, length: usize) -> Result<Self, i32> {
        Self::map(length, libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE, fd, 0)
    }

    fn map(length: usize, access: i32, flags: i32, fd: i32, offset: i64) -> Result<Self, i32> {
        // SAFETY: the kernel picks a place where nothing is mapped.
        let at = unsafe { libc::mmap(ptr::null_mut(), length, access, flags, fd, offset) };
        if at == libc::MAP_FAILED {
            return Err(nix::errno::Errno::last_raw());
        }
        // A filter that answers for the kernel says 0, where nothing lies.
        let writable = access & libc::PROT_WRITE != 0;
        Ok(Self { at: at.cast(), length: if at.is_null() { 0 } else { length }, writable })
    }

    /// Whether the kernel says that something lies there; see mincore(2), `ENOMEM`.
    pub fn is_there(&self) -> bool {
        let mut resident = 0_u8;
        // SAFETY: a mapping of up to a page has one byte of answer, which the kernel writes; the memory itself is not touched.
        !self.at.is_null() && outcome(unsafe { libc::mincore(self.at.cast(), 1, &raw mut resident) }).is_ok()
    }

    /// Where it lies.
    pub fn address(&self) -> u64 {
        self.at as u64
    }

    /// The bytes from `offset` on; zeros for what lies outside. Others may write to the memory at any time, and may take it
    /// away: to read what a file has no more ends the process (SIGBUS).
    pub fn get<const N: usize>(&self, offset: usize) -> [u8; N] {
        let mut bytes = [0; N];
        let room = self.length.saturating_sub(offset);
        for (n, byte) in bytes.iter_mut().enumerate().take(room) {
            // SAFETY: the place lies within the mapping, which lives as long as `self`. The read is volatile, because
            // the kernel may write there.
            *byte = unsafe { self.at.add(offset + n).read_volatile() };
        }
        bytes
    }

    /// Writes bytes from `offset` on; what does not fit is left out, and so is everything where nothing may be written.
    pub fn put(&self, offset: usize, bytes: &[u8]) {
        let room = if self.writable { self.length.saturating_sub(offset) } else { 0 };
        for (n, byte) in bytes.iter().enumerate().take(room) {
            // SAFETY: as in `get`; there are no references to the memory, only copies are given out.
            unsafe { self.at.add(offset + n).write_volatile(*byte) };
        }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: the memory was mapped by this value, and nobody has a reference to it.
        unsafe { libc::munmap(self.at.cast(), self.length) };
    }
}

/// pread(2).
pub fn pread(fd: i32, buffer: &mut [u8], offset: u64) -> Ret {
    // SAFETY: the kernel writes at most `buffer.len()` bytes to the buffer.
    outcome(unsafe { libc::pread(fd, buffer.as_mut_ptr().cast(), buffer.len(), offset as libc::off_t) } as i64)
}

/// process_vm_readv(2) of eight bytes: how many were read, and what.
pub fn process_vm_readv(pid: i32, address: u64) -> Result<(i64, u64), i32> {
    let mut bytes = [0_u8; 8];
    let here = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let there = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: bytes.len() };
    // SAFETY: the kernel writes at most eight bytes to the array; the other address is one of the other process.
    let count = outcome(unsafe { libc::process_vm_readv(pid, &raw const here, 1, &raw const there, 1, 0) } as i64)?;
    Ok((count, u64::from_ne_bytes(bytes)))
}

/// `PTRACE_ATTACH` of ptrace(2).
pub fn attach(pid: i32) -> Ret {
    // SAFETY: the request takes a number alone.
    outcome(unsafe { libc::syscall(libc::SYS_ptrace, u64::from(libc::PTRACE_ATTACH), pid, 0_u64, 0_u64) })
}

/// `PTRACE_DETACH` of ptrace(2), without a signal.
pub fn detach(pid: i32) -> Ret {
    // SAFETY: the request takes numbers alone.
    outcome(unsafe { libc::syscall(libc::SYS_ptrace, u64::from(libc::PTRACE_DETACH), pid, 0_u64, 0_u64) })
}

/// `PTRACE_PEEKDATA` of ptrace(2): the word at that address of the other process.
pub fn peek(pid: i32, address: u64) -> Result<u64, i32> {
    let mut word = 0_u64;
    let request = u64::from(libc::PTRACE_PEEKDATA);
    // SAFETY: the system call itself writes the word to the place that is given ("C library/kernel differences").
    outcome(unsafe { libc::syscall(libc::SYS_ptrace, request, pid, address, &raw mut word) })?;
    Ok(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_keeps_what_is_put_into_it_and_nothing_else() {
        let page = Mapped::page(7).unwrap();
        assert_eq!(u64::from_ne_bytes(page.get(0)), 7);
        page.put(4090, b"0123456789");
        assert_eq!(&page.get::<8>(4090), b"012345\0\0");
        let (count, word) = process_vm_readv(std::process::id() as i32, page.address()).unwrap();
        assert_eq!((count, word), (8, 7));
        assert!(page.is_there());
        assert_eq!(page.get::<2>(usize::MAX), [0, 0]);
        page.put(usize::MAX, b"12");
        // Nothing is written to what may only be read, where it would end the process.
        let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        let text = Mapped::executable(std::os::fd::AsRawFd::as_raw_fd(&file), 4).unwrap();
        text.put(0, b"12");
        assert_eq!(&text.get::<4>(0), b"\x7fELF");
        assert_ne!(random().unwrap(), random().unwrap());
    }
}
