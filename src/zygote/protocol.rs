//! What the harness and the zygote say to each other over one socket: frames of a 32-bit little-endian length and that
//! many bytes of JSON. A reply is followed by one more frame, whose bytes are the probe's report as it wrote it.

use std::convert::Infallible;
use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::policy::Enforceable;
use crate::record::action::Action;
use crate::record::callout::CheckRequest;
use crate::record::ending::Ending;

/// Largest frame, in bytes.
pub const MAX_FRAME_BYTES: usize = 64 * 1024 * 1024;

/// What the harness asks, as it is read. It is written as a [`Sent`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Keep this policy under this key, in place of any before. No reply.
    Policy {
        /// The key that jobs name.
        key: u32,
        /// The policy, with placeholders.
        policy: Enforceable,
    },
    /// Fork one child and do this. One [`Reply`].
    Run(Job),
}

/// What the harness asks, as it is written.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sent<'a> {
    /// See [`Request::Policy`].
    Policy {
        /// The key that jobs name.
        key: u32,
        /// The policy, with placeholders.
        policy: &'a Enforceable,
    },
    /// See [`Request::Run`].
    Run(&'a Job),
}

/// One probe execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Echoed in the reply.
    pub seq: u64,
    /// The operation, resolved.
    pub action: Action,
    /// The policy to apply; `None` in the baseline lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyUse>,
    /// What to ask the policy before the operation (macOS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckRequest>,
    /// How long the child may run, in milliseconds.
    pub deadline_ms: u64,
}

/// What a process that was started afresh is told: one [`Job`] with its policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fresh {
    /// The operation, resolved.
    pub action: Action,
    /// The policy to apply, resolved; `None` in the baseline lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Enforceable>,
    /// What to ask the policy before the operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckRequest>,
    /// How long the process may run, in milliseconds. Its server ends it; should the server be gone, it ends itself.
    pub deadline_ms: u64,
}

/// Which policy, and what its placeholders stand for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyUse {
    /// The key of an earlier [`Request::Policy`].
    pub key: u32,
    /// (placeholder with its braces, text) pairs: `("${root}", "/dev/shm/…")`.
    pub texts: Vec<(String, String)>,
}

impl PolicyUse {
    /// The policy with every placeholder replaced.
    pub fn resolve(&self, policy: &Enforceable) -> Enforceable {
        let replaced = policy.map_texts(|text| {
            Ok::<_, Infallible>(self.texts.iter().fold(text.to_owned(), |text, (placeholder, value)| {
                if text.contains(placeholder.as_str()) { text.replace(placeholder.as_str(), value) } else { text }
            }))
        });
        match replaced {
            Ok(policy) => policy,
            Err(never) => match never {},
        }
    }
}

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The job's.
    pub seq: u64,
    /// The child, if it could be forked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// When it was forked, in seconds since 1970.
    pub started_at_unix_s: f64,
    /// From fork to end, in microseconds.
    pub duration_us: u64,
    /// How it ended.
    pub ending: Ending,
    /// What it wrote to its private descriptor: up to two lines of JSON (`record::report`). In a frame of its own.
    #[serde(skip)]
    pub report: Vec<u8>,
    /// Whether it wrote more than fits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub report_overflow: bool,
    /// Whether processes of its group were alive after it ended (they were killed).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left_descendants: bool,
}

impl Reply {
    /// The report, if it is whole and text.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.report).ok().filter(|_| !self.report_overflow)
    }
}

/// Writes one frame. `scratch` is reused between calls.
pub fn write_frame<T: Serialize>(out: &mut impl Write, scratch: &mut Vec<u8>, message: &T) -> io::Result<()> {
    scratch.clear();
    append_frame(scratch, |frame| Ok(serde_json::to_writer(frame, message)?))?;
    out.write_all(scratch)
}

/// Writes a reply with its report. `scratch` is reused between calls.
pub fn write_reply(out: &mut impl Write, scratch: &mut Vec<u8>, reply: &Reply) -> io::Result<()> {
    scratch.clear();
    append_frame(scratch, |frame| Ok(serde_json::to_writer(frame, reply)?))?;
    append_frame(scratch, |frame| frame.write_all(&reply.report))?;
    out.write_all(scratch)
}

