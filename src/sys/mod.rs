//! System calls without a safe wrapper elsewhere. The only folder with `unsafe`.
#![allow(unsafe_code, reason = "each block states why it is sound")]

pub mod durability;
