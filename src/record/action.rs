//! One operation with all its parameters, as a probe process performs it.

use serde::{Deserialize, Serialize};

use super::driver::Driver;

/// What a probe does. In a registry its texts may hold placeholders (`${root}`, `${port.NAME}`, `${name.NAME}`); in a
/// row they are resolved. Both forms have this shape.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// The driver that performs the operation.
    pub driver: Driver,
    /// What it acts on; the meaning is the driver's.
    pub target: String,
    /// The second path, if the driver takes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// A name, if the driver takes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which attributes, if the driver takes an attribute list; one of `driver::PAYLOADS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// What an executed program is given: its name for itself, and its arguments. Empty: the target alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<String>,
    /// The exit code with which an executed program has to end. `None`: that it was reached is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Folders that are bound over others in a private mount namespace before the policy is applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<BindMount>,
}

/// One bind mount of a probe's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BindMount {
    /// The folder that is shown.
    pub from: String,
    /// Where it is shown.
    pub at: String,
}

/// What a probe may change and execute beside what it only reads.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionScope {
    /// The folders that the run made for this probe, by their real paths. What lies in no folder of these is never changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own: Vec<String>,
    /// Whether programs and scripts that are not this program's own may be executed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub host_programs: bool,
}

impl Action {
    /// An action without parameters.
    pub fn new(driver: Driver, target: impl Into<String>) -> Self {
        Self {
            driver,
            target: target.into(),
            to: None,
            name: None,
            payload: None,
            argv: Vec::new(),
            exit_code: None,
            mounts: Vec::new(),
        }
    }

    /// Every text that may hold a placeholder.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let mounts = self.mounts.iter().flat_map(|mount| [mount.from.as_str(), &mount.at]);
        let argv = self.argv.iter().map(String::as_str);
        [Some(self.target.as_str()), self.to.as_deref(), self.name.as_deref()]
            .into_iter()
            .flatten()
            .chain(argv)
            .chain(mounts)
    }

    /// The same action with every text passed through `f`.
    pub fn map_texts<E>(&self, mut f: impl FnMut(&str) -> Result<String, E>) -> Result<Self, E> {
        Ok(Self {
            driver: self.driver,
            target: f(&self.target)?,
            to: self.to.as_deref().map(&mut f).transpose()?,
            name: self.name.as_deref().map(&mut f).transpose()?,
            payload: self.payload.clone(),
            argv: self.argv.iter().map(|text| f(text)).collect::<Result<_, E>>()?,
            exit_code: self.exit_code,
            mounts: self
                .mounts
                .iter()
                .map(|mount| Ok(BindMount { from: f(&mount.from)?, at: f(&mount.at)? }))
                .collect::<Result<_, E>>()?,
        })
    }
}
