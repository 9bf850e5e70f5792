//! What all templates have in common, and which builder a template is for.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::super::diagnostic::{DiagnosticKind, Diagnostics, pointer_part, shown};
use crate::base::ids::{PlanId, RegistryId, WorldId};
use crate::record::world::HOME_WORLD;

/// Who expands a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Builder {
    /// Plan and both registries are spelled out.
    Static,
    /// Profiles by paths and operations; what is expected follows from sets and pairs of paths.
    Vfs,
    /// Profiles by path pairs and metadata calls.
    Metadata,
    /// Profiles by path cases and Landlock operations; ours.
    Linux,
}

impl Builder {
    /// The word for `builder` in a template.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Vfs => "vfs",
            Self::Metadata => "metadata",
            Self::Linux => "linux",
        }
    }

    /// The keys of a template that it reads, beside [`COMMON_KEYS`].
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Static => &["plan", "probes", "profiles", "expected_matrix"],
            Self::Vfs => &["path_sets", "profiles", "profile_order", "lanes", "controls", "family", "semantic_group"],
            Self::Metadata => {
                &["path_pairs", "ops", "profiles", "profile_order", "lanes", "controls", "family", "semantic_group"]
            }
            Self::Linux => {
                &["paths", "operations", "profiles", "profile_order", "lanes", "controls", "family", "semantic_group"]
            }
        }
    }

    /// The contract's choice, in its order; a document may also say it outright, which the reference's do not.
    fn of(value: &Value, id: &str) -> Option<Self> {
        if let Some(said) = value.get("builder") {
            return Self::deserialize(said).ok();
        }
        if ["plan", "probes", "profiles"].iter().all(|key| value.get(*key).is_some_and(Value::is_object)) {
            return Some(Self::Static);
        }
        match id {
            "vfs-canonicalization" => Some(Self::Vfs),
            "metadata-runner" => Some(Self::Metadata),
            _ => None,
        }
    }
}

/// Keys that any template may have.
const COMMON_KEYS: &[&str] = &[
    "schema_version",
    "template_id",
    "builder",
    "description",
    "world_id",
    "registry_id",
    "plan_id",
    "apply_preflight_profile",
    "notes",
    "policies",
    "fixtures",
    "parameters",
];

/// What every builder needs to know.
#[derive(Debug, Clone)]
pub(super) struct BuilderContext {
    pub(super) template_id: String,
    pub(super) builder: Builder,
    pub(super) description: Option<String>,
    pub(super) world_id: WorldId,
    pub(super) registry_id: RegistryId,
    pub(super) plan_id: PlanId,
    pub(super) apply_preflight_profile: Option<String>,
    pub(super) notes: Option<String>,
    pub(super) lanes: Option<Map<String, Value>>,
    pub(super) controls: Option<Map<String, Value>>,
    pub(super) family: Option<String>,
    pub(super) semantic_group: Option<String>,
}

impl BuilderContext {
    /// Reads it from a document that satisfies the schema.
    pub(super) fn of(value: &Value, file: &str, requested: Option<&str>, notes: &mut Diagnostics<'_>) -> Option<Self> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let own = text("template_id");
        if let (Some(own), Some(requested)) = (&own, requested)
            && own != requested
        {
            notes.error(
                DiagnosticKind::IdMismatch,
                "/template_id",
                format!("the template says that it is `{}`, and was asked for as `{requested}`", shown(own)),
                "make them agree",
            );
        }
        let template_id = own.or_else(|| requested.map(str::to_owned)).unwrap_or_else(|| id_of_file(file));
        let Some(builder) = Builder::of(value, &template_id) else {
            notes.error(
                DiagnosticKind::BadValue,
                "",
                format!("no builder is for the template `{}`", shown(&template_id)),
                "spell out `plan`, `probes` and `profiles`, or say `builder`: vfs, metadata or linux",
            );
            return None;
        };
        check_keys(value, "", &[COMMON_KEYS, builder.keys()].concat(), notes);
        let plan_text = |key: &str| value.pointer(&format!("/plan/{key}")).and_then(Value::as_str).map(str::to_owned);
        let registry = text("registry_id").or_else(|| plan_text("registry_id")).unwrap_or_else(|| template_id.clone());
        let plan = text("plan_id").or_else(|| plan_text("plan_id")).unwrap_or_else(|| format!("{registry}.v1"));
        let world = text("world_id").or_else(|| plan_text("world_id")).unwrap_or_else(|| HOME_WORLD.to_owned());
        let object = |key: &str| value.get(key).and_then(Value::as_object).cloned();
        Some(Self {
            registry_id: id(RegistryId::new(registry), "/registry_id", notes)?,
            plan_id: id(PlanId::new(plan), "/plan_id", notes)?,
            world_id: id(WorldId::new(world), "/world_id", notes)?,
            template_id,
            builder,
            description: text("description"),
            apply_preflight_profile: text("apply_preflight_profile"),
            notes: text("notes"),
            lanes: object("lanes"),
            controls: object("controls"),
            family: text("family"),
            semantic_group: text("semantic_group"),
        })
    }
}

/// An id, or a finding.
pub(super) fn id<T, E: fmt::Display>(made: Result<T, E>, pointer: &str, notes: &mut Diagnostics<'_>) -> Option<T> {
    match made {
        Ok(id) => Some(id),
        Err(error) => {
            notes.error(
                DiagnosticKind::BadValue,
                pointer,
                error.to_string(),
                "use 1 to 512 bytes without control characters",
            );
            None
        }
    }
}

/// The id of a template that has none: its file's name, as the reference writes both.
fn id_of_file(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".json").unwrap_or(name).replace('_', "-")
}

/// Refuses the keys of `value` that are not `known`.
pub(super) fn check_keys(value: &Value, pointer: &str, known: &[&str], notes: &mut Diagnostics<'_>) {
    for key in value.as_object().into_iter().flat_map(Map::keys).filter(|key| !known.contains(&key.as_str())) {
        let remedy = notes.hint(key, known.iter().copied(), &format!("remove it; known are {}", known.join(", ")));
        let message = format!("the key `{}` is unknown here", shown(key));
        notes.error(DiagnosticKind::UnknownKey, format!("{pointer}/{}", pointer_part(key)), message, remedy);
    }
}

/// A builder's own part of a template. The order of an object's members matters to it, so it is read from the text.
pub(super) fn body<T: DeserializeOwned>(text: &str, notes: &mut Diagnostics<'_>) -> Option<T> {
    match serde_json::from_str(text) {
        Ok(body) => Some(body),
        Err(error) => {
            let message = error.to_string().chars().take(400).collect::<String>();
            notes.error(
                DiagnosticKind::BadValue,
                "",
                message,
                "correct the value; `sandproof schema plan_template` has the shape",
            );
            None
        }
    }
}

/// An object whose members keep the order of the document.
#[derive(Debug, Clone)]
pub(super) struct Ordered<T>(pub(super) Vec<(String, T)>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Ordered<T> {
    pub(super) fn get(&self, key: &str) -> Option<&T> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_str())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Ordered(members))
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}
