//! What the kernel itself said of a denial (`run --attribute`): in a row, in the manifest, and in the summary.
//!
//! Landlock tells the audit of each denial which rights were missing, and on what (Linux 6.15, Landlock ABI 7;
//! Documentation/admin-guide/LSM/landlock.rst). None of it is a condition of a verdict.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::ids::{ExpectationId, ProfileId};

/// The first Landlock ABI that tells the audit of denials.
pub const SINCE_ABI: i32 = 7;

/// How far a refused operation can be put down to the policy by what the kernel said. In a row, if its operation failed under
/// a Landlock policy and the run listened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelAttribution {
    /// Who says that it was the policy.
    pub level: AttributionLevel,
    /// Why nobody but the error number does; present exactly with level `errno`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unattributed: Option<Unattributed>,
    /// What was missing, in the kernel's words: `fs.read_file`, `net.connect_tcp`, `scope.signal`, `ptrace`,
    /// `fs.change_topology`. Empty exactly with level `errno`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<String>,
    /// The path that it was missing on, as the kernel names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The device of that object, by the name of its file system's instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// The inode of that object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ino: Option<u64>,
    /// The port that it was missing on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Further denials of the same operation: a rename is refused on both sides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<KernelDenial>,
}

/// Who says that an operation was refused by the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributionLevel {
    /// The kernel, in a record of its own.
    Kernel,
    /// Nothing but the error number of the call.
    Errno,
}

/// Why the kernel is not known to have said anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unattributed {
    /// It told of other denials of this process, and not of one of its operation.
    NoRecord,
    /// It told nothing of this process, though every confined process is denied a look at the one that started it.
    NotArmed,
    /// Records were lost while the process was under way, or could not be read.
    Lost,
}

impl Unattributed {
    /// The same for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoRecord => "without a record of a denial",
            Self::NotArmed => "of processes that it told nothing of",
            Self::Lost => "while records were lost",
        }
    }
}

/// One denial, as the kernel told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelDenial {
    /// As in [`KernelAttribution`], and not empty.
    pub blockers: Vec<String>,
    /// As in [`KernelAttribution`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// As in [`KernelAttribution`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// As in [`KernelAttribution`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ino: Option<u64>,
    /// As in [`KernelAttribution`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

impl KernelAttribution {
    /// What these denials say, which are those of the operation in their order. `None`: there is none.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "no other kernel says anything"))]
    pub fn by_kernel(denials: impl IntoIterator<Item = KernelDenial>) -> Option<Self> {
        let mut denials = denials.into_iter();
        let KernelDenial { blockers, path, dev, ino, port } = denials.next()?;
        let further = denials.collect();
        Some(Self { level: AttributionLevel::Kernel, unattributed: None, blockers, path, dev, ino, port, further })
    }

    /// That the kernel is not known to have said anything.
    pub fn by_errno(why: Unattributed) -> Self {
        Self {
            level: AttributionLevel::Errno,
            unattributed: Some(why),
            blockers: Vec::new(),
            path: None,
            dev: None,
            ino: None,
            port: None,
            further: Vec::new(),
        }
    }

    /// Everything that was missing, of all its denials.
    pub fn all_blockers(&self) -> impl Iterator<Item = &str> {
        let further = self.further.iter().flat_map(|denial| &denial.blockers);
        self.blockers.iter().chain(further).map(String::as_str)
    }

    /// How many records of the kernel it has.
    pub fn records(&self) -> u64 {
        u64::from(!self.blockers.is_empty()) + self.further.len() as u64
    }

    /// Whether it says what its level demands and no more.
    pub fn is_well_formed(&self) -> bool {
        let told = !self.blockers.is_empty() && self.further.iter().all(|denial| !denial.blockers.is_empty());
        match self.level {
            AttributionLevel::Kernel => self.unattributed.is_none() && told,
            AttributionLevel::Errno => self.unattributed.is_some_and(|why| *self == Self::by_errno(why)),
        }
    }

