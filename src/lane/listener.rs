//! What the harness listens on while a probe runs, outside any policy, and how often it was reached.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::sync::Mutex;

use crate::record::fixture::{ListenerKind, ListenerSpec};
use crate::record::row::ListenerRecord;

/// An open listener. It never waits: what arrives is counted when it is finished.
#[derive(Debug)]
pub struct Listener {
    kind: ListenerKind,
    address: String,
    socket: Socket,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Udp(UdpSocket),
    Stream(UnixListener),
    /// With the node that binding made.
    Node(UnixListener, Node),
    Datagram(UnixDatagram),
}

#[derive(Debug, PartialEq, Eq)]
struct Node {
    dev: u64,
    ino: u64,
}

impl Node {
    fn at(path: &str) -> io::Result<Self> {
        std::fs::symlink_metadata(path).map(|found| Self { dev: found.dev(), ino: found.ino() })
    }
}

impl Listener {
    /// Opens a listener whose address is resolved.
    pub fn open(spec: &ListenerSpec) -> io::Result<Self> {
        let address = spec.address.as_str();
        let socket = match spec.kind {
            ListenerKind::Tcp => {
                let socket = TcpListener::bind(endpoint(address)?)?;
                socket.set_nonblocking(true)?;
                Socket::Tcp(socket)
            }
            ListenerKind::Udp => {
                let socket = UdpSocket::bind(endpoint(address)?)?;
                socket.set_nonblocking(true)?;
                Socket::Udp(socket)
            }
            ListenerKind::Unix => {
                let socket = UnixListener::bind(address)?;
                socket.set_nonblocking(true)?;
                Socket::Node(socket, Node::at(address)?)
            }
            ListenerKind::Abstract => {
                let socket = UnixListener::bind_addr(&abstract_address(address)?)?;
                socket.set_nonblocking(true)?;
                Socket::Stream(socket)
            }
            ListenerKind::AbstractDgram => {
                let socket = UnixDatagram::bind_addr(&abstract_address(address)?)?;
                socket.set_nonblocking(true)?;
                Socket::Datagram(socket)
            }
        };
        Ok(Self { kind: spec.kind, address: spec.address.clone(), socket })
    }

    /// Counts what arrived, and closes.
    pub fn finish(self) -> ListenerRecord {
        let mut byte = [0; 1];
        let accept_count = match &self.socket {
            Socket::Tcp(socket) => count(|| socket.accept().map(|_| ())),
            Socket::Udp(socket) => count(|| socket.recv_from(&mut byte).map(|_| ())),
            Socket::Stream(socket) => count(|| socket.accept().map(|_| ())),
            Socket::Node(socket, node) => {
                let accepted = count(|| socket.accept().map(|_| ()));
                // Only the node that binding made; a probe may have put something else there.
                if Node::at(&self.address).is_ok_and(|found| found == *node) {
                    let _ = std::fs::remove_file(&self.address);
                }
                accepted
            }
            Socket::Datagram(socket) => count(|| socket.recv(&mut byte).map(|_| ())),
        };
        let kind = match self.kind {
            ListenerKind::Tcp => "tcp",
            ListenerKind::Udp => "udp",
            ListenerKind::Unix => "unix",
            ListenerKind::Abstract => "abstract",
            ListenerKind::AbstractDgram => "abstract_dgram",
        };
        ListenerRecord { kind: kind.to_owned(), address: self.address, accept_count }
    }
}

/// How often `take` succeeds until nothing is left. A connection that was aborted counts: it did arrive.
fn count(mut take: impl FnMut() -> io::Result<()>) -> u64 {
    let mut taken = 0;
    loop {
        match take() {
            Ok(()) => taken += 1,
            Err(error) => match error.kind() {
                io::ErrorKind::ConnectionAborted => taken += 1,
                io::ErrorKind::Interrupted => {}
                _ => return taken,
            },
        }
    }
}

fn endpoint(address: &str) -> io::Result<std::net::SocketAddr> {
    address.parse().map_err(|_| {
        let message = format!("`{address}` is no numeric `HOST:PORT`");
        io::Error::new(io::ErrorKind::InvalidInput, message)
    })
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &str) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_name: &str) -> io::Result<SocketAddr> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "abstract UNIX sockets are a part of Linux"))
}

/// Where the kernel tells which ports it hands out by itself. See ip(7).
const EPHEMERAL_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// Lowest port that an ordinary user may bind on every system.
const FIRST: u16 = 1024;

/// How many rows may be under way at a time, at least; ports are shared by rows that are this far apart.
pub const SLOTS: u64 = 1024;

/// Free ports for the rows of one run.
///
/// A row's port of some name is the same in every lane, because a call is compared with the identical one. Rows that may
/// run at the same time never share a port; rows that are [`SLOTS`] apart do.
///
/// A port is outside the range that the kernel hands out by itself, and was free for TCP and UDP when it was given.
/// Nothing keeps another program from taking it later; then the probe's preparation says so.
#[derive(Debug)]
pub struct PortPool {
    /// The ports that are left, the next one last.
    left: Mutex<Vec<u16>>,
    /// The ports that were given, by the row's slot and the port's name.
    given: Mutex<HashMap<(u64, String), u16>>,
}

