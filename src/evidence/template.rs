//! Whether a resolved action can have come from a declared one.
//!
//! A row holds the resolved action; the plan holds it with placeholders. Rows of a bundle are only worth something if
//! they are rows of its plan, so every declared text must lead to the resolved one: `${root}` to the row's own root,
//! `${port.NAME}` to a port number, `${name.NAME}` to some name. A row that was not run may say the declared text itself:
//! perhaps there was nothing that could stand for a placeholder.

use crate::base::placeholder::leads_to;
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
    let words_fit = declared.argv.len() == found.argv.len()
        && declared.argv.iter().zip(&found.argv).all(|(one, other)| leads_to(one, other));
    if !words_fit {
        return Some(("action.argv", "the declared arguments", "others"));
    }
    // What the answer is read by: with another exit code, another answer would be as good.
    if declared.exit_code != found.exit_code {
        return Some(("action.exit_code", "the declared exit code", "another, or none"));
    }
    if declared.payload != found.payload {
        return Some(("action.payload", "the declared attribute list", "another"));
    }
    None
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
    fn a_row_executes_with_the_arguments_and_the_exit_code_of_its_plan() {
        let planned = Action {
            argv: vec!["tool".into(), "${root}/a".into()],
            exit_code: Some(42),
            ..Action::new(Driver::Exec, "${root}/tool")
        };
        let field = |edit: fn(&mut Action)| {
            let mut found =
                Action { target: "/r/tool".into(), argv: vec!["tool".into(), "/r/a".into()], ..planned.clone() };
            edit(&mut found);
            mismatch(&planned, &found, "/r", true).map(|(field, ..)| field)
        };
        assert_eq!(field(|_| ()), None);
        assert_eq!(field(|found| found.argv.truncate(1)), Some("action.argv"));
        assert_eq!(field(|found| found.argv[1] = "/etc".into()), Some("action.argv"));
        assert_eq!(field(|found| found.exit_code = None), Some("action.exit_code"));
        assert_eq!(field(|found| found.exit_code = Some(7)), Some("action.exit_code"));
        assert_eq!(field(|found| found.payload = Some("cmn-times".into())), Some("action.payload"));
    }
}
