//! The matrix itself: who asked what, and where the answers lie.

use std::io;

use super::super::row::ReportCounts;
use super::store::{StoredCells, StoredPlace};
use crate::record::launcher_matrix::{MatrixCell, MatrixColumn, MatrixQuestion};

/// The most columns. More can be neither read nor printed.
pub const MOST_COLUMNS: usize = 64;

/// Questions by launchers.
#[derive(Debug)]
pub struct Matrix {
    pub(super) columns: Vec<MatrixColumn>,
    pub(super) questions: Vec<StoredPlace>,
    /// Question, column, and where the answer lies; sorted.
    pub(super) cells: Vec<(u32, u16, StoredPlace)>,
    pub(super) stored: StoredCells,
    pub(super) counts: ReportCounts,
    /// Length in characters of the longest question as text prints it.
    pub(super) longest: usize,
}

/// What is given each question in turn, with its answers by column.
type TakeRow<'t> = dyn FnMut(&MatrixQuestion, &[(usize, MatrixCell)]) -> io::Result<()> + 't;

impl Matrix {
    /// What became of all rows of all bundles together.
    pub fn counts(&self) -> ReportCounts {
        self.counts
    }

    /// Every question in order, with its answers by column.
    pub(super) fn for_each(&self, take: &mut TakeRow<'_>) -> io::Result<()> {
        let mut rest = self.cells.as_slice();
        for (number, place) in (0_u32..).zip(&self.questions) {
            let own = rest.partition_point(|(question, ..)| *question == number);
            let (row, others) = rest.split_at(own);
            rest = others;
            let question: MatrixQuestion = self.stored.get(*place)?;
            let cells: Vec<(usize, MatrixCell)> = row
                .iter()
                .map(|(_, column, place)| Ok((usize::from(*column), self.stored.get(*place)?)))
                .collect::<io::Result<_>>()?;
            take(&question, &cells)?;
        }
        Ok(())
    }
}
