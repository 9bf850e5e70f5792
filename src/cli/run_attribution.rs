//! What `run --attribute` adds to the end of a run, for people.

use super::color;
use crate::base::printable::Lines;
use crate::record::attribution::AttributionSummary;

/// How many rows are listed on which kernel and model part.
const SHOWN: usize = 20;

/// What the kernel itself said, and where the model says otherwise.
pub(super) fn append(out: &mut Lines, said: &AttributionSummary) {
    let failed = said.kernel + said.errno;
    let rest: Vec<String> = said.unattributed.iter().map(|(why, count)| format!("{count} {}", why.words())).collect();
    let rest = if rest.is_empty() { String::new() } else { format!("; {}", rest.join(", ")) };
    out.line(format!("attribution the kernel itself named {} of {failed} failed operations{rest}", said.kernel));
    let apart = &said.oracle_disagrees;
    if apart.count == 0 {
        return;
    }
    out.marked(&color::on_stdout(color::BAD, "oracle_disagrees:"), " kernel and model name different rights");
    for row in apart.rows.iter().take(SHOWN) {
        let model = if row.model.is_empty() { "nothing".to_owned() } else { row.model.join(", ") };
        let id = &row.expectation_id;
        out.line(format!("  {id}  missing: {} by the kernel, {model} by the model", row.kernel.join(", ")));
    }
    if apart.count > SHOWN as u64 {
        out.line(format!("  … and {} more", apart.count - SHOWN as u64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::attribution::{BlockerDisagreement, Unattributed};

    #[test]
    fn it_says_how_many_the_kernel_named_and_where_the_model_says_otherwise() {
        let mut said = AttributionSummary { kernel: 3, errno: 2, records: 4, ..AttributionSummary::default() };
        said.unattributed.insert(Unattributed::NoRecord, 2);
        let text = |said: &AttributionSummary| {
            let mut out = Lines::default();
            append(&mut out, said);
            out.into_string()
        };
        assert_eq!(
            text(&said).trim_end(),
            "attribution the kernel itself named 3 of 5 failed operations; 2 without a record of a denial"
        );
        said.oracle_disagrees.count = 1;
        said.oracle_disagrees.rows.push(BlockerDisagreement {
            profile_id: "p".parse().unwrap(),
            expectation_id: "e".parse().unwrap(),
            kernel: vec!["fs.refer".into()],
            model: Vec::new(),
        });
        let told = text(&said);
        assert!(told.contains("e  missing: fs.refer by the kernel, nothing by the model"), "{told}");
    }
}
