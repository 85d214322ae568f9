//! Programs in C and C++ that write numbers: what the baseline compiler's code writes is what clang's writes, at every
//! level of the front end, with and without debug information.

mod support;

use support::{Program, source};

/// How front ends are asked for IR that no optimiser has seen, and for some that it has.
const LEVELS: [&[&str]; 4] =
    [&["-O0"], &["-O0", "-g"], &["-O2", "-Xclang", "-disable-llvm-passes"], &["-O1"]];

fn check(name: &str) {
    for flags in LEVELS {
        eprintln!("{name} {flags:?}");
        Program::build(&source(name), flags).check_all();
    }
}

#[test]
fn integers() {
    check("integers.c");
}

#[test]
fn control_flow() {
    check("control_flow.c");
}

#[test]
fn memory() {
    check("memory.c");
}

#[test]
fn calls() {
    check("calls.c");
}

#[test]
fn floats() {
    check("floats.c");
}

#[test]
fn exceptions() {
    // The standard library's headers take their time.
    for flags in [LEVELS[0], LEVELS[3]] {
        Program::build(&source("exceptions.cpp"), flags).check_all();
    }
}

#[test]
fn large_frames() {
    Program::build(&source("large_frames.ll"), &[]).check_all();
}

#[test]
fn constants() {
    Program::build(&source("constants.ll"), &[]).check_all();
}

#[test]
fn two_results_of_a_library_function() {
    Program::build(&source("sincos.ll"), &[]).check_all();
}

#[test]
fn vectors() {
    Program::build(&source("vectors.ll"), &[]).check_all();
}

#[test]
fn named_instructions() {
    // The processor must have them to tell.
    assert!(
        is_x86_feature_detected!("sse4.2") && is_x86_feature_detected!("aes"),
        "all of the last ten years"
    );
    assert!(is_x86_feature_detected!("pclmulqdq") && is_x86_feature_detected!("avx2"), "likewise");
    let base = ["-msse4.2", "-maes", "-mpclmul"];
    for flags in LEVELS {
        Program::build(&source("instructions.c"), &[flags, &base].concat()).check_all();
    }
    // Functions of headers take vectors of 256 bits in registers, unless they were inlined.
    Program::build(&source("instructions.c"), &["-O1", "-mavx2", "-maes", "-mpclmul"]).check_all();
}

#[test]
fn tails() {
    check("tails.c");
    for flags in [["-O0", "-fstack-protector-strong"], ["-O0", "-fstack-protector-all"]] {
        Program::build(&source("tails.c"), &flags).check_all();
    }
}
