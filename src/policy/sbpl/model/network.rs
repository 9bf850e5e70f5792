//! Conditions on sockets and addresses.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::object::{AddressHost, CheckFact, CheckObject, CheckSocket, Transport};
use super::tri::Tri;
use crate::policy::sbpl::rules::{NetworkAddress, NetworkEnd, PathFilter};

/// What a condition on an address comes to.
#[derive(Debug)]
pub(super) enum AddressMatch<'r> {
    /// It matches, does not, or that cannot be known.
    Answered(Tri),
    /// It matches where this filter matches the path of the socket.
    OnPath(&'r PathFilter),
}

/// `(local …)` and `(remote …)`. What an answer takes for granted is added to `assumes`.
pub(super) fn matches<'r>(
    end: NetworkEnd,
    protocol: &str,
    address: &'r NetworkAddress,
    object: &CheckObject,
    assumes: &mut BTreeSet<String>,
) -> AddressMatch<'r> {
    let Some(socket) = &object.socket else {
        return AddressMatch::Answered(Tri::unknown(format!("`{}` is no address that is known", object.shown)));
    };
    AddressMatch::Answered(match socket {
        CheckSocket::Unix => match (protocol, address) {
            ("unix-socket" | "unix", NetworkAddress::Any) => Tri::Yes,
            ("unix-socket" | "unix", NetworkAddress::Path(filter)) => return AddressMatch::OnPath(filter),
            ("unix-socket" | "unix", NetworkAddress::Unknown(text)) => {
                Tri::unknown(format!("what `{text}` matches cannot be worked out here"))
            }
            ("unix-socket" | "unix", NetworkAddress::Text { .. }) => {
                Tri::unknown("a UNIX socket has no `HOST:PORT`, and what such a rule means is not known")
            }
            _ => Tri::No,
        },
        CheckSocket::Inet { transport, assumed, host, port, is_local } => {
            let by_protocol = match protocol {
                "ip" => Tri::Yes,
                "ip4" => family(host, false),
                "ip6" => family(host, true),
                "tcp" | "tcp4" | "tcp6" | "udp" | "udp4" | "udp6" => {
                    if *assumed {
                        assumes.insert("the socket is a TCP one".into());
                    }
                    let wanted = if protocol.starts_with("tcp") { Transport::Tcp } else { Transport::Udp };
                    let by_family = match &protocol[3..] {
                        "4" => family(host, false),
                        "6" => family(host, true),
                        _ => Tri::Yes,
                    };
                    Tri::all([(wanted == *transport).into(), by_family])
                }
                "unix-socket" | "unix" => Tri::No,
                _ => Tri::unknown(format!("the protocol `{protocol}` is not known here")),
            };
            let by_address = match address {
                NetworkAddress::Any => Tri::Yes,
                NetworkAddress::Path(_) => Tri::No,
                NetworkAddress::Unknown(text) => {
                    Tri::unknown(format!("what `{text}` matches cannot be worked out here"))
                }
                NetworkAddress::Text { host: wanted_host, port: wanted_port } => {
                    let is_own = *is_local == (end == NetworkEnd::Local);
                    let (host, port) = if is_own { (host.as_ref(), *port) } else { (None, None) };
                    Tri::all([by_host(wanted_host, host), by_port(wanted_port, port)])
                }
            };
            Tri::all([by_protocol, by_address])
        }
    })
}

fn family(host: &Option<AddressHost>, six: bool) -> Tri {
    match host {
        Some(AddressHost::Address(IpAddr::V6(_))) => six.into(),
        Some(AddressHost::Address(IpAddr::V4(_))) => (!six).into(),
        _ => Tri::unknown("whether the address is of IPv4 or IPv6 is not known"),
    }
}

fn by_host(wanted: &str, host: Option<&AddressHost>) -> Tri {
    match (wanted, host) {
        ("*", _) => Tri::Yes,
        ("localhost", Some(AddressHost::Localhost)) => Tri::Yes,
        ("localhost", Some(AddressHost::Address(address))) => match address {
            IpAddr::V4(v4) if v4.octets() == [127, 0, 0, 1] => Tri::Yes,
            IpAddr::V4(v4) if v4.is_loopback() => {
                Tri::unknown(format!("whether `{v4}` counts as `localhost` is not known"))
            }
            address => address.is_loopback().into(),
        },
        ("localhost", Some(AddressHost::Name(name))) => Tri::unknown(format!("what `{name}` resolves to is not known")),
        ("localhost", None) => Tri::unknown("the host of that end is not known"),
        _ => Tri::unknown(format!("a rule's host has to be `*` or `localhost`, and this one says `{wanted}`")),
    }
}

