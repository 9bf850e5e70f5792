//! The controls of a Landlock policy; see [`crate::policy::controls`].

use super::model::evaluate;
use super::rights::{FsRight, NetRight};
use super::table::{LandlockPolicy, PlacedRule};
use crate::policy::controls::{Control, Controls, WhyNone};
use crate::record::action::Action;
use crate::record::driver::Driver;
use crate::record::fixture::{FixtureEntry, FixtureKind, ListenerKind, ListenerSpec};
use crate::record::outcome::Decision;

/// The folder of the controls' own targets, under `${root}`. A policy whose rules name it gets no controls there.
pub const CONTROL_FOLDER: &str = ".control";

/// Host folders that every user may list.
const LISTABLE: &[&str] = &["/", "/usr", "/etc", "/dev", "/proc"];

/// Finds the controls of a policy, whose texts still hold their placeholders.
pub fn derive_controls(policy: &LandlockPolicy) -> Controls {
    let fixtures = match rule_folders(policy) {
        Ok(fixtures) => fixtures,
        Err(why) => return Controls { must_deny: Err(why.clone()), must_allow: Err(why) },
    };
    let search = ControlSearch { policy, fixtures };
    Controls { must_deny: search.must_deny(), must_allow: search.must_allow() }
}

/// A folder for each path under `${root}` that a rule names. Every right can be granted on a folder, so the policy
/// can be applied whatever the profile's own fixtures are.
fn rule_folders(policy: &LandlockPolicy) -> Result<Vec<FixtureEntry>, WhyNone> {
    let mut folders: Vec<String> = Vec::new();
    for PlacedRule { pointer, rule, .. } in policy.path_rules() {
        let refuse = |what: &str| Err(WhyNone(format!("{pointer}/path {what}")));
        let Some(rest) = rule.path.strip_prefix("${root}") else {
            if rule.path.contains("${") {
                return refuse("holds a placeholder behind its beginning, so what it names is not known");
            }
            continue;
        };
        let mut parts: Vec<&str> = Vec::new();
        for part in rest.split('/').filter(|part| !matches!(*part, "" | ".")) {
            if part == ".." {
                if parts.pop().is_none() {
                    return refuse("leaves `${root}`, so what it names is not known");
                }
                continue;
            }
            parts.push(part);
            // Each step has to exist, also one that a later `..` leaves again.
            let path = parts.join("/");
            if !folders.contains(&path) {
                folders.push(path);
            }
        }
        if parts.first() == Some(&CONTROL_FOLDER) {
            return refuse("names the folder of the controls");
        }
    }
    Ok(folders.into_iter().map(|path| FixtureEntry::new(path, FixtureKind::Dir)).collect())
}

/// An operation that may serve as a control, before the model was asked.
struct LandlockCandidate {
    driver: Driver,
    target: String,
    to: Option<String>,
    fixtures: Vec<FixtureEntry>,
    listener: Option<ListenerSpec>,
}

impl LandlockCandidate {
    fn new(driver: Driver, target: impl Into<String>) -> Self {
        Self { driver, target: target.into(), to: None, fixtures: Vec::new(), listener: None }
    }

    /// On something that stands in `folder`, relative to `${root}`.
    fn on(driver: Driver, folder: &str, kind: FixtureKind) -> Self {
        let path = format!("{folder}/target");
        let mut candidate = Self::new(driver, format!("${{root}}/{path}"));
        candidate.fixtures.push(FixtureEntry::new(path, kind));
        candidate
    }

    /// On something that is to be made in `folder`.
    fn making(driver: Driver, folder: &str) -> Self {
        let mut candidate = Self::new(driver, format!("${{root}}/{folder}/target"));
        candidate.fixtures.push(FixtureEntry::new(folder, FixtureKind::Dir));
        candidate
    }

    fn listening(mut self, kind: ListenerKind) -> Self {
        self.listener = Some(ListenerSpec { kind, address: self.target.clone() });
        self
    }
}

