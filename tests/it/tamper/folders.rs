//! Tampering with what lies in the folder.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::{Ask, Case, INDEX, MANIFEST, ROWS, STATUS, Tampered};

const fn case(name: &'static str, tamper: fn(&Tampered), says: &'static str) -> Case {
    Case { name, tamper, ask: Ask::Validate, code: 4, says }
}

const fn root(name: &'static str, tamper: fn(&Tampered), says: &'static str) -> Case {
    Case { name, tamper, ask: Ask::ValidateRoot, code: 4, says }
}

pub const CASES: &[Case] = &[
    case(
        "rows cut off",
        |b| fs::File::options().write(true).open(b.at(ROWS)).unwrap().set_len(100).unwrap(),
        "rows/scenario.jsonl: it has 100 bytes; the index says",
    ),
    case(
        "a file emptied",
        |b| fs::write(b.at("summary.md"), "").unwrap(),
        "summary.md: it has 0 bytes; the index says",
    ),
    case("rows extended", |b| b.append(ROWS, b"{}\n"), "rows/scenario.jsonl: it has"),
    case(
        "one bit flipped",
        |b| b.edit("controls.json", "\"ok\"", "\"oj\""),
        "controls.json: its content differs from the indexed digest",
    ),
    case(
        "a derived file removed",
        |b| fs::remove_file(b.at("oracle_results.json")).unwrap(),
        "oracle_results.json: the index lists it, but it is absent",
    ),
    case(
        "rows removed",
        |b| fs::remove_file(b.at(ROWS)).unwrap(),
        "rows/scenario.jsonl: the index lists it, but it is absent",
    ),
    case(
        "an input removed",
        |b| fs::remove_file(b.at("inputs/sources.json")).unwrap(),
        "inputs/sources.json: the index lists it, but it is absent",
    ),
    case(
        "an extra file",
        |b| fs::write(b.at("note.txt"), "x").unwrap(),
        "note.txt: it is in the folder, but the index does not list it",
    ),
    case(
        "an extra hidden file",
        |b| fs::write(b.at("rows/.hidden"), "x").unwrap(),
        "rows/.hidden: it is in the folder, but the index does not list it",
    ),
    case(
        "an extra lane",
        |b| fs::write(b.at("rows/other.jsonl"), "").unwrap(),
        "rows/other.jsonl: it is in the folder, but",
    ),
    case(
        "a LATEST in the bundle",
        |b| fs::write(b.at("LATEST"), "../x\n").unwrap(),
        "LATEST: it is in the folder, but",
    ),
    case(
        "a lock in the bundle",
        |b| fs::write(b.at(".runtime.lock"), "").unwrap(),
        ".runtime.lock: it is in the folder, but",
    ),
    case(
        "a leftover of a write",
        |b| fs::write(b.at(".summary.json.0123.tmp"), "x").unwrap(),
        ".summary.json.0123.tmp: it is a leftover of an interrupted write",
    ),
    case("an empty folder", |b| fs::create_dir(b.at("more")).unwrap(), "more: it is an empty folder"),
    case(
        "empty folders in each other",
        |b| fs::create_dir_all(b.at("rows/a/b")).unwrap(),
        "rows/a/b: it is an empty folder",
    ),
    case(
        "folders nested too deeply",
        |b| fs::create_dir_all(b.at("d/d/d/d/d/d/d/d/d/d/d/d")).unwrap(),
        "its folders are nested too deeply",
    ),
    case(
        "a link to the file's own copy",
        |b| {
            let aside = b.root.join("aside");
            fs::rename(b.at(MANIFEST), &aside).unwrap();
            symlink(aside, b.at(MANIFEST)).unwrap();
        },
        "run_manifest.json: it is a symbolic link, not a plain file",
    ),
    case(
        "a link out of the bundle",
        |b| b.replace("summary.md", |at| symlink("/etc/passwd", at).unwrap()),
        "summary.md: it is a symbolic link, not a plain file",
    ),
    case(
        "a link beside the files",
        |b| symlink("run_manifest.json", b.at("alias.json")).unwrap(),
        "alias.json: it is a symbolic link",
    ),
    case("a dangling link", |b| symlink("nowhere", b.at("dangling")).unwrap(), "dangling: it is a symbolic link"),
    case(
        "a link for a folder",
        |b| {
            fs::rename(b.at("rows"), b.root.join("rows-aside")).unwrap();
            symlink("../rows-aside", b.at("rows")).unwrap();
        },
        "rows: it is a symbolic link",
    ),
    case(
        "a link for the index",
        |b| {
            fs::rename(b.at(INDEX), b.root.join("index-aside")).unwrap();
            symlink("../index-aside", b.at(INDEX)).unwrap();
        },
        "artifact_index.json: it is a symbolic link",
    ),
    case(
        "a FIFO for a file",
        |b| b.replace(ROWS, |at| mkfifo(at, Mode::S_IRWXU).unwrap()),
        "rows/scenario.jsonl: it is a FIFO, not a plain file",
    ),
    case(
        "a FIFO for the index",
        |b| b.replace(INDEX, |at| mkfifo(at, Mode::S_IRWXU).unwrap()),
        "artifact_index.json: it is a FIFO",
    ),
    case("a FIFO beside the files", |b| mkfifo(&b.at("pipe"), Mode::S_IRWXU).unwrap(), "pipe: it is a FIFO"),
    case("a socket", |b| drop(UnixListener::bind(b.at("s")).unwrap()), "s: it is a socket, not a plain file"),
    case(
        "a folder for a file",
        |b| b.replace(MANIFEST, |at| fs::create_dir(at).unwrap()),
        "run_manifest.json: it is an empty folder",
    ),
    case("a folder for the index", |b| b.replace(INDEX, |at| fs::create_dir(at).unwrap()), "artifact_index.json: "),
    case(
        "a hard link",
        |b| fs::hard_link(b.at(MANIFEST), b.root.join("second")).unwrap(),
        "run_manifest.json: it has 2 hard links",
    ),
    case(
        "a hard link of the rows",
        |b| fs::hard_link(b.at(ROWS), b.root.join("second")).unwrap(),
        "rows/scenario.jsonl: it has 2 hard links",
    ),
    case(
        "a hard link of the index",
        |b| fs::hard_link(b.at(INDEX), b.root.join("second")).unwrap(),
        "artifact_index.json: it has 2 hard links",
    ),
    case(
        "a name in another case",
        |b| assert!(fs::copy(b.at("summary.md"), b.at("Summary.md")).is_ok()),
        "differs from `Summary.md` only in upper and lower case",
    ),
    case(
        "a name with a space",
        |b| fs::write(b.at("a b"), "x").unwrap(),
        "a b: no file of a bundle can have that name",
    ),
    case(
        "a name composed otherwise",
        |b| fs::write(b.at("re\u{301}sume.md"), "x").unwrap(),
        "no file of a bundle can have that name",
    ),
    case(
        "a name with a line break",
        |b| fs::write(b.at("a\nsummary.md: fine"), "x").unwrap(),
        "a\\nsummary.md: fine: no file of a bundle can have that name",
    ),
    case(
        "a name that is no text",
        |b| {
            use std::os::unix::ffi::OsStrExt;
            fs::write(b.folder.join(std::ffi::OsStr::from_bytes(b"x\xff")), "x").unwrap();
        },
        "no file of a bundle can have that name",
    ),
    case(
        "ten thousand empty files",
        |b| {
            fs::create_dir(b.at("many")).unwrap();
            for n in 0..10_000 {
                fs::write(b.at(&format!("many/{n}")), "").unwrap();
            }
        },
        ".: there are more than 4096 files",
    ),
    case(
        "a status of 65 MiB",
        |b| {
            fs::File::options().write(true).open(b.at(STATUS)).unwrap().set_len(65 << 20).unwrap();
        },
        "run_status.json: it is larger than 67108864 bytes",
    ),
    case(
        "an index of 9 MiB",
        |b| fs::File::options().write(true).open(b.at(INDEX)).unwrap().set_len(9 << 20).unwrap(),
        "artifact_index.json: it could not be read",
    ),
    root(
        "LATEST that leads up",
        |b| fs::write(b.root.join("LATEST"), "../x\n").unwrap(),
        "LATEST: it does not lead to a bundle",
    ),
    root(
        "LATEST that is absolute",
        |b| fs::write(b.root.join("LATEST"), "/etc\n").unwrap(),
        "LATEST: it does not lead to a bundle",
    ),
    root(
        "LATEST that is empty",
        |b| fs::write(b.root.join("LATEST"), "").unwrap(),
        "LATEST: it does not lead to a bundle",
    ),
    root(
        "LATEST that is no text",
        |b| fs::write(b.root.join("LATEST"), b"\xff\n").unwrap(),
        "LATEST: it does not lead to a bundle: it is not UTF-8 text",
    ),
    root(
        "LATEST to nowhere",
        |b| fs::write(b.root.join("LATEST"), "gone\n").unwrap(),
        "LATEST: it does not lead to a bundle: `gone`",
    ),
    root(
        "LATEST of a megabyte",
        |b| fs::write(b.root.join("LATEST"), vec![b'x'; 1 << 20]).unwrap(),
        "LATEST: it does not lead to a bundle",
    ),
    root(
        "LATEST that is a link",
        |b| {
            fs::rename(b.root.join("LATEST"), b.root.join("aside")).unwrap();
            symlink("aside", b.root.join("LATEST")).unwrap();
        },
        "LATEST: it does not lead to a bundle",
    ),
    root(
        "LATEST to a link",
        |b| {
            symlink(&b.folder, b.root.join("alias")).unwrap();
            fs::write(b.root.join("LATEST"), "alias\n").unwrap();
        },
        "LATEST: it does not lead to a bundle: `alias` is not a folder",
    ),
    root(
        "an output root that is gone",
        |b| {
            for entry in fs::read_dir(&b.root).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
            }
        },
        "artifact_index.json: it is absent: this bundle was not committed",
    ),
];
