//! An address through a proxy that the environment names.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::launcher::frame::encode;
use crate::launcher::said::{PerformRequest, WorkerReport};
use crate::probe::Trace;
use crate::record::report::OperationReport;

/// How long each step may take.
const STEP: Duration = Duration::from_millis(800);
/// The most bytes of an answer.
const MOST_ANSWER: usize = 8 * 1024;
/// The port of a SOCKS proxy whose variable names none (RFC 1928).
const SOCKS_PORT: u16 = 1080;

/// How a proxy is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProxyProtocol {
    /// `CONNECT` of HTTP/1.1.
    Http,
    /// SOCKS 4, which knows IPv4 alone.
    Socks4,
    /// SOCKS 5 (RFC 1928), with a password (RFC 1929) where one is named.
    Socks5,
}

/// Where a proxy is, and what it wants to be told of whoever asks.
#[derive(Debug, PartialEq, Eq)]
struct ProxyPlace {
    protocol: ProxyProtocol,
    address: SocketAddr,
    /// `USER:PASSWORD`
    credentials: Option<String>,
}

/// Asks the proxy that the variable names for a connection to the target, and greets whoever is there.
#[expect(clippy::disallowed_methods, reason = "what the launcher says of its proxy is the question")]
pub(super) fn through(order: &PerformRequest, variable: &str) -> WorkerReport {
    let cannot = || WorkerReport { cannot: true, ..WorkerReport::default() };
    let Some(place) = std::env::var(variable).ok().and_then(|text| place(&text)) else { return cannot() };
    let mut trace = Trace::new();
    let reached = reach(&place, &order.action.target, order.greeting.as_deref().unwrap_or_default());
    let went_through = reached.is_ok();
    trace.operate("connect", reached.map(|()| 0));
    let operation: OperationReport = trace.finish();
    WorkerReport { operation: Some(operation), consequence: went_through.then_some(true), ..WorkerReport::default() }
}

/// `[SCHEME://][USER:PASSWORD@]HOST:PORT[/]`, with a numeric host or `localhost`: names are not looked up. The schemes are
/// `http`, which may be left out, and those of SOCKS as curl has them.
fn place(text: &str) -> Option<ProxyPlace> {
    let (protocol, rest) = match text.split_once("://") {
        Some(("http", rest)) => (ProxyProtocol::Http, rest),
        Some(("socks" | "socks5" | "socks5h", rest)) => (ProxyProtocol::Socks5, rest),
        Some(("socks4" | "socks4a", rest)) => (ProxyProtocol::Socks4, rest),
        Some(_) => return None,
        None => (ProxyProtocol::Http, text),
    };
    let rest = rest.trim_end_matches('/');
    let (credentials, host) = match rest.rsplit_once('@') {
        Some((credentials, host)) => (Some(credentials.to_owned()), host),
        None => (None, rest),
    };
    let usual = (protocol != ProxyProtocol::Http).then_some(SOCKS_PORT);
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (host, usual?),
    };
    let host = match host {
        "localhost" => IpAddr::from(Ipv4Addr::LOCALHOST),
        _ => host.trim_start_matches('[').trim_end_matches(']').parse().ok()?,
    };
    Some(ProxyPlace { protocol, address: SocketAddr::new(host, port), credentials })
}

fn number(error: std::io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::ETIMEDOUT)
}

/// `Err`: an error number; ECONNREFUSED if the proxy says no.
fn reach(place: &ProxyPlace, target: &str, greeting: &str) -> Result<(), i32> {
    let mut stream = TcpStream::connect_timeout(&place.address, STEP).map_err(number)?;
    stream.set_read_timeout(Some(STEP)).map_err(number)?;
    match place.protocol {
        ProxyProtocol::Http => by_connect(&mut stream, place.credentials.as_deref(), target)?,
        ProxyProtocol::Socks4 => by_socks4(&mut stream, place.credentials.as_deref(), endpoint(target)?)?,
        ProxyProtocol::Socks5 => by_socks5(&mut stream, place.credentials.as_deref(), endpoint(target)?)?,
    }
    stream.write_all(greeting.as_bytes()).map_err(number)?;
    let _ = stream.shutdown(std::net::Shutdown::Write);
    // Until it was passed on, or for a moment.
    let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
    let _ = stream.read(&mut [0]);
    Ok(())
}

fn endpoint(target: &str) -> Result<SocketAddr, i32> {
    target.parse().map_err(|_| libc::EINVAL)
}

