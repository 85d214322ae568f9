//! Random functions: the baseline compiler's code computes what clang's code computes.
//!
//! `AUTOJIT_SEEDS=FIRST..LAST` runs others than the usual few.

mod support;

use support::generate::Generator;
use support::{Program, Scratch};

fn functions() -> usize { std::env::var("AUTOJIT_FUNCTIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(40) }

fn seeds() -> std::ops::Range<u64> {
    let given = std::env::var("AUTOJIT_SEEDS").unwrap_or_default();
    let range = given.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
    range.unwrap_or(1..5)
}

#[test]
fn random_functions() {
    for seed in seeds() {
        eprintln!("seed {seed}");
        let ir = Generator::module(seed, functions());
        Program::of_ir(&ir, Scratch::new()).check_all();
    }
}
