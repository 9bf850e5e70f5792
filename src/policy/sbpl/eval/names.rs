//! The names that the language gives a meaning to.
//!
//! Filters: the 93 of the compiler of macOS 14.4.1 (those that profiles in the open use), and their variants with
//! `-prefix` and `-regex`. What is not here becomes an unknown filter, never nothing.

/// What a filter is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FilterKind {
    /// A path, compared in this way.
    Path(PathKind),
    /// A text of that name.
    Name(Compare),
    /// A symbol or a number.
    Symbol,
    /// Permission bits.
    FileMode,
    /// An end of a connection.
    Network,
    /// An extension's class.
    Extension,
    /// An entitlement's name.
    Entitlement,
    /// A filter of the language whose meaning is not known here.
    Opaque,
    /// `require-all`, `require-any`, `require-not`.
    Combination,
}

/// How a path is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathKind {
    Literal,
    Subpath,
    Prefix,
    Regex,
    Ancestors,
    HomeLiteral,
    HomeSubpath,
    HomePrefix,
    HomeRegex,
}

/// How a text is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    Literal,
    Prefix,
    Regex,
}

/// Filters on a text.
const TEXTS: &[&str] = &[
    "appleevent-destination",
    "boot-arg",
    "control-name",
    "device-conforms-to",
    "extension-class",
    "filesystem-name",
    "global-name",
    "iokit-connection",
    "iokit-property",
    "iokit-registry-entry-attribute",
    "iokit-registry-entry-class",
    "iokit-user-client-class",
    "ipc-posix-name",
    "kext-bundle-id",
    "local-name",
    "mac-policy-name",
    "message-name",
    "notification-name",
    "notification-payload",
    "nvram-variable",
    "preference-domain",
    "right-name",
    "signing-identifier",
    "snapshot-name",
    "sysctl-name",
    "target-signing-identifier",
    "xattr",
    "xpc-service-name",
];

/// Filters on a symbol or a number.
const SYMBOLS: &[&str] = &[
    "codesigning-operation",
    "csr",
    "device-major",
    "device-minor",
    "fcntl-command",
    "file-attribute",
    "fsctl-command",
    "host-special-port",
    "info-type",
    "ioctl-command",
    "iokit-method-number",
    "iokit-trap-number",
    "iokit-user-client-type",
    "kas-info-selector",
    "kernel-mig-routine",
    "mac-syscall-number",
    "machtrap-number",
    "message-number",
    "privilege-id",
    "process-attribute",
    "reboot-flags",
    "semaphore-owner",
    "signal-number",
    "socket-domain",
    "socket-option-level",
    "socket-option-name",
    "socket-protocol",
    "socket-type",
    "state-flag",
    "storage-class",
    "syscall-number",
    "system-attribute",
    "target",
    "task-special-port",
    "uid",
    "vnode-type",
];

/// Filters of the language that depend on what is known to the kernel alone.
const OPAQUE: &[&str] = &[
    "mount-relative-literal",
    "mount-relative-path",
    "mount-relative-path-literal",
    "mount-relative-path-prefix",
    "mount-relative-path-regex",
    "mount-relative-path-subpath",
    "mount-relative-prefix",
    "mount-relative-regex",
    "mount-relative-subpath",
];

