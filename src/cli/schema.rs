//! `sandproof schema`

use clap::Args;

use super::exit::{Exit, Failure};
use super::table;
use super::ui::Ui;
use crate::base::suggest::hint_for;
use crate::plan::schema::DocumentKind;
use crate::record::schemas::WRITTEN;

/// Print the JSON Schema of a document.
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
    let all: Vec<(&str, &str, &str)> = DocumentKind::ALL
        .iter()
        .map(|kind| (kind.name(), kind.what(), kind.schema_text()))
        .chain(WRITTEN.iter().copied())
        .collect();
    let names = || all.iter().map(|(name, _, _)| *name);
    let Some(name) = &args.name else {
        if args.json {
            ui.json(&names().collect::<Vec<_>>());
        } else {
            let rows: Vec<Vec<String>> =
                all.iter().map(|(name, what, _)| vec![(*name).to_string(), (*what).to_string()]).collect();
            ui.out(&table::render(&["NAME", "DOCUMENT"], &rows));
        }
        return Ok(Exit::Done);
    };
    let Some((_, _, text)) = all.iter().find(|(known, _, _)| known == name) else {
        let known = names().collect::<Vec<_>>().join(", ");
        let remedy = hint_for(name, names(), &format!("known are {known}"));
        return Err(Failure::new(Exit::InputRefused, UnknownSchema { name: name.clone(), remedy }));
    };
    ui.bytes(text.as_bytes());
    Ok(Exit::Done)
}
