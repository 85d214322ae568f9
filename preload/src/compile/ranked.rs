//! What is to be optimised, the most rewarding first.
//!
//! Receives what was counted of each; hands on one after the other. What a call or a round takes does not depend on how
//! large the function is, what the optimiser takes does: so calls and rounds speak for a function, and its
//! size against it. What was counted long ago fades: programs do one
//! thing after the other.

/// Bytes of code that take the optimiser as long as what it does for each function.
const SMALL: u64 = 200;
/// What is left of the counts of those that wait whenever one is taken: so many of so many parts.
const LEFT: (u32, u32) = (15, 16);

/// Those that wait.
#[derive(Debug)]
pub struct Ranked<T> {
    waiting: Vec<Waiting<T>>,
}

#[derive(Debug)]
struct Waiting<T> {
    what: T,
    /// Calls and rounds that were counted.
    events: u32,
    /// Bytes of its code.
    size: u32,
}

impl<T> Waiting<T> {
    /// What is gained in a time of the optimiser's.
    fn rank(&self) -> u64 {
        (u64::from(self.events) << 24) / (u64::from(self.size) + SMALL)
    }
}

impl<T: Copy> Ranked<T> {
    /// None.
    pub const fn new() -> Self {
        Self { waiting: Vec::new() }
    }

    /// Adds one with `size` bytes of code, of which `events` calls and rounds were counted.
    pub fn add(&mut self, what: T, events: u32, size: u32) {
        self.waiting.push(Waiting { what, events, size });
    }

    /// Counts `events` more of the one that `is` meant. False if it does not wait.
    pub fn count(&mut self, is: impl Fn(T) -> bool, events: u32) -> bool {
        let known = self.waiting.iter_mut().find(|it| is(it.what));
        known.map(|it| it.events = it.events.saturating_add(events)).is_some()
    }

    /// Takes the most rewarding of those that `may` be taken.
    pub fn take(&mut self, may: impl Fn(T) -> bool) -> Option<T> {
        let may = (0..self.waiting.len()).filter(|at| may(self.waiting[*at].what));
        let best = may.max_by_key(|at| self.waiting[*at].rank())?;
        let taken = self.waiting.swap_remove(best).what;
        let (left, of) = LEFT;
        self.waiting.iter_mut().for_each(|it| it.events = it.events / of * left + it.events % of);
        Some(taken)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.waiting.iter().map(|it| it.what)
    }

    /// Forgets all but those that `stay`.
    pub fn retain(&mut self, stay: impl Fn(T) -> bool) {
        self.waiting.retain(|it| stay(it.what));
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(waiting: &[(char, u32, u32)]) -> String {
        let mut ranked = Ranked::new();
        waiting.iter().for_each(|(what, events, size)| ranked.add(*what, *events, *size));
        std::iter::from_fn(|| ranked.take(|_| true)).collect()
    }

    #[test]
    fn rewarding_functions_come_first() {
        // Of the same size.
        assert_eq!(order(&[('a', 30, 100), ('b', 60, 100), ('c', 20_000, 100)]), "cba");
        // As often: the small ones.
        assert_eq!(order(&[('a', 600, 9000), ('b', 600, 40)]), "ba");
        // A large one takes the optimiser as long as hundreds of others.
        assert_eq!(order(&[('a', 60_000, 50_000), ('b', 900, 100)]), "ba");
        assert_eq!(order(&[('a', 600_000, 50_000), ('b', 900, 100)]), "ab");
        assert_eq!(order(&[('a', u32::MAX, 0), ('b', u32::MAX, 1)]), "ab");
    }

    #[test]
    fn counts_are_added_up_and_fade() {
        let mut ranked = Ranked::new();
        ranked.add('a', 1000, 100);
        ranked.add('b', 900, 100);
        assert!(ranked.count(|it| it == 'b', 200) && !ranked.count(|it| it == 'c', 1));
        assert_eq!(ranked.take(|it| it != 'b'), Some('a'));
        for _ in 0..40 {
            ranked.add('x', 1, 0);
            assert_eq!(ranked.take(|it| it == 'x'), Some('x'));
        }
        // What has been counted since counts more.
        ranked.add('c', 300, 100);
        assert_eq!((ranked.take(|_| true), ranked.take(|_| true), ranked.len()), (Some('c'), Some('b'), 0));
    }
}
