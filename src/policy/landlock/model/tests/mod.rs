//! Hand-checked cases, each confirmed on a kernel of ABI 7, and properties that hold for every policy.

mod blockers;
mod hosts;
mod layers;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::policy::landlock::Layer;
use crate::policy::landlock::document::PolicyDocument;
use crate::policy::landlock::rights::{FsRight, Right, RightSet};
use crate::record::driver::Driver;
use crate::record::outcome::Decision;

fn policy(value: Value) -> LandlockPolicy {
    let mut value = value;
    value["schema_version"] = json!("sandproof.landlock_policy.v1");
    value.as_object_mut().unwrap().entry("abi").or_insert(json!(10));
    LandlockPolicy::compile(&serde_json::from_value::<PolicyDocument>(value).unwrap()).unwrap()
}

/// Paths to fixtures: `d/` is a folder, `l -> text` a symbolic link, `h = f` a hard link, `p!` a program, `q|` a FIFO.
fn tree(lines: &[&str]) -> Vec<FixtureEntry> {
    let entry = |line: &&str| {
        let value = if let Some((path, to)) = line.split_once(" -> ") {
            json!({"path": path, "kind": "symlink", "to": to})
        } else if let Some((path, to)) = line.split_once(" = ") {
            json!({"path": path, "kind": "hardlink", "to": to})
        } else if let Some(path) = line.strip_suffix('/') {
            json!({"path": path, "kind": "dir"})
        } else if let Some(path) = line.strip_suffix('!') {
            json!({"path": path, "kind": "program"})
        } else if let Some(path) = line.strip_suffix('|') {
            json!({"path": path, "kind": "fifo"})
        } else {
            json!({"path": line, "kind": "file"})
        };
        serde_json::from_value(value).unwrap()
    };
    lines.iter().map(entry).collect()
}

fn action(driver: &str, target: &str, to: Option<&str>) -> Action {
    let driver = Driver::by_name(driver).unwrap();
    Action { to: to.map(Into::into), ..Action::new(driver, target) }
}

/// `allow`, `deny` or `?`, and the deciding pointer.
fn ask(policy: &LandlockPolicy, fixtures: &[FixtureEntry], driver: &str, target: &str, to: Option<&str>) -> String {
    brief(&evaluate(policy, &action(driver, target, to), fixtures))
}

fn brief(answer: &ModelAnswer) -> String {
    let decision = answer.decision.map_or("?", Decision::as_str);
    format!("{decision} {}", answer.rule.as_deref().unwrap_or("-"))
}

#[test]
fn paths_are_judged_by_the_object_they_reach() {
    let policy = policy(json!({"handled": {"fs": ["read_file"]},
        "path_beneath": [{"path": "${root}/in", "allow": ["read_file"]}, {"path": "${root}/out/one", "allow": ["read_file"]}]}));
    let fixtures = tree(&[
        "in/f",
        "out/f",
        "out/one",
        "inside/f",
        "in/to-out -> ../out/f",
        "out/to-in -> ${root}/in/f",
        "out/to-folder -> ../in",
        "in/hard = out/f",
        "out/hard = in/f",
        "in/hard-one = out/one",
        "out/one-again = out/one",
        "loop -> loop",
        "chain -> out/to-in",
    ]);
    for (target, answer) in [
        ("${root}/in/f", "allow /path_beneath/0"),
        ("${root}/out/f", "deny /handled/fs"),
        ("${root}/inside/f", "deny /handled/fs"),
        ("${root}/in/../out/f", "deny /handled/fs"),
        ("${root}/out/../in/./f", "allow /path_beneath/0"),
        ("${root}/in/to-out", "deny /handled/fs"),
        ("${root}/out/to-in", "allow /path_beneath/0"),
        ("${root}/chain", "allow /path_beneath/0"),
        ("${root}/out/to-folder/f", "allow /path_beneath/0"),
        // The path used decides, not the other names of the file; but a rule on the file itself follows the file.
        ("${root}/in/hard", "allow /path_beneath/0"),
        ("${root}/out/hard", "deny /handled/fs"),
        ("${root}/out/one", "allow /path_beneath/1"),
        ("${root}/out/one-again", "allow /path_beneath/1"),
        ("/proc/self/root${root}/in/f", "allow /path_beneath/0"),
        ("/proc/self/root/${root}/out/f", "deny /handled/fs"),
        ("/proc/self/cwd/x", "? -"),
        ("${root}/loop", "? -"),
        ("${root}/in/f/", "? -"),
        ("${root}/in", "? -"),
        ("${root}/in/absent", "? -"),
        ("${root}/../x", "? -"),
        ("${root}x", "? -"),
        ("in/f", "? -"),
        ("/etc/hosts", "deny /handled/fs"),
    ] {
        assert_eq!(ask(&policy, &fixtures, "file_read", target, None), answer, "{target}");
    }
}

