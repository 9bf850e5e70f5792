//! `sandproof identity declare --from`

use std::io;
use std::path::Path;

use super::super::exit::{Exit, Failure, OrFail};
use super::super::failures::load_failure;
use super::super::key_values::KeyValues;
use super::super::out::output_failure;
use super::super::ui::Ui;
use super::shown;
use crate::base::printable::{Lines, path_text};
use crate::bundle::sealed_folder;
use crate::identity::{absences, external};
use crate::plan::subject::{NamedRoots, ResolvedSubject, read_declaration_file_with};
use crate::record::identity::{Declaration, DeclarationPart};
use crate::record::open_word::OpenWord;

/// Declares what the document at `from` describes: reads it with everything that it names, and prints its identity, or writes it
/// into the new folder `out`.
pub(super) fn run(
    from: &Path,
    roots: NamedRoots,
    out: Option<&Path>,
    json: bool,
    ui: &mut Ui,
) -> Result<Exit, Failure> {
    let subject = read_declaration_file_with(from, roots).map_err(load_failure)?;
    let declaration = external::declare(&subject).or_fail(Exit::InputRefused)?;
    if let Some(out) = out {
        sealed_folder::write(out, &subject, &declaration).map_err(|error| {
            let is_there = error.source.kind() == io::ErrorKind::AlreadyExists;
            let failure = output_failure(error);
            if is_there {
                failure.hint("what is sealed is written once: name a folder that is not there yet")
            } else {
                failure
            }
        })?;
    }
    if json {
        ui.json(&declaration);
    } else {
        ui.out(&describe(&subject, &declaration));
    }
    if let Some(out) = out {
        ui.remark(format!("wrote `{}`, which is not written again", path_text(out)));
    }
    Ok(Exit::Done)
}

fn describe(subject: &ResolvedSubject, declaration: &Declaration) -> Lines {
    let mut sheet = KeyValues::default();
    sheet.line("kind", &declaration.kind);
    sheet.line("identity", &declaration.identity.to_string());
    sheet.maybe("says", shown::completeness(declaration).as_deref());
    for part in DeclarationPart::ALL {
        sheet.line(part.as_str(), &declaration.digests.of(part).to_string());
    }
    let files: Vec<String> = subject
        .files
        .iter()
        .map(|file| {
            let (thing, digest) = (file.thing.as_str(), file.digest);
            format!("{} is the {thing} `{}`, {} bytes, sha256:{digest}", file.pointer, file.path, file.size)
        })
        .collect();
    sheet.list("files", files.iter().map(String::as_str));
    let absent: Vec<String> =
        absences(declaration).into_iter().map(|(pointer, reason)| format!("{pointer}: {reason}")).collect();
    sheet.list("absent", absent.iter().map(String::as_str));
    for word in OpenWord::ALL {
        let open = subject.open.iter().filter(|one| one.item.word == word);
        let open: Vec<String> = open.map(|one| format!("{}: {}", one.item.pointer, one.reason)).collect();
        sheet.list(shown::word(word), open.iter().map(String::as_str));
    }
    let immaterial = shown::immaterial(declaration);
    sheet.list("immaterial", immaterial.iter().map(String::as_str));
    sheet.render()
}
