//! Making many files durable with few calls.

use std::fs::File;
use std::io;

/// Whether one [`sync_file_system`] on the file system of `file` can stand for one fsync per file.
///
/// Only file systems are named of which this is known: the call waits for all data and metadata, and reports a failed
/// write since the descriptor was opened (Linux 5.8, "vfs: track per-sb writeback errors and report them to syncfs";
/// Landlock needs 5.13, so wherever a run can happen, that holds). On a FUSE mount, for one, syncfs stops at the
/// server's memory.
#[cfg(target_os = "linux")]
pub fn syncs_as_a_whole(file: &File) -> bool {
    // Magic numbers from linux/magic.h: ext2/3/4, XFS, Btrfs, F2FS, tmpfs.
    const KNOWN: [i64; 5] = [0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010, 0x0102_1994];
    #[allow(clippy::unnecessary_cast, reason = "the number's type differs between C libraries")]
    nix::sys::statfs::fstatfs(file).is_ok_and(|facts| KNOWN.contains(&(facts.filesystem_type().0 as i64)))
}

/// No other system has a call that does this.
#[cfg(not(target_os = "linux"))]
pub fn syncs_as_a_whole(_file: &File) -> bool {
    false
}

/// Waits until everything written so far to the file system of `file` is durable.
///
/// `file` has to be open since before the writes in question: the kernel reports the write errors that happened
/// since then, and no earlier ones.
#[cfg(target_os = "linux")]
pub fn sync_file_system(file: &File) -> io::Result<()> {
    nix::unistd::syncfs(file).map_err(io::Error::from)
}

/// Not available; see [`syncs_as_a_whole`].
#[cfg(not(target_os = "linux"))]
pub fn sync_file_system(_file: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Asks the kernel to start writing the file's data from byte `from` on now, so that a later sync finds less to wait for.
///
/// It is a hint: nothing is durable after it, and an error of it changes nothing (a real write error comes back from
/// the sync).
#[cfg(target_os = "linux")]
pub fn start_writeback(file: &File, from: u64) {
    use std::os::fd::AsRawFd;
    let Ok(from) = i64::try_from(from) else { return };
    // SAFETY: the descriptor is open for the duration of the call, because `file` is borrowed; the call takes no
    // pointers. Length 0 means up to the end of the file (sync_file_range(2)).
    let _ = unsafe { libc::sync_file_range(file.as_raw_fd(), from, 0, libc::SYNC_FILE_RANGE_WRITE) };
}

/// Other systems have no such hint.
#[cfg(not(target_os = "linux"))]
pub fn start_writeback(_file: &File, _from: u64) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_hint_and_the_sync_work_on_an_ordinary_folder() {
        let dir = tempfile::tempdir().unwrap();
        let folder = File::open(dir.path()).unwrap();
        let mut file = File::create(dir.path().join("a")).unwrap();
        file.write_all(b"abc").unwrap();
        start_writeback(&file, 0);
        start_writeback(&file, 2);
        start_writeback(&file, u64::MAX);
        sync_file_system(&folder).unwrap();
    }

    #[test]
    fn procfs_is_not_among_the_known() {
        assert!(!syncs_as_a_whole(&File::open("/proc/self/status").unwrap()));
    }
}
