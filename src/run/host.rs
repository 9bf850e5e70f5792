//! The host, as a run observes it.

use crate::enforce;
use crate::record::manifest::HostFacts;
use crate::world::{self, MeasuredFacts, Product};

/// Observes this host. `fixture_fs`: the file system type of the fixture base, if there is one.
pub fn observe(fixture_fs: Option<String>) -> HostFacts {
    world::observe(MeasuredFacts {
        landlock_abi: enforce::landlock_abi(),
        landlock_errata: enforce::landlock_errata(),
        fixture_fs,
        product: product(),
    })
}

#[cfg(target_os = "macos")]
fn product() -> Product {
    use crate::sys::product as ask;
    Product {
        version: ask::sysctl_text(c"kern.osproductversion"),
        build: ask::sysctl_text(c"kern.osversion"),
        shared_cache_uuid: ask::shared_cache_uuid().map(|bytes| uuid::Uuid::from_bytes(bytes).to_string()),
        sip_config: ask::sip_config(),
        virtual_machine: ask::sysctl_int(c"kern.hv_vmm_present").map(|present| present != 0),
    }
}

#[cfg(not(target_os = "macos"))]
fn product() -> Product {
    Product::default()
}
