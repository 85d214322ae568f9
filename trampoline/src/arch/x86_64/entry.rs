//! The trampoline: where the lazy entry of a stub arrives at a first call, with every register live; and the counters
//! of compiled code ([`Counter`](crate::counter::Counter)), which call a twin of it.
//!
//! It receives the program's registers and, on the stack, the return address into the lazy entry (which names the slot)
//! and above it the return address of the call. It saves all of them, has the resolver publish the slot on a stack of
//! its own, restores everything and returns into the lazy entry, which goes through the slot once more. Only the flags
//! are not kept: no convention passes anything in them.
//!
//! **Kept for the program**: the general registers ([`Frame`]); x87, MMX, SSE, AVX, AVX-512 with its mask registers,
//! MXCSR, PKRU and the APX registers, as far as the processor and the kernel have them ([`SaveMethod`]). The AMX tiles
//! stay where they are: 8 KiB that no convention passes, and neither we nor LLVM touch them. `errno` is the
//! resolver's to keep: here is nothing that changes it.
//!
//! **Given to the resolver**: default floating point environment (empty x87 stack, round to nearest, exceptions
//! masked), direction flag clear, signals blocked, [`STACK_SIZE`](crate::stack::STACK_SIZE) bytes of stack. Signals
//! are blocked before the stack is switched: see [`with_resolver_stack`].
//!
//! **Taken from the program's stack**: [`Frame`], the vector state (2.7 KiB with AVX-512, at most 64 bytes to align
//! it), and a few hundred bytes of the Rust frames that switch stacks.
//!
//! Signals and thread cancellation come last: when they are let in again, all is done but the restoring of registers,
//! and a handler that jumps away, or a cancellation that unwinds, passes through here as through any function.
//!
//! # Safety
//! The assembly relies on the static `STATE`, which [`install`] fills before it hands out an address to call.

mod save;

use std::arch::naked_asm;
use std::mem::offset_of;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use crate::cancellation::Cancellation;
use save::area_size;
pub use save::{Processor, SaveMethod};

use crate::contract::{Slot, slot_of_lazy_entry};
use crate::counter::{self, Counter, TrippedFn};
use crate::stack::with_resolver_stack;
use crate::sys;

/// What the trampoline calls: publishes `slot` and returns, or ends the process. It must not unwind: an exception
/// that tries to leave it ends the process. It may change `frame`, and the program would see it.
pub type ResolverFn = unsafe extern "C" fn(slot: *const Slot, frame: &mut Frame);

/// The general registers of the program at a first call, and what else is its own, on its stack. Lowest address first.
#[repr(C)]
#[derive(Debug)]
#[allow(missing_docs, reason = "the registers' names say it")]
pub struct Frame {
    pub interruptions: Interruptions,
    pub rax: u64,
    pub rbx: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    /// With `return_address` behind it: what walkers of frame pointers expect.
    pub rbp: u64,
    /// The return address into the stub's lazy entry, behind its call; or into code that counts.
    pub return_address: *const u8,
    /// The return address of the call that reached the stub, if the stub was called and not jumped to in a way of the
    /// callee's own. The stack pointer before that call is the address of this field plus 8.
    pub caller: *const u8,
}

const _: () = assert!(size_of::<Frame>() == 20 * 8);
const _: () = assert!(offset_of!(Frame, return_address) == offset_of!(Frame, rbp) + 8);
const _: () = assert!(offset_of!(Frame, caller) == offset_of!(Frame, return_address) + 8);

/// The state components (SDM vol. 1, 13.1) that are saved if the kernel has enabled them: 0 to 7 (x87, SSE, AVX, MPX,
/// AVX-512), PKRU and APX.
const SAVED_COMPONENTS: u32 = 0xff | PKRU | 1 << 19;
/// Protection keys: saved, but not reset for the resolver, which works with the program's rights.
const PKRU: u32 = 1 << 9;
/// Size of the legacy region (`fxsave64`) of a save area, bytes.
const LEGACY_SIZE: u32 = 512;
/// Size of the header behind it, bytes.
const HEADER_SIZE: u32 = 64;

/// What the assembly reads.
#[repr(C)]
struct State {
    /// Sizes of a save area by [`SaveMethod`], bytes.
    area: [AtomicU32; 3],
    /// Components to save and restore, those of `edx:eax` below 2^32. `fxsave64` does not look at it.
    saved: AtomicU32,
    /// Components to reset for the resolver.
    reset: AtomicU32,
    /// The [`ResolverFn`].
    resolver: AtomicUsize,
    /// The [`TrippedFn`].
    tripped: AtomicUsize,
    /// The trampoline for this processor.
    address: AtomicUsize,
}

