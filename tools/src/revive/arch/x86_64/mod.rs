//! x86-64: core files (psABI, Linux's `elf_prstatus`), and calls in a process by its registers.

use libc::user_regs_struct;

/// EM_X86_64.
pub const MACHINE: u16 = 62;
/// Behind the addresses that a process may have.
pub const ADDRESSES_END: u64 = 0x7fff_ffff_f000;
/// Where NT_PRSTATUS has the thread pointer: the registers begin at 112, of which fs_base is the 22nd.
pub const THREAD_POINTER_IN_STATUS: usize = 112 + 21 * 8;
/// AUDIT_ARCH_X86_64, by which filters know calls that are this processor's own.
pub const AUDITED: u32 = 0xc000_003e;

/// A system call, and a stop behind it.
pub const GATE: u64 = u64::from_le_bytes([
    0x0f, 0x05, // syscall
    0xcc, // int3
    0xcc, 0xcc, 0xcc, 0xcc, 0xcc,
]);
/// Where the stop is.
pub const GATE_STOP: u64 = 2;

/// Registers for the system call at `gate`.
pub fn system_call(
    registers: &user_regs_struct,
    gate: u64,
    number: i64,
    arguments: [u64; 6],
) -> user_regs_struct {
    let [rdi, rsi, rdx, r10, r8, r9] = arguments;
    // Nothing is to be done again of the call in which the process may have stopped.
    let orig_rax = u64::MAX;
    user_regs_struct { rip: gate, rax: number as u64, orig_rax, rdi, rsi, rdx, r10, r8, r9, ..*registers }
}

/// Registers for a call of the function at `entry` with a number, with the return address at `stack`.
pub fn function_call(
    registers: &user_regs_struct,
    entry: u64,
    argument: u64,
    stack: u64,
    thread_pointer: u64,
) -> user_regs_struct {
    user_regs_struct {
        rip: entry,
        rdi: argument,
        rsp: stack,
        rbp: 0,
        rax: 0,
        orig_rax: u64::MAX,
        // As the ABI has them at a call: direction flag clear.
        eflags: 0x202,
        fs_base: thread_pointer,
        ..*registers
    }
}

/// Whether the process has come to the stop at `gate`; the result of the call if so.
pub fn result_at_stop(registers: &user_regs_struct, gate: u64) -> Option<u64> {
    (registers.rip == gate + GATE_STOP + 1).then_some(registers.rax)
}

/// The system call that a process is about to do.
pub fn asked(registers: &user_regs_struct) -> (i64, [u64; 6]) {
    let user_regs_struct { rdi, rsi, rdx, r10, r8, r9, .. } = *registers;
    (registers.orig_rax as i64, [rdi, rsi, rdx, r10, r8, r9])
}

/// Registers with which that call is none.
pub fn left_out(registers: &user_regs_struct) -> user_regs_struct {
    user_regs_struct { orig_rax: u64::MAX, ..*registers }
}

/// Registers with another result of a call.
pub fn with_result(registers: &user_regs_struct, result: i64) -> user_regs_struct {
    user_regs_struct { rax: result as u64, ..*registers }
}

/// Where a process executes.
pub fn place(registers: &user_regs_struct) -> u64 {
    registers.rip
}
