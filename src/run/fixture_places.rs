//! Where a run's fixtures may be made: the same to whoever declares the run and to the worker that does it.

use std::path::PathBuf;

use super::consent::is_launcher;
use super::request::RunRequest;

/// Where fixtures may be made, best first.
pub fn fixture_places(request: &RunRequest) -> Vec<PathBuf> {
    let mut places = request.places.fixture_candidates.clone();
    if request.declared.plan.declared_profiles().iter().any(is_launcher) {
        // Launchers make a `/dev` and often a `/tmp` of their own, which would be all that is seen of them.
        places.sort_by_key(|place| match place.to_str() {
            Some("/var/tmp") => 0,
            Some("/tmp") => 2,
            Some("/dev/shm") => 3,
            _ => 1,
        });
    }
    places
}