/// The values of a filter, where the list of them is closed, and the filter's own name.
pub(super) fn constants(filter: &str) -> Option<(&'static str, &'static [&'static str])> {
    const TARGETS: &[&str] = &["children", "others", "pgrp", "same-sandbox", "self"];
    const VNODE_TYPES: &[&str] =
        &["BLOCK-DEVICE", "CHARACTER-DEVICE", "DIRECTORY", "FIFO", "REGULAR-FILE", "SOCKET", "SYMLINK", "TTY"];
    match filter {
        "target" => Some(("target", TARGETS)),
        "vnode-type" => Some(("vnode-type", VNODE_TYPES)),
        _ => None,
    }
}

/// The words of modifiers.
pub(super) const MODIFIERS: &[&str] = &[
    "do-not-audit",
    "grant",
    "message",
    "no-callout",
    "no-log",
    "no-profile",
    "no-report",
    "no-sandbox",
    "no-times",
    "partial-symbolication",
    "report",
    "rootless",
    "send-signal",
    "telemetry",
    "telemetry-backtrace",
    "user-approval",
];

/// Names that profiles were seen to use and macOS does not have.
pub(super) const UNBOUND: &[&str] = &["setenv"];

/// The filter of that name, and the name without its variant's ending.
pub(super) fn filter(name: &str) -> Option<(FilterKind, &str)> {
    let path = |kind| Some((FilterKind::Path(kind), name));
    match name {
        "literal" | "path" | "path-literal" => return path(PathKind::Literal),
        "subpath" => return path(PathKind::Subpath),
        "prefix" | "path-prefix" => return path(PathKind::Prefix),
        "regex" | "path-regex" => return path(PathKind::Regex),
        "path-ancestors" => return path(PathKind::Ancestors),
        "home-literal" | "home-path" => return path(PathKind::HomeLiteral),
        "home-subpath" => return path(PathKind::HomeSubpath),
        "home-prefix" => return path(PathKind::HomePrefix),
        "home-regex" => return path(PathKind::HomeRegex),
        "require-entitlement" => return Some((FilterKind::Entitlement, name)),
        _ if OPAQUE.contains(&name) => return Some((FilterKind::Opaque, name)),
        "file-mode" => return Some((FilterKind::FileMode, name)),
        "local" | "remote" => return Some((FilterKind::Network, name)),
        "extension" => return Some((FilterKind::Extension, name)),
        "require-all" | "require-any" | "require-not" => return Some((FilterKind::Combination, name)),
        _ => {}
    }
    let among = |list: &[&str], name: &str| list.binary_search(&name).is_ok();
    if among(SYMBOLS, name) {
        return Some((FilterKind::Symbol, name));
    }
    if among(TEXTS, name) {
        return Some((FilterKind::Name(Compare::Literal), name));
    }
    for (ending, compare) in [("-prefix", Compare::Prefix), ("-regex", Compare::Regex)] {
        if let Some(base) = name.strip_suffix(ending).filter(|base| among(TEXTS, base)) {
            return Some((FilterKind::Name(compare), base));
        }
    }
    None
}

/// Procedures that are no filters.
pub(super) const PROCEDURES: &[&str] = &[
    "*",
    "+",
    "-",
    "/",
    "<",
    "<=",
    "=",
    ">",
    ">=",
    "abs",
    "allow",
    "append",
    "apply",
    "assoc",
    "assq",
    "assv",
    "boolean?",
    "caadr",
    "caar",
    "cadar",
    "cadddr",
    "caddr",
    "cadr",
    "car",
    "cdar",
    "cdddr",
    "cddr",
    "cdr",
    "cons",
    "defined?",
    "deny",
    "display",
    "entitlement",
    "eq?",
    "equal?",
    "eqv?",
    "error",
    "even?",
    "for-each",
    "length",
    "list",
    "list->vector",
    "list-ref",
    "list-tail",
    "list?",
    "make-vector",
    "map",
    "max",
    "member",
    "memq",
    "memv",
    "min",
    "modulo",
    "negative?",
    "newline",
    "not",
    "null?",
    "number->string",
    "number?",
    "odd?",
    "pair?",
    "param",
    "positive?",
    "print",
    "procedure?",
    "quotient",
    "regex-quote",
    "remainder",
    "reverse",
    "string",
    "string->number",
    "string->symbol",
    "string-append",
    "string-length",
    "string<=?",
    "string<?",
    "string=?",
    "string>=?",
    "string>?",
    "string?",
    "substring",
    "symbol->string",
    "symbol?",
    "vector",
    "vector->list",
    "vector-length",
    "vector-ref",
    "vector?",
    "zero?",
];

/// Forms that see their parts before they are evaluated.
pub(super) const FORMS: &[&str] = &[
    "and",
    "apply-message-filter",
    "begin",
    "case",
    "cond",
    "debug",
    "define",
    "define-macro",
    "define-once",
    "disable-callouts",
    "disable-full-symbolication",
    "do",
    "if",
    "import",
    "lambda",
    "let",
    "let*",
    "letrec",
    "macro",
    "or",
    "quote",
    "set!",
    "trace",
    "unless",
    "version",
    "when",
    "with",
    "with-filter",
];

/// The language's own copy of a name that is a filter or a procedure.
pub(super) fn builtin(name: &str) -> Option<&'static str> {
    const FILTERS: &[&str] = &[
        "extension",
        "file-mode",
        "home-literal",
        "home-path",
        "home-prefix",
        "home-regex",
        "home-subpath",
        "literal",
        "local",
        "path",
        "path-ancestors",
        "path-literal",
        "path-prefix",
        "path-regex",
        "prefix",
        "regex",
        "remote",
        "require-all",
        "require-any",
        "require-entitlement",
        "require-not",
        "subpath",
    ];
    let among = |list: &[&'static str]| list.iter().copied().find(|known| *known == name);
    // The variants with an ending are called by their name alone; nobody passes them around.
    among(PROCEDURES).or_else(|| among(FILTERS)).or_else(|| among(TEXTS)).or_else(|| among(SYMBOLS))
}

/// Names that a misspelt form may have meant.
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    [FORMS, PROCEDURES, TEXTS, SYMBOLS].into_iter().flatten().copied().chain([
        "extension",
        "file-mode",
        "literal",
        "local",
        "path",
        "prefix",
        "regex",
        "remote",
        "require-all",
        "require-any",
        "require-not",
        "subpath",
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted() {
        for list in [TEXTS, SYMBOLS, PROCEDURES, FORMS] {
            assert!(list.windows(2).all(|pair| pair[0] < pair[1]), "{list:?}");
        }
    }

    #[test]
    fn variants_keep_their_base() {
        assert_eq!(filter("global-name-regex"), Some((FilterKind::Name(Compare::Regex), "global-name")));
        assert_eq!(filter("sysctl-name"), Some((FilterKind::Name(Compare::Literal), "sysctl-name")));
        assert_eq!(filter("vnode-type"), Some((FilterKind::Symbol, "vnode-type")));
        assert_eq!(filter("vnode-type-regex"), None);
        assert_eq!(filter("mount-relative-literal"), Some((FilterKind::Opaque, "mount-relative-literal")));
        assert_eq!(filter("mount-nonsense"), None);
    }
}
