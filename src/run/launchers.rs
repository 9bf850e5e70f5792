//! The part of a run that asks launchers.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::consent::is_launcher;
use super::error::RunStep;
use super::request::{RunObserver, RunRequest};
use crate::base::{json_out, threads};
use crate::bundle::writer::ArtifactOut;
use crate::lane::executor;
use crate::lane::executor::LaneError;
use crate::lane::order::TaskOrder;
use crate::lane::task::{PlanTasks, Task, Tasks};
use crate::lane::worker::{RunShared, Worker};
use crate::plan::ResolvedProfile;
use crate::policy::PolicyValue;
use crate::record::outcome::Lane;
use crate::record::row::ProbeRow;

/// How many launchers are asked at the same time. What each answers is held until it is its turn in the plan.
const LAUNCHERS_AT_ONCE: usize = 8;

/// The scenario lane of a plan some of whose profiles are launchers: profile by profile, in the plan's order.
pub(super) fn run_lane<'r>(
    workers: &mut [Worker<'r>],
    shared: &RunShared<'r>,
    request: &RunRequest,
    out: &mut ArtifactOut,
    observer: &mut dyn RunObserver,
) -> Result<(), RunStep> {
    let tasks = PlanTasks::new(&request.declared.plan, Lane::Scenario);
    let mut from = 0;
    let profiles = &request.declared.plan.profiles;
    let same_kind = |a: &ResolvedProfile, b: &ResolvedProfile| is_launcher(a) == is_launcher(b);
    for some in profiles.chunk_by(same_kind) {
        let parts: Vec<LanePart<'_, '_>> = some
            .iter()
            .map(|profile| {
                let len = profile.probes.len();
                from += len;
                LanePart { tasks: &tasks, from: from - len, len }
            })
            .collect();
        let mut emit = |row: &[u8]| {
            observer.row();
            out.write_all(row)?;
            out.write_all(b"\n")
        };
        if is_launcher(&some[0]) {
            ask(some, shared, request, &parts, &mut emit)?;
            continue;
        }
        for part in &parts {
            executor::run(workers, shared, part, TaskOrder::Planned, &request.control.cancel, &mut emit)
                .map_err(RunStep::Lane)?;
        }
    }
    Ok(())
}

/// Some of a lane's tasks.
struct LanePart<'t, 'p> {
    tasks: &'t PlanTasks<'p>,
    from: usize,
    len: usize,
}

impl Tasks for LanePart<'_, '_> {
    fn len(&self) -> usize {
        self.len
    }

    fn get(&self, place: usize) -> Task<'_> {
        self.tasks.get(self.from + place)
    }
}

/// Asks several launchers at the same time, and gives their rows in the plan's order.
fn ask(
    profiles: &[ResolvedProfile],
    shared: &RunShared<'_>,
    request: &RunRequest,
    parts: &[LanePart<'_, '_>],
    emit: &mut dyn FnMut(&[u8]) -> std::io::Result<()>,
) -> Result<(), RunStep> {
    use crate::launcher::lane::{LauncherLane, ONE_WORKER, Turns, must_be_alone};
    use crate::launcher::strays::Adoption;
    let tasks: Vec<Vec<Task<'_>>> =
        parts.iter().map(|part| (0..part.len).map(|place| part.get(place)).collect()).collect();
    let turns = Turns::new(request.declared.jobs as usize);
    let answers_of = |place: usize| match profiles[place].policy.value.as_ref() {
        PolicyValue::Launcher(document) => LauncherLane {
            document,
            exe: shared.exe,
            base: shared.base,
            unique: shared.unique,
            deadline_ms: shared.deadline_ms,
            host_programs: shared.host_programs,
            capabilities: shared.capabilities,
            cancel: &request.control.cancel,
            turns: &turns,
            one_worker: ONE_WORKER,
        }
        .run(&tasks[place]),
        _ => Vec::new(),
    };
    // Until all have ended: what one has left behind may be the worker of another.
    let _adoption = Adoption::begin();
    let at_once = if tasks.iter().any(|tasks| must_be_alone(tasks)) { 1 } else { LAUNCHERS_AT_ONCE };
    let places: Vec<usize> = (0..profiles.len()).collect();
    let mut line = Vec::new();
    for some in places.chunks(at_once) {
        let next = AtomicUsize::new(0);
        let answered = threads::together(some.len(), || {
            let mut rows = Vec::new();
            while let Some(place) = some.get(next.fetch_add(1, Ordering::Relaxed)) {
                rows.push((*place, answers_of(*place)));
            }
            rows
        });
        let mut answered: Vec<(usize, Vec<ProbeRow>)> = answered.into_iter().flatten().collect();
        answered.sort_by_key(|(place, _)| *place);
        for (place, rows) in answered {
            for row in &rows {
                line.clear();
                json_out::append_compact(&mut line, row).map_err(RunStep::Artifact)?;
                emit(&line).map_err(RunStep::Artifact)?;
            }
            if let Some(signal) = request.control.cancel.requested()
                && rows.len() < parts[place].len
            {
                return Err(RunStep::Lane(LaneError::Cancelled { signal }));
            }
        }
    }
    Ok(())
}
