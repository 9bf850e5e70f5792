//! `--shard`: which share of a plan a run is, as it was typed, or as the scheduler that started this process says.

use std::fmt;
use std::str::FromStr;

use super::exit::{Exit, Failure};
use crate::record::shard::{MAX_SHARDS, ShardFoundBy, ShardKind, ShardRecord};

/// What `--shard` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WantedShard {
    /// This share.
    Given(ShardRecord),
    /// The one that the environment names; of so many, if that was said.
    Auto(Option<u32>),
}

/// What is no share.
#[derive(Debug, thiserror::Error)]
#[error("write `slice:I/N`, `hash:I/N` (I from 1 to N, N at most {MAX_SHARDS}), `auto`, or `auto/N`")]
pub(super) struct NoShard;

impl FromStr for WantedShard {
    type Err = NoShard;

    fn from_str(text: &str) -> Result<Self, NoShard> {
        if text == "auto" {
            return Ok(Self::Auto(None));
        }
        if let Some(count) = text.strip_prefix("auto/") {
            return number(count)
                .filter(|count| (1..=MAX_SHARDS).contains(count))
                .map(Some)
                .map(Self::Auto)
                .ok_or(NoShard);
        }
        ShardRecord::declared(text).filter(|shard| shard.indices.len() == 1).map(Self::Given).ok_or(NoShard)
    }
}

/// A number in its one spelling.
fn number(text: &str) -> Option<u32> {
    text.parse::<u32>().ok().filter(|number| number.to_string() == text)
}

/// A share that a system names, with the words of what named it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FoundShard {
    by: ShardFoundBy,
    kind: Option<ShardKind>,
    /// From 1.
    index: u32,
    /// `None`: the system does not say.
    count: Option<u32>,
    /// What was read: `CI_NODE_INDEX=2, CI_NODE_TOTAL=5`.
    read: String,
}

/// Why the environment names no share.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AutoShardError {
    /// No system that is known set anything.
    #[error("`--shard auto` found nothing in the environment that says which share of the plan this is")]
    Nothing,
    /// One of several variables is set, and another that belongs to it is not.
    #[error("`--shard auto` found {read}, and not {missing}")]
    Half {
        /// What was read.
        read: String,
        /// What is not there.
        missing: &'static str,
    },
    /// A variable holds no number, or an impossible one.
    #[error("`--shard auto` found {read}: {why}")]
    Bad {
        /// What was read.
        read: String,
        /// What is wrong.
        why: &'static str,
    },
    /// The system numbers its parts, and does not say how many there are.
    #[error("`--shard auto` found {read}, which does not say how many shares there are")]
    NoCount {
        /// What was read.
        read: String,
    },
    /// What is said in one place is not what is said in another.
    #[error("`--shard auto` found {first}, and {second}: they do not name the same share")]
    Disagree {
        /// What was read first.
        first: String,
        /// What was read then.
        second: String,
    },
}

/// What a share was made of, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChosenShard {
    pub(super) shard: ShardRecord,
    /// What was read of the environment, if that named it.
    read: Option<String>,
}

impl fmt::Display for ChosenShard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "share {} of the plan", self.shard)?;
        match &self.read {
            Some(read) => write!(f, ", by {read}"),
            None => Ok(()),
        }
    }
}

impl WantedShard {
    /// The share itself. `variable` looks a variable up; only `auto` asks.
    pub(super) fn choose(&self, variable: &dyn Fn(&str) -> Option<String>) -> Result<ChosenShard, Failure> {
        let count = match self {
            Self::Given(shard) => return Ok(ChosenShard { shard: shard.clone(), read: None }),
            Self::Auto(count) => *count,
        };
        find(count, variable).map_err(|error| {
            let hint = match &error {
                AutoShardError::Nothing => {
                    "it reads SANDPROOF_SHARD (I/N), GitHub Actions (STRATEGY_JOB_INDEX and STRATEGY_JOB_TOTAL, set from \
                     `strategy.job-index` and `strategy.job-total`), GitLab, CircleCI, Buildkite, Slurm arrays, Kubernetes \
                     indexed jobs and Bazel; `--shard hash:I/N` says it outright"
                }
                AutoShardError::NoCount { .. } => "say how many there are: `--shard auto/N`",
                AutoShardError::Half { .. } | AutoShardError::Bad { .. } | AutoShardError::Disagree { .. } => {
                    "`--shard hash:I/N` says it outright, and reads no variable"
                }
            };
            Failure::new(Exit::Usage, error).hint(hint)
        })
    }
}

