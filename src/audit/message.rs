//! One record of the kernel's audit, as it comes over netlink: a type, and a text of names and values.
//!
//! Sources: kernel/audit.c (`audit_log_start`, `audit_log_n_untrustedstring`), security/landlock/audit.c, and
//! security/lsm_audit.c for what an access was about.

use crate::record::attribution::KernelDenial;

/// `AUDIT_LANDLOCK_ACCESS` of linux/audit.h: a denial.
const LANDLOCK_ACCESS: u16 = 1423;
/// `AUDIT_LANDLOCK_DOMAIN`: a domain came about, or went.
const LANDLOCK_DOMAIN: u16 = 1424;
/// `AUDIT_USER`: somebody who may gave a text to the audit.
pub(super) const USER: u16 = 1005;

/// A record that is of interest here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AuditRecord {
    /// Something was denied in that domain.
    Denial { domain: u64, denial: KernelDenial, opid: Option<i32> },
    /// That domain is the one of this process, which restricted itself at some time before this record, in milliseconds since
    /// 1970.
    Domain { domain: u64, pid: i32, at_ms: u64 },
    /// Somebody gave this text to the audit.
    Said(String),
}

impl AuditRecord {
    /// Reads a record. `None`: it is of no interest, or none.
    pub(super) fn read(kind: u16, text: &[u8]) -> Option<Self> {
        if !matches!(kind, LANDLOCK_ACCESS | LANDLOCK_DOMAIN | USER) {
            return None;
        }
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        let text = std::str::from_utf8(text).ok()?;
        let (stamp, rest) = text.strip_prefix("audit(")?.split_once("): ")?;
        if kind == USER {
            let said = rest.split_once(" msg='").or_else(|| rest.split_once("msg='"))?.1;
            return Some(Self::Said(said.strip_suffix('\'').unwrap_or(said).to_owned()));
        }
        let fields = RecordFields(rest);
        let domain = u64::from_str_radix(fields.value("domain")?, 16).ok()?;
        if kind == LANDLOCK_DOMAIN {
            return match fields.value("status")? {
                "allocated" => Some(Self::Domain { domain, pid: fields.number("pid")?, at_ms: milliseconds(stamp)? }),
                _ => None,
            };
        }
        let blockers: Vec<String> =
            fields.value("blockers")?.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect();
        if blockers.is_empty() {
            return None;
        }
        let denial = KernelDenial {
            blockers,
            path: fields.text("path"),
            dev: fields.text("dev"),
            ino: fields.number("ino"),
            // Of a connection the far end is named, of a binding the near one.
            port: fields.number("dest").or_else(|| fields.number("src")),
        };
        Some(Self::Denial { domain, denial, opid: fields.number("opid") })
    }
}

/// `SECONDS.MILLISECONDS:SERIAL` as milliseconds since 1970.
fn milliseconds(stamp: &str) -> Option<u64> {
    let (seconds, rest) = stamp.split_once('.')?;
    let (thousandths, _) = rest.split_once(':')?;
    seconds.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(thousandths.parse().ok()?)
}

/// The names and values of a record. No value holds a space: what does is written in hexadecimal digits.
struct RecordFields<'t>(&'t str);

