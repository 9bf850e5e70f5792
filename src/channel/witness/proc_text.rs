//! Reading the texts of procfs. Pure, so that it is tested with texts of other hosts.

/// What `/proc/PID/status` says of confinement.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// `NoNewPrivs`; `None` if the kernel does not say.
    pub no_new_privs: Option<bool>,
    /// `Seccomp`: 0 none, 1 strict, 2 filter; `None` if the kernel does not say.
    pub seccomp: Option<u32>,
    /// `Seccomp_filters`, since Linux 5.9.
    pub seccomp_filters: Option<u32>,
    /// `CapBnd`, in hexadecimal digits as the kernel writes it; `None` if it does not say.
    pub capability_bounding_set: Option<String>,
    /// `CapEff`, likewise.
    pub effective_capabilities: Option<String>,
    /// `CapAmb`, likewise; kernels before 4.3 have none.
    pub ambient_capabilities: Option<String>,
}

/// Reads `/proc/PID/status` (proc_pid_status(5)).
pub fn status(text: &str) -> Status {
    let field = |name: &str| {
        let line = text.lines().find(|line| line.split(':').next() == Some(name))?;
        Some(line.split_once(':')?.1.trim())
    };
    Status {
        no_new_privs: match field("NoNewPrivs") {
            Some("0") => Some(false),
            Some("1") => Some(true),
            _ => None,
        },
        seccomp: field("Seccomp").and_then(|text| text.parse().ok()),
        seccomp_filters: field("Seccomp_filters").and_then(|text| text.parse().ok()),
        capability_bounding_set: field("CapBnd").map(str::to_owned),
        effective_capabilities: field("CapEff").map(str::to_owned),
        ambient_capabilities: field("CapAmb").map(str::to_owned),
    }
}

/// The control group that systemd manages, from `/proc/PID/cgroup` (cgroups(7)): its named hierarchy on version 1 or
/// hybrid hosts, else the unified one.
#[cfg(any(target_os = "linux", test))]
pub fn control_group(text: &str) -> Option<String> {
    let path_of = |wanted: &str| {
        text.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            (controllers == wanted).then(|| path.to_owned())
        })
    };
    path_of("name=systemd").or_else(|| path_of(""))
}

/// The unit that a control group belongs to: its last part that is a unit's name.
pub fn unit_of(control_group: &str) -> Option<String> {
    let is_unit = |part: &&str| [".service", ".scope"].iter().any(|suffix| part.ends_with(suffix));
    control_group.rsplit('/').find(is_unit).map(str::to_owned)
}

/// The libraries that an `/etc/ld.so.preload` names (ld.so(8)): words apart by blanks or colons, up to a `#`.
#[cfg(any(target_os = "linux", test))]
pub fn preloaded(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.split('#').next());
    let words = lines.flat_map(|line| line.split(|c: char| c.is_whitespace() || c == ':'));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The files from which `/proc/PID/maps` says that code is mapped (proc_pid_maps(5)), each once, but for `executable`.
#[cfg(any(target_os = "linux", test))]
pub fn mapped_code(text: &str, executable: &str) -> Vec<String> {
    let mut files: Vec<String> = text
        .lines()
        .filter_map(|line| {
            let mut fields = line.splitn(6, ' ');
            let permissions = fields.nth(1)?;
            let path = fields.nth(3)?.trim_start();
            (permissions.contains('x') && path.starts_with('/') && path != executable).then(|| path.to_owned())
        })
        .collect();
    files.sort();
    files.dedup();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_lines() {
        let text = "Name:\tx\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\nCapBnd:\t000001ffffffffff\n";
        let read = status(text);
        assert_eq!(read.no_new_privs, Some(true));
        assert_eq!((read.seccomp, read.seccomp_filters), (Some(2), Some(1)));
        assert_eq!(read.capability_bounding_set.as_deref(), Some("000001ffffffffff"));
        assert_eq!(status("NoNewPrivs:\tmaybe\n"), Status::default());
    }

    #[test]
    fn what_a_loader_is_told_and_what_it_did() {
        let text = "# all of it\n/lib/a.so:/lib/b.so c.so\t# d.so\n\n  \n";
        assert_eq!(preloaded(text), ["/lib/a.so", "/lib/b.so", "c.so"]);
        assert!(preloaded("\n# nothing\n").is_empty());
        let maps = "55d0-55d1 r--p 00000000 00:1b 5                          /stage/sandproof\n\
            55d1-55d2 r-xp 00001000 00:1b 5                          /stage/sandproof\n\
            7f00-7f01 r-xp 00000000 00:1b 6                          /usr/lib/my libc.so.6\n\
            7f01-7f02 rw-p 00000000 00:1b 6                          /usr/lib/data.so\n\
            7f02-7f03 rw-p 00000000 00:00 0 \n\
            7ffd-7ffe r-xp 00000000 00:00 0                          [vdso]\n";
        assert_eq!(mapped_code(maps, "/stage/sandproof"), ["/usr/lib/my libc.so.6"]);
    }

    #[test]
    fn control_groups_of_both_versions() {
        let hybrid = "12:pids:/x\n1:name=systemd:/system.slice/a.service\n0::/other\n";
        assert_eq!(control_group(hybrid).as_deref(), Some("/system.slice/a.service"));
        let unified = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/b.service\n";
        assert_eq!(unit_of(&control_group(unified).unwrap()).as_deref(), Some("b.service"));
        assert_eq!(unit_of("/"), None);
        assert_eq!(control_group("nonsense"), None);
    }
}
