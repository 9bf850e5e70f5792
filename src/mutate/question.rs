//! Which probe would tell two Landlock policies apart: small operations on what a profile makes, put to the model of both.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::landlock::model::LandlockAnswerer;
use crate::policy::landlock::rights::{NetRight, Right, Scope};
use crate::policy::landlock::table::TSYNC;
use crate::policy::landlock::{FsRight, LandlockPolicy};
use crate::record::action::Action;
use crate::record::driver::Driver;
use crate::record::fixture::{FixtureEntry, FixtureKind, ListenerKind, ListenerSpec};
use crate::record::mutation::ProbeToAdd;
use crate::record::outcome::Decision;
use crate::record::policy_review::AccessChange;
use crate::record::why::WhyDecision;
use crate::review::policy::landlock_access;
use crate::review::policy::witness::NOBODY;

/// A folder that no rule names, and what is asked about in each folder.
const ELSEWHERE: &str = "elsewhere";
const FILE: &str = "asked.txt";
const FOLDER: &str = "asked-folder";
const PROGRAM: &str = "asked-program";
const FRESH: &str = "asked-new";

/// What two policies differ in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MutantDifference {
    /// In nothing, by the model.
    Nothing,
    /// In this, and a probe of it would have another verdict.
    Shown(Box<ProbeToAdd>),
    /// In something; no probe is known that would show it.
    NotShown,
}

/// What the questions about a profile are asked on.
#[derive(Debug)]
pub(super) struct QuestionGround {
    /// What the profile makes, and then what is asked about beside it.
    fixtures: Vec<FixtureEntry>,
    /// From here on, what the profile has not got.
    own: usize,
    folders: Vec<String>,
}

