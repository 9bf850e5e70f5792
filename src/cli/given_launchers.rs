//! Launchers that `run` is given on the command line, in the place of a plan's own.

use std::path::Path;

use serde_json::{Map, Value};

use super::exit::{Exit, Failure, OrFail};
use super::failures::{load_failure, review_failure};
use super::scratch::ScratchFolder;
use super::ui::Ui;
use crate::base::error_chain::error_chain;
use crate::base::limits::MAX_POLICY_BYTES;
use crate::base::{fsx, json_out, words};
use crate::bundle;
use crate::plan::{self, Selection};
use crate::policy::PolicyMode;
use crate::policy::launcher::LauncherDocument;
use crate::record::sources::InputRole;
use crate::review::ReviewError;
use crate::review::report::matrix::{self, MatrixForm};
use crate::run::RunRequest;

/// Where the documents of launchers from the command line stand in the copy of a plan.
const FOLDER: &str = "given-launchers";

/// A launcher that was named on the command line.
#[derive(Debug, Clone)]
pub(super) struct GivenLauncher(LauncherDocument);

/// Reads `NAME=COMMAND …`, or the file of a launcher's document.
pub(super) fn read(text: &str) -> Result<GivenLauncher, String> {
    if !text.contains('=') && text.ends_with(".json") {
        let bytes = fsx::read_input(Path::new(text), MAX_POLICY_BYTES).map_err(|error| error_chain(&error))?;
        let document = serde_json::from_slice(&bytes).map_err(|error| format!("`{text}` is no launcher: {error}"))?;
        return sound(document);
    }
    let (name, command) = text.split_once('=').ok_or("write NAME=COMMAND")?;
    if name.is_empty() || name.contains(char::is_whitespace) || name.contains('/') {
        return Err(format!("`{name}` is not a valid name"));
    }
    let argv = words::split(command).map_err(|error| error.to_string())?;
    sound(LauncherDocument::of_command(name, argv))
}

fn sound(document: LauncherDocument) -> Result<GivenLauncher, String> {
    match document.faults().into_iter().next() {
        Some(fault) => Err(format!("{}; {}", fault.message, fault.remedy)),
        None => Ok(GivenLauncher(document)),
    }
}

/// Why a plan's launchers cannot be replaced.
#[derive(Debug, thiserror::Error)]
enum NoReplacement {
    #[error("the plan has no profile of mode `launcher` whose questions could be asked")]
    NoLauncher,
    #[error(
        "the plan names the document `{0}` by a path that is not below its own folder, so another launcher cannot stand in its folder"
    )]
    Absolute(String),
    #[error("two launchers are called `{0}`")]
    Twice(String),
}

/// Lets the request run a copy of its plan in which these launchers stand in the place of the plan's own: each is asked every
/// question once, whichever of the plan's launchers it was meant for. The copy is there as long as the value that is given
/// back.
pub(super) fn put_into(launchers: &[GivenLauncher], request: &mut RunRequest) -> Result<ScratchFolder, Failure> {
    let refuse = |why| Failure::new(Exit::InputRefused, why);
    for (n, GivenLauncher(launcher)) in launchers.iter().enumerate() {
        if launchers[..n].iter().any(|GivenLauncher(other)| other.launcher_id == launcher.launcher_id) {
            return Err(Failure::new(Exit::Usage, NoReplacement::Twice(launcher.launcher_id.clone())));
        }
    }
    let plan = &request.declared.plan;
    let folder = ScratchFolder::new("plan")?;
    let mut plan_path = None;
    let mut plan_value = Value::Null;
    let mut profiles = None;
    for document in &plan.documents {
        if Path::new(&document.path).is_absolute() || plan::leads_out(&document.path) {
            return Err(refuse(NoReplacement::Absolute(document.path.clone())));
        }
        let bytes = document.bytes.held().expect("no run has let go of the plan's texts yet");
        match document.role {
            InputRole::Plan => {
                plan_path = Some(document.path.clone());
                plan_value = serde_json::from_slice(&bytes).or_fail(Exit::Fault)?;
            }
            InputRole::Profiles => {
                let value: Value = serde_json::from_slice(&bytes).or_fail(Exit::Fault)?;
                profiles = Some((document.path.clone(), value));
            }
            _ => folder.write(&document.path, &bytes)?,
        }
    }
    let (Some(plan_path), Some((profiles_path, mut profiles))) = (plan_path, profiles) else {
        return Err(refuse(NoReplacement::NoLauncher));
    };
    let entries = profiles["profiles"].as_object().cloned().unwrap_or_default();
    let replaced = replaced(launchers, &plan.plan.profiles.iter().map(|id| id.as_str()).collect::<Vec<_>>(), &entries);
    if !replaced.iter().any(|one| one.is_launcher) {
        return Err(refuse(NoReplacement::NoLauncher)
            .hint("a plan for launchers has profiles of mode `launcher`; `sandproof ask` needs no plan"));
    }
    let mut kept = entries;
    let mut ids = Vec::new();
    let mut only: Vec<String> = Vec::new();
    for ReplacedProfile { own, asked_by, made, .. } in replaced {
        if plan.selection.only_profiles.contains(&own) {
            only.extend(asked_by.into_iter().filter(|id| !only.contains(id)).collect::<Vec<_>>());
        }
        for (id, entry) in made {
            ids.push(Value::from(id.clone()));
            kept.insert(id, entry);
        }
    }
    plan_value["profiles"] = Value::from(ids);
    profiles["profiles"] = Value::from(kept);
    folder.write(&plan_path, &json_out::to_pretty(&plan_value))?;
    folder.write(&profiles_path, &json_out::to_pretty(&profiles))?;
    for GivenLauncher(launcher) in launchers {
        folder.write(&document_path(launcher), &json_out::to_pretty(launcher))?;
    }
    let selection = Selection { only_profiles: only, ..plan.selection.clone() };
    let (plan, root) = plan::load(&folder.path().join(plan_path), None, &selection).map_err(load_failure)?;
    (request.declared.plan, request.places.root) = (plan, root);
    request.declared.launchers.given = true;
    Ok(folder)
}

