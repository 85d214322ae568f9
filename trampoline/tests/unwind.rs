//! Unwinders find the way from the resolver, and from every instruction on the way to it and back, to the program.

use std::sync::atomic::{AtomicUsize, Ordering};

use autojit_trampoline::contract::Slot;
use autojit_trampoline::entry::{self, Frame, SaveMethod, address_of};
use autojit_trampoline::stack::with_resolver_stack;
use support::compile;
use support::lazy::{Library, publish};

mod support;

/// A `void f(void)` of the library, which [`publish_and_call`] calls.
static CALLED_FROM_RESOLVER: AtomicUsize = AtomicUsize::new(0);
/// Address of the last frame's `caller` field.
static CALLER_FIELD: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn publish_and_call(slot: *const Slot, frame: &mut Frame) {
    CALLER_FIELD.store(&raw const frame.caller as usize, Ordering::Relaxed);
    // SAFETY: the trampoline passes a stub's slot; the test stored such a function's address.
    unsafe {
        publish(slot, frame);
        let function: extern "C" fn() = std::mem::transmute(CALLED_FROM_RESOLVER.load(Ordering::Relaxed));
        function();
    }
}

fn load(name: &str, called: &str) -> Library {
    let library = Library::load(name, &["lazy_target"], |dir| {
        vec![compile(dir, "unwind.c", &["-O1", "-fPIC", "-fno-omit-frame-pointer"])]
    });
    CALLED_FROM_RESOLVER.store(library.address(called), Ordering::Relaxed);
    library
}

fn methods() -> impl Iterator<Item = SaveMethod> {
    [SaveMethod::Fxsave, SaveMethod::Xsave, SaveMethod::Xsavec]
        .into_iter()
        .filter(|method| method.supported())
}

#[test]
fn a_backtrace_from_the_resolver_passes_trampoline_and_stub() {
    let library = load("backtrace", "walk");
    for method in methods() {
        library.arm(publish_and_call, Some(address_of(method)));
        assert_eq!(library.function("call_lazy")(), 42);
        let functions = library.variable::<[usize; 64]>("functions");
        let functions = &functions[..library.variable::<i32>("count") as usize];
        let expected = [library.address("lazy_target"), library.address("stepping_caller")];
        assert!(functions.ends_with(&expected), "{functions:#x?}, expected {expected:#x?} at the end");
        // Unwind information describes the trampoline in several parts.
        let trampoline = functions[functions.len() - 3].wrapping_sub(address_of(method));
        assert!(trampoline < 512, "{functions:#x?}, expected {:#x} in front", address_of(method));
        assert_eq!(library.variable::<i32>("arrived"), 1, "wrong stack pointer or registers");
        // The stub's frame is the return address only.
        let caller = CALLER_FIELD.load(Ordering::Relaxed);
        assert_eq!(library.variable::<usize>("caller_sp"), caller + size_of::<usize>());
    }
}

#[test]
fn every_instruction_of_a_first_call_can_be_unwound() {
    let library = load("steps", "resume_steps");
    for method in methods() {
        let trampoline = address_of(method);
        library.arm(publish_and_call, Some(trampoline));
        // SAFETY: the variable is a uintptr_t.
        unsafe { (library.address("trampoline") as *mut usize).write(trampoline) };
        assert_eq!(library.function("step_lazy")(), 42);
        assert_eq!(library.variable::<usize>("wrong_pc"), 0, "{method:?} at {trampoline:#x}");
        // The stub's instructions, the jump they share, and the first a second time; one for each register of the trampoline, twice.
        assert_eq!(library.variable::<i32>("steps_in_stub"), 6);
        assert!(library.variable::<i32>("steps_in_trampoline") > 2 * 14 + 20);
        // And what lies between: the way back through the Rust frames.
        let of_asm =
            library.variable::<i32>("steps_in_trampoline") + library.variable::<i32>("steps_in_stub");
        assert!(library.variable::<i32>("steps") > of_asm);
    }
}

#[test]
fn every_instruction_of_boot_code_can_be_unwound() {
    let library = load("boot-steps", "walk");
    library.arm(publish, Some(library.boot()));
    // SAFETY: the variables are pointers to pointers.
    unsafe {
        (library.address("entry_pointer") as *mut *const AtomicUsize).write(library.entry_pointer());
        (library.address("slot_target") as *mut *const AtomicUsize).write(&library.slots()[0].target);
        (library.address("trampoline") as *mut usize).write(library.boot());
    }
    assert_eq!(library.function("step_boot")(), 42);
    assert_ne!(library.entry_pointer().load(Ordering::Relaxed), library.boot());
    assert_eq!(library.variable::<usize>("wrong_pc"), 0, "boot code at {:#x}", library.boot());
    assert_eq!(library.variable::<i32>("steps_in_stub"), 6);
    assert!(library.variable::<i32>("steps_in_trampoline") > 50);
}

#[test]
fn every_instruction_of_the_stack_switch_can_be_unwound() {
    extern "C" fn on_another_stack(argument: i32) -> i32 {
        let mut result = 0;
        with_resolver_stack(|| result = argument + 1).unwrap();
        result
    }
    let library = load("switch-steps", "walk");
    entry::install(publish, entry::Processor::ask());
    // SAFETY: the variable is a pointer to such a function.
    unsafe { (library.address("other") as *mut extern "C" fn(i32) -> i32).write(on_another_stack) };
    assert_eq!(library.function("step_other")(), 42);
    assert_eq!(library.variable::<usize>("wrong_pc"), 0);
    assert!(library.variable::<i32>("steps") > 50);
}
