//! Several rulesets together, and the threads that they bind.

use super::*;

#[test]
fn what_every_layer_lets_through_is_let_through_and_nothing_else() {
    let read = |path: &str| json!({"handled": {"fs": ["read_file"]}, "path_beneath": [{"path": path, "allow": ["read_file"]}]});
    let both = policy(json!({"layers": [read("${root}/in"), read("${root}/in/deep")]}));
    let fixtures = tree(&["in/f", "in/deep/f", "out/f"]);
    for (target, answer) in [
        ("${root}/in/deep/f", "allow /layers/0/path_beneath/0"),
        ("${root}/in/f", "deny /layers/1/handled/fs"),
        ("${root}/out/f", "deny /layers/0/handled/fs"),
    ] {
        assert_eq!(ask(&both, &fixtures, "file_read", target, None), answer, "{target}");
    }
    let answer = evaluate(&both, &action("file_read", "${root}/in/deep/f", None), &fixtures);
    let by = "granted: read_file by /layers/0/path_beneath/0, read_file by /layers/1/path_beneath/0";
    assert_eq!(answer.reason, by);

    let ports = |port: &str| json!({"handled": {"net": ["connect_tcp"]}, "net_port": [{"port": port, "allow": ["connect_tcp"]}]});
    let network = policy(json!({"layers": [ports("80"), {"handled": {"scope": ["signal"]}}, ports("${port.a}")]}));
    for (driver, target, answer) in [
        ("tcp_connect", "127.0.0.1:80", "deny /layers/2/handled/net"),
        // That 80 is not the port of the run has to be taken for granted by no one: the first layer refuses any but 80.
        ("tcp_connect", "127.0.0.1:443", "deny /layers/0/handled/net"),
        ("tcp_connect", "127.0.0.1:${port.a}", "deny /layers/0/handled/net"),
        ("signal_outside", "", "deny /layers/1/handled/scope"),
        ("abstract_connect", "x", "allow /layers/0/handled/scope"),
        // No layer handles a file right, so none is asked about files.
        ("file_read", "${root}/out/f", "allow /layers/0/handled/fs"),
        ("file_link", "${root}/out/f", "allow /layers/0/handled/fs"),
    ] {
        let to = (driver == "file_link").then_some("${root}/in/g");
        assert_eq!(ask(&network, &fixtures, driver, target, to), answer, "{driver} {target}");
    }
    let certain = evaluate(&network, &action("tcp_connect", "127.0.0.1:443", None), &fixtures);
    assert!(certain.is_certain(), "{certain:?}");
}

#[test]
fn a_policy_of_which_one_layer_cannot_be_applied_decides_nothing() {
    let handled = json!({"fs": ["read_file"]});
    let absent = json!({"handled": handled, "path_beneath": [{"path": "${root}/none", "allow": ["read_file"]}]});
    let policy = policy(json!({"layers": [{"handled": handled}, absent]}));
    let answer = evaluate(&policy, &action("file_read", "${root}/f", None), &tree(&["f"]));
    assert_eq!(answer.decision, None);
    assert!(answer.reason.contains("/layers/1/path_beneath/0/path"), "{}", answer.reason);
}

/// Each confirmed on a kernel of ABI 7.
#[test]
fn every_layer_has_to_grant_refer_as_soon_as_one_handles_a_file_right() {
    let fixtures = tree(&["d/a", "d/sub/"]);
    let (from, to) = ("${root}/d/a", Some("${root}/d/sub/a"));
    let refer = json!({"handled": {"fs": ["refer"]}, "path_beneath": [{"path": "${root}", "allow": ["refer"]}]});
    for (second, answer) in [
        (json!({"handled": {"net": ["bind_tcp"]}}), "deny /layers/1/handled"),
        (json!({"handled": {"scope": ["signal"]}}), "deny /layers/1/handled"),
        (json!({"handled": {"fs": ["execute"]}}), "deny /layers/1/handled/fs"),
        (refer.clone(), "allow /layers/0/path_beneath/0"),
    ] {
        for (layers, place) in [([&refer, &second], 1), ([&second, &refer], 0)] {
            let answer = answer.replace("/layers/1/handled", &format!("/layers/{place}/handled"));
            let policy = policy(json!({"layers": layers}));
            assert_eq!(ask(&policy, &fixtures, "file_rename", from, to), answer, "{policy:?}");
            // In one folder nobody is asked for it.
            assert!(
                ask(&policy, &fixtures, "file_rename", from, Some("${root}/d/b")).starts_with("allow"),
                "{policy:?}"
            );
        }
    }
    let alone = policy(refer);
    assert_eq!(ask(&alone, &fixtures, "file_rename", from, to), "allow /path_beneath/0");
}

#[test]
fn a_thread_from_before_is_bound_where_threads_are_restricted_together() {
    let reading = |tsync: bool| {
        policy(json!({"tsync": tsync, "handled": {"fs": ["read_file"]},
            "path_beneath": [{"path": "${root}/in", "allow": ["read_file"]}, {"path": "/proc", "allow": ["read_file"]}]}))
    };
    let fixtures = tree(&["in/f", "out/f"]);
    for (tsync, target, answer) in [
        (false, "${root}/out/f", "allow -"),
        (true, "${root}/out/f", "deny /handled/fs"),
        (true, "${root}/in/f", "allow /path_beneath/0"),
        // Behind ptrace_may_access, which a thread in a domain does not pass.
        (true, "/proc/1/mem", "deny -"),
    ] {
        assert_eq!(ask(&reading(tsync), &fixtures, "file_read_older_thread", target, None), answer, "{tsync} {target}");
    }
}

/// Confirmed on a kernel of ABI 7: `/` makes both sides of the second layer alike only after the last comparison, and the first
/// layer never grants all that it handles.
#[test]
fn a_move_that_each_layer_lets_through_may_be_refused_by_both_together() {
    let needed = ["refer", "make_reg", "remove_file"];
    let with = |right: &'static str| [&needed[..], &[right]].concat();
    let first = json!({"handled": {"fs": with("execute")}, "path_beneath": [{"path": "/", "allow": needed}]});
    let second = json!({"handled": {"fs": with("read_file")}, "path_beneath": [
        {"path": "/", "allow": with("read_file")}, {"path": "${root}/m/b", "allow": ["read_file"]}]});
    let fixtures = tree(&["m/a/f", "m/b/"]);
    let mut rename = action("file_rename", "${root}/m/a/f", Some("${root}/m/b/f"));
    rename.mounts = vec![BindMount { from: "${root}/m".into(), at: "${root}/m".into() }];
    let ask = |value: Value| brief(&evaluate(&policy(value), &rename, &fixtures));
    assert_eq!(ask(first.clone()), "allow /path_beneath/0");
    assert_eq!(ask(second.clone()), "allow /path_beneath/0");
    assert_eq!(ask(json!({"layers": [first, second]})), "deny /layers/0/handled/fs");
    assert_eq!(ask(json!({"layers": [second, first]})), "deny /layers/1/handled/fs");
}
