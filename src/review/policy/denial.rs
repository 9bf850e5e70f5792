//! Lines in which a kernel or a daemon says that it refused something, and what the policy says of the same.
//!
//! Three forms are read. Seatbelt's: `Sandbox: NAME(PID) deny(1) OPERATION TARGET`, by itself, behind the prefixes of
//! log(1), inside its JSON, and as the daemon repeats it after `Violation:`. Landlock's audit record of type 1423
//! (`LANDLOCK_ACCESS`; security/landlock/audit.c of the kernel, since 6.15).

use std::collections::BTreeMap;

use crate::policy::Enforcer;

/// Something that was refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denial {
    /// By Seatbelt.
    Seatbelt {
        /// The operation, as logged.
        operation: String,
        /// What it was attempted on; empty where the line names nothing.
        target: String,
    },
    /// By Landlock.
    Landlock {
        /// What stood in the way, such as `fs.read_file`.
        blockers: Vec<String>,
        /// The object, where it has a path.
        path: Option<String>,
        /// The port, where it has one.
        port: Option<String>,
    },
}

impl Denial {
    /// The enforcer whose log has it.
    pub fn enforcer(&self) -> Enforcer {
        match self {
            Self::Seatbelt { .. } => Enforcer::Seatbelt,
            Self::Landlock { .. } => Enforcer::Landlock,
        }
    }
}

/// A line that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenialLine {
    /// Which operation was refused, by whom, on what.
    pub denial: Denial,
    /// The process, where the line names it.
    pub process: Option<String>,
    /// Id of the process that was refused; `None` if the line does not say.
    pub pid: Option<u32>,
    /// How many times: 1, or what a line about duplicates says.
    pub count: u64,
    /// Whether the line repeats one before it with more words (`Violation:`).
    pub repeats: bool,
}

/// What a line says: a JSON array on one line may say much.
pub fn read_all(line: &str) -> Vec<DenialLine> {
    let line = line.trim();
    let Some(inner) = line.strip_prefix('[').map(str::trim_start).filter(|inner| inner.starts_with('{')) else {
        return read_line(line).into_iter().collect();
    };
    match serde_json::from_str::<Vec<serde_json::Value>>(line) {
        Ok(entries) => entries.iter().filter_map(read_entry).collect(),
        // The first or the only entry of an array over several lines.
        Err(_) => read_line(inner).into_iter().collect(),
    }
}

/// An entry of log(1)'s JSON.
fn read_entry(entry: &serde_json::Value) -> Option<DenialLine> {
    read_message(entry.get("eventMessage").or_else(|| entry.get("message"))?.as_str()?)
}

/// What a line says, if it is about a denial.
pub fn read_line(line: &str) -> Option<DenialLine> {
    let line = line.trim();
    if line.starts_with('{') {
        // What ends an array that began on another line is no part of the entry.
        let entry = line.trim_end_matches(|c: char| c == ',' || c == ']' || c.is_whitespace());
        return read_entry(&serde_json::from_str(entry).ok()?);
    }
    // A member of log(1)'s JSON over several lines.
    if let Some(rest) = line.strip_prefix("\"eventMessage\"") {
        let text = rest.trim_start().strip_prefix(':')?.trim().trim_end_matches(',');
        return read_message(&serde_json::from_str::<String>(text).ok()?);
    }
    read_message(line)
}

fn read_message(message: &str) -> Option<DenialLine> {
    // The daemon's reports have several lines; the first that says something counts.
    message.lines().find_map(|line| landlock(line).or_else(|| seatbelt(line)))
}

fn seatbelt(line: &str) -> Option<DenialLine> {
    if let Some(rest) = line.trim_start().strip_prefix("Violation:") {
        let (operation, target) = refused(rest.trim_start())?;
        let denial = Denial::Seatbelt { operation, target };
        return Some(DenialLine { denial, process: None, pid: None, count: 1, repeats: true });
    }
    // `Sandbox: NAME(PID) deny(1) …`, or the older `sandboxd[160] ([1234]): NAME(1234) deny …`.
    let (head, rest) = match line.split_once("Sandbox: ") {
        Some((head, rest)) => (head, rest),
        None => {
            let (head, rest) = line.split_once("]): ")?;
            if !head.contains("sandboxd[") {
                return None;
            }
            (head, rest)
        }
    };
    let at = [") deny(", ") deny "].iter().filter_map(|mark| rest.find(mark)).min()?;
    let (name, pid) = rest[..at].rsplit_once('(')?;
    let pid = pid.parse().ok()?;
    let (operation, target) = refused(&rest[at + 2..])?;
    let count = duplicates(head).unwrap_or(1);
    let denial = Denial::Seatbelt { operation, target };
    Some(DenialLine { denial, process: Some(name.to_owned()), pid: Some(pid), count, repeats: false })
}

