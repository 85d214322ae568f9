//! The ways to serve: in the foreground, in the background, and on standard input and output.

use std::io::{Read, Write, pipe};
use std::mem;
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::Duration;

use autojit_sys::File;

use crate::arguments::Arguments;
use crate::client::Client;
use crate::engine;
use crate::inherited;
use crate::listen::{self, Listener, NoListener};
use crate::server::Server;
use crate::signals::Signals;

/// How long a daemon that was killed may seem to be there: its compilers have its lock until they notice.
const LEAVING: Duration = Duration::from_secs(1);

/// Serves programs at the socket until told to stop.
///
/// # Errors
/// No daemon can be started, or another one listens there: in words.
pub fn in_foreground(arguments: Arguments) -> Result<(), String> {
    if serve(&arguments, LEAVING, || ())? {
        return Ok(());
    }
    let path = listen::path().unwrap_or_default();
    Err(format!("another autojitd serves {} already", path.to_string_lossy()))
}

/// Serves programs at the socket, in a process of its own; returns when programs can connect. A daemon that listens there
/// already is good.
///
/// # Errors
/// No daemon can be started: in words.
pub fn in_background(arguments: Arguments) -> Result<(), String> {
    inherited::shed_libraries();
    let (mut reader, writer) = pipe().map_err(|error| format!("making a pipe: {error}"))?;
    // SAFETY: this process has one thread.
    match unsafe { libc::fork() } {
        -1 => Err(format!("starting a process: {}", std::io::Error::last_os_error())),
        0 => {
            // SAFETY: takes no pointers.
            unsafe { libc::setsid() };
            inherited::leave();
            // Before there are compilers, which would keep what they inherit.
            leave_terminal();
            let mut writer = Some(writer);
            let ready = || {
                // It could be on a disk that is to be unmounted. Until now, paths were relative to it.
                let _ = std::env::set_current_dir("/");
                drop(writer.take());
            };
            let result = serve(&arguments, Duration::ZERO, ready);
            if let (Err(message), Some(mut writer)) = (&result, writer.take()) {
                // The process that started this one waits for the end of the pipe.
                let _ = writer.write_all(message.as_bytes());
            }
            autojit_sys::exit(0)
        }
        _ => {
            drop(writer);
            let mut message = String::new();
            reader.read_to_string(&mut message).map_err(|error| format!("waiting for it: {error}"))?;
            if message.is_empty() { Ok(()) } else { Err(message) }
        }
    }
}

/// Serves one client on standard input and output, and ends with it.
///
/// # Errors
/// No daemon can be started: in words.
pub fn on_standard_descriptors(arguments: Arguments) -> Result<(), String> {
    inherited::shed_libraries();
    inherited::leave();
    let signals = signals()?;
    raise_descriptor_limit();
    // SAFETY: they are open, or reading from them fails; descriptors 0 and 1 are not used otherwise.
    let (input, output) = unsafe { (OwnedFd::from_raw_fd(0), OwnedFd::from_raw_fd(1)) };
    let (input, output): (File, File) = (input.into(), output.into());
    // One socket for both is the usual case.
    let same =
        input.identity().is_ok_and(|identity| output.identity() == Ok(identity)) && input.peer().is_ok();
    let output = if same {
        mem::forget(output);
        None
    } else {
        Some(output)
    };
    let mut server = Server::new(&arguments, engine::load()?, listen::cache(), None, signals)?;
    server.add(Client::new(input, output));
    server.run();
    Ok(())
}

/// Serves until told to stop; calls `ready` when programs can connect. False if another daemon listens there and has not
/// left within `patience`.
fn serve(arguments: &Arguments, patience: Duration, ready: impl FnOnce()) -> Result<bool, String> {
    // First, so that a signal cannot end the process when there is a socket that it has to remove.
    let signals = signals()?;
    let listener = match Listener::activated().map_or_else(|| Listener::take(patience), Ok) {
        Ok(listener) => listener,
        Err(NoListener::Taken) => return Ok(false),
        Err(NoListener::Failed(message)) => return Err(message),
    };
    raise_descriptor_limit();
    let server = Server::new(arguments, engine::load()?, listen::cache(), Some(listener), signals)?;
    ready();
    server.run();
    Ok(true)
}

fn signals() -> Result<Signals, String> {
    Signals::new().map_err(|error| format!("waiting for signals: {error}"))
}

/// As many descriptors as the system lets this process have.
fn raise_descriptor_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls get a valid structure. Without them the daemon has less room.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

/// Gives up the standard descriptors.
fn leave_terminal() {
    // SAFETY: the descriptors 0 to 2 are replaced as a whole; nothing of Rust's owns them.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        for standard in 0..3 {
            libc::dup2(null, standard);
        }
        if null > 2 {
            libc::close(null);
        }
    }
}
