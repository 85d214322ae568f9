//! The line that `autojit-run --progress` shows on a terminal while a program warms up (decisions/0060).
//!
//! Processes of the run add what they compile to one number (AUTOJIT_PROGRESS). A process that is no child of the program's
//! reads it and draws the line in the last row of the terminal, which it takes out of what scrolls: what the program writes
//! goes where it would have gone.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use autojit_sys::SharedCount;

use crate::process;

/// How often the number is read.
const TICK: Duration = Duration::from_millis(100);
/// The line comes when a program has compiled for so long, and goes when it has compiled nothing for so long.
const BURST: Duration = Duration::from_millis(500);
/// The line stays away for so long after the program has written something.
const WRITTEN: Duration = Duration::from_secs(1);

/// Descriptors of the process that shows the line.
const TERMINAL: i32 = 2;
const COUNT: i32 = 3;
const PROGRAM: i32 = 4;
const STARTER: i32 = 5;

/// Has the line shown for what this process becomes, if standard error is a terminal that can show it.
pub fn start() {
    let able = process::variable("TERM").is_some_and(|kind| kind != "dumb");
    // SAFETY: takes a number.
    if !able || unsafe { libc::isatty(TERMINAL) } == 0 {
        return;
    }
    let Ok((count, file)) = SharedCount::new() else { return };
    let Ok((mut receiver, sender)) = std::io::pipe() else { return };
    let program = std::process::id();
    // SAFETY: takes numbers.
    let handle = unsafe { libc::syscall(libc::SYS_pidfd_open, program, 0) } as i32;
    if handle < 0 {
        return;
    }
    // SAFETY: the process has one thread; the children leave by _exit.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            // A child of the child is not the program's to wait for.
            if libc::fork() == 0 && arrange([file.descriptor(), handle, sender.as_raw_fd()]) {
                show(count, program);
            }
            libc::_exit(0);
        }
        if child > 0 {
            libc::waitpid(child, std::ptr::null_mut(), 0);
        }
        libc::close(handle);
    }
    drop(sender);
    let mut id = [0; 4];
    if receiver.read_exact(&mut id).is_ok() {
        let path = format!("/proc/{}/fd/{COUNT}", u32::from_ne_bytes(id));
        process::set_variable("AUTOJIT_PROGRESS", path);
    }
}

/// Keeps these descriptors alone, under the numbers above, and tells the starter the process's id.
fn arrange(descriptors: [i32; 3]) -> bool {
    // SAFETY: descriptors of this process alone, which nothing here has in use, and signals.
    unsafe {
        let free = descriptors.map(|descriptor| libc::fcntl(descriptor, libc::F_DUPFD, STARTER + 1));
        for (from, to) in free.into_iter().zip([COUNT, PROGRAM, STARTER]) {
            libc::dup2(from, to);
        }
        libc::syscall(libc::SYS_close_range, STARTER + 1, u32::MAX, 0);
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        libc::dup2(null, 0);
        libc::dup2(null, 1);
        libc::close(null);
        // The line is to be erased however the program ends, and in the background.
        for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGTSTP, libc::SIGTTOU] {
            libc::signal(signal, libc::SIG_IGN);
        }
        let id = std::process::id().to_ne_bytes();
        let told = libc::write(STARTER, id.as_ptr().cast(), id.len());
        libc::close(STARTER);
        usize::try_from(told) == Ok(id.len())
    }
}

/// Shows the line, and erases it, until the program has ended.
fn show(count: SharedCount, program: u32) {
    let mut terminal = Terminal { shown: 0 };
    let (mut number, mut written) = (0, bytes_written(program));
    let mut begin = Instant::now();
    let (mut changed, mut wrote) = (begin, None::<Instant>);
    while !has_ended(TICK) {
        let now = Instant::now();
        let (was, bytes) = (number, bytes_written(program));
        number = count.get();
        if number != was {
            if now - changed > BURST {
                begin = now;
            }
            changed = now;
        }
        if bytes != written {
            (written, wrote) = (bytes, Some(now));
        }
        let writes = wrote.is_some_and(|wrote| now - wrote < WRITTEN);
        let warms_up = number != 0 && now - changed < BURST && now - begin >= BURST;
        if warms_up && !writes { terminal.draw(number) } else { terminal.erase() }
    }
    terminal.erase();
}

/// Waits for the program's end, at most for `limit`.
fn has_ended(limit: Duration) -> bool {
    let mut poll = libc::pollfd { fd: PROGRAM, events: libc::POLLIN, revents: 0 };
    // SAFETY: one structure of ours.
    unsafe { libc::poll(&raw mut poll, 1, limit.as_millis() as i32) == 1 }
}

/// How much a process has written, wherever to; 0 if the kernel does not tell.
fn bytes_written(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/io")).unwrap_or_default();
    let number = text.lines().find_map(|line| line.strip_prefix("wchar: "));
    number.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// The terminal, and the number that its line shows; 0 without a line.
struct Terminal {
    shown: u64,
}

impl Terminal {
    /// Draws the line, or draws it anew.
    fn draw(&mut self, number: u64) {
        let text = format!("autojit: {number} functions compiled");
        let Some(rows) = rows_for(text.len()).filter(|_| self.shown != number) else { return };
        if self.shown == 0 {
            // Make room below the cursor (down, which scrolls on the last row, and up). What sets the region that scrolls moves
            // the cursor, which is saved and restored.
            self.write(&format!("\x1bD\x1bM\x1b7\x1b[1;{}r\x1b8", rows - 1));
        }
        self.write(&format!("\x1b7\x1b[{rows};1H\x1b[2K{text}\x1b8"));
        self.shown = number;
    }

    /// Erases the line, if there is one, and has all of the terminal scroll again.
    fn erase(&mut self) {
        if self.shown != 0
            && let Some(rows) = rows_for(0)
        {
            self.write(&format!("\x1b7\x1b[r\x1b[{rows};1H\x1b[2K\x1b8"));
            self.shown = 0;
        }
    }

    fn write(&self, text: &str) {
        // A terminal that is gone shows nothing.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

/// How many rows the terminal has, if there is room for so many letters, and it shows lines for the program: that is not in
/// the background, and has not set up the terminal to draw on it.
fn rows_for(letters: usize) -> Option<u16> {
    // SAFETY: zeroes are values of both structures, which the calls write.
    unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        let mut state: libc::termios = std::mem::zeroed();
        let sized = libc::ioctl(TERMINAL, libc::TIOCGWINSZ, &raw mut size) == 0;
        let fits = sized && letters < size.ws_col.into() && size.ws_row > 2;
        let by_lines = libc::tcgetattr(TERMINAL, &raw mut state) == 0 && state.c_lflag & libc::ICANON != 0;
        // -1 if it is not the terminal of the session, which has no background there.
        let group = libc::tcgetpgrp(TERMINAL);
        (fits && by_lines && (group == -1 || group == libc::getpgrp())).then_some(size.ws_row)
    }
}