impl PortPool {
    /// The ports of this host, in an order that starts at another place in every process, so that runs that go on at
    /// the same time seldom meet.
    pub fn new() -> Self {
        let range = std::fs::read_to_string(EPHEMERAL_RANGE).unwrap_or_default();
        let mut ports = range.split_ascii_whitespace().map(str::parse::<u16>);
        // The range of IANA (RFC 6335) where the kernel does not tell its own.
        let ephemeral = match (ports.next(), ports.next()) {
            (Some(Ok(low)), Some(Ok(high))) => low..=high,
            _ => 49_152..=65_535,
        };
        Self::outside(&ephemeral, std::process::id())
    }

    fn outside(ephemeral: &std::ops::RangeInclusive<u16>, seed: u32) -> Self {
        let mut left: Vec<u16> = (FIRST..=u16::MAX).filter(|port| !ephemeral.contains(port)).collect();
        if !left.is_empty() {
            // Steps of some hundred, so that neighbouring process ids do not overlap.
            let start = (u64::from(seed) * 509 % left.len() as u64) as usize;
            left.rotate_left(start);
        }
        Self { left: Mutex::new(left), given: Mutex::default() }
    }

    /// The port that stands for `name` in the row of that place. `AddrInUse` if none is left.
    pub fn port_of(&self, seq: u64, name: &str) -> io::Result<u16> {
        let key = (seq % SLOTS, name.to_owned());
        let mut given = self.given.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(port) = given.get(&key) {
            return Ok(*port);
        }
        let port = self.take()?;
        given.insert(key, port);
        Ok(port)
    }

    /// One more port. `AddrInUse` if none is left.
    pub fn take(&self) -> io::Result<u16> {
        let mut left = self.left.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        while let Some(port) = left.pop() {
            if is_free(port) {
                return Ok(port);
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, "no port outside the kernel's own range is free"))
    }
}

impl Default for PortPool {
    fn default() -> Self {
        Self::new()
    }
}

fn is_free(port: u16) -> bool {
    // Binding to every address conflicts with a socket on any single one. A host without IPv6 cannot have one there.
    let v4 = Ipv4Addr::UNSPECIFIED;
    let v6 = Ipv6Addr::UNSPECIFIED;
    let free = |result: io::Result<()>| match result {
        Ok(()) => true,
        Err(error) => error.kind() != io::ErrorKind::AddrInUse && error.kind() != io::ErrorKind::PermissionDenied,
    };
    TcpListener::bind((v4, port)).is_ok()
        && UdpSocket::bind((v4, port)).is_ok()
        && free(TcpListener::bind((v6, port)).map(drop))
        && free(UdpSocket::bind((v6, port)).map(drop))
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn spec(kind: ListenerKind, address: &str) -> ListenerSpec {
        ListenerSpec { kind, address: address.to_owned() }
    }

    #[test]
    fn arrivals_are_counted_by_kind() {
        let pool = PortPool::new();
        let tcp = format!("127.0.0.1:{}", pool.take().unwrap());
        let listener = Listener::open(&spec(ListenerKind::Tcp, &tcp)).unwrap();
        for _ in 0..3 {
            drop(TcpStream::connect(&tcp).unwrap());
        }
        let record = listener.finish();
        assert_eq!((record.kind.as_str(), record.accept_count), ("tcp", 3));
        assert!(TcpStream::connect(&tcp).is_err(), "it is closed");

        let udp = format!("127.0.0.1:{}", pool.take().unwrap());
        let listener = Listener::open(&spec(ListenerKind::Udp, &udp)).unwrap();
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"two bytes and more", &udp).unwrap();
        assert_eq!(listener.finish().accept_count, 1);
    }

    #[test]
    fn a_socket_node_is_removed_unless_it_was_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let address = path.to_str().unwrap();
        let listener = Listener::open(&spec(ListenerKind::Unix, address)).unwrap();
        drop(UnixStream::connect(&path).unwrap());
        assert_eq!(listener.finish().accept_count, 1);
        assert!(!path.exists());
        let listener = Listener::open(&spec(ListenerKind::Unix, address)).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, b"another").unwrap();
        assert_eq!(listener.finish().accept_count, 0);
        assert_eq!(std::fs::read(&path).unwrap(), b"another");
        assert!(Listener::open(&spec(ListenerKind::Unix, address)).is_err(), "what exists is not taken over");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn abstract_names() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("sandproof-test-{}", std::process::id());
        let listener = Listener::open(&spec(ListenerKind::Abstract, &name)).unwrap();
        drop(UnixStream::connect_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap());
        assert_eq!(listener.finish().accept_count, 1);
        let listener = Listener::open(&spec(ListenerKind::AbstractDgram, &name)).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        sender.send_to_addr(b"x", &SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        assert_eq!(listener.finish().accept_count, 1);
    }

    #[test]
    fn ports_are_given_once_and_outside_the_kernels_range() {
        let pool = PortPool::outside(&(2000..=65_000), 7);
        let mut taken: Vec<u16> = (0..20).map(|_| pool.take().unwrap()).collect();
        assert!(taken.iter().all(|port| !(2000..=65_000).contains(port) && *port >= FIRST), "{taken:?}");
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), 20);
        assert!(PortPool::outside(&(1..=u16::MAX), 7).take().is_err());
        let busy = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(!is_free(busy.local_addr().unwrap().port()));
    }

    #[test]
    fn an_address_that_is_none_says_so() {
        let error = Listener::open(&spec(ListenerKind::Tcp, "localhost:80")).unwrap_err();
        assert!(error.to_string().contains("localhost:80"), "{error}");
    }
}
