//! What this process is confined by, measured once before anything of the run is applied.

use super::status;
use crate::channel::witness;
use crate::enforce;
use crate::lane::fixture::FixtureBase;
use crate::record::confinement::ConfinementFacts;

/// Measures. Without a fixture base nothing can be moved, so one question stays open.
pub(super) fn measure(base: Option<&FixtureBase>) -> ConfinementFacts {
    let confined = status::confinement();
    ConfinementFacts {
        landlock_refuses_refer: match confined.landlock_layers {
            Some(0) => Some(false),
            _ => base.and_then(|base| enforce::refer_refused_around(base.path())),
        },
        landlock_layers: confined.landlock_layers,
        seccomp: confined.seccomp,
        seccomp_filters: witness::seccomp_filters(),
        no_new_privs: confined.no_new_privs,
        lsm_label: witness::lsm_label(),
        seatbelt: confined.seatbelt,
        rules_over_fixtures: base.map(|base| base.reaching().clone()).unwrap_or_default(),
    }
}
