//! Sockets. They stay open to the end of the process, for whoever looks at what came of them.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrStorage, UnixAddr, bind as bind_to, connect, sendto,
    setsockopt, socket, sockopt,
};

use super::OperationSteps;
use crate::sys::Ret;
use crate::sys::darwin::calls;

fn ret<T>(answer: Result<T, Errno>) -> Ret {
    answer.map(|_| 0).map_err(|errno| errno as i32)
}

/// Opens a socket, which only prepares.
fn open(steps: &mut OperationSteps, family: AddressFamily, kind: SockType) -> Option<OwnedFd> {
    match socket(family, kind, SockFlag::empty(), None) {
        Ok(fd) => steps.prepare("socket", Ok(i64::from(fd.as_raw_fd()))).map(|_| fd),
        Err(errno) => {
            steps.prepare("socket", Err(errno as i32));
            None
        }
    }
}

/// Reads `HOST:PORT`, and opens a socket of its family.
fn endpoint(steps: &mut OperationSteps, target: &str, kind: SockType) -> Option<(OwnedFd, SockaddrStorage)> {
    let Ok(address) = target.parse::<SocketAddr>() else {
        steps.prepare("endpoint", Err(libc::EINVAL));
        return None;
    };
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    open(steps, family, kind).map(|fd| (fd, SockaddrStorage::from(address)))
}

/// Connects a TCP socket.
pub(super) fn tcp_connect(steps: &mut OperationSteps, target: &str) -> Option<()> {
    let (fd, address) = endpoint(steps, target, SockType::Stream)?;
    steps.operate("connect", ret(connect(fd.into_raw_fd(), &address))).map(|_| ())
}

/// Binds a TCP or UDP socket.
pub(super) fn bind(steps: &mut OperationSteps, target: &str, kind: i32) -> Option<()> {
    let kind = if kind == libc::SOCK_STREAM { SockType::Stream } else { SockType::Datagram };
    let (fd, address) = endpoint(steps, target, kind)?;
    steps.prepare("setsockopt", ret(setsockopt(&fd, sockopt::ReuseAddr, &true)))?;
    steps.operate("bind", ret(bind_to(fd.into_raw_fd(), &address))).map(|_| ())
}

/// Sends one byte as a datagram.
pub(super) fn udp_send(steps: &mut OperationSteps, target: &str) -> Option<()> {
    let (fd, address) = endpoint(steps, target, SockType::Datagram)?;
    steps.operate("sendto", ret(sendto(fd.as_raw_fd(), b"x", &address, MsgFlags::empty()))).map(|_| ())
}

/// Listens on a TCP socket without binding it first.
pub(super) fn listen_unbound(steps: &mut OperationSteps) -> Option<()> {
    let fd = open(steps, AddressFamily::Inet, SockType::Stream)?;
    steps.operate("listen", calls::listen(fd.into_raw_fd())).map(|_| ())
}

fn unix(steps: &mut OperationSteps, target: &str) -> Option<(OwnedFd, UnixAddr)> {
    match UnixAddr::new(target) {
        Ok(address) => open(steps, AddressFamily::Unix, SockType::Stream).map(|fd| (fd, address)),
        Err(errno) => {
            steps.prepare("address", Err(errno as i32));
            None
        }
    }
}

/// Connects a UNIX stream socket.
pub(super) fn unix_connect(steps: &mut OperationSteps, target: &str) -> Option<()> {
    let (fd, address) = unix(steps, target)?;
    steps.operate("connect", ret(connect(fd.into_raw_fd(), &address))).map(|_| ())
}

/// Binds a UNIX stream socket.
pub(super) fn unix_bind(steps: &mut OperationSteps, target: &str) -> Option<()> {
    let (fd, address) = unix(steps, target)?;
    steps.operate("bind", ret(bind_to(fd.into_raw_fd(), &address))).map(|_| ())
}

/// A listener with one connection waiting, both made while nothing is confined. The connecting end stays open.
pub(super) fn connected_listener(target: &str) -> Result<i32, i32> {
    let errno = |error: std::io::Error| error.raw_os_error().unwrap_or(libc::EIO);
    let address: SocketAddr = target.parse().map_err(|_| libc::EINVAL)?;
    let listener = TcpListener::bind(address).map_err(errno)?;
    let stream = TcpStream::connect(listener.local_addr().map_err(errno)?).map_err(errno)?;
    let _stays_open = stream.into_raw_fd();
    Ok(listener.into_raw_fd())
}
