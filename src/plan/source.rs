//! Where documents come from: a workspace on disk, or the copies that a bundle holds.
//!
//! Resolution knows documents only by role and by the path that other documents use for them, so the very same code
//! resolves a plan in its workspace and in a bundle that somebody else made.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::carried_worlds;
use super::diagnostic::Diagnostic;
use super::error::LoadError;
use super::paths::{OWN_INDEX_PATH, OWN_PROBES_PATH, PLAN_FILE, QUESTIONS_FILE};
use super::questions::{self, Asker, ExpandedQuestions};
use super::subject::{NamedPath, NamedRoots};
use super::template;
use crate::base::checkout;
use crate::base::digest::Digest;
use crate::base::error_chain::error_chain;
use crate::base::folder::folder_digest;
use crate::base::fsx::{self, FileError, folder_of};
use crate::base::json_out;
use crate::base::limits::{MAX_INPUT_DOCUMENT_BYTES, MAX_POLICY_BYTES};
use crate::base::printable::path_text;
use crate::base::shared_bytes::SharedBytes;
use crate::base::suggest::close_to;
use crate::record::layout;
use crate::record::sources::InputRole;
use crate::record::subject_digest::{NamedDigest, NamedThing};

/// The registry index, relative to the root.
pub const INDEX_PATH: &str = "registries/index.json";
/// The index of a checkout of the reference runtime (Protonk/sandbox-boostrap).
pub const REFERENCE_INDEX_PATH: &str = "book/api/runtime/plans/registry/index.json";
/// How many entries of a folder are looked at for a suggestion.
const MOST_NEIGHBOURS: usize = 10_000;

/// Where an index may lie, in the order of looking.
const INDEX_PATHS: [&str; 3] = [INDEX_PATH, OWN_INDEX_PATH, REFERENCE_INDEX_PATH];

/// The path of the source's index; `registries/index.json` if there is none, so that messages name the usual one.
pub(super) fn index_path(source: &dyn DocumentSource) -> &'static str {
    INDEX_PATHS.into_iter().find(|path| source.has(InputRole::Index, path)).unwrap_or(INDEX_PATH)
}

/// Gives the bytes of input documents.
pub trait DocumentSource {
    /// Reads the document that is referred to as `path`, which is a clean relative path or an absolute one. More than
    /// `cap_bytes` are refused.
    fn read(&self, role: InputRole, path: &str, cap_bytes: u64) -> Result<SharedBytes, FileError>;

    /// The digest of a document, which need not be held for it.
    fn digest(&self, role: InputRole, path: &str, cap_bytes: u64) -> Result<Digest, FileError> {
        self.read(role, path, cap_bytes).map(|bytes| bytes.digest())
    }

    /// Whether that document exists.
    fn has(&self, role: InputRole, path: &str) -> bool;

    /// Reads the document `relative` below the folder of another one, which must not lead out of it: no link is
    /// followed on the way.
    fn read_beneath(
        &self,
        role: InputRole,
        folder: &str,
        relative: &str,
        cap_bytes: u64,
    ) -> Result<SharedBytes, FileError> {
        let path = if folder.is_empty() { relative.to_owned() } else { format!("{folder}/{relative}") };
        self.read(role, &path, cap_bytes)
    }

    /// Reads what a declaration names by `named`, `folder` being its own folder: the file's bytes (`SubjectFile`), or the digest
    /// of a file or folder (`SubjectDigest`). Links are followed within the folder that the path begins at, and what they lead
    /// to counts.
    fn read_named(
        &self,
        role: InputRole,
        folder: &str,
        named: &NamedPath,
        cap_bytes: u64,
    ) -> Result<SharedBytes, FileError> {
        self.read(role, &named.referred(folder), cap_bytes)
    }

    /// Whether of a thing that a declaration names there is only the digest.
    fn has_digest_alone(&self, _path: &str) -> bool {
        false
    }

    /// Where a thing that a declaration names lies on this host, without links; `None` where it does not.
    fn host_path(&self, _folder: &str, _named: &NamedPath) -> Option<PathBuf> {
        None
    }

    /// Path of the questions file that the plan and its registry were made of; `None` for documents that somebody wrote.
    fn questions(&self) -> Option<String> {
        None
    }

