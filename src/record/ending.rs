//! How a probe process ended, as the harness saw it. Every variant is evidence, never a harness error.

use serde::{Deserialize, Serialize};

use crate::base::json::present;

/// How a process ended. Exit code and signal stay apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case", try_from = "EndingMembers")]
pub enum Ending {
    /// It exited by itself.
    Exited {
        /// The exit code, 0 to 255.
        code: i32,
    },
    /// A signal ended it.
    Signaled {
        /// The signal's number.
        signal: i32,
        /// Whether the kernel wrote a core dump.
        core_dumped: bool,
    },
    /// It was still running at its deadline and was ended by the harness.
    Expired {
        /// The deadline, in milliseconds from the start.
        deadline_ms: u64,
        /// Each signal that was sent, in order.
        sent: Vec<SentSignal>,
        /// The signal that `wait(2)` finally reported, if it was one.
        signal: Option<i32>,
    },
    /// It could not be started.
    NotStarted {
        /// The error number of the failed start.
        errno: i32,
    },
    /// The process that runs probes was gone, so nothing is known.
    Lost {
        /// What the harness saw.
        reason: String,
    },
}

/// One rung of the termination ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentSignal {
    /// The signal's number.
    pub signal: i32,
    /// When it was sent, in milliseconds from the start of the process.
    pub at_ms: u64,
}

/// An ending as it is read: all members that any has. (A tagged enum that is derived would take a list for an object.)
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndingMembers {
    how: EndingWord,
    #[serde(default, deserialize_with = "present")]
    code: Option<i32>,
    /// Null where an expired process exited.
    #[serde(default, deserialize_with = "present")]
    signal: Option<Option<i32>>,
    #[serde(default, deserialize_with = "present")]
    core_dumped: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    deadline_ms: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    sent: Option<Vec<SentSignal>>,
    #[serde(default, deserialize_with = "present")]
    errno: Option<i32>,
    #[serde(default, deserialize_with = "present")]
    reason: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EndingWord {
    Exited,
    Signaled,
    Expired,
    NotStarted,
    Lost,
}

impl TryFrom<EndingMembers> for Ending {
    type Error = &'static str;

    fn try_from(read: EndingMembers) -> Result<Self, Self::Error> {
        let how = read.how;
        let EndingMembers { code, signal, core_dumped, deadline_ms, sent, errno, reason, .. } = read;
        match (how, code, signal, core_dumped, deadline_ms, sent, errno, reason) {
            (EndingWord::Exited, Some(code), None, None, None, None, None, None) => Ok(Self::Exited { code }),
            (EndingWord::Signaled, None, Some(Some(signal)), Some(core_dumped), None, None, None, None) => {
                Ok(Self::Signaled { signal, core_dumped })
            }
            (EndingWord::Expired, None, Some(signal), None, Some(deadline_ms), Some(sent), None, None) => {
                Ok(Self::Expired { deadline_ms, sent, signal })
            }
            (EndingWord::NotStarted, None, None, None, None, None, Some(errno), None) => Ok(Self::NotStarted { errno }),
            (EndingWord::Lost, None, None, None, None, None, None, Some(reason)) => Ok(Self::Lost { reason }),
            _ => Err("an ending has other members than its `how` calls for"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(value: Value) -> Option<Ending> {
        let text = value.to_string();
        crate::base::json::typed(text.as_bytes()).ok()
    }

    #[test]
    fn an_ending_has_the_members_that_its_word_calls_for() {
        let endings = [
            Ending::Exited { code: 3 },
            Ending::Signaled { signal: 9, core_dumped: false },
            Ending::Expired { deadline_ms: 10, sent: vec![SentSignal { signal: 15, at_ms: 10 }], signal: Some(9) },
            Ending::Expired { deadline_ms: 10, sent: Vec::new(), signal: None },
            Ending::NotStarted { errno: 11 },
            Ending::Lost { reason: "gone".into() },
        ];
        for ending in endings {
            let written = serde_json::to_value(&ending).unwrap();
            assert_eq!(read(written.clone()), Some(ending));
            for name in written.as_object().unwrap().keys() {
                let mut without = written.clone();
                without.as_object_mut().unwrap().remove(name);
                assert_eq!(read(without), None, "{written} without {name}");
            }
            for (name, more) in [("code", json!(0)), ("reason", json!("")), ("signal", Value::Null), ("x", json!(1))] {
                let mut with = written.clone();
                if with.get(name).is_none() {
                    with[name] = more;
                    assert_eq!(read(with.clone()), None, "{with}");
                }
            }
        }
        assert_eq!(read(json!(["exited", {"code": 0}])), None);
        assert_eq!(read(json!({"how": "expired", "deadline_ms": 1, "sent": [[15, 1]], "signal": 9})), None);
    }
}
