//! Which share of a plan a run is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Most shares that a plan can be divided into.
pub const MAX_SHARDS: u32 = 100_000;

/// How rows are dealt out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShardKind {
    /// Neighbours stay together: the plan's rows are cut into as many pieces of the same length, or of one row more.
    Slice,
    /// By a digest of the row's ids and of what its probe does, so that a row keeps its share whatever is added to the plan.
    Hash,
}

impl ShardKind {
    /// Every kind, the one that keeps neighbours together first.
    pub const ALL: [Self; 2] = [Self::Slice, Self::Hash];

    /// The word that people type and documents have.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slice => "slice",
            Self::Hash => "hash",
        }
    }
}

/// Who said which share it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShardFoundBy {
    /// Whoever started the run, by argument.
    Argument,
    /// `SANDPROOF_SHARD`
    SandproofShard,
    /// `STRATEGY_JOB_INDEX` and `STRATEGY_JOB_TOTAL`, which a workflow of GitHub Actions sets from its matrix.
    GithubActions,
    /// `CI_NODE_INDEX` and `CI_NODE_TOTAL`
    Gitlab,
    /// `CIRCLE_NODE_INDEX` and `CIRCLE_NODE_TOTAL`
    Circleci,
    /// `BUILDKITE_PARALLEL_JOB` and `BUILDKITE_PARALLEL_JOB_COUNT`
    Buildkite,
    /// The `SLURM_ARRAY_TASK_…` variables
    SlurmArray,
    /// `JOB_COMPLETION_INDEX`
    Kubernetes,
    /// `TEST_SHARD_INDEX` and `TEST_TOTAL_SHARDS`
    Bazel,
    /// A merge of others, which lacks some.
    Merge,
}

impl ShardFoundBy {
    /// Every one.
    pub const ALL: [Self; 10] = [
        Self::Argument,
        Self::SandproofShard,
        Self::GithubActions,
        Self::Gitlab,
        Self::Circleci,
        Self::Buildkite,
        Self::SlurmArray,
        Self::Kubernetes,
        Self::Bazel,
        Self::Merge,
    ];

    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Argument => "argument",
            Self::SandproofShard => "sandproof_shard",
            Self::GithubActions => "github_actions",
            Self::Gitlab => "gitlab",
            Self::Circleci => "circleci",
            Self::Buildkite => "buildkite",
            Self::SlurmArray => "slurm_array",
            Self::Kubernetes => "kubernetes",
            Self::Bazel => "bazel",
            Self::Merge => "merge",
        }
    }
}

/// A share of a plan: of a run one of `count`, of an incomplete merge some of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardRecord {
    /// How rows are dealt out.
    pub kind: ShardKind,
    /// Which shares, from 1 to `count`, sorted, each once; never empty.
    pub indices: Vec<u32>,
    /// How many shares the plan is divided into.
    pub count: u32,
    /// Who said so.
    pub found_by: ShardFoundBy,
}

impl ShardRecord {
    /// Why it is no share of anything, if so.
    pub fn flaw(&self) -> Option<&'static str> {
        if self.count == 0 || self.count > MAX_SHARDS {
            Some("a plan is divided into 1 to 100000 shares")
        } else if self.indices.is_empty() {
            Some("it names no share")
        } else if !self.indices.is_sorted_by(|a, b| a < b) {
            Some("its shares are not sorted, or one is named twice")
        } else if self.indices[0] == 0 || self.indices.last().is_some_and(|last| *last > self.count) {
            Some("shares are numbered from 1 to their count")
        } else {
            None
        }
    }

    /// The share that a declaration states: `hash:2/5`. Who said so it does not say.
    pub fn declared(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (indices, count) = rest.split_once('/')?;
        let number = |text: &str| {
            // One spelling alone.
            text.parse::<u32>().ok().filter(|number| number.to_string() == text)
        };
        let shard = Self {
            kind: ShardKind::ALL.into_iter().find(|known| known.as_str() == kind)?,
            indices: indices.split(',').map(number).collect::<Option<_>>()?,
            count: number(count)?,
            found_by: ShardFoundBy::Argument,
        };
        shard.flaw().is_none().then_some(shard)
    }

    /// Whether it has that share, from 1.
    pub fn has(&self, index: u32) -> bool {
        self.indices.binary_search(&index).is_ok()
    }
}

/// As it is typed and declared: `hash:2/5`; of a merge `hash:1,2,4/5`.
impl fmt::Display for ShardRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.kind.as_str())?;
        for (n, index) in self.indices.iter().enumerate() {
            write!(f, "{}{index}", if n == 0 { "" } else { "," })?;
        }
        write!(f, "/{}", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(indices: &[u32], count: u32) -> ShardRecord {
        ShardRecord { kind: ShardKind::Hash, indices: indices.to_vec(), count, found_by: ShardFoundBy::Argument }
    }

    #[test]
    fn a_share_is_spelled_as_it_is_typed() {
        assert_eq!(shard(&[2], 5).to_string(), "hash:2/5");
        assert_eq!(ShardRecord { kind: ShardKind::Slice, ..shard(&[1, 2, 4], 5) }.to_string(), "slice:1,2,4/5");
        for text in ["hash:2/5", "slice:1,2,4/5"] {
            assert_eq!(ShardRecord::declared(text).unwrap().to_string(), text);
        }
        for bad in
            ["", "hash", "hash:2", "hash:2/", "hash:/5", "hash:0/5", "hash:6/5", "hash:02/5", "hash:+2/5", "hash:2,1/5"]
                .into_iter()
                .chain(["hash:2/5 ", " hash:2/5", "HASH:2/5", "row:2/5", "hash:2/5/5", "hash:1/4294967297"])
        {
            assert_eq!(ShardRecord::declared(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_no_share_says_why() {
        for good in [shard(&[1], 1), shard(&[2, 3], 3), shard(&[MAX_SHARDS], MAX_SHARDS)] {
            assert_eq!(good.flaw(), None, "{good}");
        }
        for bad in [shard(&[], 3), shard(&[0], 3), shard(&[4], 3), shard(&[2, 1], 3), shard(&[1, 1], 3), shard(&[1], 0)]
        {
            assert!(bad.flaw().is_some(), "{bad}");
        }
        assert!(shard(&[1], MAX_SHARDS + 1).flaw().is_some());
    }

    #[test]
    fn words_are_those_of_documents() {
        for found in ShardFoundBy::ALL {
            assert_eq!(serde_json::to_value(found).unwrap(), found.as_str());
        }
        for kind in ShardKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
