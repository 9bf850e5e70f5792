//! What this package's own integration tests, benchmarks and fuzz targets use beyond [`api`](crate::api).
//!
//! Only there with the feature `test-support`, which the package asks for itself as a development dependency. Nothing in
//! it is promised to anybody.

#![allow(missing_docs, reason = "each module stands for the one of the same name")]

pub mod base {
    pub use crate::base::{bundle_path, digest, ids, json_out, printable};
}

pub mod bundle {
    pub use crate::bundle::lock::{LockMode, OutputLock};
    pub use crate::bundle::writer::{BundleWriter, RunEnd};
    pub use crate::bundle::{index, lock};
}

pub mod channel {
    pub use crate::channel::launchd;
}

pub mod cli {
    pub use crate::cli::{Exit, visible};
}

pub mod drift {
    pub use crate::drift::{case, dice, judge};
}

pub mod enforce {
    pub use crate::enforce::{already_confined_layers, landlock_abi};
}

pub mod evidence {
    pub use crate::evidence::launcher;
    pub use crate::evidence::{ArtifactSink, ProfileControls, RowSource, derive};
}

pub mod identity {
    pub use crate::identity::seal::{DeclarationParts, seal};
}

pub mod lane {
    pub use crate::lane::{cancel, capability, fixture, task};
}

#[cfg(target_os = "linux")]
pub mod launcher {
    pub use crate::launcher::lane;
}

pub mod plan {
    pub use crate::plan::{
        Diagnostic, DiagnosticKind, LaneSet, LoadError, ResolvedPlan, Selection, Severity, Workspace, file, lint, load,
        questions,
    };
}

pub mod policy {
    pub use crate::policy::launcher;
    pub use crate::policy::{PolicyValue, answer, controls, operations, sbpl};

    pub mod landlock {
        pub use crate::policy::landlock::rights::{self, NetRight, Scope};
        pub use crate::policy::landlock::table::{self, PathBeneathRule};
        pub use crate::policy::landlock::{
            FsRight, LandlockPolicy, Layer, NetPortRule, RightSet, derive_controls, evaluate,
        };
    }
}

pub mod probe {
    pub use crate::probe::program_image;
}

pub mod process {
    pub use crate::process::tool;
    pub use crate::process::zygote::{SPAWNER, SUBCOMMAND, Zygote};
}

pub mod promote {
    pub use crate::promote::Reason;
}

pub mod record {
    pub use crate::record::{
        action, callout, driver, ending, fixture, identity, launcher, layout, manifest, outcome, report, row,
    };
}

pub mod review {
    pub use crate::review::policy;
}

pub mod run {
    pub use crate::run::clean::run_through;
    pub use crate::run::{DeclaredRun, RunControl, RunError, RunPlaces, RunReport, RunRequest};
}

pub mod sys {
    pub use crate::sys::files;
}

pub mod zygote {
    pub use crate::zygote::protocol;
}
