//! `sandproof identity draft`

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use clap::Args;

use super::super::exit::{Exit, Failure};
use super::super::key_values::KeyValues;
use super::super::out::Destination;
use super::super::run::environment;
use super::super::ui::Ui;
use crate::base::fsx::folder_of;
use crate::base::printable::path_text;
use crate::draft::{DeclarationDraft, DraftError, WatchRequest, draft_from, watch};

/// Begin a document that describes a run: by watching a command once, or from what another tool has recorded.
///
/// A command is started in the document's folder, without input, and followed with all that it starts. The document (schema
/// `system_declaration_v2`) gets what was seen: files, folders, programs, libraries, variables, the command line, connections; everything
/// else is stated as unknown, for its author to fill in. `identity seal --from DOC --out DIR -- COMMAND` takes it as it is. The command is not
/// confined: watch only what may run.
///
/// With --from, the kind of the record is seen from its shape: the body of a chat-completions or messages request, a log of inspect_ai (JSON),
/// results of lm-evaluation-harness, a model-signing signature or its statement, dvc.lock. What it says is stated; a name that may mean
/// another model tomorrow is no version; what it does not say is unknown.
///
/// Exit 0: the document is written; 1: it is, and the command failed; 3: the command cannot be started, or the record is of no known kind; 7: commands cannot be followed
/// here.
#[derive(Debug, Args)]
pub(super) struct IdentityDraftArgs {
    /// The document to write, which must not be there yet. Without it, it is printed, and its folder is the current one.
    #[arg(long, value_name = "DOC")]
    out: Option<PathBuf>,
    /// A record of a run that another tool has made, instead of a command.
    #[arg(long, value_name = "FILE", conflicts_with = "command")]
    from: Option<PathBuf>,
    /// The command and its arguments. What it writes to its streams is written to standard error.
    #[arg(last = true, required_unless_present = "from", value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Does it.
pub(super) fn run(args: &IdentityDraftArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let destination = destination(args.out.as_deref())?;
    let (draft, exit) = match &args.from {
        Some(from) => {
            let (mut draft, kind) = draft_from(from).map_err(failure)?;
            draft.note("record", format!("{}, `{}`", kind.as_str(), path_text(from)));
            (draft, Exit::Done)
        }
        None => watched(args, ui)?,
    };
    let is_shown = destination.put(&draft.bytes(), ui)?;
    tell(&draft, args.out.as_deref().filter(|_| !is_shown), ui);
    Ok(exit)
}

fn destination(out: Option<&Path>) -> Result<Destination, Failure> {
    match out {
        Some(out) if out.is_file() => Err(Failure::new(Exit::Usage, IsThere { path: out.to_owned() })),
        Some(out) => Destination::of(out),
        None => Ok(Destination::Stdout),
    }
}

fn watched(args: &IdentityDraftArgs, ui: &mut Ui) -> Result<(DeclarationDraft, Exit), Failure> {
    let folder = args.out.as_deref().map_or(Path::new("."), folder_of).to_owned();
    let environment = environment().into_iter().map(|(name, value)| (name, OsString::from_vec(value))).collect();
    let request = WatchRequest { folder, environment, command: args.command.clone() };
    let watched = watch(&request).map_err(failure)?;
    if watched.exit.is_success() {
        return Ok((watched.draft, Exit::Done));
    }
    let how = match (watched.exit.code, watched.exit.signal) {
        (Some(code), _) => format!("exited with {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended in an unknown way".to_owned(),
    };
    ui.remark(format!("the command {how}; the document says what it did until then"));
    Ok((watched.draft, Exit::Mismatch))
}

fn tell(draft: &DeclarationDraft, out: Option<&Path>, ui: &mut Ui) {
    let mut sheet = KeyValues::default();
    if let Some(out) = out {
        sheet.line("document", &path_text(out));
    }
    sheet.line("unknown", &format!("{} items; their reasons stand in the document", draft.unknown_items()));
    for note in draft.notes() {
        sheet.line(note.about, &note.text);
    }
    let sheet = sheet.render();
    match out {
        Some(_) => ui.out(&sheet),
        // Standard output has the document, and nothing else.
        None => ui.remarks(&sheet),
    }
}

/// A document that would be replaced.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is there already; name another file, or move it away: a draft replaces nothing", path.display())]
struct IsThere {
    path: PathBuf,
}

fn failure(error: DraftError) -> Failure {
    match &error {
        DraftError::Command { .. } | DraftError::Evidence { .. } => Failure::new(Exit::InputRefused, error),
        DraftError::Unavailable { .. } => Failure::new(Exit::Unavailable, error)
            .hint("within a container, ptrace(2) has to be allowed; a command that traces others cannot be followed"),
        #[cfg(not(target_os = "linux"))]
        DraftError::OtherSystem => Failure::new(Exit::Unavailable, error),
        DraftError::File(_) => Failure::new(Exit::InputRefused, error),
    }
}