    /// The text of the document that messages call `file`, for a look at a place in it; `None` where it cannot be had any more.
    fn text(&self, _file: &str) -> Option<SharedBytes> {
        None
    }

    /// The ids of the worlds that have a document, as far as they can be listed; for hints.
    fn worlds(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A folder that holds plans, registries and policy documents.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
    /// What the workspace's plan and registry are, where nobody wrote them.
    questions: Option<Arc<ExpandedQuestions>>,
    /// Folders that a declaration's paths can begin at.
    named_roots: NamedRoots,
}

impl Workspace {
    /// The workspace whose root is `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), questions: None, named_roots: NamedRoots::new() }
    }

    /// The same, with folders that a declaration's paths can begin at.
    pub fn with_named_roots(self, named_roots: NamedRoots) -> Self {
        Self { named_roots, ..self }
    }

    /// The folder that a declared path begins at; `folder` is the declaration's own.
    fn start_of(&self, folder: &str, named: &NamedPath) -> io::Result<PathBuf> {
        let Some(name) = &named.root else { return Ok(self.root.join(folder)) };
        self.named_roots.get(name).cloned().ok_or_else(|| {
            let text = format!("no folder is called `{name}` here; `--root {name}=DIR` says where it is");
            io::Error::new(io::ErrorKind::NotFound, text)
        })
    }

    /// The workspace of a plan, and the plan's path within it.
    ///
    /// The root is the plan's own folder if it holds `registry/index.json`; else the nearest folder above the plan that
    /// holds `registries/index.json` or `book/api/runtime/plans/registry/index.json`; failing that, the plan's own folder
    /// if it holds `registry/probes.json`. The root of a questions file is its own folder; `home` is what `~` means in it.
    pub fn of_plan(plan: &Path, home: Option<&Path>) -> Result<(Self, String), LoadError> {
        let plan = &file_of_plan(plan)?;
        let read_error = |source: io::Error| LoadError::Read {
            what: "plan",
            file: plan.display().to_string(),
            source: FileError { action: "find", path: plan.to_owned(), source },
        };
        let name = plan.file_name().ok_or_else(|| read_error(io::Error::from(io::ErrorKind::InvalidInput)))?;
        let parent = folder_of(plan);
        // Links and `..` are resolved here, so that "above" means what the file system means.
        let folder = parent.canonicalize().map_err(read_error)?;
        folder.join(name).metadata().map_err(read_error)?;
        if let Some(workspace) = Self::of_questions(plan, &folder, name, home)? {
            return Ok((workspace, PLAN_FILE.to_owned()));
        }
        let own = |is_there: bool| is_there.then_some(folder.as_path());
        let root = own(holds(&folder, OWN_INDEX_PATH))
            .or_else(|| nearest_with(&folder, &[INDEX_PATH, REFERENCE_INDEX_PATH]))
            .or_else(|| own(folder.join(OWN_PROBES_PATH).is_file()))
            .ok_or_else(|| LoadError::NoRoot {
                plan: plan.to_owned(),
                shared: folder.ancestors().find(|above| holds(above, INDEX_PATH)).map(Path::to_owned),
            })?;
        let full = folder.join(name);
        let path = full.strip_prefix(root).unwrap_or(&full).to_string_lossy().into_owned();
        Ok((Self::at(root), path))
    }

    /// The workspace of the questions file `named`, which is `folder/name`; `None` if it is none.
    fn of_questions(named: &Path, folder: &Path, name: &OsStr, home: Option<&Path>) -> Result<Option<Self>, LoadError> {
        if is_named_json(named) {
            return Ok(None);
        }
        let bytes = fsx::read_input(named, MAX_POLICY_BYTES).map_err(|source| LoadError::Read {
            what: "plan",
            file: path_text(named),
            source,
        })?;
        if !questions::is_questions(&bytes) {
            return Ok(None);
        }
        let asker = Asker { home: home.map(Path::to_owned), folder: folder.to_owned() };
        let expanded = ExpandedQuestions::read(&name.to_string_lossy(), bytes.into(), &asker)?;
        Ok(Some(Self { questions: Some(Arc::new(expanded)), ..Self::at(folder) }))
    }