/// File operations in `folder`, the most telling first. Each needs no privilege.
fn file_candidates(folder: &str) -> Vec<LandlockCandidate> {
    use Driver as D;
    use FixtureKind as K;
    let mut symlink = LandlockCandidate::making(D::SymlinkCreate, folder);
    symlink.to = Some("nowhere".into());
    vec![
        LandlockCandidate::on(D::FileRead, folder, K::File),
        LandlockCandidate::on(D::FileWrite, folder, K::File),
        LandlockCandidate::on(D::DirList, folder, K::Dir),
        LandlockCandidate::making(D::FileCreate, folder),
        LandlockCandidate::making(D::DirCreate, folder),
        LandlockCandidate::on(D::FileUnlink, folder, K::File),
        LandlockCandidate::on(D::DirRemove, folder, K::Dir),
        LandlockCandidate::on(D::FileTruncate, folder, K::File),
        symlink,
        LandlockCandidate::making(D::FifoCreate, folder),
        LandlockCandidate::making(D::SocketNodeCreate, folder),
        LandlockCandidate::on(D::Exec, folder, K::Program),
        LandlockCandidate::making(D::CharDeviceCreate, folder),
    ]
}

/// A link to another folder: refused by every policy that handles a file right and does not grant `refer`.
fn across(folder: &str) -> LandlockCandidate {
    let mut candidate = LandlockCandidate::on(Driver::FileLink, &format!("{folder}/one"), FixtureKind::File);
    candidate.fixtures.push(FixtureEntry::new(format!("{folder}/two"), FixtureKind::Dir));
    candidate.to = Some(format!("${{root}}/{folder}/two/target"));
    candidate
}

fn network_candidates() -> Vec<LandlockCandidate> {
    let port = "127.0.0.1:${port.control}";
    vec![
        LandlockCandidate::new(Driver::TcpBind, port),
        LandlockCandidate::new(Driver::TcpConnect, port).listening(ListenerKind::Tcp),
        LandlockCandidate::new(Driver::UdpBind, port),
        LandlockCandidate::new(Driver::UdpSend, port).listening(ListenerKind::Udp),
    ]
}

fn scope_candidates() -> Vec<LandlockCandidate> {
    vec![
        LandlockCandidate::new(Driver::AbstractConnect, "${name.control}").listening(ListenerKind::Abstract),
        LandlockCandidate::new(Driver::SignalOutside, ""),
    ]
}

struct ControlSearch<'a> {
    policy: &'a LandlockPolicy,
    fixtures: Vec<FixtureEntry>,
}

