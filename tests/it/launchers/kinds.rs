//! Kinds of launchers that mislead whoever looks once, under one name, or believes what is said: what is right for each.

use std::path::Path;

use super::*;

/// The words of a launcher that starts the probe under a filter of system calls; see `filter.py`.
fn filtered(rules: &[&str]) -> Vec<String> {
    let filter = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/launchers/filter.py");
    let words = ["python3".to_owned(), filter.to_str().unwrap().to_owned()];
    words.into_iter().chain(rules.iter().map(|rule| (*rule).to_owned())).chain(["--".to_owned()]).collect()
}

fn ask_filtered(rules: &[&str], questions: &[Q]) -> Vec<Got> {
    let words = filtered(rules);
    ask(&words.iter().map(String::as_str).collect::<Vec<_>>(), questions)
}

#[test]
fn what_a_question_mounts_hides_nothing_from_the_next_one() {
    let mount =
        Q { fixtures: vec![FixtureEntry::new("outside/d", FixtureKind::Dir)], ..q(Driver::MountTmpfs, "${outside}/d") };
    let gots = ask(&["unshare", "-rm"], &[mount, read("${outside}/d/secret"), read("${workspace}/f")]);
    if gots.iter().any(|got| got.words() == "launcher_not_started") {
        skip!("user namespaces are switched off");
    }
    assert_eq!(gots[1].words(), "allow", "{}", gots[1].told());
    assert_eq!(gots[2].words(), "allow", "{}", gots[2].told());
}

#[test]
fn an_effect_that_somebody_else_had_is_noise() {
    if !has("bwrap") {
        skip!("bubblewrap is not installed");
    }
    // Inside there is a copy, and somebody outside removes everything at the same time.
    let script = "C=$(mktemp -d -p /var/tmp); cp -a \"$O/.\" \"$C\"; exec 3<&0; \
                  (sleep 0.2; while sleep 0.05; do find \"$O\" -name 'gone*' -delete; done) >/dev/null 2>&1 <&- & k=$!; \
                  bwrap --dev-bind / / --bind \"$C\" \"$O\" -- \"$@\" <&3; kill $k; rm -rf \"$C\"";
    let gots = sh(script, &[q(Driver::FileUnlink, "${outside}/gone")]);
    // The twin lies beside it, under a name that says whose it is; whether it is taken too decides.
    assert!(["noise", "effect_not_seen", "deny diverted"].contains(&&*gots[0].words()), "{}", gots[0].told());
    let all = script.replace("-name 'gone*'", "-mindepth 1");
    let gots = sh(&all, &[q(Driver::FileUnlink, "${outside}/gone")]);
    assert!(["noise", "deny diverted"].contains(&&*gots[0].words()), "{}", gots[0].told());
}

#[test]
fn what_the_launcher_itself_does_to_the_hosts_files_is_not_taken_for_the_questions() {
    if !has("bwrap") {
        skip!("bubblewrap is not installed");
    }
    let two = |driver, target: &str, to: &str| {
        let q = q(driver, target);
        Q { action: Action { to: Some(to.into()), ..q.action }, ..q }
    };
    let questions = || {
        [
            create("${outside}/n"),
            q(Driver::DirCreate, "${outside}/d"),
            q(Driver::FileUnlink, "${outside}/gone"),
            q(Driver::FileChmod, "${outside}/bits"),
            q(Driver::FileWrite, "${outside}/longer"),
            two(Driver::FileRename, "${outside}/from", "${outside}/to"),
        ]
    };
    let copy = "C=$(mktemp -d -p /var/tmp); cp -a \"$O/.\" \"$C\"; ";
    let same = "touch \"$O/n\"; mkdir \"$O/d\"; rm \"$O/gone\"; chmod 600 \"$O/bits\"; printf x >>\"$O/longer\"; \
                mv \"$O/from\" \"$O/to\"";
    let boxed = "bwrap --dev-bind / / --bind \"$C\" \"$O\" -- \"$@\"; rm -rf \"$C\"";
    // Before anything is asked; while it is; and once everything was.
    let gots = sh(&format!("{copy} {same}; {boxed}"), &questions());
    expect(&gots, &["deny diverted"; 6]);
    for script in [format!("{copy} (sleep 1; {same}) & {boxed}"), format!("{copy} {boxed}; {same}")] {
        for (n, got) in sh(&script, &questions()).iter().enumerate() {
            assert!(["noise", "deny diverted"].contains(&&*got.words()), "question {n}: {}", got.told());
        }
    }
    // What it made without covering it stands in the way, and that is no denial; covered, it is.
    let made = sh("touch \"$W/n\"; exec \"$@\"", &[create("${workspace}/n")]);
    expect(&made, &["absent_unattributed"]);
    let masked = sh(
        "touch \"$W/n\"; exec bwrap --dev-bind / / --dev-bind /dev/null \"$W/n\" -- \"$@\"",
        &[create("${workspace}/n")],
    );
    expect(&masked, &["deny hidden"]);
}

