//! What host and user must have for a probe to mean anything.
//!
//! A probe names its needs in `capabilities_required`. One that is missing makes the probe undecided at stage
//! `preflight`; it is never counted as a pass.

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, TcpListener};
use std::os::fd::AsFd;
use std::path::Path;

use serde_json::Value;

/// What this host and user have, measured once a run.
#[derive(Debug, Clone)]
pub struct HostCapabilities {
    is_root: bool,
    may_make_devices: bool,
    user_xattr: bool,
    ipv6_loopback: bool,
    landlock_abi: Option<i32>,
}

impl HostCapabilities {
    /// Measures. `base` is a folder on the file system that fixtures are made on.
    pub fn measure(base: &Path, landlock_abi: Option<i32>) -> Self {
        Self {
            is_root: nix::unistd::geteuid().is_root(),
            may_make_devices: may_make_devices(base),
            user_xattr: takes_user_attributes(base),
            ipv6_loopback: TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok(),
            landlock_abi,
        }
    }

    /// What was measured, by name; for the run's declaration.
    pub fn facts(&self) -> BTreeMap<String, Value> {
        [
            ("cap_mknod", Value::from(self.may_make_devices)),
            ("ipv6_loopback", Value::from(self.ipv6_loopback)),
            ("landlock_abi", Value::from(self.landlock_abi.unwrap_or(0))),
            ("user_xattr", Value::from(self.user_xattr)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    /// Whether the named need is met; if not, why.
    ///
    /// # Errors
    /// The reason, in words. A name that is not known is a need that is not met.
    pub fn check(&self, name: &str) -> Result<(), String> {
        let met = match name {
            "root" => self.is_root,
            "ordinary_user" => !self.is_root,
            "cap_mknod" => self.may_make_devices,
            "user_xattr" => self.user_xattr,
            "ipv6_loopback" => self.ipv6_loopback,
            // Made by the harness, or tried in the probe process itself, where failing is recorded as such.
            "loopback_listener" | "mount_namespace" => true,
            _ => {
                let Some(abi) = name.strip_prefix("landlock_abi:").and_then(|abi| abi.parse::<i32>().ok()) else {
                    return Err(format!("nothing is known about the capability `{name}`"));
                };
                let found = self.landlock_abi.unwrap_or(0);
                if found >= abi {
                    return Ok(());
                }
                return Err(format!("the probe needs Landlock ABI {abi}, this kernel has {found}"));
            }
        };
        if met { Ok(()) } else { Err(format!("this host or user lacks `{name}`")) }
    }
}

/// Whether a device node can be made on that file system: tried, with the null device's number.
fn may_make_devices(base: &Path) -> bool {
    use nix::sys::stat::{Mode, SFlag, mknod};
    let path = base.join(".device-probe");
    let made = mknod(&path, SFlag::S_IFBLK, Mode::S_IRUSR, libc::makedev(7, 255)).is_ok();
    if made {
        let _ = std::fs::remove_file(&path);
    }
    made
}

/// Whether a file on that file system takes an attribute of the `user` namespace: tried.
fn takes_user_attributes(base: &Path) -> bool {
    let path = base.join(".attribute-probe");
    let Ok(file) = std::fs::File::create_new(&path) else { return false };
    let taken = crate::sys::files::set_xattr(file.as_fd(), c"user.sandproof", b"1").is_ok();
    let _ = std::fs::remove_file(&path);
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_needs_are_not_met() {
        let dir = tempfile::tempdir().unwrap();
        let host = HostCapabilities::measure(dir.path(), Some(3));
        assert!(host.check("teleport").unwrap_err().contains("teleport"));
        assert!(host.check("landlock_abi:3").is_ok());
        assert!(host.check("landlock_abi:4").unwrap_err().contains("has 3"));
        assert_ne!(host.check("root").is_ok(), host.check("ordinary_user").is_ok());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
