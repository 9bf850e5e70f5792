//! The library in one place: what each command does, as a function.
//!
//! The command line calls these very functions. A bundle is read in one of two ways: [`bundles::load_bundle`] verifies
//! it and gives a value that can be summarised, linked and promoted; [`bundles::open_bundle_unverified`] shows whatever
//! lies there, and nothing can be promoted from that.
//!
//! | group | does | command |
//! |---|---|---|
//! | [`channels`] | how a worker is started | `status` |
//! | [`plans`] | load, resolve, digest, lint, list | `describe-plan`, `plan-lint`, `list-plans` |
//! | [`registries`] | read, resolve ids, lint, upgrade | `list-*`, `describe-*`, `registry-lint`, `registry-upgrade` |
//! | [`templates`] | make plan folders | `list-templates`, `plan-build` |
//! | [`runs`] | run a plan, tell the status | `run`, `status` |
//! | [`bundles`] | verify, look at, derive again, compare, repair | `validate-bundle`, `derive`, `reindex-bundle` |
//! | [`promotion`] | gates and packets | `emit-promotion` |
//! | [`attestations`] | statements, signatures, and whether one counts | `statement`, `attest`, `verify` |
//! | [`op_summary`] | events by operation | `summarize-ops` |
//! | [`links`] | profiles and expectations by packet | `links` |
//! | [`report`] | a run in the formats of other tools | `report` |
//! | [`comparison`] | what changed between runs, runs that disagree | `diff-runs`, `attempts` |
//! | [`inventory`] | what a workspace holds | `inventory` |
//! | [`ids`] | the names and digests that all of these use | |

/// Channels: how the worker, the process that runs probes, is started.
///
/// ```
/// use sandproof::api::channels::{ChannelKind, check};
///
/// // Nothing is needed to start a worker oneself; such a run is never clean.
/// assert!(check(ChannelKind::Direct).is_ok());
/// if let Err(reason) = check(ChannelKind::SystemdClean) {
///     println!("no clean run here: {reason}");
/// }
/// ```
pub mod channels {
    pub use crate::channel::{ChannelUnavailable, check};
    pub use crate::record::manifest::ChannelKind;
}

/// Names and digests: each is checked where it is made, and written in documents as a text.
///
/// ```
/// use sandproof::api::ids::{Digest, RunId};
///
/// assert!(RunId::new("../elsewhere").is_err());
/// assert_eq!(Digest::of(b"").to_string().len(), 64);
/// ```
pub mod ids {
    pub use crate::base::bundle_path::{BundlePath, BundlePathError};
    pub use crate::base::digest::{Digest, ParseDigestError};
    pub use crate::base::ids::{ExpectationId, IdError, PlanId, ProbeId, ProfileId, RegistryId, RunId, WorldId};
}

/// Plans: what to run.
///
/// ```
/// use std::path::Path;
/// use sandproof::api::plans::{Selection, describe_plan, lint_plan, list_plans, load_plan};
/// # let root = Path::new(env!("CARGO_MANIFEST_DIR"));
///
/// let file = root.join("plans/quickstart/plan.json");
/// assert!(lint_plan(&file, None)?.is_empty());
/// let (plan, _root) = load_plan(&file, None, &Selection::default())?;
/// assert_eq!(plan.row_count(), plan.profiles.iter().map(|profile| profile.probes.len()).sum::<usize>());
///
/// let (described, _) = describe_plan(&file, None)?;
/// println!("{} has the digest {}", described.plan.plan_id, described.plan_digest);
/// # let workspace = sandproof::api::registries::Workspace::at(root);
/// assert!(!list_plans(&workspace).is_empty());
/// # Ok::<(), sandproof::api::plans::LoadError>(())
/// ```
///
/// The digest covers what the reference runtime's digest covers, byte for byte:
///
/// ```
/// use sandproof::api::plans::{PlanFile, plan_digest};
///
/// let names = "flow_divert_partial_tcp flow_divert_require_all_tcp mach_local_literal mach_local_regex \
///     mach_simple_allow mach_simple_variants net_outbound_allow net_outbound_deny path_alias path_edges struct_flat \
///     struct_nested path_edges_private xattr";
/// let profiles: Vec<String> = names.split(' ').map(|name| format!("adv:{name}")).collect();
/// let plan: PlanFile = serde_json::from_value(serde_json::json!({
///     "schema_version": "runtime-tools.plan.v0.1",
///     "plan_id": "runtime-adversarial.v1",
///     "registry_id": "runtime-adversarial",
///     "profiles": profiles,
///     "lanes": { "scenario": true, "baseline": true, "oracle": true },
///     "controls": { "baseline": true },
///     "apply_preflight_profile": "book/experiments/runtime-adversarial/sb/apply_preflight_allow.sb",
/// }))?;
/// let digest = plan_digest(&plan).to_string();
/// assert_eq!(digest, "8752f90ab447442d1942cae563a49dc1b8a6f7cedaeb2963e1f4c06987acd5a7");
/// # Ok::<(), serde_json::Error>(())
/// ```
pub mod plans {
    pub use crate::plan::catalogue::{PlanDescription, PlanListing, describe_plan, list_plans};
    pub use crate::plan::digest::plan_digest;
    pub use crate::plan::file::PlanFile;
    pub use crate::plan::lint::lint_plan_file as lint_plan;
    pub use crate::plan::{
        Diagnostic, DiagnosticKind, LaneSet, LoadError, ResolvedPlan, ResolvedPolicy, ResolvedProbe, ResolvedProfile,
        Selection, Severity, TextPlace, load as load_plan, resolve as compile_profiles,
    };
    pub use crate::policy::PolicyMode;
}

