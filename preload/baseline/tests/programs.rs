//! Programs in C and C++ that write numbers: what the baseline compiler's code writes is what clang's writes, at every
//! level of the front end, with and without debug information.

mod support;

use support::{Program, left_of, source};

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
    for flags in LEVELS {
        let wide = ["-mavx2", "-maes", "-mpclmul"];
        Program::build(&source("instructions.c"), &[flags, &wide].concat()).check_all();
    }
}

/// By the instructions that each set of features has, or through memory.
#[test]
fn lanes_that_are_inserted() {
    assert!(is_x86_feature_detected!("avx2"), "as processors have it since 2013");
    for flags in LEVELS {
        for features in [&[][..], &["-msse4.1"], &["-mavx2"]] {
            Program::build(&source("inserted_lanes.c"), &[flags, features].concat()).check_all();
        }
    }
}

/// To and from clang's code as well, which tables lead to.
#[test]
fn vectors_of_256_bits_in_calls() {
    assert!(is_x86_feature_detected!("avx2"), "as processors have it since 2013");
    for flags in LEVELS {
        for features in [&["-mavx2"][..], &["-mavx", "-fstack-protector-all"], &["-mavx2", "-mfma"]] {
            Program::build(&source("wide_calls.c"), &[flags, features].concat()).check_all();
        }
    }
    // In memory, or in two registers.
    Program::build(&source("wide_calls.c"), &["-O0"]).check_all();
}

/// Where it is not known whether there are registers for them.
#[test]
fn vectors_in_registers_that_are_not_known() {
    let function = |features: &str, ty: &str| {
        let text = format!(
            "target triple = \"x86_64-unknown-linux-gnu\"\n\
             define {ty} @f({ty} %a) {features} {{\n  ret {ty} %a\n}}\n"
        );
        left_of(&text).len()
    };
    let (wide, wider) = ("<8 x float>", "<16 x float>");
    assert_eq!(function("", wide) + function("", wider), 0);
    let avx = r#""target-features"="+avx""#;
    assert_eq!(function(avx, wide) + function(avx, wider), 0);
    let avx512 = r#""target-features"="+avx512f""#;
    assert_eq!([function(avx512, wide), function(avx512, wider)], [0, 1]);
    let named = r#""target-cpu"="haswell""#;
    assert_eq!([function(named, wide), function(named, "<4 x float>")], [1, 0]);
}

#[test]
fn tails() {
    check("tails.c");
    for flags in [["-O0", "-fstack-protector-strong"], ["-O0", "-fstack-protector-all"]] {
        Program::build(&source("tails.c"), &flags).check_all();
    }
}
