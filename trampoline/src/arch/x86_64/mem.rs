//! The memory functions that compilers call by name, for the runtime's own use.
//!
//! The runtime must not call the program's `memcpy`: it may be one that is compiled lazily, by the very call that is
//! being resolved. [`define_memory_functions!`](crate::define_memory_functions) defines the C names in the library
//! that invokes it, as hidden symbols, so that all its code (the standard library's included) binds to the functions
//! here. They are assembly: a compiler may turn a loop that copies into a call of `memcpy`, that is of itself.
//!
//! They are short rather than fast for megabytes; what the runtime moves is small, and `rep movsb`, which takes its time
//! to begin, is good at pages.

use std::arch::naked_asm;

/// `memcpy` and `memmove`: copies `len` bytes, which may overlap, and returns `to`.
///
/// # Safety
/// As for [`std::ptr::copy`] of `len` bytes.
#[unsafe(naked)]
pub unsafe extern "C" fn copy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    naked_asm!(
        ".cfi_startproc",
        "mov rax, rdi",
        // Up to 32 bytes: everything is read before anything is written, so overlap does not matter.
        "cmp rdx, 16",
        "ja 5f",
        "cmp edx, 8",
        "jae 4f",
        "cmp edx, 4",
        "jae 3f",
        "test edx, edx",
        "jz 2f",
        // 1 to 3 bytes: first, middle (the first or the second) and last.
        "mov ecx, edx",
        "shr ecx, 1",
        "movzx r8d, byte ptr [rsi]",
        "movzx r9d, byte ptr [rsi + rcx]",
        "movzx r10d, byte ptr [rsi + rdx - 1]",
        "mov byte ptr [rdi], r8b",
        "mov byte ptr [rdi + rcx], r9b",
        "mov byte ptr [rdi + rdx - 1], r10b",
        "2: ret",
        "3: mov ecx, dword ptr [rsi]",
        "mov r8d, dword ptr [rsi + rdx - 4]",
        "mov dword ptr [rdi], ecx",
        "mov dword ptr [rdi + rdx - 4], r8d",
        "ret",
        "4: mov rcx, qword ptr [rsi]",
        "mov r8, qword ptr [rsi + rdx - 8]",
        "mov qword ptr [rdi], rcx",
        "mov qword ptr [rdi + rdx - 8], r8",
        "ret",
        "5: cmp rdx, 32",
        "ja 6f",
        "movups xmm0, xmmword ptr [rsi]",
        "movups xmm1, xmmword ptr [rsi + rdx - 16]",
        "movups xmmword ptr [rdi], xmm0",
        "movups xmmword ptr [rdi + rdx - 16], xmm1",
        "ret",
        // Destination inside the source: from the end. (Unsigned, so a destination below the source is far away.)
        "6: mov rcx, rdi",
        "sub rcx, rsi",
        "cmp rcx, rdx",
        "jb 7f",
        "cmp rdx, 256",
        "ja 9f",
        // The last 16 bytes are read first and written last: the loop leaves a rest of 1 to 16.
        "movups xmm1, xmmword ptr [rsi + rdx - 16]",
        "lea r8, [rdi + rdx - 16]",
        "10: movups xmm0, xmmword ptr [rsi]",
        "movups xmmword ptr [rdi], xmm0",
        "add rsi, 16",
        "add rdi, 16",
        "cmp rdi, r8",
        "jb 10b",
        "movups xmmword ptr [r8], xmm1",
        "ret",
        "9: mov rcx, rdx",
        "rep movsb",
        "ret",
        // The first 16 bytes are read now and written last, because the loop leaves a rest of 1 to 16.
        "7: movups xmm1, xmmword ptr [rsi]",
        "8: movups xmm0, xmmword ptr [rsi + rdx - 16]",
        "movups xmmword ptr [rdi + rdx - 16], xmm0",
        "sub rdx, 16",
        "cmp rdx, 16",
        "ja 8b",
        "movups xmmword ptr [rdi], xmm1",
        "ret",
        ".cfi_endproc",
    )
}

/// `memset`: sets `len` bytes to the low byte of `value` and returns `to`.
///
/// # Safety
/// As for [`std::ptr::write_bytes`] of `len` bytes.
#[unsafe(naked)]
pub unsafe extern "C" fn set(to: *mut u8, value: i32, len: usize) -> *mut u8 {
    naked_asm!(
        ".cfi_startproc",
        "mov r8, rdi",
        "movzx eax, sil",
        "mov rcx, rdx",
        "rep stosb",
        "mov rax, r8",
        "ret",
        ".cfi_endproc",
    )
}