impl QuestionGround {
    /// Everything that a profile's fixtures are, with something of each kind in every folder of them.
    pub(super) fn new<'f>(policy: &LandlockPolicy, made: impl Iterator<Item = &'f FixtureEntry>) -> Self {
        let mut fixtures: Vec<FixtureEntry> = Vec::new();
        let mut kinds: BTreeMap<String, FixtureKind> = BTreeMap::new();
        for entry in made.filter(|entry| !entry.path.starts_with('/')) {
            if !kinds.contains_key(&entry.path) {
                kinds.insert(entry.path.clone(), entry.kind);
                fixtures.push(entry.clone());
            }
        }
        let mut folders: BTreeSet<String> = BTreeSet::from([ELSEWHERE.to_owned()]);
        for (path, kind) in &kinds {
            let parents = path.match_indices('/').map(|(end, _)| path[..end].to_owned());
            folders.extend(parents);
            if *kind == FixtureKind::Dir {
                folders.insert(path.clone());
            }
        }
        for placed in policy.path_rules() {
            let Some(inner) = placed.rule.path.strip_prefix("${root}/") else { continue };
            let inner = inner.trim_end_matches('/');
            if !inner.is_empty() && !inner.split('/').any(|part| matches!(part, "" | "." | "..")) {
                folders.insert(inner.to_owned());
            }
        }
        folders.retain(|folder| {
            let mut ways = folder.match_indices('/').map(|(end, _)| &folder[..end]).chain([folder.as_str()]);
            ways.all(|part| kinds.get(part).is_none_or(|kind| *kind == FixtureKind::Dir))
        });
        let own = fixtures.len();
        for folder in &folders {
            for (name, kind) in [(FILE, FixtureKind::File), (FOLDER, FixtureKind::Dir), (PROGRAM, FixtureKind::Program)]
            {
                fixtures.push(FixtureEntry::new(format!("{folder}/{name}"), kind));
            }
        }
        Self { fixtures, own, folders: folders.into_iter().collect() }
    }

    /// What tells `policy` from `changed`.
    pub(super) fn difference(&self, policy: &LandlockPolicy, changed: &LandlockPolicy) -> MutantDifference {
        let changes = decided(policy, changed);
        if changes.is_empty() && policy.tsync == changed.tsync {
            return MutantDifference::Nothing;
        }
        let mut differing: BTreeSet<&str> =
            changes.iter().flat_map(|change| &change.operations).map(String::as_str).collect();
        if policy.tsync != changed.tsync {
            differing.insert(TSYNC);
        }
        let mut before = LandlockAnswerer::new(policy);
        let mut after = LandlockAnswerer::new(changed);
        let mut all_known = true;
        for candidate in self.candidates(&differing, policy, changed) {
            let one = before.evaluate(&candidate.action, &self.fixtures).decision;
            let other = after.evaluate(&candidate.action, &self.fixtures).decision;
            match (one, other) {
                (Some(expected), Some(other)) if expected != other => {
                    return MutantDifference::Shown(Box::new(self.probe(candidate, expected)));
                }
                (Some(_), Some(_)) => {}
                _ => all_known = false,
            }
        }
        // What differs on the host alone, no question here is about.
        // The path of nobody stands for whatever no rule names, which is here too.
        let nobody = format!("/{NOBODY}");
        let on_host = |change: &&AccessChange| change.target.starts_with('/') && change.target != nobody;
        let rights = |of_host: bool| -> BTreeSet<&str> {
            let those = changes.iter().filter(|change| on_host(change) == of_host);
            those.flat_map(|change| &change.operations).map(String::as_str).collect()
        };
        if let Some(right) = rights(true).difference(&rights(false)).next() {
            let change = changes.iter().find(|change| change.operations.iter().any(|name| name == right));
            return change
                .and_then(of_host_path)
                .map_or(MutantDifference::NotShown, |probe| MutantDifference::Shown(probe.into()));
        }
        if all_known { MutantDifference::Nothing } else { MutantDifference::NotShown }
    }

    fn probe(&self, candidate: AskedCandidate, expected: Decision) -> ProbeToAdd {
        let AskedCandidate { action, listener } = candidate;
        let named = |entry: &&FixtureEntry| {
            let path = format!("${{root}}/{}", entry.path);
            action.target == path || (action.driver != Driver::SymlinkCreate && action.to.as_ref() == Some(&path))
        };
        let mut fixtures: Vec<FixtureEntry> = self.fixtures[self.own..].iter().filter(named).cloned().collect();
        // A folder that is there for what is to be made in it.
        let known = |folder: &str| {
            let below = format!("{folder}/");
            self.fixtures[..self.own].iter().any(|entry| entry.path == folder || entry.path.starts_with(&below))
                || fixtures.iter().any(|entry| entry.path.starts_with(&below))
        };
        let paths = [Some(action.target.as_str()), action.to.as_deref()];
        let folders: BTreeSet<String> = paths
            .into_iter()
            .flatten()
            .filter_map(|path| path.strip_prefix("${root}/")?.rsplit_once('/'))
            .map(|(folder, _)| folder.to_owned())
            .filter(|folder| !known(folder))
            .collect();
        fixtures.extend(folders.into_iter().map(|folder| FixtureEntry::new(folder, FixtureKind::Dir)));
        let info = action.driver.info();
        ProbeToAdd {
            operation: info.operations.first().copied().unwrap_or_default().to_owned(),
            driver: Some(info.name),
            target: action.target,
            to: action.to,
            expected,
            fixtures,
            listener,
        }
    }

    /// The operations that need one of these rights, the profile's own things first.
    fn candidates(&self, rights: &BTreeSet<&str>, a: &LandlockPolicy, b: &LandlockPolicy) -> Vec<AskedCandidate> {
        let mut found = Vec::new();
        for right in FsRight::ALL.iter().filter(|right| rights.contains(right.name())) {
            self.of_path(*right, &mut found);
        }
        let mut ports: Vec<&str> = [a, b].into_iter().flat_map(LandlockPolicy::port_rules).map(port_of).collect();
        ports.push("${port.unlisted}");
        for right in NetRight::ALL.iter().filter(|right| rights.contains(right.name())) {
            found.extend(ports.iter().map(|port| of_port(*right, port)));
        }
        for scope in Scope::ALL.iter().filter(|scope| rights.contains(scope.name())) {
            found.push(of_scope(*scope));
        }
        if rights.contains(TSYNC) {
            found.extend(self.on(Driver::FileReadOlderThread, FixtureKind::File));
        }
        found
    }

    fn of_path(&self, right: FsRight, found: &mut Vec<AskedCandidate>) {
        use Driver as D;
        use FixtureKind::{Dir, File, Program};
        match right {
            FsRight::Execute => found.extend(self.on(D::Exec, Program)),
            FsRight::WriteFile => found.extend(self.on(D::FileWrite, File)),
            FsRight::ReadFile => found.extend(self.on(D::FileRead, File)),
            FsRight::ReadDir => {
                let listed = |folder: &String| plain(D::DirList, format!("${{root}}/{folder}"));
                found.extend(self.folders.iter().filter(|folder| *folder != ELSEWHERE).map(listed));
                found.extend(self.on(D::DirList, Dir));
            }
            FsRight::RemoveDir => {
                let is_empty = |candidate: &AskedCandidate| {
                    let inner = format!("{}/", candidate.action.target.trim_start_matches("${root}/"));
                    !self.fixtures.iter().any(|entry| entry.path.starts_with(&inner))
                };
                found.extend(self.on(D::DirRemove, Dir).filter(is_empty));
            }
            FsRight::RemoveFile => found.extend(self.on(D::FileUnlink, File)),
            FsRight::MakeChar => self.making(D::CharDeviceCreate, found),
            FsRight::MakeDir => self.making(D::DirCreate, found),
            FsRight::MakeReg => {
                self.making(D::FileCreate, found);
                // Another name in the same folder needs nothing else.
                found.extend(self.on(D::FileLink, File).filter_map(|mut candidate| {
                    let folder = candidate.action.target.rsplit_once('/')?.0;
                    candidate.action.to = Some(format!("{folder}/{FRESH}"));
                    Some(candidate)
                }));
            }
            FsRight::MakeSock => self.making(D::SocketNodeCreate, found),
            FsRight::MakeFifo => self.making(D::FifoCreate, found),
            FsRight::MakeBlock => self.making(D::BlockDeviceCreate, found),
            FsRight::MakeSym => self.making(D::SymlinkCreate, found),
            FsRight::Refer => {
                for driver in [D::FileLink, D::FileRename] {
                    // Of the files in one folder, one stands for all.
                    let mut seen = BTreeSet::new();
                    let folder = |one: &AskedCandidate| one.action.target.rsplit_once('/').map(|(at, _)| at.to_owned());
                    for from in self.on(driver, File).filter(|one| seen.insert(folder(one))) {
                        found.extend(self.folders.iter().map(|folder| {
                            let mut candidate = from.clone();
                            candidate.action.to = Some(format!("${{root}}/{folder}/{FRESH}"));
                            candidate
                        }));
                    }
                }
            }
            FsRight::Truncate => found.extend(self.on(D::FileTruncate, File)),
            FsRight::IoctlDev => found.push(plain(D::DeviceIoctl, "/dev/random")),
            FsRight::ResolveUnix => found.extend(self.folders.iter().map(|folder| {
                let target = format!("${{root}}/{folder}/{FRESH}");
                listening(plain(D::UnixConnect, target), ListenerKind::Unix)
            })),
        }
    }

    fn on(&self, driver: Driver, kind: FixtureKind) -> impl Iterator<Item = AskedCandidate> {
        let those = self.fixtures.iter().filter(move |entry| entry.kind == kind);
        those.map(move |entry| plain(driver, format!("${{root}}/{}", entry.path)))
    }

    fn making(&self, driver: Driver, found: &mut Vec<AskedCandidate>) {
        found.extend(self.folders.iter().map(|folder| {
            let mut candidate = plain(driver, format!("${{root}}/{folder}/{FRESH}"));
            candidate.action.to = (driver == Driver::SymlinkCreate).then(|| "nowhere".to_owned());
            candidate
        }));
    }
}

