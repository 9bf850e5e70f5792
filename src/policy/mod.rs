//! Policies as values: read, checked, digested and evaluated on every platform. Installing them needs the kernel and
//! is `enforce`'s work.

pub mod answer;
pub mod controls;
pub mod enforceable;
pub mod landlock;
pub mod launcher;
pub mod model_answer;
pub mod operations;
pub mod sbpl;
pub mod value;

pub use enforceable::Enforceable;
pub use value::PolicyValue;

pub use crate::record::enforcer::{Enforcer, PolicyMode};
