//! The rule by which parts become an identity.
//!
//! The digest of a part is SHA-256 over its canonical form ([`crate::base::canon`]). The identity is SHA-256 over the
//! canonical form of an object of exactly three members: `digests` (the four, by part), `kind`, `schema_version`.

use serde_json::{Map, Value};

use crate::base::canon::CanonError;
use crate::record::identity::{Declaration, DeclarationPart, PartDigests};
use crate::record::open_item::completeness_of;
use crate::record::sealing::part_digest;
pub use crate::record::sealing::{Flaw, check, identity_of};

/// The four parts before they are sealed.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclarationParts {
    /// What runs: documents, policies and programs, by digest.
    pub artifact: Map<String, Value>,
    /// What it runs on.
    pub runtime: Map<String, Value>,
    /// How it is run and judged.
    pub policy: Map<String, Value>,
    /// The state that it starts from.
    pub history: Map<String, Value>,
}

/// Seals a declaration: its parts cannot change after this without another identity.
///
/// # Errors
/// What in it has no canonical form, by JSON pointer into the declaration.
pub fn seal(schema_version: &str, kind: &str, parts: DeclarationParts) -> Result<Declaration, CanonError> {
    let DeclarationParts { artifact, runtime, policy, history } = parts;
    let digests = PartDigests {
        artifact: part_digest(DeclarationPart::Artifact, &artifact)?,
        runtime: part_digest(DeclarationPart::Runtime, &runtime)?,
        policy: part_digest(DeclarationPart::Policy, &policy)?,
        history: part_digest(DeclarationPart::History, &history)?,
    };
    let identity = identity_of(schema_version, kind, &digests)?;
    let (schema_version, kind) = (schema_version.to_owned(), kind.to_owned());
    let mut sealed =
        Declaration { schema_version, kind, artifact, runtime, policy, history, digests, identity, completeness: None };
    sealed.completeness = completeness_of(&sealed);
    Ok(sealed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base::digest::Digest;

    fn object(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    fn parts() -> DeclarationParts {
        DeclarationParts {
            artifact: object(json!({"b": 1, "a": ["x"]})),
            runtime: object(json!({"os": "linux"})),
            policy: object(json!({})),
            history: object(json!({"fixtures": {"absent": "none"}})),
        }
    }

    #[test]
    fn the_rule_gives_known_digests() {
        // Computed with sha256sum over the canonical texts, by hand.
        let sealed = seal("test.v1", "test", parts()).unwrap();
        assert_eq!(sealed.digests.artifact, Digest::of(br#"{"a":["x"],"b":1}"#));
        assert_eq!(sealed.digests.policy, Digest::of(b"{}"));
        let text = format!(
            r#"{{"digests":{{"artifact":"{}","history":"{}","policy":"{}","runtime":"{}"}},"kind":"test","schema_version":"test.v1"}}"#,
            sealed.digests.artifact, sealed.digests.history, sealed.digests.policy, sealed.digests.runtime
        );
        assert_eq!(sealed.identity, Digest::of(text.as_bytes()));
        assert_eq!(check(&sealed), []);
    }

    #[test]
    fn every_lie_is_named() {
        let sealed = seal("test.v1", "test", parts()).unwrap();
        let pointers = |change: fn(&mut Declaration)| {
            let mut changed = sealed.clone();
            change(&mut changed);
            check(&changed).iter().map(Flaw::pointer).collect::<Vec<_>>()
        };
        assert_eq!(pointers(|d| drop(d.artifact.insert("b".into(), json!(2)))), ["/digests/artifact"]);
        assert_eq!(pointers(|d| d.digests.history = Digest::of(b"")), ["/digests/history", "/identity"]);
        assert_eq!(pointers(|d| d.kind = "other".into()), ["/identity"]);
        assert_eq!(pointers(|d| d.schema_version = "test.v2".into()), ["/identity"]);
        assert_eq!(pointers(|d| d.identity = Digest::of(b"")), ["/identity"]);
        assert_eq!(pointers(|d| drop(d.policy.insert("x".into(), json!([1.5])))), ["/policy/x/0"]);
    }

    #[test]
    fn what_has_no_canonical_form_is_refused_where_it_stands() {
        let mut bad = parts();
        bad.runtime.insert("load".into(), json!({"one": 0.5}));
        assert_eq!(seal("test.v1", "test", bad).unwrap_err().pointer, "/runtime/load/one");
    }
}
