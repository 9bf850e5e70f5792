use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{read, refused};
use crate::base::limits::{MAX_POLICY_BYTES, MAX_SBPL_DEPTH, MAX_SBPL_NODES};
use crate::policy::sbpl::{SbplPolicy, parse};

fn profile(body: &str) -> String {
    format!("(version 1)(deny default)\n{body}")
}

#[test]
fn size_and_nesting_have_limits() {
    let deep = |levels: usize| format!("{}{}", "(".repeat(levels), ")".repeat(levels));
    assert!(parse(&deep(MAX_SBPL_DEPTH)).is_ok());
    for text in [deep(MAX_SBPL_DEPTH + 1), "(".repeat(5_000_000), "'".repeat(5_000_000)] {
        assert!(parse(&text).unwrap_err().to_string().contains("nested deeper"));
    }
    assert!(parse(&"() ".repeat(MAX_SBPL_NODES)).unwrap_err().to_string().contains("more than"));
    let large = " ".repeat(MAX_POLICY_BYTES as usize + 1);
    assert!(parse(&large).unwrap_err().to_string().contains("bytes"));
}

#[test]
fn programs_end() {
    for (body, message) in [
        ("(define (f) (f)) (f)".to_owned(), "steps"),
        ("(define (f) (not (f))) (f)".to_owned(), "deeper than"),
        ("(define (f x) (f (list x x))) (f 1)".to_owned(), "nested deeper"),
        ("(define (f g) (g g)) (f f)".to_owned(), "steps"),
        ("(do ((n 0 (+ n 1))) (#f) n)".to_owned(), "steps"),
        ("(define-macro (m) '(m)) (m)".to_owned(), "steps"),
        ("(define-macro (m . x) `(m ,@x ,@x)) (m 1)".to_owned(), "steps"),
        ("(define (f) (if (unknown?) (f) (f)) (f)) (f)".to_owned(), "steps"),
        // Doubling, of texts, of filters, of lists and of calls.
        (format!("(define a \"aaaaaaaa\"){}", "(set! a (string-append a a))".repeat(60)), "steps"),
        (format!("(define a (literal \"/x\")){}", "(set! a (require-any a a))".repeat(60)), "steps"),
        (format!("(define a (list 1)){}", "(set! a (append a a))".repeat(60)), "steps"),
        ("(define (f n) (if (zero? n) 0 (begin (f (- n 1)) (f (- n 1))))) (f 60)".to_owned(), "steps"),
        (
            format!("(define a (literal \"/x\")){}(allow file-read* a)", "(set! a (require-not a))".repeat(200)),
            "nested deeper",
        ),
        (format!("(define a (list)){}", "(set! a (list a))".repeat(100_000)), "nested deeper"),
        (
            format!(
                "(define l '({})) (for-each (lambda (a) (for-each (lambda (b) (for-each (lambda (c) (allow signal)) l)) l)) l)",
                "1 ".repeat(1000)
            ),
            "steps",
        ),
    ] {
        let error = refused(&profile(&body)).to_string();
        assert!(error.contains(message), "{body:.60}: {error:.200}");
    }
}

#[test]
fn deep_nesting_that_is_allowed_is_evaluated() {
    let levels = MAX_SBPL_DEPTH - 2;
    let nested = format!("{}(literal \"/x\"){}", "(require-not ".repeat(levels), ")".repeat(levels));
    let policy = read(&profile(&format!("(allow file-read* {nested})")));
    assert_eq!(policy.clone(), policy);
    // Conditions that are not known, one within the other and one after the other.
    let ifs = format!("{}(allow signal){}", "(if (unknown?) ".repeat(60), ")".repeat(60));
    assert!(read(&profile(&ifs)).rules().gaps.len() <= 1);
    let many = "(if (unknown?) (allow signal) (deny signal))".repeat(5000);
    assert!(!read(&profile(&many)).rules().gaps.is_empty());
    let begins = format!("{}(allow signal){}", "(begin ".repeat(levels), ")".repeat(levels));
    assert_eq!(read(&profile(&begins)).rules().rules.len(), 2);
}

#[test]
fn a_huge_profile_is_read() {
    let rules: String = (0..20_000).map(|n| format!("(allow file-read* (literal \"/private/tmp/{n}\"))\n")).collect();
    assert_eq!(read(&profile(&rules)).rules().rules.len(), 20_001);
}

/// Programs out of the words of the language.
fn program() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "allow",
        "deny",
        "default",
        "file-read*",
        "signal",
        "x",
        "f",
        "\"/a\"",
        "#\"^/b\"",
        "#t",
        "#f",
        "1",
        "'x",
        "literal",
        "require-any",
        "require-not",
        "define",
        "lambda",
        "if",
        "when",
        "let",
        "cond",
        "else",
        "param",
        "string-append",
        "apply",
        "map",
        "list",
        "(x)",
        "(define x 1)",
        "(define (f x) x)",
        "(f x)",
        "(param \"K\")",
        "(literal \"/a\")",
        "(with report)",
        "apply-message-filter",
        "with-filter",
        "set!",
        "and",
        "or",
        "not",
        "import",
        "remote",
        "ip",
        "for-each",
        "case",
        "do",
        "define-macro",
        "`(a ,x)",
        ",x",
        ",@x",
        "(unknown?)",
        "(set! x 2)",
        "(if (unknown?) (set! x f) (allow file*))",
        "substring",
        "list-ref",
        "vector",
        "+",
        "10.5",
        "car",
        "cdr",
        "()",
        ".",
    ])
    .prop_map(str::to_owned);
    word.prop_recursive(6, 80, 6, |inner| {
        prop::collection::vec(inner, 0..6).prop_map(|words| format!("({})", words.join(" ")))
    })
}

proptest! {
    #[test]
    fn no_program_panics(forms in prop::collection::vec(program(), 0..8)) {
        let text = profile(&forms.join("\n"));
        if let Ok(policy) = SbplPolicy::new(text.as_str(), BTreeMap::new()) {
            prop_assert!(policy.rules().rules.iter().all(|rule| !rule.operations.is_empty()));
            prop_assert!(policy.rules().gaps.iter().all(|gap| gap.before <= policy.rules().rules.len()));
            let _ = policy.gates();
        }
    }

    #[test]
    fn no_text_panics(text in ".*") {
        if let Err(error) = SbplPolicy::new(text, BTreeMap::new()) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
