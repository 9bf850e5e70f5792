//! What the harness and the zygote say to each other over one socket: frames of a 32-bit little-endian length and that
//! many bytes. What the harness says is JSON. A reply, of which there is one for each probe, has a head of fixed form
//! instead; behind it come the probe's report, as it was written.

use std::borrow::Cow;
use std::convert::Infallible;
use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::base::clock::unix_seconds;
use crate::base::placeholder;
use crate::base::{json, json_out};
use crate::policy::Enforceable;
use crate::record::action::{Action, ActionScope};
use crate::record::callout::CheckRequest;
use crate::record::ending::Ending;
use crate::record::row::ProbeProcess;

/// Largest frame, in bytes.
pub const MAX_FRAME_BYTES: usize = 64 * 1024 * 1024;

/// What the harness asks. It is written from what the harness holds, and read as values of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(clippy::large_enum_variant, reason = "the large one is the usual one, and one is held at a time")]
pub enum ZygoteRequest<'a> {
    /// Keep this policy under this key, in place of any before. No reply.
    Policy {
        /// The key that jobs name.
        key: u32,
        /// The policy, with placeholders.
        policy: Cow<'a, Enforceable>,
    },
    /// Start one probe process and do this. One [`Reply`].
    Run(Cow<'a, Job>),
}

/// One probe execution. `P` is how it has its policy: by the key of one that was sent before, or, for a process that is
/// started afresh and nothing was sent to, as the policy itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job<P = PolicyUse> {
    /// Echoed in the reply.
    pub seq: u64,
    /// The operation, resolved.
    pub action: Action,
    /// What it may change and execute.
    pub scope: ActionScope,
    /// The policy to apply; `None` in the baseline lane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<P>,
    /// What to ask the policy before the operation (macOS); `None` if nothing is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckRequest>,
    /// How long the probe may run, in milliseconds. Its server ends it; should the server be gone, a process that was
    /// started afresh ends itself.
    pub deadline_ms: u64,
}

impl<P> Job<P> {
    /// The same job with what `policy` makes of its policy.
    ///
    /// # Errors
    /// That of `policy`.
    pub fn try_map_policy<Q, E>(self, policy: impl FnOnce(P) -> Result<Q, E>) -> Result<Job<Q>, E> {
        Ok(Job {
            policy: self.policy.map(policy).transpose()?,
            seq: self.seq,
            action: self.action,
            scope: self.scope,
            check: self.check,
            deadline_ms: self.deadline_ms,
        })
    }
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
        let value = |spelled: &str| self.texts.iter().find(|(known, _)| known == spelled).map(|(_, text)| text.clone());
        let replaced = policy.map_texts(|text| {
            placeholder::replace(text, |spelled, _| {
                Ok::<_, Infallible>(value(spelled).unwrap_or_else(|| spelled.to_owned()))
            })
        });
        match replaced {
            Ok(policy) => policy,
            Err(never) => match never {},
        }
    }
}

/// What became of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The number of the job that it answers.
    pub seq: u64,
    /// The child, if it could be forked.
    pub pid: Option<i32>,
    /// When it was forked, in seconds since 1970.
    pub started_at_unix_s: f64,
    /// From fork to end, in microseconds.
    pub duration_us: u64,
    /// How the process ended; [`Ending::Lost`] if it may still run.
    pub ending: Ending,
    /// What it wrote to its private descriptor: up to two lines of JSON (`record::report`).
    pub report: Vec<u8>,
    /// Whether it wrote more than fits.
    pub report_overflow: bool,
    /// Whether processes of its group were alive after it ended (they were killed).
    pub left_descendants: bool,
    /// What kind of process it was; `None` if it could not be started.
    pub process: Option<ProbeProcess>,
    /// Whether this is the last answer of this server, which ends by itself. Jobs that it was sent and did not answer are
    /// another's to do.
    pub spent: bool,
}

/// What is true of a reply, as a bit each in its head.
mod flag {
    /// [`Reply::report_overflow`](super::Reply::report_overflow).
    pub(super) const OVERFLOW: u8 = 1;
    /// [`Reply::left_descendants`](super::Reply::left_descendants).
    pub(super) const LEFT: u8 = 2;
    /// It exited, and the head has its exit code. Else the head has the length of the ending, which follows as JSON.
    pub(super) const EXITED: u8 = 4;
    /// [`Reply::spent`](super::Reply::spent).
    pub(super) const SPENT: u8 = 8;
    /// Two bits: where the kind of its process stands in [`ProbeProcess::ALL`](super::ProbeProcess::ALL), counted from 1; 0
    /// for none.
    pub(super) const PROCESS: u8 = 0b11 << PROCESS_SHIFT;
    /// By how many bits that is shifted.
    pub(super) const PROCESS_SHIFT: u32 = 4;
    /// All of them.
    pub(super) const KNOWN: u8 = OVERFLOW | LEFT | EXITED | SPENT | PROCESS;
}