static STATE: State = State {
    area: [const { AtomicU32::new(0) }; 3],
    saved: AtomicU32::new(0),
    reset: AtomicU32::new(0),
    resolver: AtomicUsize::new(0),
    tripped: AtomicUsize::new(0),
    address: AtomicUsize::new(0),
};

/// The trampoline's twin for counters.
pub(crate) static COUNTER_ADDRESS: AtomicUsize = AtomicUsize::new(0);

/// A save area in which every component is in its initial configuration: an all-zero XSAVE header says so, and for
/// `fxrstor64`, which has none, the legacy region holds the same.
#[repr(C, align(64))]
struct InitialState {
    /// x87 control word: all exceptions masked, extended precision, round to nearest.
    fcw: u16,
    zero: [u8; 22],
    /// All exceptions masked, round to nearest. Loaded whatever the header says.
    mxcsr: u32,
    rest: [u8; (LEGACY_SIZE + HEADER_SIZE) as usize - 28],
}

static INITIAL_STATE: InitialState =
    InitialState { fcw: 0x37f, zero: [0; 22], mxcsr: 0x1f80, rest: [0; 548] };

const _: () = assert!(offset_of!(InitialState, mxcsr) == 24);
const _: () = assert!(size_of::<InitialState>() == (LEGACY_SIZE + HEADER_SIZE) as usize);

/// Makes `resolver` the one that the trampoline calls, and fits the trampoline to the processor. To be called before
/// any image's entry pointer holds [`address`]; a second call replaces the resolver.
pub fn install(resolver: ResolverFn, processor: Processor) {
    let enabled = processor.enabled_components();
    STATE.saved.store(enabled & SAVED_COMPONENTS, Ordering::Relaxed);
    STATE.reset.store(enabled & SAVED_COMPONENTS & !PKRU, Ordering::Relaxed);
    STATE.resolver.store(resolver as usize, Ordering::Relaxed);
    let method = SaveMethod::best(processor);
    COUNTER_ADDRESS.store(counter_address_of(method), Ordering::Relaxed);
    // Release: a thread that learns the address finds the rest filled in.
    STATE.address.store(address_of(method), Ordering::Release);
}

/// Makes `tripped` the function that counters lead to. To be called before any code that counts runs; a second call
/// replaces it.
pub fn install_counters(tripped: TrippedFn) {
    STATE.tripped.store(tripped as usize, Ordering::Relaxed);
}

/// What code calls whose [`Counter`] has run out.
///
/// # Panics
/// If [`install`] and [`install_counters`] were not called.
pub fn counter_address() -> usize {
    assert_ne!(STATE.tripped.load(Ordering::Relaxed), 0, "install_counters() comes first");
    assert_ne!(COUNTER_ADDRESS.load(Ordering::Relaxed), 0, "install() comes first");
    counter::ran_out as *const () as usize
}

/// The trampoline's address: what the entry pointers of images are to hold.
///
/// # Panics
/// If nothing was [`install`]ed.
pub fn address() -> usize {
    let address = STATE.address.load(Ordering::Acquire);
    assert_ne!(address, 0, "install() comes first");
    address
}

/// The address of the trampoline that uses `method`. Only one that is [`supported`](SaveMethod::supported) may be
/// called, and only after [`install`].
pub fn address_of(method: SaveMethod) -> usize {
    // Only now: virtual machines take microseconds for each CPUID.
    let size = area_size(method, STATE.saved.load(Ordering::Relaxed));
    STATE.area[method as usize].store(size, Ordering::Relaxed);
    match method {
        SaveMethod::Fxsave => enter_fxsave as *const () as usize,
        SaveMethod::Xsave => enter_xsave as *const () as usize,
        SaveMethod::Xsavec => enter_xsavec as *const () as usize,
    }
}

/// The same for counters.
pub fn counter_address_of(method: SaveMethod) -> usize {
    address_of(method);
    match method {
        SaveMethod::Fxsave => count_fxsave as *const () as usize,
        SaveMethod::Xsave => count_xsave as *const () as usize,
        SaveMethod::Xsavec => count_xsavec as *const () as usize,
    }
}

/// What may interrupt a thread, as the program has it.
#[repr(C)]
#[derive(Debug)]
pub struct Interruptions {
    signals: u64,
    cancellation: Cancellation,
}