#[test]
fn a_rule_on_a_host_path_decides_only_where_it_can_be_known() {
    let slash =
        policy(json!({"handled": {"fs": ["read_file"]}, "path_beneath": [{"path": "/", "allow": ["read_file"]}]}));
    let fixtures = tree(&["f"]);
    assert_eq!(ask(&slash, &fixtures, "file_read", "${root}/f", None), "allow /path_beneath/0");
    assert_eq!(ask(&slash, &fixtures, "file_read", "/etc/hosts", None), "allow /path_beneath/0");
    let tmp = policy(json!({"handled": {"fs": ["read_file", "write_file"]},
        "path_beneath": [{"path": "/tmp", "allow": ["read_file"]}, {"path": "/usr", "allow": ["write_file"]}]}));
    let answer = evaluate(&tmp, &action("file_read", "${root}/f", None), &fixtures);
    assert_eq!(answer.decision, None);
    assert!(answer.reason.contains("/path_beneath/0"), "{}", answer.reason);
    // The same either way, and a folder in which no fixture root ever lies.
    assert_eq!(ask(&tmp, &fixtures, "file_write", "${root}/f", None), "deny /handled/fs");
    // Unless a host is known whose fixture root lies there after all.
    let write = action("file_write", "${root}/f", None);
    assert!(holds_wherever(&tmp, &write, &fixtures, &[]));
    assert!(!holds_wherever(&tmp, &write, &fixtures, &[1]));
    let hosts = evaluate(&tmp, &action("file_read", "/etc/hosts", None), &fixtures);
    assert_eq!(hosts.decision, Some(Decision::Deny));
    assert!(hosts.assumes.iter().any(|text| text.contains("`/etc/hosts`")), "{:?}", hosts.assumes);
    assert!(!hosts.is_certain());
}

#[test]
fn a_right_that_is_plainly_missing_is_named_before_refer() {
    // The kernel answers with EACCES for the one and with EXDEV for the other, in this order.
    let policy = policy(json!({"handled": {"fs": ["remove_file"]}, "path_beneath": []}));
    let answer = evaluate(&policy, &action("file_rename", "${root}/d/f", Some("${root}/x/f")), &tree(&["d/f", "x/"]));
    assert_eq!(answer.decision, Some(Decision::Deny));
    assert!(answer.reason.starts_with("remove_file is handled"), "{}", answer.reason);
}

