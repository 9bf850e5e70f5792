//! Facts of systems that are not Linux.

use super::Product;

/// Product version and build, from `SystemVersion.plist`'s sysctl twins; not read yet.
pub(super) fn product() -> Product {
    Product::default()
}

/// Only Linux lists its security modules.
pub(super) fn security_modules() -> Option<Vec<String>> {
    None
}
