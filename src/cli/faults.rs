//! What happens where something goes wrong that no code expects, or a limit of the process strikes.

use std::io::Write;
use std::panic::PanicHookInfo;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::exit::Exit;
use crate::base::printable::printable;
use crate::lane::fixture;
use crate::sys::ending;

/// As many open files as a run needs and every system gives: the usual soft limit.
const OPEN_FILES: u64 = 1024;

/// Prepares this process: no way to end it is without a word and an exit code of ours.
pub(super) fn prepare() {
    ending::report_file_size_limit();
    ending::report_abort();
    std::panic::set_hook(Box::new(conclude));
    // A soft limit is anybody's to raise up to the hard one.
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < OPEN_FILES.min(hard)
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, OPEN_FILES.min(hard), hard);
    }
}

/// Ends the process after a panic: one sentence, no fixtures left, exit code 70. In whichever thread it happened, nothing
/// that this process does from then on could be relied on.
fn conclude(panic: &PanicHookInfo<'_>) {
    let payload = panic.payload();
    let words =
        payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let place = panic.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
    let said = &*printable(words.unwrap_or("no reason is known"));
    // The standard library knows no other way to say it.
    let no_memory = std::io::Error::from_raw_os_error(libc::ENOMEM).to_string();
    if said.contains(&no_memory) {
        let hint = limit_of_errno(Errno::ENOMEM).unwrap_or_default();
        let _ = writeln!(std::io::stderr(), "error: {said}\n  hint: {hint}");
        fixture::remove_all_now();
        ending::exit_at_once(Exit::Unavailable.code());
    }
    let _ = writeln!(
        std::io::stderr(),
        "error: internal error{place}: {said}\n  hint: please report this line; what was written so far is not committed"
    );
    fixture::remove_all_now();
    ending::exit_at_once(Exit::Fault.code());
}

/// Which limit of the process made this error, and what to do about it; by the first system error in its chain.
pub(super) fn limit_of(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut current = Some(error);
    while let Some(inner) = current {
        let errno = inner
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::raw_os_error)
            .map(Errno::from_raw)
            .or_else(|| inner.downcast_ref::<Errno>().copied());
        if let Some(errno) = errno {
            return limit_of_errno(errno);
        }
        current = inner.source();
    }
    None
}

fn limit_of_errno(errno: Errno) -> Option<String> {
    let soft = |resource| getrlimit(resource).map_or_else(|_| "unknown".to_string(), |(soft, _)| soft.to_string());
    match errno {
        Errno::EMFILE => Some(format!(
            "the limit on open files (RLIMIT_NOFILE) is {}, and a run needs about 20 and 5 for each of `--jobs`: raise it with `ulimit -n`, or have fewer jobs",
            soft(Resource::RLIMIT_NOFILE)
        )),
        Errno::EFBIG => Some("the limit on the size of files (RLIMIT_FSIZE) is too low: raise it with `ulimit -f`".to_string()),
        Errno::EAGAIN => Some(
            "the limit on processes is reached: RLIMIT_NPROC (`ulimit -u`, counted for all processes of the user), or that of the control group (`TasksMax=`, `pids.max`)"
                .to_string(),
        ),
        Errno::ENOMEM => {
            Some("there is no memory left: raise RLIMIT_AS (`ulimit -v`) or the limit of the control group".to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::process::{Command, Output};

    use super::*;
    use crate::base::ids::RunId;

    /// What the helper does, and where its fixtures are.
    const DEED: &str = "SANDPROOF_TEST_DEED";
    const PLACE: &str = "SANDPROOF_TEST_PLACE";

    /// Not a test by itself: does nothing unless [`done`] started it.
    #[test]
    fn helper() {
        let (Ok(deed), Ok(place)) = (std::env::var(DEED), std::env::var(PLACE)) else { return };
        prepare();
        let base =
            fixture::choose_base(&[PathBuf::from(place)], &RunId::fresh(), &fixture::RulePlaces::default()).unwrap();
        match deed.as_str() {
            "panic" => panic!("the reason"),
            "panic-elsewhere" => {
                let _ = std::thread::spawn(|| panic!("the reason")).join();
                unreachable!("the process has ended");
            }
            "abort" => std::process::abort(),
            "no-memory" => drop(std::hint::black_box(vec![1_u8; isize::MAX as usize - 1])),
            "large-file" => {
                let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
                setrlimit(Resource::RLIMIT_FSIZE, 0, hard).unwrap();
                let written = std::fs::write(base.path().join("file"), "x").unwrap_err();
                assert_eq!(written.raw_os_error(), Some(libc::EFBIG));
                ending::exit_at_once(42);
            }
            other => panic!("no such deed: {other}"),
        }
    }

    fn done(deed: &str, place: &Path) -> Output {
        let words = ["--exact", "cli::faults::tests::helper", "--nocapture", "--test-threads=1"];
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(words).env(DEED, deed).env(PLACE, place).output().unwrap()
    }

    fn left(place: &Path) -> usize {
        std::fs::read_dir(place).unwrap().count()
    }

    #[test]
    fn a_fault_in_any_thread_ends_with_a_sentence_an_exit_code_and_no_fixtures() {
        for deed in ["panic", "panic-elsewhere"] {
            let dir = tempfile::tempdir().unwrap();
            let ended = done(deed, dir.path());
            let said = String::from_utf8(ended.stderr).unwrap();
            assert_eq!(ended.status.code(), Some(70), "{said}");
            assert!(said.contains("error: internal error at src/cli/faults.rs:"), "{said}");
            assert!(said.contains(": the reason\n") && !said.contains("RUST_BACKTRACE"), "{said}");
            assert_eq!(left(dir.path()), 0);
        }
    }

    #[test]
    fn no_abort_is_without_a_word_and_an_exit_code() {
        for deed in ["abort", "no-memory"] {
            let dir = tempfile::tempdir().unwrap();
            let ended = done(deed, dir.path());
            let said = String::from_utf8(ended.stderr).unwrap();
            assert_eq!(ended.status.code(), Some(70), "{said}");
            assert!(said.contains("error: aborted: out of memory"), "{said}");
        }
    }

    #[test]
    fn a_limit_on_the_size_of_files_is_an_error_and_no_signal() {
        let dir = tempfile::tempdir().unwrap();
        let ended = done("large-file", dir.path());
        assert_eq!(ended.status.code(), Some(42), "{}", String::from_utf8_lossy(&ended.stderr));
    }

    #[test]
    fn the_first_system_error_in_a_chain_names_the_limit() {
        let of = |errno: i32| {
            limit_of(&crate::base::fsx::FileError {
                action: "write",
                path: PathBuf::from("a"),
                source: std::io::Error::from_raw_os_error(errno),
            })
        };
        assert!(of(libc::EMFILE).unwrap().contains("RLIMIT_NOFILE"));
        assert!(of(libc::EFBIG).unwrap().contains("RLIMIT_FSIZE"));
        assert!(of(libc::EAGAIN).unwrap().contains("RLIMIT_NPROC"));
        assert!(of(libc::ENOMEM).unwrap().contains("RLIMIT_AS"));
        assert_eq!(of(libc::ENOENT), None);
        assert_eq!(limit_of(&std::io::Error::other("words")), None);
    }
}
