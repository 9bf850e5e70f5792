//! The controls of a Seatbelt profile; see [`crate::policy::controls`].
//!
//! Where the run's own folder lies is not known before it starts, so a rule on a host folder that may hold it makes
//! what happens there uncertain. Then the controls come from elsewhere: from operations that have no path, and from
//! files that every installed system has.

use super::model::{Model, question};
use super::rules::{Filter, PathFilter, SbplRules};
use crate::base::placeholder::ROOT;
use crate::policy::answer::{ModelAnswer, Need};
use crate::policy::controls::{Control, Controls, WhyNone};
use crate::policy::landlock::controls::CONTROL_FOLDER;
use crate::record::action::Action;
use crate::record::driver::Driver;
use crate::record::fixture::{FixtureEntry, FixtureKind, ListenerKind, ListenerSpec};
use crate::record::outcome::Decision;

/// Finds the controls of a profile, whose texts still hold their placeholders.
pub fn derive(rules: &SbplRules) -> Controls {
    let model = Model::new(rules);
    let candidates = candidates(rules);
    let find = |wanted: Decision| {
        candidates.iter().find_map(|candidate| candidate.certainly(&model, rules, wanted)).ok_or_else(|| {
            let what = if wanted == Decision::Deny { "refused" } else { "let through" };
            WhyNone(format!(
                "no operation that every host can perform is certainly {what} by the profile, wherever the run's own \
                 folder may lie"
            ))
        })
    };
    Controls { must_deny: find(Decision::Deny), must_allow: find(Decision::Allow) }
}

/// An operation that may serve as a control, before the model was asked.
struct SbplCandidate {
    driver: Driver,
    target: String,
    fixtures: Vec<FixtureEntry>,
    listener: Option<ListenerSpec>,
}

impl SbplCandidate {
    fn new(driver: Driver, target: impl Into<String>) -> Self {
        Self { driver, target: target.into(), fixtures: Vec::new(), listener: None }
    }

    /// On a file of its own at `path`, below `${root}`.
    fn on_file(driver: Driver, path: &str) -> Self {
        let mut candidate = Self::new(driver, format!("{ROOT}/{path}"));
        candidate.fixtures.push(FixtureEntry::new(path, FixtureKind::File));
        candidate
    }

    /// The candidate as a control, if the model is certain of this decision.
    fn certainly(&self, model: &Model<'_>, rules: &SbplRules, wanted: Decision) -> Option<Control> {
        let action = Action::new(self.driver, self.target.clone());
        let operation = self.driver.info().operations[0];
        let answer = model.ask(&question(&action, operation, None, &self.fixtures).ok()?);
        let answer = ModelAnswer {
            decision: answer.decision,
            rule: answer.rule.map(|index| rules.rules[index].place.to_string()),
            needs: answer.chain.into_iter().map(|step| Need { right: step.operation, on: step.on }).collect(),
            reason: answer.reason,
            assumes: answer.assumes,
        };
        let certain = answer.is_certain() && answer.decision == Some(wanted);
        let (fixtures, listener) = (self.fixtures.clone(), self.listener.clone());
        certain.then_some(Control { action, fixtures, listener, answer })
    }
}

/// The name of a control's shared memory or semaphore.
const POSIX_NAME: &str = "/sandproof-control";

/// What every host can do that applies the profile, the most telling first. Each needs no privilege.
fn candidates(rules: &SbplRules) -> Vec<SbplCandidate> {
    let mut found = Vec::new();
    // What rules say about the run's own folder says the most.
    for folder in own_folders(rules) {
        for driver in [Driver::FileRead, Driver::FileWrite] {
            found.push(SbplCandidate::on_file(driver, &folder));
        }
    }
    for driver in [Driver::FileRead, Driver::FileWrite, Driver::FileLstat, Driver::FileChmod, Driver::FileUnlink] {
        found.push(SbplCandidate::on_file(driver, &format!("{CONTROL_FOLDER}/target")));
    }
    for (driver, target) in [
        (Driver::FileRead, "/private/etc/hosts"),
        (Driver::DirList, "/private/etc"),
        (Driver::DirList, "/usr/bin"),
        (Driver::DirList, "/"),
        (Driver::FileLstat, "/private/etc/hosts"),
        (Driver::FileStat, "/private/etc/hosts"),
        (Driver::SysctlRead, "kern.ostype"),
        (Driver::ProcessInfo, "self"),
        (Driver::SignalSelf, ""),
        (Driver::SignalSameSandbox, ""),
        (Driver::ProcessFork, ""),
        (Driver::TcpBind, "127.0.0.1:${port.control}"),
        (Driver::UdpBind, "127.0.0.1:${port.control}"),
        // Fixed, because such a name has at most 31 bytes on macOS (`PSHMNAMLEN`, `PSEMNAMLEN` of xnu), and one that is
        // made of the run's id has more. Whoever finds it taken by another row tries again.
        (Driver::PosixShm, POSIX_NAME),
        (Driver::PosixSem, POSIX_NAME),
    ] {
        found.push(SbplCandidate::new(driver, target));
    }
    let mut connect = SbplCandidate::new(Driver::TcpConnect, "127.0.0.1:${port.control}");
    connect.listener = Some(ListenerSpec { kind: ListenerKind::Tcp, address: connect.target.clone() });
    found.push(connect);
    found
}

