//! The rule tables that the kernel gets: one for each layer.

use serde::{Deserialize, Serialize};

use super::document::{LayerDocument, PolicyDocument, layer_pointer};
use super::rights::{FsRight, NetRight, RightSet, Scope};

/// The first ABI with `LANDLOCK_RESTRICT_SELF_TSYNC` (include/uapi/linux/landlock.h).
pub const TSYNC_SINCE_ABI: i32 = 8;
/// What an apply record calls `LANDLOCK_RESTRICT_SELF_TSYNC` where the kernel has not got it.
pub const TSYNC: &str = "tsync";

/// A checked policy. Paths and ports may hold placeholders; [`LandlockPolicy::map_texts`] resolves them.
///
/// Written as JSON, a policy of one layer has that layer's members beside its own, and one of several has them as `layers`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "TableMembers", into = "TableMembers")]
pub struct LandlockPolicy {
    /// The ABI that it requires.
    pub abi: i32,
    /// Whether every thread of the process is restricted with the one that applies it.
    pub tsync: bool,
    /// Its rulesets in the order in which they are applied, at least one. A process is let through by all of them or not at
    /// all.
    pub layers: Vec<Layer>,
}

/// One ruleset.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
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

/// The members of a policy as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableMembers {
    abi: i32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    tsync: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    handled_fs: Option<RightSet<FsRight>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    handled_net: Option<RightSet<NetRight>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scoped: Option<RightSet<Scope>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_beneath: Option<Vec<PathBeneathRule>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    net_port: Option<Vec<NetPortRule>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layers: Option<Vec<Layer>>,
}

impl TryFrom<TableMembers> for LandlockPolicy {
    type Error = &'static str;

    fn try_from(written: TableMembers) -> Result<Self, Self::Error> {
        let TableMembers { abi, tsync, handled_fs, handled_net, scoped, path_beneath, net_port, layers } = written;
        let layers = match (handled_fs, handled_net, scoped, path_beneath, net_port, layers) {
            (Some(handled_fs), Some(handled_net), Some(scoped), Some(path_beneath), Some(net_port), None) => {
                vec![Layer { handled_fs, handled_net, scoped, path_beneath, net_port }]
            }
            (None, None, None, None, None, Some(layers)) if layers.len() > 1 => layers,
            _ => return Err("a policy holds the members of one layer, or several `layers`"),
        };
        Ok(Self { abi, tsync, layers })
    }
}

impl From<LandlockPolicy> for TableMembers {
    fn from(policy: LandlockPolicy) -> Self {
        let LandlockPolicy { abi, tsync, mut layers } = policy;
        let whole = Self {
            abi,
            tsync,
            handled_fs: None,
            handled_net: None,
            scoped: None,
            path_beneath: None,
            net_port: None,
            layers: None,
        };
        if layers.len() != 1 {
            return Self { layers: Some(layers), ..whole };
        }
        let Layer { handled_fs, handled_net, scoped, path_beneath, net_port } = layers.remove(0);
        Self {
            handled_fs: Some(handled_fs),
            handled_net: Some(handled_net),
            scoped: Some(scoped),
            path_beneath: Some(path_beneath),
            net_port: Some(net_port),
            ..whole
        }
    }
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

/// A rule on a file hierarchy or a port, with its place.
#[derive(Debug, Clone)]
pub struct PlacedRule<'p, T> {
    /// The layer that it belongs to.
    pub layer: usize,
    /// JSON pointer of the rule in its document.
    pub pointer: String,
    /// The rule itself.
    pub rule: &'p T,
}

impl Layer {
    /// The ABI that its handled rights need.
    pub fn needs_abi(&self) -> i32 {
        self.handled_fs.since_abi().max(self.handled_net.since_abi()).max(self.scoped.since_abi()).max(1)
    }

