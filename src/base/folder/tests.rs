use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use std::path::{Path, PathBuf};

use super::*;
use crate::base::digest::{Digest, Hasher};
use crate::base::limits::MAX_FOLDER_DEPTH;

fn digest_of(root: &Path) -> Digest {
    folder_digest(root).unwrap().digest
}

#[test]
fn the_digest_is_that_of_rows_as_they_are_described() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::create_dir(root.join("a")).unwrap();
    fs::write(root.join("a/f"), "one").unwrap();
    fs::write(root.join("a-b"), "").unwrap();
    fs::set_permissions(root.join("a-b"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("a/f", root.join("l")).unwrap();
    // By hand: `a` < `a-b` < `a/f` < `l` by their bytes.
    let (one, none) = (Digest::of(b"one").to_string(), Digest::of(b"").to_string());
    let rows = format!(
        "sandproof.folder.v1\n6:folder,1:a,1:-,1:0,0:,4:file,3:a-b,1:x,1:0,64:{none},4:file,3:a/f,1:-,1:3,64:{one},\
         4:link,1:l,1:-,1:3,3:a/f,"
    );
    let found = folder_digest(root).unwrap();
    assert_eq!(found, FolderDigest { digest: Digest::of(rows.as_bytes()), files: 2, folders: 1, links: 1, bytes: 3 });
}

#[test]
fn whatever_can_be_told_apart_has_another_digest() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("in");
    let mut seen = vec![];
    let mut step = |change: &dyn Fn()| {
        change();
        let digest = digest_of(&root);
        assert!(!seen.contains(&digest), "step {}", seen.len());
        seen.push(digest);
    };
    step(&|| fs::create_dir(&root).unwrap());
    step(&|| fs::write(root.join("f"), "x").unwrap());
    step(&|| fs::set_permissions(root.join("f"), fs::Permissions::from_mode(0o755)).unwrap());
    step(&|| fs::create_dir(root.join("empty")).unwrap());
    step(&|| fs::write(root.join(".hidden"), "").unwrap());
    step(&|| fs::create_dir_all(root.join("__pycache__")).unwrap());
    step(&|| fs::write(root.join("__pycache__/m.pyc"), "x").unwrap());
    step(&|| symlink("empty", root.join("current")).unwrap());
    step(&|| {
        fs::remove_file(root.join("current")).unwrap();
        symlink("__pycache__", root.join("current")).unwrap();
    });
    step(&|| fs::rename(root.join("f"), root.join("g")).unwrap());
}

#[test]
fn a_name_cannot_play_two_files() {
    let dir = tempfile::tempdir().unwrap();
    let two = dir.path().join("two");
    fs::create_dir(&two).unwrap();
    fs::write(two.join("a"), "A").unwrap();
    fs::write(two.join("b"), "B").unwrap();
    let text = Digest::of(b"A").to_string();
    for joined in [format!("a\t{text}\nb"), format!("a,1:-,1:1,64:{text},4:file,1:b")] {
        let one = dir.path().join("one");
        fs::create_dir(&one).unwrap();
        fs::write(one.join(joined), "B").unwrap();
        assert_ne!(digest_of(&one), digest_of(&two));
        fs::remove_dir_all(one).unwrap();
    }
}

#[test]
fn what_does_not_count_does_not_change_the_digest() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("f"), "x").unwrap();
    let before = digest_of(dir.path());
    fs::set_permissions(dir.path().join("f"), fs::Permissions::from_mode(0o600)).unwrap();
    let file = fs::File::options().write(true).open(dir.path().join("f")).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(digest_of(dir.path()), before);
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("f"), "x").unwrap();
    assert_eq!(digest_of(other.path()), before, "where the folder lies is not part of it");
}

