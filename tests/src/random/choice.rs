//! Choices that a seed makes: the same seed makes the same program on every machine.

/// A sequence of choices (splitmix64).
#[derive(Debug, Clone)]
pub struct Choice(u64);

impl Choice {
    /// The choices of `seed`.
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds must not make similar programs.
        let mut choice = Self(seed ^ 0x6a09_e667_f3bc_c908);
        choice.word();
        choice
    }

    /// Any number.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.word() % end as u64) as usize
    }

    /// Yes in `percent` of a hundred cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.word() % 100 < percent
    }

    /// One of `all`.
    pub fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// Each of `all` with the probability of `percent` in a hundred.
    pub fn some<'a, T>(&mut self, all: &'a [T], percent: u64) -> Vec<&'a T> {
        all.iter().filter(|_| self.percent(percent)).collect()
    }
}
