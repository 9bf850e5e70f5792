//! Probes in memory: what a registry says of each, and what many say alike kept once.
//!
//! A registry may have a million probes, and most differ from others in their ids and their target alone. So those are a probe's
//! own, and all else is shared by the probes that were read together. How a probe is written is [`WrittenProbe`].

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use compact_str::CompactString;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::written_probe::{EVERY_CONTROL, WrittenProbe};
use crate::base::ids::{ExpectationId, ProbeId};
use crate::record::action::BindMount;
use crate::record::fixture::{FixtureEntry, ListenerSpec};
use crate::record::launcher::{Mechanism, Names};
use crate::record::outcome::{Expectation, Lane};

/// One probe. What stands in its [`ProbeManner`] reads, and is changed, as if it were the probe's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "WrittenProbe", into = "WrittenProbe")]
pub struct ProbeEntry {
    /// Equals its key, which it is where it is absent.
    pub probe_id: ProbeId,
    /// Short name, unique inside a profile. Absent: the probe id.
    pub name: Option<CompactString>,
    /// What the operation is attempted on. Placeholders: `${root}`, `${port.NAME}`, `${name.NAME}`.
    pub target: Arc<str>,
    /// Overrides the probe id as expectation id.
    pub expectation_id: Option<ExpectationId>,
    /// Why the expectation holds.
    pub why: Option<Box<str>>,
    manner: Arc<ProbeManner>,
}

/// What probes can have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProbeManner {
    /// Sandbox operation, under Seatbelt's name.
    pub operation: String,
    /// What the author expects.
    pub expected: Expectation,
    /// `baseline`, `scenario`, `oracle`: whether the probe is made for the lane. It is not run in one that it is not.
    /// What is absent counts as true.
    pub supports_lanes: BTreeMap<String, bool>,
    /// The operations that the probe is expected to exercise. Absent: its own.
    pub expected_primary_ops: Option<Vec<String>>,
    expected_predicates: ExpectedPredicates,
    /// What host or user must have; see `plan::capability`. Absent: nothing.
    pub capabilities_required: Vec<String>,
    /// `baseline`, `allow_default`, `deny_default`. Absent: all of them.
    pub controls_supported: Option<Vec<String>>,
    /// `blob` forces blob mode.
    pub mode: Option<String>,
    /// The driver. On Linux one of `record::driver`.
    pub driver: Option<String>,
    /// The system call, where a driver has several.
    pub syscall: Option<String>,
    /// Attribute payload of the metadata calls.
    pub attr_payload: Option<String>,
    /// Anchor context, copied to rows.
    pub anchor_ctx_id: Option<String>,
    /// Filter of the policy query, by name.
    pub filter_name: Option<String>,
    /// Filter of the policy query, by number.
    pub filter_type: Option<i64>,
    /// The second path of a rename, an exchange or a link; the text of a symbolic link; the folder a bind mount shows.
    pub to: Option<String>,
    /// The name of an extended attribute.
    pub attribute: Option<String>,
    /// What an executed program is given, its name for itself first.
    pub argv: Vec<String>,
    /// The exit code with which an executed program has to end.
    pub exit_code: Option<i32>,
    /// Made under `${root}` after the profile's own fixtures.
    pub fixtures: Vec<FixtureEntry>,
    /// Bind mounts in a mount namespace of the probe's own.
    pub mounts: Vec<BindMount>,
    /// What the harness listens on while the probe runs.
    pub listener: Option<ListenerSpec>,
    /// How a denial under a launcher has to come about. Empty: in whatever way.
    pub mechanism: Vec<Mechanism>,
    /// The error numbers, by name, with one of which a denial has to come. Empty: with whichever.
    pub errno: Vec<String>,
    /// Whether the expectation is about the target's name as it is spelled, whatever other names its object has inside of a
    /// launcher.
    pub name_alone: bool,
}

/// The targets that the policy is expected to look at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum ExpectedPredicates {
    /// Nothing is said: the probe's own.
    Unsaid,
    /// The probe's own, and no other. Not spelled out, so that probes of different targets have it in common.
    Target,
    /// These.
    Listed(Vec<String>),
}

impl Deref for ProbeEntry {
    type Target = ProbeManner;

    fn deref(&self) -> &ProbeManner {
        &self.manner
    }
}

impl DerefMut for ProbeEntry {
    fn deref_mut(&mut self) -> &mut ProbeManner {
        Arc::make_mut(&mut self.manner)
    }
}

impl From<WrittenProbe> for ProbeEntry {
    fn from(written: WrittenProbe) -> Self {
        SharedManners::default().probe(written)
    }
}

impl From<ProbeEntry> for WrittenProbe {
    fn from(probe: ProbeEntry) -> Self {
        let ProbeManner {
            operation,
            expected,
            supports_lanes,
            expected_primary_ops,
            capabilities_required,
            controls_supported,
            mode,
            driver,
            syscall,
            attr_payload,
            anchor_ctx_id,
            filter_name,
            filter_type,
            to,
            attribute,
            argv,
            exit_code,
            fixtures,
            mounts,
            listener,
            mechanism,
            errno,
            name_alone,
            expected_predicates,
        } = Arc::unwrap_or_clone(probe.manner);
        let expected_predicates = match expected_predicates {
            ExpectedPredicates::Unsaid => None,
            ExpectedPredicates::Target => Some(vec![probe.target.to_string()]),
            ExpectedPredicates::Listed(listed) => Some(listed),
        };
        Self {
            probe_id: probe.probe_id,
            name: probe.name,
            target: probe.target.to_string(),
            expectation_id: probe.expectation_id,
            why: probe.why,
            expected_predicates,
            operation,
            expected,
            supports_lanes,
            expected_primary_ops,
            capabilities_required,
            controls_supported,
            mode,
            driver,
            syscall,
            attr_payload,
            anchor_ctx_id,
            filter_name,
            filter_type,
            to,
            attribute,
            argv,
            exit_code,
            fixtures,
            mounts,
            listener,
            mechanism,
            errno,
            name_alone,
        }
    }
}