    /// The documents that stand nowhere, because a questions file stands for them.
    pub fn expanded(&self) -> Option<&ExpandedQuestions> {
        self.questions.as_deref()
    }

    /// Notes on documents that a questions file stands for, as notes on its lines.
    pub(super) fn retold(&self, notes: Vec<Diagnostic>) -> Vec<Diagnostic> {
        match &self.questions {
            Some(questions) => questions.retold(notes),
            None => notes,
        }
    }

    /// The workspace that `folder` lies in: the nearest folder at or above it that holds an index.
    pub fn around(folder: &Path) -> Option<Self> {
        let folder = folder.canonicalize().ok()?;
        let root = nearest_with(&folder, &INDEX_PATHS)?;
        Some(Self::at(root))
    }

    /// The checkout of the reference runtime that `folder` lies in.
    pub fn reference_checkout(folder: &Path) -> Option<PathBuf> {
        let folder = folder.canonicalize().ok()?;
        nearest_with(&folder, &[REFERENCE_INDEX_PATH]).map(Path::to_owned)
    }

    /// What pointers into bundles are relative to, for plans of the workspace at `root`: the top of the checkout that it
    /// is a part of, else `root` itself. A mapping repository resolves every pointer from its own top, wherever in it the
    /// plan lies.
    pub fn pointer_root(root: &Path) -> PathBuf {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        checkout_top(&root).map_or_else(|| root.clone(), Path::to_owned)
    }

    /// A path as pointers spell it: relative to `root` where it lies under it, else absolute. By whatever names both are
    /// given; a link below the root is a part of the path.
    pub fn pointer(root: &Path, path: &Path) -> String {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let path =
            if absolute.components().any(|part| part == Component::ParentDir) { real(&absolute) } else { absolute };
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        let under = path.ancestors().find(|above| above.canonicalize().is_ok_and(|above| above == root));
        let spelled = under.and_then(|above| path.strip_prefix(above).ok()).unwrap_or(&path);
        spelled.to_string_lossy().into_owned()
    }

    /// [`Self::pointer_root`] for a packet or a bundle in `folder`, of which no plan is known. `None`: there is neither a checkout nor
    /// a workspace around it.
    pub fn pointer_root_around(folder: &Path) -> Option<PathBuf> {
        let folder = folder.canonicalize().ok()?;
        checkout_top(&folder).map(Path::to_owned).or_else(|| Self::around(&folder).map(|workspace| workspace.root))
    }

    /// The pointer to a folder that exists, from what is around it; absolute where nothing is.
    pub fn pointer_to(folder: &Path) -> String {
        match Self::pointer_root_around(folder) {
            Some(root) => Self::pointer(&root, folder),
            None => {
                real(&std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())).to_string_lossy().into_owned()
            }
        }
    }

    /// Path of the workspace's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// The file of a plan that was named by it or by its folder.
fn file_of_plan(named: &Path) -> Result<PathBuf, LoadError> {
    let missing = |problem, remedy| LoadError::NoPlan { plan: path_text(named), problem, remedy };
    match named.metadata() {
        Ok(found) if found.is_dir() => {
            let file = named.join(PLAN_FILE);
            let files = [&file, &named.join(QUESTIONS_FILE)];
            if let Some(file) = files.into_iter().find(|file| file.exists()) {
                return Ok(file.clone());
            }
            let remedy = meant(&file).unwrap_or_else(|| "`sandproof list-plans` lists those of a workspace".into());
            Err(missing("it is a folder without a `plan.json` or `sandbox.questions`", remedy))
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            let remedy = meant(named).unwrap_or_else(|| "`sandproof list-plans` lists those of a workspace".into());
            Err(missing("there is no such file", remedy))
        }
        _ => Ok(named.to_owned()),
    }
}

