//! The executable as the first process of a machine: a policy tried on another kernel.
//!
//! A statically linked `sandproof` can be the `/init` of an initial RAM file system. The kernel hands the words after
//! `--` on its command line to it, so that
//!
//! ```text
//! qemu-system-x86_64 … -append "console=ttyS0 lsm=landlock -- run --plan /plans/quickstart/plan.json --json"
//! ```
//!
//! runs that plan on that kernel, within seconds and without a distribution. Here the process does what the first
//! process of a machine must: it mounts what the commands rely on, brings up the loopback interface, runs the ordinary
//! command line as a child, reaps whatever is left to it, and powers the machine off.
//!
//! The console carries everything: first the command's standard error as it comes, then its whole standard output
//! between [`OUTPUT_BEGINS`] and [`OUTPUT_ENDS`], at last `sandproof: exit code N`. Standard output is held back so that
//! neither the kernel nor the command's own remarks can write into the middle of a document. `scripts/try-kernel` reads
//! this.
//!
//! A container's first process is not mistaken for a machine's: see [`is_first_process_of_a_machine`].

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::socket::{self, AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType};
use nix::sys::statfs::{FsType, TMPFS_MAGIC, statfs};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{self, Pid};

/// Stands on a line of its own before the command's standard output.
pub const OUTPUT_BEGINS: &str = "sandproof: output begins";
/// Stands on a line of its own after it.
pub const OUTPUT_ENDS: &str = "sandproof: output ends";

/// `RAMFS_MAGIC` (linux/magic.h), which the `nix` crate does not name.
const RAMFS_MAGIC: FsType = FsType(0x8584_58f6_u32 as _);

/// How long the loop sleeps when neither stream has anything to say, in milliseconds.
const IDLE_MS: u16 = 50;

/// Acts as the first process of a machine, if that is what this process is, and powers it off. `None`: it is not, and
/// the command line is to be read as usual. An exit code comes back only if the machine could not be powered off.
pub(super) fn take_over() -> Option<u8> {
    if !is_first_process_of_a_machine() {
        return None;
    }
    let code = match prepare().and_then(|()| supervise()) {
        Ok(status) => status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
        Err(error) => {
            say(&format!("sandproof: as the first process: {error}"));
            i32::from(super::Exit::Fault.code())
        }
    };
    say(&format!("sandproof: exit code {code}"));
    unistd::sync();
    // Both return only if the kernel refuses. Then this process ends, and the kernel does what its `panic` option says.
    let Err(refused) = reboot(RebootMode::RB_POWER_OFF);
    say(&format!("sandproof: the machine could not be powered off: {}", refused.desc()));
    let _ = reboot(RebootMode::RB_AUTOBOOT);
    Some(super::Exit::Fault.code())
}

/// Whether this is a machine's first process, in its initial RAM file system, before anything was mounted.
///
/// Three facts have to hold together: the process number is 1, no process file system is mounted (a container runtime
/// mounts one before it starts anything), and the root is a RAM file system. A program that a user, a container or a
/// service manager starts fails at least one of them.
fn is_first_process_of_a_machine() -> bool {
    std::process::id() == 1
        && !Path::new("/proc/self").exists()
        && statfs("/").is_ok_and(|root| matches!(root.filesystem_type(), TMPFS_MAGIC | RAMFS_MAGIC))
}

fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Mounts and interfaces. A kernel without one of them is still worth a run: the probe that needs it will say so.
fn prepare() -> io::Result<()> {
    for (kind, at, data) in [
        ("proc", "/proc", ""),
        ("sysfs", "/sys", ""),
        ("devtmpfs", "/dev", ""),
        ("devpts", "/dev/pts", "mode=620,ptmxmode=666"),
        ("tmpfs", "/dev/shm", "mode=1777"),
        ("tmpfs", "/tmp", "mode=1777"),
        ("securityfs", "/sys/kernel/security", ""),
    ] {
        let mounted = fs::create_dir_all(at).and_then(|()| {
            Ok(mount(Some(kind), at, Some(kind), MsFlags::MS_NOSUID, Some(data).filter(|data| !data.is_empty()))?)
        });
        if let Err(error) = mounted {
            say(&format!("sandproof: {kind} could not be mounted at {at}: {error}"));
        }
    }
    if let Err(error) = raise_loopback() {
        say(&format!("sandproof: the loopback interface could not be brought up: {error}"));
    }
    // Without /proc the executable cannot be found again, and nothing else works either.
    fs::metadata("/proc/self/exe").map(drop)
}

