//! What the model says that the kernel names if it refuses.

use serde_json::json;

use super::{action, policy, tree};
use crate::policy::landlock::model::blockers;

#[test]
fn what_is_missing_is_named_as_the_kernel_names_it() {
    let policy = policy(json!({
        "handled": {
            "fs": ["read_file", "write_file", "make_reg", "remove_file", "execute"],
            "net": ["connect_tcp"],
            "scope": ["signal"],
        },
        "path_beneath": [
            {"path": "${root}/in", "allow": ["read_file", "make_reg"]},
            {"path": "${root}/in/w", "allow": ["write_file"]},
        ],
    }));
    let fixtures = tree(&["in/f", "in/w", "out/f", "out/p!", "other/"]);
    let named =
        |driver: &str, target: &str, to: Option<&str>| blockers(&policy, &action(driver, target, to), &fixtures);
    let names = |driver: &str, target: &str, to: Option<&str>| named(driver, target, to).unwrap().join(" ");
    for (driver, target, to, wanted) in [
        ("file_read", "${root}/in/f", None, ""),
        ("file_read", "${root}/out/f", None, "fs.read_file"),
        ("file_read_write", "${root}/out/f", None, "fs.write_file fs.read_file"),
        ("file_read_write", "${root}/in/f", None, "fs.write_file"),
        ("file_create", "${root}/out/n", None, "fs.make_reg fs.write_file"),
        ("file_create", "${root}/in/n", None, "fs.write_file"),
        ("exec", "${root}/out/p", None, "fs.execute fs.read_file"),
        ("tcp_connect", "127.0.0.1:80", None, "net.connect_tcp"),
        ("tcp_bind", "127.0.0.1:80", None, ""),
        ("signal_outside", "outside", None, "scope.signal"),
        ("process_inspect_outside", "outside", None, "ptrace"),
        ("ptrace_outside", "outside", None, "ptrace"),
        ("mount_tmpfs", "${root}/other", None, "fs.change_topology"),
        // Of a move to another folder every handled right is named that either of them lacks, and `refer` also if it is not handled.
        ("file_rename", "${root}/in/f", Some("${root}/in/g"), "fs.remove_file"),
        (
            "file_link",
            "${root}/in/f",
            Some("${root}/out/g"),
            "fs.execute fs.make_reg fs.read_file fs.refer fs.remove_file fs.write_file",
        ),
    ] {
        let mut wanted: Vec<&str> = wanted.split_whitespace().collect();
        let found = names(driver, target, to);
        let mut found: Vec<&str> = found.split_whitespace().collect();
        wanted.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, wanted, "{driver} {target}");
    }
    // What takes something for granted, and what is not known, is not judged.
    assert_eq!(named("file_read", "/etc/hosts", None), None);
    assert_eq!(named("file_read", "${root}/none", None), None);
}

#[test]
fn a_right_that_one_of_several_layers_misses_is_missing() {
    let policy = policy(json!({"layers": [
        {"handled": {"fs": ["read_file"]}, "path_beneath": [{"path": "${root}", "allow": ["read_file"]}]},
        {"handled": {"fs": ["write_file"]}},
    ]}));
    let fixtures = tree(&["f"]);
    let named = |driver: &str| blockers(&policy, &action(driver, "${root}/f", None), &fixtures);
    assert_eq!(named("file_read"), Some(Vec::new()));
    assert_eq!(named("file_read_write"), Some(vec!["fs.write_file".to_owned()]));
}