#[test]
fn what_each_driver_needs() {
    let fixtures = tree(&["d/f", "d/p!", "d/q|", "d/l -> f", "d/e/", "d/full/x", "x/"]);
    for (driver, target, needs) in [
        ("file_read", "d/f", "read_file"),
        ("file_write", "d/f", "write_file"),
        ("file_read_write", "d/f", "write_file read_file"),
        ("file_open_truncate", "d/f", "write_file truncate"),
        ("file_truncate", "d/f", "truncate"),
        ("file_create", "d/new", "make_reg write_file"),
        ("file_unlink", "d/f", "remove_file"),
        ("file_unlink", "d/l", "remove_file"),
        ("dir_create", "d/new/", "make_dir"),
        ("dir_remove", "d/e", "remove_dir"),
        ("dir_list", "d", "read_dir"),
        ("symlink_create", "d/new", "make_sym"),
        ("fifo_create", "d/new", "make_fifo"),
        ("socket_node_create", "d/new", "make_sock"),
        ("unix_bind", "d/new", "make_sock"),
        ("unix_connect", "d/new", "resolve_unix"),
        ("block_device_create", "d/new", "make_block"),
        ("exec", "d/p", "execute read_file"),
    ] {
        let target = format!("${{root}}/{target}");
        let every: Vec<&str> = FsRight::ALL.iter().map(|right| right.name()).collect();
        let deny = policy(json!({"handled": {"fs": every.clone()}}));
        let answer = evaluate(&deny, &action(driver, &target, Some("text")), &fixtures);
        let found: Vec<&str> = answer.needs.iter().map(|need| need.right).collect();
        assert_eq!(found.join(" "), needs, "{driver}");
        // With exactly the needed rights it is allowed, and with any one of them missing it is not.
        let needed: Vec<&str> =
            needs.split(' ').chain((driver == "file_truncate_fd").then_some("write_file")).collect();
        let grant = |rights: &[&str]| {
            let rule = json!([{"path": "${root}/d", "allow": rights}]);
            policy(json!({"handled": {"fs": every}, "path_beneath": if rights.is_empty() { json!([]) } else { rule }}))
        };
        assert_eq!(ask(&grant(&needed), &fixtures, driver, &target, Some("t")), "allow /path_beneath/0", "{driver}");
        for left_out in needs.split(' ') {
            let rest: Vec<&str> = needed.iter().copied().filter(|right| *right != left_out).collect();
            assert_eq!(ask(&grant(&rest), &fixtures, driver, &target, Some("t")), "deny /handled/fs", "{driver}");
        }
        let unhandled: Vec<&str> = FsRight::ALL.iter().map(|r| r.name()).filter(|r| !needed.contains(r)).collect();
        let other = policy(json!({"handled": {"fs": unhandled}}));
        assert_eq!(ask(&other, &fixtures, driver, &target, Some("t")), "allow /handled/fs", "{driver}");
    }
}

#[test]
fn a_whiteout_is_decided_only_where_old_and_new_kernels_agree() {
    let fixtures = tree(&["d/"]);
    let answer = |handled: &[&str], allowed: &[&str]| {
        let rules = if allowed.is_empty() { json!([]) } else { json!([{"path": "${root}/d", "allow": allowed}]) };
        let policy = policy(json!({"handled": {"fs": handled}, "path_beneath": rules}));
        ask(&policy, &fixtures, "char_device_create", "${root}/d/new", None)
    };
    assert_eq!(answer(&["make_char", "make_reg"], &[]), "deny /handled/fs");
    assert_eq!(answer(&["make_char", "make_reg"], &["make_char", "make_reg"]), "allow /path_beneath/0");
    assert_eq!(answer(&["make_block"], &[]), "allow /handled/fs");
    for one in ["make_char", "make_reg"] {
        assert_eq!(answer(&[one], &[]), "? -");
        assert_eq!(answer(&["make_char", "make_reg"], &[one]), "? -");
    }
}

#[test]
fn an_operation_behind_a_refused_open_is_not_decided() {
    let fixtures = tree(&["f"]);
    let grant = |rights: &[&str]| {
        policy(json!({"handled": {"fs": ["write_file", "truncate", "read_file", "ioctl_dev"]},
            "path_beneath": [{"path": "${root}", "allow": rights}, {"path": "/dev/random", "allow": rights}]}))
    };
    let truncate = |rights: &[&str]| ask(&grant(rights), &fixtures, "file_truncate_fd", "${root}/f", None);
    assert_eq!(truncate(&["truncate"]), "? -");
    assert_eq!(truncate(&["write_file"]), "deny /handled/fs");
    assert_eq!(truncate(&["write_file", "truncate"]), "allow /path_beneath/0");
    let ioctl = |rights: &[&str]| ask(&grant(rights), &fixtures, "device_ioctl", "/dev/random", None);
    assert_eq!(ioctl(&["ioctl_dev"]), "? -");
    assert_eq!(ioctl(&["read_file"]), "deny /handled/fs");
    assert_eq!(ioctl(&["read_file", "ioctl_dev"]), "allow /path_beneath/1");
}

