//! A finished row: what the harness knows, what the zygote saw, and what the probe process said.
//!
//! What a probe process says is written by this same program, in the form that rows have. So it goes into its row as it is:
//! to take it apart and write it again would cost a worker as much as everything else that it does for a probe.

use std::fmt;

use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use crate::base::json_out;
use crate::record::row::ProbeRow;
use crate::zygote::protocol::Reply;

/// The members of a row that a report's lines become, in their order. They are the last of [`ProbeRow`].
const MEMBERS: [(&str, &str); 2] = [("prologue", "first line"), ("operation", "second line")];

/// Appends a row as JSON, with what its zygote answered if it was asked.
pub(super) fn append_row(line: &mut Vec<u8>, row: &mut ProbeRow, reply: Option<&Reply>) {
    let said = reply.map(|reply| record(row, reply)).unwrap_or_default();
    json_out::append_compact(line, row).expect("a row serialises into memory");
    for ((member, _), said) in MEMBERS.into_iter().zip(said.into_iter().flatten()) {
        line.pop();
        for part in [",\"", member, "\":", said, "}"] {
            line.extend_from_slice(part.as_bytes());
        }
    }
}

/// Puts what the zygote saw into the row, and gives the lines of the report as far as they can be part of it. What is wrong
/// with them is noted in the row.
fn record<'r>(row: &mut ProbeRow, reply: &'r Reply) -> [Option<&'r str>; MEMBERS.len()] {
    row.started_at_unix_s = reply.started_at_unix_s;
    row.duration_us = reply.duration_us;
    row.pid = reply.pid;
    row.process = reply.process;
    row.ending = Some(reply.ending.clone());
    row.left_descendants = reply.left_descendants;
    let mut said = [None; MEMBERS.len()];
    if reply.seq != row.seq {
        row.report_error = Some(format!("the answer is for job {}, not {}", reply.seq, row.seq));
        return said;
    }
    let Some(report) = reply.text() else {
        row.report_error = Some("the report is too long or no text".to_string());
        return said;
    };
    let mut lines = report.lines();
    for (place, ((_, name), line)) in said.iter_mut().zip(MEMBERS.into_iter().zip(&mut lines)) {
        match serde_json::from_str::<AnyObject>(line) {
            Ok(AnyObject) => *place = Some(line),
            Err(error) => {
                row.report_error = Some(format!("{name}: {error}"));
                break;
            }
        }
    }
    if lines.next().is_some() {
        row.report_error = Some("the report has more than two lines".to_string());
    }
    said
}

/// Any JSON object. A line that was cut off is none.
struct AnyObject;

impl<'de> Deserialize<'de> for AnyObject {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = AnyObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AnyObject, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(AnyObject)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::action::Action;
    use crate::record::driver::Driver;
    use crate::record::ending::Ending;
    use crate::record::outcome::Lane;
    use crate::record::row::ProbeProcess;

    const FIRST: &str = r#"{"pid":7,"uid":0,"open_fds":[{"fd":0,"what":"/dev/null"}],"self_check_before":{"confined":false,"errno":0,"no_new_privs":false}}"#;
    const SECOND: &str = r#"{"calls":[{"syscall":"openat","role":"operation","ret":-1,"errno":13}]}"#;

    fn row() -> ProbeRow {
        let ids = ("p".parse().unwrap(), "a".parse().unwrap(), "e".parse().unwrap());
        ProbeRow::new(Lane::Baseline, 3, ids, Action::new(Driver::FileRead, "/a"), "/r".into(), 0.5)
    }

    fn reply(report: &str) -> Reply {
        Reply {
            seq: 3,
            pid: Some(7),
            started_at_unix_s: 1.5,
            duration_us: 9,
            ending: Ending::Exited { code: 0 },
            report: report.as_bytes().to_vec(),
            report_overflow: false,
            left_descendants: true,
            process: Some(ProbeProcess::Shared),
            spent: false,
        }
    }

    /// The row as it is read back, after its bytes were seen to be those that it serialises to.
    fn read_back(reply: Option<&Reply>) -> ProbeRow {
        let mut line = Vec::new();
        append_row(&mut line, &mut row(), reply);
        let read: ProbeRow = serde_json::from_slice(&line).unwrap();
        let mut again = Vec::new();
        json_out::append_compact(&mut again, &read).unwrap();
        assert_eq!(String::from_utf8(line), String::from_utf8(again));
        read
    }

    #[test]
    fn what_was_said_stands_in_the_row() {
        let read = read_back(Some(&reply(&format!("{FIRST}\n{SECOND}\n"))));
        let wanted = ProbeRow {
            ending: Some(Ending::Exited { code: 0 }),
            started_at_unix_s: 1.5,
            duration_us: 9,
            pid: Some(7),
            process: Some(ProbeProcess::Shared),
            left_descendants: true,
            prologue: Some(serde_json::from_str(FIRST).unwrap()),
            operation: Some(serde_json::from_str(SECOND).unwrap()),
            ..row()
        };
        assert_eq!(read, wanted);
        // A process that died before its operation; one that said nothing; and one that was never started.
        let read = read_back(Some(&reply(&format!("{FIRST}\n"))));
        assert_eq!(read, ProbeRow { operation: None, ..wanted.clone() });
        let read = read_back(Some(&reply("")));
        assert_eq!(read, ProbeRow { prologue: None, operation: None, ..wanted });
        assert_eq!(read_back(None), row());
    }

    #[test]
    fn what_is_no_report_is_said_and_kept_out() {
        let half = &FIRST[..40];
        let cases: [(&str, &str, bool); 7] = [
            (half, "first line: EOF", false),
            (&format!("{FIRST}\n{{\"calls\":[{{\n"), "second line: EOF", true),
            ("[]\n", "first line: invalid type: sequence, expected a JSON object", false),
            ("\n", "first line: EOF", false),
            (&format!("{FIRST} {FIRST}\n"), "first line: trailing characters", false),
            (&format!("{FIRST}\n{SECOND}\n{SECOND}\n"), "more than two lines", true),
            (&format!("{FIRST}\nx\n{SECOND}\n"), "more than two lines", true),
        ];
        for (report, message, first) in cases {
            let read = read_back(Some(&reply(report)));
            let error = read.report_error.unwrap();
            assert!(error.contains(message), "{report:?}: {error}");
            assert_eq!(read.prologue.is_some(), first, "{report:?}");
        }
        let foreign = read_back(Some(&Reply { seq: 4, ..reply(FIRST) }));
        assert!(foreign.report_error.unwrap().contains("for job 4, not 3") && foreign.prologue.is_none());
        for reply in [Reply { report_overflow: true, ..reply(FIRST) }, Reply { report: vec![0xff], ..reply("") }] {
            let read = read_back(Some(&reply));
            assert!(read.report_error.unwrap().contains("too long or no text") && read.prologue.is_none());
        }
    }
}
