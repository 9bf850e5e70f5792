//! A questions file: whatever it holds, it is refused with places that are in it, or stands for documents that resolve or are
//! refused in turn.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use sandproof::test_support::plan::questions::{Asker, ExpandedQuestions};
use sandproof::test_support::plan::LoadError;

fuzz_target!(|bytes: &[u8]| {
    let asker = Asker { home: Some(Path::new("/home/ada").to_owned()), folder: Path::new("/work").to_owned() };
    match ExpandedQuestions::read("f.questions", bytes.to_vec().into(), &asker) {
        Ok(expanded) => {
            assert_eq!(&expanded.bytes()[..], bytes);
            // The documents are JSON, and the same each time.
            let again = ExpandedQuestions::read("f.questions", bytes.to_vec().into(), &asker).expect("it was read once");
            for (path, document) in expanded.documents() {
                assert!(serde_json::from_slice::<serde_json::Value>(document).is_ok(), "{path}");
                assert_eq!(again.document(path).map(|bytes| &bytes[..]), Some(&document[..]), "{path}");
            }
        }
        Err(LoadError::Refused { notes }) => {
            assert!(!notes.is_empty());
            let text = String::from_utf8_lossy(bytes);
            let lines = text.split('\n').count();
            for note in notes {
                let (line, column) = note.pointer.split_once(':').expect("a place is LINE:COLUMN");
                let (line, column): (usize, usize) = (line.parse().unwrap(), column.parse().unwrap());
                assert!((1..=lines).contains(&line) && column >= 1, "{}: {}", note.pointer, note.message);
            }
        }
        Err(other) => panic!("{other}"),
    }
});
