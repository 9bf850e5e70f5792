//! Reading normalised events one at a time, whatever their number.

use std::io::{self, BufRead};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::base::json_array::ArrayReader;
use crate::base::limits::MAX_ROWS;
use crate::record::events::EventView;
use crate::record::outcome::Decision;

/// An event that nothing vouches for, which another program may have written.
#[derive(Debug, Deserialize)]
pub(super) struct ForeignEvent {
    #[serde(flatten)]
    facts: EventView<String>,
    pub(super) world_id: Option<String>,
    errno: Option<i64>,
    probe_details: Option<Value>,
}

impl ForeignEvent {
    /// The event, with a decision only if a call decided. The reference counts as a denial whatever went wrong: a program
    /// that died, timed out or ended with an exit code, which then stands in the place of an error number.
    pub(super) fn judged(self) -> EventView<String> {
        let decided = match self.facts.actual {
            Some(Decision::Deny) => self.is_refusal(),
            Some(Decision::Allow) | None => true,
        };
        match decided {
            true => self.facts,
            false => EventView { actual: None, matched: None, ..self.facts },
        }
    }

    /// Whether a call was refused, as far as the event says how it went.
    fn is_refusal(&self) -> bool {
        /// EPERM, EACCES, and the bootstrap server's code that means the same.
        const DENIALS: [i64; 3] = [1, 13, 1100];
        match self.facts.failure_kind.as_deref() {
            Some("probe_timeout" | "probe_errno") => false,
            // Only what the probe itself reported is an error number; else it is the exit code of its program, or a
            // signal.
            Some("probe_nonzero_exit") => {
                let said = |key: &str| self.probe_details.as_ref()?.get(key)?.as_i64();
                let reported = ["errno", "rc", "err"].into_iter().find_map(said);
                reported == self.errno && self.errno.is_some_and(|errno| DENIALS.contains(&errno))
            }
            _ => self.errno.is_none_or(|errno| errno >= 0),
        }
    }
}

/// Gives every event of the array in `reader` to `take`, in order.
///
/// # Errors
/// If it is no array of events. A bundle has no more than [`MAX_ROWS`]; a file that nothing vouches for may.
pub(super) fn for_each<T: DeserializeOwned>(reader: &mut dyn BufRead, take: &mut dyn FnMut(T)) -> io::Result<()> {
    let refused = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    let mut events = ArrayReader::open(reader, None)?;
    let mut count = 0;
    while let Some(event) = events.next()? {
        count += 1;
        if count > MAX_ROWS {
            return Err(refused(format!("there are more than {MAX_ROWS} events")));
        }
        take(serde_json::from_slice(event).map_err(|error| refused(format!("event {count}: {error}")))?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_foreign_denial_needs_a_call_that_was_refused() {
        let judged = |more: Value| {
            let mut event = json!({"scenario_id": "s", "profile_id": "p", "operation": "file-read*", "expected": "deny",
                "actual": "deny", "match": true, "failure_stage": "probe"});
            event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let event: ForeignEvent = serde_json::from_value(event).unwrap();
            let facts = event.judged();
            (facts.actual, facts.matched)
        };
        let denied = (Some(Decision::Deny), Some(true));
        let open = (None, None);
        let exit = |errno: i64, details: Value| {
            judged(json!({"failure_kind": "probe_nonzero_exit", "errno": errno, "probe_details": details}))
        };
        assert_eq!(exit(-11, Value::Null), open, "it died by a signal");
        assert_eq!(exit(1, Value::Null), open, "an exit code in the place of an error number");
        assert_eq!(exit(1, json!("text")), open);
        assert_eq!(exit(1, json!({"errno": 1})), denied);
        assert_eq!(exit(13, json!({"errno": 13})), denied);
        assert_eq!(exit(1100, json!({"rc": 1100})), denied);
        assert_eq!(exit(2, json!({"errno": 2})), open, "there was nothing there");
        assert_eq!(judged(json!({"failure_kind": "probe_timeout"})), open);
        assert_eq!(judged(json!({"failure_kind": "probe_errno", "errno": 5})), open);
        assert_eq!(judged(json!({"failure_kind": "probe_syscall_errno", "errno": 18})), denied, "one of ours");
        assert_eq!(judged(json!({"failure_stage": null, "failure_kind": null})), denied, "said in so many words");
        let allowed = json!({"actual": "allow", "match": false, "failure_stage": null, "errno": null});
        assert_eq!(judged(allowed), (Some(Decision::Allow), Some(false)));
    }
}