    /// Checks one ruleset, which stands at `at` of its document, and gives its meaning.
    fn compile(document: &LayerDocument, at: &str, refuse: &mut dyn FnMut(String, String)) -> Self {
        let handled = &document.handled;
        if handled.fs.is_empty() && handled.net.is_empty() && handled.scope.is_empty() {
            let whole = if at.is_empty() { "policy" } else { "layer" };
            let message = format!("nothing is handled, so the {whole} would refuse nothing; list rights");
            refuse(format!("{at}/handled"), message);
        }
        let extra = |names: Vec<&str>| {
            format!(
                "the rule grants {} which the policy does not handle; the kernel refuses such a rule (EINVAL)",
                names.join(", ")
            )
        };
        for (n, rule) in document.path_beneath.iter().enumerate() {
            let more = rule.allow.minus(handled.fs);
            if !more.is_empty() {
                refuse(format!("{at}/path_beneath/{n}/allow"), extra(more.names()));
            }
            if rule.allow.is_empty() {
                refuse(format!("{at}/path_beneath/{n}/allow"), "the rule grants nothing; remove it".into());
            }
            if !(rule.path.starts_with('/') || rule.path.starts_with("${root}")) {
                let message = "the path is relative; start it with `/` or `${root}`";
                refuse(format!("{at}/path_beneath/{n}/path"), message.into());
            }
        }
        for (n, rule) in document.net_port.iter().enumerate() {
            let more = rule.allow.minus(handled.net);
            if !more.is_empty() {
                refuse(format!("{at}/net_port/{n}/allow"), extra(more.names()));
            }
            if rule.allow.is_empty() {
                refuse(format!("{at}/net_port/{n}/allow"), "the rule grants nothing; remove it".into());
            }
            if rule.port.parse::<u16>().is_err() && !(rule.port.starts_with("${port.") && rule.port.ends_with('}')) {
                refuse(format!("{at}/net_port/{n}/port"), "neither a port number nor `${port.NAME}`".into());
            }
        }
        Self {
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
        }
    }
}

impl LandlockPolicy {
    /// The policy of one layer.
    pub fn single(abi: i32, layer: Layer) -> Self {
        Self { abi, tsync: false, layers: vec![layer] }
    }

    /// Checks a document and gives its meaning; all that is wrong with it, if anything is.
    pub fn compile(document: &PolicyDocument) -> Result<Self, Vec<CompileError>> {
        let mut errors = Vec::new();
        let mut refuse = |pointer: String, message: String| errors.push(CompileError { pointer, message });
        let layers: Vec<Layer> = (document.layers.iter().enumerate())
            .map(|(n, layer)| Layer::compile(layer, &document.layer_pointer(n), &mut refuse))
            .collect();
        let needed = layers.iter().map(Layer::needs_abi).max().unwrap_or(1);
        if document.abi < needed {
            let message =
                format!("the handled rights need ABI {needed}, the policy requires {}; raise it", document.abi);
            refuse("/abi".into(), message);
        }
        if document.tsync && document.abi < TSYNC_SINCE_ABI {
            let message = format!(
                "`tsync` needs ABI {TSYNC_SINCE_ABI}, the policy requires {}; raise it, or leave `tsync` out",
                document.abi
            );
            refuse("/abi".into(), message);
        }
        if errors.is_empty() { Ok(Self { abi: document.abi, tsync: document.tsync, layers }) } else { Err(errors) }
    }

    /// Where a layer stands in the document, as the beginning of a JSON pointer.
    pub fn layer_pointer(&self, layer: usize) -> String {
        layer_pointer(self.layers.len(), layer)
    }

