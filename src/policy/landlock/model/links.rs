//! Host paths that are symbolic links on many hosts. The model takes host paths as they are spelled; where a rule would
//! decide otherwise behind such a link, it says that it cannot know.

/// What is a link on many hosts, or has links in it, and below what those lead then.
const OFTEN_LINKS: &[(&str, &str)] = &[
    // Where `/usr` is merged with `/` (file-hierarchy(7)).
    ("/bin", "/usr"),
    ("/lib", "/usr"),
    ("/lib32", "/usr"),
    ("/lib64", "/usr"),
    ("/libx32", "/usr"),
    ("/sbin", "/usr"),
    ("/dev/core", "/proc"),
    ("/dev/fd", "/proc"),
    ("/dev/stderr", "/proc"),
    ("/dev/stdin", "/proc"),
    ("/dev/stdout", "/proc"),
    ("/etc/mtab", "/proc"),
    ("/sys/block", "/sys/devices"),
    ("/sys/bus", "/sys/devices"),
    ("/sys/class", "/sys/devices"),
    ("/sys/dev", "/sys/devices"),
    ("/var/lock", "/run"),
    ("/var/run", "/run"),
];

fn beneath(path: &str, folder: &str) -> bool {
    folder == "/" || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Why it is not known that none of these rules, none of which covers `path` as it is spelled, covers it.
pub(super) fn may_be_covered<'r>(path: &str, rules: impl Iterator<Item = &'r str> + Clone) -> Option<String> {
    OFTEN_LINKS.iter().find_map(|(link, to)| {
        let rule = rules.clone().find(|rule| {
            (beneath(path, link) && (beneath(rule, to) || beneath(to, rule)))
                || (beneath(path, to) && beneath(rule, link))
        })?;
        Some(format!(
            "on many hosts `{link}` leads below `{to}`, and whether the rule on `{rule}` covers `{path}` is not known"
        ))
    })
}

/// Why it is not known that the rule, which covers `path` as it is spelled, covers it.
pub(super) fn may_be_uncovered(path: &str, rule: &str) -> Option<String> {
    let (link, to) =
        OFTEN_LINKS.iter().find(|(link, to)| beneath(path, link) && !beneath(rule, link) && !beneath(to, rule))?;
    Some(format!(
        "on many hosts `{link}` leads below `{to}`, and whether the rule on `{rule}` covers `{path}` is not known"
    ))
}
