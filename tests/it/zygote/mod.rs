//! Real probes on the real kernel, through the real executable.

mod drivers;
mod endings;
mod foreign;
mod harness;
mod huge_text;
mod model;
mod model_cases;
mod prologue;
mod spawner;
mod surface;