#[test]
fn what_landlock_never_restricts() {
    let every: Vec<&str> = FsRight::ALL.iter().map(|right| right.name()).collect();
    let deny = policy(json!({"handled": {"fs": every, "net": ["bind_tcp", "connect_tcp"],
        "scope": ["signal", "abstract_unix_socket"]}}));
    let fixtures = tree(&["f", "l -> f"]);
    for (driver, target) in [
        ("file_open_path", "${root}/f"),
        ("file_stat", "${root}/l"),
        ("file_access", "${root}/f"),
        ("file_readlink", "${root}/l"),
        ("file_chmod", "${root}/f"),
        ("file_utimes", "${root}/f"),
        ("file_read_inherited", "${root}/f"),
        ("file_truncate_inherited", "${root}/f"),
        ("process_fork", ""),
        ("signal_self", ""),
        ("signal_inside", ""),
        ("tcp_listen_unbound", ""),
        ("file_chown", "${root}/f"),
        ("file_statfs", "${root}/f"),
        ("inotify_watch", "${root}/l"),
        ("chdir", "${root}"),
        ("chroot", "${root}"),
        ("file_read_older_thread", "${root}/f"),
        ("file_map_executable", "${root}/f"),
        ("exec_memfd", ""),
        ("environment_read", "PATH"),
        ("descriptor_read", ""),
        ("sysv_shm", ""),
        ("sysv_sem", ""),
        ("sysv_msg", ""),
        ("key_read", ""),
        ("key_add", ""),
        ("tty_ioctl", ""),
        ("tty_inject", ""),
        ("raw_socket", ""),
        ("packet_socket", ""),
        ("netlink_socket", ""),
        ("vsock_socket", ""),
        ("process_priority_outside", ""),
        ("user_namespace", ""),
        ("bpf_map", ""),
        ("perf_event", ""),
        ("userfaultfd", ""),
        ("io_uring", ""),
    ] {
        assert_eq!(ask(&deny, &fixtures, driver, target, None), "allow -", "{driver}");
    }
    assert_eq!(ask(&deny, &fixtures, "udp_bind", "127.0.0.1:${port.a}", None), "allow /handled/net");
    assert_eq!(ask(&deny, &fixtures, "process_inspect_outside", "", None), "deny -");
    assert_eq!(ask(&deny, &fixtures, "signal_outside", "", None), "deny /handled/scope");
    assert_eq!(ask(&deny, &fixtures, "abstract_connect", "x", None), "deny /handled/scope");
    assert_eq!(ask(&deny, &fixtures, "apply_only", "", None), "? -");
}

#[test]
fn what_kernels_differ_in_or_the_host_decides_is_not_known() {
    let deny = policy(
        json!({"handled": {"fs": ["read_file", "write_file", "ioctl_dev"], "net": ["bind_tcp", "connect_tcp"]}}),
    );
    let granted = policy(json!({"handled": {"net": ["bind_tcp", "connect_tcp"]},
        "net_port": [{"port": "${port.a}", "allow": ["bind_tcp", "connect_tcp"]}]}));
    for driver in ["mptcp_connect", "mptcp_bind", "tcp_fast_open"] {
        assert_eq!(ask(&deny, &[], driver, "127.0.0.1:${port.a}", None), "? -", "{driver}");
        assert_eq!(ask(&granted, &[], driver, "127.0.0.1:${port.a}", None), "allow /net_port/0", "{driver}");
        assert_eq!(ask(&granted, &[], driver, "127.0.0.1:${port.b}", None), "? -", "{driver}");
    }
    // A connection through io_uring is asked about by every kernel that knows the right.
    assert_eq!(ask(&granted, &[], "io_uring_connect", "127.0.0.1:${port.b}", None), "deny /handled/net");
    for driver in ["pseudo_tty", "posix_mq"] {
        assert_eq!(ask(&deny, &[], driver, "", None), "? -", "{driver}");
        assert_eq!(ask(&granted, &[], driver, "", None), "allow /handled/fs", "{driver}");
    }
    // Shared memory of POSIX has a place.
    assert_eq!(ask(&deny, &[], "posix_shm", "", None), "deny /handled/fs");
    assert_eq!(ask(&granted, &[], "posix_shm", "", None), "allow /handled/fs");
    for driver in ["process_environ_outside", "process_maps_outside"] {
        assert_eq!(ask(&granted, &[], driver, "", None), "? -", "{driver}");
    }
    for driver in [
        "ptrace_outside",
        "pidfd_getfd_outside",
        "process_vm_readv_outside",
        "process_mem_outside",
        "process_root_outside",
    ] {
        assert_eq!(ask(&granted, &[], driver, "", None), "deny -", "{driver}");
    }
}