    /// The same in words.
    pub fn sentence(&self) -> String {
        match self.unattributed {
            None => {
                let blockers: Vec<&str> = self.blockers.iter().map(String::as_str).collect();
                let mut text = format!("the kernel says that {} was missing", blockers.join(", "));
                if let Some(path) = &self.path {
                    text.push_str(&format!(" on `{path}`"));
                }
                if let Some(port) = self.port {
                    text.push_str(&format!(" on port {port}"));
                }
                if let (Some(dev), Some(ino)) = (&self.dev, self.ino) {
                    text.push_str(&format!(" (inode {ino} of {dev})"));
                }
                for denial in &self.further {
                    text.push_str(&format!(", then {}", denial.blockers.join(", ")));
                    if let Some(path) = &denial.path {
                        text.push_str(&format!(" on `{path}`"));
                    }
                }
                text
            }
            Some(Unattributed::NoRecord) => {
                "the error number alone: the kernel told of no denial by the policy".to_owned()
            }
            Some(Unattributed::NotArmed) => {
                "the error number alone: the kernel told nothing of this process".to_owned()
            }
            Some(Unattributed::Lost) => "the error number alone: records of the kernel were lost meanwhile".to_owned(),
        }
    }
}

/// That a run listened to the kernel's audit, and how it found that. In the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributionSetup {
    /// The state of the audit before the run changed it, and to which it was to be restored.
    pub audit_found: AuditState,
}

/// The state of the kernel's audit, as far as a run changes it (`struct audit_status` of linux/audit.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditState {
    /// 0: off; 1: on; 2: on, and locked until the next boot.
    pub enabled: u32,
    /// How many records may wait; 0: any number.
    pub backlog_limit: u32,
    /// How long whoever causes a record waits for room, in ticks of the kernel; 0: not at all.
    pub backlog_wait_time: u32,
}

/// What attribution came to. In the summary, if the run listened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributionSummary {
    /// Rows of the scenario lane that the kernel named blockers of.
    pub kernel: u64,
    /// Rows of the scenario lane whose operation failed and which rest on its error number alone.
    pub errno: u64,
    /// Those by the reason why.
    pub unattributed: BTreeMap<Unattributed, u64>,
    /// Records of the kernel in those rows.
    pub records: u64,
    /// Rows of which the kernel names other blockers than the model.
    pub oracle_disagrees: BlockerDisagreements,
}

/// How many rows [`BlockerDisagreements`] names. It counts all of them.
pub const MAX_DISAGREEMENTS: usize = 200;

/// Rows of which kernel and model name different blockers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockerDisagreements {
    /// How many there are in all.
    pub count: u64,
    /// The first [`MAX_DISAGREEMENTS`] of them, in plan order.
    pub rows: Vec<BlockerDisagreement>,
    /// How many are not listed.
    pub left_out: u64,
}

/// A row of which kernel and model name different blockers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockerDisagreement {
    /// Id of the profile, as in the registry.
    pub profile_id: ProfileId,
    /// Id of the expectation.
    pub expectation_id: ExpectationId,
    /// What the kernel says was missing.
    pub kernel: Vec<String>,
    /// What the model says is missing, for certain; nothing if it says that the operation goes through.
    pub model: Vec<String>,
}

