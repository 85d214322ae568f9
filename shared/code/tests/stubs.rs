//! Stubs made at run time: their bytes, their slots, the way through their lazy entry, and out of it by the unwinder.

mod support;

use std::arch::naked_asm;
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use autojit_code::{CodeMemory, MemoryError, RuntimeStub};
use autojit_trampoline::contract::{ModuleRecord, slot_of_lazy_entry, slot_of_stub};
use support::{RECORD, UNWIND, image, memory, only, private_memory};

extern "C" fn finished() -> i32 {
    1234
}

/// Program counters of the frames above the trampoline.
static FRAMES: Mutex<Vec<usize>> = Mutex::new(Vec::new());
static RESOLVED: AtomicUsize = AtomicUsize::new(0);

/// What a resolver does, in short: publishes the slot of the lazy entry.
extern "C" fn resolve(return_address: *const u8) {
    extern "C" fn frame(context: *mut libc::c_void, _: *mut libc::c_void) -> i32 {
        // SAFETY: the context is the unwinder's.
        FRAMES.lock().unwrap().push(unsafe { _Unwind_GetIP(context) });
        0
    }
    // SAFETY: the trampoline passes the return address that a lazy entry pushed.
    let slot = unsafe { &*slot_of_lazy_entry(return_address) };
    // SAFETY: the runtime made the slot, for RECORD.
    assert!(std::ptr::eq(unsafe { slot.record() }, &RECORD));
    RESOLVED.store(slot.index as usize, Ordering::Relaxed);
    FRAMES.lock().unwrap().clear();
    // SAFETY: the callback has the type that the unwinder wants.
    unsafe { _Unwind_Backtrace(frame, std::ptr::null_mut()) };
    slot.target.store(finished as *const () as usize, Ordering::Release);
}

unsafe extern "C" {
    fn _Unwind_Backtrace(
        frame: extern "C" fn(*mut libc::c_void, *mut libc::c_void) -> i32,
        argument: *mut libc::c_void,
    ) -> i32;
    fn _Unwind_GetIP(context: *mut libc::c_void) -> usize;
}

/// A trampoline for functions without arguments.
#[unsafe(naked)]
extern "C" fn trampoline() {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "mov rdi, [rbp + 8]",
        "and rsp, -16",
        "call {resolve}",
        "leave",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
        resolve = sym resolve,
    )
}

/// Answers as libautojit.so does: from the table, else the library's own.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Find_FDE(pc: usize, bases: *mut [usize; 3]) -> *const u8 {
    type Find = extern "C" fn(usize, *mut [usize; 3]) -> *const u8;
    if let Some(info) = UNWIND.find(pc) {
        // SAFETY: the unwinder passes a struct dwarf_eh_bases (tbase, dbase, func).
        unsafe { *bases = [0, 0, info.function] };
        return info.fde;
    }
    // SAFETY: the name is NUL-terminated; the next definition has the same type.
    unsafe {
        let next = libc::dlsym(libc::RTLD_NEXT, c"_Unwind_Find_FDE".as_ptr());
        std::mem::transmute::<*mut libc::c_void, Find>(next)(pc, bases)
    }
}

fn create(memory: &CodeMemory, index: u32) -> RuntimeStub {
    RuntimeStub::create(memory, &UNWIND, &RECORD, index, trampoline as *const () as usize).unwrap()
}

#[test]
fn first_call_goes_through_the_tail() {
    for memory in [memory(), private_memory()] {
        for index in [3, 4] {
            let stub = create(memory, index);
            // SAFETY: a stub for a function of this type.
            let function: extern "C" fn() -> i32 = unsafe { std::mem::transmute(stub.function) };
            assert_eq!(function(), 1234);
            assert_eq!(RESOLVED.swap(0, Ordering::Relaxed), index as usize);
            let frames = FRAMES.lock().unwrap().clone();
            let entered =
                frames.iter().position(|pc| *pc == stub.function + 12).expect("the lazy entry's frame");
            assert!(frames.len() > entered + 3, "the unwinder comes out of the stub");
            assert!(image().contains(&frames[entered + 1]), "into this function");
            assert_eq!(function(), 1234);
            assert_eq!(RESOLVED.load(Ordering::Relaxed), 0, "the second call does not resolve");
        }
    }
}

#[test]
fn bytes_and_slots() {
    let memory = memory();
    let mut seen = HashSet::new();
    // More than one block.
    for index in 0..200 {
        let stub = create(memory, index);
        assert!(stub.function.is_multiple_of(8) && seen.insert(stub.function));
        assert!(seen.insert(stub.slot as *const _ as usize));
        assert_eq!(stub.slot.target.load(Ordering::Relaxed), stub.function + 6);
        assert_eq!(stub.slot.index, index);
        // SAFETY: as above.
        assert!(std::ptr::eq(unsafe { (*stub.slot).record() }, &RECORD));
        // SAFETY: a stub's bytes are readable, 14 and padding.
        unsafe {
            let bytes = std::slice::from_raw_parts(stub.function as *const u8, 16);
            assert_eq!(bytes[0..2], [0xff, 0x25]);
            assert_eq!(bytes[6..8], [0xff, 0x15]);
            assert_eq!(bytes[12..14], [0xeb, 0xf2]);
            assert!(bytes[14..].iter().all(|byte| *byte == 0xcc));
            let first = slot_of_stub(stub.function as *const u8).unwrap();
            assert!(std::ptr::eq(first, stub.slot));
            assert!(std::ptr::eq(slot_of_lazy_entry((stub.function + 12) as *const u8), stub.slot));
            let call = i32::from_le_bytes(bytes[8..12].try_into().unwrap());
            let entry = (stub.function + 12).wrapping_add_signed(call as isize) as *const usize;
            assert_eq!(*entry, trampoline as *const () as usize);
        }
        for offset in 0..16 {
            assert!(UNWIND.find(stub.function + offset).is_some());
        }
    }
}

#[test]
fn stubs_from_many_threads_are_different() {
    let memory = memory();
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            std::thread::spawn(move || {
                (0..100).map(|i| create(memory, thread * 1000 + i)).collect::<Vec<_>>()
            })
        })
        .collect();
    let stubs: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    let different: HashSet<_> = stubs.iter().map(|stub| stub.function).collect();
    assert_eq!((stubs.len(), different.len()), (800, 800));
    let indices: HashSet<_> = stubs.iter().map(|stub| stub.slot.index).collect();
    assert_eq!(indices.len(), 800);
}

#[test]
fn a_record_out_of_reach_is_an_error() {
    let far = (only(memory()).range().start ^ (1 << 45)) as *const ModuleRecord;
    let error = RuntimeStub::create(memory(), &UNWIND, far, 0, trampoline as *const () as usize).unwrap_err();
    assert_eq!(error, MemoryError::OutOfReach(far as usize));
}