/// Registries: probes and profiles as data.
///
/// ```
/// use sandproof::api::plans::Severity;
/// use sandproof::api::registries::{RegistryContent, Workspace, lint_registries, list_registries};
///
/// let workspace = Workspace::at(env!("CARGO_MANIFEST_DIR"));
/// for entry in list_registries(&workspace)?.registries {
///     let registry = RegistryContent::read(&workspace, entry.id.as_str())?;
///     let first = registry.profiles[0].profile_id.as_str();
///     assert_eq!(registry.profile(first)?.probe_refs, registry.profiles[0].probe_refs);
/// }
/// assert!(RegistryContent::read(&workspace, "nobody").is_err());
/// assert!(lint_registries(&workspace, None).iter().all(|note| note.severity == Severity::Warning));
/// # Ok::<(), sandproof::api::plans::LoadError>(())
/// ```
pub mod registries {
    pub use crate::plan::Workspace;
    pub use crate::plan::catalogue::{RegistryContent, list_registries, require_registry};
    pub use crate::plan::file::{IndexEntry, IndexFile, ProbeEntry, ProbeManner, ProfileEntry};
    pub use crate::plan::lint::lint_registries;
    pub use crate::plan::upgrade::{UpgradeError, UpgradedRegistry, upgrade_registry};
}

/// Templates: one document from which a complete plan folder is made.
///
/// ```
/// use sandproof::api::templates::{by_id, carried_policy, list_templates};
///
/// for listed in list_templates() {
///     println!("{}: {}", listed.template_id, listed.description);
/// }
/// // What is built is a set of files in memory; nothing is written yet.
/// let files = by_id("quickstart")?.build(&carried_policy)?;
/// assert!(files.lint().is_empty());
/// assert!(files.files().any(|(path, _)| path == "plan.json"));
/// # Ok::<(), sandproof::api::plans::LoadError>(())
/// ```
pub mod templates {
    pub use crate::plan::template::{
        Builder, FileSet, FindPolicy, Listing, Template, by_id, carried_policy, list as list_templates,
    };
}

/// Runs: the one group that executes anything.
///
/// ```no_run
/// use std::path::Path;
/// use std::time::Duration;
/// use sandproof::api::plans::{Selection, load_plan};
/// use sandproof::api::runs::{Cancel, ChannelKind, LockMode, RunId, RunObserver, run_plan};
/// use sandproof::api::runs::{DeclaredRun, RunControl, RunPlaces, RunRequest};
///
/// /// Progress is of no interest here.
/// struct Silent;
/// impl RunObserver for Silent {
///     fn lane(&mut self, _: sandproof::api::runs::Lane, _: usize) {}
///     fn row(&mut self) {}
/// }
///
/// let (plan, root) = load_plan(Path::new("plans/quickstart/plan.json"), None, &Selection::default())?;
/// let report = run_plan(
///     &RunRequest {
///         places: RunPlaces {
///             out: root.join("out"),
///             root,
///             fixture_candidates: vec!["/dev/shm".into(), std::env::temp_dir()],
///             // Probes are forked from this program's own executable, also when a library asks for them.
///             exe: "/usr/local/bin/sandproof".into(),
///         },
///         declared: DeclaredRun {
///             plan,
///             run_id: RunId::fresh(),
///             channel: ChannelKind::Direct,
///             channel_limit: Duration::from_secs(3600),
///             lock_mode: LockMode::Wait(Duration::from_secs(30)),
///             dry: false,
///             jobs: 2,
///             repeat: 1,
///             shuffle: None,
///             host_programs: false,
///             launchers: Default::default(),
///             environment: std::env::vars().map(|(name, value)| (name, value.into_bytes())).collect(),
///         },
///         control: RunControl { cancel: Cancel::default(), worker: None, attribute: false },
///     },
///     &mut Silent,
/// )?;
/// println!("{} of {} as expected", report.outcome.total.rows.matched, report.outcome.total.rows.planned);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// ```
/// use sandproof::api::runs::runtime_status;
///
/// let status = runtime_status(env!("CARGO_MANIFEST_DIR").as_ref(), None)?;
/// println!("{}: {} worlds known", status.host.os, status.worlds.len());
/// # Ok::<(), sandproof::api::runs::StatusError>(())
/// ```
pub mod runs {
    pub use crate::base::ids::RunId;
    pub use crate::bundle::LockMode;
    pub use crate::evidence::{DerivationOutcome, ProfileOutcome};
    pub use crate::lane::cancel::Cancel;
    pub use crate::record::manifest::ChannelKind;
    pub use crate::record::outcome::{Decision, Expectation, FailureKind, FailureStage, Lane};
    pub use crate::record::status_doc::StatusDocument;
    pub use crate::run::run as run_plan;
    pub use crate::run::status::{StatusError, runtime_status};
    pub use crate::run::{
        DeclaredRun, Executable, RunControl, RunError, RunObserver, RunPlaces, RunReport, RunRequest,
    };
}

