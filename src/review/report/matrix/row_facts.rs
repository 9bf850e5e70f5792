//! What a matrix takes of a raw row.

use serde::Deserialize;

use super::super::lane_rows::Keyed;
use crate::record::driver::Driver;
use crate::record::launcher::LauncherRecord;

/// What a matrix takes of a raw row.
#[derive(Debug, Deserialize)]
pub(super) struct MatrixRowFacts {
    profile_id: String,
    expectation_id: String,
    pub(super) probe_id: String,
    action: MatrixActionFacts,
    pub(super) launcher: Option<Box<LauncherRecord>>,
}

#[derive(Debug, Deserialize)]
struct MatrixActionFacts {
    driver: Driver,
}

impl MatrixRowFacts {
    pub(super) fn driver(&self) -> Driver {
        self.action.driver
    }
}

impl Keyed for MatrixRowFacts {
    fn key(&self) -> (&str, &str) {
        (&self.profile_id, &self.expectation_id)
    }
}