fn append_frame(out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<()> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    content(out)?;
    let length = u32::try_from(out.len() - start - 4).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

/// Reads one frame; `None` at a clean end. `scratch` is reused between calls.
pub fn read_frame<T: DeserializeOwned>(source: &mut impl Read, scratch: &mut Vec<u8>) -> io::Result<Option<T>> {
    if !read_bytes(source, scratch)? {
        return Ok(None);
    }
    serde_json::from_slice(scratch).map(Some).map_err(io::Error::from)
}

/// Reads a reply with its report; `None` at a clean end. `scratch` is reused between calls.
pub fn read_reply(source: &mut impl Read, scratch: &mut Vec<u8>) -> io::Result<Option<Reply>> {
    let Some(mut reply) = read_frame::<Reply>(source, scratch)? else { return Ok(None) };
    if read_bytes(source, &mut reply.report)? { Ok(Some(reply)) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Reads the bytes of one frame; false at a clean end.
fn read_bytes(source: &mut impl Read, into: &mut Vec<u8>) -> io::Result<bool> {
    let mut length = [0_u8; 4];
    let mut filled = 0;
    while filled < 4 {
        match source.read(&mut length[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_FRAME_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a frame is larger than agreed"));
    }
    into.resize(length, 0);
    source.read_exact(into)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_read_back_one_by_one() {
        let mut wire = Vec::new();
        let mut scratch = Vec::new();
        write_frame(&mut wire, &mut scratch, &vec![1, 2]).unwrap();
        write_frame(&mut wire, &mut scratch, &vec![3]).unwrap();
        let mut source = &wire[..];
        assert_eq!(read_frame::<Vec<i32>>(&mut source, &mut scratch).unwrap(), Some(vec![1, 2]));
        assert_eq!(read_frame::<Vec<i32>>(&mut source, &mut scratch).unwrap(), Some(vec![3]));
        assert_eq!(read_frame::<Vec<i32>>(&mut source, &mut scratch).unwrap(), None);
        assert!(read_frame::<Vec<i32>>(&mut &wire[..5], &mut scratch).is_err());
        assert!(read_frame::<Vec<i32>>(&mut &[255_u8; 8][..], &mut scratch).is_err());
    }
    #[test]
    fn a_reply_comes_with_its_report() {
        let reply = |report: &[u8]| Reply {
            seq: 3,
            pid: Some(7),
            started_at_unix_s: 1.5,
            duration_us: 9,
            ending: Ending::NotStarted { errno: 1 },
            report: report.to_vec(),
            report_overflow: false,
            left_descendants: true,
        };
        let (mut wire, mut scratch) = (Vec::new(), Vec::new());
        let replies = [reply(b"{\"a\":1}\n\xff"), reply(b""), reply(b"{}")];
        for reply in &replies {
            write_reply(&mut wire, &mut scratch, reply).unwrap();
        }
        let mut source = &wire[..];
        for reply in &replies {
            assert_eq!(read_reply(&mut source, &mut scratch).unwrap().as_ref(), Some(reply));
        }
        assert_eq!(read_reply(&mut source, &mut scratch).unwrap(), None);
        assert_eq!(replies.each_ref().map(Reply::text), [None, Some(""), Some("{}")]);
        assert_eq!(Reply { report_overflow: true, ..reply(b"{}") }.text(), None);
        // Neither without its report nor with half of it is that a clean end.
        let mut last = Vec::new();
        write_reply(&mut last, &mut scratch, &replies[2]).unwrap();
        assert!(read_reply(&mut &last[..last.len() - 6], &mut scratch).is_err());
        assert!(read_reply(&mut &last[..last.len() - 1], &mut scratch).is_err());
    }

    #[test]
    fn what_is_sent_is_what_is_read() {
        let job = Job {
            seq: 1,
            action: Action::new(crate::record::driver::Driver::FileRead, "/a"),
            policy: Some(PolicyUse { key: 2, texts: vec![("${root}".into(), "/r".into())] }),
            check: None,
            deadline_ms: 5,
        };
        let policy = Enforceable::Sbpl { text: "(version 1)".into(), parameters: Default::default() };
        let read = |sent: Sent<'_>| {
            let (mut wire, mut scratch) = (Vec::new(), Vec::new());
            write_frame(&mut wire, &mut scratch, &sent).unwrap();
            read_frame::<Request>(&mut &wire[..], &mut scratch).unwrap().unwrap()
        };
        assert_eq!(read(Sent::Run(&job)), Request::Run(job.clone()));
        assert_eq!(read(Sent::Policy { key: 2, policy: &policy }), Request::Policy { key: 2, policy: policy.clone() });
    }
}
