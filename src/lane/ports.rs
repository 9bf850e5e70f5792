//! Ports for the rows of one run.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, getsockname, socket};

/// Where the kernel tells which ports it hands out by itself. See ip(7).
const EPHEMERAL_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// Where it tells the lowest port that an ordinary user may bind. See ip(7).
const UNPRIVILEGED_START: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
/// The same on every system, unless it is told to be higher.
const FIRST: u16 = 1024;
/// After how many ports that may not be bound it is clear that this is not because of the port.
const MOST_FORBIDDEN: usize = 64;
/// How many ports of the kernel's own range are tried.
const MOST_INSIDE: usize = 64;
/// How many ports are kept by binding them, at most: each takes two descriptors.
const MOST_KEPT: usize = 64;

/// How many rows may be under way at a time, at least; ports are shared by rows that are this far apart.
pub const SLOTS: u64 = 1024;

/// Free ports for the rows of one run.
///
/// A row's port of some name is the same in every lane, because a call is compared with the identical one. Rows that may
/// run at the same time never share a port; rows that are [`SLOTS`] apart do.
///
/// A port is outside the range that the kernel hands out by itself, and was free for TCP and UDP when it was given. Where
/// none is left, one of that range is bound to keep it, and let go only for the time in which a row uses it. Nothing
/// keeps another program from taking a port while it is not bound; then the probe's preparation, or its call, says so.
#[derive(Debug)]
pub struct PortPool {
    /// The ports that are left outside the kernel's range, the next one last.
    left: Mutex<Vec<u16>>,
    /// The ports that were given, by the row's slot and the port's name.
    given: Mutex<HashMap<(u64, String), u16>>,
    inside: Mutex<EphemeralPorts>,
}

/// Ports of the kernel's own range.
#[derive(Debug, Default)]
struct EphemeralPorts {
    all: HashSet<u16>,
    of_slot: HashMap<u64, Vec<(u16, Option<PortKeeper>)>>,
    kept: usize,
}

/// Sockets that keep a port.
#[derive(Debug)]
struct PortKeeper(#[expect(dead_code, reason = "they are there to be open")] [OwnedFd; 2]);

impl PortKeeper {
    fn bind(port: u16) -> io::Result<Self> {
        let address = BindPlace::OF_THIS_SYSTEM.v4();
        Ok(Self([BindPlace::OF_THIS_SYSTEM.tcp(address, port)?.0, BindPlace::udp(address, port)?]))
    }
}

/// Where ports are bound to see whether they are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BindPlace {
    /// At every address, listening: that conflicts with a socket on any single one.
    Everywhere,
    /// At the loopback addresses, without listening there and without sharing them, which conflicts with a socket at every
    /// address as well (`in_pcbbind` of bsd/netinet/in_pcb.c). A program that listens at every address makes the
    /// Application Firewall of macOS ask somebody at the screen.
    Loopback,
}

impl BindPlace {
    const OF_THIS_SYSTEM: Self = if cfg!(target_os = "macos") { Self::Loopback } else { Self::Everywhere };

    fn v4(self) -> IpAddr {
        match self {
            Self::Everywhere => Ipv4Addr::UNSPECIFIED.into(),
            Self::Loopback => Ipv4Addr::LOCALHOST.into(),
        }
    }

    fn v6(self) -> IpAddr {
        match self {
            Self::Everywhere => Ipv6Addr::UNSPECIFIED.into(),
            Self::Loopback => Ipv6Addr::LOCALHOST.into(),
        }
    }

