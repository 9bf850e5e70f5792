use super::read;

/// What keeps a profile from being applied.
fn gates(body: &str) -> Vec<(&'static str, u32)> {
    let policy = read(&format!("(version 1)\n(allow default)\n{body}"));
    policy.gates().into_iter().map(|gate| (gate.kind.as_str(), gate.place.line)).collect()
}

#[test]
fn a_deny_inside_a_message_filter_is_found() {
    let deny = "(allow iokit-open-user-client\n (iokit-user-client-class \"X\")\n (apply-message-filter\n (deny iokit-external-method (iokit-method-number 3))))";
    assert_eq!(gates(deny), [("message_filter_deny", 6)]);
    assert_eq!(gates("(apply-message-filter (deny mach-message-send))"), [("message_filter_deny", 3)]);
    assert_eq!(gates(&deny.replace("(deny iokit-external-method", "(allow iokit-external-method")), []);
    // Behind a definition it is found as well, and in a comment it is not.
    assert_eq!(
        gates("(define (lock op) (apply-message-filter (deny op)))\n(lock iokit-external-trap)"),
        [("message_filter_deny", 3)]
    );
    assert_eq!(gates("; (apply-message-filter (deny mach-message-send))"), []);
}

#[test]
fn the_rules_of_a_message_filter_are_marked() {
    let policy = read(
        "(version 1)(deny default)(allow iokit-open* (apply-message-filter (allow iokit-external-method)) (iokit-connection \"X\"))(allow signal)",
    );
    let marks: Vec<(&str, bool)> =
        policy.rules().rules.iter().map(|rule| (rule.operations[0].as_str(), rule.in_message_filter)).collect();
    assert_eq!(marks, [("default", false), ("iokit-open*", false), ("iokit-external-method", true), ("signal", false)]);
    assert_eq!(policy.rules().rules[1].filters.len(), 1);
}

#[test]
fn other_refusals_of_apply_are_found() {
    assert_eq!(gates("(allow iokit-external-method)"), [("outside_message_filter", 3)]);
    assert_eq!(gates("(deny file-read* (with report) (literal \"/x\"))"), [("report_on_deny", 3)]);
    assert_eq!(gates("(allow file-read* (with report) (literal \"/x\"))"), []);
    assert_eq!(gates("(allow network* (require-not (remote ip \"10.0.0.1:80\")))"), [("network_host", 3)]);
    assert_eq!(gates("(allow network* (remote ip \"localhost:80\") (local udp \"*:*\"))"), []);
}