/// Places below `${root}` that the rules name: each file itself, and a file of our own in each folder.
fn own_folders(rules: &SbplRules) -> Vec<String> {
    fn collect(filter: &Filter, into: &mut Vec<String>) {
        match filter {
            Filter::All(filters) | Filter::Any(filters) => filters.iter().for_each(|filter| collect(filter, into)),
            Filter::Not(filter) => collect(filter, into),
            Filter::Path(PathFilter::Literal(path)) => into.extend(below_root(path)),
            Filter::Path(PathFilter::Subpath(path)) => {
                let folder = if path == ROOT { Some(String::new()) } else { below_root(path).map(|path| path + "/") };
                into.extend(folder.map(|folder| format!("{folder}{CONTROL_FOLDER}/target")));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    rules.rules.iter().flat_map(|rule| &rule.filters).for_each(|filter| collect(filter, &mut found));
    found.dedup();
    found
}

/// The path relative to `${root}`, if it lies below it and is written plainly.
fn below_root(path: &str) -> Option<String> {
    let rest = path.strip_prefix(ROOT)?.strip_prefix('/')?;
    let plain = rest.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains("${"));
    plain.then(|| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::SbplPolicy;
    use super::*;

    fn brief(text: &str) -> [String; 2] {
        let parameters = BTreeMap::from([("ROOT".to_owned(), ROOT.to_owned())]);
        let policy = SbplPolicy::new(text, parameters).unwrap();
        let text = |control: Result<Control, WhyNone>| match control {
            Ok(control) => format!("{} {}", control.action.driver.info().name, control.action.target),
            Err(_) => "none".into(),
        };
        let controls = derive(policy.rules());
        [text(controls.must_deny), text(controls.must_allow)]
    }

    #[test]
    fn each_kind_of_profile_has_its_controls() {
        for (text, deny, allow) in [
            (
                "(version 1)(deny default)(allow file-read*)",
                "file_write ${root}/.control/target",
                "file_read ${root}/.control/target",
            ),
            // Which of two rules comes first was never recorded on 14.4.1, so what depends on it is no control.
            (
                "(version 1)(deny file-read* file-write* (subpath (param \"ROOT\")))(allow file-read-data)(allow default)",
                "none",
                "file_read ${root}/.control/target",
            ),
            // `(deny default)` may leave these alone.
            (
                "(version 1)(deny default)(allow file* network* ipc* process-fork sysctl*)(allow signal (target same-sandbox))",
                "none",
                "file_read ${root}/.control/target",
            ),
            ("(version 1)(allow default)", "none", "file_read ${root}/.control/target"),
            (
                "(version 1)(deny default)(allow file-read* (subpath (string-append (param \"ROOT\") \"/in\")))",
                "file_write ${root}/in/.control/target",
                "file_read ${root}/in/.control/target",
            ),
            (
                "(version 1)(allow default)(deny file-read* (literal (string-append (param \"ROOT\") \"/secret\")))",
                "file_read ${root}/secret",
                "file_write ${root}/secret",
            ),
            // Whether the run's folder lies there is not known.
            (
                "(version 1)(allow default)(deny file* (subpath \"/private\"))",
                "file_read /private/etc/hosts",
                "dir_list /usr/bin",
            ),
            ("(version 1)(deny default)(import \"system.sb\")", "none", "none"),
            (
                "(version 1)(deny default)(allow signal (target self))",
                "file_read ${root}/.control/target",
                "signal_self ",
            ),
        ] {
            assert_eq!(brief(text), [deny, allow], "{text}");
        }
    }

    #[test]
    fn a_control_is_what_the_model_is_certain_of() {
        let policy = SbplPolicy::new("(version 1)(deny default)(allow file-read*)", BTreeMap::new()).unwrap();
        let control = derive(policy.rules()).must_allow.unwrap();
        assert_eq!(control.answer.rule.as_deref(), Some("1:26"));
        assert!(control.answer.is_certain());
        assert_eq!(control.fixtures.len(), 1);
    }

    #[test]
    fn a_control_of_shared_memory_or_semaphores_has_a_name_that_macos_takes() {
        for operation in ["ipc-posix-shm*", "ipc-posix-sem*"] {
            let [deny, _] = brief(&format!("(version 1)(allow default)(deny {operation})"));
            let (driver, name) = deny.split_once(' ').unwrap();
            assert!(driver.starts_with("posix_s"), "{deny}");
            // 31 bytes: PSHMNAMLEN and PSEMNAMLEN of xnu. A placeholder would grow by the run's id.
            assert!(name.len() <= 31 && !name.contains("${"), "{name}");
        }
    }
}