/// `memcmp` and `bcmp`: negative, zero or positive as the first `len` bytes of `a` are less than, equal to or greater
/// than those of `b`, compared as unsigned bytes.
///
/// # Safety
/// Both must be readable for `len` bytes.
#[unsafe(naked)]
pub unsafe extern "C" fn compare(a: *const u8, b: *const u8, len: usize) -> i32 {
    naked_asm!(
        ".cfi_startproc",
        "2: cmp rdx, 8",
        "jb 4f",
        "mov rax, qword ptr [rdi]",
        "mov rcx, qword ptr [rsi]",
        "cmp rax, rcx",
        "jne 3f",
        "add rdi, 8",
        "add rsi, 8",
        "sub rdx, 8",
        "jmp 2b",
        // The first byte in memory decides: it becomes the most significant.
        "3: bswap rax",
        "bswap rcx",
        "cmp rax, rcx",
        "sbb eax, eax",
        "or eax, 1",
        "ret",
        "4: test edx, edx",
        "jz 5f",
        "movzx eax, byte ptr [rdi]",
        "movzx ecx, byte ptr [rsi]",
        "sub eax, ecx",
        "jnz 6f",
        "inc rdi",
        "inc rsi",
        "dec edx",
        "jmp 4b",
        "5: xor eax, eax",
        "6: ret",
        ".cfi_endproc",
    )
}

/// `strlen`: the number of bytes before the first NUL.
///
/// # Safety
/// `text` must be NUL-terminated.
#[unsafe(naked)]
pub unsafe extern "C" fn length(text: *const u8) -> usize {
    naked_asm!(
        ".cfi_startproc",
        // Aligned blocks of 16 never cross into a page that the string does not touch.
        "mov rax, rdi",
        "and rax, -16",
        "pxor xmm0, xmm0",
        "pcmpeqb xmm0, xmmword ptr [rax]",
        "pmovmskb edx, xmm0",
        "mov ecx, edi",
        "and ecx, 15",
        "shr edx, cl", // the bytes before the string do not count
        "test edx, edx",
        "jz 2f",
        "bsf eax, edx",
        "ret",
        "2: add rax, 16",
        "pxor xmm0, xmm0",
        "pcmpeqb xmm0, xmmword ptr [rax]",
        "pmovmskb edx, xmm0",
        "test edx, edx",
        "jz 2b",
        "bsf edx, edx",
        "add rax, rdx",
        "sub rax, rdi",
        "ret",
        ".cfi_endproc",
    )
}

/// Defines `memcpy`, `memmove`, `memset`, `memcmp`, `bcmp` and `strlen` as hidden symbols of the library or program
/// that is being linked. To be invoked once, at module level.
#[macro_export]
macro_rules! define_memory_functions {
    () => {
        $crate::define_memory_functions!(@define "memcpy", $crate::mem::copy);
        $crate::define_memory_functions!(@define "memmove", $crate::mem::copy);
        $crate::define_memory_functions!(@define "memset", $crate::mem::set);
        $crate::define_memory_functions!(@define "memcmp", $crate::mem::compare);
        $crate::define_memory_functions!(@define "bcmp", $crate::mem::compare);
        $crate::define_memory_functions!(@define "strlen", $crate::mem::length);
    };
    (@define $name:literal, $function:path) => {
        $crate::define_hidden!($name, $function);
    };
}

/// Defines a function under a name that the library or program which is being linked sees, and nothing else. To be
/// invoked at module level.
///
/// Assembly rather than `#[unsafe(no_mangle)]` functions, because rustc would export those from a cdylib and every
/// program that preloads it would use them.
#[macro_export]
macro_rules! define_hidden {
    ($name:literal, $function:path) => {
        ::core::arch::global_asm!(
            concat!(".pushsection .text.autojit.", $name, ",\"ax\",@progbits"),
            concat!(".globl ", $name),
            concat!(".hidden ", $name),
            concat!(".type ", $name, ",@function"),
            ".p2align 4",
            concat!($name, ":"),
            ".cfi_startproc",
            "jmp {function}",
            ".cfi_endproc",
            concat!(".size ", $name, ",.-", $name),
            ".popsection",
            function = sym $function,
        );
    };
}