/// What the trampoline calls first, on the program's stack: no handler of the program's runs from here on, and nothing
/// cancels the thread.
extern "C" fn shield(frame: &mut Frame) {
    // In this order: a cancellation that another thread has begun is noted by its signal's handler, and the thread
    // would wait for that in the first system call that can be cancelled.
    frame.interruptions.cancellation = Cancellation::disable();
    frame.interruptions.cancellation.settle();
    frame.interruptions.signals = sys::set_signal_mask(frame.interruptions.cancellation.signals());
}

/// What the trampoline calls then: the resolver, on a stack of its own.
extern "C" fn enter(frame: &mut Frame) {
    // SAFETY: only the trampoline calls this, and only lazy entries call the trampoline.
    let slot = unsafe { slot_of_lazy_entry(frame.return_address) };
    // SAFETY: install() stored a ResolverFn before it gave out the trampoline's address.
    let resolver: ResolverFn = unsafe { std::mem::transmute(STATE.resolver.load(Ordering::Relaxed)) };
    // SAFETY: slot is a stub's (above), which is all that a resolver asks for.
    let switched = with_resolver_stack(|| unsafe { resolver(slot, frame) });
    if switched.is_err() {
        sys::fatal("autojit: no memory for the stack on which functions are compiled\n");
    }
}

/// The same for a counter.
extern "C" fn enter_counter(frame: &mut Frame) {
    let counter = frame.r11 as *const Counter;
    // SAFETY: install_counters() stored a TrippedFn before there was code that counts.
    let tripped: TrippedFn = unsafe { std::mem::transmute(STATE.tripped.load(Ordering::Relaxed)) };
    let mut goes_on_with = 0;
    // SAFETY: code that counts has its counter in r11 (Counter). Without a stack it goes on as it is.
    let _ = with_resolver_stack(|| goes_on_with = unsafe { tripped(counter, frame) });
    frame.r11 = goes_on_with as u64;
}

/// What the trampoline calls last: lets signals and cancellation in again. It may never return.
extern "C" fn leave(frame: &Frame) {
    sys::set_signal_mask(frame.interruptions.signals);
    frame.interruptions.cancellation.restore();
}

/// The trampoline's personality routine: unwinders call it before they unwind past the trampoline, in the search
/// phase of an exception that was not caught and for a forced unwind (cancellation). There is no way on from here: the slot
/// is not published, and the program's state is not restored.
extern "C" fn barrier() -> i32 {
    sys::fatal("autojit: an exception or a thread cancellation tried to leave the runtime\n")
}

