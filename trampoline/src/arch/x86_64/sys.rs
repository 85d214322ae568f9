//! The few system calls that the trampoline makes on its own, as raw `syscall` instructions.
//!
//! They receive plain values and hand back the kernel's result. Neither libc nor `errno` is involved: the program
//! may have replaced the one and is entitled to the other.

use std::arch::asm;

/// An error number of the kernel, positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

const SYS_WRITE: usize = 1;
const SYS_MMAP: usize = 9;
const SYS_MPROTECT: usize = 10;
const SYS_MUNMAP: usize = 11;
const SYS_RT_SIGPROCMASK: usize = 14;
const SYS_MADVISE: usize = 28;

const PROT_NONE: usize = 0;
const PROT_READ: usize = 1;
const PROT_WRITE: usize = 2;
const MAP_PRIVATE: usize = 0x02;
const MAP_ANONYMOUS: usize = 0x20;
const MAP_NORESERVE: usize = 0x4000;
const MAP_STACK: usize = 0x20000;
const MADV_NOHUGEPAGE: usize = 15;
const SIG_SETMASK: usize = 2;
/// Size of the kernel's signal set, bytes.
const SIGSET_SIZE: usize = 8;

/// System call `number` with up to six arguments.
///
/// # Safety
/// As the system call demands.
unsafe fn syscall(number: usize, args: [usize; 6]) -> Result<usize, Errno> {
    let result: isize;
    // SAFETY: the kernel's x86-64 convention (psABI A.2.1): number and result in rax, rcx and r11 lost, nothing
    // else; what the call does to memory is the caller's.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    if (-4095..0).contains(&result) { Err(Errno(-result as i32)) } else { Ok(result as usize) }
}

/// Maps `size` bytes of stack, of which the lowest `guard` bytes fault.
pub fn map_stack(size: usize, guard: usize) -> Result<*mut u8, Errno> {
    // SAFETY: a fresh anonymous mapping at an address of the kernel's choice touches no other.
    let base = unsafe {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK;
        syscall(SYS_MMAP, [0, size, PROT_READ | PROT_WRITE, flags, usize::MAX, 0])?
    };
    // SAFETY: the range is the mapping just made. The advice is one: before Linux 6.7 MAP_STACK did not imply it, and
    // a huge page would cost a first call the clearing of 2 MiB; a kernel without huge pages refuses it, rightly.
    let guarded = unsafe {
        let _ = syscall(SYS_MADVISE, [base, size, MADV_NOHUGEPAGE, 0, 0, 0]);
        syscall(SYS_MPROTECT, [base, guard, PROT_NONE, 0, 0, 0])
    };
    match guarded {
        Ok(_) => Ok(base as *mut u8),
        Err(errno) => {
            // SAFETY: nothing else knows the mapping.
            unsafe { unmap(base as *mut u8, size) };
            Err(errno)
        }
    }
}

/// Unmaps a mapping of [`map_stack`].
///
/// # Safety
/// Nothing may use the mapping any more.
pub unsafe fn unmap(base: *mut u8, size: usize) {
    // SAFETY: the caller's. munmap of a whole mapping fails only for a range that is none, and there is no remedy.
    let _ = unsafe { syscall(SYS_MUNMAP, [base as usize, size, 0, 0, 0, 0]) };
}

/// Sets the thread's signal mask and returns the one before. (The kernel ignores the bits of SIGKILL and SIGSTOP.)
pub fn set_signal_mask(mask: u64) -> u64 {
    let mut before = 0_u64;
    // SAFETY: both sets are 8 bytes on this stack. The call has no way to fail with valid pointers and size.
    let result = unsafe {
        let (new, old) = (&raw const mask as usize, &raw mut before as usize);
        syscall(SYS_RT_SIGPROCMASK, [SIG_SETMASK, new, old, SIGSET_SIZE, 0, 0])
    };
    debug_assert!(result.is_ok());
    before
}

/// Writes `message` to standard error and aborts the process.
pub fn fatal(message: &str) -> ! {
    // SAFETY: the kernel reads message's bytes. Whether they arrive changes nothing: the process ends.
    let _ = unsafe { syscall(SYS_WRITE, [2, message.as_ptr() as usize, message.len(), 0, 0, 0]) };
    std::process::abort()
}
