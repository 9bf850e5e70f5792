//! The environment variables that a declaration lists.
//!
//! They are those that can change what a run does: the dynamic loader and the C library read them before this program has
//! a say, and the default place of fixtures is one of them. No program is looked up through `PATH`, no shell is started,
//! and nothing else of the environment is read, so nothing else is declared.

use std::collections::BTreeMap;

use crate::base::canon;
use crate::base::digest::Digest;
use crate::record::absence::Absence;
use crate::record::identity::Stated;

/// The names that a run on this system lists, sorted.
pub const LISTED: &[&str] = if cfg!(target_os = "macos") {
    &[
        // dyld(1)
        "DYLD_FALLBACK_FRAMEWORK_PATH",
        "DYLD_FALLBACK_LIBRARY_PATH",
        "DYLD_FRAMEWORK_PATH",
        "DYLD_INSERT_LIBRARIES",
        "DYLD_LIBRARY_PATH",
        // Where system frameworks look for a user's settings.
        "HOME",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        // The stack of every worker thread.
        "RUST_MIN_STACK",
        // Where fixtures are made.
        "TMPDIR",
        "TZ",
    ]
} else {
    &[
        // The C library's knobs.
        "GLIBC_TUNABLES",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        // ld.so(8)
        "LD_AUDIT",
        "LD_BIND_NOW",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        // The stack of every worker thread.
        "RUST_MIN_STACK",
        // Where fixtures are made if /dev/shm does not serve.
        "TMPDIR",
        "TZ",
    ]
};

/// The listed variables of an environment, each by the digest of its value.
pub fn declared(environment: &[(String, Vec<u8>)]) -> BTreeMap<String, Stated<Digest>> {
    let value = |name: &str| environment.iter().find(|(found, _)| found == name).map(|(_, value)| Digest::of(value));
    LISTED.iter().map(|name| ((*name).to_owned(), Stated::or_absent(value(name), Absence::NotSet))).collect()
}

/// The locale that an environment asks for (setlocale(3)): the first of `LC_ALL`, `LC_CTYPE`, `LANG` that has a value.
pub fn locale(environment: &[(String, Vec<u8>)]) -> Stated<String> {
    let value = |name: &str| environment.iter().find(|(found, value)| found == name && !value.is_empty());
    match ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(value) {
        Some((_, value)) => text(value),
        None => Stated::absent(Absence::NoLocale),
    }
}

/// A variable's value as a text of the declaration. Nobody's environment can make a run impossible to declare.
pub fn text(value: &[u8]) -> Stated<String> {
    match std::str::from_utf8(value) {
        Ok(text) if canon::is_normal(text) => Stated::Is(text.to_owned()),
        _ => Stated::absent(Absence::NoNormalText),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
    }

    #[test]
    fn only_listed_names_are_declared_and_all_of_them() {
        assert!(LISTED.is_sorted_by(|a, b| a < b));
        let found = declared(&environment(&[("TZ", "UTC"), ("SECRET", "x"), ("LANG", "")]));
        assert_eq!(found.len(), LISTED.len());
        assert_eq!(found["TZ"], Stated::Is(Digest::of(b"UTC")));
        assert_eq!(found["LANG"], Stated::Is(Digest::of(b"")));
        assert_eq!(found["TMPDIR"], Stated::absent(Absence::NotSet));
    }

    #[test]
    fn the_locale_is_the_one_that_counts() {
        assert_eq!(locale(&environment(&[("LANG", "a"), ("LC_ALL", "b")])), Stated::Is("b".into()));
        assert_eq!(locale(&environment(&[("LANG", "a"), ("LC_ALL", "")])), Stated::Is("a".into()));
        assert!(locale(&[]).value().is_none());
        assert!(locale(&[("LANG".into(), vec![0xff])]).value().is_none());
        assert!(locale(&environment(&[("LANG", "e\u{301}")])).value().is_none());
    }
}
