//! Thread-local memory that every thread has from its start: room for the thread-local variables of a library that the
//! runtime maps itself, of which the dynamic linker knows nothing.
//!
//! A block of static thread-local storage lies at the same distance from the thread pointer in all threads, so code
//! that was compiled for the initial-exec model can use it. It is zero in a new thread.

use std::arch::{global_asm, naked_asm};

/// Bytes in the block.
pub const SIZE: usize = 512;
/// Its alignment.
pub const ALIGN: usize = 64;

global_asm!(
    ".pushsection .tbss.autojit_room,\"awT\",@nobits",
    ".balign {align}",
    ".globl __autojit_room",
    ".hidden __autojit_room",
    ".type __autojit_room,@object",
    ".size __autojit_room,{size}",
    "__autojit_room:",
    ".zero {size}",
    ".popsection",
    align = const ALIGN,
    size = const SIZE,
);

/// The distance from the thread pointer to the block: the same in all threads, and negative.
#[unsafe(naked)]
pub extern "C" fn offset() -> isize {
    naked_asm!("mov rax, qword ptr [rip + __autojit_room@gottpoff]", "ret")
}

global_asm!(
    ".pushsection .tbss.autojit_errno,\"awT\",@nobits",
    ".balign 4",
    ".hidden __autojit_errno",
    ".type __autojit_errno,@object",
    ".size __autojit_errno,4",
    "__autojit_errno:",
    ".zero 4",
    ".popsection",
);

/// The calling thread's error number of what is linked with us: not the program's errno. As C's `__errno_location`.
#[unsafe(naked)]
pub extern "C" fn errno() -> *mut i32 {
    naked_asm!("mov rax, qword ptr fs:[0]", "add rax, qword ptr [rip + __autojit_errno@gottpoff]", "ret")
}

/// The dynamic linker's `__tls_get_addr`, for thread-local variables of the library that this is linked into, whose block
/// is static: only the second word of `index` counts, the offset in the block. (psABI for TLS, "General Dynamic"; the
/// compiler expects an ordinary call.)
#[unsafe(naked)]
pub extern "C" fn get_address(index: *const [usize; 2]) -> *mut u8 {
    naked_asm!(
        "mov rax, qword ptr fs:[0]",
        "add rax, qword ptr [rip + __autojit_errno@gottpoff]",
        "sub rax, offset __autojit_errno@dtpoff",
        "add rax, qword ptr [rdi + 8]",
        "ret",
    )
}
