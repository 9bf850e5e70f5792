//! A policy as it goes to the process that applies it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::landlock::{LandlockPolicy, Layer};
use crate::record::enforcer::PolicyMode;

/// What a process needs to put a policy in force on itself. Its texts may hold placeholders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
pub enum Enforceable {
    /// A Landlock rule table.
    Landlock {
        /// The rule tables, by layer.
        policy: LandlockPolicy,
    },
    /// Seatbelt text with the values of its parameters.
    Sbpl {
        /// The text, whole.
        text: String,
        /// Parameter to value.
        parameters: BTreeMap<String, String>,
    },
    /// A compiled Seatbelt profile.
    Blob {
        /// The compiled profile's bytes, as `sandbox_apply` takes them.
        bytes: Vec<u8>,
    },
    /// A launcher. It is started around the process, which has nothing to put in force on itself.
    Launcher {},
}

impl From<&LandlockPolicy> for Enforceable {
    fn from(policy: &LandlockPolicy) -> Self {
        Self::Landlock { policy: policy.clone() }
    }
}

impl From<&Layer> for Enforceable {
    fn from(layer: &Layer) -> Self {
        Self::Landlock { policy: layer.clone().into() }
    }
}

impl Enforceable {
    /// The mode of the policy.
    pub fn mode(&self) -> PolicyMode {
        match self {
            Self::Landlock { .. } => PolicyMode::Landlock,
            Self::Sbpl { .. } => PolicyMode::Sbpl,
            Self::Blob { .. } => PolicyMode::Blob,
            Self::Launcher {} => PolicyMode::Launcher,
        }
    }

    /// The same policy with every text that may hold placeholders passed through `f`: the paths and ports of a rule
    /// table, the parameters of a profile. The profile's own text holds none, since it has parameters.
    pub fn map_texts<E>(&self, mut f: impl FnMut(&str) -> Result<String, E>) -> Result<Self, E> {
        Ok(match self {
            Self::Landlock { policy } => Self::Landlock { policy: policy.map_texts(f)? },
            Self::Sbpl { text, parameters } => Self::Sbpl {
                text: text.clone(),
                parameters: parameters
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), f(value)?)))
                    .collect::<Result<_, E>>()?,
            },
            Self::Blob { bytes } => Self::Blob { bytes: bytes.clone() },
            Self::Launcher {} => Self::Launcher {},
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profiles_parameters_take_values_and_its_text_stays() {
        let profile = Enforceable::Sbpl {
            text: "(version 1) ; ${root}".into(),
            parameters: [("ROOT".to_owned(), "${root}/a".to_owned())].into(),
        };
        let done = profile.map_texts(|text| Ok::<_, ()>(text.replace("${root}", "/r"))).unwrap();
        let Enforceable::Sbpl { text, parameters } = &done else { panic!("{done:?}") };
        assert_eq!((text.as_str(), parameters["ROOT"].as_str()), ("(version 1) ; ${root}", "/r/a"));
        let wire = serde_json::to_string(&done).unwrap();
        assert_eq!(serde_json::from_str::<Enforceable>(&wire).unwrap(), done);
    }
}
