//! Sockets, with addresses built here so that the kernel's answer is exact.

use std::mem::{offset_of, size_of};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use crate::sys::ret::{Ret, made, outcome};

/// A socket address in the kernel's form.
#[derive(Clone, Copy)]
pub struct Address {
    storage: Storage,
    length: libc::socklen_t,
}

#[derive(Clone, Copy)]
#[repr(C)]
union Storage {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
    unix: libc::sockaddr_un,
}

impl Address {
    /// An IPv4 or IPv6 endpoint.
    pub fn endpoint(endpoint: SocketAddr) -> Self {
        match endpoint {
            SocketAddr::V4(v4) => Self {
                storage: Storage {
                    v4: libc::sockaddr_in {
                        sin_family: libc::AF_INET as libc::sa_family_t,
                        sin_port: v4.port().to_be(),
                        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                        sin_zero: [0; 8],
                    },
                },
                length: size_of::<libc::sockaddr_in>() as libc::socklen_t,
            },
            SocketAddr::V6(v6) => Self {
                storage: Storage {
                    v6: libc::sockaddr_in6 {
                        sin6_family: libc::AF_INET6 as libc::sa_family_t,
                        sin6_port: v6.port().to_be(),
                        sin6_flowinfo: v6.flowinfo(),
                        sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                        sin6_scope_id: v6.scope_id(),
                    },
                },
                length: size_of::<libc::sockaddr_in6>() as libc::socklen_t,
            },
        }
    }

    /// A UNIX address: a path, or an abstract name that is marked by a leading NUL. `ENAMETOOLONG` if it does not fit
    /// (unix(7): 108 bytes, with the terminating NUL of a path).
    fn unix(bytes: &[u8], terminated: bool) -> Result<Self, i32> {
        let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as libc::sa_family_t, sun_path: [0; 108] };
        let needed = bytes.len() + usize::from(terminated);
        if needed > address.sun_path.len() {
            return Err(libc::ENAMETOOLONG);
        }
        for (place, byte) in address.sun_path.iter_mut().zip(bytes) {
            *place = *byte as libc::c_char;
        }
        let length = (offset_of!(libc::sockaddr_un, sun_path) + needed) as libc::socklen_t;
        Ok(Self { storage: Storage { unix: address }, length })
    }

    /// The address of a path.
    pub fn path(path: &str) -> Result<Self, i32> {
        Self::unix(path.as_bytes(), true)
    }

    /// An abstract address; `name` comes without the leading NUL.
    pub fn abstract_name(name: &str) -> Result<Self, i32> {
        let mut bytes = Vec::with_capacity(name.len() + 1);
        bytes.push(0);
        bytes.extend_from_slice(name.as_bytes());
        Self::unix(&bytes, false)
    }

    /// Where it lies, and how many bytes it has, for a request that outlives the call which makes it. It has to stay there.
    pub(super) fn raw(&self) -> (*const libc::sockaddr, libc::socklen_t) {
        (self.as_ptr(), self.length)
    }

    fn as_ptr(&self) -> *const libc::sockaddr {
        (&raw const self.storage).cast()
    }
}

/// socket(2), with `SOCK_CLOEXEC` added.
pub fn socket(family: i32, kind: i32) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, 0) })
}

/// [`socket`], closed when it is dropped.
pub fn socket_owned(family: i32, kind: i32) -> Result<OwnedFd, i32> {
    // SAFETY: the socket was made just now, and nobody else has its number.
    unsafe { made(socket(family, kind)) }
}

/// [`socket`] with a protocol.
pub fn socket_of(family: i32, kind: i32, protocol: i32) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) })
}

/// getsockopt(2) of a number, at the level of sockets.
pub fn option(fd: i32, name: i32) -> Result<i32, i32> {
    let mut value: libc::c_int = -1;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, one `int`, to the place that is given, and the length.
    outcome(unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, name, (&raw mut value).cast(), &raw mut length) })?;
    Ok(value)
}

/// The port that an IPv4 or IPv6 socket is bound to; see getsockname(2).
pub fn local_port(fd: i32) -> Result<u16, i32> {
    // SAFETY: all zeros are an address of no family.
    let mut storage: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
    let mut length = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to the place that is given, and the length.
    outcome(unsafe { libc::getsockname(fd, (&raw mut storage).cast(), &raw mut length) })?;
    // The port stands at the same place in both kinds of address.
    const { assert!(offset_of!(libc::sockaddr_in, sin_port) == offset_of!(libc::sockaddr_in6, sin6_port)) };
    Ok(u16::from_be(storage.sin6_port))
}

/// setsockopt(2) `SO_REUSEADDR`: a port in `TIME_WAIT` may be bound again.
pub fn reuse_address(fd: i32) -> Ret {
    let on: libc::c_int = 1;
    // SAFETY: the kernel reads one `int` from the place that is given.
    outcome(unsafe {
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_REUSEADDR,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    })
}

/// connect(2).
pub fn connect(fd: i32, address: &Address) -> Ret {
    // SAFETY: the kernel reads `length` bytes of the address, all of which are initialised and within the union.
    outcome(unsafe { libc::connect(fd, address.as_ptr(), address.length) })
}

/// bind(2).
pub fn bind(fd: i32, address: &Address) -> Ret {
    // SAFETY: the kernel reads `length` bytes of the address, all of which are initialised and within the union.
    outcome(unsafe { libc::bind(fd, address.as_ptr(), address.length) })
}

/// listen(2) with a short queue.
pub fn listen(fd: i32) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::listen(fd, 1) })
}

/// send(2) on a connected socket; a closed peer gives `EPIPE`, no signal.
pub fn send(fd: i32, bytes: &[u8]) -> Ret {
    // SAFETY: the kernel reads `bytes.len()` bytes.
    outcome(unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) } as i64)
}

/// sendto(2); a closed peer gives `EPIPE`, no signal.
pub fn sendto(fd: i32, bytes: &[u8], address: &Address) -> Ret {
    sendto_with(fd, bytes, address, 0)
}

/// [`sendto`] with further flags.
pub fn sendto_with(fd: i32, bytes: &[u8], address: &Address, flags: i32) -> Ret {
    let flags = flags | libc::MSG_NOSIGNAL;
    // SAFETY: the kernel reads `bytes.len()` bytes and `length` bytes of the address, all of which are initialised.
    let sent = unsafe { libc::sendto(fd, bytes.as_ptr().cast(), bytes.len(), flags, address.as_ptr(), address.length) };
    outcome(sent as i64)
}

/// The cookie of the network namespace of a socket (`SO_NETNS_COOKIE`, Linux 5.14).
pub fn net_cookie(fd: BorrowedFd<'_>) -> Result<u64, i32> {
    const SO_NETNS_COOKIE: libc::c_int = 71;
    let (mut cookie, mut length) = (0_u64, size_of::<u64>() as libc::socklen_t);
    // SAFETY: the kernel writes at most `length` bytes to the place that is given, which has that many.
    outcome(unsafe {
        libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, SO_NETNS_COOKIE, (&raw mut cookie).cast(), &raw mut length)
    })?;
    Ok(cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_names_fit_or_are_refused() {
        assert!(Address::path(&"p".repeat(107)).is_ok());
        assert_eq!(Address::path(&"p".repeat(108)).err(), Some(libc::ENAMETOOLONG));
        assert!(Address::abstract_name(&"n".repeat(107)).is_ok());
        assert_eq!(Address::abstract_name(&"n".repeat(108)).err(), Some(libc::ENAMETOOLONG));
    }
}
