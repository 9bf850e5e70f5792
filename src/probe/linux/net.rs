//! TCP and UDP.

use std::net::SocketAddr;

use super::trace::Trace;
use crate::sys::linux::socket::{self, Address};

/// Reads `HOST:PORT` and opens a socket of its family. A text that is no endpoint is noted as a failed preparation.
fn open(trace: &mut Trace, target: &str, kind: i32) -> Option<(i32, Address)> {
    open_of(trace, target, kind, 0)
}

/// The same for a protocol other than the usual one of that kind.
pub(super) fn open_of(trace: &mut Trace, target: &str, kind: i32, protocol: i32) -> Option<(i32, Address)> {
    let Ok(endpoint) = target.parse::<SocketAddr>() else {
        trace.prepare("endpoint", Err(libc::EINVAL));
        return None;
    };
    let family = if endpoint.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let fd = trace.prepare("socket", socket::socket_of(family, kind, protocol))? as i32;
    Some((fd, Address::endpoint(endpoint)))
}

/// Connects a TCP socket.
pub fn tcp_connect(trace: &mut Trace, target: &str) -> Option<()> {
    let (fd, address) = open(trace, target, libc::SOCK_STREAM)?;
    trace.operate("connect", socket::connect(fd, &address)).map(|_| ())
}

/// Binds a TCP or UDP socket. Ports in `TIME_WAIT` from an earlier probe may be bound again.
pub fn bind(trace: &mut Trace, target: &str, kind: i32) -> Option<()> {
    let (fd, address) = open(trace, target, kind)?;
    trace.prepare("setsockopt", socket::reuse_address(fd))?;
    trace.operate("bind", socket::bind(fd, &address)).map(|_| ())
}

/// Listens on a TCP socket without binding it first.
pub fn listen_unbound(trace: &mut Trace) -> Option<()> {
    let fd = trace.prepare("socket", socket::socket(libc::AF_INET, libc::SOCK_STREAM))? as i32;
    trace.operate("listen", socket::listen(fd)).map(|_| ())
}

/// Sends one byte as a datagram.
pub fn udp_send(trace: &mut Trace, target: &str) -> Option<()> {
    let (fd, address) = open(trace, target, libc::SOCK_DGRAM)?;
    trace.operate("sendto", socket::sendto(fd, b"x", &address)).map(|_| ())
}