    /// The rules on file hierarchies of every layer, in the document's order.
    pub fn path_rules(&self) -> impl Iterator<Item = PlacedRule<'_, PathBeneathRule>> + Clone {
        self.placed("path_beneath", |layer| &layer.path_beneath)
    }

    /// The rules on ports of every layer, in the document's order.
    pub fn port_rules(&self) -> impl Iterator<Item = PlacedRule<'_, NetPortRule>> + Clone {
        self.placed("net_port", |layer| &layer.net_port)
    }

    /// The rule on a file hierarchy with that number, counted over all layers in the document's order.
    pub fn path_rule(&self, number: usize) -> Option<&PathBeneathRule> {
        self.layers.iter().flat_map(|layer| &layer.path_beneath).nth(number)
    }

    /// The JSON pointer of that rule.
    pub fn path_pointer(&self, number: usize) -> String {
        let mut rest = number;
        for (n, layer) in self.layers.iter().enumerate() {
            if rest < layer.path_beneath.len() {
                return format!("{}/path_beneath/{rest}", self.layer_pointer(n));
            }
            rest -= layer.path_beneath.len();
        }
        String::new()
    }

    fn placed<'p, T>(
        &'p self,
        list: &'static str,
        rules: impl Fn(&'p Layer) -> &'p Vec<T> + Clone + 'p,
    ) -> impl Iterator<Item = PlacedRule<'p, T>> + Clone
    where
        T: Clone + 'p,
    {
        self.layers.iter().enumerate().flat_map(move |(layer, one)| {
            let at = self.layer_pointer(layer);
            let placed =
                move |(n, rule): (usize, &'p T)| PlacedRule { layer, pointer: format!("{at}/{list}/{n}"), rule };
            rules(one).iter().enumerate().map(placed)
        })
    }

    /// Whether a layer handles a file right. Then every layer refuses `refer` unless it grants it, also one that handles no
    /// file right (`LANDLOCK_ACCESS_FS_INITIALLY_DENIED`, security/landlock/fs.h; `landlock_get_fs_access_mask`).
    pub fn handles_files(&self) -> bool {
        self.layers.iter().any(|layer| !layer.handled_fs.is_empty())
    }

    /// The JSON pointer of what a layer refuses on paths by: its list of file rights, or all that it handles if it has none.
    pub fn refusal_pointer(&self, layer: usize) -> String {
        let list = if self.layers[layer].handled_fs.is_empty() { "/handled" } else { "/handled/fs" };
        self.layer_pointer(layer) + list
    }

    /// What a layer refuses on paths unless it grants it.
    pub fn refuses_on_paths(&self, layer: usize) -> RightSet<FsRight> {
        if self.handles_files() { self.layers[layer].handled_fs.with(FsRight::Refer) } else { RightSet::EMPTY }
    }

    /// The texts that may hold placeholders: the paths and ports of the rules.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.layers.iter().flat_map(|layer| {
            let paths = layer.path_beneath.iter().map(|rule| rule.path.as_str());
            paths.chain(layer.net_port.iter().map(|rule| rule.port.as_str()))
        })
    }

    /// The same policy with every path and port passed through `f`.
    pub fn map_texts<E>(&self, mut f: impl FnMut(&str) -> Result<String, E>) -> Result<Self, E> {
        let mut out = self.clone();
        for layer in &mut out.layers {
            for rule in &mut layer.path_beneath {
                rule.path = f(&rule.path)?;
            }
            for rule in &mut layer.net_port {
                rule.port = f(&rule.port)?;
            }
        }
        Ok(out)
    }
}

