//! The two symbols of gdb's JIT interface (gdb manual, "JIT Compilation Interface"), which lldb follows too.
//!
//! They are hidden: an exported pair would take the place of that of a compiler in the program (LLVM's is exported),
//! with a lock of its own. Debuggers look for them by name in each library's symbol table, so they must survive
//! `strip`: see scripts/build.

/// A file of the list.
#[repr(C)]
#[derive(Debug)]
pub struct Entry {
    /// Null at the end.
    pub next: *mut Entry,
    /// Null at the start.
    pub previous: *mut Entry,
    /// The file's bytes.
    pub file: *const u8,
    /// Their number.
    pub length: u64,
}

/// The list, and the message to a debugger that stops in [`changed`].
#[repr(C)]
#[derive(Debug)]
pub struct Descriptor {
    /// 1.
    pub version: u32,
    /// What was done: 1 for adding `relevant`, 2 for removing it.
    pub action: u32,
    /// The entry that it was done with.
    pub relevant: *mut Entry,
    /// The list's head.
    pub first: *mut Entry,
}

const _: () = assert!(size_of::<Entry>() == 32 && size_of::<Descriptor>() == 24);

unsafe extern "C" {
    #[link_name = "__jit_debug_descriptor"]
    static mut DESCRIPTOR: Descriptor;
    #[link_name = "__jit_debug_register_code"]
    fn register_code();
}

/// The process's descriptor. One thread at a time may change it.
pub fn descriptor() -> *mut Descriptor {
    &raw mut DESCRIPTOR
}

/// Where a debugger stops the process to look at the descriptor.
pub fn changed() {
    // SAFETY: an empty function.
    unsafe { register_code() }
}

// Assembly, because rustc exports what is `no_mangle` from a cdylib.
std::arch::global_asm!(
    ".pushsection .text.autojit.debugger,\"ax\",@progbits",
    ".globl __jit_debug_register_code",
    ".hidden __jit_debug_register_code",
    ".type __jit_debug_register_code,@function",
    ".p2align 4",
    "__jit_debug_register_code:",
    ".cfi_startproc",
    "ret",
    ".cfi_endproc",
    ".size __jit_debug_register_code,.-__jit_debug_register_code",
    ".popsection",
    ".pushsection .data.autojit.debugger,\"aw\",@progbits",
    ".globl __jit_debug_descriptor",
    ".hidden __jit_debug_descriptor",
    ".type __jit_debug_descriptor,@object",
    ".p2align 3",
    "__jit_debug_descriptor:",
    ".long 1",
    ".long 0",
    ".quad 0",
    ".quad 0",
    ".size __jit_debug_descriptor,.-__jit_debug_descriptor",
    ".popsection",
);