    /// A TCP socket at this port, and the port: the kernel chooses one for 0.
    fn tcp(self, address: IpAddr, port: u16) -> io::Result<(OwnedFd, u16)> {
        if self == Self::Everywhere {
            let listener = TcpListener::bind((address, port))?;
            let port = listener.local_addr()?.port();
            return Ok((listener.into(), port));
        }
        let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let made = socket(family, SockType::Stream, SockFlag::empty(), None)?;
        bind(made.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(address, port)))?;
        let own: SockaddrStorage = getsockname(made.as_raw_fd())?;
        let v4 = own.as_sockaddr_in().map(|own| own.port());
        let port = v4.or_else(|| own.as_sockaddr_in6().map(|own| own.port())).unwrap_or(port);
        Ok((made, port))
    }

    fn udp(address: IpAddr, port: u16) -> io::Result<OwnedFd> {
        Ok(UdpSocket::bind((address, port))?.into())
    }

    /// Whether a port can be bound, for TCP and UDP; else why not.
    fn check_free(self, port: u16) -> io::Result<()> {
        self.tcp(self.v4(), port)?;
        Self::udp(self.v4(), port)?;
        // A host without IPv6 cannot have a socket there.
        for bound in [self.tcp(self.v6(), port).map(drop), Self::udp(self.v6(), port).map(drop)] {
            if let Err(error) = bound
                && error.kind() == io::ErrorKind::AddrInUse
            {
                return Err(error);
            }
        }
        Ok(())
    }
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
        let start = std::fs::read_to_string(UNPRIVILEGED_START).ok().and_then(|text| text.trim().parse().ok());
        Self::outside(&ephemeral, FIRST.max(start.unwrap_or(0)), std::process::id())
    }

    fn outside(ephemeral: &RangeInclusive<u16>, first: u16, seed: u32) -> Self {
        let mut left: Vec<u16> = (first..=u16::MAX).filter(|port| !ephemeral.contains(port)).collect();
        if !left.is_empty() {
            // Steps of some hundred, so that neighbouring process ids do not overlap.
            let start = (u64::from(seed) * 509 % left.len() as u64) as usize;
            left.rotate_left(start);
        }
        Self { left: Mutex::new(left), given: Mutex::default(), inside: Mutex::default() }
    }

    /// The port that stands for `name` in the row of that place. It is kept until the row's ports are [lent](Self::lend).
    ///
    /// # Errors
    /// Why no port can be bound: `AddrInUse` if none is free, else what the system said.
    pub fn port_of(&self, seq: u64, name: &str) -> io::Result<u16> {
        let key = (seq % SLOTS, name.to_owned());
        let mut given = lock(&self.given);
        if let Some(port) = given.get(&key) {
            return Ok(*port);
        }
        let port = match self.take_outside() {
            Ok(port) => port,
            Err(_) => self.take_inside(key.0)?,
        };
        given.insert(key, port);
        Ok(port)
    }

    /// Lets go of what keeps the row's ports, because they are bound by others now.
    pub fn lend(&self, seq: u64) {
        let mut inside = lock(&self.inside);
        if inside.all.is_empty() {
            return;
        }
        let Some(ports) = inside.of_slot.get_mut(&(seq % SLOTS)) else { return };
        let given_up = ports.iter_mut().filter_map(|(_, keeper)| keeper.take()).count();
        inside.kept -= given_up;
    }

    /// Keeps the row's ports again, until its next lane.
    pub fn take_back(&self, seq: u64) {
        let mut inside = lock(&self.inside);
        let EphemeralPorts { all, of_slot, kept } = &mut *inside;
        if all.is_empty() {
            return;
        }
        for (port, keeper) in of_slot.get_mut(&(seq % SLOTS)).into_iter().flatten() {
            if keeper.is_none() && *kept < MOST_KEPT {
                // One that is not kept may still be free when it is needed.
                *keeper = PortKeeper::bind(*port).ok();
                *kept += usize::from(keeper.is_some());
            }
        }
    }

    fn take_outside(&self) -> io::Result<u16> {
        let mut left = lock(&self.left);
        let mut forbidden = Vec::new();
        let mut found = Err(io::Error::from_raw_os_error(libc::EADDRINUSE));
        while let Some(port) = left.pop() {
            match check_free(port) {
                Ok(()) => {
                    found = Ok(port);
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => {
                    forbidden.push(port);
                    let of_the_port = error.kind() == io::ErrorKind::PermissionDenied;
                    found = Err(error);
                    if !of_the_port || forbidden.len() == MOST_FORBIDDEN {
                        break;
                    }
                }
            }
        }
        if found.is_err() {
            // What prevents them may pass, as a full table of open files does.
            left.extend(forbidden.into_iter().rev());
        }
        found
    }

    fn take_inside(&self, slot: u64) -> io::Result<u16> {
        let mut inside = lock(&self.inside);
        let mut error = io::Error::from_raw_os_error(libc::EADDRINUSE);
        for _ in 0..MOST_INSIDE {
            let (_, port) = BindPlace::OF_THIS_SYSTEM.tcp(BindPlace::OF_THIS_SYSTEM.v4(), 0)?;
            if inside.all.contains(&port) {
                continue;
            }
            match check_free(port) {
                Ok(()) => {
                    let keeper = if inside.kept < MOST_KEPT { PortKeeper::bind(port).ok() } else { None };
                    inside.kept += usize::from(keeper.is_some());
                    inside.all.insert(port);
                    inside.of_slot.entry(slot).or_default().push((port, keeper));
                    return Ok(port);
                }
                Err(found) if found.kind() == io::ErrorKind::AddrInUse => {}
                Err(found) => error = found,
            }
        }
        Err(error)
    }
}

