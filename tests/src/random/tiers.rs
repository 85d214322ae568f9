//! Builds and runs of random programs whose code is replaced while it runs: optimised ones, modules that LLVM has been at
//! before (so that values are in registers where loops begin, and vectors are), and unoptimised ones that are optimised at
//! run time.

use super::choice::Choice;
use super::{Case, FLAGS, Run};
use crate::program::Mode;

/// What brings values into registers: little, much, and everything.
const PASSES: [&str; 5] = [
    "sroa",
    "sroa,simplifycfg,early-cse,loop-simplify,lcssa",
    "sroa,instcombine<no-verify-fixpoint>,loop(loop-rotate)",
    "default<O1>",
    "default<O3>",
];

/// So many builds of a case, each with its runs.
pub fn builds(case: &Case, seed: u64, count: usize) -> Vec<Case> {
    let mut choice = Choice::new(seed.rotate_left(16));
    (0..count)
        .map(|number| {
            let mut build = case.clone();
            build.link.push(format!("-fuse-ld={}", choice.of(&["lld", "bfd", "mold"])));
            let flags: Vec<String> = choice.some(&FLAGS, 10).iter().map(|flag| (**flag).to_owned()).collect();
            build.flags.extend(flags);
            // Where a fused multiplication and addition is there, LLVM may use it or not.
            build.flags.push("-ffp-contract=off".to_owned());
            let mut env = Vec::new();
            let level = match (choice.below(8) + 4 * number) % 8 {
                0 => {
                    env.push(("AUTOJIT_OPT", (*choice.of(&["1", "2", "3"])).to_owned()));
                    "-O0"
                }
                1 => "-O1",
                2 => "-O3",
                3 => "-Os",
                4 => "-O2",
                _ => {
                    build.passes = Some(*choice.of(&PASSES));
                    *choice.of(&["-O1", "-O2", "-O3"])
                }
            };
            build.flags.push(level.to_owned());
            // The round in which a loop is left is another each time.
            let rounds = [1, 2 + choice.below(20)];
            let run = |rounds: &usize| {
                let rounds = ("AUTOJIT_TIER_LOOPS", rounds.to_string());
                Run { mode: Mode::Tiers, env: [env.clone(), vec![rounds]].concat() }
            };
            build.runs = rounds.iter().map(run).collect();
            build
        })
        .collect()
}
