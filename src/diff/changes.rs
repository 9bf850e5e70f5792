//! Items that differ, gathered into changes: what can only change together is one change.
//!
//! A policy document and its meaning are one change; so are the facts that one system states about itself, and a time
//! zone and the variable that names it. [`ReachClass`] says which rows a change can reach; `SPEC.md` publishes both rules.

use std::collections::BTreeSet;

use serde_json::Value;

use super::names::parts_of;
use super::system_changes::{NamedChange, SystemSides};
use crate::record::identity::{Declaration, RUN_KIND};
use crate::record::run_diff::{Change, DifferingItem, PartDiff, RowReach};

/// A change, and which rows it can reach.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ReachingChange {
    pub(super) change: Change,
    pub(super) class: ReachClass,
}

/// Which rows a change can reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReachClass {
    /// Every row: it stands for something that all probes meet.
    All,
    /// Rows that only one side has: it decides which rows there are.
    Presence,
    /// Rows for which what was resolved from plan and registry differs.
    Registry,
    /// Rows of these profiles; never a row of the baseline lane, which has no launcher.
    Launcher(BTreeSet<String>),
    /// Rows of these profiles, if what their policy means differs; never a row of the baseline lane, which has none.
    Policy(BTreeSet<String>),
    /// None: what it stands for is read by no probe and by no rule that decides a row.
    Nothing,
}

impl ReachClass {
    fn reach(&self) -> RowReach {
        match self {
            Self::All => RowReach::AllRows,
            Self::Presence => RowReach::Presence,
            Self::Registry | Self::Policy(_) | Self::Launcher(_) => RowReach::ResolvedRows,
            Self::Nothing => RowReach::NoRow,
        }
    }
}

/// What a system states about itself; these facts change with the system, not one by one.
const SYSTEM_FACTS: [&str; 8] = [
    "kernel_release",
    "kernel_version",
    "landlock_abi",
    "landlock_errata",
    "lsms",
    "product_build",
    "product_version",
    "shared_cache_uuid",
];

/// Gathers the material items.
pub(super) fn gather(a: &Declaration, b: &Declaration, parts: &[PartDiff]) -> Vec<ReachingChange> {
    let items: Vec<&DifferingItem> = parts.iter().flat_map(|part| &part.items).filter(|item| item.material).collect();
    let sides = DeclarationSides { a, b, items: &items };
    let system = SystemSides { a, b, items: &items };
    let sorted = items.iter().flat_map(|item| {
        let found = if a.kind == RUN_KIND {
            vec![sides.of_run(item)]
        } else {
            let changes = system.of(item).into_iter();
            changes.map(|NamedChange { id, what }| (id, Some(what), ReachClass::All)).collect()
        };
        found.into_iter().map(move |found| (item, found))
    });
    let mut changes: Vec<ReachingChange> = Vec::new();
    for (item, (mut id, what, class)) in sorted {
        // An element that was taken out of a list and one that was put in can have the same place, each on its side.
        let alone = id == item.pointer && item.a.is_none();
        if alone && changes.iter().any(|known| known.change.id == id) {
            id.push_str(" in B");
        }
        if let Some(known) = changes.iter_mut().find(|known| known.change.id == id) {
            known.change.pointers.push(item.pointer.clone());
            if let (ReachClass::Policy(profiles), ReachClass::Policy(more)) = (&mut known.class, class) {
                profiles.extend(more);
            }
            continue;
        }
        let change = Change {
            id,
            what: what.unwrap_or_else(|| item.name.clone()),
            reach: class.reach(),
            pointers: vec![item.pointer.clone()],
        };
        changes.push(ReachingChange { change, class });
    }
    changes
}

type SortedChanges = (String, Option<String>, ReachClass);

struct DeclarationSides<'a> {
    a: &'a Declaration,
    b: &'a Declaration,
    items: &'a [&'a DifferingItem],
}

