//! First calls as compiled programs make them: arguments of every shape, from threads, from signal handlers, from the
//! resolver itself.

use std::ffi::c_void;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use autojit_trampoline::cancellation;
use autojit_trampoline::contract::{CALL_SHARED, INDIRECT_LEN, JMP_SHORT, Slot};
use autojit_trampoline::entry::Frame;
use support::lazy::{Library, RESOLVED, publish, publish_and_clobber};
use support::{compile, vector_flag};

mod support;

const SYMBOLS: [&str; 10] = [
    "lazy_sum",
    "lazy_big",
    "lazy_256",
    "lazy_512",
    "lazy_x87",
    "lazy_none",
    "lazy_swift",
    "__regcall3__lazy_regcall",
    "lazy_plain",
    "lazy_in_handler",
];

fn load(name: &str) -> Library {
    Library::load(name, &SYMBOLS, |dir| {
        vec![
            compile(dir, "calls.c", &["-O1", "-fPIC"]),
            compile(dir, "calls_wide.c", &["-O1", "-fPIC", vector_flag()]),
        ]
    })
}

/// Calls `function`, which makes `first_calls` first calls, and then again, when it makes none.
fn check(library: &Library, function: &str, first_calls: u32) {
    assert_eq!(library.function(function)(), 0, "{function} failed in this line of calls.c");
    assert_eq!(RESOLVED.load(Ordering::Relaxed), first_calls, "{function}");
    assert_eq!(library.function(function)(), 0, "{function} failed in this line of calls.c, published");
    assert_eq!(RESOLVED.load(Ordering::Relaxed), first_calls, "{function}");
}

#[test]
fn arguments_and_results_of_every_shape() {
    let library = load("shapes");
    let (avx, avx512) =
        (std::arch::is_x86_feature_detected!("avx"), std::arch::is_x86_feature_detected!("avx512f"));
    for function in [
        "call_sum",
        "call_big",
        "call_256",
        "call_512",
        "call_x87",
        "call_none",
        "call_swift",
        "call_regcall",
    ] {
        if function == "call_256" && !avx || function == "call_512" && !avx512 {
            eprintln!("NOT TESTED: {function}: this processor cannot");
            continue;
        }
        library.arm(publish_and_clobber, None);
        check(&library, function, 1);
    }
    // errno too: it is in thread-local storage, which the trampoline does not touch.
    library.arm(publish_and_clobber, None);
    check(&library, "call_tail", 1);
}

#[test]
fn a_second_first_call_on_another_thread_is_as_good() {
    let library = load("threads");
    const THREADS: usize = 16;
    for _ in 0..200 {
        library.arm(publish_and_clobber, None);
        let (sum, big) = (library.function("call_sum"), library.function("call_big"));
        let barrier = Barrier::new(THREADS);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    barrier.wait();
                    assert_eq!(sum(), 0);
                    assert_eq!(big(), 0);
                });
            }
        });
        let resolved = RESOLVED.load(Ordering::Relaxed);
        assert!((2..=2 * THREADS as u32).contains(&resolved), "{resolved}");
    }
}

/// The address of an `int f(void)` that makes a first call.
static NESTED_CALL: AtomicUsize = AtomicUsize::new(0);

/// A resolver that makes another first call before it publishes.
unsafe extern "C" fn publish_after_another(slot: *const Slot, frame: &mut Frame) {
    // SAFETY: the trampoline passes a stub's slot.
    if unsafe { (*slot).index } == 0 {
        // SAFETY: the test put the address of an `int f(void)` there.
        let function: extern "C" fn() -> i32 =
            unsafe { std::mem::transmute(NESTED_CALL.load(Ordering::Relaxed)) };
        assert_eq!(function(), 0);
        assert_eq!(RESOLVED.load(Ordering::Relaxed), 1);
    }
    // SAFETY: as above.
    unsafe { publish_and_clobber(slot, frame) };
}

#[test]
fn the_resolver_may_make_first_calls() {
    let library = load("nested");
    NESTED_CALL.store(library.address("call_big"), Ordering::Relaxed);
    library.arm(publish_after_another, None);
    check(&library, "call_sum", 2);
}

static MASK_INSIDE: AtomicU64 = AtomicU64::new(0);

/// A resolver that needs more stack than the program has there, and looks at the signals that are blocked.
unsafe extern "C" fn publish_with_appetite(slot: *const Slot, frame: &mut Frame) {
    let block = std::hint::black_box([1_u8; 1 << 17]);
    assert_eq!(std::hint::black_box(&block)[12_345], 1);
    // SAFETY: a null set changes nothing; sigset_t is larger than the 8 bytes that this reads of it.
    unsafe {
        let mut mask: libc::sigset_t = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut mask);
        MASK_INSIDE.store((&raw const mask).cast::<u64>().read(), Ordering::Relaxed);
    }
    // SAFETY: the trampoline passes a stub's slot.
    unsafe { publish(slot, frame) };
}

