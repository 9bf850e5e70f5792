use super::{literal, read};
use crate::policy::sbpl::rules::LineColumn;

#[test]
fn rules_stand_after_the_text_on_lines_of_their_own() {
    let base = read("(version 1)\n(deny default) ; the end");
    let whole = base.with_rules(&["(allow file-read* (literal \"/a\"))", "; note\n(allow signal)"]).unwrap();
    assert_eq!(
        whole.text(),
        "(version 1)\n(deny default) ; the end\n(allow file-read* (literal \"/a\"))\n; note\n(allow signal)\n"
    );
    assert_eq!(whole.rules().rules.len(), 3);
    assert_eq!(whole.rules().rules[1].filters, [literal("/a")]);
    assert_eq!(whole.rules().rules[2].place, LineColumn::at(5, 1));
    assert!(whole.is_appended(whole.rules().rules[1].place));
    assert!(!whole.is_appended(whole.rules().rules[0].place));
    assert_ne!(whole.digest(), base.digest());
    let none: [&str; 0] = [];
    assert_eq!(base.with_rules(&none).unwrap(), base);
    assert!(!base.is_appended(base.rules().rules[0].place));
}

#[test]
fn names_of_the_text_are_known_in_the_rules() {
    let base = read("(version 1)(deny default)(define here \"/a\")");
    let whole = base.with_rules(&["(allow file-read* (literal here))"]).unwrap();
    assert_eq!(whole.rules().rules[1].filters, [literal("/a")]);
}

#[test]
fn a_fault_is_found_in_its_rule() {
    for base in ["(version 1)\n(deny default)\n", "(version 1)\n(deny default)", "(version 1)(deny default)\n\n\n"] {
        let base = read(base);
        let refused = base.with_rules(&["(allow signal)\n", "\n  (allow singal)", "(allow signal)"]).unwrap_err();
        assert_eq!(refused.rule, Some(1));
        assert_eq!(refused.error.place, LineColumn::at(2, 10));
        assert_eq!(refused.error.line, "  (allow singal)");
        assert_eq!(base.with_rules(&["(allow signal"]).unwrap_err().rule, Some(0));
        assert_eq!(base.with_rules(&["(allow signal)", "", ")"]).unwrap_err().rule, Some(2));
    }
}
