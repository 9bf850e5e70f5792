//! What people see of a declaration of another system beside its digests.

use crate::identity::immaterial_items;
use crate::record::identity::Declaration;
use crate::record::open_item::open_items;
use crate::record::open_word::{Completeness, OpenWord};

/// Whether it says everything, with how much it does not; `None` where the format does not tell.
pub(super) fn completeness(declaration: &Declaration) -> Option<String> {
    let unknown = open_items(declaration).iter().filter(|item| item.word == OpenWord::Unknown).count();
    Some(match declaration.completeness? {
        Completeness::Complete => "complete: nothing in it is unknown".to_owned(),
        Completeness::Partial => {
            let items = if unknown == 1 { "1 item is".to_owned() } else { format!("{unknown} items are") };
            format!("partial: {items} unknown, and systems that differ there have this identity too")
        }
    })
}

/// How people read a word.
pub(super) fn word(word: OpenWord) -> &'static str {
    match word {
        OpenWord::None => "none",
        OpenWord::Unknown => "unknown",
        OpenWord::PerRun => "per run",
    }
}

/// What it says is immaterial, and why.
pub(super) fn immaterial(declaration: &Declaration) -> Vec<String> {
    immaterial_items(declaration).into_iter().map(|one| format!("{}: {}", one.pointer, one.reason)).collect()
}
