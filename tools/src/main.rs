//! autojit, autojit-run and the compiler wrappers: one executable, which its name tells what to be ([`role`]).
//!
//! Build systems start these programs thousands of times, so each does a few system calls and becomes the program that
//! it is for: the executable is linked statically at a fixed address (scripts/build), starts no thread, and reads no
//! file but the source of a compile that can have a preamble ([`preamble`]), and what is kept of it or of a link ([`plan`]). The program inherits everything that this
//! process was given. Behind a link it stays, to tell more if that fails ([`undefined`]),
//! and behind a library of Rust, to make it fit for link-time optimisation of others ([`rlib`]). That is why there is no Rust `main`: the start-up code behind it changes how the process takes
//! SIGPIPE.

#![cfg_attr(not(test), no_main)]

mod arguments;
mod cached;
mod compiler;
mod doctor;
mod elf;
mod identity;
mod installation;
mod kept;
mod launch;
mod link;
mod list;
mod lto;
mod needed;
mod plan;
mod preamble;
mod process;
mod progress;
mod ptrace;
mod revive;
mod rlib;
mod role;
mod run;
mod rust;
mod suit;
mod undefined;

use std::ffi::{OsString, c_char, c_int};

use role::Role;

/// Why a program cannot go on: the exit status and the message.
#[derive(Debug, PartialEq, Eq)]
struct Failure {
    status: u8,
    message: String,
}

impl Failure {
    fn new(status: u8, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}

/// The start code of the C library calls this; in unit tests, the harness has a `main` of its own.
// SAFETY: no other crate of this executable defines it.
#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn main(_count: c_int, _arguments: *const *const c_char) -> c_int {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let Some((name, role)) = role::of_process() else {
        eprintln!("autojit: unknown program name; links to this executable are named {}", role::names());
        return 2;
    };
    let result = match role {
        Role::Launch => launch::run(&arguments),
        Role::Cargo => launch::cargo(&arguments),
        Role::Run => run::run(arguments),
        Role::Compiler(language) => compiler::run(language, &arguments),
        Role::Rust => rust::run(&arguments),
        Role::Tool(candidates) => compiler::tool(candidates, &arguments),
    };
    match result {
        Ok(status) => status.into(),
        Err(failure) => {
            eprintln!("{name}: {}", failure.message);
            failure.status.into()
        }
    }
}
