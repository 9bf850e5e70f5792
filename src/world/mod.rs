//! The host: what is observed of it, and which world that is.
//!
//! Facts are read, never guessed: one that cannot be read stays absent. Whether a host is a world is a pure function of
//! the world's document and the host's facts, so verification answers it again.

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod os;
#[cfg(not(target_os = "linux"))]
#[path = "other.rs"]
mod os;

use crate::base::digest::Digest;
use crate::base::ids::{IdError, WorldId};
use crate::record::manifest::{FactCheck, HostFacts, WorldCheck};
use crate::record::world::{HOME_WORLD, WorldFile};

/// What only other layers can measure.
#[derive(Debug, Clone, Default)]
pub struct MeasuredFacts {
    /// The Landlock ABI that the kernel reports; `None` if it has none.
    pub landlock_abi: Option<i32>,
    /// The Landlock errata that the kernel reports as fixed; `None` if it cannot say.
    pub landlock_errata: Option<Vec<u32>>,
    /// File system type of the fixture base.
    pub fixture_fs: Option<String>,
    /// What macOS says of itself.
    pub product: Product,
}

/// What macOS says of itself; nothing elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Product {
    /// `kern.osproductversion`
    pub version: Option<String>,
    /// `kern.osversion`
    pub build: Option<String>,
    /// UUID of the dyld shared cache.
    pub shared_cache_uuid: Option<String>,
    /// The bits of `csr_get_active_config`.
    pub sip_config: Option<u32>,
    /// `kern.hv_vmm_present`
    pub virtual_machine: Option<bool>,
}

/// Observes this host.
pub fn observe(measured: MeasuredFacts) -> HostFacts {
    let uname = nix::sys::utsname::uname().ok();
    let text = |part: fn(&nix::sys::utsname::UtsName) -> &std::ffi::OsStr| {
        uname.as_ref().map(|uname| part(uname).to_string_lossy().into_owned())
    };
    let product = measured.product;
    HostFacts {
        os: std::env::consts::OS.to_string(),
        kernel_release: text(|uname| uname.release()),
        kernel_version: text(|uname| uname.version()),
        arch: text(|uname| uname.machine()),
        product_version: product.version,
        product_build: product.build,
        shared_cache_uuid: product.shared_cache_uuid,
        sip_config: product.sip_config,
        virtual_machine: product.virtual_machine.or_else(os::virtual_machine),
        landlock_abi: measured.landlock_abi,
        landlock_errata: measured.landlock_errata,
        lsms: os::security_modules(),
        uid_class: if nix::unistd::geteuid().is_root() { "root" } else { "user" }.to_string(),
        fixture_fs: measured.fixture_fs,
    }
}

/// The facts that a world's document may name, with how each is read from a host. Lists are joined by commas.
///
/// A fact that could not be observed is `None`, and then no value that a document gives is right.
pub fn fact(host: &HostFacts, name: &str) -> Option<String> {
    let list = |items: &[String]| items.join(",");
    match name {
        "os" => Some(host.os.clone()),
        "kernel_release" => host.kernel_release.clone(),
        "kernel_version" => host.kernel_version.clone(),
        "arch" => host.arch.clone(),
        "product_version" => host.product_version.clone(),
        "product_build" => host.product_build.clone(),
        "shared_cache_uuid" => host.shared_cache_uuid.clone(),
        "sip_config" => host.sip_config.map(|bits| bits.to_string()),
        "virtual_machine" => host.virtual_machine.map(|yes| yes.to_string()),
        "landlock_abi" => host.landlock_abi.map(|abi| abi.to_string()),
        "landlock_errata" => {
            host.landlock_errata.as_ref().map(|all| list(&all.iter().map(u32::to_string).collect::<Vec<_>>()))
        }
        "lsms" => host.lsms.as_deref().map(list),
        _ => None,
    }
}

/// The build number that the double of Darwin's user space in `tests/darwin` gives itself. No release has one that begins
/// with a 0, so no Mac has it.
pub const DOUBLE_BUILD: &str = "0D0000";
/// The only world that the double can be. Its document lies with the tests; no Mac can be it.
pub const DOUBLE_WORLD: &str = "darwin-double";

/// The world that a plan declares; the home baseline if it declares none.
pub fn declared(plan: Option<&WorldId>) -> WorldId {
    plan.cloned().unwrap_or_else(|| WorldId::new(HOME_WORLD).expect("the home baseline has an id"))
}

/// The world that a run belongs to: the declared one, or where its document says how, the one that the facts make.
///
/// # Errors
/// If the facts make no valid id.
pub fn id(declared: &WorldId, document: Option<&WorldFile>, host: &HostFacts) -> Result<WorldId, IdError> {
    match document {
        Some(document) if !document.derive_id.is_empty() => derived(&document.derive_id, host),
        _ => Ok(declared.clone()),
    }
}

/// Compares the declared world with the host. `document` with its digest; `None` if that world has none.
pub fn check(declared: &WorldId, document: Option<(&WorldFile, Digest)>, host: &HostFacts) -> WorldCheck {
    let Some((document, digest)) = document else {
        return WorldCheck {
            declared: declared.clone(),
            document_sha256: None,
            matches: false,
            facts: Vec::new(),
            clean_channels: Vec::new(),
        };
    };
    let facts: Vec<FactCheck> = document
        .match_facts
        .iter()
        .map(|(name, expected)| {
            let observed = fact(host, name);
            let ok = observed.as_ref() == Some(expected);
            FactCheck { name: name.clone(), expected: expected.clone(), observed, ok }
        })
        .collect();
    WorldCheck {
        declared: declared.clone(),
        document_sha256: Some(digest),
        // A document without rules describes every host, which is to say none. What the double emulates is a test and
        // never evidence about a Mac, whatever a document says.
        matches: !facts.is_empty()
            && facts.iter().all(|fact| fact.ok)
            && (declared.as_str() == DOUBLE_WORLD) == (host.product_build.as_deref() == Some(DOUBLE_BUILD)),
        facts,
        clean_channels: document.clean_channels.clone(),
    }
}

/// Facts that are lists: too long to be spelled out in an id.
const LISTS: [&str; 2] = ["landlock_errata", "lsms"];
/// How many hexadecimal digits of the digest end an id.
const SUFFIX_DIGITS: usize = 8;

/// An id made of facts: those that are short are spelled out, and all of them together give a digest, of which the
/// beginning follows. So the id can be read, and hosts that differ in any fact have different ids. A fact that could
/// not be observed is `unknown`.
fn derived(names: &[String], host: &HostFacts) -> Result<WorldId, IdError> {
    let mut parts = Vec::new();
    let mut all = String::new();
    for name in names {
        let value = fact(host, name).unwrap_or_else(|| "unknown".to_string());
        all.push_str(&format!("{name}={value}\n"));
        if LISTS.contains(&name.as_str()) {
            continue;
        }
        let value: String =
            value.chars().map(|c| if c.is_ascii_alphanumeric() || "._+".contains(c) { c } else { '_' }).collect();
        parts.push(if name == "landlock_abi" { format!("landlock-{value}") } else { value });
    }
    let digest = Digest::of(all.as_bytes()).to_string();
    parts.push(digest[..SUFFIX_DIGITS].to_string());
    WorldId::new(parts.join("-"))
}

#[cfg(test)]
mod tests;
