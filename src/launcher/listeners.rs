//! Listeners of the run's own that a question may reach, each with a greeting that only its own question knows.

use std::io::{self, Read};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::time::{Duration, Instant};

use crate::lane::listener::abstract_address;
use crate::record::fixture::ListenerKind;

/// How long a connection that stands may take to say its greeting.
const GREETING: Duration = Duration::from_millis(60);
/// How long the host's own connection may take to be seen.
const BARRIER: Duration = Duration::from_secs(5);

#[derive(Debug)]
enum ListenerSocket {
    Tcp(TcpListener),
    Udp(UdpSocket),
    Unix(UnixListener),
    Datagram(UnixDatagram),
}

/// One listener.
#[derive(Debug)]
pub(super) struct LauncherListener {
    socket: ListenerSocket,
    /// Where it listens.
    pub(super) address: String,
    kind: ListenerKind,
    heard: Vec<String>,
}

impl LauncherListener {
    /// Listens. For an address with port 0 the kernel picks one.
    pub(super) fn open(kind: ListenerKind, address: &str) -> io::Result<Self> {
        let (socket, address) = match kind {
            ListenerKind::Tcp => {
                let socket = TcpListener::bind(address)?;
                socket.set_nonblocking(true)?;
                let address = socket.local_addr()?.to_string();
                (ListenerSocket::Tcp(socket), address)
            }
            ListenerKind::Udp => {
                let socket = UdpSocket::bind(address)?;
                socket.set_nonblocking(true)?;
                let address = socket.local_addr()?.to_string();
                (ListenerSocket::Udp(socket), address)
            }
            ListenerKind::Unix => {
                let socket = UnixListener::bind(address)?;
                socket.set_nonblocking(true)?;
                // Whoever may reach the folder may connect.
                let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
                std::fs::set_permissions(address, everybody)?;
                (ListenerSocket::Unix(socket), address.to_owned())
            }
            ListenerKind::Abstract => {
                let socket = UnixListener::bind_addr(&abstract_address(address)?)?;
                socket.set_nonblocking(true)?;
                (ListenerSocket::Unix(socket), address.to_owned())
            }
            ListenerKind::UnixDgram => {
                let socket = UnixDatagram::bind(address)?;
                socket.set_nonblocking(true)?;
                let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
                std::fs::set_permissions(address, everybody)?;
                (ListenerSocket::Datagram(socket), address.to_owned())
            }
            ListenerKind::AbstractDgram => {
                let socket = UnixDatagram::bind_addr(&abstract_address(address)?)?;
                socket.set_nonblocking(true)?;
                (ListenerSocket::Datagram(socket), address.to_owned())
            }
        };
        Ok(Self { socket, address, kind, heard: Vec::new() })
    }

    /// Takes what has come by now.
    fn drain(&mut self) {
        loop {
            let heard = match &self.socket {
                ListenerSocket::Tcp(socket) => {
                    socket.accept().ok().map(|(stream, _)| greeting_of(ListenerStream::Tcp(stream)))
                }
                ListenerSocket::Unix(socket) => {
                    socket.accept().ok().map(|(stream, _)| greeting_of(ListenerStream::Unix(stream)))
                }
                ListenerSocket::Udp(socket) => {
                    let mut buffer = [0; 256];
                    socket.recv_from(&mut buffer).ok().map(|(n, _)| text(&buffer[..n]))
                }
                ListenerSocket::Datagram(socket) => {
                    let mut buffer = [0; 256];
                    socket.recv_from(&mut buffer).ok().map(|(n, _)| text(&buffer[..n]))
                }
            };
            match heard {
                Some(heard) => self.heard.push(heard),
                None => return,
            }
        }
    }

    /// Whether the question's own greeting has come. A datagram has none: its coming is enough, since nobody else knows the
    /// address.
    pub(super) fn has_heard(&mut self, greeting: &str) -> bool {
        self.drain();
        match self.kind {
            ListenerKind::Udp | ListenerKind::UnixDgram | ListenerKind::AbstractDgram => {
                self.heard.iter().any(|heard| !is_barrier(heard))
            }
            // Some calls connect by sending a byte of their own first.
            _ => self.heard.iter().any(|heard| heard == greeting || heard.strip_prefix('x') == Some(greeting)),
        }
    }