impl AttributionSummary {
    /// Counts a row. `model`: what the model says is missing, if it is certain.
    pub fn add(
        &mut self,
        profile: &ProfileId,
        expectation: &ExpectationId,
        said: &KernelAttribution,
        model: Option<Vec<String>>,
    ) {
        match said.unattributed {
            None => self.kernel += 1,
            Some(why) => {
                self.errno += 1;
                *self.unattributed.entry(why).or_default() += 1;
            }
        }
        self.records += said.records();
        let Some(model) = model.filter(|_| said.level == AttributionLevel::Kernel) else { return };
        if said.all_blockers().all(|blocker| model.iter().any(|known| known == blocker)) {
            return;
        }
        let disagreements = &mut self.oracle_disagrees;
        disagreements.count += 1;
        if disagreements.rows.len() == MAX_DISAGREEMENTS {
            disagreements.left_out += 1;
            return;
        }
        let mut kernel: Vec<String> = Vec::new();
        for blocker in said.all_blockers() {
            if !kernel.iter().any(|known| known == blocker) {
                kernel.push(blocker.to_owned());
            }
        }
        disagreements.rows.push(BlockerDisagreement {
            profile_id: profile.clone(),
            expectation_id: expectation.clone(),
            kernel,
            model,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(blockers: &[&str]) -> KernelDenial {
        let blockers = blockers.iter().map(|one| (*one).to_owned()).collect();
        KernelDenial { blockers, path: Some("/a".into()), dev: Some("tmpfs".into()), ino: Some(3), port: None }
    }

    #[test]
    fn a_level_says_what_it_demands_and_no_more() {
        let kernel = KernelAttribution::by_kernel([denial(&["fs.read_file"]), denial(&["fs.refer"])]).unwrap();
        assert!(kernel.is_well_formed() && kernel.records() == 2);
        assert_eq!(kernel.all_blockers().collect::<Vec<_>>(), ["fs.read_file", "fs.refer"]);
        assert_eq!(KernelAttribution::by_kernel([]), None);
        for why in [Unattributed::NoRecord, Unattributed::NotArmed, Unattributed::Lost] {
            let errno = KernelAttribution::by_errno(why);
            assert!(errno.is_well_formed() && errno.records() == 0);
            assert!(!KernelAttribution { blockers: vec!["ptrace".into()], ..errno.clone() }.is_well_formed());
            assert!(!KernelAttribution { unattributed: None, ..errno.clone() }.is_well_formed());
            assert!(!KernelAttribution { level: AttributionLevel::Kernel, ..errno }.is_well_formed());
        }
        assert!(!KernelAttribution { blockers: Vec::new(), ..kernel.clone() }.is_well_formed());
        assert!(!KernelAttribution { further: vec![denial(&[])], ..kernel.clone() }.is_well_formed());
        assert!(!KernelAttribution { level: AttributionLevel::Errno, ..kernel }.is_well_formed());
    }

    #[test]
    fn blockers_have_to_be_among_those_that_the_model_names() {
        let (profile, expectation) = ("p".parse().unwrap(), "e".parse().unwrap());
        let count = |said: &KernelAttribution, model: Option<&[&str]>| {
            let mut summary = AttributionSummary::default();
            let model = model.map(|names| names.iter().map(|one| (*one).to_owned()).collect());
            summary.add(&profile, &expectation, said, model);
            summary
        };
        let said = KernelAttribution::by_kernel([denial(&["fs.read_file"])]).unwrap();
        assert_eq!(count(&said, Some(&["fs.read_file", "fs.write_file"])).oracle_disagrees.count, 0);
        assert_eq!(count(&said, None).oracle_disagrees.count, 0, "it is not certain");
        let other = count(&said, Some(&["fs.write_file"]));
        assert_eq!((other.kernel, other.records, other.oracle_disagrees.count), (1, 1, 1));
        assert_eq!(other.oracle_disagrees.rows[0].kernel, ["fs.read_file"]);
        assert_eq!(count(&said, Some(&[])).oracle_disagrees.count, 1, "the model lets it through");
        let both = KernelAttribution::by_kernel([denial(&["fs.read_file"]), denial(&["fs.refer"])]).unwrap();
        assert_eq!(count(&both, Some(&["fs.read_file"])).oracle_disagrees.rows[0].kernel, ["fs.read_file", "fs.refer"]);
        let errno = count(&KernelAttribution::by_errno(Unattributed::Lost), Some(&[]));
        assert_eq!((errno.errno, errno.oracle_disagrees.count), (1, 0));
        assert_eq!(errno.unattributed, [(Unattributed::Lost, 1)].into());
    }
}