#[test]
fn links_may_lead_anywhere_within_and_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("in");
    fs::create_dir_all(root.join("p/q/r")).unwrap();
    let verdict = |text: &str| {
        let link = root.join("p/l");
        symlink(text, &link).unwrap();
        let found = folder_digest(&root);
        fs::remove_file(link).unwrap();
        match found {
            Ok(_) => true,
            Err(FolderError::LinkLeaves { path, .. }) => {
                assert!(path.ends_with("in/p/l"), "{path:?}");
                false
            }
            Err(other) => panic!("{other}"),
        }
    };
    assert!(verdict("q") && verdict("../p/q/./r") && verdict("..") && verdict("not/there") && verdict("l"));
    assert!(!verdict("/etc") && !verdict("../..") && !verdict("q/../../../x") && !verdict("/"));
    // Through another link, `..` leads elsewhere than the text says.
    symlink("../../..", root.join("p/q/r/up")).unwrap();
    assert!(verdict("q/r/up/p") && !verdict("q/r/up/../x"));
    let text = FolderError::LinkLeaves { path: "in/l".into(), text: "../x".into() }.to_string();
    assert!(text.contains("`in/l` leads to `../x`"), "{text}");
    symlink("/etc/hostname", root.join("out")).unwrap();
    assert!(folder_digest(&root).is_err());
    let opened = walk::open_root(&root).unwrap();
    let counted = |text: &str| {
        fs::remove_file(root.join("out")).unwrap();
        symlink(text, root.join("out")).unwrap();
        digest_opened(&opened, &root, LeavingLinks::CountedAsText, &mut NoCopy).unwrap().digest
    };
    assert_ne!(counted("/etc/hostname"), counted("/etc/passwd"));
}

#[test]
fn what_holds_no_bytes_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    nix::unistd::mkfifo(&dir.path().join("p"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let refused = folder_digest(dir.path()).unwrap_err().to_string();
    assert!(refused.contains("/p` is a FIFO"), "{refused}");
    fs::remove_file(dir.path().join("p")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(dir.path().join("s")).unwrap();
    let refused = folder_digest(dir.path()).unwrap_err().to_string();
    assert!(refused.contains("/s` is a socket"), "{refused}");
    drop(socket);
    assert!(matches!(folder_digest(&dir.path().join("none")), Err(FolderError::File(_))));
}

#[test]
fn depth_has_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut at = walk::open_root(dir.path()).unwrap();
    for _ in 0..=MAX_FOLDER_DEPTH {
        nix::sys::stat::mkdirat(&at, "d", nix::sys::stat::Mode::S_IRWXU).unwrap();
        let flags = nix::fcntl::OFlag::O_DIRECTORY;
        at = nix::fcntl::openat(&at, "d", flags, nix::sys::stat::Mode::empty()).unwrap();
    }
    assert!(matches!(folder_digest(dir.path()), Err(FolderError::TooDeep { .. })));
}

#[test]
fn the_copy_is_of_the_bytes_that_were_digested() {
    struct Into(PathBuf, Vec<String>);
    impl FolderSink for Into {
        fn folder(&mut self, path: &Path) -> std::io::Result<()> {
            self.1.push(path.display().to_string());
            fs::create_dir(self.0.join(path))
        }

        fn file(&mut self, path: &Path, executable: bool, _opened: &fs::File) -> std::io::Result<Option<fs::File>> {
            self.1.push(path.display().to_string());
            let file = fs::File::create_new(self.0.join(path))?;
            file.set_permissions(fs::Permissions::from_mode(if executable { 0o555 } else { 0o444 }))?;
            Ok(Some(file))
        }

        fn link(&mut self, path: &Path, text: &std::ffi::OsStr) -> std::io::Result<()> {
            self.1.push(path.display().to_string());
            symlink(text, self.0.join(path))
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    fs::create_dir_all(from.join("b/c")).unwrap();
    fs::create_dir(&to).unwrap();
    fs::write(from.join("b/f"), vec![7; 600_000]).unwrap();
    fs::write(from.join("b-"), "x").unwrap();
    fs::set_permissions(from.join("b-"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("b/f", from.join("a")).unwrap();
    let mut sink = Into(to.clone(), vec![]);
    let found = digest_opened(&walk::open_root(&from).unwrap(), &from, LeavingLinks::Refused, &mut sink).unwrap();
    assert_eq!(sink.1, ["a", "b", "b/c", "b/f", "b-"]);
    assert_eq!(folder_digest(&to).unwrap(), found);
    assert_eq!(fs::read(to.join("b/f")).unwrap(), vec![7; 600_000]);
    let mut hasher = Hasher::default();
    hasher.update(&vec![7; 600_000]);
    let file = fs::File::open(from.join("b/f")).unwrap();
    assert_eq!(digest_file(&file, None).unwrap(), (hasher.finish().0, 600_000, false));
    assert!(digest_file(&fs::File::open(&from).unwrap(), None).is_err());
}
