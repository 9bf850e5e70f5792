//! What a probe needs of host or user.

use std::fmt;

/// A capability, as a probe's `capabilities_required` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Capability {
    /// The effective user is root.
    Root,
    /// The effective user is not root.
    OrdinaryUser,
    /// The process can make a mount namespace of its own.
    MountNamespace,
    /// The process can make device nodes.
    CapMknod,
    /// The fixture root's file system keeps `user.*` extended attributes.
    UserXattr,
    /// `[::1]` is there.
    Ipv6Loopback,
    /// The kernel reports this Landlock ABI, or a later one.
    LandlockAbi(i32),
    /// The harness listens on loopback for the probe. It always does.
    LoopbackListener,
}

/// The text names no capability.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a capability")]
pub struct UnknownCapability {
    found: String,
}

impl Capability {
    /// The spellings, for messages.
    pub const NAMES: [&'static str; 8] = [
        "root",
        "ordinary_user",
        "mount_namespace",
        "cap_mknod",
        "user_xattr",
        "ipv6_loopback",
        "landlock_abi:N",
        "loopback_listener",
    ];

    /// Reads a capability. `landlock_abi:N` takes a version from 1 to 999.
    pub fn parse(text: &str) -> Result<Self, UnknownCapability> {
        Ok(match text {
            "root" => Self::Root,
            "ordinary_user" => Self::OrdinaryUser,
            "mount_namespace" => Self::MountNamespace,
            "cap_mknod" => Self::CapMknod,
            "user_xattr" => Self::UserXattr,
            "ipv6_loopback" => Self::Ipv6Loopback,
            "loopback_listener" => Self::LoopbackListener,
            _ => {
                let version = text
                    .strip_prefix("landlock_abi:")
                    .filter(|digits| (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()))
                    .and_then(|digits| digits.parse().ok())
                    .filter(|version| *version > 0);
                match version {
                    Some(version) => Self::LandlockAbi(version),
                    None => return Err(UnknownCapability { found: super::diagnostic::shown(text) }),
                }
            }
        })
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "root",
            Self::OrdinaryUser => "ordinary_user",
            Self::MountNamespace => "mount_namespace",
            Self::CapMknod => "cap_mknod",
            Self::UserXattr => "user_xattr",
            Self::Ipv6Loopback => "ipv6_loopback",
            Self::LandlockAbi(version) => return write!(f, "landlock_abi:{version}"),
            Self::LoopbackListener => "loopback_listener",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_read_back() {
        for name in Capability::NAMES {
            let text = name.replace('N', "7");
            assert_eq!(Capability::parse(&text).unwrap().to_string(), text);
        }
        for bad in
            ["", "Root", "landlock_abi", "landlock_abi:", "landlock_abi:0", "landlock_abi:-1", "landlock_abi:1e3"]
        {
            assert!(Capability::parse(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
