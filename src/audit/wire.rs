//! Messages to and from the kernel's audit (netlink(7), linux/audit.h, kernel/audit.c).

use std::cell::Cell;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{
    self, AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, setsockopt, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use super::message::{AuditRecord, USER};
use super::refusal::AuditRefusal;
use crate::record::attribution::AuditState;

const GET: u16 = 1000;
const SET: u16 = 1001;
/// `AUDIT_NLGRP_READLOG` as a bit of the groups that a socket is bound to.
const READ_LOG: u32 = 1;
/// Members of `audit_status` that are to be set: `enabled`, `backlog_limit`, `backlog_wait_time`.
const MASK: u32 = 0x01 | 0x10 | 0x20;
/// `AUDIT_FAIL_PANIC`
const FAIL_PANIC: u32 = 2;
/// Words of `audit_status`, and the places of those that are of interest.
const STATUS_WORDS: usize = 11;
const ENABLED: usize = 1;
const FAILURE: usize = 2;
const PID: usize = 3;
const BACKLOG_LIMIT: usize = 5;
const LOST: usize = 6;
const BACKLOG_WAIT_TIME: usize = 9;
/// The head of a message: length, type, flags, number, port.
const HEAD_BYTES: usize = 16;
/// How long an answer of the kernel is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// What the kernel keeps for a reader that is slow, in bytes.
const BUFFER_BYTES: usize = 32 * 1024 * 1024;
/// `MAX_AUDIT_MESSAGE_LENGTH` of linux/audit.h with the head, and room to spare.
const MOST_BYTES: usize = 16 * 1024;

/// The state of the audit, and who uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AuditStatus {
    /// What a run changes.
    pub(super) state: AuditState,
    /// Process id of the daemon that has the audit; 0 for none.
    pub(super) owner: u32,
    /// How many records were lost since the machine was started, modulo 2^32.
    pub(super) lost: u32,
    /// Whether the machine ends when one is lost.
    pub(super) panics: bool,
}

/// A socket for questions and orders.
#[derive(Debug)]
pub(super) struct AuditControl {
    socket: OwnedFd,
    number: Cell<u32>,
}

/// A socket on which every record arrives.
#[derive(Debug)]
pub(super) struct AuditReader {
    socket: OwnedFd,
}

fn open(groups: u32) -> Result<OwnedFd, AuditRefusal> {
    let socket =
        socket::socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkAudit)
            .map_err(|errno| AuditRefusal::NoAudit(errno.into()))?;
    socket::bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups)).map_err(|errno| match errno {
        Errno::EPERM => AuditRefusal::NotPermitted,
        errno => AuditRefusal::Failed { step: "bind a socket of the audit", source: errno.into() },
    })?;
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(PATIENCE.as_millis() as i64)).map_err(
        |errno| AuditRefusal::Failed { step: "limit how long the audit is waited for", source: errno.into() },
    )?;
    Ok(socket)
}

/// A message: its type, its number, and what it holds.
fn message(bytes: &[u8]) -> Option<(u16, u32, &[u8])> {
    let (head, rest) = bytes.split_at_checked(HEAD_BYTES)?;
    let kind = u16::from_ne_bytes(head[4..6].try_into().ok()?);
    let number = u32::from_ne_bytes(head[8..12].try_into().ok()?);
    Some((kind, number, rest))
}

fn word(bytes: &[u8], place: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(place * 4..place * 4 + 4)?.try_into().ok()?))
}

fn request(kind: u16, number: u32, acknowledge: bool, holds: &[u8]) -> Vec<u8> {
    let flags = libc::NLM_F_REQUEST | if acknowledge { libc::NLM_F_ACK } else { 0 };
    let mut bytes = Vec::with_capacity(HEAD_BYTES + holds.len());
    bytes.extend_from_slice(&((HEAD_BYTES + holds.len()) as u32).to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&(flags as u16).to_ne_bytes());
    bytes.extend_from_slice(&number.to_ne_bytes());
    bytes.extend_from_slice(&0_u32.to_ne_bytes());
    bytes.extend_from_slice(holds);
    bytes
}

fn status(bytes: &[u8]) -> Option<AuditStatus> {
    Some(AuditStatus {
        state: AuditState {
            enabled: word(bytes, ENABLED)?,
            backlog_limit: word(bytes, BACKLOG_LIMIT)?,
            backlog_wait_time: word(bytes, BACKLOG_WAIT_TIME)?,
        },
        owner: word(bytes, PID)?,
        lost: word(bytes, LOST)?,
        panics: word(bytes, FAILURE)? == FAIL_PANIC,
    })
}

fn orders(state: AuditState) -> [u8; STATUS_WORDS * 4] {
    let mut words = [0_u32; STATUS_WORDS];
    words[0] = MASK;
    words[ENABLED] = state.enabled;
    words[BACKLOG_LIMIT] = state.backlog_limit;
    words[BACKLOG_WAIT_TIME] = state.backlog_wait_time;
    let mut bytes = [0; STATUS_WORDS * 4];
    for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    bytes
}

impl AuditControl {
    /// Opens one.
    pub(super) fn open() -> Result<Self, AuditRefusal> {
        Ok(Self { socket: open(0)?, number: Cell::new(0) })
    }

