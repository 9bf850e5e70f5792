//! `sandproof list-templates`

use clap::Args;

use super::exit::{Exit, Failure};
use super::table;
use super::ui::Ui;
use crate::plan::template;

/// List the plan templates that this program carries.
#[derive(Debug, Args)]
pub(super) struct ListTemplatesArgs {
    /// Print the list as JSON.
    #[arg(long)]
    json: bool,
}

/// Lists them; every shipped plan is one.
pub(super) fn run(args: &ListTemplatesArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let templates = template::list();
    if args.json {
        ui.json(&templates)?;
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = templates
        .into_iter()
        .map(|one| vec![one.template_id, one.builder.as_str().to_owned(), one.description])
        .collect();
    ui.out(&table::render(&["TEMPLATE", "BUILDER", "DESCRIPTION"], &rows))?;
    Ok(Exit::Done)
}