#[test]
fn what_a_launcher_carries_back_is_told_by_its_time_and_what_only_vanishes_is_not() {
    if !has("bwrap") {
        skip!("bubblewrap is not installed");
    }
    let script = "C=$(mktemp -d -p /var/tmp); cp -a \"$W/.\" \"$C\"; \
                  bwrap --dev-bind / / --bind \"$C\" \"$W\" -- \"$@\"; \
                  find \"$W\" -mindepth 1 -delete; cp -a \"$C/.\" \"$W\"; rm -rf \"$C\"";
    let gots = sh(
        script,
        &[
            create("${workspace}/n"),
            q(Driver::FileWrite, "${workspace}/longer"),
            q(Driver::FileUnlink, "${workspace}/gone"),
        ],
    );
    expect(&gots, &["allow", "allow", "noise"]);
}

#[test]
fn a_mask_takes_everything_that_is_made_in_it_and_has_nothing_of_the_host() {
    if !has("bwrap") {
        skip!("bubblewrap is not installed");
    }
    let gots = sh(
        "exec bwrap --dev-bind / / --tmpfs \"$O\" -- \"$@\"",
        &[create("${outside}/n"), q(Driver::DirCreate, "${outside}/d"), q(Driver::FileUnlink, "${outside}/f")],
    );
    expect(&gots, &["deny diverted", "deny diverted", "deny hidden"]);
}

#[test]
fn an_address_that_a_proxy_reaches_is_not_out_of_reach() {
    if !has("python3") {
        skip!("python3 is not installed");
    }
    let proxy = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/launchers/proxy.py");
    let through = |allows| ask(&["python3", proxy.to_str().unwrap(), allows], &[connect(), read("${outside}/secret")]);
    let gots = through("yes");
    if gots[0].words() == "launcher_not_started" {
        skip!("namespaces are switched off");
    }
    expect(&gots, &["allow", "allow"]);
    let record = gots[0].row.launcher.as_ref().unwrap();
    assert_eq!(record.asked[gots[0].judgement.name.unwrap()].kind, NameKind::Proxy, "{}", gots[0].told());
    let alone = judge(Driver::TcpConnect, record, Names::Spelled);
    assert!(matches!(alone.shown, QuestionOutcome::Deny { .. }), "{}", gots[0].told());
    let refused = through("no");
    expect(&refused, &["deny hidden", "allow"]);
    let tried = &refused[0].row.launcher.as_ref().unwrap().asked;
    assert!(tried.iter().any(|asked| asked.kind == NameKind::Proxy), "{}", refused[0].told());
}

#[test]
fn a_folder_that_is_handed_down_shows_what_is_masked_and_one_that_is_closed_does_not() {
    if !has("bwrap") || !has("python3") {
        skip!("bubblewrap and python3 are not installed");
    }
    let handed = || [q(Driver::FileReadAtInherited, "${outside}/secret"), read("${outside}/secret")];
    let gots = sh("exec bwrap --dev-bind / / --tmpfs \"$O\" -- \"$@\"", &handed());
    // What the run itself has handed down is no way to anything else.
    expect(&gots, &["allow", "deny hidden"]);
    let close = "exec python3 -c 'import os, sys; os.closerange(3, 1024); os.execvp(sys.argv[1], sys.argv[1:])' \"$@\"";
    expect(&sh(close, &handed()), &["deny hidden", "allow"]);
    let older = sh("exec \"$@\"", &[q(Driver::FileReadOlderThread, "${outside}/secret")]);
    expect(&older, &["launcher_cannot_ask"]);
    assert!(older[0].told().contains("no thread of it is older"), "{}", older[0].told());
}

