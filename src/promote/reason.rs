//! Every reason why a bundle may not be promoted: its name, what it means, what to do about it.

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $why:literal, $remedy:literal;)*) => {
        /// A reason why a bundle may not be promoted. The order is that of the names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// Every reason, by name.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The reason's name in documents.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// The reason in words, for people.
            pub fn explain(self) -> &'static str {
                match self { $(Self::$name => $why),* }
            }

            /// What somebody who wants to promote can do about it.
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy),* }
            }
        }
    };
}

reasons! {
    /// The harness itself was confined.
    AlreadySandboxed = "already_sandboxed",
        "the harness was already confined when the run started, so denials may not be the policy's",
        "start the run outside of any sandbox: `run_manifest.json` says under `confinement` what confined it, and `sandproof status` says the same of a shell before anything runs";
    /// The preflight policy was not in force.
    ApplyFailed = "apply_failed",
        "the apply preflight ran and did not show that its policy can be applied here",
        "`run_manifest.json` says under `apply_preflight` what the preflight came to; run where its policy can be applied, or name another `apply_preflight_profile` in the plan";
    /// There is no preflight record.
    ApplyPreflightMissing = "apply_preflight_missing",
        "the manifest has no apply preflight; name an `apply_preflight_profile` in the plan",
        "add `\"apply_preflight_profile\": \"ID\"` to the plan, with the id of one of its profiles, and run again";
    /// The run failed.
    BundleFailed = "bundle_failed",
        "the run failed",
        "`run_status.json` says why; mend that, and run again";
    /// The run is not over.
    BundleInProgress = "bundle_in_progress",
        "the run is in progress, or was killed",
        "wait for its end; if nothing runs any more (`sandproof status` says so), run again";
    /// Something is missing.
    BundleIncomplete = "bundle_incomplete",
        "artifacts that the bundle should have are missing",
        "`sandproof validate-bundle --bundle DIR` names each; copy the whole folder again from where it was made, or run again";
    /// The bundle did not pass verification.
    BundleIntegrityUnverified = "bundle_integrity_unverified",
        "the bundle did not pass verification; `sandproof validate-bundle` says why",
        "do what `sandproof validate-bundle --bundle DIR` says; copy the whole folder again from where it was made, or run again";
    /// The index was written by a repair.
    BundleRepaired = "bundle_repaired",
        "the index was rewritten by a repair; only a fresh run can be promoted",
        "run again";
    /// A clean channel that nothing witnesses.
    ChannelUnwitnessed = "channel_unwitnessed",
        "the run names a clean channel, but no witness shows that it was: `channel_witness.json` is absent, a question in it has no good answer, or the answers are not what its own facts give",
        "`channel_witness.json` says under `checks` which question has no good answer; mend that on the host, and run again with the same `--channel`";
    /// A control showed the wrong thing.
    ControlsFailed = "controls_failed",
        "a control of some profile did not show what it must, or the profile's policy could not be applied for it",
        "`controls.json` names the control and what it came to; until it is right nothing seen under that policy counts";
    /// Nothing could be derived that some policy must refuse, and nothing was refused under it.
    ControlsNotDerivable = "controls_not_derivable",
        "under some profile nothing was refused: no operation could be derived that its policy must refuse, and no row was denied, so nothing shows that the policy is in force; `controls.without_refusal` of the packet names it, `controls.json` says why",
        "add a probe that the profile's policy has to refuse (`sandproof mutate --plan PLAN` proposes some), and run again";
    /// Only a share of the plan ran.
    CoveragePartial = "coverage_partial",
        "only a share of the plan ran (`--shard`): `selection.shard` of `run_manifest.json` names it; `sandproof merge` makes one run of all shares, which may be promoted if they are complete and of one world",
        "`sandproof merge DIR… --out DIR` with the bundles of all shares, or run without `--shard`";
    /// The artifacts of the decision stage are not all there.
    DecisionStageArtifactsMissing = "decision_stage_artifacts_missing",
        "results, events or the expected matrix are absent",
        "run the plan with its scenario lane, without `--dry`";
    /// Nothing was executed.
    DryRun = "dry_run",
        "it was a dry run: nothing was executed",
        "run without `--dry`";
    /// What was declared changed.
    IdentityDrift = "identity_drift",
        "something that the run had declared changed while it was going on: `drift` of `run_status.json` names it; run again without touching it",
        "leave plan, registries, policies and executable alone while a run goes on, and run again";
    /// What ran is not on record.
    IdentityMissing = "identity_missing",
        "it is not on record what ran: there is no `run_identity.json`, or what it declares was not compared again after the last lane (a dry run has none)",
        "run again; a dry run, and one that was interrupted, has none";
    /// The declaration is not what the bundle gives.
    IdentityNotReproducible = "identity_not_reproducible",
        "the declared identity is not what the bundle's own documents yield; `sandproof identity verify --bundle DIR` says where",
        "`sandproof identity verify --bundle DIR` says in what they differ; take the bundle again from whoever made it, or run again";
    /// There is no manifest.
    ManifestMissing = "manifest_missing",
        "there is no manifest that can be read",
        "take the bundle again from where it was made, whole, or run again";
    /// The channel is not a clean one.
    NotCleanChannel = "not_clean_channel",
        "the worker was not started through a channel that counts as clean in this world; use `--channel systemd_clean` (Linux) or `--channel launchd_clean` (macOS)",
        "`sandproof run --channel systemd_clean` on Linux (`launchd_clean` on macOS); docs/clean-channels.md says what a host needs for it, and `sandproof status` what this one has";
    /// Some row that should have been decided was not.
    RowsUndecided = "rows_undecided",
        "some row of the scenario lane did not come to a decision, though its driver could have given one: `rows` of the packet and `summary.json` name it; mend its cause or take it out of the plan",
        "`sandproof report --bundle DIR --format markdown` lists each with its cause and what to do; mend it, or take the probe out of the plan";
    /// There is no run status.
    RunStatusMissing = "run_status_missing",
        "there is no run status that can be read",
        "take the bundle again from where it was made, whole, or run again";
    /// Only a part of the plan ran.
    SelectionFiltered = "selection_filtered",
        "only a part of the plan ran (`--only-profile`, `--only-scenario`)",
        "run the whole plan, without `--only-profile` and `--only-scenario`";
    /// Nobody knows whether the harness itself was confined.
    SelfCheckUnknown = "self_check_unknown",
        "whether the harness itself was confined could not be found out",
        "`run_manifest.json` says under `confinement` what could not be read (on Linux /proc has to be mounted); run where it can";
    /// The bundle's times cannot all be right.
    TimesDisagree = "times_disagree",
        "rows, manifest and status name times that cannot all be right: the clock was set or the host stood still while the run went on, or rows are of another time; run again",
        "keep the clock of the host as it is while a run goes on (no suspend, no setting it), and run again";
    /// The host is not the declared world.
    WorldMismatch = "world_mismatch",
        "the observed host is not the world that the plan declares, or nothing is known of that world: `run_manifest.json` says under `world` which facts differ; an unknown world needs a document in `registries/worlds`",
        "run on the host that the plan is for, or name this one: `sandproof status` says which world this host is, and `world_id` of the plan which one is meant";
    /// A carried world was described by somebody else.
    WorldRedefined = "world_redefined",
        "the run goes by the name of a world that sandproof carries, and the workspace describes that world otherwise; give the world an id of its own, or remove the document",
        "give the document in `registries/worlds` and the plan's `world_id` a name of its own, or remove the document";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_explained_and_each_says_what_to_do() {
        let names: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        for reason in Reason::ALL {
            let (meaning, remedy) = (reason.explain(), reason.remedy());
            assert!(!meaning.is_empty() && !remedy.is_empty() && meaning != remedy, "{}", reason.as_str());
            assert_eq!(remedy.matches('`').count() % 2, 0, "{remedy}");
        }
    }
}
