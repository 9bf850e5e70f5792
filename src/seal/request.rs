//! What a document asks to be sealed, whatever its format.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value};

use super::connection::{DeclaredConnection, declared_connections};
use super::error::SealError;
use crate::base::canon;
use crate::base::digest::Digest;
use crate::base::fsx;
use crate::identity::seal::DeclarationParts;
use crate::plan::subject::ResolvedSubject;
use crate::plan::subject::resolved::SubjectFormat;

/// Where inputs are inside, and where the command starts.
pub const INPUTS_AT: &str = "/in";
/// Places of the sealed root that are not for declared files.
const RESERVED: [&str; 5] = [INPUTS_AT, "/dev", "/out", "/proc", "/scratch"];

/// A file or folder that the command may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadableItem {
    /// JSON pointer of where the document names it.
    pub pointer: String,
    /// As the document names it.
    pub name: String,
    /// Where it is on the host.
    pub host: PathBuf,
    /// Whether it belongs to the runtime, and so stands inside where it is on the host, with the links that lead to it; else it
    /// is an input below [`INPUTS_AT`].
    pub is_runtime: bool,
    /// The digest that the document's own item has of it, if it has one.
    pub stated: Option<Digest>,
}

impl ReadableItem {
    /// Where an input stands inside.
    pub fn input_place(&self) -> PathBuf {
        Path::new(INPUTS_AT).join(&self.name)
    }
}

/// Everything that is sealed, before any of it is opened.
#[derive(Debug, Clone, PartialEq)]
pub struct SealRequest {
    /// Format of the declaration.
    pub schema_version: String,
    /// What is declared.
    pub kind: String,
    /// The document's parts, with every file that it names replaced by its digest.
    pub parts: DeclarationParts,
    /// What may be read.
    pub items: Vec<ReadableItem>,
    /// The declared variables by name, with the values that they have where they are set.
    pub environment: Vec<(String, Option<OsString>)>,
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// What standard input reads: a plain file among the inputs, by its path relative to the document. `None`: the null device.
    pub stdin: Option<String>,
    /// The connections that the command is handed, from descriptor [`FIRST_DESCRIPTOR`](super::connection::FIRST_DESCRIPTOR) on.
    pub connections: Vec<DeclaredConnection>,
}

impl SealRequest {
    /// What a declaration asks for: what its `other` members name (see [`named_in_other`]), and every file that it names anywhere.
    /// `variable` gives the value of a variable, if it is set.
    ///
    /// # Errors
    /// What cannot be sealed, by JSON pointer.
    pub fn of(
        subject: &ResolvedSubject,
        document: &Path,
        variable: impl Fn(&str) -> Option<OsString>,
        command: &[OsString],
    ) -> Result<Self, SealError> {
        let [artifact, runtime, policy, history] = subject.parts.clone();
        let parts = DeclarationParts { artifact, runtime, policy, history };
        let folder = fsx::folder_of(document);
        let (mut items, names) = named_in_other(&parts, folder)?;
        for file in &subject.files {
            let stated = Some(file.digest);
            if let Some(known) = items.iter_mut().find(|item| !item.is_runtime && item.name == file.path) {
                known.stated = stated;
            } else {
                let (pointer, name) = (file.pointer.clone(), file.path.clone());
                let host = match subject.format {
                    SubjectFormat::First => folder.join(&name),
                    SubjectFormat::Second => file.host_path.clone().unwrap_or_else(|| folder.join(&name)),
                };
                items.push(ReadableItem { pointer, host, name, is_runtime: false, stated });
            }
        }
        let mut environment: Vec<_> = names.into_iter().map(|name| (name.clone(), variable(&name))).collect();
        if subject.format == SubjectFormat::Second {
            environment.extend(declared_variables(&parts.runtime)?);
        }
        Ok(Self {
            schema_version: subject.format.schema().to_owned(),
            kind: subject.kind.clone(),
            parts,
            items,
            environment,
            command: command_of(&subject.parts[0], command)?,
            stdin: stdin_of(&subject.parts[1])?,
            connections: declared_connections(&subject.parts[1])?,
        })
    }
}

/// The command: what was typed, or what the document states at `/artifact/command`, which has to be the same if there are both.
///
/// # Errors
/// If there is none, or there are two.
fn command_of(artifact: &Map<String, Value>, typed: &[OsString]) -> Result<Vec<OsString>, SealError> {
    let at = "/artifact/command";
    let stated = artifact.get("command").and_then(Value::as_array);
    let stated: Option<Vec<OsString>> =
        stated.map(|words| words.iter().filter_map(Value::as_str).map(OsString::from).collect());
    match stated {
        None if typed.is_empty() => {
            let remedy = "state it there as a list of texts, or write it behind `--`";
            Err(SealError::request(at, "the document states no command".to_owned(), remedy))
        }
        Some(stated) if typed.is_empty() => Ok(stated),
        Some(stated) if stated != typed => {
            let shown = |words: &[OsString]| format!("{words:?}");
            let found =
                format!("the document states {}, and what is to be executed is {}", shown(&stated), shown(typed));
            Err(SealError::request(at, found, "leave out what stands behind `--`, or change the document"))
        }
        Some(_) | None => Ok(typed.to_vec()),
    }
}

