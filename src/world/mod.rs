//! The host: what is observed of it, and which world that is.
//!
//! Facts are read, never guessed: one that cannot be read stays absent.

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod os;
#[cfg(not(target_os = "linux"))]
#[path = "other.rs"]
mod os;

use crate::base::ids::{IdError, WorldId};
use crate::record::manifest::HostFacts;
use crate::record::world::{HOME_WORLD, HOST_WORLD};

/// What only other layers can measure.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// The Landlock ABI that the kernel reports; `None` if it has none.
    pub landlock_abi: Option<i32>,
    /// File system type of the fixture base.
    pub fixture_fs: Option<String>,
}

/// Observes this host.
pub fn observe(measured: Measured) -> HostFacts {
    let uname = nix::sys::utsname::uname().ok();
    let text = |part: fn(&nix::sys::utsname::UtsName) -> &std::ffi::OsStr| {
        uname.as_ref().map(|uname| part(uname).to_string_lossy().into_owned())
    };
    let product = os::product();
    HostFacts {
        os: std::env::consts::OS.to_string(),
        kernel_release: text(|uname| uname.release()),
        kernel_version: text(|uname| uname.version()),
        arch: text(|uname| uname.machine()),
        product_version: product.version,
        product_build: product.build,
        landlock_abi: measured.landlock_abi,
        lsms: os::security_modules(),
        uid_class: if nix::unistd::geteuid().is_root() { "root" } else { "user" }.to_string(),
        fixture_fs: measured.fixture_fs,
    }
}

/// Product version and build, where the system has such a thing.
#[derive(Debug, Default)]
struct Product {
    version: Option<String>,
    build: Option<String>,
}

/// The world that a run belongs to: the declared one, or for [`HOST_WORLD`] the one that these facts make.
///
/// # Errors
/// If the facts make no valid id.
pub fn resolve(declared: Option<&WorldId>, facts: &HostFacts) -> Result<WorldId, IdError> {
    match declared {
        None => WorldId::new(HOME_WORLD),
        Some(world) if world.as_str() == HOST_WORLD => derived(facts),
        Some(world) => Ok(world.clone()),
    }
}

/// The id of a Linux host: kernel release, architecture and Landlock ABI, the facts that decide what a policy means.
fn derived(facts: &HostFacts) -> Result<WorldId, IdError> {
    let part = |fact: &Option<String>| {
        let text = fact.as_deref().unwrap_or("unknown");
        text.chars().map(|c| if c.is_ascii_alphanumeric() || "._+".contains(c) { c } else { '_' }).collect::<String>()
    };
    let abi = facts.landlock_abi.unwrap_or(0);
    WorldId::new(format!("{}-{}-{}-landlock-{abi}", facts.os, part(&facts.kernel_release), part(&facts.arch)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> HostFacts {
        let mut facts = observe(Measured { landlock_abi: Some(7), fixture_fs: None });
        facts.os = "linux".into();
        facts.kernel_release = Some("6.18.44-a b/c".into());
        facts.arch = Some("x86_64".into());
        facts
    }

    #[test]
    fn the_host_world_is_made_of_facts() {
        let declared = WorldId::new(HOST_WORLD).unwrap();
        let world = resolve(Some(&declared), &facts()).unwrap();
        assert_eq!(world.as_str(), "linux-6.18.44_a_b_c-x86_64-landlock-7");
    }

    #[test]
    fn a_declared_world_stays_and_none_is_the_home_baseline() {
        let declared = WorldId::new("my-world").unwrap();
        assert_eq!(resolve(Some(&declared), &facts()).unwrap(), declared);
        assert_eq!(resolve(None, &facts()).unwrap().as_str(), HOME_WORLD);
    }
}
