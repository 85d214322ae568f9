//! A process without a program: all of its memory and each of its system calls are decided here.
//!
//! It is a copy of this executable that has not executed an instruction yet. Its memory is taken away, and what is to be
//! there is mapped by system calls that it is made to do. Then a function is called in it. As the
//! function may be anything, each system call stops the process, and is done only if [`calls`] says so.
//!
//! # Safety
//! Whatever happens in the process, this one only reads numbers and bytes of it.

use std::ffi::CString;
use std::fs::{File, read_to_string};
use std::io;
use std::mem::{MaybeUninit, offset_of};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::arch;
use super::calls::{Calls, Verdict};
use crate::ptrace::{poke, registers, request, set_registers, wait};

/// How long it may take, in seconds.
const LIMIT: u32 = 120;
/// Memory of its own: a page with the gate, one that nothing may touch, and a stack.
const PAGE: u64 = 4096;
const ROOM: u64 = 2 << 20;
/// Its place is tried in such steps, clear of this executable, which lies low.
const STEP: u64 = 256 << 20;
/// What a stop at a system call is told by, besides SIGTRAP.
const SYSCALL_STOP: i32 = libc::SIGTRAP | 0x80;

/// A process that is made.
pub struct Process {
    id: i32,
    memory: File,
    /// Its own memory.
    room: u64,
}

/// How a call in it ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ending {
    /// With a result.
    Returned(u64),
    /// By a signal, at an instruction, because of an address.
    Crashed { signal: i32, at: u64, address: u64 },
    /// It would wait for another thread.
    Waits,
    /// It took too long.
    Late,
    /// The process has ended.
    Gone,
}

/// The process cannot be had, or did not do what it was to do.
fn refused() -> io::Error {
    io::Error::other("no process can be traced here (ptrace)")
}

impl Process {
    /// Starts one, with nothing in its memory but room outside of `busy`.
    ///
    /// # Errors
    /// The system does not let it be traced.
    pub fn start(busy: &[Range<u64>]) -> io::Result<Self> {
        let filter = filter();
        // SAFETY: the process has one thread, so the child may do whatever it likes.
        let id = unsafe { libc::fork() };
        match id {
            -1 => return Err(io::Error::last_os_error()),
            0 => become_traced(&filter),
            _ => {}
        }
        let open = || {
            // It stops when it has become the executable, before its first instruction.
            let (_, status) = wait(id)?;
            (libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == libc::SIGTRAP).then_some(())?;
            let options = libc::PTRACE_O_EXITKILL | libc::PTRACE_O_TRACESYSGOOD;
            request(libc::PTRACE_SETOPTIONS, id, options as usize)?;
            File::options().read(true).write(true).open(format!("/proc/{id}/mem")).ok()
        };
        let Some(memory) = open() else {
            end(id);
            return Err(refused());
        };
        let mut process = Self { id, memory, room: 0 };
        process.make_room(busy)?;
        Ok(process)
    }

    /// Takes a place that is free, and everything else away.
    fn make_room(&mut self, busy: &[Range<u64>]) -> io::Result<()> {
        let entry = arch::place(&registers(self.id).ok_or_else(refused)?);
        let is_free = |room: &u64| busy.iter().all(|range| range.end <= *room || room + ROOM <= range.start);
        let places = (1..arch::ADDRESSES_END / STEP).map(|number| number * STEP).filter(is_free);
        let writable = (libc::PROT_READ | libc::PROT_WRITE) as u64;
        let arguments = [ROOM, writable, PRIVATE_MEMORY, u64::MAX, 0];
        let room = places.into_iter().find(|room| {
            let [len, protection, flags, file, offset] = arguments;
            let call = [*room, len, protection, flags, file, offset];
            self.call_at(entry, libc::SYS_mmap, call).is_ok_and(|found| found == *room)
        });
        self.room = room.ok_or_else(refused)?;
        let executable = (libc::PROT_READ | libc::PROT_EXEC) as u64;
        self.call_at(entry, libc::SYS_mprotect, [self.room, PAGE, executable, 0, 0, 0])?;
        self.call(libc::SYS_mprotect, [self.room + PAGE, PAGE, 0, 0, 0, 0])?;
        // Some may be sealed: what has to be at their place does not come there, and says so.
        let maps = read_to_string(format!("/proc/{}/maps", self.id))?;
        for line in maps.lines() {
            let Some((start, rest)) = line.split_once('-') else { continue };
            let end = rest.split(' ').next().unwrap_or_default();
            let (start, end) = (u64::from_str_radix(start, 16), u64::from_str_radix(end, 16));
            let (Ok(start), Ok(end)) = (start, end) else { continue };
            if !(self.room..self.room + ROOM).contains(&start) && end <= arch::ADDRESSES_END {
                let _ = self.call(libc::SYS_munmap, [start, end - start, 0, 0, 0, 0]);
            }
        }
        Ok(())
    }

