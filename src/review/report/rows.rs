//! The rows of a run, as the events and the lanes of its bundle have them.

use super::lane_rows::{LaneRowFacts, LaneRows, OracleFacts, with_lane};
use super::row::ReportRow;
use crate::bundle::{ArtifactError, Bundle, Verified};
use crate::evidence::Waivers;
use crate::record::events::EventView;
use crate::record::layout;
use crate::record::outcome::Lane;
use crate::record::run_identity::Waiver;
use crate::review::events;

/// The waivers that the run declared. A bundle without a declaration has none.
fn waivers(bundle: &Verified<Bundle>) -> Waivers {
    let history = bundle.identity().map(|declared| declared.history.clone());
    let stated = history.and_then(|mut history| history.remove("waivers"));
    let stated: Vec<Waiver> = stated.and_then(|stated| serde_json::from_value(stated).ok()).unwrap_or_default();
    Waivers::of(&stated, bundle.manifest().started_at_unix_s)
}

/// Gives every scenario row to `take`, in plan order.
pub(in crate::review) fn for_each_row(
    bundle: &Verified<Bundle>,
    take: &mut dyn FnMut(ReportRow),
) -> Result<(), ArtifactError> {
    let waivers = waivers(bundle);
    with_lane(bundle, Lane::Scenario, |raw| {
        with_lane(bundle, Lane::Oracle, |asked| {
            let (mut raw, mut asked) = (LaneRows::<LaneRowFacts>::new(raw), LaneRows::<OracleFacts>::new(asked));
            bundle.read_artifact(layout::RUNTIME_EVENTS, |reader| {
                events::for_each(reader, &mut |event: EventView<String>| {
                    let (raw, asked) = (raw.take(&event), asked.take(&event));
                    take(ReportRow::new(event).with(raw, asked).waived(&waivers));
                })
            })
        })
    })??
}
