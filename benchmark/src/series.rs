//! Measuring both builds by turns, and the summary of what was measured.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};

/// The plain thing and the lazy one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair<T> {
    /// Of the plain build.
    pub plain: T,
    /// Of the lazy build.
    pub lazy: T,
}

impl<T> Default for Pair<Vec<T>> {
    fn default() -> Self {
        Self { plain: Vec::new(), lazy: Vec::new() }
    }
}

impl<T> Pair<T> {
    /// The same of both.
    pub fn map<U>(self, mut map: impl FnMut(T) -> U) -> Pair<U> {
        Pair { plain: map(self.plain), lazy: map(self.lazy) }
    }

    /// The same of both.
    ///
    /// # Errors
    /// Those of `map`.
    pub fn try_map<U>(self, mut map: impl FnMut(T) -> Result<U>) -> Result<Pair<U>> {
        Ok(Pair { plain: map(self.plain)?, lazy: map(self.lazy)? })
    }
}

impl<T> Pair<Vec<T>> {
    /// The summaries of a quantity of all runs.
    pub fn summaries(&self, quantity: impl Fn(&T) -> f64) -> Pair<Summary> {
        let summary = |runs: &[T]| Summary::of(runs.iter().map(&quantity).collect());
        Pair { plain: summary(&self.plain), lazy: summary(&self.lazy) }
    }

    /// The least of a quantity of all runs, where the kernel adds what a program does not need.
    pub fn least(&self, quantity: impl Fn(&T) -> f64) -> Pair<Summary> {
        self.summaries(quantity).map(|summary| Summary::exact(summary.min))
    }
}

/// How often both are measured.
#[derive(Debug, Clone, Copy)]
pub struct Turns {
    /// So often at least.
    pub least: usize,
    /// So often at most.
    pub most: usize,
    /// In between, for so long.
    pub time: Duration,
}

/// Runs `plain` and `lazy` by turns, so that a machine that gets slower or faster meets both alike.
///
/// # Errors
/// That of the first run that failed.
pub fn by_turns<T>(
    turns: Turns,
    mut plain: impl FnMut() -> Result<T>,
    mut lazy: impl FnMut() -> Result<T>,
) -> Result<Pair<Vec<T>>> {
    let (mut pair, start) = (Pair::default(), Instant::now());
    while pair.plain.len() < turns.least || (pair.plain.len() < turns.most && start.elapsed() < turns.time) {
        pair.plain.push(plain()?);
        pair.lazy.push(lazy()?);
    }
    Ok(pair)
}

/// Several values of one quantity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The value in the middle.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// How many there were.
    pub runs: usize,
}

impl Summary {
    /// Summarises `values`. Panics if there are none.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let (runs, middle) = (values.len(), values.len() / 2);
        let median =
            if runs % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) };
        Self { median, min: values[0], max: values[runs - 1], runs }
    }

    /// A value that is the same however often it is taken.
    pub fn exact(value: f64) -> Self {
        Self { median: value, min: value, max: value, runs: 1 }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn times(count: usize) -> Turns {
        Turns { least: count, most: count, time: Duration::ZERO }
    }

    #[test]
    fn what_is_quick_is_done_more_often() {
        let count = |time, pause| {
            let turns = Turns { least: 2, most: 5, time: Duration::from_millis(time) };
            let sleep = || {
                std::thread::sleep(Duration::from_millis(pause));
                Ok(())
            };
            by_turns(turns, sleep, || Ok(())).unwrap().lazy.len()
        };
        assert_eq!((count(10_000, 0), count(1, 2), count(0, 0)), (5, 2, 2));
    }

    #[test]
    fn turns_are_taken() {
        let order = RefCell::new(String::new());
        let turn = |letter| {
            order.borrow_mut().push(letter);
            Ok(f64::from(u32::try_from(order.borrow().len())?))
        };
        let pair = by_turns(times(3), || turn('p'), || turn('l')).unwrap();
        assert_eq!(*order.borrow(), "plplpl");
        let summaries = pair.summaries(|value| value * 10.0);
        assert_eq!(summaries.plain, Summary { median: 30.0, min: 10.0, max: 50.0, runs: 3 });
        assert_eq!(summaries.lazy, Summary { median: 40.0, min: 20.0, max: 60.0, runs: 3 });
        assert_eq!(
            pair.least(|value| *value),
            Pair { plain: Summary::exact(1.0), lazy: Summary::exact(2.0) }
        );
    }

    #[test]
    fn one_failure_ends_the_series() {
        let mut count = 0;
        let result = by_turns(
            times(3),
            || Ok(()),
            || {
                count += 1;
                anyhow::ensure!(count < 2, "the second");
                Ok(())
            },
        );
        assert_eq!(result.unwrap_err().to_string(), "the second");
        assert_eq!(count, 2);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Summary::of(vec![9.0, 1.0, 2.0]).median, 2.0);
        assert_eq!(
            Summary::of(vec![9.0, 1.0, 2.0, 4.0]),
            Summary { median: 3.0, min: 1.0, max: 9.0, runs: 4 }
        );
        assert_eq!(Summary::exact(7.0), Summary::of(vec![7.0]));
    }
}