/// Brings up the loopback interface. The kernel gives it its addresses when it comes up (`inetdev_event` in
/// net/ipv4/devinet.c).
fn raise_loopback() -> io::Result<()> {
    let wire =
        socket::socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
    socket::sendto(std::os::fd::AsRawFd::as_raw_fd(&wire), &loopback_up(), &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    let mut answer = [0_u8; 256];
    let length = unistd::read(&wire, &mut answer)?;
    // The answer is NLMSG_ERROR: a header of 16 bytes, then the negated error number, zero for success (netlink(7)).
    let error = answer[..length].get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match error {
        Some(0) => Ok(()),
        Some(number) => Err(io::Error::from_raw_os_error(-number)),
        None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer to RTM_NEWLINK is too short")),
    }
}

/// The message `RTM_NEWLINK` that sets `IFF_UP` on interface 1, which is the loopback interface of every network
/// namespace (rtnetlink(7)).
fn loopback_up() -> [u8; 32] {
    let mut message = [0_u8; 32];
    let up = (libc::IFF_UP as u32).to_ne_bytes();
    message[0..4].copy_from_slice(&32_u32.to_ne_bytes());
    message[4..6].copy_from_slice(&libc::RTM_NEWLINK.to_ne_bytes());
    message[6..8].copy_from_slice(&((libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16).to_ne_bytes());
    message[20..24].copy_from_slice(&1_i32.to_ne_bytes()); // ifi_index
    message[24..28].copy_from_slice(&up); // ifi_flags
    message[28..32].copy_from_slice(&up); // ifi_change
    message
}

/// Runs the ordinary command line as a child, reaps everybody, and gives the child's status.
#[expect(clippy::disallowed_methods, reason = "init starts the program once more and reaps it")]
fn supervise() -> io::Result<ExitStatus> {
    let mut child = Command::new("/proc/self/exe")
        .arg0(env!("CARGO_PKG_NAME"))
        .args(std::env::args_os().skip(1))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let command = Pid::from_raw(child.id() as i32);
    let (Some(mut output), Some(mut remarks)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::Error::other("the child's streams are missing"));
    };
    for stream in [output.as_fd(), remarks.as_fd()] {
        fcntl(stream, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    let mut held = Vec::new();
    // The streams are read until the command has ended, not until they close: a process that it left behind may hold
    // them open for ever.
    let status = loop {
        let ended = reap(command)?;
        drain(&mut output, &mut held)?;
        let mut heard = Vec::new();
        drain(&mut remarks, &mut heard)?;
        io::stderr().lock().write_all(&heard)?;
        if let Some(status) = ended {
            break status;
        }
        let wanted = PollFlags::POLLIN;
        let mut streams = [PollFd::new(output.as_fd(), wanted), PollFd::new(remarks.as_fd(), wanted)];
        match poll(&mut streams, PollTimeout::from(IDLE_MS)) {
            // Closed streams are always ready; without the pause this loop would spin until the command ends.
            Ok(_) if heard.is_empty() => std::thread::sleep(std::time::Duration::from_millis(1)),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    };
    let mut console = io::stderr().lock();
    writeln!(console, "{OUTPUT_BEGINS}")?;
    console.write_all(&held)?;
    if !held.is_empty() && !held.ends_with(b"\n") {
        writeln!(console)?;
    }
    writeln!(console, "{OUTPUT_ENDS}")?;
    Ok(status)
}

/// Reaps every child that has ended; the status of `command` if it was among them.
fn reap(command: Pid) -> io::Result<Option<ExitStatus>> {
    let mut found = None;
    loop {
        let status = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(found),
            Ok(status) => status,
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        };
        // Back to the encoding of wait(2), which is what ExitStatus is made of.
        match status {
            WaitStatus::Exited(pid, code) if pid == command => found = Some(ExitStatus::from_raw((code & 0xff) << 8)),
            WaitStatus::Signaled(pid, signal, _) if pid == command => found = Some(ExitStatus::from_raw(signal as i32)),
            _ => {}
        }
    }
}

/// Reads what a non-blocking stream holds now.
fn drain(stream: &mut impl Read, into: &mut Vec<u8>) -> io::Result<()> {
    match stream.read_to_end(into) {
        Ok(_) => Ok(()),
        // What was read before the stream ran dry is kept by read_to_end.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_process_is_not_the_first_of_a_machine() {
        assert!(!is_first_process_of_a_machine());
        assert_eq!(take_over(), None);
    }

    #[test]
    fn the_loopback_message_is_whole() {
        let message = loopback_up();
        assert_eq!(message.len(), usize::try_from(u32::from_ne_bytes(message[0..4].try_into().unwrap())).unwrap());
        assert_eq!(u16::from_ne_bytes(message[4..6].try_into().unwrap()), libc::RTM_NEWLINK);
        assert_eq!(i32::from_ne_bytes(message[20..24].try_into().unwrap()), 1);
    }

    #[test]
    fn a_dry_stream_keeps_what_came_before() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let mut reader = fs::File::from(std::os::fd::OwnedFd::from(reader));
        let mut held = Vec::new();
        writer.write_all(b"one").unwrap();
        drain(&mut reader, &mut held).unwrap();
        drain(&mut reader, &mut held).unwrap();
        writer.write_all(b" two").unwrap();
        drop(writer);
        drain(&mut reader, &mut held).unwrap();
        assert_eq!(held, b"one two");
    }
}
