//! Measuring both builds by turns, and the summary of what was measured.

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

impl<T> Pair<T> {
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
}

/// Runs `plain` and `lazy` by turns, each `runs` times, so that a machine that gets slower or faster meets both alike.
///
/// # Errors
/// That of the first run that failed.
pub fn by_turns<T>(
    runs: usize,
    mut plain: impl FnMut() -> Result<T>,
    mut lazy: impl FnMut() -> Result<T>,
) -> Result<Pair<Vec<T>>> {
    let mut pair = Pair { plain: Vec::with_capacity(runs), lazy: Vec::with_capacity(runs) };
    for _ in 0..runs {
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

    #[test]
    fn turns_are_taken() {
        let order = RefCell::new(String::new());
        let turn = |letter| {
            order.borrow_mut().push(letter);
            Ok(f64::from(u32::try_from(order.borrow().len())?))
        };
        let pair = by_turns(3, || turn('p'), || turn('l')).unwrap();
        assert_eq!(*order.borrow(), "plplpl");
        let summaries = pair.summaries(|value| value * 10.0);
        assert_eq!(summaries.plain, Summary { median: 30.0, min: 10.0, max: 50.0, runs: 3 });
        assert_eq!(summaries.lazy, Summary { median: 40.0, min: 20.0, max: 60.0, runs: 3 });
    }

    #[test]
    fn one_failure_ends_the_series() {
        let mut count = 0;
        let result = by_turns(
            3,
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
