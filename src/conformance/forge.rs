//! Making a forged bundle: a copy of the base, its edits, and what is made to fit again.

use std::fs;
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value, json};

use super::edit::changed;
use super::vectors::{Edit, Forgery, ResealStep};
use crate::base::canon;
use crate::base::digest::Digest;
use crate::base::fsx;
use crate::base::limits::MAX_BUNDLE_FILE_BYTES;
use crate::record::layout;

/// The documents beside the index's entries that an identity is stamped on.
const STAMPED: [&str; 4] = [layout::RUN_MANIFEST, layout::RUN_STATUS, layout::SUMMARY, layout::ARTIFACT_INDEX];
/// The four parts of a declaration.
const PARTS: [&str; 4] = ["artifact", "runtime", "policy", "history"];

/// Makes the bundle of a vector in the new folder `place`.
///
/// # Errors
/// In words, what cannot be done.
pub(super) fn forge(base: &Path, place: &Path, vector: &Forgery) -> Result<(), String> {
    copy(base, place)?;
    let bundle = Forged(place);
    for edit in vector.edits.iter().filter(|edit| !edit.after) {
        bundle.apply(edit)?;
    }
    for step in &vector.reseal {
        match step {
            ResealStep::Sources => bundle.reseal_sources()?,
            ResealStep::Declaration => bundle.reseal_declaration()?,
            ResealStep::Index => bundle.reseal_index()?,
        }
    }
    vector.edits.iter().filter(|edit| edit.after).try_for_each(|edit| bundle.apply(edit))
}

/// Copies a folder of plain files and folders.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fsx::create_dir_all(to).map_err(|error| error.to_string())?;
    for entry in fs::read_dir(from).map_err(|error| format!("`{}`: {error}", from.display()))? {
        let entry = entry.map_err(|error| format!("`{}`: {error}", from.display()))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(|error| format!("`{}`: {error}", source.display()))?;
        if kind.is_dir() {
            copy(&source, &target)?;
        } else if kind.is_file() {
            fs::copy(&source, &target).map_err(|error| format!("`{}`: {error}", source.display()))?;
        } else {
            return Err(format!("`{}` is neither a plain file nor a folder", source.display()));
        }
    }
    Ok(())
}

/// A bundle in the making.
struct Forged<'p>(&'p Path);