fn document_path(launcher: &LauncherDocument) -> String {
    format!("{FOLDER}/{}.json", launcher.launcher_id.replace('/', "-"))
}

/// What becomes of one of the plan's profiles.
struct ReplacedProfile {
    own: String,
    is_launcher: bool,
    /// The profiles that ask its questions now.
    asked_by: Vec<String>,
    /// Those of them that stand in its place, with their entries. Of profiles that ask the same of several launchers, the first
    /// is asked of every given one, and nothing stands in the place of the others.
    made: Vec<(String, Value)>,
}

fn replaced(launchers: &[GivenLauncher], ids: &[&str], entries: &Map<String, Value>) -> Vec<ReplacedProfile> {
    let mut known: Vec<(Value, Vec<String>)> = Vec::new();
    let mut all = Vec::new();
    for id in ids {
        let Some(entry) = entries.get(*id) else { continue };
        let own = (*id).to_owned();
        if entry["mode"] != PolicyMode::Launcher.as_str() {
            let (asked_by, made) = (vec![own.clone()], vec![(own.clone(), entry.clone())]);
            all.push(ReplacedProfile { own, is_launcher: false, asked_by, made });
            continue;
        }
        let asked = Value::from(vec![entry["probe_refs"].clone(), entry["fixtures"].clone()]);
        if let Some((_, asked_by)) = known.iter().find(|(other, _)| *other == asked) {
            all.push(ReplacedProfile { own, is_launcher: true, asked_by: asked_by.clone(), made: Vec::new() });
            continue;
        }
        let made: Vec<(String, Value)> = launchers
            .iter()
            .map(|GivenLauncher(launcher)| {
                // Where one is alone, profiles keep their names.
                let id = match launchers.len() {
                    1 => own.clone(),
                    _ => format!("{own}@{}", launcher.launcher_id),
                };
                let mut entry = entry.clone();
                entry["profile_id"] = Value::from(id.clone());
                entry["profile_path"] = Value::from(document_path(launcher));
                (id, entry)
            })
            .collect();
        let asked_by: Vec<String> = made.iter().map(|(id, _)| id.clone()).collect();
        known.push((asked, asked_by.clone()));
        all.push(ReplacedProfile { own, is_launcher: true, asked_by, made });
    }
    all
}

/// Shows the launchers of a run side by side.
pub(super) fn show(folder: &Path, ui: &mut Ui) -> Result<(), Failure> {
    let bundle = bundle::verify(folder).map_err(|refused| Failure::new(Exit::BundleInvalid, refused))?;
    let mut text = Vec::new();
    matrix::gather(&[bundle])
        .and_then(|matrix| matrix::write(&matrix, MatrixForm::Text(ui.width()), &mut text).map_err(ReviewError::Output))
        .map_err(review_failure)?;
    ui.bytes(&text);
    ui.line("");
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn given(names: &[&str]) -> Vec<GivenLauncher> {
        names.iter().map(|name| read(&format!("{name}=env")).unwrap()).collect()
    }

    #[test]
    fn each_launcher_is_asked_every_question_once() {
        let entry = |mode: &str, refs: &[&str]| json!({"mode": mode, "probe_refs": refs, "profile_path": "x.json"});
        let entries = json!({
            "files:a": entry("launcher", &["p", "q"]),
            "files:b": entry("launcher", &["p", "q"]),
            "net:a": entry("launcher", &["r"]),
            "land": entry("landlock", &["s"]),
        });
        let ids = ["files:a", "land", "files:b", "net:a"];
        let all = |names: &[&str]| replaced(&given(names), &ids, entries.as_object().unwrap());
        let made = |names: &[&str]| -> Vec<String> {
            all(names).into_iter().flat_map(|one| one.made.into_iter().map(|(id, _)| id)).collect()
        };
        assert_eq!(made(&["x"]), ["files:a", "land", "net:a"]);
        assert_eq!(made(&["x", "y"]), ["files:a@x", "files:a@y", "land", "net:a@x", "net:a@y"]);
        // A selection of what has gone is one of what asks the same.
        assert_eq!(all(&["x", "y"])[2].asked_by, ["files:a@x", "files:a@y"]);
        assert_eq!(all(&["x"])[2].asked_by, ["files:a"]);
    }

    #[test]
    fn a_name_is_one_word() {
        assert!(read("env").is_err() && read("=env").is_err() && read("a b=env").is_err() && read("a/b=env").is_err());
        assert!(read("mine=env 'A=b c'").is_ok());
        assert!(read("nowhere/launcher.json").is_err());
        let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/registries/launchers/bubblewrap.json");
        assert_eq!(read(shipped).unwrap().0.launcher_id, "bubblewrap");
    }
}
