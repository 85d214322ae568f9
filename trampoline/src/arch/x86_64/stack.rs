//! Stacks for the resolver, and the switch to them.
//!
//! A first call can happen anywhere: on a thread with a 16 KiB stack, on a signal stack of 8 KiB. So
//! [`with_resolver_stack`] takes a closure and runs it on a stack of [`STACK_SIZE`] bytes, from a pool that all threads
//! share without locks. That is enough to bind code; LLVM runs on a [larger one](with_compiler_stack), which processes
//! without LLVM never map: address space is limited (`ulimit -v`), and locked memory is (mlockall(2)). Nested use takes
//! another stack. Nothing here allocates, uses thread-local storage or touches `errno`.

use std::arch::naked_asm;
use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::sys::{self, Errno};

/// Size of a resolver stack, bytes, guard included.
pub const STACK_SIZE: usize = 512 << 10;
/// Size of a stack for the compiler, bytes, guard included: what LLVM's recursive passes are used to.
const COMPILER_STACK_SIZE: usize = 8 << 20;
/// Size of the part at the low end that faults, bytes. One page is enough where every function probes its frame, but
/// LLVM's C++ does not: 64 KiB is more than any of its frames.
const GUARD_SIZE: usize = 64 << 10;

/// Stacks of one size.
struct Pool {
    size: usize,
    /// Idle stacks. Null where there is none. The thread that swaps a stack out owns it, so there is no next pointer to go stale
    /// under a reader (the ABA problem of linked lists). What does not fit in is unmapped; more first calls than this at
    /// once are rare.
    idle: [AtomicPtr<u8>; 16],
}

static RESOLVER: Pool = Pool::new(STACK_SIZE);
static COMPILER: Pool = Pool::new(COMPILER_STACK_SIZE);

impl Pool {
    const fn new(size: usize) -> Self {
        Self { size, idle: [const { AtomicPtr::new(std::ptr::null_mut()) }; 16] }
    }

    fn take(&'static self) -> Result<Stack, Errno> {
        for entry in &self.idle {
            // The plain load keeps idle entries in the shared state when several threads look for a stack.
            if !entry.load(Ordering::Relaxed).is_null() {
                let base = entry.swap(std::ptr::null_mut(), Ordering::Acquire);
                if !base.is_null() {
                    return Ok(Stack { pool: self, base });
                }
            }
        }
        Ok(Stack { pool: self, base: sys::map_stack(self.size, GUARD_SIZE)? })
    }
}

/// A stack that belongs to one call of [`with_resolver_stack`] or [`with_compiler_stack`].
struct Stack {
    pool: &'static Pool,
    /// The lowest byte of the mapping.
    base: *mut u8,
}

impl Stack {
    /// Behind the highest byte; 16-byte aligned, as the convention wants it before a call.
    fn top(&self) -> *mut u8 {
        self.base.wrapping_add(self.pool.size)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let null = std::ptr::null_mut();
        for entry in &self.pool.idle {
            if entry.compare_exchange(null, self.base, Ordering::Release, Ordering::Relaxed).is_ok() {
                return;
            }
        }
        // SAFETY: the mapping is ours, and what ran on it has returned.
        unsafe { sys::unmap(self.base, self.pool.size) }
    }
}

/// Runs `f` on a stack of [`STACK_SIZE`] bytes. Unwinders can walk from there to the caller.
///
/// The caller must have blocked signals if it may be on an alternative signal stack: the kernel, seeing the stack
/// pointer elsewhere, would run the next handler from that stack's top, over the frames that are still there.
///
/// # Errors
/// The kernel's reason for not mapping another stack. `f` has not run then.
pub fn with_resolver_stack<F: FnOnce()>(f: F) -> Result<(), Errno> {
    with_stack(&RESOLVER, f)
}

/// [`with_resolver_stack`] with as much stack as LLVM may need.
///
/// # Errors
/// As there.
pub fn with_compiler_stack<F: FnOnce()>(f: F) -> Result<(), Errno> {
    with_stack(&COMPILER, f)
}

/// Where the stacks of [`with_compiler_stack`] lie that nothing runs on.
pub fn idle_compiler_stacks() -> impl Iterator<Item = std::ops::Range<usize>> {
    let bases = COMPILER.idle.iter().map(|entry| entry.load(Ordering::Relaxed) as usize);
    bases.filter(|base| *base != 0).map(|base| base..base + COMPILER_STACK_SIZE)
}

