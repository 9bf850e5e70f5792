//! `sandproof version`

use clap::Args;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::ui::Ui;
use crate::base::VERSION;
use crate::policy::Enforcer;
use crate::record::driver::Platform;

/// Format of `version --json`. 1: first release.
const VERSION_SCHEMA: &str = "sandproof.version.v1";

/// Say which build this is.
#[derive(Debug, Args)]
pub(super) struct VersionArgs {
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// `version --json`
#[derive(Debug, Serialize)]
struct Version {
    schema_version: &'static str,
    name: &'static str,
    version: &'static str,
    /// The commit that the sources came from; null outside a git checkout.
    commit: Option<&'static str>,
    /// Whether tracked files differed from that commit; null where the commit is not known.
    modified: Option<bool>,
    target: &'static str,
    profile: &'static str,
    static_executable: bool,
    enforcers: Vec<&'static str>,
}

impl Version {
    fn of_this_build() -> Self {
        let commit = option_env!("SANDPROOF_COMMIT").filter(|commit| !commit.is_empty());
        Self {
            schema_version: VERSION_SCHEMA,
            name: "sandproof",
            version: VERSION,
            commit,
            modified: commit.map(|_| option_env!("SANDPROOF_MODIFIED") == Some("1")),
            target: option_env!("SANDPROOF_TARGET").unwrap_or("unknown"),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" },
            static_executable: cfg!(target_feature = "crt-static"),
            enforcers: Enforcer::ALL
                .into_iter()
                .filter(|enforcer| enforcer.platform().is_none_or(|platform| Some(platform) == Platform::here()))
                .map(|enforcer| enforcer.info().name)
                .collect(),
        }
    }
}

/// Says it.
pub(super) fn run(args: &VersionArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let version = Version::of_this_build();
    if args.json {
        ui.json(&version);
    } else {
        let modified = if version.modified == Some(true) { ", modified" } else { "" };
        let commit =
            version.commit.map_or_else(|| "unknown commit".to_owned(), |commit| format!("commit {commit}{modified}"));
        ui.line(format!("{} {} ({commit}, {}, {})", version.name, version.version, version.target, version.profile));
    }
    Ok(Exit::Done)
}
