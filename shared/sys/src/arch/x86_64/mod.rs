//! x86-64: system calls, a process on a stack of its own, the thread pointer.

use std::arch::asm;
use std::ffi::c_void;

use crate::Errno;

/// A system call with up to six arguments.
///
/// # Safety
/// Those of the call `number` with these arguments.
pub unsafe fn syscall(number: i64, arguments: [usize; 6]) -> Result<usize, Errno> {
    let [a, b, c, d, e, f] = arguments;
    let result: isize;
    // SAFETY: the kernel's calling convention (System V psABI, A.2.1): it changes rax, rcx, r11 and what the
    // arguments let it write.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            in("r10") d,
            in("r8") e,
            in("r9") f,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    // The kernel returns -errno in the last page of the address space.
    if (-4095..0).contains(&result) { Err(Errno(-result as i32)) } else { Ok(result as usize) }
}

/// Runs `function(argument)` in a new process that shares the memory, on the stack that ends at `stack`; comes back when
/// that process has ended or executed another program. Its end sends no signal.
///
/// # Safety
/// `function` must be sound to call with `argument`, with the stack's bytes, while the calling thread stands still.
pub(crate) unsafe fn clone_onto(
    stack: *mut u8,
    function: unsafe extern "C" fn(*mut c_void) -> !,
    argument: *mut c_void,
) -> Result<usize, Errno> {
    let flags = (libc::CLONE_VM | libc::CLONE_VFORK) as usize;
    let result: isize;
    // SAFETY: the kernel's calling convention; the new process leaves through `function`, on a stack of its own, so it
    // does not come to the end of the assembly. What it does to memory the compiler must expect of any assembly.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            // The end of the chain of frames.
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            // Not any registers: rbp would be among them.
            in("r13") function,
            in("r12") argument,
            inlateout("rax") libc::SYS_clone as isize => result,
            in("rdi") flags,
            in("rsi") stack,
            in("rdx") 0,
            in("r10") 0,
            in("r8") 0,
            // Not late: what the new process calls must not be in there.
            out("rcx") _,
            out("r11") _,
        );
    }
    if (-4095..0).contains(&result) { Err(Errno(-result as i32)) } else { Ok(result as usize) }
}

/// The address of the calling thread's control block: unlike its id, the same in a child process, and had without a
/// system call.
pub fn thread_pointer() -> usize {
    let pointer: usize;
    // SAFETY: the word at the start of the control block holds its address (ELF TLS ABI, variant II).
    unsafe { asm!("mov {}, fs:[0]", out(reg) pointer, options(nostack, preserves_flags, readonly)) };
    pointer
}
