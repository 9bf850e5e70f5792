//! `sandproof list-templates`

use std::path::Path;

use clap::Args;

use super::exit::{Exit, Failure};
use super::table;
use super::ui::Ui;
use crate::base::error_chain::error_chain;
use crate::plan::template;

/// List the plan templates that this program carries.
///
/// Within a checkout of the reference runtime, its templates are listed too; of two with one id, the checkout's is used.
#[derive(Debug, Args)]
pub(super) struct ListTemplatesArgs {
    /// Print the list as JSON.
    #[arg(long)]
    json: bool,
}

/// Lists them; every shipped plan is one.
pub(super) fn run(args: &ListTemplatesArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let checkout = template::around(Path::new("."));
    for error in &checkout.refused {
        ui.remark(error_chain(error));
    }
    let templates = checkout.with_carried();
    if args.json {
        ui.json(&templates);
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = templates
        .into_iter()
        .map(|one| vec![one.template_id, one.builder.as_str().to_owned(), one.description])
        .collect();
    ui.out(&table::render(&["TEMPLATE", "BUILDER", "DESCRIPTION"], &rows));
    Ok(Exit::Done)
}