#[test]
fn a_small_signal_stack_is_enough() {
    let library = load("signal-stack");
    library.arm(publish_with_appetite, None);
    check(&library, "call_on_signal_stack", 2);
}

#[test]
fn signals_are_blocked_while_resolving_and_only_then() {
    let library = load("signal-mask");
    library.arm(publish_with_appetite, None);
    MASK_INSIDE.store(0, Ordering::Relaxed);
    check(&library, "call_keeps_signal_mask", 1);
    // All 64 but SIGKILL (9) and SIGSTOP (19), which cannot be blocked.
    let all = !(1 << 8 | 1 << 18);
    assert_eq!(MASK_INSIDE.load(Ordering::Relaxed), all);
    unsafe extern "C" {
        fn pthread_setcancelstate(state: i32, old: *mut i32) -> i32;
        fn pthread_setcanceltype(kind: i32, old: *mut i32) -> i32;
    }
    cancellation::set_functions(pthread_setcancelstate, pthread_setcanceltype, Some(poll));
    drop(library);
    let library = load("signal-mask-cancellation");
    library.arm(publish_with_appetite, None);
    check(&library, "call_keeps_signal_mask", 1);
    // Where cancellation is disabled, its signal (32) is let in.
    assert_eq!(MASK_INSIDE.load(Ordering::Relaxed), all & !(1 << 31));
    assert_eq!(POLLED.load(Ordering::Relaxed), 0);

    // What is on the way to a thread that may be cancelled anywhere is waited for, while that may end the thread.
    drop(library);
    let library = load("signal-mask-asynchronous");
    library.arm(publish_with_appetite, None);
    MASK_INSIDE.store(0, Ordering::Relaxed);
    let (asynchronous, mut before) = (1, 0);
    // SAFETY: no other thread cancels this one.
    unsafe { pthread_setcanceltype(asynchronous, &mut before) };
    check(&library, "call_keeps_signal_mask", 1);
    // SAFETY: as above.
    unsafe { pthread_setcanceltype(before, &mut before) };
    assert_eq!((before, POLLED.load(Ordering::Relaxed)), (asynchronous, 1));
}

static POLLED: AtomicUsize = AtomicUsize::new(0);

/// Counts calls, before signals are blocked.
unsafe extern "C" fn poll(files: *mut c_void, count: u64, timeout: i32) -> i32 {
    assert!(files.is_null() && (count, timeout) == (0, 0));
    assert_eq!(MASK_INSIDE.load(Ordering::Relaxed), 0, "the resolver comes later");
    POLLED.fetch_add(1, Ordering::Relaxed);
    0
}

/// A resolver that reports what it is given.
unsafe extern "C" fn publish_and_look(slot: *const Slot, frame: &mut Frame) {
    // SAFETY: the frame is the trampoline's: lazy entry and caller are return addresses.
    unsafe {
        assert_eq!(
            frame.return_address.sub(INDIRECT_LEN).cast::<[u8; 2]>().read(),
            CALL_SHARED,
            "nop; call enter"
        );
        assert_eq!(frame.return_address.read(), JMP_SHORT, "jmp back to the stub's start");
        assert!((*slot).target.load(Ordering::Relaxed) == frame.return_address as usize - INDIRECT_LEN);
        // lazy_sum(20, ...) with eight vector registers in use.
        assert_eq!((frame.rdi, frame.rax & 0xff), (20, 8));
        assert_eq!(frame.rsi, 1);
        publish(slot, frame);
    }
    let (mut mxcsr, mut control, mut environment) = (0_u32, 0_u16, [0_u32; 7]);
    // SAFETY: these store to the variables; fnstenv masks exceptions, which they are already.
    unsafe {
        std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr);
        std::arch::asm!("fnstcw [{}]", in(reg) &raw mut control);
        std::arch::asm!("fnstenv [{}]", in(reg) &raw mut environment);
    }
    // No flags of Rust code's own: nothing has calculated yet.
    assert_eq!((mxcsr & !0x3f, control, environment[2] as u16), (0x1f80, 0x37f, 0xffff));
}

#[test]
fn the_resolver_sees_the_call_and_a_clean_floating_point_unit() {
    let library = load("environment");
    library.arm(publish_and_look, None);
    let unclean = [0x5f80_u32, 0];
    // SAFETY: rounding mode and x87 stack are put back before anything calculates: first the resolver (its own
    // environment), then call_sum, whose sums are exact in any mode.
    unsafe {
        std::arch::asm!("fldpi", "fldpi", "ldmxcsr [{}]", in(reg) &unclean);
        let result = library.function("call_sum")();
        std::arch::asm!("fninit", "ldmxcsr [{}]", in(reg) &0x1f80_u32);
        assert_eq!(result, 0);
    }
    assert_eq!(RESOLVED.load(Ordering::Relaxed), 1);
}
