//! What one check of the kernel looks at: the facts that filters ask about.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// What a check looks at. A fact that is not here is not known.
#[derive(Debug, Clone, Default)]
pub(super) struct CheckObject {
    /// For people: the path, the name, the address.
    pub shown: String,
    /// The resolved path.
    pub path: Option<String>,
    /// Facts by the name of the filter that asks for them.
    pub named: BTreeMap<String, CheckFact>,
    /// The permission bits.
    pub mode: Option<u32>,
    /// The socket and its other end.
    pub socket: Option<CheckSocket>,
    /// The process that is acted on.
    pub process: Option<Process>,
    /// The class of the IOKit service whose user client this is.
    pub service_class: Option<String>,
}

/// A fact of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CheckFact {
    /// It is this text.
    Is(String),
    /// The check has no such thing: what is looked up by its global name has no local name.
    Absent,
}

/// The socket of a network operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CheckSocket {
    /// TCP or UDP.
    Inet {
        /// Which of the two.
        transport: Transport,
        /// Whether the transport was merely not said.
        assumed: bool,
        /// The host; `None` for `*` or one that is not known.
        host: Option<AddressHost>,
        /// The port, if it is known.
        port: Option<u16>,
        /// Whether the address is the own end, as for a bind; else it is the other end.
        is_local: bool,
    },
    /// A UNIX socket, at the object's path.
    Unix,
}

/// TCP or UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Tcp,
    Udp,
}

/// A host of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AddressHost {
    /// `localhost`: either loopback address.
    Localhost,
    /// A numeric address.
    Address(IpAddr),
    /// A name that somebody would have to look up.
    Name(String),
}

/// The process that is acted on, as seen from the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Process {
    /// The calling process.
    Itself,
    /// Another process that runs under the same sandbox, such as a child that was made under it.
    SameSandbox,
    /// A process outside.
    Other,
}

impl Process {
    /// Reads a target: `self`, `same-sandbox` or a child, `others`, `outside` or a process id.
    pub(super) fn read(text: &str) -> Option<Self> {
        match text {
            "self" => Some(Self::Itself),
            "same-sandbox" | "same_sandbox" | "child" | "children" => Some(Self::SameSandbox),
            "others" | "other" | "outside" => Some(Self::Other),
            // Process 1 and whatever else was there before.
            _ if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => Some(Self::Other),
            _ => None,
        }
    }
}

impl CheckSocket {
    /// Reads `HOST:PORT`, `[V6]:PORT`, with `tcp:` or `udp:` before it if the transport is to be said.
    pub(super) fn read(text: &str, is_local: bool) -> Option<Self> {
        let (transport, assumed, rest) = match (text.strip_prefix("tcp:"), text.strip_prefix("udp:")) {
            (Some(rest), _) => (Transport::Tcp, false, rest),
            (_, Some(rest)) => (Transport::Udp, false, rest),
            _ => (Transport::Tcp, true, text),
        };
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':')?)),
            None => match rest.rsplit_once(':') {
                Some((host, port)) if !host.contains(':') => (host, Some(port)),
                _ => (rest, None),
            },
        };
        let port = match port {
            None | Some("*") => None,
            // A placeholder stands for a free port of the run.
            Some(port) if port.starts_with("${port.") => None,
            Some(port) => Some(port.parse().ok()?),
        };
        let host = match host {
            "" | "*" => None,
            "localhost" => Some(AddressHost::Localhost),
            text => Some(text.parse().map_or_else(|_| AddressHost::Name(text.to_owned()), AddressHost::Address)),
        };
        Some(Self::Inet { transport, assumed, host, port, is_local })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let read = |text: &str| match CheckSocket::read(text, false) {
            Some(CheckSocket::Inet { transport, assumed, host, port, .. }) => {
                format!("{transport:?} {assumed} {host:?} {port:?}")
            }
            other => format!("{other:?}"),
        };
        assert_eq!(read("127.0.0.1:80"), "Tcp true Some(Address(127.0.0.1)) Some(80)");
        assert_eq!(read("udp:[::1]:53"), "Udp false Some(Address(::1)) Some(53)");
        assert_eq!(read("tcp:localhost:*"), "Tcp false Some(Localhost) None");
        assert_eq!(read("127.0.0.1:${port.a}"), "Tcp true Some(Address(127.0.0.1)) None");
        assert_eq!(read("*:8080"), "Tcp true None Some(8080)");
        assert_eq!(read("example.com"), "Tcp true Some(Name(\"example.com\")) None");
        assert_eq!(read("::1"), "Tcp true Some(Address(::1)) None");
        assert_eq!(read("127.0.0.1:http"), "None");
        assert_eq!(read("[::1]80"), "None");
        assert_eq!(Process::read("1"), Some(Process::Other));
        assert_eq!(Process::read(""), None);
    }
}