    /// The state of the audit.
    pub(super) fn status(&self) -> io::Result<AuditStatus> {
        let number = self.send(GET, false, &[])?;
        self.answer(number, |kind, holds| if kind == GET { status(holds).map(Ok) } else { None })
    }

    /// Changes what a run changes.
    pub(super) fn set(&self, state: AuditState) -> io::Result<()> {
        let number = self.send(SET, true, &orders(state))?;
        self.acknowledged(number)
    }

    /// Gives the audit a text, behind everything that it was given so far.
    pub(super) fn say(&self, text: &str) -> io::Result<()> {
        let number = self.send(USER, true, &[text.as_bytes(), &[0]].concat())?;
        self.acknowledged(number)
    }

    fn acknowledged(&self, number: u32) -> io::Result<()> {
        self.answer(number, |_, _| None)
    }

    fn send(&self, kind: u16, acknowledge: bool, holds: &[u8]) -> io::Result<u32> {
        let number = self.number.get().wrapping_add(1);
        self.number.set(number);
        let bytes = request(kind, number, acknowledge, holds);
        socket::sendto(self.socket.as_raw_fd(), &bytes, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
        Ok(number)
    }

    /// Waits for the answer to that request: what `read` takes for it, or the kernel's acknowledgement.
    fn answer<T: AcknowledgedAs>(
        &self,
        number: u32,
        read: impl Fn(u16, &[u8]) -> Option<io::Result<T>>,
    ) -> io::Result<T> {
        let mut buffer = vec![0; MOST_BYTES];
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let length = match socket::recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Err(Errno::EINTR) => continue,
                received => received?,
            };
            let Some((kind, of, holds)) = message(&buffer[..length]) else { continue };
            if of != number {
                continue;
            }
            if i32::from(kind) == libc::NLMSG_ERROR {
                match word(holds, 0).map(u32::cast_signed) {
                    Some(0) => match T::ACKNOWLEDGED {
                        Some(done) => return Ok(done),
                        None => continue,
                    },
                    Some(error) => return Err(io::Error::from_raw_os_error(-error)),
                    None => continue,
                }
            }
            if let Some(answer) = read(kind, holds) {
                return answer;
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

/// What an acknowledgement stands for, where nothing else answers.
trait AcknowledgedAs: Sized {
    const ACKNOWLEDGED: Option<Self>;
}

impl AcknowledgedAs for () {
    const ACKNOWLEDGED: Option<Self> = Some(());
}

impl AcknowledgedAs for AuditStatus {
    const ACKNOWLEDGED: Option<Self> = None;
}

impl AuditReader {
    /// Opens one. Records arrive from now on.
    pub(super) fn open() -> Result<Self, AuditRefusal> {
        let socket = open(READ_LOG)?;
        // Whoever may read the log and not this much memory has the usual size, and is told of what it loses.
        let _ = setsockopt(&socket, sockopt::RcvBufForce, &BUFFER_BYTES);
        Ok(Self { socket })
    }

    /// Takes every record up to that text, which was given to the audit. False: some were lost on the way.
    pub(super) fn take_until(&self, said: &str, take: &mut dyn FnMut(AuditRecord)) -> io::Result<bool> {
        let mut buffer = vec![0; MOST_BYTES];
        let started = Instant::now();
        let mut whole = true;
        while started.elapsed() < PATIENCE {
            let length = match socket::recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Err(Errno::EINTR) => continue,
                Err(Errno::ENOBUFS) => {
                    whole = false;
                    continue;
                }
                received => received?,
            };
            let Some((kind, _, holds)) = message(&buffer[..length]) else { continue };
            match AuditRecord::read(kind, holds) {
                Some(AuditRecord::Said(text)) if text == said => return Ok(whole),
                Some(record) => take(record),
                None => {}
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole() {
        let bytes = request(SET, 7, true, &orders(AuditState { enabled: 1, backlog_limit: 64, backlog_wait_time: 15 }));
        assert_eq!(bytes.len() as u32, word(&bytes, 0).unwrap());
        let (kind, number, holds) = message(&bytes).unwrap();
        assert_eq!((kind, number, holds.len()), (SET, 7, 44));
        assert_eq!(
            (word(holds, 0), word(holds, 1), word(holds, 5), word(holds, 9)),
            (Some(0x31), Some(1), Some(64), Some(15))
        );
        // Nothing that it does not mean to change: neither the daemon's seat, nor what is lost.
        assert_eq!((word(holds, 2), word(holds, 3), word(holds, 6)), (Some(0), Some(0), Some(0)));
    }

    #[test]
    fn a_status_is_read_in_its_places() {
        let words: Vec<u8> =
            [0, 1, 2, 77, 0, 8192, 5, 0, 127, 15, 0_u32].iter().flat_map(|word| word.to_ne_bytes()).collect();
        let state = AuditState { enabled: 1, backlog_limit: 8192, backlog_wait_time: 15 };
        assert_eq!(status(&words), Some(AuditStatus { state, owner: 77, lost: 5, panics: true }));
        assert_eq!(status(&words[..36]), None);
        assert_eq!(message(&[0; 15]), None);
    }
}