#[test]
fn what_a_launcher_writes_to_its_terminal_is_not_what_was_typed_into_it() {
    // A filter says that it was typed, and the launcher greets.
    let greeting = "printf 'welcome' >/dev/tty 2>/dev/null; exec \"$@\"";
    let filter = filtered(&["ioctl:1=21522=0"]).join(" ");
    let gots = sh(&format!("set -- {filter} \"$@\"; {greeting}"), &[q(Driver::TtyInject, "")]);
    assert!(!gots[0].words().starts_with("allow"), "{}", gots[0].told());
    // Without an echo nobody can see whether it was.
    let silent = sh("stty -echo </dev/tty; exec \"$@\"", &[q(Driver::TtyInject, "")]);
    assert!(!silent[0].words().starts_with("deny diverted"), "{}", silent[0].told());
}

#[test]
fn packets_that_are_dropped_are_a_denial_of_their_own() {
    if !has("nft") || !has("ip") {
        skip!("ip and nft (iproute2, nftables) are not installed");
    }
    let script = "exec unshare -rn sh -c 'ip link set lo up && nft add table ip t && \
                  nft \"add chain ip t o { type filter hook output priority 0; policy drop; }\" && exec \"$@\"' box \"$@\"";
    let gots = sh(script, &[connect(), read("${outside}/secret")]);
    if gots[0].words() == "launcher_not_started" {
        skip!("namespaces, or filters of packets, are switched off");
    }
    expect(&gots, &["deny dropped", "allow"]);
}

#[test]
fn a_worker_that_nothing_ties_to_this_machine_decides_nothing() {
    if !has("bwrap") {
        skip!("bubblewrap is not installed");
    }
    // A root of its own without the run's folders, started so that the host does not find the worker's command.
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let loader = maps.lines().find_map(|line| line.split_whitespace().last().filter(|path| path.contains("/ld-")));
    let Some(loader) = loader else { return };
    let exe = executable();
    let folder = exe.parent().unwrap().to_str().unwrap();
    let script = format!(
        "exec bwrap --ro-bind /usr /usr --ro-bind /lib /lib --ro-bind-try /lib64 /lib64 --proc /proc --dev /dev \
         --ro-bind {folder} {folder} --unshare-all -- {loader} \"$@\""
    );
    let gots = sh(&script, &[read("${workspace}/f"), read("${outside}/secret"), create("${outside}/n1")]);
    expect(&gots, &["launcher_elsewhere"; 3]);
}

#[test]
fn a_filter_that_kills_one_value_of_an_argument_is_seen() {
    let questions = [q(Driver::PacketSocket, ""), read("${outside}/secret")];
    // AF_PACKET, and nothing else.
    let gots = ask_filtered(&["socket:0=17=kill"], &questions);
    expect(&gots, &["deny killed", "allow"]);
    assert_eq!(gots[0].judgement.via.as_deref(), Some("seccomp"), "{}", gots[0].told());
}

#[test]
fn what_ends_the_whole_sandbox_is_told_from_a_limit_of_time() {
    // Without processes of its own the worker asks itself, and ends by the answer.
    let gots = ask_filtered(&["fork=1", "socket:0=17=kill"], &[q(Driver::PacketSocket, ""), create("${outside}/n1")]);
    expect(&gots, &["deny killed", "allow"]);
    assert_eq!(gots[0].judgement.via.as_deref(), Some("box"), "{}", gots[0].told());
}

#[test]
fn a_tracer_that_hides_a_file_is_named() {
    if !has("strace") {
        skip!("strace is not installed");
    }
    let script = "exec strace -f -qq -o /dev/null -P \"$O/secret\" -e trace=open,openat,openat2 \
                  -e inject=open,openat,openat2:error=ENOENT \"$@\"";
    let gots = sh(script, &[read("${outside}/secret"), read("${outside}/other")]);
    if gots[0].words() == "launcher_not_started" {
        skip!("nothing may be traced here");
    }
    expect(&gots, &["deny hidden", "allow"]);
    assert!(gots[0].judgement.covered_by.as_deref().unwrap_or_default().contains("traces it"), "{}", gots[0].told());
}

