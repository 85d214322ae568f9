//! A few random programs. `scripts/random` looks at as many as asked for, and docs/testing.md tells what came of it.

use autojit_tests::random::{Generator, Verdict, check_seed};
use autojit_tests::scratch::Scratch;

/// Checks seeds; each must be comparable.
fn check(generator: Generator, seeds: &[u64]) {
    for seed in seeds {
        let scratch = Scratch::new(&format!("random-{}-{seed}", generator.name()));
        match check_seed(generator, *seed, scratch.path()).0 {
            Verdict::Same(counts) => assert!(counts.compiled > 0.0, "seed {seed} calls nothing lazy"),
            other => panic!("seed {seed} of {}: {other:?}", generator.name()),
        }
    }
}

macro_rules! seeds {
    ($($name:ident: $generator:ident $seeds:expr;)*) => {
        $(#[test] fn $name() { check(Generator::$generator, &$seeds); })*
    };
}

seeds! {
    csmith_1: Csmith [10, 17, 20];
    csmith_2: Csmith [24, 27, 32];
    csmith_3: Csmith [37, 38];
    csmith_4: Csmith [107, 112];
    calls_1: Calls [1, 3];
    calls_2: Calls [4, 5];
    calls_3: Calls [7, 8, 29];
}

/// Loops, of which some must be continued in other code, and some jump by tables of labels.
#[test]
fn loops() {
    let (mut continued, mut tables) = (0.0, 0);
    for seed in [38, 42] {
        let scratch = Scratch::new(&format!("random-loops-{seed}"));
        let case = Generator::Loops.generate(seed, scratch.path()).expect("it needs no tool");
        tables += case.units.iter().map(|unit| unit.text.matches("goto *").count()).sum::<usize>();
        match check_seed(Generator::Loops, seed, scratch.path()).0 {
            Verdict::Same(counts) => continued += counts.replaced,
            other => panic!("seed {seed} of loops: {other:?}"),
        }
    }
    assert!(tables > 0, "no table of labels");
    assert!(continued >= 10.0, "only {continued} loops were continued");
}