    /// Has it do a system call.
    fn call(&self, number: i64, arguments: [u64; 6]) -> io::Result<u64> {
        self.call_at(self.room, number, arguments)
    }

    fn call_at(&self, gate: u64, number: i64, arguments: [u64; 6]) -> io::Result<u64> {
        // The process may have put something else there, which would not be watched.
        poke(self.id, gate, arch::GATE).ok_or_else(refused)?;
        let before = registers(self.id).ok_or_else(refused)?;
        let during = arch::system_call(&before, gate, number, arguments);
        set_registers(self.id, &during).ok_or_else(refused)?;
        request(libc::PTRACE_CONT, self.id, 0).ok_or_else(refused)?;
        let stopped = wait(self.id).is_some_and(|(_, status)| libc::WIFSTOPPED(status));
        let after = registers(self.id).filter(|_| stopped).ok_or_else(refused)?;
        let result = arch::result_at_stop(&after, gate).ok_or_else(refused)?;
        // Small negative numbers are errors.
        match result.cast_signed() {
            error @ -4095..=-1 => Err(io::Error::from_raw_os_error(-(error as i32))),
            _ => Ok(result),
        }
    }

    /// Opens a file for it to map; its descriptor there.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(&self, path: &CString) -> io::Result<u64> {
        // The lowest part of the stack holds the name.
        let name = self.room + 2 * PAGE;
        self.memory.write_all_at(path.as_bytes_with_nul(), name)?;
        let flags = (libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK) as u64;
        self.call(libc::SYS_openat, [libc::AT_FDCWD as u64, name, flags, 0, 0, 0])
    }

    /// Closes it again: what is mapped stays.
    pub fn close(&self, file: u64) {
        let _ = self.call(libc::SYS_close, [file, 0, 0, 0, 0, 0]);
    }

    /// Maps a part of a file, so that what is written to it stays in the process; zeros without one.
    ///
    /// # Errors
    /// Something else is there, or it is too much.
    pub fn map(&self, start: u64, len: u64, protection: u64, file: Option<(u64, u64)>) -> io::Result<()> {
        let (flags, file, offset) = match file {
            Some((file, offset)) => (FILE_MEMORY, file, offset),
            None => (PRIVATE_MEMORY, u64::MAX, 0),
        };
        let found = self.call(libc::SYS_mmap, [start, len, protection, flags, file, offset])?;
        if found == start { Ok(()) } else { Err(io::ErrorKind::AlreadyExists.into()) }
    }

    /// Writes into its memory, whatever is allowed there.
    ///
    /// # Errors
    /// There is none.
    pub fn write(&self, bytes: &[u8], address: u64) -> io::Result<()> {
        self.memory.write_all_at(bytes, address)
    }

    /// Reads its memory.
    ///
    /// # Errors
    /// There is none.
    pub fn read(&self, bytes: &mut [u8], address: u64) -> io::Result<()> {
        self.memory.read_exact_at(bytes, address)
    }

    /// Has it read from memory from now on that was mapped for nothing.
    ///
    /// # Errors
    /// There is none.
    fn allow_reading(&self, range: &Range<u64>) -> io::Result<()> {
        let arguments = [range.start, range.end - range.start, libc::PROT_READ as u64, 0, 0, 0];
        self.call(libc::SYS_mprotect, arguments).map(drop)
    }

    /// Calls the function at `entry` with a number, as the thread with that thread pointer. `missing` is asked for the memory at an
    /// address that it may not touch: what it may read instead of a crash.
    ///
    /// # Errors
    /// The process is not at hand.
    pub fn run(
        &self,
        entry: u64,
        argument: u64,
        thread: u64,
        calls: &mut Calls,
        mut missing: impl FnMut(u64) -> Option<Range<u64>>,
    ) -> io::Result<Ending> {
        let before = registers(self.id).ok_or_else(refused)?;
        let stack = self.room + ROOM - 8;
        self.write(&(self.room + arch::GATE_STOP).to_le_bytes(), stack)?;
        let called = arch::function_call(&before, entry, argument, stack, thread);
        set_registers(self.id, &called).ok_or_else(refused)?;
        // What a call is to result in that was not done.
        let mut answer = None;
        let mut is_inside = false;
        loop {
            request(libc::PTRACE_SYSCALL, self.id, 0).ok_or_else(refused)?;
            let (_, status) = wait(self.id).ok_or_else(refused)?;
            if !libc::WIFSTOPPED(status) {
                return Ok(Ending::Gone);
            }
            let now = registers(self.id).ok_or_else(refused)?;
            match libc::WSTOPSIG(status) {
                SYSCALL_STOP if is_inside => {
                    is_inside = false;
                    if let Some(result) = answer.take() {
                        set_registers(self.id, &arch::with_result(&now, result)).ok_or_else(refused)?;
                    }
                }
                SYSCALL_STOP => {
                    is_inside = true;
                    let (number, arguments) = arch::asked(&now);
                    match calls.judge(self.id, number, arguments) {
                        Verdict::Done => {}
                        Verdict::Answered(result) => {
                            answer = Some(result);
                            set_registers(self.id, &arch::left_out(&now)).ok_or_else(refused)?;
                        }
                        Verdict::Waits => return Ok(Ending::Waits),
                    }
                }
                libc::SIGTRAP if arch::result_at_stop(&now, self.room).is_some() => {
                    let result = arch::result_at_stop(&now, self.room).unwrap_or_default();
                    return Ok(Ending::Returned(result));
                }
                libc::SIGALRM => return Ok(Ending::Late),
                signal @ (libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE | libc::SIGTRAP) => {
                    let address = self.fault().unwrap_or_default();
                    if signal == libc::SIGSEGV
                        && let Some(range) = missing(address)
                    {
                        self.allow_reading(&range)?;
                        set_registers(self.id, &now).ok_or_else(refused)?;
                        continue;
                    }
                    return Ok(Ending::Crashed { signal, at: arch::place(&now), address });
                }
                // Sent by something else, a terminal perhaps.
                _ => {}
            }
        }
    }

    /// The address because of which it was stopped by a signal.
    fn fault(&self) -> Option<u64> {
        let mut found = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: the kernel writes one structure of this type, of which all zeros is one; these signals have an address.
        unsafe {
            let done = libc::ptrace(libc::PTRACE_GETSIGINFO, self.id, 0usize, found.as_mut_ptr());
            (done == 0).then(|| found.assume_init().si_addr() as u64)
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(self.id);
    }
}