impl From<Layer> for LandlockPolicy {
    /// The policy of one layer that requires no more than what it handles.
    fn from(layer: Layer) -> Self {
        Self::single(layer.needs_abi(), layer)
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

    const TWO: &str = r#"{"schema_version":"sandproof.landlock_policy.v1","abi":6,"layers":[
        {"handled":{"fs":["read_file"]},"path_beneath":[{"path":"/a","allow":["read_file"]},{"path":"/b","allow":["read_file"]}]},
        {"handled":{"scope":["signal"],"net":["bind_tcp"]},"net_port":[{"port":"80","allow":["bind_tcp"]}]},
        {"handled":{"fs":["read_file"]},"path_beneath":[{"path":"/c","allow":["read_file"]}]}]}"#;

    #[test]
    fn a_policy_of_one_layer_is_written_without_layers_and_one_of_several_with_them() {
        let one: LandlockPolicy = Layer { scoped: RightSet::of(&[Scope::Signal]), ..Layer::default() }.into();
        let text = serde_json::to_string(&one).unwrap();
        let flat = r#"{"abi":6,"handled_fs":[],"handled_net":[],"scoped":["signal"],"path_beneath":[],"net_port":[]}"#;
        assert_eq!(text, flat);
        assert_eq!(serde_json::from_str::<LandlockPolicy>(&text).unwrap(), one);
        let several = compile(TWO).unwrap();
        let text = serde_json::to_string(&several).unwrap();
        assert!(text.starts_with(r#"{"abi":6,"layers":[{"handled_fs":["read_file"],"#), "{text}");
        assert_eq!(serde_json::from_str::<LandlockPolicy>(&text).unwrap(), several);
        for bad in [r#"{"abi":1}"#, r#"{"abi":1,"layers":[]}"#, &flat.replace("}", r#","layers":[]}"#)] {
            assert!(serde_json::from_str::<LandlockPolicy>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rules_of_layers_are_counted_through_and_named_by_their_place() {
        let several = compile(TWO).unwrap();
        let paths: Vec<(String, &str)> =
            several.path_rules().map(|one| (one.pointer, one.rule.path.as_str())).collect();
        let expected = [
            ("/layers/0/path_beneath/0", "/a"),
            ("/layers/0/path_beneath/1", "/b"),
            ("/layers/2/path_beneath/0", "/c"),
        ];
        assert_eq!(paths, expected.map(|(pointer, path)| (pointer.to_owned(), path)));
        for (n, (pointer, path)) in expected.into_iter().enumerate() {
            assert_eq!(several.path_pointer(n), pointer);
            assert_eq!(several.path_rule(n).unwrap().path, path);
        }
        assert!(several.path_rule(3).is_none());
        assert_eq!(several.port_rules().next().unwrap().pointer, "/layers/1/net_port/0");
        let texts: Vec<&str> = several.texts().collect();
        assert_eq!(texts, ["/a", "/b", "80", "/c"]);
        let mapped = several.map_texts(|text| Ok::<_, ()>(text.replace("80", "81"))).unwrap();
        assert_eq!(mapped.layers[1].net_port[0].port, "81");
    }

    #[test]
    fn faults_of_a_layer_are_told_by_their_place_and_the_abi_has_to_do_for_all_of_them() {
        assert_eq!(compile(&TWO.replace("\"abi\":6", "\"abi\":5")).unwrap_err(), ["/abi"]);
        assert_eq!(compile(&TWO.replace("\"/c\"", "\"c\"")).unwrap_err(), ["/layers/2/path_beneath/0/path"]);
        assert_eq!(compile(&TWO.replace("\"80\"", "\"x\"")).unwrap_err(), ["/layers/1/net_port/0/port"]);
        let empty = r#"{"handled":{"fs":["read_file"]},"path_beneath":[{"path":"/c""#;
        let nothing = TWO.replace(empty, r#"{"handled":{},"path_beneath":[{"path":"/c""#);
        assert_eq!(compile(&nothing).unwrap_err(), ["/layers/2/handled", "/layers/2/path_beneath/0/allow"]);
        // Threads are restricted with the process since ABI 8.
        let threads = |abi: i32| TWO.replace("\"abi\":6", &format!("\"tsync\":true,\"abi\":{abi}"));
        assert_eq!(compile(&threads(7)).unwrap_err(), ["/abi"]);
        assert!(compile(&threads(8)).unwrap().tsync);
    }

    #[test]
    fn a_document_has_one_ruleset_or_two_to_sixteen_layers() {
        let parse = |text: &str| serde_json::from_str::<PolicyDocument>(text).map_err(|error| error.to_string());
        let layer = r#"{"handled":{"fs":["read_file"]}}"#;
        let with = |rest: &str| format!(r#"{{"schema_version":"sandproof.landlock_policy.v1","abi":1{rest}}}"#);
        let layers = |count: usize| with(&format!(r#","layers":[{}]"#, vec![layer; count].join(",")));
        for count in [2, 16] {
            let document = parse(&layers(count)).unwrap();
            assert_eq!(document.layers.len(), count);
            assert_eq!(parse(&serde_json::to_string(&document).unwrap()).unwrap(), document);
        }
        for bad in [
            layers(0),
            layers(1),
            layers(17),
            with(""),
            with(&format!(r#","layers":[{layer},{layer}],"handled":{{"fs":["read_file"]}}"#)),
            with(&format!(r#","layers":[{layer},{layer}],"path_beneath":[]"#)),
            with(r#","path_beneath":[]"#),
        ] {
            assert!(parse(&bad).is_err(), "{bad}");
        }
    }
}