impl Reply {
    /// The reply to the job `seq`, whose process is about to be started and was not yet.
    pub fn to(seq: u64) -> Self {
        Self {
            seq,
            pid: None,
            started_at_unix_s: unix_seconds(),
            duration_us: 0,
            ending: Ending::NotStarted { errno: 0 },
            report: Vec::new(),
            report_overflow: false,
            left_descendants: false,
            process: None,
            spent: false,
        }
    }

    /// The report, if it is whole and text.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.report).ok().filter(|_| !self.report_overflow)
    }
}

/// Writes one frame. `scratch` is reused between calls.
pub fn write_frame<T: Serialize>(out: &mut impl Write, scratch: &mut Vec<u8>, message: &T) -> io::Result<()> {
    scratch.clear();
    append_frame(scratch, |frame| json_out::append_compact(frame, message))?;
    out.write_all(scratch)
}

/// Writes a reply. `scratch` is reused between calls.
pub fn write_reply(out: &mut impl Write, scratch: &mut Vec<u8>, reply: &Reply) -> io::Result<()> {
    scratch.clear();
    append_frame(scratch, |frame| append_reply(frame, reply))?;
    out.write_all(scratch)
}

fn append_reply(frame: &mut Vec<u8>, reply: &Reply) -> io::Result<()> {
    let mut flags = 0;
    let facts =
        [(flag::OVERFLOW, reply.report_overflow), (flag::LEFT, reply.left_descendants), (flag::SPENT, reply.spent)];
    for (flag, set) in facts {
        flags |= if set { flag } else { 0 };
    }
    let place =
        ProbeProcess::ALL.iter().position(|kind| Some(*kind) == reply.process).map_or(0, |place| place as u8 + 1);
    flags |= place << flag::PROCESS_SHIFT;
    let (number, ending) = match &reply.ending {
        Ending::Exited { code } => (code.cast_unsigned(), Vec::new()),
        other => {
            let ending = serde_json::to_vec(other)?;
            (length_of(&ending)?, ending)
        }
    };
    if ending.is_empty() {
        flags |= flag::EXITED;
    }
    frame.extend_from_slice(&reply.seq.to_le_bytes());
    frame.extend_from_slice(&reply.started_at_unix_s.to_le_bytes());
    frame.extend_from_slice(&reply.duration_us.to_le_bytes());
    // No process has the id 0.
    frame.extend_from_slice(&reply.pid.unwrap_or(0).to_le_bytes());
    frame.extend_from_slice(&number.to_le_bytes());
    frame.push(flags);
    frame.extend_from_slice(&ending);
    frame.extend_from_slice(&reply.report);
    Ok(())
}

