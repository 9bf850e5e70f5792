//! UNIX sockets, by path and by abstract name.

use super::trace::Trace;
use crate::sys::linux::socket::{self, Address};

/// Opens a socket for an address; one that does not fit is noted as a failed preparation.
fn open(trace: &mut Trace, address: Result<Address, i32>, kind: i32) -> Option<(i32, Address)> {
    let address = match address {
        Ok(address) => address,
        Err(errno) => {
            trace.prepare("address", Err(errno));
            return None;
        }
    };
    let fd = trace.prepare("socket", socket::socket(libc::AF_UNIX, kind))? as i32;
    Some((fd, address))
}

/// Connects a stream socket to a path.
pub fn connect_path(trace: &mut Trace, target: &str) -> Option<()> {
    let (fd, address) = open(trace, Address::path(target), libc::SOCK_STREAM)?;
    trace.operate("connect", socket::connect(fd, &address)).map(|_| ())
}

/// Binds a stream socket to a path, which makes a socket node.
pub fn bind_path(trace: &mut Trace, target: &str) -> Option<()> {
    let (fd, address) = open(trace, Address::path(target), libc::SOCK_STREAM)?;
    trace.operate("bind", socket::bind(fd, &address)).map(|_| ())
}

/// Connects a stream socket to an abstract name.
pub fn connect_abstract(trace: &mut Trace, name: &str) -> Option<()> {
    let (fd, address) = open(trace, Address::abstract_name(name), libc::SOCK_STREAM)?;
    trace.operate("connect", socket::connect(fd, &address)).map(|_| ())
}

/// Sends one byte as a datagram to an abstract name.
pub fn send_abstract(trace: &mut Trace, name: &str) -> Option<()> {
    let (fd, address) = open(trace, Address::abstract_name(name), libc::SOCK_DGRAM)?;
    trace.operate("sendto", socket::sendto(fd, b"x", &address)).map(|_| ())
}

/// Sends one byte as a datagram to a path.
pub fn send_path(trace: &mut Trace, target: &str) -> Option<()> {
    let (fd, address) = open(trace, Address::path(target), libc::SOCK_DGRAM)?;
    trace.operate("sendto", socket::sendto(fd, b"x", &address)).map(|_| ())
}
