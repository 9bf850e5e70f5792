//! Formats: the texts by which documents say what they are, such as `runtime-tools.plan.v0.1`.

use std::cmp::Ordering;

/// How the format that a document names stands to the one that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatStanding {
    /// The same kind of document, of an earlier version.
    Older,
    /// The same kind of document, of a later version: another program, which knows more, made it.
    Newer,
    /// Another kind of document, or no format.
    Other,
}

/// How `found` stands to `known`, which is another text.
pub fn standing(found: &str, known: &str) -> FormatStanding {
    let (Some((kind, version)), Some((known_kind, known_version))) = (split(found), split(known)) else {
        return FormatStanding::Other;
    };
    match version.cmp(&known_version) {
        _ if kind != known_kind => FormatStanding::Other,
        Ordering::Less => FormatStanding::Older,
        Ordering::Greater => FormatStanding::Newer,
        Ordering::Equal => FormatStanding::Other,
    }
}

/// What to say of a document whose format is `found` where `known` is read. Both are safe to show.
pub fn remedy(found: &str, known: &str) -> String {
    match standing(found, known) {
        FormatStanding::Newer => format!("it is made for a newer sandproof than {}: use that one", super::VERSION),
        FormatStanding::Older => format!("bring the document to `{known}`: the older format is not read"),
        FormatStanding::Other => format!("write `{known}`, if the document has that format"),
    }
}

/// The kind of document, and its version as numbers.
fn split(format: &str) -> Option<(&str, Vec<u32>)> {
    let (kind, version) = format.rsplit_once(".v")?;
    let numbers: Result<Vec<u32>, _> = version
        .split('.')
        .map(|part| if part.bytes().all(|b| b.is_ascii_digit()) { part.parse() } else { "no number".parse() })
        .collect();
    Some((kind, numbers.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers_and_only_of_one_kind() {
        let plan = |version: &str| standing(&format!("runtime-tools.plan.{version}"), "runtime-tools.plan.v0.2");
        assert_eq!(plan("v0.9"), FormatStanding::Newer);
        assert_eq!(plan("v0.10"), FormatStanding::Newer);
        assert_eq!(plan("v1"), FormatStanding::Newer);
        assert_eq!(plan("v0.2.1"), FormatStanding::Newer);
        assert_eq!(plan("v0.1"), FormatStanding::Older);
        for odd in ["v", "v0.", "v+1", "v-1", "v99999999999999999999", "2", "vx"] {
            assert_eq!(plan(odd), FormatStanding::Other, "{odd}");
        }
        assert_eq!(standing("runtime-tools.probes.v0.9", "runtime-tools.plan.v0.2"), FormatStanding::Other);
        assert_eq!(standing("", "runtime-tools.plan.v0.2"), FormatStanding::Other);
        assert_eq!(standing("sandproof.world.v2", "sandproof.world.v1"), FormatStanding::Newer);
        assert!(remedy("sandproof.world.v2", "sandproof.world.v1").contains("newer sandproof"));
    }
}
