//! sandproof proves what a sandbox policy really allows and denies on a host.
//!
//! # The pipeline
//!
//! plan bytes → resolved plan → lint → identity (sealed) → channel → worker → endings and observations → raw rows →
//! evidence (pure) → sealed bundle → verified bundle → gate report (pure) → packet.
//!
//! Each arrow turns one immutable value into the next. Only [`run`] joins execution with writing.
//!
//! # Layers
//!
//! | layer | modules | may import |
//! |---|---|---|
//! | 0 | [`base`] | nothing of the crate |
//! | 1 | [`record`] | 0 |
//! | 2 | [`policy`] | 0–1 |
//! | 2 | [`evidence`], [`world`], [`plan`] | 0–1, `policy`; `evidence` also `plan` |
//! | 3 | [`identity`], [`sys`], [`zygote::protocol`], [`process`] | 0–2; `process` also `zygote::protocol` |
//! | 4 | [`enforce`], [`probe`], [`channel`], [`bundle`] | 0–3, not each other; `bundle` leaves `process` alone |
//! | 5 | [`zygote`], [`lane`] | 0–4 except `bundle` |
//! | 6 | [`run`] | 0–5; the only place where execution meets writing |
//! | 6 | [`promote`] | `base`, `record`, `evidence`, `plan`, `identity`, `bundle`; nothing that executes |
//! | 6 | [`diff`] | `base`, `record`, `plan`, `identity`, `bundle`, `promote`; nothing that executes |
//! | 6 | [`review`] | `base`, `record`, `policy`, `evidence`, `plan`, `bundle`, `promote`; nothing that executes |
//! | 7 | [`api`] | everything but `cli`: the library in one place |
//! | 7 | [`cli`] | everything; nobody imports `cli` |
//!
//! `tests/it/layers.rs` keeps the table true. `unsafe` is denied everywhere but in [`sys`].

pub mod api;
pub mod base;
pub mod bundle;
pub mod channel;
pub mod cli;
pub mod diff;
pub mod enforce;
pub mod evidence;
pub mod identity;
pub mod lane;
pub mod plan;
pub mod policy;
pub mod probe;
pub mod process;
pub mod promote;
pub mod record;
pub mod review;
pub mod run;
pub mod sys;
pub mod world;
pub mod zygote;