impl Default for PortPool {
    fn default() -> Self {
        Self::new()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a port can be bound here, for TCP and UDP; else why not.
fn check_free(port: u16) -> io::Result<()> {
    BindPlace::OF_THIS_SYSTEM.check_free(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_given_once_and_outside_the_kernels_range() {
        let pool = PortPool::outside(&(2000..=65_000), FIRST, 7);
        let mut taken: Vec<u16> = (0..20).map(|seq| pool.port_of(seq, "a").unwrap()).collect();
        assert!(taken.iter().all(|port| !(2000..=65_000).contains(port) && *port >= FIRST), "{taken:?}");
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), 20);
        let busy = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = check_free(busy.local_addr().unwrap().port()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn without_listening_a_port_is_found_taken_by_a_socket_at_any_address() {
        for taken in ["127.0.0.1:0", "0.0.0.0:0"] {
            let tcp = TcpListener::bind(taken).unwrap();
            let udp = UdpSocket::bind(taken).unwrap();
            for port in [tcp.local_addr().unwrap().port(), udp.local_addr().unwrap().port()] {
                let error = BindPlace::Loopback.check_free(port).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{taken}");
            }
        }
        let (kept, port) = BindPlace::Loopback.tcp(BindPlace::Loopback.v4(), 0).unwrap();
        assert_ne!(port, 0);
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody listens");
        assert_eq!(BindPlace::Loopback.check_free(port).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(kept);
        BindPlace::Loopback.check_free(port).unwrap();
    }

    #[test]
    fn where_the_kernel_hands_out_every_port_by_itself_one_of_them_is_bound_to_keep_it() {
        let pool = PortPool::outside(&(1..=u16::MAX), FIRST, 7);
        let port = pool.port_of(3, "a").unwrap();
        assert_eq!(pool.port_of(3, "a").unwrap(), port, "a row's port is the same in every lane");
        assert_eq!(pool.port_of(3 + SLOTS, "a").unwrap(), port);
        assert_ne!(pool.port_of(3, "b").unwrap(), port);
        assert_ne!(pool.port_of(4, "a").unwrap(), port);
        assert_eq!(check_free(port).unwrap_err().kind(), io::ErrorKind::AddrInUse, "it is kept");
        pool.lend(3);
        let used = TcpListener::bind(("127.0.0.1", port)).unwrap();
        drop(used);
        pool.take_back(3);
        assert_eq!(check_free(port).unwrap_err().kind(), io::ErrorKind::AddrInUse, "it is kept again");
        assert!(lock(&pool.inside).kept <= MOST_KEPT);
    }

    #[test]
    fn only_so_many_ports_are_kept_and_all_are_different() {
        let pool = PortPool::outside(&(1..=u16::MAX), FIRST, 7);
        let ports: HashSet<u16> = (0..2 * MOST_KEPT as u64).map(|seq| pool.port_of(seq, "a").unwrap()).collect();
        assert_eq!(ports.len(), 2 * MOST_KEPT);
        assert_eq!(lock(&pool.inside).kept, MOST_KEPT);
    }
}