fn by_port(wanted: &str, port: Option<u16>) -> Tri {
    match (wanted, wanted.parse::<u16>(), port) {
        ("*", _, _) => Tri::Yes,
        // Compiled filters have no other sign for any port than a number, and strange spellings may be read as another.
        (_, Ok(0), _) => Tri::unknown("whether a rule's port 0 is that port or any is not known"),
        _ if wanted.len() > 1 && !wanted.starts_with(|c: char| ('1'..='9').contains(&c)) => {
            Tri::unknown(format!("which port `{wanted}` is to the system is not known"))
        }
        (_, Ok(wanted), Some(port)) => (wanted == port).into(),
        (_, Ok(_), None) => Tri::unknown("the port of that end is not known"),
        (_, Err(_), _) => Tri::unknown(format!("the port `{wanted}` is no number")),
    }
}

/// What a socket says to `socket-domain`, `socket-type` and `socket-protocol`.
pub(super) fn socket_fact(filter: &str, object: &CheckObject, assumes: &mut BTreeSet<String>) -> Option<CheckFact> {
    let text =
        match (object.socket.as_ref()?, filter) {
            (CheckSocket::Unix, "socket-domain") => "AF_UNIX",
            // A UNIX socket's own type, and the number 0 as protocol, are the caller's choice.
            (CheckSocket::Unix, _) => return None,
            (CheckSocket::Inet { host: Some(AddressHost::Address(address)), .. }, "socket-domain") => {
                if address.is_ipv6() { "AF_INET6" } else { "AF_INET" }
            }
            (CheckSocket::Inet { .. }, "socket-domain") => return None,
            (CheckSocket::Inet { transport, assumed, .. }, filter) => {
                if *assumed {
                    assumes.insert("the socket is a TCP one".into());
                }
                match (transport, filter) {
                    (Transport::Tcp, "socket-type") => "SOCK_STREAM",
                    (Transport::Udp, "socket-type") => "SOCK_DGRAM",
                    (Transport::Tcp, _) => "IPPROTO_TCP",
                    (Transport::Udp, _) => "IPPROTO_UDP",
                }
            }
        };
    Some(CheckFact::Is(text.to_owned()))
}