/// The share that the environment names.
fn find(count: Option<u32>, variable: &dyn Fn(&str) -> Option<String>) -> Result<ChosenShard, AutoShardError> {
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    let mut all = Vec::new();
    for system in SYSTEMS {
        all.extend(system.find(&variable)?);
    }
    all.extend(own(&variable)?);
    all.extend(slurm(&variable)?);
    for found in &mut all {
        match (count, found.count) {
            (Some(given), Some(said)) if given != said => {
                return Err(AutoShardError::Disagree { first: format!("`auto/{given}`"), second: found.read.clone() });
            }
            (Some(given), None) => found.count = Some(given),
            _ => {}
        }
    }
    // Some systems always number their jobs. That there is one says nothing against somebody who numbers several.
    if all.iter().any(|found| found.count != Some(1)) {
        all.retain(|found| found.count != Some(1));
    }
    let Some(first) = all.first() else { return Err(AutoShardError::Nothing) };
    if let Some(other) = all.iter().find(|other| (other.index, other.count) != (first.index, first.count)) {
        return Err(AutoShardError::Disagree { first: first.read.clone(), second: other.read.clone() });
    }
    let Some(count) = first.count else { return Err(AutoShardError::NoCount { read: first.read.clone() }) };
    let kind = all.iter().find_map(|found| found.kind).unwrap_or(ShardKind::Hash);
    let shard = ShardRecord { kind, indices: vec![first.index], count, found_by: first.by };
    match shard.flaw() {
        None => Ok(ChosenShard { shard, read: Some(first.read.clone()) }),
        Some(why) => Err(AutoShardError::Bad { read: first.read.clone(), why }),
    }
}

/// A system that has one variable for which, and one for how many.
struct ShardSystem {
    by: ShardFoundBy,
    index: &'static str,
    /// `None`: nothing says it.
    total: Option<&'static str>,
    /// The number of its first part.
    first: u32,
}

const SYSTEMS: [ShardSystem; 6] = {
    const fn of(by: ShardFoundBy, index: &'static str, total: &'static str, first: u32) -> ShardSystem {
        ShardSystem { by, index, total: Some(total), first }
    }
    [
        of(ShardFoundBy::GithubActions, "STRATEGY_JOB_INDEX", "STRATEGY_JOB_TOTAL", 0),
        of(ShardFoundBy::Gitlab, "CI_NODE_INDEX", "CI_NODE_TOTAL", 1),
        of(ShardFoundBy::Circleci, "CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL", 0),
        of(ShardFoundBy::Buildkite, "BUILDKITE_PARALLEL_JOB", "BUILDKITE_PARALLEL_JOB_COUNT", 0),
        of(ShardFoundBy::Bazel, "TEST_SHARD_INDEX", "TEST_TOTAL_SHARDS", 0),
        ShardSystem { by: ShardFoundBy::Kubernetes, index: "JOB_COMPLETION_INDEX", total: None, first: 0 },
    ]
};

