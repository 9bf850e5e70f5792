//! Bundles: writing, sealing, reading and verifying.
