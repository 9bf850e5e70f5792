//! Whether a resolved text can have come from a declared one.
//!
//! A row holds the resolved action; the plan holds it with placeholders. Rows of a bundle are only worth something if
//! they are rows of its plan, so every declared text must lead to the resolved one: `${root}` to the row's own root,
//! `${port.NAME}` to a port number, `${name.NAME}` to some name. A row that was not run may say the declared text itself:
//! perhaps there was nothing that could stand for a placeholder.

use crate::record::action::Action;

/// The first text of `found` that `declared` cannot lead to, as (field, declared, found). `run`: whether the row was run, so
/// that no placeholder is left in it.
pub(super) fn mismatch<'a>(
    declared: &'a Action,
    found: &'a Action,
    root: &str,
    run: bool,
) -> Option<(&'static str, &'a str, &'a str)> {
    let leads_to = |declared: &str, found: &str| leads_to(declared, found, root) || (!run && declared == found);
    if declared.driver != found.driver {
        return Some(("action.driver", declared.driver.info().name, found.driver.info().name));
    }
    if !leads_to(&declared.target, &found.target) {
        return Some(("action.target", &declared.target, &found.target));
    }
    for (field, one, other) in [("action.to", &declared.to, &found.to), ("action.name", &declared.name, &found.name)] {
        let (one, other) = (one.as_deref(), other.as_deref());
        let fits = match (one, other) {
            (None, None) => true,
            (Some(one), Some(other)) => leads_to(one, other),
            _ => false,
        };
        if !fits {
            return Some((field, one.unwrap_or(""), other.unwrap_or("")));
        }
    }
    let mounts_fit = declared.mounts.len() == found.mounts.len()
        && declared
            .mounts
            .iter()
            .zip(&found.mounts)
            .all(|(one, other)| leads_to(&one.from, &other.from) && leads_to(&one.at, &other.at));
    if !mounts_fit {
        return Some(("action.mounts", "the declared bind mounts", "others"));
    }
    None
}

/// Whether `declared` can lead to `found`.
pub(super) fn leads_to(declared: &str, found: &str, root: &str) -> bool {
    let Some(start) = declared.find("${") else { return declared == found };
    let (literal, rest) = declared.split_at(start);
    let Some(found) = found.strip_prefix(literal) else { return false };
    let Some(end) = rest.find('}') else { return declared[start..] == *found };
    let (placeholder, rest) = rest.split_at(end + 1);
    match &placeholder[2..end] {
        "root" => found.strip_prefix(root).is_some_and(|found| leads_to(rest, found, root)),
        name if name.starts_with("port.") => {
            // A port has at most five digits, and no digit of it can belong to what follows.
            let digits = found.bytes().take_while(u8::is_ascii_digit).count();
            let (port, after) = found.split_at(digits);
            port.parse::<u16>().is_ok() && leads_to(rest, after, root)
        }
        name if name.starts_with("name.") => {
            // The name is not known here: any that lets the rest fit will do.
            found.char_indices().map(|(at, c)| at + c.len_utf8()).any(|at| leads_to(rest, &found[at..], root))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::driver::Driver;

    #[test]
    fn only_a_row_that_was_not_run_may_keep_its_placeholders() {
        let texts = ["127.0.0.1:${port.a}", "${root}/a", "/mnt/${name.b}:${port.c}"];
        for text in texts {
            let declared = Action { to: Some(text.into()), ..Action::new(Driver::TcpConnect, text) };
            assert_eq!(mismatch(&declared, &declared, "/dev/shm/r/0", false), None, "{text}");
            assert!(mismatch(&declared, &declared, "/dev/shm/r/0", true).is_some(), "{text}");
            let other = Action { to: Some("/etc/hosts".into()), ..declared.clone() };
            assert!(mismatch(&declared, &other, "/dev/shm/r/0", false).is_some(), "{text}");
        }
    }

    #[test]
    fn placeholders_lead_only_to_what_they_can_stand_for() {
        let fits = |declared: &str, found: &str| leads_to(declared, found, "/dev/shm/r/0");
        assert!(fits("/etc/hostname", "/etc/hostname"));
        assert!(!fits("/etc/hostname", "/etc/hosts"));
        assert!(fits("${root}/a", "/dev/shm/r/0/a"));
        assert!(!fits("${root}/a", "/dev/shm/r/1/a"));
        assert!(!fits("${root}/a", "/dev/shm/r/0/b"));
        assert!(fits("127.0.0.1:${port.open}", "127.0.0.1:40123"));
        assert!(!fits("127.0.0.1:${port.open}", "127.0.0.1:"));
        assert!(!fits("127.0.0.1:${port.open}", "127.0.0.1:70000"));
        assert!(!fits("127.0.0.1:${port.open}", "10.0.0.1:40123"));
        assert!(fits("x-${name.a}-${name.b}", "x-q-r-s"));
        assert!(!fits("x-${name.a}-y", "x--y"));
        assert!(!fits("${secret}", "anything"));
        assert!(!fits("${root", "/dev/shm/r/0"));
    }
}