fn with_stack<F: FnOnce()>(pool: &'static Pool, f: F) -> Result<(), Errno> {
    /// The first frame on the new stack. `extern "C"`: a panic ends the process here.
    unsafe extern "C" fn run<F: FnOnce()>(f: *mut c_void) {
        // SAFETY: f is the ManuallyDrop<F> below, which this one call consumes.
        let f = unsafe { ManuallyDrop::take(&mut *f.cast::<ManuallyDrop<F>>()) };
        f();
    }

    let stack = pool.take()?;
    let mut f = ManuallyDrop::new(f);
    // SAFETY: run::<F> gets what it expects, and the stack is ours until it has returned.
    unsafe { switch(run::<F>, (&raw mut f).cast(), stack.top()) };
    Ok(())
}

/// Calls `function(argument)` with the stack pointer at `top`.
///
/// `.cfi_signal_frame`: gdb takes a frame whose caller lies at a lower address for a corrupt stack, unless it is a
/// signal frame, and where the pool's stacks lie is the kernel's choice. The mark also makes unwinders look the
/// caller up at the return address itself rather than one before it, which is in the same function all the same.
///
/// # Safety
/// `function` must be sound to call with `argument`; `top` must be 16-byte aligned, with enough stack of nothing
/// else's below it.
#[unsafe(naked)]
unsafe extern "C" fn switch(
    function: unsafe extern "C" fn(*mut c_void),
    argument: *mut c_void,
    top: *mut u8,
) {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_signal_frame",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        // From here the canonical frame address hangs on rbp, which the callee preserves: it is right on either stack.
        ".cfi_def_cfa_register rbp",
        "mov rsp, rdx",
        "mov rax, rdi",
        "mov rdi, rsi",
        "call rax",
        "mov rsp, rbp",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        ".cfi_restore rbp",
        "ret",
        ".cfi_endproc",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An address on the current stack.
    fn here() -> usize {
        let local = 0_u8;
        std::hint::black_box(&raw const local) as usize
    }

    #[test]
    fn runs_on_another_stack_and_comes_back() {
        let outside = here();
        let mut inside = 0;
        with_resolver_stack(|| inside = here()).unwrap();
        // A test's thread has 2 MiB of stack, and what is mapped beside it is a whole stack of ours.
        assert!(inside.abs_diff(outside) > 4096, "{inside:#x} {outside:#x}");
        assert!(here().abs_diff(outside) < 4096);
    }

    #[test]
    fn nested_calls_use_different_stacks() {
        let mut stacks = [0; 2];
        let [first, second] = &mut stacks;
        with_resolver_stack(|| {
            *first = here();
            with_resolver_stack(|| *second = here()).unwrap();
        })
        .unwrap();
        assert!(stacks[0].abs_diff(stacks[1]) >= STACK_SIZE - GUARD_SIZE);
    }

    #[test]
    fn nearly_all_of_the_stack_is_usable() {
        /// Recurses down to an address below `floor` and returns the depth.
        #[inline(never)]
        fn recurse(floor: usize) -> usize {
            let block = std::hint::black_box([1_u8; 1024]);
            if here() < floor { 0 } else { recurse(floor) + usize::from(std::hint::black_box(&block)[9]) }
        }
        let mut depths = [0; 2];
        let [resolver, compiler] = &mut depths;
        let room = GUARD_SIZE + (32 << 10);
        with_resolver_stack(|| *resolver = recurse(here() - (STACK_SIZE - room))).unwrap();
        with_compiler_stack(|| *compiler = recurse(here() - (COMPILER_STACK_SIZE - room))).unwrap();
        assert!(depths[0] > 100 && depths[1] > 1000, "{depths:?}");
    }

    #[test]
    fn threads_never_share_a_stack() {
        std::thread::scope(|scope| {
            for id in 0..32_usize {
                scope.spawn(move || {
                    for _ in 0..200 {
                        with_resolver_stack(|| {
                            let mine = std::hint::black_box([id; 512]);
                            std::thread::yield_now();
                            assert!(std::hint::black_box(&mine).iter().all(|&word| word == id));
                        })
                        .unwrap();
                    }
                });
            }
        });
    }
}
