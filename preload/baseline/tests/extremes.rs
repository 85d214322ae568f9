//! Functions beyond what compilers usually write: very long ones, switches of many cases, frames that are too large, and
//! conventions that are not known. They are compiled right, or refused with a reason.
//!
//! `AUTOJIT_INSTRUCTIONS=NUMBER` sets how long the longest function is.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use autojit_baseline::{Baseline, Reason};
use autojit_bitcode::{BitcodeModule, FunctionBody};
use support::{Left, Program, Scratch, bitcode_of, source};

/// Counts what is allocated, for good or not.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const HEAD: &str = "target triple = \"x86_64-unknown-linux-gnu\"\n";

/// A function of this many instructions, in blocks of ten, with values that live across blocks.
fn long_function(instructions: usize) -> String {
    let mut out = format!("{HEAD}define i64 @f(i64 %a) {{\nentry:\n  %m = alloca i64\n  br label %b0\nb0:\n");
    let mut last = "%a".to_owned();
    for index in 0..instructions / 10 {
        let _ = write!(
            out,
            "  %x{index} = mul i64 {last}, {}\n  store i64 %x{index}, ptr %m\n  %y{index} = load i64, ptr %m\n  \
             %z{index} = xor i64 %y{index}, {index}\n  %s{index} = lshr i64 %z{index}, 7\n  \
             %t{index} = add i64 %s{index}, %z{index}\n  %u{index} = sub i64 %t{index}, %a\n  \
             %c{index} = icmp eq i64 %u{index}, 12345\n  %v{index} = select i1 %c{index}, i64 1, i64 %u{index}\n  \
             br label %b{}\nb{}:\n",
            index * 2 + 3,
            index + 1,
            index + 1,
        );
        last = format!("%v{index}");
    }
    out + &format!("  ret i64 {last}\n}}\n")
}

/// What a module's only function takes: bytes allocated while it is compiled, and bytes of code.
fn cost(ir: &str) -> (usize, usize) {
    let bytes = bitcode_of(ir, &Scratch::new());
    let module = BitcodeModule::parse(&bytes).unwrap_or_else(|error| panic!("{error:?}"));
    let mut body = FunctionBody::default();
    module.read_function(0, &mut body).unwrap_or_else(|error| panic!("{error:?}"));
    let before = ALLOCATED.load(Ordering::Relaxed);
    let code = Baseline::new(&module).compile(&body, false).expect("it is compiled");
    (ALLOCATED.load(Ordering::Relaxed) - before, code.text.len())
}

#[test]
fn memory_is_linear() {
    let given = std::env::var("AUTOJIT_INSTRUCTIONS").ok().and_then(|number| number.parse().ok());
    let large = given.unwrap_or(100_000);
    let (small, large) = (cost(&long_function(large / 8)), cost(&long_function(large)));
    eprintln!("{small:?} and {large:?}");
    // Arrays double as they grow: a factor of two either way.
    assert!(large.0 < small.0 * 17, "allocated: {small:?} and {large:?}");
    assert!(large.1 < small.1 * 9, "code: {small:?} and {large:?}");
}

#[test]
fn long_functions_and_switches_of_many_cases() {
    let mut ir = long_function(30_000);
    for (name, step) in [("dense", 1), ("sparse", 1001)] {
        let _ = write!(ir, "define i64 @{name}(i64 %a) {{\n  switch i64 %a, label %none [\n");
        for index in 0..10_000 {
            let _ = writeln!(ir, "    i64 {}, label %c{}", index * step, index % 100);
        }
        ir += "  ]\n";
        for index in 0..100 {
            let _ = write!(ir, "c{index}:\n  ret i64 {}\n", index * 7);
        }
        ir += "none:\n  ret i64 -1\n}\n";
    }
    ir += "define i64 @run(ptr %out) {\n  %f = call i64 @f(i64 3)\n  store i64 %f, ptr %out\n";
    let cases = [0, 1, 99, 5000, 9999, 10_000, 1001, 1001 * 77, 1001 * 9999, 1001 * 10_000, 500, -1];
    for (index, case) in cases.iter().enumerate() {
        for (function, name) in ["dense", "sparse"].into_iter().enumerate() {
            let at = 1 + index * 2 + function;
            let _ = write!(
                ir,
                "  %r{at} = call i64 @{name}(i64 {case})\n  %p{at} = getelementptr i64, ptr %out, i64 {at}\n  \
                 store i64 %r{at}, ptr %p{at}\n"
            );
        }
    }
    let _ = write!(ir, "  ret i64 {}\n}}\n", 1 + cases.len() * 2);
    Program::of_ir(&ir, Scratch::new()).check_all();
}

/// The names of refused functions and the reasons.
fn reasons(left: &[Left]) -> Vec<(&str, Reason)> {
    left.iter().map(|left| (left.name.as_str(), left.refused.reason())).collect()
}

#[test]
fn frames_beyond_32_bits_are_refused() {
    let mut ir = HEAD.to_owned();
    for (name, sizes) in
        [("one", &[3_000_000_000_u64][..]), ("two", &[700_000_000, 700_000_000]), ("most", &[u64::MAX])]
    {
        let _ = writeln!(ir, "define void @{name}() {{");
        for (index, size) in sizes.iter().enumerate() {
            let _ = write!(ir, "  %v{index} = alloca i8, i64 {size}\n  store volatile i8 1, ptr %v{index}\n");
        }
        ir += "  ret void\n}\n";
    }
    ir += "define i64 @run(ptr %out) {\n  store i64 1, ptr %out\n  ret i64 1\n}\n";
    let left = support::left_of(&ir);
    assert_eq!(reasons(&left), [("one", Reason::Size), ("two", Reason::Size), ("most", Reason::Size)]);
}

#[test]
fn other_conventions_are_refused_and_equal_ones_are_not() {
    let program = Program::build(&source("conventions.ll"), &[]);
    let mut names: Vec<&str> = Vec::new();
    for (name, reason) in reasons(&program.left) {
        assert_eq!(reason, Reason::CallingConvention, "{name}");
        names.push(name.trim_start_matches('\u{1}'));
    }
    let others =
        ["ms", "vectorcall", "regcall", "preserve_most", "preserve_all", "preserve_none", "tail", "swift"];
    let expected: Vec<String> =
        others.iter().flat_map(|name| [(*name).to_owned(), format!("call_{name}")]).collect();
    assert_eq!(names, expected);
    // What is left computes the same as LLVM's code.
    program.check();
}

#[test]
fn expressions_of_older_releases_are_refused_where_they_are_used() {
    let bytes = include_bytes!("../../../shared/bitcode/tests/releases/llvm-16-former.bc");
    let module = BitcodeModule::parse(bytes).unwrap_or_else(|error| panic!("{error:?}"));
    let (done, left) = support::compile(&module);
    assert_eq!(reasons(&left), [("choose", Reason::Constant("expression of an older LLVM"))]);
    assert_eq!(done.len(), 1, "the other function has none");
}
