//! Random functions: the baseline compiler's code computes what clang's code computes.
//!
//! `AUTOJIT_SEEDS=FIRST..LAST` runs others than the usual few, `AUTOJIT_FUNCTIONS` another number of functions in each
//! module: a smaller number gives the first of the same functions.

mod support;

use support::generate::Generator;
use support::{Program, Scratch};

fn seeds() -> std::ops::Range<u64> {
    let given = std::env::var("AUTOJIT_SEEDS").unwrap_or_default();
    let range = given.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
    range.unwrap_or(1..4)
}

#[test]
fn random_functions() {
    let functions = std::env::var("AUTOJIT_FUNCTIONS").ok().and_then(|number| number.parse().ok());
    for seed in seeds() {
        eprintln!("seed {seed}");
        let ir = Generator::module(seed, functions.unwrap_or(40));
        Program::of_ir(&ir, Scratch::new()).check_all();
    }
}
