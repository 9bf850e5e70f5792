//! Items of other systems' declarations, gathered into changes. What sealing a command adds says many things once more: a file that
//! the document names is an input with the same digest, a variable of the document one that the command had. That is one change.

use serde_json::Value;

use super::names::parts_of;
use crate::base::canon::pointer_part;
use crate::identity::external::ADDED_BY_SEALING;
use crate::record::identity::Declaration;
use crate::record::run_diff::{DifferingItem, ShownValue};

/// Two declarations of another system, and what differs materially.
pub(super) struct SystemSides<'a> {
    pub(super) a: &'a Declaration,
    pub(super) b: &'a Declaration,
    pub(super) items: &'a [&'a DifferingItem],
}

/// The change that an item belongs to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NamedChange {
    pub(super) id: String,
    pub(super) what: String,
}

impl SystemSides<'_> {
    /// The changes that an item belongs to: mostly one, which may be that of another item.
    pub(super) fn of(&self, item: &DifferingItem) -> Vec<NamedChange> {
        let leaders = self.leaders(item);
        if !leaders.is_empty() {
            return leaders.into_iter().map(own).collect();
        }
        let parts = parts_of(&item.pointer);
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let named = |id: String, what: &str| vec![NamedChange { id, what: what.to_owned() }];
        match parts.as_slice() {
            ["artifact", ADDED_BY_SEALING, "command", "argv", ..] => named("command".to_owned(), "the command line"),
            ["runtime", ADDED_BY_SEALING, "environment", name, ..] => {
                named(format!("environment:{name}"), &format!("the environment variable `{name}`"))
            }
            ["runtime", ADDED_BY_SEALING, "kernel" | "processor" | "seen", ..] => {
                named("machine".to_owned(), "the kernel or the processor")
            }
            ["runtime", ADDED_BY_SEALING, "layers" | "partial", ..] => {
                named("confinement".to_owned(), "what confines the command")
            }
            _ => vec![own(item)],
        }
    }

    /// The items that an item of a sealed command follows from. Empty: it stands for itself.
    fn leaders(&self, item: &DifferingItem) -> Vec<&DifferingItem> {
        let parts = parts_of(&item.pointer);
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match parts.as_slice() {
            ["artifact", ADDED_BY_SEALING, "command", "executable", ..] => self.files_alike(item),
            ["artifact", ADDED_BY_SEALING, "command", "argv", ..] => {
                let below = |one: &&DifferingItem| one.pointer.starts_with("/artifact/command/");
                self.stated().filter(below).filter(|one| sides(one) == sides(item)).collect()
            }
            ["artifact", ADDED_BY_SEALING, "inputs", name, rest @ ..] => {
                let found = self.of_document(item, "/artifact/other/read/", name);
                if !found.is_empty() || rest.first() != Some(&"folder") {
                    return found;
                }
                self.of_files_within(item, name)
            }
            ["runtime", ADDED_BY_SEALING, "files", name, ..] => self.of_document(item, "/runtime/other/read/", name),
            ["runtime", ADDED_BY_SEALING, "environment", name, ..] => {
                let at = format!("/runtime/environment/{}", pointer_part(name));
                let is = |one: &&DifferingItem| one.pointer.strip_prefix(&*at).is_some_and(is_end);
                self.stated().filter(is).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What the document says otherwise of the same bytes: the file's own item, the members of the JSON file, or the list that names it.
    fn of_document(&self, item: &DifferingItem, list: &str, name: &str) -> Vec<&DifferingItem> {
        let alike: Vec<_> = self.stated().filter(|one| contents(one) == contents(item) && is_content(item)).collect();
        if !alike.is_empty() {
            return alike;
        }
        let listed = |one: &&DifferingItem| {
            let named = |shown: &Option<ShownValue>| matches!(shown, Some(ShownValue::Value(Value::String(text))) if text == name);
            one.pointer.starts_with(list) && (named(&one.a) && item.b.is_none() || named(&one.b) && item.a.is_none())
        };
        let listed: Vec<_> = self.stated().filter(listed).collect();
        if !listed.is_empty() {
            return listed;
        }
        let (Some(a), Some(b)) = contents(item) else { return Vec::new() };
        let of_json = |one: &&DifferingItem| {
            let Some((file, _)) = one.pointer.split_once("/json/members") else { return false };
            let digest = |side: &Declaration| {
                value_at(side, &format!("{file}/json/digest")).and_then(Value::as_str).map(str::to_owned)
            };
            digest(self.a).as_deref() == Some(&*a) && digest(self.b).as_deref() == Some(&*b)
        };
        self.stated().filter(of_json).collect()
    }

    /// Of a folder: the changes of its files, if the document names each that differs.
    fn of_files_within(&self, item: &DifferingItem, name: &str) -> Vec<&DifferingItem> {
        let mut found: Vec<&DifferingItem> = Vec::new();
        if item.within.within_unlisted > 0 {
            return found;
        }
        for file in item.within.within.iter().map(|one| one.file.as_deref().unwrap_or_default()) {
            // The document names the file itself, or a folder that it is in.
            let whole = format!("{name}/{file}");
            let above = whole.match_indices('/').map(|(at, _)| &whole[..at]).filter(|one| one.len() > name.len());
            let named = above.map(|one| (one, "folder")).chain([(&*whole, "digest")]).filter_map(|(one, member)| {
                let at = format!("/artifact/{ADDED_BY_SEALING}/inputs/{}/{member}", pointer_part(one));
                self.items.iter().find(|item| item.pointer == at)
            });
            let leaders: Vec<_> = named.flat_map(|one| self.leaders(one)).collect();
            if leaders.is_empty() {
                return Vec::new();
            }
            for leader in leaders {
                if !found.iter().any(|known| std::ptr::eq(*known, leader)) {
                    found.push(leader);
                }
            }
        }
        found
    }

    /// The declared file that the command's file is.
    fn files_alike(&self, item: &DifferingItem) -> Vec<&DifferingItem> {
        let others = self.items.iter().copied().filter(|one| one.pointer != item.pointer);
        let same = others.filter(|one| is_content(item) && contents(one) == contents(item)).take(1);
        same.flat_map(|one| {
            let leaders = self.leaders(one);
            if leaders.is_empty() { vec![one] } else { leaders }
        })
        .collect()
    }

    /// The items that the documents state, and not what was found when a command was started.
    fn stated(&self) -> impl Iterator<Item = &DifferingItem> {
        let found = ["artifact", "runtime"].map(|part| format!("/{part}/{ADDED_BY_SEALING}/"));
        self.items.iter().copied().filter(move |one| !found.iter().any(|head| one.pointer.starts_with(&**head)))
    }
}

fn own(item: &DifferingItem) -> NamedChange {
    NamedChange { id: item.pointer.clone(), what: item.name.clone() }
}

fn is_end(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

fn value_at<'v>(declaration: &'v Declaration, pointer: &str) -> Option<&'v Value> {
    let (part, rest) = pointer.strip_prefix('/')?.split_once('/')?;
    let (name, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let part = crate::record::identity::DeclarationPart::ALL.into_iter().find(|one| one.as_str() == part)?;
    let name = parts_of(&format!("/{name}")).into_iter().next()?;
    let value = declaration.part(part).get(&name)?;
    if rest.is_empty() { Some(value) } else { value.pointer(&format!("/{rest}")) }
}

fn sides(item: &DifferingItem) -> (&Option<ShownValue>, &Option<ShownValue>) {
    (&item.a, &item.b)
}

/// The digests that an item gives, of a file or of a folder.
fn contents(item: &DifferingItem) -> (Option<String>, Option<String>) {
    let content = |shown: &Option<ShownValue>| {
        let Some(ShownValue::Value(value)) = shown else { return None };
        let text =
            value.as_str().or_else(|| value.get("digest")?.as_str()).or_else(|| value.get("folder")?.as_str())?;
        text.starts_with("sha256:").then(|| text.to_owned())
    };
    (content(&item.a), content(&item.b))
}

fn is_content(item: &DifferingItem) -> bool {
    contents(item) != (None, None)
}
