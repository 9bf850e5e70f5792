//! No line of a log makes its reader panic, and what it reads of one that was written out is what was written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sandproof::test_support::review::policy::denial::{Denial, DenialLine, read_line};

fn check(line: &DenialLine) {
    match &line.denial {
        Denial::Seatbelt { operation, target } => {
            assert!(!operation.is_empty() && !operation.contains(char::is_whitespace));
            assert_eq!(target.trim(), target);
            if line.repeats {
                return;
            }
            let (Some(process), Some(pid)) = (&line.process, line.pid) else { panic!("no process: {line:?}") };
            // Written out again, it says the same.
            let again = format!("Sandbox: {process}({pid}) deny(1) {operation} {target}");
            let again = read_line(&again).unwrap_or_else(|| panic!("not read again: {again}"));
            assert_eq!(again.denial, line.denial);
            assert_eq!((again.process, again.pid), (line.process.clone(), line.pid));
        }
        Denial::Landlock { blockers, .. } => assert!(!blockers.is_empty()),
    }
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    for line in text.lines() {
        if let Some(read) = read_line(line) {
            check(&read);
        }
    }
});
