//! What nearly every command is about, a plan, a bundle or a template: by its option, which scripts write, or as the plain argument
//! that people type. One of both, never both.

use std::path::{Path, PathBuf};

use clap::Args;

/// The plan that a command is about.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub(super) struct PlanArg {
    /// The plan, as with `--plan`.
    #[arg(value_name = "PLAN")]
    plain_plan: Option<PathBuf>,
    /// The plan, or the folder that its `plan.json` lies in.
    #[arg(long, value_name = "FILE|DIR")]
    plan: Option<PathBuf>,
}

impl PlanArg {
    /// Where it is. Empty only if the parser let neither pass, and then there is no such file.
    pub(super) fn path(&self) -> &Path {
        self.plan.as_deref().or(self.plain_plan.as_deref()).unwrap_or(Path::new(""))
    }
}

/// The bundle that a command is about.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub(super) struct BundleArg {
    /// The bundle, as with `--bundle`.
    #[arg(value_name = "BUNDLE")]
    plain_bundle: Option<PathBuf>,
    /// The bundle's folder, or an output root whose LATEST leads to it.
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
}

impl BundleArg {
    /// Where it is; as in [`PlanArg::path`].
    pub(super) fn path(&self) -> &Path {
        self.bundle.as_deref().or(self.plain_bundle.as_deref()).unwrap_or(Path::new(""))
    }
}

/// The template that a command is about.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub(super) struct TemplateArg {
    /// The template, as with `--template`.
    #[arg(value_name = "TEMPLATE")]
    plain_template: Option<String>,
    /// Id of the template, as `list-templates` lists it.
    #[arg(long, value_name = "ID")]
    template: Option<String>,
}

impl TemplateArg {
    /// Its id; as in [`PlanArg::path`].
    pub(super) fn id(&self) -> &str {
        self.template.as_deref().or(self.plain_template.as_deref()).unwrap_or_default()
    }
}

/// The registry that a command is about.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub(super) struct RegistryName {
    /// The registry, as with `--registry`.
    #[arg(value_name = "REGISTRY")]
    plain_registry: Option<String>,
    /// Id of the registry.
    #[arg(long, value_name = "ID")]
    registry: Option<String>,
}

impl RegistryName {
    /// The id as it was given; as in [`PlanArg::path`].
    pub(super) fn id(&self) -> &str {
        self.registry.as_deref().or(self.plain_registry.as_deref()).unwrap_or_default()
    }
}
