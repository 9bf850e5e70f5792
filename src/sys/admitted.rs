//! The systems and processors that this folder was written for. Elsewhere the crate does not build, and says what has to be
//! looked at: nothing of it would be noticed at run time.

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!("sandproof runs on Linux and macOS: write `sys` and `probe` for another system");

#[cfg(all(target_os = "linux", not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!(
    "sandproof's Linux system calls were written for x86-64 and AArch64. For another processor: the order of clone's arguments \
     (linux/sole.rs), requests of ioctl that hold a direction (RNDGETENTCNT in linux/path.rs, UFFDIO_API in linux/surface.rs), \
     SO_NETNS_COOKIE (linux/socket.rs), whether shmctl and its siblings need IPC_64 (linux/ipc.rs), \
     the instruction of a system call (linux/quiet.rs)"
);

// The numbers and structures that are declared by hand were held against the headers for this one alone.
#[cfg(all(target_os = "macos", not(target_arch = "aarch64")))]
compile_error!(
    "sandproof's declarations of macOS were held against the headers for arm64. For another processor: how variadic arguments \
     are passed (darwin/seatbelt.rs), structures of darwin/calls.rs and darwin/mod.rs, the image of probe/program/mach.rs"
);

// System calls take addresses, lengths and offsets as one argument each; x32 has pointers of 32 bits on x86-64.
#[cfg(not(target_pointer_width = "64"))]
compile_error!(
    "sandproof passes addresses and offsets to system calls as numbers of 64 bits: linux/memory.rs, linux/surface.rs"
);

#[cfg(not(target_endian = "little"))]
compile_error!("the program that sandproof executes (probe/program.rs) has a header in little endian");
