//! A worker that is itself confined is caught, whatever confines it.

use super::confine::confined;
use super::host::{Host, failed_checks, folder, json};
use crate::support::{expect_code, output, sandproof, stdout, validate};
use crate::systemd_host;

/// Runs `quickstart` in a unit with this drop-in, and expects exactly these checks to fail.
#[track_caller]
fn expect_caught(host: &Host, name: &str, drop_in: &str, checks: &[&str]) {
    let dir = folder();
    let out = dir.path().join("out");
    let run_id = format!("caught-{name}");
    host.drop_in(&format!("sandproof-{run_id}.service"), &format!("[Service]\n{drop_in}\n"));
    let run = output(&mut host.clean_run("plans/quickstart/plan.json", &run_id, &out));
    // The evidence is as good as ever; it only cannot be promoted.
    expect_code(&run, 0);
    assert!(stdout(&run).contains("promotable  no"), "{}", stdout(&run));
    let bundle = out.join(&run_id);
    assert_eq!(failed_checks(&bundle), checks);
    expect_code(&validate(&bundle), 0);

    let packet = dir.path().join("packet.json");
    let emit = |more: &[&str]| {
        output(sandproof().args(["emit-promotion", "--bundle"]).arg(&bundle).arg("--out").arg(&packet).args(more))
    };
    expect_code(&emit(&["--require-promotable"]), 5);
    assert!(!packet.exists());
    expect_code(&emit(&[]), 0);
    let reasons = &json(&packet)["promotability"]["reasons"];
    assert!(reasons.as_array().unwrap().contains(&"channel_unwitnessed".into()), "{reasons}");
}

/// The drop-in that starts the worker through other words. Units expand `$` and `%`.
fn started_by(words: &[String]) -> String {
    let quoted: Vec<String> = words
        .iter()
        .map(|word| {
            let word = word.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            format!("\"{}\"", word.replace('$', "$$").replace('%', "%%"))
        })
        .collect();
    format!("ExecStart=\nExecStart={}", quoted.join(" "))
}

fn by_shell(script: &str) -> String {
    started_by(&["/bin/sh".to_string(), "-c".to_string(), script.to_string()])
}

fn worker() -> Vec<String> {
    ["{cwd}/sandproof", "__worker", "{cwd}/job.json"].map(str::to_string).to_vec()
}

#[test]
fn landlock() {
    let host = systemd_host!();
    let drop_in = started_by(&confined("landlock-scope", &worker()));
    // A domain also shuts the door to the manager's namespaces: looking there is a form of ptrace(2).
    expect_caught(host, "landlock", &drop_in, &["namespaces", "root_directory", "landlock_layers"]);
}

#[test]
fn no_new_privs() {
    let host = systemd_host!();
    expect_caught(host, "nnp", "NoNewPrivileges=yes", &["no_new_privs"]);
}

#[test]
fn seccomp() {
    let host = systemd_host!();
    expect_caught(host, "filter", "SystemCallFilter=~swapon", &["seccomp"]);
    expect_caught(host, "filter-own", &started_by(&confined("seccomp", &worker())), &["seccomp"]);
}

#[test]
fn an_inherited_descriptor() {
    let host = systemd_host!();
    let script = r#"exec /usr/bin/env -u PWD -u OLDPWD -u SHLVL -u _ \
        "$PWD/sandproof" __worker "$PWD/job.json" 7</etc/passwd"#;
    expect_caught(host, "descriptor", &by_shell(script), &["open_fds"]);
}

#[test]
fn a_variable_that_nobody_listed() {
    let host = systemd_host!();
    expect_caught(host, "variable", "Environment=LD_BIND_NOW=1", &["environment"]);
    expect_caught(host, "nonce", "Environment=SANDPROOF_JOB_NONCE=0", &["nonce"]);
}

#[test]
fn other_namespaces() {
    let host = systemd_host!();
    expect_caught(host, "mounts", "PrivateMounts=yes", &["namespaces", "root_directory"]);
    expect_caught(host, "network", "PrivateNetwork=yes", &["namespaces"]);
}

#[test]
fn fewer_capabilities() {
    let host = systemd_host!();
    expect_caught(host, "capabilities", "CapabilityBoundingSet=~CAP_SYS_TIME", &["capability_bounding_set"]);
}

