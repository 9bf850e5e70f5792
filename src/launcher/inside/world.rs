//! A digest over what questions could change for those that come after them: mounts, namespaces and the host's name.

use std::cell::{Cell, OnceCell};
use std::os::fd::{AsRawFd, OwnedFd};

use super::around;
use crate::sys::native::path;
use crate::sys::native::process::{Watched, poll};

/// Notices what changes, so that not everything is read again after each question.
#[derive(Default)]
pub(super) struct WorldWatch {
    /// The table of mounts from the first digest on: the kernel marks it once it has changed (proc_pid_mountinfo(5)). `None`: there
    /// is none to be had.
    mounts: OnceCell<Option<OwnedFd>>,
    /// The digest over mounts and namespaces when they were read last.
    read: Cell<Option<Fnv>>,
}

impl WorldWatch {
    /// The digest now. `itself`: whether questions are performed by this process itself, which could enter other namespaces.
    pub(super) fn digest(&self, itself: bool) -> u64 {
        // Asked first: what changes while it is read is noticed the next time.
        let changed = itself || self.mounts_changed();
        let known = self.read.get().filter(|_| !changed);
        let mut hash = known.unwrap_or_else(|| {
            let mut hash = Fnv::NOTHING;
            hash.take(around::text("/proc/self/mountinfo").as_bytes());
            for (name, link) in around::namespaces() {
                hash.take(name.as_bytes());
                hash.take(link.as_bytes());
            }
            self.read.set(Some(hash));
            hash
        });
        hash.take(nix::unistd::gethostname().unwrap_or_default().as_encoded_bytes());
        hash.0
    }

    fn mounts_changed(&self) -> bool {
        let open = || path::open_owned(c"/proc/self/mountinfo", libc::O_RDONLY | libc::O_CLOEXEC, 0).ok();
        let Some(mounts) = self.mounts.get_or_init(open) else { return true };
        poll(&mut [Watched::new(mounts.as_raw_fd(), libc::POLLPRI)], 0) != Ok(0)
    }
}

/// FNV-1a: nobody has to be kept from forging it.
#[derive(Debug, Clone, Copy)]
struct Fnv(u64);

impl Fnv {
    const NOTHING: Self = Self(0xcbf2_9ce4_8422_2325);

    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
