//! Lanes: which policy, which probes, in what order.
//!
//! - [`task`]: what there is to do in a lane, by place in plan order
//! - [`executor`]: does it with any number of workers, and forwards rows in plan order
//! - [`worker`]: one zygote with its ports and policies; makes fixtures, sends jobs, builds rows
//! - [`capability`]: what host and user must have for a probe to mean anything

mod attribution;
pub mod cancel;
pub mod capability;
mod check;
pub mod control_tasks;
pub mod executor;
pub mod fixture;
pub mod listener;
pub mod order;
pub mod ports;
mod row_line;
pub mod task;
pub mod worker;
pub mod write_guard;
