//! The item about identities: what declaring costs, against the run that is declared.

use super::Result;
use super::stats::{Better, Item};
use super::tool::{self, Tool};
use super::workspace::{self, Shape};

/// Probes of a small plan, as the one that people try first has.
const PROBES: usize = 15;

/// `identity declare` as a whole process, against a whole run of the same plan. The process starts, reads the plan and
/// digests the executable, which a run has to do in any case; so this is more than what declaring adds to a run. What
/// sealing adds are two sync calls, which the item `sync calls` counts.
pub fn declare(tool: &Tool) -> Result<Vec<Item>> {
    let shape = Shape { probes: PROBES, profiles: 1, fixtures: true };
    let workspace = workspace::make(&tool.on_disk("declare")?, shape)?;
    let out = tool.on_disk("out-declare")?;
    let mut rounds = Vec::new();
    for _ in 0..tool.scale.rounds {
        let floor = tool.run(&workspace, &out, 1)?.seconds;
        let mut declare = tool.command(["identity", "declare", "--plan", "plans/bench/plan.json", "--json"]);
        let ours = tool::timed(declare.current_dir(&workspace))?;
        rounds.push((ours * 1e3, floor * 1e3));
    }
    Ok(vec![Item { name: "declare", unit: "ms", better: Better::Lower, target: 0.5, fail_at: 1.0, rounds }])
}
