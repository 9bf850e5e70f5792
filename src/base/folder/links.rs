//! Where the links of a folder lead.

use std::collections::{BTreeMap, VecDeque};

use super::row::DigestedEntry;

/// What becomes of a link whose target is not within the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeavingLinks {
    /// The folder is refused: what is read through the link would not be counted.
    Refused,
    /// Its text counts, and nothing else. Right only where nothing is read through it: where the folder is shown in a root of
    /// its own, in which the target either was declared too or is not there.
    CountedAsText,
}

/// As many links the kernel follows on one path; see path_resolution(7).
const MOST_FOLLOWED: usize = 40;

/// Whether the link at `path`, which holds `text`, leads out of the folder, through whatever other links of it. What ends
/// nowhere (a name that is not there, a circle) stays inside: nothing can be read through it.
pub(super) fn leaves(entries: &BTreeMap<Vec<u8>, DigestedEntry>, path: &[u8], text: &[u8]) -> bool {
    let mut at: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    at.pop();
    let mut left: VecDeque<&[u8]> = VecDeque::new();
    let mut followed = 0;
    let mut next = Some(text);
    loop {
        if let Some(text) = next.take() {
            if text.starts_with(b"/") {
                return true;
            }
            followed += 1;
            if followed > MOST_FOLLOWED {
                return false;
            }
            text.split(|byte| *byte == b'/').rev().for_each(|part| left.push_front(part));
        }
        let Some(part) = left.pop_front() else { return false };
        match part {
            b"" | b"." => {}
            b".." => {
                if at.pop().is_none() {
                    return true;
                }
            }
            name => {
                at.push(name);
                if let Some(DigestedEntry::Link { text }) = entries.get(&at.join(&b'/')) {
                    at.pop();
                    next = Some(text);
                }
            }
        }
    }
}