/// An operation that may show a difference.
#[derive(Debug, Clone)]
struct AskedCandidate {
    action: Action,
    listener: Option<ListenerSpec>,
}

fn plain(driver: Driver, target: impl Into<String>) -> AskedCandidate {
    AskedCandidate { action: Action::new(driver, target), listener: None }
}

fn listening(mut candidate: AskedCandidate, kind: ListenerKind) -> AskedCandidate {
    candidate.listener = Some(ListenerSpec { kind, address: candidate.action.target.clone() });
    candidate
}

fn port_of<'p>(
    placed: crate::policy::landlock::table::PlacedRule<'p, crate::policy::landlock::NetPortRule>,
) -> &'p str {
    &placed.rule.port
}

fn of_port(right: NetRight, port: &str) -> AskedCandidate {
    let target = format!("127.0.0.1:{port}");
    match right {
        NetRight::BindTcp => plain(Driver::TcpBind, target),
        NetRight::ConnectTcp => listening(plain(Driver::TcpConnect, target), ListenerKind::Tcp),
        NetRight::BindUdp => plain(Driver::UdpBind, target),
        NetRight::ConnectSendUdp => listening(plain(Driver::UdpSend, target), ListenerKind::Udp),
    }
}

fn of_scope(scope: Scope) -> AskedCandidate {
    match scope {
        Scope::AbstractUnixSocket => {
            listening(plain(Driver::AbstractConnect, "${name.outside}"), ListenerKind::Abstract)
        }
        Scope::Signal => plain(Driver::SignalOutside, ""),
    }
}

/// Where both policies are certain and differ.
pub(super) fn decided(a: &LandlockPolicy, b: &LandlockPolicy) -> Vec<AccessChange> {
    let is_decided = |change: &AccessChange| ![change.a, change.b].contains(&WhyDecision::Undecidable);
    landlock_access::compare(a, b).1.into_iter().filter(is_decided).collect()
}

