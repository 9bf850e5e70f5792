//! What puts policies in force: one type, and one table of what the rest of the program has to know of each.
//!
//! Documents name an enforcer in three ways: by its name (`landlock`), by a profile's mode (`sbpl`), and by the call that
//! an apply record names (`sandbox_init`). All three are read here and nowhere else. What an enforcer *does* with a policy is
//! in the modules that match on [`Enforcer`], [`PolicyMode`] or the policy's value without a wildcard, so that the compiler
//! names them when one is added; CONTRIBUTING has the list.

use serde::{Deserialize, Serialize};

use super::outcome::FailureKind;
use super::platform::Platform;

/// What enforces policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Enforcer {
    /// Linux's, applied by the process that it confines.
    Landlock,
    /// macOS's, applied by the process that it confines.
    Seatbelt,
    /// A command that starts the probe inside a sandbox of whatever kind.
    Launcher,
}

/// How a profile's policy document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyMode {
    /// Seatbelt profile language text.
    Sbpl,
    /// A compiled Seatbelt profile.
    Blob,
    /// A Landlock rule table, as JSON.
    Landlock,
    /// A launcher's document, as JSON.
    Launcher,
}

/// How a process finds out whether it is confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SelfCheckKind {
    /// It tries to read the executable link of a process outside: a Landlock domain refuses ptrace-style access to whatever
    /// is not in it.
    InspectOutside,
    /// It asks `sandbox_check` about itself.
    SandboxCheck,
    /// It does not: each answer is judged by what stands around the process that gave it.
    None,
}

/// What is known about an enforcer.
#[derive(Debug, Clone, Copy)]
pub struct EnforcerInfo {
    /// The name in documents.
    pub name: &'static str,
    /// The name in sentences.
    pub title: &'static str,
    /// The system that has it. Profiles of it run that system's drivers, on paths as that system spells them. `None`: each may
    /// have it, and a policy document names one.
    pub platform: Option<Platform>,
    /// Who answers in the oracle lane without a kernel.
    pub model: &'static str,
    /// What else is asked in the oracle lane, inside the confined process; `None`: nothing can be asked.
    pub query: Option<&'static str>,
    /// How a process finds out that a policy is in force.
    pub self_check: SelfCheckKind,
    /// Whether registries of the reference runtime have profiles of it. Those may share the names of probes and expectation
    /// ids, which is refused anywhere else.
    pub in_reference_registries: bool,
}

/// What is known about a way of writing policies.
#[derive(Debug, Clone, Copy)]
pub struct ModeInfo {
    /// The name in documents.
    pub name: &'static str,
    /// What enforces such a policy.
    pub enforcer: Enforcer,
    /// How the names of such documents end, after the dot.
    pub extension: &'static str,
    /// The calls that put such a policy in force, as apply records name them. The first is what this program writes.
    pub apis: &'static [&'static str],
    /// The kind of a failed application that has no more particular one.
    pub apply_failure: FailureKind,
    /// Whether a profile may supply the document with parameters, with imports and with rules of its own.
    pub takes_supplements: bool,
}

impl Enforcer {
    /// Every enforcer.
    pub const ALL: [Self; 3] = [Self::Landlock, Self::Seatbelt, Self::Launcher];

    /// What is known about it.
    pub const fn info(self) -> EnforcerInfo {
        match self {
            Self::Landlock => EnforcerInfo {
                name: "landlock",
                title: "Landlock",
                platform: Some(Platform::Linux),
                model: "landlock_model",
                query: None,
                self_check: SelfCheckKind::InspectOutside,
                in_reference_registries: false,
            },
            Self::Seatbelt => EnforcerInfo {
                name: "seatbelt",
                title: "Seatbelt",
                platform: Some(Platform::Macos),
                model: "seatbelt_model",
                query: Some("sandbox_check"),
                self_check: SelfCheckKind::SandboxCheck,
                in_reference_registries: true,
            },
            Self::Launcher => EnforcerInfo {
                name: "launcher",
                title: "a launcher",
                platform: None,
                model: "launcher_claims",
                query: None,
                self_check: SelfCheckKind::None,
                in_reference_registries: false,
            },
        }
    }

