//! autojitd: compiles the functions of lazily compiled programs in processes of its own, for all programs of its user.
//!
//! In the order in which a request passes:
//!
//! - [`arguments`]: the command line; [`listen`]: the socket, and that there is one daemon for it; [`signals`].
//! - [`server`]: the one thread that serves. **Start reading here.** [`client`]: a program as it sees it; [`talk`]: what
//!   they say to each other; [`modules`]: the containers and objects that it knows; [`report`]: what it says of itself.
//! - [`schedule`]: which compiler does what; [`pool`]: the compilers as it sees them; [`job`]: what it says to them.
//! - [`compiler`]: a compiler, in a process of its own; [`engine`]: LLVM behind its interface.
//!
//! The language of clients is crate autojit-protocol; docs/protocol.md describes it.

mod arguments;
mod client;
mod compiler;
mod engine;
mod inherited;
mod job;
mod listen;
mod modules;
mod pool;
mod report;
mod schedule;
mod server;
mod signals;
mod talk;

use std::process::ExitCode;
use std::time::Duration;

use autojit_protocol::connection::SILENCE;
use autojit_protocol::message::VERSION;
use autojit_protocol::{Connection, Message};
use autojit_sys::File;

use arguments::{Action, Arguments};
use client::Client;
use engine::Engine;
use listen::{Listener, NoListener};
use server::Server;
use signals::Signals;

/// Says something to whoever has started the daemon.
fn say(text: std::fmt::Arguments<'_>) {
    // One write, and none that could fail the daemon: nobody may be there to be told.
    let _ = autojit_sys::write(2, format!("autojitd: {text}\n").as_bytes());
}

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args_os().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            say(format_args!("{message}"));
            return ExitCode::from(2);
        }
    };
    let done = match arguments.action {
        Action::Help => {
            print!("{}", arguments::help());
            Ok(())
        }
        Action::Version => {
            println!("autojitd {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        Action::Status => ask(&Message::Status),
        Action::Stop => ask(&Message::Stop),
        Action::Stdio => {
            inherited::shed_libraries();
            stdio(arguments)
        }
        Action::Serve if arguments.detach => {
            inherited::shed_libraries();
            detach(arguments)
        }
        Action::Serve => serve(arguments, || ()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say(format_args!("{message}"));
            ExitCode::FAILURE
        }
    }
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

/// How long a daemon that was killed may seem to be there: until its compilers have noticed, they have its lock.
const LEAVING: Duration = Duration::from_secs(1);

/// Serves programs at the socket; calls `ready` when they can connect.
fn serve(arguments: Arguments, ready: impl FnOnce()) -> Result<(), String> {
    let signals = Signals::new().map_err(|error| format!("waiting for signals: {error}"))?;
    let listener = match Listener::activated() {
        Some(listener) => listener,
        None => match Listener::take(if arguments.detach { Duration::ZERO } else { LEAVING }) {
            Ok(listener) => listener,
            Err(NoListener::Taken) if arguments.detach => {
                ready();
                return Ok(());
            }
            Err(NoListener::Taken) => {
                let path = listen::path().unwrap_or_default();
                return Err(format!("another autojitd serves {} already", path.to_string_lossy()));
            }
            Err(NoListener::Failed(message)) => return Err(message),
        },
    };
    raise_descriptor_limit();
    let engine = Engine::load();
    let server = engine.and_then(|engine| {
        Server::new(arguments, engine, listen::cache(), Some(listener), signals, listen::options().prefetch)
    })?;
    ready();
    server.run();
    Ok(())
}

/// Serves in the background; returns when programs can connect.
fn detach(arguments: Arguments) -> Result<(), String> {
    let (mut reader, writer) = std::io::pipe().map_err(|error| format!("making a pipe: {error}"))?;
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
            let result = serve(arguments, || {
                // It could be on a disk that is to be unmounted. Until now, paths were relative to it.
                let _ = std::env::set_current_dir("/");
                drop(writer.take());
            });
            if let (Err(message), Some(mut writer)) = (result, writer.take()) {
                // Whoever has started it is there to be told: he waits for the end of the pipe.
                let _ = std::io::Write::write_all(&mut writer, message.as_bytes());
            }
            autojit_sys::exit(0)
        }
        _ => {
            drop(writer);
            let mut message = String::new();
            std::io::Read::read_to_string(&mut reader, &mut message)
                .map_err(|error| format!("waiting for it: {error}"))?;
            if message.is_empty() { Ok(()) } else { Err(message) }
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

/// Serves one client on standard input and output.
fn stdio(arguments: Arguments) -> Result<(), String> {
    inherited::leave();
    let signals = Signals::new().map_err(|error| format!("waiting for signals: {error}"))?;
    raise_descriptor_limit();
    // SAFETY: they are open, or reading from them fails; descriptors 0 and 1 are not used otherwise.
    let (input, output) = unsafe {
        use std::os::fd::{FromRawFd, OwnedFd};
        (OwnedFd::from_raw_fd(0), OwnedFd::from_raw_fd(1))
    };
    let (input, output): (File, File) = (input.into(), output.into());
    // One socket for both is the usual case.
    let same =
        input.identity().is_ok_and(|identity| output.identity() == Ok(identity)) && input.peer().is_ok();
    let output = if same {
        std::mem::forget(output);
        None
    } else {
        Some(output)
    };
    let engine = Engine::load()?;
    let mut server =
        Server::new(arguments, engine, listen::cache(), None, signals, listen::options().prefetch)?;
    server.add(Client::new(input, output));
    server.run();
    Ok(())
}

/// Asks the daemon that runs.
fn ask(question: &Message<'_>) -> Result<(), String> {
    let path = listen::path()?;
    let failed =
        |error: &dyn std::fmt::Display| format!("no autojitd at {}: {error}", path.to_string_lossy());
    let mut connection = Connection::open(&path).map_err(|error| failed(&error))?;
    let hello = Message::Hello { version: VERSION, generator: [0; 32], program: "autojitd".into() };
    connection.send(&hello, None).map_err(|error| failed(&error))?;
    let mut asked = false;
    loop {
        let packet = connection.receive(SILENCE).map_err(|error| failed(&error))?;
        match packet.message().map_err(|error| failed(&error))? {
            Message::Welcome { .. } if !asked => {
                asked = true;
                connection.send(question, None).map_err(|error| failed(&error))?;
            }
            Message::Report { text } => {
                println!("{text}");
                return Ok(());
            }
            Message::Stopping => {
                // It ends when it has written everything, and closes the connection last.
                while connection.receive(2 * SILENCE).is_ok() {}
                return Ok(());
            }
            Message::Refused { reason } => return Err(failed(&reason)),
            _ => return Err(failed(&"it has sent an answer to something else")),
        }
    }
}
