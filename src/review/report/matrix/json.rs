//! The matrix for programs, written a question at a time.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::table::Matrix;
use crate::base::json_out::{ArrayOut, ObjectOut};
use crate::base::printable::json_for_streams;
use crate::record::launcher_matrix::{MATRIX_SCHEMA, MatrixRow};

pub(super) fn write(matrix: &Matrix, out: &mut dyn Write) -> io::Result<()> {
    let mut bytes = Vec::new();
    let mut top = ObjectOut::open(&mut bytes, 0);
    top.member(&mut bytes, "schema_version", MATRIX_SCHEMA)?;
    top.member(&mut bytes, "columns", &matrix.columns)?;
    top.key(&mut bytes, "questions");
    let mut list = ArrayOut::open(&mut bytes, top.value_level());
    flush(&mut bytes, out)?;
    matrix.for_each(&mut |question, cells| {
        let answers: BTreeMap<&str, _> =
            cells.iter().map(|(column, cell)| (matrix.columns[*column].label.as_str(), cell)).collect();
        let row = MatrixRow {
            probe_id: &question.probe_id,
            operation: &question.operation,
            target: &question.target,
            driver: &question.driver,
            answers,
        };
        list.push(&mut bytes, &row)?;
        flush(&mut bytes, out)
    })?;
    list.close(&mut bytes);
    top.close(&mut bytes);
    bytes.push(b'\n');
    flush(&mut bytes, out)
}

fn flush(bytes: &mut Vec<u8>, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&json_for_streams(std::mem::take(bytes)))
}
