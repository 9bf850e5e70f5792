use proptest::prelude::*;

use super::given;
use crate::policy::sbpl::rules::{Filter, LineColumn, PathFilter};
use crate::policy::sbpl::syntax::{Datum, Node, NodeMark, Radix, RawText, SbplText};
use crate::policy::sbpl::{parse, print, quote};

fn node(datum: Datum) -> Node {
    Node { place: LineColumn::at(1, 1), datum }
}

/// Strings with everything that a quoting could trip over.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[^\0]{0,6}",
        prop::sample::select(vec![
            "\"",
            "\\",
            "\\\\",
            "\\\"",
            "#\"",
            ";",
            "\n",
            "\r\n",
            "\t",
            "(",
            ")",
            "'",
            "\u{feff}",
            "é",
            "\u{1f600}",
            "\u{7f}",
            "\u{200b}",
            "|#",
            "#|",
            "${root}",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn symbol() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z*!?<>=_%/][a-zA-Z0-9*!?<>=_%/+.'@,`#-]{0,8}",
        prop::sample::select(vec!["+", "-", ".", "...", "@x", "a\"b", "1+", "-x", "é", "#\\(", "#\\a", "#\\ "])
            .prop_map(str::to_owned),
    ]
    // A quote ends a word, so such a name cannot be read at all.
    .prop_filter("a name", |name| name.starts_with("#\\") || !name.contains('"'))
}

fn atom() -> impl Strategy<Value = Datum> {
    let radix = prop::sample::select(vec![Radix::Binary, Radix::Octal, Radix::Decimal, Radix::Hexadecimal]);
    prop_oneof![
        symbol().prop_map(Datum::Symbol),
        nasty().prop_map(Datum::Text),
        nasty().prop_filter_map("a raw string", |text| RawText::new(&text)).prop_map(Datum::Raw),
        (any::<i64>(), radix).prop_map(|(value, radix)| Datum::Number { value, radix }),
        any::<bool>().prop_map(Datum::Bool),
    ]
}

fn tree() -> impl Strategy<Value = Node> {
    let mark = prop::sample::select(vec![NodeMark::Quote, NodeMark::Quasi, NodeMark::Unquote, NodeMark::Splice]);
    atom().prop_map(node).prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(|items| node(Datum::List(items))),
            (mark.clone(), inner).prop_map(|(mark, inner)| node(Datum::Marked(mark, Box::new(inner)))),
        ]
    })
}

/// Text made of what the language is made of.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "(",
        ")",
        "(",
        ")",
        "(version 1)",
        "(allow file-read* ",
        "(literal ",
        "\"/x\"",
        "#\"^/a\\.b\"",
        "\"",
        "\\",
        "#t",
        "#f",
        "#o17",
        "#x1F",
        "#b2",
        "-",
        "-5",
        "'",
        ",",
        ",@",
        "`",
        ";",
        "\n",
        " ",
        "deny",
        "default",
        "é",
        "#\\",
        "#",
        "\t",
        "\"\\q\"",
        "@",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(forms in prop::collection::vec(tree(), 0..6)) {
        let program = SbplText { forms, ..SbplText::default() };
        let text = print(&program);
        prop_assert_eq!(&parse(&text).unwrap(), &program, "{}", text);
    }

    #[test]
    fn what_reads_prints_as_the_same(text in prop_oneof![soup(), nasty(), ".*"]) {
        if let Ok(program) = parse(&text) {
            let printed = print(&program);
            let again = parse(&printed).unwrap();
            prop_assert_eq!(&again, &program);
            prop_assert_eq!(print(&again), printed);
        }
    }

    #[test]
    fn a_quoted_text_is_that_text(text in nasty()) {
        let program = parse(&quote(&text)).unwrap();
        prop_assert_eq!(&program.forms[..], &[node(Datum::Text(text))]);
        prop_assert!(program.doubtful_escapes.0.is_empty());
    }

    #[test]
    fn a_text_comes_through_a_parameter_and_an_append(key in nasty(), value in nasty(), ending in nasty()) {
        let profile = format!(
            "(version 1)(deny default)(allow file-read* (literal (string-append (param {}) {})))",
            quote(&key),
            quote(&ending)
        );
        let policy = given(&profile, &[(&key, &value)]);
        let expected = Filter::Path(PathFilter::Literal(format!("{value}{ending}")));
        prop_assert_eq!(&policy.rules().rules[1].filters[..], &[expected]);
    }

    #[test]
    fn places_are_those_of_the_text(before in "[ \\n;é\t]{0,12}") {
        let text = format!("{before}\n   (x)");
        let program = parse(&text).unwrap();
        let line = text.matches('\n').count() as u32 + 1;
        prop_assert_eq!(program.forms.last().unwrap().place, LineColumn::at(line, 4));
    }
}

#[test]
fn a_nul_is_refused_wherever_it_stands() {
    for text in ["\0", "(a\0)", "\"\0\"", "\"\\\0\"", "#\"\0\"", "; \0", "#\\\0", "a\0"] {
        let error = parse(text).unwrap_err();
        assert!(error.to_string().contains("NUL"), "{text:?}: {error}");
    }
}

#[test]
fn raw_strings_keep_their_backslashes() {
    let text = "#\"^/private/var/(db|tmp)/\\.x$\" #\"a\\\"b\" #\"\\\\\"";
    let raw: Vec<String> = parse(text)
        .unwrap()
        .forms
        .into_iter()
        .map(|form| match form.datum {
            Datum::Raw(text) => text.as_str().to_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(raw, ["^/private/var/(db|tmp)/\\.x$", "a\\\"b", "\\\\"]);
    assert_eq!(RawText::new("a\"b"), None);
    assert_eq!(RawText::new("a\\"), None);
}

#[test]
fn numbers_and_comments() {
    let program = parse("; a comment (\n#o0004 #x1F -12 #b101 #d7 12a ; end").unwrap();
    let number = |value, radix| node(Datum::Number { value, radix });
    assert_eq!(
        program.forms,
        [
            number(4, Radix::Octal),
            number(31, Radix::Hexadecimal),
            number(-12, Radix::Decimal),
            number(5, Radix::Binary),
            number(7, Radix::Decimal),
            node(Datum::Symbol("12a".into())),
        ]
    );
    assert_eq!(print(&program), "#o4\n#x1f\n-12\n#b101\n7\n12a\n");
}