const PRIVATE_MEMORY: u64 =
    (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE) as u64;
const FILE_MEMORY: u64 = (libc::MAP_PRIVATE | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE) as u64;

fn end(id: i32) {
    // SAFETY: a child that was not waited for.
    unsafe { libc::kill(id, libc::SIGKILL) };
    while wait(id).is_some_and(|(_, status)| libc::WIFSTOPPED(status)) {}
}

/// In the child: becomes this executable anew, stopped. What fails shows in the parent: it ends.
fn become_traced(filter: &[libc::sock_filter]) -> ! {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let (arguments, environment) = ([c"autojit-run".as_ptr(), std::ptr::null()], [std::ptr::null()]);
    // SAFETY: numbers, structures of ours and C strings, which outlive the calls. Nothing of this process is needed any more.
    unsafe {
        let mut signals = MaybeUninit::<libc::sigset_t>::zeroed();
        libc::sigemptyset(signals.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, signals.as_ptr(), std::ptr::null_mut());
        libc::signal(libc::SIGALRM, libc::SIG_DFL);
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        // None of the descriptors that this process was given.
        libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0);
        for descriptor in 0..3 {
            libc::close(descriptor);
        }
        libc::alarm(LIMIT);
        if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) != 0
            || libc::ptrace(libc::PTRACE_TRACEME, 0, 0usize, 0usize) != 0
        {
            libc::_exit(126);
        }
        libc::execve(c"/proc/self/exe".as_ptr(), arguments.as_ptr(), environment.as_ptr());
        libc::_exit(126)
    }
}

/// The filter: calls by the numbers of other architectures, which mean something else here, end the process.
fn filter() -> [libc::sock_filter; 4] {
    let statement = |code: u32, value: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k: value };
    [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset_of!(libc::seccomp_data, arch) as u32),
        libc::sock_filter { jt: 1, ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, arch::AUDITED) },
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_KILL_PROCESS),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ]
}