#[test]
fn filters_that_no_process_sees_in_itself() {
    let host = systemd_host!();
    expect_caught(host, "devices", "DevicePolicy=closed", &["filters"]);
    expect_caught(host, "addresses", "IPAddressDeny=192.0.2.0/24", &["filters"]);
}

#[test]
fn a_process_between_the_manager_and_the_worker() {
    let host = systemd_host!();
    let script = r#"/usr/bin/env -u PWD -u OLDPWD -u SHLVL -u _ "$PWD/sandproof" __worker "$PWD/job.json"; exit $?"#;
    expect_caught(host, "between", &by_shell(script), &["main_pid", "parent", "parent_pid"]);
}

#[test]
fn a_unit_with_another_root_directory() {
    let host = systemd_host!();
    // The same files through another mount: everything is where it was, and it is a sandbox all the same.
    host.must(&["/bin/sh", "-c", "mkdir -p /run/elsewhere && mount --rbind / /run/elsewhere"]);
    let drop_in = "RootDirectory=/run/elsewhere\nMountAPIVFS=no";
    expect_caught(host, "root-directory", drop_in, &["root_directory", "definition"]);
}

#[test]
fn a_unit_that_gives_or_takes_what_its_job_does_not() {
    let host = systemd_host!();
    expect_caught(host, "ambient", "AmbientCapabilities=CAP_NET_ADMIN", &["capabilities"]);
    expect_caught(host, "umask", "UMask=0077", &["umask"]);
    expect_caught(host, "before", "ExecStartPre=/bin/true", &["definition"]);
    expect_caught(host, "after", "ExecStopPost=/bin/true", &["definition"]);
    expect_caught(host, "path", "Environment=PATH=/elsewhere:/usr/bin:/bin", &["environment"]);
}

#[test]
fn a_drop_in_that_changes_nothing_for_the_worker_is_named_and_harms_nothing() {
    let host = systemd_host!();
    let dir = folder();
    let out = dir.path().join("out");
    host.drop_in("sandproof-harmless.service", "[Service]\nTimeoutStopSec=45\n");
    let run = output(&mut host.clean_run("plans/quickstart/plan.json", "harmless", &out));
    expect_code(&run, 0);
    assert!(stdout(&run).contains("promotable  yes"), "{}", stdout(&run));
    let bundle = out.join("harmless");
    assert!(failed_checks(&bundle).is_empty());
    let witness = json(&bundle.join("channel_witness.json"));
    let told = witness["checks"].as_array().unwrap().iter().find(|check| check["check"] == "drop_ins").unwrap();
    assert!(told["found"].as_str().unwrap().contains("/sandproof-harmless.service.d/test.conf"), "{told}");
}

#[test]
fn a_library_that_is_loaded_into_every_program() {
    let host = systemd_host!();
    // A copy of /etc, which this unit alone sees in its place.
    let libm = "for f in /lib/*/libm.so.6 /lib64/libm.so.6 /usr/lib/libm.so.6; do test -e $f && echo $f && break; done";
    let library = host.must(&["/bin/sh", "-c", libm]);
    let copy = format!("cp -a /etc /run/etc-preloads && echo {} > /run/etc-preloads/ld.so.preload", library.trim());
    host.must(&["/bin/sh", "-c", &copy]);
    host.drop_in("sandproof-preloaded.service", "[Service]\nBindReadOnlyPaths=/run/etc-preloads:/etc\n");
    let dir = folder();
    let out = dir.path().join("out");
    expect_code(&output(&mut host.clean_run("plans/quickstart/plan.json", "preloaded", &out)), 0);
    let bundle = out.join("preloaded");
    let preload = json(&bundle.join("channel_witness.json"))["worker"]["preload"].clone();
    assert_eq!(preload["named"], serde_json::json!([library.trim()]));
    // A static executable loads nothing, so that file is nothing to it.
    let loads = !preload["libraries"].as_array().unwrap().is_empty();
    let preloaded = loads.then_some("preload");
    assert_eq!(
        failed_checks(&bundle),
        ["namespaces", "root_directory"].into_iter().chain(preloaded).collect::<Vec<_>>()
    );
}