/// What the probes that were read so far have in common.
#[derive(Debug, Default)]
struct SharedManners {
    manners: HashSet<Arc<ProbeManner>>,
    targets: HashSet<Arc<str>>,
}

impl SharedManners {
    fn probe(&mut self, written: WrittenProbe) -> ProbeEntry {
        let WrittenProbe {
            probe_id,
            name,
            target,
            expectation_id,
            why,
            expected_predicates,
            operation,
            expected,
            supports_lanes,
            expected_primary_ops,
            capabilities_required,
            controls_supported,
            mode,
            driver,
            syscall,
            attr_payload,
            anchor_ctx_id,
            filter_name,
            filter_type,
            to,
            attribute,
            argv,
            exit_code,
            fixtures,
            mounts,
            listener,
            mechanism,
            errno,
            name_alone,
        } = written;
        let expected_predicates = match expected_predicates {
            None => ExpectedPredicates::Unsaid,
            Some(listed) if listed.len() == 1 && listed[0] == target => ExpectedPredicates::Target,
            Some(listed) => ExpectedPredicates::Listed(listed),
        };
        let manner = ProbeManner {
            expected_predicates,
            operation,
            expected,
            supports_lanes,
            expected_primary_ops,
            capabilities_required,
            controls_supported,
            mode,
            driver,
            syscall,
            attr_payload,
            anchor_ctx_id,
            filter_name,
            filter_type,
            to,
            attribute,
            argv,
            exit_code,
            fixtures,
            mounts,
            listener,
            mechanism,
            errno,
            name_alone,
        };
        ProbeEntry {
            probe_id,
            name,
            target: shared(&mut self.targets, target),
            expectation_id,
            why,
            manner: shared(&mut self.manners, manner),
        }
    }
}

/// The value that equals this one, if there was one before.
pub(super) fn shared<T: ?Sized + Eq + std::hash::Hash, V: std::borrow::Borrow<T> + Into<Arc<T>>>(
    known: &mut HashSet<Arc<T>>,
    value: V,
) -> Arc<T> {
    if let Some(known) = known.get(value.borrow()) {
        return Arc::clone(known);
    }
    let new: Arc<T> = value.into();
    known.insert(Arc::clone(&new));
    new
}

/// Reads probes by id, which share what they have in common; one that does not repeat its id has that of its key.
pub(super) fn by_id<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<ProbeId, Arc<ProbeEntry>>, D::Error> {
    struct ById;

    impl<'de> Visitor<'de> for ById {
        type Value = BTreeMap<ProbeId, Arc<ProbeEntry>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut probes = BTreeMap::new();
            let mut manners = SharedManners::default();
            while let Some((id, mut written)) = map.next_entry::<ProbeId, WrittenProbe>()? {
                if !written.probe_id.is_known() {
                    written.probe_id.clone_from(&id);
                }
                probes.insert(id, Arc::new(manners.probe(written)));
            }
            Ok(probes)
        }
    }

    deserializer.deserialize_map(ById)
}

/// Writes probes by id.
pub(super) fn as_written<S: Serializer>(
    probes: &BTreeMap<ProbeId, Arc<ProbeEntry>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(probes.iter().map(|(id, probe)| (id, &**probe)))
}

impl ProbeEntry {
    /// Its short name, which is its id where it has no other.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.probe_id.as_str())
    }

    /// The operations that it is expected to exercise.
    pub fn expected_primary_ops(&self) -> &[String] {
        self.expected_primary_ops.as_deref().unwrap_or(std::slice::from_ref(&self.operation))
    }

    /// The same probe with every default written out: of two documents that differ in nothing else, the same.
    pub fn written_out(&self) -> Self {
        let mut whole = self.clone();
        whole.name = Some(self.name().into());
        for lane in [Lane::Baseline, Lane::Scenario, Lane::Oracle] {
            whole.supports_lanes.entry(lane.as_str().to_owned()).or_insert(true);
        }
        whole.expected_primary_ops = Some(self.expected_primary_ops().to_vec());
        if whole.expected_predicates == ExpectedPredicates::Unsaid {
            whole.expected_predicates = ExpectedPredicates::Target;
        }
        whole.controls_supported.get_or_insert_with(|| EVERY_CONTROL.map(str::to_owned).to_vec());
        whole
    }

    /// What the expectation asks for, in a line of words: `deny`, `deny hidden or refused, with EROFS, by this name alone`.
    pub fn expectation(&self) -> String {
        let how: Vec<&str> = self.mechanism.iter().map(|mechanism| mechanism.as_str()).collect();
        let mut text = self.expected.as_str().to_owned();
        if !how.is_empty() {
            text.push_str(&format!(" {}", how.join(" or ")));
        }
        if !self.errno.is_empty() {
            text.push_str(if how.is_empty() { " with " } else { ", with " });
            text.push_str(&self.errno.join(" or "));
        }
        if self.name_alone {
            text.push_str(", by this name alone");
        }
        text
    }

    /// The names of its object that the expectation is about.
    pub fn names(&self) -> Names {
        if self.name_alone { Names::Spelled } else { Names::All }
    }

    /// Whether the probe is made for a lane. Controls are not its own.
    pub fn supports(&self, lane: Lane) -> bool {
        self.supports_lanes.get(lane.as_str()) != Some(&false)
    }
}