impl DeclarationSides<'_> {
    /// The change that an item of a run's declaration belongs to: its id, its name if it is not the item's, its class.
    fn of_run(&self, item: &DifferingItem) -> SortedChanges {
        let parts = parts_of(&item.pointer);
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let named = |id: &str, what: &str, class| (id.to_owned(), Some(what.to_owned()), class);
        let own = |class| (item.pointer.clone(), None, class);
        match parts.as_slice() {
            ["artifact", "tool", ..] => named("tool", "the executable", ReachClass::All),
            ["artifact", "plan" | "fixtures", ..]
            | ["artifact", "documents", "plan" | "index" | "probes" | "profiles", ..]
            | ["policy", "expectations", ..] => {
                named("registry", "the plan, its registry or its fixtures", ReachClass::Registry)
            }
            ["artifact", "documents", "policy", path, ..] => self.policy_document(path),
            ["artifact", "profiles", profile, ..] => self.policy(profile),
            ["artifact", "launchers", profile, ..] => {
                let class = ReachClass::Launcher(BTreeSet::from([(*profile).to_owned()]));
                named(&format!("launcher:{profile}"), &self.launcher(profile), class)
            }
            ["artifact", "preflight_policy", ..] => {
                named("preflight_policy", "the policy of the apply preflight", ReachClass::Nothing)
            }
            ["artifact", "subject", ..]
            | ["artifact", "documents", "subject" | "subject_file" | "subject_digest", ..] => {
                named("subject", "the declaration of the subject", ReachClass::Nothing)
            }
            ["runtime", "host", fact, ..] if SYSTEM_FACTS.contains(fact) => self.system(),
            ["runtime", "enforcer", "abilities", ..] | ["runtime", "world", "world_id", ..] if self.has_system() => {
                self.system()
            }
            ["artifact", "template" | "documents", ..]
            | ["runtime", "world", ..]
            | ["policy", "gate_rules" | "preflight", ..]
            | ["history", "waivers", ..] => own(ReachClass::Nothing),
            ["policy", "selection" | "shard", ..] => {
                named("selection", "the selection of what is run", ReachClass::Presence)
            }
            ["runtime", "host", "uid_class"] | ["runtime", "user", ..] => {
                named("user", "the user who runs it", ReachClass::All)
            }
            ["runtime", "host", "fixture_fs"] | ["runtime", "fixture_file_system", ..] => {
                named("fixture_file_system", "the file system of the fixtures", ReachClass::All)
            }
            ["runtime", "confinement", ..] => {
                named("confinement", "what confines the run from outside", ReachClass::All)
            }
            ["runtime", "enforcer", ..] => named("enforcer", "the enforcer", ReachClass::All),
            ["runtime", "channel", ..] => named("channel", "the channel", ReachClass::All),
            ["runtime", "environment", name, ..] => Self::variable(name),
            // What follows from a variable changes with it.
            ["runtime", "time_zone", ..] if self.differs("/runtime/environment/TZ") => Self::variable("TZ"),
            ["runtime", "locale", ..] => match self.locale_variable() {
                Some(name) => Self::variable(&name),
                None => own(ReachClass::All),
            },
            _ => own(ReachClass::All),
        }
    }

    /// `the launcher of `P`, from X 1.0 to X 1.1`, as far as both say a version.
    fn launcher(&self, profile: &str) -> String {
        let version = |side: &Declaration| {
            let launcher = side.artifact.get("launchers")?.get(profile)?;
            launcher.get("version")?.as_str().map(str::to_owned)
        };
        match (version(self.a), version(self.b)) {
            (Some(a), Some(b)) if a == b => format!("the launcher of `{profile}`, which is `{a}` on both sides"),
            (Some(a), Some(b)) => format!("the launcher of `{profile}`, from `{a}` to `{b}`"),
            _ => format!("the launcher of `{profile}`"),
        }
    }

    fn variable(name: &str) -> SortedChanges {
        (format!("environment:{name}"), Some(format!("the environment variable `{name}`")), ReachClass::All)
    }

    fn system(&self) -> SortedChanges {
        ("system".to_owned(), Some("the system that the host runs".to_owned()), ReachClass::All)
    }

    fn has_system(&self) -> bool {
        SYSTEM_FACTS.into_iter().any(|fact| self.differs(&format!("/runtime/host/{fact}")))
    }

    /// Whether something at or below a pointer differs.
    fn differs(&self, pointer: &str) -> bool {
        let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
        self.items.iter().any(|item| item.pointer.strip_prefix(pointer).is_some_and(below))
    }

    /// The first variable that differs among those that a locale follows from.
    fn locale_variable(&self) -> Option<String> {
        self.items.iter().find_map(|item| {
            let name = item.pointer.strip_prefix("/runtime/environment/")?;
            let name = parts_of(&format!("/{name}")).into_iter().next()?;
            (name == "LANG" || name == "LANGUAGE" || name.starts_with("LC_")).then_some(name)
        })
    }

    /// The policy documents of a profile, on both sides.
    fn paths(&self, profile: &str) -> [Option<&str>; 2] {
        [self.a, self.b].map(|side| side.artifact.get("profiles")?.get(profile)?.get("path").and_then(Value::as_str))
    }

    fn policy(&self, profile: &str) -> SortedChanges {
        let [a, b] = self.paths(profile);
        let path = b.or(a).unwrap_or(profile);
        let class = ReachClass::Policy(BTreeSet::from([profile.to_owned()]));
        (format!("policy:{path}"), Some(format!("the policy `{path}`")), class)
    }

    /// A policy document belongs to the profile that has it as its policy.
    fn policy_document(&self, path: &str) -> SortedChanges {
        let profiles = self.items.iter().filter_map(|item| {
            let parts = parts_of(&item.pointer);
            match parts.as_slice() {
                [artifact, profiles, profile, ..] if artifact == "artifact" && profiles == "profiles" => {
                    Some(profile.clone())
                }
                _ => None,
            }
        });
        let mut own = profiles.filter(|profile| self.paths(profile).contains(&Some(path)));
        match own.next() {
            Some(profile) => self.policy(&profile),
            None => {
                let preflight = [self.a, self.b].into_iter().any(|side| {
                    let policy = side.artifact.get("preflight_policy");
                    policy.and_then(|policy| policy.get("path")).and_then(Value::as_str) == Some(path)
                });
                let id = if preflight { "preflight_policy".to_owned() } else { format!("policy:{path}") };
                let what = if preflight {
                    "the policy of the apply preflight".to_owned()
                } else {
                    format!("the policy `{path}`")
                };
                (id, Some(what), if preflight { ReachClass::Nothing } else { ReachClass::Policy(BTreeSet::new()) })
            }
        }
    }
}
