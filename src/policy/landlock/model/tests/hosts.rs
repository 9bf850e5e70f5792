//! Host paths: what they lead to is known of few.

use super::*;

#[test]
fn what_is_a_link_on_many_hosts_is_not_judged_as_it_is_spelled() {
    for (rule, target, answer) in [
        ("/usr", "/bin/sh", "? -"),
        ("/bin", "/usr/bin/env", "? -"),
        ("/bin", "/bin/sh", "allow /path_beneath/0"),
        ("/", "/bin/sh", "allow /path_beneath/0"),
        ("/usr", "/etc/hosts", "deny /handled/fs"),
        ("/etc", "/bin/sh", "deny /handled/fs"),
        ("/etc", "/binary/sh", "deny /handled/fs"),
        ("/etc", "/etc/mtab", "? -"),
        ("/etc", "/etc/hosts", "allow /path_beneath/0"),
        ("/proc", "/etc/mtab", "? -"),
        ("/usr", "/etc/mtab", "deny /handled/fs"),
        ("/var", "/var/run/x", "? -"),
        ("/var/run", "/run/x", "? -"),
        ("/run", "/var/run/x", "? -"),
        ("/sys/devices", "/sys/class/net/lo/address", "? -"),
        ("/sys", "/sys/class/net/lo/address", "allow /path_beneath/0"),
    ] {
        let policy = policy(json!({"handled": {"fs": ["read_file"]},
            "path_beneath": [{"path": rule, "allow": ["read_file"]}]}));
        assert_eq!(ask(&policy, &[], "file_read", target, None), answer, "{rule}: {target}");
    }
    let nothing_granted = policy(json!({"handled": {"fs": ["read_file"]}}));
    assert_eq!(ask(&nothing_granted, &[], "file_read", "/bin/sh", None), "deny /handled/fs");
}

#[test]
fn what_procfs_itself_links_is_judged_where_it_lies() {
    let on = |path: &str| {
        policy(json!({"handled": {"fs": ["read_file", "read_dir"]},
            "path_beneath": [{"path": path, "allow": ["read_file", "read_dir"]}]}))
    };
    for (rule, driver, target, answer) in [
        ("/proc/self", "file_read", "/proc/thread-self/io", "allow /path_beneath/0"),
        ("/proc/self", "dir_list", "/proc/thread-self", "allow /path_beneath/0"),
        ("/proc/self", "file_read", "/proc/mounts", "allow /path_beneath/0"),
        ("/proc/self", "file_read", "/proc/net/tcp", "allow /path_beneath/0"),
        ("/proc/self", "file_read", "/proc/self/io", "allow /path_beneath/0"),
        ("/proc/self", "file_read", "/proc/meminfo", "deny /handled/fs"),
        ("/proc/thread-self", "file_read", "/proc/thread-self/io", "allow /path_beneath/0"),
        ("/proc/thread-self", "file_read", "/proc/self/io", "deny /handled/fs"),
        ("/proc/thread-self", "file_read", "/proc/thread-self/root/etc/hosts", "deny /handled/fs"),
        ("/proc/net", "file_read", "/proc/self/net/tcp", "allow /path_beneath/0"),
        ("/proc/net", "file_read", "/proc/net/tcp", "allow /path_beneath/0"),
        ("/proc/self/task", "file_read", "/proc/thread-self/io", "? -"),
        ("/proc", "file_read", "/proc/thread-self/io", "allow /path_beneath/0"),
    ] {
        let policy = on(rule);
        let mut answerer = LandlockAnswerer::new(&policy);
        // What the first question met is forgotten before the second.
        for n in 0..2 {
            let said = brief(&answerer.evaluate(&action(driver, target, None), &[]));
            assert_eq!(said, answer, "{rule}: {target}, question {n}");
        }
    }
}

#[test]
fn a_rule_over_proc_opens_no_process_outside_the_domain() {
    let policy = policy(json!({"handled": {"fs": ["read_file", "read_dir"]},
        "path_beneath": [{"path": "/proc", "allow": ["read_file", "read_dir"]}]}));
    let fixtures = tree(&["to-mem -> /proc/1/mem", "to-root -> /proc/1/root/etc"]);
    for (driver, target, answer) in [
        ("file_read", "/proc/1/mem", "deny -"),
        ("file_read", "/proc/4711/io", "deny -"),
        ("file_read_at", "/proc/1/personality", "deny -"),
        ("file_read", "${root}/to-mem", "deny -"),
        ("file_read_inherited", "/proc/1/syscall", "deny -"),
        ("file_read_inherited", "/proc/1/mem", "allow -"),
        ("file_read", "/proc/1/environ", "? -"),
        ("file_read", "/proc/1/maps", "? -"),
        ("file_read", "/proc/1/fdinfo/0", "? -"),
        ("file_read", "/proc/1/status", "allow /path_beneath/0"),
        ("file_read", "/proc/self/environ", "allow /path_beneath/0"),
        ("file_read", "/proc/meminfo", "allow /path_beneath/0"),
        // Links are followed, and their texts read, by who may inspect the process.
        ("file_read", "/proc/1/root/etc/hosts", "deny -"),
        ("file_stat", "/proc/1/exe", "deny -"),
        ("file_readlink", "/proc/1/cwd", "deny -"),
        ("dir_list", "${root}/to-root", "deny -"),
        ("file_open_path", "/proc/1/root", "deny -"),
        ("file_open_path", "/proc/1/mem", "allow -"),
        ("dir_list", "/proc/1/fd", "? -"),
        ("dir_list", "/proc/1", "allow /path_beneath/0"),
        ("file_readlink", "/proc/self/exe", "? -"),
    ] {
        assert_eq!(ask(&policy, &fixtures, driver, target, None), answer, "{driver} {target}");
    }
    let answer = evaluate(&policy, &action("file_read", "/proc/4711/mem", None), &[]);
    assert!(answer.assumes.iter().any(|text| text.contains("process 4711")), "{answer:?}");
    // What the rules refuse is refused, whoever else is asked.
    let narrow = self::policy(json!({"handled": {"fs": ["read_file"]}}));
    assert_eq!(ask(&narrow, &[], "file_read", "/proc/1/environ", None), "deny /handled/fs");
}

#[test]
fn what_a_host_path_is_decides_nothing_unless_it_is_known() {
    let truncating = policy(json!({"handled": {"fs": ["write_file", "truncate", "ioctl_dev", "read_dir"]},
        "path_beneath": [{"path": "/dev", "allow": ["write_file"]}]}));
    for (driver, target, answer) in [
        // A device is opened with O_TRUNC and not truncated, so the right is not asked for.
        ("file_open_truncate", "/dev/null", "? -"),
        ("file_open_truncate", "/etc/hosts", "deny /handled/fs"),
        ("file_write", "/dev/null", "allow /path_beneath/0"),
        ("device_ioctl", "/dev/random", "deny /handled/fs"),
        ("device_ioctl", "/etc/hosts", "? -"),
        ("dir_list", "/dev/null", "? -"),
        ("file_write", "/etc", "? -"),
    ] {
        assert_eq!(ask(&truncating, &[], driver, target, None), answer, "{driver} {target}");
    }
}
