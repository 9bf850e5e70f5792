//! `systemd_clean` against a real systemd, through the real executable.

mod clean;
pub mod confine;
mod confined_worker;
mod ended;
mod forged;
pub mod host;
mod launcher;
mod shares;
mod user;