#[test]
fn other_ways_to_a_file_need_what_the_straight_one_needs() {
    let fixtures = tree(&["in/f", "out/f"]);
    let reading = policy(json!({"handled": {"fs": ["read_file", "write_file", "execute", "make_reg"]},
        "path_beneath": [{"path": "${root}/in", "allow": ["read_file", "write_file", "execute", "make_reg"]}]}));
    for driver in ["file_read_reopened", "file_write_reopened", "file_read_at_inherited", "io_uring_read", "file_lock"]
    {
        let outside = if driver == "file_lock" { "? -" } else { "deny /handled/fs" };
        let inside = if driver == "file_lock" { "allow -" } else { "allow /path_beneath/0" };
        assert_eq!(ask(&reading, &fixtures, driver, "${root}/in/f", None), inside, "{driver}");
        assert_eq!(ask(&reading, &fixtures, driver, "${root}/out/f", None), outside, "{driver}");
    }
    assert_eq!(ask(&reading, &fixtures, "exec_written", "${root}/in/new", None), "allow /path_beneath/0");
    // Making the file is refused, so that it comes to no execution.
    assert_eq!(ask(&reading, &fixtures, "exec_written", "${root}/out/new", None), "? -");
    assert_eq!(ask(&reading, &fixtures, "exec_written", "${root}/in/f", None), "? -");
    let no_execute = policy(json!({"handled": {"fs": ["execute"]}}));
    assert_eq!(ask(&no_execute, &fixtures, "exec_written", "${root}/in/new", None), "deny /handled/fs");
    assert_eq!(ask(&no_execute, &fixtures, "user_namespace_map", "", None), "allow /handled/fs");
    assert_eq!(ask(&reading, &fixtures, "user_namespace_map", "", None), "deny /handled/fs");
    for driver in ["mount_tmpfs", "pivot_root"] {
        assert_eq!(ask(&reading, &fixtures, driver, "${root}/in", None), "deny /handled/fs", "{driver}");
    }
    // What was opened or looked up before, or by a thread without a policy, went through `/proc/1` all the same.
    for driver in ["file_read_inherited", "file_read_reopened", "file_read_at_inherited", "file_read_older_thread"] {
        assert_eq!(ask(&reading, &fixtures, driver, "/proc/1/root/etc/hosts", None), "? -", "{driver}");
    }
    assert_eq!(ask(&reading, &fixtures, "file_read", "/proc/1/root/etc/hosts", None), "deny -");
}

#[test]
fn moving_between_folders_needs_refer_and_must_not_gain() {
    let all = ["make_reg", "make_dir", "remove_file", "remove_dir", "refer", "read_file"];
    let fixtures = tree(&["a/f", "a/d/x", "b/g", "b/d/", "a/sub/f"]);
    let both = |from: &[&str], to: &[&str]| {
        policy(json!({"handled": {"fs": all},
            "path_beneath": [{"path": "${root}/a", "allow": from}, {"path": "${root}/b", "allow": to}]}))
    };
    let rename = |policy: &LandlockPolicy, to: &str| ask(policy, &fixtures, "file_rename", "${root}/a/f", Some(to));
    let alike = both(&["make_reg", "remove_file", "refer"], &["make_reg", "remove_file", "refer"]);
    assert_eq!(rename(&alike, "${root}/b/new"), "allow /path_beneath/0");
    assert_eq!(rename(&alike, "${root}/b/g"), "allow /path_beneath/0");
    assert_eq!(rename(&alike, "${root}/a/new"), "allow /path_beneath/0");
    assert_eq!(rename(&both(&["remove_file", "refer"], &["make_reg"]), "${root}/b/new"), "deny /handled/fs");
    assert_eq!(
        rename(&both(&["remove_file", "refer"], &["make_reg", "refer"]), "${root}/b/new"),
        "allow /path_beneath/0"
    );
    // `make_reg` is no right of a file, so gaining it does not count; `read_file` is.
    let gain = both(&["remove_file", "refer"], &["make_reg", "refer", "read_file"]);
    let answer = evaluate(&gain, &action("file_rename", "${root}/a/f", Some("${root}/b/new")), &fixtures);
    assert_eq!(answer.decision, Some(Decision::Deny));
    assert!(answer.reason.contains("gain read_file"), "{}", answer.reason);
    let loss = both(&["remove_file", "refer", "read_file"], &["make_reg", "refer"]);
    assert_eq!(rename(&loss, "${root}/b/new"), "allow /path_beneath/0");
    assert_eq!(ask(&gain, &fixtures, "file_link", "${root}/a/f", Some("${root}/b/new")), "deny /handled/fs");
    assert_eq!(ask(&loss, &fixtures, "file_link", "${root}/a/f", Some("${root}/b/new")), "allow /path_beneath/0");
    // Not handling refer does not open it.
    let old = policy(json!({"abi": 1, "handled": {"fs": ["execute"]}}));
    assert_eq!(rename(&old, "${root}/b/new"), "deny /handled/fs");
    assert_eq!(rename(&old, "${root}/a/new"), "allow /handled/fs");
    let network = policy(json!({"handled": {"net": ["bind_tcp"]}}));
    assert_eq!(rename(&network, "${root}/b/new"), "allow /handled/fs");
}