    /// The one that is a part of the system itself.
    pub const fn of_system(platform: Platform) -> Self {
        match platform {
            Platform::Linux => Self::Landlock,
            Platform::Macos => Self::Seatbelt,
        }
    }

    /// The system that has it; `None` if each may.
    pub const fn platform(self) -> Option<Platform> {
        self.info().platform
    }
}

impl PolicyMode {
    /// Every mode.
    pub const ALL: [Self; 4] = [Self::Sbpl, Self::Blob, Self::Landlock, Self::Launcher];

    /// What is known about it.
    pub const fn info(self) -> ModeInfo {
        match self {
            Self::Sbpl => ModeInfo {
                name: "sbpl",
                enforcer: Enforcer::Seatbelt,
                extension: "sb",
                // The reference runtime's documents have the first, though the function is the second.
                apis: &["sandbox_init", "sandbox_init_with_parameters"],
                apply_failure: FailureKind::SandboxInitFailed,
                takes_supplements: true,
            },
            Self::Blob => ModeInfo {
                name: "blob",
                enforcer: Enforcer::Seatbelt,
                extension: "bin",
                apis: &["sandbox_apply"],
                apply_failure: FailureKind::SandboxApplyFailed,
                takes_supplements: false,
            },
            Self::Landlock => ModeInfo {
                name: "landlock",
                enforcer: Enforcer::Landlock,
                extension: "json",
                apis: &["landlock_restrict_self"],
                apply_failure: FailureKind::LandlockApplyFailed,
                takes_supplements: false,
            },
            Self::Launcher => ModeInfo {
                name: "launcher",
                enforcer: Enforcer::Launcher,
                extension: "launcher",
                // No process puts it in force on itself.
                apis: &["launcher"],
                apply_failure: FailureKind::LauncherNotStarted,
                takes_supplements: false,
            },
        }
    }

    /// The mode's name.
    pub const fn as_str(self) -> &'static str {
        self.info().name
    }

    /// What enforces such a policy.
    pub const fn enforcer(self) -> Enforcer {
        self.info().enforcer
    }

    /// The call that apply records of this program name.
    pub const fn api(self) -> &'static str {
        self.info().apis[0]
    }

    /// The mode of policies that a call puts in force; `None` for a call that puts none in force.
    pub fn by_api(api: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.info().apis.contains(&api))
    }

    /// The mode of a document of that name, by its ending; a text of the profile language may end in anything.
    pub fn by_file_name(name: &str) -> Self {
        let ending = name.rsplit_once('.').map(|(_, ending)| ending);
        Self::ALL.into_iter().find(|mode| Some(mode.info().extension) == ending).unwrap_or(Self::Sbpl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::outcome::FailureStage;

    #[test]
    fn every_enforcer_and_every_mode_is_listed_once_and_found_by_what_documents_say() {
        let mut names = Vec::new();
        for enforcer in Enforcer::ALL {
            let info = enforcer.info();
            assert!(PolicyMode::ALL.iter().any(|mode| mode.enforcer() == enforcer), "{}", info.name);
            names.push(info.name);
            names.push(info.model);
        }
        let mut apis = Vec::new();
        for mode in PolicyMode::ALL {
            let info = mode.info();
            assert_eq!(serde_json::to_value(mode).unwrap(), info.name);
            assert_eq!(info.apply_failure.stage(), FailureStage::Apply);
            assert_eq!(PolicyMode::by_file_name(&format!("a/b.{}", info.extension)), mode);
            for api in info.apis {
                assert_eq!(PolicyMode::by_api(api), Some(mode));
                apis.push(*api);
            }
        }
        for mut list in [names, apis] {
            let count = list.len();
            list.sort_unstable();
            list.dedup();
            assert_eq!(list.len(), count, "{list:?}");
        }
        assert_eq!(PolicyMode::by_api("sandbox_init_with_extensions"), None);
        assert_eq!(PolicyMode::by_api(""), None);
        assert_eq!(PolicyMode::by_file_name("profile"), PolicyMode::Sbpl);
        assert_eq!(PolicyMode::by_file_name("profile.txt"), PolicyMode::Sbpl);
    }
}