/// Bundles: reading is verifying.
///
/// ```no_run
/// use sandproof::api::bundles::{load_bundle, open_bundle_unverified, validate_bundle};
///
/// match load_bundle("out".as_ref()) {
///     Ok(bundle) => println!("{} rows, {} derived again", bundle.row_count(), bundle.derived_count()),
///     Err(refused) => refused.findings.iter().for_each(|finding| println!("{finding}")),
/// }
/// assert!(validate_bundle("out".as_ref()).is_empty());
/// let whatever = open_bundle_unverified("out".as_ref()).map_err(|finding| finding.to_string())?;
/// assert_eq!(whatever.integrity, "unverified");
/// # Ok::<(), String>(())
/// ```
///
/// What is not there is refused, with a reason:
///
/// ```
/// let refused = sandproof::api::bundles::load_bundle("no/such/bundle".as_ref()).unwrap_err();
/// assert_eq!(refused.findings.len(), 1);
/// ```
pub mod bundles {
    use std::path::Path;

    pub use crate::bundle::repair::{Repair, RepairError, Repaired, repair as reindex_bundle};
    pub use crate::bundle::replay_diff::{ReplayDiff, ReplayDiffError, replay_diff};
    pub use crate::bundle::verify::check_strictly as compare_with_index;
    pub use crate::bundle::{
        ArtifactError, Bundle, BundleFinding, BundleRefused, Problem, UnverifiedBundle, Verified,
        open_unverified as open_bundle_unverified,
    };

    /// Verifies the bundle that `path` leads to: its folder, or an output root with a `LATEST`.
    pub fn load_bundle(path: &Path) -> Result<Verified<Bundle>, BundleRefused> {
        crate::bundle::verify(path)
    }

    /// Everything that is wrong with the bundle that `path` leads to; empty if it verifies.
    pub fn validate_bundle(path: &Path) -> Vec<BundleFinding> {
        load_bundle(path).err().map_or_else(Vec::new, |refused| refused.findings)
    }
}

/// Promotion: whether a bundle may be forwarded, and the packet that says so.
///
/// ```no_run
/// use sandproof::api::bundles::load_bundle;
/// use sandproof::api::promotion::{evaluate, make_packet, write_packet};
///
/// let bundle = load_bundle("out".as_ref())?;
/// let report = evaluate(&bundle);
/// report.reasons().iter().for_each(|reason| println!("{}: {}", reason.as_str(), reason.explain()));
/// write_packet(&make_packet(&bundle, &report), &bundle, "packet.json".as_ref())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod promotion {
    pub use crate::promote::packet::{
        PacketError, make as make_packet, make_unverified as make_unverified_packet, write as write_packet,
        write_unverified as write_unverified_packet,
    };
    pub use crate::promote::{GateEvaluation, Reason, evaluate, evaluate_unverified};
    pub use crate::record::packet::{PromotionPacket, UnverifiedPacket};
    /// A packet together with the bundle behind it, both verified.
    pub use crate::review::OpenedPacket;
}