impl ControlSearch<'_> {
    fn try_one(&self, candidate: LandlockCandidate, wanted: Decision) -> Option<Control> {
        let LandlockCandidate { driver, target, to, fixtures: own, listener } = candidate;
        let action = Action { to, ..Action::new(driver, target) };
        let mut fixtures = self.fixtures.clone();
        for fixture in own {
            if !fixtures.contains(&fixture) {
                fixtures.push(fixture);
            }
        }
        let mut answer = evaluate(self.policy, &action, &fixtures);
        // What the rules' own host paths are is settled by applying them: a path that does not exist stops there. Only
        // the target's own host path would be taken for granted, and the candidates name none but well-known ones.
        answer.assumes.retain(|text| !self.is_about_a_rule(text));
        (answer.is_certain() && answer.decision == Some(wanted)).then_some(Control {
            action,
            fixtures,
            listener,
            answer,
        })
    }

    fn is_about_a_rule(&self, assumption: &str) -> bool {
        self.policy.path_rules().any(|PlacedRule { rule, .. }| {
            let path = rule.path.trim_end_matches('/');
            assumption.starts_with(&format!("`{path}` exists on the host"))
        })
    }

    fn first(&self, candidates: impl IntoIterator<Item = LandlockCandidate>, wanted: Decision) -> Option<Control> {
        candidates.into_iter().find_map(|candidate| self.try_one(candidate, wanted))
    }

    fn must_deny(&self) -> Result<Control, WhyNone> {
        let candidates = file_candidates(CONTROL_FOLDER)
            .into_iter()
            .chain(network_candidates())
            .chain(scope_candidates())
            .chain([across(CONTROL_FOLDER)]);
        self.first(candidates, Decision::Deny).ok_or_else(|| WhyNone(self.nothing_denied()))
    }

    fn nothing_denied(&self) -> String {
        "no operation is certainly refused in the run's own fixture root: every handled right is granted there by a \
         rule on `${root}` or above it, or may be granted by a rule on a host path"
            .into()
    }

    fn must_allow(&self) -> Result<Control, WhyNone> {
        // What a rule grants says the most, so that comes first.
        let granted = self.policy.path_rules().filter_map(|PlacedRule { rule, .. }| {
            let rest = rule.path.strip_prefix("${root}")?.trim_matches('/');
            let plain = !rest.split('/').any(|part| matches!(part, "." | ".." | ""));
            let folder = if rest.is_empty() {
                CONTROL_FOLDER.to_owned()
            } else if plain {
                format!("{rest}/{CONTROL_FOLDER}")
            } else {
                return None;
            };
            Some(file_candidates(&folder))
        });
        for candidates in granted.chain([file_candidates(CONTROL_FOLDER)]) {
            let granting =
                |control: &Control| control.answer.rule.as_deref().is_some_and(|rule| rule.contains("/path_beneath/"));
            let found =
                candidates.into_iter().filter_map(|candidate| self.try_one(candidate, Decision::Allow)).find(granting);
            if let Some(control) = found {
                return Ok(control);
            }
        }
        let paths = self.policy.path_rules().map(|placed| placed.rule);
        let host = paths.filter(|rule| rule.allow.contains(FsRight::ReadDir) && LISTABLE.contains(&rule.path.as_str()));
        let ports = self.policy.port_rules().map(|placed| placed.rule);
        let ports = ports.filter(|rule| rule.port.starts_with("${port.")).map(|rule| {
            let target = format!("127.0.0.1:{}", rule.port);
            if rule.allow.contains(NetRight::BindTcp) {
                LandlockCandidate::new(Driver::TcpBind, target)
            } else if rule.allow.contains(NetRight::ConnectTcp) {
                LandlockCandidate::new(Driver::TcpConnect, target).listening(ListenerKind::Tcp)
            } else {
                LandlockCandidate::new(Driver::UdpBind, target)
            }
        });
        let candidates = host
            .map(|rule| LandlockCandidate::new(Driver::DirList, rule.path.clone()))
            .chain(ports)
            .chain(file_candidates(CONTROL_FOLDER))
            .chain(network_candidates())
            .chain(scope_candidates());
        self.first(candidates, Decision::Allow).ok_or_else(|| {
            WhyNone(
                "no operation is certainly let through: every right is handled, and no rule grants one where the run \
                     could make a target"
                    .into(),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::policy::landlock::Layer;
    use crate::policy::landlock::PolicyDocument;
    use crate::policy::landlock::rights::{Right, RightSet};
    use crate::policy::landlock::table::PathBeneathRule;

    fn brief(value: Value) -> [String; 2] {
        let mut value = value;
        value["schema_version"] = json!("sandproof.landlock_policy.v1");
        value["abi"] = json!(10);
        let policy = LandlockPolicy::compile(&serde_json::from_value::<PolicyDocument>(value).unwrap()).unwrap();
        let text = |control: Result<Control, WhyNone>| match control {
            Ok(control) => format!("{} {}", control.action.driver.info().name, control.action.target),
            Err(_) => "none".into(),
        };
        let controls = derive_controls(&policy);
        [text(controls.must_deny), text(controls.must_allow)]
    }

    #[test]
    fn each_kind_of_policy_has_its_controls() {
        let every: Vec<&str> = FsRight::ALL.iter().map(|right| right.name()).collect();
        for (policy, deny, allow) in [
            (
                json!({"handled": {"fs": ["read_file"]}, "path_beneath": [{"path": "${root}/in", "allow": ["read_file"]}]}),
                "file_read ${root}/.control/target",
                "file_read ${root}/in/.control/target",
            ),
            (
                json!({"handled": {"fs": ["write_file"]}}),
                "file_write ${root}/.control/target",
                "file_read ${root}/.control/target",
            ),
            // A rule on everything beneath the root leaves only what it does not grant.
            (
                json!({"handled": {"fs": ["read_file"]}, "path_beneath": [{"path": "/", "allow": ["read_file"]}]}),
                "file_link ${root}/.control/one/target",
                "file_read ${root}/.control/target",
            ),
            (
                json!({"handled": {"fs": ["read_file", "truncate"]}, "path_beneath": [{"path": "${root}", "allow": ["read_file"]}]}),
                "file_truncate ${root}/.control/target",
                "file_read ${root}/.control/target",
            ),
            (
                json!({"handled": {"net": ["bind_tcp"]}}),
                "tcp_bind 127.0.0.1:${port.control}",
                "file_read ${root}/.control/target",
            ),
            (json!({"handled": {"scope": ["signal"]}}), "signal_outside ", "file_read ${root}/.control/target"),
            (
                json!({"handled": {"fs": ["ioctl_dev"]}}),
                "file_link ${root}/.control/one/target",
                "file_read ${root}/.control/target",
            ),
            (
                json!({"handled": {"fs": every}}),
                "file_read ${root}/.control/target",
                "tcp_bind 127.0.0.1:${port.control}",
            ),
            (
                json!({"handled": {"fs": every, "net": ["bind_tcp", "connect_tcp", "bind_udp", "connect_send_udp"],
                    "scope": ["signal", "abstract_unix_socket"]}}),
                "file_read ${root}/.control/target",
                "none",
            ),
            (
                json!({"handled": {"fs": every, "net": ["bind_tcp", "connect_tcp", "bind_udp", "connect_send_udp"],
                    "scope": ["signal", "abstract_unix_socket"]}, "net_port": [{"port": "${port.a}", "allow": ["connect_tcp"]}]}),
                "file_read ${root}/.control/target",
                "tcp_connect 127.0.0.1:${port.a}",
            ),
            (
                json!({"handled": {"fs": ["refer"]}, "path_beneath": [{"path": "/", "allow": ["refer"]}]}),
                "none",
                "file_read ${root}/.control/target",
            ),
            // `/tmp` may cover the fixture root, `/usr` never does.
            (
                json!({"handled": {"fs": ["read_file", "read_dir"]}, "path_beneath": [{"path": "/tmp", "allow": ["read_file"]},
                    {"path": "/usr", "allow": ["read_file", "read_dir"]}]}),
                "dir_list ${root}/.control/target",
                "dir_list /usr",
            ),
            (
                json!({"handled": {"fs": ["read_file"]}, "path_beneath": [{"path": "${root}/.control/x", "allow": ["read_file"]}]}),
                "none",
                "none",
            ),
        ] {
            assert_eq!(brief(policy.clone()), [deny, allow], "{policy}");
        }
    }

    proptest! {
        /// A control is what the model says about the very policy, and the policy can be applied among its fixtures.
        #[test]
        fn controls_hold_under_their_policy(
            handled in proptest::sample::subsequence(FsRight::ALL, 1..=FsRight::ALL.len()),
            allow in proptest::sample::subsequence(FsRight::ALL, 1..=FsRight::ALL.len()),
            path in proptest::sample::select(vec!["${root}", "${root}/a", "${root}/a/../b", "/", "/usr", "/tmp", "${root}/x/y/"]),
            layers in 1..=3_usize,
        ) {
            let set = |list: Vec<FsRight>| list.into_iter().fold(RightSet::EMPTY, RightSet::with);
            let handled_fs = set(handled);
            let allow = set(allow).intersection(handled_fs);
            let path_beneath = if allow.is_empty() { vec![] } else { vec![PathBeneathRule { path: path.into(), allow }] };
            let layer = Layer { handled_fs, path_beneath, ..Layer::default() };
            let policy = LandlockPolicy { abi: 10, tsync: false, layers: vec![layer; layers] };
            let controls = derive_controls(&policy);
            for (control, decision) in [(controls.must_deny, Decision::Deny), (controls.must_allow, Decision::Allow)] {
                if let Ok(control) = control {
                    let again = evaluate(&policy, &control.action, &control.fixtures);
                    prop_assert_eq!(again.decision, Some(decision));
                }
            }
        }
    }
}
