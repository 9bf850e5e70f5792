use super::{read, refused};

/// The place and the first line of a refusal.
fn told(text: &str) -> String {
    refused(text).to_string().lines().next().unwrap().to_owned()
}

#[test]
fn a_refusal_shows_the_line_with_a_caret() {
    insta::assert_snapshot!(refused("(version 1)\n(deny default)\n  (allow file-raed* (literal \"/é/x\"))\n"), @r#"
    3:10: there is no operation `file-raed*`; did you mean `file-read*`?
        (allow file-raed* (literal "/é/x"))
               ^
    "#);
    let far = format!("(version 1) (allow default (literal \"{}\")) )", "é".repeat(300));
    let error = refused(&far);
    assert_eq!((error.place.line, error.place.column), (1, 342));
    assert_eq!(error.line.chars().nth(error.caret), Some(')'));
    assert!(error.line.chars().count() <= 120);
}

#[test]
fn texts_that_are_no_profile() {
    assert_eq!(told(""), "1:1: the profile does not begin with its version; begin with `(version 1)`");
    assert_eq!(
        told("; note\n(allow default)"),
        "2:1: the profile does not begin with its version, but with `(allow default)`; begin with `(version 1)`"
    );
    assert_eq!(told("(version 4)"), "1:1: `(version 4)` is no version of the profile language; write 1, 2 or 3");
    assert_eq!(told("(version 1)(allow default"), "1:12: this `(` is never closed; add the missing `)`");
    assert_eq!(told("(version 1)\n)"), "2:1: this `)` closes nothing; remove it, or add the `(`");
    assert_eq!(told("(version 1) (literal \"x"), "1:22: this string never ends; add the missing `\"`");
    assert_eq!(told("(version 1) (x ')"), "1:16: nothing follows this `'`; remove it");
    assert_eq!(told("(version 1) #o9"), "1:13: `#o9` is no number of 64 bits; correct the digits");
    assert_eq!(
        told("(version 1) 99999999999999999999"),
        "1:13: `99999999999999999999` is no number of 64 bits; correct the digits"
    );
    assert!(told("(version 1) #q").starts_with("1:13: `#q` means nothing; known are"));
    assert!(told("(version 1)(version 2)").contains("its version is 1, and here 2"));
    assert_eq!(read("(version 1)(version 1)(allow default)").rules().rules.len(), 1);
}

#[test]
fn operations_are_checked() {
    for (name, close) in [
        ("file-read", "`file-read*`"),
        ("mach-lookpu", "`mach-lookup`"),
        ("FILE-READ*", "`file-read*`"),
        ("sysctl-raed", "`sysctl-read`"),
    ] {
        let message = told(&format!("(version 1)(deny default)(allow {name} (literal \"/x\"))"));
        assert!(message.contains(&format!("there is no operation `{name}`")), "{message}");
        assert!(message.contains(close), "{message}");
    }
    // A list of operations is checked to its end, and a rule inside a message filter as well.
    assert!(told("(version 1)(allow file-read* file-wirte*)").contains("file-wirte*"));
    assert!(told("(version 1)(allow iokit-open* (apply-message-filter (deny signla)))").contains("signla"));
    // What is further away may be an operation of another release.
    for name in ["file-write-metadata", "file-read-acl", "something"] {
        let policy = read(&format!("(version 1)(deny default)(allow {name} (literal \"/x\"))"));
        assert_eq!(policy.rules().rules[1].operations, [name]);
        assert!(policy.remarks()[0].kind.to_string().contains("not among the operations of macOS 14.4.1"));
    }
    for name in
        ["ipc-posix-shm-read*", "mach-per-user-lookup", "process-codesigning-status*", "ipc-posix-shm-read-metadata"]
    {
        assert_eq!(read(&format!("(version 1)(deny default)(allow {name})")).remarks(), [], "{name}");
    }
    assert!(told("(version 1)(allow ipc-posix-shm-raed*)").contains("`ipc-posix-shm-read*`"));
    // After an import any name may be a filter; an operation that is misspelt is none.
    assert!(told("(version 1)(import \"x.sb\")(allow fiel-read*)").contains("`file-read*`"));
    assert!(told("(version 1)(import \"x.sb\")(allow file-read* fiel-write*)").contains("`file-write*`"));
    assert_eq!(
        told("(version 1)(allow (literal \"/x\"))"),
        "1:12: this `allow` names no operation; name one, such as `default` or `file-read*`"
    );
}

#[test]
fn slips_in_values_signs_of_other_dialects_and_patterns_that_do_not_compile_are_refused() {
    for (text, message) in [
        ("(allow signal (target slef))", "`target` has no value `slef`; did you mean `self`?"),
        ("(allow file* (vnode-type REGULAR_FILE))", "did you mean `REGULAR-FILE`?"),
        ("(deny file* (with no-logg))", "`with` has no value `no-logg`; did you mean `no-log`?"),
        ("[allow file*]", "`[` is no parenthesis of the profile language; write `(` and `)`"),
        ("(deny file* (regex #\"(?i)^/x\"))", "macOS does not compile the regular expression `(?i)^/x`"),
        ("(deny sysctl* (sysctl-name-regex #\"a^b\"))", "macOS does not compile"),
    ] {
        let found = told(&format!("(version 1){text}"));
        assert!(found.contains(message), "{found}");
    }
    assert!(told("\u{feff}(version 1)").contains("byte order mark"));
    // What stands behind `#!` is no part of the program.
    assert_eq!(read("#! /usr/bin/sandbox-exec -f\n(version 1)(deny default)").rules().rules.len(), 1);
}

#[test]
fn versions_differ_in_their_names() {
    for name in ["iokit-open", "process-exec", "ipc-posix-shm", "ipc-posix-sem"] {
        assert_eq!(read(&format!("(version 1)(allow {name})")).rules().rules[0].operations, [name]);
        let message = told(&format!("(version 2)(allow {name})"));
        assert!(message.contains(&format!("version 2 of the profile language has no `{name}`; write `{name}*`")));
    }
    assert_eq!(
        told("(version 2)\n (debug deny)"),
        "2:2: version 2 of the profile language has no `debug`; remove it, or use version 1"
    );
    assert!(read("(version 1)(debug deny)(deny default)").rules().gaps.is_empty());
}

#[test]
fn filters_and_forms_are_checked() {
    for (text, message) in [
        ("(literal)", "`literal` needs a string, and nothing stands here"),
        ("(subpath 5)", "`subpath` needs a string, and a number stands here"),
        ("(file-mode \"x\")", "`file-mode` needs permission bits such as `#o0004`, and a string stands here"),
        ("(file-mode #o10000)", "`file-mode` needs permission bits"),
        ("(require-not (literal \"/a\") (literal \"/b\"))", "`require-not` needs exactly one filter"),
        ("(require-any)", "`require-any` needs a filter at least, and nothing stands here"),
        ("(remote)", "`remote` needs a protocol"),
        ("\"/x\"", "`\"/x\"` is a string, where an operation, a filter or a modifier is needed"),
        ("(require-all literal)", "`literal` is a procedure, where"),
    ] {
        let found = told(&format!("(version 1)(allow file-read* {text})"));
        assert!(found.contains(message), "{found}");
    }
    for (text, message) in [
        ("(define)", "this `define` is malformed"),
        ("(if #t)", "this `if` is malformed"),
        ("(let ((a)) 1)", "this `let` is malformed"),
        ("(define (f a) a) (f)", "`f` takes 1, and is called with 0"),
        ("(define (f a . b) a) (f)", "`f` takes 1 or more, and is called with 0"),
        ("(error \"needs\" 'HOME)", "the profile itself refuses: needs HOME"),
    ] {
        let found = told(&format!("(version 1){text}"));
        assert!(found.contains(message), "{found}");
    }
}