#[test]
fn bind_mounts_are_walked_upwards_through_the_mount_point() {
    let policy = policy(
        json!({"handled": {"fs": ["read_file"]}, "path_beneath": [{"path": "${root}/in", "allow": ["read_file"]}]}),
    );
    let fixtures = tree(&["in/f", "in/at/", "out/f", "out/at/"]);
    let mounted = |from: &str, at: &str, target: &str| {
        let mut action = action("file_read", target, None);
        action.mounts.push(crate::record::action::BindMount { from: from.into(), at: at.into() });
        brief(&evaluate(&policy, &action, &fixtures))
    };
    // Shown inside an allowed folder, an outside file is allowed by the folders above the mount point.
    assert_eq!(mounted("${root}/out", "${root}/in/at", "${root}/in/at/f"), "allow /path_beneath/0");
    assert_eq!(mounted("${root}/out", "${root}/in/at", "${root}/out/f"), "deny /handled/fs");
    // A rule follows its object to the other side.
    assert_eq!(mounted("${root}/in", "${root}/out/at", "${root}/out/at/f"), "allow /path_beneath/0");
    assert_eq!(mounted("${root}/in", "${root}/out/at", "${root}/out/at/../f"), "deny /handled/fs");
    // The parent, seen from inside itself.
    assert_eq!(mounted("${root}", "${root}/out/at", "${root}/out/at/in/f"), "allow /path_beneath/0");
    assert_eq!(mounted("${root}", "${root}/in/at", "${root}/in/at/out/f"), "allow /path_beneath/0");
}

#[test]
fn a_mount_point_is_moved_nowhere_but_onto_itself() {
    let policy = policy(json!({"handled": {"fs": ["remove_dir"]}}));
    let fixtures = tree(&["in/at/", "in/free/", "out/"]);
    for driver in ["file_rename", "file_exchange"] {
        let reason = |to: &str| {
            let mut action = action(driver, "${root}/in/at", Some(to));
            let bind = crate::record::action::BindMount { from: "${root}/out".into(), at: "${root}/in/at".into() };
            action.mounts.push(bind);
            evaluate(&policy, &action, &fixtures).reason
        };
        // EBUSY, but the call that does nothing succeeds.
        assert!(reason("${root}/in/free").contains("fails without a policy too (EBUSY)"), "{driver}");
        let onto_itself = reason("${root}/in/at");
        assert!(onto_itself.contains("moved onto a name of its own"), "{driver}: {onto_itself}");
    }
}

#[test]
fn ports_are_compared_as_numbers_or_as_names() {
    let policy = policy(json!({"handled": {"net": ["connect_tcp", "bind_tcp"]},
        "net_port": [{"port": "${port.open}", "allow": ["connect_tcp"]}, {"port": "0443", "allow": ["bind_tcp"]}]}));
    for (driver, target, answer) in [
        ("tcp_connect", "127.0.0.1:${port.open}", "allow /net_port/0"),
        ("tcp_connect", "[::1]:${port.open}", "allow /net_port/0"),
        ("tcp_connect", "127.0.0.1:${port.shut}", "deny /handled/net"),
        ("tcp_bind", "127.0.0.1:${port.open}", "deny /handled/net"),
        ("tcp_bind", "127.0.0.1:443", "allow /net_port/1"),
        ("tcp_bind", "127.0.0.1:0", "deny /handled/net"),
        ("tcp_bind", "nothing", "? -"),
    ] {
        assert_eq!(ask(&policy, &[], driver, target, None), answer, "{driver} {target}");
    }
    let named = evaluate(&policy, &action("tcp_bind", "127.0.0.1:${port.x}", None), &[]);
    assert_eq!(named.decision, Some(Decision::Deny));
    assert_eq!(named.assumes.len(), 1);
}