/// Statements about what verifies, signatures over them, and whether one counts. Nothing here asks the network.
///
/// ```no_run
/// use sandproof::api::attestations::{
///     AttestationFormat, AttestationStanding, AttestedContent, SecretKey, StatementForm, TrustAnchors, judge, sign,
/// };
///
/// let content = AttestedContent::open("out".as_ref(), None)?;
/// let key = SecretKey::read("key.pem".as_ref())?;
/// let signed = sign(&content, StatementForm::Own, &key, AttestationFormat::Sigstore)?;
///
/// let mut anchors = TrustAnchors::default();
/// anchors.add_key("key.pub.pem".as_ref())?;
/// assert_eq!(judge(&content, &signed, &anchors)?.standing(), AttestationStanding::Authenticated);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod attestations {
    pub use crate::attest::attestation::AttestationFormat;
    pub use crate::attest::judge::{AttestationJudgement, AttestationProblem, AttestationStanding, judge, judge_file};
    pub use crate::attest::sign::sign;
    pub use crate::attest::statement::{NoStatement, StatementForm, of as statement_of};
    pub use crate::attest::{
        AttestedContent, ContentError, KeyError, KeyOwner, SecretKey, TrustAnchors, TrustedKey, VerifyingKey,
    };
    pub use crate::record::statement::InTotoStatement;
}

/// Events of a bundle, counted by operation.
///
/// ```no_run
/// use sandproof::api::op_summary::{Vocabulary, from_packet, write};
/// use sandproof::api::promotion::OpenedPacket;
///
/// let packet = OpenedPacket::open("packet.json".as_ref(), None)?;
/// let summary = from_packet(&packet, &Vocabulary::default(), true)?;
/// for op in summary.ops.values() {
///     println!("{}: {} of {} as expected", op.op_name, op.matches, op.probes_including_blocked);
/// }
/// write(&summary, "op_runtime_summary.json".as_ref())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod op_summary {
    pub use crate::record::op_summary::{Coverage, Integrity, OpEntry, OpSummary};
    pub use crate::review::op_summary::{from_bundle, from_packet, from_unverified, write};
    pub use crate::review::{ReviewError, Vocabulary};
}

/// Profiles and expectations, tied to the packets that evidence them.
///
/// ```no_run
/// use sandproof::api::links::{Vocabulary, build, load, write};
/// use sandproof::api::promotion::OpenedPacket;
///
/// let packets = [OpenedPacket::open("packet.json".as_ref(), None)?];
/// write(&build(&packets, &[], &Vocabulary::default())?, "runtime_links.json".as_ref())?;
/// let links = load("runtime_links.json".as_ref())?;
/// for (id, expectation) in &links.expectations {
///     let profile = links.resolve_profile(&expectation.profile_id)?;
///     println!("{id}: {} in {}", expectation.operation, profile.profile_path);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod links {
    pub use crate::record::links::{LINK_KEYS, LinkedExpectation, LinkedPacket, LinkedProfile, RuntimeLinks};
    pub use crate::review::links::{NamedDocument, build, load, write};
    pub use crate::review::{ReviewError, Vocabulary};
}

/// A run in the formats that other tools read.
///
/// ```no_run
/// use sandproof::api::{bundles::load_bundle, report::{Format, write}};
///
/// let bundle = load_bundle("out".as_ref())?;
/// let mut xml = Vec::new();
/// let counts = write(&bundle, Format::Junit, &mut xml)?;
/// println!("{} of {} rows as expected", counts.matched, counts.rows);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod report {
    pub use crate::review::ReviewError;
    pub use crate::review::report::matrix::{
        MOST_COLUMNS, Matrix, MatrixForm, gather as gather_matrix, write as write_matrix,
    };
    pub use crate::review::report::{Format, ReportCounts, write};
}

/// Comparing runs, packets and declarations.
///
/// ```
/// use sandproof::api::comparison::{compare, compare_accepting_absent, open, render_text};
/// # let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
///
/// // The declaration says of some items that nobody knows them; as far as those go, nothing is compared.
/// let file = root.join("docs/examples/support-agent/run.json");
/// let report = compare(&open(&file)?, &open(&file)?)?;
/// assert!(!report.same);
/// println!("{}", render_text::render(&report));
///
/// let report = compare_accepting_absent(&open(&file)?, &open(&file)?)?;
/// assert!(report.same);
/// # Ok::<(), sandproof::api::comparison::DiffError>(())
/// ```
pub mod comparison {
    pub use crate::diff::{ComparedSide, DiffError, attempts, compare, compare_accepting_absent, open};
    pub use crate::diff::{render_attempts, render_markdown, render_text};
    pub use crate::record::attempts::Attempts;
    pub use crate::record::run_diff::RunDiff;
}

/// What a workspace holds.
///
/// ```
/// use sandproof::api::{inventory, registries::Workspace};
///
/// let found = inventory::build(&Workspace::at(env!("CARGO_MANIFEST_DIR")), &["landlock".into()])?;
/// assert!(found.in_repo.iter().any(|part| part.id == "plan:quickstart"));
/// # Ok::<(), sandproof::api::plans::LoadError>(())
/// ```
pub mod inventory {
    pub use crate::record::inventory::{Category, Component, ComponentStatus, Inventory, KeywordHit};
    pub use crate::review::inventory::{KEYWORDS, build};
}
