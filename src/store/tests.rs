//! Uploads that die, and stores that hold something else.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::download::download_by;
use super::folder::FolderStore;
use super::objects::{PutAnswer, SourceFile, Store};
use super::*;
use crate::base::ids::RunId;
use crate::bundle::tests::fixture::{RUN, build};
use crate::bundle::{self, Bundle, Verified};
use crate::record::layout;

/// A folder that fails after so many objects, and keeps the order in which they came.
struct FailingStore {
    folder: FolderStore,
    left: AtomicUsize,
    order: std::sync::Mutex<Vec<String>>,
}

impl FailingStore {
    fn new(root: &Path, objects: usize) -> Self {
        Self { folder: FolderStore::new(root.to_owned()), left: objects.into(), order: std::sync::Mutex::default() }
    }
}

impl Store for FailingStore {
    fn list(&self, below: &str) -> Result<BTreeMap<String, u64>, StoreError> {
        self.folder.list(below)
    }

    fn put_new(&self, name: &str, content: &SourceFile) -> Result<PutAnswer, StoreError> {
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err() {
            return Err(StoreError::Request { action: "put", object: name.to_owned(), source: "it is gone".into() });
        }
        let answer = self.folder.put_new(name, content)?;
        self.order.lock().unwrap().push(name.to_owned());
        Ok(answer)
    }

    fn read(&self, name: &str, sink: &mut dyn Write) -> Result<bool, StoreError> {
        self.folder.read(name, sink)
    }

    fn sweep(&self, below: &str) -> Result<(), StoreError> {
        self.folder.sweep(below)
    }

    fn shown(&self, name: &str) -> String {
        self.folder.shown(name)
    }
}

fn a_bundle(out: &Path) -> Verified<Bundle> {
    bundle::tests::fixture::verify(&build(out, RUN).folder).unwrap()
}

fn run_id() -> RunId {
    RunId::new(RUN).unwrap()
}

#[test]
fn the_index_comes_last_wherever_an_upload_dies_and_the_next_one_completes_it() {
    let out = tempfile::tempdir().unwrap();
    let bundle = a_bundle(out.path());
    let files = bundle.file_count();
    for dies_after in 0..=files {
        let root = tempfile::tempdir().unwrap();
        let store = FailingStore::new(root.path(), dies_after);
        let outcome = upload(&bundle, &store);
        let fetched = tempfile::tempdir().unwrap();
        let read = download(&store, &run_id(), fetched.path());
        let last = store.order.lock().unwrap().last().cloned();
        if dies_after == files {
            assert_eq!(outcome.unwrap().files(), files as u64);
            assert_eq!(last, Some(format!("{RUN}/{}", layout::ARTIFACT_INDEX)));
            continue;
        }
        assert!(matches!(outcome, Err(StoreError::Request { .. })), "{dies_after}");
        assert!(!root.path().join(RUN).join(layout::ARTIFACT_INDEX).exists(), "{dies_after}");
        assert!(matches!(read, Err(StoreError::Unfit { .. })), "{dies_after}: {read:?}");
        assert_eq!(std::fs::read_dir(fetched.path()).unwrap().count(), 0);
        let counts = upload(&bundle, &FolderStore::new(root.path().to_owned())).unwrap();
        assert_eq!((counts.already_there, counts.files()), (dies_after as u64, files as u64));
    }
}

#[test]
fn what_is_there_is_never_overwritten_and_is_named_where_it_is_not_the_bundles() {
    let out = tempfile::tempdir().unwrap();
    let bundle = a_bundle(out.path());
    let names = |error: StoreError| match error {
        StoreError::Unfit { problems, .. } => problems.into_iter().map(|one| one.path).collect::<Vec<_>>(),
        other => panic!("{other}"),
    };
    type Edit = fn(&Path);
    let edits: [(&str, Edit); 4] = [
        (layout::SUMMARY_TEXT, |file| std::fs::write(file, "other").unwrap()),
        (layout::SUMMARY_TEXT, |file| {
            let text = std::fs::read(file).unwrap();
            std::fs::write(file, vec![b'x'; text.len()]).unwrap();
        }),
        ("more.txt", |file| std::fs::write(file, "").unwrap()),
        (layout::SUMMARY_TEXT, |file| std::fs::remove_file(file).unwrap()),
    ];
    for (name, edit) in edits {
        let root = tempfile::tempdir().unwrap();
        let store = FolderStore::new(root.path().to_owned());
        upload(&bundle, &store).unwrap();
        let file = root.path().join(RUN).join(name);
        edit(&file);
        let before = std::fs::read(&file).ok();
        assert_eq!(names(upload(&bundle, &store).unwrap_err()), [name]);
        assert_eq!(std::fs::read(&file).ok(), before, "{name}");
        let fetched = tempfile::tempdir().unwrap();
        assert_eq!(names(download(&store, &run_id(), fetched.path()).unwrap_err()), [name]);
        assert_eq!(std::fs::read_dir(fetched.path()).unwrap().count(), 0);
    }
}

#[test]
fn what_comes_back_is_the_bundle_and_a_file_that_changed_here_does_not_go() {
    let out = tempfile::tempdir().unwrap();
    let bundle = a_bundle(out.path());
    let root = tempfile::tempdir().unwrap();
    let store = FolderStore::new(root.path().join("new/folder"));
    upload(&bundle, &store).unwrap();
    // What an upload left that was killed while it wrote goes before the index comes, and is no object.
    assert_eq!(store.list(RUN).unwrap().len(), bundle.file_count());
    let fetched = tempfile::tempdir().unwrap();
    let verify = |path: &Path| bundle::tests::fixture::verify(path);
    let (back, counts) = download_by(&store, &run_id(), fetched.path(), &verify).unwrap();
    assert_eq!(back.index_sha256(), bundle.index_sha256());
    assert_eq!(counts.files(), bundle.file_count() as u64);
    assert!(matches!(download(&store, &run_id(), fetched.path()), Err(StoreError::Exists { .. })));

    std::fs::write(bundle.folder().join(layout::SUMMARY_TEXT), "changed").unwrap();
    let other = FolderStore::new(root.path().join("other"));
    assert!(matches!(upload(&bundle, &other), Err(StoreError::ChangedHere { .. })));
    assert!(!root.path().join("other").join(RUN).join(layout::SUMMARY_TEXT).exists());
    assert!(!root.path().join("other").join(RUN).join(layout::ARTIFACT_INDEX).exists());
}

#[test]
fn what_a_killed_upload_left_in_a_folder_goes_with_the_next() {
    let out = tempfile::tempdir().unwrap();
    let bundle = a_bundle(out.path());
    let root = tempfile::tempdir().unwrap();
    let store = FolderStore::new(root.path().to_owned());
    let half = root.path().join(RUN).join("rows/.a1b2c3.sandproof-upload");
    std::fs::create_dir_all(half.parent().unwrap()).unwrap();
    std::fs::write(&half, "half").unwrap();
    upload(&bundle, &store).unwrap();
    assert!(!half.exists());
    bundle::tests::fixture::verify(&root.path().join(RUN)).unwrap();
}
