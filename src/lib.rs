//! sandproof proves what a sandbox policy really allows and denies on a host.
//!
//! # The pipeline
//!
//! plan bytes → resolved plan → lint → identity (sealed) → channel → worker → endings and observations → raw rows →
//! evidence (pure) → sealed bundle → verified bundle → gate report (pure) → packet.
//!
//! Each arrow turns one immutable value into the next. Only `run` joins execution with writing.
//!
//! # Layers
//!
//! | layer | modules | may import |
//! |---|---|---|
//! | 0 | `base` | nothing of the crate |
//! | 1 | `record` | 0 |
//! | 2 | `policy` | 0–1 |
//! | 2 | `evidence`, `world`, `plan` | 0–1, `policy`; `evidence` also `plan` |
//! | 3 | `identity`, `sys`, `zygote::protocol`, `process` | 0–2; `process` also `zygote::protocol` |
//! | 4 | `enforce`, `probe`, `channel`, `audit`, `bundle` | 0–3, not each other; `bundle` leaves `process` alone |
//! | 5 | `zygote`, `lane` | 0–4 except `bundle` |
//! | 5 | `launcher` | 0–4 except `bundle`; `lane` |
//! | 6 | `run` | 0–5; the only place where execution meets writing |
//! | 6 | `promote` | `base`, `record`, `evidence`, `plan`, `identity`, `bundle`; nothing that executes |
//! | 6 | `diff` | `base`, `record`, `plan`, `identity`, `bundle`, `promote`; nothing that executes |
//! | 6 | `review` | `base`, `record`, `policy`, `evidence`, `plan`, `bundle`, `promote`; nothing that executes |
//! | 6 | `attest` | `base`, `record`, `identity`, `bundle`, `promote`, `review`: statements and signatures; nothing that executes |
//! | 6 | `draft` | `base`, `record`, `plan`, `sys`; `seal` for what it takes of a file: documents begun from what a command does, or others recorded |
//! | 6 | `store` | `base`, `record`, `bundle`: bundles brought to folders and buckets, and back; nothing that executes |
//! | 6 | `mutate` | 0–5 except `channel`; `run` for what it asks and checks, `review` for questions about policies; writes nothing |
//! | 6 | `drift` | 0–5 except `channel` and `bundle`: random cases for model and kernel; writes nothing |
//! | 6 | `conformance` | `base`, `record`, `process`: another implementation and the test vectors; nothing of this program judges |
//! | 6 | `seal` | `base`, `record`, `plan`, `identity`, `sys`: a command under nothing but what a document declares |
//! | 7 | [`api`] | everything but `cli`: the library in one place |
//! | 7 | `cli` | everything; nobody imports `cli` but `test_support` |
//! | 8 | `test_support` | everything: what the tests use beyond `api`, behind a feature |
//!
//! Only [`api`] is public; what the other modules hold is private to the crate.
//! `tests/it/layers.rs` keeps the table true. `unsafe` is denied everywhere but in `sys`.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests write files and start programs as they like"))]

pub mod api;
mod attest;
mod audit;
mod base;
mod bundle;
mod channel;
mod cli;
mod conformance;
mod diff;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "commands are watched on Linux alone"))]
mod draft;
mod drift;
mod enforce;
mod evidence;
mod identity;
mod lane;
mod launcher;
mod mutate;
mod plan;
mod policy;
mod probe;
mod process;
mod promote;
mod record;
mod review;
mod run;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, unused_imports, reason = "commands are sealed on Linux alone"))]
mod seal;
mod store;
mod sys;
#[cfg(feature = "test-support")]
#[doc(hidden)]
pub mod test_support;
mod world;
mod zygote;

/// The command line: reads the process's arguments, does what they ask for, and returns the exit code.
///
/// It is what `main.rs` calls, and for a program that is `sandproof` under another name. Whoever wants an answer rather
/// than a process uses [`api`].
pub use cli::main;
