//! No text makes the profile parser panic, and what it reads prints as text that reads back as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sandproof::test_support::policy::sbpl::{parse, print, quote};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse(text) {
        Ok(program) => {
            let printed = print(&program);
            let again = parse(&printed).expect("what was printed can be read");
            assert_eq!(again, program);
            assert_eq!(print(&again), printed);
        }
        Err(error) => {
            assert!(error.place.line as usize <= text.matches('\n').count() + 1);
            assert!(!error.to_string().is_empty());
        }
    }
    if !text.contains('\0') {
        let quoted = parse(&quote(text)).expect("a quoted text can be read");
        assert_eq!(quoted.forms.len(), 1);
    }
});
