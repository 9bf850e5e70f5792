//! The rule table as a value: what a checked document means.

use serde::{Deserialize, Serialize};

use super::document::PolicyDocument;
use super::rights::{FsRight, NetRight, RightSet, Scope};

/// A checked Landlock policy. Texts may still hold placeholders; [`LandlockPolicy::map_texts`] resolves them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LandlockPolicy {
    /// The ABI that it requires.
    pub abi: i32,
    /// `handled_access_fs`
    pub handled_fs: RightSet<FsRight>,
    /// `handled_access_net`
    pub handled_net: RightSet<NetRight>,
    /// `scoped`
    pub scoped: RightSet<Scope>,
    /// Rules on file hierarchies, in the document's order.
    pub path_beneath: Vec<PathBeneathRule>,
    /// Rules on ports, in the document's order.
    pub net_port: Vec<NetPortRule>,
}

/// Rights granted on a file hierarchy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathBeneathRule {
    /// The file or folder.
    pub path: String,
    /// What is granted.
    pub allow: RightSet<FsRight>,
}

/// Rights granted on a port.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetPortRule {
    /// The port, as text.
    pub port: String,
    /// What is granted.
    pub allow: RightSet<NetRight>,
}

/// What a document says that cannot be a Landlock policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CompileError {
    /// JSON pointer of the offending member.
    pub pointer: String,
    /// What is wrong with it and what to do.
    pub message: String,
}

impl LandlockPolicy {
    /// Checks a document and gives its meaning; all that is wrong with it, if anything is.
    pub fn compile(document: &PolicyDocument) -> Result<Self, Vec<CompileError>> {
        let mut errors = Vec::new();
        let mut refuse = |pointer: String, message: String| errors.push(CompileError { pointer, message });
        let handled = &document.handled;
        if handled.fs.is_empty() && handled.net.is_empty() && handled.scope.is_empty() {
            refuse("/handled".into(), "nothing is handled, so the policy would refuse nothing; list rights".into());
        }
        let needed = handled.fs.since_abi().max(handled.net.since_abi()).max(handled.scope.since_abi());
        if document.abi < needed {
            let message =
                format!("the handled rights need ABI {needed}, the policy requires {}; raise it", document.abi);
            refuse("/abi".into(), message);
        }
        for (n, rule) in document.path_beneath.iter().enumerate() {
            let extra = rule.allow.minus(handled.fs);
            if !extra.is_empty() {
                let message = format!(
                    "the rule grants {} which the policy does not handle; the kernel refuses such a rule (EINVAL)",
                    extra.names().join(", ")
                );
                refuse(format!("/path_beneath/{n}/allow"), message);
            }
            if rule.allow.is_empty() {
                refuse(format!("/path_beneath/{n}/allow"), "the rule grants nothing; remove it".into());
            }
            if !(rule.path.starts_with('/') || rule.path.starts_with("${root}")) {
                refuse(
                    format!("/path_beneath/{n}/path"),
                    "the path is relative; start it with `/` or `${root}`".into(),
                );
            }
        }
        for (n, rule) in document.net_port.iter().enumerate() {
            let extra = rule.allow.minus(handled.net);
            if !extra.is_empty() {
                let message = format!(
                    "the rule grants {} which the policy does not handle; the kernel refuses such a rule (EINVAL)",
                    extra.names().join(", ")
                );
                refuse(format!("/net_port/{n}/allow"), message);
            }
            if rule.allow.is_empty() {
                refuse(format!("/net_port/{n}/allow"), "the rule grants nothing; remove it".into());
            }
            if rule.port.parse::<u16>().is_err() && !(rule.port.starts_with("${port.") && rule.port.ends_with('}')) {
                refuse(format!("/net_port/{n}/port"), "neither a port number nor `${port.NAME}`".into());
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            abi: document.abi,
            handled_fs: handled.fs,
            handled_net: handled.net,
            scoped: handled.scope,
            path_beneath: document
                .path_beneath
                .iter()
                .map(|rule| PathBeneathRule { path: rule.path.clone(), allow: rule.allow })
                .collect(),
            net_port: document
                .net_port
                .iter()
                .map(|rule| NetPortRule { port: rule.port.clone(), allow: rule.allow })
                .collect(),
        })
    }

    /// The texts that may hold placeholders: the paths and ports of the rules.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let paths = self.path_beneath.iter().map(|rule| rule.path.as_str());
        paths.chain(self.net_port.iter().map(|rule| rule.port.as_str()))
    }

    /// The same policy with every path and port passed through `f`.
    pub fn map_texts<E>(&self, mut f: impl FnMut(&str) -> Result<String, E>) -> Result<Self, E> {
        let mut out = self.clone();
        for rule in &mut out.path_beneath {
            rule.path = f(&rule.path)?;
        }
        for rule in &mut out.net_port {
            rule.port = f(&rule.port)?;
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(text: &str) -> Result<LandlockPolicy, Vec<String>> {
        let document: PolicyDocument = serde_json::from_str(text).unwrap();
        LandlockPolicy::compile(&document).map_err(|errors| errors.into_iter().map(|e| e.pointer).collect())
    }

    #[test]
    fn what_the_kernel_would_refuse_is_refused_here() {
        let good = r#"{"schema_version":"sandproof.landlock_policy.v1","abi":4,
            "handled":{"fs":["read_file"],"net":["connect_tcp"]},
            "path_beneath":[{"path":"${root}/a","allow":["read_file"]}],
            "net_port":[{"port":"${port.open}","allow":["connect_tcp"]},{"port":"443","allow":["connect_tcp"]}]}"#;
        assert!(compile(good).is_ok());
        assert_eq!(compile(&good.replace("\"abi\":4", "\"abi\":3")).unwrap_err(), ["/abi"]);
        assert_eq!(
            compile(&good.replace(r#""allow":["read_file"]"#, r#""allow":["execute"]"#)).unwrap_err(),
            ["/path_beneath/0/allow"]
        );
        assert_eq!(compile(&good.replace("443", "70000")).unwrap_err(), ["/net_port/1/port"]);
        assert_eq!(compile(&good.replace("${root}/a", "a")).unwrap_err(), ["/path_beneath/0/path"]);
        let empty = r#"{"schema_version":"sandproof.landlock_policy.v1","abi":1,"handled":{}}"#;
        assert_eq!(compile(empty).unwrap_err(), ["/handled"]);
    }
}
