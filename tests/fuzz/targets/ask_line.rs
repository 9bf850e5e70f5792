//! No line of a file of questions makes its reader panic, and the same line reads the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sandproof::test_support::review::policy::question::AskLine;

fuzz_target!(|data: &[u8]| {
    match AskLine::read(data) {
        Ok(line) => assert_eq!(format!("{:?}", AskLine::read(data)), format!("{:?}", Ok::<_, String>(line))),
        Err(why) => assert!(!why.is_empty()),
    }
});