fn by_connect(stream: &mut TcpStream, credentials: Option<&str>, target: &str) -> Result<(), i32> {
    let credentials = credentials.map(|text| {
        let standard = encode(text.as_bytes()).replace('-', "+").replace('_', "/");
        let padding = "=".repeat((4 - standard.len() % 4) % 4);
        format!("Proxy-Authorization: Basic {standard}{padding}\r\n")
    });
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{}\r\n", credentials.unwrap_or_default());
    stream.write_all(request.as_bytes()).map_err(number)?;
    let mut answer = Vec::new();
    let mut byte = [0];
    // One at a time: what follows the answer is the connection's own.
    while !answer.ends_with(b"\r\n\r\n") && answer.len() < MOST_ANSWER {
        match stream.read(&mut byte) {
            Ok(1) => answer.push(byte[0]),
            Ok(_) => break,
            Err(error) => return Err(number(error)),
        }
    }
    let line = String::from_utf8_lossy(&answer);
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    if status == Some("200") { Ok(()) } else { Err(libc::ECONNREFUSED) }
}

/// As many bytes as were agreed. A proxy that closes the connection says no.
fn take<const N: usize>(stream: &mut TcpStream) -> Result<[u8; N], i32> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => libc::ECONNREFUSED,
        _ => number(error),
    })?;
    Ok(bytes)
}

fn by_socks4(stream: &mut TcpStream, credentials: Option<&str>, target: SocketAddr) -> Result<(), i32> {
    let IpAddr::V4(address) = target.ip() else { return Err(libc::EAFNOSUPPORT) };
    let user = credentials.map_or("", |text| text.split(':').next().unwrap_or_default());
    // Version, CONNECT, port, address, user.
    let mut request = vec![4, 1];
    request.extend(target.port().to_be_bytes());
    request.extend(address.octets());
    request.extend(user.bytes().filter(|byte| *byte != 0));
    request.push(0);
    stream.write_all(&request).map_err(number)?;
    match take::<8>(stream)? {
        // 90: granted.
        [0, 90, ..] => Ok(()),
        _ => Err(libc::ECONNREFUSED),
    }
}

