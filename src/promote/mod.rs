//! Promotion: gates over a verified bundle, and the packet.