/// What `/runtime/other/stdin` names.
///
/// # Errors
/// What is neither a text nor `{"none": why}`.
fn stdin_of(runtime: &Map<String, Value>) -> Result<Option<String>, SealError> {
    let stated = runtime.get("other").and_then(|other| other.get("stdin"));
    match stated {
        None => Ok(None),
        Some(Value::String(name)) if Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) => {
            Ok(Some(name.clone()))
        }
        Some(Value::Object(members)) if members.len() == 1 && members.contains_key("none") => Ok(None),
        Some(other) => Err(SealError::request(
            "/runtime/other/stdin",
            format!("`{other}` is not the plain relative path of an input"),
            "name a declared input by its path relative to the document, or write {\"none\": why}",
        )),
    }
}

/// The variables whose values a document of the second format gives under `/runtime/environment`.
///
/// # Errors
/// A variable of which it gives the digest alone.
fn declared_variables(runtime: &Map<String, Value>) -> Result<Vec<(String, Option<OsString>)>, SealError> {
    let mut found = Vec::new();
    for (name, value) in runtime.get("environment").and_then(Value::as_object).into_iter().flatten() {
        let at = format!("/runtime/environment/{}", canon::pointer_part(name));
        match value {
            Value::String(text) => found.push((name.clone(), Some(OsString::from(text)))),
            Value::Object(members) if members.contains_key("digest") => {
                return Err(SealError::request(
                    at,
                    "the variable is declared by its digest alone".to_owned(),
                    "give its value, or list its name in /runtime/other/environment",
                ));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// What the parts of a document name as readable, and the names of variables that pass: `/artifact/other/read` (relative to the
/// document's folder), `/runtime/other/read` (absolute) and `/runtime/other/environment`.
///
/// # Errors
/// What is no such list, or no such path, by JSON pointer.
fn named_in_other(parts: &DeclarationParts, folder: &Path) -> Result<(Vec<ReadableItem>, Vec<String>), SealError> {
    let mut items = Vec::new();
    for (at, name) in texts(&parts.artifact, "artifact", "read")? {
        let plain = Path::new(&name).components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || name.is_empty() {
            let found = format!("`{name}` is not the plain relative path of something below the document's folder");
            let remedy =
                "name inputs relative to the document, without `..`; absolute paths belong to /runtime/other/read";
            return Err(SealError::request(at, found, remedy));
        }
        items.push(ReadableItem { pointer: at, host: folder.join(&name), name, is_runtime: false, stated: None });
    }
    for (at, name) in texts(&parts.runtime, "runtime", "read")? {
        let path = PathBuf::from(&name);
        let plain = path.components().all(|part| matches!(part, Component::Normal(_) | Component::RootDir));
        if !path.is_absolute() || !plain || name == "/" {
            let found = format!("`{name}` is not the absolute path of a file or folder");
            return Err(SealError::request(
                at,
                found,
                "name files of the runtime by their absolute paths, without `..`",
            ));
        }
        items.push(ReadableItem { pointer: at, host: path, name, is_runtime: true, stated: None });
    }
    let names = texts(&parts.runtime, "runtime", "environment")?;
    for (at, name) in &names {
        if name.is_empty() || name.contains(['=', '\0']) {
            let found = format!("`{name}` cannot be the name of a variable");
            return Err(SealError::request(
                at.clone(),
                found,
                "list names alone; their values are taken from the environment",
            ));
        }
    }
    Ok((items, names.into_iter().map(|(_, name)| name).collect()))
}

/// The texts of a list in a part's `other`, with their pointers. Nothing if there is no such list.
fn texts(part: &Map<String, Value>, name: &str, member: &str) -> Result<Vec<(String, String)>, SealError> {
    let at = format!("/{name}/other/{member}");
    let Some(list) = part.get("other").and_then(|other| other.get(member)) else { return Ok(Vec::new()) };
    let Some(list) = list.as_array() else {
        return Err(SealError::request(at, "it is not a list".to_owned(), "write a list of texts"));
    };
    let mut found = Vec::new();
    for (n, one) in list.iter().enumerate() {
        match one.as_str() {
            Some(text) if canon::is_normal(text) && !text.contains('\0') => {
                found.push((format!("{at}/{n}"), text.to_owned()))
            }
            _ => {
                let what = "it is no text in Unicode normal form C";
                return Err(SealError::request(format!("{at}/{n}"), what.to_owned(), "write a text"));
            }
        }
    }
    Ok(found)
}

/// Refuses what would stand where the sealed root has something of its own.
///
/// # Errors
/// The item that does.
pub fn check_places(items: &[ReadableItem]) -> Result<(), SealError> {
    for item in items.iter().filter(|item| item.is_runtime) {
        if let Some(taken) = RESERVED.iter().find(|taken| item.host.starts_with(taken)) {
            let found = format!("`{}` lies in `{taken}`, where the sealed root has something of its own", item.name);
            let remedy = "copy it to another place, and declare it there; `/proc` and `/dev` are always there, reduced";
            return Err(SealError::request(item.pointer.clone(), found, remedy));
        }
    }
    Ok(())
}