/// Whether two spellings mean one constant of `<sys/socket.h>` or `<netinet/in.h>`.
pub(super) fn same_constant(filter: &str, fact: &str, wanted: &str) -> Tri {
    if fact == wanted {
        return Tri::Yes;
    }
    let number = |text: &str| -> Option<u32> {
        text.parse().ok().or(match text {
            "AF_UNIX" | "AF_LOCAL" | "SOCK_STREAM" | "IPPROTO_ICMP" => Some(1),
            "AF_INET" | "SOCK_DGRAM" => Some(2),
            "SOCK_RAW" => Some(3),
            "IPPROTO_TCP" => Some(6),
            "AF_ROUTE" | "IPPROTO_UDP" => Some(17),
            "AF_INET6" => Some(30),
            "AF_SYSTEM" => Some(32),
            _ => None,
        })
    };
    match (number(fact), number(wanted)) {
        // A protocol of 0 is the caller's way to say "the usual one"; which of the two is compared is not known.
        (Some(_), Some(0)) if filter == "socket-protocol" => {
            Tri::unknown("whether a protocol of 0 is compared as it was given is not known")
        }
        (Some(fact), Some(wanted)) => (fact == wanted).into(),
        _ => Tri::unknown(format!("what `{wanted}` stands for is not known")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::policy::sbpl::model::filter::Matcher;
    use crate::policy::sbpl::model::regex::Regexes;
    use crate::policy::sbpl::rules::Filter;

    fn ask(rule: (NetworkEnd, &str, Option<(&str, &str)>), target: &str, is_local: bool) -> Tri {
        let object =
            CheckObject { shown: target.into(), socket: CheckSocket::read(target, is_local), ..CheckObject::default() };
        let address = rule
            .2
            .map_or(NetworkAddress::Any, |(host, port)| NetworkAddress::Text { host: host.into(), port: port.into() });
        match matches(rule.0, rule.1, &address, &object, &mut BTreeSet::new()) {
            AddressMatch::Answered(answer) => answer,
            AddressMatch::OnPath(filter) => panic!("{filter:?} is none of these rules'"),
        }
    }

    #[test]
    fn addresses_match_as_far_as_they_are_known() {
        use NetworkEnd::{Local, Remote};
        let yes = |rule, target| assert_eq!(ask(rule, target, false), Tri::Yes, "{rule:?} {target}");
        let no = |rule, target| assert_eq!(ask(rule, target, false), Tri::No, "{rule:?} {target}");
        let open = |rule, target| assert!(matches!(ask(rule, target, false), Tri::Unknown(_)), "{rule:?} {target}");
        yes((Remote, "ip", None), "127.0.0.1:80");
        yes((Remote, "tcp", Some(("localhost", "*"))), "127.0.0.1:80");
        yes((Remote, "tcp", Some(("localhost", "80"))), "tcp:[::1]:80");
        no((Remote, "tcp", Some(("localhost", "81"))), "127.0.0.1:80");
        no((Remote, "tcp", Some(("localhost", "*"))), "192.0.2.1:80");
        no((Remote, "udp", None), "127.0.0.1:80");
        no((Remote, "ip6", None), "127.0.0.1:80");
        no((Remote, "unix-socket", None), "127.0.0.1:80");
        yes((Remote, "ip4", Some(("*", "80"))), "127.0.0.1:80");
        open((Remote, "ip", Some(("localhost", "*"))), "example.com:80");
        open((Local, "ip", Some(("localhost", "*"))), "127.0.0.1:80");
        yes((Local, "ip", Some(("*", "*"))), "127.0.0.1:80");
        open((Remote, "ip", Some(("10.0.0.1", "*"))), "10.0.0.1:80");
        for port in ["0", "080", "+80", "99999"] {
            open((Remote, "ip", Some(("*", port))), "10.0.0.1:80");
        }
        open((Remote, "ip", Some(("localhost", "80"))), "127.0.0.1:${port.a}");
        assert_eq!(ask((Local, "tcp", Some(("localhost", "80"))), "127.0.0.1:80", true), Tri::Yes);
    }

    #[test]
    fn sockets_have_a_domain_a_type_and_a_protocol() {
        let object = |target: &str| CheckObject { socket: CheckSocket::read(target, false), ..CheckObject::default() };
        let (regexes, facts) = (Regexes::default(), BTreeMap::new());
        let holds = |filter: &str, value: &str, target: &str| {
            let filter = Filter::Symbol { filter: filter.into(), value: value.into() };
            let rule = crate::policy::sbpl::rules::Rule {
                action: crate::record::outcome::Decision::Allow,
                operations: vec!["network-outbound".into()],
                filters: vec![filter],
                modifiers: vec![],
                in_message_filter: false,
                conditions: vec![],
                place: crate::policy::sbpl::rules::LineColumn::at(1, 1),
            };
            Matcher::new(&regexes, "network-outbound", &facts).rule(&rule, &object(target))
        };
        assert_eq!(holds("socket-domain", "AF_INET", "127.0.0.1:1"), Tri::Yes);
        assert_eq!(holds("socket-domain", "2", "127.0.0.1:1"), Tri::Yes);
        assert_eq!(holds("socket-domain", "AF_INET6", "127.0.0.1:1"), Tri::No);
        assert_eq!(holds("socket-type", "SOCK_STREAM", "127.0.0.1:1"), Tri::Yes);
        assert_eq!(holds("socket-protocol", "6", "tcp:127.0.0.1:1"), Tri::Yes);
        assert_eq!(holds("socket-protocol", "17", "tcp:127.0.0.1:1"), Tri::No);
        assert!(matches!(holds("socket-protocol", "0", "127.0.0.1:1"), Tri::Unknown(_)));
        assert!(matches!(holds("socket-domain", "AF_INET", "localhost:1"), Tri::Unknown(_)));
        assert!(matches!(holds("socket-domain", "AF_NEW", "127.0.0.1:1"), Tri::Unknown(_)));
    }
}