impl<'t> RecordFields<'t> {
    fn value(&self, name: &str) -> Option<&'t str> {
        self.0.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
    }

    fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.value(name)?.parse().ok()
    }

    /// A text that is not the kernel's own: in quotation marks, or in hexadecimal digits if it holds anything but printable
    /// ASCII without spaces and quotation marks.
    fn text(&self, name: &str) -> Option<String> {
        let value = self.value(name)?;
        if let Some(quoted) = value.strip_prefix('"') {
            return Some(quoted.strip_suffix('"').unwrap_or(quoted).to_owned());
        }
        let digits = value.as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes = (digits.len() % 2 == 0).then(|| digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>()).flatten();
        Some(bytes.map_or_else(|| value.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn denial(text: &str) -> Option<KernelDenial> {
        match AuditRecord::read(LANDLOCK_ACCESS, text.as_bytes()) {
            Some(AuditRecord::Denial { domain: 0x1f3a, denial, .. }) => Some(denial),
            _ => None,
        }
    }

    #[test]
    fn a_denial_is_read_as_the_kernel_writes_it() {
        let found = denial(
            "audit(1733051468.123:456): domain=1f3a blockers=fs.write_file,fs.read_file path=\"/dev/shm/f\" dev=\"tmpfs\" ino=12",
        );
        let wanted = KernelDenial {
            blockers: vec!["fs.write_file".into(), "fs.read_file".into()],
            path: Some("/dev/shm/f".into()),
            dev: Some("tmpfs".into()),
            ino: Some(12),
            port: None,
        };
        assert_eq!(found, Some(wanted));
        // A space in a path; a port, by connect and by bind; another process.
        let path =
            denial("audit(1.0:1): domain=1f3a blockers=fs.refer path=2F612062 dev=\"tmpfs\" ino=1").unwrap().path;
        assert_eq!(path.as_deref(), Some("/a b"));
        let port = |text: &str| denial(&format!("audit(1.0:1): domain=1f3a blockers=net.x {text}")).unwrap().port;
        assert_eq!(port("daddr=127.0.0.1 dest=80"), Some(80));
        assert_eq!(port("src=8080"), Some(8080));
        let other = AuditRecord::read(LANDLOCK_ACCESS, b"audit(1.0:1): domain=2 blockers=ptrace opid=7 ocomm=\"x\"\0");
        let Some(AuditRecord::Denial { domain: 2, opid: Some(7), denial }) = other else { panic!("{other:?}") };
        assert_eq!(denial.blockers, ["ptrace"]);
    }

    #[test]
    fn a_domain_is_read_when_it_comes_about() {
        let read = |text: &str| AuditRecord::read(LANDLOCK_DOMAIN, text.as_bytes());
        let text = "audit(1733051468.123:456): domain=1f3a status=allocated mode=enforcing pid=42 uid=0 exe=\"/init\" comm=\"a\"";
        assert_eq!(read(text), Some(AuditRecord::Domain { domain: 0x1f3a, pid: 42, at_ms: 1_733_051_468_123 }));
        assert_eq!(read("audit(1.000:9): domain=1f3a status=deallocated denials=3"), None);
        assert_eq!(read("audit(1.000:9): domain=x status=allocated pid=3"), None);
        assert_eq!(read("audit(1000:9): domain=1 status=allocated pid=3"), None);
    }

    #[test]
    fn what_was_given_to_the_audit_is_read_back() {
        let read = |text: &[u8]| AuditRecord::read(USER, text);
        let said = Some(AuditRecord::Said("sandproof 1-2".into()));
        assert_eq!(read(b"audit(1.000:9): pid=1 uid=0 auid=4294967295 ses=4294967295 msg='sandproof 1-2'\0"), said);
        assert_eq!(AuditRecord::read(1300, b"audit(1.000:9): msg='sandproof 1-2'"), None);
    }

    #[test]
    fn what_names_no_blocker_is_no_denial() {
        for text in [
            "",
            "audit(",
            "audit(1.0:1): domain=1f3a",
            "audit(1.0:1): domain=1f3a blockers= path=\"/a\"",
            "domain=1f3a blockers=ptrace",
        ] {
            assert_eq!(denial(text), None, "{text}");
        }
    }

    proptest! {
        /// Any path is read back from what the kernel makes of it.
        #[test]
        fn any_path_is_read_back(path in "/\\PC{0,40}") {
            let plain = path.bytes().all(|byte| (0x21..=0x7e).contains(&byte) && byte != b'"');
            let written = if plain {
                format!("\"{path}\"")
            } else {
                path.bytes().map(|byte| format!("{byte:02X}")).collect()
            };
            let text = format!("audit(1.0:1): domain=1f3a blockers=fs.read_file path={written} dev=\"tmpfs\" ino=1");
            prop_assert_eq!(denial(&text).unwrap().path, Some(path));
        }

        /// Nothing that comes over the socket ends the program.
        #[test]
        fn any_bytes_are_read_or_left(kind in 1000_u16..2000, bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = AuditRecord::read(kind, &bytes);
            for kind in [LANDLOCK_ACCESS, LANDLOCK_DOMAIN, USER] {
                let _ = AuditRecord::read(kind, &[b"audit(1.0:1): domain=1 blockers=", &bytes[..]].concat());
            }
        }
    }
}
