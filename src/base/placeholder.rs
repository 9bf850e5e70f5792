//! Placeholders in the texts of plans, policies and fixtures: `${root}`, `${port.NAME}` and `${name.NAME}`;
//! and those of launchers, `${workspace}`, `${outside}` and `${home}`.
//!
//! They stand for what only the run knows: a probe's own folder, a port of its own, a name of its own. Here is how they are
//! read, replaced, and found again: [`replace`] makes the text that a run uses, [`leads_to`] says whether a text can be one
//! that it made.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{NoExpand, Regex};

/// The folder of its own that a probe's fixtures are made in.
pub const ROOT: &str = "${root}";

/// The folder of one probe's fixtures, as messages have it: below that of the run, named after the row.
static OWN_FOLDER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:/[^\s/`,;:]+)*/sandproof-[0-9A-Za-z_.-]+/[rc][0-9]{6,}").expect("it is one"));

/// A message without what only one row has: its own folder is called `${root}`, so that one cause has one text.
pub fn without_own_folder(text: &str) -> Cow<'_, str> {
    OWN_FOLDER.replace_all(text, NoExpand(ROOT))
}

/// What begins a placeholder.
const BEGIN: &str = "${";

/// What a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placeholder<'t> {
    /// The probe's own folder.
    Root,
    /// A folder of that name in it, which a launcher is told of: `workspace`, `outside` or `home`.
    Folder(&'t str),
    /// A port of the run's own, by that name.
    Port(&'t str),
    /// A name of the run's own, by that one.
    Name(&'t str),
}

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Text that stands for itself. What begins like a placeholder and has no end is such a text.
    Literal(&'t str),
    /// What is written like a placeholder, with its braces; and what it is, if there is one of that kind.
    Placeholder(&'t str, Option<Placeholder<'t>>),
}

impl<'t> Placeholder<'t> {
    /// What stands between the braces, read.
    fn read(inside: &'t str) -> Option<Self> {
        if inside == "root" {
            return Some(Self::Root);
        }
        if matches!(inside, "workspace" | "outside" | "home") {
            return Some(Self::Folder(inside));
        }
        let (kind, name) = inside.split_once('.')?;
        match kind {
            "port" => Some(Self::Port(name)),
            "name" => Some(Self::Name(name)),
            _ => None,
        }
    }

    /// Whether its name is one that documents may give: 1 to 64 lower-case letters, digits and underscores.
    fn is_well_named(self) -> bool {
        match self {
            Self::Root => true,
            // What launchers are told; probes spell it as a part of the root.
            Self::Folder(_) => false,
            Self::Port(name) | Self::Name(name) => is_name(name),
        }
    }
}

/// Whether a text is one that documents may give a port or a name of the run's own.
pub fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// The pieces of a text, in order. Joined, they are the text.
pub fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.find(BEGIN).filter(|start| rest[*start..].contains('}')).unwrap_or(rest.len());
        let length = match start {
            0 => rest.find('}').map_or(rest.len(), |end| end + 1),
            literal => literal,
        };
        let (piece, after) = rest.split_at(length);
        rest = after;
        let inside = || &piece[BEGIN.len()..piece.len() - 1];
        match (piece.is_empty(), start) {
            (true, _) => None,
            (_, 0) => Some(Piece::Placeholder(piece, Placeholder::read(inside()))),
            _ => Some(Piece::Literal(piece)),
        }
    })
}

/// The first that is written like a placeholder and is none that documents may have, as far as it goes.
pub fn unknown(text: &str) -> Option<&str> {
    pieces(text).find_map(|piece| match piece {
        Piece::Literal(literal) => literal.find(BEGIN).map(|start| &literal[start..]),
        Piece::Placeholder(_, Some(known)) if known.is_well_named() => None,
        Piece::Placeholder(spelled, _) => Some(spelled),
    })
}

/// Whether a text has anything that is written like a placeholder.
pub fn has_any(text: &str) -> bool {
    text.contains(BEGIN)
}

/// `text` with every placeholder replaced by what `value` gives for it (as it is spelled, and read). What that gives is not
/// looked at again. What is no placeholder of a known kind stays.
///
/// # Errors
/// The first of `value`.
pub fn replace<E>(text: &str, mut value: impl FnMut(&str, Placeholder<'_>) -> Result<String, E>) -> Result<String, E> {
    let mut out = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Literal(text) | Piece::Placeholder(text, None) => out.push_str(text),
            Piece::Placeholder(spelled, Some(placeholder)) => out.push_str(&value(spelled, placeholder)?),
        }
    }
    Ok(out)
}

/// Whether `found` can be what [`replace`] made of `declared` for a probe whose own folder is `root`: a port is any port
/// number, and a name is any text that is not empty.
pub fn leads_to(declared: &str, found: &str, root: &str) -> bool {
    let pieces: Vec<Piece<'_>> = pieces(declared).collect();
    all_lead_to(&pieces, found, root)
}

fn all_lead_to(pieces: &[Piece<'_>], found: &str, root: &str) -> bool {
    let Some((piece, rest)) = pieces.split_first() else { return found.is_empty() };
    let after = |text: &str| found.strip_prefix(text).is_some_and(|found| all_lead_to(rest, found, root));
    match piece {
        Piece::Literal(text) => after(text),
        Piece::Placeholder(_, Some(Placeholder::Root)) => after(root),
        Piece::Placeholder(_, Some(Placeholder::Folder(name))) => after(&format!("{root}/{name}")),
        Piece::Placeholder(_, Some(Placeholder::Port(_))) => {
            // A port has at most five digits, and no digit of it can belong to what follows.
            let (port, found) = found.split_at(found.bytes().take_while(u8::is_ascii_digit).count());
            port.parse::<u16>().is_ok() && all_lead_to(rest, found, root)
        }
        Piece::Placeholder(_, Some(Placeholder::Name(_))) => {
            // The name is not known here: any that lets the rest fit will do.
            found.char_indices().map(|(at, c)| at + c.len_utf8()).any(|at| all_lead_to(rest, &found[at..], root))
        }
        // No document that was accepted has one.
        Piece::Placeholder(_, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_is_the_same_for_every_row_of_every_run() {
        let said = |folder: &str| format!("rule 0 names `{folder}/project`, which cannot be opened");
        let first = said("/dev/shm/sandproof-0bdf7206-6978-4d67-a31e-e15008b37243/r000000");
        let other = said("/var/folders/q_/T/sandproof-x.1/c0000017");
        assert_eq!(without_own_folder(&first), said(ROOT));
        assert_eq!(without_own_folder(&other), said(ROOT));
        for same in ["/tmp/sandproof-1/r00001/a", "/tmp/sandproof-1", "nothing of it", "/tmp/other/r000001/x"] {
            assert_eq!(without_own_folder(same), same);
        }
    }

    #[test]
    fn only_known_placeholders_are_accepted() {
        for good in ["", "$", "a$b", "${root}/x", "127.0.0.1:${port.open_1}", "x-${name.sock}", "{root}", "}${root}{"] {
            assert_eq!(unknown(good), None, "{good}");
        }
        for (bad, named) in [
            ("${home}", "${home}"),
            ("${root", "${root"),
            ("${root}/${root", "${root"),
            ("${port.}", "${port.}"),
            ("${port.Open}", "${port.Open}"),
            ("${root}/${name.a-b}", "${name.a-b}"),
            ("${${root}}", "${${root}"),
            ("${root.x}", "${root.x}"),
        ] {
            assert_eq!(unknown(bad), Some(named));
        }
    }

    #[test]
    fn placeholders_lead_only_to_what_they_can_stand_for() {
        let fits = |declared: &str, found: &str| leads_to(declared, found, "/dev/shm/r/0");
        assert!(fits("/etc/hostname", "/etc/hostname"));
        assert!(!fits("/etc/hostname", "/etc/hosts"));
        assert!(fits("${root}/a", "/dev/shm/r/0/a"));
        assert!(!fits("${root}/a", "/dev/shm/r/1/a"));
        assert!(fits("${home}/a", "/dev/shm/r/0/home/a"));
        assert!(!fits("${root}/a", "/dev/shm/r/0/b"));
        assert!(fits("127.0.0.1:${port.open}", "127.0.0.1:40123"));
        assert!(!fits("127.0.0.1:${port.open}", "127.0.0.1:"));
        assert!(!fits("127.0.0.1:${port.open}", "127.0.0.1:70000"));
        assert!(!fits("127.0.0.1:${port.open}", "10.0.0.1:40123"));
        assert!(fits("x-${name.a}-${name.b}", "x-q-r-s"));
        assert!(!fits("x-${name.a}-y", "x--y"));
        assert!(!fits("${secret}", "anything") && !fits("${secret}", "${secret}"));
        assert!(!fits("${root", "/dev/shm/r/0") && fits("${root", "${root"));
    }

    #[test]
    fn what_a_placeholder_stands_for_is_not_looked_at_again() {
        let twice = replace("${name.a}${root}", |spelled, _| Ok::<_, Infallible>(format!("<{spelled}${{root}}>")));
        assert_eq!(twice.unwrap(), "<${name.a}${root}><${root}${root}>");
        assert_eq!(replace("${root}${port.a}", |_, _| Err::<String, _>("none")), Err("none"));
    }

    /// Texts with placeholders, whole and broken ones, and what stands around them.
    fn texts() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("${root}".to_owned()),
            "[a-z_]{1,3}".prop_map(|name| format!("${{port.{name}}}")),
            "[a-z_]{1,3}".prop_map(|name| format!("${{name.{name}}}")),
            "[-/:.a$\\{\\}é0-9]{0,4}",
        ];
        proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn the_pieces_of_a_text_are_the_text(text in texts()) {
            let joined: String = pieces(&text).map(|piece| match piece {
                Piece::Literal(text) | Piece::Placeholder(text, _) => text,
            }).collect();
            prop_assert_eq!(joined, text);
        }

        #[test]
        fn what_is_replaced_is_found_again(text in texts(), port in any::<u16>(), name in "[-a-z0-9/é]{1,9}") {
            prop_assume!(unknown(&text).is_none());
            // A digit beside a port could belong to it; no document sets one there.
            prop_assume!(!text.contains(|c: char| c.is_ascii_digit()));
            let adjacent = |a: &str| text.contains(&format!("}}{a}"));
            prop_assume!(!adjacent("${port.") && !adjacent("${name."));
            let value = |placeholder: Placeholder<'_>| match placeholder {
                Placeholder::Root => "/r/0".to_owned(),
                Placeholder::Folder(name) => format!("/r/0/{name}"),
                Placeholder::Port(_) => port.to_string(),
                Placeholder::Name(_) => name.clone(),
            };
            let replaced = replace(&text, |_, placeholder| Ok::<_, Infallible>(value(placeholder))).unwrap();
            prop_assert!(leads_to(&text, &replaced, "/r/0"), "{} -> {}", text, replaced);
            let longer = leads_to(&text, &format!("{replaced}\n"), "/r/0");
            prop_assert!(!longer || text.ends_with('}'), "longer");
            if text.contains(ROOT) && !text.contains("${name.") {
                prop_assert!(!leads_to(&text, &replaced, "/r/1"));
            }
        }

        #[test]
        fn a_text_without_placeholders_leads_to_itself_alone(text in "[-/:.a{}é0-9]{0,8}", other in "[-/:.a{}é0-9]{0,8}") {
            prop_assert_eq!(replace(&text, |_, _| Err(())), Ok(text.clone()));
            prop_assert_eq!(leads_to(&text, &other, "/r"), text == other);
        }
    }
}
