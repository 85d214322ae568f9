//! The trampoline keeps every register: all are loaded with a pattern, a lazy function is called whose body stores
//! them, and the resolver in between destroys what it can.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use autojit_trampoline::contract::Slot;
use autojit_trampoline::counter::{CALLS, Counted, Counter, Counters, let_pass};
use autojit_trampoline::entry::{
    Frame, ResolverFn, SaveMethod, address_of, counter_address, counter_address_of, install_counters,
};
use support::lazy::{Library, RESOLVED, clobber, publish, publish_and_clobber};
use support::{compile, lazy};

mod support;

const VECTORS: usize = 15 * 8;
const MASKS: usize = VECTORS + 32 * 64;
const MXCSR: usize = MASKS + 8 * 8;
const X87: usize = MXCSR + 8;
const END: usize = X87 + 108;

/// The pattern: no two bytes near each other alike, a valid MXCSR with a rounding mode that is not the default, and a
/// full x87 stack of valid numbers with a control word that is not the default either.
fn pattern(seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut bytes: Vec<u8> = (0..END)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    // Round up, flush to zero, exceptions masked, the inexact flag set.
    bytes[MXCSR..][..8].copy_from_slice(&[0xa0, 0xdf, 0, 0, 0, 0, 0, 0]);
    let x87 = &mut bytes[X87..];
    x87[..28].fill(0);
    // Double precision, round down; top of stack 0; all eight registers valid.
    x87[..2].copy_from_slice(&0x067f_u16.to_le_bytes());
    for register in x87[28..].chunks_exact_mut(10) {
        register[7] |= 0x80; // the explicit integer bit, without which the number is not one
        register[9] &= 0x3f; // an exponent that is neither infinity nor NaN
        register[8] |= 1;
    }
    bytes
}

/// What `level` of registers.s stores of vector register `index`, bytes.
fn vector_size(level: u32, index: usize) -> usize {
    match (level, index) {
        (0, 0..16) => 16,
        (1, 0..16) => 32,
        (2, _) => 64,
        _ => 0,
    }
}

fn check(library: &Library, level: u32, trampoline: usize) {
    for (resolver, seed) in [publish as ResolverFn, publish_and_clobber].into_iter().zip(1..) {
        let input = pattern(seed + level);
        let output = library.address("out") as *mut u8;
        // SAFETY: both buffers have more than END bytes; level is an int.
        unsafe {
            std::ptr::copy_nonoverlapping(input.as_ptr(), library.address("in") as *mut u8, END);
            (library.address("level") as *mut u32).write(level);
        }
        library.arm(resolver, Some(trampoline));
        for call in ["first call", "published"] {
            // SAFETY: as above.
            let output = unsafe {
                std::ptr::write_bytes(output, 0, END);
                assert_eq!(library.function("call_with_registers")(), 0);
                std::slice::from_raw_parts(output, END)
            };
            assert_eq!(RESOLVED.load(Ordering::Relaxed), 1);
            compare(&input, output, level, call);
            let stack_pointers =
                ["sp_before", "sp_inside", "sp_after"].map(|name| library.variable::<u64>(name));
            assert_eq!(stack_pointers, [stack_pointers[0]; 3], "{call}");
        }
    }
}

