//! What the harness listens on while a probe runs, outside any policy, and how often it was reached.

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};

use crate::record::fixture::{ListenerKind, ListenerSpec};
use crate::record::row::ListenerRecord;

/// An open listener. It never waits: what arrives is counted when it is finished.
#[derive(Debug)]
pub struct Listener {
    kind: ListenerKind,
    address: String,
    socket: FixtureSocket,
}

#[derive(Debug)]
enum FixtureSocket {
    Tcp(TcpListener),
    Udp(UdpSocket),
    Stream(UnixListener),
    /// With the node that binding made.
    Node(UnixListener, SocketNode),
    /// The same for datagrams.
    DatagramNode(UnixDatagram, SocketNode),
    Datagram(UnixDatagram),
}

#[derive(Debug, PartialEq, Eq)]
struct SocketNode {
    dev: u64,
    ino: u64,
}

impl SocketNode {
    fn at(path: &str) -> io::Result<Self> {
        std::fs::symlink_metadata(path).map(|found| Self { dev: found.dev(), ino: found.ino() })
    }

    /// Removes the node that binding made, and only that: a probe may have put something else there.
    fn remove(&self, path: &str) {
        if Self::at(path).is_ok_and(|found| found == *self) {
            let _ = std::fs::remove_file(path);
        }
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
                FixtureSocket::Tcp(socket)
            }
            ListenerKind::Udp => {
                let socket = UdpSocket::bind(endpoint(address)?)?;
                socket.set_nonblocking(true)?;
                FixtureSocket::Udp(socket)
            }
            ListenerKind::Unix => {
                let socket = UnixListener::bind(address)?;
                socket.set_nonblocking(true)?;
                FixtureSocket::Node(socket, SocketNode::at(address)?)
            }
            ListenerKind::UnixDgram => {
                let socket = UnixDatagram::bind(address)?;
                socket.set_nonblocking(true)?;
                FixtureSocket::DatagramNode(socket, SocketNode::at(address)?)
            }
            ListenerKind::Abstract => {
                let socket = UnixListener::bind_addr(&abstract_address(address)?)?;
                socket.set_nonblocking(true)?;
                FixtureSocket::Stream(socket)
            }
            ListenerKind::AbstractDgram => {
                let socket = UnixDatagram::bind_addr(&abstract_address(address)?)?;
                socket.set_nonblocking(true)?;
                FixtureSocket::Datagram(socket)
            }
        };
        Ok(Self { kind: spec.kind, address: spec.address.clone(), socket })
    }

    /// Counts what arrived, and closes.
    pub fn finish(self) -> ListenerRecord {
        let mut byte = [0; 1];
        let accept_count = match &self.socket {
            FixtureSocket::Tcp(socket) => count(|| socket.accept().map(|_| ())),
            FixtureSocket::Udp(socket) => count(|| socket.recv_from(&mut byte).map(|_| ())),
            FixtureSocket::Stream(socket) => count(|| socket.accept().map(|_| ())),
            FixtureSocket::Node(socket, node) => {
                let accepted = count(|| socket.accept().map(|_| ()));
                node.remove(&self.address);
                accepted
            }
            FixtureSocket::DatagramNode(socket, node) => {
                let received = count(|| socket.recv(&mut byte).map(|_| ()));
                node.remove(&self.address);
                received
            }
            FixtureSocket::Datagram(socket) => count(|| socket.recv(&mut byte).map(|_| ())),
        };
        ListenerRecord { kind: self.kind, address: self.address, accept_count }
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

/// The address of an abstract name.
///
/// # Errors
/// If it is too long, or there are no such names.
#[cfg(target_os = "linux")]
pub fn abstract_address(name: &str) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

/// The address of an abstract name, which there is none of.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn abstract_address(_name: &str) -> io::Result<SocketAddr> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "abstract UNIX sockets are a part of Linux"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::lane::ports::PortPool;

    fn spec(kind: ListenerKind, address: &str) -> ListenerSpec {
        ListenerSpec { kind, address: address.to_owned() }
    }

    #[test]
    fn arrivals_are_counted_by_kind() {
        let pool = PortPool::new();
        let tcp = format!("127.0.0.1:{}", pool.port_of(0, "tcp").unwrap());
        pool.lend(0);
        let listener = Listener::open(&spec(ListenerKind::Tcp, &tcp)).unwrap();
        for _ in 0..3 {
            drop(TcpStream::connect(&tcp).unwrap());
        }
        let record = listener.finish();
        assert_eq!((record.kind.as_str(), record.accept_count), ("tcp", 3));
        assert!(TcpStream::connect(&tcp).is_err(), "it is closed");

        let udp = format!("127.0.0.1:{}", pool.port_of(0, "udp").unwrap());
        pool.lend(0);
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
        let datagrams = Listener::open(&spec(ListenerKind::UnixDgram, address)).unwrap();
        UnixDatagram::unbound().unwrap().send_to(b"x", &path).unwrap();
        let record = datagrams.finish();
        assert_eq!((record.kind.as_str(), record.accept_count), ("unix_dgram", 1));
        assert!(!path.exists());
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
    fn an_address_that_is_none_says_so() {
        let error = Listener::open(&spec(ListenerKind::Tcp, "localhost:80")).unwrap_err();
        assert!(error.to_string().contains("localhost:80"), "{error}");
    }
}
