//! The mutants of a Landlock policy: each rule, right, port and scope changed by itself.

use super::mutant::{Mutant, PolicyChange};
use crate::base::placeholder::ROOT;
use crate::policy::landlock::rights::{NetRight, Right, Scope};
use crate::policy::landlock::table::PathBeneathRule;
use crate::policy::landlock::{LandlockPolicy, Layer, NetPortRule, RightSet};
use crate::record::mutation::{MutationEffect as Effect, Operator};

/// The port that a rule is about in the place of its own.
const OTHER_PORT: &str = "${port.sandproof-other}";

/// What a profile has beside its policy, as far as changes are made of it.
pub(super) struct ProfileScenery<'s> {
    /// Gives something that the profile makes in a folder.
    pub(super) below: &'s dyn Fn(&str) -> Option<String>,
    /// The ports that its probes name.
    pub(super) ports: &'s [String],
}

/// Every mutant of `policy`, in the order of its document.
pub(super) fn mutants(policy: &LandlockPolicy, scenery: &ProfileScenery<'_>) -> Vec<Mutant<LandlockPolicy>> {
    let mut made = MutantList { policy, found: Vec::new() };
    for (n, layer) in policy.layers.iter().enumerate() {
        made.handled_lists(n, layer);
        made.added_rules(n, layer, scenery.ports);
        made.path_rules(n, layer, scenery.below);
        made.port_rules(n, layer);
        if policy.layers.len() > 1 {
            let (at, says) = (policy.layer_pointer(n), format!("layer {}", n + 1));
            made.put(at, says, Operator::DroppedLayer, "the layer dropped".into(), Effect::Weakened, |changed| {
                changed.layers.remove(n);
            });
        }
    }
    if policy.tsync {
        let words = "`tsync` dropped".to_owned();
        made.put("/tsync".into(), "tsync".into(), Operator::LooseThreads, words, Effect::Weakened, |changed| {
            changed.tsync = false;
        });
    }
    made.found
}

struct MutantList<'p> {
    policy: &'p LandlockPolicy,
    found: Vec<Mutant<LandlockPolicy>>,
}

