//! A program that is connected, as the daemon sees it.

use std::time::Instant;

use autojit_protocol::{Blob, Incoming, Message, Outgoing};
use autojit_sys::{Errno, File};

/// Bytes that may wait for a client that does not take them.
const BACKLOG: usize = 512 << 20;
/// Bytes of a message that is not whole, of one client.
pub const UNFINISHED: usize = 300 << 20;

/// What a client has shown to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It has said nothing yet.
    Unknown,
    /// It may ask for code.
    Program,
    /// It may send modules and ask for the status.
    Tool,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    input: File,
    /// Where answers go, if that is elsewhere.
    output: Option<File>,
    /// What has come.
    pub incoming: Incoming,
    outgoing: Outgoing,
    /// What it is.
    pub role: Role,
    /// What it says it is called.
    pub program: String,
    /// The request that it waits for.
    pub request: Option<u64>,
    /// Whether the answer must not have a descriptor.
    pub inline: bool,
    /// When it was last told anything.
    pub told: Instant,
    /// When it came.
    pub since: Instant,
    /// Whether it is to be left when it has everything.
    pub leaving: bool,
}

impl Client {
    /// A client at this socket, or at these two ends.
    pub fn new(input: File, output: Option<File>) -> Self {
        Self {
            input,
            output,
            incoming: Incoming::default(),
            outgoing: Outgoing::default(),
            role: Role::Unknown,
            program: String::new(),
            request: None,
            inline: false,
            told: Instant::now(),
            since: Instant::now(),
            leaving: false,
        }
    }

    /// Where it speaks.
    pub fn input(&self) -> &File {
        &self.input
    }

    /// Where it listens.
    pub fn output(&self) -> &File {
        self.output.as_ref().unwrap_or(&self.input)
    }

    /// Takes in what it says now; false if it is gone.
    pub fn fill(&mut self) -> bool {
        match self.incoming.fill(&self.input) {
            Ok(more) => more,
            Err(Errno(libc::EAGAIN)) => true,
            Err(_) => false,
        }
    }

    /// Tells it something.
    pub fn tell(&mut self, message: &Message<'_>, blob: Option<Blob>) {
        self.told = Instant::now();
        self.outgoing.push(message, blob);
    }

    /// Whether it has taken everything that it was told.
    pub fn is_told(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Sends what it takes; false if it is gone, or takes nothing.
    pub fn flush(&mut self) -> bool {
        let output = self.output.as_ref().unwrap_or(&self.input);
        self.outgoing.flush(output).is_ok() && self.outgoing.waiting() < BACKLOG
    }
}
