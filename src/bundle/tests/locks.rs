//! The lock, with real processes.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::base::ids::RunId;
use crate::bundle::lock::holder as lock_holder;
use crate::bundle::lock::{LockError, LockMode, OutputLock};
use crate::record::layout;

const ROOT_VARIABLE: &str = "SANDPROOF_TEST_LOCK_ROOT";

/// The other process: holds the lock until it is killed.
#[test]
#[ignore = "started by the tests below"]
fn hold_until_killed() {
    let Some(root) = std::env::var_os(ROOT_VARIABLE) else { return };
    let _lock = acquire(Path::new(&root), LockMode::Fail, "of-the-child").unwrap();
    writeln!(std::io::stderr(), "held").unwrap();
    std::thread::sleep(Duration::from_secs(60));
}

fn holder(root: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "bundle::tests::locks::hold_until_killed", "--ignored", "--nocapture"])
        .env(ROOT_VARIABLE, root)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line == "held")), "the child did not get the lock");
    child
}

fn acquire(root: &Path, mode: LockMode, run_id: &str) -> Result<OutputLock, LockError> {
    OutputLock::acquire(root, mode, &RunId::new(run_id).unwrap(), &|| false)
}

#[test]
fn it_is_held_once_even_in_one_process() {
    let out = tempfile::tempdir().unwrap();
    let first = acquire(out.path(), LockMode::Fail, "first").unwrap();
    let error = acquire(out.path(), LockMode::Fail, "second").unwrap_err();
    let LockError::Held { holder, waited_s: None, .. } = &error else { panic!("{error}") };
    assert_eq!(holder.pid, Some(std::process::id()));
    assert_eq!(holder.run_id.as_ref().unwrap().as_str(), "first");
    let text = error.to_string();
    assert!(text.contains("run first") && text.contains("try again") && text.contains("--lock-mode wait"), "{text}");
    drop(first);
    acquire(out.path(), LockMode::Fail, "second").unwrap();
}

#[test]
fn a_killed_holder_gives_it_up() {
    let out = tempfile::tempdir().unwrap();
    let mut child = holder(out.path());
    let error = acquire(out.path(), LockMode::Fail, "mine").unwrap_err();
    assert!(error.to_string().contains(&format!("process {}, run of-the-child", child.id())), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
    acquire(out.path(), LockMode::Fail, "mine").unwrap();
}

#[test]
fn waiting_ends_with_the_holder_or_with_the_limit() {
    let out = tempfile::tempdir().unwrap();
    let mut child = holder(out.path());
    let error = acquire(out.path(), LockMode::Wait(Duration::from_millis(120)), "mine").unwrap_err();
    assert!(matches!(error, LockError::Held { waited_s: Some(0), .. }), "{error}");
    let cancelled =
        OutputLock::acquire(out.path(), LockMode::Wait(Duration::from_secs(30)), &RunId::new("mine").unwrap(), &|| {
            true
        });
    assert!(matches!(cancelled, Err(LockError::Cancelled { .. })));
    let root = out.path().to_owned();
    let waiter = std::thread::spawn(move || acquire(&root, LockMode::Wait(Duration::from_secs(30)), "mine").map(drop));
    child.kill().unwrap();
    child.wait().unwrap();
    waiter.join().unwrap().unwrap();
}

#[test]
fn the_file_is_changed_only_by_its_holder_and_never_removed() {
    let out = tempfile::tempdir().unwrap();
    let at = out.path().join(layout::LOCK);
    fs::write(&at, "something else, longer than what a holder writes: ".repeat(20)).unwrap();
    let lock = acquire(out.path(), LockMode::Fail, "first").unwrap();
    let content = fs::read_to_string(&at).unwrap();
    assert_eq!(content, format!("pid={}\nrun_id=first\n", std::process::id()), "nothing is left of what stood there");
    let _ = acquire(out.path(), LockMode::Fail, "second").unwrap_err();
    assert_eq!(fs::read_to_string(&at).unwrap(), content);
    drop(lock);
    assert_eq!(fs::read_to_string(&at).unwrap(), "", "a lock that is free names no holder");
    assert_eq!(lock_holder(out.path()), None);
}

#[test]
fn a_lock_on_a_file_that_was_removed_between_open_and_lock_is_no_lock() {
    let out = tempfile::tempdir().unwrap();
    let at = out.path().join(layout::LOCK);
    let openings = Cell::new(0);
    // Somebody removes the file that was just opened, and a third process makes and locks a new one.
    let third = RefCell::new(None);
    let opened = || {
        openings.set(openings.get() + 1);
        if openings.get() == 1 {
            fs::remove_file(&at).unwrap();
            third.replace(Some(acquire(out.path(), LockMode::Fail, "third").unwrap()));
        }
    };
    let run_id = RunId::new("mine").unwrap();
    let error = OutputLock::acquire_watched(out.path(), LockMode::Fail, &run_id, &|| false, &opened).unwrap_err();
    let LockError::Held { holder, .. } = &error else { panic!("{error}") };
    assert_eq!(holder.run_id.as_ref().unwrap().as_str(), "third");
    assert_eq!(openings.get(), 2, "the name was opened again");
    assert!(fs::read_to_string(&at).unwrap().contains("run_id=third"), "and what it leads to was left alone");

    // Without a third process, what the name leads to next is locked.
    third.replace(None);
    openings.set(0);
    let removed = || {
        openings.set(openings.get() + 1);
        if openings.get() == 1 {
            fs::remove_file(&at).unwrap();
        }
    };
    let mine = OutputLock::acquire_watched(out.path(), LockMode::Fail, &run_id, &|| false, &removed).unwrap();
    assert_eq!(openings.get(), 2);
    assert!(fs::read_to_string(&at).unwrap().contains("run_id=mine"));
    assert!(acquire(out.path(), LockMode::Fail, "another").is_err());
    drop(mine);
}

#[test]
fn a_link_in_its_place_is_not_followed() {
    let out = tempfile::tempdir().unwrap();
    let victim = out.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, out.path().join(layout::LOCK)).unwrap();
    assert!(matches!(acquire(out.path(), LockMode::Fail, "mine"), Err(LockError::File(_))));
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}
