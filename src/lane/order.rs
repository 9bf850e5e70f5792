//! In which order the tasks of a lane are taken up.
//!
//! Rows stand in plan order whatever the order is; only the moment at which each is executed changes. That is why a shuffled
//! order mixes within blocks: a row that waits for its turn is held in memory, and memory does not grow with the run.

use crate::base::random::SplitMix;
use crate::record::outcome::Lane;

/// How many consecutive tasks are mixed with each other. Two blocks fit into the window of the executor.
pub const BLOCK: usize = 512;

/// An order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskOrder {
    /// As the plan has it.
    Planned,
    /// Mixed within each block, by a seed. The same seed gives the same order.
    Shuffled(u64),
}

impl TaskOrder {
    /// The order of one pass over a lane: another one for each, so that what depends on an order shows.
    pub fn of_pass(seed: Option<u32>, lane: Lane, pass: u32) -> Self {
        let lane = match lane {
            Lane::Baseline => 0,
            Lane::Control => 1,
            Lane::Scenario => 2,
            Lane::Oracle => 3,
        };
        seed.map_or(Self::Planned, |seed| Self::Shuffled(u64::from(seed) ^ (lane << 32) ^ (u64::from(pass) << 40)))
    }

    /// The places of the block that begins at `start`, of a lane with `len` tasks, in the order in which they are taken up.
    pub fn block(self, start: usize, len: usize) -> Vec<usize> {
        let mut places: Vec<usize> = (start..len.min(start + BLOCK)).collect();
        if let Self::Shuffled(seed) = self {
            let mut random = SplitMix::new(seed ^ (start as u64).rotate_left(17));
            // Fisher and Yates, from the end.
            for last in (1..places.len()).rev() {
                places.swap(last, random.below(last + 1));
            }
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_names_an_order_and_every_place_comes_once() {
        let order = TaskOrder::of_pass(Some(7), Lane::Scenario, 0);
        let block = order.block(BLOCK, 2 * BLOCK + 10);
        assert_eq!(block, TaskOrder::of_pass(Some(7), Lane::Scenario, 0).block(BLOCK, 2 * BLOCK + 10));
        let mut sorted = block.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (BLOCK..2 * BLOCK).collect::<Vec<_>>());
        assert_ne!(block, sorted);
        assert_eq!(order.block(2 * BLOCK, 2 * BLOCK + 3).len(), 3);
        assert_eq!(TaskOrder::of_pass(None, Lane::Scenario, 0).block(0, 3), [0, 1, 2]);
        for other in [
            TaskOrder::of_pass(Some(8), Lane::Scenario, 0),
            TaskOrder::of_pass(Some(7), Lane::Baseline, 0),
            TaskOrder::of_pass(Some(7), Lane::Scenario, 1),
        ] {
            assert_ne!(other.block(BLOCK, 3 * BLOCK), block, "{other:?}");
        }
    }

    #[test]
    fn the_order_of_a_seed_is_the_same_in_every_version() {
        assert_eq!(TaskOrder::of_pass(Some(1), Lane::Baseline, 0).block(0, 8), [4, 3, 2, 7, 5, 6, 0, 1]);
    }
}
