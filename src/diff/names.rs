//! What the items of a declaration are called before people.

use crate::identity::external::ADDED_BY_SEALING;
use crate::record::identity::RUN_KIND;

/// The item at `pointer` of a declaration of this kind, in words.
pub(super) fn of(kind: &str, pointer: &str) -> String {
    let parts = parts_of(pointer);
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    if kind == RUN_KIND { of_run(&parts).unwrap_or_else(|| plain(&parts)) } else { of_system(&parts) }
}

/// The parts of a JSON pointer (RFC 6901).
pub(super) fn parts_of(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
}

fn of_run(parts: &[&str]) -> Option<String> {
    Some(match parts {
        ["artifact", "tool", "sha256"] => "the executable's digest".to_owned(),
        ["artifact", "tool", rest @ ..] => format!("the executable's {}", words(rest)),
        ["artifact", "documents", role, path] => format!("the {role} document `{path}`"),
        ["artifact", "profiles", profile] => format!("the profile `{profile}`"),
        ["artifact", "profiles", profile, "value_sha256"] => format!("what the policy of `{profile}` means"),
        ["artifact", "profiles", profile, "sha256"] => format!("the policy document of `{profile}`"),
        ["artifact", "profiles", profile, rest @ ..] => format!("the {} of the policy of `{profile}`", words(rest)),
        ["artifact", "commands", path, ..] => format!("the program `{path}`"),
        ["artifact", "launchers", profile, "programs", path, ..] => {
            format!("the program `{path}` of the launcher of `{profile}`")
        }
        ["artifact", "launchers", profile, rest @ ..] => format!("the launcher of `{profile}`: {}", words(rest)),
        ["runtime", "host", fact, ..] => format!("the host's {}", word(fact)),
        ["runtime", "environment", name, ..] => format!("the environment variable `{name}`"),
        ["runtime", "channel", "job", "environment", name, ..] => {
            format!("the environment variable `{name}` of the worker's job")
        }
        ["runtime", "rlimits", name, rest @ ..] => format!("the {} limit `{name}`", words(rest)),
        ["policy", "expectations", profile, ..] => format!("what is expected of `{profile}`"),
        ["policy", "limits", name] => format!("the limit `{name}`"),
        _ => return None,
    })
}

/// `artifact: model, version`
fn plain(parts: &[&str]) -> String {
    match parts {
        [] => "the declaration".to_owned(),
        [part] => format!("the {part} part"),
        [part, rest @ ..] => format!("{part}: {}", rest.iter().map(|one| word(one)).collect::<Vec<_>>().join(", ")),
    }
}

/// `artifact: tools, `propose_refund``. What the format calls by a name are words; what people call by one stays as it is.
fn of_system(parts: &[&str]) -> String {
    match parts {
        ["artifact", ADDED_BY_SEALING, "inputs", name, ..] => return format!("the input `{name}`"),
        ["artifact", ADDED_BY_SEALING, "command", "argv", place] => return format!("the command line, word {place}"),
        ["artifact", ADDED_BY_SEALING, "command", "executable", ..] => return "the file that is executed".to_owned(),
        ["runtime", ADDED_BY_SEALING, "files", path, ..] => return format!("`{path}` of the runtime"),
        ["runtime", ADDED_BY_SEALING, "links", path, ..] => return format!("the link `{path}` of the runtime"),
        ["runtime", ADDED_BY_SEALING, "environment", name, ..] => return format!("the environment variable `{name}`"),
        ["runtime", ADDED_BY_SEALING, rest @ ..] => return format!("as the command was started: {}", words(rest)),
        _ => {}
    }
    let own = match parts {
        ["artifact", "model" | "parameters", ..]
        | ["artifact", "build", "lock" | "image", ..]
        | ["artifact", "tools", "definitions" | "implementations", ..]
        | ["artifact", "retrieval", "index" | "embedding_model" | "settings" | "retrieved", ..]
        | ["runtime", "engine", "name" | "version" | "settings", ..]
        | ["runtime", "hardware", "processor" | "accelerator" | "driver", ..]
        | ["runtime", "scheduler", "slots" | "companions" | "retries" | "timeout_seconds" | "fallback", ..]
        | ["runtime", "rollout", "share_percent" | "flags", ..] => 3,
        _ => 2,
    };
    let (ours, theirs) = parts.split_at(own.min(parts.len()));
    // Where a JSON file stands, what it holds counts.
    let file = theirs.windows(2).position(|two| two == ["json", "members"]);
    let is_of_file = |place: usize| file.is_some_and(|file| place == file || place == file + 1);
    let theirs = theirs.iter().enumerate().filter(|(place, _)| !is_of_file(*place));
    let theirs = theirs.map(|(_, name)| format!(", `{name}`"));
    format!("{}{}", plain(ours), theirs.collect::<String>())
}

fn words(parts: &[&str]) -> String {
    parts.iter().map(|part| word(part)).collect::<Vec<_>>().join(" ")
}

/// A member's name as a word: `kernel_release` is "kernel release", `landlock_abi` "Landlock ABI".
fn word(name: &str) -> String {
    name.split('_')
        .map(|part| match part {
            "abi" => "ABI",
            "landlock" => "Landlock",
            "lsms" => "LSMs",
            "sha256" => "digest",
            "sip" => "SIP",
            "uid" => "user id",
            "gid" => "group id",
            "uuid" => "UUID",
            other => other,
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_have_names() {
        for (pointer, name) in [
            ("/artifact/tool/sha256", "the executable's digest"),
            ("/artifact/documents/policy/a~1b.json", "the policy document `a/b.json`"),
            ("/artifact/profiles/p:q/value_sha256", "what the policy of `p:q` means"),
            ("/runtime/host/landlock_abi", "the host's Landlock ABI"),
            ("/runtime/environment/LANG", "the environment variable `LANG`"),
            ("/runtime/rlimits/nofile/soft", "the soft limit `nofile`"),
            ("/policy/deadline_ms", "policy: deadline ms"),
            ("/history", "the history part"),
            ("", "the declaration"),
        ] {
            assert_eq!(of(RUN_KIND, pointer), name);
        }
        for (pointer, name) in [
            ("/artifact/model/version", "artifact: model, version"),
            ("/artifact/parameters/max_output_tokens", "artifact: parameters, max output tokens"),
            ("/artifact/tools/propose_refund", "artifact: tools, `propose_refund`"),
            ("/artifact/conversation/0/text", "artifact: conversation, `0`, `text`"),
            ("/runtime/other/OPENBLAS_CORETYPE", "runtime: other, `OPENBLAS_CORETYPE`"),
            ("/artifact/parameters/other/app/json/members/top", "artifact: parameters, other, `app`, `top`"),
            ("/policy/escalation", "policy: escalation"),
            ("/history", "the history part"),
        ] {
            assert_eq!(of("ai_run", pointer), name);
        }
    }
}
