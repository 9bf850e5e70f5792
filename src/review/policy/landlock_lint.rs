//! What in a Landlock policy does not do what it seems to say.
//!
//! Facts about rights: Documentation/userspace-api/landlock.rst and security/landlock/fs.c of the kernel.

use super::UnplacedFinding;
use super::filters::is_below;
use super::landlock_access::{on_path, restricts};
use crate::policy::landlock::rights::{FsRight, NetRight, Right, RightSet, Scope};
use crate::policy::landlock::{LandlockPolicy, Layer, PlacedRule};
use crate::record::policy_review::{PolicyFindingKind as Kind, Weight};
use crate::record::why::WhyDecision;

/// What stands at a rule's path on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathState {
    /// A folder.
    Folder,
    /// A file of any other kind.
    NoFolder,
    /// There is nothing at that path.
    Nothing,
    /// The path goes through a symbolic link, and leads there.
    Elsewhere(String),
    /// It could not be looked at, or this host is not where the policy is for.
    Unknown,
}

/// Rights that make sense on a folder only (all but `ACCESS_FILE` in security/landlock/fs.c).
const FOLDER_RIGHTS: [FsRight; 11] = [
    FsRight::ReadDir,
    FsRight::RemoveDir,
    FsRight::RemoveFile,
    FsRight::MakeChar,
    FsRight::MakeDir,
    FsRight::MakeReg,
    FsRight::MakeSock,
    FsRight::MakeFifo,
    FsRight::MakeBlock,
    FsRight::MakeSym,
    FsRight::Refer,
];

/// Where the loaders of dynamically linked programs lie.
const LOADERS: [&str; 4] =
    ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-x86_64.so.1", "/usr/lib"];

/// Looks through a policy. `look` says what stands at a path of this host.
pub fn lint(policy: &LandlockPolicy, look: &dyn Fn(&str) -> PathState) -> Vec<UnplacedFinding> {
    let mut found = Vec::new();
    of_rules(policy, look, &mut found);
    of_refer(policy, &mut found);
    of_rights(policy, &mut found);
    found
}

fn of_rules(policy: &LandlockPolicy, look: &dyn Fn(&str) -> PathState, found: &mut Vec<UnplacedFinding>) {
    for (number, PlacedRule { layer, pointer: at, rule }) in policy.path_rules().enumerate() {
        let mut put = |weight, kind, message: String, remedy: &str| {
            found.push(UnplacedFinding::new(weight, kind, at.clone(), message, remedy));
        };
        let path = &rule.path;
        let folder_only = rule.allow.intersection(RightSet::of(&FOLDER_RIGHTS));
        match if path.starts_with('/') { look(path) } else { PathState::Unknown } {
            PathState::NoFolder if !folder_only.is_empty() => {
                let message = format!(
                    "`{path}` is not a folder on this host, and {} can only be granted on one: landlock_add_rule(2) answers \
                     EINVAL and the policy is not applied",
                    folder_only.names().join(", ")
                );
                put(Weight::Error, Kind::WouldNotApply, message, "grant these on the folder that holds it");
            }
            PathState::Nothing => {
                let message = format!("`{path}` does not exist on this host, where the policy could not be applied");
                put(Weight::Warning, Kind::RuleTarget, message, "make it, or remove the rule");
            }
            PathState::Elsewhere(real) => {
                let message = format!("`{path}` leads to `{real}` on this host; the rule is tied to what is there");
                put(Weight::Remark, Kind::RuleTarget, message, "");
            }
            _ => {}
        }
        // Only what its own layer grants besides can make a rule superfluous.
        let wider = policy.path_rules().enumerate().filter(|(other, wider)| {
            let twin = wider.rule.path == *path && wider.rule.allow.bits() == rule.allow.bits() && *other > number;
            wider.layer == layer && *other != number && !twin && is_below(path, &wider.rule.path)
        });
        let (mut granted, mut by) = (RightSet::<FsRight>::EMPTY, Vec::new());
        for (_, wider) in wider {
            if !wider.rule.allow.intersection(rule.allow).minus(granted).is_empty() {
                granted = granted.union(wider.rule.allow);
                by.push(wider.pointer);
            }
        }
        if granted.contains_all(rule.allow) {
            let message = format!("everything that this rule grants is already granted by {}", by.join(", "));
            put(Weight::Remark, Kind::Redundant, message, "remove one of them");
        }
    }
    for (number, PlacedRule { layer, pointer: at, rule }) in policy.port_rules().enumerate() {
        let wider = policy.port_rules().take(number).find(|other| {
            other.layer == layer && other.rule.port == rule.port && other.rule.allow.contains_all(rule.allow)
        });
        if let Some(wider) = wider {
            let message = format!("everything that this rule grants is already granted by {}", wider.pointer);
            found.push(UnplacedFinding::new(Weight::Remark, Kind::Redundant, at, message, "remove one of them"));
        }
    }
}

