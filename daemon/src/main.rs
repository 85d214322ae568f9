//! autojitd: compiles the functions of lazily compiled programs in processes of its own, for all programs of its user.
//!
//! In the order in which a request passes:
//!
//! - [`arguments`]: the command line; [`start`]: the ways to serve; [`ask`]: questions to a daemon that runs; [`inherited`]:
//!   what a daemon must not keep of the process that started it.
//! - [`listen`]: the socket, and that one daemon serves it; [`signals`].
//! - [`server`]: the one thread that waits for clients and compilers. **Start reading here.**
//! - [`state`]: all that the daemon knows, in parts: [`clients`] ([`client`] is one of them), [`requests`], [`ahead`],
//!   [`compilers`] ([`child`]), [`modules`], and the counters of its [`report`].
//! - Handlers change it: [`talk`] on messages of clients, [`outcome`] on results of compilers; [`schedule`] gives compilers
//!   their jobs.
//! - [`job`]: the messages between daemon and compilers; [`compiler`]: a compiler, in a process of its own; [`engine`]: LLVM
//!   behind its interface.
//!
//! The protocol of clients is crate autojit-protocol; docs/protocol.md describes it.

mod ahead;
mod arguments;
mod ask;
mod child;
mod client;
mod clients;
mod compiler;
mod compilers;
mod engine;
mod inherited;
mod job;
mod listen;
mod modules;
mod outcome;
mod report;
mod requests;
mod schedule;
mod server;
mod signals;
mod start;
mod state;
mod talk;

use std::process::ExitCode;

use autojit_protocol::Message;

use arguments::{Action, Arguments};

/// Prints a message on standard error.
fn say(text: std::fmt::Arguments<'_>) {
    // One write, whose failure is ignored: standard error may be closed.
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
        Action::Status => ask::ask(&Message::Status),
        Action::Stop => ask::ask(&Message::Stop),
        Action::Stdio => start::on_standard_descriptors(arguments),
        Action::Serve if arguments.detach => start::in_background(arguments),
        Action::Serve => start::in_foreground(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say(format_args!("{message}"));
            ExitCode::FAILURE
        }
    }
}
