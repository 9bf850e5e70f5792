//! Random choices that a seed fixes.

use crate::base::random::SplitMix;

/// Random choices that a seed fixes.
#[derive(Debug, Clone)]
pub struct Dice(SplitMix);

impl Dice {
    /// The choices of one case: the same for the same seed and number, on every system.
    pub fn new(seed: u64, number: u64) -> Self {
        let begin = SplitMix::new(seed).number();
        Self(SplitMix::new(begin ^ number.wrapping_mul(0xd1b5_4a32_d192_ed03)))
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.below(end)
    }

    /// A number from `least` to `most`.
    pub fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most - least + 1)
    }

    /// One of a list, which is not empty.
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    /// True in `share` of `of` cases.
    pub fn chance(&mut self, share: usize, of: usize) -> bool {
        self.below(of) < share
    }

    /// `count` of a list, in its order.
    pub fn some<T: Copy>(&mut self, list: &[T], count: usize) -> Vec<T> {
        let mut left = count.min(list.len());
        let mut found = Vec::with_capacity(left);
        for (n, one) in list.iter().enumerate() {
            if self.below(list.len() - n) < left {
                found.push(*one);
                left -= 1;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_fixes_every_choice_and_each_case_has_its_own() {
        let rolls = |seed, number| {
            let mut dice = Dice::new(seed, number);
            (0..8).map(|_| dice.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(rolls(1, 5), rolls(1, 5));
        assert_ne!(rolls(1, 5), rolls(1, 6));
        assert_ne!(rolls(1, 5), rolls(2, 5));
        let mut dice = Dice::new(3, 3);
        for count in 0..=5 {
            let some = dice.some(&[1, 2, 3, 4, 5], count);
            assert_eq!(some.len(), count);
            assert!(some.is_sorted());
        }
        let seen: std::collections::BTreeSet<usize> = (0..200).map(|_| dice.between(2, 4)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [2, 3, 4]);
    }
}
