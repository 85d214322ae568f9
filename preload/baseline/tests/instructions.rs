//! Each supported instruction with edge values: the baseline compiler's code computes what LLVM's own, not optimised, does.

mod support;

use support::cases::{self, Cases};
use support::{Program, Scratch};

fn check(cases: &Cases) {
    let program = Program::of_ir(&cases.text(), Scratch::new());
    let refused: Vec<String> = program
        .left
        .iter()
        .map(|left| {
            let number: usize = left.name[1..].parse().unwrap_or(0);
            let name = cases.names.get(number).map_or("?", |(name, _)| name);
            format!("{}: {name}: {}", left.name, left.refused)
        })
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let different = program.differences();
    let examples: Vec<String> = different
        .iter()
        .map(|(index, ours, theirs)| format!("{}: {ours:#x} instead of {theirs:#x}", cases.name_of(*index)))
        .take(20)
        .collect();
    assert!(examples.is_empty(), "{} differ: {examples:#?}", different.len());
}

#[test]
fn integers() {
    check(&cases::integers());
}

#[test]
fn floating_point() {
    check(&cases::floating_point());
}

#[test]
fn vectors() {
    check(&cases::vectors());
}

#[test]
fn fused_operations() {
    // The code is the same everywhere; it runs where the processor has the instructions.
    let cases = cases::fused();
    if std::arch::is_x86_feature_detected!("fma") {
        check(&cases);
    } else {
        eprintln!("not run: this processor has no FMA");
    }
}