impl MutantList<'_> {
    fn put(
        &mut self,
        at: String,
        says: String,
        operator: Operator,
        words: String,
        effect: Effect,
        change: impl FnOnce(&mut LandlockPolicy),
    ) {
        let mut policy = self.policy.clone();
        change(&mut policy);
        for layer in &mut policy.layers {
            layer.path_beneath.retain(|rule| !rule.allow.is_empty());
            layer.net_port.retain(|rule| !rule.allow.is_empty());
        }
        policy.abi = policy.abi.max(policy.layers.iter().map(Layer::needs_abi).max().unwrap_or(1));
        let restricts =
            |layer: &Layer| !(layer.handled_fs.is_empty() && layer.handled_net.is_empty() && layer.scoped.is_empty());
        let policy = policy.layers.iter().all(restricts).then_some(policy);
        self.found.push(Mutant { change: PolicyChange { at, says, operator, words, effect }, policy });
    }

    fn handled_lists(&mut self, n: usize, layer: &Layer) {
        let at = |list: &str| format!("{}/handled/{list}", self.policy.layer_pointer(n));
        let (fs, net, scope) = (at("fs"), at("net"), at("scope"));
        for right in layer.handled_fs.iter() {
            let says = listed("handled", layer.handled_fs.names());
            self.put(fs.clone(), says, Operator::Unhandled, unhandled(right), Effect::Weakened, |changed| {
                let layer = &mut changed.layers[n];
                layer.handled_fs = without(layer.handled_fs, right);
                layer.path_beneath.iter_mut().for_each(|rule| rule.allow = without(rule.allow, right));
            });
        }
        for right in layer.handled_net.iter() {
            let says = listed("handled", layer.handled_net.names());
            self.put(net.clone(), says, Operator::Unhandled, unhandled(right), Effect::Weakened, |changed| {
                let layer = &mut changed.layers[n];
                layer.handled_net = without(layer.handled_net, right);
                layer.net_port.iter_mut().for_each(|rule| rule.allow = without(rule.allow, right));
            });
        }
        for held in layer.scoped.iter() {
            let says = || listed("scoped", layer.scoped.names());
            self.put(scope.clone(), says(), Operator::Unhandled, unhandled(held), Effect::Weakened, |changed| {
                changed.layers[n].scoped = without(layer.scoped, held);
            });
            for other in Scope::ALL.iter().copied().filter(|other| !layer.scoped.contains(*other)) {
                let words = format!("`{}` instead of `{}`", other.name(), held.name());
                self.put(scope.clone(), says(), Operator::OtherScope, words, Effect::Weakened, |changed| {
                    changed.layers[n].scoped = without(layer.scoped, held).with(other);
                });
            }
        }
        // Only where the layer speaks of files at all: a policy that leaves them alone means to.
        if !layer.handled_fs.is_empty() {
            let says = || listed("handled", layer.handled_fs.names());
            for right in missing(layer.handled_fs).filter(|right| right.since_abi() <= KNOWN_ABI) {
                self.put(fs.clone(), says(), Operator::Handled, handled(right), Effect::Stricter, |changed| {
                    changed.layers[n].handled_fs = layer.handled_fs.with(right);
                });
            }
        }
        for right in missing(layer.handled_net).filter(|right: &NetRight| right.since_abi() <= KNOWN_ABI) {
            let says = listed("handled", layer.handled_net.names());
            self.put(net.clone(), says, Operator::Handled, handled(right), Effect::Stricter, |changed| {
                changed.layers[n].handled_net = layer.handled_net.with(right);
            });
        }
        for more in missing(layer.scoped) {
            let says = listed("scoped", layer.scoped.names());
            self.put(scope.clone(), says, Operator::Handled, handled(more), Effect::Stricter, |changed| {
                changed.layers[n].scoped = layer.scoped.with(more);
            });
        }
    }

    /// A rule more: on a port that nothing grants, and on everything of the run's where there is no rule that could be widened.
    fn added_rules(&mut self, n: usize, layer: &Layer, ports: &[String]) {
        let at = |list: &str| format!("{}/handled/{list}", self.policy.layer_pointer(n));
        let (fs, net) = (at("fs"), at("net"));
        for right in layer.handled_net.iter() {
            let granted = |port: &String| layer.net_port.iter().any(|r| r.port == *port && r.allow.contains(right));
            let Some(port) = ports.iter().find(|port| !granted(port)) else { continue };
            let says = listed("handled", layer.handled_net.names());
            let words = format!("a rule added: `{}` on port `{port}`", right.name());
            self.put(net.clone(), says, Operator::AddedRule, words, Effect::Weakened, |changed| {
                let rule = NetPortRule { port: port.clone(), allow: RightSet::of(&[right]) };
                changed.layers[n].net_port.push(rule);
            });
        }
        if layer.path_beneath.is_empty() {
            for right in layer.handled_fs.iter() {
                let says = listed("handled", layer.handled_fs.names());
                let words = format!("a rule added: `{}` on `{ROOT}`", right.name());
                self.put(fs.clone(), says, Operator::AddedRule, words, Effect::Weakened, |changed| {
                    let rule = PathBeneathRule { path: ROOT.to_owned(), allow: RightSet::of(&[right]) };
                    changed.layers[n].path_beneath.push(rule);
                });
            }
        }
    }

    fn path_rules(&mut self, n: usize, layer: &Layer, below: &dyn Fn(&str) -> Option<String>) {
        for (k, rule) in layer.path_beneath.iter().enumerate() {
            let at = format!("{}/path_beneath/{k}", self.policy.layer_pointer(n));
            let says = listed(&format!("`{}`", rule.path), rule.allow.names());
            let mut put = |operator, words, effect, change: &dyn Fn(&mut Layer)| {
                self.put(at.clone(), says.clone(), operator, words, effect, |changed| change(&mut changed.layers[n]));
            };
            put(Operator::DroppedRule, "the rule dropped".into(), Effect::Narrowed, &|layer| {
                layer.path_beneath.remove(k);
            });
            // The last right of a rule goes with the rule.
            for right in rule.allow.iter().filter(|_| rule.allow.iter().count() > 1) {
                put(Operator::DroppedRight, dropped(right), Effect::Narrowed, &|layer| {
                    let rule = &mut layer.path_beneath[k];
                    rule.allow = without(rule.allow, right);
                });
            }
            for right in layer.handled_fs.minus(rule.allow).iter() {
                put(Operator::AddedRight, added(right), Effect::Weakened, &|layer| {
                    let rule = &mut layer.path_beneath[k];
                    rule.allow = rule.allow.with(right);
                });
            }
            if let Some(above) = above(&rule.path) {
                let words = format!("on `{above}` instead");
                put(Operator::WidenedTarget, words, Effect::Weakened, &|layer| {
                    layer.path_beneath[k].path = above.to_owned();
                });
            }
            if let Some(inner) = below(&rule.path) {
                let words = format!("on `{inner}` alone");
                put(Operator::NarrowedTarget, words, Effect::Narrowed, &|layer| {
                    layer.path_beneath[k].path.clone_from(&inner);
                });
            }
        }
    }

    fn port_rules(&mut self, n: usize, layer: &Layer) {
        for (k, rule) in layer.net_port.iter().enumerate() {
            let at = format!("{}/net_port/{k}", self.policy.layer_pointer(n));
            let says = listed(&format!("port {}", rule.port), rule.allow.names());
            let mut put = |operator, words, effect, change: &dyn Fn(&mut Layer)| {
                self.put(at.clone(), says.clone(), operator, words, effect, |changed| change(&mut changed.layers[n]));
            };
            put(Operator::DroppedRule, "the rule dropped".into(), Effect::Narrowed, &|layer| {
                layer.net_port.remove(k);
            });
            for right in rule.allow.iter().filter(|_| rule.allow.iter().count() > 1) {
                put(Operator::DroppedRight, dropped(right), Effect::Narrowed, &|layer| {
                    let rule = &mut layer.net_port[k];
                    rule.allow = without(rule.allow, right);
                });
            }
            for right in layer.handled_net.minus(rule.allow).iter() {
                put(Operator::AddedRight, added(right), Effect::Weakened, &|layer| {
                    let rule = &mut layer.net_port[k];
                    rule.allow = rule.allow.with(right);
                });
            }
            put(Operator::OtherPort, "on another port".into(), Effect::Narrowed, &|layer| {
                layer.net_port[k].port = OTHER_PORT.to_owned();
            });
        }
    }
}