impl ShardSystem {
    fn find(&self, variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<FoundShard>, AutoShardError> {
        let (index, total) = (variable(self.index), self.total.and_then(variable));
        let read = match (&index, &total) {
            (Some(index), Some(total)) => format!("{}={index}, {}={total}", self.index, self.total.unwrap_or_default()),
            (Some(index), None) => format!("{}={index}", self.index),
            (None, Some(total)) => format!("{}={total}", self.total.unwrap_or_default()),
            (None, None) => return Ok(None),
        };
        let Some(index) = index else {
            // GitLab says that there is one where nothing is divided.
            let undivided = total.as_deref() == Some("1");
            return if undivided { Ok(None) } else { Err(AutoShardError::Half { read, missing: self.index }) };
        };
        if let (Some(missing), None) = (self.total, &total) {
            return Err(AutoShardError::Half { read, missing });
        }
        let bad = |why| AutoShardError::Bad { read: read.clone(), why };
        let index = number(&index).ok_or_else(|| bad("that is no number"))?;
        let count = total.map(|total| number(&total).ok_or_else(|| bad("that is no number"))).transpose()?;
        let Some(place) = index.checked_sub(self.first) else { return Err(bad("it is numbered from 1")) };
        if count.is_some_and(|count| place >= count) {
            return Err(bad("there are not so many"));
        }
        let index = place.checked_add(1).ok_or_else(|| bad("there are not so many"))?;
        Ok(Some(FoundShard { by: self.by, kind: None, index, count, read }))
    }
}

/// This program's own variable: `2/5`, or `slice:2/5`.
fn own(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<FoundShard>, AutoShardError> {
    let Some(text) = variable("SANDPROOF_SHARD") else { return Ok(None) };
    let read = format!("SANDPROOF_SHARD={text}");
    let (kind, spelled) = match text.split_once(':') {
        Some(_) => (true, text.clone()),
        None => (false, format!("hash:{text}")),
    };
    let shard = ShardRecord::declared(&spelled).filter(|shard| shard.indices.len() == 1);
    let Some(shard) = shard else {
        return Err(AutoShardError::Bad { read, why: "write `I/N`, `hash:I/N` or `slice:I/N`, I from 1 to N" });
    };
    Ok(Some(FoundShard {
        by: ShardFoundBy::SandproofShard,
        kind: kind.then_some(shard.kind),
        index: shard.indices[0],
        count: Some(shard.count),
        read,
    }))
}

/// A task of a Slurm array: ids from any number on, in steps, of which none may be left out.
fn slurm(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<FoundShard>, AutoShardError> {
    const ID: &str = "SLURM_ARRAY_TASK_ID";
    const OTHERS: [&str; 3] = ["SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX", "SLURM_ARRAY_TASK_COUNT"];
    const STEP: &str = "SLURM_ARRAY_TASK_STEP";
    let Some(id) = variable(ID) else { return Ok(None) };
    let mut read = format!("{ID}={id}");
    let mut values = Vec::new();
    for name in OTHERS {
        let Some(value) = variable(name) else { return Err(AutoShardError::Half { read, missing: name }) };
        read.push_str(&format!(", {name}={value}"));
        values.push(value);
    }
    // Slurm sets it of every array; one is what it means where nothing else was said.
    let step = variable(STEP);
    if let Some(step) = &step {
        read.push_str(&format!(", {STEP}={step}"));
    }
    let bad = |why| AutoShardError::Bad { read: read.clone(), why };
    let parse = |text: &str| number(text).ok_or_else(|| bad("that is no number"));
    let (id, min, max, count) = (parse(&id)?, parse(&values[0])?, parse(&values[1])?, parse(&values[2])?);
    let step = step.as_deref().map_or(Ok(1), parse)?;
    if step == 0 || !(min..=max).contains(&id) {
        return Err(bad("the task is not one of its array"));
    }
    if (max - min) / step + 1 != count || !(id - min).is_multiple_of(step) {
        return Err(bad(
            "the array has gaps, so which share a task is cannot be told; give a range, with a step if need be",
        ));
    }
    let index = (id - min) / step + 1;
    Ok(Some(FoundShard { by: ShardFoundBy::SlurmArray, kind: None, index, count: Some(count), read }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(count: Option<u32>, variables: &[(&str, &str)]) -> Result<(String, ShardFoundBy), String> {
        let look =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        find(count, &look).map(|chosen| (chosen.shard.to_string(), chosen.shard.found_by)).map_err(|e| e.to_string())
    }

    fn is(text: &str, by: ShardFoundBy) -> Result<(String, ShardFoundBy), String> {
        Ok((text.to_owned(), by))
    }

    #[track_caller]
    fn refused(count: Option<u32>, variables: &[(&str, &str)], word: &str) {
        let said = found(count, variables).unwrap_err();
        assert!(said.contains(word), "{variables:?}: {said}");
    }

    fn array<'v>(
        id: &'v str,
        min: &'v str,
        max: &'v str,
        step: &'v str,
        count: &'v str,
    ) -> [(&'static str, &'v str); 5] {
        [
            ("SLURM_ARRAY_TASK_ID", id),
            ("SLURM_ARRAY_TASK_MIN", min),
            ("SLURM_ARRAY_TASK_MAX", max),
            ("SLURM_ARRAY_TASK_STEP", step),
            ("SLURM_ARRAY_TASK_COUNT", count),
        ]
    }

    #[test]
    fn a_share_is_typed_in_one_spelling() {
        let given = |text: &str| match text.parse::<WantedShard>().ok()? {
            WantedShard::Given(shard) => Some(shard.to_string()),
            WantedShard::Auto(count) => Some(format!("auto {count:?}")),
        };
        assert_eq!(given("slice:1/3").as_deref(), Some("slice:1/3"));
        assert_eq!(given("hash:3/3").as_deref(), Some("hash:3/3"));
        assert_eq!(given("auto").as_deref(), Some("auto None"));
        assert_eq!(given("auto/7").as_deref(), Some("auto Some(7)"));
        for bad in
            ["", "1/3", "hash:0/3", "hash:4/3", "hash:1,2/3", "slice:1", "auto/0", "auto/", "auto/x", "hash: 1/3"]
        {
            assert_eq!(given(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_system_is_read_with_its_own_first_number() {
        use ShardFoundBy as By;
        let of = |by: By, index: &'static str, total: &'static str, first: u32| {
            let said = |n: u32| found(None, &[(index, &(n + first).to_string()), (total, "5")]);
            assert_eq!(said(0), is("hash:1/5", by));
            assert_eq!(said(4), is("hash:5/5", by));
            refused(None, &[(index, &(5 + first).to_string()), (total, "5")], "not so many");
            refused(None, &[(index, "1")], total);
            refused(None, &[(total, "5")], index);
            refused(None, &[(index, "one"), (total, "5")], "no number");
            refused(None, &[(index, "1"), (total, "0")], "not so many");
        };
        of(By::GithubActions, "STRATEGY_JOB_INDEX", "STRATEGY_JOB_TOTAL", 0);
        of(By::Gitlab, "CI_NODE_INDEX", "CI_NODE_TOTAL", 1);
        of(By::Circleci, "CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL", 0);
        of(By::Buildkite, "BUILDKITE_PARALLEL_JOB", "BUILDKITE_PARALLEL_JOB_COUNT", 0);
        of(By::Bazel, "TEST_SHARD_INDEX", "TEST_TOTAL_SHARDS", 0);
        refused(None, &[("CI_NODE_INDEX", "0"), ("CI_NODE_TOTAL", "5")], "from 1");
        // Where nothing is divided, GitLab still says how many there are.
        refused(None, &[("CI_NODE_TOTAL", "1")], "found nothing");
    }

    #[test]
    fn an_array_of_slurm_may_begin_anywhere_and_go_in_steps() {
        use ShardFoundBy::SlurmArray;
        assert_eq!(found(None, &array("0", "0", "3", "1", "4")), is("hash:1/4", SlurmArray));
        assert_eq!(found(None, &array("12", "10", "13", "1", "4")), is("hash:3/4", SlurmArray));
        assert_eq!(found(None, &array("9", "1", "9", "4", "3")), is("hash:3/3", SlurmArray));
        // The greatest id may be the one that was asked for, and not the last that there is.
        assert_eq!(found(None, &array("9", "1", "10", "4", "3")), is("hash:3/3", SlurmArray));
        assert_eq!(found(None, &array("7", "7", "7", "1", "1")), is("hash:1/1", SlurmArray));
    }

    #[test]
    fn an_array_with_gaps_cannot_be_placed() {
        for (id, min, max, step, count) in
            [("3", "1", "7", "1", "3"), ("2", "1", "9", "4", "3"), ("3", "1", "5", "1", "3")]
        {
            refused(None, &array(id, min, max, step, count), "gaps");
        }
        refused(None, &array("9", "1", "7", "1", "7"), "not one of its array");
        refused(None, &array("1", "1", "7", "0", "7"), "not one of its array");
        refused(None, &array("-1", "1", "7", "1", "7"), "no number");
        refused(None, &[("SLURM_ARRAY_TASK_ID", "1")], "SLURM_ARRAY_TASK_MIN");
    }

    #[test]
    fn a_job_of_kubernetes_needs_the_count() {
        let index = [("JOB_COMPLETION_INDEX", "4")];
        refused(None, &index, "how many");
        assert_eq!(found(Some(5), &index), is("hash:5/5", ShardFoundBy::Kubernetes));
        refused(Some(4), &index, "numbered from 1 to their count");
    }

    #[test]
    fn the_own_variable_says_the_kind_too() {
        use ShardFoundBy::SandproofShard;
        assert_eq!(found(None, &[("SANDPROOF_SHARD", "2/5")]), is("hash:2/5", SandproofShard));
        assert_eq!(found(None, &[("SANDPROOF_SHARD", "slice:2/5")]), is("slice:2/5", SandproofShard));
        for bad in ["2", "0/5", "6/5", "slice:", "slice:1,2/5", "auto", "2/5 "] {
            refused(None, &[("SANDPROOF_SHARD", bad)], "write `I/N`");
        }
    }

    #[test]
    fn what_disagrees_is_refused_and_what_is_not_divided_says_nothing() {
        let two = [("CI_NODE_INDEX", "2"), ("CI_NODE_TOTAL", "5")];
        let with = |more: &[(&'static str, &'static str)]| [&two[..], more].concat();
        refused(None, &with(&[("SANDPROOF_SHARD", "3/5")]), "not name the same");
        refused(None, &with(&[("JOB_COMPLETION_INDEX", "1")]), "not name the same");
        refused(Some(6), &two, "auto/6");
        assert_eq!(found(Some(5), &two), is("hash:2/5", ShardFoundBy::Gitlab));
        assert_eq!(found(None, &with(&[("SANDPROOF_SHARD", "slice:2/5")])), is("slice:2/5", ShardFoundBy::Gitlab));
        let alone = [("CIRCLE_NODE_INDEX", "0"), ("CIRCLE_NODE_TOTAL", "1")];
        assert_eq!(found(None, &with(&alone)), is("hash:2/5", ShardFoundBy::Gitlab));
        assert_eq!(found(None, &alone), is("hash:1/1", ShardFoundBy::Circleci));
        refused(None, &[], "found nothing");
        refused(None, &[("CI_NODE_INDEX", ""), ("CI_NODE_TOTAL", "")], "found nothing");
    }
}
