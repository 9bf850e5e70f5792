//! Sockets of other kinds than the usual ones, and other ways to connect.

use std::net::SocketAddr;

use super::net::open_of;
use super::trace::Trace;
use crate::sys::linux::socket;

/// `IPPROTO_MPTCP` of <linux/in.h>.
const MPTCP: i32 = 262;

/// Makes a socket of a family, and asks it which it is of.
pub fn make(trace: &mut Trace, family: i32, kind: i32, protocol: i32) -> Option<()> {
    let fd = trace.operate("socket", socket::socket_of(family, kind, protocol))? as i32;
    let is_one = socket::option(fd, libc::SO_DOMAIN) == Ok(family) && socket::option(fd, libc::SO_TYPE) == Ok(kind);
    trace.confirm(is_one)
}

/// Connects an MPTCP socket; a listener of TCP answers it.
pub fn mptcp_connect(trace: &mut Trace, target: &str) -> Option<()> {
    let (fd, address) = open_of(trace, target, libc::SOCK_STREAM, MPTCP)?;
    trace.operate("connect", socket::connect(fd, &address)).map(|_| ())
}

/// Binds an MPTCP socket.
pub fn mptcp_bind(trace: &mut Trace, target: &str) -> Option<()> {
    let (fd, address) = open_of(trace, target, libc::SOCK_STREAM, MPTCP)?;
    trace.prepare("setsockopt", socket::reuse_address(fd))?;
    trace.operate("bind", socket::bind(fd, &address))?;
    let port = target.parse::<SocketAddr>().ok()?.port();
    trace.confirm(port != 0 && socket::local_port(fd) == Ok(port))
}

/// Connects a TCP socket by sending (`MSG_FASTOPEN`), without connect(2).
pub fn fast_open(trace: &mut Trace, target: &str) -> Option<()> {
    let (fd, address) = open_of(trace, target, libc::SOCK_STREAM, 0)?;
    trace.operate("sendto", socket::sendto_with(fd, b"x", &address, libc::MSG_FASTOPEN)).map(|_| ())
}

/// Connects a UDP socket, which only notes the address, and sends one byte.
pub fn udp_connect(trace: &mut Trace, target: &str) -> Option<()> {
    let (fd, address) = open_of(trace, target, libc::SOCK_DGRAM, 0)?;
    trace.operate("connect", socket::connect(fd, &address))?;
    trace.operate("sendto", socket::send(fd, b"x")).map(|_| ())
}
