//! Other processes, by ptrace: waiting for them, their registers and their memory.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;

/// Longer paths than the kernel takes.
const LONGEST: usize = 4097;

/// A C string in the memory of a process.
pub fn string(process: i32, address: u64) -> Option<OsString> {
    let memory = File::open(format!("/proc/{process}/mem")).ok()?;
    let mut text = Vec::new();
    while text.len() < LONGEST {
        // To the end of a page: the next one may be missing.
        let at = address + text.len() as u64;
        let mut bytes = vec![0; (4096 - at % 4096) as usize];
        let count = memory.read_at(&mut bytes, at).ok().filter(|count| *count > 0)?;
        match bytes[..count].iter().position(|byte| *byte == 0) {
            Some(end) => {
                text.extend_from_slice(&bytes[..end]);
                return Some(OsString::from_vec(text));
            }
            None => text.extend_from_slice(&bytes[..count]),
        }
    }
    None
}

/// Waits for a process, or for any (-1), to stop or end: which one, and how.
pub fn wait(process: i32) -> Option<(i32, i32)> {
    let mut status = 0;
    loop {
        // SAFETY: the status is written to a variable of ours.
        let found = unsafe { libc::waitpid(process, &raw mut status, libc::__WALL) };
        if found > 0 {
            return Some((found, status));
        }
        if std::io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            return None;
        }
    }
}

/// A request that takes a number at most.
pub fn request(request: libc::c_uint, process: i32, data: usize) -> Option<()> {
    // SAFETY: these requests take numbers, and change the other process alone.
    (unsafe { libc::ptrace(request, process, 0usize, data) } == 0).then_some(())
}

/// The registers of a process that has stopped.
pub fn registers(process: i32) -> Option<libc::user_regs_struct> {
    let mut registers = std::mem::MaybeUninit::<libc::user_regs_struct>::zeroed();
    // SAFETY: the kernel writes one structure of this type; all zeroes are one as well.
    unsafe {
        let done = libc::ptrace(libc::PTRACE_GETREGS, process, 0usize, registers.as_mut_ptr());
        (done == 0).then(|| registers.assume_init())
    }
}

/// Sets the registers of a process that has stopped.
pub fn set_registers(process: i32, registers: &libc::user_regs_struct) -> Option<()> {
    // SAFETY: the kernel reads a structure of this type, and changes the other process alone.
    let done = unsafe { libc::ptrace(libc::PTRACE_SETREGS, process, 0usize, std::ptr::from_ref(registers)) };
    (done == 0).then_some(())
}

/// Writes a word into the memory of a process that has stopped, whatever its pages allow itself.
pub fn poke(process: i32, address: u64, word: u64) -> Option<()> {
    // SAFETY: numbers, which change the other process alone.
    let done = unsafe { libc::ptrace(libc::PTRACE_POKEDATA, process, address, word) };
    (done == 0).then_some(())
}
