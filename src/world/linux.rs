//! Linux facts.

use std::fs::{self, File};
use std::io::Read;

/// How much of `/proc/cpuinfo` is read, in bytes: the first processor's entry, not that of every one.
const CPUINFO_BYTES: u64 = 8 * 1024;

/// The active security modules in order, from securityfs; `None` where that is not mounted.
pub(super) fn security_modules() -> Option<Vec<String>> {
    let text = fs::read_to_string("/sys/kernel/security/lsm").ok()?;
    Some(text.trim().split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// Whether this is a virtual machine, as far as the kernel was told: by the hypervisor itself, or by the processor's
/// `hypervisor` bit. `None` if nobody says so, since a hypervisor may keep quiet.
pub(super) fn virtual_machine() -> Option<bool> {
    let hypervisor = fs::read_to_string("/sys/hypervisor/type").is_ok_and(|kind| !kind.trim().is_empty());
    let mut text = Vec::new();
    if let Ok(file) = File::open("/proc/cpuinfo") {
        let _ = file.take(CPUINFO_BYTES).read_to_end(&mut text);
    }
    (hypervisor || says_hypervisor(&String::from_utf8_lossy(&text))).then_some(true)
}

/// Whether the first processor's flags name a hypervisor.
fn says_hypervisor(cpuinfo: &str) -> bool {
    let flags = cpuinfo.lines().find_map(|line| line.strip_prefix("flags")?.trim_start().strip_prefix(':'));
    flags.is_some_and(|flags| flags.split_ascii_whitespace().any(|flag| flag == "hypervisor"))
}

#[cfg(test)]
mod tests {
    use super::says_hypervisor;

    #[test]
    fn the_hypervisor_bit_is_a_flag_of_its_own() {
        assert!(says_hypervisor("processor\t: 0\nflags\t\t: fpu hypervisor lm\n"));
        assert!(!says_hypervisor("processor\t: 0\nmodel name\t: a hypervisor\nflags\t\t: fpu xhypervisor\n"));
        assert!(!says_hypervisor(""));
    }
}