/// Rights of later ABIs are not added to what a policy handles: most kernels would refuse it for that alone.
const KNOWN_ABI: i32 = 7;

fn missing<R: Right>(held: RightSet<R>) -> impl Iterator<Item = R> {
    R::ALL.iter().copied().filter(move |right| !held.contains(*right))
}

fn without<R: Right>(set: RightSet<R>, right: R) -> RightSet<R> {
    set.minus(RightSet::EMPTY.with(right))
}

fn listed(what: &str, names: Vec<&str>) -> String {
    if names.is_empty() { format!("{what}: nothing") } else { format!("{what}: {}", names.join(", ")) }
}

fn unhandled(right: impl Right) -> String {
    format!("`{}` no longer handled", right.name())
}

fn handled(right: impl Right) -> String {
    format!("`{}` handled as well", right.name())
}

fn dropped(right: impl Right) -> String {
    format!("`{}` dropped", right.name())
}

fn added(right: impl Right) -> String {
    format!("`{}` added", right.name())
}

/// The folder above; `None` for `/` and `${root}`, above which nothing is the policy's to name.
fn above(path: &str) -> Option<&str> {
    let path = path.trim_end_matches('/');
    match path.rsplit_once('/')? {
        ("", name) => (!name.is_empty()).then_some("/"),
        (above, _) => Some(above),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::landlock::PolicyDocument;

    fn words(text: &str) -> Vec<(String, String, Effect)> {
        let text = format!(r#"{{"schema_version":"sandproof.landlock_policy.v1","abi":9,{text}}}"#);
        let document: PolicyDocument = serde_json::from_str(&text).unwrap();
        let policy = LandlockPolicy::compile(&document).unwrap();
        let below = |path: &str| path.starts_with("${root}").then(|| format!("{path}/inner"));
        let ports = ["443".to_owned(), "${port.shut}".to_owned()];
        let made = mutants(&policy, &ProfileScenery { below: &below, ports: &ports });
        made.iter()
            .filter(|mutant| mutant.change.operator != Operator::Handled)
            .map(|mutant| {
                if let Some(changed) = &mutant.policy {
                    assert_ne!(changed, &policy, "{:?}", mutant.change);
                }
                (mutant.change.at.clone(), mutant.change.words.clone(), mutant.change.effect)
            })
            .collect()
    }

    fn one(at: &str, change: &str, effect: Effect) -> (String, String, Effect) {
        (at.to_owned(), change.to_owned(), effect)
    }

    #[test]
    fn each_right_and_rule_is_changed_by_itself() {
        let found = words(
            r#""handled":{"fs":["write_file","read_file"]},
               "path_beneath":[{"path":"${root}/a","allow":["read_file"]}]"#,
        );
        assert_eq!(
            found,
            [
                one("/handled/fs", "`write_file` no longer handled", Effect::Weakened),
                one("/handled/fs", "`read_file` no longer handled", Effect::Weakened),
                one("/path_beneath/0", "the rule dropped", Effect::Narrowed),
                one("/path_beneath/0", "`write_file` added", Effect::Weakened),
                one("/path_beneath/0", "on `${root}` instead", Effect::Weakened),
                one("/path_beneath/0", "on `${root}/a/inner` alone", Effect::Narrowed),
            ]
        );
    }

    #[test]
    fn ports_scopes_layers_and_threads_are_changed_too() {
        let found = words(
            r#""tsync":true,"layers":[
               {"handled":{"net":["bind_tcp","connect_tcp"]},
                "net_port":[{"port":"443","allow":["bind_tcp","connect_tcp"]}]},
               {"handled":{"scope":["signal"]}}]"#,
        );
        let at = |place: &str| -> Vec<String> {
            found.iter().filter(|(at, ..)| at == place).map(|(_, words, _)| words.clone()).collect()
        };
        assert_eq!(
            at("/layers/0/handled/net"),
            [
                "`bind_tcp` no longer handled",
                "`connect_tcp` no longer handled",
                "a rule added: `bind_tcp` on port `${port.shut}`",
                "a rule added: `connect_tcp` on port `${port.shut}`",
            ]
        );
        assert_eq!(
            at("/layers/0/net_port/0"),
            ["the rule dropped", "`bind_tcp` dropped", "`connect_tcp` dropped", "on another port"]
        );
        assert_eq!(
            at("/layers/1/handled/scope"),
            ["`signal` no longer handled", "`abstract_unix_socket` instead of `signal`"]
        );
        assert_eq!(at("/layers/1"), ["the layer dropped"]);
        assert_eq!(at("/tsync"), ["`tsync` dropped"]);
    }

    #[test]
    fn a_document_that_restricts_nothing_is_no_policy() {
        let text = r#"{"schema_version":"sandproof.landlock_policy.v1","abi":1,"handled":{"fs":["read_file"]}}"#;
        let policy = LandlockPolicy::compile(&serde_json::from_str(text).unwrap()).unwrap();
        let made = mutants(&policy, &ProfileScenery { below: &|_| None, ports: &[] });
        let empty: Vec<_> = made.iter().filter(|mutant| mutant.policy.is_none()).collect();
        assert_eq!(empty.len(), 1);
        assert_eq!(empty[0].change.words, "`read_file` no longer handled");
        // What is handled more may need a later kernel, and says so.
        let truncate = made.iter().find(|mutant| mutant.change.words == "`truncate` handled as well").unwrap();
        assert_eq!(truncate.policy.as_ref().unwrap().abi, 3);
    }

    #[test]
    fn there_is_a_folder_above_all_but_the_top() {
        for (path, wanted) in [
            ("/usr/lib", Some("/usr")),
            ("/usr/", Some("/")),
            ("/", None),
            ("${root}", None),
            ("${root}/a", Some("${root}")),
            ("${root}/a/b", Some("${root}/a")),
        ] {
            assert_eq!(above(path), wanted, "{path}");
        }
    }
}
