//! What a target's text can be: a path of the run's own, one elsewhere, an endpoint.

use crate::base::placeholder::{ROOT, is_name};
use crate::record::driver::Platform;
use crate::record::fixture::{ELSEWHERE, OutsideFixture};

/// The folders that a launcher is told of, and what they are below the root.
const FOLDERS: [(&str, &str); 3] =
    [("${workspace}", "${root}/workspace"), ("${outside}", "${root}/outside"), ("${home}", "${root}/home")];

/// Whether a text names one of the folders that a launcher is told of.
pub(super) fn has_folder(text: &str) -> bool {
    FOLDERS.iter().any(|(folder, _)| text.contains(folder))
}

/// The text with those folders spelled as what they are.
pub(in crate::plan) fn folders_as_parts(text: &str) -> String {
    FOLDERS.iter().fold(text.to_owned(), |text, (folder, part)| text.replace(folder, part))
}

/// Whether a path names something that only this run can have made: its last part is `${name.NAME}`, alone, and nothing
/// before it is a placeholder.
pub(super) fn is_new_of_own(path: &str) -> bool {
    let Some((folder, name)) = path.rsplit_once('/') else { return false };
    let own = name.strip_prefix("${name.").and_then(|rest| rest.strip_suffix('}')).is_some_and(is_name);
    own && path.starts_with('/') && !folder.contains("${") && !folder.split('/').any(|part| part == "..")
}

/// Whether a path is sure to stay below the run's own folder: it begins with `${root}` (or reaches the same through
/// `/proc/self/root`), and no `..` climbs above it. Links are not followed.
pub(super) fn is_own(path: &str) -> bool {
    below_root(path).is_some_and(|rest| {
        let mut depth = 0_i32;
        rest.split('/').all(|part| {
            depth += match part {
                "" | "." => 0,
                ".." => -1,
                _ => 1,
            };
            depth >= 0
        })
    })
}

/// The shared folders of a system in which a fixture may have a folder of the run's own.
pub(super) fn shared_folders(platform: Platform) -> &'static [&'static str] {
    let (linux, macos) = ELSEWHERE.split_at(2);
    match platform {
        Platform::Linux => linux,
        Platform::Macos => macos,
    }
}

/// A path below a folder of the run's own in a shared one, as its resolved spelling. `None` for any other path, and for one
/// that climbs out.
///
/// On macOS it may be spelled in several ways: `/tmp` and `/var` are links into `/private`, and the Data volume shows the
/// same folders once more (hier(7), firmlinks).
pub(super) fn own_elsewhere(path: &str, platform: Platform) -> Option<String> {
    let resolved = match platform {
        Platform::Linux => path.to_owned(),
        Platform::Macos => {
            let path =
                path.strip_prefix("/System/Volumes/Data").filter(|rest| rest.starts_with("/private/")).unwrap_or(path);
            let aliased = ["/tmp/", "/var/tmp/"].iter().any(|alias| path.starts_with(alias));
            if aliased { format!("/private{path}") } else { path.to_owned() }
        }
    };
    let place = OutsideFixture::read(&resolved).filter(|place| place.folder.starts_with("${"))?;
    let own = !place.rest.is_empty()
        && is_own(&format!("{ROOT}/{}", place.rest))
        && shared_folders(platform).contains(&place.parent);
    own.then_some(resolved)
}

/// What follows the run's own folder in `path`.
pub(super) fn below_root(path: &str) -> Option<&str> {
    let path = path.strip_prefix("/proc/self/root").unwrap_or(path);
    path.strip_prefix(ROOT).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a path is absolute, placeholders aside.
pub(super) fn is_absolute(path: &str) -> bool {
    path.starts_with('/') || below_root(path).is_some()
}

/// Whether `text` is `HOST:PORT` with a numeric host, and a port number or a port placeholder.
pub(super) fn is_endpoint(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let host_ok = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.parse::<std::net::Ipv4Addr>().is_ok(),
    };
    let placeholder = port.strip_prefix("${port.").and_then(|rest| rest.strip_suffix('}'));
    host_ok && (placeholder.is_some_and(is_name) || is_port(port))
}

/// Whether `text` is a port number without sign or leading zeros.
fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_paths_cannot_climb_out() {
        for good in ["${root}", "${root}/a", "${root}/a/../b", "/proc/self/root${root}/a", "${root}/./a//b"] {
            assert!(is_own(good), "{good}");
        }
        for bad in ["/etc/x", "${root}x", "${root}/../x", "${root}/a/../../x", "x/${root}", "", "/tmp/${root}"] {
            assert!(!is_own(bad), "{bad}");
        }
    }

    #[test]
    fn own_folders_elsewhere_are_known_by_every_spelling() {
        for (good, resolved) in [
            ("/private/tmp/${name.fix}/x", "/private/tmp/${name.fix}/x"),
            ("/tmp/${name.fix}/a/../x", "/private/tmp/${name.fix}/a/../x"),
            ("/var/tmp/${name.fix}/x", "/private/var/tmp/${name.fix}/x"),
            ("/System/Volumes/Data/private/var/tmp/${name.fix}/x", "/private/var/tmp/${name.fix}/x"),
        ] {
            assert_eq!(own_elsewhere(good, Platform::Macos).as_deref(), Some(resolved));
        }
        for good in ["/tmp/${name.fix}/x", "/var/tmp/${name.fix}/a/../x"] {
            assert_eq!(own_elsewhere(good, Platform::Linux).as_deref(), Some(good));
        }
        for bad in ["/private/tmp/${name.fix}/x", "/tmp/${name.fix}/../x", "/tmp/x", "/tmp/sandproof-1/x"] {
            assert_eq!(own_elsewhere(bad, Platform::Linux), None, "{bad}");
        }
        for bad in [
            "/private/tmp/x",
            "/private/tmp/${name.fix}",
            "/private/tmp/${name.fix}/../x",
            "/private/tmp/sandproof-1/x",
            "/private/etc/${name.fix}/x",
            "/var/${name.fix}/x",
            "/private/tmp/a-${name.fix}/x",
            "${root}/x",
        ] {
            assert_eq!(own_elsewhere(bad, Platform::Macos), None, "{bad}");
        }
    }

    #[test]
    fn endpoints() {
        for good in ["127.0.0.1:80", "[::1]:${port.a}", "10.0.0.1:0", "127.0.0.1:65535"] {
            assert!(is_endpoint(good), "{good}");
        }
        for bad in [
            "localhost:80",
            "127.0.0.1",
            "::1:80",
            "127.0.0.1:70000",
            "127.0.0.1:+1",
            "127.0.0.1:",
            ":80",
            "127.0.0.1:${root}",
        ] {
            assert!(!is_endpoint(bad), "{bad}");
        }
    }
}
