//! `sandproof schema`

use clap::Args;

use super::exit::{Exit, Failure};
use super::table;
use super::ui::Ui;
use crate::plan::hint_for;
use crate::plan::schema::DocumentKind;

/// Print the JSON Schema of an input document.
#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Which document; without it the names are listed.
    name: Option<String>,
    /// List the names as JSON. A schema is JSON anyway.
    #[arg(long)]
    json: bool,
}

/// No schema has that name.
#[derive(Debug, thiserror::Error)]
#[error("there is no schema `{name}`; {remedy}")]
struct UnknownSchema {
    name: String,
    remedy: String,
}

/// Prints a schema, or the list of them.
pub(super) fn run(args: &SchemaArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let names = || DocumentKind::ALL.iter().map(|kind| kind.name());
    let Some(name) = &args.name else {
        if args.json {
            ui.json(&names().collect::<Vec<_>>())?;
        } else {
            let rows: Vec<Vec<String>> =
                DocumentKind::ALL.iter().map(|kind| vec![kind.name().into(), kind.what().into()]).collect();
            ui.out(&table::render(&["NAME", "DOCUMENT"], &rows))?;
        }
        return Ok(Exit::Done);
    };
    let Some(kind) = DocumentKind::by_name(name) else {
        let known = names().collect::<Vec<_>>().join(", ");
        let remedy = hint_for(name, names(), &format!("known are {known}"));
        return Err(Failure::new(Exit::InputRefused, UnknownSchema { name: name.clone(), remedy }));
    };
    ui.out(kind.schema_text())?;
    Ok(Exit::Done)
}
