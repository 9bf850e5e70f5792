//! Linux facts.

use super::Product;

/// Linux has no product version of its own.
pub(super) fn product() -> Product {
    Product::default()
}

/// The active security modules in order, from securityfs; `None` where that is not mounted.
pub(super) fn security_modules() -> Option<Vec<String>> {
    let text = std::fs::read_to_string("/sys/kernel/security/lsm").ok()?;
    Some(text.trim().split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}