#[test]
fn a_call_that_only_says_that_it_went_through_is_not_believed() {
    let rules = ["mount=0", "unshare=0", "socket:0=17=0", "chroot=0"];
    let mount =
        Q { fixtures: vec![FixtureEntry::new("outside/d", FixtureKind::Dir)], ..q(Driver::MountTmpfs, "${outside}/d") };
    let questions = [q(Driver::PacketSocket, ""), q(Driver::UserNamespace, ""), read("${outside}/secret"), mount];
    let gots = ask_filtered(&rules, &questions);
    expect(&gots, &["deny diverted", "deny diverted", "allow"]);
    for got in &gots[..2] {
        assert_eq!(got.judgement.via.as_deref(), Some("emulated"), "{}", got.told());
    }
    assert_ne!(gots[3].words(), "allow", "{}", gots[3].told());
}

#[test]
fn a_profile_for_sandbox_exec_reaches_it_as_one_word_with_its_folders_filled_in() {
    if !has("bwrap") {
        skip!("bubblewrap is not installed");
    }
    // A double of macOS's sandbox-exec that knows one rule, and takes nothing but what that takes.
    let folder = tempfile::Builder::new().prefix("double-").tempdir_in("/var/tmp").unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let double = folder.path().join("sandbox-exec");
    let text = "#!/bin/sh\n[ \"$1\" = -p ] || exit 64\nprofile=$2; shift 2\n\
                case $profile in '(version 1)'*) ;; *) echo 'no version' >&2; exit 65;; esac\n\
                denied=$(printf %s \"$profile\" | sed -n 's/.*(deny file-write\\* (subpath \"\\([^\"]*\\)\")).*/\\1/p')\n\
                [ -d \"$denied\" ] || exit 66\nexec bwrap --dev-bind / / --ro-bind \"$denied\" \"$denied\" -- \"$@\"\n";
    std::fs::write(&double, text).unwrap();
    std::fs::set_permissions(&double, std::fs::Permissions::from_mode(0o755)).unwrap();
    let double = double.to_str().unwrap();
    let profile = "(version 1) (allow default) (deny file-write* (subpath \"${outside}\"))";
    let gots = ask(&[double, "-p", profile], &three());
    expect(&gots, &THREE);
    // What it says of a profile that it does not take is kept, and is no denial.
    let gots = ask(&[double, "-p", "(allow default)"], &three());
    expect(&gots, &["launcher_not_started"; 3]);
    assert!(gots[0].told().contains("no version"), "{}", gots[0].told());
}

#[test]
fn a_document_that_wants_a_start_for_each_question_gets_as_many_as_there_are() {
    let mut document = LauncherDocument::of_command("fresh", vec!["env".to_owned()]);
    document.start = LauncherStartKind::Fresh;
    let questions: Vec<Q> = (0..12).map(|n| read(&format!("${{workspace}}/f{n}"))).collect();
    let gots = ask_with(&document, &questions);
    expect(&gots, &["allow"; 12]);
    assert!(gots[0].row.launcher.as_ref().unwrap().start.number >= 12, "{}", gots[0].told());
}

#[test]
fn what_is_mounted_while_a_worker_answers_uses_its_start_up() {
    let slow = || Q {
        action: Action { argv: vec!["sleep".into(), "0.8".into()], ..Action::new(Driver::Exec, "/bin/sleep") },
        fixtures: Vec::new(),
        listener: None,
    };
    let script = |then: &str| {
        format!("exec unshare -rm sh -c '(sleep 0.4; {then}) >/dev/null 2>&1 <&- & exec \"$@\"' box \"$@\"")
    };
    let quiet = sh(&script("true"), &[slow(), read("${outside}/f")]);
    if quiet[0].words() == "launcher_not_started" {
        skip!("user namespaces are switched off");
    }
    let number = |gots: &[Got]| gots[0].row.launcher.as_ref().unwrap().start.number;
    expect(&quiet, &["allow"; 2]);
    let mounted = sh(&script("mount -t tmpfs none /mnt"), &[slow(), read("${outside}/f")]);
    expect(&mounted, &["allow"; 2]);
    assert!(number(&mounted) > number(&quiet), "{} and {}", number(&mounted), number(&quiet));
}