    /// Takes what has come, and forgets it.
    pub(super) fn forget(&mut self) {
        self.drain();
        self.heard.clear();
    }

    /// Does the same from outside, and says whether that was seen: queues are first in, first out.
    pub(super) fn barrier(&mut self) -> bool {
        let greeting = format!("barrier-{}", uuid::Uuid::new_v4().simple());
        let sent = match &self.socket {
            ListenerSocket::Tcp(_) => {
                TcpStream::connect(&self.address).and_then(|mut stream| say(&mut stream, &greeting))
            }
            ListenerSocket::Udp(_) => {
                UdpSocket::bind(if self.address.starts_with('[') { "[::1]:0" } else { "127.0.0.1:0" })
                    .and_then(|socket| socket.send_to(greeting.as_bytes(), &self.address))
                    .map(|_| ())
            }
            ListenerSocket::Unix(_) if self.kind == ListenerKind::Abstract => abstract_address(&self.address)
                .and_then(|address| UnixStream::connect_addr(&address))
                .and_then(|mut stream| say(&mut stream, &greeting)),
            ListenerSocket::Unix(_) => {
                UnixStream::connect(&self.address).and_then(|mut stream| say(&mut stream, &greeting))
            }
            ListenerSocket::Datagram(_) if self.kind == ListenerKind::UnixDgram => UnixDatagram::unbound()
                .and_then(|socket| socket.send_to(greeting.as_bytes(), &self.address))
                .map(|_| ()),
            ListenerSocket::Datagram(_) => UnixDatagram::unbound()
                .and_then(|socket| {
                    let address = abstract_address(&self.address)?;
                    socket.send_to_addr(greeting.as_bytes(), &address)
                })
                .map(|_| ()),
        };
        let until = Instant::now() + BARRIER;
        while sent.is_ok() && Instant::now() < until {
            self.drain();
            if self.heard.iter().any(|heard| heard == &greeting) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }
}

fn is_barrier(heard: &str) -> bool {
    heard.starts_with("barrier-")
}

enum ListenerStream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

fn say(stream: &mut impl io::Write, greeting: &str) -> io::Result<()> {
    stream.write_all(greeting.as_bytes())?;
    stream.write_all(b"\n")
}

fn greeting_of(stream: ListenerStream) -> String {
    match stream {
        ListenerStream::Tcp(stream) => {
            let ready = stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(GREETING)));
            ready.map_or_else(|_| String::new(), |()| line_of(stream))
        }
        ListenerStream::Unix(stream) => {
            let ready = stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(GREETING)));
            ready.map_or_else(|_| String::new(), |()| line_of(stream))
        }
    }
}

/// What comes up to the end of a line. It may come in pieces.
fn line_of(mut stream: impl Read) -> String {
    let mut line = Vec::new();
    let mut buffer = [0; 256];
    while line.len() < 1024 && !line.contains(&b'\n') {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => line.extend_from_slice(&buffer[..count]),
            _ => break,
        }
    }
    text(&line)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_own_datagram_is_seen_at_either_loopback_address() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // Not every host has both.
            let Ok(mut listener) = LauncherListener::open(ListenerKind::Udp, address) else { continue };
            assert!(listener.barrier(), "{address}");
        }
    }

    #[test]
    fn a_connection_without_the_greeting_is_nobodys_answer() {
        let mut listener = LauncherListener::open(ListenerKind::Tcp, "127.0.0.1:0").unwrap();
        assert!(listener.barrier());
        assert!(!listener.has_heard("mine"));
        drop(TcpStream::connect(&listener.address).unwrap());
        assert!(!listener.has_heard("mine"));
        say(&mut TcpStream::connect(&listener.address).unwrap(), "mine").unwrap();
        assert!(listener.has_heard("mine"));
        let mut pieces = TcpStream::connect(&listener.address).unwrap();
        io::Write::write_all(&mut pieces, b"x").unwrap();
        say(&mut pieces, "yours").unwrap();
        assert!(listener.has_heard("yours"));
        let mut listener = LauncherListener::open(ListenerKind::Udp, "127.0.0.1:0").unwrap();
        assert!(listener.barrier() && !listener.has_heard("any"));
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"x", &listener.address).unwrap();
        assert!(listener.has_heard("any"));
    }
}
