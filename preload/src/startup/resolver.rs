//! The resolver: what happens at the first call of a function.
//!
//! A stub's lazy entry has called the trampoline, which has saved the program's registers, blocked signals and
//! cancellation, and switched to a stack of the runtime's. When the resolver returns, the trampoline restores
//! everything and returns into the lazy entry, which jumps through the slot.

use autojit_trampoline::contract::{ENDBR64, INDIRECT_LEN, Slot};
use autojit_trampoline::entry::Frame;

use crate::compile::batch;
use crate::platform::guards::ErrnoGuard;
use crate::program::fork::ForkGuard;
use crate::program::function::{Function, FunctionState};
use crate::program::version::rewrite_call;
use crate::program::{image, missing, process};
use crate::settings::failure::Failure;
use crate::settings::{log, progress, stats, trace};

/// Makes `slot` lead to the finished code of its function, or ends the process.
///
/// # Safety
/// Only the trampoline may call it, with what a stub's lazy entry passed.
pub unsafe extern "C" fn resolve(slot: *const Slot, frame: &mut Frame) {
    // The program must not notice: errno is as before when this is dropped.
    let _errno = ErrnoGuard::new();

    // A thread that forks waits until no thread is in here; a child that came without a fork handler is put in order.
    let _fork_guard = ForkGuard::enter();
    stats::COUNTERS.resolver_calls.add(1);

    // Which function is it?
    // SAFETY: the trampoline passes the slot of the stub that called it.
    let Some(function) = (unsafe { image::function_of_slot(slot) }) else {
        // SAFETY: as above, and the slots of all other stubs have a function.
        unsafe { missing::report(slot) }
    };
    function.adopt(slot);
    let since = trace::begin();

    // One thread compiles it, and others along with it. The rest sleep until it has code. No lock is held here.
    loop {
        match function.state() {
            FunctionState::Ready => break,
            FunctionState::Compiling | FunctionState::Awaited => function.wait(),
            FunctionState::Cold => {
                batch::compile(function).unwrap_or_else(|failure| give_up(function, frame, &failure))
            }
            // The thread that failed has said why.
            FunctionState::Failed => log::park_forever(),
        }
    }
    process::note_start(function.module().image());
    progress::tell();
    trace::note("first call", since, || name_of(function, frame).unwrap_or_default());

    // The slot: publishing has set it, unless another slot of the function was known then.
    // SAFETY: as above.
    function.lead(unsafe { &*slot });

    // The call that led here, if it is in our own code, goes straight to the function from now on.
    let Some(code) = function.last_code() else { return };
    let site = (frame.caller as usize).wrapping_sub(CALL_LENGTH);
    if let Some(memory) = image::memory_around(site) {
        for stub in stubs_of_lazy_entry(frame.return_address as usize) {
            if rewrite_call(memory, site, stub, code) {
                break;
            }
        }
    }
}

/// Length of `call rel32`.
const CALL_LENGTH: usize = 5;

/// Where the stub with this lazy entry may begin: with or without `endbr64`. A call to the wrong one does not exist.
fn stubs_of_lazy_entry(return_address: usize) -> [usize; 2] {
    // Behind the jump and the lazy entry's call, both of this length (autojit_trampoline::emit).
    let first = return_address.wrapping_sub(2 * INDIRECT_LEN);
    [first, first.wrapping_sub(ENDBR64.len())]
}

/// The name of the function whose stub called.
fn name_of(function: &'static Function, frame: &Frame) -> Option<String> {
    match function.module().opened() {
        Some(_) => Some(function.info().name.to_owned()),
        // Without its container the function has a name in the symbol table at most.
        None => function.module().image().name_around(frame.return_address as usize),
    }
}

/// Says why `function` cannot be had, and ends the process.
fn give_up(function: &'static Function, frame: &Frame, failure: &Failure) -> ! {
    let module = function.module();
    let name = name_of(function, frame);
    let source = module.source();
    let started = process::started();
    match name {
        Some(name) => {
            log::die(started, format_args!("cannot compile function '{name}' of {source}: {failure}"))
        }
        None => {
            let index = function.index();
            log::die(started, format_args!("cannot compile function {index} of {source}: {failure}"))
        }
    }
}
