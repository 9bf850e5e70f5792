//! A policy of any kind, read and checked.
//!
//! What the rest of the program asks of a policy whatever its kind is a method here, so that a new kind is a new arm here
//! and not in every caller.

use std::collections::BTreeMap;

use serde_json::json;

use super::enforceable::Enforceable;
use super::landlock::LandlockPolicy;
use super::launcher::LauncherDocument;
use super::sbpl::{self, SbplPolicy};
use crate::base::canon::{self, CanonError};
use crate::base::digest::Digest;
use crate::base::placeholder::ROOT;
use crate::record::enforcer::{Enforcer, PolicyMode};

/// A policy document's meaning.
#[derive(Debug, Clone, PartialEq)]
pub enum PolicyValue {
    /// A Seatbelt profile, with the parameters and the further rules that belong to it.
    Sbpl(SbplPolicy),
    /// Compiled Seatbelt bytes, kept as they are.
    Blob(Vec<u8>),
    /// A Landlock rule table.
    Landlock(LandlockPolicy),
    /// A launcher.
    Launcher(LauncherDocument),
}

impl PolicyValue {
    /// The mode it belongs to.
    pub fn mode(&self) -> PolicyMode {
        match self {
            Self::Sbpl(_) => PolicyMode::Sbpl,
            Self::Blob(_) => PolicyMode::Blob,
            Self::Landlock(_) => PolicyMode::Landlock,
            Self::Launcher(_) => PolicyMode::Launcher,
        }
    }

    /// What enforces it.
    pub fn enforcer(&self) -> Enforcer {
        self.mode().enforcer()
    }

    /// The policy as it goes to the process that puts it in force on itself.
    pub fn enforceable(&self) -> Enforceable {
        match self {
            Self::Landlock(policy) => Enforceable::Landlock { policy: policy.clone() },
            Self::Sbpl(policy) => {
                Enforceable::Sbpl { text: policy.text().to_owned(), parameters: policy.parameters().clone() }
            }
            Self::Blob(bytes) => Enforceable::Blob { bytes: bytes.clone() },
            Self::Launcher(_) => Enforceable::Launcher {},
        }
    }

    /// The texts that may hold placeholders.
    pub fn texts(&self) -> Vec<&str> {
        match self {
            Self::Landlock(policy) => policy.texts().collect(),
            Self::Sbpl(profile) => profile.parameters().values().map(String::as_str).collect(),
            // A launcher's placeholders are its own.
            Self::Blob(_) | Self::Launcher(_) => Vec::new(),
        }
    }

    /// Whether the policy may name the fixture root of a probe, so that the folder has to be there.
    pub fn may_name_root(&self) -> bool {
        match self {
            Self::Landlock(policy) => policy.texts().any(|text| text.contains(ROOT)),
            // A filter may be anything.
            Self::Sbpl(_) | Self::Blob(_) => true,
            Self::Launcher(_) => false,
        }
    }

    /// The parameters that it was given, by name.
    pub fn parameters(&self) -> BTreeMap<String, String> {
        match self {
            Self::Sbpl(policy) => policy.parameters().clone(),
            Self::Blob(_) | Self::Landlock(_) | Self::Launcher(_) => BTreeMap::new(),
        }
    }

    /// Digests of what the document imports, by name.
    pub fn imports(&self) -> BTreeMap<String, String> {
        match self {
            Self::Sbpl(policy) => {
                policy.imports().digests().map(|(name, digest)| (name.to_owned(), digest.to_string())).collect()
            }
            Self::Blob(_) | Self::Landlock(_) | Self::Launcher(_) => BTreeMap::new(),
        }
    }

    /// What in the policy certainly keeps a process without private entitlements from applying it, and where.
    pub fn apply_gate(&self) -> Option<String> {
        match self {
            Self::Sbpl(profile) => profile.gates().first().map(|gate| format!("{} at {}", gate.kind, gate.place)),
            Self::Blob(_) | Self::Landlock(_) | Self::Launcher(_) => None,
        }
    }

    /// The digest of what is enforced, whatever the document's layout: for Landlock the canonical form of the rule table; for
    /// a Seatbelt text that of `{"parameters": …, "program": …}`, the program printed one form a line without comments, the
    /// profile's own rules at its end; for a compiled profile its bytes; for a launcher the canonical form of its document.
    ///
    /// # Errors
    /// If the value has no canonical form.
    pub fn digest(&self) -> Result<Digest, CanonError> {
        match self {
            Self::Landlock(table) => {
                canon::digest_data(&serde_json::to_value(table).expect("a rule table is made of JSON values"))
            }
            Self::Sbpl(profile) => {
                // It was read before, so it can be read again.
                let printed = sbpl::parse(profile.text()).map(|program| sbpl::print(&program));
                let program = printed.unwrap_or_else(|_| profile.text().to_owned());
                canon::digest_data(&json!({"parameters": profile.parameters(), "program": program}))
            }
            Self::Blob(bytes) => Ok(Digest::of(bytes)),
            Self::Launcher(document) => {
                canon::digest_data(&serde_json::to_value(document).expect("a launcher is made of JSON values"))
            }
        }
    }
}

impl From<&PolicyValue> for Enforceable {
    fn from(value: &PolicyValue) -> Self {
        value.enforceable()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_of_a_policy_that_placeholders_are_replaced_in_is_listed() {
        let document = serde_json::json!({"schema_version": "sandproof.landlock_policy.v1", "abi": 4,
            "handled": {"fs": ["read_file"], "net": ["bind_tcp"]},
            "path_beneath": [{"path": "/tmp/${name.own}", "allow": ["read_file"]}],
            "net_port": [{"port": "${port.own}", "allow": ["bind_tcp"]}]});
        let table = LandlockPolicy::compile(&serde_json::from_value(document).unwrap()).unwrap();
        let profile = SbplPolicy::new("(version 1)", [("A".to_owned(), "${name.a}".to_owned())].into()).unwrap();
        for (value, listed, root) in [
            (PolicyValue::Landlock(table), vec!["/tmp/${name.own}", "${port.own}"], false),
            (PolicyValue::Sbpl(profile), vec!["${name.a}"], true),
            (PolicyValue::Blob(vec![1]), vec![], true),
        ] {
            assert_eq!(value.texts(), listed);
            assert_eq!(value.may_name_root(), root);
            let mut replaced = Vec::new();
            let sent = value.enforceable();
            sent.map_texts(|text| {
                replaced.push(text.to_owned());
                Ok::<_, ()>(String::new())
            })
            .unwrap();
            assert_eq!(replaced, listed);
            assert_eq!(sent.mode(), value.mode());
        }
    }
}