/// `deny(1) OPERATION TARGET`
fn refused(text: &str) -> Option<(String, String)> {
    let rest = text.strip_prefix("deny")?;
    let rest = match rest.strip_prefix('(') {
        Some(rest) => {
            let (number, rest) = rest.split_once(')')?;
            number.parse::<u32>().ok()?;
            rest
        }
        None => rest,
    };
    let rest = rest.strip_prefix(' ')?.trim_start();
    let (operation, target) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_name = operation.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-*_".contains(&b));
    (!operation.is_empty() && is_name).then(|| (operation.to_owned(), target.trim().to_owned()))
}

/// `3 duplicate reports for Sandbox: …`
fn duplicates(head: &str) -> Option<u64> {
    let head = head.trim_end().strip_suffix("for")?.trim_end();
    let head = head.strip_suffix("reports").or_else(|| head.strip_suffix("report"))?.trim_end();
    let head = head.strip_suffix("duplicate")?.trim_end();
    head.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn landlock(line: &str) -> Option<DenialLine> {
    if !line.contains("blockers=") || !line.contains("domain=") {
        return None;
    }
    let fields = fields(line);
    let blockers: Vec<String> = fields.get("blockers")?.split(',').map(str::to_owned).collect();
    let path = fields.get("path").or_else(|| fields.get("name")).map(|text| untrusted(text));
    // A bind names the own port, everything else the other end's.
    let port = fields.get("dest").or_else(|| fields.get("src")).cloned();
    let process = fields.get("comm").map(|text| untrusted(text));
    let pid = fields.get("pid").and_then(|text| text.parse().ok());
    Some(DenialLine { denial: Denial::Landlock { blockers, path, port }, process, pid, count: 1, repeats: false })
}

/// The `name=value` fields of an audit record. A quoted value keeps its quotes.
fn fields(line: &str) -> BTreeMap<&str, String> {
    let mut out = BTreeMap::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('=') {
        let name = before.rsplit(' ').next().unwrap_or_default();
        let end = match after.strip_prefix('"') {
            Some(quoted) => quoted.find('"').map_or(after.len(), |end| end + 2),
            None => after.find(' ').unwrap_or(after.len()),
        };
        out.entry(name).or_insert_with(|| after[..end].to_owned());
        rest = &after[end..];
    }
    out
}

/// A text that audit writes in quotes, or as hexadecimal digits where it holds something unusual
/// (`audit_log_untrustedstring`, kernel/audit.c).
fn untrusted(text: &str) -> String {
    if let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        return inner.to_owned();
    }
    let digits = text.len().is_multiple_of(2) && !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    if !digits {
        return text.to_owned();
    }
    let bytes: Vec<u8> = text.as_bytes().chunks(2).map(hex).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(pair: &[u8]) -> u8 {
    pair.iter().fold(0, |value, digit| value << 4 | char::from(*digit).to_digit(16).unwrap_or_default() as u8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(line: &str) -> (String, String, Option<String>, Option<u32>, u64) {
        let line = read_line(line).unwrap_or_else(|| panic!("{line}"));
        let Denial::Seatbelt { operation, target } = line.denial else { panic!() };
        (operation, target, line.process, line.pid, line.count)
    }

    fn told(
        operation: &str,
        target: &str,
        process: &str,
        pid: u32,
    ) -> (String, String, Option<String>, Option<u32>, u64) {
        (operation.into(), target.into(), Some(process.into()), Some(pid), 1)
    }

    #[test]
    fn forms_of_seatbelt() {
        for line in [
            "Sandbox: cat(1234) deny(1) file-read-data /private/etc/master.passwd",
            "2026-01-02 03:04:05.000000+0100 0x1f2 Error 0x0 0 0 kernel: (Sandbox) Sandbox: cat(1234) deny(1) file-read-data \
             /private/etc/master.passwd",
            "sandboxd[160] ([1234]): cat(1234) deny file-read-data /private/etc/master.passwd",
            r#"{"eventMessage":"Sandbox: cat(1234) deny(1) file-read-data \/private\/etc\/master.passwd","processID":0}"#,
            r#"    "eventMessage" : "Sandbox: cat(1234) deny(1) file-read-data \/private\/etc\/master.passwd","#,
        ] {
            assert_eq!(seen(line), told("file-read-data", "/private/etc/master.passwd", "cat", 1234), "{line}");
        }
        assert_eq!(seen("Sandbox: a (b)(7) deny(1) signal others"), told("signal", "others", "a (b)", 7));
        assert_eq!(seen("Sandbox: x(7) deny(1) process-fork"), told("process-fork", "", "x", 7));
        assert_eq!(
            seen("Sandbox: x(7) deny(1) file-read-data /a b (c) d"),
            told("file-read-data", "/a b (c) d", "x", 7)
        );
        let more = seen("kernel: 3 duplicate reports for Sandbox: x(7) deny(1) mach-lookup com.example.a");
        assert_eq!((more.0.as_str(), more.4), ("mach-lookup", 3));
        assert!(read_line("Violation:       deny(1) mach-lookup com.example.a").unwrap().repeats);
    }

    #[test]
    fn an_array_of_entries_is_read_entry_by_entry() {
        let entry = |pid: u32| format!(r#"{{"eventMessage":"Sandbox: x({pid}) deny(1) sysctl-read a","processID":0}}"#);
        let pids = |line: &str| read_all(line).into_iter().filter_map(|line| line.pid).collect::<Vec<_>>();
        assert_eq!(pids(&format!("[{},{}]", entry(1), entry(2))), [1, 2]);
        assert_eq!(pids(&format!("[{},", entry(1))), [1]);
        assert_eq!(pids(&format!("{}]", entry(2))), [2]);
        assert_eq!(pids(&entry(3)), [3]);
        assert_eq!(read_all(&format!("[{},", entry(1)))[0].denial, read_all(&entry(1))[0].denial);
        assert_eq!(pids("[   12.3] audit: Sandbox: x(7) deny(1) sysctl-read a"), [7]);
        assert_eq!(read_all("[{"), []);
    }

    #[test]
    fn forms_of_landlock() {
        let line = "audit: type=1423 audit(1729738800.268:30): domain=195ba459b blockers=fs.make_reg,fs.refer path=\"/usr/bin\" \
                    dev=\"vda2\" ino=351";
        let blockers = vec!["fs.make_reg".to_owned(), "fs.refer".to_owned()];
        let expected = Denial::Landlock { blockers, path: Some("/usr/bin".into()), port: None };
        assert_eq!(read_line(line).unwrap().denial, expected);
        let line = "type=LANDLOCK_ACCESS msg=audit(1.2:3): domain=1 blockers=net.connect_tcp daddr=127.0.0.1 dest=80";
        let expected =
            Denial::Landlock { blockers: vec!["net.connect_tcp".into()], path: None, port: Some("80".into()) };
        assert_eq!(read_line(line).unwrap().denial, expected);
        let line =
            "type=LANDLOCK_ACCESS msg=audit(1.2:3): domain=1 blockers=fs.read_file path=2F612062 dev=\"x\" ino=1";
        let expected =
            Denial::Landlock { blockers: vec!["fs.read_file".into()], path: Some("/a b".into()), port: None };
        assert_eq!(read_line(line).unwrap().denial, expected);
    }

    #[test]
    fn other_lines_say_nothing() {
        for line in [
            "",
            "Sandbox: x deny(1) file-read-data /a",
            "Sandbox: x(7) allow(1) file-read-data /a",
            "{}",
            "{",
            "Sandbox: x(7) deny(1) ",
            "type=1424 audit(1.2:3): domain=195ba459b status=allocated mode=enforcing",
        ] {
            assert_eq!(read_line(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "(Sandbox: |deny|\\(1\\)|blockers=|domain=|\"|=| |[a-z/0-9(){}]|\\PC){0,40}") {
            let _ = read_line(&line);
        }

        #[test]
        fn what_is_written_is_read(name in "[a-zA-Z ()]{0,12}", pid in 0u32.., target in "(/[^\n\r]{0,20}[^\\s])?") {
            prop_assume!(!name.contains("deny"));
            let line = format!("Sandbox: {name}({pid}) deny(1) file-read-data {target}");
            let read = read_line(&line).unwrap();
            prop_assert_eq!(read.pid, Some(pid));
            let expected = Denial::Seatbelt { operation: "file-read-data".into(), target: target.trim().to_owned() };
            prop_assert_eq!(read.denial, expected);
        }
    }
}
