//! `sandproof schema`

use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::{Exit, Failure};
use super::out::output_failure;
use super::table;
use super::ui::Ui;
use crate::base::fsx;
use crate::base::output::OutputPlace;
use crate::base::printable::path_text;
use crate::base::suggest::hint_for;
use crate::plan::schema::DocumentKind;
use crate::record::schemas::WRITTEN;

/// Print the JSON Schema of a document.
#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Which document; without it the names are listed.
    name: Option<String>,
    /// Write all of them into the folder that `--out` names, as `NAME.schema.json`.
    #[arg(long, requires = "out", conflicts_with = "name")]
    all: bool,
    /// The folder for `--all`, which is made if it is missing. Files of the same name are replaced.
    #[arg(long, value_name = "DIR", requires = "all")]
    out: Option<PathBuf>,
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

/// Writes each schema into a file of its own.
fn write_all(all: &[(&str, &str, &str)], out: &Path, json: bool, ui: &mut Ui) -> Result<Exit, Failure> {
    fsx::create_dir_all(out).map_err(output_failure)?;
    let mut wrote = Vec::new();
    for (name, _, text) in all {
        let file = out.join(format!("{name}.schema.json"));
        OutputPlace::of(&file).and_then(|place| place.write(text.as_bytes())).map_err(output_failure)?;
        wrote.push(path_text(&file));
    }
    if json {
        ui.answer_with("written_files", "wrote", &wrote);
    } else {
        ui.line(format!("wrote {} schemas into {}", wrote.len(), path_text(out)));
    }
    Ok(Exit::Done)
}

/// Every schema: its name, what it is about, its text.
pub(super) fn all() -> Vec<(&'static str, &'static str, &'static str)> {
    let read = DocumentKind::ALL.iter().map(|kind| (kind.name(), kind.what(), kind.schema_text()));
    read.chain(WRITTEN.iter().copied()).collect()
}

/// Prints a schema, or the list of them.
pub(super) fn run(args: &SchemaArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let all = all();
    if let (true, Some(out)) = (args.all, &args.out) {
        return write_all(&all, out, args.json, ui);
    }
    let names = || all.iter().map(|(name, _, _)| *name);
    let Some(name) = &args.name else {
        if args.json {
            ui.answer_with("schema_list", "schemas", &names().collect::<Vec<_>>());
        } else {
            let rows: Vec<Vec<String>> =
                all.iter().map(|(name, what, _)| vec![(*name).to_string(), (*what).to_string()]).collect();
            ui.out(&table::fitted(&["NAME", "DOCUMENT"], &rows, ui.width()));
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