/// A probe of a host's own path, which has to be there.
fn of_host_path(change: &AccessChange) -> Option<ProbeToAdd> {
    let right = FsRight::ALL.iter().find(|right| change.operations.iter().any(|name| name == right.name()))?;
    let driver = match right {
        FsRight::Execute => Driver::Exec,
        FsRight::WriteFile => Driver::FileOpenWrite,
        FsRight::ReadFile => Driver::FileRead,
        FsRight::ReadDir => Driver::DirList,
        // What would change the host, no probe may do.
        _ => return None,
    };
    let info = driver.info();
    Some(ProbeToAdd {
        operation: info.operations.first().copied().unwrap_or_default().to_owned(),
        driver: Some(info.name),
        target: change.target.clone(),
        to: None,
        expected: if change.a == WhyDecision::Allow { Decision::Allow } else { Decision::Deny },
        fixtures: Vec::new(),
        listener: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> LandlockPolicy {
        let text = format!(r#"{{"schema_version":"sandproof.landlock_policy.v1","abi":7,{text}}}"#);
        LandlockPolicy::compile(&serde_json::from_str(&text).unwrap()).unwrap()
    }

    fn shown(a: &str, b: &str) -> Option<(String, String, Decision, Vec<String>)> {
        let (a, b) = (policy(a), policy(b));
        let made = [FixtureEntry::new("work/notes.txt", FixtureKind::File)];
        match QuestionGround::new(&a, made.iter()).difference(&a, &b) {
            MutantDifference::Shown(probe) => {
                let fixtures = probe.fixtures.iter().map(|entry| entry.path.clone()).collect();
                Some((probe.driver.unwrap().to_owned(), probe.target, probe.expected, fixtures))
            }
            MutantDifference::Nothing => None,
            MutantDifference::NotShown => panic!("not shown"),
        }
    }

    #[test]
    fn a_right_more_is_shown_on_what_the_profile_has() {
        let a = r#""handled":{"fs":["read_file","write_file"]},"path_beneath":[{"path":"${root}/work","allow":["read_file"]}]"#;
        let b = a.replace(r#""allow":["read_file"]"#, r#""allow":["read_file","write_file"]"#);
        let (driver, target, expected, fixtures) = shown(a, &b).unwrap();
        assert_eq!((driver.as_str(), target.as_str()), ("file_write", "${root}/work/notes.txt"));
        assert_eq!((expected, fixtures), (Decision::Deny, vec![]));
        // What no rule covers is shown where nothing is yet, and then has to be made.
        let b = a.replace(r#"["read_file","write_file"]"#, r#"["read_file"]"#);
        let (_, target, _, fixtures) = shown(a, &b).unwrap();
        assert_eq!((target.as_str(), fixtures.len()), ("${root}/work/notes.txt", 0));
        let wide = a.replace("${root}/work", "${root}");
        let (_, target, _, fixtures) = shown(a, &wide).unwrap();
        assert_eq!(
            (target.as_str(), fixtures),
            ("${root}/elsewhere/asked.txt", vec!["elsewhere/asked.txt".to_owned()])
        );
    }

    #[test]
    fn what_another_rule_grants_makes_no_difference() {
        let a = r#""handled":{"fs":["read_file"]},"path_beneath":[{"path":"${root}","allow":["read_file"]},
            {"path":"${root}/work","allow":["read_file"]}]"#;
        let b = r#""handled":{"fs":["read_file"]},"path_beneath":[{"path":"${root}","allow":["read_file"]}]"#;
        assert_eq!(shown(a, b), None);
        assert_eq!(shown(a, a), None);
        // A program is executed by whoever may also read it: nothing tells these apart.
        let a =
            r#""handled":{"fs":["read_file","execute"]},"path_beneath":[{"path":"${root}/work","allow":["execute"]}]"#;
        let b = r#""handled":{"fs":["read_file","execute"]}"#;
        assert_eq!(shown(a, b), None);
    }

    #[test]
    fn ports_and_scopes_are_shown() {
        let a = r#""handled":{"net":["connect_tcp"]},"net_port":[{"port":"${port.open}","allow":["connect_tcp"]}]"#;
        let (driver, target, expected, _) = shown(a, r#""handled":{"net":["connect_tcp"]}"#).unwrap();
        assert_eq!((driver.as_str(), target.as_str()), ("tcp_connect", "127.0.0.1:${port.open}"));
        assert_eq!(expected, Decision::Allow);
        let (driver, ..) =
            shown(r#""handled":{"scope":["signal"]}"#, r#""handled":{"scope":["abstract_unix_socket"]}"#).unwrap();
        assert_eq!(driver, "abstract_connect");
    }
}