fn by_socks5(stream: &mut TcpStream, credentials: Option<&str>, target: SocketAddr) -> Result<(), i32> {
    // The ways to say who one is: none, and a password where there is one.
    let ways: &[u8] = if credentials.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] };
    stream.write_all(ways).map_err(number)?;
    match (take::<2>(stream)?, credentials) {
        ([5, 0], _) => {}
        ([5, 2], Some(text)) => {
            let (user, password) = text.split_once(':').unwrap_or((text, ""));
            let mut request = vec![1];
            for part in [user, password] {
                request.push(u8::try_from(part.len()).map_err(|_| libc::EINVAL)?);
                request.extend(part.bytes());
            }
            stream.write_all(&request).map_err(number)?;
            let [_, 0] = take::<2>(stream)? else { return Err(libc::ECONNREFUSED) };
        }
        _ => return Err(libc::ECONNREFUSED),
    }
    // Version, CONNECT, reserved, the address's type, address, port.
    let mut request = vec![5, 1, 0];
    match target.ip() {
        IpAddr::V4(address) => {
            request.push(1);
            request.extend(address.octets());
        }
        IpAddr::V6(address) => {
            request.push(4);
            request.extend(address.octets());
        }
    }
    request.extend(target.port().to_be_bytes());
    stream.write_all(&request).map_err(number)?;
    let [5, 0, _, kind] = take::<4>(stream)? else { return Err(libc::ECONNREFUSED) };
    // The address that the proxy speaks from, which nobody wants; its port, too.
    let length = match kind {
        1 => 4,
        4 => 16,
        3 => usize::from(take::<1>(stream)?[0]),
        _ => return Err(libc::EPROTO),
    };
    for _ in 0..length + 2 {
        take::<1>(stream)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::JoinHandle;

    #[test]
    fn a_proxy_is_where_its_variable_says_if_that_needs_no_looking_up() {
        let found = |text: &str| place(text).map(|place| (place.address.to_string(), place.credentials));
        let local = Some(("127.0.0.1:3128".to_owned(), None));
        for text in ["http://localhost:3128", "http://127.0.0.1:3128/", "127.0.0.1:3128", "socks5://localhost:3128"] {
            assert_eq!(found(text), local, "{text}");
        }
        let with = found("http://user:p@[::1]:80/").unwrap();
        assert_eq!(with, ("[::1]:80".to_owned(), Some("user:p".to_owned())));
        assert_eq!(found("socks5h://[::1]").unwrap().0, "[::1]:1080", "RFC 1928 has a port of its own");
        for text in ["ftp://127.0.0.1:1", "http://proxy.example:3128", "http://localhost", "", "https://127.0.0.1:1"] {
            assert_eq!(found(text), None, "{text}");
        }
        let protocol = |text: &str| place(text).map(|place| place.protocol);
        assert_eq!(protocol("socks4a://127.0.0.1:1"), Some(ProxyProtocol::Socks4));
        assert_eq!(protocol("socks://127.0.0.1:1"), Some(ProxyProtocol::Socks5));
    }

    #[test]
    fn a_proxy_that_says_no_is_no_way_through() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let place = ProxyPlace { protocol: ProxyProtocol::Http, address, credentials: Some("a:b".into()) };
        let proxy = std::thread::spawn(move || {
            let mut requests = Vec::new();
            for answer in ["HTTP/1.1 403 Forbidden\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 1024];
                let count = stream.read(&mut request).unwrap();
                requests.push(String::from_utf8_lossy(&request[..count]).into_owned());
                stream.write_all(answer.as_bytes()).unwrap();
                let mut rest = String::new();
                let _ = stream.read_to_string(&mut rest);
                requests.push(rest);
            }
            requests
        });
        assert_eq!(reach(&place, "127.0.0.1:9", "hello\n"), Err(libc::ECONNREFUSED));
        assert_eq!(reach(&place, "127.0.0.1:9", "hello\n"), Ok(()));
        let requests = proxy.join().unwrap();
        assert!(requests[0].starts_with("CONNECT 127.0.0.1:9 HTTP/1.1\r\n"), "{requests:?}");
        assert!(requests[0].contains("Proxy-Authorization: Basic YTpi\r\n"), "{requests:?}");
        assert_eq!((requests[1].as_str(), requests[3].as_str()), ("", "hello\n"));
    }

    /// What a proxy took, turn by turn, and what came after.
    type ProxyTook = (Vec<Vec<u8>>, String);

    /// A proxy that takes so many bytes and answers with those, turn by turn.
    fn scripted(turns: &'static [(usize, &'static [u8])]) -> (SocketAddr, JoinHandle<ProxyTook>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut taken = Vec::new();
            for (count, answer) in turns {
                let mut request = vec![0; *count];
                stream.read_exact(&mut request).unwrap();
                taken.push(request);
                stream.write_all(answer).unwrap();
            }
            let mut rest = String::new();
            let _ = stream.read_to_string(&mut rest);
            (taken, rest)
        });
        (address, proxy)
    }

    fn socks(protocol: ProxyProtocol, address: SocketAddr, credentials: Option<&str>) -> ProxyPlace {
        ProxyPlace { protocol, address, credentials: credentials.map(str::to_owned) }
    }

    #[test]
    fn a_socks_proxy_is_asked_in_its_own_way_and_what_follows_is_the_connections() {
        const GRANTED: &[u8] = &[5, 0, 0, 1, 127, 0, 0, 1, 9, 9];
        let (address, proxy) = scripted(&[(3, &[5, 0]), (10, GRANTED)]);
        assert_eq!(reach(&socks(ProxyProtocol::Socks5, address, None), "127.0.0.1:258", "hello\n"), Ok(()));
        let (taken, rest) = proxy.join().unwrap();
        assert_eq!(taken, [vec![5, 1, 0], vec![5, 1, 0, 1, 127, 0, 0, 1, 1, 2]]);
        assert_eq!(rest, "hello\n");

        let (address, proxy) = scripted(&[(4, &[5, 2]), (5, &[1, 0]), (22, GRANTED)]);
        assert_eq!(reach(&socks(ProxyProtocol::Socks5, address, Some("a:b")), "[::1]:258", "hello\n"), Ok(()));
        let (taken, rest) = proxy.join().unwrap();
        assert_eq!(
            (&taken[1][..], &taken[2][..4], rest.as_str()),
            (&[1, 1, b'a', 1, b'b'][..], &[5, 1, 0, 4][..], "hello\n")
        );

        let (address, proxy) = scripted(&[(9, &[0, 90, 0, 0, 0, 0, 0, 0])]);
        assert_eq!(reach(&socks(ProxyProtocol::Socks4, address, None), "127.0.0.1:258", "hello\n"), Ok(()));
        let (taken, rest) = proxy.join().unwrap();
        assert_eq!((&taken[0][..], rest.as_str()), (&[4, 1, 1, 2, 127, 0, 0, 1, 0][..], "hello\n"));
    }

    #[test]
    fn a_socks_proxy_that_says_no_is_no_way_through() {
        const REFUSALS: &[&[(usize, &[u8])]] =
            &[&[(3, &[5, 0xff])], &[(3, &[5, 0]), (10, &[5, 2, 0, 1, 0, 0, 0, 0, 0, 0])], &[(3, b"HT")]];
        for turns in REFUSALS {
            let (address, proxy) = scripted(turns);
            let place = socks(ProxyProtocol::Socks5, address, None);
            assert_eq!(reach(&place, "127.0.0.1:9", "hello\n"), Err(libc::ECONNREFUSED), "{turns:?}");
            let (_, rest) = proxy.join().unwrap();
            assert_eq!(rest, "");
        }
        let (address, proxy) = scripted(&[(9, &[0, 91, 0, 0, 0, 0, 0, 0])]);
        let place = socks(ProxyProtocol::Socks4, address, None);
        assert_eq!(reach(&place, "127.0.0.1:9", "hello\n"), Err(libc::ECONNREFUSED));
        drop(proxy.join());
        assert_eq!(reach(&place, "[::1]:9", ""), Err(libc::ECONNREFUSED), "nobody listens any more");
    }
}
