//! What the harness and the zygote say to each other over one socket: frames of a 32-bit little-endian length and that
//! many bytes of JSON.

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

/// What the harness asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
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
    /// What it wrote to its private descriptor: up to two lines of JSON (`record::report`), as far as it is text.
    pub report: String,
    /// Whether it wrote more than fits, or bytes that are no text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub report_damaged: bool,
    /// Whether processes of its group were alive after it ended (they were killed).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left_descendants: bool,
}

/// Writes one frame. `scratch` is reused between calls.
pub fn write_frame<T: Serialize>(out: &mut impl Write, scratch: &mut Vec<u8>, message: &T) -> io::Result<()> {
    scratch.clear();
    scratch.extend_from_slice(&[0; 4]);
    serde_json::to_writer(&mut *scratch, message)?;
    let length = u32::try_from(scratch.len() - 4).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    scratch[..4].copy_from_slice(&length.to_le_bytes());
    out.write_all(scratch)
}

/// Reads one frame; `None` at a clean end. `scratch` is reused between calls.
pub fn read_frame<T: DeserializeOwned>(source: &mut impl Read, scratch: &mut Vec<u8>) -> io::Result<Option<T>> {
    let mut length = [0_u8; 4];
    let mut filled = 0;
    while filled < 4 {
        match source.read(&mut length[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
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
    scratch.resize(length, 0);
    source.read_exact(scratch)?;
    serde_json::from_slice(scratch).map(Some).map_err(io::Error::from)
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
}