/// Defines a trampoline that saves the vector state with one pair of instructions. The text is the same for all, and
/// without a branch: [`install`] has decided.
///
/// The canonical frame address (CFA) is the stack pointer before the lazy entry's call, so the caller of this frame is
/// the stub, inside its lazy entry, whose own unwind information leads to the program; or the code that counts. `rbp`
/// and `rbx` are what this code changes of the registers that unwinders restore; they are described from the moment
/// they are in [`Frame`] to the moment they are back.
macro_rules! trampoline {
    ($name:ident, $enter:path, $method:expr, $save:literal, $restore:literal) => {
        #[unsafe(naked)]
        extern "C" fn $name() {
            naked_asm!(
                ".cfi_startproc",
                "endbr64",
                "push rbp",
                ".cfi_def_cfa_offset 16",
                ".cfi_offset rbp, -16",
                "mov rbp, rsp",
                // From here to the end the CFA hangs on rbp, whatever happens to rsp.
                ".cfi_def_cfa_register rbp",
                "sub rsp, {below_rbp}",
                "mov [rsp + {rax}], rax",
                "mov [rsp + {rbx}], rbx",
                ".cfi_offset rbx, {rbx} - {cfa}",
                "mov [rsp + {rcx}], rcx",
                "mov [rsp + {rdx}], rdx",
                "mov [rsp + {rsi}], rsi",
                "mov [rsp + {rdi}], rdi",
                "mov [rsp + {r8}], r8",
                "mov [rsp + {r9}], r9",
                "mov [rsp + {r10}], r10",
                "mov [rsp + {r11}], r11",
                "mov [rsp + {r12}], r12",
                "mov [rsp + {r13}], r13",
                "mov [rsp + {r14}], r14",
                "mov [rsp + {r15}], r15",
                // The save area, 64-byte aligned, which makes rsp fit for a call too. rbx, which calls preserve, keeps
                // its address.
                "mov eax, [rip + {state} + {area} + 4 * {method}]",
                "sub rsp, rax",
                "and rsp, -64",
                "mov rbx, rsp",
                // xsave does not write all of the header, and xrstor faults on what it finds there.
                "xor eax, eax",
                "mov [rbx + {header} + 0], rax",
                "mov [rbx + {header} + 8], rax",
                "mov [rbx + {header} + 16], rax",
                "mov [rbx + {header} + 24], rax",
                "mov [rbx + {header} + 32], rax",
                "mov [rbx + {header} + 40], rax",
                "mov [rbx + {header} + 48], rax",
                "mov [rbx + {header} + 56], rax",
                // edx:eax selects the components.
                "xor edx, edx",
                "mov eax, [rip + {state} + {saved}]",
                concat!($save, " [rbx]"),
                "mov eax, [rip + {state} + {reset}]",
                concat!($restore, " [rip + {initial}]"),
                "cld",
                "lea rdi, [rbp - {below_rbp}]", // the Frame
                "call {shield}",
                // The same frame, with the barrier. (A return address counts as part of its call.) 0x1b: the routine's
                // address is PC-relative, 4 bytes, so that the table needs no relocation.
                ".cfi_endproc",
                ".cfi_startproc",
                ".cfi_personality 0x1b, {barrier}",
                ".cfi_def_cfa rbp, 16",
                ".cfi_offset rbp, -16",
                ".cfi_offset rbx, {rbx} - {cfa}",
                "lea rdi, [rbp - {below_rbp}]",
                "call {enter}",
                // And without it: all is done.
                ".cfi_endproc",
                ".cfi_startproc",
                ".cfi_def_cfa rbp, 16",
                ".cfi_offset rbp, -16",
                ".cfi_offset rbx, {rbx} - {cfa}",
                "lea rdi, [rbp - {below_rbp}]",
                "call {leave}",
                "xor edx, edx",
                "mov eax, [rip + {state} + {saved}]",
                concat!($restore, " [rbx]"),
                "lea rsp, [rbp - {below_rbp}]",
                "mov rax, [rsp + {rax}]",
                "mov rbx, [rsp + {rbx}]",
                ".cfi_restore rbx",
                "mov rcx, [rsp + {rcx}]",
                "mov rdx, [rsp + {rdx}]",
                "mov rsi, [rsp + {rsi}]",
                "mov rdi, [rsp + {rdi}]",
                "mov r8, [rsp + {r8}]",
                "mov r9, [rsp + {r9}]",
                "mov r10, [rsp + {r10}]",
                "mov r11, [rsp + {r11}]",
                "mov r12, [rsp + {r12}]",
                "mov r13, [rsp + {r13}]",
                "mov r14, [rsp + {r14}]",
                "mov r15, [rsp + {r15}]",
                "mov rsp, rbp",
                "pop rbp",
                ".cfi_def_cfa rsp, 8",
                ".cfi_restore rbp",
                // Into the lazy entry, which jumps back to the stub.
                "ret",
                ".cfi_endproc",
                barrier = sym barrier,
                enter = sym $enter,
                leave = sym leave,
                shield = sym shield,
                initial = sym INITIAL_STATE,
                state = sym STATE,
                area = const offset_of!(State, area),
                method = const $method as usize,
                saved = const offset_of!(State, saved),
                reset = const offset_of!(State, reset),
                header = const LEGACY_SIZE,
                below_rbp = const offset_of!(Frame, rbp),
                cfa = const offset_of!(Frame, caller),
                rax = const offset_of!(Frame, rax),
                rbx = const offset_of!(Frame, rbx),
                rcx = const offset_of!(Frame, rcx),
                rdx = const offset_of!(Frame, rdx),
                rsi = const offset_of!(Frame, rsi),
                rdi = const offset_of!(Frame, rdi),
                r8 = const offset_of!(Frame, r8),
                r9 = const offset_of!(Frame, r9),
                r10 = const offset_of!(Frame, r10),
                r11 = const offset_of!(Frame, r11),
                r12 = const offset_of!(Frame, r12),
                r13 = const offset_of!(Frame, r13),
                r14 = const offset_of!(Frame, r14),
                r15 = const offset_of!(Frame, r15),
            )
        }
    };
}

trampoline!(enter_fxsave, enter, SaveMethod::Fxsave, "fxsave64", "fxrstor64");
trampoline!(enter_xsave, enter, SaveMethod::Xsave, "xsave64", "xrstor64");
trampoline!(enter_xsavec, enter, SaveMethod::Xsavec, "xsavec64", "xrstor64");
trampoline!(count_fxsave, enter_counter, SaveMethod::Fxsave, "fxsave64", "fxrstor64");
trampoline!(count_xsave, enter_counter, SaveMethod::Xsave, "xsave64", "xrstor64");
trampoline!(count_xsavec, enter_counter, SaveMethod::Xsavec, "xsavec64", "xrstor64");