#[test]
fn a_policy_that_cannot_be_applied_decides_nothing() {
    let dir_right = policy(
        json!({"handled": {"fs": ["read_dir"]}, "path_beneath": [{"path": "${root}/f", "allow": ["read_dir"]}]}),
    );
    let answer = evaluate(&dir_right, &action("signal_self", "", None), &tree(&["f"]));
    assert!(answer.decision.is_none() && answer.reason.contains("EINVAL"), "{answer:?}");
    let absent = evaluate(&dir_right, &action("signal_self", "", None), &tree(&["g"]));
    assert!(absent.decision.is_none() && absent.reason.contains("/path_beneath/0/path"), "{absent:?}");
}

#[test]
fn the_right_on_a_port_that_a_driver_needs_is_the_one_that_the_model_looks_up() {
    let policy =
        policy(json!({"handled": {"net": NetRight::ALL.iter().map(|right| right.name()).collect::<Vec<_>>()}}));
    for driver in Driver::ALL.iter().filter(|driver| driver.info().platforms.linux()) {
        let action = Action::new(*driver, "127.0.0.1:80");
        let looked_up = evaluate(&policy, &action, &[]).needs.into_iter().find(|need| need.on == "port 80");
        assert_eq!(port_right(*driver).map(Right::name), looked_up.map(|need| need.right), "{driver:?}");
    }
}

#[test]
fn every_driver_of_this_system_has_an_answer_of_its_own() {
    let policy = policy(json!({"handled": {"fs": ["read_file"]}}));
    for driver in Driver::ALL {
        let mut action = action("file_read", "${root}/a", Some("${root}/b"));
        action.driver = *driver;
        let answer = evaluate(&policy, &action, &tree(&["a"]));
        let foreign = answer.reason == "this driver belongs to another system";
        assert_eq!(foreign, !driver.info().platforms.linux(), "{}: {}", driver.info().name, answer.reason);
    }
}

fn rights() -> impl Strategy<Value = RightSet<FsRight>> {
    proptest::sample::subsequence(FsRight::ALL, 1..=FsRight::ALL.len())
        .prop_map(|list| list.into_iter().fold(RightSet::EMPTY, RightSet::with))
}

proptest! {
    /// More rules never take anything away, except that a moved object may then gain something.
    #[test]
    fn rules_only_add(handled in rights(), first in rights(), second in rights(), n in 0usize..6) {
        let driver = ["file_read", "file_write", "file_create", "file_unlink", "dir_list", "file_truncate"][n];
        let target = if driver == "file_create" { "${root}/a/new" } else if driver == "dir_list" { "${root}/a" } else { "${root}/a/f" };
        let fixtures = tree(&["a/f"]);
        let rule = |path: &str, allow: RightSet<FsRight>| crate::policy::landlock::table::PathBeneathRule {
            path: path.into(), allow: allow.intersection(handled) };
        let layer = Layer { handled_fs: handled, path_beneath: vec![rule("${root}", first)], ..Layer::default() };
        let mut policy = LandlockPolicy::single(10, layer);
        let before = evaluate(&policy, &action(driver, target, None), &fixtures).decision.unwrap();
        policy.layers[0].path_beneath.push(rule("${root}/a", second));
        let after = evaluate(&policy, &action(driver, target, None), &fixtures).decision.unwrap();
        prop_assert!(before == Decision::Deny || after == Decision::Allow);
    }

    /// No text makes the model panic or loop.
    #[test]
    fn any_text_is_answered(target in "(\\$\\{root\\}|/|\\.\\.|\\.|a|b|proc/self/root|\\$\\{port\\.x\\}|:|0){0,8}", to in "[/.a${}]{0,8}", n in 0usize..64) {
        let driver = Driver::ALL[n % Driver::ALL.len()];
        let policy = policy(json!({"handled": {"fs": ["read_file", "refer"]}, "path_beneath": [{"path": "/tmp", "allow": ["refer"]}]}));
        let fixtures = tree(&["a/b/f", "b -> a", "a/up -> ../.."]);
        let mut action = action("file_read", &target, Some(&to));
        action.driver = driver;
        let answer = evaluate(&policy, &action, &fixtures);
        prop_assert!(!answer.reason.is_empty());
    }
}