fn compare(input: &[u8], output: &[u8], level: u32, call: &str) {
    let names = [
        "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    ];
    for (index, name) in names.iter().enumerate() {
        assert_eq!(input[index * 8..][..8], output[index * 8..][..8], "{name}, {call}");
    }
    for index in 0..32 {
        let (at, size) = (VECTORS + index * 64, vector_size(level, index));
        assert_eq!(
            input[at..][..size],
            output[at..][..size],
            "vector register {index}, level {level}, {call}"
        );
    }
    if level == 2 {
        for index in 0..8 {
            assert_eq!(input[MASKS + index * 8..][..8], output[MASKS + index * 8..][..8], "k{index}, {call}");
        }
    }
    assert_eq!(input[MXCSR..][..4], output[MXCSR..][..4], "MXCSR, {call}");
    // Control, status and tag word are 2 bytes of 4 each; then four words of pointers to the last instruction.
    for (at, name) in [(0, "control"), (4, "status"), (8, "tag")] {
        assert_eq!(input[X87 + at..][..2], output[X87 + at..][..2], "x87 {name} word, {call}");
    }
    assert_eq!(input[X87 + 28..], output[X87 + 28..], "x87 registers, {call}");
}

/// The levels that this processor has.
fn levels() -> Vec<u32> {
    let mut levels = vec![0];
    if std::arch::is_x86_feature_detected!("avx") {
        levels.push(1);
    } else {
        eprintln!("NOT TESTED: ymm registers: this processor has no AVX");
    }
    if std::arch::is_x86_feature_detected!("avx512bw") {
        levels.push(2);
    } else {
        eprintln!("NOT TESTED: zmm and mask registers: this processor has no AVX-512");
    }
    levels
}

#[test]
fn all_registers_survive_a_first_call() {
    let library = Library::load("registers", &["lazy_dump"], |dir| vec![compile(dir, "registers.s", &[])]);
    for level in levels() {
        for method in [SaveMethod::Fxsave, SaveMethod::Xsave, SaveMethod::Xsavec] {
            if !method.supported() {
                eprintln!("NOT TESTED: {method:?}: not on this processor");
            } else if method != SaveMethod::Fxsave || level == 0 {
                library.arm(lazy::publish, None); // fills in what the trampolines read
                check(&library, level, address_of(method));
            }
        }
    }
}

/// Publishes the body that counts.
unsafe extern "C" fn publish_counted(slot: *const Slot, _: &mut Frame) {
    // SAFETY: the trampoline passes the slot of the stub that was called.
    unsafe { (*slot).target.store(COUNTED.load(Ordering::Relaxed), Ordering::Release) };
}

static COUNTED: AtomicUsize = AtomicUsize::new(0);
static TRIPPED: AtomicU32 = AtomicU32::new(0);
/// Where the counted function was to return to, when its counter ran out.
static CALLER: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn tripped(counter: *const Counter, frame: &Frame) -> usize {
    // SAFETY: the counter is the test's.
    unsafe { (*counter).restart(1) };
    TRIPPED.fetch_add(1, Ordering::Relaxed);
    CALLER.store(frame.caller as usize, Ordering::Relaxed);
    clobber();
    counter as usize + 1
}

#[test]
fn a_counter_that_runs_out_keeps_all_registers_but_r11() {
    let library = Library::load("counters", &["lazy_dump"], |dir| vec![compile(dir, "registers.s", &[])]);
    COUNTED.store(library.address("body_counted"), Ordering::Relaxed);
    install_counters(tripped);
    for level in levels() {
        for method in [SaveMethod::Fxsave, SaveMethod::Xsave, SaveMethod::Xsavec] {
            if !method.supported() || (method == SaveMethod::Fxsave && level != 0) {
                continue;
            }
            library.arm(publish_counted, None);
            let counter = Counter::new(0);
            let (input, output) = (pattern(7 + level), library.address("out") as *mut u8);
            // SAFETY: the buffers have more than END bytes; level is an int, counter a pointer.
            unsafe {
                std::ptr::copy_nonoverlapping(input.as_ptr(), library.address("in") as *mut u8, END);
                (library.address("level") as *mut u32).write(level);
                (library.address("counter") as *mut *const Counter).write(&raw const counter);
                (library.address("called") as *mut usize).write(counter_address_of(method));
            }
            TRIPPED.store(0, Ordering::Relaxed);
            CALLER.store(0, Ordering::Relaxed);
            // It runs out at once, and after it was restarted, at each second count.
            for trips in [1, 1, 2, 2, 3] {
                // SAFETY: as above.
                let output = unsafe {
                    std::ptr::write_bytes(output, 0, END);
                    assert_eq!(library.function("call_with_registers")(), 0);
                    std::slice::from_raw_parts(output, END)
                };
                assert_eq!(TRIPPED.load(Ordering::Relaxed), trips, "{method:?}");
                // SAFETY: it is a pointer, which the counted body writes.
                let left = unsafe { (library.address("left_in_r11") as *const usize).read() };
                assert_eq!(left, &raw const counter as usize + 1, "{method:?}");
                compare(&input, output, level, "counted");
                let caller = library.address("call_with_registers")..library.address("end_of_call");
                assert!(caller.contains(&CALLER.load(Ordering::Relaxed)), "{method:?}");
            }
        }
    }
}

#[test]
fn entries_go_on_in_newer_code() {
    let library = Library::load("newer", &["lazy_dump"], |dir| vec![compile(dir, "registers.s", &[])]);
    COUNTED.store(library.address("body_counted"), Ordering::Relaxed);
    library.arm(publish_counted, None);
    install_counters(tripped);
    let bytes = Counters::bytes((3, true), (5, 4), [(7, true), (9, false)].into_iter());
    assert_eq!(bytes.len(), Counters::len(3));
    let mut words = vec![0_u64; bytes.len() / 8];
    let memory = words.as_mut_ptr();
    // SAFETY: as many bytes as there are, in words.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), memory.cast(), bytes.len()) };
    let counter = |number: usize| memory.wrapping_byte_add(Counters::HEAD + number * Counters::SIZE);
    let left_in_r11 = library.address("left_in_r11") as *mut usize;
    let call = |number: usize| {
        // SAFETY: level is an int, counter a pointer, what is left in r11 a number.
        unsafe {
            (library.address("level") as *mut u32).write(0);
            (library.address("counter") as *mut usize).write(counter(number) as usize);
            (library.address("called") as *mut usize).write(counter_address());
            left_in_r11.write(usize::MAX);
            assert_eq!(library.function("call_with_registers")(), 0);
            left_in_r11.read()
        }
    };
    // SAFETY: the counters are some, and nothing else looks at them meanwhile.
    let of = |number: usize| unsafe { Counters::of(counter(number).cast::<Counter>()) };
    // SAFETY: as above; there are three.
    let (all, each) = unsafe { Counters::at(memory as usize, 3) };
    assert_eq!((all.owner(), all.set_owner(42), all.set_owner(43)), (None, 42, 42));
    assert_eq!((of(0).owner(), of(2).owner(), of(2).entries().number()), (Some(42), Some(42), 0));
    let kinds = [(7, true), (9, false)].map(|(block, left)| Counted::Loop { block, left });
    assert_eq!(
        [each[0].of(), each[1].of(), each[2].of()],
        [Counted::Entries { inlined: true }, kinds[0], kinds[1]]
    );
    // SAFETY: within the counter of entries.
    let step = || unsafe { counter(0).cast::<u8>().add(Counter::STEP).cast::<u16>().read() };
    assert_eq!(step(), 4);
    all.set_step(u16::MAX);
    assert_eq!((step(), each[0].of()), (u16::MAX, Counted::Entries { inlined: true }));
    assert_eq!(call(0), usize::MAX);
    // SAFETY: the first field of a counter.
    unsafe { counter(0).cast::<i32>().write(0) };
    assert_eq!(call(0), counter(0) as usize + 1, "what `tripped` returns");
    of(1).forward(4711);
    assert_eq!([call(0), call(0), call(0)], [4711; 3]);
    // The loop's counts as before.
    assert_eq!(call(1), usize::MAX);
    of(0).entries().retire();
    assert_eq!([call(0), call(0)], [usize::MAX; 2]);
    // SAFETY: the first field of a counter.
    unsafe { counter(0).cast::<i32>().write(0) };
    assert_eq!([call(0), call(0)], [0, usize::MAX]);
}

#[test]
fn counters_of_entries_begin_again_without_the_runtime() {
    let library = Library::load("passes", &["lazy_dump"], |dir| vec![compile(dir, "registers.s", &[])]);
    COUNTED.store(library.address("body_counted"), Ordering::Relaxed);
    library.arm(publish_counted, None);
    install_counters(tripped);
    let bytes = Counters::bytes((0, false), (0, 1), [(7, true)].into_iter());
    let mut words = vec![0_u64; bytes.len() / 8];
    let memory = words.as_mut_ptr();
    // SAFETY: as many bytes as there are, in words.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), memory.cast(), bytes.len()) };
    // SAFETY: there are two.
    let (all, each) = unsafe { Counters::at(memory as usize, 2) };
    let left_in_r11 = library.address("left_in_r11") as *mut usize;
    // Has a counter run out, and returns whether the runtime was asked, and what was left in r11.
    let run_out = |number: usize| {
        each[number].restart(0);
        TRIPPED.store(0, Ordering::Relaxed);
        // SAFETY: level is an int, counter a pointer, what is left in r11 a number.
        let left = unsafe {
            (library.address("level") as *mut u32).write(0);
            (library.address("counter") as *mut *const Counter).write(&raw const each[number]);
            (library.address("called") as *mut usize).write(counter_address());
            left_in_r11.write(usize::MAX);
            assert_eq!(library.function("call_with_registers")(), 0);
            left_in_r11.read()
        };
        (TRIPPED.load(Ordering::Relaxed) != 0, left)
    };
    let asks = |number: usize| run_out(number) == (true, &raw const each[number] as usize + 1);
    assert!(asks(0), "nothing was let pass");
    let_pass(3);
    assert!(asks(1), "loops always ask");
    for _ in 0..3 {
        assert_eq!(run_out(0), (false, 0));
        assert_eq!(each[0].left(), CALLS - 1);
    }
    assert!(asks(0), "three have passed");
    let_pass(1);
    all.set_owner(42);
    assert!(asks(0), "it is known what it is of");
    // What was replaced or retired does not use it up.
    all.forward(4711);
    assert_eq!([run_out(0), run_out(0)], [(false, 4711); 2]);
}
