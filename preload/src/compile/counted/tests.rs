//! Thresholds, and how often the time is looked at.

use super::*;

#[test]
fn the_time_is_looked_at_while_it_goes_by() {
    let (soon, late) = (OFTEN / 2, 2 * OFTEN);
    let many = (0..9).fold(0, |last, _| passes(last, soon));
    assert_eq!((passes(0, soon), many), (1, MOST_PASSES));
    assert_eq!((0..4).fold(many, |last, _| passes(last, late)), 0);
}

#[test]
fn code_is_kept_with_the_usual_thresholds() {
    let options = options::Options::defaults();
    assert_eq!(MADE_FOR, (options.tier_loops.0, options.tier_calls.0));
}