/// What a path that leads nowhere was probably meant to be: a plan whose path differs in a slip, or the one of that name
/// among the workspace's plans.
fn meant(missing: &Path) -> Option<String> {
    let is_plan = |path: &Path| path.is_file() || path.join(PLAN_FILE).is_file();
    let by_name = missing.file_name().map(|name| Path::new("plans").join(name)).filter(|path| is_plan(path));
    let mut found: Vec<String> = by_name.iter().map(|path| path_text(path)).collect();
    // Below the deepest folder that there is, the next part is the one that is wrong.
    let there = missing.ancestors().skip(1).find(|above| above.as_os_str().is_empty() || above.is_dir())?;
    let mut parts = missing.strip_prefix(there).ok()?.components();
    let wrong = parts.next()?.as_os_str().to_str()?;
    let rest = parts.as_path();
    let folder = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    let entries = std::fs::read_dir(folder).ok()?.take(MOST_NEIGHBOURS).flatten();
    let names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    for close in close_to(wrong, names.iter().map(String::as_str)) {
        let path = if rest.as_os_str().is_empty() { there.join(close) } else { there.join(close).join(rest) };
        if is_plan(&path) {
            found.push(path_text(&path));
        }
    }
    found.dedup();
    let carried = missing.to_str().filter(|id| found.is_empty() && template::by_id(id).is_ok());
    if let Some(id) = carried {
        return Some(format!("`sandproof run --template {id}` runs the one of that name that this program carries"));
    }
    let found: Vec<String> = found.iter().map(|path| format!("`{path}`")).collect();
    (!found.is_empty()).then(|| format!("did you mean {}?", found.join(" or ")))
}

impl DocumentSource for Workspace {
    fn read(&self, role: InputRole, path: &str, cap_bytes: u64) -> Result<SharedBytes, FileError> {
        if let Some(questions) = &self.questions {
            if role == InputRole::Questions {
                return Ok(questions.bytes().clone());
            }
            if let Some(bytes) = questions.document(path) {
                return Ok(bytes.clone());
            }
        }
        if role == InputRole::SubjectDigest {
            let named = NamedPath { root: None, relative: path.to_owned() };
            return self.read_named(role, "", &named, cap_bytes);
        }
        let file = self.root.join(path);
        // A workspace that describes a world itself is believed before this program.
        if role == InputRole::World
            && let Some(text) = carried_worlds::carried(path)
            && !file.exists()
        {
            return Ok(text.as_bytes().to_vec().into());
        }
        fsx::read_input(&file, cap_bytes).map(SharedBytes::from)
    }

    fn digest(&self, role: InputRole, path: &str, cap_bytes: u64) -> Result<Digest, FileError> {
        // Registries are the large ones, and files and nothing else.
        if self.questions.is_none() && matches!(role, InputRole::Probes | InputRole::Profiles) {
            return fsx::digest_input(&self.root.join(path), cap_bytes);
        }
        self.read(role, path, cap_bytes).map(|bytes| bytes.digest())
    }

    fn read_beneath(
        &self,
        _role: InputRole,
        folder: &str,
        relative: &str,
        cap_bytes: u64,
    ) -> Result<SharedBytes, FileError> {
        fsx::read_beneath(&self.root.join(folder), relative, cap_bytes).map(SharedBytes::from)
    }

    fn read_named(
        &self,
        role: InputRole,
        folder: &str,
        named: &NamedPath,
        cap_bytes: u64,
    ) -> Result<SharedBytes, FileError> {
        let failed = |source| FileError { action: "read", path: PathBuf::from(named.referred(folder)), source };
        let start = self.start_of(folder, named).map_err(failed)?;
        let (root, below) = fsx::resolve_within(&start, &named.relative).map_err(failed)?;
        if role == InputRole::SubjectDigest {
            let found = digest_of_named(&root, &below).map_err(failed)?;
            return Ok(json_out::to_pretty(&found).into());
        }
        fsx::open_resolved(&root, &below)
            .and_then(|file| fsx::read_open(file, cap_bytes))
            .map(SharedBytes::from)
            .map_err(failed)
    }

    fn host_path(&self, folder: &str, named: &NamedPath) -> Option<PathBuf> {
        let (root, below) = fsx::resolve_within(&self.start_of(folder, named).ok()?, &named.relative).ok()?;
        Some(if below.is_empty() { root } else { root.join(below) })
    }

    fn has(&self, role: InputRole, path: &str) -> bool {
        if let Some(questions) = &self.questions
            && (role == InputRole::Index || questions.document(path).is_some())
        {
            return questions.document(path).is_some();
        }
        if role == InputRole::Index {
            return holds(&self.root, path);
        }
        self.root.join(path).is_file() || (role == InputRole::World && carried_worlds::carried(path).is_some())
    }