/// A layer that never grants `refer`, below or above others that do: as soon as one layer handles a file right, each refuses
/// it, whatever it handles itself (security/landlock/fs.h, `LANDLOCK_ACCESS_FS_INITIALLY_DENIED`).
fn of_refer(policy: &LandlockPolicy, found: &mut Vec<UnplacedFinding>) {
    let grants = |layer: &Layer| layer.path_beneath.iter().any(|rule| rule.allow.contains(FsRight::Refer));
    if !policy.layers.iter().any(grants) {
        return;
    }
    for (n, _) in policy.layers.iter().enumerate().filter(|(_, layer)| !grants(layer)) {
        let message =
            "this layer grants `refer` nowhere, so nothing can be moved or linked to another folder, whatever the \
                       other layers grant: every layer refuses it as soon as one handles a file right"
                .to_owned();
        let at = format!("{}/handled", policy.layer_pointer(n));
        let remedy =
            "handle `refer` here too and grant it where files are to be moved, or take it out of the other layers";
        found.push(UnplacedFinding::new(Weight::Warning, Kind::Incomplete, at, message, remedy));
    }
}

fn of_rights(policy: &LandlockPolicy, found: &mut Vec<UnplacedFinding>) {
    for (n, layer) in policy.layers.iter().enumerate() {
        let everywhere = (layer.path_beneath.iter())
            .filter(|rule| rule.path == "/")
            .fold(RightSet::EMPTY, |set: RightSet<FsRight>, rule| set.union(rule.allow));
        // `refer` granted everywhere is what a policy that wants renames to work has to say.
        let void = layer.handled_fs.intersection(everywhere).minus(RightSet::of(&[FsRight::Refer]));
        if !void.is_empty() {
            let message = format!("{} handled and granted on `/`: nothing is refused by it", listed(void.names()));
            let at = format!("{}/handled/fs", policy.layer_pointer(n));
            found.push(UnplacedFinding::new(
                Weight::Warning,
                Kind::RefusesNothing,
                at,
                message,
                "leave it out of both",
            ));
        }
    }
    // What no layer handles is free.
    let fs = policy.layers.iter().fold(RightSet::EMPTY, |set, layer| set.union(layer.handled_fs));
    let net = policy.layers.iter().fold(RightSet::EMPTY, |set, layer| set.union(layer.handled_net));
    let scoped = policy.layers.iter().fold(RightSet::EMPTY, |set, layer| set.union(layer.scoped));
    let at = |list: &'static str| if policy.layers.len() == 1 { list } else { "/layers" };
    let (of_fs, of_net, of_scopes) = (at("/handled/fs"), at("/handled/net"), at("/handled/scope"));
    let mut not_handled = |at: &str, names: Vec<&'static str>, what: &str, remedy: String| {
        let message = format!("{} not handled: {what}", listed(names));
        found.push(UnplacedFinding::new(Weight::Warning, Kind::NotHandled, at, message, remedy));
    };
    if fs.contains(FsRight::WriteFile) && !fs.contains(FsRight::Truncate) {
        let remedy = abi_remedy("truncate", 3, policy.abi);
        not_handled(of_fs, vec!["truncate"], "files that may not be opened for writing can still be emptied", remedy);
    }
    let makes =
        RightSet::of(&[FsRight::MakeReg, FsRight::MakeDir, FsRight::MakeSym, FsRight::MakeSock, FsRight::MakeFifo]);
    let missing = makes.minus(fs);
    if !missing.is_empty() && missing != makes {
        let what = "other kinds of node can still be made where these are refused";
        not_handled(of_fs, missing.names(), what, "handle them too, or say why not in the description".into());
    }
    let removes = RightSet::of(&[FsRight::RemoveFile, FsRight::RemoveDir]);
    if fs.contains(FsRight::WriteFile) && fs.intersection(removes).is_empty() {
        let what = "files that may not be written can still be removed, and replaced where making is allowed";
        not_handled(of_fs, removes.names(), what, "handle them too".into());
    }
    let tcp = RightSet::of(&[NetRight::BindTcp, NetRight::ConnectTcp]);
    let tcp_missing = tcp.minus(net);
    if !net.is_empty() {
        if !tcp_missing.is_empty() && tcp_missing != tcp {
            not_handled(of_net, tcp_missing.names(), "this direction of TCP is free", "handle it too".into());
        }
        let udp = RightSet::of(&[NetRight::BindUdp, NetRight::ConnectSendUdp]).minus(net);
        if !udp.is_empty() {
            let what = "datagrams are free, and so is every protocol that is not TCP";
            not_handled(of_net, udp.names(), what, abi_remedy("UDP", 10, policy.abi));
        }
    }
    let scopes = RightSet::of(Scope::ALL).minus(scoped);
    if !scopes.is_empty() && policy.abi >= 6 {
        let what = "abstract sockets and signals reach out of the domain as before";
        not_handled(of_scopes, scopes.names(), what, "handle what the program does not need".into());
    }
    let mut incomplete = |at: String, message: String, remedy: &str| {
        found.push(UnplacedFinding::new(Weight::Warning, Kind::Incomplete, at, message, remedy));
    };
    for PlacedRule { pointer: at, rule, .. } in policy.path_rules() {
        let lacks = |right: FsRight| {
            restricts(policy, right) && on_path(policy, right, &rule.path).decision == WhyDecision::Deny
        };
        if rule.allow.contains(FsRight::WriteFile) && lacks(FsRight::Truncate) {
            let message =
                "files here may be written and not truncated: open(2) with O_TRUNC fails with EACCES".to_owned();
            incomplete(at.clone(), message, "grant `truncate` as well");
        }
        if rule.allow.contains(FsRight::MakeReg) && lacks(FsRight::WriteFile) {
            let message = "files may be made here and not be opened for writing: open(2) with O_CREAT fails".to_owned();
            incomplete(at.clone(), message, "grant `write_file` as well");
        }
        if rule.allow.contains(FsRight::Execute) && lacks(FsRight::ReadFile) {
            let message =
                "programs here may be executed and not be read; an interpreter could not read its script".to_owned();
            incomplete(at.clone(), message, "grant `read_file` as well, if scripts are to run");
        }
    }
    let executes: Vec<&str> = policy
        .path_rules()
        .filter(|placed| placed.rule.allow.contains(FsRight::Execute))
        .map(|placed| placed.rule.path.as_str())
        .collect();
    let runs = |path: &&str| on_path(policy, FsRight::Execute, path).decision != WhyDecision::Deny;
    if fs.contains(FsRight::Execute) && !executes.is_empty() && !LOADERS.iter().any(runs) {
        let message = format!(
            "`execute` is granted on {} and on no place of a dynamic loader: a program that is dynamically linked fails with \
             EACCES",
            executes.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ")
        );
        incomplete(of_fs.into(), message, "grant `execute` on the loader (see `readelf -l PROGRAM`), or on its folder");
    }
}