fn length_of(bytes: &[u8]) -> io::Result<u32> {
    u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

fn append_frame(out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<()> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    content(out)?;
    let length = length_of(&out[start + 4..])?;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

/// Reads one frame; `None` at a clean end. `scratch` is reused between calls.
pub fn read_frame<T: DeserializeOwned>(source: &mut impl Read, scratch: &mut Vec<u8>) -> io::Result<Option<T>> {
    if !read_bytes(source, scratch)? {
        return Ok(None);
    }
    json::typed(scratch).map(Some).map_err(io::Error::from)
}

/// Reads a reply; `None` at a clean end. `scratch` is reused between calls.
pub fn read_reply(source: &mut impl Read, scratch: &mut Vec<u8>) -> io::Result<Option<Reply>> {
    if read_bytes(source, scratch)? { reply_of(scratch).map(Some) } else { Ok(None) }
}

fn reply_of(mut frame: &[u8]) -> io::Result<Reply> {
    let frame = &mut frame;
    let seq = u64::from_le_bytes(take(frame)?);
    let started_at_unix_s = f64::from_le_bytes(take(frame)?);
    let duration_us = u64::from_le_bytes(take(frame)?);
    let pid = Some(i32::from_le_bytes(take(frame)?)).filter(|pid| *pid != 0);
    let number = u32::from_le_bytes(take(frame)?);
    let [flags] = take(frame)?;
    if flags & !flag::KNOWN != 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a reply says what is not known"));
    }
    let ending = if flags & flag::EXITED != 0 {
        Ending::Exited { code: number.cast_signed() }
    } else {
        let (ending, rest) = frame.split_at_checked(number as usize).ok_or(io::ErrorKind::UnexpectedEof)?;
        *frame = rest;
        serde_json::from_slice(ending)?
    };
    Ok(Reply {
        seq,
        pid,
        started_at_unix_s,
        duration_us,
        ending,
        report: frame.to_vec(),
        report_overflow: flags & flag::OVERFLOW != 0,
        left_descendants: flags & flag::LEFT != 0,
        process: usize::from((flags & flag::PROCESS) >> flag::PROCESS_SHIFT)
            .checked_sub(1)
            .and_then(|place| ProbeProcess::ALL.get(place).copied()),
        spent: flags & flag::SPENT != 0,
    })
}

/// Takes the first bytes of a frame.
fn take<const N: usize>(frame: &mut &[u8]) -> io::Result<[u8; N]> {
    let (first, rest) = frame.split_first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
    *frame = rest;
    Ok(*first)
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
    use crate::record::ending::SentSignal;

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
    fn a_reply_reads_back() {
        let reply = |report: &[u8], ending: Ending| Reply {
            seq: 3,
            pid: Some(7),
            started_at_unix_s: 1.5,
            duration_us: u64::MAX,
            ending,
            report: report.to_vec(),
            report_overflow: false,
            left_descendants: true,
            process: Some(ProbeProcess::Forked),
            spent: false,
        };
        let sent = SentSignal { signal: 15, at_ms: 20 };
        let replies = [
            reply(b"{\"a\":1}\n\xff", Ending::Exited { code: 255 }),
            Reply { pid: None, process: None, ..reply(b"", Ending::NotStarted { errno: 1 }) },
            Reply {
                process: Some(ProbeProcess::Shared),
                spent: true,
                ..reply(b"{}", Ending::Signaled { signal: 9, core_dumped: false })
            },
            reply(b"{}", Ending::Expired { deadline_ms: 20, sent: vec![sent], signal: None }),
            Reply {
                report_overflow: true,
                process: Some(ProbeProcess::Fresh),
                ..reply(b"x", Ending::Lost { reason: "who knows".into() })
            },
        ];
        let (mut wire, mut scratch) = (Vec::new(), Vec::new());
        for reply in &replies {
            write_reply(&mut wire, &mut scratch, reply).unwrap();
        }
        let mut source = &wire[..];
        for reply in &replies {
            assert_eq!(read_reply(&mut source, &mut scratch).unwrap().as_ref(), Some(reply));
        }
        assert_eq!(read_reply(&mut source, &mut scratch).unwrap(), None);
        assert_eq!(replies.each_ref().map(Reply::text), [None, Some(""), Some("{}"), Some("{}"), None]);
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        let reply = Reply {
            seq: 3,
            pid: Some(7),
            started_at_unix_s: 1.5,
            duration_us: 9,
            ending: Ending::Signaled { signal: 9, core_dumped: true },
            report: b"{}".to_vec(),
            report_overflow: false,
            left_descendants: false,
            process: None,
            spent: false,
        };
        let mut frame = Vec::new();
        append_reply(&mut frame, &reply).unwrap();
        assert_eq!(reply_of(&frame).unwrap(), reply);
        // Cut off in its head or its ending, a flag that nobody sets, an ending that is none.
        for length in 0..frame.len() - reply.report.len() {
            assert!(reply_of(&frame[..length]).is_err(), "{length} bytes");
        }
        let head = frame.len() - reply.report.len() - serde_json::to_vec(&reply.ending).unwrap().len();
        for (at, byte) in [(head - 1, 64), (head, b'x')] {
            let mut other = frame.clone();
            other[at] = byte;
            assert!(reply_of(&other).is_err(), "byte {at}");
        }
        // A frame that ends too early is no clean end.
        let mut wire = Vec::new();
        write_reply(&mut wire, &mut Vec::new(), &reply).unwrap();
        for length in 1..wire.len() {
            assert!(read_reply(&mut &wire[..length], &mut Vec::new()).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn what_is_sent_is_what_is_read() {
        let job = Job {
            seq: 1,
            action: Action::new(crate::record::driver::Driver::FileRead, "/a"),
            scope: ActionScope { own: vec!["/r".into()], host_programs: true },
            policy: Some(PolicyUse { key: 2, texts: vec![("${root}".into(), "/r".into())] }),
            check: None,
            deadline_ms: 5,
        };
        let policy = Enforceable::Sbpl { text: "(version 1)".into(), parameters: Default::default() };
        let (mut wire, mut scratch) = (Vec::new(), Vec::new());
        for request in
            [ZygoteRequest::Run(Cow::Borrowed(&job)), ZygoteRequest::Policy { key: 2, policy: Cow::Borrowed(&policy) }]
        {
            wire.clear();
            write_frame(&mut wire, &mut scratch, &request).unwrap();
            assert_eq!(read_frame::<ZygoteRequest<'_>>(&mut &wire[..], &mut scratch).unwrap(), Some(request));
        }
        // One without a policy has no member for it.
        let job = Job { policy: None, ..job };
        wire.clear();
        write_frame(&mut wire, &mut scratch, &job).unwrap();
        assert_eq!(read_frame::<Job<Enforceable>>(&mut &wire[..], &mut scratch).unwrap().unwrap().policy, None);
        assert_eq!(read_frame::<Job>(&mut &wire[..], &mut scratch).unwrap(), Some(job));
    }
}