    fn questions(&self) -> Option<String> {
        self.questions.as_ref().map(|questions| questions.name().to_owned())
    }

    fn text(&self, file: &str) -> Option<SharedBytes> {
        match &self.questions {
            Some(questions) if questions.name() == file => Some(questions.bytes().clone()),
            // Nobody wrote those: what is wrong with them is told of the lines that they are made of.
            Some(questions) if questions.document(file).is_some() => None,
            // As a world, because this program carries some.
            _ => self.read(InputRole::World, file, MAX_INPUT_DOCUMENT_BYTES).ok(),
        }
    }

    fn worlds(&self) -> Vec<String> {
        let own = std::fs::read_dir(self.root.join(layout::WORLDS_FOLDER)).into_iter().flatten().flatten();
        let named = own.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".json")?.to_owned()));
        let all: BTreeSet<String> = carried_worlds::carried_ids().map(str::to_owned).chain(named).collect();
        all.into_iter().collect()
    }
}

/// The digest of the file or folder at `below` in `root`, neither of which is a link. Files of any size are read in blocks.
fn digest_of_named(root: &Path, below: &str) -> io::Result<NamedDigest> {
    let path = if below.is_empty() { root.to_owned() } else { root.join(below) };
    if path.is_dir() {
        let found = folder_digest(&path).map_err(|error| io::Error::other(error_chain(&error)))?;
        return Ok(NamedDigest::new(NamedThing::Folder, found.bytes, found.digest));
    }
    let (sha256, size) = Digest::of_reader(fsx::open_resolved(root, below)?)?;
    Ok(NamedDigest::new(NamedThing::File, size, sha256))
}

/// Whether a file is called a JSON document, so that it is taken for nothing else.
fn is_named_json(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"))
}

/// Whether `folder` has an index at `path`, of whatever kind: what is no regular file is refused where it is read. Were it
/// passed over, a run would silently take its registries from a folder further up, or from beside the plan.
pub(super) fn holds(folder: &Path, path: &str) -> bool {
    folder.join(path).symlink_metadata().is_ok()
}

/// The nearest folder, `folder` or above it, that has an index at one of `paths`. What lies above in a folder that is shared
/// with everybody is none: anybody could put registries there, and other people's plans would take their probes from them.
fn nearest_with<'f>(folder: &'f Path, paths: &[&str]) -> Option<&'f Path> {
    let own = |above: &Path| above == folder || !checkout::is_shared(above);
    folder.ancestors().find(|above| paths.iter().any(|path| holds(above, path)) && own(above))
}

/// A path without links and `..`, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let exists = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    match exists {
        Some((above, real)) => real.join(path.strip_prefix(above).expect("an ancestor is a prefix")),
        None => path.to_owned(),
    }
}

/// The top of the checkout that the real folder `folder` lies in: the nearest folder that has `.git` (in a worktree or a
/// submodule, that is a file); failing that, as in a copy without its history, the topmost that has `AGENTS.md`; failing
/// that, the nearest that has the reference's index. What lies in a folder shared with everybody marks none.
fn checkout_top(folder: &Path) -> Option<&Path> {
    let has = |name: &'static str| move |above: &&Path| checkout::is_marked(above, name);
    let above = || folder.ancestors();
    above()
        .find(has(".git"))
        .or_else(|| above().filter(has("AGENTS.md")).last())
        .or_else(|| above().find(has(REFERENCE_INDEX_PATH)))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn registries_that_anybody_could_put_above_a_plan_are_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let shared = folder.path().canonicalize().unwrap();
        fs::create_dir_all(shared.join("registries")).unwrap();
        fs::write(shared.join(INDEX_PATH), "{}").unwrap();
        let own = shared.join("own");
        fs::create_dir(&own).unwrap();
        assert_eq!(nearest_with(&own, &INDEX_PATHS), Some(&*shared));
        fs::set_permissions(&shared, Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(nearest_with(&own, &INDEX_PATHS), None);
        // Who names the folder itself means it.
        assert_eq!(nearest_with(&shared, &INDEX_PATHS), Some(&*shared));
    }
}
