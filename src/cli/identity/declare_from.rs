//! `sandproof identity declare --from`

use std::path::Path;

use super::super::exit::{Exit, Failure, OrFail};
use super::super::failures::load_failure;
use super::super::key_values::KeyValues;
use super::super::ui::Ui;
use crate::base::printable::Lines;
use crate::identity::{absences, external};
use crate::plan::subject::{ResolvedSubject, read_declaration_file};
use crate::record::identity::{Declaration, DeclarationPart};

/// Declares what the document at `from` describes: reads it with every file that it names, and prints its identity.
pub(super) fn run(from: &Path, json: bool, ui: &mut Ui) -> Result<Exit, Failure> {
    let subject = read_declaration_file(from).map_err(load_failure)?;
    let declaration = external::declare(&subject).or_fail(Exit::InputRefused)?;
    if json {
        ui.json(&declaration);
    } else {
        ui.out(&describe(&subject, &declaration));
    }
    Ok(Exit::Done)
}

fn describe(subject: &ResolvedSubject, declaration: &Declaration) -> Lines {
    let mut sheet = KeyValues::default();
    sheet.line("kind", &declaration.kind);
    sheet.line("identity", &declaration.identity.to_string());
    for part in DeclarationPart::ALL {
        sheet.line(part.as_str(), &declaration.digests.of(part).to_string());
    }
    let files: Vec<String> = subject
        .files
        .iter()
        .map(|file| format!("{} is `{}`, {} bytes, sha256:{}", file.pointer, file.path, file.size, file.digest))
        .collect();
    sheet.list("files", files.iter().map(String::as_str));
    let absent: Vec<String> =
        absences(declaration).into_iter().map(|(pointer, reason)| format!("{pointer}: {reason}")).collect();
    sheet.list("absent", absent.iter().map(String::as_str));
    sheet.render()
}