impl Forged<'_> {
    /// Where a file of the bundle lies. Vectors may be anybody's, so nothing outside of the bundle is ever touched.
    fn at(&self, file: &str) -> Result<PathBuf, String> {
        let relative = Path::new(file);
        let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
        if file.is_empty() || !relative.components().all(plain) {
            return Err(format!("`{file}` is no path inside the bundle"));
        }
        let mut path = self.0.to_owned();
        let mut parts = relative.components().peekable();
        while let Some(part) = parts.next() {
            path.push(part);
            let link = path.symlink_metadata().is_ok_and(|found| found.is_symlink());
            if link && parts.peek().is_some() {
                return Err(format!("`{file}` leads through a link"));
            }
        }
        Ok(path)
    }

    fn read(&self, file: &str) -> Result<String, String> {
        let path = self.at(file)?;
        // A link is not followed: what it leads to is not the bundle's.
        let text = fsx::open_regular(&path).and_then(std::io::read_to_string);
        text.map_err(|error| format!("`{file}`: {error}"))
    }

    fn write(&self, file: &str, text: &str) -> Result<(), String> {
        let path = self.at(file)?;
        let said = |error: std::io::Error| format!("`{file}`: {error}");
        if path.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
            return Err(format!("`{file}` is a link"));
        }
        fsx::create_dir_all(fsx::folder_of(&path)).map_err(|error| error.to_string())?;
        fsx::write_scratch(&path, text.as_bytes()).map_err(said)
    }

    fn apply(&self, edit: &Edit) -> Result<(), String> {
        let file = edit.file.as_str();
        let said = |error: std::io::Error| format!("`{file}`: {error}");
        if edit.folder {
            return fsx::create_dir_all(&self.at(file)?).map_err(|error| error.to_string());
        }
        if edit.remove || edit.link.is_some() {
            let path = self.at(file)?;
            if edit.remove || path.symlink_metadata().is_ok() {
                fs::remove_file(&path).map_err(said)?;
            }
            return edit.link.as_ref().map_or(Ok(()), |to| std::os::unix::fs::symlink(to, &path).map_err(said));
        }
        if let Some(text) = &edit.text {
            return self.write(file, text);
        }
        let old = self.read(file)?;
        let new = match (&edit.append, edit.line, edit.pointer.as_deref()) {
            (Some(more), ..) => old + more,
            (None, Some(line), pointer) => with_line(&old, line, |text| match pointer {
                Some(pointer) => changed(text, pointer, edit.value.as_ref()).map(Some),
                None => Ok(None),
            })
            .map_err(|reason| format!("`{file}`, line {line}: {reason}"))?,
            (None, None, Some(pointer)) => {
                changed(&old, pointer, edit.value.as_ref()).map_err(|reason| format!("`{file}`: {reason}"))?
            }
            (None, None, None) => return Err(format!("an edit of `{file}` says nothing")),
        };
        self.write(file, &new)
    }

    fn document(&self, file: &str) -> Result<Value, String> {
        serde_json::from_str(&self.read(file)?).map_err(|error| format!("`{file}`: {error}"))
    }

    /// Sets members of a document.
    fn set(&self, file: &str, members: impl IntoIterator<Item = (String, Value)>) -> Result<(), String> {
        let mut text = self.read(file)?;
        for (pointer, value) in members {
            text = changed(&text, &pointer, Some(&value)).map_err(|reason| format!("`{file}`: {reason}"))?;
        }
        self.write(file, &text)
    }

    /// Sizes and digests of the documents that the list of inputs has.
    fn reseal_sources(&self) -> Result<(), String> {
        let list = self.document(layout::INPUT_SOURCES)?;
        let mut members = Vec::new();
        for (n, entry) in list["documents"].as_array().into_iter().flatten().enumerate() {
            let bytes = self.read(entry["file"].as_str().unwrap_or_default())?.into_bytes();
            members.push((format!("/documents/{n}/size"), json!(bytes.len())));
            members.push((format!("/documents/{n}/sha256"), json!(Digest::of(&bytes))));
        }
        self.set(layout::INPUT_SOURCES, members)
    }

    /// Digests of the parts, the identity, and the stamps of it.
    fn reseal_declaration(&self) -> Result<(), String> {
        let declaration = self.document(layout::RUN_IDENTITY)?;
        let mut digests = Map::new();
        for part in PARTS {
            let digest = canon::digest(&declaration[part]).map_err(|error| format!("`{part}`: {error}"))?;
            digests.insert(part.to_owned(), json!(digest));
        }
        let (kind, version) = (&declaration["kind"], &declaration["schema_version"]);
        let seal = json!({"digests": digests, "kind": kind, "schema_version": version});
        let identity = json!(canon::digest(&seal).map_err(|error| error.to_string())?);
        let sealed = [("/digests".to_owned(), Value::Object(digests)), ("/identity".to_owned(), identity.clone())];
        self.set(layout::RUN_IDENTITY, sealed)?;
        for file in STAMPED {
            let document = self.document(file)?;
            let entries = document["artifacts"].as_array().map_or(0, Vec::len);
            let pointers = (0..entries).map(|n| format!("/artifacts/{n}/identity")).chain(["/identity".to_owned()]);
            self.set(file, pointers.map(|pointer| (pointer, identity.clone())))?;
        }
        Ok(())
    }

    /// Sizes and digests of the files that the index lists and that are there.
    fn reseal_index(&self) -> Result<(), String> {
        let index = self.document(layout::ARTIFACT_INDEX)?;
        let root = format!("{}/", index["bundle_root"].as_str().unwrap_or_default());
        let mut members = Vec::new();
        for (n, entry) in index["artifacts"].as_array().into_iter().flatten().enumerate() {
            let listed = entry["path"].as_str().unwrap_or_default();
            let Ok(path) = self.at(listed.strip_prefix(&root).unwrap_or(listed)) else { continue };
            let Ok(bytes) = fsx::read_regular(&path, MAX_BUNDLE_FILE_BYTES) else { continue };
            members.push((format!("/artifacts/{n}/file_size"), json!(bytes.len())));
            members.push((format!("/artifacts/{n}/sha256"), json!(Digest::of(&bytes))));
        }
        self.set(layout::ARTIFACT_INDEX, members)
    }
}

/// The text with one line changed, or taken away.
fn with_line(
    text: &str,
    number: usize,
    change: impl FnOnce(&str) -> Result<Option<String>, String>,
) -> Result<String, String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let line = lines.get(number).ok_or("there is no such line")?;
    match change(line)? {
        Some(new) => lines[number] = new,
        None => drop(lines.remove(number)),
    }
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(value: Value) -> Edit {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_edit_touches_nothing_outside_of_its_bundle() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("bundle");
        fs::create_dir_all(place.join("in")).unwrap();
        fs::write(folder.path().join("secret"), "kept").unwrap();
        let bundle = Forged(&place);
        bundle.apply(&edit(json!({"file": "link", "link": "../secret"}))).unwrap();
        bundle.apply(&edit(json!({"file": "out", "link": ".."}))).unwrap();
        for refused in [
            json!({"file": "../secret", "text": "x"}),
            json!({"file": "/etc/hosts", "append": "x"}),
            json!({"file": "in/../../secret", "remove": true}),
            json!({"file": "link", "text": "x"}),
            json!({"file": "link", "append": "x"}),
            json!({"file": "out/secret", "remove": true}),
            json!({"file": "out/new", "folder": true}),
            json!({"file": "", "text": "x"}),
            json!({"file": "in/a"}),
        ] {
            assert!(bundle.apply(&edit(refused.clone())).is_err(), "{refused}");
        }
        assert_eq!(fs::read_to_string(folder.path().join("secret")).unwrap(), "kept");
    }

    #[test]
    fn lines_are_changed_and_taken_away() {
        let one = |line: &str| Ok(Some(format!("<{line}>")));
        assert_eq!(with_line("a\nb\n", 1, one).unwrap(), "a\n<b>\n");
        assert_eq!(with_line("a\nb\n", 0, |_| Ok(None)).unwrap(), "b\n");
        assert!(with_line("a\n", 1, one).is_err());
    }
}
