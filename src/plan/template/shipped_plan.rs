//! A plan of the executable's own, as the template of itself.

use serde::de::DeserializeOwned;

use super::super::error::LoadError;
use super::expand::{Expanded, TypedDocument};
use crate::base::json;

/// A plan with its registry, as it ships.
#[derive(Debug)]
pub(super) struct ShippedPlan {
    pub(super) path: &'static str,
    pub(super) bytes: &'static [u8],
    pub(super) probes: &'static [u8],
    pub(super) profiles: &'static [u8],
    pub(super) description: Option<String>,
}

/// A carried document in its typed shape. That it has it is tested.
pub(super) fn carried<T: DeserializeOwned>(path: &str, bytes: &[u8]) -> T {
    let value = json::parse(bytes).unwrap_or_else(|error| panic!("the carried document `{path}`: {error}"));
    serde_json::from_value(value).unwrap_or_else(|error| panic!("the carried document `{path}`: {error}"))
}

impl ShippedPlan {
    pub(super) fn expand(&self) -> Result<Expanded, LoadError> {
        Ok(Expanded {
            plan: TypedDocument { value: carried(self.path, self.bytes), bytes: self.bytes.to_vec() },
            probes: TypedDocument { value: carried(self.path, self.probes), bytes: self.probes.to_vec() },
            profiles: TypedDocument { value: carried(self.path, self.profiles), bytes: self.profiles.to_vec() },
            policies: Default::default(),
            description: self.description.clone(),
        })
    }
}