fn listed(names: Vec<&'static str>) -> String {
    let is = if names.len() == 1 { "is" } else { "are" };
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    format!("{} {is}", names.join(", "))
}

fn abi_remedy(what: &str, since: i32, abi: i32) -> String {
    if abi >= since {
        "handle it too".into()
    } else {
        format!("{what} needs ABI {since}; raise `abi` where kernels allow it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::landlock::PolicyDocument;

    fn kinds(text: &str, seen: PathState) -> Vec<(&'static str, String)> {
        let text = format!(r#"{{"schema_version":"sandproof.landlock_policy.v1",{text}}}"#);
        let document: PolicyDocument = serde_json::from_str(&text).unwrap();
        let policy = LandlockPolicy::compile(&document).unwrap();
        let found = lint(&policy, &|_| seen.clone());
        found.into_iter().map(|found| (found.kind.as_str(), found.at)).collect()
    }

    fn at(kind: &'static str, place: &str) -> (&'static str, String) {
        (kind, place.to_owned())
    }

    #[test]
    fn what_could_not_be_applied_here_is_named() {
        let text = r#""abi":1,"handled":{"fs":["read_file","read_dir"]},"path_beneath":[{"path":"/etc/hosts","allow":["read_file","read_dir"]}]"#;
        assert_eq!(kinds(text, PathState::NoFolder), [at("would_not_apply", "/path_beneath/0")]);
        assert_eq!(kinds(text, PathState::Nothing), [at("rule_target", "/path_beneath/0")]);
        assert_eq!(kinds(text, PathState::Folder), []);
    }

    #[test]
    fn doubled_rules_are_named_once() {
        let text = r#""abi":1,"handled":{"fs":["read_file"]},"path_beneath":[{"path":"/a","allow":["read_file"]},
            {"path":"/a/b","allow":["read_file"]},{"path":"/a","allow":["read_file"]}]"#;
        assert_eq!(
            kinds(text, PathState::Folder),
            [at("redundant", "/path_beneath/1"), at("redundant", "/path_beneath/2")]
        );
    }

    #[test]
    fn rights_that_go_together_are_named() {
        let text = r#""abi":2,"handled":{"fs":["write_file"]}"#;
        assert_eq!(
            kinds(text, PathState::Folder),
            [at("not_handled", "/handled/fs"), at("not_handled", "/handled/fs")]
        );
        let text = r#""abi":4,"handled":{"net":["connect_tcp"]}"#;
        assert_eq!(
            kinds(text, PathState::Folder),
            [at("not_handled", "/handled/net"), at("not_handled", "/handled/net")]
        );
        let text = r#""abi":1,"handled":{"fs":["read_file"]},"path_beneath":[{"path":"/","allow":["read_file"]}]"#;
        assert_eq!(kinds(text, PathState::Folder), [at("refuses_nothing", "/handled/fs")]);
    }

    #[test]
    fn a_program_without_its_loader_is_named() {
        let with = |path: &str| {
            format!(
                r#""abi":1,"handled":{{"fs":["execute"]}},"path_beneath":[{{"path":"{path}","allow":["execute"]}}]"#
            )
        };
        assert_eq!(kinds(&with("/usr/bin/true"), PathState::NoFolder), [at("incomplete", "/handled/fs")]);
        assert_eq!(kinds(&with("/usr"), PathState::Folder), []);
    }
}
