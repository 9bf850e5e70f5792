//! The decision rule by itself: one scenario row and its baseline, outside of any bundle.

use super::decide::{self, Attempt, ControlsSay};
use super::{launcher, layers};
use crate::record::launcher::Names;
use crate::record::row::ProbeRow;
use crate::record::verdict_line::RowOutcome;

/// What a scenario row shows beside its baseline, if that lane is on. No control went wrong, nothing surrounds the run, and of a
/// question under a launcher all names count.
pub fn outcome(row: &ProbeRow, baseline: Option<&ProbeRow>) -> RowOutcome {
    let shown = decide::attempt(row);
    let beside = baseline.map(|row| (row, decide::attempt(row)));
    let verdict = decide::verdict(row, shown, beside, ControlsSay::NothingWrong);
    let denied = matches!(shown, Attempt::Denied { .. }) && verdict.actual().is_some();
    let record = row.launcher.as_deref().filter(|_| denied);
    RowOutcome {
        actual: verdict.actual(),
        failure_stage: verdict.stage(),
        failure_kind: verdict.kind(),
        errno: verdict.errno(),
        mechanism: record.and_then(|record| launcher::verdict(row.action.driver, record, Names::All).mechanism),
        status: layers::runtime_status(row, verdict),
        intended_op_witnessed: verdict.witnessed(),
    }
}
