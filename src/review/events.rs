//! Reading normalised events one at a time, whatever their number.

use std::fmt;
use std::io::BufRead;

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, de};

use crate::record::outcome::{Decision, FailureStage};

/// What a review looks at in an event.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct EventFacts {
    pub(super) scenario_id: String,
    pub(super) expectation_id: Option<String>,
    pub(super) profile_id: String,
    pub(super) operation: String,
    pub(super) target: Option<String>,
    pub(super) expected: Option<Decision>,
    pub(super) actual: Option<Decision>,
    #[serde(rename = "match")]
    pub(super) matched: Option<bool>,
    pub(super) failure_stage: Option<FailureStage>,
    pub(super) failure_kind: Option<String>,
    pub(super) errno_name: Option<String>,
    pub(super) notes: Option<String>,
    pub(super) intended_op_witnessed: Option<bool>,
}

impl EventFacts {
    /// Whether it stopped before the operation.
    pub(super) fn is_blocked(&self) -> bool {
        matches!(self.failure_stage, Some(FailureStage::Preflight | FailureStage::Apply | FailureStage::Bootstrap))
    }
}

/// Gives every event of the array in `reader` to `take`, in order.
pub(super) fn for_each(reader: &mut dyn BufRead, take: &mut dyn FnMut(EventFacts)) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    Each(take).deserialize(&mut deserializer)?;
    deserializer.end()
}

struct Each<'a>(&'a mut dyn FnMut(EventFacts));

impl<'de> DeserializeSeed<'de> for Each<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Each<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut events: A) -> Result<(), A::Error> {
        /// A bundle has no more; a file that nothing vouches for may.
        const MOST: usize = crate::base::limits::MAX_ROWS;
        let mut count = 0;
        while let Some(event) = events.next_element()? {
            count += 1;
            if count > MOST {
                return Err(de::Error::custom(format_args!("there are more than {MOST} events")));
            }
            (self.0)(event);
        }
        Ok(())
    }
}
