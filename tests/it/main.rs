//! The integration tests, in one executable. `layers` fails if a file beside this one is not listed here.

#![allow(clippy::disallowed_methods, reason = "tests write files and start programs as they like")]

mod artifact_table;
#[cfg(target_os = "linux")]
mod ask;
mod bill_of_materials;
mod bundle_life;
#[cfg(target_os = "linux")]
mod compare;
#[cfg(target_os = "linux")]
mod compare_launchers;
mod compatibility;
mod completions;
mod conformance;
#[cfg(target_os = "linux")]
mod consumers;
mod declarations;
mod declared_systems;
#[cfg(target_os = "linux")]
mod derive_command;
mod diff_runs;
#[cfg(target_os = "linux")]
mod documents;
mod draft;
mod draft_records;
mod first_run;
#[cfg(target_os = "linux")]
mod golden;
#[cfg(target_os = "linux")]
mod hostile;
mod identity;
mod interruption;
mod json_answers;
mod landlock_worlds;
#[cfg(target_os = "linux")]
mod launchd;
#[cfg(target_os = "linux")]
mod launcher_plans;
mod launchers;
mod layers;
#[cfg(target_os = "linux")]
mod learn;
#[cfg(target_os = "linux")]
mod left_behind;
#[cfg(target_os = "linux")]
mod limits;
mod matrix;
#[cfg(target_os = "linux")]
mod merge_guide;
#[cfg(target_os = "linux")]
mod merges;
#[cfg(target_os = "linux")]
mod mutate;
mod newcomer;
mod papers;
mod plan_commands;
mod policy_commands;
mod policy_layers;
#[cfg(target_os = "linux")]
mod questions;
#[cfg(target_os = "linux")]
mod reference;
#[cfg(target_os = "linux")]
mod repeated_runs;
mod review_commands;
mod run_command;
mod rust_text;
#[cfg(target_os = "linux")]
mod scheduler_examples;
mod schemas;
#[cfg(target_os = "linux")]
mod seal;
mod seatbelt_texts;
#[cfg(target_os = "linux")]
mod selftest;
#[cfg(target_os = "linux")]
mod shards;
mod shipped_plans;
#[cfg(target_os = "linux")]
mod signatures;
mod sonoma_agreement;
mod status;
#[cfg(target_os = "linux")]
mod stores;
mod streams;
mod support;
#[cfg(target_os = "linux")]
mod surroundings;
#[cfg(target_os = "linux")]
mod systemd;
#[cfg(target_os = "linux")]
mod tamper;
mod templates;
mod untrusted_text;
#[cfg(target_os = "linux")]
mod unverified_packets;
#[cfg(target_os = "linux")]
mod waivers;
mod why;
mod wildcards;
mod wire_shapes;
mod words;
mod worked_example;
mod workspace;
mod worlds;
#[cfg(target_os = "linux")]
mod zygote;
