//! Real probes on the real kernel, through the real executable.

mod drivers;
mod endings;
mod foreign;
mod harness;
mod model;
mod prologue;
mod sharing;
mod spawner;
mod surface;
