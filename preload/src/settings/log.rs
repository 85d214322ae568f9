//! Messages: the `log` facade's back end, and the end of the process when a function cannot be had.
//!
//! A message is one line "autojit: ..." and one raw write(2) to descriptor 2: nothing of the program's stdio, no errno.
//! The level is that of AUTOJIT_LOG; errors and warnings need no prefix, as they say what is wrong; the rest says its
//! level.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sys;

/// Exit code for a program that cannot run at all: what shells use for "command not found".
pub const EXIT_UNUSABLE: i32 = 127;

/// Bytes of a message kept on the stack; longer ones are cut.
const LINE: usize = 2048;

/// One line under construction, cut at [`LINE`] bytes.
struct Line {
    bytes: [u8; LINE],
    used: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // One byte stays free for the newline.
        let room = LINE - 1 - self.used;
        let count = text.len().min(room);
        self.bytes[self.used..self.used + count].copy_from_slice(&text.as_bytes()[..count]);
        self.used += count;
        Ok(())
    }
}

impl Line {
    fn new(message: fmt::Arguments<'_>) -> Self {
        let mut line = Self { bytes: [0; LINE], used: 0 };
        // Formatting fails only if a Display implementation does; what came before is still worth showing.
        let _ = write!(line, "autojit: {message}");
        line.bytes[line.used] = b'\n';
        line.used += 1;
        line
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.used]
    }
}

/// Writes one message to standard error whatever the level.
pub fn message(text: fmt::Arguments<'_>) {
    // A closed standard error is no reason to stop.
    let _ = sys::write(2, Line::new(text).as_bytes());
}

/// The back end of the `log` facade.
struct Logger;

impl log::Log for Logger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        match record.level() {
            log::Level::Error => message(*record.args()),
            log::Level::Warn => message(format_args!("warning: {}", record.args())),
            log::Level::Info => message(format_args!("info: {}", record.args())),
            log::Level::Debug | log::Level::Trace => message(format_args!("debug: {}", record.args())),
        }
    }

    fn flush(&self) {}
}

/// Installs the back end. Messages above `level` are dropped.
pub fn install(level: log::LevelFilter) {
    // An error means that it is installed already.
    let _ = log::set_logger(&Logger);
    log::set_max_level(level);
}

/// What panics end in: in the shared library it stands for the standard library's handler (build.rs).
#[cfg(not(any(feature = "static", test)))]
#[unsafe(no_mangle)]
extern "Rust" fn __autojit_panicked(panic: &core::panic::PanicInfo<'_>) -> ! {
    end_panic(panic)
}

/// The same for memory that is not to be had.
#[cfg(not(any(feature = "static", test)))]
#[unsafe(no_mangle)]
extern "Rust" fn __autojit_out_of_memory(size: usize, _align: usize) -> ! {
    message(format_args!("out of memory: the runtime wants {size} bytes"));
    sys::abort_without_handlers()
}

/// Has the standard library's handler do the same where it is not replaced.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| end_panic(panic)));
}

/// One message and SIGABRT.
fn end_panic(panic: &dyn fmt::Display) -> ! {
    message(format_args!("internal error, please report it: {panic}"));
    // At once: a handler of the program's might want a lock that the panicking thread holds.
    sys::abort_without_handlers()
}

/// The thread that ends the process; 0 if none does.
static DYING: AtomicUsize = AtomicUsize::new(0);

/// Ends a program that cannot run: before any code of its own has run with exit code [`EXIT_UNUSABLE`], later with
/// SIGABRT, as what it has begun cannot be finished. Only the first thread to come here says why.
pub fn die(started: bool, text: fmt::Arguments<'_>) -> ! {
    let first = DYING.compare_exchange(0, sys::thread_pointer(), Ordering::SeqCst, Ordering::SeqCst).is_ok();
    if !first {
        park_forever();
    }
    // AUTOJIT_LOG=off silences this too: the exit code remains.
    if log::max_level() != log::LevelFilter::Off {
        message(text);
    }
    if started { sys::abort() } else { sys::exit(EXIT_UNUSABLE) }
}

/// Waits until another thread has ended the process. If the calling thread is ending it, a handler for SIGABRT has
/// come back to what failed: then it ends at once.
pub fn park_forever() -> ! {
    if DYING.load(Ordering::SeqCst) == sys::thread_pointer() {
        sys::abort_without_handlers();
    }
    loop {
        sys::sleep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_one_newline_and_is_cut() {
        assert_eq!(Line::new(format_args!("no {}", 7)).as_bytes(), b"autojit: no 7\n");
        let long = "x".repeat(3 * LINE);
        let line = Line::new(format_args!("{long}"));
        assert_eq!(line.as_bytes().len(), LINE);
        assert_eq!(line.as_bytes().last(), Some(&b'\n'));
    }

    /// The standard error of a child process that runs `body`, and its wait status.
    fn child(body: impl FnOnce()) -> (Vec<u8>, i32) {
        let mut pipe = [0; 2];
        // SAFETY: plain calls; the child leaves through exit_group or a signal and shares nothing.
        unsafe {
            assert_eq!(libc::pipe(pipe.as_mut_ptr()), 0);
            let child = libc::fork();
            if child == 0 {
                libc::dup2(pipe[1], 2);
                body();
                sys::exit(0);
            }
            libc::close(pipe[1]);
            let mut output = Vec::new();
            let mut byte = 0_u8;
            while libc::read(pipe[0], (&raw mut byte).cast(), 1) == 1 {
                output.push(byte);
            }
            libc::close(pipe[0]);
            let mut status = 0;
            libc::waitpid(child, &mut status, 0);
            (output, status)
        }
    }

    #[test]
    fn levels_filter() {
        let (output, _) = child(|| {
            install(log::LevelFilter::Warn);
            log::error!("one");
            log::warn!("two");
            log::info!("three");
            install(log::LevelFilter::Debug);
            log::debug!("four");
            install(log::LevelFilter::Off);
            log::error!("five");
        });
        assert_eq!(
            String::from_utf8(output).unwrap(),
            "autojit: one\nautojit: warning: two\nautojit: debug: four\n"
        );
    }

    #[test]
    fn death_before_and_after_the_start() {
        let (output, status) = child(|| {
            install(log::LevelFilter::Warn);
            die(false, format_args!("no"));
        });
        assert_eq!(output, b"autojit: no\n");
        assert_eq!(libc::WEXITSTATUS(status), EXIT_UNUSABLE);
        let (_, status) = child(|| die(true, format_args!("no")));
        assert_eq!(libc::WTERMSIG(status), libc::SIGABRT);
    }
}
